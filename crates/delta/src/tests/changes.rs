//! Ranges of commits: which can be read, when they were made, and what they say has changed.

use model::Timestamp;

use super::*;
use crate::{ChangedFile, Feed, LogError};

fn info(millis: i64) -> String {
    format!(r#"{{"commitInfo":{{"timestamp":{millis}}}}}"#)
}

fn file(action: &str, path: &str, data_change: bool) -> String {
    format!(
        r#"{{"{action}":{{"path":"{path}","partitionValues":{{}},"size":3,"modificationTime":1,"dataChange":{data_change}}}}}"#
    )
}

async fn log(commits: &[&[String]]) -> Arc<Probe> {
    let probe = Probe::memory();
    probe.put_commit(0, &[PROTOCOL, METADATA, &info(0)]).await;
    for (version, lines) in (1..).zip(commits) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        probe.put_commit(version, &lines).await;
    }
    probe
}

async fn paths(probe: &Arc<Probe>, feed: Feed) -> Vec<Vec<String>> {
    let table = probe.table();
    let history = table.history().await.unwrap();
    let changes = table
        .changes(&history, 0..=history.latest, feed)
        .await
        .unwrap();
    let versions: Vec<u64> = changes.iter().map(|change| change.version).collect();
    assert_eq!(versions, (0..=history.latest).collect::<Vec<_>>());
    let named = |file: &ChangedFile| file.path().to_owned();
    changes
        .iter()
        .map(|change| change.files.iter().map(named).collect())
        .collect()
}

#[tokio::test]
async fn a_commit_tells_its_changes_by_its_own_files_or_by_those_it_added_and_removed() {
    let idle = r#"{"commitInfo":{"operation":"MERGE","operationMetrics":{"numTargetRowsInserted":"0","numTargetRowsUpdated":"0","numTargetRowsDeleted":"0"}}}"#;
    let probe = log(&[
        &[file("add", "a", true)],
        &[
            file("remove", "a", true),
            file("add", "b", true),
            file("cdc", "_change_data/c", false),
        ],
        &[file("remove", "b", false), file("add", "d", false)],
        &[file("remove", "d", true)],
        &[idle.to_owned(), file("add", "e", true)],
    ])
    .await;
    let none: [&str; 0] = [];
    assert_eq!(
        paths(&probe, Feed::Rows).await,
        [
            none.to_vec(),
            vec!["a"],
            vec!["_change_data/c"],
            vec![],
            vec!["d"],
            vec![]
        ]
    );
    assert_eq!(
        paths(&probe, Feed::Files).await,
        [
            none.to_vec(),
            vec!["a"],
            vec!["a", "b"],
            vec![],
            vec!["d"],
            vec!["e"]
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_is_read_only_where_no_commit_is_missing() {
    let add = |path: &str| vec![file("add", path, true)];
    let (a, b, c) = (add("a"), add("b"), add("c"));
    let probe = log(&[&a, &b, &c]).await;
    let table = probe.table();
    let history = table.history().await.unwrap();
    assert_eq!((history.earliest, history.latest), (0, 3));
    assert_eq!(history.earliest_change(3), Some(0));
    assert_eq!(history.earliest_change(9), None);

    // As log cleanup leaves it: the state is in a checkpoint.
    table
        .write_checkpoint(&table.snapshot(Some(2)).await.unwrap())
        .await
        .unwrap();
    probe.delete_log(&commit_name(0)).await;
    let history = table.history().await.unwrap();
    assert_eq!((history.earliest, history.latest), (2, 3));
    assert_eq!(history.earliest_change(3), Some(2));
    assert_eq!(history.earliest_change(1), None);
    // With the checkpoint's own commit gone it is the state before the first change that is left.
    probe.delete_log(&commit_name(1)).await;
    probe.delete_log(&commit_name(2)).await;
    let history = table.history().await.unwrap();
    assert_eq!(history.earliest_change(3), Some(3));
    let gone = table.changes(&history, 2..=3, Feed::Rows).await;
    assert!(
        matches!(gone, Err(LogError::Gap { missing: 2 })),
        "{gone:?}"
    );
    assert_eq!(
        table
            .changes(&history, 3..=3, Feed::Rows)
            .await
            .unwrap()
            .len(),
        1
    );
}

/// A log of names, up to version 300: the first and last commits of its runs, and its checkpoints.
async fn named(runs: &[(u64, u64)], checkpoints: &[u64]) -> Arc<Probe> {
    let probe = Probe::memory();
    for (first, last) in runs {
        for version in *first..=*last {
            probe.put_log(&commit_name(version), "x").await;
        }
    }
    for version in checkpoints {
        let name = format!("{version:020}.checkpoint.parquet");
        probe.put_log(&name, "x").await;
    }
    probe
}

#[tokio::test]
async fn where_changes_begin_is_found_from_nearby_as_in_the_whole_log() {
    let tens: Vec<u64> = (0..=30).map(|ten| ten * 10).collect();
    for (runs, checkpoints) in [
        (vec![(0, 300)], vec![]),
        (vec![(0, 300)], tens.clone()),
        (vec![(50, 300)], tens[5..].to_vec()),
        (vec![(50, 300)], vec![49]),
        // The states before it cannot be put together any more.
        (vec![(50, 300)], vec![280]),
        (vec![(0, 99), (201, 300)], vec![200]),
        (vec![(0, 99), (201, 300)], vec![]),
        (vec![(0, 290)], vec![300]),
    ] {
        let table = named(&runs, &checkpoints).await.table();
        let history = table.history().await.unwrap();
        for least in (1..=300).step_by(7) {
            let whole = history.earliest_change(300);
            assert_eq!(
                table.earliest_change(least, 300).await.unwrap(),
                whole.map(|first| first.max(least)),
                "{runs:?} {checkpoints:?} {least}"
            );
        }
    }
    // Of the names of a long log most are not listed.
    let budgets = Budgets {
        log_objects: 200,
        ..Budgets::default()
    };
    let table = Table::new(named(&[(0, 300)], &tens).await, budgets);
    assert!(table.history().await.is_err());
    assert_eq!(table.earliest_change(290, 300).await.unwrap(), Some(290));
}

#[tokio::test]
async fn an_instant_lies_between_two_commits() {
    let at = |millis| vec![info(millis)];
    let (a, b, c, d) = (at(10), at(20), at(20), at(30));
    let probe = log(&[&a, &b, &c, &d]).await;
    let table = probe.table();
    let history = table.history().await.unwrap();
    for (millis, before, after) in [
        (-1, None, Some(0)),
        (0, Some(0), Some(0)),
        (5, Some(0), Some(1)),
        (10, Some(1), Some(1)),
        (20, Some(3), Some(2)),
        (29, Some(3), Some(4)),
        (31, Some(4), None),
    ] {
        let found = table
            .instant(&history, Timestamp::from_millis(millis))
            .await
            .unwrap();
        let version = |place: Option<(u64, Timestamp)>| place.map(|(version, _)| version);
        assert_eq!(
            (version(found.before), version(found.after)),
            (before, after),
            "{millis}"
        );
    }
}

#[tokio::test]
async fn paths_of_every_change_are_contained() {
    for action in ["add", "remove", "cdc"] {
        let probe = log(&[&[file(action, "../../x", true)]]).await;
        let table = probe.table();
        let history = table.history().await.unwrap();
        let read = table.changes(&history, 0..=1, Feed::Rows).await;
        assert!(
            matches!(read, Err(LogError::Escape { version: 1, .. })),
            "{action}: {read:?}"
        );
    }
}

#[tokio::test]
async fn a_range_has_a_budget() {
    let adds = |names: [&str; 2]| names.map(|path| file("add", path, true)).to_vec();
    let (one, two) = (adds(["a", "b"]), adds(["c", "d"]));
    let probe = log(&[&one, &two]).await;
    let budgets = Budgets {
        files: 3,
        ..Budgets::default()
    };
    let table = Table::new(probe.clone(), budgets);
    let history = table.history().await.unwrap();
    let read = table.changes(&history, 0..=2, Feed::Rows).await;
    assert!(
        matches!(
            read,
            Err(LogError::Budget {
                limit: 3,
                found: 4,
                ..
            })
        ),
        "{read:?}"
    );
}
