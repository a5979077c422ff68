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
use crate::words;

pub use show::Show;

pub(super) const PATH: &str = "/admin/teams";

#[component]
pub fn Teams() -> impl IntoView {
    view! {
        <Title text=words::admin::teams::TEAMS/>
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
            <Head path=PATH title=words::admin::teams::TEAMS lead=words::admin::teams::WHAT_TEAMS_ARE/>
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
            <Empty title=words::admin::teams::NO_TEAM_YET>
                {if has_domains {
                    view! { <p>{words::admin::teams::MAKE_A_TEAM_FIRST}</p> }.into_any()
                } else {
                    view! {
                        <p>{words::admin::teams::A_DOMAIN_COMES_FIRST}</p>
                        <p class="actions"><A href=domains::PATH attr:class="button button--primary">{words::admin::teams::MAKE_A_DOMAIN}</A></p>
                    }.into_any()
                }}
            </Empty>
        }
        .into_any();
    }
    let rows = teams.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::admin::teams::TEAM),
        Column::Text(words::admin::teams::DOMAIN),
        Column::Text(words::admin::teams::COST_CENTRE),
        Column::Text(words::admin::teams::CONTACT),
    ];
    view! { <Table caption=words::admin::teams::TEAMS head>{rows}</Table> }.into_any()
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
            <summary>{words::admin::teams::MAKE_A_TEAM}</summary>
            <Form id="team-new" action class="form form--grid">
                <Field label=words::admin::teams::NAME name="name" hint=words::admin::teams::NAME_HINT required=true autocomplete="off"/>
                <Field label=words::admin::teams::TITLE name="title" hint=words::admin::teams::TITLE_HINT required=true autocomplete="off"/>
                <Select label=words::admin::teams::DOMAIN name="domain" options=domains hint=words::admin::teams::DOMAIN_HINT/>
                <Field label=words::admin::teams::COST_CENTRE name="cost_center" hint=words::admin::teams::COST_CENTRE_HINT autocomplete="off"/>
                <Field label=words::admin::teams::CONTACT name="contact" hint=words::admin::teams::CONTACT_HINT autocomplete="off"/>
                <div class="actions"><Submit>{words::admin::teams::MAKE_THE_TEAM}</Submit></div>
            </Form>
        </details>
    }
}
