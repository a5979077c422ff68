//! Text to take along, shown as it is.

use leptos::prelude::*;

use crate::islands::copy::Copy;

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
