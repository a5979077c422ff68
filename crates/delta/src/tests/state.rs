//! States that are carried on from commit to commit, or made of a whole log column by column, held against snapshots, which are
//! replayed action by action.

use std::path::Path as Folder;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, MapBuilder, MapFieldNames, StringArray, StringBuilder,
    StructArray,
};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field};
use model::Timestamp;
use object_store::local::LocalFileSystem;

use super::checkpoints::{checkpoint_name, parquet};
use super::*;
use crate::state::FEW_ROWS;
use crate::{LogError, State};

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

async fn put(probe: &Probe, version: u64, lines: impl IntoIterator<Item = String>) {
    let lines: Vec<String> = lines.into_iter().collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    probe.put_commit(version, &lines).await;
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
    let mut files: Vec<_> = whole.files.values().collect();
    // Few are in the order of the log.
    let rows = match files.len() > FEW_ROWS {
        true => {
            files.sort_by_key(|file| file.file_key());
            state.sorted()
        }
        false => state.rows(),
    };
    assert!(state.rows().is_sorted());
    let mut same = rows.to_vec();
    same.sort_unstable();
    assert_eq!(same[..], state.rows()[..]);
    for (row, file) in rows.iter().zip(files) {
        let mut found = state.file(*row);
        assert_eq!(found.raw.get("baseRowId"), file.raw.get("baseRowId"));
        assert_eq!(state.live_rows(*row), file.live_rows());
        let values = file.partition_values.iter();
        let values = values.map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len));
        let vector = file.deletion_vector.as_ref();
        let said = file.path.len()
            + file.stats.as_ref().map_or(0, String::len)
            + values.sum::<usize>()
            + vector.map_or(0, |vector| vector.to_string().len());
        assert!(said <= state.longest(), "{said}: {}", file.path);
        found.raw = file.raw.clone();
        assert_eq!(found, **file);
    }
    let mut paths: Vec<String> = whole.files.keys().map(|key| key.path.clone()).collect();
    paths.sort();
    let sorted = state.sorted().iter().map(|row| state.file(*row).path);
    assert_eq!(sorted.collect::<Vec<_>>(), paths);
}

#[tokio::test]
async fn many_files_lie_in_the_order_of_their_paths() {
    let probe = Probe::memory();
    let table = probe.table();
    // Scattered, some with the same first bytes, some the beginning of others, some with a vector or with two.
    let name = |n: usize| match (n * 7_919) % 6_000 {
        n if n % 3 == 0 => format!("day=1/{n}"),
        n if n % 7 == 0 => format!("day=1/{}{n}", ["ä", "å", "€"][n % 2 + n % 5 / 4]),
        n => format!("day=1/a_beginning_that_is_long/{n}"),
    };
    let mut lines = vec![PROTOCOL.to_owned(), METADATA.to_owned()];
    lines.extend((0..6_000).map(|n| add(&name(n), n % 9, (n % 5 == 0).then_some(n))));
    lines.push(add(&name(0), 3, Some(1)));
    put(&probe, 0, lines).await;
    let state = Arc::new(table.state(None).await.unwrap());
    assert_eq!(state.rows().len(), 6_001);
    assert!(Arc::ptr_eq(state.rows(), state.sorted()));
    assert!(state.rows().iter().copied().eq(0..6_001));
    agree(&table, &state).await;

    let removed = (0..600).map(|n| remove(&name(n * 10 + 1), None));
    put(&probe, 1, removed.chain([add("day=0/new", 1, None)])).await;
    let carried_on = table.state_after(&state).await.unwrap().unwrap();
    let read = table.state(None).await.unwrap();
    assert_eq!(read.rows().len(), 5_402);
    assert!(read.rows().iter().copied().eq(0..5_402), "without gaps");
    for state in [&*carried_on, &read] {
        agree(&table, state).await;
    }
}

/// A part is closed once there are more rows than a table may have files; the first one loses some of them, others all.
#[tokio::test]
async fn parts_that_lose_files_are_put_in_order_and_carried_on() {
    let probe = Probe::memory();
    let budgets = Budgets {
        files: 6_000,
        ..Budgets::default()
    };
    let table = Table::new(probe.clone(), budgets);
    let name = |n: usize| format!("{:05}", n * 7_919 % 16_000);
    probe.put_commit(0, &[PROTOCOL, METADATA]).await;
    let stays = |n: usize| !(4_800..15_500).contains(&n);
    for version in 1..=32 {
        let files = (version - 1) * 500..version * 500;
        let added = files
            .clone()
            .map(|n| add(&name(n), n % 9, (n % 4 == 0).then_some(n)));
        let before = files.map(|n| n.checked_sub(500));
        let gone = before.flatten().filter(|n| !stays(*n));
        let gone = gone.map(|n| remove(&name(n), (n % 4 == 0).then_some(n)));
        put(&probe, version as u64, gone.chain(added)).await;
    }
    let state = Arc::new(table.state(None).await.unwrap());
    assert_eq!(state.rows().len(), 5_300);
    agree(&table, &state).await;
    let sorted = state.sorted().iter().map(|row| state.file(*row).path);
    assert!(sorted.is_sorted());
    // Many small parts become one.
    let mut state = state;
    for version in 33..=60 {
        let n = 15_500 + version * 7;
        let gone = remove(&name(n), (n % 4 == 0).then_some(n));
        let added = add(&format!("x{version}"), 1, None);
        put(&probe, version as u64, [gone, added]).await;
        state = table.state_after(&state).await.unwrap().unwrap();
    }
    agree(&table, &state).await;
    agree(&table, &table.state(None).await.unwrap()).await;
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

/// What nobody asks a state for takes no room in it, and what it holds of a log counts.
#[tokio::test]
async fn a_log_cannot_hide_what_its_state_weighs() {
    let much = "x".repeat(100_000);
    let domain = |name: &str| {
        format!(
            r#"{{"domainMetadata":{{"domain":"{name}","configuration":"{much}","removed":false}}}}"#
        )
    };
    let weight = |state: &State| -> u64 { state.weight().map(|(_, bytes)| bytes).sum() };
    let probe = Probe::memory();
    let table = probe.table();
    let txn = r#"{"txn":{"appId":"a","version":4}}"#;
    let info = format!(r#"{{"commitInfo":{{"timestamp":17,"userMetadata":"{much}"}}}}"#);
    probe
        .put_commit(0, &[PROTOCOL, METADATA, txn, &domain("one"), &info])
        .await;
    let read = Arc::new(table.state(None).await.unwrap());
    probe.put_commit(1, &[&domain("two"), &info]).await;
    let carried_on = table.state_after(&read).await.unwrap().unwrap();
    for state in [&read, &carried_on] {
        let outline = state.outline();
        assert!(outline.txns.is_empty() && outline.domain_metadata.is_empty());
        assert!(outline.commit_info.is_none());
        assert_eq!(outline.timestamp, Timestamp::from_millis(17));
        assert!(weight(state) < 20_000, "{}", weight(state));
    }
    let setting = format!(r#""configuration":{{"note":"{much}"}}"#);
    let metadata = METADATA.replace(r#""configuration":{}"#, &setting);
    probe.put_commit(2, &[&metadata]).await;
    let state = table.state_after(&carried_on).await.unwrap().unwrap();
    assert!(weight(&state) > 200_000, "{}", weight(&state));
}

/// The state of every version, and its outline, which is read without its files.
async fn agree_throughout(table: &Table, versions: impl Iterator<Item = u64>) {
    for version in versions {
        let state = table.state(Some(version)).await.unwrap();
        agree(table, &state).await;
        let outline = table.outline(Some(version)).await.unwrap();
        let whole = state.outline();
        assert_eq!(
            (outline.version, outline.timestamp, outline.modified),
            (whole.version, whole.timestamp, whole.modified)
        );
        assert_eq!(
            (&outline.protocol, &outline.metadata),
            (&whole.protocol, &whole.metadata)
        );
        assert!(outline.files.is_empty() && outline.tombstones.is_empty());
    }
}

/// Tables of Spark: checkpoints whole, in parts and V2 with sidecars in both notations, compacted commits, deletion vectors.
#[tokio::test]
async fn states_of_the_tables_that_spark_wrote_are_their_snapshots() {
    let folder = Folder::new(env!("CARGO_MANIFEST_DIR")).join("../../end2end/tables");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.join("_delta_log").is_dir() {
            continue;
        }
        let store: Arc<dyn ObjectStore> =
            Arc::new(LocalFileSystem::new_with_prefix(&path).unwrap());
        let table = Table::new(store, Budgets::default());
        let latest = table.latest_version().await.unwrap().unwrap();
        let earliest = table.earliest_version().await.unwrap().unwrap();
        agree_throughout(&table, earliest..=latest).await;
        seen += 1;
    }
    assert!(seen >= 16, "{seen}");
}

/// A row of a checkpoint: path, size, values of `day`, statistics, a removed path. As no writer would order them.
type Written<'a> = (
    Option<&'a str>,
    Option<i64>,
    Option<&'a str>,
    Option<&'a str>,
);

fn checkpoint(rows: &[(Written<'_>, Option<&str>)]) -> Vec<u8> {
    let names = MapFieldNames {
        entry: "key_value".to_owned(),
        key: "key".to_owned(),
        value: "value".to_owned(),
    };
    let text = StringBuilder::new;
    let mut values = MapBuilder::new(Some(names), text(), text());
    for ((path, _, day, _), _) in rows {
        if path.is_some() {
            values.keys().append_value("day");
            values.values().append_option(*day);
        }
        values.append(path.is_some()).unwrap();
    }
    let values = values.finish();
    let paths = StringArray::from_iter(rows.iter().map(|((path, ..), _)| *path));
    let sizes = Int64Array::from_iter(rows.iter().map(|((_, size, ..), _)| *size));
    let stats = StringArray::from_iter(rows.iter().map(|((.., stats), _)| *stats));
    let flags = BooleanArray::from_iter(rows.iter().map(|((path, ..), _)| path.map(|_| false)));
    let removed = StringArray::from_iter(rows.iter().map(|(_, path)| *path));
    let of = |columns: Vec<(&str, ArrayRef)>, there: Vec<bool>| {
        let fields = columns.iter().map(|(name, column)| {
            let kind: DataType = column.data_type().clone();
            Arc::new(Field::new(*name, kind, true))
        });
        let fields = fields.collect::<Vec<_>>().into();
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        let nulls = Some(there.into());
        Arc::new(StructArray::try_new(fields, columns, nulls).unwrap()) as ArrayRef
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("path", Arc::new(paths)),
        ("partitionValues", Arc::new(values)),
        ("size", Arc::new(sizes)),
        ("dataChange", Arc::new(flags)),
        ("stats", Arc::new(stats)),
    ];
    let there = rows.iter().map(|((path, ..), _)| path.is_some());
    let add = of(columns, there.collect());
    let columns: Vec<(&str, ArrayRef)> = vec![("path", Arc::new(removed))];
    let there = rows.iter().map(|(_, path)| path.is_some());
    let remove = of(columns, there.collect());
    let columns = [("add", add, true), ("remove", remove, true)];
    parquet(&[RecordBatch::try_from_iter_with_nullable(columns).unwrap()])
}

/// The last word on a file counts, in a checkpoint as well, though no writer writes two.
#[tokio::test]
async fn what_a_log_says_twice_counts_as_it_was_said_last() {
    let file = |path, day| ((Some(path), Some(7), day, Some("{\"numRecords\":3}")), None);
    let gone = |path| ((None, None, None, None), Some(path));
    let bare = ((Some("bare"), Some(1), None, None), None);
    let mut rows = vec![
        file("a", Some("1")),
        file("b%20c", Some("1")),
        gone("a"),
        file("d", None),
        bare,
        file("d", Some("2")),
        file("a", Some("3")),
        gone("b%20c"),
        gone("never"),
        ((None, None, None, None), None),
    ];
    rows.extend((0..300).map(|_| file("e", Some("4"))));
    let probe = Probe::memory();
    let table = probe.table();
    probe.put_log(&checkpoint_name(3), checkpoint(&rows)).await;
    probe.put_commit(4, &[PROTOCOL, METADATA]).await;
    let remade = [add("e", 1, Some(2)), remove("e", None), add("a", 5, None)];
    let remade: Vec<&str> = remade.iter().map(String::as_str).collect();
    probe.put_commit(5, &remade).await;
    agree_throughout(&table, 4..=5).await;
    let state = table.state(None).await.unwrap();
    let paths = state.rows().iter().map(|row| state.file(*row).path);
    assert_eq!(paths.collect::<Vec<_>>(), ["bare", "d", "e", "a"]);

    // Budgets count what is there, not what is said.
    let files = |files| {
        let budgets = Budgets {
            files,
            ..Budgets::default()
        };
        Table::new(probe.clone(), budgets)
    };
    assert_eq!(files(5).state(None).await.unwrap().rows().len(), 4);
    let refused = files(3).state(None).await;
    assert!(
        matches!(
            refused,
            Err(LogError::Budget {
                what: "active files",
                ..
            })
        ),
        "{refused:?}"
    );
    // What is wrong is named as it is in a snapshot.
    for (row, says) in [
        (file("../x", None), "Escape"),
        (((Some("x"), Some(-1), None, None), None), "size"),
        (((Some("x"), None, None, None), None), "size"),
    ] {
        probe.put_log(&checkpoint_name(5), checkpoint(&[row])).await;
        let (state, snapshot) = (table.state(None).await, table.snapshot(None).await);
        let (state, snapshot) = (format!("{state:?}"), format!("{snapshot:?}"));
        assert!(state.starts_with("Err") && state.contains(says), "{state}");
        assert_eq!(state, snapshot);
    }
}

/// What differs in one value of a hundred is held whole.
#[tokio::test]
async fn partition_values_count_as_what_they_take() {
    let budgets = Budgets {
        total_log_bytes: 100_000,
        ..Budgets::default()
    };
    let columns: Vec<String> = (0..100).map(|n| format!(r#""c{n}":"""#)).collect();
    let columns = columns.join(",");
    for (differ, fits) in [(false, true), (true, false)] {
        let probe = Probe::memory();
        let lines = (0..20).map(|n| {
            let day = if differ { n } else { 0 };
            format!(
                r#"{{"add":{{"path":"f{n}","partitionValues":{{"day":"{day}",{columns}}},"size":1,"modificationTime":1,"dataChange":true}}}}"#
            )
        });
        let lines: Vec<String> = lines.collect();
        let mut all = vec![PROTOCOL, METADATA];
        all.extend(lines.iter().map(String::as_str));
        probe.put_commit(0, &all).await;
        let table = Table::new(probe.clone(), budgets.clone());
        match table.state(None).await {
            Ok(state) => assert!(fits && state.rows().len() == 20),
            Err(error) => assert!(
                !fits && error.to_string().contains("partition values"),
                "{error}"
            ),
        }
    }
}

/// Files that come and go, more often than are there at a time: what no longer counts is let go of on the way.
#[tokio::test]
async fn a_long_log_without_a_checkpoint_is_read_in_the_room_of_its_files() {
    let probe = Probe::memory();
    let budgets = Budgets {
        files: 2_000,
        ..Budgets::default()
    };
    let table = Table::new(probe.clone(), budgets);
    probe.put_commit(0, &[PROTOCOL, METADATA]).await;
    let name = |version: u64, n: usize| format!("{version}/{n:04}");
    for version in 1..=20 {
        let added = (0..1_500).map(|n| add(&name(version, n), n % 9, None));
        let removed = (0..1_500).map(|n| remove(&name(version - 1, n), None));
        put(&probe, version, removed.chain(added)).await;
    }
    let state = table.state(None).await.unwrap();
    assert_eq!(state.rows().len(), 1_500);
    agree(&table, &state).await;
    let once: u64 = state.weight().map(|(_, bytes)| bytes).sum();
    let alone = Probe::memory();
    let lines: Vec<String> = (0..1_500).map(|n| add(&name(20, n), n % 9, None)).collect();
    let mut all = vec![PROTOCOL, METADATA];
    all.extend(lines.iter().map(String::as_str));
    alone.put_commit(0, &all).await;
    let alone = alone.table().state(None).await.unwrap();
    let least: u64 = alone.weight().map(|(_, bytes)| bytes).sum();
    assert!(once < 9 * least, "{once} bytes instead of {least}");
}
