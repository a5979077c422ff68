//! Who is signed in, and the way in and out. Opens without script.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::components::button::Button;
use crate::components::button::Weight;
use crate::ctx;
use crate::ctx::Viewer;
use crate::islands::icon::Icon;

#[component]
pub fn Account() -> impl IntoView {
    match ctx::viewer() {
        Some(viewer) => menu(viewer).into_any(),
        None => view! { <A href="/sign-in" attr:class="button account__sign-in">"Sign in"</A> }
            .into_any(),
    }
}

fn menu(viewer: Viewer) -> impl IntoView {
    view! {
        <details class="account">
            <summary class="button button--quiet">
                <Icon name="person"/>
                <span class="visually-hidden">"Account of "</span>
                <span class="account__name">{viewer.name}</span>
            </summary>
            <div class="account__menu">
                <A href="/account/notifications" attr:class="button button--quiet">"Mail to you"</A>
                // A plain form: the server's route ends the session and answers with a fresh page.
                <form method="post" action="/sign-out">
                    <Button weight=Weight::Quiet><Icon name="out"/>"Sign out"</Button>
                </form>
            </div>
        </details>
    }
}
