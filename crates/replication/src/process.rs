//! Copying in a child process: the proof that manifest and receipts are all that planning and copying share.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::process::{Child, Command};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::engine::{CopyEngine, CopyJob, EngineError, ExternalRef, Progress};
use crate::files::{CopyFailure, FailureKind, Follower, tail};

/// Bytes kept of a child's error output.
const ERROR_OUTPUT: usize = 2048;

/// Runs a command (`entrepot copy` of the same binary) with `--manifest F --receipts F --run-id R --attempt N
/// --source S --target T` and reads the progress from the receipts. Exit status 0 means done. A child that outlived
/// its parent holds the receipts' lock; the next child waits for it and finds its work finished.
pub struct ProcessEngine {
    command: Vec<OsString>,
    jobs: Mutex<HashMap<String, Arc<Mutex<Job>>>>,
}

struct Job {
    /// The latest that submitted it.
    attempt: i64,
    child: Child,
    errors: Option<JoinHandle<String>>,
    receipts: PathBuf,
    follower: Follower,
    verdict: Option<Progress>,
}

impl ProcessEngine {
    /// `command`: program and first arguments.
    pub fn new(command: Vec<OsString>) -> Self {
        Self {
            command,
            jobs: Mutex::default(),
        }
    }

    async fn job(&self, job: &ExternalRef) -> Result<Arc<Mutex<Job>>, EngineError> {
        let jobs = self.jobs.lock().await;
        jobs.get(job.parts().0)
            .cloned()
            .ok_or_else(|| EngineError::Unknown(job.0.clone()))
    }

    async fn start(&self, job: &CopyJob) -> Result<Job, EngineError> {
        let Some((program, first)) = self.command.split_first() else {
            let error = std::io::Error::other("no command is configured");
            return Err(EngineError::Start(error));
        };
        // What earlier children failed at is no news.
        let mut follower = Follower::new();
        follower.read(&job.receipts).await?;
        follower.failure = None;
        let mut child = Command::new(program)
            .args(first)
            .arg("--manifest")
            .arg(&job.manifest)
            .arg("--receipts")
            .arg(&job.receipts)
            .args([
                "--run-id",
                &job.run_id,
                "--attempt",
                &job.attempt.to_string(),
            ])
            .args(["--source", &job.source, "--target", &job.target])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(EngineError::Start)?;
        let errors = child
            .stderr
            .take()
            .map(|errors| tokio::spawn(tail(errors, ERROR_OUTPUT)));
        Ok(Job {
            attempt: job.attempt,
            child,
            errors,
            receipts: job.receipts.clone(),
            follower,
            verdict: None,
        })
    }
}

impl Job {
    async fn poll(&mut self) -> Result<Progress, EngineError> {
        if let Some(verdict) = &self.verdict {
            return Ok(verdict.clone());
        }
        // The status first: what the child wrote before it ended is then in the receipts.
        let status = self.child.try_wait()?;
        self.follower.read(&self.receipts).await?;
        let verdict = match status {
            None => return Ok(Progress::Running(self.follower.copied)),
            Some(status) if status.success() => Progress::Done(self.follower.copied),
            Some(status) => {
                let said = match self.errors.take() {
                    Some(errors) => errors.await.unwrap_or_default(),
                    None => String::new(),
                };
                Progress::failed(
                    self.follower
                        .failure
                        .clone()
                        .unwrap_or_else(|| CopyFailure {
                            kind: FailureKind::Other,
                            src: String::new(),
                            message: format!("the copying process ended with {status}: {said}"),
                        }),
                )
            }
        };
        self.verdict = Some(verdict.clone());
        Ok(verdict)
    }
}

#[async_trait]
impl CopyEngine for ProcessEngine {
    async fn submit(&self, job: &CopyJob) -> Result<ExternalRef, EngineError> {
        let reference = ExternalRef::of(job);
        let mut jobs = self.jobs.lock().await;
        if let Some(known) = jobs.get(&job.run_id) {
            let mut known = known.lock().await;
            if !matches!(known.poll().await?, Progress::Failed { .. }) {
                known.attempt = known.attempt.max(job.attempt);
                return Ok(reference);
            }
        }
        let started = self.start(job).await?;
        jobs.insert(job.run_id.clone(), Arc::new(Mutex::new(started)));
        Ok(reference)
    }

    async fn poll(&self, job: &ExternalRef) -> Result<Progress, EngineError> {
        self.job(job).await?.lock().await.poll().await
    }

    async fn cancel(&self, job: &ExternalRef) -> Result<(), EngineError> {
        let (run, attempt) = job.parts();
        let mut jobs = self.jobs.lock().await;
        let Some(known) = jobs.get(run).cloned() else {
            return Ok(());
        };
        let mut known = known.lock().await;
        if known.attempt != attempt {
            return Ok(());
        }
        jobs.remove(run);
        drop(jobs);
        known.child.kill().await.map_err(EngineError::Files)
    }

    async fn ended(&self, job: &ExternalRef, at_most: Duration) {
        let Ok(job) = self.job(job).await else { return };
        let mut job = job.lock().await;
        // Over time or not to be waited for: both are seen by the next poll.
        let _ = tokio::time::timeout(at_most, job.child.wait()).await;
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::copy::{CopyOptions, copy};
    use crate::files::{CopyItem, write_manifest};
    use crate::tests::engines::ends;

    const FOLDER: &str = "ENTREPOT_TEST_COPY_FOLDER";
    const MANIFEST: &str = "ENTREPOT_TEST_COPY_MANIFEST";
    const RECEIPTS: &str = "ENTREPOT_TEST_COPY_RECEIPTS";
    const ATTEMPT: &str = "ENTREPOT_TEST_COPY_ATTEMPT";
    const PART: &str = "ENTREPOT_TEST_COPY_PART";

    /// The child of the tests below when its environment names a folder; a copy in this process when not.
    #[tokio::test]
    async fn copies_a_folder() {
        let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let made = tempfile::tempdir().unwrap();
        let (folder, manifest, receipts) = match named(FOLDER) {
            Some(folder) => (folder, named(MANIFEST).unwrap(), named(RECEIPTS).unwrap()),
            None => {
                let job = world(made.path()).await;
                (made.path().to_owned(), job.manifest, job.receipts)
            }
        };
        let number = |name: &str| {
            let text = std::env::var(name).ok();
            text.map(|text| text.parse::<u64>().unwrap())
        };
        let options = CopyOptions {
            part_bytes: number(PART).unwrap_or(1 << 20),
            attempt: number(ATTEMPT).map_or(1, u64::cast_signed),
            ..CopyOptions::default()
        };
        let copied = copy(
            ends(&folder),
            &manifest,
            &receipts,
            options,
            Arc::new(|_| {}),
        )
        .await;
        assert!(copied.unwrap().files > 0);
    }

    async fn world(folder: &std::path::Path) -> CopyJob {
        for name in ["source", "target"] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
        }
        let mut items = Vec::new();
        for (name, size) in [("a", 10), ("b", 5_000_000), ("c", 0)] {
            let bytes: Vec<u8> = (0..size).map(|at: u32| (at % 251) as u8).collect();
            std::fs::write(folder.join("source").join(name), bytes).unwrap();
            let (src, dst) = (name.to_owned(), name.to_owned());
            items.push(CopyItem {
                src,
                dst,
                size: size.into(),
                modified: None,
                fresh: false,
            });
        }
        let job = CopyJob {
            run_id: "run.1".into(),
            attempt: 1,
            manifest: folder.join("manifest.jsonl"),
            receipts: folder.join("receipts.jsonl"),
            source: "source".into(),
            target: "target".into(),
        };
        write_manifest(&job.manifest, &items).await.unwrap();
        job
    }

    /// This test binary as the child; the shell turns the arguments, which its test harness would not understand, into
    /// environment. The two tables are `source` and `target` in the folder.
    pub(crate) fn engine(folder: &std::path::Path) -> ProcessEngine {
        engine_in_parts(folder, 1 << 20)
    }

    /// The same, and what is larger than a part goes through in parts.
    pub(crate) fn engine_in_parts(folder: &std::path::Path, part_bytes: u64) -> ProcessEngine {
        let this = std::env::current_exe().unwrap();
        let script = format!(
            "export {FOLDER}=\"$1\" {MANIFEST}=\"$3\" {RECEIPTS}=\"$5\" {ATTEMPT}=\"$9\" {PART}={part_bytes}; \
             exec \"$0\" --exact process::tests::copies_a_folder"
        );
        let mut command: Vec<OsString> = vec!["sh".into(), "-c".into(), script.into()];
        command.extend([this.into(), folder.into()]);
        ProcessEngine::new(command)
    }

    async fn end(engine: &ProcessEngine, job: &ExternalRef) -> Progress {
        loop {
            match engine.poll(job).await.unwrap() {
                Progress::Running(_) => engine.ended(job, Duration::from_secs(5)).await,
                ended => return ended,
            }
        }
    }

    #[tokio::test]
    async fn a_child_copies_and_a_second_submission_starts_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let job = world(folder.path()).await;
        let engine = engine(folder.path());
        let reference = engine.submit(&job).await.unwrap();
        assert_eq!(engine.submit(&job).await.unwrap(), reference);
        let Progress::Done(copied) = end(&engine, &reference).await else {
            panic!("not done")
        };
        assert_eq!((copied.files, copied.bytes_read), (3, 5_000_010));
        let receipts = std::fs::read_to_string(&job.receipts).unwrap();
        assert_eq!(receipts.lines().count(), 3);
        for name in ["a", "b", "c"] {
            let read = |side: &str| std::fs::read(folder.path().join(side).join(name)).unwrap();
            assert!(read("source") == read("target"), "{name}");
        }
        // A new process, as after a crash of the parent: the receipts say that nothing is left to do.
        let again = self::engine(folder.path());
        let reference = again.submit(&job).await.unwrap();
        let Progress::Done(copied) = end(&again, &reference).await else {
            panic!("not done")
        };
        assert_eq!((copied.files, copied.bytes_read), (3, 5_000_010));
        assert_eq!(std::fs::read_to_string(&job.receipts).unwrap(), receipts);
    }

    #[tokio::test]
    async fn a_missing_file_is_named_and_a_broken_command_too() {
        let folder = tempfile::tempdir().unwrap();
        let job = world(folder.path()).await;
        std::fs::remove_file(folder.path().join("source/b")).unwrap();
        let engine = engine(folder.path());
        let reference = engine.submit(&job).await.unwrap();
        let Progress::Failed { terminal, why } = end(&engine, &reference).await else {
            panic!("not failed")
        };
        assert!(terminal);
        assert_eq!((why.kind, why.src.as_str()), (FailureKind::Missing, "b"));

        let engine =
            ProcessEngine::new(vec!["sh".into(), "-c".into(), "echo no >&2; exit 3".into()]);
        let reference = engine.submit(&job).await.unwrap();
        let Progress::Failed { terminal, why } = end(&engine, &reference).await else {
            panic!("not failed")
        };
        assert!(!terminal);
        assert!(
            why.message.contains("exit status: 3: no"),
            "{}",
            why.message
        );
        assert!(ProcessEngine::new(Vec::new()).submit(&job).await.is_err());
    }
}
