//! Storages: the places where tables and replicas lie. Each has a page of its own.

pub mod credential;
pub mod doctor;
pub mod show;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::Cloud;
use model::dto::Storage;

use self::credential::Credential;
use super::Head;
use crate::api;
use crate::api::storages::Storages as Found;
use crate::components::badge::Badge;
use crate::components::field::Field;
use crate::components::field::Select;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::tick::Tick;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

pub use show::Show;

pub(super) const PATH: &str = "/admin/storages";

#[component]
pub fn Storages() -> impl IntoView {
    view! {
        <Title text=words::admin::storages::STORAGES/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let storages = load(api::storages::storages(after));
    view! {
        <section class="page">
            <Head path=PATH title=words::admin::storages::STORAGES lead=words::admin::storages::WHAT_STORAGES_ARE/>
            {storages.show(move |found| all(found, is_first).into_any())}
        </section>
    }
}

fn all(found: Found, is_first: bool) -> impl IntoView {
    let is_empty = found.storages.items.is_empty();
    let add = found
        .may_create
        .then(|| view! { <Add open=is_empty && is_first/> });
    view! {
        {list(found.storages.items)}
        <Pager
            first=(!is_first).then(|| PATH.to_owned())
            next=found.storages.next.map(|after| url::with_query(PATH, [("after", after.as_str())]))
        />
        {add}
    }
}

fn list(storages: Vec<Storage>) -> impl IntoView {
    if storages.is_empty() {
        return view! {
            <Empty title=words::admin::storages::NO_STORAGE_YET>
                <p>{words::admin::storages::WHO_MAKES_STORAGES}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = storages.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::admin::storages::STORAGE),
        Column::Text(words::admin::storages::WHERE),
        Column::Text(words::admin::storages::ADDRESS),
        Column::Text(words::admin::storages::REPLICAS),
    ];
    view! { <Table caption=words::admin::storages::STORAGES head>{rows}</Table> }.into_any()
}

fn row(storage: Storage) -> impl IntoView {
    let name = storage.name.to_string();
    let href = format!("{PATH}/{name}");
    view! {
        <tr>
            <th scope="row"><A href=href>{name}</A></th>
            <td>{place(&storage)}</td>
            <td class="code detail">{storage.url.clone()}</td>
            <td>{if storage.replicas { words::admin::storages::MAY_BE_MADE_HERE } else { words::admin::storages::NONE }}</td>
        </tr>
    }
}

fn place(storage: &Storage) -> impl IntoView + use<> {
    let place = format!("{} {}", state::cloud(storage.cloud), storage.region);
    let simulated = storage
        .simulated
        .then(|| view! { " "<Badge tone=Tone::Plain>{words::admin::storages::SIMULATED}</Badge> });
    view! { {place}{simulated} }
}

fn clouds() -> Vec<(String, String)> {
    Cloud::ALL
        .into_iter()
        .map(|cloud| (cloud.as_str().to_owned(), state::cloud(cloud).to_owned()))
        .collect()
}

#[component]
fn Add(open: bool) -> impl IntoView {
    let action = wire::form::<api::storages::CreateStorage>();
    let returned = ctx::flash().is_of("storage-new");
    view! {
        <details class="fold" open=open || returned>
            <summary>{words::admin::storages::MAKE_A_STORAGE}</summary>
            <Form id="storage-new" action class="form form--wide">
                <Field label=words::admin::storages::NAME name="name" hint=words::admin::storages::NAME_HINT required=true autocomplete="off"/>
                <Select label=words::admin::storages::CLOUD name="cloud" options=clouds()/>
                <Field label=words::admin::storages::REGION name="region" hint=words::admin::storages::REGION_HINT required=true autocomplete="off"/>
                <Field label=words::admin::storages::ADDRESS name="url" hint=words::admin::storages::ADDRESS_HINT required=true autocomplete="off"/>
                <Field label=words::admin::storages::ENDPOINT name="endpoint" hint=words::admin::storages::ENDPOINT_HINT autocomplete="off"/>
                <Tick label=words::admin::storages::REPLICAS_MAY_BE_MADE_HERE name="replicas" hint=words::admin::storages::REPLICAS_HINT/>
                <Credential/>
                <div class="actions"><Submit>{words::admin::storages::MAKE_THE_STORAGE}</Submit></div>
            </Form>
        </details>
    }
}
