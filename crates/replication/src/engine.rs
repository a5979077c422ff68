//! Copy engines: who moves the bytes. An engine gets a manifest and leaves receipts; it never sees a log, and asking it
//! twice for the same run starts nothing twice.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use object_store::ObjectStore;
use serde::{Deserialize, Serialize};
use storage::Parts;
use tokio::sync::watch;

use crate::copy::{CopyError, CopyOptions, copy};
use crate::files::{Copied, CopyFailure, FailureKind};

/// What an engine is asked to do.
#[derive(Clone, Debug)]
pub struct CopyJob {
    /// The same for every submission of the same work; a new plan of the same run has another one.
    pub run_id: String,
    /// The fencing token, for the receipts.
    pub attempt: i64,
    pub manifest: PathBuf,
    pub receipts: PathBuf,
    /// The two tables' folders in words the engine understands; for the built-in engines the server's own.
    pub source: String,
    pub target: String,
}

/// The engine's own name of a submitted job.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ExternalRef(pub String);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    Running(Copied),
    Done(Copied),
    /// `terminal`: the same again cannot help.
    Failed {
        terminal: bool,
        why: CopyFailure,
    },
}

impl ExternalRef {
    /// The same job has one name per attempt, so that a driver that was fenced cannot cancel its successor's.
    pub(crate) fn of(job: &CopyJob) -> Self {
        Self(format!("{}@{}", job.run_id, job.attempt))
    }

    /// Run and attempt.
    pub(crate) fn parts(&self) -> (&str, i64) {
        match self.0.rsplit_once('@') {
            Some((run, attempt)) => (run, attempt.parse().unwrap_or_default()),
            None => (&self.0, 0),
        }
    }
}

impl Progress {
    pub(crate) fn failed(why: CopyFailure) -> Self {
        Self::Failed {
            terminal: why.kind.is_terminal(),
            why,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the copy engine knows no job `{0}`: submit it again")]
    Unknown(String),
    #[error("the copy engine cannot open the storages: {0}")]
    Open(String),
    #[error("the copy engine cannot be started: {0}")]
    Start(std::io::Error),
    #[error("the copy engine's files: {0}")]
    Files(#[from] std::io::Error),
}

#[async_trait]
pub trait CopyEngine: Send + Sync {
    /// Starts the job, or finds it running or done: idempotent on `run_id`. A job that failed is started again.
    async fn submit(&self, job: &CopyJob) -> Result<ExternalRef, EngineError>;

    async fn poll(&self, job: &ExternalRef) -> Result<Progress, EngineError>;

    /// Stops the job if it runs, and forgets it, unless a later attempt has submitted it meanwhile. What was copied
    /// stays.
    async fn cancel(&self, job: &ExternalRef) -> Result<(), EngineError>;

    /// Returns when the job may have ended, at the latest after `at_most`.
    async fn ended(&self, _job: &ExternalRef, at_most: Duration) {
        tokio::time::sleep(at_most).await;
    }
}

/// The two tables' folders, opened: stores rooted at them.
#[derive(Clone)]
pub struct Ends {
    pub source: Arc<dyn ObjectStore>,
    pub target: Arc<dyn ObjectStore>,
    /// Uploads at the target that outlive their process, where it has them: a copy that was cut off in the middle of an object
    /// then goes on there.
    pub parts: Option<Arc<dyn Parts>>,
}

/// How an engine in this process comes by the stores of a job: metered and limited by whoever implements it.
#[async_trait]
pub trait OpenEnds: Send + Sync + 'static {
    async fn open(&self, job: &CopyJob) -> Result<Ends, String>;
}

#[async_trait]
impl OpenEnds for Ends {
    async fn open(&self, _job: &CopyJob) -> Result<Ends, String> {
        Ok(self.clone())
    }
}

/// Copies in this process.
pub struct LocalEngine {
    open: Arc<dyn OpenEnds>,
    options: CopyOptions,
    jobs: Mutex<HashMap<String, LocalJob>>,
}

struct LocalJob {
    /// The latest that submitted it.
    attempt: i64,
    task: tokio::task::AbortHandle,
    progress: watch::Receiver<Progress>,
}

impl LocalEngine {
    pub fn new(open: Arc<dyn OpenEnds>, options: CopyOptions) -> Self {
        Self {
            open,
            options,
            jobs: Mutex::default(),
        }
    }

    fn jobs(&self) -> std::sync::MutexGuard<'_, HashMap<String, LocalJob>> {
        // The map is whole after every statement, so a panic elsewhere cannot have left it half-changed.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, job: &ExternalRef) -> Option<watch::Receiver<Progress>> {
        self.jobs()
            .get(job.parts().0)
            .map(|job| job.progress.clone())
    }
}

#[async_trait]
impl CopyEngine for LocalEngine {
    async fn submit(&self, job: &CopyJob) -> Result<ExternalRef, EngineError> {
        let reference = ExternalRef::of(job);
        let ends = self.open.open(job).await.map_err(EngineError::Open)?;
        let mut jobs = self.jobs();
        if let Some(known) = jobs.get_mut(&job.run_id)
            && !matches!(*known.progress.borrow(), Progress::Failed { .. })
        {
            known.attempt = known.attempt.max(job.attempt);
            return Ok(reference);
        }
        let (tell, progress) = watch::channel(Progress::Running(Copied::default()));
        let options = CopyOptions {
            attempt: job.attempt,
            ..self.options
        };
        let (manifest, receipts) = (job.manifest.clone(), job.receipts.clone());
        let task = tokio::spawn(async move {
            let told = tell.clone();
            let running = Arc::new(move |copied| {
                told.send_replace(Progress::Running(copied));
            });
            let copied = copy(ends, &manifest, &receipts, options, running).await;
            tell.send_replace(match copied {
                Ok(copied) => Progress::Done(copied),
                Err(CopyError::Object(why)) => Progress::failed(why),
                Err(error @ CopyError::Files(_)) => Progress::failed(CopyFailure {
                    kind: FailureKind::Other,
                    src: String::new(),
                    message: error.to_string(),
                }),
            });
        });
        let (attempt, task) = (job.attempt, task.abort_handle());
        jobs.insert(
            job.run_id.clone(),
            LocalJob {
                attempt,
                task,
                progress,
            },
        );
        Ok(reference)
    }

    async fn poll(&self, job: &ExternalRef) -> Result<Progress, EngineError> {
        let progress = self
            .watch(job)
            .ok_or_else(|| EngineError::Unknown(job.0.clone()))?;
        let now = progress.borrow().clone();
        // The sender is gone: the task has ended. If it left no verdict, it was broken off.
        if matches!(now, Progress::Running(_)) && progress.has_changed().is_err() {
            return Ok(Progress::failed(CopyFailure {
                kind: FailureKind::Other,
                src: String::new(),
                message: "the copy was broken off".to_owned(),
            }));
        }
        Ok(now)
    }

    async fn cancel(&self, job: &ExternalRef) -> Result<(), EngineError> {
        let (run, attempt) = job.parts();
        let mut jobs = self.jobs();
        if jobs.get(run).is_some_and(|job| job.attempt == attempt)
            && let Some(job) = jobs.remove(run)
        {
            job.task.abort();
        }
        Ok(())
    }

    async fn ended(&self, job: &ExternalRef, at_most: Duration) {
        let Some(mut progress) = self.watch(job) else {
            return;
        };
        let ended = progress.wait_for(|progress| !matches!(progress, Progress::Running(_)));
        // Over time or ended without a verdict: both are seen by the next poll.
        let _ = tokio::time::timeout(at_most, ended).await;
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;

    use super::*;
    use crate::files::{CopyItem, write_manifest};

    #[tokio::test]
    async fn a_job_is_started_once_and_only_its_latest_submitter_cancels_it() {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (Arc::new(InMemory::new()), Arc::new(InMemory::new()));
        let job = CopyJob {
            run_id: "run.1".into(),
            attempt: 1,
            manifest: folder.path().join("m"),
            receipts: folder.path().join("r"),
            source: String::new(),
            target: String::new(),
        };
        let (src, dst) = ("a".to_owned(), "a".to_owned());
        write_manifest(
            &job.manifest,
            &[CopyItem {
                src,
                dst,
                size: 3,
                modified: None,
                fresh: false,
            }],
        )
        .await
        .unwrap();
        let ends = Ends {
            source: source.clone(),
            target: target.clone(),
            parts: None,
        };
        let engine = LocalEngine::new(Arc::new(ends), CopyOptions::default());
        let unknown = engine.poll(&ExternalRef::of(&job)).await;
        assert!(matches!(unknown, Err(EngineError::Unknown(_))));

        // Nothing at the source yet: the job fails, and submitting it again starts it again.
        let first = engine.submit(&job).await.unwrap();
        engine.ended(&first, Duration::from_secs(5)).await;
        assert!(matches!(
            engine.poll(&first).await.unwrap(),
            Progress::Failed { terminal: true, .. }
        ));
        source.put(&"a".into(), "abc".into()).await.unwrap();
        let second = engine
            .submit(&CopyJob {
                attempt: 2,
                ..job.clone()
            })
            .await
            .unwrap();
        assert_eq!(
            engine.submit(&CopyJob { attempt: 2, ..job }).await.unwrap(),
            second
        );
        engine.cancel(&first).await.unwrap();
        engine.ended(&second, Duration::from_secs(5)).await;
        let done = Progress::Done(Copied {
            files: 1,
            bytes: 3,
            bytes_read: 3,
        });
        assert_eq!(engine.poll(&second).await.unwrap(), done);
        engine.cancel(&second).await.unwrap();
        assert!(engine.poll(&second).await.is_err());
    }
}
