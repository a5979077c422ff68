//! One storage: where it is, what the doctor says of it, and changing it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::dto::Storage;

use super::PATH;
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
use crate::words;

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
        words::admin::storages::MAY_BE_MADE_HERE
    } else {
        words::admin::storages::NONE
    };
    view! {
        <Title text=name.clone()/>
        <section class="page">
            <p class="crumbs"><A href=PATH>{words::admin::storages::STORAGES}</A></p>
            <div class="page-head"><h1 class="code">{name}</h1></div>
            <dl class="facts facts--card">
                <div><dt>{words::admin::storages::WHERE}</dt><dd>{place(&storage)}</dd></div>
                {storage.url.clone().map(|url| view! { <div><dt>{words::admin::storages::ADDRESS}</dt><dd class="code">{url}</dd></div> })}
                {storage.endpoint.clone().map(|at| view! { <div><dt>{words::admin::storages::ENDPOINT}</dt><dd class="code">{at}</dd></div> })}
                {storage.credential.clone().map(|kept| view! { <div><dt>{words::admin::storages::CREDENTIAL}</dt><dd class="code">{kept}</dd></div> })}
                <div><dt>{words::admin::storages::REPLICAS}</dt><dd>{replicas}</dd></div>
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
            <h2>{words::admin::storages::DOCTOR}</h2>
            <p class="muted">{words::admin::storages::WHAT_THE_DOCTOR_DOES}</p>
            <Form id=DOCTOR action stay=true>
                <Hidden name="storage" value=name/>
                <Tick
                    label=words::admin::storages::ALSO_TRY_WRITING
                    name="write"
                    checked=writes
                    hint=words::admin::storages::TRY_WRITING_HINT
                />
                <div class="actions"><Submit>{words::admin::storages::RUN_THE_DOCTOR}</Submit></div>
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
                <summary>{words::admin::storages::CHANGE_THE_STORAGE}</summary>
                <Form id="storage" action class="form form--wide" revision=storage.revision stay=true>
                    <Hidden name="storage" value=storage.name.to_string()/>
                    <p class="muted">{words::admin::storages::WHEN_A_STORAGE_MOVES}</p>
                    <Select label=words::admin::storages::CLOUD name="cloud" options=clouds() value=Some(storage.cloud.as_str().to_owned())/>
                    <Field label=words::admin::storages::REGION name="region" hint=words::admin::storages::REGION_HINT value=Some(storage.region.clone()) required=true autocomplete="off"/>
                    <Field label=words::admin::storages::ADDRESS name="url" hint=words::admin::storages::ADDRESS_HINT value=storage.url.clone() required=true autocomplete="off"/>
                    <Field label=words::admin::storages::ENDPOINT name="endpoint" hint=words::admin::storages::ENDPOINT_HINT value=storage.endpoint.clone() autocomplete="off"/>
                    <Tick label=words::admin::storages::REPLICAS_MAY_BE_MADE_HERE name="replicas" hint=words::admin::storages::REPLICAS_HINT checked=storage.replicas/>
                    <Credential kept=has_credential/>
                    <div class="actions"><Submit weight=Weight::Secondary>{words::admin::storages::CHANGE_THE_STORAGE}</Submit></div>
                </Form>
            </details>
        </section>
    }
}
