//! Checkpoints: written by the library, read by us; whole, in parts, torn, lying.

use arrow::array::{ArrayRef, BooleanArray, Int64Array, StringArray};
use arrow::record_batch::RecordBatch;
use model::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::*;
use crate::write::{NewTable, Writer};
use crate::{LogError, Snapshot};

pub(super) fn checkpoint_name(version: u64) -> String {
    format!("{version:020}.checkpoint.parquet")
}

fn rows(from: i64) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 6));
    let parts: ArrayRef = Arc::new(StringArray::from(vec![
        Some("a b"),
        Some("ü/%"),
        None,
        Some("c"),
        Some("c"),
        None,
    ]));
    RecordBatch::try_from_iter_with_nullable([("n", numbers, true), ("p", parts, true)]).unwrap()
}

/// Versions 0 to 4: files in partitions with awkward names, some removed.
async fn table() -> (Arc<Probe>, Writer) {
    let probe = Probe::memory();
    let new = NewTable {
        name: Some("visits".into()),
        description: None,
        schema: rows(0).schema(),
        partition_columns: vec!["p".into()],
        configuration: Default::default(),
    };
    // The library leaves out tombstones that have expired by the wall clock.
    let at = |n: i64| {
        Timestamp::from_datetime("2100-01-01T00:00:00Z".parse().unwrap())
            .plus(n * model::time::HOUR)
    };
    let mut writer = Writer::create(probe.table(), 1, at(0), new).await.unwrap();
    writer.append(at(1), &[rows(0)]).await.unwrap();
    writer.append(at(2), &[rows(6)]).await.unwrap();
    writer
        .delete_where(at(3), |rows| {
            let numbers = rows
                .column(0)
                .as_any()
                .downcast_ref::<Int64Array>()
                .unwrap();
            Ok(BooleanArray::from_unary(numbers, |n| n != 3))
        })
        .await
        .unwrap();
    writer.compact(at(4)).await.unwrap();
    (probe, writer)
}

/// All that is the same whether it came from commits or from a checkpoint: the order of files and `dataChange` are not.
fn essence(snapshot: &Snapshot) -> impl PartialEq + fmt::Debug + use<> {
    let mut files: Vec<_> = snapshot
        .files
        .iter()
        .map(|(key, f)| {
            (
                key.clone(),
                f.key.clone(),
                f.size,
                f.partition_values.clone(),
                f.modification_time,
                f.stats.clone(),
            )
        })
        .collect();
    files.sort();
    let mut tombstones: Vec<_> = snapshot
        .tombstones
        .iter()
        .map(|f| (f.file_key(), f.deletion_timestamp, f.size))
        .collect();
    tombstones.sort();
    let metadata = &snapshot.metadata;
    (
        (
            snapshot.version,
            snapshot.timestamp,
            files,
            tombstones,
            snapshot.txns.clone(),
        ),
        (snapshot.protocol.min_reader, snapshot.protocol.min_writer),
        (
            metadata.id.clone(),
            metadata.name.clone(),
            metadata.schema_string.clone(),
        ),
        (
            metadata.partition_columns.clone(),
            metadata.configuration.clone(),
            metadata.created,
        ),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_library_writes_we_read() {
    let (probe, writer) = table().await;
    let table = probe.table();
    let before = table.snapshot(None).await.unwrap();
    assert!(
        before.tombstones.len() >= 4 && before.files.len() == 4,
        "{before:?}"
    );
    table.write_checkpoint(&before).await.unwrap();
    table.write_checkpoint(&before).await.unwrap();
    probe.take_read();
    let after = table.snapshot(None).await.unwrap();
    let read = probe.take_read();
    assert!(
        read.contains(&checkpoint_name(4)) && !read.contains(&commit_name(3)),
        "{read:?}"
    );
    assert_eq!(essence(&before), essence(&after));
    assert!(
        after
            .files
            .keys()
            .any(|key| key.path.starts_with("p=%C3%BC%252F%2525/")),
        "{:?}",
        after.files.keys()
    );

    // Without the commits, as after log cleanup. The time is then that of the checkpoint's object.
    for version in 0..=4 {
        probe.delete_log(&commit_name(version)).await;
    }
    let cleaned = table.snapshot(None).await.unwrap();
    assert_eq!(
        essence(&Snapshot {
            timestamp: before.timestamp,
            ..cleaned.clone()
        }),
        essence(&before)
    );
    assert_eq!(table.earliest_version().await.unwrap(), Some(4));
    let result = table.snapshot(Some(3)).await;
    assert!(
        matches!(
            result,
            Err(LogError::NoSuchVersion {
                earliest: 4,
                latest: 4
            })
        ),
        "{result:?}"
    );
    assert!(matches!(
        table.commit(2).await,
        Err(LogError::NoSuchVersion { .. })
    ));

    // The writer goes on, and so do updates from either snapshot.
    let mut writer = Writer::open(table.clone(), 2).await.unwrap_or(writer);
    writer
        .append(before.timestamp.plus(1_000_000), &[rows(20)])
        .await
        .unwrap();
    let new = table.update(&cleaned).await.unwrap();
    assert_eq!((new.version, new.files.len()), (5, 8));
    assert_eq!(table.update(&before).await.unwrap().files.len(), 8);
}

#[tokio::test]
async fn one_thread_is_enough_to_write_one() {
    let (probe, writer) = table().await;
    writer
        .table()
        .write_checkpoint(writer.snapshot())
        .await
        .unwrap();
    let hint = probe
        .inner
        .get(&log_path("_last_checkpoint"))
        .await
        .unwrap();
    let hint: serde_json::Value = serde_json::from_slice(&hint.bytes().await.unwrap()).unwrap();
    assert_eq!(hint["version"], 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hint_is_a_hint() {
    let (probe, _) = table().await;
    let table = probe.table();
    let truth = table.snapshot(None).await.unwrap();
    table
        .write_checkpoint(&table.snapshot(Some(2)).await.unwrap())
        .await
        .unwrap();
    for hint in [
        "",
        r#"{"version":2,"si"#,
        r#"{"version":"two"}"#,
        r#"{"version":-1}"#,
        r#"{"version":99,"size":1}"#,
        r#"{"version":3,"size":1}"#,
        r#"{"version":18446744073709551615}"#,
        r#"{"version":2,"size":1,"parts":7,"v2Checkpoint":{"path":"../../x"}}"#,
        "\u{0}\u{0}",
    ] {
        probe.put_log("_last_checkpoint", hint).await;
        assert_eq!(
            essence(&table.snapshot(None).await.unwrap()),
            essence(&truth),
            "{hint}"
        );
        assert_eq!(table.latest_version().await.unwrap(), Some(4), "{hint}");
        assert_eq!(table.snapshot(Some(1)).await.unwrap().version, 1, "{hint}");
    }
    probe.delete_log("_last_checkpoint").await;
    assert_eq!(
        essence(&table.snapshot(None).await.unwrap()),
        essence(&truth)
    );
}

pub(super) fn parquet(batches: &[RecordBatch]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batches[0].schema(), None).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.close().unwrap();
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn in_parts_and_with_parts_missing() {
    let (probe, _) = table().await;
    let table = probe.table();
    let truth = table.snapshot(None).await.unwrap();
    table.write_checkpoint(&truth).await.unwrap();
    let whole = probe
        .inner
        .get(&log_path(&checkpoint_name(4)))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let rows = ParquetRecordBatchReaderBuilder::try_new(whole)
        .unwrap()
        .build()
        .unwrap();
    let rows: Vec<RecordBatch> = rows.collect::<std::result::Result<_, _>>().unwrap();
    let rows = arrow::compute::concat_batches(&rows[0].schema(), &rows).unwrap();
    let third = rows.num_rows() / 3;
    let part = |n: usize| format!("{:020}.checkpoint.{n:010}.0000000003.parquet", 4);
    for (n, len) in [(1, third), (2, third), (3, rows.num_rows() - 2 * third)] {
        probe
            .put_log(&part(n), parquet(&[rows.slice((n - 1) * third, len)]))
            .await;
    }
    probe.delete_log(&checkpoint_name(4)).await;
    for version in 0..4 {
        probe.delete_log(&commit_name(version)).await;
    }
    assert_eq!(
        essence(&table.snapshot(None).await.unwrap()),
        essence(&truth)
    );
    probe.delete_log(&part(2)).await;
    let result = table.snapshot(None).await;
    assert!(
        matches!(result, Err(LogError::Gap { missing: 0 })),
        "{result:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_checkpoint_is_passed_over_while_the_log_reaches_back() {
    let (probe, _) = table().await;
    let table = probe.table();
    let truth = table.snapshot(None).await.unwrap();
    table.write_checkpoint(&truth).await.unwrap();
    let good = probe
        .inner
        .get(&log_path(&checkpoint_name(4)))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    let mut flipped = good.to_vec();
    flipped[40..200].fill(0xff);
    let mut huge_footer = good.to_vec();
    let end = huge_footer.len();
    huge_footer[end - 8..end - 4].copy_from_slice(&(u32::try_from(end).unwrap()).to_le_bytes());
    for bad in [
        &b""[..],
        b"PAR1",
        b"not parquet at all",
        &good[..good.len() / 2],
        &flipped,
        &huge_footer,
    ] {
        probe.put_log(&checkpoint_name(4), bad.to_vec()).await;
        let snapshot = table.snapshot(None).await.unwrap();
        assert_eq!(essence(&snapshot), essence(&truth));
        assert!(matches!(
            table.write_checkpoint(&snapshot).await,
            Err(LogError::Unsupported { .. })
        ));
    }
    probe.delete_log(&commit_name(0)).await;
    let result = table.snapshot(None).await;
    assert!(
        matches!(result, Err(LogError::BrokenCheckpoint { version: 4, .. })),
        "{result:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_anywhere_is_an_error_or_a_table() {
    let (probe, writer) = table().await;
    writer
        .table()
        .write_checkpoint(writer.snapshot())
        .await
        .unwrap();
    let good = probe
        .inner
        .get(&log_path(&checkpoint_name(4)))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    for version in 0..4 {
        probe.delete_log(&commit_name(version)).await;
    }
    let (mut read, mut refused) = (0, 0);
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.to_vec();
        bad[at] ^= 0xff;
        probe.put_log(&checkpoint_name(4), bad).await;
        match probe.table().snapshot(None).await {
            Ok(snapshot) => {
                assert_eq!(snapshot.version, 4);
                read += 1;
            }
            Err(LogError::Storage(error)) => panic!("byte {at}: {error}"),
            Err(_) => refused += 1,
        }
    }
    assert!(read > 0 && refused > 0, "{read} read, {refused} refused");
}
