//! What was moved and what it cost: by day, product and route; what replicas saved; the statements.

mod days;
mod flows;
pub mod line;
pub mod statement;

use days::Days;
pub use line::Line;
pub use statement::Statement;

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::Cloud;
use model::Currency;
use model::Micro;
use model::StatementState;
use model::dto::Charge;
use model::dto::Money;
use model::dto::Saving;
use model::dto::StatementSummary;

use crate::api;
use crate::api::Listed;
use crate::charts::bars::Bars;
use crate::charts::bars::Stack;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::tabs::Tabs;
use crate::ctx;
use crate::pages::product::cost::of_savings;
use crate::url;
use crate::wire::load;
use crate::words;

const PATH: &str = "/costs";

/// By what the days are divided: `?by=consumer`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum By {
    #[default]
    Product,
    Consumer,
}

impl By {
    const ALL: [Self; 2] = [Self::Product, Self::Consumer];

    fn of(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|by| by.word() == word)
            .unwrap_or_default()
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Product => "",
            Self::Consumer => "consumer",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Product => words::costs::BY_PRODUCT,
            Self::Consumer => words::costs::BY_CONSUMER,
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Product => words::costs::PRODUCT,
            Self::Consumer => words::costs::CONSUMER,
        }
    }

    const fn picture(self) -> &'static str {
        match self {
            Self::Product => words::costs::BYTES_BY_DAY_AND_PRODUCT,
            Self::Consumer => words::costs::BYTES_BY_DAY_AND_CONSUMER,
        }
    }

    const fn table(self) -> &'static str {
        match self {
            Self::Product => words::costs::CHARGES_BY_DAY_AND_PRODUCT,
            Self::Consumer => words::costs::CHARGES_BY_DAY_AND_CONSUMER,
        }
    }

    /// With what else is kept of the address.
    fn href(self, kept: &Kept) -> String {
        let kept = kept.iter().map(|(name, value)| (*name, value.as_str()));
        url::with_query(PATH, [("by", self.word())].into_iter().chain(kept))
    }

    /// Whose charge it is. What was moved for all consumers of a replica together is nobody's.
    fn of_charge(self, charge: &Charge) -> String {
        match (self, &charge.consumer) {
            (Self::Product, _) => charge.product.to_string(),
            (Self::Consumer, Some(team)) => team.to_string(),
            (Self::Consumer, None) => words::costs::ALL_CONSUMERS_TOGETHER.to_owned(),
        }
    }
}

/// Where a part of the picture leads: a product to its costs, a consumer to the latest statement that has its charges, if it is one of
/// the viewer's own teams. None for what was put together.
fn leads(by: By, name: &str, charges: &[Charge], teams: &[String]) -> Option<String> {
    let mut of_it = charges.iter().filter(|charge| by.of_charge(charge) == name);
    match by {
        By::Product => of_it.next().map(|charge| {
            let product = format!("/products/{}", charge.product);
            url::with_query(&product, [("tab", "cost")])
        }),
        By::Consumer => {
            let paid = of_it.filter(|charge| teams.iter().any(|team| charge.team.as_str() == team));
            let latest = paid.max_by(|a, b| a.day.cmp(&b.day))?;
            let month = latest.day.get(..7)?;
            Some(format!("/costs/{}/{month}", latest.team))
        }
    }
}

/// Names and values of an address that other addresses take over.
type Kept = [(&'static str, String)];

#[component]
pub fn Costs() -> impl IntoView {
    view! {
        <Title text=words::costs::COSTS/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let savings = load(api::billing::savings(None));
    let (opened, by, after, days) = use_query_map().with_untracked(|query| {
        let opened = flows::opened(query.get_str("from"), query.get_str("to"));
        let given = |name: &str| query.get(name).unwrap_or_default();
        let days = Days::of(ctx::now(), &given("since"), &given("until"));
        (opened, By::of(&given("by")), query.get("statements"), days)
    });
    let charges = load(api::billing::charges_of_days(days.first(), days.last()));
    let are_latest = after.is_none();
    let statements = load(api::billing::statements(after));
    let kept = days.kept();
    let tabs = By::ALL.map(|by| (by.href(&kept), by.title())).to_vec();
    let current = by.href(&kept);
    let csv = kept.iter().map(|(name, value)| (*name, value.as_str()));
    let csv = url::with_query("/costs/charges.csv", csv);
    let csv_says = if kept.is_empty() {
        words::costs::ALL_CHARGES_AS_CSV
    } else {
        words::costs::CHARGES_OF_THESE_DAYS_AS_CSV
    };
    let form = days::form(&days, &also(by, opened));
    let wrong = days
        .wrong
        .map(|why| view! { <Notice tone=Tone::Warn><p>{why}</p></Notice> });
    let of_flows = days.clone();
    view! {
        <section class="page">
            <div class="page-head">
                <h1>{words::costs::COSTS}</h1>
                <p class="lead">{words::costs::WHAT_COSTS_SHOW}</p>
            </div>
            <section class="block">
                <h2>{words::costs::MOVED_BY_DAY}</h2>
                {form}
                {wrong}
                <p><a href=csv download="" rel="external">{csv_says}</a></p>
                <Tabs label=words::costs::DIVIDED_BY tabs current/>
                {charges.show(move |charges| moved(charges, &days, by).into_any())}
            </section>
            <section class="block" id="flows">
                <h2>{words::costs::FROM_PLACE_TO_PLACE}</h2>
                {charges.show(move |charges| from_place_to_place(charges, &of_flows, opened).into_any())}
            </section>
            <section class="block">
                <h2>{words::costs::SAVED_BY_REPLICAS}</h2>
                <p><A href="/flows">{words::flows::FLOWS_OF_THE_OLD_WAY}</A></p>
                {savings.show(|savings: Vec<Saving>| of_savings(savings, true).into_any())}
                <p><A href="/advice">{words::advice::WOULD_COST_LESS}</A></p>
            </section>
            <section class="block" id="statements">
                <h2>{words::costs::STATEMENTS}</h2>
                {statements.show(move |statements| months(statements, are_latest).into_any())}
            </section>
        </section>
    }
}

/// What else of the address the form of the days takes along.
fn also(by: By, opened: Option<(Cloud, Cloud)>) -> Vec<(&'static str, String)> {
    let mut also = vec![("by", by.word().to_owned())];
    if let Some((from, to)) = opened {
        also.push(("from", from.as_str().to_owned()));
        also.push(("to", to.as_str().to_owned()));
    }
    also
}

/// The days that are shown whole, and their charges.
fn of_days(charges: Listed<Charge>, days: &Days) -> (Vec<String>, Vec<Charge>) {
    let mut days = days.all();
    // Of the oldest day there may be more than was read: a bar shows all of its day or is not there.
    if charges.next.is_some()
        && let Some(last) = charges.items.last()
    {
        days.retain(|day| *day > last.day);
    }
    let items: Vec<Charge> = charges
        .items
        .into_iter()
        .filter(|charge| days.contains(&charge.day))
        .collect();
    (days, items)
}

fn from_place_to_place(
    charges: Listed<Charge>,
    days: &Days,
    opened: Option<(Cloud, Cloud)>,
) -> impl IntoView + use<> {
    let kept = days.kept();
    let (days, items) = of_days(charges, days);
    let span = match (days.first(), days.last()) {
        (Some(first), Some(last)) => words::costs::from_day_to_day(&first, &last),
        _ => String::new(),
    };
    view! {
        <p class="muted">{span}</p>
        {flows::flows(&items, opened, &kept)}
    }
}

fn moved(charges: Listed<Charge>, days: &Days, by: By) -> impl IntoView + use<> {
    let is_cut = charges.next.is_some();
    let is_usual = days.kept().is_empty();
    let (days, items) = of_days(charges, days);
    if items.is_empty() && !is_usual {
        return view! {
            <Empty title=words::costs::NOTHING_CHARGED_ON_THESE_DAYS>
                <p>{words::costs::CHOOSE_OTHER_DAYS}</p>
                <p class="actions"><A href=PATH attr:class="button">{words::costs::THE_LAST_MONTH}</A></p>
            </Empty>
        }
        .into_any();
    }
    if items.is_empty() {
        return view! {
            <Empty title=words::costs::NOTHING_WAS_CHARGED_YET>
                <p>{words::costs::PRICED_WHEN_THE_DAY_IS_OVER}</p>
            </Empty>
        }
        .into_any();
    }
    let bytes = items
        .iter()
        .filter(|charge| charge.kind == "transfer")
        .map(|charge| (charge.day.clone(), by.of_charge(charge), charge.bytes));
    let stack = Stack::of(&days, bytes);
    let teams: Vec<String> = ctx::viewer()
        .map(|viewer| viewer.teams.into_iter().map(|team| team.team).collect())
        .unwrap_or_default();
    let hrefs = stack
        .series
        .iter()
        .map(|name| leads(by, name, &items, &teams))
        .collect();
    let rows = by_day(&items, by)
        .into_iter()
        .map(|((day, whose, kind, method), (bytes, amounts))| {
            let whose = match by {
                By::Product => {
                    let href = format!("/products/{whose}?tab=cost");
                    view! { <A href=href>{whose}</A> }.into_any()
                }
                By::Consumer => whose.into_any(),
            };
            let amounts: Vec<String> = amounts
                .into_iter()
                .map(|(currency, amount)| words::money(Money { amount, currency }))
                .collect();
            view! {
                <tr>
                    <th scope="row">{day}</th>
                    <td>{whose}</td>
                    <td>{kind}<span class="secondary muted">{method}</span></td>
                    <td class="number">{words::bytes(bytes)}</td>
                    <td class="number">{amounts.join(", ")}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::costs::DAY),
        Column::Text(by.column()),
        Column::Text(words::costs::FOR_WHOM),
        Column::Number(words::costs::BYTES),
        Column::Number(words::costs::AMOUNT),
    ];
    view! {
        {is_cut.then(|| view! {
            <p class="muted">{words::costs::TOO_MANY_CHARGES_FOR_A_PICTURE}</p>
        })}
        <Bars id="moved" title=by.picture() stack said=words::bytes hrefs/>
        <details class="fold">
            <summary>{words::costs::FIGURES_AS_A_TABLE}</summary>
            <Table caption=by.table() head>{rows}</Table>
        </details>
    }
    .into_any()
}

/// Day, whose it is, kind and method.
type Row = (String, String, &'static str, &'static str);
/// Bytes, and what they cost in each currency.
type Sum = (u64, BTreeMap<Currency, Micro>);

/// The newest day first.
fn by_day(charges: &[Charge], by: By) -> Vec<(Row, Sum)> {
    let mut sums: BTreeMap<Row, Sum> = BTreeMap::new();
    for charge in charges {
        let kind = if charge.kind == "compute" {
            words::costs::COMPUTE
        } else {
            words::costs::TRANSFER
        };
        let row = (
            charge.day.clone(),
            by.of_charge(charge),
            kind,
            state::method(charge.method),
        );
        let (bytes, amounts) = sums.entry(row).or_default();
        *bytes = bytes.saturating_add(charge.bytes);
        let amount = amounts.entry(charge.currency).or_default();
        *amount = amount.checked_add(charge.amount).unwrap_or(*amount);
    }
    let mut rows: Vec<_> = sums.into_iter().collect();
    rows.sort_by(|a, b| b.0.0.cmp(&a.0.0).then_with(|| a.0.cmp(&b.0)));
    rows
}

fn months(statements: Listed<StatementSummary>, are_latest: bool) -> impl IntoView {
    if statements.items.is_empty() && are_latest {
        return view! {
            <p class="muted">{words::costs::NO_STATEMENT_CONCERNS_YOU}</p>
        }
        .into_any();
    }
    let first = (!are_latest).then(|| format!("{PATH}#statements"));
    let next = statements.next.map(|after| {
        let path = url::with_query(PATH, [("statements", after.as_str())]);
        format!("{path}#statements")
    });
    let rows = statements
        .items
        .into_iter()
        .map(|statement| {
            let href = format!("/costs/{}/{}", statement.team, statement.month);
            let total = Money {
                amount: statement.total,
                currency: statement.currency,
            };
            view! {
                <tr>
                    <th scope="row"><A href=href>{statement.month.clone()}</A></th>
                    <td>{statement.team.to_string()}</td>
                    <td><State said=said(statement.state)/></td>
                    <td class="number">{words::money(total)}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::costs::MONTH),
        Column::Text(words::costs::TEAM),
        Column::Text(words::costs::STATE),
        Column::Number(words::costs::TOTAL),
    ];
    view! {
        <Table caption=words::costs::STATEMENTS head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

pub(super) const fn said(state: StatementState) -> state::Said {
    match state {
        StatementState::Open => (words::costs::OPEN, Tone::Warn),
        StatementState::Issued => (words::costs::ISSUED, Tone::Good),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charges_are_divided_as_the_address_says() {
        for by in By::ALL {
            assert_eq!(By::of(by.word()), by);
        }
        assert_eq!(By::of("nowhere"), By::Product);
        assert_eq!(By::Consumer.href(&[]), "/costs?by=consumer");
        let days = [("since", "2026-05-01".to_owned())];
        let href = By::Product.href(&days);
        assert_eq!(href, "/costs?since=2026-05-01");
        let charge = |consumer: Option<&str>, bytes| Charge {
            id: "018f3a6e-0000-7000-8000-000000000000".parse().unwrap(),
            day: "2026-06-01".to_owned(),
            kind: "transfer".to_owned(),
            product: "vehicle-visits".parse().unwrap(),
            team: "aftersales".parse().unwrap(),
            consumer: consumer.map(|team| team.parse().unwrap()),
            from: "aws:eu-central-1".parse().unwrap(),
            to: "azure:westeurope".parse().unwrap(),
            method: model::Method::Measured,
            bytes,
            busy_micros: 0,
            amount: Micro(1),
            currency: "USD".parse().unwrap(),
        };
        let charges = [
            charge(Some("rnd"), 1),
            charge(Some("rnd"), 2),
            charge(None, 4),
        ];
        let whose = |by| -> Vec<(String, u64)> {
            let rows = by_day(&charges, by).into_iter();
            rows.map(|(row, sum)| (row.1, sum.0)).collect()
        };
        assert_eq!(whose(By::Product), [("vehicle-visits".to_owned(), 7)]);
        assert_eq!(
            whose(By::Consumer),
            [
                (words::costs::ALL_CONSUMERS_TOGETHER.to_owned(), 4),
                ("rnd".to_owned(), 3)
            ]
        );
        let teams = ["aftersales".to_owned()];
        for (by, name, teams, expected) in [
            (
                By::Product,
                "vehicle-visits",
                &teams[..0],
                Some("/products/vehicle-visits?tab=cost"),
            ),
            (By::Product, "others", &teams[..], None),
            (
                By::Consumer,
                "rnd",
                &teams[..],
                Some("/costs/aftersales/2026-06"),
            ),
            (
                By::Consumer,
                words::costs::ALL_CONSUMERS_TOGETHER,
                &teams[..],
                Some("/costs/aftersales/2026-06"),
            ),
            // Somebody else's statement is not there for the viewer.
            (By::Consumer, "rnd", &teams[..0], None),
        ] {
            let href = leads(by, name, &charges, teams);
            assert_eq!(href.as_deref(), expected, "{name}");
        }
    }
}
