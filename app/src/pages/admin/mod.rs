//! What runs the exchange: prices, the workers' queue, the audit log. Each page is offered to who may see it, and the exchange
//! asks again.

pub mod audit;
pub mod jobs;
pub mod rates;

pub use audit::Audit;
pub use jobs::Jobs;
pub use rates::Rates;

use leptos::prelude::*;
use model::Role;

use crate::components::tabs::Tabs;
use crate::ctx;

/// The first admin page that this person may see.
pub(crate) fn entrance() -> Option<&'static str> {
    offered().first().map(|(path, _)| *path)
}

fn offered() -> Vec<(&'static str, &'static str)> {
    let is = |role| ctx::viewer().is_some_and(|viewer| viewer.is(role));
    let mut pages = Vec::new();
    if is(Role::Admin) || is(Role::Finance) {
        pages.push(("/admin/rates", "Prices"));
    }
    if is(Role::Admin) {
        pages.push(("/admin/jobs", "Jobs"));
    }
    if is(Role::Admin) || is(Role::Auditor) {
        pages.push(("/admin/audit", "Audit"));
    }
    pages
}

/// The heading that the admin pages have in common.
#[component]
fn Head(path: &'static str, title: &'static str, lead: &'static str) -> impl IntoView {
    let tabs = offered()
        .into_iter()
        .map(|(path, title)| (path.to_owned(), title))
        .collect();
    view! {
        <div class="page-head">
            <h1>{title}</h1>
            <p class="lead">{lead}</p>
        </div>
        <Tabs label="Administration" tabs current=path.to_owned()/>
    }
}
