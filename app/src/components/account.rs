//! Who is signed in, and the way in and out. Opens without script.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::components::button::Button;
use crate::components::button::Weight;
use crate::ctx;
use crate::ctx::Viewer;
use crate::islands::icon::Icon;
use crate::words;

#[component]
pub fn Account() -> impl IntoView {
    match ctx::viewer() {
        Some(viewer) => menu(viewer).into_any(),
        None => view! { <A href="/sign-in" attr:class="button account__sign-in">{words::components::SIGN_IN}</A> }
            .into_any(),
    }
}

fn menu(viewer: Viewer) -> impl IntoView {
    view! {
        <details class="account">
            <summary class="button button--quiet">
                <Icon name="person"/>
                <span class="visually-hidden">{words::components::ACCOUNT_OF}</span>
                <span class="account__name">{viewer.name}</span>
            </summary>
            <div class="account__menu">
                <A href="/account" attr:class="button button--quiet"><Icon name="person"/>{words::components::YOUR_ACCOUNT}</A>
                // A plain form: the server's route ends the session and answers with a fresh page.
                <form method="post" action="/sign-out">
                    <Button weight=Weight::Quiet><Icon name="out"/>{words::components::SIGN_OUT}</Button>
                </form>
            </div>
        </details>
    }
}
