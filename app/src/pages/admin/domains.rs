//! Domains: what groups teams, and begins their products' names.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::dto::Domain;

use super::Head;
use crate::api;
use crate::api::organisation::DomainShown;
use crate::api::organisation::Domains as Found;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::load::one;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::text_area::TextArea;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

pub(super) const PATH: &str = "/admin/domains";

#[component]
pub fn Domains() -> impl IntoView {
    view! {
        <Title text=words::admin::domains::DOMAINS/>
        <Members><All/></Members>
    }
}

#[component]
fn All() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let domains = load(api::organisation::domains(after));
    view! {
        <section class="page">
            <Head path=PATH title=words::admin::domains::DOMAINS lead=words::admin::domains::WHAT_DOMAINS_ARE/>
            {domains.show(move |found| all(found, is_first).into_any())}
        </section>
    }
}

fn all(found: Found, is_first: bool) -> impl IntoView {
    let is_empty = found.domains.items.is_empty();
    let add = found
        .may_create
        .then(|| view! { <Add open=is_empty && is_first/> });
    view! {
        {list(found.domains.items)}
        <Pager
            first=(!is_first).then(|| PATH.to_owned())
            next=found.domains.next.map(|after| url::with_query(PATH, [("after", after.as_str())]))
        />
        {add}
    }
}

fn list(domains: Vec<Domain>) -> impl IntoView {
    if domains.is_empty() {
        return view! {
            <Empty title=words::admin::domains::NO_DOMAIN_YET>
                <p>{words::admin::domains::BEGIN_WITH_A_DOMAIN}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = domains
        .into_iter()
        .map(|domain| {
            let name = domain.name.to_string();
            let href = format!("{PATH}/{name}");
            view! {
                <tr>
                    <th scope="row"><A href=href>{domain.title}</A><span class="code muted">{name}</span></th>
                    <td class="lines">{domain.description}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::admin::domains::DOMAIN),
        Column::Text(words::admin::domains::WHAT_IT_IS_ABOUT),
    ];
    view! { <Table caption=words::admin::domains::DOMAINS head>{rows}</Table> }.into_any()
}

#[component]
fn Add(open: bool) -> impl IntoView {
    let action = wire::form::<api::organisation::CreateDomain>();
    let returned = ctx::flash().is_of("domain-new");
    view! {
        <details class="fold" open=open || returned>
            <summary>{words::admin::domains::MAKE_A_DOMAIN}</summary>
            <Form id="domain-new" action>
                <Field label=words::admin::domains::NAME name="name" hint=words::admin::domains::NAME_HINT required=true autocomplete="off"/>
                <Field label=words::admin::domains::TITLE name="title" hint=words::admin::domains::TITLE_HINT required=true autocomplete="off"/>
                <TextArea label=words::admin::domains::WHAT_IT_IS_ABOUT name="description"/>
                <div class="actions"><Submit>{words::admin::domains::MAKE_THE_DOMAIN}</Submit></div>
            </Form>
        </details>
    }
}

#[component]
pub fn ShowDomain() -> impl IntoView {
    one(api::organisation::domain, |shown| page(shown).into_any())
}

fn page(shown: DomainShown) -> impl IntoView {
    let DomainShown { domain, may_change } = shown;
    let form = may_change.then(|| change(&domain));
    view! {
        <Title text=domain.title.clone()/>
        <section class="page">
            <p class="crumbs"><A href=PATH>{words::admin::domains::DOMAINS}</A></p>
            <div class="page-head">
                <h1>{domain.title.clone()}</h1>
                <p class="code muted">{domain.name.to_string()}</p>
            </div>
            {(!domain.description.is_empty()).then(|| view! { <p class="lines">{domain.description.clone()}</p> })}
            {form}
        </section>
    }
}

fn change(domain: &Domain) -> impl IntoView + use<> {
    let action = wire::form::<api::organisation::UpdateDomain>();
    let (name, title) = (domain.name.to_string(), domain.title.clone());
    let description = domain.description.clone();
    view! {
        <section class="block">
            <h2>{words::admin::domains::CHANGE_IT}</h2>
            <Form id="domain" action revision=domain.revision stay=true>
                <Hidden name="domain" value=name/>
                <Field label=words::admin::domains::TITLE name="title" value=Some(title) required=true autocomplete="off"/>
                <TextArea label=words::admin::domains::WHAT_IT_IS_ABOUT name="description" value=description/>
                <div class="actions"><Submit weight=Weight::Secondary>{words::admin::domains::CHANGE_THE_DOMAIN}</Submit></div>
            </Form>
        </section>
    }
}
