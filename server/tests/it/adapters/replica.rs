//! Reading from a replica: not before it is there, then from it and nowhere else, and never when it is not as it was left.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use exchange::Principal;
use exchange::jobs::{Lane, WorkKind};
use exchange::ports::Observation;
use exchange::replicas::ReplicaStep;
use exchange::replicas::{SyncCommitted, SyncOutcome};
use http::StatusCode;
use model::dto::GrantLimit;
use model::time::DAY;
use model::{GrantActual, ReplicaState, RunKind, SyncRunId};
use replication::{
    CopyOptions, Ends, JournalError, LocalEngine, Outcome, Pair, Run, RunJournal, RunRecord,
};

use super::{VISITS, World, azure, data_files, meter, rows};

#[derive(Default)]
struct Journal(Mutex<Option<RunRecord>>);

#[async_trait]
impl RunJournal for Journal {
    async fn load(&self, _: SyncRunId) -> Result<Option<RunRecord>, JournalError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn save(&self, _: SyncRunId, _: i64, record: &RunRecord) -> Result<bool, JournalError> {
        *self.0.lock().unwrap() = Some(record.clone());
        Ok(true)
    }
}

/// Does the syncs that are wanted, as a worker would; `lie` says that they came further than they did.
async fn sync(world: &World, lie: u64) {
    let (system, exchange) = (Principal::system(), &world.exchange);
    while let Some(leased) = exchange
        .work_lease(&system, "w", None, 60_000_000, Lane::Data)
        .await
        .unwrap()
    {
        if leased.kind == WorkKind::Sync {
            let task = exchange
                .sync_task(&system, leased.key.parse().unwrap())
                .await
                .unwrap()
                .unwrap();
            let run = exchange
                .run_begin(&system, &task, RunKind::Sync, &leased)
                .await
                .unwrap()
                .run()
                .unwrap();
            let open = async |storage, path: &str| {
                let access = exchange
                    .storage_access_for_system(&system, storage)
                    .await
                    .unwrap();
                world.lake.table(&access, path, &meter()).unwrap()
            };
            let source = open(task.source_storage, &task.source_path).await;
            let target = open(task.target_storage, &task.target_path).await;
            let parts = target.parts().unwrap();
            let pair = Pair {
                source: source.table,
                target: target.table,
                replica_table: task.replica_table_id,
                product: task.product.clone(),
                retention_hours: 168,
                mend: None,
                ways: replication::Ways::default(),
                each: false,
                hurries: false,
                narrow: None,
                adopt: None,
            };
            let ends = Ends {
                parts,
                source: source.objects,
                target: target.objects,
            };
            let described = Run {
                id: run.id,
                attempt: run.attempt,
                folder: world.folder.path().join("runs"),
                target_version: task.replica_version,
                budget: None,
                source: "source".to_owned(),
                target: "target".to_owned(),
            };
            let outcome = replication::drive(
                &described,
                &pair,
                &LocalEngine::new(Arc::new(ends), CopyOptions::default()),
                &Journal::default(),
                world.clock.as_ref(),
            )
            .await
            .unwrap();
            let Outcome::Done(plan) = outcome else {
                panic!("{outcome:?}")
            };
            let outcome = SyncOutcome {
                source_version: plan.source_version + lie,
                goes_on: None,
                committed: Some(SyncCommitted {
                    source_committed_at: plan.source_timestamp,
                    replica_version: plan.target_version,
                    bytes: plan.bytes_full,
                }),
            };
            assert!(
                exchange
                    .run_done(&system, &task, &run, &outcome)
                    .await
                    .unwrap()
            );
        }
        exchange.work_done(&leased).await.unwrap();
    }
}

fn replica_folder(world: &World) -> std::path::PathBuf {
    world
        .root("az_weu")
        .join(format!("{VISITS}/default/visits"))
}

#[tokio::test]
async fn a_replica_is_read_once_it_is_there() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "replica").await;
        let token = world.token("rnd_weu").await;
        // Listed already, but there is nothing to read; clients must not repeat this for minutes.
        let answer = world.query(VISITS, "visits", &token).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
        assert!(
            answer.text().contains("being prepared"),
            "{}",
            answer.text()
        );
        assert_eq!(answer.json()["errorCode"], "TEMPORARILY_UNAVAILABLE");
        let seen = world.observe(grant).await;
        assert!(
            matches!(&seen, Observation::Waits { reason } if reason.contains("under way")),
            "{seen:?}"
        );
        world.reconcile(grant).await;
        let waiting = world.granted(grant).await;
        assert_eq!(waiting.actual, GrantActual::Provisioning);

        sync(&world, 0).await;
        let now = world.exchange.now();
        assert_eq!(
            world.observe(grant).await,
            Observation::Works { seen_at: now }
        );
        // From the replica: the producer's folder is not needed any more.
        let source = world.root("aws_eu");
        let hidden = world.folder.path().join("hidden");
        std::fs::rename(&source, &hidden).unwrap();
        let files = world.files(&token).await;
        assert_eq!(files.len(), 3);
        let got = world.get(&files[0].url, None).await;
        assert_eq!(got.body.len() as u64, files[0].size);
        let events = world.events().await;
        assert_eq!(events.len(), 1);
        assert_eq!((&events[0].from, &events[0].to), (&azure(), &azure()));
        assert!(matches!(
            world.observe(grant).await,
            Observation::Works { .. }
        ));
        std::fs::rename(&hidden, &source).unwrap();

        // With the last grant the replica ends, at once, and says so while it drains and when it is gone.
        let (operator, system) = (Principal::operator(), Principal::system());
        let at = world.exchange.now();
        world.revoke(grant).await;
        assert_eq!(world.observe(grant).await, Observation::Closed);
        let reference = format!("{VISITS}@az_weu");
        let replica = world.exchange.replica(&operator, &reference).await.unwrap();
        assert_eq!(replica.state, ReplicaState::Draining);
        for is_gone in [false, true] {
            let answer = world.query(VISITS, "visits", &token).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
            let since = format!("ended at {at}: it was revoked");
            assert!(answer.text().contains(&since), "{}", answer.text());
            let refused = world.get(&files[0].url, None).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN);
            assert!(refused.text().contains(&since), "{}", refused.text());
            if !is_gone {
                world.clock.set(replica.drain_until.unwrap());
                let tables = loop {
                    match world
                        .exchange
                        .replica_step(&system, replica.id)
                        .await
                        .unwrap()
                    {
                        ReplicaStep::Delete { tables, .. } => break tables,
                        ReplicaStep::Wait(until) => world.clock.set(until),
                        ReplicaStep::Settled => panic!("a replica whose time is over is deleted"),
                    }
                };
                let gone = world
                    .exchange
                    .replica_deleted(&system, replica.id, &tables, 4, 4);
                gone.await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_replica_that_is_not_as_it_was_left_does_not_work() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "replica").await;
        sync(&world, 0).await;
        assert!(matches!(
            world.observe(grant).await,
            Observation::Works { .. }
        ));
        let folder = replica_folder(&world);
        let hidden = world.folder.path().join("hidden");
        let file = data_files(&folder).remove(0);
        std::fs::rename(&file, &hidden).unwrap();
        World::assert_broken(&world.observe(grant).await, "it is gone");
        std::fs::rename(&hidden, &file).unwrap();
        // Its log put back to nothing.
        let log = folder.join("_delta_log");
        std::fs::rename(&log, &hidden).unwrap();
        World::assert_broken(&world.observe(grant).await, "missing");
        std::fs::rename(&hidden, &log).unwrap();
        // Somebody else's table in its place: readable, but no sync has written it.
        std::fs::rename(&folder, &hidden).unwrap();
        world
            .write_at(
                &world.access("az_weu"),
                &format!("{VISITS}/default/visits"),
                &[&[rows(0, 10)]],
            )
            .await;
        World::assert_broken(&world.observe(grant).await, "no commit of a sync");
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::rename(&hidden, &folder).unwrap();
        assert!(matches!(
            world.observe(grant).await,
            Observation::Works { .. }
        ));
    }
}

#[tokio::test]
async fn a_replica_has_to_stand_where_the_last_sync_left_it() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "replica").await;
        sync(&world, 1).await;
        World::assert_broken(
            &world.observe(grant).await,
            "stands at version 3 of its source and should stand at 4",
        );
        world.reconcile(grant).await;
        assert_eq!(world.granted(grant).await.actual, GrantActual::Failed);
    }
}

/// Until the replica is there a live grant is read through; from then on the replica.
#[tokio::test]
async fn live_access_bridges_the_first_copy() {
    for world in World::each().await {
        world.visits().await;
        let live = world.grant(VISITS, "rnd_weu", "live").await;
        let replica = world.grant(VISITS, "rnd_weu", "replica").await;
        let token = world.token("rnd_weu").await;
        world.files(&token).await;
        assert!(world.granted(live).await.first_read_at.is_some());
        assert!(world.granted(replica).await.first_read_at.is_none());
        assert!(matches!(
            world.observe(live).await,
            Observation::Works { .. }
        ));
        assert!(matches!(
            world.observe(replica).await,
            Observation::Waits { .. }
        ));
        sync(&world, 0).await;
        world.files(&token).await;
        assert!(world.granted(replica).await.first_read_at.is_some());
        assert!(matches!(
            world.observe(replica).await,
            Observation::Works { .. }
        ));
    }
}

/// What is later than promised is read all the same, and says so; at its source it is read only within the grant's bytes of a day.
#[tokio::test]
async fn a_late_replica_says_so_and_its_source_is_read_within_the_days_bytes() {
    for world in World::each().await {
        let (operator, system) = (Principal::operator(), Principal::system());
        let exchange = &world.exchange;
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "replica").await;
        sync(&world, 0).await;
        let token = world.token("rnd_weu").await;
        let read = async || {
            let answer = world.query(VISITS, "visits", &token).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
            let said = |name: &str| {
                let value = answer.headers.get(name);
                value.map(|value| value.to_str().unwrap().to_owned())
            };
            (
                said("x-entrepot-read-from").unwrap(),
                said("x-entrepot-stale-since").is_some(),
            )
        };
        let limit = async |bytes: u64| {
            let new = GrantLimit {
                live_bytes_per_day: Some(bytes),
                revision: None,
            };
            exchange.grant_limit(&operator, grant, new).await.unwrap();
        };
        assert_eq!(read().await, ("replica".to_owned(), false));
        // Its schedule, which is once a day, and nobody syncs.
        for _ in 0..4 {
            world.clock.advance(DAY);
            exchange.schedules_tick(&system).await.unwrap();
        }
        assert_eq!(read().await, ("replica".to_owned(), true));
        let seen = exchange.grant(&operator, grant).await.unwrap();
        assert!(seen.stale_since.is_some());
        assert_eq!(seen.live_bytes_today, 0);

        limit(1_000).await;
        assert_eq!(read().await, ("replica".to_owned(), true), "too small");
        limit(1 << 40).await;
        assert_eq!(read().await, ("producer".to_owned(), false));
        let seen = exchange.grant(&operator, grant).await.unwrap();
        assert!(seen.live_bytes_today > 1_000);
        let filter = exchange::access::ShareQueryFilter::default();
        let newest = exchange
            .share_queries(&operator, &filter, &Default::default())
            .await
            .unwrap();
        assert_eq!(
            seen.live_bytes_today, newest.items[0].bytes_signed,
            "each once"
        );
        // Used up, it is the late replica again, and no refusal.
        limit(seen.live_bytes_today).await;
        assert_eq!(read().await, ("replica".to_owned(), true));
        let log = exchange
            .share_queries(&operator, &Default::default(), &Default::default())
            .await
            .unwrap();
        let sources: Vec<&str> = log
            .items
            .iter()
            .filter_map(|call| call.source.as_deref())
            .collect();
        assert_eq!(
            sources,
            ["replica", "producer", "replica", "replica", "replica"]
        );
    }
}
