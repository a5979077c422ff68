//! Sync and vacuum of one replica table take turns, and neither begins where nothing is to be done any more.

use model::dto::{RevokeNew, RunHow, SyncJobChange};
use model::time::{DAY, HOUR, SECOND};
use model::{ReplicaState, ReplicaTableId, RunKind, RunState};
use serde_json::json;

use super::following::tables;
use super::racing::somebody_waits;
use super::{World, inspection};
use crate::audit::Object;
use crate::jobs::{Leased, Wake, WorkKind};
use crate::operation::Operation;
use crate::page::PageRequest;
use crate::replicas::{ReplicaStep, RunBegun, RunProgress, SyncOutcome};
use crate::sql;

impl World {
    /// The replica table of the product's only table.
    pub(super) async fn replica_table(&self) -> ReplicaTableId {
        let replica = self
            .exchange()
            .replica(&self.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap();
        replica.tables[0].id
    }

    /// Leases work on the replica table, as a worker would, for so many microseconds.
    async fn lease(&self, kind: WorkKind, ttl: i64) -> Leased {
        let key = self.replica_table().await.to_string();
        let exchange = self.exchange();
        exchange
            .wake(&self.system, &Wake::new(kind, &key))
            .await
            .unwrap();
        exchange
            .work_lease_of(&self.system, "w", None, ttl, (kind, &key))
            .await
            .unwrap()
            .unwrap()
    }

    async fn begin(&self, kind: RunKind, leased: &Leased) -> RunBegun {
        let exchange = self.exchange();
        let id = self.replica_table().await;
        let task = exchange.sync_task(&self.system, id).await.unwrap().unwrap();
        exchange
            .run_begin(&self.system, &task, kind, leased)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_run_waits_for_the_other_kind_and_takes_over_from_the_dead() {
    let minute = 60_000_000;
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        for (first, second, works) in [
            (
                RunKind::Sync,
                RunKind::Vacuum,
                [WorkKind::Sync, WorkKind::Vacuum],
            ),
            (
                RunKind::Vacuum,
                RunKind::Sync,
                [WorkKind::Vacuum, WorkKind::Sync],
            ),
        ] {
            let leased = world.lease(works[0], minute).await;
            let run = world.begin(first, &leased).await.run().unwrap();
            assert!(run.is_new);
            let other = world.lease(works[1], minute).await;
            let waits = world.begin(second, &other).await;
            assert!(matches!(waits, RunBegun::Later(1..)), "{waits:?}");
            assert!(exchange.run_holds(&world.system, &run).await.unwrap());
            let progress = RunProgress::default();
            let saved = exchange.run_save(&world.system, &run, &progress);
            assert!(saved.await.unwrap(), "it was not pushed aside");

            // Its worker is dead: the next one of its kind takes it up, and then that one dies, too.
            let leased = {
                exchange
                    .work_failed(&leased, "the worker died", false)
                    .await
                    .unwrap();
                world.lease(works[0], -1).await
            };
            let again = world.begin(first, &leased).await.run().unwrap();
            assert_eq!((again.id, again.is_new), (run.id, false));
            assert!(!exchange.run_holds(&world.system, &run).await.unwrap());
            let begun = world.begin(second, &other).await.run().unwrap();
            assert!(begun.is_new && begun.id != run.id);
            assert!(!exchange.run_holds(&world.system, &again).await.unwrap());
            let shown = exchange.sync_run(&world.jonas, run.id).await.unwrap();
            assert_eq!(shown.state, RunState::Failed);
            let id = world.replica_table().await;
            let task = exchange
                .sync_task(&world.system, id)
                .await
                .unwrap()
                .unwrap();
            let ended =
                exchange.run_ended(&world.system, &task, &begun, RunState::Failed, "", false);
            assert!(ended.await.unwrap());
            exchange.work_done(&other).await.unwrap();
        }
    }
}

/// What took how long, and how far a run came that did not come to its end.
#[tokio::test]
async fn a_run_keeps_when_it_came_into_each_state() {
    use RunState::{Copying, Failed, Planned};
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        let (task, run) = world.begin_sync().await;
        let begun = exchange.now();
        let save = async |state| {
            world.test.clock.advance(SECOND);
            let progress = RunProgress {
                state: Some(state),
                // What is not said again stays.
                how: (state == Planned).then(|| RunHow {
                    sets_fed: 2,
                    ..RunHow::default()
                }),
                ..RunProgress::default()
            };
            exchange.run_save(&world.system, &run, &progress).await
        };
        // It saves its progress while it copies, and then has to plan anew.
        for state in [Planned, Copying, Copying, Planned, Copying] {
            assert!(save(state).await.unwrap());
        }
        world.test.clock.advance(SECOND);
        let ended = exchange.run_ended(&world.system, &task, &run, Failed, "gone", false);
        assert!(ended.await.unwrap());
        assert!(!save(Planned).await.unwrap(), "it is over");
        let shown = exchange.sync_run(&world.jonas, run.id).await.unwrap();
        assert_eq!(shown.how.as_ref().map(|how| how.sets_fed), Some(2));
        let steps: Vec<_> = shown
            .steps
            .iter()
            .map(|step| (step.state, step.at.since(begun) / SECOND))
            .collect();
        assert_eq!(
            steps,
            [
                (Planned, 0),
                (Copying, 2),
                (Planned, 4),
                (Copying, 5),
                (Failed, 6)
            ]
        );
        let all = PageRequest::all();
        let listed = exchange.sync_runs(&world.jonas, None, &all).await.unwrap();
        assert!(listed.items.iter().all(|run| run.steps.is_empty()));
    }
}

/// A vacuum with nothing to do leaves no run, and its time is noted.
#[tokio::test]
async fn a_vacuum_that_found_nothing_never_was() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let leased = world.lease(WorkKind::Vacuum, 60_000_000).await;
        let run = world.begin(RunKind::Vacuum, &leased).await.run().unwrap();
        let id = world.replica_table().await;
        let task = exchange
            .sync_task(&world.system, id)
            .await
            .unwrap()
            .unwrap();
        for is_there in [true, false] {
            let dropped = exchange.replica_vacuumed(&world.system, &task, &run).await;
            assert_eq!(dropped.unwrap(), is_there);
        }
        let gone = exchange.sync_run(&world.jonas, run.id).await;
        assert!(gone.is_err(), "{gone:?}");
        let replica = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap();
        assert_eq!(replica.tables[0].vacuumed_at, Some(exchange.now()));
    }
}

/// Its worker had read that the table was wanted, and came to begin when the folder was being emptied.
#[tokio::test]
async fn no_run_begins_on_a_table_that_is_being_emptied() {
    for world in World::each().await {
        let exchange = world.exchange();
        let grant = world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let job = SyncJobChange {
            keep_hours: Some(0),
            ..SyncJobChange::default()
        };
        let replica = exchange
            .sync_job_update(&world.jonas, "vehicle-visits@az_weu", job)
            .await
            .unwrap();
        let mut leased = Vec::new();
        for kind in [WorkKind::Sync, WorkKind::Vacuum] {
            leased.push(world.lease(kind, 60_000_000).await);
        }
        let id = world.replica_table().await;
        let task = exchange
            .sync_task(&world.system, id)
            .await
            .unwrap()
            .unwrap();
        let reason = RevokeNew {
            reason: "done".into(),
        };
        exchange
            .grant_revoke(&world.mara, grant, reason)
            .await
            .unwrap();
        let all = PageRequest::all();
        let runs = async || {
            let runs = exchange.sync_runs(&world.jonas, None, &all).await;
            runs.unwrap().items.len()
        };
        let before = runs().await;
        let begin = async |kind, leased| {
            exchange
                .run_begin(&world.system, &task, kind, leased)
                .await
                .unwrap()
        };
        let step = exchange.replica_step(&world.system, replica.id).await;
        let ReplicaStep::Delete { tables, .. } = step.unwrap() else {
            panic!("its time is over")
        };
        for is_gone in [false, true] {
            for (kind, leased) in [RunKind::Sync, RunKind::Vacuum].into_iter().zip(&leased) {
                let begun = begin(kind, leased).await;
                assert!(matches!(begun, RunBegun::Over), "{begun:?}");
            }
            if !is_gone {
                exchange
                    .replica_deleted(&world.system, replica.id, &tables, 3, 9)
                    .await
                    .unwrap();
            }
        }
        assert_eq!(runs().await, before);
    }
}

/// Neither of the two sees what the other has not committed yet: the second one waits, and finds that all are ready.
#[tokio::test]
async fn a_replica_whose_tables_are_done_at_the_same_time_is_ready() {
    for world in World::each().await {
        let exchange = world.exchange();
        let (lake, product) = ("s3://lake/aftersales", "vehicle-visits");
        world.test.world.put_table(lake, "more", Ok(inspection()));
        exchange
            .product_update(&world.jonas, product, tables(&["t", "more"]))
            .await
            .unwrap();
        world.granted(product, "replica").await;
        let (one, first) = world.begin_sync().await;
        let (other, second) = world.begin_sync().await;
        assert_ne!(one.replica_table_id, other.replica_table_id);
        // The first has done what belongs to its end, and not committed it.
        let mut ending = exchange.change(&world.system).await.unwrap();
        sql!("update replica set revision = revision where id = $1")
            .bind(one.replica_id)
            .execute(ending.tx())
            .await
            .unwrap();
        sql!("update replica_table set state = 'ready', replica_version = 0 where id = $1")
            .bind(one.replica_table_id)
            .execute(ending.tx())
            .await
            .unwrap();
        sql!("update sync_run set state = 'done' where id = $1")
            .bind(first.id)
            .execute(ending.tx())
            .await
            .unwrap();
        ending.note(
            Operation::SyncRunWrite,
            Object::new("sync_run", first.id),
            json!({ "state": "done" }),
        );
        let done = tokio::spawn({
            let (exchange, system) = (exchange.clone(), world.system.clone());
            async move {
                let outcome = SyncOutcome {
                    source_version: 3,
                    goes_on: None,
                    committed: None,
                };
                exchange.run_done(&system, &other, &second, &outcome).await
            }
        });
        somebody_waits(exchange).await;
        ending.commit().await.unwrap();
        assert!(done.await.unwrap().unwrap());
        let replica = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await;
        assert_eq!(replica.unwrap().state, ReplicaState::Ready);
    }
}

/// A job by hand, a paused one and one whose replica drains: nothing but the clock wakes their vacuums.
#[tokio::test]
async fn a_replica_is_vacuumed_within_its_retention_though_nobody_syncs_it() {
    for world in World::each().await {
        let exchange = world.exchange();
        let grant = world.granted("vehicle-visits", "replica").await;
        let job = async |change| {
            let changed = exchange.sync_job_update(&world.jonas, "vehicle-visits@az_weu", change);
            changed.await.unwrap();
        };
        job(SyncJobChange {
            paused: Some(true),
            ..SyncJobChange::default()
        })
        .await;
        let woken = async || {
            exchange.vacuums_tick(&world.system).await.unwrap();
            let all = PageRequest::all();
            let work = exchange.work_list(&world.operator, &all).await.unwrap();
            work.items.iter().any(|work| work.kind == "vacuum")
        };
        world.test.clock.set(exchange.now().plus(2 * DAY));
        assert!(!woken().await, "there is nothing yet");
        world.sync(3).await;
        let id = world.replica_table().await;
        let vacuumed = async || {
            let leased = world.lease(WorkKind::Vacuum, 60_000_000).await;
            let run = world.begin(RunKind::Vacuum, &leased).await.run().unwrap();
            let task = exchange.sync_task(&world.system, id).await.unwrap();
            let task = task.unwrap();
            let noted = exchange.replica_vacuumed(&world.system, &task, &run);
            assert!(noted.await.unwrap());
            exchange.work_done(&leased).await.unwrap();
        };
        vacuumed().await;
        let wait = async |micros| world.test.clock.set(exchange.now().plus(micros));
        for is_draining in [false, true] {
            if is_draining {
                let reason = RevokeNew {
                    reason: "done".into(),
                };
                let revoked = exchange.grant_revoke(&world.mara, grant, reason).await;
                revoked.unwrap();
            }
            wait(DAY - 1).await;
            assert!(!woken().await);
            wait(1).await;
            assert!(woken().await, "draining: {is_draining}");
            vacuumed().await;
        }
        job(SyncJobChange {
            retention_hours: Some(2),
            ..SyncJobChange::default()
        })
        .await;
        wait(2 * HOUR - 1).await;
        assert!(!woken().await);
        wait(1).await;
        assert!(woken().await);

        // What waits for a person goes on waiting.
        let key = id.to_string();
        let leased = exchange
            .work_lease_of(
                &world.system,
                "w",
                None,
                60_000_000,
                (WorkKind::Vacuum, &key),
            )
            .await
            .unwrap()
            .unwrap();
        exchange
            .work_failed(&leased, "no marker", true)
            .await
            .unwrap();
        assert!(woken().await);
        let all = PageRequest::all();
        let work = exchange.work_list(&world.operator, &all).await.unwrap();
        let vacuum = work.items.iter().find(|work| work.kind == "vacuum");
        assert!(vacuum.unwrap().parked);
    }
}

/// Another folder could not be emptied, and the work waits for a person: the time of the next comes nevertheless.
#[tokio::test]
async fn an_end_that_comes_later_wakes_what_waits_for_a_person() {
    for world in World::each().await {
        let exchange = world.exchange();
        let grant = world.granted("vehicle-visits", "replica").await;
        world.sync(3).await;
        let reason = RevokeNew {
            reason: "done".into(),
        };
        let revoked = exchange.grant_revoke(&world.mara, grant, reason).await;
        revoked.unwrap();
        let replica = exchange
            .replica(&world.jonas, "vehicle-visits@az_weu")
            .await
            .unwrap();
        let key = replica.id.to_string();
        let park = async || {
            let kind = (WorkKind::Replica, key.as_str());
            let leased = exchange.work_lease_of(&world.system, "w", None, 60_000_000, kind);
            let leased = leased.await.unwrap().unwrap();
            let failed = exchange.work_failed(&leased, "no marker", true).await;
            failed.unwrap();
        };
        let is_parked = async || {
            exchange.grants_resync(&world.system).await.unwrap();
            exchange.replicas_end_tick(&world.system).await.unwrap();
            let all = PageRequest::all();
            let work = exchange.work_list(&world.operator, &all).await.unwrap();
            let work = work.items.into_iter().find(|work| work.kind == "replica");
            work.unwrap().parked
        };
        park().await;
        assert!(is_parked().await, "its time has not come");
        world.test.clock.set(replica.drain_until.unwrap());
        assert!(!is_parked().await);
        // Begun with, it is no news any more.
        let step = exchange.replica_step(&world.system, replica.id).await;
        assert!(matches!(step.unwrap(), ReplicaStep::Delete { .. }));
        park().await;
        assert!(is_parked().await);
    }
}
