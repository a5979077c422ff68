//! `TestApp`: one installation for one test, and the requests to it.

pub(crate) mod azurite;
pub(crate) mod counts;
pub(crate) mod environment;
pub(crate) mod identities;
pub(crate) mod laid;
pub(crate) mod proxy;
pub(crate) mod python;
pub(crate) mod s3;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use exchange::db::{Db, Query, Statement};
use exchange::ports::{Letter, Mailer, Post, Undelivered};
use exchange::{Exchange, Options, Principal};
use http::{HeaderMap, Method, Request, StatusCode, header};
use model::dto::{DomainNew, MemberChange, PersonNew, TeamNew, TokenNew};
use model::{ManualClock, Timestamp};
use serde_json::Value;
use server::adapters::connect::{Wiring, connect};
use server::adapters::keyring::FileKeyRing;
use server::adapters::stores::Lake;
use server::config::{
    LogFormat, OidcSettings, Proof, PublicUrl, ScanningSettings, StorageSettings, TelemetrySettings,
};
use server::oidc::Oidc;
use server::router::{self, Parts};
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// An issuer that is named and nowhere to be found.
pub(crate) const ISSUER: &str = "https://id.example";

/// What a scanner shows.
pub(crate) const SCANNER: &str = "0123456789abcdef01234567";

/// Everything that all tests of this binary log, at the most talkative level.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

static LOG: OnceLock<Log> = OnceLock::new();

impl Log {
    /// Of the process: a subscriber of one thread would miss what runs on others.
    pub(crate) fn shared() -> &'static Self {
        LOG.get_or_init(|| {
            let log = Self::default();
            let writer = log.clone();
            let settings = TelemetrySettings {
                format: LogFormat::Text,
                filter: "trace".to_owned(),
            };
            let subscriber = server::telemetry::subscriber(&settings, move || writer.clone());
            tracing::subscriber::set_global_default(subscriber.unwrap()).unwrap();
            log
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static COUNT: AtomicU32 = AtomicU32::new(0);

pub(crate) struct TestApp {
    pub(crate) exchange: Exchange,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) router: Router,
    pub(crate) public_url: PublicUrl,
    pub(crate) folder: TempDir,
    /// The address of its database, for other processes.
    pub(crate) database: String,
}

/// How a [`TestApp`] differs from the usual.
#[derive(Clone, Copy)]
pub(crate) struct Build {
    pub(crate) public_url: &'static str,
    pub(crate) sign_ins_per_minute: u32,
    pub(crate) requests_per_second: u32,
    /// Stores that may be reached beside the clouds' own.
    pub(crate) endpoints: &'static [&'static str],
    /// Whether mail is configured; what is sent goes nowhere.
    pub(crate) mail: bool,
    /// The provider that people may sign in by.
    pub(crate) oidc: Option<&'static OidcSettings>,
    /// Whose tokens may let recipients in.
    pub(crate) issuers: &'static [&'static str],
    /// How the scanner shows that it is the one, if there is one; its secret is [`SCANNER`].
    pub(crate) scanning: Option<Proof>,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            public_url: "https://data.example",
            sign_ins_per_minute: 1_000,
            requests_per_second: 10_000,
            endpoints: &[],
            mail: false,
            oidc: None,
            issuers: &[ISSUER],
            scanning: None,
        }
    }
}

/// Takes every mail and keeps none.
struct Nowhere;

#[async_trait::async_trait]
impl Mailer for Nowhere {
    async fn send(&self, _: &Letter) -> Result<(), Undelivered> {
        Ok(())
    }
}

impl TestApp {
    pub(crate) async fn start() -> Self {
        Self::with(Build::default()).await
    }

    /// On SQLite. 2026-06-15 12:00 UTC.
    pub(crate) async fn with(build: Build) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entrepot.db");
        let database = path.to_string_lossy().into_owned();
        let db = Db::fresh_sqlite(&path).await.unwrap();
        Self::on(db, folder, build, database).await
    }

    /// On every database there is.
    pub(crate) async fn each() -> Vec<Self> {
        Self::each_with(Build::default()).await
    }

    pub(crate) async fn each_with(build: Build) -> Vec<Self> {
        let mut all = vec![Self::with(build).await];
        if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("server_{}_{count}", std::process::id());
            let db = Db::fresh_postgres(&server, &name).await.unwrap();
            let (base, _) = server.rsplit_once('/').unwrap();
            let database = format!("{base}/{name}");
            let folder = tempfile::tempdir().unwrap();
            all.push(Self::on(db, folder, build, database).await);
        }
        all
    }

    /// On this database, which may be empty; `database` is its address.
    pub(crate) async fn over(db: Db, database: String) -> Self {
        db.migrate().await.unwrap();
        Self::on(db, tempfile::tempdir().unwrap(), Build::default(), database).await
    }

    async fn on(db: Db, folder: TempDir, build: Build, database: String) -> Self {
        Log::shared();
        let clock = Arc::new(ManualClock::at(
            Timestamp::parse("2026-06-15T12:00:00Z").unwrap(),
        ));
        let keys = FileKeyRing::open(&folder.path().join("keys"), true).unwrap();
        let public_url = PublicUrl::parse(build.public_url, false).unwrap();
        let options = Options {
            public_url: build.public_url.to_owned(),
            provider: build.oidc.map(|oidc| oidc.rules.clone()),
            issuers: build.issuers.iter().map(|one| (*one).to_owned()).collect(),
            ..Options::default()
        };
        let lake = Lake::of(&StorageSettings {
            file_roots: vec![folder.path().to_owned()],
            endpoints: build
                .endpoints
                .iter()
                .map(|host| (*host).to_owned())
                .collect(),
            parallel_requests: 32,
            table_files: delta::Budgets::default().files,
        });
        let wiring = Wiring {
            db,
            clock: clock.clone(),
            keys: Arc::new(keys),
            lake,
            options,
            here: None,
            post: Post {
                mailer: build.mail.then(|| Arc::new(Nowhere) as Arc<dyn Mailer>),
                webhook: None,
            },
        };
        let connected = connect(wiring).await.unwrap();
        let exchange = connected.exchange.clone();
        let oidc = build.oidc.map(|oidc| {
            environment::install_crypto();
            let oidc = Oidc::new(oidc.clone(), exchange.clone(), &public_url);
            Arc::new(oidc.unwrap())
        });
        let router = router::build(Parts {
            exchange: exchange.clone(),
            public_url: public_url.clone(),
            trusted_proxies: Arc::<[IpAddr]>::from([]),
            requests_per_second: build.requests_per_second,
            sign_ins_per_minute: build.sign_ins_per_minute,
            oidc,
            scanning: build.scanning.map(|proof| ScanningSettings {
                proof,
                key: SCANNER.as_bytes().to_vec(),
            }),
            portal: server::site::portal(exchange.clone(), folder.path()),
            machines: connected.machines_within(build.requests_per_second),
        });
        Self {
            exchange,
            clock,
            router,
            public_url,
            folder,
            database,
        }
    }

    pub(crate) fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        Ask {
            app: self,
            builder: Request::builder().method(method).uri(path),
            body: Body::empty(),
        }
    }

    pub(crate) fn get(&self, path: &str) -> Ask<'_> {
        self.ask(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> Ask<'_> {
        self.ask(Method::POST, path)
    }

    /// Signs in as a browser does, and answers the cookie's `name=value`.
    pub(crate) async fn sign_in(&self, name: &str) -> String {
        let answer = self
            .post("/sign-in")
            .own_origin()
            .form(&[("name", name), ("password", PASSWORD)])
            .await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        answer.cookie().expect("a session's cookie")
    }

    /// Makes a person with [`PASSWORD`] and these roles.
    pub(crate) async fn person(&self, name: &str, roles: &[&str]) {
        let new = PersonNew {
            name: name.to_owned(),
            title: name.to_uppercase(),
            email: format!("{name}@example.org"),
            password: None,
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        };
        self.exchange
            .person_create(&Principal::operator(), new)
            .await
            .unwrap();
        // Slow by intent, and the same for all of them: it is hashed once.
        static HASH: OnceLock<String> = OnceLock::new();
        static GIVE: Statement = Statement {
            text: "update person set password_hash = $1 where name = $2",
            file: file!(),
            line: line!(),
        };
        let hash = HASH.get_or_init(|| exchange::secret::hash_password(PASSWORD).unwrap());
        let given = Query::new(&GIVE)
            .bind(hash.as_str())
            .bind(name)
            .execute(self.exchange.db())
            .await;
        assert_eq!(given.unwrap(), 1);
    }

    /// A token of that person's own.
    pub(crate) async fn token(&self, name: &str) -> String {
        let new = TokenNew {
            name: "test".to_owned(),
            team: None,
            role: None,
            days: None,
        };
        let made = self
            .exchange
            .token_create(&Principal::operator(), Some(name), new)
            .await;
        made.unwrap().token
    }

    pub(crate) async fn domain(&self, name: &str) {
        let new = DomainNew {
            name: name.to_owned(),
            title: name.to_owned(),
            description: String::new(),
        };
        self.exchange
            .domain_create(&Principal::operator(), new)
            .await
            .unwrap();
    }

    pub(crate) async fn team(&self, name: &str, domain: &str) {
        let new = TeamNew {
            name: name.to_owned(),
            domain: domain.to_owned(),
            title: name.to_owned(),
            cost_center: "4711".to_owned(),
            contact: String::new(),
        };
        self.exchange
            .team_create(&Principal::operator(), new)
            .await
            .unwrap();
    }

    pub(crate) async fn member(&self, team: &str, person: &str, role: &str) {
        let new = MemberChange {
            role: role.to_owned(),
        };
        self.exchange
            .member_set(&Principal::operator(), team, person, new)
            .await
            .unwrap();
    }

    /// How many audit rows there are: what changed nothing left none.
    pub(crate) async fn changes(&self) -> i64 {
        let found = self
            .exchange
            .audit_verify(&Principal::operator(), None)
            .await
            .unwrap();
        assert_eq!(found.broken, None);
        found.rows
    }
}

pub(crate) struct Ask<'a> {
    app: &'a TestApp,
    builder: http::request::Builder,
    body: Body,
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, cookie: &str) -> Self {
        self.header("cookie", cookie)
    }

    /// From this address; else from nowhere that is known.
    pub(crate) fn from(mut self, address: &str) -> Self {
        let peer: SocketAddr = format!("{address}:1").parse().unwrap();
        self.builder = self.builder.extension(ConnectInfo(peer));
        self
    }

    pub(crate) fn own_origin(self) -> Self {
        let origin = self.app.public_url.as_str().to_owned();
        self.header("origin", &origin)
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn json(self, body: &Value) -> Answer {
        self.header("content-type", "application/json")
            .body(body.to_string())
            .send()
            .await
    }

    pub(crate) async fn form(self, fields: &[(&str, &str)]) -> Answer {
        let body = serde_urlencoded::to_string(fields).unwrap();
        self.header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
    }

    pub(crate) async fn send(self) -> Answer {
        let request = self.builder.body(self.body).unwrap();
        let response = self.app.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 16 << 20).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn location(&self) -> &str {
        self.header(header::LOCATION.as_str())
    }

    /// `name=value` of the cookie that was set.
    pub(crate) fn cookie(&self) -> Option<String> {
        let text = self.headers.get(header::SET_COOKIE)?.to_str().unwrap();
        Some(text.split(';').next().unwrap().to_owned())
    }

    /// Fields that are said to be wrong.
    pub(crate) fn wrong_fields(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().cloned().unwrap_or_default();
        errors
            .iter()
            .map(|error| error["field"].as_str().unwrap().to_owned())
            .collect()
    }
}
