//! The part of a run that moves bytes: what is to be fetched is handed to the copy engine, and looked at before it is committed.

use model::RunState;

use super::{Driver, PROGRESS, RunError};
use crate::each::is_change_data;
use crate::engine::{CopyJob, ExternalRef, Progress};
use crate::files::{Copied, CopyFailure, FailureKind, Follower, write_manifest};
use crate::plan::has_moved_on;
use crate::verify::{VerifyError, are_there};

impl Driver<'_> {
    pub(super) async fn copying(&mut self) -> Result<(), RunError> {
        let Some(mut plan) = self.files_of_plan().await? else {
            return Ok(());
        };
        // Taken up where it was planned without a budget, or with another one.
        if let Some(why) = self.over_budget(&plan.summary, 0) {
            return self.end(RunState::Failed, why).await;
        }
        if !self.taken_over(&mut plan).await? {
            return Ok(());
        }
        if !plan.copies.is_empty() {
            let job = CopyJob {
                run_id: format!("{}.{}", self.run.id, plan.summary.ordinal),
                attempt: self.run.attempt,
                manifest: self.file(&format!("{}.manifest", plan.summary.ordinal)),
                // One for all plans of the run: what an earlier plan copied need not be copied again.
                receipts: self.file("receipts"),
                source: self.run.source.clone(),
                target: self.run.target.clone(),
            };
            model::crash_point!("sync.manifest.before");
            write_manifest(&job.manifest, &plan.copies).await?;
            model::crash_point!("sync.manifest.after");
            let reference = self.engine.submit(&job).await?;
            let ended = self.follow(&reference).await;
            // Done, failed or fenced: nothing is to run on.
            self.engine.cancel(&reference).await?;
            match ended? {
                Ok(copied) => self.record.copied = copied,
                Err(why) => return self.copy_failed(why).await,
            }
            let mut receipts = Follower::new();
            receipts.read(&job.receipts).await?;
            let missing = plan
                .copies
                .iter()
                .find(|i| receipts.finished.size_of(&i.dst) != Some(i.size));
            if let Some(item) = missing {
                let message = format!("the copy engine left no receipt for `{}`", item.dst);
                let kind = FailureKind::Other;
                return Err(RunError::Copy(CopyFailure {
                    kind,
                    src: item.src.clone(),
                    message,
                }));
            }
        }
        if !self.settled(&mut plan).await? {
            return Ok(());
        }
        if !plan.copies.is_empty() || !plan.draft.own.is_empty() {
            // Rule 1: objects first, then a look at each, then the commit.
            if let Err(error) = are_there(&self.pair.target, &plan).await {
                if matches!(error, VerifyError::Wrong(_)) {
                    // The receipts claim what is not there: they are worth nothing.
                    self.forget_work(plan.summary.ordinal).await?;
                }
                return Err(RunError::Verify(error));
            }
        }
        self.plan = Some(plan);
        self.record.commit_at = Some(self.clock.now());
        self.save(RunState::Committing).await
    }

    /// Waits for the engine, saving the progress as it goes.
    async fn follow(
        &mut self,
        reference: &ExternalRef,
    ) -> Result<Result<Copied, CopyFailure>, RunError> {
        loop {
            match self.engine.poll(reference).await? {
                Progress::Done(copied) => return Ok(Ok(copied)),
                Progress::Failed { why, .. } => return Ok(Err(why)),
                Progress::Running(copied) => {
                    self.record.copied = copied;
                    self.engine.ended(reference, PROGRESS).await;
                    self.save(RunState::Copying).await?;
                }
            }
        }
    }

    pub(super) async fn copy_failed(&mut self, why: CopyFailure) -> Result<(), RunError> {
        let is_by_rows = self
            .record
            .plan
            .as_ref()
            .is_some_and(|plan| !plan.choice.is_empty());
        let is_lost = match &self.record.plan {
            Some(plan) if self.record.lost_file => {
                let moved_on = has_moved_on(&self.pair.source, plan).await;
                !moved_on.map_err(RunError::Plan)?
            }
            _ => false,
        };
        match why.kind {
            // Perhaps a file of the change feed: copying does without.
            FailureKind::Missing | FailureKind::Size if is_by_rows => {
                self.record.files_only = true;
                self.again().await
            }
            // Change feeds are vacuumed, too, and the version can be had without.
            FailureKind::Missing | FailureKind::Size if self.is_of_feed(&why) => {
                self.record.unfed = true;
                self.again().await
            }
            // A later version may do without the file.
            FailureKind::Size if self.is_on_its_way() => {
                self.record.lost_file = true;
                self.again().await
            }
            // The source vacuumed the file while we copied: its newest version does without it, or is corrupt (rule 27).
            FailureKind::Missing if !is_lost => {
                self.record.lost_file = true;
                self.again().await
            }
            FailureKind::Missing | FailureKind::Size => {
                self.end(RunState::Failed, format!("The source is corrupt: {why}."))
                    .await
            }
            FailureKind::Other => Err(RunError::Copy(why)),
        }
    }

    /// Whether a failure is about a change feed that the plan was to keep.
    fn is_of_feed(&self, why: &CopyFailure) -> bool {
        let plan = self.record.plan.as_ref();
        plan.is_some_and(|plan| plan.cdc_files > 0) && is_change_data(&why.src)
    }

    /// Whether the plan is for a version that others come after, each by itself.
    pub(super) fn is_on_its_way(&self) -> bool {
        let plan = self.record.plan.as_ref();
        plan.is_some_and(|plan| plan.more > 0) && !self.record.lost_file
    }
}
