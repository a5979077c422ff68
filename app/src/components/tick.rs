//! Boxes to tick, and fields that belong together. In a [`Form`](crate::components::form::Form) a box that is ticked sends `yes`,
//! and one that is not sends nothing.

use leptos::prelude::*;

use crate::components::field::Input;
use crate::components::form::Scope;
use crate::components::meanwhile;
use crate::words;

/// What a ticked box sends.
pub const TICKED: &str = "yes";

/// One box with its label. `checked` holds until the form was sent: then what was ticked does.
#[component]
pub fn Tick(
    #[prop(into)] label: String,
    name: &'static str,
    #[prop(optional)] checked: bool,
    #[prop(optional)] hint: Option<&'static str>,
) -> impl IntoView {
    let is = if checked { TICKED } else { "" };
    let seen = meanwhile::shown(&label, name, is, |value| {
        let word = if value == TICKED {
            words::components::TICKED
        } else {
            words::components::NOT_TICKED
        };
        word.to_owned()
    });
    let input = Input::new(name, None, None, hint.is_some());
    let is_returned = use_context::<Scope>().is_some_and(|scope| scope.is_returned());
    let checked = if is_returned {
        input.value.is_some()
    } else {
        checked
    };
    view! {
        <div class="tick" class:field--wrong=input.is_wrong()>
            <input
                type="checkbox"
                id=input.id.clone()
                name=input.name.clone()
                value=TICKED
                checked=checked
                aria-invalid=input.invalid()
                aria-describedby=input.described_by()
            />
            <div>
                <label for=input.id.clone()>{label}</label>
                {input.hint(hint)}
                {input.message()}
                {seen}
            </div>
        </div>
    }
}

/// Fields under one heading. `name` is the field by which the exchange speaks of all of them.
#[component]
pub fn Group(
    #[prop(into)] label: String,
    name: &'static str,
    #[prop(optional)] hint: Option<&'static str>,
    children: Children,
) -> impl IntoView {
    let input = Input::new(name, None, None, hint.is_some());
    view! {
        <fieldset class="group" class:field--wrong=input.is_wrong() aria-describedby=input.described_by()>
            <legend class="field__label">{label}</legend>
            {input.hint(hint)}
            {children()}
            {input.message()}
        </fieldset>
    }
}
