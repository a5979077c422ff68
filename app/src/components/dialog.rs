//! Something that opens over the page, by the browser's own popover: without script, closed by Escape or by a click
//! beside it.

use leptos::prelude::*;

use crate::words;

/// A button and what it opens. `id` is unique on the page.
#[component]
pub fn Dialog(
    id: &'static str,
    /// What the button says.
    open: &'static str,
    title: &'static str,
    children: Children,
) -> impl IntoView {
    let heading = format!("{id}-title");
    let labelled_by = heading.clone();
    view! {
        <button type="button" class="button" popovertarget=id>{open}</button>
        <div class="dialog" id=id popover="auto" role="dialog" aria-labelledby=labelled_by>
            <h2 class="dialog__title" id=heading>{title}</h2>
            {children()}
            <div class="actions">
                <button type="button" class="button button--quiet" popovertarget=id popovertargetaction="hide">
                    {words::components::CLOSE}
                </button>
            </div>
        </div>
    }
}
