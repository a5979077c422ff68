//! Checks by schedule: of every object (level 2) and of every row (level 3) of a replica, each by its own beat. What a check looks
//! at is the worker's to know, and what becomes of a replica that differs is told in `quarantine`.

use model::{ReplicaId, Timestamp};
use serde_json::json;

use super::hold::hold;
use super::jobs::JobRecord;
use super::records::ReplicaRecord;
use super::schedule::Schedule;
use crate::audit::Object;
use crate::change::Change;
use crate::error::Error;
use crate::jobs::{self, Herd, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

impl Exchange {
    /// Wakes the checks of replicas that are due. A check of every row looks at every object, too: where both are due, one is enough.
    pub async fn checks_tick(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let now = self.now();
        let due = sql!(
            "select replica_id from sync_job where not paused and (verify_objects_due_at <= $1 or verify_rows_due_at <= $1)
             order by replica_id limit 500"
        )
        .bind(now)
        .rows(self.db())
        .await?;
        let mut herd = Herd::new(self.db().now().await?);
        for row in due {
            let replica: ReplicaId = row.get("replica_id")?;
            let job = self.job_of(self.db(), replica).await?;
            let record = self.replica_record(self.db(), replica).await?;
            if let (Some(job), Some(record)) = (job, record) {
                self.check_due(principal, &record, &job, &mut herd).await?;
            }
        }
        Ok(())
    }

    async fn check_due(
        &self,
        principal: &Principal,
        replica: &ReplicaRecord,
        job: &JobRecord,
        herd: &mut Herd,
    ) -> Result<(), Error> {
        let database_now = self.db().now().await?;
        let mut change = self.change(principal).await?;
        hold(change.tx(), replica.id).await?;
        let Some(level) = take_due(&mut change, job).await? else {
            return Ok(());
        };
        let location = replica.location()?;
        if replica.follows() {
            for table in self.replica_tables(change.tx(), replica.id).await? {
                // Before its first sync there is nothing to check.
                if !table.follows() || table.replica_version.is_none() {
                    continue;
                }
                let wake = Wake::new(WorkKind::Verify, table.id)
                    .at(Some(location.clone()))
                    .with(json!({ "level": level }))
                    .not_before(herd.turn());
                if level == 3 {
                    change.wake(wake);
                } else {
                    // A closer check that waits is not to become this one; one that was given up is tried again.
                    let at = change.at();
                    jobs::look(change.tx(), &wake, at, database_now).await?;
                }
            }
        }
        change.note(
            Operation::WorkRun,
            Object::new("replica", replica.id),
            json!({ "due": "verify", "level": level }),
        );
        change.commit().await
    }
}

/// Moves the due dates that are over, and says how closely is to be looked. Of two processes that tick at once only one is told.
async fn take_due(change: &mut Change, job: &JobRecord) -> Result<Option<u8>, Error> {
    let at = change.at();
    let next = |text: &Option<String>, due: Option<Timestamp>| {
        let checks = Schedule::of_checks(text.as_deref()?, &job.timezone).ok()?;
        checks.next_after(due.unwrap_or(at), at)
    };
    let rows = sql!(
        "update sync_job set verify_rows_due_at = $1, updated_at = $2
         where id = $3 and verify_rows_due_at <= $2 and not paused"
    )
    .bind(next(&job.verify_rows, job.verify_rows_due_at))
    .bind(at)
    .bind(job.id)
    .execute(change.tx())
    .await?;
    let objects = sql!(
        "update sync_job set verify_objects_due_at = $1, updated_at = $2
         where id = $3 and verify_objects_due_at <= $2 and not paused"
    )
    .bind(next(&job.verify_objects, job.verify_objects_due_at))
    .bind(at)
    .bind(job.id)
    .execute(change.tx())
    .await?;
    Ok(match (rows, objects) {
        (0, 0) => None,
        (0, _) => Some(2),
        _ => Some(3),
    })
}
