//! What workers make of real tables: syncs, and what becomes of a replica that somebody emptied.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use exchange::Principal;
use exchange::jobs::{Wake, WorkKind};
use exchange::page::PageRequest;
use exchange::ports::Observation;
use exchange::replicas::ReplicaStep;
use http::Request;
use http_body_util::BodyExt as _;
use model::dto::{RateNew, Replica, SyncRun};
use model::{ReplicaState, RunKind, RunState};
use serde_json::{Value, json};
use server::workers::handlers::{Lakehand, handlers};
use server::workers::sync::Engine;
use server::workers::{Worker, owner};
use tower::ServiceExt as _;

use super::{VISITS, VISITS_PATH, World, data_files, rows};

impl World {
    /// Does all the work that is due.
    pub(super) async fn work(&self) {
        self.hand().drain().await;
    }

    fn hand(&self) -> Worker {
        let hand = Lakehand {
            exchange: self.exchange.clone(),
            lake: self.lake.clone(),
            reads: self.reads.clone(),
            engine: Engine::Local,
            folder: self.folder.path().to_owned(),
        };
        Worker {
            exchange: self.exchange.clone(),
            owner: owner(),
            location: None,
            handlers: handlers(Arc::new(hand)),
            ticks: Vec::new(),
            parallel: 1,
            poll: Duration::from_millis(10),
        }
    }

    /// Asks for a sync of the usual product's replica, and does it.
    pub(super) async fn sync(&self) -> Replica {
        let (operator, reference) = (Principal::operator(), format!("{VISITS}@az_weu"));
        self.exchange
            .sync_start(&operator, &reference)
            .await
            .unwrap();
        self.work().await;
        self.exchange.replica(&operator, &reference).await.unwrap()
    }

    /// The runs, newest first.
    pub(super) async fn runs(&self) -> Vec<SyncRun> {
        let (operator, page) = (Principal::operator(), PageRequest::all());
        let runs = self.exchange.sync_runs(&operator, None, &page).await;
        runs.unwrap().items
    }
}

fn replica_folder(world: &World) -> PathBuf {
    world
        .root("az_weu")
        .join(format!("{VISITS}/default/visits"))
}

#[tokio::test]
async fn a_diverged_replica_whose_folder_was_emptied_is_cloned_anew() {
    for world in World::each().await {
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "replica").await;
        world.work().await;
        assert!(matches!(
            world.observe(grant).await,
            Observation::Works { .. }
        ));
        let folder = replica_folder(&world);
        let files = data_files(&folder).len();
        // Somebody else writes into it: it is closed, and stays as it is however often it is synced.
        let foreign = folder.join("_delta_log/00000000000000000001.json");
        std::fs::write(&foreign, "{\"commitInfo\":{}}\n").unwrap();
        for _ in 0..2 {
            let replica = world.sync().await;
            let table = &replica.tables[0];
            assert_eq!(
                (replica.state, table.state),
                (ReplicaState::Diverged, ReplicaState::Diverged)
            );
            let why = table.reason.as_deref().unwrap();
            assert!(why.contains("somebody else wrote version 1"), "{why}");
            assert!(why.contains("Delete its folder, all of it"), "{why}");
            assert_eq!(world.runs().await[0].state, RunState::Parked);
        }
        // Its log alone is not all of it: what is left may be somebody's.
        std::fs::remove_dir_all(folder.join("_delta_log")).unwrap();
        let table = world.sync().await.tables.remove(0);
        assert_eq!(
            (table.state, table.replica_version),
            (ReplicaState::Diverged, Some(0))
        );
        World::assert_broken(&world.observe(grant).await, "not as it was left");

        std::fs::remove_dir_all(&folder).unwrap();
        let replica = world.sync().await;
        assert_eq!(replica.state, ReplicaState::Ready);
        let table = &replica.tables[0];
        assert_eq!(
            (table.state, table.reason.as_deref()),
            (ReplicaState::Ready, None)
        );
        assert_eq!(
            (table.source_version, table.replica_version),
            (Some(3), Some(0))
        );
        assert_eq!(data_files(&folder).len(), files);
        let runs = world.runs().await;
        let run = &runs.iter().find(|run| run.files_copied > 0).unwrap();
        assert_eq!((run.from_version, run.to_version), (None, Some(3)));
        assert_eq!(run.bytes_copied, run.bytes_full);
        assert!(matches!(
            world.observe(grant).await,
            Observation::Works { .. }
        ));
    }
}

/// Gone without a word: first a person is told, then the next sync clones it anew.
#[tokio::test]
async fn a_replica_that_vanished_is_said_to_be_gone_before_it_is_cloned_anew() {
    for world in World::each().await {
        world.visits().await;
        world.grant(VISITS, "rnd_weu", "replica").await;
        world.work().await;
        std::fs::remove_dir_all(replica_folder(&world)).unwrap();
        let table = world.sync().await.tables.remove(0);
        assert_eq!(table.state, ReplicaState::Diverged);
        let why = table.reason.unwrap();
        assert!(why.contains("has no log"), "{why}");
        assert_eq!(world.sync().await.state, ReplicaState::Ready);
    }
}

/// From where to where it went, and what a full copy would have cost, also where nothing went.
#[tokio::test]
async fn a_run_with_nothing_new_says_where_the_replica_stands() {
    for world in World::each().await {
        world.visits().await;
        world.grant(VISITS, "rnd_weu", "replica").await;
        world.work().await;
        let first = world.runs().await.remove(0);
        assert_eq!((first.from_version, first.to_version), (None, Some(3)));
        world.sync().await;
        let runs = world.runs().await;
        assert_eq!(runs.len(), 2);
        let nothing = &runs[0];
        assert_eq!(nothing.state, RunState::Done);
        assert_eq!(
            (nothing.from_version, nothing.to_version),
            (Some(3), Some(3))
        );
        assert_eq!((nothing.files_copied, nothing.bytes_copied), (0, 0));
        assert_eq!(nothing.bytes_full, first.bytes_full);
        assert!(nothing.bytes_full > 0);
        is_planned_and_bounded(&world).await;
    }
}

/// What a plan says is what the run then moves, to the byte; a budget keeps more from being moved. The replica stands at version 3.
async fn is_planned_and_bounded(world: &World) {
    let rest = rest::router(world.exchange.clone());
    let rest = rest.layer(axum::Extension(Principal::operator()));
    let call = async |method: &str, what: &str| {
        let uri = format!("/replicas/{VISITS}@az_weu/{what}");
        let request = Request::builder().method(method).uri(uri);
        let request = request.body(Body::empty()).unwrap();
        let response = rest.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        (status, answer)
    };
    let latest = async || {
        let runs = world.runs().await.into_iter();
        let mut syncs = runs.filter(|run| run.kind == RunKind::Sync);
        syncs.next().unwrap()
    };
    let (status, plan) = call("GET", "plan").await;
    assert_eq!(status, 200, "{plan}");
    let table = &plan["tables"][0];
    assert_eq!(
        (&plan["bytes"], &table["to_version"]),
        (&json!(0), &json!(3))
    );
    let crossing = table["crossing"].as_str().unwrap();
    assert!(crossing.starts_with("No worker lives now."), "{crossing}");
    assert_eq!(
        (&table["ways"], &table["failed"]),
        (&json!([]), &json!(false))
    );

    let rate = RateNew {
        from: "aws:*".into(),
        to: "azure:*".into(),
        price: "1000".into(),
        unit: "GB".into(),
        currency: "USD".into(),
        valid_from: "2026-01-01".into(),
        valid_until: None,
        source: "a price of the test's own".into(),
    };
    let operator = Principal::operator();
    world.exchange.rate_create(&operator, rate).await.unwrap();
    world.append(VISITS_PATH, &[rows(40_000, 500)]).await;
    let folder = replica_folder(world);
    let there = || {
        let log = std::fs::read_dir(folder.join("_delta_log")).unwrap();
        (log.count(), data_files(&folder))
    };
    let (before, last) = (there(), latest().await.id);
    let (_, plan) = call("GET", "plan").await;
    let table = &plan["tables"][0];
    assert_eq!(
        (&table["from_version"], &table["to_version"]),
        (&json!(3), &json!(4)),
        "{plan}"
    );
    assert_eq!(table["chosen"], "file_copy", "{plan}");
    let way = |name: &str| {
        let ways = table["ways"].as_array().unwrap();
        ways.iter().find(|way| way["way"] == name).unwrap()
    };
    let bytes = plan["bytes"].as_u64().unwrap();
    assert_eq!(way("file_copy")["bytes"], json!(bytes));
    assert_eq!(way("file_copy")["requests"], 1);
    assert!(bytes > 0 && way("full_copy")["bytes"].as_u64().unwrap() > bytes);
    assert_eq!(way("deletion_vectors")["bytes"], 0);
    assert_eq!(way("change_feed")["bytes"], Value::Null);
    let said = way("change_feed")["note"].as_str().unwrap();
    assert!(said.contains("keeps no change feed"), "{said}");
    // 1000 per 10⁹ bytes: a micro-unit each.
    let amount = format!("0.{bytes:06}");
    let amount: model::Micro = amount.parse().unwrap();
    assert_eq!(plan["money"][0]["amount"], json!(amount), "{plan}");

    let (status, refused) = call("POST", &format!("sync?budget={}", bytes - 1)).await;
    assert_eq!(status, 409, "{refused}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(
        detail.contains(&format!("would have moved {bytes} bytes")),
        "{detail}"
    );
    world.work().await;
    assert_eq!((there(), latest().await.id), (before, last));

    let (status, _) = call("POST", &format!("sync?budget={bytes}")).await;
    assert_eq!(status, 200);
    world.work().await;
    let run = latest().await;
    assert_eq!((run.state, run.bytes_copied), (RunState::Done, bytes));
    assert_eq!((run.files_copied, run.to_version), (1, Some(4)));

    // More is committed after it was asked for: the run does not begin to copy.
    world.append(VISITS_PATH, &[rows(50_000, 500)]).await;
    let (_, plan) = call("GET", "plan").await;
    let (status, _) = call("POST", &format!("sync?budget={}", plan["bytes"])).await;
    assert_eq!(status, 200);
    world.append(VISITS_PATH, &[rows(60_000, 500)]).await;
    world.work().await;
    let run = latest().await;
    assert_eq!((run.state, run.bytes_copied), (RunState::Failed, 0));
    let why = run.error.unwrap();
    assert!(why.contains("stopped before it copied"), "{why}");
    let table = world.sync().await.tables.remove(0);
    assert_eq!(table.source_version, Some(6));
}

/// Somebody has put something into one folder that was to be emptied: it stays and says why, and the data of the others ends.
#[tokio::test]
async fn a_folder_that_cannot_be_emptied_keeps_no_other() {
    for world in World::each().await {
        let operator = Principal::operator();
        let reference = format!("{VISITS}@az_weu");
        let tables = [("claims", "workshop/claims"), ("visits", VISITS_PATH)];
        for (_, path) in tables {
            world.write(path, &[&[rows(0, 10)]]).await;
        }
        world.product(VISITS, "aws_eu", &tables).await;
        let grant = world.grant(VISITS, "rnd_weu", "replica").await;
        world.work().await;
        world.revoke(grant).await;
        let folder = |table: &str| {
            world
                .root("az_weu")
                .join(format!("{VISITS}/default/{table}"))
        };
        // The first in their order, without our marker.
        std::fs::remove_dir_all(folder("claims").join("_entrepot")).unwrap();
        let replica = world.exchange.replica(&operator, &reference).await.unwrap();
        world.clock.set(replica.drain_until.unwrap());
        let resync = async || {
            let resynced = world.exchange.grants_resync(&Principal::system()).await;
            resynced.unwrap();
            world.work().await;
        };
        resync().await;
        assert_eq!(data_files(&folder("claims")).len(), 1);
        assert!(data_files(&folder("visits")).is_empty());
        let replica = world.exchange.replica(&operator, &reference).await.unwrap();
        assert_eq!(replica.state, ReplicaState::Draining);
        // What is deleted is not shown any more.
        let [left] = replica.tables.as_slice() else {
            panic!("{replica:?}")
        };
        assert_eq!(
            (left.name.as_str(), left.state),
            ("claims", ReplicaState::Erasing)
        );
        let why = left.reason.as_deref().unwrap();
        assert!(why.contains("no marker of ours"), "{why}");
        let all = PageRequest::all();
        let work = world.exchange.work_list(&operator, &all).await.unwrap();
        let waits = work.items.iter().find(|work| work.kind == "replica");
        let waits = waits.unwrap();
        let told = waits.last_error.as_deref().unwrap();
        assert!(waits.parked && told.contains("default.claims"), "{told}");

        // A person has seen to it.
        std::fs::remove_dir_all(folder("claims")).unwrap();
        world
            .exchange
            .work_retry(&operator, waits.id)
            .await
            .unwrap();
        world.work().await;
        let gone = world.exchange.replica(&operator, &reference).await;
        assert!(gone.is_err(), "{gone:?}");
    }
}

/// Its time was over, it was emptied, and a new grant wants it back: there is no promise to check it against yet.
#[tokio::test]
async fn a_table_that_comes_back_is_not_checked_against_its_former_life() {
    for world in World::each().await {
        let (operator, system) = (Principal::operator(), Principal::system());
        let reference = format!("{VISITS}@az_weu");
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "replica").await;
        world.work().await;
        let replica = world.exchange.replica(&operator, &reference).await.unwrap();
        let table = replica.tables[0].id;
        world.revoke(grant).await;
        let draining = world.exchange.replica(&operator, &reference).await.unwrap();
        world.clock.set(draining.drain_until.unwrap());
        // A new grant comes while its folder is being emptied.
        let step = world.exchange.replica_step(&system, replica.id).await;
        let ReplicaStep::Delete { tables, .. } = step.unwrap() else {
            panic!("its time is over")
        };
        world.grant(VISITS, "rnd_weu", "replica").await;
        std::fs::remove_dir_all(replica_folder(&world)).unwrap();
        world
            .exchange
            .replica_deleted(&system, replica.id, &tables, 4, 4)
            .await
            .unwrap();
        let verify = Wake::new(WorkKind::Verify, table);
        world.exchange.wake(&system, &verify).await.unwrap();
        let worker = world.hand();
        let verified = worker.perform_one(WorkKind::Verify, &verify.key).await;
        assert!(verified.unwrap());
        let all = PageRequest::all();
        let work = world.exchange.work_list(&operator, &all).await.unwrap();
        let left = work.items.iter().find(|work| work.kind == "verify");
        assert!(left.is_none(), "{left:?}");
        let back = world.exchange.replica(&operator, &reference).await.unwrap();
        assert_eq!(back.tables[0].state, ReplicaState::Pending);
        // Cloned again, it is checked against that.
        world.work().await;
        world.exchange.wake(&system, &verify).await.unwrap();
        world.work().await;
        let back = world.exchange.replica(&operator, &reference).await.unwrap();
        assert_eq!(back.tables[0].state, ReplicaState::Ready);
    }
}

/// Only its rows tell that it differs: it is served to nobody until a sync has copied it anew, or an operator says so.
#[tokio::test]
async fn a_replica_that_differs_is_in_quarantine_until_it_is_mended() {
    for world in World::each().await {
        let (operator, reference) = (Principal::operator(), format!("{VISITS}@az_weu"));
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "replica").await;
        world.work().await;
        let check = async |level: u8| {
            let asked = world.exchange.verify_start_at(&operator, &reference, level);
            asked.await.unwrap();
            world.work().await;
            let replica = world.exchange.replica(&operator, &reference).await;
            (
                replica.unwrap().tables.remove(0),
                world.runs().await.remove(0),
            )
        };
        let is_refused = world
            .exchange
            .verify_start_at(&operator, &reference, 4)
            .await;
        assert!(is_refused.is_err());
        for level in [2, 3] {
            let (table, run) = check(level).await;
            let ended = (run.kind, run.state);
            assert_eq!(ended, (RunKind::Verify, RunState::Done), "{run:?}");
            assert_eq!(table.state, ReplicaState::Ready);
        }
        // Of the same length, with its footer: the log, the counts and a look at the objects find nothing.
        let damage = || {
            let file = data_files(&replica_folder(&world)).remove(0);
            let mut bytes = std::fs::read(&file).unwrap();
            for byte in &mut bytes[20..60] {
                *byte ^= 0x55;
            }
            std::fs::write(&file, bytes).unwrap();
        };
        damage();
        let (table, run) = check(2).await;
        assert_eq!((run.state, table.quarantined_at), (RunState::Done, None));
        let (table, run) = check(3).await;
        assert_eq!((run.kind, run.state), (RunKind::Verify, RunState::Failed));
        assert!(run.error.unwrap().contains("not those of the source"));
        assert_eq!(table.state, ReplicaState::Diverged);
        assert_eq!(table.quarantined_at, Some(world.exchange.now()));
        World::assert_broken(&world.observe(grant).await, "not as it was left");
        // Nothing is new at the source, and yet the sync has something to do.
        let table = world.sync().await.tables.remove(0);
        assert_eq!(
            (table.state, table.quarantined_at),
            (ReplicaState::Ready, None)
        );
        let runs = world.runs().await;
        let mended = runs.iter().find(|run| run.kind == RunKind::Sync).unwrap();
        assert!(mended.files_copied > 0);
        let (table, run) = check(3).await;
        assert_eq!(
            (run.state, table.state),
            (RunState::Done, ReplicaState::Ready)
        );
        // By a person's word, who knows better.
        damage();
        let (table, _) = check(3).await;
        assert!(table.quarantined_at.is_some());
        let released = world.exchange.replica_release(&operator, &reference).await;
        let table = released.unwrap().tables.remove(0);
        assert_eq!(
            (table.state, table.quarantined_at),
            (ReplicaState::Ready, None)
        );
    }
}
