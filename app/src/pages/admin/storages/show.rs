//! One storage: where it is, what the doctor says of it, and changing it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::dto::Storage;

use super::ENDPOINT_HINT;
use super::PATH;
use super::REGION_HINT;
use super::REPLICAS_HINT;
use super::URL_HINT;
use super::clouds;
use super::credential::Credential;
use super::doctor::Report;
use super::place;
use crate::api;
use crate::api::storages::DOCTOR;
use crate::api::storages::StorageShown;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::one;
use crate::components::tick::Tick;
use crate::ctx;
use crate::wire;

#[component]
pub fn Show() -> impl IntoView {
    one(api::storages::storage, |shown| page(shown).into_any())
}

fn page(shown: StorageShown) -> impl IntoView {
    let StorageShown {
        storage,
        may_change,
        may_examine,
    } = shown;
    let name = storage.name.to_string();
    let examine = may_examine.then(|| examine(&storage));
    let change = may_change.then(|| change(&storage));
    let replicas = if storage.replicas {
        "may be made here"
    } else {
        "none"
    };
    view! {
        <Title text=name.clone()/>
        <section class="page">
            <p class="crumbs"><A href=PATH>"Storages"</A></p>
            <div class="page-head"><h1 class="code">{name}</h1></div>
            <dl class="facts facts--card">
                <div><dt>"Where"</dt><dd>{place(&storage)}</dd></div>
                {storage.url.clone().map(|url| view! { <div><dt>"Address"</dt><dd class="code">{url}</dd></div> })}
                {storage.endpoint.clone().map(|at| view! { <div><dt>"Endpoint"</dt><dd class="code">{at}</dd></div> })}
                {storage.credential.clone().map(|kept| view! { <div><dt>"Credential"</dt><dd class="code">{kept}</dd></div> })}
                <div><dt>"Replicas"</dt><dd>{replicas}</dd></div>
            </dl>
            {examine}
            {change}
        </section>
    }
}

fn examine(storage: &Storage) -> impl IntoView + use<> {
    let action = wire::form::<api::storages::ExamineStorage>();
    let name = storage.name.to_string();
    let writes = storage.replicas;
    let report = api::storages::found(&ctx::flash());
    view! {
        <section class="block">
            <h2>"Doctor"</h2>
            <p class="muted">"It looks at the storage as it will be used: lists, reads, signs, and writes if you say so. It changes nothing that is there."</p>
            <Form id=DOCTOR action stay=true>
                <Hidden name="storage" value=name/>
                <Tick
                    label="Also try writing"
                    name="write"
                    checked=writes
                    hint="It writes a probe below _entrepot/ and deletes it again. Replicas need it."
                />
                <div class="actions"><Submit>"Run the doctor"</Submit></div>
            </Form>
            {report.map(|report| view! { <Report report/> })}
        </section>
    }
}

fn change(storage: &Storage) -> impl IntoView + use<> {
    let action = wire::form::<api::storages::UpdateStorage>();
    let returned = ctx::flash().is_of("storage");
    let storage = storage.clone();
    let has_credential = storage.credential.is_some();
    view! {
        <section class="block">
            <details class="fold" open=returned>
                <summary>"Change the storage"</summary>
                <Form id="storage" action class="form form--wide" revision=storage.revision stay=true>
                    <Hidden name="storage" value=storage.name.to_string()/>
                    <p class="muted">"Cloud, region and address move only while nothing is registered or replicated here."</p>
                    <Select label="Cloud" name="cloud" options=clouds() value=Some(storage.cloud.as_str().to_owned())/>
                    <Field label="Region" name="region" hint=REGION_HINT value=Some(storage.region.clone()) required=true autocomplete="off"/>
                    <Field label="Address" name="url" hint=URL_HINT value=storage.url.clone() required=true autocomplete="off"/>
                    <Field label="Endpoint" name="endpoint" hint=ENDPOINT_HINT value=storage.endpoint.clone() autocomplete="off"/>
                    <Tick label="Replicas may be made here" name="replicas" hint=REPLICAS_HINT checked=storage.replicas/>
                    <Credential kept=has_credential/>
                    <div class="actions"><Submit weight=Weight::Secondary>"Change the storage"</Submit></div>
                </Form>
            </details>
        </section>
    }
}
