//! Runs that are cut off at every effect in turn, and runs that race.

use futures::FutureExt as _;
use model::{RunState, Timestamp};

use super::probe::Mode;
use super::world::{Holds, World, body, metadata, protocol, remove};
use crate::drive::{Outcome, Run, RunError};
use crate::{Copied, CopyOptions, Keep, Removal, VacuumError, plan_vacuum_keeping, vacuum};

/// A first sync and an incremental one with copies in one piece and in parts, a remove and a file to copy.
fn world() -> World {
    let mut world = World::new();
    world.options = CopyOptions {
        files: 2,
        part_bytes: 1024,
        budget_bytes: 4096,
        read_ahead: 2,
        attempt: 0,
    };
    let big = world.add("p=1/big", 5_000);
    world.commit(
        0,
        &[
            protocol(),
            metadata("source-1"),
            world.add("a", 10),
            big,
            world.add("z", 0),
        ],
    );
    world
}

/// The state of the replica, without what differs between attempts: nothing should.
async fn state(world: &World) -> (Vec<String>, Vec<String>, Vec<Vec<serde_json::Value>>) {
    let commits = (0..2)
        .map(|version| world.replica_commit(version))
        .collect();
    (world.target.keys(), world.replica_paths().await, commits)
}

async fn two_syncs(world: &World, runs: &[Run; 2]) -> Result<(), RunError> {
    world.drive(&runs[0]).await?;
    if !world.source.keys().contains(&"c".to_owned()) {
        world.commit(1, &[world.add("c", 3_000), remove("a", 1)]);
    }
    world.drive(&runs[1]).await?;
    Ok(())
}

/// Two syncs in a fresh world for each effect in turn, which goes wrong in this way, until none does. `after` is given each world once
/// all goes well again, with its runs and the effect. Answers how many went wrong.
async fn at_each_effect(mode: Mode, after: impl AsyncFn(World, [Run; 2], i64)) -> i64 {
    let mut n = 0;
    loop {
        let world = world();
        let runs = [world.run(), world.run()];
        world.faults.arm(n, mode);
        let result = two_syncs(&world, &runs).await;
        if !world.faults.fired() {
            result.unwrap();
            return n;
        }
        world.faults.disarm();
        after(world, runs, n).await;
        n += 1;
    }
}

#[tokio::test]
async fn rule_34_a_run_cut_off_at_any_effect_ends_the_same_and_copies_nothing_twice() {
    let calm = world();
    let runs = [calm.run(), calm.run()];
    two_syncs(&calm, &runs).await.unwrap();
    let expected = state(&calm).await;

    for mode in [Mode::Dies, Mode::DiesAfter, Mode::Fails, Mode::Lost] {
        let taken_up = async |world: World, runs: [Run; 2], n: i64| {
            let finished = world.target.data();
            world.source.forget();
            // The next attempt, on the same machine or on another one without the receipts.
            if n % 2 == 1 {
                for file in std::fs::read_dir(world.folder.path()).unwrap() {
                    std::fs::remove_file(file.unwrap().path()).unwrap();
                }
            }
            for run in &runs {
                world.journal.lease(run.id, 2);
            }
            let again = runs.map(|run| Run { attempt: 2, ..run });
            two_syncs(&world, &again).await.unwrap();
            assert_eq!(state(&world).await, expected, "effect {n}, {mode:?}");
            for key in &finished {
                let read = world.source.asked().contains(&format!("get {key}"));
                assert!(!read, "effect {n}, {mode:?}: `{key}` was copied twice");
            }
            for run in &again {
                assert_eq!(world.journal.record(run.id).state, RunState::Done);
            }
        };
        let fired = at_each_effect(mode, taken_up).await;
        assert!(fired > 60, "only {fired} effects");
    }
}

/// A store that answers late, short or with what was true a moment ago may end a run; what it commits is never wrong, and the next
/// run is as any other.
#[tokio::test]
async fn a_store_that_answers_late_short_or_stale_leaves_nothing_wrong() {
    let calm = world();
    let runs = [calm.run(), calm.run()];
    two_syncs(&calm, &runs).await.unwrap();
    let (_, paths, _) = state(&calm).await;

    for mode in [Mode::Late, Mode::Short, Mode::Stale] {
        let anew = async |world: World, runs: [Run; 2], n: i64| {
            for run in &runs {
                world.journal.lease(run.id, 2);
            }
            // Whatever had been committed by then could be read.
            let keys = world.target.keys();
            if keys.iter().any(|key| key.starts_with("_delta_log/")) {
                is_whole(&world, &[]).await;
            }
            let again = [world.run(), world.run()];
            two_syncs(&world, &again).await.unwrap();
            is_whole(&world, &paths).await;
            let at = format!("effect {n}, {mode:?}");
            assert!(
                matches!(world.sync().await, Outcome::Nothing { .. }),
                "{at}"
            );
        };
        let fired = at_each_effect(mode, anew).await;
        assert!(fired > 60, "only {fired} effects");
    }
}

/// Each file of the replica is there, with the bytes that the source's has; which files those are, unless none are named.
async fn is_whole(world: &World, paths: &[String]) {
    let snapshot = world.pair().target.snapshot(None).await.unwrap();
    let mut found = Vec::new();
    for file in snapshot.files.values() {
        let bytes = world.target.bytes_now(file.key.as_ref());
        let size = usize::try_from(file.size).unwrap();
        assert!(bytes == body(file.key.as_ref(), size), "{}", file.path);
        found.push(file.path.clone());
    }
    found.sort();
    assert!(paths.is_empty() || found == paths, "{found:?}");
}

#[tokio::test]
async fn rule_35_of_two_runs_of_one_replica_one_commits() {
    let world = world();
    let runs = [world.run(), world.run()];
    let (first, second) = futures::join!(world.drive(&runs[0]), world.drive(&runs[1]));
    let outcomes = [first.unwrap(), second.unwrap()];
    let done = outcomes
        .iter()
        .filter(|o| matches!(o, Outcome::Done(_)))
        .count();
    let nothing = outcomes
        .iter()
        .filter(|o| matches!(o, Outcome::Nothing { .. }))
        .count();
    assert_eq!((done, nothing), (1, 1), "{outcomes:?}");
    assert_eq!(
        world
            .target
            .keys()
            .iter()
            .filter(|key| key.starts_with("_delta_log/"))
            .count(),
        1
    );
}

#[tokio::test]
async fn a_fenced_driver_stops_at_once() {
    let world = world();
    let run = world.run();
    let other = Run {
        attempt: 2,
        ..run.clone()
    };
    world.journal.lease(run.id, 1);
    // The lease is lost while the first driver copies; another one takes the run to its end.
    let plan = world.drive(&run);
    let mut plan = std::pin::pin!(plan);
    // Polled once: with stores in memory the driver stands at its first wait, the copy.
    assert!(plan.as_mut().now_or_never().is_none());
    world.journal.lease(run.id, 2);
    assert!(matches!(
        world.drive(&other).await.unwrap(),
        Outcome::Done(_)
    ));
    let before = world.target.keys();
    assert!(matches!(plan.await, Err(RunError::Fenced)));
    assert_eq!(world.target.keys(), before);
    assert_eq!(world.journal.record(run.id).state, RunState::Done);
}

#[tokio::test]
async fn a_run_that_ended_says_the_same_again() {
    let world = world();
    let run = world.run();
    let first = world.drive(&run).await.unwrap();
    world.source.forget();
    assert_eq!(world.drive(&run).await.unwrap(), first);
    assert!(world.source.asked().is_empty());
    let record = world.journal.record(run.id);
    assert_eq!(
        record.copied,
        Copied {
            files: 3,
            bytes: 5_010,
            bytes_read: 5_010
        }
    );
    let verified = record.verified.unwrap();
    assert_eq!(
        (verified.files, verified.objects, verified.rows),
        (3, 3, Some(9))
    );
}

#[tokio::test]
async fn a_vacuum_cut_off_at_any_effect_ends_the_same() {
    let world_to_vacuum = async || {
        let world = world();
        world.sync().await;
        world.commit(1, &[remove("a", 1), remove("z", 1)]);
        world.sync().await;
        world.clock.advance(200 * model::time::HOUR);
        world
    };
    let table = World::replica_table();
    for mode in Mode::ALL {
        for n in 0.. {
            let world = world_to_vacuum().await;
            let fence = Holds::for_ever();
            world.faults.arm(n, mode);
            let now = model::Clock::now(&world.clock);
            let first = vacuum(&world.pair().target, table, 168, now, &fence).await;
            if !world.faults.fired() {
                assert_eq!(first.unwrap().deleted, 2);
                break;
            }
            // What a lost answer deleted is found gone.
            let found_gone =
                mode == Mode::Lost && first.as_ref().is_ok_and(|done| done.deleted == 2);
            let cuts_off = matches!(
                mode,
                Mode::Dies | Mode::DiesAfter | Mode::Fails | Mode::Lost
            );
            if cuts_off && !found_gone {
                assert!(
                    matches!(
                        first,
                        Err(VacuumError::Store(_) | VacuumError::Log(_) | VacuumError::Marker(_))
                    ),
                    "effect {n}, {mode:?}: {first:?}"
                );
            }
            world.faults.disarm();
            assert!(world.target.data().contains(&"p=1/big".to_owned()));
            vacuum(&world.pair().target, table, 168, now, &fence)
                .await
                .unwrap();
            assert_eq!(world.target.data(), ["p=1/big"], "effect {n}, {mode:?}");
        }
    }
}

/// What a run had copied before it was interrupted no log knows of: a vacuum takes it for orphans.
#[tokio::test]
async fn a_run_taken_up_before_its_commit_copies_again_what_was_vacuumed_meanwhile() {
    let world = World::with_two_files();
    world.sync_done().await;
    world.commit(1, &[world.add("c", 5_000)]);
    let faults = std::sync::Arc::clone(&world.faults);
    *world.journal.hook.lock().unwrap() = Some(Box::new(move |record| {
        if record.state == RunState::Committing {
            faults.arm(0, Mode::Dies);
        }
    }));
    let run = world.run();
    assert!(world.drive(&run).await.is_err());
    *world.journal.hook.lock().unwrap() = None;
    world.faults.disarm();
    assert_eq!(world.journal.record(run.id).state, RunState::Committing);
    assert_eq!(world.target.data(), ["a", "b", "c"]);

    let late = Timestamp::from_micros(i64::MAX / 2);
    let (target, fence) = (world.pair().target, Holds::for_ever());
    let done = vacuum(&target, World::replica_table(), 168, late, &fence).await;
    assert_eq!(done.unwrap().deleted, 1);
    let again = Run { attempt: 2, ..run };
    let outcome = world.drive(&again).await.unwrap();
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome:?}");
    assert_eq!(world.target.bytes_now("c"), body("c", 5_000));
    assert_eq!(world.replica_paths().await, ["a", "b", "c"]);
}

/// A run that is taken up days later commits now: tombstones of days ago would be over before they stand, and whoever reads the
/// version before would be left without its files. What the journal keeps is what the commit says.
#[tokio::test]
async fn a_commit_that_is_taken_up_days_later_has_the_time_it_is_made_at() {
    let table = World::replica_table();
    let (mut anew, mut found) = (0, 0);
    for n in 0.. {
        let world = World::with_two_files();
        world.sync_done().await;
        world.commit(1, &[remove("a", 1)]);
        let faults = std::sync::Arc::clone(&world.faults);
        *world.journal.hook.lock().unwrap() = Some(Box::new(move |record| {
            if record.state == RunState::Committing {
                faults.arm(n, Mode::DiesAfter);
            }
        }));
        let run = world.run();
        let first = world.drive(&run).await;
        *world.journal.hook.lock().unwrap() = None;
        world.faults.disarm();
        if !world.faults.fired() {
            break;
        }
        let began = model::Clock::now(&world.clock);
        let was_made = world
            .target
            .keys()
            .contains(&"_delta_log/00000000000000000001.json".to_owned());
        world.clock.advance(10 * model::time::DAY);
        let now = model::Clock::now(&world.clock);
        let again = Run { attempt: 2, ..run };
        let outcome = world.drive(&again).await.unwrap();
        assert!(
            matches!(outcome, Outcome::Done(_)),
            "effect {n}: {first:?}, {outcome:?}"
        );

        let record = world.journal.record(again.id);
        let expected = if was_made { began } else { now };
        *(if was_made { &mut found } else { &mut anew }) += 1;
        assert_eq!(record.commit_at, Some(expected), "effect {n}");
        let removed = world.replica_actions(1, "remove");
        assert_eq!(
            removed[0]["deletionTimestamp"],
            expected.millis(),
            "effect {n}"
        );
        if was_made {
            continue;
        }
        let keep = Keep {
            retention_hours: 168,
            removals: Removal::of(&record).into_iter().collect(),
            forget: None,
        };
        let planned = plan_vacuum_keeping(&world.pair().target, table, &keep, now).await;
        assert!(
            planned.unwrap().delete.is_empty(),
            "effect {n}: readers have an hour"
        );
    }
    assert!(anew > 0 && found > 0, "{anew} made anew, {found} found");
}

/// A source may vacuum more than once under a run; corrupt it is only where its newest version names what is not there.
#[tokio::test]
async fn rule_27_a_source_that_vacuums_twice_under_a_run_is_planned_for_twice_more() {
    let mut world = World::with_two_files();
    // One after the other: the second is not begun when the first is found gone.
    world.options = CopyOptions {
        files: 1,
        ..CopyOptions::default()
    };
    world.sync_done().await;
    world.commit(1, &[world.add("c", 5), world.add("d", 6)]);
    let source = world.source.clone();
    let left = std::sync::Mutex::new(vec!["d", "c"]);
    *world.journal.hook.lock().unwrap() = Some(Box::new(move |record| {
        let mut left = left.lock().unwrap();
        let version = 4 - left.len();
        // Once under each plan.
        if record.state != RunState::Copying || record.plans as usize != version - 1 {
            return;
        }
        if let Some(name) = left.pop() {
            source.delete_now(name);
            let commit = format!("{}\n", remove(name, 1));
            source.put_now(&format!("_delta_log/{version:020}.json"), commit);
        }
    }));
    let run = world.run();
    let Outcome::Done(plan) = world.drive(&run).await.unwrap() else {
        panic!("not done")
    };
    assert_eq!((plan.source_version, plan.ordinal), (3, 3));
    assert_eq!(world.replica_paths().await, ["a", "b"]);
}

/// The server drives runs as tasks.
#[tokio::test]
async fn everything_long_can_be_spawned() {
    fn spawnable<T: Send + 'static>(task: impl Future<Output = T> + Send + 'static) -> impl Sized {
        tokio::spawn(task)
    }
    let world = std::sync::Arc::new(world());
    let run = world.run();
    let driven = std::sync::Arc::clone(&world);
    let handle = spawnable(async move {
        driven.drive(&run).await.unwrap();
        let now = model::Clock::now(&driven.clock);
        let fence = Holds::for_ever();
        let target = driven.pair().target;
        vacuum(&target, World::replica_table(), 168, now, &fence)
            .await
            .unwrap();
        crate::erase(&target, World::replica_table(), &fence)
            .await
            .unwrap();
    });
    drop(handle);
}
