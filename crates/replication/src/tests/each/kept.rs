//! What of a change feed is kept and for how long, and what becomes of versions that cannot be had by themselves, at tables whose files
//! are no more than names.

use model::Clock as _;
use model::time::HOUR;
use serde_json::{Value, json};

use super::super::world::{World, body, configured, remove};
use super::{catch_up, records_changes};
use crate::vacuum::Why;
use crate::{
    Keep, Outcome, PlanSummary, Removal, VacuumPlan, Ways, plan_vacuum, plan_vacuum_keeping,
    residue,
};

const RETENTION: u32 = 168;

fn protocol() -> Value {
    json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 4 } })
}

/// Commit 0 of a table that records its changes: the files `a` and `b`.
fn world() -> World {
    let mut world = World::new();
    world.each = true;
    world.ways = Ways::FILES;
    world.commit(
        0,
        &[
            protocol(),
            configured("source-1", &json!({ "delta.enableChangeDataFeed": "true" })),
            world.add("a", 10),
            world.add("b", 20),
        ],
    );
    world
}

/// Puts a file of the source's change feed and gives its action.
fn cdc(world: &World, path: &str, size: usize) -> Value {
    world.source.put_now(path, body(path, size));
    json!({ "cdc": { "path": path, "partitionValues": { "p": null }, "size": size, "dataChange": false } })
}

/// An update of `a`, a compaction of it with `b`, an update, and what is appended.
fn four_versions(world: &World) {
    let first = cdc(world, "_change_data/first", 5);
    world.commit(1, &[remove("a", 1), world.add("c", 11), first]);
    let quiet = |mut action: Value, kind: &str| {
        action[kind]["dataChange"] = false.into();
        action
    };
    let went = ["b", "c"].map(|path| quiet(remove(path, 2), "remove"));
    let came = quiet(world.add("d", 30), "add");
    world.commit(2, &[went[0].clone(), went[1].clone(), came]);
    let second = cdc(world, "_change_data/p=1/second", 6);
    world.commit(3, &[remove("d", 3), world.add("e", 31), second]);
    world.commit(4, &[world.add("f", 7)]);
}

fn versions(plans: &[PlanSummary]) -> Vec<u64> {
    plans.iter().map(|plan| plan.source_version).collect()
}

fn said(plan: &PlanSummary) -> &str {
    plan.commits.as_deref().unwrap_or_default()
}

async fn records(world: &World, version: u64) -> bool {
    records_changes(&world.pair().target, version).await
}

#[tokio::test]
async fn who_reads_the_replica_as_a_stream_sees_what_the_source_would_show() {
    let world = world();
    world.sync_done().await;
    four_versions(&world);
    let plans = catch_up(&world).await;
    assert_eq!(versions(&plans), [1, 2, 3, 4]);
    let feeds: Vec<u64> = plans.iter().map(|plan| plan.cdc_files).collect();
    assert_eq!(feeds, [1, 0, 1, 0]);
    let first = &world.replica_actions(1, "cdc")[0];
    assert_eq!(first["path"], "_change_data/first");
    assert_eq!(
        (&first["size"], &first["dataChange"]),
        (&json!(5), &json!(false))
    );
    for (version, is_change) in [(1, true), (2, false), (3, true)] {
        for kind in ["add", "remove"] {
            let actions = world.replica_actions(version, kind);
            assert!(!actions.is_empty(), "{version} {kind}");
            let mut flags = actions.iter().map(|action| &action["dataChange"]);
            assert!(flags.all(|flag| *flag == is_change), "{version} {kind}");
        }
    }
    let rest = [
        "_change_data/first",
        "_change_data/p=1/second",
        "a",
        "b",
        "c",
        "d",
        "e",
        "f",
    ];
    assert_eq!(world.target.data(), rest);
}

#[tokio::test]
async fn change_files_go_with_what_their_commit_removed() {
    let world = world();
    world.sync_done().await;
    four_versions(&world);
    let mut removals = Vec::new();
    for _ in 0..4 {
        world.clock.advance(HOUR);
        let run = world.run();
        world.drive(&run).await.unwrap();
        removals.extend(Removal::of(&world.journal.record(run.id)));
    }
    world.target.put_now("_change_data/left", "x");
    let (pair, table) = (world.pair(), World::replica_table());
    let doomed = |plan: VacuumPlan| -> Vec<(String, Why)> {
        let mut doomed: Vec<_> = plan
            .delete
            .into_iter()
            .map(|one| (one.key, one.why))
            .collect();
        doomed.sort_by(|one, other| one.0.cmp(&other.0));
        doomed
    };
    let removed = |version: usize| Why::Tombstoned(removals[version - 1].at);
    // Of the first version and no other: the orphan is as old as the store says.
    let now = removals[0].at.plus(168 * HOUR);
    let plan = plan_vacuum(&pair.target, table, RETENTION, now)
        .await
        .unwrap();
    let mut found = doomed(plan);
    found.retain(|(key, _)| key != "_change_data/left");
    let expected = [("_change_data/first", removed(1)), ("a", removed(1))];
    assert_eq!(found, expected.map(|(key, why)| (key.to_owned(), why)));
    // What an erasure forgets up to a version it forgets of the changes, too.
    let keep = Keep {
        retention_hours: RETENTION,
        removals: removals.clone(),
        forget: Some(3),
    };
    let plan = plan_vacuum_keeping(&pair.target, table, &keep, world.clock.now().plus(HOUR));
    let found = doomed(plan.await.unwrap());
    for key in [
        "_change_data/first",
        "_change_data/p=1/second",
        "a",
        "b",
        "c",
        "d",
    ] {
        assert!(
            found.iter().any(|(found, _)| found == key),
            "{key}: {found:?}"
        );
    }
    let left = async |upto: u64| residue(&pair.target, table, upto, &keep).await.unwrap();
    assert_eq!((left(1).await.removed, left(3).await.removed), (2, 6));
    assert_eq!(left(3).await.orphans, 1);
}

#[tokio::test]
async fn a_version_whose_change_file_is_gone_comes_without_its_feed() {
    let world = world();
    world.sync_done().await;
    four_versions(&world);
    world.source.delete_now("_change_data/first");
    let run = world.run();
    world.drive(&run).await.unwrap();
    let record = world.journal.record(run.id);
    assert!(record.unfed && !record.lost_file);
    let plan = record.plan.unwrap();
    assert_eq!((plan.source_version, plan.cdc_files, plan.more), (1, 0, 3));
    assert!(
        said(&plan).contains("one of its files is gone"),
        "{}",
        said(&plan)
    );
    let plans = catch_up(&world).await;
    assert_eq!(versions(&plans), [2, 3, 4]);
    let mut recorded = Vec::new();
    for version in 0..=4 {
        recorded.push(records(&world, version).await);
    }
    assert_eq!(recorded, [true, false, true, true, true]);
}

#[tokio::test]
async fn versions_of_which_a_file_is_gone_come_as_one() {
    let world = world();
    world.sync_done().await;
    four_versions(&world);
    world.source.delete_now("c");
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.more, plan.cdc_files), (4, 0, 0));
    assert!(said(&plan).contains("Versions 1 to 4 of the source come as one"));
    assert!(!records(&world, 1).await);
    assert_eq!(world.replica_paths().await, ["e", "f"]);
    // And on.
    world.commit(5, &[world.add("g", 8)]);
    world.commit(6, &[world.add("h", 9)]);
    assert_eq!(versions(&catch_up(&world).await), [5, 6]);
    assert!(records(&world, 2).await && records(&world, 3).await);
}

#[tokio::test]
async fn what_is_to_be_forgotten_does_not_wait_for_each_version() {
    let mut world = world();
    world.sync_done().await;
    four_versions(&world);
    world.hurries = true;
    let plan = world.sync_done().await;
    assert_eq!(
        (plan.source_version, plan.target_version, plan.more),
        (4, 1, 0)
    );
    let because = "Versions 1 to 4 of the source come as one, for what is to be forgotten";
    assert!(said(&plan).contains(because), "{}", said(&plan));
    assert!(!records(&world, 1).await);
    // What came between may hold it: none of that crosses.
    assert_eq!(world.target.data(), ["a", "b", "e", "f"]);
    // The newest is a version by itself where it is the next.
    let feed = cdc(&world, "_change_data/third", 4);
    world.commit(5, &[remove("f", 5), world.add("g", 8), feed]);
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.cdc_files), (5, 1));
    assert!(records(&world, 2).await);
}

#[tokio::test]
async fn of_more_than_a_thousand_versions_the_oldest_come_as_one() {
    let world = world();
    world.sync_done().await;
    four_versions(&world);
    (5..=1_001).for_each(|version| world.commit(version, &[]));
    // A thousand are left by the next one, which is not too many.
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.more), (1, 1_000));
    assert!(!said(&plan).contains("come as one"), "{}", said(&plan));
    assert_eq!(plan.cdc_files, 1);
    // Meanwhile the source goes on faster.
    (1_002..=1_004).for_each(|version| world.commit(version, &[]));
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.target_version), (4, 2));
    assert_eq!((plan.more, plan.cdc_files), (1_000, 0));
    let because = "Versions 2 to 4 of the source come as one, for the replica is more than 1,000 versions behind its source.";
    assert!(said(&plan).contains(because), "{}", said(&plan));
    assert!(said(&plan).contains("1000 more versions follow"));
    assert!(records(&world, 1).await && !records(&world, 2).await);
    assert_eq!(world.replica_paths().await, ["e", "f"]);
    // And on, one by one.
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.more), (5, 999));
    assert!(records(&world, 3).await);
}

#[tokio::test]
async fn a_version_that_cannot_be_cloned_is_passed_over() {
    let world = world();
    world.sync_done().await;
    let odd = json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["hologram"], "writerFeatures": ["hologram"],
    } });
    world.commit(1, &[odd, world.add("c", 5)]);
    world.commit(2, &[protocol(), world.add("d", 6)]);
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.target_version), (2, 1));
    assert!(said(&plan).contains("one of them cannot be copied by itself"));
}

#[tokio::test]
async fn a_feed_that_lies_elsewhere_is_not_kept() {
    for path in ["feed/x", "_delta_log/x", "_CHANGE_DATA/x"] {
        let world = world();
        world.sync_done().await;
        let feed = json!({ "cdc": { "path": path, "partitionValues": {}, "size": 5, "dataChange": false } });
        world.commit(1, &[remove("a", 1), world.add("c", 11), feed]);
        // A path that no table has is refused, as it is of every file.
        if path.starts_with("_delta_log") {
            let outcome = world.sync().await;
            assert!(matches!(outcome, Outcome::Failed { .. }), "{outcome:?}");
            continue;
        }
        let plan = world.sync_done().await;
        assert_eq!((plan.cdc_files, plan.files_copy), (0, 1), "{path}");
        assert!(said(&plan).contains("do not lie under _change_data"));
        assert!(!records(&world, 1).await);
        assert!(!world.target.data().contains(&path.to_owned()));
    }
}

/// Of two copies to one place only one would ever be there.
#[tokio::test]
async fn a_feed_where_a_vector_lies_is_not_kept() {
    let mut world = World::new();
    world.each = true;
    let features = json!({ "protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["deletionVectors"], "writerFeatures": ["changeDataFeed", "deletionVectors"],
    } });
    let feed = json!({ "delta.enableChangeDataFeed": "true" });
    world.commit(
        0,
        &[features, configured("source-1", &feed), world.add("a", 10)],
    );
    world.sync_done().await;
    let key = "_change_data/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
    let feed = cdc(&world, key, 50);
    let mut hidden = world.add("a", 10);
    hidden["add"]["deletionVector"] = json!({
        "storageType": "u", "pathOrInlineDv": "_change_data^-aqEH.-t@S}K{vb[*k^", "offset": 1,
        "sizeInBytes": 40, "cardinality": 1,
    });
    world.commit(1, &[remove("a", 1), hidden, feed]);
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.cdc_files), (1, 0));
    assert!(!records(&world, 1).await);
    assert_eq!(world.target.data(), [key, "a"]);
}

#[tokio::test]
async fn a_source_made_anew_and_a_run_that_brings_all_switch_the_feed_off_for_themselves() {
    let mut world = world();
    world.sync_done().await;
    four_versions(&world);
    assert_eq!(world.sync_done().await.more, 3);
    // Told to bring all at once, and back.
    world.each = false;
    let plan = world.sync_done().await;
    assert_eq!((plan.source_version, plan.more, plan.commits), (4, 0, None));
    assert!(records(&world, 1).await && !records(&world, 2).await);
    world.each = true;
    world.commit(5, &[world.add("g", 8)]);
    assert_eq!(world.sync_done().await.target_version, 3);
    assert!(records(&world, 3).await);
    // Another table in its place, with as many versions and more.
    let feed = json!({ "delta.enableChangeDataFeed": "true" });
    for version in 1..=5 {
        world
            .source
            .delete_now(&format!("_delta_log/{version:020}.json"));
    }
    world.commit(
        0,
        &[
            protocol(),
            configured("source-2", &feed),
            world.add("z", 40),
        ],
    );
    for version in 1..=7 {
        let path = format!("z{version}");
        world.commit(version, &[world.add(&path, 40)]);
    }
    let plan = world.sync_done().await;
    assert_eq!(
        (plan.source_version, plan.target_version, plan.more),
        (7, 4, 0)
    );
    assert!(said(&plan).contains("made anew"), "{}", said(&plan));
    assert!(!records(&world, 4).await);
}

#[tokio::test]
async fn what_is_looked_for_and_not_found_is_no_commit() {
    let mut world = world();
    world.sync_done().await;
    four_versions(&world);
    catch_up(&world).await;
    // An erasure waits: rows that a vector hides are looked for, and there are none.
    world.ways.purge = Some(0);
    let before = world.target.keys();
    for _ in 0..2 {
        assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
    }
    assert_eq!(world.target.keys(), before);
    assert!(records(&world, 4).await);
}
