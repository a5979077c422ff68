//! Forms that change something: sent to a server function, with and without JavaScript alike. The server answers with where to
//! go on, and what was typed and what was wrong come back in the flash, which the hidden fields `at` (the form's own path) and
//! `id` address (`server::plain_form`). With JavaScript the form is sent in place (`app::browser::forms`): nothing is sent twice, and
//! the page is drawn anew without being loaded.

use std::sync::Arc;

use leptos::context::Provider;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::components::button::Weight;
use crate::components::meanwhile::Meanwhile;
use crate::ctx;
use crate::ctx::Flash;
use crate::error::FieldError;

/// What the fields of a form know of it.
#[derive(Clone)]
pub struct Scope {
    id: Arc<str>,
    /// Whether it was sent and comes back: then a box without a value was not ticked.
    is_returned: bool,
    errors: Arc<[FieldError]>,
    /// What was typed when it was sent.
    values: Arc<[(String, String)]>,
    /// Of a form that changes what is there.
    meanwhile: Option<Arc<Meanwhile>>,
}

impl Scope {
    /// `purpose.text` is sent as `form[purpose][text]`: the one argument of the server function.
    pub fn name(field: &str) -> String {
        let parts: Vec<&str> = field.split('.').collect();
        format!("form[{}]", parts.join("]["))
    }

    /// Beside the argument: what the field showed when the form was drawn.
    pub fn seen(field: &str) -> String {
        let parts: Vec<&str> = field.split('.').collect();
        format!("seen[{}]", parts.join("]["))
    }

    /// Unique on the page as the form is.
    pub fn element_id(&self, field: &str) -> String {
        format!("{}-{}", self.id, field.replace('.', "-"))
    }

    pub const fn is_returned(&self) -> bool {
        self.is_returned
    }

    pub fn value(&self, field: &str) -> Option<String> {
        let found = self.values.iter().find(|(name, _)| name == field);
        found.map(|(_, value)| value.clone())
    }

    pub fn meanwhile(&self) -> Option<&Meanwhile> {
        self.meanwhile.as_deref()
    }

    pub fn error(&self, field: &str) -> Option<String> {
        let found = self.errors.iter().find(|error| error.field == field);
        found.map(|error| error.message.clone())
    }
}

/// The form's own path, with its query: where its answer leads back to.
pub(crate) fn here() -> String {
    let here = use_location();
    let (path, search) = (here.pathname.get_untracked(), here.search.get_untracked());
    let query = search.trim_start_matches('?');
    if query.is_empty() {
        path
    } else {
        format!("{path}?{query}")
    }
}

/// `id` is unique on the page and the same whenever it is drawn. `action` is of [`crate::wire::form`].
#[component]
pub fn Form(
    #[prop(into)] id: String,
    action: &'static str,
    /// Stay on this page, wherever the answer leads.
    #[prop(optional)]
    stay: bool,
    /// Of what it changes, as it is shown: who comes second is refused, and told what was changed meanwhile.
    #[prop(optional)]
    revision: Option<i64>,
    #[prop(default = "form")] class: &'static str,
    children: Children,
) -> impl IntoView {
    let flash = ctx::flash();
    let is_returned = flash.is_of(&id);
    let returned = if is_returned { flash } else { Flash::default() };
    let meanwhile = revision.map(|revision| Arc::new(Meanwhile::of(&returned, revision)));
    let scope = Scope {
        id: id.as_str().into(),
        is_returned,
        errors: returned.field_errors().into(),
        values: returned.values.into(),
        meanwhile: meanwhile.clone(),
    };
    let element_id = id.clone();
    let bound =
        revision.map(|revision| view! { <Hidden name="revision" value=revision.to_string()/> });
    // What the fields find out stands above them, so they are drawn first.
    let fields = view! { <Provider value=scope>{children()}</Provider> };
    let told = meanwhile.and_then(|meanwhile| meanwhile.told());
    view! {
        <form class=class id=element_id method="post" action=action data-in-place="" data-returned=is_returned.then_some("")>
            <input type="hidden" name="at" value=here()/>
            <input type="hidden" name="id" value=id/>
            {stay.then(|| view! { <input type="hidden" name="stay" value="yes"/> })}
            {bound}
            {told}
            {fields}
        </form>
    }
}

/// A value that the form carries along.
#[component]
pub fn Hidden(name: &'static str, #[prop(into)] value: String) -> impl IntoView {
    view! { <input type="hidden" name=Scope::name(name) value=value/> }
}

/// The button that sends the form around it.
#[component]
pub fn Submit(
    #[prop(default = Weight::Primary)] weight: Weight,
    /// Field and value that this button stands for, where a form has several.
    #[prop(optional)]
    says: Option<(&'static str, &'static str)>,
    /// The key that stands for it in a list with keys (`app::browser::keys`).
    #[prop(optional)]
    key: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    let (name, value) = says
        .map(|(field, value)| (Scope::name(field), value))
        .unzip();
    view! {
        <button type="submit" class=weight.class() name=name value=value data-key=key>{children()}</button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sent_as_parts_of_one_argument() {
        assert_eq!(Scope::name("until"), "form[until]");
        assert_eq!(Scope::name("purpose.text"), "form[purpose][text]");
        assert_eq!(Scope::seen("purpose.text"), "seen[purpose][text]");
    }
}
