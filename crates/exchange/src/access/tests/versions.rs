//! A replica that keeps its source's versions, a run for each: what follows on what, whose turn it is meanwhile, and what ends it.

use model::dto::SyncJobChange;
use model::{ReplicaTableId, Timestamp};
use serde_json::{Value, json};

use super::World;
use crate::jobs::{Lane, Leased, Wake, WorkKind};
use crate::replicas::{SyncGoesOn, SyncOutcome};
use crate::sql;

const REPLICA: &str = "vehicle-visits@az_weu";
const LEASE: i64 = 60_000_000;

impl World {
    /// A replica of which nothing is to be done.
    async fn at_rest(&self) -> ReplicaTableId {
        self.granted("vehicle-visits", "replica").await;
        let id = self.replica_table().await;
        self.nothing_to_do().await;
        id
    }

    async fn nothing_to_do(&self) {
        sql!("delete from work")
            .execute(self.exchange().db())
            .await
            .unwrap();
    }

    async fn sync_by_hand(&self) {
        let asked = self.exchange().sync_start(&self.jonas, REPLICA);
        asked.await.unwrap();
    }

    /// The sync that is due, and what has its turn before it. None: there is none.
    async fn next_sync(&self) -> (Option<Leased>, Vec<WorkKind>) {
        let exchange = self.exchange();
        let mut before = Vec::new();
        loop {
            let leased = exchange.work_lease(&self.system, "w", None, LEASE, Lane::Data);
            let Some(leased) = leased.await.unwrap() else {
                return (None, before);
            };
            if leased.kind == WorkKind::Sync {
                return (Some(leased), before);
            }
            before.push(leased.kind);
            exchange.work_done(&leased).await.unwrap();
        }
    }

    /// As a worker would: does the sync that is due, up to a version of the source, by ten bytes. Answers what the worker was told, and
    /// what had its turn before.
    async fn brought(&self, version: u64, goes_on: bool) -> (Value, Vec<WorkKind>) {
        let exchange = self.exchange();
        let (leased, before) = self.next_sync().await;
        let leased = leased.unwrap();
        let id = leased.key.parse().unwrap();
        let task = exchange.sync_task(&self.system, id).await.unwrap().unwrap();
        let kind = model::RunKind::Sync;
        let begun = exchange.run_begin(&self.system, &task, kind, &leased);
        let run = begun.await.unwrap().run().unwrap();
        let outcome = SyncOutcome {
            source_version: version,
            committed: None,
            goes_on: goes_on.then(|| SyncGoesOn::after(&leased, 10)),
        };
        let done = exchange.run_done(&self.system, &task, &run, &outcome);
        assert!(done.await.unwrap());
        exchange.work_done(&leased).await.unwrap();
        (leased.payload, before)
    }

    async fn is_level(&self) -> bool {
        let row = sql!("select level_at from replica_table").row(self.exchange().db());
        let level: Option<Timestamp> = row.await.unwrap().unwrap().get("level_at").unwrap();
        level.is_some()
    }
}

/// With what is left of the budget, and the replica is not level before the last.
#[tokio::test]
async fn a_sync_with_versions_left_goes_on_with_the_next() {
    for world in World::each().await {
        let exchange = world.exchange();
        let id = world.at_rest().await;
        let asked = Wake::new(WorkKind::Sync, id).with(json!({ "budget": 17 }));
        exchange.wake(&world.system, &asked).await.unwrap();
        let told = async |version, goes_on| world.brought(version, goes_on).await.0;
        assert_eq!(told(3, true).await, json!({ "budget": 17 }));
        let next = json!({ "goes_on": true, "budget": 7 });
        assert_eq!(told(4, true).await, next);
        assert!(!world.is_level().await);
        let last = json!({ "goes_on": true, "budget": 0 });
        assert_eq!(told(5, false).await, last);
        assert!(world.is_level().await);
        assert!(world.next_sync().await.0.is_none());

        world.sync_by_hand().await;
        assert_eq!(told(6, true).await, Value::Null);
        assert_eq!(told(7, false).await, json!({ "goes_on": true }));
    }
}

#[tokio::test]
async fn a_replica_that_is_far_behind_keeps_nobody_else_waiting() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.at_rest().await;
        world.sync_by_hand().await;
        for version in 3..6 {
            let (_, before) = world.brought(version, true).await;
            // Wished for after the sync had been: but for its turn the sync would come first again.
            let is_first = version == 3;
            assert_eq!(before.contains(&WorkKind::Report), !is_first, "{before:?}");
            let other = Wake::new(WorkKind::Report, "report");
            exchange.wake(&world.system, &other).await.unwrap();
        }
    }
}

#[tokio::test]
async fn between_two_versions_neither_the_folder_is_listed_nor_the_catalog_read_anew() {
    for world in World::each().await {
        let exchange = world.exchange();
        world.at_rest().await;
        world.sync_by_hand().await;
        let upkeep = |mut kinds: Vec<WorkKind>| {
            kinds.retain(|kind| matches!(kind, WorkKind::Refresh | WorkKind::Vacuum));
            kinds.sort_by_key(|kind| kind.as_str());
            kinds
        };
        // Nobody has vacuumed it yet.
        world.brought(4, true).await;
        let (_, before) = world.brought(5, true).await;
        assert_eq!(upkeep(before), [WorkKind::Vacuum]);
        sql!("update replica_table set vacuumed_at = $1")
            .bind(exchange.now())
            .execute(exchange.db())
            .await
            .unwrap();
        // What the one before wished for.
        let (_, before) = world.brought(6, true).await;
        assert_eq!(upkeep(before), [WorkKind::Vacuum]);
        let (_, before) = world.brought(7, false).await;
        assert!(upkeep(before).is_empty());
        let (_, after) = world.next_sync().await;
        assert_eq!(upkeep(after), [WorkKind::Refresh, WorkKind::Vacuum]);
    }
}

#[tokio::test]
async fn a_pause_comes_between_two_versions() {
    for world in World::each().await {
        let (exchange, system) = (world.exchange(), &world.system);
        let id = world.at_rest().await;
        let task = async || exchange.sync_task(system, id).await.unwrap().unwrap();
        let halts = async |leased: &Leased| {
            let task = task().await;
            let halted = exchange.sync_halted(system, &task, leased).await;
            halted.unwrap()
        };
        world.sync_by_hand().await;
        world.brought(3, true).await;
        let pause = SyncJobChange {
            paused: Some(true),
            ..SyncJobChange::default()
        };
        let paused = exchange.sync_job_update(&world.jonas, REPLICA, pause);
        paused.await.unwrap();
        let leased = world.next_sync().await.0.unwrap();
        assert!(halts(&leased).await);
        // What somebody who is gone had begun is not left open.
        let kind = model::RunKind::Sync;
        let task = task().await;
        let begun = exchange.run_begin(system, &task, kind, &leased).await;
        assert!(begun.unwrap().run().is_some());
        assert!(!halts(&leased).await);
        exchange.work_done(&leased).await.unwrap();
        // Who asks for a sync while it is paused means all of it.
        world.nothing_to_do().await;
        world.sync_by_hand().await;
        let (told, _) = world.brought(4, true).await;
        assert_eq!(told, json!({ "while_paused": true }));
        let (told, _) = world.brought(5, true).await;
        assert_eq!(told, json!({ "goes_on": true, "while_paused": true }));
        let leased = world.next_sync().await.0.unwrap();
        assert!(!halts(&leased).await);
    }
}
