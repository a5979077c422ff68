//! Checkpoints forged by hand: bombs, paths that lead out, V2 in disguise.

use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, Int64Array, StringArray, StructArray};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, Field};

use super::checkpoints::{checkpoint_name, parquet};
use super::*;
use crate::{ContainedStore, LogError};

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

const V2: &str = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["v2Checkpoint"],"writerFeatures":["v2Checkpoint"]}}"#;
const MANIFEST: &str = "00000000000000000001.checkpoint.3a0d65cd-4056-49b8-937b-95f9e3ee90e5.json";

/// A V2 checkpoint of version 1, whose sidecars are those of the names.
fn manifest(sidecars: &[&str]) -> String {
    let mut lines = vec![
        r#"{"checkpointMetadata":{"version":1}}"#.to_owned(),
        V2.to_owned(),
        METADATA.to_owned(),
    ];
    let sidecars = sidecars.iter().map(|name| {
        format!(r#"{{"sidecar":{{"path":"{name}","sizeInBytes":1,"modificationTime":1}}}}"#)
    });
    lines.extend(sidecars);
    lines.join("\n")
}

#[tokio::test]
async fn v2_checkpoints_are_read_with_their_sidecars_and_not_given_to_the_library() {
    let classic_name = {
        let path: ArrayRef = Arc::new(StringArray::from(vec!["one.parquet", "two.parquet"]));
        let field = Arc::new(Field::new("path", DataType::Utf8, true));
        let sidecar = StructArray::from(vec![(field, path)]);
        let batch = RecordBatch::try_from_iter([("sidecar", Arc::new(sidecar) as ArrayRef)]);
        parquet(&[batch.unwrap()])
    };
    let named = manifest(&["one.parquet", "two.parquet", "one.parquet"]).into_bytes();
    // What a manifest of a classic name does not hold comes from the commit after it.
    let after = [V2, METADATA, r#"{"add":{"path":"z","size":1}}"#];
    for (name, body) in [
        (MANIFEST.to_owned(), named),
        (checkpoint_name(1), classic_name),
    ] {
        let probe = Probe::memory();
        probe.put_log(&name, body).await;
        for (sidecar, path) in [("one", "x"), ("two", "y"), ("old", "gone")] {
            let name = format!("_sidecars/{sidecar}.parquet");
            probe.put_log(&name, forged(path, 1, 1)).await;
        }
        let compacted = "00000000000000000000.00000000000000000001.compacted.json";
        probe.put_log(compacted, "{").await;
        probe.put_commit(2, &after).await;
        let table = probe.table();
        let snapshot = table.snapshot(None).await.unwrap();
        let files: Vec<&str> = snapshot.files.values().map(|file| &*file.path).collect();
        assert_eq!(files, ["x", "y", "z"], "{name}");
        assert_eq!(snapshot.support().refused_for(), None);
        assert_eq!(snapshot.support().clone_refused_for(), None);
        let refused = table.write_checkpoint(&snapshot).await;
        assert!(matches!(refused, Err(LogError::Unsupported { .. })));
    }
}

/// A checkpoint only saves reading, a V2 one too.
#[tokio::test]
async fn a_v2_checkpoint_that_is_not_whole_is_passed_over_or_named() {
    for (manifest, sidecar, says) in [
        (
            "{}".to_owned(),
            forged("x", 1, 1),
            "does not say that it is one",
        ),
        ("{".to_owned(), forged("x", 1, 1), "ends in the middle"),
        (manifest(&["lost.parquet"]), forged("x", 1, 1), "not there"),
        (manifest(&["a.parquet"]), b"PAR1".to_vec(), "too short"),
    ] {
        let probe = Probe::memory();
        probe.put_commit(0, &[V2, METADATA]).await;
        let add = r#"{"add":{"path":"x","size":1}}"#;
        probe.put_commit(1, &[add]).await;
        probe.put_log(MANIFEST, manifest.into_bytes()).await;
        probe.put_log("_sidecars/a.parquet", sidecar).await;
        let table = probe.table();
        let snapshot = table.snapshot(None).await.unwrap();
        assert_eq!(snapshot.files.len(), 1);
        probe.delete_log(&commit_name(0)).await;
        match table.snapshot(None).await {
            Err(LogError::BrokenCheckpoint { version: 1, what }) => {
                assert!(what.contains(says), "{what}");
            }
            other => panic!("{says}: {other:?}"),
        }
    }
    let probe = Probe::memory();
    let leads_out = manifest(&["../../x.parquet"]);
    probe.put_log(MANIFEST, leads_out.into_bytes()).await;
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
    // The budgets hold for a manifest and its sidecars together.
    let probe = Probe::memory();
    let two = manifest(&["a.parquet", "b.parquet"]);
    probe.put_log(MANIFEST, two.into_bytes()).await;
    for name in ["a", "b"] {
        let name = format!("_sidecars/{name}.parquet");
        probe.put_log(&name, forged("x", 600, 1)).await;
    }
    let budgets = Budgets {
        checkpoint_rows: 1_000,
        ..Budgets::default()
    };
    match Table::new(probe.clone(), budgets).snapshot(None).await {
        Err(LogError::Budget {
            what: "rows of a checkpoint",
            ..
        }) => {}
        other => panic!("{other:?}"),
    }
}
