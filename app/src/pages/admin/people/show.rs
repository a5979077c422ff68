//! One account: who it is, what it may do, how it gets in, and whether it may.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::dto::Person;

use super::PATH;
use super::boxes;
use super::roles;
use super::standing;
use crate::api;
use crate::api::people::PersonShown;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::one;
use crate::ctx;
use crate::pages::account::identities;
use crate::wire;
use crate::words;

#[component]
pub fn Show() -> impl IntoView {
    one(api::people::person, |shown| page(shown).into_any())
}

fn page(shown: PersonShown) -> impl IntoView {
    let PersonShown {
        person,
        may_change,
        is_own,
        identities,
    } = shown;
    let name = person.name.to_string();
    let identities = identities::block(&name, identities, may_change, is_own);
    let held = roles(&person.roles);
    let forms = may_change.then(|| {
        view! {
            <section class="block">
                <h2>{words::admin::people::WHO_IT_IS}</h2>
                {details(&person)}
            </section>
            <section class="block">
                <h2>{words::admin::people::WHAT_IT_MAY_DO}</h2>
                {set_roles(&person)}
            </section>
            <section class="block">
                <h2>{words::admin::people::HOW_IT_GETS_IN}</h2>
                {if is_own { own().into_any() } else { password(&name).into_any() }}
            </section>
            {(!is_own).then(|| view! {
                <section class="block">
                    <h2>{words::admin::people::WHETHER_IT_GETS_IN}</h2>
                    {activity(&person)}
                </section>
            })}
        }
    });
    view! {
        <Title text=person.title.clone()/>
        <section class="page">
            <p class="crumbs"><A href=PATH>{words::admin::people::PEOPLE}</A></p>
            <div class="page-head"><h1>{person.title.clone()}</h1></div>
            <dl class="facts facts--card">
                <div><dt>{words::admin::people::SIGNS_IN_AS}</dt><dd class="code">{person.name.to_string()}</dd></div>
                <div><dt>{words::admin::people::E_MAIL}</dt><dd>{or_none(&person.email)}</dd></div>
                <div><dt>{words::admin::people::ROLES}</dt><dd>{or_none(&held)}</dd></div>
                <div><dt>{words::admin::people::STATE}</dt><dd>{standing(person.disabled)}</dd></div>
            </dl>
            {identities}
            {forms}
        </section>
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() {
        words::admin::people::NONE.to_owned()
    } else {
        text.to_owned()
    }
}

fn details(person: &Person) -> impl IntoView + use<> {
    let action = wire::form::<api::people::UpdatePerson>();
    let (name, title, email) = (
        person.name.to_string(),
        person.title.clone(),
        person.email.clone(),
    );
    view! {
        <Form id="person" action class="form form--grid" revision=person.revision stay=true>
            <Hidden name="person" value=name/>
            <Hidden name="was_title" value=title.clone()/>
            <Hidden name="was_email" value=email.clone()/>
            <Field label=words::admin::people::NAME_FOR_OTHERS_TO_READ name="title" value=Some(title) required=true autocomplete="off"/>
            <Field label=words::admin::people::E_MAIL name="email" value=Some(email) autocomplete="off"/>
            <div class="actions"><Submit weight=Weight::Secondary>{words::admin::people::CHANGE_THE_ACCOUNT}</Submit></div>
        </Form>
    }
}

fn set_roles(person: &Person) -> impl IntoView + use<> {
    let action = wire::form::<api::people::SetRoles>();
    let (name, held) = (person.name.to_string(), person.roles.clone());
    let shown = api::people::figure(&held);
    view! {
        <p class="muted">{words::admin::people::MEMBERSHIP_IS_SET_ON_THE}<A href="/admin/teams">{words::admin::people::TEAMS_PAGE}</A>"."</p>
        <Form id="roles" action stay=true revision=shown>
            <Hidden name="person" value=name/>
            {boxes(held)}
            <div class="actions"><Submit weight=Weight::Secondary>{words::admin::people::SET_THE_ROLES}</Submit></div>
        </Form>
    }
}

fn own() -> impl IntoView {
    view! { <p>{words::admin::people::CHANGE_YOUR_PASSWORD_UNDER}<A href="/account">{words::admin::people::YOUR_ACCOUNT}</A>"."</p> }
}

fn password(name: &str) -> impl IntoView + use<> {
    let action = wire::form::<api::people::SetPassword>();
    let name = name.to_owned();
    let returned = ctx::flash().is_of("password");
    view! {
        <details class="fold" open=returned>
            <summary>{words::admin::people::SET_A_PASSWORD}</summary>
            <Form id="password" action stay=true>
                <Hidden name="person" value=name/>
                <p>{words::admin::people::WHAT_SETTING_A_PASSWORD_DOES}</p>
                <Field
                    label=words::admin::people::NEW_PASSWORD
                    name="password"
                    kind=Kind::Password
                    hint=words::admin::people::NEW_PASSWORD_HINT
                    required=true
                    autocomplete="new-password"
                />
                <div class="actions"><Submit weight=Weight::Secondary>{words::admin::people::SET_THE_PASSWORD}</Submit></div>
            </Form>
        </details>
    }
}

/// Either way leads back, so it asks no more than to be opened.
fn activity(person: &Person) -> impl IntoView + use<> {
    let action = wire::form::<api::people::UpdatePerson>();
    let name = person.name.to_string();
    let revision = person.revision.to_string();
    let returned = ctx::flash().is_of("activity");
    if person.disabled {
        return view! {
            <Form id="activity" action stay=true>
                <Hidden name="person" value=name.clone()/>
                <Hidden name="revision" value=revision/>
                <Hidden name="active" value="yes"/>
                <p>{words::admin::people::WHAT_DEACTIVATED_MEANS}</p>
                <div class="actions"><Submit weight=Weight::Secondary>{words::admin::people::activate_again(&name)}</Submit></div>
            </Form>
        }
        .into_any();
    }
    view! {
        <details class="fold" open=returned>
            <summary>{words::admin::people::DEACTIVATE_THE_ACCOUNT}</summary>
            <Form id="activity" action stay=true>
                <Hidden name="person" value=name.clone()/>
                <Hidden name="revision" value=revision/>
                <Hidden name="active" value="no"/>
                <p>{words::admin::people::WHAT_DEACTIVATING_DOES}</p>
                <div class="actions"><Submit weight=Weight::Danger>{words::admin::people::deactivate(&name)}</Submit></div>
            </Form>
        </details>
    }
    .into_any()
}
