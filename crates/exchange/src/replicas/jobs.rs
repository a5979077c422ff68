//! The job that keeps a replica fresh: reading it, changing it, and waking the work when it is due.

use model::dto::{Replica, SyncJob, SyncJobChange};
use model::{Name, ReplicaId, ReplicaState, SyncJobId, Timestamp};
use serde_json::json;

use super::hold::hold;
use super::schedule::{self, Schedule};
use crate::audit::Object;
use crate::db::On;
use crate::error::{Check, Error};
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// A job's row.
#[derive(Clone, Debug)]
pub(crate) struct JobRecord {
    pub id: SyncJobId,
    pub name: Option<Name>,
    pub every_seconds: Option<i64>,
    pub at_time: Option<String>,
    pub cron: Option<String>,
    pub timezone: String,
    pub retention_hours: i64,
    pub keep_hours: i64,
    pub paused: bool,
    pub next_due_at: Option<Timestamp>,
    pub last_due_at: Option<Timestamp>,
    pub revision: i64,
}
from_row!(JobRecord {
    id,
    name,
    every_seconds,
    at_time,
    cron,
    timezone,
    retention_hours,
    keep_hours,
    paused,
    next_due_at,
    last_due_at,
    revision
});

impl JobRecord {
    pub(crate) fn schedule(&self) -> Result<Schedule, schedule::ScheduleError> {
        Schedule::new(
            self.every_seconds,
            self.at_time.as_deref(),
            self.cron.as_deref(),
            &self.timezone,
        )
    }
}

impl From<JobRecord> for SyncJob {
    fn from(record: JobRecord) -> Self {
        Self {
            name: record.name,
            every: record.every_seconds.map(schedule::format_every),
            at: record.at_time,
            cron: record.cron,
            timezone: record.timezone,
            retention_hours: record.retention_hours,
            keep_hours: record.keep_hours,
            paused: record.paused,
            next_due_at: record.next_due_at,
            revision: record.revision,
        }
    }
}

impl Exchange {
    pub(crate) async fn job_of<'a>(
        &self,
        on: impl Into<On<'a>>,
        replica: ReplicaId,
    ) -> Result<Option<JobRecord>, Error> {
        Ok(sql!(
            "select id, name, every_seconds, at_time, cron, timezone, retention_hours, keep_hours, paused,
                    next_due_at, last_due_at, revision from sync_job where replica_id = $1"
        )
        .bind(replica)
        .first(on)
        .await?)
    }

    /// Changes when and how a replica is synced.
    pub async fn sync_job_update(
        &self,
        principal: &Principal,
        reference: &str,
        new: SyncJobChange,
    ) -> Result<Replica, Error> {
        let (replica, scope) = self.replica_for(principal, reference).await?;
        can(principal, Operation::SyncJobUpdate, &scope)?;
        let mut job = self
            .job_of(self.db(), replica.id)
            .await?
            .ok_or(Error::NotFound("sync job"))?;
        let seen = new.revision.unwrap_or(job.revision);
        let changed_schedule = new.every.is_some()
            || new.at.is_some()
            || new.cron.is_some()
            || new.timezone.is_some()
            || new.paused.is_some();
        apply(&mut job, new)?;
        let schedule = job
            .schedule()
            .map_err(|error| Error::invalid("every", error))?;
        if changed_schedule {
            job.next_due_at = if job.paused {
                None
            } else {
                schedule.next_due(self.now())
            };
        }
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update sync_job set name = $1, every_seconds = $2, at_time = $3, cron = $4, timezone = $5, retention_hours = $6,
                 keep_hours = $7, paused = $8, next_due_at = $9, revision = revision + 1, updated_at = $10
             where id = $11 and revision = $12"
        )
        .bind(job.name.as_ref().map(ToString::to_string))
        .bind(job.every_seconds)
        .bind(job.at_time.as_deref())
        .bind(job.cron.as_deref())
        .bind(&job.timezone)
        .bind(job.retention_hours)
        .bind(job.keep_hours)
        .bind(job.paused)
        .bind(job.next_due_at)
        .bind(at)
        .bind(job.id)
        .bind(seen)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("sync job"));
        }
        change.note(
            Operation::SyncJobUpdate,
            Object::new("replica", replica.id),
            json!({ "schedule": schedule.describe(), "retention_hours": job.retention_hours,
                    "keep_hours": job.keep_hours, "paused": job.paused }),
        );
        change.commit().await?;
        self.replica(principal, &replica.id.to_string()).await
    }

    /// Wakes a sync of every replica table whose job is due, and says when the next one will be.
    pub async fn schedules_tick(&self, principal: &Principal) -> Result<Option<Timestamp>, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let now = self.now();
        let due = sql!(
            "select replica_id from sync_job where not paused and next_due_at <= $1 order by next_due_at limit 500"
        )
        .bind(now)
        .rows(self.db())
        .await?;
        for row in due {
            let replica: ReplicaId = row.get("replica_id")?;
            let Some(job) = self.job_of(self.db(), replica).await? else {
                continue;
            };
            let Some(record) = self.replica_record(self.db(), replica).await? else {
                continue;
            };
            let location = record.location()?;
            let next = job
                .schedule()
                .ok()
                .and_then(|schedule| schedule.next_after(job.next_due_at.unwrap_or(now), now));
            let mut change = self.change(principal).await?;
            // In the order that all take them in.
            hold(change.tx(), replica).await?;
            // Two processes tick at once: only the one that moves the due date wakes the work.
            let moved = sql!(
                "update sync_job set last_due_at = next_due_at, next_due_at = $1, updated_at = $2
                 where id = $3 and next_due_at <= $2 and not paused"
            )
            .bind(next)
            .bind(now)
            .bind(job.id)
            .execute(change.tx())
            .await?;
            if moved == 0 {
                continue;
            }
            let kind = match record.state {
                ReplicaState::Pending | ReplicaState::Ready | ReplicaState::Diverged => {
                    WorkKind::Sync
                }
                // Nobody reads it any more, but what the source forgot is still forgotten here.
                ReplicaState::Draining => WorkKind::Vacuum,
                ReplicaState::Erasing | ReplicaState::Deleted => continue,
            };
            self.promise_due(&mut change, &record, &job).await?;
            for table in self.replica_tables(change.tx(), replica).await? {
                let kind = if table.follows() {
                    kind
                } else if table.is_kept() {
                    WorkKind::Vacuum
                } else {
                    continue;
                };
                change.wake(Wake::new(kind, table.id).at(Some(location.clone())));
            }
            change.note(
                Operation::WorkRun,
                Object::new("replica", replica),
                json!({ "due": kind, "next": next }),
            );
            change.commit().await?;
        }
        let row =
            sql!("select cast(min(next_due_at) as bigint) as due from sync_job where not paused")
                .row(self.db())
                .await?;
        Ok(row.map(|row| row.get("due")).transpose()?.flatten())
    }
}

fn apply(job: &mut JobRecord, new: SyncJobChange) -> Result<(), Error> {
    let mut check = Check::new();
    let some = |text: String| (!text.is_empty()).then_some(text);
    if let Some(name) = new.name {
        job.name = check.parse("name", &name);
    }
    if let Some(every) = new.every {
        job.every_seconds = match some(every) {
            Some(every) => schedule::parse_every(&every)
                .map_err(|error| check.fail("every", error))
                .ok(),
            None => None,
        };
        if job.every_seconds.is_some() && new.cron.is_none() {
            job.cron = None;
        }
    }
    if let Some(at) = new.at {
        job.at_time = some(at);
    }
    if let Some(cron) = new.cron {
        job.cron = some(cron);
        if job.cron.is_some() {
            job.every_seconds = None;
            job.at_time = None;
        }
    }
    if let Some(zone) = new.timezone {
        job.timezone = check.text("timezone", &zone, 1, 64, false);
    }
    if let Some(hours) = new.retention_hours {
        job.retention_hours = hours;
        // Delta's default is seven days; a reader at an older version must not find its files gone under it.
        if !(1..=24 * 3650).contains(&hours) {
            check.fail("retention_hours", "from 1 to 87600");
        }
    }
    if let Some(hours) = new.keep_hours {
        job.keep_hours = hours;
        if !(0..=24 * 3650).contains(&hours) {
            check.fail("keep_hours", "from 0 to 87600");
        }
    }
    job.paused = new.paused.unwrap_or(job.paused);
    match job.schedule() {
        Ok(_) => {}
        Err(error @ schedule::ScheduleError::Zone) => check.fail("timezone", error),
        Err(error @ (schedule::ScheduleError::At | schedule::ScheduleError::AtWithoutDays)) => {
            check.fail("at", error)
        }
        Err(error @ schedule::ScheduleError::Cron(_)) => check.fail("cron", error),
        Err(error) => check.fail("every", error),
    }
    check.done()
}
