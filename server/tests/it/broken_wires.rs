//! A sync from S3 to Azure over wires that break: the n-th request over both fails, or its answer is lost, late, cut off or an old
//! one, for every n until none does. However it went, the replica ends the same.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use delta::Budgets;
use delta::write::arrow::array::{Int64Array, RecordBatch};
use delta::write::arrow_schema::{DataType, Field, Schema};
use delta::write::{NewTable, Writer};
use exchange::ports::StorageAccess;
use model::{Cloud, Location, ManualClock, ReplicaTableId, StorageId, SyncRunId, Timestamp};
use replication::{
    CopyOptions, Ends, JournalError, LocalEngine, Outcome, Pair, Run, RunError, RunJournal,
    RunRecord, Sums, Ways, compare, drive, sums,
};
use server::adapters::stores::{Lake, TableAt};
use storage::{Cause, Limits, Meter, MeterKey};

use crate::support::azurite::Azurite;
use crate::support::proxy::faults::{Faults, Wrong};
use crate::support::s3::{BUCKET, S3};

/// One fault, and what it leaves to be done by the next attempt.
const ATTEMPTS: i64 = 4;

/// Fewer requests than this no sync of the table takes.
const LEAST: u64 = 15;

#[derive(Default)]
struct Journal(Mutex<HashMap<SyncRunId, RunRecord>>);

#[async_trait]
impl RunJournal for Journal {
    async fn load(&self, run: SyncRunId) -> Result<Option<RunRecord>, JournalError> {
        Ok(self.0.lock().unwrap().get(&run).cloned())
    }

    async fn save(
        &self,
        run: SyncRunId,
        _attempt: i64,
        record: &RunRecord,
    ) -> Result<bool, JournalError> {
        self.0.lock().unwrap().insert(run, record.clone());
        Ok(true)
    }
}

fn start() -> Timestamp {
    Timestamp::parse("2026-06-15T12:00:00Z").unwrap()
}

/// Two stores behind proxies that break together.
struct Wires {
    s3: S3,
    azurite: Azurite,
    lake: Lake,
    faults: Arc<Faults>,
    clock: ManualClock,
    folder: tempfile::TempDir,
}

impl Wires {
    /// `None` in a quick run, which does without Azurite.
    async fn start() -> Option<Self> {
        let (s3, azurite) = (S3::start().await, Azurite::start().await?);
        let limits = Limits {
            endpoints: [&s3.proxy, &azurite.proxy]
                .map(|proxy| proxy.address().to_string())
                .to_vec(),
            ..Limits::default()
        };
        let wires = Self {
            lake: Lake::new(limits, Budgets::default()),
            faults: Arc::default(),
            clock: ManualClock::at(start()),
            folder: tempfile::tempdir().unwrap(),
            s3,
            azurite,
        };
        wires.write().await;
        for proxy in [&wires.s3.proxy, &wires.azurite.proxy] {
            proxy.go_wrong_by(&wires.faults);
        }
        Some(wires)
    }

    fn table(&self, access: &StorageAccess, path: &str) -> TableAt {
        let meter = Meter::new(MeterKey {
            product: None,
            table: None,
            cause: Cause::Operation("test"),
            purpose: model::Purpose::Sync,
        });
        self.lake.table(access, path, &meter).unwrap()
    }

    fn source(&self) -> TableAt {
        let access = StorageAccess {
            id: StorageId::new(start()),
            name: "aws_eu".parse().unwrap(),
            location: Location::new(Cloud::Aws, "eu-central-1").unwrap(),
            url: format!("s3://{BUCKET}/lake"),
            endpoint: Some(self.s3.proxy.url()),
            credential: Some(self.s3.credential().to_string().into()),
            replicas: false,
        };
        self.table(&access, "visits")
    }

    fn target(&self, name: &str) -> TableAt {
        let access = StorageAccess {
            id: StorageId::new(start()),
            name: "az_weu".parse().unwrap(),
            location: Location::new(Cloud::Azure, "westeurope").unwrap(),
            url: self.azurite.url("replicas"),
            endpoint: Some(self.azurite.proxy.url()),
            credential: Some(self.azurite.credential().to_string().into()),
            replicas: true,
        };
        self.table(&access, name)
    }

    /// A table of two files.
    async fn write(&self) {
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let schema = Arc::new(schema);
        let new = NewTable {
            name: None,
            description: None,
            schema: Arc::clone(&schema),
            partition_columns: Vec::new(),
            configuration: BTreeMap::new(),
        };
        let table = self.source().table;
        let mut writer = Writer::create(table, 7, start(), new).await.unwrap();
        for from in [0, 100] {
            let rows = Int64Array::from_iter_values(from..from + 100);
            let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(rows)]);
            writer.append(start(), &[batch.unwrap()]).await.unwrap();
        }
    }

    fn pair(&self, name: &str, id: ReplicaTableId) -> (Pair, Ends) {
        let (source, target) = (self.source(), self.target(name));
        let parts = target.parts().unwrap();
        let pair = Pair {
            source: source.table,
            target: target.table,
            replica_table: id,
            product: "vehicle-visits".parse().unwrap(),
            retention_hours: 168,
            mend: None,
            ways: Ways::default(),
            each: false,
            hurries: false,
            narrow: None,
            adopt: None,
        };
        let ends = Ends {
            source: source.objects,
            target: target.objects,
            parts,
        };
        (pair, ends)
    }

    /// A run to its end, by as many attempts as it takes.
    async fn sync(&self, name: &str, id: ReplicaTableId, folder: &Path) -> Outcome {
        let journal = Journal::default();
        let run = SyncRunId::new(start());
        let mut failed: Option<RunError> = None;
        for attempt in 1..=ATTEMPTS {
            let (pair, ends) = self.pair(name, id);
            let engine = LocalEngine::new(Arc::new(ends), CopyOptions::default());
            let run = Run {
                id: run,
                attempt,
                folder: folder.to_owned(),
                target_version: None,
                budget: None,
                source: "source".to_owned(),
                target: "target".to_owned(),
            };
            match drive(&run, &pair, &engine, &journal, &self.clock).await {
                Ok(outcome) => return outcome,
                Err(error) => failed = Some(error),
            }
        }
        panic!("{ATTEMPTS} attempts failed: {failed:?}")
    }

    /// Whether anything went wrong on the `nth` request, or none was left to.
    async fn goes_wrong(&self, nth: u64, wrong: Wrong, theirs: &Sums) -> bool {
        let (name, id) = (format!("run-{nth}"), ReplicaTableId::new(start()));
        let folder = self.folder.path().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let at = format!("request {nth}, {wrong:?}");
        self.faults.arm(nth, wrong);
        let first = self.sync(&name, id, &folder).await;
        let fired = self.faults.disarm();
        let is_over =
            |outcome: &Outcome| matches!(outcome, Outcome::Done(_) | Outcome::Nothing { .. });
        // What was told something old or half may end badly, and then the next run is as any other.
        let may_end = matches!(wrong, Wrong::Stale | Wrong::Truncate);
        assert!(is_over(&first) || may_end, "{at}: {first:?}");
        let second = self.sync(&name, id, &folder).await;
        assert!(is_over(&second), "{at}: {first:?}, then {second:?}");
        if is_over(&first) {
            assert!(
                matches!(second, Outcome::Nothing { .. }),
                "{at}: {second:?}"
            );
        }
        let target = self.target(&name).table;
        let ours = sums(&target, 0).await.unwrap();
        assert_eq!(compare(theirs, &ours).unwrap(), 200, "{at}");
        assert_eq!(target.latest_version().await.unwrap(), Some(0), "{at}");
        fired
    }
}

/// How many requests there were to go wrong; none in a quick run.
async fn until_none_fires(wrong: Wrong) -> Option<u64> {
    let wires = Wires::start().await?;
    let theirs = sums(&wires.source().table, 2).await.unwrap();
    let mut nth = 1;
    while wires.goes_wrong(nth, wrong, &theirs).await {
        nth += 1;
    }
    Some(nth - 1)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sync_over_wires_that_break_ends_the_same_whichever_request_goes_wrong() {
    let all = [
        Wrong::Fail,
        Wrong::LostResponse,
        Wrong::Delay(Duration::from_millis(50)),
        Wrong::Truncate,
        Wrong::Stale,
    ];
    let lanes = all.map(until_none_fires);
    for (wrong, fired) in all.iter().zip(futures::future::join_all(lanes).await) {
        let Some(fired) = fired else {
            return;
        };
        assert!(fired >= LEAST, "{wrong:?}: only {fired} requests");
    }
}
