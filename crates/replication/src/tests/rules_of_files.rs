//! The rules a replica must get right, each a test by its number: files, their paths, their objects.

use serde_json::{Value, json};

use super::world::{START, World, add, body, metadata, protocol, remove};
use crate::drive::Outcome;
use crate::{CopyOptions, MARKER};

fn failed(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { why } => why,
        other => panic!("not failed: {other:?}"),
    }
}

const COMMIT_0: &str = "_delta_log/00000000000000000000.json";

#[tokio::test]
async fn rule_06_a_restored_file_is_used_again_if_it_is_still_there() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.commit(1, &[remove("a", 1), remove("b", 1)]);
    world.sync_done().await;
    world.target.delete_now("b");
    world.commit(2, &[add("a", 10), add("b", 20)]);
    world.source.forget();
    let plan = world.sync_done().await;
    assert_eq!(
        (plan.files_reused, plan.files_copy, plan.bytes_copy),
        (1, 1, 20)
    );
    assert_eq!(world.source.reads(), 1);
    assert_eq!(world.replica_paths().await, ["a", "b"]);
}

#[tokio::test]
async fn rule_07_files_are_told_apart_by_raw_path_and_objects_by_key() {
    let world = World::new();
    world.source.put_now("x y", body("x y", 7));
    world.commit(
        0,
        &[
            protocol(),
            metadata("source-1"),
            add("x y", 7),
            add("x%20y", 7),
        ],
    );
    let plan = world.sync_done().await;
    // One object, two files of the log: as the source has it, so the replica.
    assert_eq!(
        (plan.files_copy, plan.bytes_copy, plan.files_full),
        (1, 7, 2)
    );
    assert_eq!(world.replica_paths().await, ["x y", "x%20y"]);
    world.commit(1, &[remove("x%20y", 1)]);
    world.sync_done().await;
    assert_eq!(world.replica_paths().await, ["x y"]);

    // Deletion vectors that the protocol hides are refused by name: a reader that goes by it would show deleted rows.
    let world = World::with_two_files();
    let mut vector = add("a", 10);
    vector["add"]["deletionVector"] =
        json!({ "storageType": "i", "pathOrInlineDv": "abc", "sizeInBytes": 3, "cardinality": 1 });
    world.commit(1, &[vector]);
    let why = failed(world.sync().await);
    assert!(why.contains("deletionVectors"), "{why}");
    assert_eq!(world.target.keys(), [MARKER]);
}

#[tokio::test]
async fn rule_08_new_statistics_of_a_held_file_are_applied_without_a_byte() {
    let world = World::with_two_files();
    world.sync_done().await;
    let mut better = add("a", 10);
    better["add"]["stats"] = json!("{\"numRecords\":3,\"nullCount\":{\"x\":0}}");
    better["add"]["tags"] = json!({ "ZCUBE_ID": "1" });
    world.commit(1, &[better.clone()]);
    world.source.forget();
    let plan = world.sync_done().await;
    assert_eq!(
        (
            plan.files_updated,
            plan.files_copy,
            plan.bytes_copy,
            plan.files_removed
        ),
        (1, 0, 0, 0)
    );
    assert_eq!(world.source.reads(), 0);
    let adds = world.replica_actions(1, "add");
    assert_eq!(adds.len(), 1);
    assert_eq!(adds[0]["stats"], better["add"]["stats"]);
    // Whoever reads the replica as a stream must not see the rows twice.
    assert_eq!(adds[0]["dataChange"], false);
    assert_eq!(world.sync().await, Outcome::Nothing { source_version: 1 });
}

#[tokio::test]
async fn rule_09_paths_stay_to_the_byte_and_objects_keep_their_names() {
    let names = [
        ("p=a%2520b/x.parquet", "p=a%20b/x.parquet"),
        ("p=c%20d/x.parquet", "p=c d/x.parquet"),
        ("p=%C3%BC/x.parquet", "p=ü/x.parquet"),
        ("p=a+b/x.parquet", "p=a+b/x.parquet"),
        ("p=10%3A30/x.parquet", "p=10:30/x.parquet"),
        ("p=%23%3F/x.parquet", "p=#?/x.parquet"),
        (
            "p=__HIVE_DEFAULT_PARTITION__/x.parquet",
            "p=__HIVE_DEFAULT_PARTITION__/x.parquet",
        ),
    ];
    let world = World::new();
    let mut actions = vec![protocol(), metadata("source-1")];
    for (n, (raw, key)) in names.iter().enumerate() {
        world.source.put_now(key, body(key, 9));
        let mut file = add(raw, 9);
        file["add"]["partitionValues"]["p"] = if n == 0 { json!("") } else { Value::Null };
        file["add"]["unknownField"] = json!({ "kept": [1, null] });
        actions.push(file);
    }
    world.commit(0, &actions);
    world.sync_done().await;
    let adds = world.replica_actions(0, "add");
    for (n, (raw, key)) in names.iter().enumerate() {
        assert_eq!(world.target.bytes_now(key), body(key, 9), "{key}");
        assert_eq!(adds[n], actions[n + 2]["add"], "{raw}");
    }
    world.commit(1, &names.map(|(raw, _)| remove(raw, 1)));
    world.sync_done().await;
    let removed = world.replica_actions(1, "remove");
    assert_eq!(removed.len(), names.len());
    assert!(world.replica_paths().await.is_empty());
    assert_eq!(removed[0]["partitionValues"]["p"], "");
}

#[tokio::test]
async fn rules_10_11_paths_outside_and_names_no_store_can_hold_are_refused_by_name() {
    for path in [
        "s3://other/bucket/x.parquet",
        "/etc/passwd",
        "file:///etc/passwd",
        "../finance/x.parquet",
        "p=1/%2e%2e/%2e%2e/x.parquet",
        "p=1//x.parquet",
        "p=1/./x.parquet",
        "p=%01/x.parquet",
        "_delta_log/00000000000000000000.json",
        "_Delta_Log/00000000000000000000.json",
        "_entrepot/marker.json",
    ] {
        let world = World::new();
        world.commit(0, &[protocol(), metadata("source-1"), add(path, 9)]);
        let why = failed(world.sync().await);
        let named = path.chars().filter(|c| !c.is_control()).collect::<String>();
        assert!(why.contains(&named), "{path}: {why}");
        assert_eq!(world.target.keys(), [MARKER], "{path}");
        assert_eq!(world.source.reads(), 0, "{path}");
    }
}

#[tokio::test]
async fn rule_29_an_object_of_another_size_than_the_log_says_fails_the_run() {
    for size in [9, 11] {
        let world = World::with_two_files();
        world.source.put_now("a", body("a", size));
        let why = failed(world.sync().await);
        assert!(why.contains("`a`") && why.contains("says 10"), "{why}");
        assert!(!world.target.keys().contains(&COMMIT_0.to_owned()));
    }
    // Also where the file goes through in parts.
    let mut world = World::with_two_files();
    world.options = CopyOptions {
        part_bytes: 1024,
        ..CopyOptions::default()
    };
    world.commit(1, &[world.add("big", 10_000)]);
    world.source.put_now("big", body("big", 10_001));
    assert!(failed(world.sync().await).contains("`big`"));
}

#[tokio::test]
async fn rule_30_what_came_and_went_between_two_runs_is_never_copied() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.commit(1, &[world.add("brief", 100), remove("a", 1)]);
    world.commit(2, &[remove("brief", 1), add("a", 10)]);
    world.source.forget();
    let plan = world.sync_done().await;
    assert_eq!(
        (plan.files_copy, plan.files_removed, plan.files_updated),
        (0, 0, 0)
    );
    assert_eq!(world.source.reads(), 0);
    // Removed and added again: neither tombstone nor add.
    assert_eq!(world.replica_commit(1).len(), 2);
    assert!(!world.target.data().contains(&"brief".to_owned()));
}

#[tokio::test]
async fn rule_31_tombstones_carry_the_replicas_time() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.clock.advance(3_600_000_000);
    world.commit(1, &[remove("a", 1)]);
    world.sync_done().await;
    let removed = &world.replica_actions(1, "remove")[0];
    assert_eq!(removed["deletionTimestamp"], START + 3_600_000);
    assert_eq!(
        (&removed["dataChange"], &removed["size"]),
        (&json!(true), &json!(10))
    );
}
