//! The part of a run that writes the files of a narrowed replica. It is done in this process, whichever engine copies: what is left out is
//! not to be stored on the way, and the key goes to nobody else.

use std::sync::atomic::{AtomicBool, Ordering};

use delta::Unnarrowed;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use model::RunState;
use tokio::time::Instant;

use super::{Driver, PROGRESS, RunError};
use crate::files::{Copied, CopyFailure, FailureKind};
use crate::narrow::{self, Narrow};
use crate::plan::{Plan, PlanError};

/// What the run's process keeps of the files that it has written; one for all plans of the run.
pub(super) const NARROWED: &str = "narrowed";

/// Files that are read and written at the same time.
const FILES: usize = 4;

impl Driver<'_> {
    /// Writes what the plan lacks and puts it into the commit. False: it cannot be, and the run is planning anew or over.
    pub(super) async fn narrowed(
        &mut self,
        narrow: &Narrow,
        plan: &mut Plan,
    ) -> Result<bool, RunError> {
        let pair = self.pair;
        let path = self.file(NARROWED);
        let mut all = narrow::done_before(&path).await;
        let mut lines = narrow::lines(&path).await?;
        let mut copied = Copied::default();
        for done in all.values() {
            narrow::count(&mut copied, done);
        }
        let Some(work) = &plan.narrow else {
            return Ok(true);
        };
        let stopped = AtomicBool::new(false);
        let left = work.files.iter().filter(|file| !all.contains_key(&file.of));
        let left: Vec<_> = left
            .map(|file| {
                let (made, stopped) = (&work.made, &stopped);
                async move {
                    if stopped.load(Ordering::Relaxed) {
                        return None;
                    }
                    let done = narrow::write(pair, narrow, made, file).await;
                    Some((file.nth, done))
                }
                .boxed()
            })
            .collect();
        let mut writes = stream::iter(left).buffer_unordered(FILES);
        let mut first = None;
        let mut saved = Instant::now();
        loop {
            let next = tokio::time::timeout(PROGRESS, writes.next()).await;
            match next {
                Ok(None) => break,
                Ok(Some(Some((_, Ok(done))))) => {
                    narrow::note(&mut lines, &done).await?;
                    narrow::count(&mut copied, &done);
                    all.insert(done.of.clone(), done);
                }
                // What is under way is finished, nothing new is begun.
                Ok(Some(Some((nth, Err(why))))) => {
                    stopped.store(true, Ordering::Relaxed);
                    first.get_or_insert((nth, why));
                }
                Ok(Some(None)) | Err(_) => {}
            }
            if saved.elapsed() >= PROGRESS {
                saved = Instant::now();
                self.record.copied = copied;
                self.save(self.record.state).await?;
            }
        }
        drop(writes);
        self.record.copied = copied;
        if let Some((nth, why)) = first {
            return self.unnarrowed(Some(nth), why).await;
        }
        if let Err(why) = narrow::settle(pair, narrow, plan, &all).await {
            return self.unnarrowed(None, why).await;
        }
        if let Some(kept) = &mut self.record.plan {
            kept.bytes_full = plan.summary.bytes_full;
            kept.rows_full = plan.summary.rows_full;
        }
        let (bytes, is_readable) = self.is_readable(plan);
        if !is_readable {
            let limit = pair.target.budgets().commit_bytes;
            let why = PlanError::TooLarge { bytes, limit }.to_string();
            self.end(RunState::Failed, why).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// What becomes of the run when a file cannot be narrowed: which of the source's, in the order of its log.
    async fn unnarrowed(&mut self, nth: Option<usize>, why: Unnarrowed) -> Result<bool, RunError> {
        // A name may hold values of columns.
        let version = self.record.plan.as_ref().map(|plan| plan.source_version);
        let file = match nth {
            Some(nth) => format!(
                "data file {nth} of version {}, in the order of its log",
                version.unwrap_or_default()
            ),
            None => "a data file".to_owned(),
        };
        match why {
            Unnarrowed::Source(error) => Err(RunError::Plan(PlanError::Source(error))),
            Unnarrowed::Target(error) => Err(RunError::Commit(error)),
            Unnarrowed::Missing => {
                let failure = CopyFailure {
                    kind: FailureKind::Missing,
                    src: String::new(),
                    message: format!("{file}, is not there"),
                };
                self.copy_failed(failure).await?;
                Ok(false)
            }
            // A later version may do without the file.
            Unnarrowed::Damaged(_) if self.is_on_its_way() => {
                self.record.lost_file = true;
                self.again().await?;
                Ok(false)
            }
            Unnarrowed::Damaged(what) => {
                let why = format!("The source cannot be narrowed. Of its {file}: {what}.");
                self.end(RunState::Failed, why).await?;
                Ok(false)
            }
        }
    }
}
