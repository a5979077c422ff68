//! The portal's main navigation: what the viewer can go to.

use leptos::prelude::*;
use leptos_router::components::A;

#[component]
pub fn Nav() -> impl IntoView {
    view! {
        <nav class="nav" aria-label="Main">
            <ul>
                <li><A href="/" exact=true>"Home"</A></li>
            </ul>
        </nav>
    }
}
