//! What runs the exchange: people, domains, teams, storages, recipients, prices, the workers' queue, the audit log. Each page is
//! offered to those whose work it is, and the exchange asks again who may see it.

pub mod assess;
pub mod audit;
pub mod domains;
pub mod jobs;
pub mod people;
pub mod rates;
pub mod recipients;
pub mod storages;
pub mod teams;

pub use assess::{Assess, ShowAssessment};
pub use audit::Audit;
pub use domains::{Domains, ShowDomain};
pub use jobs::Jobs;
pub use people::People;
pub use rates::Rates;
pub use recipients::Recipients;
pub use storages::Storages;
pub use teams::Teams;

use leptos::prelude::*;
use model::Role;

use crate::components::tabs::Tabs;
use crate::ctx;
use crate::words;

/// The first admin page that this person may see.
pub(crate) fn entrance() -> Option<&'static str> {
    offered().first().map(|(path, _)| *path)
}

fn offered() -> Vec<(&'static str, &'static str)> {
    let is = |role| ctx::viewer().is_some_and(|viewer| viewer.is(role));
    let mut pages = Vec::new();
    if is(Role::Admin) || is(Role::Auditor) {
        pages.push((people::PATH, words::admin::PEOPLE));
        pages.push((domains::PATH, words::admin::DOMAINS));
        pages.push((teams::PATH, words::admin::TEAMS));
        pages.push((storages::PATH, words::admin::STORAGES));
        pages.push((recipients::PATH, words::admin::RECIPIENTS));
    }
    if is(Role::Admin) || is(Role::Finance) {
        pages.push(("/admin/rates", words::admin::PRICES));
    }
    if is(Role::Admin) {
        pages.push(("/admin/assess", words::admin::ASSESS));
        pages.push(("/admin/jobs", words::admin::JOBS));
    }
    if is(Role::Admin) || is(Role::Auditor) {
        pages.push(("/admin/audit", words::admin::AUDIT));
    }
    pages
}

/// The heading that the admin pages have in common.
#[component]
fn Head(path: &'static str, title: &'static str, lead: &'static str) -> impl IntoView {
    let tabs: Vec<(String, &'static str)> = offered()
        .into_iter()
        .map(|(path, title)| (path.to_owned(), title))
        .collect();
    // A producer comes here for one page and is offered no other.
    let tabs = (!tabs.is_empty())
        .then(|| view! { <Tabs label=words::admin::ADMINISTRATION tabs current=path.to_owned()/> });
    view! {
        <div class="page-head">
            <h1>{title}</h1>
            <p class="lead">{lead}</p>
        </div>
        {tabs}
    }
}
