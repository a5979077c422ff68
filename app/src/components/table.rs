//! A table that scrolls by itself where the screen is narrow. Rows come as children.

use leptos::prelude::*;

/// A column's heading, standing where its cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Text(&'static str),
    /// Cells carry the class `number`.
    Number(&'static str),
}

/// `caption` names the table for everybody; the rows go into its `tbody`.
#[component]
pub fn Table(
    #[prop(into)] caption: String,
    head: Vec<Column>,
    children: Children,
) -> impl IntoView {
    let label = caption.clone();
    let head = head
        .into_iter()
        .map(|column| {
            let (title, class) = match column {
                Column::Text(title) => (title, None),
                Column::Number(title) => (title, Some("number")),
            };
            view! { <th scope="col" class=class>{title}</th> }
        })
        .collect_view();
    view! {
        // Focusable, or a keyboard could not scroll it.
        <div class="table-scroll" role="region" aria-label=label tabindex="0">
            <table>
                <caption>{caption}</caption>
                <thead><tr>{head}</tr></thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
}
