//! What the tests stand on: a source table written by hand, the folder of its replica, a journal that can be interrupted.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use delta::{Budgets, Table};
use model::{ManualClock, ReplicaTableId, SyncRunId, Timestamp};
use serde_json::{Value, json};

use super::probe::{Faults, Hit, Probe};
use crate::CopyOptions;
use crate::drive::{Outcome, Run, RunError, drive};
use crate::engine::{Ends, LocalEngine};
use crate::journal::{JournalError, RunJournal, RunRecord};
use crate::plan::Pair;
use crate::vacuum::Fence;

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
            Hit::Fails | Hit::Lost => Err(JournalError("made to fail".into())),
            _ => Ok(self
                .runs
                .lock()
                .unwrap()
                .get(&run)
                .map(|(_, record)| record.clone())),
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
    pub(crate) ways: crate::Ways,
    pub(crate) each: bool,
    pub(crate) hurries: bool,
    pub(crate) narrow: Option<crate::Narrow>,
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
            ways: crate::Ways::default(),
            each: false,
            hurries: false,
            narrow: None,
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
            mend: None,
            ways: self.ways,
            each: self.each,
            hurries: self.hurries,
            narrow: self.narrow.clone(),
            adopt: None,
        }
    }

    pub(crate) fn run(&self) -> Run {
        let n = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        Run {
            id: uuid::Uuid::from_u128(n.unsigned_abs().into()).into(),
            attempt: 1,
            folder: self.folder.path().to_owned(),
            target_version: None,
            budget: None,
            source: "source".into(),
            target: "target".into(),
        }
    }

    pub(crate) fn engine(&self) -> LocalEngine {
        let ends = Ends {
            source: self.source.clone(),
            target: self.target.clone(),
            parts: None,
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

    /// The next attempt of runs that were broken off at the n-th effect: every other time on a machine that has nothing of what the
    /// one before had noted.
    pub(crate) fn taken_over(&self, n: i64, runs: &[Run; 2]) -> [Run; 2] {
        if n % 2 == 1 {
            for file in std::fs::read_dir(self.folder.path()).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        for run in runs {
            self.journal.lease(run.id, 2);
        }
        runs.clone().map(|run| Run { attempt: 2, ..run })
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
