//! Steps through a long list by keyset: there are no page numbers, because rows come and go between two looks. The way
//! back is the browser's.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::islands::icon::Icon;
use crate::words;

/// Links to the first and the next page; draws nothing when there is neither.
#[component]
pub fn Pager(
    /// Given on every page but the first.
    #[prop(into)]
    first: Option<String>,
    #[prop(into)] next: Option<String>,
    /// Names it for screen readers where a page has several.
    #[prop(default = "Pages")]
    label: &'static str,
) -> impl IntoView {
    (first.is_some() || next.is_some()).then(|| {
        view! {
            <nav class="pager" aria-label=label>
                {first.map(|href| view! {
                    <A href=href attr:class="button"><Icon name="left"/>{words::components::FIRST_PAGE}</A>
                })}
                {next.map(|href| view! {
                    <A href=href attr:class="button pager__next" attr:rel="next">{words::components::NEXT}<Icon name="right"/></A>
                })}
            </nav>
        }
    })
}
