//! What every copy engine has to keep, asked of each in turn: the one in this process, and the one that copies in child processes. Both
//! ends are folders, which a child reaches as well.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use delta::{Budgets, Table};
use object_store::local::LocalFileSystem;
use serde_json::Value;

use super::copying::lasting;
use super::world::{World, add, body, metadata, protocol};
use crate::CopyOptions;
use crate::drive::{Outcome, Run, drive};
use crate::engine::{CopyEngine, CopyJob, Ends, EngineError, ExternalRef, LocalEngine, Progress};
use crate::files::{Copied, CopyItem, FailureKind, Receipt, write_manifest};
use crate::plan::Pair;
use crate::process::tests::engine_in_parts;

const PART: u64 = 1024;

/// The folders `source` and `target` in this one. Uploads at the target outlive their process.
pub(crate) fn ends(folder: &Path) -> Ends {
    let (target, parts) = lasting(folder);
    Ends {
        source: store(folder, "source"),
        target,
        parts,
    }
}

fn store(folder: &Path, name: &str) -> Arc<LocalFileSystem> {
    Arc::new(LocalFileSystem::new_with_prefix(folder.join(name)).unwrap())
}

/// Who copies.
#[derive(Clone, Copy, Debug)]
enum By {
    Local,
    Processes,
}

impl By {
    const EACH: [Self; 2] = [Self::Local, Self::Processes];

    /// A new one, which knows of no job: as after its process was started again.
    fn engine(self, folder: &Path) -> Box<dyn CopyEngine> {
        match self {
            Self::Local => {
                let options = CopyOptions {
                    part_bytes: PART,
                    ..CopyOptions::default()
                };
                Box::new(LocalEngine::new(Arc::new(ends(folder)), options))
            }
            Self::Processes => Box::new(engine_in_parts(folder, PART)),
        }
    }
}

/// A folder with both ends, and a manifest of what stands at the source.
struct Ground {
    folder: tempfile::TempDir,
    by: By,
    items: Vec<CopyItem>,
}

impl Ground {
    async fn of(by: By, files: &[(&str, usize)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["source", "target"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let items = files.iter().map(|(name, size)| CopyItem {
            src: (*name).to_owned(),
            dst: (*name).to_owned(),
            size: *size as u64,
            modified: None,
            fresh: false,
        });
        let ground = Self {
            items: items.collect(),
            folder,
            by,
        };
        for (name, size) in files {
            ground.put(name, *size);
        }
        let job = ground.job(1);
        write_manifest(&job.manifest, &ground.items).await.unwrap();
        ground
    }

    fn put(&self, name: &str, size: usize) {
        let path = self.at("source").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, body(name, size)).unwrap();
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn job(&self, attempt: i64) -> CopyJob {
        CopyJob {
            run_id: "run.1".into(),
            attempt,
            manifest: self.at("manifest"),
            receipts: self.at("receipts"),
            source: "source".into(),
            target: "target".into(),
        }
    }

    fn engine(&self) -> Box<dyn CopyEngine> {
        self.by.engine(self.folder.path())
    }

    fn receipts(&self) -> Vec<Receipt> {
        let text = std::fs::read_to_string(self.at("receipts")).unwrap_or_default();
        // What a copier is just writing is no line yet.
        let whole = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        whole
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// How many parts are known to stand.
    fn parts_noted(&self) -> u64 {
        let noted = std::fs::read_to_string(self.at("receipts.uploads")).unwrap_or_default();
        noted.matches("\"part\":").count() as u64
    }

    /// When an object of the target was written.
    fn written(&self, name: &str) -> SystemTime {
        let meta = std::fs::metadata(self.at("target").join(name)).unwrap();
        meta.modified().unwrap()
    }

    /// All that was to be copied stands, once, and was read once.
    fn assert_whole(&self, copied: Copied) {
        let by = self.by;
        for item in &self.items {
            let got = std::fs::read(self.at("target").join(&item.dst)).unwrap();
            assert!(
                got == body(&item.src, item.size as usize),
                "{by:?}: {}",
                item.dst
            );
        }
        let bytes: u64 = self.items.iter().map(|item| item.size).sum();
        let files = self.items.len() as u64;
        let expected = Copied {
            files,
            bytes,
            bytes_read: bytes,
        };
        assert_eq!(copied, expected, "{by:?}");
    }
}

async fn end(engine: &dyn CopyEngine, job: &ExternalRef) -> Progress {
    loop {
        match engine.poll(job).await.unwrap() {
            Progress::Running(_) => engine.ended(job, Duration::from_secs(5)).await,
            ended => return ended,
        }
    }
}

async fn done(engine: &dyn CopyEngine, job: &CopyJob) -> Copied {
    let reference = engine.submit(job).await.unwrap();
    match end(engine, &reference).await {
        Progress::Done(copied) => copied,
        other => panic!("not done: {other:?}"),
    }
}

#[tokio::test]
async fn new_files_are_copied_once_however_often_they_are_submitted() {
    let files = [
        ("a", 10),
        ("none", 0),
        ("large", 10_000),
        ("p=a%20b/ü x+", 7),
    ];
    for by in By::EACH {
        let ground = Ground::of(by, &files).await;
        let (engine, job) = (ground.engine(), ground.job(1));
        let reference = engine.submit(&job).await.unwrap();
        assert_eq!(engine.submit(&job).await.unwrap(), reference, "{by:?}");
        ground.assert_whole(done(engine.as_ref(), &job).await);
        let (receipts, at) = (ground.receipts(), ground.written("large"));
        let named: BTreeSet<&str> = receipts.iter().map(|one| one.dst.as_str()).collect();
        assert_eq!(
            (receipts.len(), named.len()),
            (4, 4),
            "{by:?}: {receipts:?}"
        );
        // After a restart, and once more by one that has nothing but the objects.
        ground.assert_whole(done(ground.engine().as_ref(), &ground.job(2)).await);
        assert_eq!(ground.receipts(), receipts, "{by:?}");
        std::fs::remove_file(ground.at("receipts")).unwrap();
        let copied = done(ground.engine().as_ref(), &ground.job(3)).await;
        assert_eq!((copied.files, copied.bytes_read), (4, 0), "{by:?}");
        assert_eq!(ground.written("large"), at, "{by:?}");
    }
}

#[tokio::test]
async fn what_is_missing_or_of_another_size_is_named_and_copied_once_it_is_mended() {
    for by in By::EACH {
        for (name, whole, stands) in [
            ("b", 20, None),
            ("b", 20, Some(19)),
            ("b", 20, Some(21)),
            ("large", 5_000, Some(5_001)),
        ] {
            let ground = Ground::of(by, &[("a", 10), ("b", 20), ("large", 5_000)]).await;
            let kind = match stands {
                None => {
                    std::fs::remove_file(ground.at("source").join(name)).unwrap();
                    FailureKind::Missing
                }
                Some(stands) => {
                    ground.put(name, stands);
                    FailureKind::Size
                }
            };
            let engine = ground.engine();
            let reference = engine.submit(&ground.job(1)).await.unwrap();
            let Progress::Failed { terminal, why } = end(engine.as_ref(), &reference).await else {
                panic!("{by:?}: {name} of {stands:?} was copied")
            };
            assert!(terminal, "{by:?}: {why}");
            assert_eq!((why.kind, why.src.as_str()), (kind, name), "{by:?}: {why}");
            assert!(!ground.at("target").join(name).exists(), "{by:?}");
            // One that failed is started again, and what was begun beside it is not copied again.
            ground.put(name, whole);
            ground.assert_whole(done(engine.as_ref(), &ground.job(2)).await);
        }
    }
}

#[tokio::test]
async fn no_name_leads_out_of_the_target() {
    for by in By::EACH {
        let mut ground = Ground::of(by, &[("a", 10)]).await;
        ground.items[0].dst = "../out".to_owned();
        let job = ground.job(1);
        write_manifest(&job.manifest, &ground.items).await.unwrap();
        let engine = ground.engine();
        let reference = engine.submit(&job).await.unwrap();
        let Progress::Failed { why, .. } = end(engine.as_ref(), &reference).await else {
            panic!("{by:?}: copied")
        };
        assert_eq!(why.src, "a", "{by:?}: {why}");
        assert!(!ground.at("out").exists(), "{by:?}");
    }
}

/// One file is a pipe into which nobody writes: whoever copies it waits until it is cancelled, which kills a child.
#[tokio::test]
async fn what_was_cancelled_between_two_files_is_taken_up_there() {
    for by in By::EACH {
        let ground = Ground::of(by, &[("a", 10), ("b", 20), ("c", 30)]).await;
        let pipe = ground.at("source").join("c");
        std::fs::remove_file(&pipe).unwrap();
        assert!(
            Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        let engine = ground.engine();
        let reference = engine.submit(&ground.job(1)).await.unwrap();
        while ground.receipts().len() < 2 {
            let progress = engine.poll(&reference).await.unwrap();
            assert!(
                matches!(progress, Progress::Running(_)),
                "{by:?}: {progress:?}"
            );
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let at = ["a", "b"].map(|name| ground.written(name));
        engine.cancel(&reference).await.unwrap();
        let forgotten = engine.poll(&reference).await;
        assert!(matches!(forgotten, Err(EngineError::Unknown(_))), "{by:?}");
        // A thread of this process may still wait: opened for both ways, which waits for nobody, the pipe lets it go.
        let opened = std::fs::File::options()
            .read(true)
            .write(true)
            .open(&pipe)
            .unwrap();
        std::fs::remove_file(&pipe).unwrap();
        drop(opened);
        ground.put("c", 30);
        ground.assert_whole(done(ground.engine().as_ref(), &ground.job(2)).await);
        assert_eq!(["a", "b"].map(|name| ground.written(name)), at, "{by:?}");
        let mut attempts: Vec<i64> = ground.receipts().iter().map(|one| one.attempt).collect();
        attempts.sort_unstable();
        assert_eq!(attempts, [1, 1, 2], "{by:?}");
    }
}

/// `false`: it had ended before it could be cancelled.
async fn is_taken_up_in_an_object(by: By) -> bool {
    const SIZE: usize = 2_000 * 1024 + 5;
    let ground = Ground::of(by, &[("large", SIZE)]).await;
    let engine = ground.engine();
    let reference = engine.submit(&ground.job(1)).await.unwrap();
    while ground.parts_noted() < 20 {
        match engine.poll(&reference).await.unwrap() {
            Progress::Running(_) => {}
            // What is noted of its parts is gone with that.
            Progress::Done(_) => return false,
            failed @ Progress::Failed { .. } => panic!("{by:?}: {failed:?}"),
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    engine.cancel(&reference).await.unwrap();
    if ground.at("target/large").exists() {
        return false;
    }
    let copied = done(ground.engine().as_ref(), &ground.job(2)).await;
    assert_eq!(copied.files, 1, "{by:?}");
    let got = std::fs::read(ground.at("target/large")).unwrap();
    assert!(got == body("large", SIZE), "{by:?}");
    // One upload, and no part of it twice.
    let noted = std::fs::read_to_string(ground.at("receipts.uploads")).unwrap();
    assert_eq!(noted.matches("\"begun\":").count(), 1, "{by:?}");
    assert_eq!(ground.parts_noted(), (SIZE as u64).div_ceil(PART), "{by:?}");
    let left = std::fs::read_dir(ground.at("target")).unwrap().count();
    assert_eq!(left, 1, "{by:?}: nothing half written stays behind");
    true
}

#[tokio::test]
async fn what_was_cancelled_in_an_object_is_taken_up_there() {
    for by in By::EACH {
        let mut is_shown = false;
        for _ in 0..10 {
            is_shown = is_taken_up_in_an_object(by).await;
            if is_shown {
                break;
            }
        }
        assert!(is_shown, "{by:?}: no copy could be cancelled in time");
    }
}

/// Rules 9 and 29 over a whole run: objects keep their names, and one of another size fails it without a commit.
#[tokio::test]
async fn rules_09_29_a_run_keeps_names_and_refuses_another_size() {
    let names = [
        ("a", "a"),
        ("p=a%2520b/x.parquet", "p=a%20b/x.parquet"),
        ("p=c%20d/x.parquet", "p=c d/x.parquet"),
        ("p=%C3%BC/x.parquet", "p=ü/x.parquet"),
    ];
    for by in By::EACH {
        let keys = names.map(|(_, key)| (key, 10));
        let ground = Ground::of(by, &keys).await;
        let log = ground.at("source/_delta_log");
        std::fs::create_dir(&log).unwrap();
        let mut actions = vec![protocol(), metadata("source-1")];
        actions.extend(names.map(|(path, _)| add(path, 10)));
        let lines: Vec<String> = actions.iter().map(Value::to_string).collect();
        std::fs::write(log.join(COMMIT_0), lines.join("\n")).unwrap();

        let world = World::new();
        let sync = async || {
            let table = |name| Table::new(store(ground.folder.path(), name), Budgets::default());
            let pair = Pair {
                source: table("source"),
                target: table("target"),
                ..world.pair()
            };
            let run = Run {
                folder: ground.at("runs"),
                ..world.run()
            };
            let engine = ground.engine();
            drive(&run, &pair, engine.as_ref(), &world.journal, &world.clock)
                .await
                .unwrap()
        };
        let commit = ground.at("target/_delta_log").join(COMMIT_0);
        for size in [9, 11] {
            ground.put("a", size);
            let outcome = sync().await;
            let Outcome::Failed { why } = outcome else {
                panic!("{by:?}: {outcome:?}")
            };
            assert!(
                why.contains("`a`") && why.contains("says 10"),
                "{by:?}: {why}"
            );
            assert!(!commit.exists(), "{by:?}");
        }
        ground.put("a", 10);
        let outcome = sync().await;
        assert!(matches!(outcome, Outcome::Done(_)), "{by:?}: {outcome:?}");
        for (_, key) in names {
            let got = std::fs::read(ground.at("target").join(key)).unwrap();
            assert_eq!(got, body(key, 10), "{by:?}: {key}");
        }
        let committed = std::fs::read_to_string(commit).unwrap();
        for (path, _) in names {
            assert!(
                committed.contains(&format!("\"path\":\"{path}\"")),
                "{by:?}: {committed}"
            );
        }
    }
}

const COMMIT_0: &str = "00000000000000000000.json";
