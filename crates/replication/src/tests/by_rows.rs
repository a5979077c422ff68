//! Tables that deltalake wrote, with a change feed and compactions in between, followed without copying what was rewritten: the rows
//! are the source's after each run, what crosses is what was planned, and a run that was broken off fetches nothing twice.

mod broken_off;
mod unfit;

use std::collections::BTreeMap;
use std::path::Path;

use delta::{AddFile, RowChange, Sought};
use model::Timestamp;
use model::time::HOUR;
use serde_json::{Value, json};

use super::parity::{files_below, version_of};
use super::world::{Holds, START, World};
use crate::choose::STAGED;
use crate::drive::Outcome;
use crate::foresee::{Foreseen, foresee};
use crate::prove::{compare, look, sums};
use crate::{Keep, PlanSummary, Ways, residue, vacuum};

const BOTH: Ways = Ways {
    feed: true,
    skip: true,
    beside: true,
    pack: 16,
    purge: None,
};

/// Commits of a table, by version, in lines of JSON.
pub(super) type Commits = BTreeMap<u64, Vec<Value>>;

/// A world whose source has all objects of a table, and no commit yet.
pub(super) fn world(name: &str, ways: Ways) -> (World, Commits) {
    let mut world = World::new();
    world.ways = ways;
    let tables = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../end2end/feeds");
    let mut objects = BTreeMap::new();
    files_below(&tables.join(name), "", &mut objects);
    let mut commits = Commits::new();
    let mut made: BTreeMap<String, u64> = BTreeMap::new();
    for (key, bytes) in objects {
        let Some(version) = version_of(&key) else {
            world.source.put_now(&key, bytes);
            continue;
        };
        let lines = std::str::from_utf8(&bytes).unwrap().lines();
        let mut lines: Vec<Value> = lines.map(|l| serde_json::from_str(l).unwrap()).collect();
        for line in &mut lines {
            if let Some(add) = line.get_mut("add") {
                // Before any copy of it, whatever this machine's clock says; a file that gets a vector is as old as it was.
                let path = add["path"].as_str().unwrap().to_owned();
                let made = *made.entry(path).or_insert(1_700_000_000_000 + version);
                add["modificationTime"] = made.into();
            }
        }
        commits.insert(version, lines);
    }
    (world, commits)
}

/// Commits a version, once.
pub(super) fn commit(world: &World, commits: &Commits, version: u64) {
    let key = format!("_delta_log/{version:020}.json");
    if world.source.keys().contains(&key) {
        return;
    }
    let lines: Vec<String> = commits[&version].iter().map(Value::to_string).collect();
    world.source.put_now(&key, lines.join("\n") + "\n");
}

/// The rows are the source's, in each partition, and nothing that was fetched to be read is left.
async fn is_equal(world: &World) {
    let pair = world.pair();
    let source = pair.source.latest_version().await.unwrap().unwrap();
    let target = pair.target.latest_version().await.unwrap().unwrap();
    let theirs = sums(&pair.source, source).await.unwrap();
    let ours = sums(&pair.target, target).await.unwrap();
    assert_eq!(compare(&theirs, &ours).unwrap(), theirs.rows());
    assert!(ours.unreadable.is_empty(), "{ours:?}");
    let looked = look(&pair.target, target).await.unwrap();
    assert!(looked.wrong.is_empty(), "{looked:?}");
    assert_eq!(looked.rows, theirs.rows());
    let staged = |key: &String| key.starts_with(STAGED);
    assert!(!world.target.data().iter().any(staged));
}

async fn is_equal_rows(world: &World) {
    let pair = world.pair();
    let source = pair.source.latest_version().await.unwrap().unwrap();
    let target = pair.target.latest_version().await.unwrap().unwrap();
    let theirs = sums(&pair.source, source).await.unwrap();
    let ours = sums(&pair.target, target).await.unwrap();
    compare(&theirs, &ours).unwrap();
}

/// Syncs, and holds what crossed against what was foreseen.
async fn sync(world: &World) -> PlanSummary {
    let at = Timestamp::from_millis(START);
    let found = foresee(&world.pair(), None, at).await.unwrap();
    let Foreseen::Work(found) = found else {
        panic!("nothing to do")
    };
    world.source.forget();
    let run = world.run();
    let Outcome::Done(plan) = world.drive(&run).await.unwrap() else {
        panic!("not done")
    };
    let record = world.journal.record(run.id);
    assert!(!record.files_only, "rows could not be applied");
    assert_eq!(record.copied.bytes_read, found.run.bytes);
    assert_eq!(record.copied.files, found.run.objects);
    assert_eq!(world.source.reads() as u64, found.run.requests);
    assert_eq!(plan.bytes_copy, found.run.bytes);
    assert_eq!(found.sets_fed + found.sets_skipped, plan.sets_by_rows);
    assert_eq!(found.sets_fed, plan.sets_fed);
    assert!(plan.sets_fed > 0 || plan.bytes_fed == 0);
    assert!(found.run.bytes <= found.files.bytes && found.files.bytes <= found.full.bytes);
    is_equal(world).await;
    *plan
}

/// Follows a table from stop to stop. Answers of each how many sets were not copied, and the bytes that crossed.
async fn follow(name: &str, stops: &[u64], ways: Ways) -> (World, Vec<(u64, u64)>) {
    let (world, commits) = world(name, ways);
    let mut plans = Vec::new();
    let mut next = 0;
    for stop in stops {
        (next..=*stop).for_each(|version| commit(&world, &commits, version));
        next = stop + 1;
        let plan = sync(&world).await;
        plans.push((plan.sets_by_rows, plan.bytes_copy));
    }
    (world, plans)
}

fn sets(plans: &[(u64, u64)]) -> Vec<u64> {
    plans.iter().map(|(sets, _)| *sets).collect()
}

fn bytes(plans: &[(u64, u64)]) -> u64 {
    plans.iter().map(|(_, bytes)| bytes).sum()
}

#[tokio::test]
async fn rows_are_changed_by_the_feed_where_that_is_less() {
    let all: Vec<u64> = (0..=11).collect();
    let (_, files) = follow("rows", &all, Ways::FILES).await;
    assert_eq!(sets(&files), [0; 12]);
    // Update, delete, merge, update; the compaction is copied; delete; a new column; update over both; delete.
    let (_, fed) = follow("rows", &all, Ways::default()).await;
    assert_eq!(sets(&fed), [0, 0, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1]);
    let (_, both) = follow("rows", &all, BOTH).await;
    assert_eq!(sets(&both), [0, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1, 1]);
    assert_eq!(both[7].1, 0);
    assert!(bytes(&both) < bytes(&fed) && bytes(&fed) < bytes(&files));
    // All but what was appended: what came by the feed alone.
    let appended: u64 = [0, 1, 6, 9].iter().map(|at: &usize| files[*at].1).sum();
    assert!(bytes(&both) - appended < 40_000, "{both:?}");
}

/// Follows a table from stop to stop, each run planned as runs are.
async fn planned(name: &str, stops: &[u64], ways: Ways) -> Vec<PlanSummary> {
    let (world, commits) = world(name, ways);
    let mut plans = Vec::new();
    let mut next = 0;
    for stop in stops {
        (next..=*stop).for_each(|version| commit(&world, &commits, version));
        next = stop + 1;
        plans.push(world.sync_done().await);
    }
    plans
}

/// What is switched off is not done, and the record says what it would have moved: as much as it moves where it is switched on.
#[tokio::test]
async fn what_is_switched_off_is_weighed_and_not_done() {
    let all: Vec<u64> = (0..=7).collect();
    let files = planned("rows", &all, Ways::FILES).await;
    let fed = planned("rows", &all, Ways::default()).await;
    let both = planned("rows", &all, BOTH).await;
    for plan in &files {
        assert_eq!((plan.sets_by_rows, plan.sets_copied), (0, 0));
        assert_eq!(plan.choice, "");
        assert_eq!(plan.ways.unwrap().files, plan.bytes_copy);
    }
    // An update, and a compaction.
    let (update, compaction) = (2, 7);
    assert_eq!(fed[update].sets_by_rows, 1);
    let told = files[update].ways.unwrap();
    assert_eq!((told.feed, told.skip), (Some(fed[update].bytes_copy), None));
    assert!(fed[update].bytes_copy < files[update].bytes_copy);
    assert_eq!(both[compaction].sets_by_rows, 1);
    for plan in [&files[compaction], &fed[compaction]] {
        let told = plan.ways.unwrap();
        assert!(plan.bytes_copy > 60_000);
        assert_eq!(
            (told.feed, told.skip),
            (None, Some(both[compaction].bytes_copy))
        );
    }
    assert_eq!(fed[compaction].sets_copied, 1);

    // What was changed and compacted between two syncs waits for the compaction, and counts to it.
    let fed = planned("rows", &[1, 8], Ways::default()).await;
    let both = planned("rows", &[1, 8], BOTH).await;
    let told = fed[1].ways.unwrap();
    assert_eq!((fed[1].sets_by_rows, both[1].sets_by_rows), (0, 1));
    assert_eq!((told.feed, told.skip), (None, Some(both[1].bytes_copy)));

    // Who stands elsewhere cannot change rows here, whatever the job says.
    let elsewhere = planned("rows", &[1, 2], Ways::default().from_elsewhere()).await;
    assert_eq!(elsewhere[1].ways.unwrap().feed, None);
}

#[tokio::test]
async fn partitions_are_sets_of_their_own_and_rows_move_between_them() {
    let all: Vec<u64> = (0..=7).collect();
    let (_, fed) = follow("parts", &all, Ways::default()).await;
    assert_eq!(sets(&fed), [0, 0, 3, 1, 0, 3, 0, 1]);
    let (_, both) = follow("parts", &all, BOTH).await;
    assert_eq!(sets(&both), [0, 0, 3, 1, 3, 3, 0, 1]);
}

#[tokio::test]
async fn small_files_are_put_together_here_without_a_byte() {
    let all: Vec<u64> = (0..=5).collect();
    let (_, apart) = follow("parts", &all, BOTH).await;
    let (world, plans) = follow("parts", &all, Ways { pack: 2, ..BOTH }).await;
    assert_eq!(plans, apart);
    let replica = world.pair().target.snapshot(None).await.unwrap();
    // One for each partition, as at the source.
    assert_eq!(replica.files.len(), 4);
    let (_, plans) = follow("rows", &[1, 8], Ways { pack: 2, ..BOTH }).await;
    assert_eq!(sets(&plans), [0, 1]);
}

#[tokio::test]
async fn rows_that_a_vector_hides_do_not_outlive_the_sources() {
    let all: Vec<u64> = (0..=6).collect();
    let (world, plans) = follow("vectors", &all, BOTH).await;
    // By the feed over a file with a vector; and a compaction of one with a vector, which is written anew here.
    assert_eq!(sets(&plans), [0, 0, 0, 1, 0, 0, 1]);
    assert_eq!((plans[2].1, plans[6].1), (0, 0));
    let replica = world.pair().target.snapshot(None).await.unwrap();
    assert!(!replica.has_deletion_vectors());
    let (_, plans) = follow("vectors", &[1, 6], BOTH).await;
    assert!(plans[1].0 <= 1, "{plans:?}");
}

/// What an erasure or a deadline demands: rows that only a vector hides go from the replica's files while the source still has them,
/// without a byte that crosses for it; and what comes after is followed.
#[tokio::test]
async fn rows_that_only_a_vector_hides_are_written_away_where_that_is_asked_for() {
    let (mut world, commits) = world("vectors", BOTH);
    let left = async |world: &World| {
        let keep = Keep::default();
        let left = residue(&world.pair().target, World::replica_table(), 9, &keep).await;
        let left = left.unwrap();
        (left.hiding_files, left.hidden_rows, left.purged_files)
    };
    for version in 0..=2 {
        commit(&world, &commits, version);
        sync(&world).await;
    }
    assert_eq!(left(&world).await, (1, 2, 0));
    let before = world.target.data();
    // The source is as it was: it is the replica's own file that is written anew.
    world.ways.purge = Some(0);
    let plan = sync(&world).await;
    assert_eq!((plan.files_purged, plan.sets_by_rows), (1, 0));
    assert_eq!((plan.files_copy, plan.bytes_copy), (0, 0));
    assert_eq!(left(&world).await, (0, 0, 1));
    assert!(matches!(world.sync().await, Outcome::Nothing { .. }));
    world.clock.advance(200 * HOUR);
    let now = model::Clock::now(&world.clock);
    let (target, fence) = (world.pair().target, Holds::for_ever());
    let report = vacuum(&target, World::replica_table(), 168, now, &fence).await;
    assert_eq!(report.unwrap().deleted, 1, "the file that had them");
    let after = world.target.data();
    assert!(!before.iter().any(|key| after.contains(key)), "{after:?}");
    is_equal(&world).await;

    // The feed is applied to what stands for the source's file; and what hides rows from now on is written without them at once.
    for (version, sets, purged) in [(3, 1, 0), (4, 0, 0), (5, 0, 1), (6, 1, 0)] {
        commit(&world, &commits, version);
        let plan = sync(&world).await;
        assert_eq!(
            (plan.sets_by_rows, plan.files_purged),
            (sets, purged),
            "{version}"
        );
        let (files, rows, _) = left(&world).await;
        assert_eq!((files, rows), (0, 0), "{version}");
    }

    // By a deadline not more often than it takes.
    let (mut world, commits) = self::world("vectors", BOTH);
    (0..=1).for_each(|version| commit(&world, &commits, version));
    world.sync_done().await;
    world.ways.purge = Some(10 * HOUR);
    commit(&world, &commits, 2);
    assert_eq!(world.sync_done().await.files_purged, 1);
    commit(&world, &commits, 3);
    commit(&world, &commits, 4);
    world.sync_done().await;
    commit(&world, &commits, 5);
    assert_eq!(world.sync_done().await.files_purged, 0);
    assert_eq!(left(&world).await.1, 2);
    world.clock.advance(10 * HOUR);
    assert_eq!(world.sync_done().await.files_purged, 1);
    assert_eq!(left(&world).await.1, 0);
    is_equal_rows(&world).await;
}

#[tokio::test]
async fn several_commits_come_to_one_change() {
    // What was appended and compacted in between is fetched as the file that it was.
    let (_, plans) = follow("rows", &[1, 5, 8, 11], BOTH).await;
    assert_eq!(sets(&plans), [0, 1, 1, 0]);
    assert!(plans[2].1 < 40_000, "{plans:?}");
    let (_, plans) = follow("rows", &[1, 8], BOTH).await;
    assert_eq!(sets(&plans), [0, 1]);
    let (_, plans) = follow("parts", &[0, 3, 7], BOTH).await;
    assert!(plans[1].0 > 0 && plans[2].0 > 0, "{plans:?}");
}

#[tokio::test]
async fn what_files_stand_for_is_known_from_a_checkpoint_and_after_a_vacuum() {
    let (world, commits) = world("rows", BOTH);
    for version in 0..=10 {
        commit(&world, &commits, version);
        sync(&world).await;
    }
    let keys = world.target.keys();
    let checkpoint = format!("_delta_log/{:020}.checkpoint.parquet", 10);
    assert!(keys.contains(&checkpoint), "{keys:?}");
    for version in 0..10 {
        world
            .target
            .delete_now(&format!("_delta_log/{version:020}.json"));
    }
    world.clock.advance(24 * 365 * HOUR);
    let now = model::Clock::now(&world.clock);
    let (target, fence) = (world.pair().target, Holds::for_ever());
    let report = vacuum(&target, World::replica_table(), 168, now, &fence).await;
    assert!(report.unwrap().deleted > 0);
    is_equal(&world).await;
    commit(&world, &commits, 11);
    assert_eq!(sync(&world).await.sets_by_rows, 1);
}

/// Writes a file with all rows of others into the source. Answers what its log is to say of it.
async fn compacted(world: &World, files: &[&AddFile]) -> Value {
    let source = world.pair().source;
    let shape = source.snapshot(None).await.unwrap().metadata.shape();
    let mut change = RowChange::new(&shape.unwrap()).unwrap();
    let (all, name) = (Sought::default(), "compacted.parquet");
    let from: Vec<(&AddFile, &Sought)> = files.iter().map(|file| (*file, &all)).collect();
    let made = change.write(&source, &from, false, &name.into()).await;
    let made = made.unwrap();
    json!({ "add": {
        "path": name, "partitionValues": {}, "size": made.size, "modificationTime": 1_700_000_000_009_i64,
        "dataChange": false, "stats": made.stats,
    } })
}

#[tokio::test]
async fn a_file_that_comes_back_counts_beside_the_rows_it_still_stands_for_here() {
    let (world, mut commits) = world("rows", BOTH);
    for version in 0..=7 {
        commit(&world, &commits, version);
        sync(&world).await;
    }
    let source = world.pair().source;
    let appended = commits[&6].iter().find(|line| line.get("add").is_some());
    let appended = appended.unwrap().clone();
    let path = appended["add"]["path"].as_str().unwrap().to_owned();
    // The compaction was not copied: the file is one of those that have its rows.
    assert!(world.replica_paths().await.contains(&path));
    let before = source.snapshot(Some(6)).await.unwrap();
    let again = before.files.values().find(|file| file.path == path);
    let (again, now) = (again.unwrap(), source.snapshot(Some(7)).await.unwrap());
    let whole = now.files.values().next().unwrap();
    let add = compacted(&world, &[whole, again]).await;
    let remove = |path: &str| json!({ "remove": { "path": path, "dataChange": false, "deletionTimestamp": 5, "partitionValues": {} } });
    let says = |operation: &str| json!({ "commitInfo": { "operation": operation } });
    // Restored, so that its rows are there twice, and compacted with all others.
    commits.insert(8, vec![says("RESTORE"), appended]);
    let lines = vec![says("OPTIMIZE"), remove(&path), remove(&whole.path), add];
    commits.insert(9, lines);
    (8..=9).for_each(|version| commit(&world, &commits, version));
    let plan = sync(&world).await;
    assert_eq!((plan.sets_by_rows, plan.files_copy), (0, 1));
}

#[tokio::test]
async fn a_replica_that_is_mended_is_copied_again_and_goes_on() {
    let (world, commits) = world("rows", BOTH);
    for version in 0..=4 {
        commit(&world, &commits, version);
        sync(&world).await;
    }
    let mut pair = world.pair();
    pair.mend = Some(crate::Mend {
        suspects: ["the table".to_owned()].into(),
    });
    let (run, engine) = (world.run(), world.engine());
    let driven = crate::drive(&run, &pair, &engine, &world.journal, &world.clock);
    let Outcome::Done(plan) = driven.await.unwrap() else {
        panic!("not done")
    };
    assert_eq!((plan.sets_by_rows, plan.files_copy), (0, 1));
    is_equal(&world).await;
    commit(&world, &commits, 5);
    assert_eq!(sync(&world).await.sets_by_rows, 1);
}
