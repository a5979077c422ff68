//! What vacuuming and erasing delete, and what they never touch.

use std::sync::Mutex;
use std::sync::atomic::AtomicI64;

use async_trait::async_trait;
use futures::FutureExt as _;
use model::time::HOUR;
use model::{Clock as _, Timestamp};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use serde_json::json;

use super::world::{Holds, START, World, add, remove};
use crate::vacuum::Why;
use crate::{
    Doomed, Gone, Keep, Ledger, MARKER, Proof, Removal, VacuumError, erase, erase_proved,
    forget_history, look_again, plan_vacuum, plan_vacuum_keeping, residue, vacuum, vacuum_planned,
    vacuum_proved,
};

const RETENTION: u32 = 168;

async fn synced() -> World {
    let world = World::with_two_files();
    world.sync_done().await;
    world
}

fn modified(world: &World, key: &str) -> Timestamp {
    let meta = world
        .target
        .inner
        .head(&Path::from(key))
        .now_or_never()
        .unwrap()
        .unwrap();
    Timestamp::from_datetime(meta.last_modified)
}

#[tokio::test]
async fn files_deleted_at_the_source_are_gone_after_the_retention_and_not_before() {
    let world = synced().await;
    world.clock.advance(HOUR);
    world.commit(1, &[remove("a", 1)]);
    world.sync_done().await;
    let removed = world.clock.now();
    let (pair, table) = (world.pair(), World::replica_table());
    world.clock.advance(168 * HOUR - 1);
    let early = vacuum(
        &pair.target,
        table,
        RETENTION,
        world.clock.now(),
        &Holds::for_ever(),
    )
    .await
    .unwrap();
    assert_eq!((early.deleted, early.kept), (0, 2));
    assert_eq!(world.target.data(), ["a", "b"]);
    world.clock.advance(1);
    let plan = plan_vacuum(&pair.target, table, RETENTION, world.clock.now())
        .await
        .unwrap();
    assert_eq!(plan.delete.len(), 1);
    assert_eq!(
        (plan.delete[0].key.as_str(), plan.delete[0].why),
        ("a", Why::Tombstoned(removed))
    );
    assert_eq!(world.target.data(), ["a", "b"], "a plan deletes nothing");
    let report = vacuum_planned(&pair.target, &plan, &Holds::for_ever())
        .await
        .unwrap();
    assert_eq!(
        (report.deleted, report.bytes, report.kept, report.not_found),
        (1, 10, 1, 0)
    );
    assert_eq!(world.target.data(), ["b"]);
    // The replica goes on.
    world.commit(2, &[world.add("c", 5)]);
    world.sync_done().await;
    assert_eq!(world.replica_paths().await, ["b", "c"]);
}

#[tokio::test]
async fn a_restored_file_is_kept_though_it_once_was_removed() {
    let world = synced().await;
    world.commit(1, &[remove("a", 1)]);
    world.sync_done().await;
    world.commit(2, &[add("a", 10)]);
    world.sync_done().await;
    let late = world.clock.now().plus(10_000 * HOUR);
    let fence = Holds::for_ever();
    vacuum(
        &world.pair().target,
        World::replica_table(),
        RETENTION,
        late,
        &fence,
    )
    .await
    .unwrap();
    assert_eq!(world.target.data(), ["a", "b"]);
}

#[tokio::test]
async fn orphans_go_by_the_stores_time_and_log_and_marker_never() {
    let world = synced().await;
    for key in [
        "left/behind",
        "_delta_log/stray.tmp",
        "_delta_log/deep/x",
        "_entrepot/note",
    ] {
        world.target.put_now(key, "x");
    }
    let (pair, table) = (world.pair(), World::replica_table());
    let at = modified(&world, "left/behind");
    let early = plan_vacuum(&pair.target, table, RETENTION, at.plus(168 * HOUR - 1))
        .await
        .unwrap();
    assert!(early.delete.is_empty());
    let plan = plan_vacuum(&pair.target, table, RETENTION, at.plus(168 * HOUR))
        .await
        .unwrap();
    assert_eq!(plan.delete.len(), 1);
    assert_eq!(
        (plan.delete[0].key.as_str(), plan.delete[0].why),
        ("left/behind", Why::Orphan(at))
    );
    let before = world.target.keys().len();
    world.target.delete_now("left/behind");
    let report = vacuum_planned(&pair.target, &plan, &Holds::for_ever())
        .await
        .unwrap();
    // Stores may or may not say that an object was gone already; memory does not.
    assert_eq!(report.deleted + report.not_found, 1);
    assert_eq!(world.target.keys().len(), before - 1);
}

#[tokio::test]
async fn a_foreign_folder_or_commit_or_a_moved_replica_stops_it() {
    let table = World::replica_table();
    let world = World::with_two_files();
    world.target.put_now("precious", "x");
    let fence = Holds::for_ever();
    let late = Timestamp::from_micros(i64::MAX / 2);
    let error = vacuum(&world.pair().target, table, 0, late, &fence)
        .await
        .unwrap_err();
    assert!(matches!(error, VacuumError::NoMarker));
    assert!(matches!(
        erase(&world.pair().target, table, &fence).await,
        Err(VacuumError::NoMarker)
    ));
    assert_eq!(world.target.keys(), ["precious"]);

    let world = synced().await;
    world.commit(1, &[remove("a", 1)]);
    world.sync_done().await;
    let plan = plan_vacuum(&world.pair().target, table, 0, late)
        .await
        .unwrap();
    assert_eq!(plan.delete.len(), 1);
    world.commit(2, &[add("a", 10)]);
    world.sync_done().await;
    let moved = vacuum_planned(&world.pair().target, &plan, &fence).await;
    assert!(matches!(moved, Err(VacuumError::Moved)));
    let foreign = json!({ "commitInfo": { "operation": "WRITE" } }).to_string();
    world
        .target
        .put_now("_delta_log/00000000000000000003.json", foreign);
    let error = vacuum(&world.pair().target, table, 0, late, &fence)
        .await
        .unwrap_err();
    assert!(matches!(error, VacuumError::Diverged { version: 3 }));
    assert_eq!(world.target.data(), ["a", "b"]);
}

#[tokio::test]
async fn a_fenced_vacuum_stops_between_batches() {
    let world = synced().await;
    for n in 0..150 {
        world.target.put_now(&format!("orphan-{n}"), "x");
    }
    let late = modified(&world, "orphan-149").plus(200 * HOUR);
    let fence = Holds(AtomicI64::new(1));
    let target = world.pair().target;
    let table = World::replica_table();
    let plan = plan_vacuum(&target, table, RETENTION, late).await.unwrap();
    assert_eq!(plan.delete.len(), 150);
    let error = vacuum_planned(&target, &plan, &fence).await.unwrap_err();
    assert!(matches!(error, VacuumError::Fenced));
    assert_eq!(world.target.data().len(), 2 + 50);
}

#[tokio::test]
async fn erasing_ends_with_the_marker_and_can_be_taken_up_again() {
    let world = synced().await;
    let target = world.pair().target;
    let table = World::replica_table();
    let fence = Holds(AtomicI64::new(1));
    assert!(matches!(
        erase(&target, table, &fence).await,
        Err(VacuumError::Fenced)
    ));
    assert!(world.target.keys().contains(&MARKER.to_owned()));
    erase(&target, table, &Holds::for_ever()).await.unwrap();
    assert!(world.target.keys().is_empty());
    assert_eq!(
        erase(&target, table, &Holds::for_ever())
            .await
            .unwrap()
            .deleted,
        0
    );
    let deletes: Vec<_> = world
        .target
        .asked()
        .into_iter()
        .filter(|a| a.starts_with("delete "))
        .collect();
    assert_eq!(deletes.last().unwrap(), &format!("delete {MARKER}"));
    assert!(deletes[deletes.len() - 2].contains("_delta_log"));
}

/// A ledger in memory; it may break after the deletes.
#[derive(Default)]
struct Book {
    meant: Mutex<Vec<Doomed>>,
    gone: Mutex<Vec<Gone>>,
    is_broken: bool,
}

#[async_trait]
impl Ledger for Book {
    async fn mean(&self, objects: &[Doomed]) -> Result<(), String> {
        self.meant.lock().unwrap().extend_from_slice(objects);
        Ok(())
    }

    async fn gone(&self, objects: &[Gone]) -> Result<(), String> {
        if self.is_broken {
            return Err("the ledger is full".to_owned());
        }
        self.gone.lock().unwrap().extend_from_slice(objects);
        Ok(())
    }
}

/// Of several commits that a run brings at once the retention counts from the one that removed a file, not from the last.
#[tokio::test]
async fn the_retention_counts_from_the_commit_that_removed_the_file() {
    let world = synced().await;
    world.clock.advance(6 * HOUR);
    let (first, last) = (START - 999_999, START + 5 * 3_600_000);
    world.commit(1, &[remove("a", first)]);
    let info = json!({ "commitInfo": { "timestamp": last } });
    let late = format!("{info}\n{}\n{}\n", remove("b", last), world.add("c", 5));
    world
        .source
        .put_now("_delta_log/00000000000000000002.json", late);
    let run = world.run();
    world.drive(&run).await.unwrap();
    let removed = world.replica_actions(1, "remove");
    let said = |path: &str| {
        let of = removed.iter().find(|remove| remove["path"] == path);
        of.unwrap()["tags"]["entrepot.gone"].clone()
    };
    assert_eq!(said("a"), first.to_string());
    assert_eq!(said("b"), last.to_string());
    let keep = Keep {
        retention_hours: RETENTION,
        removals: Removal::of(&world.journal.record(run.id))
            .into_iter()
            .collect(),
        forget: None,
    };
    let (target, table) = (world.pair().target, World::replica_table());
    for (since, gone) in [(first, "a"), (last, "b")] {
        let due = Timestamp::from_millis(since).plus(168 * HOUR);
        let planned = async |at: Timestamp| {
            let plan = plan_vacuum_keeping(&target, table, &keep, at)
                .await
                .unwrap();
            let keys = plan.delete.into_iter().map(|object| object.key);
            keys.collect::<Vec<String>>()
        };
        assert!(!planned(due.plus(-1)).await.contains(&gone.to_owned()));
        assert!(planned(due).await.contains(&gone.to_owned()));
    }
}

/// Deadline by the source's commit, the ledger before and after, the history's end, and nothing left.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_forgotten_is_written_down_and_nothing_of_it_is_left() {
    let world = synced().await;
    world.clock.advance(HOUR);
    world.commit(1, &[remove("a", START - 999_999)]);
    let plan = world.sync_done().await;
    let (target, table) = (world.pair().target, World::replica_table());
    let removed = world.clock.now();
    let removal = Removal {
        at: removed,
        version: plan.target_version,
        source_version: plan.source_version,
        source_at: plan.source_timestamp,
    };
    let keep = Keep {
        retention_hours: RETENTION,
        removals: vec![removal],
        forget: None,
    };
    let due = plan.source_timestamp.plus(168 * HOUR);
    assert!(due < removed.plus(168 * HOUR), "the source was earlier");
    let early = plan_vacuum_keeping(&target, table, &keep, due.plus(-1)).await;
    assert_eq!(early.unwrap().delete.len(), 0);
    let left = residue(&target, table, 1, &keep).await.unwrap();
    assert_eq!((left.removed, left.next), (1, Some(due)));
    assert_eq!((left.live, left.history), (1, 1));
    assert!(left.waits() && !left.is_clean());
    // What was removed later than what is asked for is not waited for.
    let earlier = residue(&target, table, 0, &keep).await.unwrap();
    assert_eq!((earlier.removed, earlier.waits()), (0, false));
    // Who reads has an hour, however late the replica was.
    let short = Keep {
        retention_hours: 2,
        ..keep.clone()
    };
    let at = removed.plus(HOUR - 1);
    let reads = plan_vacuum_keeping(&target, table, &short, at).await;
    assert_eq!(reads.unwrap().delete.len(), 0);

    // At once, by a process that dies before it can write down what it did.
    let now = world.clock.now();
    let forget = Keep {
        forget: Some(1),
        ..keep
    };
    let plan = plan_vacuum_keeping(&target, table, &forget, now)
        .await
        .unwrap();
    let doomed = &plan.delete[0];
    assert_eq!((doomed.key.as_str(), doomed.removal), ("a", Some(removal)));
    assert!(doomed.etag.is_some());
    let (fence, clock) = (Holds::for_ever(), &world.clock);
    let broken = Book {
        is_broken: true,
        ..Book::default()
    };
    let ended = vacuum_proved(&target, &plan, &fence, &Proof::new(&broken, clock)).await;
    assert!(matches!(ended, Err(VacuumError::Ledger(_))), "{ended:?}");
    let open: Vec<String> = broken
        .meant
        .lock()
        .unwrap()
        .iter()
        .map(|object| object.key.clone())
        .collect();
    assert_eq!(open, ["a"]);
    let found = look_again(&target, vec!["a".to_owned(), "b".to_owned()], clock).await;
    let found = found.unwrap();
    assert_eq!(found.len(), 1, "what is there is not gone");
    assert_eq!((found[0].key.as_str(), found[0].gone_at), ("a", Some(now)));

    let book = Book::default();
    let proof = Proof::new(&book, clock);
    let forgotten = forget_history(&target, table, &fence, &proof).await;
    assert_eq!(forgotten.unwrap().deleted, 1);
    let gone = book.gone.lock().unwrap().clone();
    assert_eq!(gone[0].key, "_delta_log/00000000000000000000.json");
    assert!(gone.iter().all(|object| object.gone_at.is_some()));
    let left = residue(&target, table, 1, &forget).await.unwrap();
    assert!(left.is_clean(), "{left:?}");
    // Again there is nothing to do, and the replica goes on.
    let again = forget_history(&target, table, &fence, &proof).await;
    assert_eq!(again.unwrap().deleted, 0);
    world.commit(2, &[world.add("c", 5)]);
    world.sync_done().await;
    assert_eq!(world.replica_paths().await, ["b", "c"]);
    // A path that tells the value of a partition stays in the log as a tombstone, and is counted.
    let mut personal = world.add("p=7/d", 5);
    personal["add"]["stats"] = json!("{\"numRecords\":3,\"maxValues\":{\"x\":\"Erika-4711\"}}");
    world.commit(3, &[personal]);
    world.sync_done().await;
    let telling = || {
        let tells = |key: &String| {
            let bytes = world.target.bytes_now(key);
            bytes.windows(10).any(|part| part == b"Erika-4711")
        };
        world.target.keys().into_iter().filter(tells).count()
    };
    assert_eq!(telling(), 1, "the commit that added it");
    world.commit(4, &[remove("p=7/d", 1)]);
    world.sync_done().await;
    let left = residue(&target, table, 1, &forget).await.unwrap();
    assert_eq!(left.naming, 1, "{left:?}");
    // Of its values no object of the whole folder tells, byte by byte, once it is forgotten.
    let all = Keep {
        forget: Some(4),
        ..forget.clone()
    };
    let plan = plan_vacuum_keeping(&target, table, &all, world.clock.now()).await;
    let report = vacuum_proved(&target, &plan.unwrap(), &fence, &proof).await;
    assert_eq!(report.unwrap().deleted, 1);
    assert_eq!(telling(), 1);
    let forgotten = forget_history(&target, table, &fence, &proof).await;
    forgotten.unwrap();
    assert_eq!(telling(), 0);

    let book = Book::default();
    let proof = Proof::new(&book, clock);
    let objects = world.target.keys().len();
    let report = erase_proved(&target, table, &fence, &proof).await.unwrap();
    assert_eq!(report.deleted as usize, objects);
    // The marker says whose the folder was, and nothing of anybody.
    assert_eq!(book.gone.lock().unwrap().len(), objects - 1);
}
