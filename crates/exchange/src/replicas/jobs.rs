//! The job that keeps a replica fresh: reading it, changing it, and waking the work when it is due.

use model::dto::{Replica, SyncJob, SyncJobChange};
use model::{Commits, Fetches, Name, ReplicaId, ReplicaState, SyncJobId, Timestamp};
use serde_json::json;

use super::deadline::FORGET_HOURS;
use super::hold::hold;
use super::schedule::{self, Parts, Schedule};
use crate::audit::Object;
use crate::db::On;
use crate::error::{Check, Error};
use crate::jobs::{Herd, Wake, WorkKind};
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
    pub new_version_seconds: Option<i64>,
    pub fresh_seconds: Option<i64>,
    pub timezone: String,
    /// When every object is checked, and every row: a period or a cron line.
    pub verify_objects: Option<String>,
    pub verify_objects_due_at: Option<Timestamp>,
    pub verify_rows: Option<String>,
    pub verify_rows_due_at: Option<Timestamp>,
    pub retention_hours: i64,
    pub keep_hours: i64,
    pub forget_hours: Option<i64>,
    pub paused: bool,
    pub fetches: Fetches,
    pub commits: Commits,
    pub next_due_at: Option<Timestamp>,
    pub last_due_at: Option<Timestamp>,
    /// Since when the schedule holds.
    pub scheduled_at: Option<Timestamp>,
    pub revision: i64,
}
from_row!(JobRecord {
    id,
    name,
    every_seconds,
    at_time,
    cron,
    new_version_seconds,
    fresh_seconds,
    timezone,
    verify_objects,
    verify_objects_due_at,
    verify_rows,
    verify_rows_due_at,
    retention_hours,
    keep_hours,
    forget_hours,
    paused,
    fetches,
    commits,
    next_due_at,
    last_due_at,
    scheduled_at,
    revision
});

impl JobRecord {
    pub(crate) fn schedule(&self) -> Result<Schedule, schedule::ScheduleError> {
        Schedule::of(Parts {
            every_seconds: self.every_seconds,
            at: self.at_time.as_deref(),
            cron: self.cron.as_deref(),
            new_version_seconds: self.new_version_seconds,
            fresh_seconds: self.fresh_seconds,
            zone: &self.timezone,
        })
    }

    /// Whether it goes by another schedule than `before`.
    fn goes_otherwise(&self, before: &Self) -> bool {
        let of = |job: &Self| {
            (
                (job.every_seconds, job.at_time.clone(), job.cron.clone()),
                (job.new_version_seconds, job.fresh_seconds),
                (job.timezone.clone(), job.paused),
            )
        };
        of(self) != of(before)
    }

    /// When checks that go by `text` come next; not while the job is paused.
    fn checks_due(&self, text: Option<&str>, now: Timestamp) -> Option<Timestamp> {
        let text = text.filter(|_| !self.paused)?;
        Schedule::of_checks(text, &self.timezone)
            .ok()?
            .next_due(now)
    }
}

impl From<JobRecord> for SyncJob {
    fn from(record: JobRecord) -> Self {
        Self {
            name: record.name,
            every: record.every_seconds.map(schedule::format_every),
            at: record.at_time,
            cron: record.cron,
            on_new_version: record.new_version_seconds.map(schedule::format_every),
            fresh_within: record.fresh_seconds.map(schedule::format_every),
            timezone: record.timezone,
            verify_objects: record.verify_objects,
            verify_rows: record.verify_rows,
            next_objects_at: record.verify_objects_due_at,
            next_rows_at: record.verify_rows_due_at,
            retention_hours: record.retention_hours,
            keep_hours: record.keep_hours,
            forget_hours: record.forget_hours,
            paused: record.paused,
            fetches: record.fetches,
            commits: record.commits,
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
            "select id, name, every_seconds, at_time, cron, new_version_seconds, fresh_seconds, timezone, verify_objects,
                    verify_objects_due_at, verify_rows, verify_rows_due_at, retention_hours, keep_hours, forget_hours, paused, fetches,
                    commits, next_due_at, last_due_at, scheduled_at, revision from sync_job where replica_id = $1"
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
        let before = job.clone();
        let now = self.now();
        apply(&mut job, new)?;
        let schedule = job
            .schedule()
            .map_err(|error| Error::invalid("every", error))?;
        if job.goes_otherwise(&before) {
            job.next_due_at = schedule.next_due(now).filter(|_| !job.paused);
            job.scheduled_at = Some(now);
        }
        if job.forget_hours != before.forget_hours {
            // Of what was before it the deadline promises nothing.
            job.scheduled_at = Some(now);
        }
        let is_checked_otherwise = job.timezone != before.timezone || job.paused != before.paused;
        if is_checked_otherwise || job.verify_objects != before.verify_objects {
            job.verify_objects_due_at = job.checks_due(job.verify_objects.as_deref(), now);
        }
        if is_checked_otherwise || job.verify_rows != before.verify_rows {
            job.verify_rows_due_at = job.checks_due(job.verify_rows.as_deref(), now);
        }
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update sync_job set name = $1, every_seconds = $2, at_time = $3, cron = $4, timezone = $5, retention_hours = $6,
                 keep_hours = $7, paused = $8, next_due_at = $9, revision = revision + 1, updated_at = $10,
                 new_version_seconds = $13, fresh_seconds = $14, verify_objects = $15, verify_objects_due_at = $16,
                 verify_rows = $17, verify_rows_due_at = $18, scheduled_at = $19, fetches = $20,
                 forget_hours = $21, commits = $22
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
        .bind(job.new_version_seconds)
        .bind(job.fresh_seconds)
        .bind(job.verify_objects.as_deref())
        .bind(job.verify_objects_due_at)
        .bind(job.verify_rows.as_deref())
        .bind(job.verify_rows_due_at)
        .bind(job.scheduled_at)
        .bind(job.fetches)
        .bind(job.forget_hours)
        .bind(job.commits)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("sync job"));
        }
        change.note(
            Operation::SyncJobUpdate,
            Object::new("replica", replica.id),
            json!({ "schedule": schedule.describe(), "retention_hours": job.retention_hours,
                    "keep_hours": job.keep_hours, "paused": job.paused, "verify_objects": job.verify_objects,
                    "verify_rows": job.verify_rows, "fetches": job.fetches, "commits": job.commits,
                    "forget_hours": job.forget_hours }),
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
        let mut herd = Herd::new(self.db().now().await?);
        for row in due {
            let replica: ReplicaId = row.get("replica_id")?;
            let Some(job) = self.job_of(self.db(), replica).await? else {
                continue;
            };
            let Some(record) = self.replica_record(self.db(), replica).await? else {
                continue;
            };
            let schedule = job.schedule().ok();
            if let Some(promise) = schedule.as_ref().and_then(Schedule::promise) {
                let next = schedule.and_then(|schedule| schedule.next_due(now));
                self.look_due(&record, &job, promise, next, &mut herd)
                    .await?;
                continue;
            }
            let location = record.location()?;
            let next = schedule
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
                let wake = Wake::new(kind, table.id).at(Some(location.clone()));
                change.wake(wake.not_before(herd.turn()));
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
    let period = |seconds: Option<i64>| seconds.map(schedule::format_every);
    let [every, cron, new_version, fresh] = chosen([
        (new.every, period(job.every_seconds)),
        (new.cron, job.cron.take()),
        (new.on_new_version, period(job.new_version_seconds)),
        (new.fresh_within, period(job.fresh_seconds)),
    ]);
    job.cron = cron;
    for (field, text, seconds) in [
        ("every", every, &mut job.every_seconds),
        ("on_new_version", new_version, &mut job.new_version_seconds),
        ("fresh_within", fresh, &mut job.fresh_seconds),
    ] {
        *seconds = text.and_then(|text| {
            schedule::parse_every(&text)
                .map_err(|error| check.fail(field, error))
                .ok()
        });
    }
    if let Some(at) = new.at {
        job.at_time = some(at);
    }
    if job.every_seconds.is_none() {
        job.at_time = None;
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
    if let Some(hours) = new.forget_hours {
        job.forget_hours = Some(hours).filter(|hours| *hours != 0);
        if hours != 0 && !FORGET_HOURS.contains(&hours) {
            check.fail("forget_hours", "0 for no deadline, or from 8 to 87600");
        }
    }
    if let Some(text) = new.verify_objects {
        job.verify_objects = some(text.trim().to_owned());
    }
    if let Some(text) = new.verify_rows {
        job.verify_rows = some(text.trim().to_owned());
    }
    for (field, text) in [
        ("verify_objects", &job.verify_objects),
        ("verify_rows", &job.verify_rows),
    ] {
        // Of the time zone is told below.
        if let Some(text) = text
            && let Err(error) = Schedule::of_checks(text, "UTC")
        {
            check.fail(field, error);
        }
    }
    job.paused = new.paused.unwrap_or(job.paused);
    job.fetches = new.fetches.unwrap_or(job.fetches);
    job.commits = new.commits.unwrap_or(job.commits);
    match job.schedule() {
        Ok(_) => {}
        Err(error @ schedule::ScheduleError::Zone) => check.fail("timezone", error),
        Err(error @ (schedule::ScheduleError::At | schedule::ScheduleError::AtWithoutDays)) => {
            check.fail("at", error)
        }
        Err(error @ (schedule::ScheduleError::Cron(_) | schedule::ScheduleError::Never)) => {
            check.fail("cron", error)
        }
        Err(error) => check.fail("every", error),
    }
    check.done()
}

/// Which of the ways to say when stands afterwards, each of what is given for it and what stands. A form sends what stood there, too:
/// what is new takes its place. An empty text takes one away, and what is not given stays.
fn chosen<const N: usize>(ways: [(Option<String>, Option<String>); N]) -> [Option<String>; N] {
    let is_new = |given: &Option<String>, stands: &Option<String>| {
        given != stands && given.as_ref().is_some_and(|given| !given.is_empty())
    };
    let is_any_new = ways.iter().any(|(given, stands)| is_new(given, stands));
    ways.map(|(given, stands)| match given {
        given if is_any_new => {
            let stays = is_new(&given, &stands);
            given.filter(|_| stays)
        }
        Some(given) => Some(given).filter(|given| !given.is_empty()),
        None => stands,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_takes_the_place_of_what_stood() {
        let text = |text: &str| Some(text.to_owned());
        for (every, cron, expected) in [
            // The form as it was drawn.
            (
                (text("1d"), text("1d")),
                (text(""), None),
                [text("1d"), None],
            ),
            // A cron line beside it.
            (
                (text("1d"), text("1d")),
                (text("0 3 * * *"), None),
                [None, text("0 3 * * *")],
            ),
            // Back again.
            (
                (text("2d"), None),
                (None, text("0 3 * * *")),
                [text("2d"), None],
            ),
            // Taken away.
            ((text(""), text("1d")), (text(""), None), [None, None]),
            ((None, text("1d")), (None, None), [text("1d"), None]),
            // Both are new: which is meant is not for us to say.
            (
                (text("2d"), text("1d")),
                (text("0 3 * * *"), None),
                [text("2d"), text("0 3 * * *")],
            ),
        ] {
            assert_eq!(chosen([every, cron]), expected);
        }
    }
}
