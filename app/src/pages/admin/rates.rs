//! Prices: of routes and of services, each with its time and its source.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use model::Nano;
use model::Timestamp;

use super::Head;
use crate::api;
use crate::api::billing::Prices;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Day;
use crate::components::time::LastDay;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

const PATH: &str = "/admin/rates";

#[component]
pub fn Rates() -> impl IntoView {
    view! {
        <Title text=words::admin::rates::PRICES/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let prices = load(api::billing::prices(after));
    view! {
        <section class="page">
            <Head
                path=PATH
                title=words::admin::rates::PRICES
                lead=words::admin::rates::WHAT_PRICES_ARE
            />
            {prices.show(move |prices| all(prices, is_first).into_any())}
        </section>
    }
}

fn all(prices: Prices, is_first: bool) -> impl IntoView {
    let no_rates = prices.rates.items.is_empty() && is_first;
    let no_services = prices.services.is_empty();
    let first = (!is_first).then(|| PATH.to_owned());
    let next = prices
        .rates
        .next
        .map(|after| url::with_query(PATH, [("after", after.as_str())]));
    let rows = prices
        .rates
        .items
        .into_iter()
        .map(|rate| {
            let price = words::admin::rates::price_per_unit(
                &rate.price,
                &rate.currency,
                &rate.unit.as_str(),
            );
            row(
                format!("{} → {}", rate.from, rate.to),
                price,
                rate.valid_from,
                rate.valid_until,
                rate.source,
            )
        })
        .collect_view();
    let services = prices
        .services
        .into_iter()
        .map(|rate| {
            let unit = if rate.kind == "compute" {
                words::admin::rates::HOUR
            } else {
                words::admin::rates::GB_AND_MONTH
            };
            let price =
                words::admin::rates::price_per_unit(&plain(rate.price), &rate.currency, &unit);
            row(
                rate.kind,
                price,
                rate.valid_from,
                rate.valid_until,
                rate.source,
            )
        })
        .collect_view();
    view! {
        <section class="block">
            <h2>{words::admin::rates::OF_ROUTES}</h2>
            {if no_rates {
                view! {
                    <Empty title=words::admin::rates::NO_PRICE_OF_A_ROUTE_YET>
                        <p>{words::admin::rates::WITHOUT_A_PRICE_OF_A_ROUTE}</p>
                    </Empty>
                }.into_any()
            } else {
                view! {
                    <Table caption=words::admin::rates::PRICES_OF_ROUTES head=head(words::admin::rates::ROUTE)>{rows}</Table>
                    <Pager first next/>
                }.into_any()
            }}
        </section>
        <section class="block">
            <h2>{words::admin::rates::OF_SERVICES}</h2>
            {if no_services {
                view! {
                    <Empty title=words::admin::rates::NO_PRICE_OF_A_SERVICE_YET>
                        <p>{words::admin::rates::WITHOUT_A_PRICE_OF_A_SERVICE}</p>
                    </Empty>
                }.into_any()
            } else {
                view! { <Table caption=words::admin::rates::PRICES_OF_SERVICES head=head(words::admin::rates::SERVICE)>{services}</Table> }.into_any()
            }}
        </section>
        {prices.may_add.then(|| view! { <Add/><AddService/> })}
    }
}

fn plain(price: Nano) -> String {
    price.to_string()
}

fn head(first: &'static str) -> Vec<Column> {
    vec![
        Column::Text(first),
        Column::Number(words::admin::rates::PRICE),
        Column::Text(words::admin::rates::FROM),
        Column::Text(words::admin::rates::UNTIL),
        Column::Text(words::admin::rates::SOURCE),
    ]
}

fn row(
    what: String,
    price: String,
    from: Timestamp,
    until: Option<Timestamp>,
    source: String,
) -> impl IntoView {
    view! {
        <tr>
            <th scope="row" class="code">{what}</th>
            <td class="number">{price}</td>
            <td><Day at=from/></td>
            <td>{match until {
                Some(at) => view! { <LastDay at/> }.into_any(),
                None => view! { <span class="muted">{words::admin::rates::FURTHER_NOTICE}</span> }.into_any(),
            }}</td>
            <td>{source}</td>
        </tr>
    }
}

#[component]
fn Add() -> impl IntoView {
    let action = wire::form::<api::billing::CreateRate>();
    let returned = ctx::flash().is_of("rate-new");
    let units = [
        ("GB", words::admin::rates::GB),
        ("GiB", words::admin::rates::GIB),
    ];
    let units = units.map(|(value, title)| (value.to_owned(), title.to_owned()));
    view! {
        <details class="fold" open=returned>
            <summary>{words::admin::rates::ADD_A_PRICE_OF_A_ROUTE}</summary>
            <Form id="rate-new" action class="form form--grid">
                <Field label=words::admin::rates::FROM name="from" hint=words::admin::rates::FROM_HINT required=true autocomplete="off"/>
                <Field label=words::admin::rates::TO name="to" hint=words::admin::rates::TO_HINT required=true autocomplete="off"/>
                <Field label=words::admin::rates::PRICE name="price" hint=words::admin::rates::ROUTE_PRICE_HINT required=true autocomplete="off"/>
                <Select label=words::admin::rates::UNIT name="unit" options=units.to_vec()/>
                {common()}
            </Form>
        </details>
    }
}

#[component]
fn AddService() -> impl IntoView {
    let action = wire::form::<api::billing::CreateRate>();
    let returned = ctx::flash().is_of("service-rate-new");
    let kinds = [
        ("compute", words::admin::rates::COMPUTE_HOUR),
        ("storage", words::admin::rates::STORAGE_MONTH),
    ];
    let kinds = kinds.map(|(value, title)| (value.to_owned(), title.to_owned()));
    view! {
        <details class="fold" open=returned>
            <summary>{words::admin::rates::ADD_A_PRICE_OF_A_SERVICE}</summary>
            <Form id="service-rate-new" action class="form form--grid">
                <Select label=words::admin::rates::SERVICE name="kind" options=kinds.to_vec() hint=words::admin::rates::SERVICE_HINT/>
                <Field label=words::admin::rates::PRICE name="price" hint=words::admin::rates::SERVICE_PRICE_HINT required=true autocomplete="off"/>
                {common()}
            </Form>
        </details>
    }
}

/// What every price has: its currency, its time and its source.
fn common() -> impl IntoView {
    view! {
        <Field label=words::admin::rates::CURRENCY name="currency" value=Some("USD".to_owned()) required=true autocomplete="off"/>
        <Field label=words::admin::rates::VALID_FROM name="valid_from" kind=Kind::Date value=Some(words::day(ctx::now())) required=true/>
        <Field label=words::admin::rates::UNTIL name="valid_until" kind=Kind::Date hint=words::admin::rates::UNTIL_HINT/>
        <Field label=words::admin::rates::SOURCE name="source" hint=words::admin::rates::SOURCE_HINT required=true autocomplete="off"/>
        <div class="actions"><Submit>{words::admin::rates::ADD_THE_PRICE}</Submit></div>
    }
}
