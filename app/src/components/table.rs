//! A table that scrolls by itself where the screen is narrow. Rows come as children.

use leptos::prelude::*;

/// `caption` names the table for everybody; the rows go into its `tbody`.
#[component]
pub fn Table(caption: &'static str, head: Vec<&'static str>, children: Children) -> impl IntoView {
    let head = head
        .into_iter()
        .map(|title| view! { <th scope="col">{title}</th> })
        .collect_view();
    view! {
        // Focusable, or a keyboard could not scroll it.
        <div class="table-scroll" role="region" aria-label=caption tabindex="0">
            <table>
                <caption>{caption}</caption>
                <thead><tr>{head}</tr></thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
}
