//! Icons: one sprite, `public/icons.svg`, so that none weighs on the bundle.

use leptos::prelude::*;

/// A decoration beside words: screen readers pass it over. `name` is the id of a symbol in the sprite.
#[component]
pub fn Icon(name: &'static str) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true" focusable="false">
            <use href=format!("/icons.svg#{name}")></use>
        </svg>
    }
}
