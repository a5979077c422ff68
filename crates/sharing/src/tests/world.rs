//! The world of these tests: a router over a gate, its tables, and the calls to it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures::StreamExt as _;
use http::{HeaderMap, Method, Request, StatusCode};
use model::{TableId, Timestamp};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use uuid::Uuid;

use super::actions::{FILES, add, metadata, protocol};
use super::gate::{Fault, TestGate};
use super::kept::KeptQueries;
use crate::routes::router_with;
use crate::slots::Patience;
use crate::{Gate, Narrow, Options, Queries, QueryRecord, ShareInfo, Shared, States};

/// The first URL of a world expires then; each further one a second earlier, so that the minimum is the last.
pub(super) const EXPIRES: i64 = 1_900_000_000_000;

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
        under_way: gate.under_way.clone(),
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
            under_way: TaskTracker::new(),
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
