//! The end of a run: the commit, whose answer may be unclear, and the look at what stands there afterwards.

use delta::{LogError, Table, Written};
use model::RunState;

use super::{Driver, RunError};
use crate::mark::mark_of;
use crate::plan::{PlanError, PlanSummary};
use crate::tail;
use crate::verify::{VerifyError, are_there};

/// Commits between two checkpoints of a replica.
const CHECKPOINT_EVERY: u64 = 10;

impl Driver<'_> {
    pub(super) async fn committing(&mut self) -> Result<(), RunError> {
        let (Some(kept), Some(at)) = (self.record.plan.clone(), self.record.commit_at) else {
            return self.again().await;
        };
        let target = &self.pair.target;
        let latest = target.latest_version().await.map_err(RunError::Commit)?;
        if latest.is_some_and(|latest| latest >= kept.target_version) {
            return self.taken(&kept).await;
        }
        let is_taken_up = self.plan.is_none();
        let Some(mut plan) = self.files_of_plan().await? else {
            return Ok(());
        };
        if !self.settled(&mut plan).await? {
            return Ok(());
        }
        // No log names what was copied yet: since then a vacuum may have taken it for an orphan.
        if is_taken_up && let Err(error) = are_there(&self.pair.target, &plan).await {
            if !matches!(error, VerifyError::Wrong(_)) {
                return Err(RunError::Verify(error));
            }
            self.forget_work(plan.summary.ordinal).await?;
            // What was written anew here is written again.
            self.plan = Some(plan).filter(|plan| !plan.is_settled);
            return self.save(RunState::Copying).await;
        }
        let mut at = at;
        if is_taken_up {
            // Since it was fixed days may have gone by: tombstones as old as that would be over before they stand, and whoever
            // reads the version before this one would be left without its files.
            at = self.clock.now();
            self.record.commit_at = Some(at);
            self.save(RunState::Committing).await?;
        }
        let body = plan.draft.body(&plan.summary, self.pair.replica_table, at);
        model::crash_point!("sync.commit.before");
        let written = self
            .pair
            .target
            .write_commit(kept.target_version, body)
            .await;
        model::crash_point!("sync.commit.after");
        match written.map_err(RunError::Commit)? {
            Written::Ours if !is_taken_up => self.save(RunState::Verifying).await,
            // It may be what an earlier attempt wrote, at another time.
            Written::Ours | Written::Taken => self.taken(&kept).await,
        }
    }

    /// The version stands in the log: by this run, by another run of this replica table, or by a stranger.
    async fn taken(&mut self, plan: &PlanSummary) -> Result<(), RunError> {
        let version = plan.target_version;
        let mark = mark_of(&self.pair.target, version, self.pair.replica_table).await;
        match mark.map_err(|error| RunError::Commit(error.into()))? {
            Some(mark) if mark.run == self.run.id && mark.source_version == plan.source_version => {
                self.record.commit_at = mark.committed_at.or(self.record.commit_at);
                self.save(RunState::Verifying).await
            }
            // Another run, or an earlier plan of this one by a driver that was fenced too late.
            Some(_) => self.again().await,
            None => {
                let what = format!("somebody else wrote version {version}");
                self.end(RunState::Parked, PlanError::Diverged { what }.to_string())
                    .await
            }
        }
    }

    pub(super) async fn verifying(&mut self) -> Result<(), RunError> {
        let Some(mut plan) = self.record.plan.clone() else {
            return self.again().await;
        };
        model::crash_point!("sync.verify.before");
        let verified = tail::verified(self.pair, &mut plan).await;
        model::crash_point!("sync.verify.after");
        match verified {
            Ok(verified) => {
                self.record.verified = Some(verified);
                self.record.plan = Some(plan.clone());
            }
            Err(error) if error.is_passing() => return Err(RunError::Verify(error)),
            Err(error) => {
                self.record.differs = true;
                return self.end(RunState::Failed, error.to_string()).await;
            }
        }
        if plan.target_version > 0 && plan.target_version.is_multiple_of(CHECKPOINT_EVERY) {
            model::crash_point!("sync.checkpoint.before");
            if let Err(error) = checkpoint(&self.pair.target, plan.target_version).await {
                // Readers do without; the next one is due soon.
                tracing::warn!(
                    replica_table = %self.pair.replica_table, version = plan.target_version, %error,
                    "no checkpoint could be written on the replica"
                );
            }
            model::crash_point!("sync.checkpoint.after");
        }
        // Of a plan that was given up, too.
        let is_staged = !plan.choice.is_empty() || self.record.files_only;
        if is_staged && plan.narrowed.is_none() {
            self.unstage().await;
        }
        self.save(RunState::Done).await
    }
}

async fn checkpoint(target: &Table, version: u64) -> Result<(), LogError> {
    target
        .write_checkpoint(&target.snapshot(Some(version)).await?)
        .await
}
