//! Histories made by hand, with bytes reckoned by hand.

use std::collections::BTreeMap;

use delta::{Logged, LoggedFeed, LoggedFile, LoggedVector};
use model::dto::{AssessedKind, Assessment, Rate};
use model::time::{DAY, HOUR};
use model::{Location, RateId, Timestamp, Unit};

use super::*;
use crate::tests::world::{World, remove};

const START: i64 = 1_800_000_000_000_000;

fn day(day: i64) -> Timestamp {
    Timestamp::from_micros(START + day * DAY)
}

/// A file of so many bytes with ten rows per hundred; its number is its name.
fn file(id: u128, size: u64) -> LoggedFile {
    LoggedFile {
        id,
        object: id,
        size,
        modified: 0,
        rows: Some(size / 10),
        partition: 0,
        has_vector: false,
        vector: None,
    }
}

/// A commit at noon of a day that changes rows.
fn commit(at: i64, adds: &[LoggedFile], removes: &[u128]) -> Logged {
    Logged {
        timestamp: day(at).plus(12 * HOUR),
        modified: day(at).plus(12 * HOUR),
        operation: Some("WRITE".to_owned()),
        adds: adds.to_vec(),
        removes: removes.to_vec(),
        ..Logged::default()
    }
}

fn compaction(at: i64, adds: &[LoggedFile], removes: &[u128]) -> Logged {
    let added = adds.iter().map(|file| file.id);
    Logged {
        operation: Some("OPTIMIZE".to_owned()),
        unchanged: added.chain(removes.iter().copied()).collect(),
        ..commit(at, adds, removes)
    }
}

fn update(at: i64, adds: &[LoggedFile], removes: &[u128], feed_bytes: u64) -> Logged {
    Logged {
        operation: Some("UPDATE".to_owned()),
        feeds: vec![LoggedFeed {
            partition: 0,
            size: feed_bytes,
        }],
        ..commit(at, adds, removes)
    }
}

fn window(days: i64, every: i64) -> Window {
    Window {
        from: day(0),
        until: day(days),
        every: every * DAY,
        retention_hours: 168,
    }
}

fn reckon(window: Window, files: &[LoggedFile], commits: &[Logged]) -> Figures {
    let mut reckoner = Reckoner::new(window, files.to_vec());
    for commit in commits {
        reckoner.commit(commit.clone());
    }
    reckoner.finish()
}

fn later(figures: &Figures) -> [u64; 4] {
    [
        figures.by_files.later,
        figures.with_feed.later,
        figures.with_skip.later,
        figures.with_both.later,
    ]
}

#[test]
fn what_is_added_and_still_lives_at_a_sync_is_copied() {
    let figures = reckon(
        window(4, 2),
        &[file(1, 1_000), file(2, 500)],
        &[
            // Comes and goes between two syncs: never copied.
            commit(0, &[file(3, 70)], &[]),
            commit(1, &[file(4, 30)], &[3]),
            commit(3, &[file(5, 7)], &[1]),
        ],
    );
    assert_eq!(
        figures.by_files,
        Moved {
            first_copy: 1_500,
            later: 37
        }
    );
    assert_eq!((figures.syncs, figures.commits), (2, 3));
    assert_eq!((figures.bytes, figures.files), (537, 3));
    // Days 0 to 3, as the table stood at each midnight; weeks: the first instant only.
    assert_eq!(
        (figures.daily.times, figures.daily.bytes),
        (4, 1_500 + 1_570 + 1_530 + 1_530)
    );
    assert_eq!((figures.weekly.times, figures.weekly.bytes), (1, 1_500));
    assert_eq!(
        (figures.at_syncs.times, figures.at_syncs.bytes),
        (2, 1_500 + 1_530)
    );
}

#[test]
fn one_object_is_copied_once_and_another_time_makes_another_file() {
    let twin = LoggedFile {
        object: 1,
        ..file(9, 100)
    };
    let again = LoggedFile {
        modified: START / 1_000 + 1,
        ..file(1, 100)
    };
    let figures = reckon(
        window(2, 1),
        &[file(1, 100), twin],
        &[commit(0, &[again], &[])],
    );
    assert_eq!(
        figures.by_files,
        Moved {
            first_copy: 100,
            later: 100
        }
    );
}

#[test]
fn what_comes_back_within_the_retention_is_not_copied_again() {
    let restored = |at| {
        let commits = [commit(0, &[], &[1]), commit(at, &[file(1, 100)], &[])];
        reckon(window(20, 1), &[file(1, 100)], &commits)
            .by_files
            .later
    };
    assert_eq!(restored(3), 0);
    assert_eq!(restored(15), 100);
}

#[test]
fn compaction_of_held_rows_is_skipped_until_one_of_its_files_changes() {
    let first = [file(1, 100), file(2, 100), file(3, 100), file(4, 100)];
    let packed = [file(5, 200), file(6, 200)];
    let commits = [compaction(0, &packed, &[1, 2, 3, 4])];
    assert_eq!(
        later(&reckon(window(1, 1), &first, &commits)),
        [400, 400, 0, 0]
    );
    // File 5 is rewritten: which of the group's rows it had nobody knows, so 6 has to come too, once.
    let changed = [commits[0].clone(), commit(1, &[file(7, 210)], &[5])];
    let figures = reckon(window(3, 1), &first, &changed);
    assert_eq!(later(&figures), [610, 610, 410, 410]);
    // Compacted before all of it was ever held: what is not held is fetched, and what it became is not.
    let unheld = [
        commit(0, &[file(8, 50)], &[]),
        compaction(0, &[file(9, 450)], &[1, 2, 3, 4, 8]),
    ];
    assert_eq!(
        later(&reckon(window(1, 1), &first, &unheld)),
        [450, 450, 50, 50]
    );
}

#[test]
fn a_compaction_that_loses_rows_or_changes_data_is_copied() {
    let first = [file(1, 100), file(2, 100)];
    let short = LoggedFile {
        rows: Some(19),
        ..file(3, 190)
    };
    let silent = LoggedFile {
        rows: None,
        ..file(3, 190)
    };
    for packed in [short, silent] {
        let commits = [compaction(0, &[packed], &[1, 2])];
        assert_eq!(later(&reckon(window(1, 1), &first, &commits)), [190; 4]);
    }
    let lying = Logged {
        unchanged: Vec::new(),
        ..compaction(0, &[file(3, 200)], &[1, 2])
    };
    assert_eq!(later(&reckon(window(1, 1), &first, &[lying])), [200; 4]);
}

#[test]
fn changes_cross_where_they_are_fewer_bytes() {
    let first = [file(1, 1_000), file(2, 1_000)];
    let small = [update(0, &[file(3, 1_000)], &[1], 20)];
    assert_eq!(
        later(&reckon(window(1, 1), &first, &small)),
        [1_000, 20, 1_000, 20]
    );
    let large = [update(0, &[file(3, 1_000)], &[1], 1_000)];
    assert_eq!(later(&reckon(window(1, 1), &first, &large)), [1_000; 4]);
    // Many updates of one file between two syncs: the file itself is cheaper in the end.
    let often: Vec<Logged> = (0..3_u128)
        .map(|number| {
            update(
                0,
                &[file(10 + number, 1_000)],
                &[if number == 0 { 1 } else { 9 + number }],
                400,
            )
        })
        .collect();
    assert_eq!(later(&reckon(window(1, 1), &first, &often)), [1_000; 4]);
    // Of a file that was never held, changes are no use.
    let fresh = [
        commit(0, &[file(4, 500)], &[]),
        update(0, &[file(5, 500)], &[4], 5),
    ];
    assert_eq!(later(&reckon(window(1, 1), &first, &fresh)), [500; 4]);
}

#[test]
fn changes_after_a_skipped_compaction_cost_only_the_changes() {
    let first = [file(1, 500), file(2, 500), file(3, 500)];
    let commits = [
        compaction(0, &[file(4, 1_000), file(5, 500)], &[1, 2, 3]),
        update(1, &[file(6, 1_000)], &[4], 10),
        update(2, &[file(7, 1_000)], &[6], 10),
    ];
    let figures = reckon(window(3, 1), &first, &commits);
    // With the feed alone what was compacted is copied, and then only changes come.
    assert_eq!(later(&figures), [3_500, 1_520, 3_000 - 500, 20]);
}

#[test]
fn of_a_file_whose_rows_a_vector_deletes_only_the_vector_crosses() {
    let with = |id: u128, vector: LoggedVector| LoggedFile {
        object: 1,
        has_vector: true,
        vector: Some(vector),
        ..file(id, 1_000)
    };
    let vector = |object: u128, end: u64| LoggedVector { object, end };
    let commits = [
        // What one object holds for two files crosses once, as far as the last of them.
        commit(
            0,
            &[with(11, vector(100, 43)), with(12, vector(100, 90))],
            &[1],
        ),
        commit(1, &[with(13, vector(101, 60))], &[11]),
        // It is held already.
        commit(2, &[with(14, vector(101, 30))], &[12]),
    ];
    let figures = reckon(window(4, 1), &[file(1, 1_000)], &commits);
    assert_eq!(later(&figures), [150; 4]);
    assert_eq!(figures.by_files.first_copy, 1_000);
    assert!(figures.has_vectors);
}

#[test]
fn files_are_reckoned_where_rows_cannot_be_changed() {
    let mut read = read(true, None);
    read.files_only = Some("the table tracks its rows".to_owned());
    let to = Some(place("azure:westeurope"));
    let reads = vec![("a".to_owned(), Ok(read))];
    let found = report(Surveyed { to, ..surveyed() }, reads, None, &[]);
    for kind in [AssessedKind::CloneFeed, AssessedKind::CloneBoth] {
        assert_eq!(total(&found, kind).0, Some(2_000_000_000));
    }
    assert_eq!(
        found.tables[0].ways[3].note.as_deref(),
        Some("Copied file by file: the table tracks its rows.")
    );
}

#[test]
fn clocks_that_lie_do_not_move_the_window() {
    let ahead = Logged {
        timestamp: day(9_999),
        ..commit(1, &[file(2, 10)], &[])
    };
    let behind = Logged {
        timestamp: Timestamp::from_micros(0),
        ..commit(2, &[file(3, 5)], &[])
    };
    let figures = reckon(window(3, 1), &[file(1, 1)], &[ahead, behind]);
    assert_eq!(figures.by_files.later, 15);
    let mut reckoner = Reckoner::new(window(3, 1), Vec::new());
    assert!(!reckoner.commit(commit(8, &[file(1, 1)], &[])));
    assert_eq!(reckoner.finish().by_files, Moved::default());
}

fn place(text: &str) -> Location {
    text.parse().unwrap()
}

fn surveyed() -> Surveyed {
    Surveyed {
        place: "lake".to_owned(),
        location: place("aws:eu-central-1"),
        at: day(4),
        days: 4,
        every: 2 * DAY,
        to: None,
        url: "s3://lake/\"x\"\n".to_owned(),
        endpoint: None,
        others: Vec::new(),
        left_out: Vec::new(),
        log_bytes: 0,
    }
}

fn read(change_feed: bool, not_cloned: Option<&str>) -> Read {
    let commits = [update(1, &[file(3, 1_000_000_000)], &[1], 10_000_000)];
    Read {
        version: 7,
        short: None,
        change_feed,
        not_cloned: not_cloned.map(str::to_owned),
        files_only: None,
        figures: reckon(window(4, 2), &[file(1, 1_000_000_000)], &commits),
    }
}

fn rate(from: &str, to: &str, price: &str) -> Rate {
    Rate {
        id: RateId::new(day(0)),
        from: from.to_owned(),
        to: to.to_owned(),
        price: price.parse().unwrap(),
        unit: Unit::Gigabyte,
        currency: "USD".parse().unwrap(),
        valid_from: day(-9),
        valid_until: None,
        source: "list".to_owned(),
    }
}

fn total(found: &Assessment, kind: AssessedKind) -> (Option<u64>, String) {
    let way = found.totals.iter().find(|way| way.kind == kind).unwrap();
    let money = way.money.first().map(|money| money.amount.to_string());
    (way.bytes, money.unwrap_or_default())
}

#[test]
fn the_report_prices_what_crosses_and_says_what_is_not_available() {
    let tables = [
        "a/visits".to_owned(),
        "a/odd".to_owned(),
        "b/claims".to_owned(),
    ];
    let list = "table,kind,consumers,from,to\n\
        visits,weekly full load,3,,azure:westeurope\n\
        visits,daily full load,1,,aws:eu-central-1\n\
        b/claims,FTP,2,onprem:here,gcp:europe-west3\n";
    let flows = check_flows(flows(list).unwrap(), &tables, 3, &[]).unwrap();
    let reads = vec![
        (tables[0].clone(), Ok(read(true, None))),
        (tables[1].clone(), Err("broken".to_owned())),
        (tables[2].clone(), Ok(read(false, None))),
    ];
    let rates = [
        rate("*", "*", "9"),
        rate("aws:*", "azure:*", "1"),
        rate("aws:eu-central-1", "azure:*", "0.5"),
    ];
    let found = report(surveyed(), reads, Some(&flows), &rates);
    let giga = 1_000_000_000;
    // Three loads to Azure for 0.50, two from the company's own place for 9.
    assert_eq!(
        total(&found, AssessedKind::Today),
        (Some(5 * giga), "19.50".to_owned())
    );
    // Two reads each by three and by two; those in the same place cross nothing.
    assert_eq!(total(&found, AssessedKind::Live).0, Some(10 * giga));
    assert_eq!(
        total(&found, AssessedKind::Clone),
        (Some(4 * giga), "19.00".to_owned())
    );
    // Claims have no feed and are counted by files.
    assert_eq!(
        total(&found, AssessedKind::CloneFeed).0,
        Some(3 * giga + 10_000_000)
    );
    let note = found.totals[3].note.as_deref().unwrap();
    assert!(note.contains("off on 1 of 2 tables"), "{note}");
    let claims = &found.tables[2].ways[3];
    assert_eq!(
        (claims.bytes, claims.note.as_deref()),
        (None, Some("Not available: change feed is off."))
    );
    assert_eq!(found.tables[1].problem.as_deref(), Some("broken"));
    assert!(
        found
            .yaml
            .contains("url: \"s3://lake/\\\"x\\\"\\U0000000a\""),
        "{}",
        found.yaml
    );
    assert!(
        found
            .yaml
            .contains("sync_1: { product: assessed-a, to: azure_westeurope, every: 2d }"),
        "{}",
        found.yaml
    );
    assert!(
        found.yaml.contains("\n# left out: a/odd: broken\n"),
        "{}",
        found.yaml
    );
    assert!(!found.yaml.contains("path: \"a/odd\""), "{}", found.yaml);
    assert_eq!(
        found.left_out,
        ["`a/odd` is not in the totals: broken"],
        "today's bytes of it are unknown, too"
    );
}

#[test]
fn without_flows_rates_or_a_way_to_clone_it_says_so() {
    let reads = vec![
        ("a".to_owned(), Ok(read(false, None))),
        ("b".to_owned(), Ok(read(false, Some("deletionVectors")))),
    ];
    let to = Some(place("azure:westeurope"));
    let found = report(Surveyed { to, ..surveyed() }, reads, None, &[]);
    assert_eq!(
        found.totals[0].note.as_deref(),
        Some("Not available: no list of flows was given.")
    );
    assert_eq!(total(&found, AssessedKind::Clone).0, Some(2_000_000_000));
    assert_eq!(found.totals[2].unpriced, 2_000_000_000);
    assert_eq!(
        found.totals[3].note.as_deref(),
        Some("Not available: change feed is off.")
    );
    assert_eq!(
        found.left_out,
        ["`b` is not in the totals: deletionVectors"]
    );
    assert_eq!(
        found.tables[1].ways[2].note.as_deref(),
        Some("Not available: deletionVectors")
    );
}

#[test]
fn flows_of_what_is_not_there_are_refused() {
    let tables = ["a/x".to_owned(), "b/x".to_owned(), "c/late".to_owned()];
    let others = [model::dto::AssessedFolder {
        path: "ice".to_owned(),
        format: "iceberg".to_owned(),
        possible: String::new(),
    }];
    for (table, said) in [
        ("x", "several tables"),
        ("y", "not under the prefix"),
        ("ice", "no Delta table"),
        ("c/late", "beyond the first 2 tables"),
        ("late", "assess a narrower prefix"),
    ] {
        let list = format!("table,kind,consumers,from,to\n{table},FTP,1,,azure:westeurope\n");
        let error = check_flows(flows(&list).unwrap(), &tables, 2, &others).unwrap_err();
        assert_eq!(error.line, 2);
        assert!(error.sentence.contains(said), "{error}");
    }
    let none = check_flows(Vec::new(), &tables, 2, &others);
    assert_eq!(none, Ok(BTreeMap::new()));
    assert_eq!(parse_every("2d"), Ok(2 * DAY));
    for text in [
        "",
        "d",
        "0h",
        "367d",
        "1w",
        "-1d",
        "9999999999999999d",
        "1ü",
    ] {
        assert!(parse_every(text).is_err(), "{text}");
    }
}

#[test]
fn what_can_have_no_clone_is_declared_and_not_synced() {
    let no = Some("a feature");
    let reads = || {
        vec![
            ("all/x".to_owned(), Ok(read(false, no))),
            ("all/y".to_owned(), Ok(read(false, no))),
            ("some/x".to_owned(), Ok(read(false, no))),
            ("some/y".to_owned(), Ok(read(false, None))),
        ]
    };
    let to = Some(place("azure:westeurope"));
    let found = report(Surveyed { to, ..surveyed() }, reads(), None, &[]);
    assert!(found.yaml.contains("path: \"all/y\""), "{}", found.yaml);
    let of = |what: &str| found.yaml.matches(what).count();
    assert_eq!(of("product: assessed-all"), 0, "{}", found.yaml);
    // The grant and the sync job.
    assert_eq!(of("product: assessed-some"), 2, "{}", found.yaml);
    // Of a place whose consumers fetch only what can have no clone.
    let tables: Vec<String> = reads().into_iter().map(|(path, _)| path).collect();
    let list = "table,kind,consumers,from,to\nsome/x,FTP,1,,azure:westeurope\n";
    let flows = check_flows(flows(list).unwrap(), &tables, 4, &[]).unwrap();
    let found = report(surveyed(), reads(), Some(&flows), &[]);
    assert!(!found.yaml.contains("sync_jobs:"), "{}", found.yaml);
}

#[tokio::test]
async fn the_real_clone_copies_what_was_reckoned() {
    let world = World::with_two_files();
    let mut moved = vec![world.sync_done().await.bytes_copy];
    let add = |name: &str, size: usize| world.add(name, size);
    let gone = |name: &str| remove(name, 1);
    let commits = [
        vec![add("c", 30)],
        vec![add("d", 40), gone("a")],
        vec![add("e", 50)],
        vec![gone("e"), add("f", 60), gone("c")],
        // Restored: the clone has it still.
        vec![add("a", 10)],
        vec![add("g", 70), gone("b")],
        vec![gone("d")],
        vec![add("h", 80)],
    ];
    for (version, actions) in (1..).zip(&commits) {
        world.commit(version, actions);
        if version % 2 == 0 {
            moved.push(world.sync_done().await.bytes_copy);
        }
    }
    assert_eq!(moved, [30, 70, 60, 70, 80]);

    let table = world.pair().source;
    let history = table.history().await.unwrap();
    let begun = table.begin(&history, 0).await.unwrap();
    let mut reckoner = Reckoner::new(window(8, 2), begun.files);
    let mut each = |logged: Logged| -> Result<(), delta::LogError> {
        // A commit each noon: two between sync and sync.
        let at = day(i64::try_from(logged.version).unwrap() - 1).plus(12 * HOUR);
        reckoner.commit(Logged {
            timestamp: at,
            ..logged
        });
        Ok(())
    };
    table.walk(&history, 1..=8, &mut each).await.unwrap();
    let found = reckoner.finish().by_files;
    let (first_copy, later) = (moved[0], moved[1..].iter().sum());
    assert_eq!(found, Moved { first_copy, later });
}
