//! Several lines of input. The only place that may write the raw tag: Leptos 0.8 does not escape that element's
//! children on the server, so `</textarea><script>` in a value would run.

use leptos::prelude::*;

use crate::components::field::Ids;

#[component]
pub fn TextArea(
    #[prop(into)] label: String,
    name: &'static str,
    #[prop(optional, into)] value: String,
    #[prop(optional)] hint: Option<&'static str>,
    #[prop(optional_no_strip)] error: Option<String>,
    #[prop(default = 4)] rows: u32,
    #[prop(optional)] required: bool,
) -> impl IntoView {
    let ids = Ids::new(name, hint.is_some(), error.is_some());
    let wrong = error.is_some();
    view! {
        <div class="field" class:field--wrong=wrong>
            <label class="field__label" for=ids.input.clone()>{label}</label>
            {hint.map(|hint| view! { <p class="field__hint" id=ids.hint.clone()>{hint}</p> })}
            <textarea
                class="input"
                id=ids.input
                name=name
                rows=rows.to_string()
                required=required
                aria-invalid=wrong.then_some("true")
                aria-describedby=ids.described_by
                inner_html=content(&value)
            ></textarea>
            {error.map(|error| view! { <p class="field__error" id=ids.error>{error}</p> })}
        </div>
    }
}

/// The element's content as HTML. A parser swallows one line feed after the start tag, so one is put there to be
/// swallowed.
fn content(value: &str) -> String {
    let mut html = String::with_capacity(value.len() + 1);
    html.push('\n');
    for character in value.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            other => html.push(other),
        }
    }
    html
}
