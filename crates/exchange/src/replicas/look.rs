//! Schedules that go by what the source does. A source is looked at again and again, a listing of its log's end each time, and a
//! replica table is synced when that is due: because there is a new version, or because a promise of freshness needs it by now.
//!
//! What is known is one instant for each table: when it was last seen to lack nothing of its source. What is older than promised
//! since then breaks the promise, also where nobody could look.

use model::time::{DAY, HOUR, SECOND};
use model::{ReplicaState, Timestamp};
use serde_json::{Value, json};

use super::SyncTask;
use super::hold::{hold, hold_table};
use super::jobs::JobRecord;
use super::records::ReplicaRecord;
use super::schedule::Schedule;
use crate::error::Error;
use crate::jobs::{self, Herd, Leased, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// In the payload of a sync that is only to look whether there is anything to sync.
const LOOK: &str = "look";

/// So long after its last sync a table is synced all the same, though its version has not moved.
const WHOLE_AFTER: i64 = DAY;

/// So long after one that came to nothing it is tried again, however long the pause is: as long as work that was given up is left alone.
const FAILED_PAUSE: i64 = HOUR;

/// A look comes on a beat of its own. One that comes so little before the pause is over does not leave it to the next.
const EARLY: i64 = 30 * SECOND;

/// Whether a piece of work is to look first.
pub fn is_look(leased: &Leased) -> bool {
    leased.payload.get(LOOK) == Some(&Value::Bool(true))
}

/// How a replica table stands towards its source.
#[derive(Debug)]
struct Standing {
    level_at: Option<Timestamp>,
    synced_at: Option<Timestamp>,
    created_at: Timestamp,
    /// When the last sync began that copied something.
    last_copied: Option<Timestamp>,
    /// When the last one began that did not go through.
    last_failed: Option<Timestamp>,
    /// A sync was begun, and its worker is gone.
    is_open: bool,
}
from_row!(Standing {
    level_at,
    synced_at,
    created_at,
    last_copied,
    last_failed,
    is_open
});

impl Exchange {
    /// The job of a replica that goes by what its source does is due: each of its tables is to be looked at. Nothing has changed yet,
    /// so that this is no event.
    pub(super) async fn look_due(
        &self,
        replica: &ReplicaRecord,
        job: &JobRecord,
        promise: i64,
        next: Option<Timestamp>,
        herd: &mut Herd,
    ) -> Result<(), Error> {
        let (now, database_now) = (self.now(), self.db().now().await?);
        let mut tx = self.db().begin().await?;
        hold(&mut tx, replica.id).await?;
        // Two processes tick at once. And no due date is kept: another schedule that comes after this one missed none of them.
        let moved = sql!(
            "update sync_job set last_due_at = null, next_due_at = $1, updated_at = $2
             where id = $3 and next_due_at <= $2 and not paused"
        )
        .bind(next)
        .bind(now)
        .bind(job.id)
        .execute(&mut tx)
        .await?;
        if moved == 0 || !replica.follows() {
            // On its way out it is vacuumed by itself.
            if moved > 0 {
                tx.commit().await?;
            }
            return Ok(());
        }
        // Where nobody has looked for long, as while all was down, first somebody looks: maybe nothing is missing.
        let pause = next.map_or(0, |next| next.since(now));
        let is_looked_at = job
            .next_due_at
            .is_some_and(|due| now.since(due) <= 2 * pause);
        if is_looked_at {
            self.promise_aged(&mut tx, now, replica, job, promise)
                .await?;
        }
        let location = replica.location()?;
        for table in self.replica_tables(&mut tx, replica.id).await? {
            if table.follows() {
                let wake = Wake::new(WorkKind::Sync, table.id)
                    .at(Some(location.clone()))
                    .with(json!({ LOOK: true }))
                    .not_before(herd.turn());
                jobs::look(&mut tx, &wake, now, database_now).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Looks whether a replica table is to be synced now: its source stands at another version, and by its schedule it is time.
    pub async fn sync_wanted(&self, principal: &Principal, task: &SyncTask) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let looked_at = self.now();
        let access = self.storage_access(task.source_storage).await?;
        let inspector = &self.ports().inspector;
        let latest = inspector.latest(&access, &task.source_path).await;
        let latest = latest.map_err(|problem| Error::Unavailable(problem.sentence))?;
        let job = self.job_of(self.db(), task.replica_id).await?;
        let schedule = job.and_then(|job| job.schedule().ok());
        let standing: Option<Standing> = sql!(
            "select level_at, synced_at, created_at,
                 (select cast(max(started_at) as bigint) from sync_run where replica_table_id = replica_table.id and kind = 'sync'
                     and sync_run.state = 'done' and sync_run.replica_version is not null) as last_copied,
                 (select cast(max(started_at) as bigint) from sync_run where replica_table_id = replica_table.id and kind = 'sync'
                     and sync_run.state in ('failed', 'parked')) as last_failed,
                 case when exists (select 1 from sync_run where replica_table_id = replica_table.id and kind = 'sync'
                     and sync_run.state in ('planned', 'copying', 'committing', 'verifying')) then true else false end as is_open
             from replica_table where id = $1"
        )
        .bind(task.replica_table_id)
        .first(self.db())
        .await?;
        let (Some(standing), Some(schedule)) = (standing, schedule) else {
            return Ok(true);
        };
        let is_level =
            task.table_state == ReplicaState::Ready && task.source_version == Some(latest);
        if is_level {
            // A table that was made anew may stand at the same version: a sync sees that, a listing does not.
            let is_seen = standing
                .synced_at
                .is_some_and(|at| looked_at.since(at) < WHOLE_AFTER);
            if is_seen {
                self.table_is_level(task, looked_at).await?;
            }
            return Ok(!is_seen);
        }
        Ok(is_time(&schedule, task.table_state, &standing, self.now()))
    }

    /// A table was seen to lack nothing: with it a replica that was late may be in time again.
    async fn table_is_level(&self, task: &SyncTask, at: Timestamp) -> Result<(), Error> {
        let mut tx = self.db().begin().await?;
        hold(&mut tx, task.replica_id).await?;
        hold_table(&mut tx, task.replica_table_id).await?;
        // Unless it was found to differ, or was synced, while we looked.
        let seen = sql!(
            "update replica_table set level_at = $1 where id = $2 and state = 'ready' and source_version = $3
                 and (level_at is null or level_at < $1)"
        )
        .bind(at)
        .bind(task.replica_table_id)
        .bind(task.source_version)
        .execute(&mut tx)
        .await?;
        if seen == 1 {
            let now = self.now();
            self.promise_kept(&mut tx, now, task).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Whether a table that lacks something is synced now, or after a later look.
fn is_time(schedule: &Schedule, state: ReplicaState, standing: &Standing, now: Timestamp) -> bool {
    if standing.is_open {
        return true;
    }
    let is_over = |begun: Option<Timestamp>, pause: i64| {
        begun.is_none_or(|begun| now.since(begun) + EARLY >= pause)
    };
    let pause = |micros: i64| {
        is_over(standing.last_copied, micros)
            && is_over(standing.last_failed, micros.min(FAILED_PAUSE))
    };
    match schedule {
        Schedule::NewVersion { seconds } => pause(seconds * SECOND),
        Schedule::Fresh { seconds } => {
            let promised = seconds * SECOND;
            let level = standing.level_at.unwrap_or(standing.created_at);
            let until_next_look = schedule.next_due(now).map_or(0, |next| next.since(now));
            // Half of the time is for the sync itself, and for trying again.
            let is_old = now.since(level) + until_next_look >= promised / 2;
            (is_old || state == ReplicaState::Pending) && pause(promised / 6)
        }
        // It has another schedule by now, which will see to it.
        Schedule::Every { .. } | Schedule::Cron { .. } | Schedule::ByHand => false,
    }
}

#[cfg(test)]
mod tests {
    use model::time::MINUTE;

    use super::*;

    #[test]
    fn a_table_is_synced_when_its_schedule_says_so() {
        let now = Timestamp::parse("2026-06-15T12:00:00Z").unwrap();
        let ago = |minutes: i64| Some(now.plus(-minutes * MINUTE));
        let hourly = Schedule::NewVersion { seconds: 3_600 };
        let fresh = Schedule::Fresh { seconds: 21_600 };
        for (schedule, level_at, last_copied, is_open, expected) in [
            (&hourly, ago(5), ago(90), false, true),
            (&hourly, ago(5), ago(59), false, false),
            (&hourly, ago(5), None, false, true),
            // What a worker left behind is taken up.
            (&hourly, ago(5), ago(59), true, true),
            // Of six hours three are for waiting.
            (&fresh, ago(60), ago(90), false, false),
            (&fresh, ago(174), ago(200), false, false),
            (&fresh, ago(176), ago(200), false, true),
            (&fresh, ago(300), ago(10), false, false),
            (&fresh, None, None, false, true),
            (&Schedule::ByHand, ago(600), None, false, false),
        ] {
            let standing = Standing {
                level_at,
                synced_at: level_at,
                created_at: now.plus(-24 * HOUR),
                last_copied,
                last_failed: None,
                is_open,
            };
            let wanted = is_time(schedule, ReplicaState::Ready, &standing, now);
            assert_eq!(wanted, expected, "{schedule:?} {standing:?}");
        }
        // What came to nothing is not left for the whole pause, and not tried at every look either.
        let weekly = Schedule::NewVersion { seconds: 604_800 };
        for (last_copied, last_failed, expected) in [
            (ago(8 * 24 * 60), ago(30), false),
            (ago(8 * 24 * 60), ago(61), true),
            (ago(61), ago(61), false),
        ] {
            let standing = Standing {
                level_at: last_copied,
                synced_at: last_copied,
                created_at: now.plus(-30 * DAY),
                last_copied,
                last_failed,
                is_open: false,
            };
            let wanted = is_time(&weekly, ReplicaState::Ready, &standing, now);
            assert_eq!(wanted, expected, "{standing:?}");
        }
        // The first copy does not wait.
        let new = Standing {
            level_at: None,
            synced_at: None,
            created_at: now,
            last_copied: None,
            last_failed: None,
            is_open: false,
        };
        assert!(is_time(&fresh, ReplicaState::Pending, &new, now));
    }
}
