//! Looking at the replica, without the engine that made it: what its newest commit says, what lies in its folder, and its rows as
//! the library reads them.

use delta::write::arrow::array::{Array as _, AsArray as _};
use delta::write::arrow::datatypes::Int64Type;
use delta::write::arrow::record_batch::RecordBatch;
use delta::{contain, witness};
use model::Timestamp;
use serde_json::Value;

use super::super::world::World;
use super::state::{Row, Version};
use crate::look;

/// Where the replica stands: its own version, and which version of the source that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) version: u64,
    pub(super) source: Version,
}

/// The versions of the replica's log.
fn versions(world: &World) -> Vec<u64> {
    let keys = world.target.keys().into_iter();
    let mut versions: Vec<u64> = keys
        .filter_map(|key| {
            let name = key.strip_prefix("_delta_log/")?.strip_suffix(".json")?;
            name.parse().ok()
        })
        .collect();
    versions.sort_unstable();
    versions
}

fn info(world: &World, version: u64) -> Value {
    world.replica_commit(version)[0]["commitInfo"].clone()
}

/// None before the first commit.
pub(super) fn standing(world: &World) -> Option<Standing> {
    let version = *versions(world).last()?;
    let info = info(world, version);
    let table = info["entrepot"]["sourceTable"].as_str().unwrap();
    let of_source = info["sourceVersion"].as_u64().unwrap();
    Some(Standing {
        version,
        source: (table.to_owned(), of_source),
    })
}

/// Every object that the version names is there, is what the log says and can be read.
pub(super) async fn has_its_objects(world: &World, version: u64) {
    let looked = look(&world.pair().target, version).await.unwrap();
    assert!(looked.wrong.is_empty(), "{looked:?}");
}

/// The rows by the library, sorted, and whether they have the column that came later.
pub(super) async fn rows(world: &World, version: u64) -> (Vec<Row>, bool) {
    let (found, batches) = witness::rows(world.target.clone(), Some(version))
        .await
        .unwrap();
    assert_eq!(found, version);
    let has_note = |batch: &RecordBatch| batch.column_by_name("note").is_some();
    let has_note = batches.iter().any(has_note);
    let mut rows: Vec<Row> = batches.iter().flat_map(rows_of).collect();
    rows.sort();
    (rows, has_note)
}

fn rows_of(batch: &RecordBatch) -> Vec<Row> {
    let number = |name: &str, at: usize| {
        // Of a narrowed replica it may be left out, or hashed.
        let column = batch.column_by_name(name)?;
        let column = column.as_primitive_opt::<Int64Type>()?;
        column.is_valid(at).then(|| column.value(at))
    };
    let text = |name: &str, at: usize| {
        let column = batch.column_by_name(name)?.as_string::<i32>();
        column.is_valid(at).then(|| column.value(at).to_owned())
    };
    (0..batch.num_rows())
        .map(|at| Row {
            id: number("id", at).unwrap(),
            p: text("p", at),
            x: number("x", at),
            note: text("note", at),
        })
        .collect()
}

/// Whoever began to read before a version was replaced, and that is not longer ago than the retention, still can.
pub(super) async fn can_still_be_read(world: &World, kept_since: Timestamp) {
    let target = world.pair().target;
    let versions = versions(world);
    let keys = world.target.keys();
    for (at, version) in versions.iter().enumerate() {
        let replaced = versions.get(at + 1).map(|next| {
            let millis = info(world, *next)["timestamp"].as_i64().unwrap();
            Timestamp::from_millis(millis)
        });
        if replaced.is_some_and(|replaced| replaced <= kept_since) {
            continue;
        }
        let snapshot = target.snapshot(Some(*version)).await.unwrap();
        for file in snapshot.files.values() {
            let objects = [Some(&file.key), file.deletion_vector_key.as_ref()];
            for key in objects.into_iter().flatten() {
                let is_there = keys.contains(&key.to_string());
                assert!(is_there, "`{key}` of version {version} is gone");
            }
        }
    }
}

/// What was removed longer ago than the retention is not there any more.
pub(super) async fn has_forgotten(world: &World, kept_since: Timestamp) {
    let Ok(snapshot) = world.pair().target.snapshot(None).await else {
        // Vacuumed before the first commit.
        assert!(versions(world).is_empty());
        return;
    };
    let mut kept: Vec<&str> = Vec::new();
    for file in snapshot.files.values() {
        kept.push(file.key.as_ref());
        kept.extend(file.deletion_vector_key.as_ref().map(AsRef::as_ref));
    }
    for file in &snapshot.tombstones {
        let at = file.deletion_timestamp.map(Timestamp::from_millis);
        if at.is_some_and(|at| at > kept_since) {
            kept.push(file.key.as_ref());
            kept.extend(file.deletion_vector_key.as_ref().map(AsRef::as_ref));
        }
    }
    // What the source's change feed tells goes with what its commit removed.
    let mut fed = Vec::new();
    for version in versions(world) {
        let at = info(world, version)["timestamp"].as_i64().unwrap();
        if Timestamp::from_millis(at) > kept_since {
            fed.extend(world.replica_actions(version, "cdc"));
        }
    }
    let fed = fed.iter().map(|cdc| cdc["path"].as_str().unwrap());
    let fed: Vec<String> = fed.map(|path| contain(path).unwrap().to_string()).collect();
    kept.extend(fed.iter().map(String::as_str));
    for key in world.target.data() {
        assert!(kept.contains(&key.as_str()), "`{key}` is still there");
    }
}
