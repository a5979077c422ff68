//! Forms that change something: sent to a server function, with and without JavaScript.
//!
//! Hydrated, the answer comes in place: while it is under way nothing is sent twice, errors stand at the form and what was
//! typed stays. Without JavaScript the server answers with a redirect, and what was typed and what was wrong come back in
//! the flash, which the hidden fields `at` (the form's own path) and `id` address (`server::plain_form`).

use std::sync::Arc;

use leptos::context::Provider;
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::components::button::Weight;
use crate::components::flash::Problems;
use crate::ctx;
use crate::ctx::Flash;
use crate::error::AppError;
use crate::error::FieldError;
use crate::wire;

/// What the fields of a form know of it.
#[derive(Clone)]
pub struct Scope {
    id: Arc<str>,
    /// Of the answer, or of the flash.
    errors: Signal<Vec<FieldError>>,
    /// What was typed before the page was loaded again.
    values: Arc<[(String, String)]>,
    pending: Signal<bool>,
}

impl Scope {
    /// `purpose.text` is sent as `form[purpose][text]`: the one argument of the server function.
    pub fn name(field: &str) -> String {
        let parts: Vec<&str> = field.split('.').collect();
        format!("form[{}]", parts.join("]["))
    }

    /// Unique on the page as the form is.
    pub fn element_id(&self, field: &str) -> String {
        format!("{}-{}", self.id, field.replace('.', "-"))
    }

    pub fn value(&self, field: &str) -> Option<String> {
        let found = self.values.iter().find(|(name, _)| name == field);
        found.map(|(_, value)| value.clone())
    }

    pub fn error(&self, field: &str) -> Signal<Option<String>> {
        let errors = self.errors;
        let field = field.to_owned();
        Signal::derive(move || {
            errors.with(|errors| {
                let found = errors.iter().find(|error| error.field == field);
                found.map(|error| error.message.clone())
            })
        })
    }
}

/// `id` is unique on the page; the same on server and browser. `action` is of [`wire::form`].
#[component]
pub fn Form(
    #[prop(into)] id: String,
    action: &'static str,
    /// Stay on this page, wherever the answer leads.
    #[prop(optional)]
    stay: bool,
    /// Called in the browser after each answer.
    #[prop(optional, into)]
    after: Option<Callback<()>>,
    #[prop(default = "form")] class: &'static str,
    children: Children,
) -> impl IntoView {
    let id: Arc<str> = id.into();
    let here = use_location();
    let at = Signal::derive(move || {
        let (path, search) = (here.pathname.get(), here.search.get());
        let query = search.trim_start_matches('?');
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    });
    let sent = wire::send();
    let answer = sent.value();
    let flash = ctx::flash();
    let returned = flash.get_untracked();
    let returned = if returned.is_of(&id) {
        returned
    } else {
        Flash::default()
    };
    let from_flash = returned.field_errors();
    let errors = Signal::derive(move || match answer.get() {
        Some(Err(error)) => error.fields(),
        Some(Ok(_)) => Vec::new(),
        None => from_flash.clone(),
    });
    let refused = Signal::derive(move || match answer.get() {
        Some(Err(error)) if !is_stale(&error) => error.fields(),
        _ => Vec::new(),
    });
    let scope = Scope {
        id: Arc::clone(&id),
        errors,
        values: returned.values.into(),
        pending: sent.pending().into(),
    };
    let walk = ctx::use_walk();
    let own_id = Arc::clone(&id);
    Effect::new(move |_| {
        match answer.get() {
            None => return,
            Some(Ok(done)) => {
                let to = if stay { at.get_untracked() } else { done.to };
                walk(&to, &done.notice);
            }
            Some(Err(error)) if is_stale(&error) => flash.set(Flash::of(&own_id, &error)),
            Some(Err(_)) => show(&own_id),
        }
        if let Some(after) = after {
            after.run(());
        }
    });
    let on_submit = move |event: SubmitEvent| {
        // Twice would be once too often.
        if let Some(fields) = fields_of(&event)
            && !sent.pending().get_untracked()
        {
            sent.dispatch((action, fields));
        }
    };
    let (element_id, id) = (id.to_string(), id.to_string());
    view! {
        <form class=class id=element_id method="post" action=action on:submit=on_submit>
            // What went wrong, at the form: without JavaScript it stands on top of the page.
            <Problems problems=refused/>
            <input type="hidden" name="at" value=at/>
            <input type="hidden" name="id" value=id/>
            {stay.then(|| view! { <input type="hidden" name="stay" value="yes"/> })}
            <Provider value=scope>{children()}</Provider>
        </form>
    }
}

/// What was shown has changed: told by the page, because the form may be gone from it when it is loaded again.
fn is_stale(error: &AppError) -> bool {
    matches!(error, AppError::Conflict { .. })
}

/// Takes the event from the browser, and what the form holds, with the button that was pressed. None: let the browser send it.
#[cfg(feature = "hydrate")]
fn fields_of(event: &SubmitEvent) -> Option<String> {
    use leptos::form::form_data_from_event;
    use leptos::web_sys::UrlSearchParams;

    let data = form_data_from_event(event).ok()?;
    let fields = UrlSearchParams::new_with_str_sequence_sequence(&data).ok()?;
    event.prevent_default();
    fields.to_string().as_string()
}

#[cfg(not(feature = "hydrate"))]
fn fields_of(_event: &SubmitEvent) -> Option<String> {
    None
}

/// Brings the form's beginning, where the message stands, into sight.
fn show(form: &str) {
    if let Some(form) = document().get_element_by_id(form) {
        form.scroll_into_view();
    }
}

/// A value that the form carries along.
#[component]
pub fn Hidden(name: &'static str, #[prop(into)] value: Signal<String>) -> impl IntoView {
    view! { <input type="hidden" name=Scope::name(name) value=value/> }
}

/// The button that sends the form around it; says so while the answer is under way.
#[component]
pub fn Submit(
    #[prop(default = Weight::Primary)] weight: Weight,
    /// Field and value that this button stands for, where a form has several.
    #[prop(optional)]
    says: Option<(&'static str, &'static str)>,
    children: Children,
) -> impl IntoView {
    let pending = use_context::<Scope>().map(|scope| scope.pending);
    let is_pending = move || pending.is_some_and(|pending| pending.get());
    let (name, value) = says
        .map(|(field, value)| (Scope::name(field), value))
        .unzip();
    view! {
        <button
            type="submit"
            class=weight.class()
            class:button--pending=is_pending
            name=name
            value=value
            disabled=is_pending
        >
            {children()}
        </button>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_sent_as_parts_of_one_argument() {
        assert_eq!(Scope::name("until"), "form[until]");
        assert_eq!(Scope::name("purpose.text"), "form[purpose][text]");
    }
}
