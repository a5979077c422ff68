//! What the counters of a run say, written down as meter events. Several processes may move one run's bytes, and each counts
//! for itself: a counter is reported by its name with all that it has counted since it began, and what is new of it is
//! written.

use model::{Cloud, Location, Method, ProductId, Purpose, SyncRunId, TableId};

use crate::billing::MeterEventNew;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// What a counter has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Received from the source.
    pub bytes: u64,
    /// Time a worker was busy; microseconds.
    pub busy: i64,
}

/// The leg that a run's bytes take.
struct Leg {
    product_id: ProductId,
    table_id: TableId,
    source_cloud: Cloud,
    source_region: String,
    target_cloud: Cloud,
    target_region: String,
}
from_row!(Leg {
    product_id,
    table_id,
    source_cloud,
    source_region,
    target_cloud,
    target_region
});

impl Exchange {
    /// Writes down what is new of one of a run's counters: the meter event and the run's own sums, both or neither. Reported
    /// again, because an answer never came or another process found the number, nothing is new.
    ///
    /// `here` is where the counter stands, if known. At neither end of the replica the bytes go two legs, there and on, and each of
    /// them is an event; the run's sums are of the first.
    pub async fn run_counted(
        &self,
        principal: &Principal,
        run: SyncRunId,
        (counter, counted): (&str, Counted),
        here: Option<&Location>,
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
        let leg: Option<Leg> = sql!(
            "select sync_run.product_id, replica_table.table_id, source.cloud as source_cloud, source.region as source_region,
                    target.cloud as target_cloud, target.region as target_region
             from sync_run join replica_table on replica_table.id = replica_table_id
                 join product_table on product_table.id = replica_table.table_id
                 join storage as source on source.id = product_table.storage_id
                 join replica on replica.id = replica_table.replica_id join storage as target on target.id = replica.storage_id
             where sync_run.id = $1"
        )
        .bind(run)
        .first(&mut tx)
        .await?;
        let leg = leg.ok_or(Error::NotFound("sync run"))?;
        let before = sql!(
            "select cast(count(*) as bigint) as parts, cast(coalesce(sum(bytes), 0) as bigint) as bytes,
                    cast(coalesce(sum(busy_micros), 0) as bigint) as busy
             from meter_event where run_id = $1 and key like $2"
        )
        .bind(run)
        .bind(format!("{prefix}%"))
        .row(&mut tx)
        .await?
        .ok_or_else(|| Error::internal("a sum without a row"))?;
        let parts: i64 = before.get("parts")?;
        let bytes = counted.bytes.saturating_sub(before.get("bytes")?);
        let busy = (counted.busy - before.get::<i64>("busy")?).max(0);
        if bytes == 0 && busy == 0 {
            return Ok(());
        }
        let from = Location::new(leg.source_cloud, &leg.source_region).map_err(Error::internal)?;
        let to = Location::new(leg.target_cloud, &leg.target_region).map_err(Error::internal)?;
        let via = here.filter(|here| **here != from && **here != to);
        let event = MeterEventNew {
            key: format!("{prefix}{parts}"),
            product: Some(leg.product_id),
            table: Some(leg.table_id),
            grant: None,
            recipient: None,
            run: Some(run),
            query: None,
            from,
            to: via.unwrap_or(&to).clone(),
            bytes,
            busy,
            method: Method::Measured,
            purpose: Purpose::Sync,
        };
        if !self.meter_store(&mut tx, &event, now).await? {
            return Err(Error::changed("meter of this run"));
        }
        if let Some(via) = via.filter(|_| bytes > 0) {
            // By a key that the sums above do not find.
            let onward = MeterEventNew {
                key: format!("run-onward/{run}/{counter}/{parts}"),
                from: via.clone(),
                to: to.clone(),
                busy: 0,
                ..event
            };
            if !self.meter_store(&mut tx, &onward, now).await? {
                return Err(Error::changed("meter of this run"));
            }
        }
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
