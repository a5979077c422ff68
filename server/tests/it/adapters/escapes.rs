//! C-13: a log that points out of its table. Whoever comes across it refuses, reads nothing of it, and leaves a row in the audit
//! log that names product, table and version; whichever engine copies.

use std::path::Path;
use std::sync::Arc;

use exchange::Principal;
use exchange::page::PageRequest;
use http::StatusCode;
use model::GrantActual;
use model::dto::TableInspect;
use serde_json::{Value, json};
use server::folder::{self, Lock};
use server::workers::Worker;
use server::workers::handlers::{Lakehand, handlers};
use server::workers::sync::Engine;

use super::{VISITS, VISITS_PATH, World, rows};

const REPLICA: &str = "vehicle-visits@az_weu";
const OUTSIDE: &str = "../../secret/f.parquet";

impl World {
    /// A child of the real binary copies. It knows of this installation what its configuration says, and the lock tells it that a
    /// server has the data folder.
    fn by_child(&self) -> (Engine, Lock) {
        let data = self.folder.path().join("data");
        folder::create(&data).unwrap();
        let configuration = format!(
            "[database]\nurl = \"{}\"\n[keys]\nfile = \"{}\"\n[storage]\nfile_roots = [\"{}\"]\n",
            self.database,
            self.folder.path().join("keys").display(),
            self.folder.path().display()
        );
        std::fs::write(data.join("entrepot.toml"), configuration).unwrap();
        let command = vec![
            env!("CARGO_BIN_EXE_entrepot").into(),
            "copy".into(),
            "--data".into(),
            data.clone().into(),
        ];
        (Engine::Process { command }, folder::lock(&data).unwrap())
    }

    fn worker(&self, engine: Engine) -> Worker {
        let hand = Lakehand {
            exchange: self.exchange.clone(),
            lake: self.lake.clone(),
            reads: self.reads.clone(),
            engine,
            folder: self.folder.path().join("data"),
        };
        Worker {
            exchange: self.exchange.clone(),
            owner: "w".to_owned(),
            location: None,
            handlers: handlers(Arc::new(hand)),
            ticks: Vec::new(),
            parallel: 1,
            poll: std::time::Duration::from_millis(50),
        }
    }

    /// The rows about escapes since the last time, as object and detail. An hour goes by, so that the next is not the same.
    async fn escapes(&self, seen: &mut usize) -> Vec<(String, Value)> {
        let operator = Principal::operator();
        let page = PageRequest::all();
        let found = self.exchange.audit_rows(&operator, None, &page).await;
        let mut rows: Vec<(String, Value)> = found
            .unwrap()
            .items
            .into_iter()
            .filter(|row| row.operation == "DeltaLogEscape")
            .map(|row| {
                let object = format!("{}/{}", row.object_kind, row.object_id);
                (object, serde_json::from_str(&row.detail).unwrap())
            })
            .collect();
        rows.reverse();
        let new = rows.split_off(*seen);
        *seen += new.len();
        self.clock.advance(2 * model::time::HOUR);
        new
    }

    async fn assert_told(&self, seen: &mut usize, version: u64, what: &str) {
        let told = self.escapes(seen).await;
        assert!(!told.is_empty(), "{what}: nothing was told");
        for (object, detail) in &told {
            assert_eq!(object, "product/vehicle-visits", "{what}");
            assert_eq!(detail["what"], "delta_log_escape", "{what}");
            assert_eq!(detail["table"], "default.visits", "{what}");
            assert_eq!(detail["version"], version, "{what}: {detail}");
        }
    }
}

fn commit(log: &Path, version: u64) -> std::path::PathBuf {
    log.join("_delta_log").join(format!("{version:020}.json"))
}

/// A line that names a file outside the table.
fn pointing_outside() -> String {
    let add = json!({ "add": { "path": OUTSIDE, "partitionValues": {}, "size": 9, "modificationTime": 0, "dataChange": true } });
    format!("{add}\n")
}

#[tokio::test]
async fn whoever_finds_a_log_that_points_outside_tells_the_auditor() {
    for world in World::each().await {
        tells_the_auditor(&world, Engine::Local).await;
    }
}

#[tokio::test]
async fn whoever_finds_one_tells_the_auditor_where_a_process_copies() {
    for world in World::each().await {
        let (engine, _lock) = world.by_child();
        tells_the_auditor(&world, engine).await;
    }
}

async fn tells_the_auditor(world: &World, engine: Engine) {
    let operator = Principal::operator();
    world.visits().await;
    world.recipient("lab_weu").await;
    let replicated = world.grant(VISITS, "rnd_weu", "replica").await;
    let live = world.grant(VISITS, "lab_weu", "live").await;
    let worker = world.worker(engine);
    worker.drain().await;
    world.reconcile(replicated).await;
    assert_eq!(world.granted(replicated).await.actual, GrantActual::Active);
    let (rnd, lab) = (world.token("rnd_weu").await, world.token("lab_weu").await);
    let mut seen = 0;
    assert!(world.escapes(&mut seen).await.is_empty());

    // The source's next version.
    let source = world.root("aws_eu").join(VISITS_PATH);
    let version = (0..)
        .find(|version| !commit(&source, *version).exists())
        .unwrap();
    std::fs::write(commit(&source, version), pointing_outside()).unwrap();

    let preview = TableInspect {
        storage: "aws_eu".into(),
        path: VISITS_PATH.into(),
    };
    let refused = world.exchange.table_inspect(&operator, preview).await;
    assert!(refused.unwrap_err().to_string().contains("outside"));
    world.assert_told(&mut seen, version, "preview").await;

    let answer = world.query(VISITS, "visits", &lab).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    assert!(!answer.text().contains("secret"), "{}", answer.text());
    world.assert_told(&mut seen, version, "share query").await;

    world.reconcile(live).await;
    assert_eq!(world.granted(live).await.actual, GrantActual::Failed);
    world.assert_told(&mut seen, version, "reconciler").await;

    world
        .exchange
        .product_refresh(&operator, VISITS)
        .await
        .unwrap();
    world.assert_told(&mut seen, version, "refresh").await;

    world.exchange.sync_start(&operator, REPLICA).await.unwrap();
    worker.drain().await;
    world.assert_told(&mut seen, version, "sync plan").await;

    // The replica, in a version that we wrote ourselves: the source is in order again.
    std::fs::remove_file(commit(&source, version)).unwrap();
    world.append(VISITS_PATH, &[rows(90_000, 10)]).await;
    let replica = world
        .root("az_weu")
        .join(format!("{VISITS}/default/visits"));
    let first = commit(&replica, 0);
    let kept = std::fs::read_to_string(&first).unwrap();
    std::fs::write(&first, format!("{kept}{}", pointing_outside())).unwrap();

    let answer = world.query(VISITS, "visits", &rnd).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    world.assert_told(&mut seen, 0, "a replica's query").await;

    for (what, start) in [("vacuum", true), ("verify", false)] {
        match start {
            true => world.exchange.vacuum_start(&operator, REPLICA).await,
            false => world.exchange.verify_start(&operator, REPLICA).await,
        }
        .unwrap();
        worker.drain().await;
        world.assert_told(&mut seen, 0, what).await;
    }
    world.exchange.sync_start(&operator, REPLICA).await.unwrap();
    worker.drain().await;
    world.assert_told(&mut seen, 0, "a sync onto it").await;

    let audit = world.exchange.audit_verify(&operator, None).await.unwrap();
    assert_eq!(audit.broken, None);
}
