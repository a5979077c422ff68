//! Copies that lie in a storage already: naming one, and what the first syncs made of them.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::Role;
use model::dto::AdoptedCopy;

use crate::api;
use crate::components::field::Field;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::state;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Time;
use crate::ctx;
use crate::wire;
use crate::wire::load;
use crate::words;

#[component]
pub fn Adoptions() -> impl IntoView {
    view! {
        <Title text=words::flows::ADOPTED_COPIES/>
        <Members><All/></Members>
    }
}

#[component]
fn All() -> impl IntoView {
    let (product, storage) =
        use_query_map().with_untracked(|query| (query.get("product"), query.get("storage")));
    let copies = load(api::replicas::adoptions());
    let may_name = ctx::viewer().is_some_and(|viewer| viewer.produces() || viewer.is(Role::Admin));
    view! {
        <section class="page">
            <p class="crumbs"><A href="/replicas">{words::replicas::REPLICAS}</A></p>
            <div class="page-head">
                <h1>{words::flows::ADOPTED_COPIES}</h1>
                <p class="lead">{words::flows::WHAT_ADOPTING_IS}</p>
            </div>
            {may_name.then(|| name(product, storage))}
            {copies.show(|copies| list(copies).into_any())}
        </section>
    }
}

fn name(product: Option<String>, storage: Option<String>) -> impl IntoView {
    let action = wire::form::<api::replicas::AdoptCopy>();
    let is_open = ctx::flash().is_of("adopt") || product.is_some();
    let choices = [
        ("no", words::flows::FETCH_IT),
        ("yes", words::flows::COMPARE_ENDS),
    ];
    let choices = choices.map(|(value, title)| (value.to_owned(), title.to_owned()));
    view! {
        <details class="fold" open=is_open>
            <summary>{words::flows::NAME_A_COPY}</summary>
            <Form id="adopt" action class="form form--grid">
                <Field label=words::flows::PRODUCT name="product" value=product required=true autocomplete="off"/>
                <Field label=words::flows::TABLE name="table" hint=words::flows::ONLY_TABLE_HINT autocomplete="off"/>
                <Field label=words::flows::STORAGE name="storage" value=storage hint=words::flows::STORAGE_HINT required=true autocomplete="off"/>
                <Field label=words::flows::FOLDER name="path" hint=words::flows::FOLDER_HINT autocomplete="off"/>
                <Select label=words::flows::BY_ENDS name="by_ends" options=choices.to_vec() value=Some("no".to_owned())/>
                <div class="actions"><Submit>{words::flows::LOOK_AND_NAME_IT}</Submit></div>
            </Form>
        </details>
    }
}

fn list(copies: Vec<AdoptedCopy>) -> impl IntoView {
    if copies.is_empty() {
        return view! {
            <Empty title=words::flows::NO_COPY_YET>
                <p>{words::flows::WHO_NAMES_COPIES}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = copies.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::flows::PRODUCT),
        Column::Text(words::flows::FOLDER),
        Column::Number(words::flows::SERVES),
        Column::Number(words::flows::TO_FETCH),
        Column::Number(words::flows::TAKEN_OVER),
        Column::Text(words::flows::STATE),
    ];
    view! { <Table caption=words::flows::ADOPTED_COPIES head>{rows}</Table> }.into_any()
}

fn row(copy: AdoptedCopy) -> impl IntoView {
    let table = format!("{}.{}", copy.schema, copy.table);
    let serves = words::replicas::bytes_in_files(&words::bytes(copy.bytes), copy.files);
    let taken = copy.done_at.map(|_| {
        words::replicas::bytes_in_files(&words::bytes(copy.taken_bytes), copy.taken_files)
    });
    let run = copy.run.map(|run| format!("/runs/{run}"));
    let stands = match copy.done_at {
        Some(at) => view! { <Time at/> }.into_any(),
        None => words::flows::WAITS_FOR_THE_FIRST_SYNC.into_any(),
    };
    view! {
        <tr>
            <th scope="row">{copy.product.to_string()}<span class="secondary code muted">{table}</span></th>
            <td><span class="code">{copy.path}</span><span class="secondary muted">{state::place(&copy.location)}</span></td>
            <td class="number">{serves}</td>
            <td class="number">{words::bytes(copy.fetch_bytes)}</td>
            <td class="number">{taken}</td>
            <td>
                {stands}
                {run.map(|href| view! { <span class="secondary"><A href=href>{words::flows::THE_RUN}</A></span> })}
                {copy.outcome.map(|outcome| view! { <span class="secondary">{outcome}</span> })}
            </td>
        </tr>
    }
}
