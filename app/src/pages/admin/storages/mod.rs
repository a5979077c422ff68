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

pub use show::Show;

pub(super) const PATH: &str = "/admin/storages";

const URL_HINT: &str = "s3://bucket/prefix, abfss://container@account.dfs.core.windows.net/prefix, gs://bucket/prefix or file:///folder";
const REGION_HINT: &str = "As the cloud writes it, for example eu-central-1. Prices depend on it.";
const ENDPOINT_HINT: &str = "Only for a store that is not at its cloud’s own address.";
const REPLICAS_HINT: &str = "Copies for readers in this region are made here; that takes a credential that may write and delete.";

#[component]
pub fn Storages() -> impl IntoView {
    view! {
        <Title text="Storages"/>
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
            <Head path=PATH title="Storages" lead="Where tables lie and where replicas may. What is registered stays where it is."/>
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
            <Empty title="No storage yet">
                <p>"Producers register tables from storages. An administrator makes one for each place where tables lie, and one for each region that is to hold replicas."</p>
            </Empty>
        }
        .into_any();
    }
    let rows = storages.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text("Storage"),
        Column::Text("Where"),
        Column::Text("Address"),
        Column::Text("Replicas"),
    ];
    view! { <Table caption="Storages" head>{rows}</Table> }.into_any()
}

fn row(storage: Storage) -> impl IntoView {
    let name = storage.name.to_string();
    let href = format!("{PATH}/{name}");
    view! {
        <tr>
            <th scope="row"><A href=href>{name}</A></th>
            <td>{place(&storage)}</td>
            <td class="code detail">{storage.url.clone()}</td>
            <td>{if storage.replicas { "may be made here" } else { "none" }}</td>
        </tr>
    }
}

fn place(storage: &Storage) -> impl IntoView + use<> {
    let place = format!("{} {}", state::cloud(storage.cloud), storage.region);
    let simulated = storage
        .simulated
        .then(|| view! { " "<Badge tone=Tone::Plain>"Simulated"</Badge> });
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
            <summary>"Make a storage"</summary>
            <Form id="storage-new" action class="form form--wide">
                <Field label="Name" name="name" hint="Lower case, for example aws_eu. It stays." required=true autocomplete="off"/>
                <Select label="Cloud" name="cloud" options=clouds()/>
                <Field label="Region" name="region" hint=REGION_HINT required=true autocomplete="off"/>
                <Field label="Address" name="url" hint=URL_HINT required=true autocomplete="off"/>
                <Field label="Endpoint" name="endpoint" hint=ENDPOINT_HINT autocomplete="off"/>
                <Tick label="Replicas may be made here" name="replicas" hint=REPLICAS_HINT/>
                <Credential/>
                <div class="actions"><Submit>"Make the storage"</Submit></div>
            </Form>
        </details>
    }
}
