//! The crash test's world: what is declared in it, what each stage does there, and the state that has to come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exchange::access::RequestFilter;
use exchange::db::Db;
use exchange::page::PageRequest;
use exchange::{Error, Exchange, Options, Principal};
use model::dto::{
    DecisionNew, DeploymentNew, MemberChange, PersonNew, PurposeNew, Request, RequestNew, RevokeNew,
};
use model::{ManualClock, ProductState, Timestamp};
use server::adapters::connect::{Connected, Wiring, connect};
use server::adapters::keyring::FileKeyRing;
use server::adapters::stores::Lake;
use server::config::StorageSettings;
use server::workers::handlers::{Lakehand, handlers};
use server::workers::sync::Engine;
use server::workers::{Worker, owner};

use super::folder::{commit_after, files_below};
use super::{COPIER, COPIER_DIES_AT, CRASH_AT, CRASH_LOG, postbox};

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
  vehicle-plans:
    title: Plans, STATE
    team: aftersales
    storage: aws_eu
    classification: internal
    state: STATE
    access: { policy: owner }
    tables: [{ name: plans, schema: default, path: plans, format: delta }]
recipients: { rnd_weu: { team: rnd, cloud: azure, region: westeurope } }
rates:
  - { from: "aws:eu-central-1", to: "azure:*", price: "0.09", unit: GB, currency: USD, valid_from: 2026-01-01, source: list price }
service_rates: [{ kind: compute, price: "0.12", currency: USD, valid_from: 2026-01-01, source: our own }]
"#;

/// A world in a folder: the clouds, the keys, and (on SQLite) the database.
pub(super) struct World {
    connected: Connected,
    folder: PathBuf,
}

impl World {
    pub(super) async fn open(folder: &Path, database: &str, at: Timestamp) -> Self {
        let db = Db::open_with(database, 2).await.unwrap();
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

    pub(super) fn exchange(&self) -> &Exchange {
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

    pub(super) async fn person(&self, name: &str) -> Principal {
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

    pub(super) async fn stage(&self, name: &str) {
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
                // Who died behind the last commit has left work that no sync asks for any more.
                self.work().await;
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

    pub(super) async fn ask(&self, mara: &Principal) -> Request {
        let new = RequestNew {
            product: "vehicle-visits".into(),
            recipient: "rnd_weu".into(),
            mode: "replica".into(),
            cut: None,
            until: "2026-12-31".into(),
            purpose: PurposeNew {
                code: "warranty".into(),
                text: "warranty analysis".into(),
            },
        };
        self.exchange().request_create(mara, new).await.unwrap()
    }

    pub(super) async fn approve(&self, jonas: &Principal, request: &Request) {
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
        // One product is declared as a draft first. A published one stays so: then the draft has been deployed already.
        let plans = exchange.product(&operator, "vehicle-plans").await;
        let is_published = plans.is_ok_and(|found| found.state == ProductState::Published);
        let states = ["draft", "published"].into_iter();
        for state in states.skip(usize::from(is_published)) {
            let yaml = DECLARATION.replace("STATE", state);
            let deployment = DeploymentNew {
                yaml: yaml.replace("FOLDER", &self.folder.display().to_string()),
                file: "entrepot.yml".into(),
                commit: "abc".into(),
                expect_plan_hash: None,
            };
            exchange
                .declaration_deploy(&operator, deployment)
                .await
                .unwrap();
        }
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
    pub(super) async fn state(&self) -> BTreeMap<String, String> {
        let exchange = self.exchange();
        let operator = Principal::operator();
        let all = PageRequest::all();
        let mut state = BTreeMap::new();
        let mut note = |key: &str, value: String| state.insert(key.to_owned(), value);
        for name in ["vehicle-visits", "vehicle-plans"] {
            let product = exchange.product(&operator, name).await;
            let shown = product.map(|found| (found.title, found.state));
            note(name, format!("{:?}", shown.ok()));
        }
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
