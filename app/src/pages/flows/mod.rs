//! Flows of the old way: which there are, what switching them off has saved, registering them. And copies that are adopted.

pub mod adoptions;

pub use adoptions::Adoptions;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::Role;
use model::dto::Compared;
use model::dto::Flow;
use model::dto::FlowKind;
use model::dto::Saving;

use crate::api;
use crate::api::Listed;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::text_area::TextArea;
use crate::components::time::Time;
use crate::ctx;
use crate::pages::product::cost::of_savings;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

const PATH: &str = "/flows";

#[component]
pub fn Flows() -> impl IntoView {
    view! {
        <Title text=words::flows::FLOWS_OF_THE_OLD_WAY/>
        <Members><All/></Members>
    }
}

#[component]
fn All() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let flows = load(api::flows::flows(after));
    let savings = load(api::billing::savings(None));
    let may_register = ctx::viewer().is_some_and(|viewer| {
        viewer.produces() || viewer.is(Role::Finance) || viewer.is(Role::Admin)
    });
    view! {
        <section class="page">
            <p class="crumbs"><A href="/costs">{words::costs::COSTS}</A></p>
            <div class="page-head">
                <h1>{words::flows::FLOWS_OF_THE_OLD_WAY}</h1>
                <p class="lead">{words::flows::WHAT_FLOWS_ARE}</p>
            </div>
            {may_register.then(register)}
            {flows.show(move |flows| list(flows, is_first).into_any())}
            <section class="block">
                <h2>{words::flows::WHAT_WAS_SAVED}</h2>
                {savings.show(|savings: Vec<Saving>| of_savings(savings, true).into_any())}
            </section>
        </section>
    }
}

const fn called(kind: FlowKind) -> &'static str {
    match kind {
        FlowKind::WeeklyFullLoad => words::flows::WEEKLY_FULL_LOAD,
        FlowKind::DailyFullLoad => words::flows::DAILY_FULL_LOAD,
        FlowKind::DirectReads => words::flows::DIRECT_READS,
        FlowKind::Ftp => words::flows::FTP,
    }
}

fn register() -> impl IntoView {
    let action = wire::form::<api::flows::RegisterFlow>();
    let import = wire::form::<api::flows::ImportFlows>();
    let flash = ctx::flash();
    let (is_open, is_list) = (flash.is_of("flow-new"), flash.is_of("flow-list"));
    let kinds = FlowKind::ALL.map(|kind| (kind.as_str().to_owned(), called(kind).to_owned()));
    let usual = FlowKind::WeeklyFullLoad.as_str().to_owned();
    view! {
        <details class="fold" open=is_open>
            <summary>{words::flows::REGISTER_A_FLOW}</summary>
            <Form id="flow-new" action class="form form--grid">
                <Field label=words::flows::PRODUCT name="product" required=true autocomplete="off"/>
                <Field label=words::flows::TABLE name="table" hint=words::flows::TABLE_HINT autocomplete="off"/>
                <Select label=words::flows::KIND name="kind" options=kinds.to_vec() value=Some(usual)/>
                <Field label=words::flows::CONSUMERS name="consumers" kind=Kind::Number value=Some("1".to_owned()) hint=words::flows::CONSUMERS_HINT min=Some("1".to_owned())/>
                <Field label=words::flows::FROM name="from" hint=words::flows::FROM_HINT autocomplete="off"/>
                <Field label=words::flows::TO name="to" hint=words::flows::TO_HINT required=true autocomplete="off"/>
                <Field label=words::flows::LOAD_BYTES name="load_bytes" kind=Kind::Number hint=words::flows::LOAD_BYTES_HINT min=Some("0".to_owned())/>
                <Field label=words::flows::COPY_STORAGE name="storage" hint=words::flows::COPY_STORAGE_HINT autocomplete="off"/>
                <Field label=words::flows::COPY_PATH name="path" hint=words::flows::COPY_PATH_HINT autocomplete="off"/>
                <div class="actions"><Submit>{words::flows::REGISTER_A_FLOW}</Submit></div>
            </Form>
        </details>
        <details class="fold" open=is_list>
            <summary>{words::flows::IMPORT_A_LIST}</summary>
            <Form id="flow-list" action=import>
                <TextArea label=words::flows::THE_LIST name="list" hint=words::flows::LIST_HINT required=true rows=8/>
                <div class="actions"><Submit>{words::flows::IMPORT_A_LIST}</Submit></div>
            </Form>
        </details>
    }
}

fn list(flows: Listed<Flow>, is_first: bool) -> impl IntoView {
    if flows.items.is_empty() && is_first {
        return view! {
            <Empty title=words::flows::NO_FLOW_YET>
                <p>{words::flows::WHO_REGISTERS_FLOWS}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = flows.items.into_iter().map(row).collect_view();
    let first = (!is_first).then(|| PATH.to_owned());
    let next = flows
        .next
        .map(|after| url::with_query(PATH, [("after", after.as_str())]));
    let head = vec![
        Column::Text(words::flows::PRODUCT),
        Column::Text(words::flows::FLOW),
        Column::Text(words::flows::FROM_AND_TO),
        Column::Number(words::flows::A_LOAD),
        Column::Text(words::flows::ROWS),
        Column::Text(words::flows::STATE),
    ];
    view! {
        <Table caption=words::flows::FLOWS_OF_THE_OLD_WAY head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn row(flow: Flow) -> impl IntoView {
    let href = format!("/products/{}", flow.product);
    let table = flow
        .table
        .clone()
        .unwrap_or_else(|| words::flows::ALL_TABLES.to_owned());
    let places = format!("{} → {}", state::place(&flow.from), state::place(&flow.to));
    let load = match flow.reckoned_bytes {
        Some(bytes) => words::bytes(bytes),
        None => words::flows::NOT_KNOWN.to_owned(),
    };
    let how = words::flows::fetched_by(called(flow.kind), flow.consumers);
    let stands = match flow.off_at {
        Some(at) => view! { {words::flows::OFF_SINCE}<Time at/> }.into_any(),
        None => words::flows::RUNS.into_any(),
    };
    let compared = compared(&flow);
    let change = flow.may_change.then(|| change(&flow));
    view! {
        <tr>
            <th scope="row"><A href=href>{flow.product.to_string()}</A><span class="secondary code muted">{table}</span></th>
            <td>{how}</td>
            <td>{places}</td>
            <td class="number">{load}</td>
            <td>{compared}</td>
            <td>{stands}{change}</td>
        </tr>
    }
}

fn compared(flow: &Flow) -> impl IntoView + use<> {
    let said = flow.compared.map(|compared| match compared {
        Compared::Same => (words::flows::ARE_THE_SAME, Tone::Good),
        Compared::Differs => (words::flows::DIFFER, Tone::Warn),
        Compared::Unknown => (words::flows::CANNOT_BE_SAID, Tone::Warn),
    });
    let said = match said {
        Some(said) => view! { <State said/> }.into_any(),
        None => view! { <span class="muted">{words::flows::NOT_COMPARED}</span> }.into_any(),
    };
    let at = flow.compared_at;
    let found = flow.comparison.clone();
    let waits = flow.comparing;
    view! {
        {said}
        {at.map(|at| view! { <span class="secondary muted"><Time at/></span> })}
        {found.map(|found| view! { <span class="secondary">{found}</span> })}
        {waits.then(|| view! { <span class="secondary muted">{words::flows::A_COMPARISON_WAITS}</span> })}
    }
}

fn change(flow: &Flow) -> impl IntoView + use<> {
    let id = flow.id.to_string();
    let forms = ["switch", "compare", "remove"].map(|what| format!("flow-{what}-{id}"));
    let flash = ctx::flash();
    let is_open = forms.iter().any(|form| flash.is_of(form));
    let [switch, compare, remove] = forms;
    let switching = wire::form::<api::flows::SwitchFlow>();
    let comparing = wire::form::<api::flows::CompareFlow>();
    let removing = wire::form::<api::flows::RemoveFlow>();
    let off = flow.off_at.map(|at| at.to_string());
    let has_copy = flow.path.is_some();
    let (one, two, three) = (id.clone(), id.clone(), id);
    view! {
        <details class="fold" open=is_open>
            <summary>{words::flows::CHANGE}</summary>
            <Form id=switch action=switching>
                <Hidden name="flow" value=one/>
                <Field label=words::flows::OFF_ON name="off" value=off hint=words::flows::OFF_HINT autocomplete="off"/>
                <div class="actions"><Submit>{words::flows::SAVE}</Submit></div>
            </Form>
            {has_copy.then(|| view! {
                <Form id=compare action=comparing>
                    <Hidden name="flow" value=two/>
                    <div class="actions"><Submit weight=Weight::Secondary>{words::flows::COMPARE}</Submit></div>
                </Form>
            })}
            <Form id=remove action=removing>
                <Hidden name="flow" value=three/>
                <div class="actions"><Submit weight=Weight::Danger>{words::flows::TAKE_OUT}</Submit></div>
            </Form>
        </details>
    }
}
