//! What fuzzing calls: bytes that nobody has looked at, for what reads logs. Each function panics where something that must hold
//! does not. Only built for tests and with the feature `fuzzing`; no part of what this crate offers. See docs/FUZZING.md.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::json;

use crate::actions::parse_line;
use crate::contain::contain_sidecar;
use crate::fields::At;
use crate::state::FEW_ROWS;
use crate::{Action, Budgets, MAX_KEY_BYTES, Snapshot, State, Table, deletion_vector_key, encode};

#[cfg(test)]
#[path = "../../../fuzz/mutations.rs"]
mod mutations;

const CLASSIC: &str = "00000000000000000007.checkpoint.parquet";
const MANIFEST: &str = "00000000000000000007.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json";

/// Where the table of the log lies.
const HOME: &str = "s3://lake/sales/visits/";

/// A path of a log.
pub fn contain(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(key) = crate::contain(text) {
        check_inside(&key);
        assert_eq!(
            crate::contain(&encode(&key)),
            Ok(key),
            "the key is another one after encoding"
        );
    }
    if let Ok(key) = contain_sidecar(text) {
        assert!(key.as_ref().starts_with("_delta_log/_sidecars/"), "{key}");
        check_segments(&key);
    }
    let homes = [HOME.to_owned()];
    for kind in ["u", "p", "i", ""] {
        let descriptor = json!({ "storageType": kind, "pathOrInlineDv": text });
        if let Ok(Some(key)) = deletion_vector_key(&descriptor, &homes) {
            check_inside(&key);
        }
    }
}

/// A line of a commit.
pub fn log_line(data: &[u8]) {
    let homes = [HOME.to_owned()];
    let at = At {
        version: 7,
        line: 1,
        homes: &homes,
    };
    let Ok(actions) = parse_line(data, at) else {
        return;
    };
    for action in actions {
        match action {
            Action::Add(file) => {
                check_named(&file.path, &file.key);
                file.deletion_vector_key.iter().for_each(check_inside);
                assert_eq!(file.file_key().path, file.path);
                if let (Some(live), Some(all)) = (file.live_rows(), file.num_records()) {
                    assert!(live <= all, "more rows are live than there are");
                }
            }
            Action::Remove(file) => {
                check_named(&file.path, &file.key);
                file.deletion_vector_key.iter().for_each(check_inside);
                assert_eq!(file.file_key().path, file.path);
                drop(file.partition_values());
            }
            Action::Cdc(file) => check_named(&file.path, &file.key),
            Action::Metadata(metadata) => {
                let _ = metadata.records_changes();
            }
            Action::Sidecar(key) => check_segments(&key),
            _ => {}
        }
    }
}

/// A checkpoint: a Parquet file, or the manifest of a V2 checkpoint.
pub fn checkpoint(data: &[u8]) {
    let name = if data.starts_with(b"PAR1") {
        CLASSIC
    } else {
        MANIFEST
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime without a driver takes nothing from the system");
    let Some((snapshot, state)) = runtime.block_on(read(name, data.to_vec())) else {
        return;
    };
    // Read in two ways, and the same.
    assert_eq!(state.rows().len(), snapshot.files.len());
    let mut files: Vec<_> = snapshot.files.iter().collect();
    let rows = match files.len() > FEW_ROWS {
        true => {
            files.sort_by_key(|(key, _)| *key);
            state.sorted()
        }
        false => state.rows(),
    };
    for (row, (_, file)) in rows.iter().zip(files) {
        let found = state.file(*row);
        assert_eq!((&found.path, &found.key), (&file.path, &file.key));
        assert_eq!(
            (found.size, found.data_change),
            (file.size, file.data_change)
        );
        assert_eq!(found.partition_values, file.partition_values);
        assert_eq!(found.modification_time, file.modification_time);
        assert_eq!(
            found.stats.unwrap_or_default(),
            file.stats.as_deref().unwrap_or_default()
        );
    }
    for file in snapshot.files.values() {
        check_named(&file.path, &file.key);
    }
    for file in &snapshot.tombstones {
        check_named(&file.path, &file.key);
    }
}

async fn read(name: &str, data: Vec<u8>) -> Option<(Snapshot, State)> {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let path = Path::from(format!("_delta_log/{name}"));
    objects.put(&path, data.into()).await.ok()?;
    let budgets = Budgets {
        line_bytes: 1 << 20,
        checkpoint_bytes: 1 << 20,
        footer_bytes: 1 << 20,
        checkpoint_rows: 10_000,
        total_log_bytes: 16 << 20,
        ..Budgets::default()
    };
    let table = Table::new(objects, budgets);
    let snapshot = table.snapshot(None).await.ok()?;
    let state = table.state(None).await;
    Some((snapshot, state.expect("what has a snapshot has a state")))
}

fn check_named(path: &str, key: &Path) {
    check_inside(key);
    assert_eq!(crate::contain(path).as_ref(), Ok(key), "{path:?}");
}

/// Inside the table, and neither in its log nor in our own folder.
fn check_inside(key: &Path) {
    check_segments(key);
    let first = key.as_ref().split('/').next().unwrap_or_default();
    for reserved in ["_delta_log", "_entrepot"] {
        assert!(!first.eq_ignore_ascii_case(reserved), "{key}");
    }
}

fn check_segments(key: &Path) {
    let text = key.as_ref();
    assert!((1..=MAX_KEY_BYTES).contains(&text.len()), "{key}");
    assert!(!text.contains(['\\', '\0']), "{key}");
    for segment in text.split('/') {
        assert!(!matches!(segment, "" | "." | ".."), "{key}");
    }
}

#[cfg(test)]
mod tests {
    use super::mutations::run;

    #[test]
    fn contain() {
        run("contain", 6_000, super::contain);
    }

    #[test]
    fn log_line() {
        run("log_line", 4_000, super::log_line);
    }

    #[test]
    fn checkpoint() {
        run("checkpoint", 250, super::checkpoint);
    }

    /// Else the target of checkpoints would look at nothing but refusals.
    #[tokio::test]
    async fn seeds_are_checkpoints() {
        for (seed, name) in [
            ("classic.parquet", super::CLASSIC),
            ("manifest.json", super::MANIFEST),
        ] {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/checkpoint");
            let data = std::fs::read(format!("{folder}/{seed}")).unwrap();
            assert!(super::read(name, data).await.is_some(), "{seed}");
        }
    }
}
