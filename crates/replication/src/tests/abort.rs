//! Processes that die at a crash point as by `kill -9`, on folders, and are started again; and one that is stopped for longer than its
//! lease.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

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
/// Which attempt drives the runs.
const ATTEMPT: &str = "ENTREPOT_TEST_ABORT_ATTEMPT";
const CRASH_AT: &str = "ENTREPOT_CRASH_AT";
const CRASH_LOG: &str = "ENTREPOT_CRASH_LOG";

/// One more than a checkpoint needs.
const VERSIONS: u64 = 12;

/// A file per run, renamed into place; and one that says which attempt holds the lease.
struct Files(PathBuf);

const LEASE: &str = "lease";

#[async_trait]
impl RunJournal for Files {
    async fn load(&self, run: SyncRunId) -> Result<Option<RunRecord>, JournalError> {
        let text = std::fs::read(self.0.join(run.to_string())).ok();
        Ok(text.map(|text| serde_json::from_slice(&text).unwrap()))
    }

    async fn save(
        &self,
        run: SyncRunId,
        attempt: i64,
        record: &RunRecord,
    ) -> Result<bool, JournalError> {
        let lease = std::fs::read_to_string(self.0.join(LEASE)).ok();
        if lease.is_some_and(|lease| lease.parse::<i64>().unwrap() != attempt) {
            return Ok(false);
        }
        let beside = self.0.join(format!("part{attempt}"));
        std::fs::write(&beside, serde_json::to_vec(record).unwrap()).unwrap();
        std::fs::rename(beside, self.0.join(run.to_string())).unwrap();
        Ok(true)
    }
}

/// A replica followed over all versions, then vacuumed. Doing it again takes up where it stopped.
async fn journey(folder: &Path, by_processes: bool) {
    let attempt: i64 = std::env::var(ATTEMPT).map_or(1, |attempt| attempt.parse().unwrap());
    // Another machine has a folder of its own.
    let runs = format!("runs{attempt}");
    for name in ["source/_delta_log", "target", runs.as_str(), "journal"] {
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
        each: false,
        hurries: false,
        narrow: None,
        adopt: None,
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
            let beside = folder.join(format!("commit{attempt}"));
            std::fs::write(&beside, lines.join("\n")).unwrap();
            std::fs::rename(&beside, &log).unwrap();
        }
        let run = Run {
            id: uuid::Uuid::from_u128(u128::from(version) + 1).into(),
            attempt,
            folder: folder.join(&runs),
            target_version: version.checked_sub(1),
            budget: None,
            source: String::new(),
            target: String::new(),
        };
        let ends = Ends {
            source: source.clone(),
            target: target.clone(),
            parts: None,
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
        .env_remove(ATTEMPT)
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

/// A process that does not outlive its test.
struct Fleeting(Child);

impl Fleeting {
    fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.0.id());
        let sent = Command::new("sh").args(["-c", &command]).status();
        assert!(sent.unwrap().success());
    }
}

impl Drop for Fleeting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Objects that no later attempt may find changed: commits and the marker.
fn kept(listed: &BTreeMap<String, SystemTime>) -> BTreeMap<&String, SystemTime> {
    let is_kept = |key: &str| key == MARKER || key.ends_with(".json");
    let kept = listed.iter().filter(|(key, _)| is_kept(key));
    kept.map(|(key, at)| (key, *at)).collect()
}

#[test]
fn rule_35_a_process_that_was_stopped_past_its_lease_changes_nothing_more() {
    // One that is done before it can be stopped shows nothing.
    let is_shown = (0..10).any(|_| {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut child_of_first = child(folder);
        child_of_first.stdout(Stdio::null()).stderr(Stdio::null());
        let mut first = Fleeting(child_of_first.spawn().unwrap());
        let journal = folder.join("journal");
        let middle: SyncRunId = uuid::Uuid::from_u128(u128::from(VERSIONS / 2)).into();
        let middle = journal.join(middle.to_string());
        let patience = Instant::now() + Duration::from_secs(60);
        while !middle.exists() {
            assert!(Instant::now() < patience, "the first process does nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
        first.signal("STOP");
        let target = folder.join("target");
        let last = format!("_delta_log/{:020}.json", VERSIONS - 1);
        if target.join(&last).exists() {
            return false;
        }

        std::fs::write(journal.join(LEASE), "2").unwrap();
        let second = child(folder).env(ATTEMPT, "2").output().unwrap();
        let said = String::from_utf8_lossy(&second.stdout);
        assert!(second.status.success(), "{said}");
        let before = listed(&target);
        let keys: BTreeSet<String> = before.keys().cloned().collect();
        assert!(keys.is_superset(&expected()), "{keys:?}");

        first.signal("CONT");
        first.0.wait().unwrap();
        let after = listed(&target);
        assert_eq!(kept(&after), kept(&before));
        // What it had in its hands when it was stopped may still arrive, and is an orphan.
        let late: Vec<_> = after
            .keys()
            .filter(|key| !before.contains_key(*key))
            .collect();
        assert!(late.len() <= CopyOptions::default().files, "{late:?}");
        assert!(late.iter().all(|key| key.starts_with('f')), "{late:?}");
        assert!(before.keys().all(|key| after.contains_key(key)));
        true
    });
    assert!(is_shown, "no process could be stopped in time");
}
