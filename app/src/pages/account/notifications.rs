//! What the viewer is told by mail, and turning kinds of it off and on.

use leptos::prelude::*;
use leptos_meta::Title;
use model::dto::Notifications as Told;

use super::Head;
use crate::api;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Members;
use crate::ctx;
use crate::wire;
use crate::wire::load;
use crate::words;

pub const PATH: &str = "/account/notifications";

#[component]
pub fn Notifications() -> impl IntoView {
    view! {
        <Title text=words::account::MAIL_TO_YOU/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let name = ctx::viewer().map(|viewer| viewer.name).unwrap_or_default();
    let told = load(api::notices::notifications(name));
    view! {
        <section class="page">
            <Head path=PATH title=words::account::MAIL_TO_YOU/>
            <p class="lead">{words::account::WHAT_MAIL_TELLS}</p>
            {told.show(|told| choices(told).into_any())}
        </section>
    }
}

fn choices(told: Told) -> impl IntoView {
    let action = wire::form::<api::notices::SetNotifications>();
    let place = match (told.mail, told.email.is_empty()) {
        (false, _) => words::account::NO_MAIL_IS_SENT_YET.to_owned(),
        (true, true) => words::account::ACCOUNT_HAS_NO_ADDRESS.to_owned(),
        (true, false) => words::account::mail_goes_to(&told.email),
    };
    let person = told.person.to_string();
    let revision = told.revision;
    // Drawn within the form, whose fields they are to be.
    let fields = move || {
        told.kinds
            .into_iter()
            .map(|choice| {
                let (label, hint) = words::notice(choice.kind);
                let options = [
                    ("yes", words::account::MAIL_ME),
                    ("no", words::account::NO_MAIL),
                ]
                .map(|(value, title)| (value.to_owned(), title.to_owned()))
                .to_vec();
                let value = if choice.wanted { "yes" } else { "no" };
                let name = choice.kind.as_str();
                view! { <Select label name options value=Some(value.to_owned()) hint/> }
            })
            .collect_view()
    };
    view! {
        <p>{place}</p>
        <Form id="notifications" action class="form" revision>
            <Hidden name="person" value=person/>
            {fields()}
            <div class="actions"><Submit>{words::account::KEEP}</Submit></div>
        </Form>
    }
}
