//! What the counters of a run say, written down as meter events. Several processes may move one run's bytes, and each counts
//! for itself: a counter is reported by its name with all that it has counted since it began, and what is new of it is
//! written.

use model::{Method, Purpose, SyncRunId};

use super::SyncTask;
use crate::Exchange;
use crate::billing::MeterEventNew;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::sql;

/// What a counter has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Received from the source.
    pub bytes: u64,
    /// Time a worker was busy; microseconds.
    pub busy: i64,
}

impl Exchange {
    /// Writes down what is new of one of a run's counters: the meter event and the run's own sums, both or neither. Reported
    /// again, because an answer never came or another process found the number, nothing is new.
    pub async fn run_counted(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: SyncRunId,
        counter: &str,
        counted: Counted,
    ) -> Result<(), Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let now = self.now();
        let prefix = format!("run/{run}/{counter}/");
        let mut tx = self.db().begin().await?;
        // The run's row is taken before anything is read: two who report for one run wait for each other.
        sql!("update sync_run set bytes_received = bytes_received where id = $1")
            .bind(run)
            .execute(&mut tx)
            .await?;
        let row = sql!(
            "select cast(count(*) as bigint) as parts, cast(coalesce(sum(bytes), 0) as bigint) as bytes,
                    cast(coalesce(sum(busy_micros), 0) as bigint) as busy
             from meter_event where run_id = $1 and key like $2"
        )
        .bind(run)
        .bind(format!("{prefix}%"))
        .row(&mut tx)
        .await?
        .ok_or_else(|| Error::internal("a sum without a row"))?;
        let parts: i64 = row.get("parts")?;
        let bytes = counted.bytes.saturating_sub(row.get("bytes")?);
        let busy = (counted.busy - row.get::<i64>("busy")?).max(0);
        if bytes == 0 && busy == 0 {
            return Ok(());
        }
        let event = MeterEventNew {
            key: format!("{prefix}{parts}"),
            product: Some(task.product_id),
            table: Some(task.table_id),
            grant: None,
            recipient: None,
            run: Some(run),
            query: None,
            from: task.from_location()?,
            to: task.to_location()?,
            bytes,
            busy,
            method: Method::Measured,
            purpose: Purpose::Sync,
        };
        self.meter_store(&mut tx, &event, now).await?;
        sql!(
            "update sync_run set bytes_received = bytes_received + $1, busy_micros = busy_micros + $2 where id = $3"
        )
        .bind(bytes)
        .bind(busy)
        .bind(run)
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}
