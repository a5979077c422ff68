//! What the product is, whose, where, how large, and how one gets at it.

use leptos::prelude::*;
use leptos_router::components::A;
use model::AccessPolicy;
use model::Classification;
use model::Payer;
use model::dto::Alike;
use model::dto::ProductDetail;

use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::state;
use crate::components::time::Ago;
use crate::components::time::Day;
use crate::pages::catalog::card::Tags;
use crate::words;

pub(super) fn overview(product: ProductDetail) -> impl IntoView {
    let place = format!("{} {}", state::cloud(product.cloud), product.region);
    let rows: Option<u64> = product.tables.iter().map(|table| table.rows).sum();
    let bytes: u64 = product.tables.iter().filter_map(|table| table.bytes).sum();
    let committed = product
        .tables
        .iter()
        .filter_map(|table| table.committed_at)
        .max();
    let tables = u64::try_from(product.tables.len()).unwrap_or(u64::MAX);
    let decides = who_decides(product.classification, product.access_policy);
    let pays = match product.payer {
        Payer::Producer => words::product::OWNING_TEAM_PAYS,
        Payer::Consumer => words::product::WHOEVER_READS_PAYS,
    };
    let paragraphs = product
        .description
        .split("\n\n")
        .filter(|text| !text.trim().is_empty())
        .map(|text| view! { <p dir="auto">{text.trim().to_owned()}</p> })
        .collect_view();
    let has_description = !product.description.trim().is_empty();
    view! {
        {alike(product.alike)}
        <div class="columns">
            <div class="prose">
                <h2>{words::product::WHAT_IT_IS}</h2>
                {if has_description {
                    paragraphs.into_any()
                } else {
                    view! { <p class="muted">{words::product::NOT_DESCRIBED_YET}</p> }.into_any()
                }}
                <Tags tags=product.tags/>
                <h2>{words::product::HOW_YOU_GET_IT}</h2>
                <p>{decides}</p>
                <p>{pays}{words::product::PRICED_BEFORE_YOU_ASK}</p>
            </div>
            <dl class="facts facts--card">
                <div>
                    <dt>{words::product::TEAM}</dt>
                    <dd>{product.team_title}{contact(product.contact)}</dd>
                </div>
                <div><dt>{words::product::DOMAIN}</dt><dd>{product.domain.to_string()}</dd></div>
                <div><dt>{words::product::PLACE}</dt><dd>{place}{product.simulated.then_some(words::product::SIMULATED)}</dd></div>
                <div>
                    <dt>{words::product::LAST_COMMIT}</dt>
                    <dd>{match committed {
                        Some(at) => view! { <Ago at/> }.into_any(),
                        None => words::product::NOT_READ_YET.into_any(),
                    }}</dd>
                </div>
                <div><dt>{words::product::TABLES}</dt><dd>{words::count(tables)}</dd></div>
                <div><dt>{words::product::ROWS}</dt><dd>{rows.map_or_else(|| words::product::NOT_KNOWN.to_owned(), words::count)}</dd></div>
                <div><dt>{words::product::SIZE}</dt><dd>{words::bytes(bytes)}</dd></div>
                {product.published_at.map(|at| view! {
                    <div><dt>{words::product::PUBLISHED}</dt><dd><Day at/></dd></div>
                })}
            </dl>
        </div>
    }
}

/// The same tables under other names, to those who may change the product.
fn alike(alike: Vec<Alike>) -> impl IntoView {
    let is_there = !alike.is_empty();
    let items = alike
        .into_iter()
        .map(|alike| {
            let table = alike
                .table
                .map(|table| view! { <span class="code">{table}</span>": " });
            let href = alike.product.map(|product| format!("/products/{product}"));
            let link = href.map(|href| view! { " "<A href=href>{words::product::LOOK_AT_IT}</A> });
            view! { <li>{table}{alike.sentence}{link}</li> }
        })
        .collect_view();
    is_there.then(|| {
        view! {
            <Notice tone=Tone::Warn>
                <p>{words::product::IS_THERE_ALREADY}</p>
                <ul>{items}</ul>
            </Notice>
        }
    })
}

/// An address becomes a link, anything else stays what it is.
fn contact(contact: String) -> impl IntoView {
    let is_address = contact.contains('@') && !contact.contains(char::is_whitespace);
    if contact.is_empty() {
        ().into_any()
    } else if is_address {
        let href = format!("mailto:{contact}");
        view! { <br/><a href=href rel="external">{contact}</a> }.into_any()
    } else {
        view! { <br/>{contact} }.into_any()
    }
}

const fn who_decides(classification: Classification, policy: AccessPolicy) -> &'static str {
    match (classification, policy) {
        (Classification::Personal, _) => words::product::BOTH_DECIDE,
        (_, AccessPolicy::Auto) => words::product::NOBODY_HAS_TO_DECIDE,
        (_, AccessPolicy::Owner) => words::product::A_PRODUCER_DECIDES,
    }
}
