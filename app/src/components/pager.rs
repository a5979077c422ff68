//! Steps through a long list by keyset: there are no page numbers, because rows come and go between two looks.

use leptos::prelude::*;
use leptos_router::components::A;

use crate::components::icon::Icon;

/// Links to the neighbouring pages; draws nothing when there is neither.
#[component]
pub fn Pager(
    #[prop(into)] previous: Option<String>,
    #[prop(into)] next: Option<String>,
) -> impl IntoView {
    (previous.is_some() || next.is_some()).then(|| {
        view! {
            <nav class="pager" aria-label="Pages">
                {previous.map(|href| view! {
                    <A href=href attr:class="button" attr:rel="prev"><Icon name="left"/>"Previous"</A>
                })}
                {next.map(|href| view! {
                    <A href=href attr:class="button" attr:rel="next">"Next"<Icon name="right"/></A>
                })}
            </nav>
        }
    })
}
