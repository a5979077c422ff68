//! Teams: what owns products and asks for access. Each has a page of its own.

pub mod show;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::dto::Domain;
use model::dto::Team;

use super::Head;
use super::domains;
use crate::api;
use crate::api::organisation::Teams as Found;
use crate::components::field::Field;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::wire::load;

pub use show::Show;

pub(super) const PATH: &str = "/admin/teams";

#[component]
pub fn Teams() -> impl IntoView {
    view! {
        <Title text="Teams"/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let teams = load(api::organisation::teams(after));
    view! {
        <section class="page">
            <Head path=PATH title="Teams" lead="Products and access belong to teams, never to people. What a team causes is on its cost centre."/>
            {teams.show(move |found| all(found, is_first).into_any())}
        </section>
    }
}

fn all(found: Found, is_first: bool) -> impl IntoView {
    let is_empty = found.teams.items.is_empty();
    let has_domains = !found.domains.is_empty();
    let add = (found.may_create && has_domains)
        .then(|| view! { <Add domains=found.domains open=is_empty && is_first/> });
    view! {
        {list(found.teams.items, has_domains)}
        <Pager
            first=(!is_first).then(|| PATH.to_owned())
            next=found.teams.next.map(|after| url::with_query(PATH, [("after", after.as_str())]))
        />
        {add}
    }
}

fn list(teams: Vec<Team>, has_domains: bool) -> impl IntoView {
    if teams.is_empty() {
        return view! {
            <Empty title="No team yet">
                {if has_domains {
                    view! { <p>"Make one, then say who belongs to it: as a consumer, who asks for access, or as a producer, who also owns products."</p> }.into_any()
                } else {
                    view! {
                        <p>"A team is in a domain, and there is none yet."</p>
                        <p class="actions"><A href=domains::PATH attr:class="button button--primary">"Make a domain"</A></p>
                    }.into_any()
                }}
            </Empty>
        }
        .into_any();
    }
    let rows = teams.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text("Team"),
        Column::Text("Domain"),
        Column::Text("Cost centre"),
        Column::Text("Contact"),
    ];
    view! { <Table caption="Teams" head>{rows}</Table> }.into_any()
}

fn row(team: Team) -> impl IntoView {
    let name = team.name.to_string();
    let href = format!("{PATH}/{name}");
    view! {
        <tr>
            <th scope="row"><A href=href>{team.title}</A><span class="code muted">{name}</span></th>
            <td class="code">{team.domain.to_string()}</td>
            <td class="code">{team.cost_center}</td>
            <td>{team.contact}</td>
        </tr>
    }
}

#[component]
fn Add(domains: Vec<Domain>, open: bool) -> impl IntoView {
    let action = wire::form::<api::organisation::CreateTeam>();
    let domains = domains
        .into_iter()
        .map(|domain| (domain.name.to_string(), domain.title))
        .collect();
    let returned = ctx::flash().is_of("team-new");
    view! {
        <details class="fold" open=open || returned>
            <summary>"Make a team"</summary>
            <Form id="team-new" action class="form form--grid">
                <Field label="Name" name="name" hint="Lower case, for example aftersales. It stays." required=true autocomplete="off"/>
                <Field label="Title" name="title" hint="For people, for example After-Sales." required=true autocomplete="off"/>
                <Select label="Domain" name="domain" options=domains hint="It stays: products are named after it."/>
                <Field label="Cost centre" name="cost_center" hint="Where statements go." autocomplete="off"/>
                <Field label="Contact" name="contact" hint="Whom others ask, for example a mailbox." autocomplete="off"/>
                <div class="actions"><Submit>"Make the team"</Submit></div>
            </Form>
        </details>
    }
}
