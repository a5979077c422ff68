//! What the tests stand on: tables written by hand in memory, stores that count and fail, a journal that can be
//! interrupted.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use delta::{Budgets, Table};
use futures::FutureExt as _;
use futures::stream::{self, BoxStream, StreamExt as _};
use model::{ManualClock, ReplicaTableId, SyncRunId, Timestamp};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions as StoreCopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload,
    ObjectMeta, ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result, UploadPart,
};
use serde_json::{Value, json};

use crate::drive::{Outcome, Run, RunError, drive};
use crate::engine::{Ends, LocalEngine};
use crate::journal::{JournalError, RunJournal, RunRecord};
use crate::plan::Pair;
use crate::vacuum::Fence;
use crate::{CopyOptions, MARKER};

/// Fails the n-th effect, counted over all stores and the journal of a world.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Effects left before the one that fails; negative: none does.
    left: AtomicI64,
    armed: AtomicI64,
    lost: std::sync::atomic::AtomicBool,
    once: std::sync::atomic::AtomicBool,
    /// The effect that was made to fail.
    what: Mutex<Option<String>>,
}

impl Faults {
    /// `lost`: the effect happens, but its answer is an error.
    pub(crate) fn arm(&self, n: i64, lost: bool) {
        self.left.store(n, Ordering::SeqCst);
        self.lost.store(lost, Ordering::SeqCst);
        self.once.store(false, Ordering::SeqCst);
        self.armed.store(1, Ordering::SeqCst);
    }

    /// Only the answer of the n-th effect is lost; the process lives on.
    pub(crate) fn arm_once(&self, n: i64) {
        self.arm(n, true);
        self.once.store(true, Ordering::SeqCst);
    }

    pub(crate) fn what(&self) -> Option<String> {
        self.what.lock().unwrap().clone()
    }

    pub(crate) fn disarm(&self) {
        self.armed.store(0, Ordering::SeqCst);
    }

    /// Whether the fault came up since it was armed. A process that died does nothing more, so all effects after it
    /// fail too.
    pub(crate) fn fired(&self) -> bool {
        self.left.load(Ordering::SeqCst) < 0
    }

    fn hit(&self, what: &str) -> Hit {
        if self.armed.load(Ordering::SeqCst) == 0 {
            return Hit::Passes;
        }
        let left = self.left.fetch_sub(1, Ordering::SeqCst);
        if left == 0 {
            *self.what.lock().unwrap() = Some(what.to_owned());
            if self.lost.load(Ordering::SeqCst) {
                return Hit::Lost;
            }
        }
        let lives_on = self.once.load(Ordering::SeqCst);
        if left > 0 || (left < 0 && lives_on) {
            Hit::Passes
        } else {
            Hit::Fails
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hit {
    Passes,
    Fails,
    Lost,
}

fn fault() -> Error {
    Error::Generic {
        store: "probe",
        source: "made to fail".into(),
    }
}

/// A store in memory that keeps a record of what was asked of it.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) inner: InMemory,
    pub(crate) asked: Mutex<Vec<String>>,
    /// When this is asked, an object is put first: key and content.
    pub(crate) before: Mutex<Option<(String, &'static str, String)>>,
    faults: Arc<Faults>,
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("probe")
    }
}

impl Probe {
    fn new(faults: &Arc<Faults>) -> Arc<Self> {
        let (inner, asked, before) = (InMemory::new(), Mutex::default(), Mutex::default());
        Arc::new(Self {
            inner,
            asked,
            before,
            faults: Arc::clone(faults),
        })
    }

    fn ask(&self, what: &str, key: &Path) -> Hit {
        let asked = format!("{what} {key}");
        self.asked.lock().unwrap().push(asked.clone());
        let mut before = self.before.lock().unwrap();
        if let Some((_, at, body)) = before.take_if(|(when, ..)| *when == asked) {
            self.put_now(at, body);
        }
        drop(before);
        self.faults.hit(&asked)
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.asked.lock().unwrap().clear();
    }

    /// How often the payload of a data file was asked for.
    pub(crate) fn reads(&self) -> usize {
        self.asked()
            .iter()
            .filter(|a| a.starts_with("get ") && !a.contains("_delta_log"))
            .count()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        let listed: Vec<_> = self
            .inner
            .list(None)
            .collect::<Vec<_>>()
            .now_or_never()
            .unwrap();
        let mut keys: Vec<_> = listed
            .into_iter()
            .map(|meta| meta.unwrap().location.to_string())
            .collect();
        keys.sort();
        keys
    }

    /// Data objects only.
    pub(crate) fn data(&self) -> Vec<String> {
        let mut keys = self.keys();
        keys.retain(|key| !key.starts_with("_delta_log/") && key != MARKER);
        keys
    }

    pub(crate) fn put_now(&self, key: &str, bytes: impl Into<Bytes>) {
        let key = Path::parse(key).unwrap();
        self.inner
            .put(&key, bytes.into().into())
            .now_or_never()
            .unwrap()
            .unwrap();
    }

    pub(crate) fn delete_now(&self, key: &str) {
        self.inner
            .delete(&Path::parse(key).unwrap())
            .now_or_never()
            .unwrap()
            .unwrap();
    }

    pub(crate) fn bytes_now(&self, key: &str) -> Bytes {
        let got = self
            .inner
            .get(&Path::parse(key).unwrap())
            .now_or_never()
            .unwrap()
            .unwrap();
        got.bytes().now_or_never().unwrap().unwrap()
    }
}

/// Asks, and gives the answer unless the fault says otherwise.
macro_rules! answer {
    ($probe:expr, $what:literal, $key:expr, $inner:expr) => {
        match $probe.ask($what, $key) {
            Hit::Fails => Err(fault()),
            Hit::Passes => $inner,
            Hit::Lost => $inner.and_then(|_| Err(fault())),
        }
    };
}

#[async_trait]
impl ObjectStore for Probe {
    async fn put_opts(
        &self,
        at: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        answer!(
            self,
            "put",
            at,
            self.inner.put_opts(at, payload, opts).await
        )
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let inner = answer!(
            self,
            "multipart",
            at,
            self.inner.put_multipart_opts(at, opts).await
        )?;
        Ok(Box::new(Upload {
            inner,
            faults: Arc::clone(&self.faults),
        }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        if options.head {
            return answer!(self, "head", at, self.inner.get_opts(at, options).await);
        }
        answer!(self, "get", at, self.inner.get_opts(at, options).await)
    }

    async fn get_ranges(&self, at: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        answer!(self, "get", at, self.inner.get_ranges(at, ranges).await)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let all: Vec<Result<Path>> = locations.collect::<Vec<_>>().now_or_never().unwrap();
        let deleted = all.into_iter().map(|at| {
            let at = at?;
            let delete = || {
                self.inner
                    .delete(&at)
                    .now_or_never()
                    .unwrap()
                    .map(|()| at.clone())
            };
            answer!(self, "delete", &at, delete())
        });
        stream::iter(deleted.collect::<Vec<_>>()).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.ask("list", prefix.unwrap_or(&Path::default())) {
            Hit::Passes => self.inner.list(prefix),
            _ => stream::once(async { Err(fault()) }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.ask("list", prefix.unwrap_or(&Path::default())) {
            Hit::Passes => self.inner.list_with_offset(prefix, offset),
            _ => stream::once(async { Err(fault()) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let at = prefix.cloned().unwrap_or_default();
        answer!(
            self,
            "list",
            &at,
            self.inner.list_with_delimiter(prefix).await
        )
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: StoreCopyOptions) -> Result<()> {
        answer!(
            self,
            "copy",
            from,
            self.inner.copy_opts(from, to, options).await
        )
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    faults: Arc<Faults>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.faults.hit("") {
            Hit::Passes => self.inner.put_part(data),
            _ => async { Err(fault()) }.boxed(),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.faults.hit("") {
            Hit::Fails => Err(fault()),
            Hit::Passes => self.inner.complete().await,
            Hit::Lost => self.inner.complete().await.and_then(|_| Err(fault())),
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}

type Hook = Box<dyn Fn(&RunRecord) + Send + Sync>;

/// A journal in memory; `hook` sees each record that was kept.
#[derive(Default)]
pub(crate) struct Journal {
    runs: Mutex<HashMap<SyncRunId, (i64, RunRecord)>>,
    /// The attempts in force.
    leases: Mutex<HashMap<SyncRunId, i64>>,
    pub(crate) hook: Mutex<Option<Hook>>,
    faults: Arc<Faults>,
}

impl Journal {
    pub(crate) fn lease(&self, run: SyncRunId, attempt: i64) {
        self.leases.lock().unwrap().insert(run, attempt);
    }

    pub(crate) fn record(&self, run: SyncRunId) -> RunRecord {
        self.runs.lock().unwrap()[&run].1.clone()
    }
}

#[async_trait]
impl RunJournal for Journal {
    async fn load(&self, run: SyncRunId) -> Result<Option<RunRecord>, JournalError> {
        match self.faults.hit("") {
            Hit::Passes => Ok(self
                .runs
                .lock()
                .unwrap()
                .get(&run)
                .map(|(_, record)| record.clone())),
            _ => Err(JournalError("made to fail".into())),
        }
    }

    async fn save(
        &self,
        run: SyncRunId,
        attempt: i64,
        record: &RunRecord,
    ) -> Result<bool, JournalError> {
        let hit = self.faults.hit("");
        if hit == Hit::Fails {
            return Err(JournalError("made to fail".into()));
        }
        if self
            .leases
            .lock()
            .unwrap()
            .get(&run)
            .is_some_and(|lease| *lease != attempt)
        {
            return Ok(false);
        }
        // What a database keeps is text.
        let text = serde_json::to_string(record).unwrap();
        let kept = (attempt, serde_json::from_str(&text).unwrap());
        self.runs.lock().unwrap().insert(run, kept);
        if let Some(hook) = &*self.hook.lock().unwrap() {
            hook(record);
        }
        if hit == Hit::Lost {
            Err(JournalError("made to fail".into()))
        } else {
            Ok(true)
        }
    }
}

/// A fence that holds for so many questions.
pub(crate) struct Holds(pub(crate) AtomicI64);

impl Holds {
    pub(crate) fn for_ever() -> Self {
        Self(AtomicI64::new(i64::MAX))
    }
}

#[async_trait]
impl Fence for Holds {
    async fn holds(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) > 0
    }
}

/// A source table and the folder of its replica.
pub(crate) struct World {
    pub(crate) source: Arc<Probe>,
    pub(crate) target: Arc<Probe>,
    pub(crate) journal: Journal,
    pub(crate) clock: ManualClock,
    pub(crate) faults: Arc<Faults>,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) options: CopyOptions,
    runs: AtomicI64,
}

pub(crate) const REPLICA: u128 = 0x0190_0000_0000_7000_8000_0000_0000_0001;
pub(crate) const START: i64 = 1_790_000_000_000;

impl World {
    pub(crate) fn new() -> Self {
        let faults = Arc::new(Faults::default());
        Self {
            source: Probe::new(&faults),
            target: Probe::new(&faults),
            journal: Journal {
                faults: Arc::clone(&faults),
                ..Journal::default()
            },
            clock: ManualClock::at(Timestamp::from_millis(START)),
            faults,
            folder: tempfile::tempdir().unwrap(),
            options: CopyOptions::default(),
            runs: AtomicI64::new(0),
        }
    }

    /// With commit 0: protocol, metadata and the files `a` (10 bytes) and `b` (20 bytes).
    pub(crate) fn with_two_files() -> Self {
        let world = Self::new();
        world.commit(
            0,
            &[
                protocol(),
                metadata("source-1"),
                world.add("a", 10),
                world.add("b", 20),
            ],
        );
        world
    }

    pub(crate) fn replica_table() -> ReplicaTableId {
        uuid::Uuid::from_u128(REPLICA).into()
    }

    pub(crate) fn pair(&self) -> Pair {
        Pair {
            source: Table::new(self.source.clone(), Budgets::default()),
            target: Table::new(self.target.clone(), Budgets::default()),
            replica_table: Self::replica_table(),
            product: "vehicle-visits".parse().unwrap(),
            retention_hours: 168,
        }
    }

    pub(crate) fn run(&self) -> Run {
        let n = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        Run {
            id: uuid::Uuid::from_u128(n.unsigned_abs().into()).into(),
            attempt: 1,
            folder: self.folder.path().to_owned(),
            target_version: None,
            source: "source".into(),
            target: "target".into(),
        }
    }

    pub(crate) fn engine(&self) -> LocalEngine {
        let ends = Ends {
            source: self.source.clone(),
            target: self.target.clone(),
        };
        LocalEngine::new(Arc::new(ends), self.options)
    }

    pub(crate) async fn drive(&self, run: &Run) -> Result<Outcome, RunError> {
        drive(
            run,
            &self.pair(),
            &self.engine(),
            &self.journal,
            &self.clock,
        )
        .await
    }

    /// A new run, driven to its end.
    pub(crate) async fn sync(&self) -> Outcome {
        self.drive(&self.run()).await.unwrap()
    }

    pub(crate) async fn sync_done(&self) -> crate::PlanSummary {
        match self.sync().await {
            Outcome::Done(plan) => *plan,
            other => panic!("not done: {other:?}"),
        }
    }

    /// Writes a commit of the source.
    pub(crate) fn commit(&self, version: u64, actions: &[Value]) {
        let at = START - 1_000_000 + i64::try_from(version).unwrap();
        let mut lines = format!("{}\n", json!({ "commitInfo": { "timestamp": at } }));
        for action in actions {
            lines.push_str(&format!("{action}\n"));
        }
        self.source
            .put_now(&format!("_delta_log/{version:020}.json"), lines);
    }

    /// Puts a data object of the source and gives its `add`; the object's key is the path, not encoded.
    pub(crate) fn add(&self, path: &str, size: usize) -> Value {
        self.source.put_now(path, body(path, size));
        add(path, size)
    }

    /// The actions of a commit of the replica.
    pub(crate) fn replica_commit(&self, version: u64) -> Vec<Value> {
        let bytes = self
            .target
            .bytes_now(&format!("_delta_log/{version:020}.json"));
        let text = std::str::from_utf8(&bytes).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Actions of one kind in a commit of the replica.
    pub(crate) fn replica_actions(&self, version: u64, kind: &str) -> Vec<Value> {
        self.replica_commit(version)
            .iter()
            .filter_map(|action| action.get(kind).cloned())
            .collect()
    }

    /// Raw paths of the replica's live files.
    pub(crate) async fn replica_paths(&self) -> Vec<String> {
        let snapshot = self.pair().target.snapshot(None).await.unwrap();
        let mut paths: Vec<_> = snapshot
            .files
            .values()
            .map(|file| file.path.clone())
            .collect();
        paths.sort();
        paths
    }
}

/// The content of a data object: different for each name.
pub(crate) fn body(path: &str, size: usize) -> Vec<u8> {
    path.bytes().cycle().take(size).collect()
}

pub(crate) fn protocol() -> Value {
    json!({ "protocol": { "minReaderVersion": 1, "minWriterVersion": 2 } })
}

/// A schema as no serialiser of ours would write it.
pub(crate) const SCHEMA: &str = r#"{"type":"struct",  "fields":[{"name":"x","type":"long","nullable":true,"metadata":{}},{"name":"p","type":"string","nullable":true,"metadata":{"odd":[1, 2]}}]}"#;

pub(crate) fn metadata(id: &str) -> Value {
    configured(id, &json!({}))
}

pub(crate) fn configured(id: &str, configuration: &Value) -> Value {
    json!({ "metaData": {
        "id": id, "name": "visits", "format": { "provider": "parquet", "options": {} },
        "schemaString": SCHEMA, "partitionColumns": ["p"], "configuration": configuration,
        "createdTime": 5,
    } })
}

pub(crate) fn add(path: &str, size: usize) -> Value {
    json!({ "add": {
        "path": path, "partitionValues": { "p": null }, "size": size, "modificationTime": 1_700_000_000_000_i64,
        "dataChange": true, "stats": "{\"numRecords\":3}",
    } })
}

pub(crate) fn remove(path: &str, at: i64) -> Value {
    json!({ "remove": { "path": path, "deletionTimestamp": at, "dataChange": true } })
}
