//! The rules a replica must get right, each a test by its number.

use futures::FutureExt as _;
use model::{RunState, Timestamp};
use serde_json::json;

use super::probe::Mode;
use super::world::{START, World, body, configured, metadata, protocol, remove};
use crate::drive::Outcome;
use crate::mark::app_id;
use crate::plan::{FullReason, Planned, plan};
use crate::{MARKER, OPERATION};

fn parked(outcome: Outcome) -> String {
    match outcome {
        Outcome::Parked { why } => why,
        other => panic!("not parked: {other:?}"),
    }
}

fn failed(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { why } => why,
        other => panic!("not failed: {other:?}"),
    }
}

const COMMIT_0: &str = "_delta_log/00000000000000000000.json";
const COMMIT_1: &str = "_delta_log/00000000000000000001.json";

#[tokio::test(flavor = "multi_thread")]
async fn rule_01_objects_then_a_look_then_the_commit_then_the_checkpoint() {
    let world = World::with_two_files();
    world.sync_done().await;
    let asked = world.target.asked();
    let at = |what: &str| {
        asked
            .iter()
            .rposition(|a| a == what)
            .unwrap_or_else(|| panic!("{what}"))
    };
    let commit = at(&format!("put {COMMIT_0}"));
    for key in ["a", "b"] {
        let put = at(&format!("put {key}"));
        let look = asked
            .iter()
            .enumerate()
            .any(|(n, a)| n > put && n < commit && *a == format!("head {key}"));
        assert!(put < commit && look, "{asked:?}");
    }
    assert!(at(&format!("put {MARKER}")) < at("put a"));
    for version in 1..=10 {
        world.commit(version, &[world.add(&format!("f{version}"), 5)]);
        world.sync_done().await;
    }
    let asked = world.target.asked();
    let at = |part: &str| {
        asked
            .iter()
            .rposition(|a| a.starts_with("put ") && a.contains(part))
    };
    assert!(at("00000000000000000010.json") < at("00000000000000000010.checkpoint.parquet"));
    assert!(at("00000000000000000010.checkpoint.parquet").is_some());
    assert_eq!(
        asked
            .iter()
            .filter(|a| a.contains("put") && a.contains("checkpoint.parquet"))
            .count(),
        1
    );
    // The log goes on over its own checkpoint.
    world.commit(11, &[remove("f1", 1)]);
    let plan = world.sync_done().await;
    assert_eq!(
        (plan.files_removed, plan.files_updated, plan.files_copy),
        (1, 0, 0)
    );
}

#[tokio::test]
async fn rule_02_a_commit_whose_answer_was_lost_is_recognised() {
    // Every effect in turn takes place but is answered by an error; at one of them it is the commit.
    let mut met = false;
    for n in 0.. {
        let world = World::with_two_files();
        world.faults.arm(n, Mode::Lost);
        let outcome = world.drive(&world.run()).await;
        let Some(what) = world.faults.what() else {
            break;
        };
        if what == format!("put {COMMIT_0}") {
            assert!(matches!(outcome, Ok(Outcome::Done(_))), "{outcome:?}");
            met = true;
        }
    }
    assert!(met);

    // The process died right after its commit: the next attempt finds it.
    let world = World::with_two_files();
    let run = world.run();
    world.drive(&run).await.unwrap();
    let before = world.target.bytes_now(COMMIT_0);
    let again = crate::drive::Run {
        attempt: 2,
        ..run.clone()
    };
    let mut record = world.journal.record(run.id);
    record.state = RunState::Committing;
    crate::RunJournal::save(&world.journal, run.id, 2, &record)
        .await
        .unwrap();
    assert!(matches!(
        world.drive(&again).await.unwrap(),
        Outcome::Done(_)
    ));
    assert_eq!(world.target.bytes_now(COMMIT_0), before);
    assert!(!world.target.keys().contains(&COMMIT_1.to_owned()));
}

#[tokio::test]
async fn rule_03_one_commit_per_source_version() {
    let world = World::with_two_files();
    let plan = world.sync_done().await;
    assert_eq!(plan.full, Some(FullReason::First));
    let txn = &world.replica_actions(0, "txn")[0];
    assert_eq!(txn["appId"], app_id(World::replica_table()).as_str());
    assert_eq!(txn["version"], 0);
    let info = &world.replica_commit(0)[0]["commitInfo"];
    assert_eq!(info["operation"], OPERATION);
    assert_eq!(
        (&info["sourceVersion"], &info["timestamp"]),
        (&json!(0), &json!(START))
    );
    assert!(info["sourceTimestamp"].is_i64());
    assert_eq!(world.sync().await, Outcome::Nothing { source_version: 0 });
    // A version without anything for the replica still moves it.
    world.commit(1, &[json!({ "commitInfo": { "timestamp": 7 } })]);
    let plan = world.sync_done().await;
    assert_eq!(
        (plan.from_version, plan.source_version, plan.bytes_copy),
        (Some(0), 1, 0)
    );
    assert_eq!(world.replica_actions(1, "txn")[0]["version"], 1);
    assert_eq!(world.replica_commit(1).len(), 2);
    assert_eq!(world.sync().await, Outcome::Nothing { source_version: 1 });
}

#[tokio::test]
async fn rule_03_nothing_new_reads_no_data_and_only_the_logs_tails() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.source.forget();
    world.target.forget();
    world.sync().await;
    assert_eq!(world.source.reads(), 0);
    let gets = |asked: Vec<String>| {
        asked
            .iter()
            .filter(|a| a.starts_with("get "))
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(
        gets(world.source.asked()),
        ["get _delta_log/_last_checkpoint"]
    );
    let expected = [
        format!("get {MARKER}"),
        "get _delta_log/_last_checkpoint".into(),
        format!("get {COMMIT_0}"),
    ];
    assert_eq!(gets(world.target.asked()), expected);
    // Two requests: where to begin to look, and what is there.
    let asked = world.source.asked();
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[tokio::test]
async fn rule_04_a_foreign_commit_parks_the_replica() {
    let world = World::with_two_files();
    world.sync_done().await;
    let foreign = json!({ "commitInfo": { "operation": "OPTIMIZE" } });
    world.target.put_now(COMMIT_1, foreign.to_string());
    let before = world.target.keys();
    world.commit(1, &[world.add("c", 5)]);
    let why = parked(world.sync().await);
    assert!(
        why.contains("diverged") && why.contains("version 1"),
        "{why}"
    );
    assert_eq!(world.target.keys(), before);
}

#[tokio::test]
async fn rule_04_a_foreign_commit_between_plan_and_commit_is_never_rebased_over() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.commit(1, &[world.add("c", 5)]);
    let target = world.target.clone();
    *world.journal.hook.lock().unwrap() = Some(Box::new(move |record| {
        if record.state == RunState::Committing {
            target.put_now(
                COMMIT_1,
                json!({ "commitInfo": { "operation": "WRITE" } }).to_string(),
            );
        }
    }));
    assert!(parked(world.sync().await).contains("diverged"));
    assert_eq!(
        world
            .target
            .keys()
            .iter()
            .filter(|key| key.starts_with("_delta_log"))
            .count(),
        2
    );
}

#[tokio::test]
async fn rule_04_a_foreign_commit_in_the_moment_of_ours_is_noticed() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.commit(1, &[world.add("c", 5)]);
    // Right before our put, after the last look at the log.
    let foreign = json!({ "commitInfo": { "operation": "WRITE" } }).to_string();
    *world.target.before.lock().unwrap() =
        Some((format!("put {COMMIT_1}"), COMMIT_1, foreign.clone()));
    assert!(parked(world.sync().await).contains("diverged"));
    assert_eq!(world.target.bytes_now(COMMIT_1), foreign);
}

#[tokio::test]
async fn rule_04_a_log_shorter_than_what_we_wrote_has_diverged() {
    let world = World::with_two_files();
    world.sync_done().await;
    let run = crate::drive::Run {
        target_version: Some(4),
        ..world.run()
    };
    let why = parked(world.drive(&run).await.unwrap());
    assert!(why.contains("version 4 was written"), "{why}");
    // A copied mark of another replica table is not ours either.
    let world = World::with_two_files();
    world.sync_done().await;
    let mut pair = world.pair();
    pair.replica_table = uuid::Uuid::from_u128(9).into();
    assert!(
        plan(&pair, world.run().id, Timestamp::from_micros(0))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn rule_05_a_source_made_anew_is_compared_in_full() {
    let world = World::with_two_files();
    world.sync_done().await;
    // The same version, another table: one file by the old name with other content, one new.
    world.source.delete_now("a");
    let mut again = world.add("b", 21);
    again["add"]["modificationTime"] = json!(1_700_000_000_001_i64);
    world.commit(
        0,
        &[protocol(), metadata("source-2"), again, world.add("c", 5)],
    );
    let plan = world.sync_done().await;
    assert_eq!(plan.full, Some(FullReason::Recreated));
    assert_eq!(
        (plan.files_copy, plan.files_removed, plan.source_version),
        (2, 1, 0)
    );
    assert_eq!(world.replica_paths().await, ["b", "c"]);
    assert_eq!(world.target.bytes_now("b"), body("b", 21));
    // Our own id stays, though the source's changed.
    assert!(world.replica_actions(1, "metaData").is_empty());
    assert_eq!(world.sync().await, Outcome::Nothing { source_version: 0 });

    // A version below the last one.
    world.commit(1, &[world.add("d", 5)]);
    world.sync_done().await;
    world.source.delete_now(COMMIT_1);
    world.commit(0, &[protocol(), metadata("source-2"), world.add("c", 5)]);
    let plan = world.sync_done().await;
    assert_eq!(
        (plan.full, plan.files_copy),
        (Some(FullReason::Recreated), 0)
    );
    assert_eq!(world.replica_paths().await, ["c"]);
}

#[tokio::test]
async fn rule_15_metadata_keeps_the_replicas_id_and_the_schemas_text() {
    let world = World::new();
    let configuration = json!({
        "delta.constraints.positive": "x > 0", "delta.appendOnly": "true", "ucTableId": "u-1",
        "delta.coordinatedCommits.commitCoordinator-preview": "dynamodb",
        "io.unitycatalog.tableId": "u-2", "delta.enableChangeDataFeed": "true",
        "delta.setTransactionRetentionDuration": "interval 1 days",
    });
    world.commit(
        0,
        &[
            protocol(),
            configured("source-1", &configuration),
            world.add("a", 10),
        ],
    );
    world.sync_done().await;
    let first = world.replica_actions(0, "metaData")[0].clone();
    assert_eq!(first["id"], World::replica_table().to_string());
    assert_eq!(first["schemaString"], super::world::SCHEMA);
    assert_eq!(
        first["configuration"],
        json!({
            "delta.constraints.positive": "x > 0", "delta.appendOnly": "true",
            "delta.enableChangeDataFeed": "false",
            "delta.deletedFileRetentionDuration": "interval 888 hours",
        })
    );
    assert_eq!(
        (&first["createdTime"], &first["name"]),
        (&json!(START), &json!("visits"))
    );
    world.clock.advance(5_000_000);
    world.commit(1, &[configured("source-1", &json!({}))]);
    world.sync_done().await;
    let second = &world.replica_actions(1, "metaData")[0];
    assert_eq!(
        (&second["id"], &second["createdTime"]),
        (&first["id"], &first["createdTime"])
    );
    assert!(world.replica_actions(1, "add").is_empty());
    // Unchanged metadata is not written again.
    world.commit(2, &[configured("source-1", &json!({ "ucTableId": "u-3" }))]);
    world.sync_done().await;
    assert!(world.replica_actions(2, "metaData").is_empty());
}

#[tokio::test]
async fn rule_16_the_protocol_is_united_and_unknown_features_are_refused() {
    let world = World::with_two_files();
    world.sync_done().await;
    assert_eq!(
        world.replica_actions(0, "protocol")[0],
        protocol()["protocol"]
    );
    let features = |names: &[&str]| {
        json!({ "protocol": {
            "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": names
        } })
    };
    world.commit(
        1,
        &[features(&[
            "appendOnly",
            "invariants",
            "rowTracking",
            "domainMetadata",
        ])],
    );
    world.sync_done().await;
    let united = &world.replica_actions(1, "protocol")[0];
    assert_eq!(
        united["writerFeatures"],
        json!(["appendOnly", "domainMetadata", "invariants", "rowTracking"])
    );
    world.commit(2, &[features(&["invariants", "rowTracking"])]);
    world.sync_done().await;
    assert!(world.replica_actions(2, "protocol").is_empty());
    world.commit(
        3,
        &[features(&["invariants", "rowTracking", "icebergCompatV9"])],
    );
    assert!(failed(world.sync().await).contains("icebergCompatV9"));
}

#[tokio::test]
async fn rule_19_commits_of_a_table_with_commit_timestamps_carry_rising_ones() {
    let world = World::with_two_files();
    world.sync_done().await;
    let on = json!({ "delta.enableInCommitTimestamps": "true", "delta.inCommitTimestampEnablementVersion": "77" });
    let features = json!({ "protocol": {
        "minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["inCommitTimestamp"]
    } });
    world.commit(1, &[features, configured("source-1", &on)]);
    world.sync_done().await;
    let first = world.replica_commit(1)[0]["commitInfo"]["inCommitTimestamp"]
        .as_i64()
        .unwrap();
    assert_eq!(first, START + 1, "the clock stood still");
    let metadata = &world.replica_actions(1, "metaData")[0]["configuration"];
    assert_eq!(metadata["delta.inCommitTimestampEnablementVersion"], "1");
    assert_eq!(
        metadata["delta.inCommitTimestampEnablementTimestamp"],
        first.to_string()
    );
    world.commit(2, &[world.add("c", 5)]);
    world.sync_done().await;
    assert!(
        world.replica_commit(2)[0]["commitInfo"]["inCommitTimestamp"]
            .as_i64()
            .unwrap()
            > first
    );
    assert!(world.replica_actions(2, "metaData").is_empty());
}

#[tokio::test]
async fn rule_27_a_file_vacuumed_under_the_copy_is_planned_again_once() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.commit(1, &[world.add("c", 5), world.add("d", 6)]);
    world.source.delete_now("c");
    let source = world.source.clone();
    *world.journal.hook.lock().unwrap() = Some(Box::new(move |record| {
        if record.state == RunState::Copying {
            let commit = format!("{}\n", remove("c", 1));
            source.put_now("_delta_log/00000000000000000002.json", commit);
        }
    }));
    let run = world.run();
    let Outcome::Done(plan) = world.drive(&run).await.unwrap() else {
        panic!("not done")
    };
    assert_eq!((plan.source_version, plan.ordinal), (2, 2));
    assert_eq!(world.replica_paths().await, ["a", "b", "d"]);
    assert!(world.journal.record(run.id).lost_file);

    // The newest version still names it: the source is corrupt, and nothing is committed.
    let world = World::with_two_files();
    world.source.delete_now("b");
    let why = failed(world.sync().await);
    assert!(
        why.contains("source is corrupt") && why.contains("`b`"),
        "{why}"
    );
    assert_eq!(
        world
            .target
            .keys()
            .iter()
            .filter(|k| k.starts_with("_delta_log"))
            .count(),
        0
    );
}

#[tokio::test]
async fn rule_28_commits_that_arrive_during_a_run_wait_for_the_next() {
    let world = World::with_two_files();
    let source = world.source.clone();
    *world.journal.hook.lock().unwrap() = Some(Box::new(move |record| {
        if record.state == RunState::Copying {
            source.put_now(COMMIT_1, remove("a", 1).to_string());
        }
    }));
    let plan = world.sync_done().await;
    assert_eq!(plan.source_version, 0);
    assert_eq!(world.replica_paths().await, ["a", "b"]);
    assert_eq!(world.sync_done().await.source_version, 1);
    assert_eq!(world.replica_paths().await, ["b"]);
}

#[tokio::test]
async fn a_folder_that_is_not_ours_is_left_alone() {
    let world = World::with_two_files();
    world.target.put_now("somebody/else.parquet", "x");
    assert!(parked(world.sync().await).contains("folder is not ours"));
    assert_eq!(world.target.keys(), ["somebody/else.parquet"]);
}

#[tokio::test]
async fn a_plan_says_what_a_run_would_do_and_does_nothing() {
    let world = World::with_two_files();
    let now = Timestamp::from_micros(1);
    let planned = plan(&world.pair(), world.run().id, now)
        .now_or_never()
        .unwrap()
        .unwrap();
    let Planned::Work(plan) = planned else {
        panic!("nothing")
    };
    assert_eq!((plan.summary.files_copy, plan.summary.bytes_copy), (2, 30));
    assert_eq!(
        (plan.summary.bytes_full, plan.summary.rows_full),
        (30, Some(6))
    );
    assert!(world.target.keys().is_empty());
    assert_eq!(world.source.reads(), 0);
}
