//! What replicas have saved against a stated baseline. Where flows of the old way to the replica's place were switched off, what they
//! would have moved since then and since there is a replica, told once for that place however many replicas are there; else an
//! assumption: every consumer of the replica loads the whole table every `baseline_days` (a week, unless the product says otherwise).

use std::collections::{BTreeMap, BTreeSet};

use model::dto::{Money, Saving};
use model::time::DAY;
use model::{Currency, Location, Micro, Name, ProductId, ProductName, Route, Timestamp};

use super::RateRecord;
use crate::error::Error;
use crate::flows::SwitchedOff;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

struct ReplicaRow {
    product_id: ProductId,
    product: ProductName,
    cut: Option<Name>,
    baseline_days: i64,
    created_at: Timestamp,
    from_cloud: model::Cloud,
    from_region: String,
    to_cloud: model::Cloud,
    to_region: String,
    table_bytes: u64,
    /// What its runs have moved.
    actual_bytes: u64,
    consumers: u64,
}
from_row!(ReplicaRow {
    product_id,
    product,
    cut,
    baseline_days,
    created_at,
    from_cloud,
    from_region,
    to_cloud,
    to_region,
    table_bytes,
    actual_bytes,
    consumers
});

impl ReplicaRow {
    fn route(&self) -> Result<Route, Error> {
        Ok(Route {
            from: Location::new(self.from_cloud, &self.from_region).map_err(Error::internal)?,
            to: Location::new(self.to_cloud, &self.to_region).map_err(Error::internal)?,
        })
    }
}

impl Exchange {
    /// One row per replica of a product that the caller may see, since the replica was made; where flows of the old way were switched
    /// off, one per place, since then.
    pub async fn savings(
        &self,
        principal: &Principal,
        product: Option<&str>,
    ) -> Result<Vec<Saving>, Error> {
        can(principal, Operation::SavingRead, &Scope::NONE)?;
        self.filter_by(principal, product).await?;
        let now = self.now();
        let (person, team) = principal.scope();
        let replicas: Vec<ReplicaRow> = sql!(
            "select product.id as product_id, product.name as product, cut.name as cut, baseline_days,
                    replica.created_at,
                    source.cloud as from_cloud, source.region as from_region, target.cloud as to_cloud, target.region as to_region,
                    (select cast(coalesce(sum(byte_count), 0) as bigint) from product_table
                     where product_table.product_id = product.id and clone_refused_for is null and removed_at is null
                         and (replica.cut_id is null or exists (select 1 from cut_table where cut_table.cut_id = replica.cut_id
                             and number = replica.edition and cut_table.table_id = product_table.id))) as table_bytes,
                    (select cast(coalesce(sum(meter_event.bytes), 0) as bigint) from meter_event
                         join sync_run on sync_run.id = meter_event.run_id
                         join replica_table on replica_table.id = sync_run.replica_table_id
                     where replica_table.replica_id = replica.id and meter_event.method = 'measured') as actual_bytes,
                    (select cast(count(distinct access_grant.recipient_id) as bigint) from access_grant
                         join recipient on recipient.id = access_grant.recipient_id
                     where access_grant.product_id = product.id and access_grant.mode = 'replica'
                         and recipient.cloud = target.cloud and recipient.region = target.region
                         and (access_grant.cut_id = replica.cut_id
                              or (access_grant.cut_id is null and replica.cut_id is null))) as consumers
             from replica join product on product.id = replica.product_id join storage as source on source.id = product.storage_id
                 join storage as target on target.id = replica.storage_id left join cut on cut.id = replica.cut_id
             where (product.name = $1 or cast($1 as text) is null) and (product.state <> 'draft' or $2 or team_id = $4
                 or team_id in (select team_member.team_id from team_member where person_id = $3))
             order by product.name, case when replica.cut_id is null then 0 else 1 end, replica.id limit 1000"
        )
        .bind(product)
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .all(self.db())
        .await?;
        let mut savings = Vec::with_capacity(replicas.len());
        let off_at = self.switched_off_at(now).await?;
        let mut stands: BTreeMap<(ProductId, Location), Timestamp> = BTreeMap::new();
        for replica in &replicas {
            let at = stands
                .entry((replica.product_id, replica.route()?.to))
                .or_insert(replica.created_at);
            *at = replica.created_at.min(*at);
        }
        let mut told = BTreeSet::new();
        let mut rates: BTreeMap<Route, Option<RateRecord>> = BTreeMap::new();
        for replica in replicas {
            let route = replica.route()?;
            let place = (replica.product_id, route.to.clone());
            if !off_at.contains(&place) {
                let rate = match rates.get(&route) {
                    Some(rate) => rate.clone(),
                    None => {
                        let rate = self.rate_for(self.db(), &route, now).await?;
                        rates.insert(route.clone(), rate.clone());
                        rate
                    }
                };
                savings.push(saving(replica, route, rate.as_ref(), now)?);
                continue;
            }
            let since = stands.get(&place).copied().unwrap_or(replica.created_at);
            // What the flows would have moved is saved once, also where several replicas or cuts stand in their place.
            if told.insert(place)
                && let Some(off) = self
                    .switched_off(replica.product_id, &route.to, (since, now))
                    .await?
            {
                savings.push(self.saving_since(replica, route, off, now).await?);
            }
        }
        Ok(savings)
    }

    /// Since flows were switched off: what they would have moved, minus what was moved and billed for the replica instead.
    async fn saving_since(
        &self,
        replica: ReplicaRow,
        route: Route,
        off: SwitchedOff,
        now: Timestamp,
    ) -> Result<Saving, Error> {
        let row = sql!(
            "select cast(coalesce(sum(bytes), 0) as bigint) as bytes from meter_event
             where product_id = $1 and to_location = $2 and from_location <> to_location and at >= $3
                 and method in ('measured', 'logged')"
        )
        .bind(replica.product_id)
        .bind(&route.to)
        .bind(off.since)
        .row(self.db())
        .await?;
        let actual: u64 = row.map(|row| row.get("bytes")).transpose()?.unwrap_or(0);
        let rows = sql!(
            "select currency, cast(sum(amount_micro) as bigint) as amount from charge
             where product_id = $1 and to_location = $2 and day >= $3 group by currency order by currency"
        )
        .bind(replica.product_id)
        .bind(&route.to)
        .bind(off.since.utc_day())
        .rows(self.db())
        .await?;
        let mut billed = Vec::with_capacity(rows.len());
        for row in rows {
            billed.push((
                row.get::<Currency>("currency")?,
                row.get::<Micro>("amount")?,
            ));
        }
        let saved_bytes =
            i64::try_from(i128::from(off.bytes) - i128::from(actual)).unwrap_or(i64::MAX);
        // Of several currencies nothing is added up.
        let saved = off.worth.and_then(|(worth, currency)| {
            let paid = match billed.as_slice() {
                [] => Micro(0),
                [(same, paid)] if *same == currency => *paid,
                _ => return None,
            };
            let amount = Micro(worth.0.checked_sub(paid.0)?);
            Some(Money { amount, currency })
        });
        let flows = match off.flows {
            1 => "1 flow of the old way that was".to_owned(),
            many => format!("{many} flows of the old way that were"),
        };
        let unknown = match off.unknown {
            0 => String::new(),
            some => format!(
                "; of {some} it is not known how much a load moved, and they count as nothing"
            ),
        };
        let since = off
            .since
            .date()
            .map_or_else(|| off.since.to_string(), |date| date.to_string());
        Ok(Saving {
            product: replica.product,
            // All that goes there is in it.
            cut: None,
            route,
            days: now.since(off.since).max(0) / DAY,
            baseline_bytes: off.bytes,
            actual_bytes: actual,
            saved_bytes,
            saved,
            baseline: format!(
                "what {flows} switched off since {since} would have moved, priced at today's rate, minus what was billed since{unknown}"
            ),
        })
    }
}

/// Against what was assumed to be loaded without the replica.
fn saving(
    replica: ReplicaRow,
    route: Route,
    rate: Option<&RateRecord>,
    now: Timestamp,
) -> Result<Saving, Error> {
    let days = now.since(replica.created_at).max(0) / DAY;
    // The first load is made on the first day, then one each time the period has passed.
    let loads = u64::try_from(1 + days / replica.baseline_days.max(1)).unwrap_or(1);
    let baseline = replica
        .table_bytes
        .saturating_mul(loads)
        .saturating_mul(replica.consumers);
    let saved_bytes =
        i64::try_from(i128::from(baseline) - i128::from(replica.actual_bytes)).unwrap_or(i64::MAX);
    let saved = match rate {
        Some(rate) => Some(Money {
            amount: Micro::charge(i128::from(saved_bytes), rate.price_nano, rate.unit)
                .map_err(Error::internal)?,
            currency: rate.currency,
        }),
        None => None,
    };
    let by = match replica.consumers {
        1 => "one consumer".to_owned(),
        consumers => format!("each of {consumers} consumers"),
    };
    Ok(Saving {
        product: replica.product,
        cut: replica.cut,
        route,
        days,
        baseline_bytes: baseline,
        actual_bytes: replica.actual_bytes,
        saved_bytes,
        saved,
        baseline: format!(
            "a full load of today's size every {} days by {by}, priced at today's rate",
            replica.baseline_days
        ),
    })
}
