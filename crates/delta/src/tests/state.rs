//! States that are carried on from commit to commit, held against those that are replayed whole.

use super::*;
use crate::State;

fn add(path: &str, day: usize, vector: Option<usize>) -> String {
    let vector = vector.map_or(String::new(), |n| {
        format!(
            r#","deletionVector":{{"storageType":"i","pathOrInlineDv":"v{n}","sizeInBytes":4,"cardinality":1}},"baseRowId":{n}"#
        )
    });
    format!(
        r#"{{"add":{{"path":"{path}","partitionValues":{{"day":"{day}","none":null}},"size":{},"modificationTime":{day},"dataChange":true,"stats":"{{\"numRecords\":{}}}"{vector}}}}}"#,
        3 + day,
        2 + day
    )
}

fn remove(path: &str, vector: Option<usize>) -> String {
    let vector = vector.map_or(String::new(), |n| {
        format!(r#","deletionVector":{{"storageType":"i","pathOrInlineDv":"v{n}"}}"#)
    });
    format!(r#"{{"remove":{{"path":"{path}","deletionTimestamp":7,"dataChange":true{vector}}}}}"#)
}

async fn agree(table: &Table, state: &State) {
    let whole = table.snapshot(Some(state.version())).await.unwrap();
    let outline = state.outline();
    assert_eq!(
        (outline.version, outline.timestamp, &outline.metadata),
        (whole.version, whole.timestamp, &whole.metadata)
    );
    assert_eq!(state.bytes(), whole.bytes());
    assert_eq!(outline.support(), whole.support());
    assert_eq!(state.rows().len(), whole.files.len());
    for (row, file) in state.rows().iter().zip(whole.files.values()) {
        let mut found = state.file(*row);
        assert_eq!(found.raw.get("baseRowId"), file.raw.get("baseRowId"));
        assert_eq!(state.live_rows(*row), file.live_rows());
        found.raw = file.raw.clone();
        assert_eq!(found, **file);
    }
    let mut paths: Vec<String> = whole.files.keys().map(|key| key.path.clone()).collect();
    paths.sort();
    let sorted = state.sorted().iter().map(|row| state.file(*row).path);
    assert_eq!(sorted.collect::<Vec<_>>(), paths);
}

#[tokio::test]
async fn a_state_that_is_carried_on_is_the_one_that_is_read_whole() {
    let probe = Probe::memory();
    let table = probe.table();
    probe.put_commit(0, &[PROTOCOL, METADATA]).await;
    let mut state = Arc::new(table.state(None).await.unwrap());
    // Steps of a full cycle: paths come, go, come again, some with deletion vectors, some percent-encoded.
    let mut number = 7_usize;
    let mut next = |below: usize| {
        number = (number * 1_103_515_245 + 12_345) % (1 << 31);
        (number >> 8) % below
    };
    for version in 1..60 {
        let mut lines = Vec::new();
        for _ in 0..=next(6) {
            let (path, n) = (format!("p%2520{}", next(25)), next(3));
            let vector = (next(3) == 0).then_some(n);
            lines.push(match next(3) {
                0 => remove(&path, vector),
                _ => add(&path, n, vector),
            });
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        probe.put_commit(version, &lines).await;
        // Sometimes several commits at once.
        if next(3) == 0 {
            continue;
        }
        probe.take_read();
        let from = state.version();
        state = table.state_after(&state).await.unwrap().unwrap();
        let read: Vec<String> = (from + 1..=version).map(commit_name).collect();
        assert_eq!(probe.take_read(), read, "new commits alone");
        assert!(table.still_has(&state).await.unwrap());
        agree(&table, &state).await;
    }
    agree(&table, &table.state(None).await.unwrap()).await;
    let same = table.state_after(&state).await.unwrap().unwrap();
    let again = table.state_after(&same).await.unwrap().unwrap();
    assert_eq!(same.id(), again.id(), "nothing new is nothing new");
    // What versions share counts once.
    let earlier = Arc::new(table.state(Some(50)).await.unwrap());
    probe.put_commit(60, &[&add("last", 1, None)]).await;
    let later = table.state_after(&same).await.unwrap().unwrap();
    let shared = |one: &State, other: &State| {
        let held: Vec<usize> = one.weight().map(|(at, _)| at).collect();
        other.weight().filter(|(at, _)| held.contains(at)).count()
    };
    assert_eq!(shared(&earlier, &later), 0);
    // Now and then one is written anew, but not two in a row.
    probe.put_commit(61, &[&add("the last", 1, None)]).await;
    let last = table.state_after(&later).await.unwrap().unwrap();
    assert!(shared(&same, &later) + shared(&later, &last) >= 1);
}

#[tokio::test]
async fn a_log_that_is_not_the_one_before_is_noticed() {
    let probe = Probe::memory();
    let table = probe.table();
    probe.put_commit(0, &[PROTOCOL, METADATA]).await;
    for version in 1..4 {
        let line = add(&format!("f{version}"), 1, None);
        probe.put_commit(version, &[&line]).await;
    }
    let state = Arc::new(table.state(None).await.unwrap());
    assert_eq!(table.latest_version_from(3).await.unwrap(), Some(3));
    // The newest commit is another, or is gone, or what came after it has a gap.
    probe.put_commit(5, &[&add("g", 1, None)]).await;
    assert!(table.state_after(&state).await.unwrap().is_none());
    assert!(
        table.still_has(&state).await.unwrap(),
        "its own commit is there"
    );
    probe.delete_log(&commit_name(5)).await;
    probe.put_commit(3, &[&add("other", 1, None)]).await;
    assert!(table.state_after(&state).await.unwrap().is_none());
    assert!(!table.still_has(&state).await.unwrap());
    probe.delete_log(&commit_name(3)).await;
    assert!(table.state_after(&state).await.unwrap().is_none());
    assert!(!table.still_has(&state).await.unwrap());
    assert_eq!(table.latest_version_from(3).await.unwrap(), Some(2));
}
