//! Parts of one page, each with an address of its own: links, so that they can be sent, opened in a new window, and work
//! without JavaScript.

use leptos::prelude::*;

/// What the tabs lead to: word in the address and title.
#[component]
pub fn Tabs(
    /// Names them for screen readers.
    label: &'static str,
    tabs: Vec<(String, &'static str)>,
    /// The address of the one that is shown.
    current: String,
) -> impl IntoView {
    let tabs = tabs
        .into_iter()
        .map(|(href, title)| {
            let is_current = (href == current).then_some("page");
            view! { <li><a href=href aria-current=is_current>{title}</a></li> }
        })
        .collect_view();
    view! { <nav class="tabs" aria-label=label><ul>{tabs}</ul></nav> }
}
