//! The world of the journey: one installation with a real listener, a lake on S3, a cloud on Azurite, a folder that stands
//! in for a third, and the people. Between any two that exchange tables stands a proxy that counts.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use exchange::db::Db;
use exchange::jobs::{Leased, WorkKind};
use exchange::{Exchange, Options, Principal};
use model::dto::{DomainNew, MemberChange, PersonNew, TeamNew, TokenNew};
use model::{ManualClock, Timestamp};
use serde_json::{Value, json};
use server::adapters::connect::{Wiring, connect};
use server::adapters::keyring::FileKeyRing;
use server::adapters::stores::Lake;
use server::config::{Flags, PublicUrl, Settings};
use server::folder::{self, Lock};
use server::router::{self, Parts};
use server::workers::handlers::{Lakehand, handlers};
use server::workers::sync::Engine;
use server::workers::{self, Handler, Handlers, Outcome, WorkFailed, Worker};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::person::Person;
use crate::support::azurite::Azurite;
use crate::support::proxy::{Counted, Proxy};
use crate::support::python::Python;
use crate::support::s3::S3;

/// Which engine copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copying {
    Local,
    Process,
    /// The same, and each child leaves its process id in the file `child` of the data folder.
    ProcessById,
}

/// Which database keeps the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum On {
    Sqlite,
    Postgres,
}

/// What one kind of work moved: what the proxies passed on while pieces of it ran, one at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Moved {
    pub(super) s3: Counted,
    pub(super) azure: Counted,
    pub(super) pieces: u64,
    /// What S3's proxy had counted before the first of them.
    pub(super) s3_before: Option<Counted>,
}

type Moves = Arc<Mutex<HashMap<WorkKind, Moved>>>;

pub(super) struct World {
    pub(super) exchange: Exchange,
    pub(super) clock: Arc<ManualClock>,
    pub(super) s3: Arc<S3>,
    pub(super) azurite: Arc<Azurite>,
    pub(super) python: Python,
    /// In front of the server: what consumers are told and what they receive.
    pub(super) front: Proxy,
    pub(super) folder: TempDir,
    /// Not of the journey: keeps storages, rates and accounts.
    pub(super) ada: Person,
    /// Produces in the team `aftersales`, and decides.
    pub(super) pia: Person,
    /// Consumes in the team `rnd`, and asks.
    pub(super) carl: Person,
    /// For URLs that were handed out.
    pub(super) http: reqwest::Client,
    worker: Worker,
    moves: Moves,
    stop: CancellationToken,
    _lock: Lock,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    /// `None` in a quick run, which does without Azurite, Python and PostgreSQL.
    pub(super) async fn start(copying: Copying, on: On) -> Option<Self> {
        let postgres = match on {
            On::Postgres => Some(crate::support::environment::wanted("TEST_POSTGRES_URL")?),
            On::Sqlite => None,
        };
        let (python, azurite) = (Python::find()?, Arc::new(Azurite::start().await?));
        let s3 = Arc::new(S3::start().await);
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let front = Proxy::start_receiving(listener.local_addr().unwrap());

        // As an operator would write it: child processes read it too.
        let data = folder.path().join("data");
        folder::create(&data).unwrap();
        let database = match postgres {
            Some(server) => {
                let name = format!("journey_{}", uuid::Uuid::new_v4().simple());
                let db = Db::create_postgres(&server, &name).await.unwrap();
                db.close().await;
                let (base, _) = server.rsplit_once('/').unwrap();
                format!("[database]\nurl = \"{base}/{name}\"\nconnections = 3\n")
            }
            None => String::new(),
        };
        let configuration = format!(
            "{database}[keys]\nfile = \"{}\"\n[server]\npublic_url = \"{}\"\n[storage]\nfile_roots = [\"{}\"]\nendpoints = [\"{}\", \"{}\"]\n",
            data.join("keys").display(),
            front.url(),
            folder.path().join("lake").display(),
            s3.proxy.address(),
            azurite.proxy.address()
        );
        std::fs::write(data.join("entrepot.toml"), configuration).unwrap();
        let settings = Settings::load(&Flags {
            data: Some(data.clone()),
            ..Flags::default()
        })
        .unwrap();

        // As a server holds it.
        let lock = folder::lock(&data).unwrap();
        let db = Db::open_with(&settings.database_url, settings.database_connections)
            .await
            .unwrap();
        db.migrate().await.unwrap();
        let clock = Arc::new(ManualClock::at(wall()));
        let public_url = settings.public_url.clone().unwrap();
        let wiring = Wiring {
            db,
            clock: clock.clone(),
            keys: Arc::new(FileKeyRing::open(&settings.keys, true).unwrap()),
            lake: Lake::of(&settings.storage),
            options: Options {
                public_url: public_url.as_str().to_owned(),
                ..Options::default()
            },
            here: None,
            post: exchange::ports::Post::default(),
        };
        let connected = connect(wiring).await.unwrap();
        let exchange = connected.exchange.clone();
        let stop = CancellationToken::new();
        serve(listener, &connected, &settings, public_url, stop.clone());

        let moves = Moves::default();
        let hand = Lakehand {
            exchange: exchange.clone(),
            lake: connected.lake.clone(),
            reads: connected.reads.clone(),
            engine: engine(copying, &data),
            folder: data,
        };
        let witnessed = handlers(Arc::new(hand)).into_iter().map(|(kind, inner)| {
            let witness = Witness {
                inner,
                moves: Arc::clone(&moves),
                s3: Arc::clone(&s3),
                azurite: Arc::clone(&azurite),
            };
            (kind, Arc::new(witness) as Arc<dyn Handler>)
        });
        let worker = Worker {
            exchange: exchange.clone(),
            owner: workers::owner(),
            location: None,
            handlers: witnessed.collect::<Handlers>(),
            ticks: Vec::new(),
            parallel: 1,
            poll: Duration::from_millis(50),
        };
        let [ada, pia, carl] = people(&exchange, &front.url()).await;
        Some(Self {
            exchange,
            clock,
            s3,
            azurite,
            python,
            front,
            folder,
            ada,
            pia,
            carl,
            http: storage::trusting_the_system(reqwest::Client::builder())
                .no_proxy()
                .build()
                .unwrap(),
            worker,
            moves,
            stop,
            _lock: lock,
        })
    }

    /// What the server keeps on its disk.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where tables that lie in folders lie.
    pub(super) fn lake(&self) -> PathBuf {
        self.folder.path().join("lake")
    }

    /// Does what is due, one piece after the other, and answers what the kinds of work moved meanwhile.
    pub(super) async fn work(&self) -> HashMap<WorkKind, Moved> {
        self.moves.lock().unwrap().clear();
        self.worker.drain().await;
        self.moves.lock().unwrap().clone()
    }

    /// Works until `path` of `/api/v1`, as `person` sees it, fulfils the condition.
    pub(super) async fn work_until(
        &self,
        person: &Person,
        path: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Value {
        const LONGEST: Duration = Duration::from_secs(45);
        let start = tokio::time::Instant::now();
        // Work that looks again later is due only then: asked for at intervals.
        let mut again = tokio::time::interval(Duration::from_millis(100));
        loop {
            self.worker.drain().await;
            let seen = person.get(path).await;
            if holds(&seen) {
                return seen;
            }
            assert!(start.elapsed() < LONGEST, "{path} stays {seen:#}");
            again.tick().await;
        }
    }
}

/// Notes what passes through the proxies while a piece of work runs.
struct Witness {
    inner: Arc<dyn Handler>,
    moves: Moves,
    s3: Arc<S3>,
    azurite: Arc<Azurite>,
}

#[async_trait]
impl Handler for Witness {
    async fn run(&self, work: &Leased, lost: &CancellationToken) -> Result<Outcome, WorkFailed> {
        let before = (self.s3.proxy.counted(), self.azurite.proxy.counted());
        let outcome = self.inner.run(work, lost).await;
        let mut moves = self.moves.lock().unwrap();
        let moved = moves.entry(work.kind).or_default();
        moved.s3_before.get_or_insert(before.0);
        moved.s3 = moved.s3.and(self.s3.proxy.counted().since(before.0));
        moved.azure = moved
            .azure
            .and(self.azurite.proxy.counted().since(before.1));
        moved.pieces += 1;
        outcome
    }
}

fn engine(copying: Copying, data: &Path) -> Engine {
    let copy: [OsString; 4] = [
        env!("CARGO_BIN_EXE_entrepot").into(),
        "copy".into(),
        "--data".into(),
        data.into(),
    ];
    let command = match copying {
        Copying::Local => return Engine::Local,
        Copying::Process => copy.into(),
        Copying::ProcessById => {
            let child = data.join("child").into_os_string();
            let first = [
                "sh".into(),
                "-c".into(),
                "echo $$ >\"$0\"; exec \"$@\"".into(),
                child,
            ];
            first.into_iter().chain(copy).collect()
        }
    };
    Engine::Process { command }
}

fn serve(
    listener: TcpListener,
    connected: &server::adapters::connect::Connected,
    settings: &Settings,
    public_url: PublicUrl,
    stop: CancellationToken,
) {
    let router = router::build(Parts {
        exchange: connected.exchange.clone(),
        public_url,
        trusted_proxies: Arc::from([]),
        requests_per_second: 10_000,
        sign_ins_per_minute: 1_000,
        oidc: None,
        scanning: None,
        portal: server::site::portal(connected.exchange.clone(), &settings.data),
        machines: connected.machines(),
    });
    tokio::spawn(server::listen::serve(
        listener,
        router,
        settings.connections,
        stop,
    ));
}

async fn people(exchange: &Exchange, base: &str) -> [Person; 3] {
    let operator = Principal::operator();
    let vehicle = json!({ "name": "vehicle", "title": "Vehicle data", "description": "" });
    let vehicle: DomainNew = serde_json::from_value(vehicle).unwrap();
    exchange.domain_create(&operator, vehicle).await.unwrap();
    for (name, title, cost_center) in [
        ("aftersales", "After-Sales", "4711"),
        ("rnd", "R&D", "4712"),
    ] {
        let team = TeamNew {
            name: name.to_owned(),
            domain: "vehicle".to_owned(),
            title: title.to_owned(),
            cost_center: cost_center.to_owned(),
            contact: String::new(),
        };
        exchange.team_create(&operator, team).await.unwrap();
    }
    let mut made = Vec::new();
    for (name, roles, team) in [
        ("ada", vec!["admin", "finance"], None),
        ("pia", Vec::new(), Some(("aftersales", "producer"))),
        ("carl", Vec::new(), Some(("rnd", "consumer"))),
    ] {
        let person = PersonNew {
            name: name.to_owned(),
            title: name.to_owned(),
            email: format!("{name}@example.org"),
            password: Some("correct horse battery".to_owned()),
            roles: roles.into_iter().map(str::to_owned).collect(),
        };
        exchange.person_create(&operator, person).await.unwrap();
        if let Some((team, role)) = team {
            let role = MemberChange {
                role: role.to_owned(),
            };
            exchange
                .member_set(&operator, team, name, role)
                .await
                .unwrap();
        }
        let token = TokenNew {
            name: "journey".to_owned(),
            team: None,
            role: None,
            days: None,
        };
        let token = exchange.token_create(&operator, Some(name), token).await;
        made.push(Person::new(base, token.unwrap().token));
    }
    made.try_into().ok().unwrap()
}

/// The current hour's beginning: some minutes may pass, and it is still the same day.
#[expect(
    clippy::disallowed_methods,
    reason = "Python commits at wall time; business time starts there and moves when told"
)]
fn wall() -> Timestamp {
    let now = Timestamp::from_datetime(chrono::Utc::now());
    Timestamp::from_micros(now.micros() - now.micros().rem_euclid(model::time::HOUR))
}
