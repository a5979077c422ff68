//! Several lines of input. The only place that may write the raw tag: Leptos 0.8 does not escape that element's
//! children on the server, so `</textarea><script>` in a value would run.

use leptos::prelude::*;

use crate::components::field::Input;
use crate::components::meanwhile;

#[component]
pub fn TextArea(
    #[prop(into)] label: String,
    name: &'static str,
    #[prop(optional, into)] value: String,
    #[prop(optional)] hint: Option<&'static str>,
    #[prop(optional_no_strip)] error: Option<String>,
    #[prop(default = 4)] rows: u32,
    #[prop(optional)] required: bool,
    /// The most characters.
    #[prop(optional)]
    max: Option<u32>,
) -> impl IntoView {
    let seen = meanwhile::shown(&label, name, &value, meanwhile::in_quotes);
    let input = Input::new(name, Some(value), error, hint.is_some());
    let value = input.value.clone().unwrap_or_default();
    view! {
        <div class="field" class:field--wrong=input.is_wrong()>
            <label class="field__label" for=input.id.clone()>{label}</label>
            {input.hint(hint)}
            <textarea
                class="input"
                id=input.id.clone()
                name=input.name.clone()
                dir="auto"
                rows=rows.to_string()
                required=required
                maxlength=max.map(|max| max.to_string())
                aria-invalid=input.invalid()
                aria-describedby=input.described_by()
                inner_html=content(&value)
            ></textarea>
            {input.message()}
            {seen}
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
