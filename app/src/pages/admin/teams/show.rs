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
        "" => "none named",
        contact => contact,
    };
    view! {
        <Title text=team.title.clone()/>
        <section class="page">
            <p class="crumbs"><A href=PATH>"Teams"</A></p>
            <div class="page-head">
                <h1>{team.title.clone()}</h1>
                <p class="code muted">{name.clone()}</p>
            </div>
            <dl class="facts facts--card">
                <div><dt>"Domain"</dt><dd class="code"><A href=domain>{team.domain.to_string()}</A></dd></div>
                <div><dt>"Cost centre"</dt><dd class="code">{team.cost_center.clone()}</dd></div>
                <div><dt>"Contact"</dt><dd>{contact.to_owned()}</dd></div>
            </dl>
            <section class="block">
                <h2>"Members"</h2>
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
            <Empty title="Nobody belongs to it yet">
                <p>"Until somebody does, nobody can ask for access in its name or own its products."</p>
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
    let mut head = vec![Column::Text("Person"), Column::Text("Role")];
    if may_staff {
        head.push(Column::Text("What to do"));
    }
    view! { <Table caption="Members" head>{rows}</Table> }.into_any()
}

/// Both can be undone here, so neither asks twice; what ends something is folded away.
fn actions(team: &str, person: &str, role: MemberRole) -> impl IntoView + use<> {
    let set = wire::form::<api::organisation::SetMember>();
    let remove = wire::form::<api::organisation::RemoveMember>();
    let (other, label) = match role {
        MemberRole::Consumer => (MemberRole::Producer, format!("Make {person} a producer")),
        MemberRole::Producer => (MemberRole::Consumer, format!("Make {person} a consumer")),
    };
    let (set_id, remove_id) = (format!("member-{person}"), format!("remove-{person}"));
    let (team, person) = (team.to_owned(), person.to_owned());
    let (of, whom) = (team.clone(), person.clone());
    let button = format!("Remove {person}");
    view! {
        <Form id=set_id action=set class="inline" stay=true>
            <Hidden name="team" value=of/>
            <Hidden name="person" value=whom/>
            <Hidden name="role" value=other.as_str()/>
            <Submit weight=Weight::Secondary>{label}</Submit>
        </Form>
        <details class="fold">
            <summary>"Remove"<span class="visually-hidden">" "{person.clone()}</span></summary>
            <Form id=remove_id action=remove stay=true>
                <Hidden name="team" value=team/>
                <Hidden name="person" value=person/>
                <p>"What the team owns and may read stays the team’s. You can add this person again."</p>
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
            <summary>"Add a member"</summary>
            <Form id="member-new" action class="form form--grid" stay=true>
                <Hidden name="team" value=team/>
                <Field label="Person" name="person" hint="The name to sign in with, for example mara." required=true autocomplete="off"/>
                <Select label="Role" name="role" options=roles hint="A producer also registers products and decides on requests."/>
                <div class="actions"><Submit>"Add the member"</Submit></div>
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
            <h2>"Change the team"</h2>
            <Form id="team" action class="form form--grid" revision=team.revision stay=true>
                <Hidden name="team" value=name/>
                <Field label="Title" name="title" value=Some(title) required=true autocomplete="off"/>
                <Field label="Cost centre" name="cost_center" value=Some(cost_center) hint="Where statements go." autocomplete="off"/>
                <Field label="Contact" name="contact" value=Some(contact) hint="Whom others ask, for example a mailbox." autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Secondary>"Change the team"</Submit></div>
            </Form>
        </section>
    }
}
