//! The daily report: meter events of finished days × dated prices → charges. Σ of one (UTC day, product, consumer, route,
//! method, rate) × price in 128-bit integers, rounded half-even once.
//!
//! Two parts of an event have a price: its bytes, by the rate of their route, and the time that a worker was busy, by the
//! price of compute. Each is priced by what holds at the event's instant, and waits by itself as long as nothing does.

use std::collections::BTreeMap;

use model::dto::ReportResult;
use model::{
    ChargeId, Currency, Location, Method, Micro, Nano, Payer, ProductId, RateId, Route, TeamId,
    Timestamp, Unit, crash_point,
};
use serde_json::json;

use super::charges::day_text;
use crate::audit::Object;
use crate::change::Change;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// What of an event is priced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Bytes,
    Time,
}

impl Part {
    /// As charges name it.
    const fn kind(self) -> &'static str {
        match self {
            Self::Bytes => "transfer",
            Self::Time => "compute",
        }
    }
}

/// Events that wait and differ in nothing that decides on who pays and how much, within a time in which no price changes.
pub(super) struct Leg {
    product_id: ProductId,
    owner_id: TeamId,
    payer: Payer,
    consumer_id: Option<TeamId>,
    replica_consumer_id: Option<TeamId>,
    from_location: Location,
    to_location: Location,
    method: Method,
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) busy_micros: u64,
}
from_row!(Leg {
    product_id,
    owner_id,
    payer,
    consumer_id,
    replica_consumer_id,
    from_location,
    to_location,
    method,
    events,
    bytes,
    busy_micros
});

impl Leg {
    /// The producer's team unless the product says otherwise. The bytes of a replica serve every consumer there; where
    /// consumers pay, they are the team's whose grant made the replica.
    fn billed(&self) -> TeamId {
        match self.payer {
            Payer::Producer => self.owner_id,
            Payer::Consumer => self
                .consumer_id
                .or(self.replica_consumer_id)
                .unwrap_or(self.owner_id),
        }
    }

    fn route(&self) -> Route {
        Route {
            from: self.from_location.clone(),
            to: self.to_location.clone(),
        }
    }
}

/// A time of one day in which no price begins or ends; the end is exclusive.
#[derive(Clone, Copy)]
struct Period {
    day: i64,
    from: Timestamp,
    until: Timestamp,
}

#[derive(Clone, Copy)]
pub(super) struct Price {
    /// None for bytes that stay where they are, which cost nothing.
    rate: Option<RateId>,
    nano: Nano,
    unit: Unit,
    currency: Currency,
}

/// What one charge is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    part: Part,
    product: ProductId,
    team: TeamId,
    consumer: Option<TeamId>,
    from: Location,
    to: Location,
    method: Method,
    rate: Option<RateId>,
}

/// Some of what waits of a day, with its price where there is one.
pub(super) struct Waiting {
    pub(super) part: Part,
    period: Period,
    pub(super) leg: Leg,
    pub(super) price: Option<Price>,
}

impl Waiting {
    fn key(&self, price: Price) -> Key {
        let leg = &self.leg;
        Key {
            part: self.part,
            product: leg.product_id,
            team: leg.billed(),
            consumer: leg.consumer_id,
            from: leg.from_location.clone(),
            to: leg.to_location.clone(),
            method: leg.method,
            rate: price.rate,
        }
    }
}

/// What came into a charge.
#[derive(Default)]
struct Taken {
    parts: usize,
    events: u64,
    bytes: i128,
    busy: i64,
}

/// A charge in the making.
struct Sum {
    id: ChargeId,
    price: Price,
    bytes: i128,
    busy: i64,
}

impl Exchange {
    /// Prices what waits of every finished day. Run as often as one likes: nothing is priced twice, and what comes late
    /// becomes a charge of its own.
    pub async fn billing_report(&self, principal: &Principal) -> Result<ReportResult, Error> {
        can(principal, Operation::ReportRun, &Scope::NONE)?;
        let today = self.now().utc_day();
        let days = sql!(
            "select day from meter_event where charge_id is null and bytes > 0 and method in ('measured', 'logged') and day < $1
             union
             select day from meter_event where compute_charge_id is null and busy_micros > 0
                 and method in ('measured', 'logged') and day < $1
             order by day"
        )
        .bind(today)
        .rows(self.db())
        .await?;
        let mut result = ReportResult::default();
        for row in days {
            let day: i64 = row.get("day")?;
            let of_day = self.report_day(principal, day).await?;
            result.charges += of_day.charges;
            result.events += of_day.events;
            result.unrated += of_day.unrated;
            result.unrated_busy_micros += of_day.unrated_busy_micros;
        }
        Ok(result)
    }

    async fn report_day(&self, principal: &Principal, day: i64) -> Result<ReportResult, Error> {
        let mut result = ReportResult::default();
        let mut priced = Vec::new();
        for waits in self.waiting(day, None).await? {
            match (waits.price, waits.part) {
                (Some(price), _) => priced.push((waits, price)),
                (None, Part::Bytes) => result.unrated += waits.leg.events,
                (None, Part::Time) => result.unrated_busy_micros += waits.leg.busy_micros,
            }
        }
        if priced.is_empty() {
            return Ok(result);
        }
        let mut change = self.change(principal).await?;
        // Two processes report at once: the second waits here and then finds nothing left.
        sql!(
            "insert into setting (name, value, updated_at) values ('billing.report', '', $1)
              on conflict (name) do update set updated_at = excluded.updated_at"
        )
        .bind(change.at())
        .execute(change.tx())
        .await?;
        let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
        for (waits, price) in priced {
            let key = waits.key(price);
            let id = sums.get(&key).map(|sum| sum.id);
            let id = id.unwrap_or_else(|| ChargeId::new(change.at()));
            let taken = self.take(&mut change, &waits, id).await?;
            if taken.parts > 0 {
                result.events += taken.events;
                let sum = sums.entry(key).or_insert(Sum {
                    id,
                    price,
                    bytes: 0,
                    busy: 0,
                });
                sum.bytes += taken.bytes;
                sum.busy += taken.busy;
            }
        }
        if sums.is_empty() {
            return Ok(result);
        }
        for (key, sum) in &sums {
            self.charge_store(&mut change, day, key, sum).await?;
            result.charges += 1;
        }
        change.note(
            Operation::ReportRun,
            Object::new("day", day_text(day)),
            json!({ "charges": result.charges, "events": result.events }),
        );
        crash_point!("billing.report.before");
        change.commit().await?;
        crash_point!("billing.report.after");
        Ok(result)
    }

    /// What waits of a day, of one team's products or of all, with its price where there is one.
    pub(super) async fn waiting(
        &self,
        day: i64,
        team: Option<TeamId>,
    ) -> Result<Vec<Waiting>, Error> {
        let mut found = Vec::new();
        for period in self.periods(day).await? {
            let mut prices = BTreeMap::new();
            for part in [Part::Bytes, Part::Time] {
                for leg in self.legs(part, period, team).await? {
                    let key = (part, leg.route());
                    let price = match prices.get(&key) {
                        Some(price) => *price,
                        None => {
                            let price = self.price_of_part(part, &key.1, period.from).await?;
                            prices.insert(key, price);
                            price
                        }
                    };
                    found.push(Waiting {
                        part,
                        period,
                        leg,
                        price,
                    });
                }
            }
        }
        Ok(found)
    }

    /// The day, cut wherever a price begins or ends.
    async fn periods(&self, day: i64) -> Result<Vec<Period>, Error> {
        let (start, end) = (
            Timestamp::from_utc_day(day),
            Timestamp::from_utc_day(day + 1),
        );
        let rows = sql!(
            "select valid_from as at from rate where valid_from > $1 and valid_from < $2
             union select valid_until from rate where valid_until > $1 and valid_until < $2
             union select valid_from from service_rate where valid_from > $1 and valid_from < $2
             union select valid_until from service_rate where valid_until > $1 and valid_until < $2
             order by at"
        )
        .bind(start)
        .bind(end)
        .rows(self.db())
        .await?;
        let mut cuts = vec![start];
        for row in rows {
            cuts.push(row.get("at")?);
        }
        cuts.push(end);
        Ok(cuts
            .windows(2)
            .map(|ends| Period {
                day,
                from: ends[0],
                until: ends[1],
            })
            .collect())
    }

    /// What waits of a period.
    async fn legs(
        &self,
        part: Part,
        period: Period,
        team: Option<TeamId>,
    ) -> Result<Vec<Leg>, Error> {
        let query = match part {
            Part::Bytes => sql!(
                "select meter_event.product_id, product.team_id as owner_id, payer, recipient.team_id as consumer_id,
                        (select r.team_id from access_grant join recipient as r on r.id = access_grant.recipient_id
                         where access_grant.product_id = meter_event.product_id and access_grant.mode = 'replica'
                             and r.cloud || ':' || r.region = to_location
                         order by access_grant.created_at, access_grant.id limit 1) as replica_consumer_id,
                        from_location, to_location, method, cast(count(*) as bigint) as events,
                        cast(sum(bytes) as bigint) as bytes, cast(sum(busy_micros) as bigint) as busy_micros
                 from meter_event join product on product.id = meter_event.product_id
                     left join recipient on recipient.id = meter_event.recipient_id
                 where day = $1 and at >= $2 and at < $3 and charge_id is null and bytes > 0
                     and method in ('measured', 'logged') and (product.team_id = $4 or $4 is null)
                 group by meter_event.product_id, product.team_id, payer, recipient.team_id, from_location, to_location, method"
            ),
            Part::Time => sql!(
                "select meter_event.product_id, product.team_id as owner_id, payer, recipient.team_id as consumer_id,
                        (select r.team_id from access_grant join recipient as r on r.id = access_grant.recipient_id
                         where access_grant.product_id = meter_event.product_id and access_grant.mode = 'replica'
                             and r.cloud || ':' || r.region = to_location
                         order by access_grant.created_at, access_grant.id limit 1) as replica_consumer_id,
                        from_location, to_location, method, cast(count(*) as bigint) as events,
                        cast(sum(bytes) as bigint) as bytes, cast(sum(busy_micros) as bigint) as busy_micros
                 from meter_event join product on product.id = meter_event.product_id
                     left join recipient on recipient.id = meter_event.recipient_id
                 where day = $1 and at >= $2 and at < $3 and compute_charge_id is null and busy_micros > 0
                     and method in ('measured', 'logged') and (product.team_id = $4 or $4 is null)
                 group by meter_event.product_id, product.team_id, payer, recipient.team_id, from_location, to_location, method"
            ),
        };
        Ok(query
            .bind(period.day)
            .bind(period.from)
            .bind(period.until)
            .bind(team)
            .all(self.db())
            .await?)
    }

    /// None where there is no price at that instant.
    async fn price_of_part(
        &self,
        part: Part,
        route: &Route,
        at: Timestamp,
    ) -> Result<Option<Price>, Error> {
        let on = self.db();
        Ok(match part {
            Part::Bytes if route.is_local() => Some(Price {
                rate: None,
                nano: Nano(0),
                unit: Unit::Gigabyte,
                currency: self.default_currency(on).await?,
            }),
            Part::Bytes => self.rate_for(on, route, at).await?.map(|rate| Price {
                rate: Some(rate.id),
                nano: rate.price_nano,
                unit: rate.unit,
                currency: rate.currency,
            }),
            Part::Time => self
                .service_rate_for(on, "compute", at)
                .await?
                .map(|rate| Price {
                    rate: Some(rate.id),
                    nano: rate.price_nano,
                    unit: Unit::Gigabyte,
                    currency: rate.currency,
                }),
        })
    }

    /// Takes what waits into the charge `id`.
    async fn take(
        &self,
        change: &mut Change,
        waits: &Waiting,
        id: ChargeId,
    ) -> Result<Taken, Error> {
        let (period, leg) = (waits.period, &waits.leg);
        let query = match waits.part {
            Part::Bytes => sql!(
                "update meter_event set charge_id = $1
                 where day = $2 and at >= $3 and at < $4 and product_id = $5 and from_location = $6 and to_location = $7
                     and method = $8 and charge_id is null and bytes > 0 and method in ('measured', 'logged')
                     and (recipient_id in (select recipient.id from recipient where team_id = $9)
                         or (recipient_id is null and $9 is null))
                 returning bytes, busy_micros"
            ),
            Part::Time => sql!(
                "update meter_event set compute_charge_id = $1
                 where day = $2 and at >= $3 and at < $4 and product_id = $5 and from_location = $6 and to_location = $7
                     and method = $8 and compute_charge_id is null and busy_micros > 0 and method in ('measured', 'logged')
                     and (recipient_id in (select recipient.id from recipient where team_id = $9)
                         or (recipient_id is null and $9 is null))
                 returning bytes, busy_micros"
            ),
        };
        let rows = query
            .bind(id)
            .bind(period.day)
            .bind(period.from)
            .bind(period.until)
            .bind(leg.product_id)
            .bind(&leg.from_location)
            .bind(&leg.to_location)
            .bind(leg.method)
            .bind(leg.consumer_id)
            .rows(change.tx())
            .await?;
        let mut taken = Taken::default();
        for row in rows {
            let (bytes, busy): (i64, i64) = (row.get("bytes")?, row.get("busy_micros")?);
            taken.parts += 1;
            match waits.part {
                Part::Bytes => taken.bytes += i128::from(bytes),
                Part::Time => taken.busy += busy,
            }
            // An event that has both is told by its bytes.
            taken.events += u64::from(waits.part == Part::Bytes || bytes == 0);
        }
        Ok(taken)
    }

    async fn charge_store(
        &self,
        change: &mut Change,
        day: i64,
        key: &Key,
        sum: &Sum,
    ) -> Result<(), Error> {
        let at = change.at();
        let amount = match key.part {
            Part::Bytes => Micro::charge(sum.bytes, sum.price.nano, sum.price.unit),
            Part::Time => Micro::of_time(sum.busy, sum.price.nano),
        };
        sql!("insert into charge (id, day, kind, product_id, team_id, consumer_team_id, from_location, to_location, method,
                  rate_id, bytes, busy_micros, amount_micro, currency, created_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)")
        .bind(sum.id)
        .bind(day)
        .bind(key.part.kind())
        .bind(key.product)
        .bind(key.team)
        .bind(key.consumer)
        .bind(&key.from)
        .bind(&key.to)
        .bind(key.method)
        .bind(key.rate)
        .bind(i64::try_from(sum.bytes).map_err(Error::internal)?)
        .bind(sum.busy)
        .bind(amount.map_err(Error::internal)?)
        .bind(sum.price.currency)
        .bind(at)
        .execute(change.tx())
        .await?;
        Ok(())
    }
}
