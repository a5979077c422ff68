//! The part of a run that writes the files of a narrowed replica. It is done in this process, whichever engine copies: what is left out is
//! not to be stored on the way, and the key goes to nobody else.

use std::sync::atomic::{AtomicBool, Ordering};

use delta::Unnarrowed;
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use model::RunState;
use tokio::time::Instant;

use super::{Driver, PROGRESS, RunError};
use crate::apply::{Applied, keep, kept};
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
        let Some(applied) = self.applied(narrow, plan).await? else {
            return Ok(false);
        };
        let path = self.file(NARROWED);
        let mut all = narrow::done_before(&path).await;
        let mut lines = narrow::lines(&path).await?;
        let mut copied = counted(&applied);
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
        if let Err(why) = narrow::settle(pair, narrow, plan, &all, &applied).await {
            return self.unnarrowed(None, why).await;
        }
        if let Some(kept) = &mut self.record.plan {
            kept.bytes_full = plan.summary.bytes_full;
            kept.rows_full = plan.summary.rows_full;
        }
        let (bytes, is_readable) = self.is_readable(plan);
        if !is_readable && !applied.is_empty() {
            return self.by_files("the commit would be too large").await;
        }
        if !is_readable {
            let limit = pair.target.budgets().commit_bytes;
            let why = PlanError::TooLarge { bytes, limit }.to_string();
            self.end(RunState::Failed, why).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Changes the rows of what is not narrowed anew. None: it cannot be, and the run is planning anew, for files alone.
    async fn applied(
        &mut self,
        narrow: &Narrow,
        plan: &Plan,
    ) -> Result<Option<Vec<Applied>>, RunError> {
        let Some(work) = plan.narrow.as_ref().filter(|work| !work.sets.is_empty()) else {
            return Ok(Some(Vec::new()));
        };
        let (pair, summary) = (self.pair, &plan.summary);
        let path = self.file(&format!("{}.rows", summary.ordinal));
        let mut all = kept(&path, &summary.choice).await.unwrap_or_default();
        let done = all.len();
        let stopped = AtomicBool::new(false);
        let left = work.sets.iter().skip(done).map(|set| {
            let stopped = &stopped;
            async move {
                if stopped.load(Ordering::Relaxed) {
                    return None;
                }
                Some(narrow::apply(pair, narrow, (work, set), summary).await)
            }
            .boxed()
        });
        let left: Vec<_> = left.collect();
        let mut applying = stream::iter(left).buffered(FILES);
        let mut saved = Instant::now();
        let mut failed = None;
        loop {
            match tokio::time::timeout(PROGRESS, applying.next()).await {
                Ok(None) => break,
                Ok(Some(Some(Ok(applied)))) if failed.is_none() => all.push(applied),
                // What is under way is finished, nothing new is begun.
                Ok(Some(Some(Err(why)))) => {
                    stopped.store(true, Ordering::Relaxed);
                    failed.get_or_insert(why);
                }
                Ok(Some(_)) | Err(_) => {}
            }
            if saved.elapsed() >= PROGRESS {
                saved = Instant::now();
                keep(&path, &summary.choice, &all).await?;
                self.record.copied = counted(&all);
                self.save(self.record.state).await?;
            }
        }
        drop(applying);
        if all.len() > done {
            keep(&path, &summary.choice, &all).await?;
        }
        let why = match failed {
            None => return Ok(Some(all)),
            Some(Unnarrowed::Source(error)) => {
                return Err(RunError::Plan(PlanError::Source(error)));
            }
            Some(Unnarrowed::Target(error)) => return Err(RunError::Commit(error)),
            Some(Unnarrowed::Missing) => "a file of the source is gone".to_owned(),
            Some(Unnarrowed::Damaged(why)) => why,
        };
        self.by_files(&why).await?;
        Ok(None)
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

/// What was written and read for what was applied.
fn counted(applied: &[Applied]) -> Copied {
    let mut copied = Copied::default();
    for applied in applied {
        applied.count(&mut copied);
    }
    copied
}
