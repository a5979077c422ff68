//! What was charged for moving from place to place: from cloud to cloud first, then the regions of one pair.

use std::collections::BTreeMap;

use leptos::prelude::*;
use model::Cloud;
use model::Currency;
use model::Micro;
use model::dto::Charge;
use model::dto::Money;

use super::Kept;
use crate::charts::flows::FLOWS_MAX;
use crate::charts::flows::Flow;
use crate::charts::flows::FlowMap;
use crate::components::load::Empty;
use crate::components::state;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::url;
use crate::words;

/// Bytes and money of a pair of places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sum {
    bytes: u64,
    amounts: BTreeMap<Currency, Micro>,
}

impl Sum {
    fn add(&mut self, other: &Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        for (currency, more) in &other.amounts {
            let amount = self.amounts.entry(*currency).or_default();
            *amount = amount.checked_add(*more).unwrap_or(*amount);
        }
    }

    fn money(&self) -> String {
        let amounts: Vec<String> = self
            .amounts
            .iter()
            .map(|(currency, amount)| {
                words::money(Money {
                    amount: *amount,
                    currency: *currency,
                })
            })
            .collect();
        amounts.join(", ")
    }
}

/// A pair of places, and where its regions are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    from: String,
    to: String,
    sum: Sum,
    opens: Option<String>,
}

/// The clouds of the address, `?from=aws&to=azure`, if they are some.
pub(super) fn opened(from: Option<&str>, to: Option<&str>) -> Option<(Cloud, Cloud)> {
    Some((from?.parse().ok()?, to?.parse().ok()?))
}

pub(super) fn flows(
    charges: &[Charge],
    opened: Option<(Cloud, Cloud)>,
    kept: &Kept,
) -> impl IntoView + use<> {
    let pairs = pairs(charges, opened, kept);
    let all = kept.iter().map(|(name, value)| (*name, value.as_str()));
    let all = format!("{}#flows", url::with_query("/costs", all));
    let back = opened.map(|(from, to)| {
        view! {
            <p>
                {words::costs::between_clouds_by_region(&state::cloud(from), &state::cloud(to))}
                <a href=all>{words::costs::ALL_CLOUDS}</a>
            </p>
        }
    });
    if pairs.is_empty() {
        return view! {
            {back}
            <Empty title=words::costs::NOTHING_WAS_MOVED>
                <p>{words::costs::MOVES_SHOW_AFTER_THEIR_DAY}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = pairs
        .iter()
        .map(|pair| {
            let name = format!("{} → {}", pair.from, pair.to);
            view! {
                <tr>
                    <th scope="row">{match pair.opens.clone() {
                        Some(href) => view! { <a href=href>{name}</a> }.into_any(),
                        None => name.into_any(),
                    }}</th>
                    <td class="number">{words::bytes(pair.sum.bytes)}</td>
                    <td class="number">{pair.sum.money()}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::costs::FROM_AND_TO),
        Column::Number(words::costs::BYTES),
        Column::Number(words::costs::CHARGED),
    ];
    view! {
        {back}
        <FlowMap id="flow-map" title=words::costs::MOVED_FROM_PLACE_TO_PLACE flows=drawn(&pairs) said=words::bytes/>
        <Table caption=words::costs::MOVED_FROM_PLACE_TO_PLACE head>{rows}</Table>
    }
    .into_any()
}

/// What carried most first.
fn pairs(charges: &[Charge], opened: Option<(Cloud, Cloud)>, kept: &Kept) -> Vec<Pair> {
    let mut sums: BTreeMap<(String, String, Option<String>), Sum> = BTreeMap::new();
    for charge in charges.iter().filter(|charge| charge.kind == "transfer") {
        let clouds = (charge.from.cloud, charge.to.cloud);
        let key = match opened {
            None => {
                let pair = [("from", clouds.0.as_str()), ("to", clouds.1.as_str())];
                let kept = kept.iter().map(|(name, value)| (*name, value.as_str()));
                let query = pair.into_iter().chain(kept);
                let opens = format!("{}#flows", url::with_query("/costs", query));
                let (from, to) = (state::cloud(clouds.0), state::cloud(clouds.1));
                (from.to_owned(), to.to_owned(), Some(opens))
            }
            Some(opened) if opened == clouds => {
                (state::place(&charge.from), state::place(&charge.to), None)
            }
            Some(_) => continue,
        };
        sums.entry(key).or_default().add(&Sum {
            bytes: charge.bytes,
            amounts: BTreeMap::from([(charge.currency, charge.amount)]),
        });
    }
    let mut pairs: Vec<Pair> = sums
        .into_iter()
        .map(|((from, to, opens), sum)| Pair {
            from,
            to,
            sum,
            opens,
        })
        .collect();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.sum.bytes));
    pairs
}

/// What the picture can hold: the rest is one band.
fn drawn(pairs: &[Pair]) -> Vec<Flow> {
    let whole = if pairs.len() > FLOWS_MAX {
        FLOWS_MAX - 1
    } else {
        pairs.len()
    };
    let (shown, rest) = pairs.split_at(whole);
    let mut flows: Vec<Flow> = shown
        .iter()
        .map(|pair| Flow {
            from: pair.from.clone(),
            to: pair.to.clone(),
            value: pair.sum.bytes,
            label: pair.sum.money(),
            href: pair.opens.clone(),
        })
        .collect();
    if !rest.is_empty() {
        let mut sum = Sum::default();
        rest.iter().for_each(|pair| sum.add(&pair.sum));
        let name = words::costs::others(&rest.len());
        flows.push(Flow {
            from: name.clone(),
            to: name,
            value: sum.bytes,
            label: sum.money(),
            href: None,
        });
    }
    flows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charge(kind: &str, from: &str, to: &str, bytes: u64, micros: i64) -> Charge {
        Charge {
            id: "018f3a6e-0000-7000-8000-000000000000".parse().unwrap(),
            day: "2026-06-01".to_owned(),
            kind: kind.to_owned(),
            product: "vehicle-visits".parse().unwrap(),
            team: "aftersales".parse().unwrap(),
            consumer: None,
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            method: model::Method::Measured,
            bytes,
            busy_micros: 0,
            amount: Micro(micros),
            currency: "USD".parse().unwrap(),
        }
    }

    #[test]
    fn clouds_first_and_the_regions_of_one_pair_then() {
        let charges = [
            charge(
                "transfer",
                "aws:eu-central-1",
                "azure:westeurope",
                10,
                1_000_000,
            ),
            charge("transfer", "aws:eu-west-1", "azure:westeurope", 5, 500_000),
            charge(
                "transfer",
                "gcp:europe-west3",
                "azure:westeurope",
                40,
                2_000_000,
            ),
            charge(
                "compute",
                "aws:eu-central-1",
                "azure:westeurope",
                0,
                7_000_000,
            ),
        ];
        let clouds = pairs(&charges, None, &[]);
        let said: Vec<(String, u64, String)> = clouds
            .iter()
            .map(|pair| {
                let name = format!("{} → {}", pair.from, pair.to);
                (name, pair.sum.bytes, pair.sum.money())
            })
            .collect();
        assert_eq!(
            said,
            [
                ("Google Cloud → Azure".to_owned(), 40, "2.00 USD".to_owned()),
                ("AWS → Azure".to_owned(), 15, "1.50 USD".to_owned()),
            ]
        );
        assert_eq!(
            clouds[1].opens.as_deref(),
            Some("/costs?from=aws&to=azure#flows")
        );
        let regions = pairs(&charges, opened(Some("aws"), Some("azure")), &[]);
        let froms: Vec<&str> = regions.iter().map(|pair| pair.from.as_str()).collect();
        assert_eq!(froms, ["AWS eu-central-1", "AWS eu-west-1"]);
        assert!(regions.iter().all(|pair| pair.opens.is_none()));
        assert_eq!(opened(Some("aws"), Some("<script>")), None);
        assert_eq!(opened(Some("aws"), None), None);
    }

    #[test]
    fn what_is_left_out_of_the_picture_is_a_band_of_it() {
        let charges: Vec<Charge> = (1..=30)
            .map(|n| {
                charge(
                    "transfer",
                    &format!("aws:r{n}"),
                    "azure:westeurope",
                    n,
                    10_000,
                )
            })
            .collect();
        let regions = pairs(&charges, opened(Some("aws"), Some("azure")), &[]);
        assert_eq!(regions.len(), 30);
        let flows = drawn(&regions);
        assert_eq!(flows.len(), FLOWS_MAX);
        let all: u64 = flows.iter().map(|flow| flow.value).sum();
        assert_eq!(all, (1..=30).sum::<u64>(), "nothing is lost");
        let rest = flows.last().unwrap();
        assert_eq!(
            (rest.from.as_str(), rest.label.as_str()),
            ("19 others", "0.19 USD")
        );
        assert_eq!(drawn(&regions[..12]).len(), 12);
        assert!(drawn(&[]).is_empty());
    }
}
