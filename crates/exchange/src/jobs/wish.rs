//! Wishes: how work comes into the queue. With work on a replica table it is written down which stores it goes to and where its
//! source lies, whoever wishes for it.

use model::time::{HOUR, MINUTE, SECOND};
use model::{Location, ReplicaTableId, Timestamp, WorkId};

use super::{WorkKind, jitter};
use crate::db::{DbError, On, Query};
use crate::sql;

/// A wish that some work be done. Wishes for the same kind and key fold into one.
#[derive(Clone, Debug)]
pub struct Wake {
    pub kind: WorkKind,
    pub key: String,
    /// JSON for the worker.
    pub payload: serde_json::Value,
    /// Where it should run; None anywhere.
    pub location: Option<Location>,
    /// Not before then, by the database's clock; None: at once.
    not_before: Option<Timestamp>,
}

impl Wake {
    pub fn new(kind: WorkKind, key: impl ToString) -> Self {
        Self {
            kind,
            key: key.to_string(),
            payload: serde_json::Value::Null,
            location: None,
            not_before: None,
        }
    }

    #[must_use]
    pub fn at(mut self, location: Option<Location>) -> Self {
        self.location = location;
        self
    }

    #[must_use]
    pub fn with(mut self, payload: serde_json::Value) -> Self {
        self.payload = payload;
        self
    }

    #[must_use]
    pub(crate) fn not_before(mut self, at: Option<Timestamp>) -> Self {
        self.not_before = at;
        self
    }

    /// The replica table that is worked on, if it is one.
    fn table(&self) -> Option<ReplicaTableId> {
        match self.kind {
            WorkKind::Sync | WorkKind::Vacuum | WorkKind::Verify => self.key.parse().ok(),
            _ => None,
        }
    }
}

/// A row of the queue, as [`bound`] binds it.
macro_rules! work_row {
    () => {
        "insert into work (id, kind, key, payload, location, wanted, run_at, attempt, failures, parked, created_at,
             target_store, source_store, beside)
         values ($1, $2, $3, $4, $5, 1, $6, 0, 0, false, $7,
             (select storage_id from replica where id = (select replica_id from replica_table where id = $8)),
             (select storage_id from product_table where id = (select table_id from replica_table where id = $9)),
             (select cloud || ':' || region from storage where id = (select storage_id from product_table
                 where id = (select table_id from replica_table where id = $8)))) "
    };
}

fn bound(query: Query, wake: &Wake, at: Timestamp) -> Query {
    let table = wake.table();
    // A vacuum asks nothing of the source's store.
    let read = table.filter(|_| wake.kind != WorkKind::Vacuum);
    query
        .bind(WorkId::new(at))
        .bind(wake.kind.as_str())
        .bind(&wake.key)
        .bind(wake.payload.to_string())
        .bind(wake.location.as_ref().map(ToString::to_string))
        .bind(wake.not_before.unwrap_or_default())
        .bind(at)
        .bind(table)
        .bind(read)
}

/// Puts a wish into the queue, in the caller's transaction. It also wakes work that was parked. Work that is due at once stays so,
/// unless it is being done: what is wished for of it anew has its own time.
pub(crate) async fn enqueue<'a>(
    on: impl Into<On<'a>>,
    wake: &Wake,
    at: Timestamp,
) -> Result<(), DbError> {
    let query = sql!(
        work_row!(),
        "on conflict (kind, key) do update set wanted = work.wanted + 1, payload = excluded.payload,
             location = excluded.location, target_store = excluded.target_store, source_store = excluded.source_store,
             beside = excluded.beside, failures = 0, parked = false,
             run_at = case when work.run_at = 0 and not work.parked and work.lease_until is null then 0 else excluded.run_at end"
    );
    bound(query, wake, at).execute(on).await?;
    Ok(())
}

/// Puts work into the queue if it is not there at all: what a resync does, which must not hurry work that waits its turn.
pub(crate) async fn ensure<'a>(
    on: impl Into<On<'a>>,
    wake: &Wake,
    at: Timestamp,
) -> Result<(), DbError> {
    let query = sql!(work_row!(), "on conflict (kind, key) do nothing");
    bound(query, wake, at).execute(on).await?;
    Ok(())
}

/// So long after it was given up, work that is looked at again and again is tried again.
const GIVEN_UP: i64 = HOUR;

/// The same for what is looked at again and again: work that was given up is left alone for an hour, and then tried again. `now` is the
/// database's.
pub(crate) async fn look<'a>(
    on: impl Into<On<'a>>,
    wake: &Wake,
    at: Timestamp,
    now: Timestamp,
) -> Result<(), DbError> {
    let query = sql!(
        work_row!(),
        "on conflict (kind, key) do update set wanted = work.wanted + 1, run_at = excluded.run_at, failures = 0, parked = false
             where work.parked and work.run_at <= $10"
    );
    bound(query, wake, at)
        .bind(now.plus(-GIVEN_UP))
        .execute(on)
        .await?;
    Ok(())
}

/// So many of those that are due at the same moment go at once.
const AT_ONCE: i64 = 16;
/// So far apart go the others.
const APART: i64 = SECOND / 4;
/// The last of them goes so late, however many there are.
const SPREAD: i64 = 10 * MINUTE;

/// Those that are due at the same moment. A few go at once; of many each goes a little later than the one before, and not all of
/// them on the beat, so that neither the queue nor a store sees them come as one.
pub(crate) struct Herd {
    now: Timestamp,
    count: i64,
}

impl Herd {
    /// `now` is the database's.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { now, count: 0 }
    }

    /// When the next of them is to go; None: at once.
    pub(crate) fn turn(&mut self) -> Option<Timestamp> {
        let behind = self.count - AT_ONCE;
        self.count += 1;
        (behind >= 0).then(|| {
            let delay = (behind + 1).saturating_mul(APART).min(SPREAD);
            self.now.plus(delay + jitter(SECOND))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_hundred_that_are_due_at_once_do_not_come_at_once() {
        let now = Timestamp::parse("2026-06-15T03:00:00Z").unwrap();
        let mut herd = Herd::new(now);
        let delays: Vec<i64> = (0..500)
            .map(|_| herd.turn().map_or(0, |at| at.since(now)))
            .collect();
        let at_once = delays.iter().filter(|delay| **delay == 0).count();
        assert_eq!(at_once, 16);
        // In no second more than a handful, and all within a few minutes.
        for second in 0..200 {
            let within = |delay: &&i64| **delay > 0 && **delay / SECOND == second;
            assert!(delays.iter().filter(within).count() <= 10, "{second}");
        }
        assert!(delays.iter().all(|delay| *delay < 3 * MINUTE));
        let many = (0..10_000).filter_map(|_| herd.turn()).max().unwrap();
        assert!(many.since(now) <= SPREAD + SECOND);
    }
}
