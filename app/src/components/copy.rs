//! Text to take along: shown as it is, with a button that copies it once the page is hydrated.

use std::time::Duration;

use leptos::prelude::*;

use crate::components::icon::Icon;

/// A block of code. `label` names it for screen readers.
#[component]
pub fn Code(#[prop(into)] text: String, #[prop(into)] label: String) -> impl IntoView {
    view! {
        <div class="code-block">
            // Focusable, or a keyboard could not scroll it.
            <pre tabindex="0" role="region" aria-label=label.clone()><code>{text.clone()}</code></pre>
            <Copy text what=label/>
        </div>
    }
}

/// The button alone. Without script there is none: nothing on the page does nothing.
#[component]
pub fn Copy(#[prop(into)] text: String, #[prop(into)] what: String) -> impl IntoView {
    let is_live = RwSignal::new(false);
    let is_copied = RwSignal::new(false);
    Effect::new(move |_| is_live.set(true));
    let text = StoredValue::new(text);
    let copy = move |_| {
        text.with_value(|text| to_clipboard(text));
        is_copied.set(true);
        set_timeout(move || is_copied.set(false), Duration::from_secs(2));
    };
    let what = StoredValue::new(what);
    view! {
        <Show when=move || is_live.get()>
            <button type="button" class="copy" on:click=copy>
                <Icon name="copy"/>
                <span aria-live="polite">{move || if is_copied.get() { "Copied" } else { "Copy" }}</span>
                <span class="visually-hidden">" "{what.get_value()}</span>
            </button>
        </Show>
    }
}

/// The promise is not waited for: it fails only where the browser forbids it, and tells so by itself.
#[cfg(feature = "hydrate")]
fn to_clipboard(text: &str) {
    drop(window().navigator().clipboard().write_text(text));
}

#[cfg(not(feature = "hydrate"))]
fn to_clipboard(_text: &str) {}
