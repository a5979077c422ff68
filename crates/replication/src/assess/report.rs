//! From figures to the report: which bytes cross on which routes by each way, what that costs at today's rates, and what was
//! assumed for it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use model::dto::{
    AssessedFolder, AssessedKind, AssessedTable, AssessedWay, Assessment, Money, Rate,
};
use model::time::{DAY, HOUR};
use model::{Currency, Location, Micro, Route, Timestamp};

use super::flows::{Flow, FlowKind};
use super::table::{Figures, Moved};
use super::yaml;

/// What was asked for, and what the survey found beside the tables.
#[derive(Clone, Debug)]
pub struct Surveyed {
    pub place: String,
    pub location: Location,
    pub at: Timestamp,
    pub days: u32,
    /// Microseconds.
    pub every: i64,
    /// Where one consumer of each table is, where no flows are given.
    pub to: Option<Location>,
    /// URL and endpoint for the declaration.
    pub url: String,
    pub endpoint: Option<String>,
    pub others: Vec<AssessedFolder>,
    pub left_out: Vec<String>,
    pub log_bytes: u64,
}

/// What was read of one table's log.
#[derive(Clone, Debug)]
pub struct Read {
    pub version: u64,
    /// Why its history begins later than was asked for.
    pub short: Option<String>,
    pub change_feed: bool,
    /// Why it cannot be cloned.
    pub not_cloned: Option<String>,
    /// Why its clone can only copy files, whatever a sync job may fetch.
    pub files_only: Option<String>,
    pub figures: Figures,
}

/// Microseconds of `1d` or `12h`.
///
/// # Errors
/// A sentence.
pub fn parse_every(text: &str) -> Result<i64, String> {
    let micros = text
        .trim()
        .split_at_checked(text.trim().len().saturating_sub(1))
        .and_then(|(number, unit)| {
            let number: i64 = number.parse().ok()?;
            let unit = match unit {
                "d" => DAY,
                "h" => HOUR,
                _ => return None,
            };
            number.checked_mul(unit)
        });
    micros
        .filter(|micros| (HOUR..=366 * DAY).contains(micros))
        .ok_or_else(|| {
            "not a cadence: write hours or days, from 1h to 366d, for example 12h or 2d".to_owned()
        })
}

/// Bytes that cross by one way.
#[derive(Clone, Default)]
struct Sum {
    bytes: u64,
    first_copy: u64,
    routes: BTreeMap<Route, i128>,
}

impl Sum {
    fn add(&mut self, route: &Route, bytes: u64) {
        // What stays in one place crosses nothing.
        if !route.is_local() {
            self.bytes = self.bytes.saturating_add(bytes);
            *self.routes.entry(route.clone()).or_default() += i128::from(bytes);
        }
    }

    fn add_copy(&mut self, route: &Route, moved: Moved) {
        self.add(route, moved.bytes());
        if !route.is_local() {
            self.first_copy = self.first_copy.saturating_add(moved.first_copy);
        }
    }

    fn join(&mut self, other: &Self) {
        self.first_copy = self.first_copy.saturating_add(other.first_copy);
        self.bytes = self.bytes.saturating_add(other.bytes);
        for (route, bytes) in &other.routes {
            *self.routes.entry(route.clone()).or_default() += bytes;
        }
    }
}

/// One table's sums, in the order of [`AssessedKind::ALL`]: what is None cannot be told, with why.
type Sums = [Result<Sum, String>; 6];

const FEED_OFF: &str = "Not available: change feed is off.";
const NO_FLOWS: &str = "Not available: no list of flows was given.";

fn sums(read: &Read, flows: Option<&[Flow]>, surveyed: &Surveyed) -> Sums {
    let figures = &read.figures;
    let here = &surveyed.location;
    let route = |to: &Location| Route {
        from: here.clone(),
        to: to.clone(),
    };
    let mut today = Sum::default();
    let mut live = Sum::default();
    let mut places: BTreeSet<Location> = BTreeSet::new();
    for flow in flows.unwrap_or_default() {
        let reads = match flow.kind {
            FlowKind::WeeklyFullLoad | FlowKind::Ftp => figures.weekly,
            FlowKind::DailyFullLoad => figures.daily,
            FlowKind::DirectReads => figures.at_syncs,
        };
        let from = flow.from.clone().unwrap_or_else(|| here.clone());
        let consumers = u64::from(flow.consumers);
        today.add(
            &Route {
                from,
                to: flow.to.clone(),
            },
            reads.bytes.saturating_mul(consumers),
        );
        live.add(
            &route(&flow.to),
            figures.at_syncs.bytes.saturating_mul(consumers),
        );
        places.insert(flow.to.clone());
    }
    if let (None, Some(to)) = (flows, &surveyed.to) {
        live.add(&route(to), figures.at_syncs.bytes);
        places.insert(to.clone());
    }
    let copy = |moved: Moved| {
        let mut sum = Sum::default();
        for place in &places {
            sum.add_copy(&route(place), moved);
        }
        match &read.not_cloned {
            Some(why) => Err(format!("Not available: {why}")),
            None => Ok(sum),
        }
    };
    let feed = |moved: Moved| match read.change_feed {
        true => copy(moved),
        false => Err(FEED_OFF.to_owned()),
    };
    let by_rows = |moved: Moved| match read.files_only {
        Some(_) => figures.by_files,
        None => moved,
    };
    [
        flows.map(|_| today).ok_or_else(|| NO_FLOWS.to_owned()),
        Ok(live),
        copy(figures.by_files),
        feed(by_rows(figures.with_feed)),
        copy(by_rows(figures.with_skip)),
        feed(by_rows(figures.with_both)),
    ]
}

/// The report. `tables` are paths with what was read, or why it was not; `flows` by path, None where no list was given.
pub fn report(
    mut surveyed: Surveyed,
    tables: Vec<(String, Result<Read, String>)>,
    flows: Option<&BTreeMap<String, Vec<Flow>>>,
    rates: &[Rate],
) -> Assessment {
    let mut totals: [Sum; 6] = Default::default();
    let (mut counted, mut without_feed) = (0_usize, 0_usize);
    let mut listed = Vec::new();
    let mut uncloned = BTreeSet::new();
    for (path, read) in tables {
        let read = match read {
            Ok(read) => read,
            Err(problem) => {
                surveyed
                    .left_out
                    .push(format!("{} is not in the totals: {problem}", shown(&path)));
                listed.push(unread(path, problem));
                continue;
            }
        };
        let of_table = flows.map(|flows| flows.get(&path).map(Vec::as_slice).unwrap_or_default());
        let sums = sums(&read, of_table, &surveyed);
        if let Ok(by_files) = &sums[2] {
            counted += 1;
            without_feed += usize::from(!read.change_feed);
            for (total, sum) in totals.iter_mut().zip(&sums) {
                // What has no feed is counted as it is copied without one.
                total.join(sum.as_ref().unwrap_or(by_files));
            }
        } else if let Some(why) = &read.not_cloned {
            let name = shown(&path);
            surveyed
                .left_out
                .push(format!("{name} is not in the totals: {why}"));
            uncloned.insert(path.clone());
        }
        let ways = AssessedKind::ALL
            .into_iter()
            .zip(sums)
            .map(|(kind, sum)| {
                let mut way = way(kind, sum, rates, surveyed.at);
                let is_by_rows = matches!(
                    kind,
                    AssessedKind::CloneFeed | AssessedKind::CloneSkip | AssessedKind::CloneBoth
                );
                if let (true, None, Some(why)) = (is_by_rows, &way.note, &read.files_only) {
                    way.note = Some(format!("Copied file by file: {}.", delta::shown(why)));
                }
                way
            })
            .collect();
        let figures = &read.figures;
        listed.push(AssessedTable {
            path,
            version: Some(read.version),
            since: Some(figures.window.from),
            short: read.short,
            bytes: Some(figures.bytes),
            files: Some(figures.files),
            commits: figures.commits,
            syncs: figures.syncs,
            change_feed: read.change_feed,
            ways,
            problem: None,
        });
    }
    let totals = AssessedKind::ALL.into_iter().zip(totals).map(|(kind, sum)| {
        let has_feed = matches!(kind, AssessedKind::CloneFeed | AssessedKind::CloneBoth);
        let sum = match kind {
            AssessedKind::Today if flows.is_none() => Err(NO_FLOWS.to_owned()),
            _ if has_feed && without_feed == counted => Err(FEED_OFF.to_owned()),
            _ => Ok(sum),
        };
        let mut way = way(kind, sum, rates, surveyed.at);
        if has_feed && without_feed > 0 && way.note.is_none() {
            way.note = Some(format!(
                "The change feed is off on {without_feed} of {counted} tables; those are counted as copied file by file."
            ));
        }
        way
    });
    let totals = totals.collect();
    let places = places(&surveyed, flows);
    Assessment {
        assumptions: assumptions(&surveyed, flows.is_some()),
        yaml: yaml::declaration(&surveyed, &listed, &places, &uncloned),
        place: surveyed.place,
        location: surveyed.location,
        at: surveyed.at,
        days: surveyed.days,
        every_hours: hours(surveyed.every),
        tables: listed,
        totals,
        others: surveyed.others,
        left_out: surveyed.left_out,
        log_bytes: surveyed.log_bytes,
    }
}

fn shown(path: &str) -> String {
    match path {
        "" => "The table at the prefix".to_owned(),
        path => format!("`{}`", delta::shown(path)),
    }
}

/// Where clones would be, in order: away from the tables.
fn places(
    surveyed: &Surveyed,
    flows: Option<&BTreeMap<String, Vec<Flow>>>,
) -> Vec<(Location, BTreeSet<String>)> {
    let mut places: BTreeMap<Location, BTreeSet<String>> = BTreeMap::new();
    for (path, flows) in flows.into_iter().flatten() {
        for flow in flows {
            places
                .entry(flow.to.clone())
                .or_default()
                .insert(path.clone());
        }
    }
    if let (None, Some(to)) = (flows, &surveyed.to) {
        // All of them.
        places.insert(to.clone(), BTreeSet::new());
    }
    places.remove(&surveyed.location);
    places.into_iter().collect()
}

pub(super) fn hours(every: i64) -> u32 {
    u32::try_from(every / HOUR).unwrap_or(u32::MAX)
}

fn unread(path: String, problem: String) -> AssessedTable {
    AssessedTable {
        path,
        version: None,
        since: None,
        short: None,
        bytes: None,
        files: None,
        commits: 0,
        syncs: 0,
        change_feed: false,
        ways: Vec::new(),
        problem: Some(problem),
    }
}

fn way(kind: AssessedKind, sum: Result<Sum, String>, rates: &[Rate], at: Timestamp) -> AssessedWay {
    let is_copy = !matches!(kind, AssessedKind::Today | AssessedKind::Live);
    match sum {
        Ok(sum) => {
            let (money, unpriced) = priced(&sum.routes, rates, at);
            AssessedWay {
                kind,
                bytes: Some(sum.bytes),
                first_copy: is_copy.then_some(sum.first_copy),
                money,
                unpriced,
                note: None,
            }
        }
        Err(note) => AssessedWay {
            kind,
            bytes: None,
            first_copy: None,
            money: Vec::new(),
            unpriced: 0,
            note: Some(note),
        },
    }
}

/// One amount per currency, each route rounded once, and the bytes that have no price.
fn priced(routes: &BTreeMap<Route, i128>, rates: &[Rate], at: Timestamp) -> (Vec<Money>, u64) {
    let mut amounts: BTreeMap<Currency, Micro> = BTreeMap::new();
    let mut unpriced: i128 = 0;
    for (route, bytes) in routes {
        let rate = rate_of(rates, route, at);
        let amount = rate.and_then(|rate| {
            let amount = Micro::charge(*bytes, rate.price, rate.unit).ok()?;
            let sum = amounts.get(&rate.currency).copied().unwrap_or_default();
            Some((rate.currency, sum.checked_add(amount)?))
        });
        match amount {
            Some((currency, amount)) => {
                amounts.insert(currency, amount);
            }
            None => unpriced += bytes,
        }
    }
    let money = amounts
        .into_iter()
        .map(|(currency, amount)| Money { amount, currency })
        .collect();
    (money, u64::try_from(unpriced).unwrap_or(u64::MAX))
}

/// As bills find it: exact places win over `cloud:*`, that over `*`; the source's side counts first, then what began last.
fn rate_of<'a>(rates: &'a [Rate], route: &Route, at: Timestamp) -> Option<&'a Rate> {
    let side = |text: &str, place: &Location| {
        if text == "*" || text == "*:*" {
            Some(2)
        } else if text.strip_suffix(":*") == Some(place.cloud.as_str()) {
            Some(1)
        } else {
            (text == place.to_string()).then_some(0)
        }
    };
    rates
        .iter()
        .filter(|rate| rate.valid_from <= at && rate.valid_until.is_none_or(|until| at < until))
        .filter_map(|rate| {
            let ranks = (side(&rate.from, &route.from)?, side(&rate.to, &route.to)?);
            Some(((ranks, Reverse(rate.valid_from)), rate))
        })
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, rate)| rate)
}

fn assumptions(surveyed: &Surveyed, has_flows: bool) -> Vec<String> {
    let every = hours(surveyed.every);
    let mut said = vec![
        format!(
            "All figures are for the last {} days, up to {}, or for as long as a table's log tells its history.",
            surveyed.days, surveyed.at
        ),
        "Counted are bytes of data files that cross from one place to another, in clones those of deletion vectors and of files of \
         changes too; what stays in one place costs nothing. Reading logs, compute and storage are not in the figures."
            .to_owned(),
        "Money is the bytes at the rates of today, list or contract, as they stand under the rates; routes without a rate are \
         counted in bytes only."
            .to_owned(),
        format!(
            "Clone: a first copy at the beginning, then a sync every {every} hours up to the end, each copying the files that \
             were added since and still live, once for all consumers of a place. It is what a sync job does that fetches files."
        ),
        format!(
            "Live: each consumer reads every table whole every {every} hours. Who reads less pays less; who reads more often, more."
        ),
        "With change feed: where files were rewritten and what the feed says of their rows is less than four fifths of them, the \
         feed's files cross in their place. It is what a sync job does that fetches changes, if the source keeps what was \
         written since the last sync, and the worker runs where the clone is."
            .to_owned(),
        "With compaction skipped: what OPTIMIZE wrote is not copied if its rows are on the other side already and the counts of \
         rows agree. With both it is what a sync job does that fetches the least."
            .to_owned(),
        "Of an object that holds deletion vectors counts as much as the log names of it."
            .to_owned(),
    ];
    if has_flows {
        said.push(
            "Weekly and daily full loads fetch the whole table as it stood, beginning with the first instant; FTP is taken for a \
             full load a week; direct reads are reckoned as live."
                .to_owned(),
        );
    } else if surveyed.to.is_some() {
        said.push("No list of flows was given: one consumer of each table is assumed.".to_owned());
    } else {
        said.push(
            "Neither a list of flows nor a place to go to was given, so nothing crosses: say where consumers are."
                .to_owned(),
        );
    }
    said
}
