//! Runs by rows that are broken off at each of their effects.

use serde_json::Value;

use super::super::probe::Mode;
use super::super::world::World;
use super::{BOTH, Commits, commit, is_equal, world};
use crate::choose::STAGED;
use crate::drive::{Run, RunError};

/// What the replica has, without what differs between attempts.
async fn state(world: &World) -> (Vec<String>, Vec<String>, Vec<Vec<Value>>) {
    let commits = (0..2).map(|version| world.replica_commit(version));
    let commits = commits.collect();
    (world.target.keys(), world.replica_paths().await, commits)
}

async fn two_syncs(world: &World, commits: &Commits, runs: &[Run; 2]) -> Result<(), RunError> {
    (0..=5).for_each(|version| commit(world, commits, version));
    world.drive(&runs[0]).await?;
    (6..=8).for_each(|version| commit(world, commits, version));
    world.drive(&runs[1]).await?;
    Ok(())
}

#[tokio::test]
async fn a_run_cut_off_at_any_effect_ends_the_same_and_fetches_nothing_twice() {
    let (calm, commits) = world("rows", BOTH);
    let runs = [calm.run(), calm.run()];
    two_syncs(&calm, &commits, &runs).await.unwrap();
    let expected = state(&calm).await;
    is_equal(&calm).await;
    for mode in [Mode::Dies, Mode::DiesAfter] {
        let mut fired = 0;
        for n in 0.. {
            let (world, commits) = world("rows", BOTH);
            let runs = [world.run(), world.run()];
            // The first run is another test's.
            (0..=5).for_each(|version| commit(&world, &commits, version));
            world.drive(&runs[0]).await.unwrap();
            world.faults.arm(n, mode);
            let result = two_syncs(&world, &commits, &runs).await;
            if !world.faults.fired() {
                result.unwrap();
                break;
            }
            fired += 1;
            world.faults.disarm();
            let finished = world.target.data();
            let was_staged = finished.iter().any(|key| key.starts_with(STAGED));
            world.source.forget();
            let again = world.taken_over(n, &runs);
            two_syncs(&world, &commits, &again).await.unwrap();
            assert_eq!(state(&world).await, expected, "effect {n}, {mode:?}");
            let asked = world.source.asked();
            for key in &finished {
                assert!(
                    !asked.contains(&format!("get {key}")),
                    "effect {n}: `{key}`"
                );
            }
            let is_feed = |asked: &String| asked.starts_with("get _change_data");
            assert!(!was_staged || !asked.iter().any(is_feed), "effect {n}");
            is_equal(&world).await;
        }
        assert!(fired > 20, "only {fired} effects");
    }
}
