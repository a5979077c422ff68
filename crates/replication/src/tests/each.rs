//! Replicas that keep their source's versions: one commit for each, with what its change feed says, of tables that others wrote.

mod kept;

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use delta::{ChangedFile, Feed, Table, witness};

use super::by_rows::{Commits, commit, world};
use super::probe::{Mode, Probe};
use super::world::World;
use crate::drive::{Outcome, Run, RunError};
use crate::prove::{compare, sums};
use crate::{PlanSummary, Ways};

/// A table with all that the ways allow, which is not used.
fn table(name: &str) -> (World, Commits) {
    let ways = Ways {
        skip: true,
        ..Ways::default()
    };
    let (mut world, commits) = world(name, ways);
    world.each = true;
    (world, commits)
}

/// Syncs until no version is left.
async fn catch_up(world: &World) -> Vec<PlanSummary> {
    let mut plans = Vec::new();
    loop {
        let plan = world.sync_done().await;
        let more = plan.more;
        plans.push(plan);
        if more == 0 {
            return plans;
        }
    }
}

/// What the change feed of a table says of each version: kinds and paths.
async fn told(table: &Table, first: u64, last: u64) -> Vec<BTreeSet<(&'static str, String)>> {
    let history = table.history().await.unwrap();
    let changes = table.changes(&history, first..=last, Feed::Rows).await;
    let files = |file: &ChangedFile| {
        let kind = match file {
            ChangedFile::Add(_) => "add",
            ChangedFile::Remove(_) => "remove",
            ChangedFile::Cdc(_) => "cdc",
        };
        (kind, file.path().to_owned())
    };
    let changes = changes.unwrap();
    let told = changes.iter();
    told.map(|change| change.files.iter().map(files).collect())
        .collect()
}

/// A version of the replica has the rows and the change feed of one of the source.
async fn is_version(world: &World, of_source: u64, of_replica: u64) {
    let pair = world.pair();
    let theirs = sums(&pair.source, of_source).await.unwrap();
    let ours = sums(&pair.target, of_replica).await.unwrap();
    assert_eq!(compare(&theirs, &ours).unwrap(), theirs.rows());
    let info = &world.replica_actions(of_replica, "commitInfo")[0];
    assert_eq!(info["sourceVersion"], of_source);
    let made = pair.source.snapshot(Some(of_source)).await.unwrap();
    assert_eq!(info["sourceTimestamp"], made.timestamp.millis());
}

/// How many rows deltalake reads of a version.
async fn witnessed(table: &Arc<Probe>, version: u64) -> usize {
    let read = witness::rows(table.clone(), Some(version)).await;
    let (found, batches) = read.unwrap();
    assert_eq!(found, version);
    batches.iter().map(|batch| batch.num_rows()).sum()
}

async fn records_changes(table: &Table, version: u64) -> bool {
    let state = table.snapshot(Some(version)).await.unwrap();
    state.metadata.records_changes()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_version_of_the_source_is_one_of_the_replica_with_its_change_feed() {
    for (name, last) in [("rows", 11), ("parts", 7), ("vectors", 6)] {
        let (world, commits) = table(name);
        commit(&world, &commits, 0);
        let first = world.sync_done().await;
        assert_eq!((first.source_version, first.more), (0, 0), "{name}");
        (1..=last).for_each(|version| commit(&world, &commits, version));
        let plans = catch_up(&world).await;
        let asked = world.source.asked();
        for (plan, version) in plans.iter().zip(1..) {
            assert_eq!(
                (plan.source_version, plan.target_version),
                (version, version)
            );
            assert_eq!(plan.more, last - version, "{name}");
            assert_eq!(plan.sets_by_rows, 0, "{name}");
        }
        assert_eq!(plans.len() as u64, last);
        assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
        // Each object once, change files among them.
        let fetched = |asked: &&String| asked.starts_with("get ") && !asked.contains("_delta_log");
        let fetched: Vec<&String> = asked.iter().filter(fetched).collect();
        let once: HashSet<&String> = fetched.iter().copied().collect();
        assert_eq!(once.len(), fetched.len(), "{name}: {fetched:?}");

        let pair = world.pair();
        let ours = told(&pair.target, 1, last).await;
        assert_eq!(ours, told(&pair.source, 1, last).await, "{name}");
        let there = world.target.data();
        let files = ours.iter().flatten();
        let mut feeds = files.filter(|(kind, _)| *kind == "cdc").peekable();
        assert!(feeds.peek().is_some(), "{name}");
        for (_, path) in feeds {
            assert!(
                path.starts_with("_change_data/") && there.contains(path),
                "{path}"
            );
        }
        for version in 0..=last {
            is_version(&world, version, version).await;
            assert_eq!(
                witnessed(&world.target, version).await,
                witnessed(&world.source, version).await,
                "{name} {version}"
            );
            assert_eq!(
                records_changes(&pair.target, version).await,
                records_changes(&pair.source, version).await,
                "{name} {version}"
            );
        }
    }
}

#[tokio::test]
async fn of_a_log_that_was_cleaned_up_what_is_gone_comes_as_one() {
    let (world, commits) = table("rows");
    (0..=2).for_each(|version| commit(&world, &commits, version));
    // The first is of the newest version: there are none before it to keep.
    assert_eq!(world.sync_done().await.source_version, 2);
    (3..=11).for_each(|version| commit(&world, &commits, version));
    let pair = world.pair();
    let state = pair.source.snapshot(Some(6)).await.unwrap();
    pair.source.write_checkpoint(&state).await.unwrap();
    for version in 0..6 {
        let key = format!("_delta_log/{version:020}.json");
        world.source.delete_now(&key);
    }
    let plans = catch_up(&world).await;
    let versions: Vec<u64> = plans.iter().map(|plan| plan.source_version).collect();
    assert_eq!(versions, [6, 7, 8, 9, 10, 11]);
    let said = plans[0].commits.as_deref().unwrap();
    assert!(
        said.contains("Versions 3 to 6 of the source come as one"),
        "{said}"
    );
    assert!(said.contains("5 more versions follow"), "{said}");
    assert_eq!(plans[5].commits, None);
    // Nobody reads changes of what came as one, and of each that came by itself.
    for (ours, theirs) in (1..).zip(6..=11) {
        is_version(&world, theirs, ours).await;
        assert_eq!(records_changes(&pair.target, ours).await, ours > 1);
    }
    let kept = told(&pair.target, 2, 6).await;
    assert_eq!(kept, told(&pair.source, 7, 11).await);
}

/// All that a replica has, and its first commits.
async fn state(world: &World) -> (Vec<String>, Vec<String>, Vec<Vec<serde_json::Value>>) {
    let commits = (0..3)
        .map(|version| world.replica_commit(version))
        .collect();
    (world.target.keys(), world.replica_paths().await, commits)
}

async fn two_versions(world: &World, runs: &[Run; 2]) -> Result<(), RunError> {
    for run in runs {
        world.drive(run).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_run_cut_off_at_any_effect_ends_the_same_and_copies_nothing_twice() {
    let begun = async || {
        let (world, commits) = table("rows");
        (0..=1).for_each(|version| commit(&world, &commits, version));
        world.drive(&world.run()).await.unwrap();
        (2..=3).for_each(|version| commit(&world, &commits, version));
        let runs = [world.run(), world.run()];
        (world, runs)
    };
    let (calm, runs) = begun().await;
    two_versions(&calm, &runs).await.unwrap();
    let expected = state(&calm).await;
    is_version(&calm, 3, 2).await;
    for mode in [Mode::Dies, Mode::DiesAfter] {
        let mut fired = 0;
        for n in 0.. {
            let (world, runs) = begun().await;
            world.faults.arm(n, mode);
            let result = two_versions(&world, &runs).await;
            if !world.faults.fired() {
                result.unwrap();
                break;
            }
            fired += 1;
            world.faults.disarm();
            let finished = world.target.data();
            world.source.forget();
            let again = world.taken_over(n, &runs);
            two_versions(&world, &again).await.unwrap();
            assert_eq!(state(&world).await, expected, "effect {n}, {mode:?}");
            let asked = world.source.asked();
            for key in &finished {
                let again = asked.contains(&format!("get {key}"));
                assert!(!again, "effect {n}, {mode:?}: `{key}`");
            }
        }
        assert!(fired > 20, "only {fired} effects");
    }
}
