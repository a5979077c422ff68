//! The clones that an assessment reckoned, made by the engine: a source that grows as its history did, and at each sync one run.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use exchange::ports::StorageAccess;
use model::time::DAY;
use model::{ManualClock, Purpose, ReplicaTableId, StorageId, SyncRunId, Timestamp};
use replication::{
    CopyOptions, Ends, JournalError, LocalEngine, Outcome, Pair, Run, RunJournal, RunRecord, Ways,
    drive,
};
use server::adapters::stores::Lake;
use server::config::StorageSettings;
use storage::{Cause, Meter, MeterKey};

use crate::support::s3::S3;

/// All that there is.
pub(super) const LEAST: Ways = Ways {
    feed: true,
    skip: true,
    beside: true,
    pack: 16,
    purge: None,
};

#[derive(Default)]
struct Journal(Mutex<HashMap<SyncRunId, RunRecord>>);

#[async_trait]
impl RunJournal for Journal {
    async fn load(&self, run: SyncRunId) -> Result<Option<RunRecord>, JournalError> {
        Ok(self.0.lock().unwrap().get(&run).cloned())
    }

    async fn save(&self, run: SyncRunId, _: i64, record: &RunRecord) -> Result<bool, JournalError> {
        self.0.lock().unwrap().insert(run, record.clone());
        Ok(true)
    }
}

/// Links what `from` has below it, its log excepted.
fn link(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = {
            let entry = entry.unwrap();
            (entry.path(), entry.file_name())
        };
        if name == "_delta_log" {
            continue;
        }
        match path.is_dir() {
            true => link(&path, &to.join(name)),
            false => std::fs::hard_link(&path, to.join(name)).unwrap(),
        }
    }
}

/// Bytes of files of data and changes that cross, by the proxy's count, when a table of `hist` is cloned at each of these versions,
/// every two days from `start` on.
pub(super) async fn moved(
    s3: &S3,
    access: &StorageAccess,
    (table, kind): (&str, &str),
    ways: Ways,
    versions: &[u64],
    start: Timestamp,
) -> u64 {
    let grown = format!("{kind}/{table}");
    let (hist, growing) = (s3.file(&format!("hist/{table}")), s3.file(&grown));
    link(&hist, &growing);
    let log = growing.join("_delta_log");
    std::fs::create_dir_all(&log).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    let target = StorageAccess {
        id: StorageId::new(start.plus(1)),
        name: "weu".parse().unwrap(),
        location: "azure:westeurope".parse().unwrap(),
        url: format!("file://{}", root.display()),
        endpoint: None,
        credential: None,
        replicas: true,
    };
    let lake = Lake::of(&StorageSettings {
        file_roots: vec![root.clone()],
        endpoints: vec![s3.proxy.address().to_string()],
        parallel_requests: 32,
        table_files: 400_000,
    });
    let meter = Meter::new(MeterKey {
        product: None,
        table: None,
        cause: Cause::Operation("test"),
        purpose: Purpose::Sync,
    });
    let source = lake.table(access, &grown, &meter).unwrap();
    let target = lake.table(&target, "clone", &meter).unwrap();
    let pair = Pair {
        source: source.table.clone(),
        target: target.table.clone(),
        replica_table: ReplicaTableId::new(start),
        product: "vehicle-history".parse().unwrap(),
        retention_hours: 168,
        mend: None,
        ways,
        each: false,
        hurries: false,
        narrow: None,
        adopt: None,
    };
    let ends = Ends {
        source: source.objects.clone(),
        target: target.objects.clone(),
        parts: target.parts().unwrap(),
    };
    let engine = LocalEngine::new(Arc::new(ends), CopyOptions::default());
    let (journal, clock) = (Journal::default(), ManualClock::at(start));
    let before = s3.proxy.counted();
    let (mut next, mut stands) = (0, None);
    for (sync, version) in (0_i64..).zip(versions) {
        for version in next..=*version {
            let name = format!("{version:020}.json");
            let from = hist.join("_delta_log").join(&name);
            std::fs::hard_link(from, log.join(&name)).unwrap();
        }
        next = version + 1;
        let at = start.plus(sync * 2 * DAY);
        clock.set(at);
        let run = Run {
            id: SyncRunId::new(at),
            attempt: 1,
            folder: root.join("runs"),
            target_version: stands,
            budget: None,
            source: "source".to_owned(),
            target: "target".to_owned(),
        };
        std::fs::create_dir_all(&run.folder).unwrap();
        match drive(&run, &pair, &engine, &journal, &clock).await.unwrap() {
            Outcome::Done(plan) => stands = Some(plan.target_version),
            Outcome::Nothing { .. } => {}
            other => panic!("{table} {kind}: {other:?}"),
        }
    }
    let passed = s3.proxy.passed_since(before);
    let data = passed
        .iter()
        .filter(|passed| passed.path.contains(&format!("/{grown}/")))
        .filter(|passed| !passed.path.contains("/_delta_log/"));
    data.map(|passed| passed.received).sum()
}
