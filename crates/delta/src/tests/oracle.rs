//! deltalake's own reader as the oracle: the same files and versions for every table our writer makes.

use std::collections::BTreeSet;

use arrow::array::{
    Array, AsArray, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
    StringArray,
};
use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use arrow::compute::kernels::cmp;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use arrow_schema::{ArrowError, DataType, Field};
use deltalake::DeltaTableBuilder;
use model::Timestamp;
use model::time::DAY;
use object_store::local::LocalFileSystem;
use url::Url;

use super::*;
use crate::write::{NewTable, WriteError, Writer};
use crate::{ContainedStore, contain, inspect};

const DAY_0: Timestamp = Timestamp::from_utc_day(20_000);
const AWKWARD: [Option<&str>; 6] = [
    Some("Köln Süd"),
    Some("a/b%c"),
    Some("x=1+2"),
    None,
    Some("p:q#r?"),
    Some("100% [ok]"),
];

fn rows(from: i64, count: i64) -> RecordBatch {
    let n = from..from + count;
    let small = |i: i64| i32::try_from(i).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("id", Arc::new(Int64Array::from_iter_values(n.clone()))),
        (
            "city",
            Arc::new(StringArray::from_iter(
                n.clone().map(|i| AWKWARD[i.unsigned_abs() as usize % 6]),
            )),
        ),
        (
            "day",
            Arc::new(Date32Array::from_iter_values(
                n.clone().map(|i| small(20_000 + i / 100)),
            )),
        ),
        (
            "km",
            Arc::new(Float64Array::from_iter(
                n.clone().map(|i| (i % 3 != 0).then_some(i as f64 * 1.5)),
            )),
        ),
        ("price", {
            let values = Decimal128Array::from_iter_values(n.clone().map(|i| i128::from(i) * 101));
            Arc::new(values.with_precision_and_scale(12, 2).unwrap())
        }),
        ("at", {
            let values = TimestampMicrosecondArray::from_iter_values(
                n.map(|i| DAY_0.micros() + i * 1_234_567),
            );
            Arc::new(values.with_timezone("UTC"))
        }),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .unwrap()
}

fn new_table() -> NewTable {
    NewTable {
        name: Some("visits".into()),
        description: Some("Workshop visits".into()),
        schema: rows(0, 1).schema(),
        partition_columns: vec!["city".into(), "day".into()],
        configuration: [(
            "delta.logRetentionDuration".to_owned(),
            "interval 60 days".to_owned(),
        )]
        .into(),
    }
}

fn ids(rows: &RecordBatch) -> Vec<i64> {
    let mut ids = rows.column(0).as_primitive::<Int64Type>().values().to_vec();
    ids.sort_unstable();
    ids
}

fn below(rows: &RecordBatch, limit: i64) -> std::result::Result<BooleanArray, ArrowError> {
    cmp::lt(rows.column(0), &Int64Array::new_scalar(limit))
}

/// Appends, deletes, updates, compaction, a new column: one version each.
async fn month(table: Table) -> Writer {
    let at = |day: i64| DAY_0.plus(day * DAY);
    let mut w = Writer::create(table, 42, at(0), new_table()).await.unwrap();
    w.append(at(1), &[rows(0, 20)]).await.unwrap();
    w.append(at(2), &[rows(20, 20), rows(40, 5)]).await.unwrap();
    let updated = |rows: &RecordBatch| {
        let hit = cmp::eq(rows.column(0), &Int64Array::new_scalar(7))?;
        if hit.true_count() == 0 {
            return Ok(None);
        }
        let mut columns = rows.columns().to_vec();
        columns[1] = Arc::new(StringArray::from(vec!["moved"; rows.num_rows()]));
        RecordBatch::try_new(rows.schema(), columns).map(Some)
    };
    w.update_where(at(3), updated).await.unwrap();
    w.delete_where(at(4), |rows| below(rows, 38)).await.unwrap();
    w.append(at(5), &[rows(100, 20)]).await.unwrap();
    w.compact(at(6)).await.unwrap();
    w.add_column(at(7), Field::new("note", DataType::Utf8, true))
        .await
        .unwrap();
    let mut columns = rows(200, 6).columns().to_vec();
    columns.push(Arc::new(StringArray::from(vec![Some("new"); 6])));
    let wider = RecordBatch::try_new(w.schema().clone(), columns).unwrap();
    w.append(at(8), &[wider]).await.unwrap();
    w
}

/// Version, files, rows by deltalake. The wrapper lists in order, which it expects of everything but `file:`.
async fn by_deltalake(store: Arc<dyn ObjectStore>, version: u64) -> (u64, BTreeSet<String>, usize) {
    let url = Url::parse("memory:///").unwrap();
    let store = Arc::new(ContainedStore::new(
        store,
        Path::default(),
        Budgets::default(),
    ));
    let builder = DeltaTableBuilder::from_url(url.clone()).unwrap();
    let table = builder
        .with_storage_backend(store, url)
        .with_version(version)
        .load()
        .await
        .unwrap();
    let state = table.snapshot().unwrap();
    let files: BTreeSet<String> = state
        .log_data()
        .iter()
        .map(|file| file.path().to_string())
        .collect();
    let rows = state
        .log_data()
        .iter()
        .map(|file| file.num_records().unwrap())
        .sum();
    (table.version().unwrap(), files, rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn deltalake_sees_the_same_files_at_every_version() {
    let folder = tempfile::tempdir().unwrap();
    let local: Arc<dyn ObjectStore> =
        Arc::new(LocalFileSystem::new_with_prefix(folder.path()).unwrap());
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    for store in [memory, local] {
        let table = Table::new(store.clone(), Budgets::default());
        let writer = month(table.clone()).await;
        assert_eq!(writer.snapshot().version, 8);
        for version in 0..=8 {
            let snapshot = table.snapshot(Some(version)).await.unwrap();
            let ours: BTreeSet<String> = snapshot
                .files
                .values()
                .map(|file| file.key.to_string())
                .collect();
            let rows = usize::try_from(snapshot.rows().unwrap()).unwrap();
            assert_eq!(
                (version, ours, rows),
                by_deltalake(store.clone(), version).await
            );
            for file in snapshot.files.values() {
                assert_eq!(store.head(&file.key).await.unwrap().size, file.size);
                assert_eq!(contain(&file.path).as_ref(), Ok(&file.key));
            }
        }
        // And once more from a checkpoint, written through the library.
        let newest = table.snapshot(None).await.unwrap();
        table.write_checkpoint(&newest).await.unwrap();
        for version in 0..8 {
            store
                .delete(&log_path(&commit_name(version)))
                .await
                .unwrap();
        }
        let again = table.snapshot(None).await.unwrap();
        let ours: BTreeSet<String> = again
            .files
            .values()
            .map(|file| file.key.to_string())
            .collect();
        let rows = usize::try_from(again.rows().unwrap()).unwrap();
        assert_eq!((8, ours, rows), by_deltalake(store.clone(), 8).await);
    }
}

#[tokio::test]
async fn rows_are_what_was_written() {
    let probe = Probe::memory();
    let writer = month(probe.table()).await;
    let all = writer.rows().await.unwrap();
    let expected: Vec<i64> = (0..38).chain(100..120).chain(200..206).collect();
    assert_eq!(ids(&all), expected);
    assert_eq!(Some(expected.len() as u64), writer.snapshot().rows());
    let note = all.column(6);
    assert_eq!(note.len() - note.null_count(), 6);
    let cities: BTreeSet<Option<String>> = all
        .column(1)
        .as_string::<i32>()
        .iter()
        .map(|city| city.map(str::to_owned))
        .collect();
    let mut wanted: BTreeSet<_> = AWKWARD.iter().map(|city| city.map(str::to_owned)).collect();
    wanted.insert(Some("moved".into()));
    assert_eq!(cities, wanted);
    let times: Vec<_> = (0..=8).map(|day| DAY_0.plus(day * DAY)).collect();
    for (version, time) in (0..).zip(times) {
        assert_eq!(
            probe
                .table()
                .snapshot(Some(version))
                .await
                .unwrap()
                .timestamp,
            time
        );
    }
}

#[tokio::test]
async fn the_same_seed_writes_the_same_bytes() {
    let mut bodies = Vec::new();
    for _ in 0..2 {
        let probe = Probe::memory();
        let writer = month(probe.table()).await;
        let mut body = Vec::new();
        for version in 0..=8 {
            let commit = probe
                .inner
                .get(&log_path(&commit_name(version)))
                .await
                .unwrap();
            body.push(commit.bytes().await.unwrap());
        }
        for file in writer.snapshot().files.values() {
            body.push(
                probe
                    .inner
                    .get(&file.key)
                    .await
                    .unwrap()
                    .bytes()
                    .await
                    .unwrap(),
            );
        }
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test]
async fn compaction_changes_no_data() {
    let probe = Probe::memory();
    month(probe.table()).await;
    let table = probe.table();
    let commit = table.commit(6).await.unwrap();
    let mut seen = (0, 0);
    for action in &commit.actions {
        match action {
            crate::Action::Add(file) => {
                assert!(!file.data_change);
                seen.0 += 1;
            }
            crate::Action::Remove(file) => {
                assert!(!file.data_change);
                assert_eq!(file.deletion_timestamp, Some(DAY_0.plus(6 * DAY).millis()));
                seen.1 += 1;
            }
            _ => {}
        }
    }
    assert!(seen.0 > 0 && seen.1 > seen.0, "{seen:?}");
    let rows = |version| {
        let table = table.clone();
        async move { table.snapshot(Some(version)).await.unwrap().rows() }
    };
    assert_eq!(rows(5).await, rows(6).await);
}

#[tokio::test]
async fn an_inspection_tells_what_is_there() {
    let probe = Probe::memory();
    let writer = month(probe.table()).await;
    let found = inspect(&probe.table()).await.unwrap();
    assert_eq!(
        (found.version, found.timestamp, found.earliest_version),
        (8, DAY_0.plus(8 * DAY), 0)
    );
    assert_eq!(
        (found.name.as_deref(), found.description.as_deref()),
        (Some("visits"), Some("Workshop visits"))
    );
    let columns: Vec<_> = found
        .columns
        .iter()
        .map(|c| format!("{} {}", c.name, c.type_text))
        .collect();
    assert_eq!(
        columns,
        [
            "id bigint",
            "city string",
            "day date",
            "km double",
            "price decimal(12,2)",
            "at timestamp",
            "note string"
        ]
    );
    assert_eq!(found.partition_columns, ["city", "day"]);
    assert_eq!(
        (found.rows, found.bytes),
        (Some(64), writer.snapshot().bytes())
    );
    assert_eq!(found.files, writer.snapshot().files.len() as u64);
    assert_eq!(
        (found.min_reader, found.min_writer, found.change_data_feed),
        (1, 2, false)
    );
    assert!(found.support.is_full() && found.features.is_empty());
    assert_eq!(
        found.configuration["delta.logRetentionDuration"],
        "interval 60 days"
    );
}

#[tokio::test]
async fn what_the_writer_does_not_write_it_refuses() {
    let probe = Probe::memory();
    let refused = |new: NewTable| {
        let table = probe.table();
        async move {
            matches!(
                Writer::create(table, 1, DAY_0, new).await,
                Err(WriteError::Unsupported(_))
            )
        }
    };
    let feed = [("delta.enableChangeDataFeed".to_owned(), "true".to_owned())].into();
    assert!(
        refused(NewTable {
            configuration: feed,
            ..new_table()
        })
        .await
    );
    assert!(
        refused(NewTable {
            partition_columns: vec!["km".into()],
            ..new_table()
        })
        .await
    );
    let duration = Field::new(
        "d",
        DataType::Duration(arrow_schema::TimeUnit::Second),
        true,
    );
    let schema = Arc::new(arrow_schema::Schema::new(vec![duration]));
    assert!(
        refused(NewTable {
            schema,
            partition_columns: vec![],
            ..new_table()
        })
        .await
    );
    Writer::create(probe.table(), 1, DAY_0, new_table())
        .await
        .unwrap();
    let second = Writer::create(probe.table(), 2, DAY_0, new_table()).await;
    assert!(
        matches!(second, Err(WriteError::Conflict { version: 0 })),
        "{second:?}"
    );
    let mut open = Writer::open(probe.table(), 3).await.unwrap();
    assert_eq!(open.schema(), &rows(0, 1).schema());
    assert_eq!(
        open.append(DAY_0, &[rows(0, 0)]).await.unwrap(),
        0,
        "no rows, no commit"
    );
    let mut other = Writer::open(probe.table(), 4).await.unwrap();
    assert_eq!(open.append(DAY_0, &[rows(0, 3)]).await.unwrap(), 1);
    assert!(matches!(
        other.append(DAY_0, &[rows(3, 3)]).await,
        Err(WriteError::Conflict { version: 1 })
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn timestamps_without_zone_and_nested_columns() {
    let probe = Probe::memory();
    let local: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None]));
    let list: ArrayRef = Arc::new(arrow::array::ListArray::from_iter_primitive::<
        Int64Type,
        _,
        _,
    >([Some(vec![Some(1), None]), None]));
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let nested: ArrayRef = Arc::new(arrow::array::StructArray::from(vec![(
        Arc::new(Field::new("a", DataType::Int64, true)),
        inner,
    )]));
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("t", local, true),
        ("l", list, true),
        ("s", nested, true),
    ])
    .unwrap();
    let new = NewTable {
        schema: rows.schema(),
        partition_columns: vec![],
        ..new_table()
    };
    let mut writer = Writer::create(probe.table(), 1, DAY_0, new).await.unwrap();
    writer
        .append(DAY_0, std::slice::from_ref(&rows))
        .await
        .unwrap();
    assert_eq!(writer.rows().await.unwrap(), rows);
    assert_eq!(
        Writer::open(probe.table(), 1).await.unwrap().schema(),
        &rows.schema()
    );
    let found = inspect(&probe.table()).await.unwrap();
    assert!(found.support.is_full() && found.features.contains("timestampNtz"));
    assert_eq!(by_deltalake(probe.inner.clone(), 1).await.2, 2);
}
