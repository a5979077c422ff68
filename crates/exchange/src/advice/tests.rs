//! The reckoning against others that do it step by step, over histories that look random and are the same in every run; and what becomes
//! of recommendations from one day to the next. How it is kept and shown is tested in `access::tests::advising`.

use model::time::DAY;
use model::{
    AdviceKind, AdviceState, Commits, Fetches, Micro, Nano, RecipientId, ReplicaTableId, Timestamp,
    Unit,
};
use uuid::Uuid;

use super::facts::{Facts, Held, Read, Run, WEEK, Ways};
use super::money::{Atto, Leg, Price};
use super::reckon::{Change, Compared, Finding, Interval, STILL_WORTH, WORTH, measured, reckon};
use super::settle::{AGAIN, SETTLES, Standing, Step, settle};

/// The same numbers in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

const FIRST: i64 = 20_000;

fn price() -> Price {
    Price {
        nano: Nano(90_000_000),
        unit: Unit::Gigabyte,
    }
}

fn read(day: i64, recipient: u128, bytes: u64, from_replica: bool) -> Read {
    Read {
        day,
        recipient: RecipientId(Uuid::from_u128(recipient)),
        calls: 1,
        bytes,
        price: price(),
        from_replica,
    }
}

fn run(day: i64, copied: u64, replaced: Option<u64>) -> Run {
    Run {
        day,
        table: ReplicaTableId(Uuid::from_u128(1)),
        is_first: false,
        received: copied + 1_000,
        copied,
        replaced,
        ways: None,
        busy: Atto::of_time(50_000, Nano(120_000_000)),
        price: price(),
    }
}

fn held(every: i64) -> Held {
    Held {
        name: "vehicle-visits@az_weu".to_owned(),
        bytes: 5_000_000_000,
        every: Some(every),
        fetches: Fetches::Changes,
        commits: Commits::Run,
    }
}

fn facts(weeks: usize) -> Facts {
    Facts {
        first_day: FIRST,
        weeks,
        reads: Vec::new(),
        runs: Vec::new(),
        elsewhere: None,
        fed: Vec::new(),
        skipped: Vec::new(),
        size: price().leg(5_000_000_000),
        recent: price().leg(1_000_000_000),
        storage: Some(Nano(21_000_000)),
        held: None,
        no_replica: None,
    }
}

/// A history with a replica, and somebody who reads it.
fn history(random: &mut Random) -> Facts {
    let weeks = 3 + random.below(6);
    let mut facts = facts(usize::try_from(weeks).unwrap());
    let days = i64::try_from(weeks).unwrap() * WEEK;
    let readers = 1 + random.below(6);
    for day in -3..days + 3 {
        for reader in 0..readers {
            if random.below(5) == 0 {
                let bytes = random.below(4_000_000_000);
                let from_replica = random.below(4) > 0;
                facts
                    .reads
                    .push(read(FIRST + day, reader.into(), bytes, from_replica));
            }
        }
        if random.below(2) == 0 {
            let copied = random.below(3_000_000_000);
            let replaced = (random.below(4) > 0).then(|| random.below(2_000_000_000));
            facts.runs.push(run(FIRST + day, copied, replaced));
        }
    }
    if let Some(first) = facts.runs.first_mut() {
        first.is_first = true;
    }
    facts.held = Some(held(1 + i64::try_from(random.below(3)).unwrap()));
    facts
}

/// Adds up day by day what so many readers like those seen would cost live, and what the replica costs, in parts of a unit so small that
/// nothing is rounded; one reader more, until the replica is less.
fn search(facts: &Facts) -> Option<u64> {
    let last = FIRST + WEEK * i64::try_from(facts.weeks).unwrap();
    let within = |day: i64| (FIRST..last).contains(&day);
    let mut seen: Vec<RecipientId> = Vec::new();
    let mut replica = 0_i128;
    for run in &facts.runs {
        if within(run.day) && !run.is_first {
            replica += i128::from(run.received) * 90_000_000 + run.busy.0;
        }
    }
    let kept = i128::from(facts.held.as_ref().unwrap().bytes);
    replica += kept * 21_000_000 * i128::from(WEEK) / 30 * i128::try_from(facts.weeks).unwrap();
    let mut read = 0_i128;
    for read_by in facts.reads.iter().filter(|read| within(read.day)) {
        if !seen.contains(&read_by.recipient) {
            seen.push(read_by.recipient);
        }
        read += i128::from(read_by.bytes) * 90_000_000;
    }
    let all = i128::try_from(seen.len()).unwrap();
    (1..=10_000_u64).find(|number| i128::from(*number) * read > replica * all)
}

#[test]
fn the_break_even_is_what_trying_every_number_finds() {
    let mut random = Random(7);
    let mut found = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let facts = history(&mut random);
        let (reckoned, again) = (reckon(&facts), reckon(&facts));
        assert_eq!(
            reckoned.findings, again.findings,
            "the same figures, the same advice"
        );
        let searched = search(&facts);
        assert_eq!(reckoned.break_even, searched.map(|number| (number, number)));
        found.extend(searched);
        for finding in &reckoned.findings {
            let Interval { low, mean, high } = finding.saving;
            assert!(low <= mean && mean <= high, "{finding:?}");
            assert_eq!(finding.weeks.len(), facts.weeks);
        }
    }
    assert!(found.len() > 3, "{found:?}");
}

#[test]
fn a_thousand_products_are_reckoned() {
    let mut random = Random(3);
    let histories: Vec<Facts> = (0..1_000).map(|_| history(&mut random)).collect();
    let begun = std::time::Instant::now();
    let found: usize = histories
        .iter()
        .map(|facts| reckon(facts).findings.len())
        .sum();
    println!("1,000 histories reckoned in {:?}", begun.elapsed());
    assert!(
        found >= 1_000,
        "each has a replica, so that reading live is thought of"
    );
}

#[test]
fn more_readers_never_speak_for_reading_live() {
    let mut random = Random(11);
    for _ in 0..100 {
        let mut facts = history(&mut random);
        facts
            .reads
            .iter_mut()
            .for_each(|read| read.from_replica = true);
        let saved = |facts: &Facts| {
            let found = reckon(facts).findings;
            let live = found
                .into_iter()
                .find(|found| found.kind == AdviceKind::Live);
            live.unwrap().saving.mean
        };
        let before = saved(&facts);
        let more: Vec<Read> = facts
            .reads
            .iter()
            .map(|one| Read {
                recipient: RecipientId(Uuid::from_u128(99)),
                ..one.clone()
            })
            .collect();
        facts.reads.extend(more);
        assert!(saved(&facts) <= before);
    }
}

/// What merging runs may save at most is what is left once it is known of each byte when it was replaced; it never is more than was moved.
#[test]
fn a_slower_sync_saves_at_most_what_was_replaced_meanwhile() {
    let mut facts = facts(4);
    facts.held = Some(held(2));
    for day in [1, 8, 15, 22] {
        facts.reads.push(read(FIRST + day, 1, 5_000_000_000, true));
    }
    // Each week: 100 new, 100 of which 60 replace, 100 of which 150 replace.
    for week in 0..4 {
        let day = FIRST + week * WEEK;
        facts.runs.push(run(day, 100_000_000, Some(0)));
        facts.runs.push(run(day + 2, 100_000_000, Some(60_000_000)));
        facts
            .runs
            .push(run(day + 4, 100_000_000, Some(150_000_000)));
    }
    let reckoned = reckon(&facts);
    let found = reckoned
        .findings
        .iter()
        .find(|found| found.kind == AdviceKind::Cadence);
    let found = found.unwrap();
    assert_eq!(found.change, Change::Every(7));
    assert!(found.because.contains("every 2 days"), "{}", found.because);
    for week in &found.weeks {
        // 60 of the first 100, then 140 that are left; and the log reads of two runs.
        assert_eq!(
            week.now.bytes - week.low.bytes,
            60_000_000 + 140_000_000 + 2_000
        );
        assert_eq!(week.high, week.now, "at least nothing");
    }
    assert_eq!(found.saving.low, Atto(0));
    // Of runs from before it was kept nothing is known: all that came before may have been replaced.
    facts.runs.iter_mut().for_each(|run| run.replaced = None);
    let reckoned = reckon(&facts);
    let found = reckoned
        .findings
        .iter()
        .find(|found| found.kind == AdviceKind::Cadence);
    let week = found.unwrap().weeks[0];
    assert_eq!(week.now.bytes - week.low.bytes, 200_000_000 + 2_000);
    // What keeps each version of its source moves all of them whenever it is synced.
    let mut each = facts.clone();
    each.held.as_mut().unwrap().commits = Commits::Each;
    let reckoned = reckon(&each);
    assert!(
        reckoned
            .findings
            .iter()
            .all(|found| found.kind != AdviceKind::Cadence)
    );
    let unknown = &reckoned.unknown;
    assert!(
        unknown.iter().any(|why| why.contains("keeps each version")),
        "{unknown:?}"
    );
    // Who comes every second day is served by nothing slower.
    facts.reads = (0..14)
        .map(|day| read(FIRST + day * 2, 1, 1, true))
        .collect();
    let kinds: Vec<AdviceKind> = reckon(&facts)
        .findings
        .iter()
        .map(|found| found.kind)
        .collect();
    assert!(!kinds.contains(&AdviceKind::Cadence), "{kinds:?}");
}

#[test]
fn what_is_not_known_is_said() {
    let mut short = facts(2);
    short.reads.push(read(FIRST, 1, 5_000_000_000, false));
    let reckoned = reckon(&short);
    assert!(reckoned.findings.is_empty());
    assert!(
        reckoned.unknown[0].contains("2 whole weeks"),
        "{:?}",
        reckoned.unknown
    );

    // Read live by one, and never copied: at least the files of 30 days, at most all of them each week.
    let mut live = facts(4);
    for week in 0..4 {
        live.reads
            .push(read(FIRST + week * WEEK, 1, 4_500_000_000, false));
    }
    let reckoned = reckon(&live);
    assert_eq!(reckoned.break_even, Some((1, 2)));
    let found = &reckoned.findings[0];
    assert_eq!(found.kind, AdviceKind::Replica);
    assert!(
        found.saving.low < Atto(0) && found.saving.high > Atto(0),
        "{found:?}"
    );
    assert!(found.is_worth(WORTH), "{found:?}");
    assert!(
        reckoned
            .unknown
            .iter()
            .any(|why| why.contains("within bounds"))
    );
    // What one elsewhere took is known.
    live.elsewhere = Some(
        (0..4)
            .map(|week| run(FIRST + week * WEEK, 100_000_000, None))
            .collect(),
    );
    let reckoned = reckon(&live);
    let found = &reckoned.findings[0];
    assert_eq!(reckoned.break_even, Some((1, 1)));
    assert_eq!(found.saving.low, found.saving.high, "all weeks are alike");
    live.no_replica = Some("no storage takes replicas".to_owned());
    let reckoned = reckon(&live);
    assert!(reckoned.findings.is_empty());
    assert!(
        reckoned
            .unknown
            .iter()
            .any(|why| why.contains("no storage takes replicas"))
    );
}

#[test]
fn the_change_feed_and_compactions_take_plans_that_say_so() {
    let mut facts = facts(3);
    facts.held = Some(Held {
        fetches: Fetches::Files,
        ..held(1)
    });
    for day in 0..21 {
        facts.reads.push(read(FIRST + day, 1, 5_000_000_000, true));
        facts
            .runs
            .push(run(FIRST + day, 1_000_000_000, Some(900_000_000)));
    }
    let unknown = reckon(&facts).unknown;
    assert_eq!(
        unknown
            .iter()
            .filter(|why| why.contains("is not known"))
            .count(),
        2,
        "{unknown:?}"
    );
    let ways = |feed, skip| {
        Some(Ways {
            files: 1_000_000_000,
            feed,
            skip,
        })
    };
    facts.fed = vec![Run {
        ways: ways(Some(200_000_000), None),
        ..run(FIRST, 1_000_000_000, None)
    }];
    facts.skipped = vec![Run {
        ways: ways(None, Some(400_000_000)),
        ..run(FIRST + 8, 1_000_000_000, None)
    }];
    let reckoned = reckon(&facts);
    for (kind, change, saved) in [
        (
            AdviceKind::ChangeFeed,
            Fetches::Changes,
            [800_000_000, 0, 0],
        ),
        (AdviceKind::Compaction, Fetches::Least, [0, 600_000_000, 0]),
    ] {
        let found = reckoned
            .findings
            .iter()
            .find(|found| found.kind == kind)
            .unwrap();
        assert_eq!(found.change, Change::Fetches(change));
        let each: Vec<u64> = found
            .weeks
            .iter()
            .map(|week| week.now.bytes - week.high.bytes)
            .collect();
        assert_eq!(each, saved, "{kind}");
    }
}

/// A finding that saves so many percent of 100 units.
fn finding(percent: i128) -> Finding {
    let unit = 1_000_000_000_000_000_000;
    let saves = Atto(percent * unit);
    Finding {
        kind: AdviceKind::Cadence,
        change: Change::Every(7),
        because: String::new(),
        weeks: vec![Compared {
            now: Leg::default(),
            low: Leg::default(),
            high: Leg::default(),
        }],
        saving: Interval {
            low: saves,
            mean: saves,
            high: saves,
        },
        cost: Atto(100 * unit),
    }
}

#[test]
fn nothing_opens_and_closes_from_day_to_day() {
    let now = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
    let known = |state, saving: i64| Standing {
        state,
        snoozed_until: (state == AdviceState::Snoozed).then(|| now.plus(DAY)),
        saving: Micro(saving * 1_000_000),
    };
    let step = |known: Option<Standing>, percent: i128, at: Timestamp| {
        settle(known.as_ref(), None, Some(&finding(percent)), at)
    };
    let opens = |step: Step| matches!(step, Step::Open(_));
    assert!(opens(step(None, WORTH, now)));
    assert_eq!(step(None, WORTH - 1, now), Step::Leave);
    // Between the two bounds what is open stays, and what is over stays so.
    let between = (STILL_WORTH + WORTH) / 2;
    assert_eq!(
        step(Some(known(AdviceState::Open, 12)), between, now),
        Step::Keep
    );
    assert_eq!(
        step(Some(known(AdviceState::Over, 12)), between, now),
        Step::Leave
    );
    let closed = step(Some(known(AdviceState::Open, 12)), STILL_WORTH - 1, now);
    assert!(matches!(closed, Step::Close(_)));
    let gone = settle(Some(&known(AdviceState::Open, 12)), None, None, now);
    assert!(matches!(gone, Step::Close(_)));
    assert!(opens(step(Some(known(AdviceState::Over, 12)), WORTH, now)));
    // Put off, and back on the day.
    let snoozed = known(AdviceState::Snoozed, 20);
    assert_eq!(step(Some(snoozed), 50, now), Step::Leave);
    assert!(opens(step(Some(snoozed), 20, now.plus(DAY))));
    // Declined: only for twice as much.
    let declined = known(AdviceState::Declined, 20);
    assert_eq!(step(Some(declined), 39, now), Step::Leave);
    assert!(opens(step(Some(declined), 20 * i128::from(AGAIN), now)));
    // Accepted lately: first its effect is awaited.
    let accepted = Some(now.plus(1 - SETTLES));
    assert_eq!(settle(None, accepted, Some(&finding(90)), now), Step::Leave);
    assert!(opens(settle(
        None,
        Some(now.plus(-SETTLES)),
        Some(&finding(90)),
        now
    )));
}

#[test]
fn a_promise_is_measured_over_the_weeks_since() {
    let mut facts = facts(4);
    for week in 0..4 {
        // A replica is read from the third week on; before that the producer's files.
        facts
            .reads
            .push(read(FIRST + week * WEEK, 1, 10_000_000_000, week >= 2));
    }
    facts.storage = None;
    assert_eq!(
        measured(AdviceKind::Replica, Atto(0), &facts, FIRST + 13),
        None,
        "not carried out"
    );
    facts.held = Some(held(1));
    for day in [14, 21] {
        facts.runs.push(Run {
            received: 1_000_000_000,
            busy: Atto(0),
            ..run(FIRST + day, 1_000_000_000, None)
        });
    }
    let (saved, weeks) = measured(AdviceKind::Replica, Atto(0), &facts, FIRST + 13).unwrap();
    assert_eq!(weeks, 2);
    // 9 GB a week less.
    assert_eq!(saved.micro(), Micro(3_471_429));
    // To read live was accepted, and the replica stands: what is less has another reason, and what is more is told.
    let much = price().leg(90_000_000_000).cost;
    let (saved, _) = measured(AdviceKind::Live, much, &facts, FIRST + 13).unwrap();
    assert_eq!(saved, Atto(0));
    let (saved, weeks) = measured(AdviceKind::Live, Atto(0), &facts, FIRST + 13).unwrap();
    let paid = price().leg(1_000_000_000).cost.part(30, 7);
    assert_eq!((saved.micro(), weeks), ((Atto(0) - paid).micro(), 2));
    let mut gone = facts.clone();
    gone.held = None;
    let (saved, _) = measured(AdviceKind::Live, much, &gone, FIRST + 13).unwrap();
    assert_eq!(saved, much, "nothing is paid any more");
    let before = price().leg(20_000_000_000).cost;
    let (saved, _) = measured(AdviceKind::Cadence, before, &facts, FIRST + 13).unwrap();
    let paid = price().leg(1_000_000_000).cost.part(30, 7);
    assert_eq!(saved.micro(), (before - paid).micro());
    assert_eq!(
        measured(AdviceKind::Cadence, before, &facts, FIRST + 28),
        None
    );
}
