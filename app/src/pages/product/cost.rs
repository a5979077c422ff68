//! What was moved and what it cost: what the replicas saved, and the charges that the viewer may see.

use leptos::prelude::*;
use leptos_router::components::A;
use model::dto::Charge;
use model::dto::Money;
use model::dto::Saving;
use model::dto::ShareQuery;

use crate::api::Listed;
use crate::charts::against::Against;
use crate::charts::against::Comparison;
use crate::components::load::Empty;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::pages::product::Parts;
use crate::pages::product::Place;
use crate::url;
use crate::words;

pub(super) fn cost(product: &str, parts: Parts, place: Place) -> impl IntoView + use<> {
    let file = url::with_query("/costs/charges.csv", [("product", product)]);
    let calls = format!("/products/{}/usage", url::encode(product));
    let advice = url::with_query("/advice", [("product", product)]);
    view! {
        <section class="block">
            <h2>{words::product_cost::SAVED_BY_REPLICAS}</h2>
            {parts.savings.show(|savings| of_savings(savings, false).into_any())}
            <p><A href=advice>{words::advice::WHAT_WOULD_COST_LESS}</A></p>
        </section>
        <section class="block">
            <h2>{words::product_cost::CHARGES}</h2>
            <p><a href=file download="" rel="external">{words::product_cost::ALL_AS_CSV}</a></p>
            {parts.charges.show(move |page| of_charges(page, place).into_any())}
        </section>
        <section class="block">
            <h2>{words::product_cost::READ_LATELY}</h2>
            <p><A href=calls>{words::product_cost::ALL_CALLS}</A></p>
            {parts.reads.show(|page| of_reads(page).into_any())}
        </section>
    }
}

/// One row per replica; `named` where they are of several products.
pub(crate) fn of_savings(savings: Vec<Saving>, named: bool) -> impl IntoView {
    if savings.is_empty() {
        return view! {
            <Empty title=words::product_cost::NOTHING_TO_COMPARE>
                <p>{words::product_cost::NOTHING_IS_SAVED}</p>
            </Empty>
        }
        .into_any();
    }
    let compared = savings
        .iter()
        .map(|saving| compared(saving, named))
        .collect();
    let rows = savings
        .into_iter()
        .map(|saving| {
            view! {
                <tr>
                    <th scope="row">
                        {named.then(|| view! { <span class="code">{saving.product.to_string()}</span>{words::product_cost::INTO} })}
                        {state::place(&saving.route.to)}
                        {saving.cut.as_ref().map(|cut| {
                            let text = words::cuts::name_and_edition(cut, None);
                            view! { <span class="secondary">{text}</span> }
                        })}
                        <span class="muted secondary">{words::sentence(&saving.baseline)}</span>
                    </th>
                    <td class="number">{saving.days}</td>
                    <td class="number">{words::bytes(saving.baseline_bytes)}</td>
                    <td class="number">{words::bytes(saving.actual_bytes)}</td>
                    <td class="number">{share(&saving)}</td>
                    <td class="number">{saving.saved.map_or_else(|| words::product_cost::NO_RATE.to_owned(), words::money)}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::product_cost::TO),
        Column::Number(words::product_cost::DAYS),
        Column::Number(words::product_cost::BASELINE),
        Column::Number(words::product_cost::MOVED),
        Column::Number(words::product_cost::SAVED),
        Column::Number(words::product_cost::WORTH),
    ];
    view! {
        <Comparison
            title=words::product_cost::MOVED_AGAINST_BASELINE
            would_be=words::product_cost::BASELINE
            is=words::product_cost::MOVED
            rows=compared
            said=words::bytes
        />
        <Table caption=words::product_cost::SAVED_BY_REPLICAS head>{rows}</Table>
    }
    .into_any()
}

fn compared(saving: &Saving, named: bool) -> Against {
    let mut place = state::place(&saving.route.to);
    if let Some(cut) = &saving.cut {
        place = words::product_cost::product_to(&words::cuts::name_and_edition(cut, None), &place);
    }
    let worth = saving.saved.map(words::money).unwrap_or_default();
    let outcome = match (saving.saved_bytes < 0, worth.is_empty()) {
        (_, true) => words::product_cost::saved(&share(saving)),
        (false, false) => words::product_cost::saved_and_worth(&share(saving), &worth),
        (true, false) => {
            words::product_cost::saved_at_a_loss(&share(saving), &worth.replace('−', ""))
        }
    };
    Against {
        name: if named {
            words::product_cost::product_to(&saving.product, &place)
        } else {
            place
        },
        baseline: saving.baseline.clone(),
        would_be: saving.baseline_bytes,
        is: saving.actual_bytes,
        outcome,
        // From the product's own page to how its replicas do, which is the tab beside.
        href: Some(url::with_query(
            &format!("/products/{}", saving.product),
            [("tab", if named { "cost" } else { "freshness" })],
        )),
    }
}

/// `−12 %` where more was moved than the baseline would have: shown, never clamped.
fn share(saving: &Saving) -> String {
    if saving.baseline_bytes == 0 {
        return "–".to_owned();
    }
    let percent = i128::from(saving.saved_bytes) * 100 / i128::from(saving.baseline_bytes);
    let sign = if percent < 0 { "−" } else { "" };
    format!("{sign}{} %", percent.unsigned_abs())
}

fn of_charges(page: Listed<Charge>, place: Place) -> impl IntoView {
    if page.items.is_empty() {
        return view! {
            <Empty title=words::product_cost::NO_CHARGE>
                <p>{words::product_cost::WHOSE_CHARGES_YOU_SEE}</p>
            </Empty>
        }
        .into_any();
    }
    let (first, next) = (place.first(), place.next(page.next));
    let rows = page
        .items
        .into_iter()
        .map(|charge| {
            let amount = Money {
                amount: charge.amount,
                currency: charge.currency,
            };
            let what = if charge.kind == "compute" {
                words::product_cost::COMPUTE.to_owned()
            } else {
                format!("{} → {}", state::place(&charge.from), state::place(&charge.to))
            };
            view! {
                <tr>
                    <th scope="row">{charge.day}</th>
                    <td>{what}<span class="muted secondary">{state::method(charge.method)}</span></td>
                    <td>{charge.consumer.map(|team| team.to_string())}</td>
                    <td>{charge.team.to_string()}</td>
                    <td class="number">{words::bytes(charge.bytes)}</td>
                    <td class="number">{words::money(amount)}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::product_cost::DAY),
        Column::Text(words::product_cost::FOR),
        Column::Text(words::product_cost::CONSUMER),
        Column::Text(words::product_cost::PAID_BY),
        Column::Number(words::product_cost::BYTES),
        Column::Number(words::product_cost::AMOUNT),
    ];
    view! {
        <Table caption=words::product_cost::CHARGES head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn of_reads(page: Listed<ShareQuery>) -> impl IntoView {
    if page.items.is_empty() {
        return view! {
            <Empty title=words::product_cost::NO_CALL>
                <p>{words::product_cost::WHOSE_CALLS_YOU_SEE}</p>
            </Empty>
        }
        .into_any();
    }
    let has_more = page.next.is_some();
    let rows = page
        .items
        .into_iter()
        .map(|call| {
            let asked = asked(&call);
            let table = table_of(&call);
            view! {
                <tr>
                    <th scope="row"><Ago at=call.at/></th>
                    <td>
                        <span class="code">{call.recipient.to_string()}</span>
                        <span class="muted secondary">{words::product_cost::team(&call.team)}</span>
                    </td>
                    <td>
                        {asked}
                        <span class="code secondary">{table}</span>
                    </td>
                    <td class="number">{call.files}</td>
                    <td class="number">{words::bytes(call.bytes_signed)}</td>
                    <td>{words::product_cost::answered(call.status)}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::product_cost::WHEN),
        Column::Text(words::product_cost::RECIPIENT),
        Column::Text(words::product_cost::ASKED_FOR),
        Column::Number(words::product_cost::FILES),
        Column::Number(words::product_cost::HANDED_OUT),
        Column::Text(words::product_cost::ANSWER),
    ];
    view! {
        <Table caption=words::product_cost::CALLS head>{rows}</Table>
        {has_more.then(|| view! { <p class="muted">{words::product_cost::LATEST_ARE_SHOWN}</p> })}
    }
    .into_any()
}

/// The table that was called, as far as it was named: lists are of less.
pub(super) fn table_of(call: &ShareQuery) -> String {
    let names = [call.schema.as_str(), call.table.as_str()];
    let named = names.into_iter().filter(|name| !name.is_empty());
    named.collect::<Vec<_>>().join(".")
}

/// What a client asked of a table, in words.
pub(super) fn asked(call: &ShareQuery) -> String {
    let what = match call.endpoint.as_str() {
        "list" => words::product_cost::A_LIST,
        "version" => words::product_cost::ITS_VERSION,
        "metadata" => words::product_cost::ITS_COLUMNS,
        "query" => words::product_cost::ITS_ROWS,
        "async_query" => words::product_cost::ITS_ROWS_LATER,
        "changes" => words::product_cost::ITS_CHANGES,
        "temporary_credentials" => words::product_cost::A_CREDENTIAL,
        other => other,
    };
    match call.version {
        Some(version) => words::product_cost::asked_at_version(&what, version),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_shown_as_one() {
        let saving = |baseline: u64, saved: i64| Saving {
            product: "vehicle-visits".parse().unwrap(),
            cut: None,
            route: "aws:eu-central-1->azure:westeurope".parse().unwrap(),
            days: 1,
            baseline_bytes: baseline,
            actual_bytes: 0,
            saved_bytes: saved,
            saved: None,
            baseline: String::new(),
        };
        assert_eq!(share(&saving(200, 150)), "75 %");
        assert_eq!(share(&saving(200, -50)), "−25 %");
        assert_eq!(share(&saving(0, 0)), "–");
        let mut lost = saving(200, -50);
        assert_eq!(compared(&lost, false).outcome, "−25 % saved");
        lost.saved = Some(Money {
            amount: model::Micro(-2_000_000),
            currency: "USD".parse().unwrap(),
        });
        let shown = compared(&lost, true);
        assert_eq!(shown.outcome, "−25 % saved, a loss of 2.00 USD");
        assert_eq!(shown.name, "vehicle-visits to Azure westeurope");
        let leads = |named| compared(&lost, named).href;
        assert_eq!(leads(true).unwrap(), "/products/vehicle-visits?tab=cost");
        assert_eq!(
            leads(false).unwrap(),
            "/products/vehicle-visits?tab=freshness"
        );
    }
}
