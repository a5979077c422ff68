//! Accounts: the list, and the way to another one. Each has a page of its own.

pub mod show;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::Role;
use model::dto::Person;

use super::Head;
use crate::api;
use crate::api::people::People as Found;
use crate::components::badge::Badge;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::tick::Group;
use crate::components::tick::Tick;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

pub use show::Show;

pub(super) const PATH: &str = "/admin/people";

/// What each role may do, in the order of the boxes: role, field and meaning.
const ROLES: [(Role, &str, &str); 4] = [
    (
        Role::Admin,
        "roles.admin",
        words::admin::people::WHAT_AN_ADMINISTRATOR_DOES,
    ),
    (
        Role::Auditor,
        "roles.auditor",
        words::admin::people::WHAT_AN_AUDITOR_DOES,
    ),
    (
        Role::Finance,
        "roles.finance",
        words::admin::people::WHAT_FINANCE_DOES,
    ),
    (
        Role::DataProtection,
        "roles.data_protection",
        words::admin::people::WHAT_DATA_PROTECTION_DOES,
    ),
];

#[component]
pub fn People() -> impl IntoView {
    view! {
        <Title text=words::admin::people::PEOPLE/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let people = load(api::people::people(after));
    view! {
        <section class="page">
            <Head path=PATH title=words::admin::people::PEOPLE lead=words::admin::people::WHAT_ACCOUNTS_ARE/>
            {people.show(move |found| all(found, is_first).into_any())}
        </section>
    }
}

fn all(found: Found, is_first: bool) -> impl IntoView {
    let add = found.may_create.then(|| view! { <Add/> });
    view! {
        {list(found.people.items)}
        <Pager
            first=(!is_first).then(|| PATH.to_owned())
            next=found.people.next.map(|after| url::with_query(PATH, [("after", after.as_str())]))
        />
        {add}
    }
}

fn list(people: Vec<Person>) -> impl IntoView {
    if people.is_empty() {
        return view! {
            <Empty title=words::admin::people::NOBODY_FURTHER><p>{words::admin::people::NO_MORE_ACCOUNTS}</p></Empty>
        }
        .into_any();
    }
    let rows = people.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::admin::people::NAME),
        Column::Text(words::admin::people::E_MAIL),
        Column::Text(words::admin::people::ROLES),
        Column::Text(words::admin::people::STATE),
    ];
    view! { <Table caption=words::admin::people::PEOPLE head>{rows}</Table> }.into_any()
}

fn row(person: Person) -> impl IntoView {
    let name = person.name.to_string();
    let href = format!("{PATH}/{name}");
    view! {
        <tr>
            <th scope="row"><A href=href>{person.title}</A><span class="code muted">{name}</span></th>
            <td>{person.email}</td>
            <td>{roles(&person.roles)}</td>
            <td>{standing(person.disabled)}</td>
        </tr>
    }
}

fn roles(roles: &[Role]) -> String {
    let words: Vec<&str> = roles.iter().map(|role| state::role(*role)).collect();
    words.join(", ")
}

fn standing(disabled: bool) -> impl IntoView {
    let (word, tone) = if disabled {
        (words::admin::people::DEACTIVATED, Tone::Warn)
    } else {
        (words::admin::people::ACTIVE, Tone::Good)
    };
    view! { <Badge tone>{word}</Badge> }
}

/// The boxes of the roles; those ticked that are `held`.
fn boxes(held: Vec<Role>) -> impl IntoView {
    let boxes = ROLES
        .into_iter()
        .map(|(role, name, hint)| {
            let checked = held.contains(&role);
            view! { <Tick label=state::role(role) name checked hint/> }
        })
        .collect_view();
    view! { <Group label=words::admin::people::ROLES_IN_THE_ORGANISATION name="roles">{boxes}</Group> }
}

#[component]
fn Add() -> impl IntoView {
    let action = wire::form::<api::people::CreatePerson>();
    let returned = ctx::flash().is_of("person-new");
    view! {
        <details class="fold" open=returned>
            <summary>{words::admin::people::MAKE_AN_ACCOUNT}</summary>
            <Form id="person-new" action>
                <Field label=words::admin::people::NAME_TO_SIGN_IN_WITH name="name" hint=words::admin::people::NAME_HINT required=true autocomplete="off"/>
                <Field label=words::admin::people::NAME_FOR_OTHERS_TO_READ name="title" hint=words::admin::people::NAME_FOR_OTHERS_HINT required=true autocomplete="off"/>
                <Field label=words::admin::people::E_MAIL name="email" autocomplete="off"/>
                <Field
                    label=words::admin::people::FIRST_PASSWORD
                    name="password"
                    kind=Kind::Password
                    hint=words::admin::people::FIRST_PASSWORD_HINT
                    autocomplete="new-password"
                />
                {boxes(Vec::new())}
                <div class="actions"><Submit>{words::admin::people::MAKE_THE_ACCOUNT}</Submit></div>
            </Form>
        </details>
    }
}
