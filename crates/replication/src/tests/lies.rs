//! Sources that are broken, too large or not as they say: refused by name, or followed to the byte, and never half of either.

use std::collections::BTreeMap;
use std::sync::Arc;

use delta::write::arrow::array::{ArrayRef, Int64Array};
use delta::write::arrow::record_batch::RecordBatch;
use delta::write::{NewTable, Writer};
use delta::{Budgets, Table};
use model::Timestamp;
use serde_json::json;

use super::world::{START, World, add, metadata, protocol, remove};
use crate::drive::Outcome;
use crate::{MARKER, compare, look, sums};

const COMMIT_1: &str = "_delta_log/00000000000000000001.json";
const CHECKPOINT_1: &str = "_delta_log/00000000000000000001.checkpoint.parquet";

/// Drives a run with these budgets for the source's log.
async fn sync(world: &World, budgets: Budgets) -> Outcome {
    let mut pair = world.pair();
    pair.source = Table::new(world.source.clone(), budgets);
    let (run, engine) = (world.run(), world.engine());
    let driven = crate::drive(&run, &pair, &engine, &world.journal, &world.clock);
    driven.await.unwrap()
}

#[tokio::test]
async fn a_broken_or_outsized_log_is_refused_by_name_and_the_replica_stays_as_it_was() {
    type Case = (&'static str, fn(&World), Budgets, &'static str);
    let usual = Budgets::default();
    let long = |world: &World| {
        let note = json!({ "commitInfo": { "note": "x".repeat(100_000) } });
        world.commit(1, &[note]);
    };
    let cases: [Case; 9] = [
        (
            "a gap",
            |world| world.commit(2, &[world.add("c", 5)]),
            usual.clone(),
            "version 1 is missing",
        ),
        (
            "a last line that is torn",
            |world| {
                let torn = format!("{}\n{{\"add\":{{\"pa", world.add("c", 5));
                world.source.put_now(COMMIT_1, torn);
            },
            usual.clone(),
            "ends in the middle",
        ),
        (
            "an empty commit",
            |world| world.source.put_now(COMMIT_1, ""),
            usual.clone(),
            "empty",
        ),
        (
            "no JSON at all",
            |world| world.source.put_now(COMMIT_1, vec![0_u8; 64]),
            usual.clone(),
            "not a JSON object",
        ),
        (
            "an add that is none",
            |world| world.source.put_now(COMMIT_1, "{\"add\":{\"path\":\"c\"}}"),
            usual.clone(),
            "size",
        ),
        (
            "a line as long as a log",
            long,
            Budgets {
                line_bytes: 50_000,
                ..usual.clone()
            },
            "bytes of a line",
        ),
        (
            "a commit as long as a log",
            long,
            Budgets {
                commit_bytes: 50_000,
                ..usual.clone()
            },
            "bytes of a commit",
        ),
        (
            "a log without an end",
            long,
            Budgets {
                total_log_bytes: 50_000,
                ..usual.clone()
            },
            "bytes of the log",
        ),
        (
            "more files than a table may have",
            |world| world.commit(1, &[world.add("c", 5)]),
            Budgets {
                files: 2,
                ..usual.clone()
            },
            "active files",
        ),
    ];
    for (what, make, budgets, says) in cases {
        // A replica that never was, and one that stands.
        for is_synced in [false, true] {
            let world = World::with_two_files();
            if is_synced {
                world.sync_done().await;
            }
            let before = world.target.keys();
            make(&world);
            world.source.forget();
            let outcome = sync(&world, budgets.clone()).await;
            let Outcome::Failed { why } = outcome else {
                panic!("{what}: {outcome:?}")
            };
            assert!(why.contains(says), "{what}: {why}");
            assert_eq!(world.source.reads(), 0, "{what}");
            let mut after = world.target.keys();
            after.retain(|key| is_synced || key != MARKER);
            assert_eq!(after, before, "{what}");
        }
    }
}

#[tokio::test]
async fn a_checkpoint_that_cannot_be_read_is_passed_over_or_named() {
    let long = b"no parquet at all, but long enough for a footer";
    for bad in [&b""[..], b"PAR1", long] {
        let world = World::with_two_files();
        world.commit(1, &[world.add("c", 5)]);
        world.source.put_now(CHECKPOINT_1, bad);
        let hint = "_delta_log/_last_checkpoint";
        world.source.put_now(hint, r#"{"version":1,"size":1}"#);
        world.sync_done().await;
        assert_eq!(world.replica_paths().await, ["a", "b", "c"]);
        // Without the log behind it there is no table; the replica is what it was.
        world
            .source
            .delete_now("_delta_log/00000000000000000000.json");
        // What went has to be looked up in the state.
        world.commit(2, &[world.add("d", 5), remove("a", 1)]);
        let before = world.target.keys();
        let Outcome::Failed { why } = world.sync().await else {
            panic!("not failed")
        };
        assert!(why.contains("checkpoint of version 1"), "{why}");
        assert_eq!(world.target.keys(), before);
    }
}

/// A writer that says that no row changed, and takes some away: what it says is not believed, what it did is followed.
#[tokio::test]
async fn what_loses_rows_and_says_it_changes_nothing_is_followed_file_by_file() {
    let world = World::with_two_files();
    world.sync_done().await;
    let quiet = |mut action: serde_json::Value, kind: &str| {
        action[kind]["dataChange"] = json!(false);
        action
    };
    let mut smaller = quiet(world.add("c", 5), "add");
    smaller["add"]["stats"] = json!("{\"numRecords\":1}");
    let info = json!({ "commitInfo": { "operation": "OPTIMIZE" } });
    let gone = ["a", "b"].map(|name| quiet(remove(name, 1), "remove"));
    world.commit(1, &[info, gone[0].clone(), gone[1].clone(), smaller]);
    let plan = world.sync_done().await;
    assert_eq!((plan.files_copy, plan.files_removed), (1, 2));
    assert_eq!(plan.rows_full, Some(1));
    assert_eq!(world.replica_paths().await, ["c"]);
    // Whoever reads the replica as a stream is told.
    for (kind, count) in [("add", 1), ("remove", 2)] {
        let said = world.replica_actions(1, kind);
        assert_eq!(said.len(), count);
        assert!(said.iter().all(|action| action["dataChange"] == true));
    }
}

/// How many rows a file has is taken from its footer where it matters: the clone is the source's, and who looks is told who lied.
#[tokio::test]
async fn a_number_of_rows_that_is_not_true_is_found_by_looking_and_changes_no_row() {
    let world = World::new();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..7));
    let rows = RecordBatch::try_from_iter_with_nullable([("id", ids, true)]).unwrap();
    let table = Table::new(world.source.clone(), Budgets::default());
    let new = NewTable {
        name: None,
        description: None,
        schema: rows.schema(),
        partition_columns: Vec::new(),
        configuration: BTreeMap::new(),
    };
    let at = Timestamp::from_millis(START - 1_000_000_000);
    let mut writer = Writer::create(table, 1, at, new).await.unwrap();
    writer.append(at, &[rows]).await.unwrap();
    let told = world.source.bytes_now(COMMIT_1);
    let told = std::str::from_utf8(&told).unwrap();
    let lie = told.replace(r#"\"numRecords\":7"#, r#"\"numRecords\":700"#);
    assert_ne!(lie, told);
    world.source.put_now(COMMIT_1, lie);

    let plan = world.sync_done().await;
    assert_eq!(plan.rows_full, Some(700));
    let pair = world.pair();
    let looked = look(&pair.target, plan.target_version).await.unwrap();
    let why = looked.wrong.values().next().unwrap();
    assert!(why.contains("has 7 rows, but the log says 700"), "{why}");
    let theirs = sums(&pair.source, plan.source_version).await.unwrap();
    let ours = sums(&pair.target, plan.target_version).await.unwrap();
    assert_eq!(compare(&theirs, &ours).unwrap(), 7);
    assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
}

/// A commit is recognised by its first lines, in which the source's id stands: one that does not fit would be taken for a stranger's.
#[tokio::test]
async fn an_id_that_no_commit_could_be_recognised_with_is_refused_by_name() {
    let world = World::new();
    let long = metadata(&"x".repeat(100_000));
    world.commit(0, &[protocol(), long, world.add("a", 10)]);
    let Outcome::Failed { why } = world.sync().await else {
        panic!("not failed")
    };
    assert!(why.contains("its table id"), "{why}");
    assert_eq!(world.source.reads(), 0);
    assert_eq!(world.target.keys(), [MARKER]);
    // One that is merely odd does no harm.
    world.commit(
        0,
        &[
            protocol(),
            metadata(&"x".repeat(10_000)),
            world.add("a", 10),
        ],
    );
    world.sync_done().await;
    assert_eq!(world.sync().await, Outcome::Nothing { source_version: 0 });
}

/// Two files of the log that are one object say two sizes of it: one of them is not true.
#[tokio::test]
async fn two_sizes_of_one_object_are_no_commit() {
    let world = World::new();
    let said = [
        protocol(),
        metadata("source-1"),
        world.add("x y", 10),
        add("x%20y", 11),
    ];
    world.commit(0, &said);
    let outcome = world.drive(&world.run()).await;
    assert!(!matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
    assert!(
        !world
            .target
            .keys()
            .iter()
            .any(|key| key.ends_with(".json") && key != MARKER)
    );
}

#[tokio::test]
async fn nothing_of_a_source_is_put_where_a_replica_keeps_its_own() {
    let vectors = json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"],
    } });
    let hidden = json!({
        "storageType": "u", "pathOrInlineDv": "_entrepot_staged^-aqEH.-t@S}K{vb[*k^", "offset": 1,
        "sizeInBytes": 10, "cardinality": 1,
    });
    for (path, vector) in [
        ("_Entrepot/a", None),
        ("_entrepot_staged/a", None),
        ("a", Some(hidden)),
    ] {
        let world = World::new();
        let mut file = world.add(path, 10);
        if let Some(vector) = vector {
            file["add"]["deletionVector"] = vector;
        }
        world.commit(0, &[vectors.clone(), metadata("source-1"), file]);
        match world.sync().await {
            Outcome::Failed { why } => {
                let said = ["keeps its own files", "Entrepôt's own folder"];
                assert!(said.iter().any(|said| why.contains(said)), "{why}");
            }
            other => panic!("{path}: {other:?}"),
        }
        assert_eq!(world.target.data(), Vec::<String>::new());
    }
}
