//! The reckoning: from figures to what would be less. No IO, no clock, whole numbers only, and the same figures give the same advice.
//!
//! **Assumed throughout.** Past bytes are priced at today's rates. What was handed out counts as read. A week is seven days that are
//! over; a month is 30 days. A first copy is made once and is in no week. What is kept costs storage as long as it is kept, and a
//! sync costs its worker's time.
//!
//! **The interval.** For each week it is known what it cost and what it would have cost; the difference in the worst week and in the best
//! week, each as if all weeks of a month were like it, are the ends, and the mean of all weeks is between them. Where it is known only
//! within bounds what would have been moved, each week has two differences, and the mean goes halfway.

use model::{AdviceKind, Commits, Fetches};

use super::facts::{Facts, Run, WEEK};
use super::money::{Atto, Leg};

/// So many whole weeks it takes: from fewer nothing is told of how weeks differ.
pub const WEEKS_LEAST: usize = 3;
/// At most so many are looked at: what was long ago is not how it is.
pub const WEEKS_MOST: usize = 8;
/// What saves so much of the cost, in percent, is recommended, and stays so until it is less than that.
pub const WORTH: i128 = 10;
pub const STILL_WORTH: i128 = 5;
/// Days between two syncs that are thought of.
const PERIODS: [i64; 5] = [1, 2, 3, 7, 14];
const MONTH: i128 = 30;

/// What accepting a recommendation changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Mode(model::Mode),
    /// Days between two syncs.
    Every(i64),
    Fetches(Fetches),
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Mode(mode) => write!(f, "{mode}"),
            Self::Every(days) => write!(f, "{days}d"),
            Self::Fetches(fetches) => write!(f, "{fetches}"),
        }
    }
}

/// A week as it was, and as it would have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub now: Leg,
    /// At best and at worst.
    pub low: Leg,
    pub high: Leg,
}

/// In a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    pub low: Atto,
    pub mean: Atto,
    pub high: Atto,
}

/// Something that would be less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub kind: AdviceKind,
    pub change: Change,
    pub because: String,
    pub weeks: Vec<Compared>,
    pub saving: Interval,
    /// In a month, as it is.
    pub cost: Atto,
}

impl Finding {
    fn of(kind: AdviceKind, change: Change, weeks: Vec<Compared>, because: String) -> Option<Self> {
        let lows = weeks.iter().map(|week| week.now.cost - week.high.cost);
        let highs = weeks.iter().map(|week| week.now.cost - week.low.cost);
        let (low, high) = (lows.clone().min()?, highs.clone().max()?);
        let both: Atto = lows.chain(highs).sum();
        let of_week = |amount: Atto| amount.part(MONTH, i128::from(WEEK));
        let saving = Interval {
            low: of_week(low),
            mean: per_month(both, weeks.len()).part(1, 2),
            high: of_week(high),
        };
        let now: Atto = weeks.iter().map(|week| week.now.cost).sum();
        Some(Self {
            kind,
            change,
            because,
            cost: per_month(now, weeks.len()),
            weeks,
            saving,
        })
    }

    /// Whether the mean is so many percent of the cost, or more.
    pub fn is_worth(&self, percent: i128) -> bool {
        self.saving.mean > Atto(0)
            && self.saving.mean.0.saturating_mul(100) >= self.cost.0.saturating_mul(percent)
    }
}

/// A sum over weeks, as a month has it.
fn per_month(sum: Atto, weeks: usize) -> Atto {
    let days = i128::from(WEEK) * weeks.max(1) as i128;
    sum.part(MONTH, days)
}

/// All that comes of a product in one place.
#[derive(Clone, Debug, Default)]
pub struct Reckoned {
    /// Of each kind at most one, also such as are not worth it.
    pub findings: Vec<Finding>,
    /// In a month, as it is.
    pub cost: Atto,
    pub readers: u64,
    /// The least readers for whom a replica costs less than reading live: where it would move least, and most.
    pub break_even: Option<(u64, u64)>,
    /// What cannot be told, and how it could be.
    pub unknown: Vec<String>,
}

/// Reckons.
pub fn reckon(facts: &Facts) -> Reckoned {
    let mut reckoned = Reckoned {
        readers: facts.readers(None),
        ..Reckoned::default()
    };
    let live = facts.by_week(legs_of_reads(facts, false));
    let fed = facts.by_week(legs_of_reads(facts, true));
    let kept = facts
        .held
        .as_ref()
        .map_or(Atto::default(), |held| facts.kept(held.bytes));
    let synced: Vec<Leg> = match facts.held {
        Some(_) => syncs(facts, &facts.runs, kept),
        None => vec![Leg::default(); facts.weeks],
    };
    let now: Vec<Leg> = live
        .iter()
        .zip(&synced)
        .map(|(live, synced)| *live + *synced)
        .collect();
    reckoned.cost = per_month(now.iter().map(|week| week.cost).sum(), facts.weeks);
    let copy = copy_of(facts, &synced);
    reckoned.break_even = break_even(
        live.iter().chain(&fed).map(|week| week.cost).sum(),
        reckoned.readers,
        [
            copy.iter().map(|(low, _)| low.cost).sum(),
            copy.iter().map(|(_, high)| high.cost).sum(),
        ],
    );
    if facts.weeks < WEEKS_LEAST {
        reckoned.unknown.push(format!(
            "too little is known yet: {} whole weeks, and it takes {WEEKS_LEAST} to tell how weeks differ",
            facts.weeks
        ));
        return reckoned;
    }
    let is_read_live = live.iter().any(|week| week.bytes > 0);
    if is_read_live {
        to_replica(facts, &mut reckoned, &now, &live, &copy);
    }
    if let Some(held) = &facts.held {
        let weeks = compared(
            &now,
            live.iter().zip(&fed).map(|(live, fed)| {
                let all = *live + *fed;
                (all, all)
            }),
        );
        let because = match reckoned.break_even {
            Some((from, _)) => format!(
                "a replica is less from {} on, and {} here",
                readers(from),
                match reckoned.readers {
                    1 => "1 reads".to_owned(),
                    readers => format!("{readers} read"),
                }
            ),
            None => "nobody has read here in these weeks".to_owned(),
        };
        let found = Finding::of(
            AdviceKind::Live,
            Change::Mode(model::Mode::Live),
            weeks,
            because,
        );
        let is_better_live = found.as_ref().is_some_and(|found| found.is_worth(WORTH));
        reckoned.findings.extend(found);
        // Without the replica there is nothing to sync less often.
        if !is_better_live && held.commits == Commits::Each {
            reckoned.unknown.push(
                "the replica keeps each version of its source: neither syncing less often nor another way of fetching moves less"
                    .to_owned(),
            );
        } else if !is_better_live {
            less_often(facts, held.every, &mut reckoned, &now);
            fetch_less(facts, held.fetches, &mut reckoned, &now);
        }
    }
    reckoned
}

fn readers(number: u64) -> String {
    match number {
        1 => "1 reader".to_owned(),
        number => format!("{number} readers"),
    }
}

/// What crosses for reading, whether it did or a replica stood between.
fn legs_of_reads(facts: &Facts, from_replica: bool) -> impl Iterator<Item = (i64, Leg)> {
    facts
        .reads
        .iter()
        .filter(move |read| read.from_replica == from_replica)
        .map(|read| (read.day, read.price.leg(read.bytes)))
}

/// What keeping a replica in step takes, week by week.
fn syncs(facts: &Facts, runs: &[Run], kept: Atto) -> Vec<Leg> {
    let runs = runs.iter().filter(|run| !run.is_first);
    let legs = runs.map(|run| (run.day, run.price.leg(run.received).and(run.busy)));
    facts
        .by_week(legs)
        .into_iter()
        .map(|week| week.and(kept))
        .collect()
}

/// What a replica here takes each week, at least and at most. Where there is none, what one elsewhere took; where there is none at
/// all, the files of the last 30 days at least, and all files at each sync at most.
fn copy_of(facts: &Facts, synced: &[Leg]) -> Vec<(Leg, Leg)> {
    if facts.held.is_some() {
        return synced.iter().map(|week| (*week, *week)).collect();
    }
    let kept = facts.kept(facts.size.bytes);
    if let Some(runs) = &facts.elsewhere {
        return syncs(facts, runs, kept)
            .into_iter()
            .map(|week| (week, week))
            .collect();
    }
    let part = |leg: Leg, of: i64, parts: i64| Leg {
        bytes: u64::try_from(i128::from(leg.bytes) * i128::from(of) / i128::from(parts.max(1)))
            .unwrap_or(u64::MAX),
        cost: leg.cost.part(i128::from(of), i128::from(parts)),
    };
    let low = part(facts.recent, WEEK, 30).and(kept);
    let high = part(facts.size, WEEK, period(facts)).and(kept);
    vec![(low, high); facts.weeks]
}

/// How often a replica would be synced that readers do not wait for.
fn period(facts: &Facts) -> i64 {
    let pause = facts.pause().unwrap_or(WEEK);
    let fit = PERIODS.into_iter().filter(|period| *period <= pause);
    fit.max().unwrap_or(1)
}

/// The least number of readers like those that were seen who together cost more than a replica.
fn break_even(read: Atto, readers: u64, copy: [Atto; 2]) -> Option<(u64, u64)> {
    if read <= Atto(0) || readers == 0 {
        return None;
    }
    let least = |copy: Atto| {
        let all = copy.0.max(0).saturating_mul(i128::from(readers));
        u64::try_from(all / read.0 + 1).unwrap_or(u64::MAX)
    };
    Some((least(copy[0]), least(copy[1])))
}

fn compared(now: &[Leg], then: impl Iterator<Item = (Leg, Leg)>) -> Vec<Compared> {
    let both = now.iter().zip(then);
    both.map(|(now, (low, high))| Compared {
        now: *now,
        low,
        high,
    })
    .collect()
}

/// Who reads live could read a replica.
fn to_replica(
    facts: &Facts,
    reckoned: &mut Reckoned,
    now: &[Leg],
    live: &[Leg],
    copy: &[(Leg, Leg)],
) {
    if let Some(why) = &facts.no_replica {
        reckoned
            .unknown
            .push(format!("a replica is not possible here: {why}"));
        return;
    }
    let (weeks, because) = if facts.held.is_some() {
        let rest = now.iter().zip(live).map(|(now, live)| now.less(*live));
        (
            compared(now, rest.map(|rest| (rest, rest))),
            "a replica is there already and kept for others: reading it crosses nothing more"
                .to_owned(),
        )
    } else {
        if facts.elsewhere.is_none() {
            reckoned.unknown.push(
                "what a replica here would move is known within bounds only: at least the files of the last 30 days, at most every \
                 file at each sync. `entrepot assess` reckons it from the table's log"
                    .to_owned(),
            );
        }
        let because = match reckoned.break_even {
            Some((from, to)) if from == to => {
                format!("a replica is less from {} on", readers(from))
            }
            Some((from, to)) => format!(
                "a replica is less from {} on if it moves as little as it may, and from {} on if each sync moves all",
                readers(from),
                readers(to)
            ),
            None => String::new(),
        };
        (compared(now, copy.iter().copied()), because)
    };
    let change = Change::Mode(model::Mode::Replica);
    reckoned
        .findings
        .extend(Finding::of(AdviceKind::Replica, change, weeks, because));
}

/// A replica need not be synced more often than anybody looks.
fn less_often(facts: &Facts, every: Option<i64>, reckoned: &mut Reckoned, now: &[Leg]) {
    let Some(pause) = facts.pause() else {
        let days = facts.read_days().len();
        reckoned.unknown.push(format!(
            "how stale data may be for its readers is not known: they read on {days} days in these weeks"
        ));
        return;
    };
    let Some(every) = every else {
        reckoned.unknown.push(
            "how often it has to be synced is not reckoned: its job does not go by a period of whole days".to_owned(),
        );
        return;
    };
    let period = period(facts);
    if period <= every {
        return;
    }
    let saved = merged(facts, period);
    let then = now
        .iter()
        .zip(&saved)
        .map(|(now, saved)| (now.less(*saved), *now));
    let because = format!(
        "it is synced every {}, and who reads it comes back after {}, the middle of all pauses: a sync every {} serves them as well",
        days(every),
        days(pause),
        days(period)
    );
    let weeks = compared(now, then);
    reckoned.findings.extend(Finding::of(
        AdviceKind::Cadence,
        Change::Every(period),
        weeks,
        because,
    ));
}

fn days(number: i64) -> String {
    match number {
        1 => "day".to_owned(),
        number => format!("{number} days"),
    }
}

/// What would at most have been saved, if of each table only the last run of a period had been: what an earlier one of it brought and a
/// later one of it replaced, and beside the bytes of files what each run but one takes for itself. At least nothing.
fn merged(facts: &Facts, period: i64) -> Vec<Leg> {
    let mut tables: Vec<_> = facts.runs.iter().map(|run| run.table).collect();
    tables.sort_unstable();
    tables.dedup();
    let mut parts = Vec::new();
    for table in tables {
        let mut open: Option<(i64, u64, &Run)> = None;
        let runs = facts
            .runs
            .iter()
            .filter(|run| run.table == table && !run.is_first);
        for run in runs.filter(|run| facts.week_of(run.day).is_some()) {
            let begun = (run.day - facts.first_day).div_euclid(period);
            open = Some(match open {
                Some((same, brought, before)) if same == begun => {
                    let gone = run
                        .replaced
                        .map_or(brought, |replaced| replaced.min(brought));
                    let framing = before.received.saturating_sub(before.copied);
                    let saved = run.price.leg(gone.saturating_add(framing)).and(before.busy);
                    parts.push((run.day, saved));
                    (same, (brought - gone).saturating_add(run.copied), run)
                }
                _ => (begun, run.copied, run),
            });
        }
    }
    facts.by_week(parts.into_iter())
}

/// What plans have said of the change feed and of compactions.
fn fetch_less(facts: &Facts, fetches: Fetches, reckoned: &mut Reckoned, now: &[Leg]) {
    let feed = facts.fed.iter().filter_map(|run| {
        let ways = run.ways?;
        Some((
            run.day,
            run.price.leg(ways.files.saturating_sub(ways.feed?)),
        ))
    });
    let skip = facts.skipped.iter().filter_map(|run| {
        let ways = run.ways?;
        Some((
            run.day,
            run.price.leg(ways.files.saturating_sub(ways.skip?)),
        ))
    });
    let (is_fed, is_skipped) = (!facts.fed.is_empty(), !facts.skipped.is_empty());
    let runs_with = |runs: &[Run]| match runs.len() {
        1 => "1 run".to_owned(),
        many => format!("{many} runs"),
    };
    match (fetches, is_fed) {
        (Fetches::Files, true) => {
            let saved = facts.by_week(feed);
            let then = now.iter().zip(&saved).map(|(now, saved)| now.less(*saved));
            let because = format!(
                "the plans of {} say what fetching the change feed in place of rewritten files comes to",
                runs_with(&facts.fed)
            );
            let weeks = compared(now, then.map(|then| (then, then)));
            let change = Change::Fetches(Fetches::Changes);
            reckoned.findings.extend(Finding::of(AdviceKind::ChangeFeed, change, weeks, because));
        }
        (_, false) => reckoned.unknown.push(
            "what the source's change feed saves is not known: no plan of these weeks could say, because the source keeps none, \
             its commits could not be followed, or nothing was rewritten. Switch it on at the source, and the plans say it, whatever the \
             job fetches"
                .to_owned(),
        ),
        _ => {}
    }
    match (fetches, is_skipped) {
        (Fetches::Files | Fetches::Changes, true) => {
            let saved = facts.by_week(skip);
            let then = now.iter().zip(&saved).map(|(now, saved)| now.less(*saved));
            let because = format!(
                "the plans of {} say how much of what crossed was only compacted; compacting less at the source saves the same",
                runs_with(&facts.skipped)
            );
            let weeks = compared(now, then.map(|then| (then, then)));
            let change = Change::Fetches(Fetches::Least);
            reckoned.findings.extend(Finding::of(AdviceKind::Compaction, change, weeks, because));
        }
        (_, false) => reckoned.unknown.push(
            "what compactions cost is not known: no plan of these weeks told one apart, because there was none, it was not by itself, or \
             the source's commits could not be followed"
                .to_owned(),
        ),
        _ => {}
    }
}

/// What an accepted recommendation has saved in a month, over the whole weeks since: of a replica, what reading live would have cost less
/// what was paid; of everything else, what it cost before less what it costs. None: no week is over, or there is no replica to measure.
pub fn measured(
    kind: AdviceKind,
    cost_before: Atto,
    facts: &Facts,
    accepted: i64,
) -> Option<(Atto, u64)> {
    let is_since =
        |week: &usize| facts.first_day + WEEK * i64::try_from(*week).unwrap_or(0) > accepted;
    let weeks: Vec<usize> = (0..facts.weeks).filter(is_since).collect();
    if weeks.is_empty() {
        return None;
    }
    let live = facts.by_week(legs_of_reads(facts, false));
    let fed = facts.by_week(legs_of_reads(facts, true));
    let synced = facts
        .held
        .as_ref()
        .map(|held| syncs(facts, &facts.runs, facts.kept(held.bytes)));
    let sum = |legs: &[Leg]| weeks.iter().map(|week| legs[*week].cost).sum::<Atto>();
    let saved = match (kind, &synced) {
        (AdviceKind::Replica, Some(synced)) => per_month(sum(&fed) - sum(synced), weeks.len()),
        (AdviceKind::Replica, None) => return None,
        (_, synced) => {
            let paid = sum(&live) + synced.as_deref().map_or(Atto::default(), sum);
            let saved = cost_before - per_month(paid, weeks.len());
            // As long as the replica stands, reading live saves nothing: what is less by now is less for another reason.
            match (kind, synced) {
                (AdviceKind::Live, Some(_)) => saved.min(Atto(0)),
                _ => saved,
            }
        }
    };
    Some((saved, weeks.len() as u64))
}
