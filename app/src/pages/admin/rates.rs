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
        <Title text="Prices"/>
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
                title="Prices"
                lead="What a byte costs from place to place. The most specific one counts; what was charged stays charged."
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
            let price = format!(
                "{} {} per {}",
                rate.price,
                rate.currency,
                rate.unit.as_str()
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
                "hour"
            } else {
                "GB and month"
            };
            let price = format!("{} {} per {unit}", plain(rate.price), rate.currency);
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
            <h2>"Of routes"</h2>
            {if no_rates {
                view! {
                    <Empty title="No price of a route yet">
                        <p>"What crosses a border is counted, and waits for a price: until then nothing of it is charged. Begin with *:* and add what costs more or less."</p>
                    </Empty>
                }.into_any()
            } else {
                view! {
                    <Table caption="Prices of routes" head=head("Route")>{rows}</Table>
                    <Pager first next/>
                }.into_any()
            }}
        </section>
        <section class="block">
            <h2>"Of services"</h2>
            {if no_services {
                view! {
                    <Empty title="No price of a service yet">
                        <p>"While compute has no price, no statement with sync runs can be issued; it may be 0. Storage is told in offers and never charged."</p>
                    </Empty>
                }.into_any()
            } else {
                view! { <Table caption="Prices of services" head=head("Service")>{services}</Table> }.into_any()
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
        Column::Number("Price"),
        Column::Text("From"),
        Column::Text("Until"),
        Column::Text("Source"),
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
                None => view! { <span class="muted">"further notice"</span> }.into_any(),
            }}</td>
            <td>{source}</td>
        </tr>
    }
}

#[component]
fn Add() -> impl IntoView {
    let action = wire::form::<api::billing::CreateRate>();
    let returned = ctx::flash().is_of("rate-new");
    let units = [("GB", "GB (10⁹ bytes)"), ("GiB", "GiB (2³⁰ bytes)")];
    let units = units.map(|(value, title)| (value.to_owned(), title.to_owned()));
    view! {
        <details class="fold" open=returned>
            <summary>"Add a price of a route"</summary>
            <Form id="rate-new" action class="form form--grid">
                <Field label="From" name="from" hint="aws:eu-central-1, aws:* or *:*" required=true autocomplete="off"/>
                <Field label="To" name="to" hint="azure:westeurope, azure:* or *:*" required=true autocomplete="off"/>
                <Field label="Price" name="price" hint="A decimal, 0.09" required=true autocomplete="off"/>
                <Select label="Unit" name="unit" options=units.to_vec()/>
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
        ("compute", "Compute: an hour of sync runs"),
        ("storage", "Storage: a GB for a month"),
    ];
    let kinds = kinds.map(|(value, title)| (value.to_owned(), title.to_owned()));
    view! {
        <details class="fold" open=returned>
            <summary>"Add a price of a service"</summary>
            <Form id="service-rate-new" action class="form form--grid">
                <Select label="Service" name="kind" options=kinds.to_vec() hint="Storage is told in offers and never charged."/>
                <Field label="Price" name="price" hint="A decimal, 0.20; 0 is a price, too." required=true autocomplete="off"/>
                {common()}
            </Form>
        </details>
    }
}

/// What every price has: its currency, its time and its source.
fn common() -> impl IntoView {
    view! {
        <Field label="Currency" name="currency" value=Some("USD".to_owned()) required=true autocomplete="off"/>
        <Field label="Valid from" name="valid_from" kind=Kind::Date value=Some(words::day(ctx::now())) required=true/>
        <Field label="Until" name="valid_until" kind=Kind::Date hint="Exclusive; empty for further notice. A price with an end interrupts the one that holds."/>
        <Field label="Source" name="source" hint="Where the price stands, for who checks it." required=true autocomplete="off"/>
        <div class="actions"><Submit>"Add the price"</Submit></div>
    }
}
