//! The portal's main navigation: what the viewer can go to.

use leptos::prelude::*;
use leptos_router::components::A;
use model::Role;

use crate::ctx;
use crate::ctx::Viewer;
use crate::pages::admin;

#[component]
pub fn Nav() -> impl IntoView {
    let members = ctx::viewer().map(|viewer| {
        let decides = decides(&viewer);
        let produces = viewer.produces();
        view! {
            <li><A href="/catalog">"Catalog"</A></li>
            <li><A href="/access">"My access"</A></li>
            {decides.then(|| view! { <li><A href="/approvals">"Approvals"</A></li> })}
            {produces.then(|| view! { <li><A href="/register">"Register"</A></li> })}
            <li><A href="/replicas">"Replicas"</A></li>
            <li><A href="/costs">"Costs"</A></li>
            {admin::entrance().map(|href| view! { <li><A href>"Admin"</A></li> })}
        }
    });
    view! {
        <nav class="nav" aria-label="Main">
            <ul>
                <li><A href="/" exact=true>"Home"</A></li>
                {members}
            </ul>
        </nav>
    }
}

/// Whether requests may wait for this person.
pub(crate) fn decides(viewer: &Viewer) -> bool {
    viewer.produces() || viewer.is(Role::DataProtection)
}
