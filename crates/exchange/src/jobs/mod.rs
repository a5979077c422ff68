//! Work: the outbox and the job queue in one table. A change wakes work in its own transaction; a worker leases it, and
//! every later write of the worker carries the `attempt` of its lease as a fencing token.
//!
//! Leases are measured with the database's clock. No transaction is held while working.

mod listing;
#[cfg(test)]
mod tests;
mod wish;

pub use wish::Wake;
pub(crate) use wish::{Herd, enqueue, ensure, look};

pub use listing::{WorkFilter, WorkRetried, WorkRetryAll, WorkRow, WorkState};

use model::dto::TableWork;
use model::time::{HOUR, MINUTE, SECOND};
use model::{Location, ReplicaTableId, WorkId};
use serde::{Deserialize, Serialize};

use crate::db::{DbError, On, Row};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::pulse::ALIVE;
use crate::{Exchange, sql};

/// The kinds of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// Make a grant true and look at it; key: the grant.
    Grant,
    /// Make a replica as wanted: create, drain, delete; key: the replica.
    Replica,
    /// One sync of one replica table; key: the replica table.
    Sync,
    /// One vacuum of one replica table; key: the replica table.
    Vacuum,
    /// Check one replica table against what was promised; key: the replica table.
    Verify,
    /// Read a product's logs again; key: the product.
    Refresh,
    /// Take what a store's access log says was read; key: whose log, where it lies, below which prefix.
    AccessLog,
    /// Compare the rows that a flow of the old way brought with a replica; key: the flow.
    Compare,
    /// Price the meter events of finished days; key: `report`.
    Report,
    /// Tell one person of one event; key: `notice/person`. Or of all that was held back; key: `digest/person`.
    Mail,
    /// Tell the webhook of one event; key: the notice.
    Webhook,
}

/// Work goes in two lanes with seats of their own, for what is sent waits for servers that may hang: access and data are not to
/// wait behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Grants, replicas, reports: everything but the post.
    Data,
    /// Mail and webhook.
    Post,
}

impl WorkKind {
    pub const ALL: [Self; 11] = [
        Self::Grant,
        Self::Replica,
        Self::Sync,
        Self::Vacuum,
        Self::Verify,
        Self::Refresh,
        Self::AccessLog,
        Self::Compare,
        Self::Report,
        Self::Mail,
        Self::Webhook,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Replica => "replica",
            Self::Sync => "sync",
            Self::Vacuum => "vacuum",
            Self::Verify => "verify",
            Self::Refresh => "refresh",
            Self::AccessLog => "access_log",
            Self::Compare => "compare",
            Self::Report => "report",
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }

    /// After how many failures in a row it waits for a person, and the longest pause before it is tried again. Somebody else's
    /// server may be down for hours: what is sent is tried for about eight.
    const fn patience(self) -> (i64, i64) {
        match self {
            Self::Mail | Self::Webhook => (22, HOUR),
            _ => (MAX_FAILURES, 10 * MINUTE),
        }
    }
}

impl std::str::FromStr for WorkKind {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(())
    }
}

/// Where work remembers, in its payload, after which pause it was to be done again.
const PAUSE: &str = "pause";

/// The pause that [`Exchange::work_later`] made last for this work, in microseconds; None if it was woken since.
pub(crate) async fn pause_of<'a>(
    on: impl Into<On<'a>>,
    kind: WorkKind,
    key: impl ToString,
) -> Result<Option<i64>, DbError> {
    let row = sql!("select payload from work where kind = $1 and key = $2")
        .bind(kind.as_str())
        .bind(key.to_string())
        .row(on)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let payload: String = row.get("payload")?;
    let payload: serde_json::Value = serde_json::from_str(&payload).unwrap_or_default();
    Ok(payload.get(PAUSE).and_then(serde_json::Value::as_i64))
}

/// A lease on one piece of work.
#[derive(Clone, Debug)]
pub struct Leased {
    pub id: WorkId,
    pub kind: WorkKind,
    pub key: String,
    pub payload: serde_json::Value,
    /// The fencing token: whoever holds a later one has taken over.
    pub attempt: i64,
    wanted: i64,
    failures: i64,
}

impl Leased {
    /// Whether it is given up if it fails this time, too.
    pub const fn is_last_try(&self) -> bool {
        self.failures + 1 >= self.kind.patience().0
    }

    fn of(row: Row) -> Result<Self, Error> {
        let kind: String = row.get("kind")?;
        let payload: String = row.get("payload")?;
        Ok(Self {
            id: row.get("id")?,
            kind: kind
                .parse()
                .map_err(|()| Error::internal(format!("unknown kind of work {kind}")))?,
            key: row.get("key")?,
            payload: serde_json::from_str(&payload).map_err(Error::internal)?,
            attempt: row.get("attempt")?,
            wanted: row.get("wanted")?,
            failures: row.get("failures")?,
        })
    }
}

/// After so many failures in a row most work waits for a person.
const MAX_FAILURES: i64 = 12;

impl Exchange {
    /// Wakes work outside a change: what schedules and resyncs do.
    pub async fn wake(&self, principal: &Principal, wake: &Wake) -> Result<(), Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        enqueue(self.db(), wake, self.now()).await?;
        Ok(())
    }

    /// Leases the work of a lane that is due longest, for a worker at `location` (None: anywhere) and for `ttl` microseconds. Work
    /// on a replica table is done where the replica lies or where its source does; and only so much of it goes to one store at a
    /// time. Two who ask at the same moment may go over that by one.
    pub async fn work_lease(
        &self,
        principal: &Principal,
        owner: &str,
        location: Option<&Location>,
        ttl: i64,
        lane: Lane,
    ) -> Result<Option<Leased>, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let now = self.db().now().await?;
        let row = sql!(
            "update work set owner = $1, attempt = attempt + 1, lease_until = $2
             where id = (select due.id from work as due
                         where not due.parked and due.run_at <= $3 and (due.lease_until is null or due.lease_until < $3)
                             and (due.location is null or cast($4 as text) is null or due.location = $4 or due.beside = $4
                                  or ($6 and not exists (select 1 from setting where name like 'worker/%' and updated_at >= $7
                                      and value in (due.location, due.beside, due.location || ' elsewhere', due.beside || ' elsewhere'))))
                             and (due.kind in ('mail', 'webhook')) = $5
                             and (due.target_store is null
                                  or ((select count(*) from work as busy where busy.lease_until >= $3
                                           and (busy.target_store = due.target_store or busy.source_store = due.target_store)) < $8
                                      and (select count(*) from work as busy where busy.lease_until >= $3
                                           and (busy.target_store = due.source_store or busy.source_store = due.source_store)) < $8))
                         order by due.run_at, due.created_at, due.id limit 1)
                 and not parked and (lease_until is null or lease_until < $3)
             returning id, kind, key, payload, attempt, wanted, failures"
        )
        .bind(owner)
        .bind(now.plus(ttl))
        .bind(now)
        .bind(location.map(ToString::to_string))
        .bind(lane == Lane::Post)
        .bind(self.options().elsewhere)
        .bind(now.plus(-ALIVE))
        .bind(self.options().runs_per_store)
        .row_changed(self.db())
        .await?;
        row.map(Leased::of).transpose()
    }

    /// Leases this one piece of work, also before its time, for a worker at `location` (None: anywhere). None: it is not there,
    /// it is parked, somebody else has it, or it belongs elsewhere.
    pub async fn work_lease_of(
        &self,
        principal: &Principal,
        owner: &str,
        location: Option<&Location>,
        ttl: i64,
        (kind, key): (WorkKind, &str),
    ) -> Result<Option<Leased>, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let now = self.db().now().await?;
        let row = sql!(
            "update work set owner = $1, attempt = attempt + 1, lease_until = $2
             where kind = $3 and key = $4 and not parked and (lease_until is null or lease_until < $5)
                 and (location is null or cast($6 as text) is null or location = $6 or beside = $6 or $7)
             returning id, kind, key, payload, attempt, wanted, failures"
        )
        .bind(owner)
        .bind(now.plus(ttl))
        .bind(kind.as_str())
        .bind(key)
        .bind(now)
        .bind(location.map(ToString::to_string))
        .bind(self.options().elsewhere)
        .row_changed(self.db())
        .await?;
        row.map(Leased::of).transpose()
    }

    /// What is to be done on a replica table, or is being done.
    pub(crate) async fn table_work(&self, id: ReplicaTableId) -> Result<Vec<TableWork>, Error> {
        let rows = sql!(
            "select kind, failures, last_error, parked from work
             where key = $1 and kind in ('sync', 'vacuum', 'verify') order by kind"
        )
        .bind(id.to_string())
        .rows(self.db())
        .await?;
        let rows = rows.iter().map(|row| {
            Ok(TableWork {
                kind: row.get("kind")?,
                failures: row.get("failures")?,
                error: row.get("last_error")?,
                parked: row.get("parked")?,
            })
        });
        rows.collect()
    }

    /// Holds a lease for `ttl` microseconds more. False: somebody else has taken over; stop at once.
    pub async fn work_renew(&self, leased: &Leased, ttl: i64) -> Result<bool, Error> {
        let until = self.db().now().await?.plus(ttl);
        let changed = sql!("update work set lease_until = $1 where id = $2 and attempt = $3")
            .bind(until)
            .bind(leased.id)
            .bind(leased.attempt)
            .execute(self.db())
            .await?;
        Ok(changed == 1)
    }

    /// Takes every lease away, for a caller who knows that no other process is alive: the only one on an embedded database
    /// need not wait for the leases of the process before it to run out.
    pub async fn work_release_all(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        // The attempt moves on, so that a holder that lives after all finds itself fenced.
        sql!("update work set owner = null, lease_until = null, attempt = attempt + 1 where lease_until is not null")
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// Ends a lease: the work is done, unless it was wished for again meanwhile.
    pub async fn work_done(&self, leased: &Leased) -> Result<(), Error> {
        let mut tx = self.db().begin().await?;
        let deleted = sql!("delete from work where id = $1 and attempt = $2 and wanted = $3")
            .bind(leased.id)
            .bind(leased.attempt)
            .bind(leased.wanted)
            .execute(&mut tx)
            .await?;
        if deleted == 0 {
            sql!(
                "update work set owner = null, lease_until = null, failures = 0, last_error = null
                  where id = $1 and attempt = $2"
            )
            .bind(leased.id)
            .bind(leased.attempt)
            .execute(&mut tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Ends a lease: to be looked at again after `delay` microseconds, without counting as a failure. The pause is
    /// remembered until the work is woken.
    pub async fn work_later(&self, leased: &Leased, delay: i64) -> Result<(), Error> {
        let at = self.db().now().await?.plus(delay);
        let mut payload = leased.payload.clone();
        if payload.is_null() {
            payload = serde_json::json!({});
        }
        if let Some(payload) = payload.as_object_mut() {
            payload.insert(PAUSE.to_owned(), delay.into());
        }
        sql!("update work set owner = null, lease_until = null, run_at = case when wanted = $1 then $2 else 0 end,
                  payload = case when wanted = $1 then $3 else payload end, failures = 0 where id = $4 and attempt = $5")
        .bind(leased.wanted)
        .bind(at)
        .bind(payload.to_string())
        .bind(leased.id)
        .bind(leased.attempt)
        .execute(self.db())
        .await?;
        Ok(())
    }

    /// Leaves what is still to be done of this work to workers at `place`, and to nobody else; the lease holds on until it is ended. Who
    /// wishes for the work anew says anew where it is done.
    pub async fn work_move(&self, leased: &Leased, place: &Location) -> Result<(), Error> {
        sql!("update work set location = $1, beside = null where id = $2 and attempt = $3 and wanted = $4")
            .bind(place.to_string())
            .bind(leased.id)
            .bind(leased.attempt)
            .bind(leased.wanted)
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// Ends a lease with an error: tried again after a pause that doubles, or parked for a person when it is terminal or
    /// has failed too often. If it was wished for anew meanwhile it is tried at once, as if it had never failed: what was
    /// wrong may have been mended.
    pub async fn work_failed(
        &self,
        leased: &Leased,
        error: &str,
        terminal: bool,
    ) -> Result<(), Error> {
        let failures = leased.failures + 1;
        let (most, longest) = leased.kind.patience();
        let parked = terminal || failures >= most;
        let exponent = u32::try_from(failures.clamp(0, 12)).unwrap_or(12);
        // Full jitter keeps a herd from coming back at once.
        let ceiling = (SECOND << exponent).min(longest);
        let delay = jitter(ceiling);
        let at = self.db().now().await?.plus(delay);
        sql!("update work set owner = null, lease_until = null, last_error = $3,
                  failures = case when wanted = $4 then $1 else 0 end, parked = case when wanted = $4 then $2 else false end,
                  run_at = case when wanted = $4 then $5 else 0 end where id = $6 and attempt = $7")
        .bind(failures)
        .bind(parked)
        .bind(error.chars().take(2_000).collect::<String>())
        .bind(leased.wanted)
        .bind(at)
        .bind(leased.id)
        .bind(leased.attempt)
        .execute(self.db())
        .await?;
        Ok(())
    }

    /// How much work is due, leased and parked: what `/readyz` and the metrics show.
    pub async fn work_depth(&self) -> Result<(i64, i64), Error> {
        let row = sql!("select cast(coalesce(sum(case when parked then 0 else 1 end), 0) as bigint) as waiting,
                               cast(coalesce(sum(case when parked then 1 else 0 end), 0) as bigint) as parked from work")
        .row(self.db())
        .await?;
        match row {
            Some(row) => Ok((row.get("waiting")?, row.get("parked")?)),
            None => Ok((0, 0)),
        }
    }
}

/// A uniform pause from half of `ceiling` to `ceiling`.
fn jitter(ceiling: i64) -> i64 {
    let mut bytes = [0_u8; 4];
    if getrandom::fill(&mut bytes).is_err() {
        return ceiling;
    }
    let half = ceiling / 2;
    half + i64::from(u32::from_le_bytes(bytes)) % (half + 1)
}
