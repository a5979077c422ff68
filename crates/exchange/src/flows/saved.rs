//! What flows that were switched off would have moved since.

use std::collections::BTreeSet;

use model::time::DAY;
use model::{Location, Micro, ProductId, Route, Timestamp};

use super::register::{FlowRecord, flow_rows};
use crate::Exchange;
use crate::error::Error;
use crate::sql;

/// The flows of a product to one place that were switched off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SwitchedOff {
    pub(crate) flows: u64,
    /// When the first of them was, or when there came to be what took its place; from then on it counts.
    pub(crate) since: Timestamp,
    /// What they would have moved since.
    pub(crate) bytes: u64,
    /// What that would have cost, in the currency of the prices; None where one of them has no price.
    pub(crate) worth: Option<(Micro, model::Currency)>,
    /// Of so many it is not known how much a load moved.
    pub(crate) unknown: u64,
}

impl Exchange {
    /// Of which products flows were switched off, and where they went.
    pub(crate) async fn switched_off_at(
        &self,
        now: Timestamp,
    ) -> Result<BTreeSet<(ProductId, Location)>, Error> {
        let rows = sql!(
            "select distinct product_id, to_location from old_flow where off_at <= $1 order by product_id, to_location"
        )
        .bind(now)
        .rows(self.db())
        .await?;
        let places = rows
            .iter()
            .map(|row| Ok::<_, Error>((row.get("product_id")?, row.get("to_location")?)));
        places.collect()
    }

    /// What flows of the old way to this place would have moved since they were switched off, but not before something stood there in
    /// their place. None: none was. Priced as of now.
    pub(crate) async fn switched_off(
        &self,
        product: ProductId,
        to: &Location,
        (stands, now): (Timestamp, Timestamp),
    ) -> Result<Option<SwitchedOff>, Error> {
        let flows: Vec<FlowRecord> = sql!(
            flow_rows!(),
            " where old_flow.product_id = $1 and to_location = $2 and off_at <= $3 order by old_flow.id"
        )
        .bind(product)
        .bind(to)
        .bind(now)
        .all(self.db())
        .await?;
        let mut found: Option<SwitchedOff> = None;
        for flow in flows {
            let Some(off) = flow.off_at else { continue };
            let off = off.max(stands);
            let bytes = flow.load().map(|load| {
                let days = now.since(off).max(0) / DAY;
                // The loads that would have come: one whenever its period has passed.
                let loads = u64::try_from(days / flow.kind.days()).unwrap_or(0);
                load.saturating_mul(loads)
                    .saturating_mul(u64::from(flow.consumers))
            });
            let route = Route {
                from: flow.from()?,
                to: to.clone(),
            };
            let worth = match self.rate_for(self.db(), &route, now).await? {
                Some(rate) => {
                    let bytes = i128::from(bytes.unwrap_or(0));
                    let amount = Micro::charge(bytes, rate.price_nano, rate.unit);
                    Some((amount.map_err(Error::internal)?, rate.currency))
                }
                None => None,
            };
            found = Some(match found {
                None => SwitchedOff {
                    flows: 1,
                    since: off,
                    bytes: bytes.unwrap_or(0),
                    worth,
                    unknown: u64::from(bytes.is_none()),
                },
                Some(so_far) => SwitchedOff {
                    flows: so_far.flows + 1,
                    since: so_far.since.min(off),
                    bytes: so_far.bytes.saturating_add(bytes.unwrap_or(0)),
                    worth: together(so_far.worth, worth),
                    unknown: so_far.unknown + u64::from(bytes.is_none()),
                },
            });
        }
        Ok(found)
    }
}

/// Amounts of one currency; of two, none.
fn together(
    one: Option<(Micro, model::Currency)>,
    other: Option<(Micro, model::Currency)>,
) -> Option<(Micro, model::Currency)> {
    let ((one, currency), (other, same)) = (one?, other?);
    let sum = one.checked_add(other).filter(|_| currency == same)?;
    Some((sum, currency))
}
