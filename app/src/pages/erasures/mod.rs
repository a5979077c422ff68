//! Erasures: which were asked for, and asking for one.

pub mod show;

pub use show::Show;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::Role;
use model::dto::Erasure;

use crate::api;
use crate::api::Listed;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::nav;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::text_area::TextArea;
use crate::components::time::Time;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

const PATH: &str = "/erasures";

#[component]
pub fn Erasures() -> impl IntoView {
    view! {
        <Title text=words::erasures::ERASURES/>
        <Members><All/></Members>
    }
}

#[component]
fn All() -> impl IntoView {
    let (after, product) =
        use_query_map().with_untracked(|query| (query.get("after"), query.get("product")));
    let is_first = after.is_none();
    let erasures = load(api::erasures::erasures(after));
    let may_ask =
        ctx::viewer().is_some_and(|viewer| nav::decides(&viewer) || viewer.is(Role::Admin));
    view! {
        <section class="page">
            <p class="crumbs"><A href="/replicas">{words::replicas::REPLICAS}</A></p>
            <div class="page-head">
                <h1>{words::erasures::ERASURES}</h1>
                <p class="lead">{words::erasures::WHAT_ERASURES_ARE}</p>
            </div>
            {may_ask.then(|| ask(product))}
            {erasures.show(move |erasures| list(erasures, is_first).into_any())}
        </section>
    }
}

fn ask(product: Option<String>) -> impl IntoView {
    let action = wire::form::<api::erasures::RequestErasure>();
    let is_open = ctx::flash().is_of("erasure-new") || product.is_some();
    let choices = [
        ("no", words::erasures::WHEN_THE_RETENTION_IS_OVER),
        ("yes", words::erasures::AT_ONCE),
    ];
    let choices = choices.map(|(value, title)| (value.to_owned(), title.to_owned()));
    view! {
        <details class="fold" open=is_open>
            <summary>{words::erasures::ASK_FOR_AN_ERASURE}</summary>
            <p class="muted">{words::erasures::FIRST_AT_THE_SOURCE}</p>
            <Form id="erasure-new" action class="form form--grid">
                <Field label=words::erasures::PRODUCT name="product" value=product required=true autocomplete="off"/>
                <Field label=words::erasures::TABLE name="table" hint=words::erasures::TABLE_HINT autocomplete="off"/>
                <Field label=words::erasures::SINCE_VERSION name="since_version" kind=Kind::Number hint=words::erasures::SINCE_VERSION_HINT min=Some("0".to_owned())/>
                <Field label=words::erasures::SINCE name="since" hint=words::erasures::SINCE_HINT autocomplete="off"/>
                <Select label=words::erasures::WHEN name="at_once" options=choices.to_vec() value=Some("no".to_owned())/>
                <TextArea label=words::erasures::REASON name="reason" hint=words::erasures::REASON_HINT required=true max=500 rows=2/>
                <div class="actions"><Submit>{words::erasures::ASK_FOR_AN_ERASURE}</Submit></div>
            </Form>
        </details>
    }
}

fn list(erasures: Listed<Erasure>, is_first: bool) -> impl IntoView {
    if erasures.items.is_empty() && is_first {
        return view! {
            <Empty title=words::erasures::NO_ERASURE_YET>
                <p>{words::erasures::WHO_ASKS_FOR_ONE}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = erasures.items.into_iter().map(row).collect_view();
    let first = (!is_first).then(|| PATH.to_owned());
    let next = erasures
        .next
        .map(|after| url::with_query(PATH, [("after", after.as_str())]));
    let head = vec![
        Column::Text(words::erasures::ASKED_FOR),
        Column::Text(words::erasures::PRODUCT),
        Column::Text(words::erasures::GONE_SINCE),
        Column::Text(words::erasures::STATE),
        Column::Text(words::erasures::CERTIFICATE),
    ];
    view! {
        <Table caption=words::erasures::ERASURES head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn row(erasure: Erasure) -> impl IntoView {
    let href = format!("{PATH}/{}", erasure.id);
    let table = erasure
        .table
        .unwrap_or_else(|| words::erasures::ALL_TABLES.to_owned());
    view! {
        <tr>
            <th scope="row"><A href=href><Time at=erasure.requested_at/></A></th>
            <td>{erasure.product.to_string()}<span class="secondary code muted">{table}</span></td>
            <td>{erasure.since_version.map(words::erasures::version)}<Time at=erasure.since/></td>
            <td><State said=state::erasure(erasure.state)/></td>
            <td>{match erasure.issued_at {
                Some(at) => view! { <Time at/> }.into_any(),
                None => view! { <span class="muted">{words::erasures::NOT_YET}</span> }.into_any(),
            }}</td>
        </tr>
    }
}
