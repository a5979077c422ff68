//! One's own account: who one is here, the password, the tokens of one's machines, and what mail one gets. What is sent changes the session or answers
//! with a secret, so it goes to plain routes of the server (`server::account`).

pub(crate) mod identities;
pub mod notifications;
pub mod tokens;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::dto::Me;

use crate::api;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::state;
use crate::components::tabs::Tabs;
use crate::ctx;
use crate::wire::load;
use crate::words;

pub use notifications::Notifications;
pub use tokens::Tokens;

/// The page, and where the form of the password leads back to.
pub const PATH: &str = "/account";

/// The form of the password, in a flash.
pub const PASSWORD: &str = "own-password";

#[component]
pub fn Account() -> impl IntoView {
    view! {
        <Title text=words::account::YOUR_ACCOUNT/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let me = load(api::people::me());
    let found = load(api::people::own_identities());
    let name = ctx::viewer().map(|viewer| viewer.name).unwrap_or_default();
    view! {
        <section class="page">
            <Head path=PATH title=words::account::YOUR_ACCOUNT/>
            {me.show(|me| facts(me).into_any())}
            {found.show(move |found| identities::block(&name, found, true, true).into_any())}
            <Password/>
        </section>
    }
}

/// The heading that all of them have.
#[component]
fn Head(path: &'static str, title: &'static str) -> impl IntoView {
    let tabs = vec![
        (PATH.to_owned(), words::account::ACCOUNT),
        (tokens::PATH.to_owned(), words::account::TOKENS),
        (notifications::PATH.to_owned(), words::account::MAIL),
    ];
    view! {
        <div class="page-head"><h1>{title}</h1></div>
        <Tabs label=words::account::YOUR_ACCOUNT tabs current=path.to_owned()/>
    }
}

fn facts(me: Me) -> impl IntoView {
    let roles: Vec<&str> = me.roles.iter().map(|role| state::role(*role)).collect();
    let roles = if roles.is_empty() {
        words::account::NO_ROLES_BUT_OF_TEAMS.to_owned()
    } else {
        roles.join(", ")
    };
    let teams = me
        .teams
        .into_iter()
        .map(|team| {
            let href = format!("/admin/teams/{}", team.team);
            view! {
                <li class="line">
                    <A href=href>{team.title}</A>
                    <span class="muted">{state::member(team.role)}</span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <dl class="facts facts--card">
            <div><dt>{words::account::NAME}</dt><dd>{me.title}</dd></div>
            <div><dt>{words::account::SIGNS_IN_AS}</dt><dd class="code">{me.name.map(|name| name.to_string())}</dd></div>
            <div><dt>{words::account::ROLES}</dt><dd>{roles}</dd></div>
        </dl>
        <section class="block">
            <h2>{words::account::YOUR_TEAMS}</h2>
            {if teams.is_empty() {
                view! {
                    <Empty title=words::account::NO_TEAM_YET>
                        <p>{words::account::WHO_ADDS_YOU_TO_A_TEAM}</p>
                    </Empty>
                }.into_any()
            } else {
                view! { <ul class="lines">{teams}</ul> }.into_any()
            }}
        </section>
    }
}

/// Nothing of what was typed comes back: all of it is secret.
#[component]
fn Password() -> impl IntoView {
    let flash = ctx::flash();
    let wrong = |field: &str| flash.error(field).filter(|_| flash.is_of(PASSWORD));
    view! {
        <section class="block">
            <h2>{words::account::PASSWORD}</h2>
            {ctx::provider()
                .map(|_| {
                    view! {
                        <p class="muted">{words::account::NO_PASSWORD_HERE_YET}</p>
                    }
                })}
            <form class="form" id=PASSWORD method="post" action="/account/password">
                <Field label=words::account::CURRENT_PASSWORD name="current" kind=Kind::Password error=wrong("current") required=true autocomplete="current-password"/>
                <Field
                    label=words::account::NEW_PASSWORD
                    name="password"
                    kind=Kind::Password
                    hint=words::account::NEW_PASSWORD_HINT
                    error=wrong("password")
                    required=true
                    autocomplete="new-password"
                />
                <Field label=words::account::NEW_PASSWORD_AGAIN name="again" kind=Kind::Password error=wrong("again") required=true autocomplete="new-password"/>
                <div class="actions"><Button weight=Weight::Primary>{words::account::CHANGE_THE_PASSWORD}</Button></div>
            </form>
        </section>
    }
}
