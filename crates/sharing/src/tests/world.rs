//! The gate, the tables and the calls of these tests.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use futures::StreamExt as _;
use http::{HeaderMap, Method, Request, StatusCode};
use model::{GrantId, QueryId, RecipientId, RecipientTokenId, TableId, Timestamp};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::counting::{Counting, Reads};
use super::kept::KeptQueries;
use crate::routes::router_with;
use crate::slots::Patience;
use crate::{
    Gate, Narrow, Options, Queries, QueryRecord, Readable, Reader, Refused, ShareInfo, Shared,
    Side, SignedFile, States, Temporary,
};

/// The first URL of a world expires then; each further one a second earlier, so that the minimum is the last.
pub(super) const EXPIRES: i64 = 1_900_000_000_000;

pub(super) const SCHEMA: &str = r#"{"type":"struct","fields":[{"name":"eventTime","type":"timestamp","nullable":true,"metadata":{"comment":"when","owner":"internal"}},{"name":"date","type":"date","nullable":true,"metadata":{}}]}"#;

/// What a test may have go wrong in the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Signing fails from this call on, counted from 0.
    SignFrom(usize),
    /// One URL too few comes back.
    ShortSign,
    /// Access ends between opening and signing.
    EndedBeforeSigning,
    /// Opening fails.
    Open,
    /// The grant's day is used up.
    OverQuota,
    /// The access log is written only once the test lets it.
    SlowRecord,
}

pub(super) struct TestGate {
    tables: Mutex<Vec<(Shared, Arc<InMemory>)>>,
    shares: Mutex<Vec<ShareInfo>>,
    records: Mutex<Vec<QueryRecord>>,
    recording: Notify,
    release: Notify,
    recorded: Notify,
    fault: Mutex<Option<Fault>>,
    signed: AtomicUsize,
    sign_calls: AtomicUsize,
    given_back: AtomicU64,
    peers: Mutex<Vec<Option<IpAddr>>>,
    reads: Arc<Reads>,
    queries: Arc<KeptQueries>,
    /// Microseconds since the world began.
    elapsed: AtomicI64,
    /// Whether history and the change data feed are shared, and whether what is read is a replica.
    shares_past: Mutex<(bool, bool, bool)>,
    history_start: Mutex<Option<u64>>,
    rows: Mutex<Option<Arc<Narrow>>>,
    /// Whether the other side can be read, too, where an answer began there.
    both_sides: AtomicBool,
    /// What was granted once, and how that ended: share, name, when, whether it was revoked, until when URLs work.
    ended: Mutex<Vec<Ended>>,
}

type Ended = (String, String, Timestamp, bool, Option<Timestamp>);

/// `alice` and `bob` are recipients with the same grants.
fn reader(name: &str) -> Reader {
    Reader {
        recipient: RecipientId(Uuid::from_u128(name.len() as u128)),
        name: name.to_owned(),
        token: Some(RecipientTokenId(Uuid::from_u128(name.len() as u128))),
    }
}

#[async_trait]
impl Gate for TestGate {
    async fn authenticate(&self, bearer: &str, peer: Option<IpAddr>) -> Result<Reader, Refused> {
        self.peers.lock().unwrap().push(peer);
        let urls_until = Some(Timestamp::parse("2026-11-20T12:00:00Z").unwrap());
        match bearer {
            "token-alice" => Ok(reader("alice")),
            "token-bob" => Ok(reader("bob")),
            "token-expired" => Err(Refused::Expired { urls_until: None }),
            "token-revoked" => Err(Refused::Revoked { urls_until }),
            "token-elsewhere" => Err(Refused::Forbidden {
                why: "this address is not on the recipient's list".to_owned(),
            }),
            "token-busy" => Err(Refused::TooMany {
                retry_after_seconds: 7,
            }
            .to_reader(reader("bob"))),
            "token-broken" => Err(Refused::Internal(
                "password=hunter2 in /srv/secret".to_owned(),
            )),
            "token-later" => Err(Refused::Unavailable("database 10.0.0.1".to_owned())),
            _ => Err(Refused::Unknown),
        }
    }

    async fn tables(&self, _: &Reader) -> Result<Vec<Shared>, Refused> {
        Ok(self
            .tables
            .lock()
            .unwrap()
            .iter()
            .map(|(shared, _)| shared.clone())
            .collect())
    }

    async fn shares(&self, _: &Reader) -> Result<Vec<ShareInfo>, Refused> {
        Ok(self.shares.lock().unwrap().clone())
    }

    async fn open(
        &self,
        _: &Reader,
        share: &str,
        schema: &str,
        table: &str,
    ) -> Result<Readable, Refused> {
        let (.., replica) = *self.shares_past.lock().unwrap();
        self.readable((share, schema, table), replica)
    }

    async fn open_on(
        &self,
        _: &Reader,
        share: &str,
        schema: &str,
        table: &str,
        side: Side,
    ) -> Result<Readable, Refused> {
        let (.., replica) = *self.shares_past.lock().unwrap();
        let wanted = side == Side::Replica;
        if wanted != replica && !self.both_sides.load(Ordering::SeqCst) {
            return Err(Refused::ended_side(side));
        }
        self.readable((share, schema, table), wanted)
    }

    async fn allow(&self, _: &Readable, bytes: u64) -> Result<(), Refused> {
        if *self.fault.lock().unwrap() == Some(Fault::OverQuota) {
            return Err(Refused::OverQuota {
                why: format!("{bytes} bytes are too many today; it begins anew tomorrow"),
            });
        }
        Ok(())
    }

    async fn give_back(&self, _: &Readable, bytes: u64) {
        self.given_back.fetch_add(bytes, Ordering::SeqCst);
    }

    async fn sign(&self, table: &Readable, keys: &[Path]) -> Result<Vec<SignedFile>, Refused> {
        assert_eq!(
            table.handle.downcast_ref::<String>().unwrap(),
            "the gate's own"
        );
        let call = self.sign_calls.fetch_add(1, Ordering::SeqCst);
        let fault = *self.fault.lock().unwrap();
        if fault == Some(Fault::EndedBeforeSigning) {
            return Err(self.no_longer(&table.share, &table.name));
        }
        if matches!(fault, Some(Fault::SignFrom(first)) if call >= first) {
            return Err(Refused::Internal("the key of account x is gone".to_owned()));
        }
        let mut signed: Vec<SignedFile> = keys
            .iter()
            .map(|key| {
                let nth = i64::try_from(self.signed.fetch_add(1, Ordering::SeqCst)).unwrap();
                let expires_at = Timestamp::from_millis(EXPIRES - nth * 1_000);
                SignedFile {
                    url: format!("https://store.example/{key}?X-Amz-Signature=s&n={nth}"),
                    expires_at,
                }
            })
            .collect();
        if fault == Some(Fault::ShortSign) {
            signed.pop();
        }
        Ok(signed)
    }

    fn now(&self) -> Timestamp {
        let began = Timestamp::parse("2026-11-20T10:00:00Z").unwrap();
        began.plus(self.elapsed.load(Ordering::SeqCst))
    }

    async fn record(&self, record: QueryRecord) {
        let fault = *self.fault.lock().unwrap();
        if fault == Some(Fault::SlowRecord) {
            self.recording.notify_one();
            self.release.notified().await;
        }
        self.records.lock().unwrap().push(record);
        self.recorded.notify_one();
    }

    async fn temporary(&self, table: &Readable) -> Result<Temporary, Refused> {
        Ok(Temporary {
            location: table.directory.clone().unwrap(),
            key: storage::TemporaryKey::S3 {
                access_key_id: "ASIA".to_owned(),
                secret_access_key: "s3cr3t".to_owned(),
                session_token: "t0k3n".to_owned(),
            },
            expires_at: Timestamp::from_millis(EXPIRES),
        })
    }
}

impl TestGate {
    fn readable(
        &self,
        (share, schema, table): (&str, &str, &str),
        replica: bool,
    ) -> Result<Readable, Refused> {
        if *self.fault.lock().unwrap() == Some(Fault::Open) {
            return Err(Refused::Unsupported {
                feature: "v2Checkpoint".to_owned(),
            });
        }
        let tables = self.tables.lock().unwrap();
        let (shared, objects) = tables
            .iter()
            .find(|(shared, _)| {
                (
                    shared.share.as_str(),
                    shared.schema.as_str(),
                    shared.name.as_str(),
                ) == (share, schema, table)
            })
            .ok_or_else(|| self.no_longer(share, table))?;
        let objects: Arc<dyn ObjectStore> = Arc::new(Counting {
            inner: objects.clone(),
            reads: Arc::clone(&self.reads),
        });
        let (history, changes, _) = *self.shares_past.lock().unwrap();
        let place = shared.table_id.to_string();
        Ok(Readable {
            table: delta::Table::new(objects, delta::Budgets::default()),
            place: if replica {
                format!("{place} copied")
            } else {
                place
            },
            share: shared.share.clone(),
            schema: shared.schema.clone(),
            name: shared.name.clone(),
            share_id: shared.share_id,
            table_id: shared.table_id,
            grant: GrantId(Uuid::from_u128(71)),
            query: QueryId(Uuid::from_u128(72)),
            history,
            history_start: *self.history_start.lock().unwrap(),
            changes,
            rows: self.rows.lock().unwrap().clone(),
            directory: shared.directory.clone(),
            replica,
            stale_since: None,
            handle: Arc::new("the gate's own".to_owned()),
        })
    }

    fn no_longer(&self, share: &str, name: &str) -> Refused {
        let ended = self.ended.lock().unwrap();
        let found = ended
            .iter()
            .find(|end| (end.0.as_str(), end.1.as_str()) == (share, name));
        match found {
            Some((_, _, at, revoked, urls_until)) => Refused::Ended {
                at: *at,
                revoked: *revoked,
                urls_until: *urls_until,
            },
            None => Refused::NotFound,
        }
    }
}

/// A log of these commits.
async fn written(commits: &[&[Value]]) -> Arc<InMemory> {
    let objects = Arc::new(InMemory::new());
    for (version, commit) in commits.iter().enumerate() {
        let lines: Vec<String> = commit.iter().map(Value::to_string).collect();
        let path = Path::from(format!("_delta_log/{version:020}.json"));
        objects.put(&path, lines.join("\n").into()).await.unwrap();
    }
    objects
}

/// A router over a gate.
pub(super) struct World {
    pub(super) gate: Arc<TestGate>,
    pub(super) states: States,
    router: Router,
}

fn router(gate: &Arc<TestGate>, max_results: usize, patience: Patience, states: &States) -> Router {
    let port: Arc<dyn Gate> = gate.clone();
    let queries: Arc<dyn Queries> = gate.queries.clone();
    let options = Options {
        page_key: [7; 32],
        max_results,
        states: states.clone(),
        queries: Some(queries),
    };
    Router::new().nest("/delta-sharing", router_with(port, options, patience))
}

/// An answer, read to its end.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// The body broke off.
    pub(super) broken: bool,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(super) fn lines(&self) -> Vec<&str> {
        assert!(
            self.body.is_empty() || self.body.ends_with('\n'),
            "{}",
            self.body
        );
        self.body.split_terminator('\n').collect()
    }

    pub(super) fn code(&self) -> String {
        self.json()["errorCode"].as_str().unwrap().to_owned()
    }

    pub(super) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap().to_owned()
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_pages_of(500)
    }

    pub(super) fn with_pages_of(max_results: usize) -> Self {
        Self::with(max_results, Patience::default())
    }

    pub(super) fn with(max_results: usize, patience: Patience) -> Self {
        Self::keeping(max_results, patience, 64 << 20)
    }

    /// `bytes`: of tables' states that are kept.
    pub(super) fn keeping(max_results: usize, patience: Patience, bytes: u64) -> Self {
        let gate = Arc::new(TestGate {
            tables: Mutex::default(),
            shares: Mutex::default(),
            records: Mutex::default(),
            recording: Notify::new(),
            release: Notify::new(),
            recorded: Notify::new(),
            fault: Mutex::default(),
            signed: AtomicUsize::new(0),
            sign_calls: AtomicUsize::new(0),
            given_back: AtomicU64::new(0),
            peers: Mutex::default(),
            reads: Arc::default(),
            queries: Arc::default(),
            elapsed: AtomicI64::new(0),
            shares_past: Mutex::default(),
            history_start: Mutex::default(),
            rows: Mutex::default(),
            both_sides: AtomicBool::new(false),
            ended: Mutex::default(),
        });
        let states = States::new(bytes);
        let router = router(&gate, max_results, patience, &states);
        Self {
            gate,
            states,
            router,
        }
    }

    /// Another process, which has read nothing yet.
    pub(super) fn restart(&mut self) {
        self.states = States::new(64 << 20);
        self.router = router(&self.gate, 500, Patience::default(), &self.states);
    }

    pub(super) fn advance(&self, micros: i64) {
        self.gate.elapsed.fetch_add(micros, Ordering::SeqCst);
    }

    pub(super) fn queries(&self) -> &KeptQueries {
        &self.gate.queries
    }

    /// Names of objects that were read since the last call, and how often a log was listed.
    pub(super) fn take_reads(&self) -> (Vec<String>, usize) {
        let names = std::mem::take(&mut *self.gate.reads.names.lock().unwrap());
        (names, self.gate.reads.lists.swap(0, Ordering::SeqCst))
    }

    /// Another table in the place of the first.
    pub(super) async fn rewrite(&self, commits: &[&[Value]]) {
        let objects = written(commits).await;
        self.gate.tables.lock().unwrap()[0].1 = objects;
    }

    /// A world with the one table `sales.default.visits` of these commits.
    pub(super) async fn of(commits: &[&[Value]]) -> Self {
        let world = Self::new();
        world.share("sales");
        world.table("sales", "default", "visits", commits).await;
        world
    }

    pub(super) fn share(&self, name: &str) {
        let mut shares = self.gate.shares.lock().unwrap();
        let id = Uuid::from_u128(1_000 + shares.len() as u128);
        shares.push(ShareInfo {
            name: name.to_owned(),
            id,
            display_name: None,
            comment: None,
        });
    }

    pub(super) fn share_with(&self, info: ShareInfo) {
        self.gate.shares.lock().unwrap().push(info);
    }

    pub(super) async fn table(&self, share: &str, schema: &str, name: &str, commits: &[&[Value]]) {
        let objects = written(commits).await;
        self.table_of(share, schema, name, objects);
    }

    /// A world with the one table `sales.default.visits` that lies in a folder.
    pub(super) async fn of_folder(folder: &std::path::Path) -> Self {
        let objects = Arc::new(InMemory::new());
        let mut open = vec![folder.to_owned()];
        while let Some(inner) = open.pop() {
            for entry in std::fs::read_dir(inner).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                    continue;
                }
                let key = path.strip_prefix(folder).unwrap().to_str().unwrap();
                let key = Path::parse(key).unwrap();
                let bytes = std::fs::read(&path).unwrap();
                objects.put(&key, bytes.into()).await.unwrap();
            }
        }
        let world = Self::new();
        world.share("sales");
        world.table_of("sales", "default", "visits", objects);
        world
    }

    /// What a URL of the first table leads to.
    pub(super) async fn object(&self, url: &str) -> Option<bytes::Bytes> {
        let objects = self.gate.tables.lock().unwrap()[0].1.clone();
        let key = url
            .strip_prefix("https://store.example/")?
            .split('?')
            .next()?;
        let found = objects.get(&Path::parse(key).ok()?).await.ok()?;
        found.bytes().await.ok()
    }

    fn table_of(&self, share: &str, schema: &str, name: &str, objects: Arc<InMemory>) {
        let mut tables = self.gate.tables.lock().unwrap();
        let shared = Shared {
            share: share.to_owned(),
            share_id: Uuid::from_u128(1_000),
            schema: schema.to_owned(),
            name: name.to_owned(),
            table_id: TableId(Uuid::from_u128(2_000 + tables.len() as u128)),
            directory: None,
        };
        tables.push((shared, objects));
    }

    pub(super) fn ungrant(&self, share: &str, name: &str) {
        self.gate
            .tables
            .lock()
            .unwrap()
            .retain(|(shared, _)| !(shared.share == share && shared.name == name));
    }

    /// As if access to the table had ended.
    pub(super) fn end(&self, share: &str, name: &str, revoked: bool, urls_until: Option<&str>) {
        self.ungrant(share, name);
        self.ends(share, name, revoked, urls_until);
    }

    /// What is said of the table once access to it has ended.
    pub(super) fn ends(&self, share: &str, name: &str, revoked: bool, urls_until: Option<&str>) {
        let at = Timestamp::parse("2026-11-20T11:00:00Z").unwrap();
        let urls_until = urls_until.map(|until| Timestamp::parse(until).unwrap());
        let ended = (share.to_owned(), name.to_owned(), at, revoked, urls_until);
        self.gate.ended.lock().unwrap().push(ended);
    }

    /// The rows that everybody's grant opens.
    pub(super) fn narrows(&self, filter: &str) {
        let filter: model::RowFilter = filter.parse().unwrap();
        let narrow = Narrow::new(&filter, &BTreeMap::new());
        *self.gate.rows.lock().unwrap() = Some(Arc::new(narrow));
    }

    /// The first version whose history is shared.
    pub(super) fn shares_from(&self, start: u64) {
        *self.gate.history_start.lock().unwrap() = Some(start);
    }

    /// Whether the grant gives a credential for the table's folder.
    pub(super) fn lends(&self) {
        let mut tables = self.gate.tables.lock().unwrap();
        tables[0].0.directory = Some("s3://lake/visits".to_owned());
    }

    /// Whether history and the change data feed are shared, and whether what is read is a replica.
    pub(super) fn shares_past(&self, history: bool, changes: bool, replica: bool) {
        *self.gate.shares_past.lock().unwrap() = (history, changes, replica);
    }

    /// Whether an answer goes on where it began, though the table is read on the other side now.
    pub(super) fn keeps_both_sides(&self, both: bool) {
        self.gate.both_sides.store(both, Ordering::SeqCst);
    }

    /// Takes an object of a log away.
    pub(super) async fn cleaned(&self, version: u64) {
        let objects = self.gate.tables.lock().unwrap()[0].1.clone();
        let path = Path::from(format!("_delta_log/{version:020}.json"));
        objects.delete(&path).await.unwrap();
    }

    /// Puts a file of the first table where its log says that it is.
    pub(super) async fn put(&self, path: &str) {
        let objects = self.gate.tables.lock().unwrap()[0].1.clone();
        let payload = "x".to_owned().into();
        objects.put(&Path::from(path), payload).await.unwrap();
    }

    /// Writes a checkpoint of the first table.
    pub(super) async fn checkpoint(&self, version: u64) {
        let objects: Arc<dyn ObjectStore> = self.gate.tables.lock().unwrap()[0].1.clone();
        let table = delta::Table::new(objects, delta::Budgets::default());
        let snapshot = table.snapshot(Some(version)).await.unwrap();
        table.write_checkpoint(&snapshot).await.unwrap();
    }

    /// One more version of the first table.
    pub(super) async fn commit(&self, version: u64, commit: &[Value]) {
        let objects = self.gate.tables.lock().unwrap()[0].1.clone();
        let lines: Vec<String> = commit.iter().map(Value::to_string).collect();
        let path = Path::from(format!("_delta_log/{version:020}.json"));
        objects.put(&path, lines.join("\n").into()).await.unwrap();
    }

    pub(super) fn fault(&self, fault: Fault) {
        *self.gate.fault.lock().unwrap() = Some(fault);
    }

    pub(super) fn peers(&self) -> Vec<Option<IpAddr>> {
        self.gate.peers.lock().unwrap().clone()
    }

    /// Bytes that were counted for answers that came to nothing.
    pub(super) fn given_back(&self) -> u64 {
        self.gate.given_back.load(Ordering::SeqCst)
    }

    pub(super) fn sign_calls(&self) -> usize {
        self.gate.sign_calls.load(Ordering::SeqCst)
    }

    pub(super) fn records(&self) -> Vec<QueryRecord> {
        self.gate.records.lock().unwrap().clone()
    }

    /// The only entry of the access log.
    pub(super) fn record(&self) -> QueryRecord {
        let mut records = self.records();
        assert_eq!(records.len(), 1, "{records:?}");
        records.remove(0)
    }

    /// Waits until the gate is writing an entry; [`World::release`] lets it.
    pub(super) async fn recording(&self) {
        self.gate.recording.notified().await;
    }

    pub(super) fn release(&self) {
        self.gate.release.notify_one();
    }

    /// Waits for the next entry of the access log.
    pub(super) async fn recorded(&self) {
        let recorded = self.gate.recorded.notified();
        tokio::time::timeout(Duration::from_secs(30), recorded)
            .await
            .expect("no entry was written");
    }

    /// The response with its body unread.
    pub(super) async fn begin(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.begin(request).await.into_parts();
        let (mut bytes, mut broken) = (Vec::new(), false);
        let mut pieces = body.into_data_stream();
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(_) => broken = true,
            }
        }
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(bytes).unwrap(),
            broken,
        }
    }

    /// As `alice`, under the prefix.
    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(call(
            Method::GET,
            path,
            &[("authorization", "Bearer token-alice")],
            "",
        ))
        .await
    }

    pub(super) async fn post(&self, path: &str, body: &str) -> Answer {
        self.query_with(path, body, &[]).await
    }

    pub(super) async fn query_with(
        &self,
        path: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let headers = [&[("authorization", "Bearer token-alice")], headers].concat();
        self.send(call(Method::POST, path, &headers, body)).await
    }

    pub(super) async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers = [&[("authorization", "Bearer token-alice")], headers].concat();
        self.send(call(Method::GET, path, &headers, "")).await
    }
}

pub(super) fn call(
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("/delta-sharing{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// The table's path in calls.
pub(super) const VISITS: &str = "/shares/sales/schemas/default/tables/visits";

pub(super) fn visits(rest: &str) -> String {
    format!("{VISITS}{rest}")
}

pub(super) fn protocol() -> Value {
    json!({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
}

pub(super) fn metadata() -> Value {
    metadata_with(SCHEMA, &BTreeMap::new())
}

pub(super) fn metadata_with(schema: &str, configuration: &BTreeMap<&str, &str>) -> Value {
    json!({"metaData": {
        "id": "f8d5c169-3d01-4ca3-ad9e-7dc3355aedb2",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema,
        "partitionColumns": ["date"],
        "configuration": configuration,
        "createdTime": 1_619_652_806_000_i64,
    }})
}

/// The two files of the reference's table2, whose ids its own client tests know.
pub(super) const FILES: [(&str, &str); 2] = [
    (
        "date=2021-04-28/part-00000-8b0086f2-7b27-4935-ac5a-8ed6215a6640.c000.snappy.parquet",
        "2021-04-28",
    ),
    (
        "date=2021-04-28/part-00000-591723a8-6a27-4240-a90e-57426f4736d2.c000.snappy.parquet",
        "2021-04-28",
    ),
];

pub(super) fn add(path: &str, date: Option<&str>, rows: Option<u64>) -> Value {
    let mut add = json!({"add": {
        "path": path,
        "partitionValues": {"date": date},
        "size": 573,
        "modificationTime": 1_619_652_807_000_i64,
        "dataChange": true,
        "tags": {"INSERTION_TIME": "internal"},
    }});
    if let Some(rows) = rows {
        add["add"]["stats"] = Value::String(format!("{{\"numRecords\":{rows}}}"));
    }
    add
}

pub(super) const ALICE: (&str, &str) = ("authorization", "Bearer token-alice");

/// A world with one table of one file.
pub(super) async fn visits_table() -> World {
    World::of(&[&[
        protocol(),
        metadata(),
        add(FILES[0].0, Some(FILES[0].1), Some(1)),
    ]])
    .await
}

/// The protocol's form of a failure (C4).
pub(super) fn assert_error(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (status, code),
        "{what}: {}",
        answer.body
    );
    assert_eq!(answer.header("content-type"), "application/json", "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    assert!(
        !answer.body.contains('\n') && !answer.message().is_empty(),
        "{what}"
    );
    assert!(!answer.header("x-request-id").is_empty(), "{what}");
    let keys: Vec<String> = answer.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["errorCode", "message"], "{what}");
}

pub(super) const CAPABILITIES: &str = "delta-sharing-capabilities";
