//! A button that copies a text. Without script there is none: nothing on the page does nothing.

use std::time::Duration;

use leptos::prelude::*;

use crate::words;

use super::icon::Icon;

const SAID: Duration = Duration::from_secs(2);

#[island]
pub fn Copy(#[prop(into)] text: String, #[prop(into)] what: String) -> impl IntoView {
    let is_live = RwSignal::new(false);
    let is_copied = RwSignal::new(false);
    Effect::new(move |_| is_live.set(true));
    let copy = move |_| {
        to_clipboard(&text);
        is_copied.set(true);
        set_timeout(move || is_copied.set(false), SAID);
    };
    view! {
        <button type="button" class="copy" hidden=move || !is_live.get() on:click=copy>
            <Icon name="copy"/>
            <span aria-live="polite">{move || if is_copied.get() { words::both::COPIED } else { words::both::COPY }}</span>
            <span class="visually-hidden">" "{what}</span>
        </button>
    }
}

/// The promise is not waited for: it fails only where the browser forbids it, and tells so by itself.
#[cfg(feature = "hydrate")]
fn to_clipboard(text: &str) {
    drop(window().navigator().clipboard().write_text(text));
}

#[cfg(not(feature = "hydrate"))]
fn to_clipboard(_text: &str) {}
