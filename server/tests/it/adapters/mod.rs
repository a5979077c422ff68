//! The adapters and the gateway with real parts: the exchange on a real database, tables written by our own writer in folders
//! and on an S3 server, the sharing protocol's own routes.

mod changes;
mod check;
mod commits;
mod cut;
mod ended;
mod erasing;
mod escapes;
mod features;
mod gate;
mod gateway;
mod grants;
mod later;
mod part;
mod reading;
mod reads;
mod replica;
mod s3;
mod schedules;
mod share;
mod tables;
mod wire;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use delta::Budgets;
use exchange::db::Db;
use exchange::page::PageRequest;
use exchange::ports::{KeyRing, Observation, Problem, Sealed};
use exchange::{Exchange, Options, Principal};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use model::dto::{
    CredentialNew, DomainNew, Grant, MeterEvent, ProductNew, ProductPublish, ProfileNew,
    PurposeNew, RecipientNew, RequestNew, StorageNew, TableNew, TeamNew,
};
use model::{Cloud, GrantId, Location, ManualClock, Timestamp};
use secrecy::SecretString;
use serde_json::Value;
use server::adapters::connect::{Wiring, connect};
use server::adapters::keyring::FileKeyRing;
use server::adapters::reads::Reads;
use server::adapters::stores::Lake;
use storage::Limits;
use tempfile::TempDir;
use tower::ServiceExt as _;

use tables::{data_files, meter, rows};

pub(super) const PUBLIC_URL: &str = "https://data.example";
/// The product that most tests read, and its first table.
pub(super) const VISITS: &str = "vehicle-visits";
pub(super) const VISITS_PATH: &str = "workshop/visits";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One installation with a storage on AWS and one on Azure that takes replicas, both folders, and a consumer on Azure.
pub(super) struct World {
    pub(super) exchange: Exchange,
    /// The protocol at `/delta-sharing`, and the gateway.
    pub(super) router: Router,
    /// What stands behind the protocol.
    pub(super) gate: Arc<dyn sharing::Gate>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) lake: Lake,
    pub(super) reads: Reads,
    pub(super) keys: Arc<Keys>,
    pub(super) folder: Arc<TempDir>,
    /// The database's address, for other processes.
    pub(super) database: String,
}

/// How a [`World`] differs from the usual.
#[derive(Clone, Default)]
pub(super) struct Build {
    pub(super) here: Option<Location>,
    pub(super) endpoints: Vec<String>,
    pub(super) public_url: Option<String>,
}

/// A key ring whose environment a test can change.
pub(super) struct Keys {
    ring: FileKeyRing,
    environment: Mutex<BTreeMap<String, String>>,
}

impl Keys {
    fn new(folder: &TempDir) -> Self {
        Self {
            ring: FileKeyRing::open(&folder.path().join("keys"), true).unwrap(),
            environment: Mutex::default(),
        }
    }

    pub(super) fn set(&self, name: &str, value: &str) {
        let mut environment = self.environment.lock().unwrap();
        environment.insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn clear(&self) {
        self.environment.lock().unwrap().clear();
    }
}

impl KeyRing for Keys {
    fn newest(&self) -> Result<String, Problem> {
        self.ring.newest()
    }

    fn seal(&self, place: &str, secret: &SecretString) -> Result<Sealed, Problem> {
        self.ring.seal(place, secret)
    }

    fn open(&self, place: &str, sealed: &Sealed) -> Result<SecretString, Problem> {
        self.ring.open(place, sealed)
    }

    fn environment(&self, name: &str) -> Result<SecretString, Problem> {
        let environment = self.environment.lock().unwrap();
        let found = environment.get(name).cloned();
        found
            .map(SecretString::from)
            .ok_or_else(|| Problem::new("the environment has no such variable"))
    }
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// One file of a query's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileLine {
    pub(super) url: String,
    pub(super) size: u64,
    pub(super) expires_millis: i64,
}

impl World {
    pub(super) async fn each() -> Vec<Self> {
        Self::each_with(&Build::default()).await
    }

    /// On every database there is.
    pub(super) async fn each_with(build: &Build) -> Vec<Self> {
        let mut all = vec![Self::start(build).await];
        if let Ok(server) = std::env::var("TEST_POSTGRES_URL") {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let name = format!("adapters_{}_{count}", std::process::id());
            let db = Db::fresh_postgres(&server, &name).await.unwrap();
            let (base, _) = server.rsplit_once('/').unwrap();
            let folder = tempfile::tempdir().unwrap();
            all.push(Self::on((db, format!("{base}/{name}")), folder, build).await);
        }
        all
    }

    /// On SQLite. 2026-06-15 12:00 UTC.
    pub(super) async fn start(build: &Build) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entrepot.db");
        let db = Db::fresh_sqlite(&path).await.unwrap();
        let address = format!("sqlite://{}", path.display());
        Self::on((db, address), folder, build).await
    }

    /// `at`: the database and its address.
    async fn on(at: (Db, String), folder: TempDir, build: &Build) -> Self {
        let clock = Arc::new(ManualClock::at(
            Timestamp::parse("2026-06-15T12:00:00Z").unwrap(),
        ));
        let keys = Arc::new(Keys::new(&folder));
        let limits = Limits {
            file_roots: vec![folder.path().to_owned()],
            endpoints: build.endpoints.clone(),
            ..Limits::default()
        };
        let lake = Lake::new(limits, Budgets::default());
        let public_url = build.public_url.clone();
        let options = Options {
            public_url: public_url.unwrap_or_else(|| PUBLIC_URL.to_owned()),
            ..Options::default()
        };
        let here = build.here.clone();
        let world = Self::wired(at, clock, lake, keys, options, here, Arc::new(folder)).await;
        world.found().await;
        world
    }

    async fn wired(
        (db, database): (Db, String),
        clock: Arc<ManualClock>,
        lake: Lake,
        keys: Arc<Keys>,
        options: Options,
        here: Option<Location>,
        folder: Arc<TempDir>,
    ) -> Self {
        let connected = connect(Wiring {
            db,
            clock: clock.clone(),
            keys: keys.clone(),
            lake: lake.clone(),
            options,
            here,
            post: exchange::ports::Post::default(),
        })
        .await
        .unwrap();
        Self {
            router: connected.machines(),
            gate: connected.gate,
            reads: connected.reads,
            exchange: connected.exchange,
            clock,
            lake,
            keys,
            folder,
            database,
        }
    }

    /// The same installation as another process wires it: nothing is shared but database, stores and clock.
    pub(super) async fn beside(&self) -> Self {
        Self::wired(
            (self.exchange.db().clone(), self.database.clone()),
            self.clock.clone(),
            self.lake.clone(),
            self.keys.clone(),
            self.exchange.options().clone(),
            None,
            Arc::clone(&self.folder),
        )
        .await
    }

    async fn found(&self) {
        let operator = Principal::operator();
        let domain = DomainNew {
            name: "vehicle".into(),
            title: "Vehicle".into(),
            description: String::new(),
        };
        self.exchange
            .domain_create(&operator, domain)
            .await
            .unwrap();
        for name in ["aftersales", "rnd"] {
            let team = TeamNew {
                name: name.into(),
                domain: "vehicle".into(),
                title: name.into(),
                cost_center: "4711".into(),
                contact: String::new(),
            };
            self.exchange.team_create(&operator, team).await.unwrap();
        }
        for (name, location, replicas) in [("aws_eu", aws(), false), ("az_weu", azure(), true)] {
            std::fs::create_dir(self.root(name)).unwrap();
            let url = format!("file://{}", self.root(name).display());
            self.storage(name, &location, &url, None, replicas).await;
        }
        self.recipient("rnd_weu").await;
    }

    pub(super) async fn storage(
        &self,
        name: &str,
        location: &Location,
        url: &str,
        endpoint: Option<String>,
        replicas: bool,
    ) {
        let new = StorageNew {
            name: name.into(),
            cloud: location.cloud.to_string(),
            region: location.region().into(),
            url: url.into(),
            endpoint,
            credential: (!url.starts_with("file:"))
                .then(|| CredentialNew::from("env:ENTREPOT_CREDENTIAL_LAKE")),
            replicas,
        };
        self.exchange
            .storage_create(&Principal::operator(), new)
            .await
            .unwrap();
    }

    pub(super) async fn recipient(&self, name: &str) {
        let new = RecipientNew {
            name: name.into(),
            team: "rnd".into(),
            cloud: "azure".into(),
            region: "westeurope".into(),
        };
        self.exchange
            .recipient_create(&Principal::operator(), new)
            .await
            .unwrap();
    }

    /// The folder of a `file:` storage.
    pub(super) fn root(&self, storage: &str) -> PathBuf {
        self.folder.path().join(storage)
    }

    /// Registers and publishes a product with these tables of a storage.
    pub(super) async fn product(&self, name: &str, storage: &str, tables: &[(&str, &str)]) {
        self.product_with(name, storage, tables, false).await;
    }

    /// The same; `past`: whether both its older versions and its change data feed are shared.
    pub(super) async fn product_with(
        &self,
        name: &str,
        storage: &str,
        tables: &[(&str, &str)],
        past: bool,
    ) {
        let operator = Principal::operator();
        let tables = tables.iter().map(|(name, path)| TableNew {
            name: (*name).into(),
            schema: "default".into(),
            path: (*path).into(),
            storage: None,
            format: "delta".into(),
            history: past,
            change_data_feed: past,
            history_start: None,
        });
        let new = ProductNew {
            name: name.into(),
            team: "aftersales".into(),
            title: name.into(),
            description: String::new(),
            tags: Vec::new(),
            storage: storage.into(),
            classification: "internal".into(),
            access_policy: "auto".into(),
            payer: "producer".into(),
            baseline_days: 7,
            tables: tables.collect(),
        };
        self.exchange
            .product_register(&operator, new)
            .await
            .unwrap();
        self.exchange
            .product_publish(&operator, name, ProductPublish::default())
            .await
            .unwrap();
    }

    /// The usual product: one table of three files.
    pub(super) async fn visits(&self) {
        self.write(
            VISITS_PATH,
            &[&[rows(0, 10)], &[rows(10, 2_000)], &[rows(5_000, 30_000)]],
        )
        .await;
        self.product(VISITS, "aws_eu", &[("visits", VISITS_PATH)])
            .await;
    }

    /// Asks, and is granted by the product's policy; until in ten days.
    pub(super) async fn grant(&self, product: &str, recipient: &str, mode: &str) -> GrantId {
        let until = self.exchange.now().plus(10 * model::time::DAY);
        let new = RequestNew {
            product: product.into(),
            recipient: recipient.into(),
            mode: mode.into(),
            cut: None,
            until: until.to_string(),
            purpose: PurposeNew {
                code: "warranty".into(),
                text: "to see what breaks".into(),
            },
        };
        let request = self
            .exchange
            .request_create(&Principal::operator(), new)
            .await
            .unwrap();
        request.grant.unwrap()
    }

    pub(super) async fn granted(&self, id: GrantId) -> Grant {
        let grant = self.exchange.grant(&Principal::operator(), id).await;
        grant.unwrap()
    }

    pub(super) async fn revoke(&self, id: GrantId) {
        let reason = model::dto::RevokeNew {
            reason: "no longer needed".into(),
        };
        self.exchange
            .grant_revoke(&Principal::operator(), id, reason)
            .await
            .unwrap();
    }

    pub(super) async fn token(&self, recipient: &str) -> String {
        self.exchange
            .profile_create(&Principal::operator(), recipient, ProfileNew::default())
            .await
            .unwrap()
            .bearer_token
    }

    pub(super) async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    /// A call of the protocol, below its prefix.
    pub(super) async fn share(&self, method: Method, path: &str, token: &str) -> Answer {
        let body = match method {
            Method::POST => Body::from("{}"),
            _ => Body::empty(),
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("/delta-sharing{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .unwrap();
        self.ask(request).await
    }

    pub(super) async fn query(&self, product: &str, table: &str, token: &str) -> Answer {
        let path = format!("/shares/{product}/schemas/default/tables/{table}/query");
        self.share(Method::POST, &path, token).await
    }

    /// The files of the usual product's table.
    pub(super) async fn files(&self, token: &str) -> Vec<FileLine> {
        let answer = self.query(VISITS, "visits", token).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        files_of(&answer)
    }

    /// Fetches a URL of the gateway.
    pub(super) async fn get(&self, url: &str, range: Option<&str>) -> Answer {
        self.fetch(Method::GET, url, range).await
    }

    pub(super) async fn fetch(&self, method: Method, url: &str, range: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path_of(url));
        if let Some(range) = range {
            request = request.header(header::RANGE, range);
        }
        self.ask(request.body(Body::empty()).unwrap()).await
    }

    /// All meter events, newest first. What is written beside an answer comes in any order.
    pub(super) async fn events(&self) -> Vec<MeterEvent> {
        let page = PageRequest::default();
        let events = self
            .exchange
            .meter_events(&Principal::operator(), None, &page)
            .await
            .unwrap();
        assert_eq!(events.next, None);
        events.items
    }

    /// The bytes of all meter events, sorted.
    pub(super) async fn counted(&self) -> Vec<u64> {
        let mut counted: Vec<u64> = self
            .events()
            .await
            .iter()
            .map(|event| event.bytes)
            .collect();
        counted.sort_unstable();
        counted
    }

    /// Waits for so many meter events: those of answers that were cut off are written beside.
    pub(super) async fn events_come(&self, count: usize) -> Vec<MeterEvent> {
        let wait = async {
            loop {
                let events = self.events().await;
                if events.len() >= count {
                    return events;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(20), wait)
            .await
            .unwrap()
    }

    pub(super) async fn observe(&self, grant: GrantId) -> Observation {
        self.exchange.ports().access.observe(grant).await
    }

    pub(super) async fn reconcile(&self, grant: GrantId) {
        self.exchange
            .grant_reconcile(&Principal::system(), grant)
            .await
            .unwrap();
    }

    /// Broken, for this reason, said without paths and signatures.
    pub(super) fn assert_broken(seen: &Observation, why: &str) {
        match seen {
            Observation::Broken { reason } => {
                assert!(reason.contains(why), "{reason}");
                assert!(
                    !reason.contains("/tmp") && !reason.contains("Signature"),
                    "{reason}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn aws() -> Location {
    Location::new(Cloud::Aws, "eu-central-1").unwrap()
}

pub(super) fn azure() -> Location {
    Location::new(Cloud::Azure, "westeurope").unwrap()
}

pub(super) fn path_of(url: &str) -> &str {
    url.strip_prefix(PUBLIC_URL).unwrap()
}

pub(super) fn files_of(answer: &Answer) -> Vec<FileLine> {
    let lines = answer.text().lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["file"].clone()
    });
    lines
        .filter(|file| !file.is_null())
        .map(|file| FileLine {
            url: file["url"].as_str().unwrap().to_owned(),
            size: file["size"].as_u64().unwrap(),
            expires_millis: file["expirationTimestamp"].as_i64().unwrap(),
        })
        .collect()
}
