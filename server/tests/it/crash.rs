//! Dying as by `kill -9` at every crash point, and converging after a restart.
//!
//! The child is this test binary itself, told by its environment to carry out one stage on a data folder; stages are written
//! to be done again. First the whole story is played without a crash, and each stage's points and resulting state are noted.
//! Then, for every point that a stage passes, the world is put back to before that stage, the child dies at the point, is
//! started again, and must leave the very same state. A point of the source code that no stage ever passes fails the test.
//!
//! With the copy engine `process` the stages that copy are played again: there are two processes then, and each dies at each
//! of its points.

mod postbox;
mod renewal;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use delta::write::arrow::array::{Int64Array, RecordBatch, StringArray};
use delta::write::arrow_schema::{DataType, Field, Schema};
use delta::write::{NewTable, Writer};
use exchange::access::RequestFilter;
use exchange::db::Db;
use exchange::page::PageRequest;
use exchange::{Error, Exchange, Options, Principal};
use model::dto::{
    DecisionNew, DeploymentNew, MemberChange, PersonNew, PurposeNew, Request, RequestNew, RevokeNew,
};
use model::time::HOUR;
use model::{ManualClock, Timestamp};
use object_store::local::LocalFileSystem;
use server::adapters::connect::{Connected, Wiring, connect};
use server::adapters::keyring::FileKeyRing;
use server::adapters::stores::Lake;
use server::config::StorageSettings;
use server::workers::handlers::{Lakehand, handlers};
use server::workers::sync::Engine;
use server::workers::{Worker, owner};

use crate::support::environment::quick_without;

/// The stages in order, with the instant that the clock shows in each.
const STAGES: &[(&str, &str)] = &[
    ("declare", "2026-06-01T08:00:00Z"),
    ("approve", "2026-06-01T09:00:00Z"),
    ("first", "2026-06-01T10:00:00Z"),
    ("again", "2026-06-02T10:00:00Z"),
    ("vacuum", "2026-06-12T10:00:00Z"),
    ("many", "2026-06-13T10:00:00Z"),
    ("bill", "2026-07-02T10:00:00Z"),
    ("end", "2026-07-03T10:00:00Z"),
    ("erase", "2026-07-20T10:00:00Z"),
];

const STAGE: &str = "ENTREPOT_TEST_STAGE";
const FOLDER: &str = "ENTREPOT_TEST_FOLDER";
const DATABASE: &str = "ENTREPOT_TEST_DATABASE";
/// Set where a process of its own copies.
const COPIER: &str = "ENTREPOT_TEST_COPIER";
/// The point at which that process dies.
const COPIER_DIES_AT: &str = "ENTREPOT_TEST_COPIER_DIES_AT";
const CRASH_AT: &str = "ENTREPOT_CRASH_AT";
const CRASH_LOG: &str = "ENTREPOT_CRASH_LOG";

const DECLARATION: &str = r#"
exchange: { name: crash }
domains: { vehicle: { title: Vehicle } }
teams:
  aftersales: { domain: vehicle, title: After-Sales, cost_center: "1" }
  rnd: { domain: vehicle, title: Research, cost_center: "2" }
storages:
  aws_eu: { cloud: aws, region: eu-central-1, url: "file://FOLDER/aws_eu" }
  az_weu: { cloud: azure, region: westeurope, url: "file://FOLDER/az_weu", replicas: true }
products:
  vehicle-visits:
    title: Visits
    team: aftersales
    storage: aws_eu
    classification: internal
    access: { policy: owner }
    tables: [{ name: visits, schema: default, path: visits, format: delta }]
recipients: { rnd_weu: { team: rnd, cloud: azure, region: westeurope } }
rates:
  - { from: "aws:eu-central-1", to: "azure:*", price: "0.09", unit: GB, currency: USD, valid_from: 2026-01-01, source: list price }
service_rates: [{ kind: compute, price: "0.12", currency: USD, valid_from: 2026-01-01, source: our own }]
"#;

/// A world in a folder: the clouds, the keys, and (on SQLite) the database.
struct World {
    connected: Connected,
    folder: PathBuf,
}

impl World {
    async fn open(folder: &Path, database: &str, at: Timestamp) -> Self {
        let db = Db::open(database).await.unwrap();
        db.migrate().await.unwrap();
        let lake = Lake::of(&StorageSettings {
            file_roots: vec![folder.to_owned()],
            endpoints: Vec::new(),
            parallel_requests: 16,
            table_files: delta::Budgets::default().files,
        });
        let keys = FileKeyRing::open(&folder.join("keys"), true).unwrap();
        let wiring = Wiring {
            db,
            clock: Arc::new(ManualClock::at(at)),
            keys: Arc::new(keys),
            lake,
            // A day's events are priced in several batches, so that there is something between them.
            options: Options {
                report_batch: 2,
                ..Options::default()
            },
            here: None,
            post: postbox::post(folder),
        };
        Self {
            connected: connect(wiring).await.unwrap(),
            folder: folder.to_owned(),
        }
    }

    fn exchange(&self) -> &Exchange {
        &self.connected.exchange
    }

    /// Does all work that is due. Leases are measured with the database's clock, so what a dead worker held is first taken
    /// from it, as time would.
    async fn work(&self) {
        self.exchange()
            .work_release_all(&Principal::system())
            .await
            .unwrap();
        // What has failed is tried again, as it would be in a while.
        let (operator, all) = (Principal::operator(), PageRequest::all());
        let waiting = self.exchange().work_list(&operator, &all).await.unwrap();
        for work in waiting.items.iter().filter(|work| work.failures > 0) {
            let retried = self.exchange().work_retry(&operator, work.id).await;
            retried.unwrap();
        }
        let hand = Lakehand {
            exchange: self.exchange().clone(),
            lake: self.connected.lake.clone(),
            reads: self.connected.reads.clone(),
            engine: engine(&self.folder),
            folder: self.folder.clone(),
        };
        let worker = Worker {
            exchange: self.exchange().clone(),
            owner: owner(),
            location: None,
            handlers: handlers(Arc::new(hand)),
            ticks: Vec::new(),
            parallel: 1,
            poll: std::time::Duration::from_millis(10),
        };
        worker.drain().await;
    }

    async fn person(&self, name: &str) -> Principal {
        let id = self
            .exchange()
            .people(&Principal::operator(), &PageRequest::all())
            .await
            .unwrap();
        let id = id
            .items
            .into_iter()
            .find(|person| person.name.as_str() == name)
            .unwrap()
            .id;
        self.exchange().principal_of_session(id).await.unwrap()
    }

    async fn stage(&self, name: &str) {
        let exchange = self.exchange();
        let operator = Principal::operator();
        let reference = "vehicle-visits@az_weu";
        match name {
            "declare" => self.declare().await,
            "approve" => {
                let (mara, jonas) = (self.person("mara").await, self.person("jonas").await);
                let known = exchange
                    .requests(&mara, &RequestFilter::default(), &PageRequest::all())
                    .await
                    .unwrap()
                    .items;
                let request = match known.into_iter().next() {
                    Some(request) => request,
                    None => self.ask(&mara).await,
                };
                if request.grant.is_none() {
                    self.approve(&jonas, &request).await;
                }
            }
            "first" => self.work().await,
            "again" => {
                exchange.sync_start(&operator, reference).await.unwrap();
                self.work().await;
            }
            "many" => {
                // One commit a sync, until the replica has written its first checkpoint.
                loop {
                    let replica = exchange.replica(&operator, reference).await.unwrap();
                    let table = &replica.tables[0];
                    if table.replica_version >= Some(10) {
                        break;
                    }
                    commit_after(&self.folder, table.source_version.unwrap()).await;
                    exchange.sync_start(&operator, reference).await.unwrap();
                    self.work().await;
                }
            }
            "vacuum" => {
                exchange.vacuum_start(&operator, reference).await.unwrap();
                self.work().await;
                let every_object = exchange.verify_start_at(&operator, reference, 2);
                every_object.await.unwrap();
                self.work().await;
            }
            "bill" => {
                exchange.billing_report(&Principal::system()).await.unwrap();
                match exchange
                    .statement_issue(&operator, "aftersales", "2026-06")
                    .await
                {
                    Ok(_) | Err(Error::Conflict(_)) => {}
                    Err(error) => panic!("{error:?}"),
                }
            }
            "end" => {
                let jonas = self.person("jonas").await;
                for grant in exchange
                    .grants(&jonas, None, &PageRequest::all())
                    .await
                    .unwrap()
                    .items
                {
                    let reason = RevokeNew {
                        reason: "over".into(),
                    };
                    exchange
                        .grant_revoke(&jonas, grant.id, reason)
                        .await
                        .unwrap();
                }
                self.work().await;
            }
            "erase" => {
                exchange.grants_resync(&Principal::system()).await.unwrap();
                self.work().await;
            }
            "renew" => {
                self.renew().await;
                exchange.grants_resync(&Principal::system()).await.unwrap();
                self.work().await;
            }
            other => panic!("no stage {other}"),
        }
    }

    async fn ask(&self, mara: &Principal) -> Request {
        let new = RequestNew {
            product: "vehicle-visits".into(),
            recipient: "rnd_weu".into(),
            mode: "replica".into(),
            until: "2026-12-31".into(),
            purpose: PurposeNew {
                code: "warranty".into(),
                text: "warranty analysis".into(),
            },
        };
        self.exchange().request_create(mara, new).await.unwrap()
    }

    async fn approve(&self, jonas: &Principal, request: &Request) {
        let yes = DecisionNew {
            verdict: "approve".into(),
            note: "fine".into(),
            revision: request.revision,
            stage: None,
            live_bytes_per_day: None,
            scope: None,
        };
        self.exchange()
            .request_decide(jonas, request.id, yes)
            .await
            .unwrap();
    }

    /// People by hand, everything else by a declaration; each step only where it is missing.
    async fn declare(&self) {
        let exchange = self.exchange();
        let operator = Principal::operator();
        let deployment = DeploymentNew {
            yaml: DECLARATION.replace("FOLDER", &self.folder.display().to_string()),
            file: "entrepot.yml".into(),
            commit: "abc".into(),
            expect_plan_hash: None,
        };
        exchange
            .declaration_deploy(&operator, deployment)
            .await
            .unwrap();
        for (team, person, role) in [
            ("aftersales", "jonas", "producer"),
            ("rnd", "mara", "consumer"),
        ] {
            let new = PersonNew {
                name: person.into(),
                title: person.into(),
                email: format!("{person}@example.org"),
                password: None,
                roles: Vec::new(),
            };
            match exchange.person_create(&operator, new).await {
                Ok(_) | Err(Error::Invalid(_)) => {}
                Err(error) => panic!("{error:?}"),
            }
            exchange
                .member_set(&operator, team, person, MemberChange { role: role.into() })
                .await
                .unwrap();
        }
    }

    /// What must be the same whether or not there was a crash: states, versions, files, bytes and money; no ids or times.
    async fn state(&self) -> BTreeMap<String, String> {
        let exchange = self.exchange();
        let operator = Principal::operator();
        let all = PageRequest::all();
        let mut state = BTreeMap::new();
        let mut note = |key: &str, value: String| state.insert(key.to_owned(), value);
        let products = exchange
            .product(&operator, "vehicle-visits")
            .await
            .map(|found| found.state);
        note("product", format!("{:?}", products.ok()));
        let requests = exchange
            .requests(&operator, &RequestFilter::default(), &all)
            .await
            .unwrap()
            .items;
        note(
            "requests",
            format!(
                "{:?}",
                requests
                    .iter()
                    .map(|r| (r.state, r.decisions.len()))
                    .collect::<Vec<_>>()
            ),
        );
        let grants = exchange.grants(&operator, None, &all).await.unwrap().items;
        note(
            "grants",
            format!(
                "{:?}",
                grants
                    .iter()
                    .map(|g| (g.desired, g.actual, g.reason.clone()))
                    .collect::<Vec<_>>()
            ),
        );
        let replicas = exchange
            .replicas(&operator, None, &all)
            .await
            .unwrap()
            .items;
        let shown = |replica: &model::dto::Replica| {
            let tables: Vec<_> = replica
                .tables
                .iter()
                .map(|t| (t.state, t.source_version, t.replica_version, t.bytes))
                .collect();
            (replica.state, tables)
        };
        note(
            "replicas",
            format!("{:?}", replicas.iter().map(shown).collect::<Vec<_>>()),
        );
        let runs = exchange
            .sync_runs(&operator, None, &all)
            .await
            .unwrap()
            .items;
        let open = runs.iter().filter(|run| run.finished_at.is_none()).count();
        let done: BTreeSet<String> = runs
            .iter()
            .filter(|run| run.kind == model::RunKind::Sync && run.bytes_copied > 0)
            .map(|run| {
                format!(
                    "{}..{:?} {} files {} bytes",
                    run.from_version.unwrap_or(0),
                    run.to_version,
                    run.files_copied,
                    run.bytes_copied
                )
            })
            .collect();
        note("runs", format!("{open} open, {done:?}"));
        let events = exchange
            .meter_events(&operator, None, &all)
            .await
            .unwrap()
            .items;
        for run in &runs {
            let of_run = events.iter().filter(|event| event.run == Some(run.id));
            let counted = of_run.fold((0, 0), |(bytes, busy), event| {
                (bytes + event.bytes, busy + event.busy_micros)
            });
            assert_eq!(
                (run.bytes_received, run.busy_micros),
                counted,
                "a run shows what its events say"
            );
        }
        let charges = exchange.charges(&operator, None, &all).await.unwrap().items;
        let counted: u64 = events
            .iter()
            .filter(|event| event.charged)
            .map(|event| event.bytes)
            .sum();
        let charged: u64 = charges.iter().map(|charge| charge.bytes).sum();
        assert_eq!(
            counted, charged,
            "every charged event stands in exactly one charge"
        );
        // One for each day and key, however often the report was cut short: each is rounded once.
        note("charges", charges.len().to_string());
        let statements = exchange.statements(&operator, &all).await.unwrap().items;
        for statement in &statements {
            let lines = exchange
                .statement(&operator, statement.team.as_str(), &statement.month)
                .await
                .unwrap();
            let sum: i64 = lines[0].lines.iter().map(|line| line.amount.0).sum();
            assert_eq!(sum, statement.total.0);
        }
        note(
            "statements",
            format!(
                "{:?}",
                statements
                    .iter()
                    .map(|s| (s.month.clone(), s.state))
                    .collect::<Vec<_>>()
            ),
        );
        let work = exchange.work_list(&operator, &all).await.unwrap().items;
        assert!(work.iter().all(|work| !work.parked), "{work:?}");
        note("told", format!("{:?}", postbox::told(&self.folder)));
        let audit = exchange.audit_verify(&operator, None).await.unwrap();
        assert_eq!(audit.broken, None);
        note(
            "files",
            format!("{:?}", files_below(&self.folder.join("az_weu"))),
        );
        state
    }
}

/// As the environment says. A process that copies has a log of its own points, and dies at none of its parent's.
fn engine(folder: &Path) -> Engine {
    if std::env::var_os(COPIER).is_none() {
        return Engine::Local;
    }
    let mut command: Vec<std::ffi::OsString> = ["env", "-u", CRASH_AT].map(Into::into).into();
    if let Ok(log) = std::env::var(CRASH_LOG) {
        command.push(format!("{CRASH_LOG}={log}.copier").into());
    }
    if let Ok(point) = std::env::var(COPIER_DIES_AT) {
        command.push(format!("{CRASH_AT}={point}").into());
    }
    let copy = [env!("CARGO_BIN_EXE_entrepot"), "copy", "--data"];
    command.extend(copy.map(Into::into));
    command.push(folder.into());
    Engine::Process { command }
}

/// Relative paths with sizes; the log's commits by name alone, because they hold ids and times.
fn files_below(root: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let path = entry.path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.contains("_delta_log") || name.contains("_entrepot") {
                found.insert(name);
            } else if !name.contains(".entrepot-staging") {
                found.insert(format!("{name} {}", entry.metadata().unwrap().len()));
            }
        }
    }
    found
}

/// The source table: what stands there before the stage of that name.
async fn source(folder: &Path, stage: &str) {
    let root = folder.join("aws_eu/visits");
    std::fs::create_dir_all(&root).unwrap();
    std::fs::create_dir_all(folder.join("az_weu")).unwrap();
    let objects = Arc::new(LocalFileSystem::new_with_prefix(&root).unwrap());
    let table = delta::Table::new(objects, delta::Budgets::default());
    let schema = Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, true),
        Field::new("country", DataType::Utf8, true),
    ]));
    let rows = |from: i64, country: &str| {
        let ids: Vec<i64> = (from..from + 200).collect();
        let countries = vec![country; ids.len()];
        RecordBatch::try_new(
            schema.clone(),
            vec![
                Arc::new(Int64Array::from(ids)),
                Arc::new(StringArray::from(countries)),
            ],
        )
        .unwrap()
    };
    match stage {
        "declare" => {
            let at = Timestamp::parse("2026-06-01T07:00:00Z").unwrap();
            let new = NewTable {
                name: None,
                description: None,
                schema: schema.clone(),
                partition_columns: vec!["country".into()],
                configuration: BTreeMap::new(),
            };
            let mut writer = Writer::create(table, 7, at, new).await.unwrap();
            for (step, country) in ["de", "fr", "it"].iter().enumerate() {
                let step = i64::try_from(step).unwrap();
                writer
                    .append(at.plus(step * HOUR / 10), &[rows(step * 1_000, country)])
                    .await
                    .unwrap();
            }
        }
        "again" => {
            let at = Timestamp::parse("2026-06-02T07:00:00Z").unwrap();
            let mut writer = Writer::open(table, 11).await.unwrap();
            writer.append(at, &[rows(9_000, "es")]).await.unwrap();
            // Copy on write: the files of two countries are written anew without the deleted rows.
            writer
                .delete_where(at.plus(HOUR), |batch| {
                    let ids = batch.column_by_name("id").unwrap();
                    let ids = ids.as_any().downcast_ref::<Int64Array>().unwrap();
                    Ok(ids
                        .iter()
                        .map(|id| id.map(|id| id % 1_000 >= 5 || id >= 2_000))
                        .collect())
                })
                .await
                .unwrap();
        }
        _ => {}
    }
}

/// One more commit at the source, unless there is one after `version` already.
async fn commit_after(folder: &Path, version: u64) {
    let objects = Arc::new(LocalFileSystem::new_with_prefix(folder.join("aws_eu/visits")).unwrap());
    let table = delta::Table::new(objects, delta::Budgets::default());
    if table.latest_version().await.unwrap() > Some(version) {
        return;
    }
    let mut writer = Writer::open(table, version).await.unwrap();
    let at = Timestamp::parse("2026-06-03T07:00:00Z").unwrap();
    let rows = RecordBatch::try_new(
        writer.schema().clone(),
        vec![
            Arc::new(Int64Array::from(vec![i64::try_from(version).unwrap()])),
            Arc::new(StringArray::from(vec!["at"])),
        ],
    );
    writer.append(at, &[rows.unwrap()]).await.unwrap();
}

/// Copies a folder; the stage before which it was taken can be played again on it.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Who dies at a point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Death {
    Worker(String),
    Copier(String),
}

/// Plays one stage in a child. Answers whether it came to its end.
fn child(
    stage: &str,
    folder: &Path,
    database: &str,
    copying: Copying,
    death: Option<&Death>,
    log: &Path,
) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "crash::carry_out_one_stage", "--nocapture"])
        .env(STAGE, stage)
        .env(FOLDER, folder)
        .env(DATABASE, database)
        .env(CRASH_LOG, log)
        .env_remove(CRASH_AT)
        .stdin(Stdio::null());
    if copying == Copying::Process {
        command.env(COPIER, "process");
    }
    match death {
        None => {}
        Some(Death::Worker(point)) => {
            command.env(CRASH_AT, point);
        }
        Some(Death::Copier(point)) => {
            command.env(COPIER_DIES_AT, point);
        }
    }
    let output = command.output().unwrap();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    if output.status.success() {
        assert!(text.contains("1 passed"), "the child ran no stage: {text}");
        return true;
    }
    let died = std::os::unix::process::ExitStatusExt::signal(&output.status).is_some();
    assert!(
        died && death.is_some(),
        "stage {stage} failed by itself: {text}"
    );
    false
}

/// What a child does; a test that does nothing where nobody asks for a stage.
#[tokio::test(flavor = "multi_thread")]
async fn carry_out_one_stage() {
    let (Ok(stage), Ok(folder), Ok(database)) = (
        std::env::var(STAGE),
        std::env::var(FOLDER),
        std::env::var(DATABASE),
    ) else {
        return;
    };
    let mut stages = STAGES.iter().chain(renewal::STAGES);
    let (_, at) = stages.find(|(name, _)| *name == stage).unwrap();
    let world = World::open(Path::new(&folder), &database, Timestamp::parse(at).unwrap()).await;
    world.stage(&stage).await;
    world.exchange().db().close().await;
}

/// Where the database of a played world lives, and how it is put back.
enum Kind {
    Sqlite,
    Postgres { server: String, run: String },
}

impl Kind {
    fn address(&self, folder: &Path, name: &str) -> String {
        match self {
            Self::Sqlite => folder.join("entrepot.db").display().to_string(),
            Self::Postgres { server, run } => {
                let (base, _) = server.rsplit_once('/').unwrap();
                format!("{base}/{run}_{name}")
            }
        }
    }

    /// A database `to` that holds what `from` holds; empty without `from`. On SQLite it came with the folder.
    async fn copy(&self, from: Option<&str>, to: &str) {
        if let Self::Postgres { server, run } = self {
            let template = from.map(|from| format!("{run}_{from}"));
            let db = Db::copy_postgres(server, template.as_deref(), &format!("{run}_{to}"))
                .await
                .unwrap();
            db.close().await;
        }
    }
}

/// Who moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copying {
    Local,
    Process,
}

/// The points that a log names.
fn points_of(log: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn survives_every_crash(kind: Kind, copying: Copying) {
    if quick_without("the crash loop") {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let log = base.path().join("points");
    let mut passed: BTreeSet<String> = BTreeSet::new();
    let main = base.path().join("main");
    std::fs::create_dir_all(&main).unwrap();
    // What a process that copies is allowed to open.
    let config = format!("[storage]\nfile_roots = [\"{}\"]\n", main.display());
    std::fs::write(main.join("entrepot.toml"), config).unwrap();
    kind.copy(None, "main").await;
    let mut cases = 0;
    let mut tried: BTreeMap<Death, u32> = BTreeMap::new();
    for (stage, at) in STAGES {
        source(&main, stage).await;
        let before = base.path().join(format!("before_{stage}"));
        copy_folder(&main, &before);
        kind.copy(Some("main"), &format!("before_{stage}")).await;
        // Without a crash: which points there are, and what is to come of it.
        let copier_log = base.path().join("points.copier");
        for log in [&log, &copier_log] {
            let _ = std::fs::remove_file(log);
        }
        // The folder's path is part of what is stored, so every try takes place in the same one.
        assert!(child(
            stage,
            &main,
            &kind.address(&main, "main"),
            copying,
            None,
            &log
        ));
        let (worker, copier) = (points_of(&log), points_of(&copier_log));
        let mut deaths: Vec<Death> = Vec::new();
        // With another engine only what has to do with it is other than before.
        if copying == Copying::Local || !copier.is_empty() {
            deaths.extend(worker.iter().cloned().map(Death::Worker));
            deaths.extend(copier.iter().cloned().map(Death::Copier));
        }
        let at = Timestamp::parse(at).unwrap();
        let world = World::open(&main, &kind.address(&main, "main"), at).await;
        let expected = world.state().await;
        world.exchange().db().close().await;
        let after = base.path().join(format!("after_{stage}"));
        copy_folder(&main, &after);
        for (index, death) in deaths.iter().enumerate() {
            // What dying at a point means depends on the stage; the third one has nothing new to say.
            let times = tried.entry(death.clone()).or_default();
            *times += 1;
            let most = match copying {
                Copying::Local => 2,
                Copying::Process => 1,
            };
            if *times > most {
                continue;
            }
            std::fs::remove_dir_all(&main).unwrap();
            copy_folder(&before, &main);
            let name = format!("try_{stage}_{index}");
            kind.copy(Some(&format!("before_{stage}")), &name).await;
            let address = kind.address(&main, &name);
            let other = base.path().join("elsewhere");
            // A worker outlives its copier, and tries again.
            let ended = child(stage, &main, &address, copying, Some(death), &other);
            let outlives = matches!(death, Death::Copier(_));
            assert_eq!(ended, outlives, "{stage}: {death:?}");
            assert!(child(stage, &main, &address, copying, None, &other));
            let world = World::open(&main, &address, at).await;
            let found = world.state().await;
            world.exchange().db().close().await;
            assert_eq!(found, expected, "after {death:?} in {stage}");
            cases += 1;
        }
        std::fs::remove_dir_all(&main).unwrap();
        copy_folder(&after, &main);
        passed.extend(worker);
        passed.extend(copier);
    }
    let missed: Vec<String> = points_in_source().difference(&passed).cloned().collect();
    assert!(missed.is_empty(), "no stage passes {missed:?}");
    if copying == Copying::Process {
        let copied = tried.keys().any(|death| matches!(death, Death::Copier(_)));
        assert!(copied, "no process of its own copied anything");
    }
    println!("{cases} deaths survived");
}

/// Every `crash_point!` in the code of this workspace.
fn points_in_source() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut points = BTreeSet::new();
    let mut folders = vec![root.join("crates"), root.join("server/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                for line in text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                {
                    if let Some((_, rest)) = line.split_once("crash_point!(\"")
                        && let Some((point, _)) = rest.split_once('"')
                    {
                        points.insert(point.to_owned());
                    }
                }
            }
        }
    }
    assert!(points.len() > 20, "{points:?}");
    points
}

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_point_is_survived_on_sqlite() {
    survives_every_crash(Kind::Sqlite, Copying::Local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_point_of_two_processes_is_survived_on_sqlite() {
    survives_every_crash(Kind::Sqlite, Copying::Process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_crash_point_is_survived_on_postgres() {
    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
        assert!(
            std::env::var("TEST_QUICK").is_ok(),
            "TEST_POSTGRES_URL names no server"
        );
        return;
    };
    let run = format!("crash_{}", std::process::id());
    survives_every_crash(Kind::Postgres { server, run }, Copying::Local).await;
}
