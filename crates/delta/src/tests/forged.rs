//! Checkpoints forged by hand: bombs, paths that lead out, V2 in disguise.

use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, StringArray, StructArray};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field};

use super::checkpoints::{checkpoint_name, parquet};
use super::*;
use crate::{ContainedStore, LogError, Support};

/// A checkpoint of `repeat * times` equal `add` rows.
pub(super) fn forged(path: &str, repeat: usize, times: usize) -> Vec<u8> {
    let path: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(
        path, repeat,
    )));
    let size: ArrayRef = Arc::new(Int64Array::from_value(1, repeat));
    let add = StructArray::from(vec![
        (Arc::new(Field::new("path", DataType::Utf8, true)), path),
        (Arc::new(Field::new("size", DataType::Int64, true)), size),
    ]);
    let batch = RecordBatch::try_from_iter([("add", Arc::new(add) as ArrayRef)]).unwrap();
    parquet(&vec![batch; times])
}

#[tokio::test]
async fn a_bomb_of_five_million_rows_is_refused_by_its_footer() {
    let probe = Probe::memory();
    let bomb = forged("part-0.parquet", 100_000, 50);
    assert!(bomb.len() < 600_000, "{} bytes", bomb.len());
    probe.put_commit(7, &["{}"]).await;
    probe.put_log(&checkpoint_name(7), bomb.clone()).await;
    let counted = Arc::new(ContainedStore::new(
        probe.clone(),
        Path::default(),
        Budgets::default(),
    ));
    let table = Table::new(counted.clone(), Budgets::default());
    let start = Instant::now();
    let result = table.snapshot(None).await;
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    match result {
        Err(LogError::Budget {
            what: "rows of a checkpoint",
            found: 5_000_000,
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
    // Nothing but the footer was fetched, so nothing else can have taken memory.
    let footer = bomb[bomb.len() - 8..bomb.len() - 4]
        .try_into()
        .map(u32::from_le_bytes)
        .unwrap();
    assert_eq!(counted.spent(), u64::from(footer) + 8);
}

#[tokio::test]
async fn checkpoints_have_budgets() {
    let probe = Probe::memory();
    probe
        .put_log(&checkpoint_name(7), forged("x", 1_000, 1))
        .await;
    let all = Budgets::default();
    for (budgets, expected) in [
        (
            Budgets {
                checkpoint_bytes: 100,
                ..all.clone()
            },
            "bytes of a checkpoint",
        ),
        (
            Budgets {
                footer_bytes: 10,
                ..all.clone()
            },
            "bytes of a checkpoint's footer",
        ),
        (
            Budgets {
                checkpoint_rows: 999,
                ..all.clone()
            },
            "rows of a checkpoint",
        ),
        (
            Budgets {
                total_log_bytes: 50,
                ..all.clone()
            },
            "decoded bytes of a checkpoint",
        ),
        (
            Budgets {
                total_log_bytes: 20_000,
                ..all.clone()
            },
            "bytes of the log",
        ),
        (
            Budgets {
                line_bytes: 10,
                ..all
            },
            "bytes of a line",
        ),
    ] {
        match Table::new(probe.clone(), budgets).snapshot(None).await {
            Err(LogError::Budget { what, .. }) => assert_eq!(what, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn escapes_in_checkpoints_are_named() {
    for path in ["../x", "/etc/passwd", "%2e%2e/x", "file:///x"] {
        let probe = Probe::memory();
        probe.put_commit(0, &[PROTOCOL, METADATA]).await;
        probe.put_log(&checkpoint_name(0), forged(path, 1, 1)).await;
        let result = probe.table().snapshot(None).await;
        assert!(
            matches!(
                result,
                Err(LogError::Escape {
                    version: 0,
                    action: "add",
                    ..
                })
            ),
            "{path}: {result:?}"
        );
    }
    let path: ArrayRef = Arc::new(StringArray::from(vec!["../../x.parquet"]));
    let sidecar = StructArray::from(vec![(
        Arc::new(Field::new("path", DataType::Utf8, true)),
        path,
    )]);
    let batch = RecordBatch::try_from_iter([("sidecar", Arc::new(sidecar) as ArrayRef)]).unwrap();
    let probe = Probe::memory();
    probe.put_log(&checkpoint_name(0), parquet(&[batch])).await;
    let result = probe.table().snapshot(None).await;
    assert!(
        matches!(
            result,
            Err(LogError::Escape {
                action: "sidecar",
                ..
            })
        ),
        "{result:?}"
    );
}

#[tokio::test]
async fn v2_checkpoints_are_refused_by_name_unless_the_log_reaches_back() {
    let protocol = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["v2Checkpoint"],"writerFeatures":["v2Checkpoint"]}}"#;
    let v2 = "00000000000000000001.checkpoint.3a0d65cd-4056-49b8-937b-95f9e3ee90e5.json";
    let path: ArrayRef = Arc::new(StringArray::from(vec!["x.parquet"]));
    let sidecar = StructArray::from(vec![(
        Arc::new(Field::new("path", DataType::Utf8, true)),
        path,
    )]);
    let classic_name =
        parquet(&[
            RecordBatch::try_from_iter([("sidecar", Arc::new(sidecar) as ArrayRef)]).unwrap(),
        ]);
    for (name, body) in [
        (v2.to_owned(), b"{}".to_vec()),
        (checkpoint_name(1), classic_name),
    ] {
        let probe = Probe::memory();
        probe.put_commit(0, &[protocol, METADATA]).await;
        probe
            .put_commit(1, &[r#"{"add":{"path":"x","size":1}}"#])
            .await;
        probe.put_log(&name, body).await;
        probe
            .put_log(
                "00000000000000000000.00000000000000000001.compacted.json",
                "{}",
            )
            .await;
        probe.put_log("_sidecars/x.parquet", "x").await;
        let table = probe.table();
        let snapshot = table.snapshot(None).await.unwrap();
        assert_eq!(
            snapshot.support(),
            Support::RefusedFor {
                feature: "v2Checkpoint".into()
            }
        );
        assert_eq!(snapshot.files.len(), 1);
        assert!(matches!(
            table.write_checkpoint(&snapshot).await,
            Err(LogError::Unsupported { .. })
        ));
        probe.delete_log(&commit_name(0)).await;
        let result = table.snapshot(None).await;
        assert!(
            matches!(result, Err(LogError::V2Checkpoint { version: 1 })),
            "{name}: {result:?}"
        );
    }
}
