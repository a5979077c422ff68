//! Processes that die at a crash point as by `kill -9`, on folders, and are started again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use delta::{Budgets, Table};
use model::time::HOUR;
use model::{ManualClock, SyncRunId, Timestamp};
use object_store::local::LocalFileSystem;
use serde_json::json;

use super::world::{Holds, START, World, add, body, metadata, protocol, remove};
use crate::drive::{Outcome, Run, drive};
use crate::engine::{CopyEngine, Ends, LocalEngine};
use crate::journal::{JournalError, RunJournal, RunRecord};
use crate::plan::Pair;
use crate::{CopyOptions, MARKER, vacuum};

const FOLDER: &str = "ENTREPOT_TEST_ABORT_FOLDER";
const CRASH_AT: &str = "ENTREPOT_CRASH_AT";
const CRASH_LOG: &str = "ENTREPOT_CRASH_LOG";

/// One more than a checkpoint needs.
const VERSIONS: u64 = 12;

/// A file per run, renamed into place.
struct Files(PathBuf);

#[async_trait]
impl RunJournal for Files {
    async fn load(&self, run: SyncRunId) -> Result<Option<RunRecord>, JournalError> {
        let text = std::fs::read(self.0.join(run.to_string())).ok();
        Ok(text.map(|text| serde_json::from_slice(&text).unwrap()))
    }

    async fn save(&self, run: SyncRunId, _: i64, record: &RunRecord) -> Result<bool, JournalError> {
        let beside = self.0.join("part");
        std::fs::write(&beside, serde_json::to_vec(record).unwrap()).unwrap();
        std::fs::rename(beside, self.0.join(run.to_string())).unwrap();
        Ok(true)
    }
}

/// A replica followed over all versions, then vacuumed. Doing it again takes up where it stopped.
async fn journey(folder: &Path, by_processes: bool) {
    for name in ["source/_delta_log", "target", "runs", "journal"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    let store = |name: &str| Arc::new(LocalFileSystem::new_with_prefix(folder.join(name)).unwrap());
    let (source, target) = (store("source"), store("target"));
    let pair = Pair {
        source: Table::new(source.clone(), Budgets::default()),
        target: Table::new(target.clone(), Budgets::default()),
        replica_table: World::replica_table(),
        product: "vehicle-visits".parse().unwrap(),
        retention_hours: 1,
        mend: None,
        ways: crate::Ways::default(),
    };
    let journal = Files(folder.join("journal"));
    // Checkpoints forget tombstones by the wall clock, so this clock has to stand near it, and begin at the same time in
    // each process.
    let started = folder.join("started");
    if !started.exists() {
        std::fs::write(&started, "").unwrap();
    }
    let started = std::fs::metadata(&started).unwrap().modified().unwrap();
    let started = started
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_micros();
    let clock = ManualClock::at(Timestamp::from_micros(started.try_into().unwrap()));
    for version in 0..VERSIONS {
        clock.advance(HOUR);
        let log = folder.join(format!("source/_delta_log/{version:020}.json"));
        if !log.exists() {
            let name = format!("f{version}");
            std::fs::write(folder.join("source").join(&name), body(&name, 3_000)).unwrap();
            let mut actions = vec![add(&name, 3_000)];
            match version {
                0 => actions.extend([protocol(), metadata("source-1")]),
                version => actions.push(remove(&format!("f{}", version - 1), 1)),
            }
            actions.insert(0, json!({ "commitInfo": { "timestamp": START } }));
            let lines: Vec<String> = actions.iter().map(ToString::to_string).collect();
            std::fs::write(&log, lines.join("\n")).unwrap();
        }
        let run = Run {
            id: uuid::Uuid::from_u128(u128::from(version) + 1).into(),
            attempt: 1,
            folder: folder.join("runs"),
            target_version: version.checked_sub(1),
            budget: None,
            source: String::new(),
            target: String::new(),
        };
        let ends = Ends {
            source: source.clone(),
            target: target.clone(),
        };
        let options = CopyOptions {
            part_bytes: 1024,
            ..CopyOptions::default()
        };
        let engine: Box<dyn CopyEngine> = match by_processes {
            true => Box::new(crate::process::tests::engine(folder)),
            false => Box::new(LocalEngine::new(Arc::new(ends), options)),
        };
        let outcome = drive(&run, &pair, engine.as_ref(), &journal, &clock)
            .await
            .unwrap();
        let Outcome::Done(plan) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(plan.source_version, version);
    }
    clock.advance(HOUR);
    let (now, fence) = (model::Clock::now(&clock), Holds::for_ever());
    vacuum(&pair.target, pair.replica_table, 1, now, &fence)
        .await
        .unwrap();
}

/// What must stand in the replica's folder in the end: the last file, the whole log, a checkpoint and the marker.
fn expected() -> BTreeSet<String> {
    let mut keys: BTreeSet<String> = (0..VERSIONS)
        .map(|version| format!("_delta_log/{version:020}.json"))
        .collect();
    keys.extend([
        MARKER.to_owned(),
        format!("f{}", VERSIONS - 1),
        "_delta_log/_last_checkpoint".to_owned(),
        format!("_delta_log/{:020}.checkpoint.parquet", 10),
    ]);
    keys
}

/// Objects of a folder as the store would list them, with the time of each.
fn listed(folder: &Path) -> BTreeMap<String, SystemTime> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let (path, meta) = {
                let entry = entry.unwrap();
                (entry.path(), entry.metadata().unwrap())
            };
            let key = path
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if meta.is_dir() {
                folders.push(path);
            } else if !key.contains('#') {
                // What an upload leaves behind when its process dies ends with `#` and a number; no reader sees it.
                found.insert(key, meta.modified().unwrap());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_journey_on_folders() {
    let made = tempfile::tempdir().unwrap();
    let folder = std::env::var_os(FOLDER).map_or_else(|| made.path().to_owned(), PathBuf::from);
    journey(&folder, false).await;
    assert_eq!(
        listed(&folder.join("target"))
            .into_keys()
            .collect::<BTreeSet<_>>(),
        expected()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_same_journey_copied_by_child_processes() {
    let folder = tempfile::tempdir().unwrap();
    journey(folder.path(), true).await;
    assert_eq!(
        listed(&folder.path().join("target"))
            .into_keys()
            .collect::<BTreeSet<_>>(),
        expected()
    );
}

fn child(folder: &Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "tests::abort::a_journey_on_folders"])
        .env(FOLDER, folder);
    child
        .env_remove(CRASH_AT)
        .env_remove(CRASH_LOG)
        .env("RUST_BACKTRACE", "0");
    child
}

#[test]
fn rule_34_a_process_that_dies_at_any_crash_point_is_made_good() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("points");
    let whole = child(&folder.path().join("whole"))
        .env(CRASH_LOG, &log)
        .output()
        .unwrap();
    assert!(
        whole.status.success(),
        "{}",
        String::from_utf8_lossy(&whole.stdout)
    );
    let mut points: BTreeMap<String, usize> = BTreeMap::new();
    for point in std::fs::read_to_string(&log).unwrap().lines() {
        *points.entry(point.to_owned()).or_default() += 1;
    }
    let areas = [
        "marker",
        "journal",
        "manifest",
        "copy",
        "receipt",
        "commit",
        "verify",
        "checkpoint",
    ];
    for area in areas {
        assert!(
            points.contains_key(&format!("sync.{area}.before")),
            "{area} has no crash point"
        );
        assert!(
            points.contains_key(&format!("sync.{area}.after")),
            "{area} has no crash point"
        );
    }
    assert!(points.contains_key("vacuum.delete.before"));
    for (point, times) in points {
        // The last pass: a replica with a past is the harder case. How often progress is noted depends on how fast the copy
        // is, so the last one of the whole journey may not come this time; then one before it does.
        let dies_at = |nth: usize| {
            let folder = folder.path().join(format!("{point}-{nth}"));
            let ended = child(&folder)
                .env(CRASH_AT, format!("{point}#{nth}"))
                .output()
                .unwrap();
            let code = ended.status.code();
            assert!(code.is_none_or(|code| code == 0), "{point}: {ended:?}");
            code.is_none().then_some(folder)
        };
        let folder = (1..=times).rev().find_map(dies_at);
        let folder = folder.unwrap_or_else(|| panic!("{point} was not met"));
        let before = listed(&folder.join("target"));
        let again = child(&folder).output().unwrap();
        assert!(
            again.status.success(),
            "{point}: {}",
            String::from_utf8_lossy(&again.stdout)
        );
        let after = listed(&folder.join("target"));
        for (key, at) in before
            .iter()
            .filter(|(key, _)| !key.ends_with("_last_checkpoint"))
        {
            // Vacuumed, or not touched: nothing finished is copied or committed twice.
            assert!(
                after.get(key).is_none_or(|then| then == at),
                "{point}: `{key}` was written twice"
            );
        }
    }
}
