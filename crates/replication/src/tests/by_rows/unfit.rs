//! What cannot be done by rows, and is copied: feeds that are gone or tell of something else, counts that do not agree.

use serde_json::{Value, json};

use super::super::world::World;
use super::{BOTH, Commits, commit, is_equal_rows, sync, world};
use crate::choose::STAGED;
use crate::{PlanSummary, Ways};

/// Follows `rows` to a version after something was done to the source; the run is to end by copying.
async fn copied_after(to: u64, ways: Ways, change: impl Fn(&World, &mut Commits)) -> PlanSummary {
    let (world, mut commits) = world("rows", ways);
    (0..to).for_each(|version| commit(&world, &commits, version));
    world.sync_done().await;
    change(&world, &mut commits);
    commit(&world, &commits, to);
    let plan = world.sync_done().await;
    assert_eq!(plan.sets_by_rows, 0);
    is_equal_rows(&world).await;
    // What had been fetched to be read is gone, too.
    assert!(
        !world
            .target
            .data()
            .iter()
            .any(|key| key.starts_with(STAGED))
    );
    plan
}

/// Says of the files of a commit that they have so many rows more.
fn lie(commits: &mut Commits, version: u64, more: i64) {
    for line in commits.get_mut(&version).unwrap() {
        if let Some(add) = line.get_mut("add") {
            let mut stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
            stats["numRecords"] = json!(stats["numRecords"].as_i64().unwrap() + more);
            add["stats"] = stats.to_string().into();
        }
    }
}

fn feed_of(commits: &Commits, version: u64) -> (String, u64) {
    let feeds = commits[&version].iter().find_map(|line| line.get("cdc"));
    let feed = feeds.unwrap();
    let path = feed["path"].as_str().unwrap().to_owned();
    (path, feed["size"].as_u64().unwrap())
}

#[tokio::test]
async fn what_does_not_fit_is_copied() {
    // The feed's file was vacuumed.
    copied_after(2, BOTH, |world, commits| {
        world.source.delete_now(&feed_of(commits, 2).0);
    })
    .await;
    // The feed tells of rows that are in no file; and of fewer rows than the source then has.
    for other in [8, 3] {
        copied_after(2, BOTH, |world, commits| {
            let bytes = world.source.bytes_now(&feed_of(commits, other).0);
            let path = feed_of(commits, 2).0;
            for line in commits.get_mut(&2).unwrap() {
                if let Some(feed) = line.get_mut("cdc") {
                    feed["size"] = bytes.len().into();
                }
            }
            world.source.put_now(&path, bytes);
        })
        .await;
    }
    // It is no Parquet file at all.
    copied_after(2, BOTH, |world, commits| {
        let (path, size) = feed_of(commits, 2);
        let junk = vec![7_u8; usize::try_from(size).unwrap()];
        world.source.put_now(&path, junk);
    })
    .await;
    let operation = |name: &'static str| {
        move |_: &World, commits: &mut Commits| {
            for line in commits.get_mut(&7).unwrap() {
                if let Some(info) = line.get_mut("commitInfo") {
                    info["operation"] = name.into();
                }
            }
        }
    };
    // Rows are purged; or somebody only says that none were changed.
    for name in ["REORG", "WRITE"] {
        let plan = copied_after(7, BOTH, operation(name)).await;
        assert!(plan.bytes_copy > 60_000);
    }
    // A compaction that lost a row, by its own count.
    let (world, mut commits) = world("rows", BOTH);
    (0..7).for_each(|version| commit(&world, &commits, version));
    world.sync_done().await;
    lie(&mut commits, 7, -1);
    commit(&world, &commits, 7);
    let plan = world.sync_done().await;
    assert_eq!((plan.sets_by_rows, plan.files_copy), (0, 1));
}

#[tokio::test]
async fn after_a_feed_that_could_not_be_applied_some_runs_fetch_none() {
    let (world, commits) = world("rows", Ways::default());
    (0..=1).for_each(|version| commit(&world, &commits, version));
    world.sync_done().await;
    let (path, size) = feed_of(&commits, 2);
    let junk = vec![7_u8; usize::try_from(size).unwrap()];
    world.source.put_now(&path, junk);
    commit(&world, &commits, 2);
    assert_eq!(world.sync_done().await.sets_by_rows, 0);
    for version in 3..=6 {
        commit(&world, &commits, version);
        assert_eq!(sync(&world).await.sets_by_rows, 0);
        let asked = world.source.asked();
        assert!(!asked.iter().any(|asked| asked.contains("_change_data")));
    }
    (7..=8).for_each(|version| commit(&world, &commits, version));
    assert_eq!(sync(&world).await.files_for, 0);
    commit(&world, &commits, 9);
    sync(&world).await;
    commit(&world, &commits, 10);
    assert_eq!(sync(&world).await.sets_by_rows, 1);
}

#[tokio::test]
async fn a_writer_that_counts_wrong_is_found_out_before_the_commit() {
    let (world, mut commits) = world("rows", Ways { pack: 2, ..BOTH });
    // Appended, and compacted: both with a row that is not there. What is put together here is counted.
    lie(&mut commits, 6, 1);
    lie(&mut commits, 7, 1);
    (0..=6).for_each(|version| commit(&world, &commits, version));
    world.sync_done().await;
    commit(&world, &commits, 7);
    let plan = world.sync_done().await;
    assert_eq!((plan.sets_by_rows, plan.files_copy), (0, 1));
    is_equal_rows(&world).await;
}
