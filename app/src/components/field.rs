//! One line of input with its label, hint and error, tied together for screen readers.

use leptos::prelude::*;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    #[default]
    Text,
    Password,
    Date,
    Number,
    Search,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Password => "password",
            Self::Date => "date",
            Self::Number => "number",
            Self::Search => "search",
        }
    }
}

/// The input is not controlled: what somebody typed before the page hydrated stays.
#[component]
pub fn Field(
    #[prop(into)] label: String,
    name: &'static str,
    #[prop(default = Kind::Text)] kind: Kind,
    /// Ignored for passwords: a secret never travels back into a page.
    #[prop(optional_no_strip)]
    value: Option<String>,
    #[prop(optional)] hint: Option<&'static str>,
    #[prop(optional_no_strip)] error: Option<String>,
    #[prop(optional)] autocomplete: Option<&'static str>,
    #[prop(optional)] required: bool,
    #[prop(optional)] autofocus: bool,
) -> impl IntoView {
    let ids = Ids::new(name, hint.is_some(), error.is_some());
    let value = value.filter(|_| kind != Kind::Password);
    let wrong = error.is_some();
    view! {
        <div class="field" class:field--wrong=wrong>
            <label class="field__label" for=ids.input.clone()>{label}</label>
            {hint.map(|hint| view! { <p class="field__hint" id=ids.hint.clone()>{hint}</p> })}
            <input
                class="input"
                id=ids.input
                name=name
                type=kind.as_str()
                value=value
                autocomplete=autocomplete
                required=required
                autofocus=autofocus
                aria-invalid=wrong.then_some("true")
                aria-describedby=ids.described_by
            />
            {error.map(|error| view! { <p class="field__error" id=ids.error>{error}</p> })}
        </div>
    }
}

/// Element ids made of the field's name: the same on server and browser, and one form per page.
pub(super) struct Ids {
    pub(super) input: String,
    pub(super) hint: String,
    pub(super) error: String,
    pub(super) described_by: Option<String>,
}

impl Ids {
    pub(super) fn new(name: &str, has_hint: bool, has_error: bool) -> Self {
        let input = format!("field-{name}");
        let hint = format!("{input}-hint");
        let error = format!("{input}-error");
        let described_by = match (has_hint, has_error) {
            (true, true) => Some(format!("{hint} {error}")),
            (true, false) => Some(hint.clone()),
            (false, true) => Some(error.clone()),
            (false, false) => None,
        };
        Self {
            input,
            hint,
            error,
            described_by,
        }
    }
}
