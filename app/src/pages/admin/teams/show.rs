//! One team: who pays, how it is reached, and who belongs to it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::MemberRole;
use model::dto::Member;
use model::dto::Team;
use model::dto::TeamDetail;

use super::PATH;
use crate::api;
use crate::api::organisation::TeamShown;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::one;
use crate::components::state;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::ctx;
use crate::wire;
use crate::words;

#[component]
pub fn Show() -> impl IntoView {
    one(api::organisation::team, |shown| page(shown).into_any())
}

fn page(shown: TeamShown) -> impl IntoView {
    let TeamShown {
        detail: TeamDetail { team, members },
        may_change,
        may_staff,
    } = shown;
    let name = team.name.to_string();
    let is_empty = members.is_empty();
    let change = may_change.then(|| change(&team));
    let domain = format!("/admin/domains/{}", team.domain);
    let contact = match team.contact.as_str() {
        "" => words::admin::teams::NONE_NAMED,
        contact => contact,
    };
    view! {
        <Title text=team.title.clone()/>
        <section class="page">
            <p class="crumbs"><A href=PATH>{words::admin::teams::TEAMS}</A></p>
            <div class="page-head">
                <h1>{team.title.clone()}</h1>
                <p class="code muted">{name.clone()}</p>
            </div>
            <dl class="facts facts--card">
                <div><dt>{words::admin::teams::DOMAIN}</dt><dd class="code"><A href=domain>{team.domain.to_string()}</A></dd></div>
                <div><dt>{words::admin::teams::COST_CENTRE}</dt><dd class="code">{team.cost_center.clone()}</dd></div>
                <div><dt>{words::admin::teams::CONTACT}</dt><dd>{contact.to_owned()}</dd></div>
            </dl>
            <section class="block">
                <h2>{words::admin::teams::MEMBERS}</h2>
                {list(&name, members, may_staff)}
                {may_staff.then(|| view! { <Add team=name open=is_empty/> })}
            </section>
            {change}
        </section>
    }
}

fn list(team: &str, members: Vec<Member>, may_staff: bool) -> impl IntoView + use<> {
    if members.is_empty() {
        return view! {
            <Empty title=words::admin::teams::NOBODY_BELONGS_TO_IT_YET>
                <p>{words::admin::teams::WHAT_A_TEAM_NEEDS_MEMBERS_FOR}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = members
        .into_iter()
        .map(|member| {
            let name = member.person.to_string();
            let todo = may_staff.then(|| actions(team, &name, member.role));
            view! {
                <tr>
                    <th scope="row">{member.title}<span class="code muted">{name}</span></th>
                    <td>{state::member(member.role)}</td>
                    {todo.map(|todo| view! { <td>{todo}</td> })}
                </tr>
            }
        })
        .collect_view();
    let mut head = vec![
        Column::Text(words::admin::teams::PERSON),
        Column::Text(words::admin::teams::ROLE),
    ];
    if may_staff {
        head.push(Column::Text(words::admin::teams::WHAT_TO_DO));
    }
    view! { <Table caption=words::admin::teams::MEMBERS head>{rows}</Table> }.into_any()
}

/// Both can be undone here, so neither asks twice; what ends something is folded away.
fn actions(team: &str, person: &str, role: MemberRole) -> impl IntoView + use<> {
    let set = wire::form::<api::organisation::SetMember>();
    let remove = wire::form::<api::organisation::RemoveMember>();
    let (other, label) = match role {
        MemberRole::Consumer => (
            MemberRole::Producer,
            words::admin::teams::make_a_producer(&person),
        ),
        MemberRole::Producer => (
            MemberRole::Consumer,
            words::admin::teams::make_a_consumer(&person),
        ),
    };
    let (set_id, remove_id) = (format!("member-{person}"), format!("remove-{person}"));
    let (team, person) = (team.to_owned(), person.to_owned());
    let (of, whom) = (team.clone(), person.clone());
    let button = words::admin::teams::remove_member(&person);
    view! {
        <Form id=set_id action=set class="inline" stay=true>
            <Hidden name="team" value=of/>
            <Hidden name="person" value=whom/>
            <Hidden name="role" value=other.as_str()/>
            <Submit weight=Weight::Secondary>{label}</Submit>
        </Form>
        <details class="fold">
            <summary>{words::admin::teams::REMOVE}<span class="visually-hidden">" "{person.clone()}</span></summary>
            <Form id=remove_id action=remove stay=true>
                <Hidden name="team" value=team/>
                <Hidden name="person" value=person/>
                <p>{words::admin::teams::WHAT_REMOVING_DOES}</p>
                <div class="actions"><Submit weight=Weight::Danger>{button}</Submit></div>
            </Form>
        </details>
    }
}

#[component]
fn Add(team: String, open: bool) -> impl IntoView {
    let action = wire::form::<api::organisation::SetMember>();
    let roles = MemberRole::ALL
        .iter()
        .map(|role| (role.as_str().to_owned(), state::member(*role).to_owned()))
        .collect();
    let returned = ctx::flash().is_of("member-new");
    view! {
        <details class="fold" open=open || returned>
            <summary>{words::admin::teams::ADD_A_MEMBER}</summary>
            <Form id="member-new" action class="form form--grid" stay=true>
                <Hidden name="team" value=team/>
                <Field label=words::admin::teams::PERSON name="person" hint=words::admin::teams::MEMBER_NAME_HINT required=true autocomplete="off"/>
                <Select label=words::admin::teams::ROLE name="role" options=roles hint=words::admin::teams::MEMBER_ROLE_HINT/>
                <div class="actions"><Submit>{words::admin::teams::ADD_THE_MEMBER}</Submit></div>
            </Form>
        </details>
    }
}

fn change(team: &Team) -> impl IntoView + use<> {
    let action = wire::form::<api::organisation::UpdateTeam>();
    let (name, title) = (team.name.to_string(), team.title.clone());
    let (cost_center, contact) = (team.cost_center.clone(), team.contact.clone());
    view! {
        <section class="block">
            <h2>{words::admin::teams::CHANGE_THE_TEAM}</h2>
            <Form id="team" action class="form form--grid" revision=team.revision stay=true>
                <Hidden name="team" value=name/>
                <Field label=words::admin::teams::TITLE name="title" value=Some(title) required=true autocomplete="off"/>
                <Field label=words::admin::teams::COST_CENTRE name="cost_center" value=Some(cost_center) hint=words::admin::teams::COST_CENTRE_HINT autocomplete="off"/>
                <Field label=words::admin::teams::CONTACT name="contact" value=Some(contact) hint=words::admin::teams::CONTACT_HINT autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Secondary>{words::admin::teams::CHANGE_THE_TEAM}</Submit></div>
            </Form>
        </section>
    }
}
