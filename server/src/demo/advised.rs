//! What the advisor says of the demo world, against a search over the same history: line by line of the access log and run by run, once
//! for every number of readers, until a replica costs less.

use std::collections::BTreeSet;

use exchange::access::ShareQueryFilter;
use exchange::page::PageRequest;
use exchange::{Exchange, Principal};
use model::dto::{Advice, AdviceStanding, ShareQuery, SyncRun};
use model::time::{DAY, HOUR};
use model::{AdviceState, Cloud, Location, Mode, RunKind, RunState, Timestamp};

use super::report::{ProductLine, Report, every};

/// Days of a week; whole ones are looked at.
const WEEK: i64 = 7;
/// No demo world has more readers.
const MOST: i128 = 1_000;

/// Prices of the declaration, in billionths: per GB of a route, per hour, per GB and month.
fn of_route(from: Cloud) -> i128 {
    match from {
        Cloud::Aws => 90_000_000,
        Cloud::Gcp => 120_000_000,
        Cloud::Azure | Cloud::Onprem => 87_000_000,
    }
}
const COMPUTE: i128 = 120_000_000;
const STORAGE: i128 = 21_000_000;

/// All that was recorded, as lists give it.
struct Recorded {
    calls: Vec<ShareQuery>,
    runs: Vec<SyncRun>,
    /// What each replica holds.
    held: Vec<(String, Location, u64)>,
    /// Where each recipient reads.
    recipients: Vec<(String, Location)>,
}

impl Recorded {
    async fn of(exchange: &Exchange) -> Self {
        let operator = Principal::operator();
        let all = ShareQueryFilter::default();
        let calls = exchange.all_share_queries(&operator, &all).await;
        let calls = calls.unwrap().items;
        let runs = every(async |page| exchange.sync_runs(&operator, None, &page).await);
        let replicas = exchange
            .replicas(&operator, None, &PageRequest::all())
            .await;
        let held = replicas.unwrap().items.into_iter().map(|replica| {
            let bytes: u64 = replica.tables.iter().filter_map(|table| table.bytes).sum();
            (replica.product.to_string(), replica.location, bytes)
        });
        let recipients = exchange.recipients(&operator, &PageRequest::all()).await;
        let recipients = recipients.unwrap().items.into_iter();
        Self {
            calls,
            runs: runs.await.unwrap(),
            held: held.collect(),
            recipients: recipients
                .map(|recipient| (recipient.name.to_string(), recipient.location))
                .collect(),
        }
    }

    /// Lines of the log that handed out rows of a product in a place on one of those days.
    fn calls_at<'a>(
        &'a self,
        standing: &'a AdviceStanding,
        days: &'a std::ops::Range<i64>,
    ) -> impl Iterator<Item = &'a ShareQuery> {
        self.calls.iter().filter(move |call| {
            let is_there = self
                .recipients
                .iter()
                .any(|(name, at)| *name == call.recipient.as_str() && *at == standing.to);
            is_there
                && call.share == standing.product.as_str()
                && call.endpoint == "query"
                && call.status == 200
                && days.contains(&call.at.utc_day())
        })
    }
}

/// The least number of readers, each like the mean of those who were seen, that costs more than the replica did. Amounts are in a unit
/// in which nothing is rounded but what a month and an hour are divided by. Where there is no replica, `recent` is of how many bytes the
/// files of the last 30 days are, for what one would move at least; without it, what it would move at most.
fn search(
    recorded: &Recorded,
    standing: &AdviceStanding,
    product: &ProductLine,
    recent: Option<u64>,
) -> Option<u64> {
    let since = Timestamp::parse(standing.since.as_ref().unwrap())
        .unwrap()
        .utc_day();
    let weeks = i64::try_from(standing.weeks).unwrap();
    let days = since..since + WEEK * weeks;
    let price = of_route(product.location.cloud);
    let mut replica = 0_i128;
    let stored: u64 = if standing.has_replica {
        for run in &recorded.runs {
            let is_sync = run.kind == RunKind::Sync && run.state == RunState::Done;
            let is_here = run.product == product.name && run.to_location == standing.to;
            // A first copy is made once.
            let counts = run.from_version.is_some() && days.contains(&run.started_at.utc_day());
            if is_sync && is_here && counts {
                replica += i128::from(run.bytes_received) * price;
                replica += i128::from(run.busy_micros) * COMPUTE * 1_000_000_000 / i128::from(HOUR);
            }
        }
        let held = recorded.held.iter();
        let held =
            held.filter(|(name, at, _)| *name == product.name.as_str() && *at == standing.to);
        held.map(|(_, _, bytes)| *bytes).sum()
    } else {
        replica += match recent {
            // At best what is new, week by week.
            Some(recent) => i128::from(recent) * price * i128::from(WEEK * weeks) / 30,
            // At worst each sync, once a week, copies all.
            None => i128::from(product.bytes) * price * i128::from(weeks),
        };
        product.bytes
    };
    replica += i128::from(stored) * STORAGE * i128::from(WEEK) / 30 * i128::from(weeks);
    let seen: BTreeSet<&str> = recorded
        .calls_at(standing, &days)
        .map(|call| call.recipient.as_str())
        .collect();
    let seen = i128::try_from(seen.len()).unwrap();
    let cheaper = |readers: &i128| {
        let mut live = 0_i128;
        for day in days.clone() {
            for call in recorded.calls_at(standing, &(day..day + 1)) {
                live += i128::from(call.bytes_signed) * price * readers;
            }
        }
        live > replica * seen
    };
    (1..=MOST)
        .find(cheaper)
        .map(|readers| u64::try_from(readers).unwrap())
}

/// How much of a product its files of the last 30 days are, as whoever asks for a replica there is told.
async fn recent(exchange: &Exchange, recorded: &Recorded, standing: &AdviceStanding) -> u64 {
    let reader = recorded
        .recipients
        .iter()
        .find(|(_, at)| *at == standing.to);
    let (reader, _) = reader.unwrap();
    let operator = Principal::operator();
    let offer = exchange
        .offer(&operator, standing.product.as_str(), reader, None)
        .await;
    let modes = offer.unwrap().modes;
    let of_replica = modes.iter().find(|offer| offer.mode == Mode::Replica);
    of_replica.unwrap().month_bytes
}

/// Whoever reads the orders comes once a week: that is how often a replica of them would be synced.
fn is_read_weekly(recorded: &Recorded, standing: &AdviceStanding) -> bool {
    let all = i64::MIN / DAY..i64::MAX / DAY;
    let days: BTreeSet<i64> = recorded
        .calls_at(standing, &all)
        .map(|call| call.at.utc_day())
        .collect();
    let days: Vec<i64> = days.into_iter().collect();
    let mut pauses: Vec<i64> = days.windows(2).map(|two| two[1] - two[0]).collect();
    pauses.sort_unstable();
    pauses.get((pauses.len().max(1) - 1) / 2) == Some(&WEEK)
}

/// A row of the table in docs/BENCHMARKS.md.
fn told(standing: &AdviceStanding, found: Option<(u64, u64)>, open: &[&Advice]) {
    let text = |(from, to): (u64, u64)| match from == to {
        true => to.to_string(),
        false => format!("{from} to {to}"),
    };
    let bounds = standing.break_even.map(|even| text((even.from, even.to)));
    let of_place: Vec<&&Advice> = open
        .iter()
        .filter(|advice| advice.product == standing.product && advice.to == standing.to)
        .collect();
    let kinds: Vec<String> = of_place
        .iter()
        .map(|advice| format!("{} {}", advice.kind, advice.change))
        .collect();
    let savings: Vec<String> = of_place
        .iter()
        .map(|advice| {
            let (low, high) = (advice.saving.low, advice.saving.high);
            format!("{} to {} {}", low.amount, high.amount, low.currency)
        })
        .collect();
    let or_none = |texts: Vec<String>| match texts.is_empty() {
        true => "–".to_owned(),
        false => texts.join("; "),
    };
    println!(
        "| {}, {} | {} | {} | {} | {} |",
        standing.product,
        standing.to,
        bounds.unwrap_or_else(|| "none".to_owned()),
        found.map_or_else(|| "none".to_owned(), text),
        or_none(kinds),
        or_none(savings),
    );
}

/// The break-even of every place that is known for long enough.
pub(super) async fn the_break_even_is_what_a_search_finds(exchange: &Exchange, report: &Report) {
    let operator = Principal::operator();
    let recorded = Recorded::of(exchange).await;
    let page = PageRequest::all();
    let advice = exchange.advice(&operator, None, &page).await.unwrap().items;
    let open: Vec<&Advice> = advice
        .iter()
        .filter(|advice| advice.state == AdviceState::Open)
        .collect();
    let (mut with, mut without) = (0, 0);
    for product in &report.products {
        let name = product.name.as_str();
        for standing in exchange.advice_standing(&operator, name).await.unwrap() {
            if standing.weeks == 0 {
                continue;
            }
            let most = search(&recorded, &standing, product, None);
            let least = match standing.has_replica {
                // What it moved is known.
                true => most,
                false => {
                    let recent = recent(exchange, &recorded, &standing).await;
                    search(&recorded, &standing, product, Some(recent))
                }
            };
            let found = least.zip(most);
            told(&standing, found, &open);
            let even = standing.break_even.map(|even| (even.from, even.to));
            assert_eq!(even, found, "{standing:?}");
            if standing.has_replica {
                with += 1;
            } else {
                assert!(is_read_weekly(&recorded, &standing));
                assert!(found.is_some(), "{standing:?}");
                without += 1;
            }
        }
    }
    assert!(
        with >= 2 && without >= 1,
        "{with} with a replica, {without} without"
    );
    assert!(!open.is_empty(), "nothing is recommended in the demo world");
    for advice in open {
        let saving = advice.saving;
        assert!(
            saving.low.amount <= saving.mean.amount && saving.mean.amount <= saving.high.amount
        );
        assert!(advice.weeks.len() >= 3 && saving.mean.amount > model::Micro(0));
    }
}
