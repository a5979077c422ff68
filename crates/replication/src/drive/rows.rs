//! The part of a run that is no copying: what was chosen to be done by rows is applied once its objects are there, and what was
//! fetched only to be read is deleted in the end.

use delta::Unfit;
use futures::StreamExt as _;
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::narrowed::NARROWED;
use super::{Driver, RunError};
use crate::apply::{apply, keep, kept, settle};
use crate::choose::STAGED;
use crate::plan::Plan;
use crate::say::say;

impl Driver<'_> {
    pub(super) async fn forget(&self, name: &str) -> std::io::Result<()> {
        match tokio::fs::remove_file(self.file(name)).await {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Forgets what is written down of work of which something is not there.
    pub(super) async fn forget_work(&self, ordinal: u32) -> std::io::Result<()> {
        self.forget("receipts").await?;
        self.forget(NARROWED).await?;
        self.forget(&format!("{ordinal}.rows")).await
    }

    /// Applies what the plan does not copy, once what it takes is there. False: it cannot be, and the run is planning anew, for
    /// files alone.
    pub(super) async fn settled(&mut self, plan: &mut Plan) -> Result<bool, RunError> {
        if plan.is_settled {
            return Ok(true);
        }
        let pair = self.pair;
        if let Some(narrow) = &pair.narrow {
            return self.narrowed(narrow, plan).await;
        }
        if plan.chosen.works.is_empty() {
            return Ok(true);
        }
        let path = self.file(&format!("{}.rows", plan.summary.ordinal));
        let applied = match kept(&path, &plan.summary.choice).await {
            Some(applied) => applied,
            None => match apply(&self.pair.target, plan, self.pair.ways).await {
                Ok(applied) => {
                    keep(&path, &plan.summary.choice, &applied).await?;
                    applied
                }
                Err(Unfit::Log(error)) => return Err(RunError::Commit(error)),
                Err(Unfit::Rows(why)) => return self.by_files(&why).await,
            },
        };
        settle(plan, &applied);
        // How much it says of groups is known only now.
        if !self.is_readable(plan).1 {
            return self.by_files("the commit would be too large").await;
        }
        Ok(true)
    }

    /// Bytes of a plan's commit, and whether it could be read back: what cannot must not be written.
    pub(super) fn is_readable(&self, plan: &Plan) -> (u64, bool) {
        let (at, limits) = (plan.summary.planned_at, self.pair.target.budgets());
        let body = plan.draft.body(&plan.summary, self.pair.replica_table, at);
        let bytes = body.len() as u64;
        let mut lines = body.split(|byte| *byte == b'\n');
        let is_readable = bytes < limits.commit_bytes
            && lines.all(|line| (line.len() as u64) < limits.line_bytes);
        (bytes, is_readable)
    }

    /// Plans anew, for files alone.
    pub(super) async fn by_files(&mut self, why: &str) -> Result<bool, RunError> {
        tracing::info!(
            replica_table = %self.pair.replica_table, run = %self.run.id, why = %why,
            "rows could not be changed by the change feed; their files are copied"
        );
        self.record.files_only = true;
        self.again().await?;
        Ok(false)
    }

    /// What was fetched only to be read has done its duty. What is left all the same is vacuumed.
    pub(super) async fn unstage(&self) {
        let objects = self.pair.target.objects();
        let mut listing = objects.list(Some(&Path::from(STAGED)));
        while let Some(Ok(object)) = listing.next().await {
            if let Err(error) = objects.delete(&object.location).await {
                tracing::warn!(object = %object.location, error = %say(&error), "what was fetched to be read stays behind");
                return;
            }
        }
    }
}
