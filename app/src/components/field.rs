//! One line of input, or a choice, with its label, hint and error, tied together for screen readers. Inside a
//! [`Form`](crate::components::form::Form) they find their value and error by themselves.

use leptos::prelude::*;

use crate::components::form::Scope;
use crate::components::meanwhile;

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

    /// What is typed has the direction of its own letters; figures and secrets have none.
    const fn direction(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Search => Some("auto"),
            Self::Password | Self::Date | Self::Number => None,
        }
    }
}

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
    /// Smallest value of a date or a number.
    #[prop(optional_no_strip)]
    min: Option<String>,
    #[prop(optional_no_strip)] max: Option<String>,
    /// What others have written here, offered and not imposed.
    #[prop(optional)]
    suggestions: &'static [&'static str],
) -> impl IntoView {
    let seen = match kind {
        Kind::Password => None,
        _ => {
            let is = value.as_deref().unwrap_or_default();
            meanwhile::shown(&label, name, is, meanwhile::in_quotes)
        }
    };
    let input = Input::new(name, value, error, hint.is_some());
    let value = input.value.clone().filter(|_| kind != Kind::Password);
    let list = (!suggestions.is_empty()).then(|| format!("{}-list", input.id));
    view! {
        <div class="field" class:field--wrong=input.is_wrong()>
            <label class="field__label" for=input.id.clone()>{label}</label>
            {input.hint(hint)}
            <input
                class="input"
                id=input.id.clone()
                name=input.name.clone()
                type=kind.as_str()
                dir=kind.direction()
                value=value
                autocomplete=autocomplete
                required=required
                autofocus=autofocus
                min=min
                max=max
                list=list.clone()
                aria-invalid=input.invalid()
                aria-describedby=input.described_by()
            />
            {list.map(|list| view! {
                <datalist id=list>
                    {suggestions.iter().map(|word| view! { <option value=*word></option> }).collect_view()}
                </datalist>
            })}
            {input.message()}
            {seen}
        </div>
    }
}

/// Bytes of a choice beyond which it does not fit into one column of a form.
const LONG: usize = 24;

/// One of few. `options` are values and what they are called.
#[component]
pub fn Select(
    #[prop(into)] label: String,
    name: &'static str,
    options: Vec<(String, String)>,
    #[prop(optional_no_strip)] value: Option<String>,
    #[prop(optional)] hint: Option<&'static str>,
    #[prop(optional_no_strip)] error: Option<String>,
    #[prop(optional)] required: bool,
) -> impl IntoView {
    let title = |value: &str| {
        let known = options.iter().find(|(known, _)| known == value);
        meanwhile::in_quotes(known.map_or(value, |(_, title)| title.as_str()))
    };
    let is = value.as_deref().unwrap_or_default();
    let seen = meanwhile::shown(&label, name, is, title);
    let input = Input::new(name, value, error, hint.is_some());
    let chosen = input.value.clone();
    let is_long = options.iter().any(|(_, title)| title.len() > LONG);
    let options = options
        .into_iter()
        .map(|(value, title)| {
            let selected = chosen.as_ref() == Some(&value);
            view! { <option value=value selected=selected>{title}</option> }
        })
        .collect_view();
    view! {
        <div class="field" class:field--long=is_long class:field--wrong=input.is_wrong()>
            <label class="field__label" for=input.id.clone()>{label}</label>
            {input.hint(hint)}
            <select
                class="input"
                id=input.id.clone()
                name=input.name.clone()
                required=required
                aria-invalid=input.invalid()
                aria-describedby=input.described_by()
            >
                {options}
            </select>
            {input.message()}
            {seen}
        </div>
    }
}

/// What all inputs have in common. Ids are made of the form's and the field's name: so that a page drawn again has the same.
#[derive(Clone)]
pub(super) struct Input {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) value: Option<String>,
    error: Option<String>,
    has_hint: bool,
}

impl Input {
    pub(super) fn new(
        name: &'static str,
        value: Option<String>,
        error: Option<String>,
        has_hint: bool,
    ) -> Self {
        match use_context::<Scope>() {
            Some(scope) => Self {
                id: scope.element_id(name),
                name: Scope::name(name),
                value: scope.value(name).or(value),
                error: scope.error(name),
                has_hint,
            },
            None => Self {
                id: format!("field-{name}"),
                name: name.to_owned(),
                value,
                error,
                has_hint,
            },
        }
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.error.is_some()
    }

    pub(super) fn invalid(&self) -> Option<&'static str> {
        self.is_wrong().then_some("true")
    }

    pub(super) fn described_by(&self) -> Option<String> {
        let (hint, error) = (self.hint_id(), self.error_id());
        match (self.has_hint, self.is_wrong()) {
            (true, true) => Some(format!("{hint} {error}")),
            (true, false) => Some(hint),
            (false, true) => Some(error),
            (false, false) => None,
        }
    }

    pub(super) fn hint(&self, hint: Option<&'static str>) -> impl IntoView + use<> {
        let id = self.hint_id();
        hint.map(|hint| view! { <p class="field__hint" id=id>{hint}</p> })
    }

    pub(super) fn message(&self) -> impl IntoView + use<> {
        let id = self.error_id();
        self.error
            .clone()
            .map(|error| view! { <p class="field__error" id=id>{error}</p> })
    }

    fn hint_id(&self) -> String {
        format!("{}-hint", self.id)
    }

    fn error_id(&self) -> String {
        format!("{}-error", self.id)
    }
}
