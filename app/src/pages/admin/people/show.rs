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
use crate::wire;

#[component]
pub fn Show() -> impl IntoView {
    one(api::people::person, |shown| page(shown).into_any())
}

fn page(shown: PersonShown) -> impl IntoView {
    let PersonShown {
        person,
        may_change,
        is_own,
    } = shown;
    let name = person.name.to_string();
    let held = roles(&person.roles);
    let forms = may_change.then(|| {
        view! {
            <section class="block">
                <h2>"Who it is"</h2>
                {details(&person)}
            </section>
            <section class="block">
                <h2>"What it may do"</h2>
                {set_roles(&person)}
            </section>
            <section class="block">
                <h2>"How it gets in"</h2>
                {if is_own { own().into_any() } else { password(&name).into_any() }}
            </section>
            {(!is_own).then(|| view! {
                <section class="block">
                    <h2>"Whether it gets in"</h2>
                    {activity(&person)}
                </section>
            })}
        }
    });
    view! {
        <Title text=person.title.clone()/>
        <section class="page">
            <p class="crumbs"><A href=PATH>"People"</A></p>
            <div class="page-head"><h1>{person.title.clone()}</h1></div>
            <dl class="facts facts--card">
                <div><dt>"Signs in as"</dt><dd class="code">{person.name.to_string()}</dd></div>
                <div><dt>"E-mail"</dt><dd>{or_none(&person.email)}</dd></div>
                <div><dt>"Roles"</dt><dd>{or_none(&held)}</dd></div>
                <div><dt>"State"</dt><dd>{standing(person.disabled)}</dd></div>
            </dl>
            {forms}
        </section>
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() {
        "none".to_owned()
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
            <Field label="Name for others to read" name="title" value=Some(title) required=true autocomplete="off"/>
            <Field label="E-mail" name="email" value=Some(email) autocomplete="off"/>
            <div class="actions"><Submit weight=Weight::Secondary>"Change the account"</Submit></div>
        </Form>
    }
}

fn set_roles(person: &Person) -> impl IntoView + use<> {
    let action = wire::form::<api::people::SetRoles>();
    let (name, held) = (person.name.to_string(), person.roles.clone());
    view! {
        <p class="muted">"What somebody may do for a team is set on the "<A href="/admin/teams">"team’s page"</A>"."</p>
        <Form id="roles" action stay=true>
            <Hidden name="person" value=name/>
            {boxes(held)}
            <div class="actions"><Submit weight=Weight::Secondary>"Set the roles"</Submit></div>
        </Form>
    }
}

fn own() -> impl IntoView {
    view! { <p>"This is you: change your password under "<A href="/account">"Your account"</A>"."</p> }
}

fn password(name: &str) -> impl IntoView + use<> {
    let action = wire::form::<api::people::SetPassword>();
    let name = name.to_owned();
    let returned = ctx::flash().is_of("password");
    view! {
        <details class="fold" open=returned>
            <summary>"Set a password"</summary>
            <Form id="password" action stay=true>
                <Hidden name="person" value=name/>
                <p>"The first one, or a new one for somebody who forgot theirs. It ends all sessions of this account."</p>
                <Field
                    label="New password"
                    name="password"
                    kind=Kind::Password
                    hint="At least 10 characters. Tell it in person: it can be changed under “Your account”."
                    required=true
                    autocomplete="new-password"
                />
                <div class="actions"><Submit weight=Weight::Secondary>"Set the password"</Submit></div>
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
                <p>"Nobody can sign in to this account, and its tokens are refused."</p>
                <div class="actions"><Submit weight=Weight::Secondary>{format!("Activate {name} again")}</Submit></div>
            </Form>
        }
        .into_any();
    }
    view! {
        <details class="fold" open=returned>
            <summary>"Deactivate the account"</summary>
            <Form id="activity" action stay=true>
                <Hidden name="person" value=name.clone()/>
                <Hidden name="revision" value=revision/>
                <Hidden name="active" value="no"/>
                <p>"It is signed out everywhere at once, and its tokens are refused. What it did stays, and you can activate it again."</p>
                <div class="actions"><Submit weight=Weight::Danger>{format!("Deactivate {name}")}</Submit></div>
            </Form>
        </details>
    }
    .into_any()
}
