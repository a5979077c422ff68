//! The portal's main navigation: what the viewer can go to.

use leptos::prelude::*;
use leptos_router::components::A;
use model::Role;

use crate::ctx;
use crate::ctx::Viewer;
use crate::pages::admin;
use crate::words;

#[component]
pub fn Nav() -> impl IntoView {
    let members = ctx::viewer().map(|viewer| {
        let decides = decides(&viewer);
        let produces = viewer.produces();
        view! {
            <li><A href="/catalog">{words::components::CATALOG}</A></li>
            <li><A href="/access">{words::components::MY_ACCESS}</A></li>
            {decides.then(|| view! { <li><A href="/approvals">{words::components::APPROVALS}</A></li> })}
            {produces.then(|| view! { <li><A href="/register">{words::components::REGISTER}</A></li> })}
            <li><A href="/replicas">{words::components::REPLICAS}</A></li>
            <li><A href="/costs">{words::components::COSTS}</A></li>
            {admin::entrance().map(|href| view! { <li><A href>{words::components::ADMIN}</A></li> })}
        }
    });
    view! {
        <nav class="nav" aria-label=words::components::MAIN_NAVIGATION>
            <ul>
                <li><A href="/" exact=true>{words::components::HOME}</A></li>
                {members}
            </ul>
        </nav>
    }
}

/// Whether requests may wait for this person.
pub(crate) fn decides(viewer: &Viewer) -> bool {
    viewer.produces() || viewer.is(Role::DataProtection)
}
