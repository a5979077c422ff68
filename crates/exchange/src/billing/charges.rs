//! The daily report: meter events of finished days × dated rates → charges. Σ bytes of one (UTC day, product, consumer,
//! route, method, rate) × price in 128-bit integers, rounded half-even once.

use std::collections::BTreeMap;

use model::dto::{Charge, ReportResult};
use model::{
    ChargeId, Currency, Location, MeterEventId, Method, Micro, Name, Payer, ProductId, ProductName,
    RateId, Route, TeamId, Timestamp, crash_point,
};
use serde_json::json;

use super::rates::RateRecord;
use crate::audit::Object;
use crate::change::Change;
use crate::db::On;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// An event that waits to be priced, with who would pay.
struct Waiting {
    id: MeterEventId,
    product_id: ProductId,
    owner_id: TeamId,
    payer: Payer,
    consumer_id: Option<TeamId>,
    replica_consumer_id: Option<TeamId>,
    from_location: Location,
    to_location: Location,
    bytes: u64,
    busy_micros: i64,
    method: Method,
    at: Timestamp,
}
from_row!(Waiting {
    id,
    product_id,
    owner_id,
    payer,
    consumer_id,
    replica_consumer_id,
    from_location,
    to_location,
    bytes,
    busy_micros,
    method,
    at
});

impl Waiting {
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
}

/// What one charge is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    product: ProductId,
    team: TeamId,
    consumer: Option<TeamId>,
    from: Location,
    to: Location,
    method: Method,
    rate: Option<RateId>,
}

#[derive(Default)]
struct Sum {
    bytes: i128,
    busy: i64,
    events: Vec<MeterEventId>,
    rate: Option<RateRecord>,
}

struct ChargeRow {
    id: ChargeId,
    day: i64,
    kind: String,
    product: ProductName,
    team: Name,
    consumer: Option<Name>,
    from_location: Location,
    to_location: Location,
    method: Method,
    bytes: u64,
    busy_micros: i64,
    amount_micro: Micro,
    currency: Currency,
}
from_row!(ChargeRow {
    id,
    day,
    kind,
    product,
    team,
    consumer,
    from_location,
    to_location,
    method,
    bytes,
    busy_micros,
    amount_micro,
    currency
});

/// `2026-06-15` of a UTC day.
pub(super) fn day_text(day: i64) -> String {
    Timestamp::from_utc_day(day)
        .date()
        .map_or_else(|| day.to_string(), |date| date.to_string())
}

impl Exchange {
    /// Prices the events of every finished day that no charge holds yet. Run as often as one likes: nothing is priced
    /// twice, and what comes late becomes a charge of its own.
    pub async fn billing_report(&self, principal: &Principal) -> Result<ReportResult, Error> {
        can(principal, Operation::ReportRun, &Scope::NONE)?;
        let today = self.now().utc_day();
        let days = sql!(
            "select distinct day from meter_event where charge_id is null and day < $1 and product_id is not null
                 and method in ('measured', 'logged') order by day"
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
        }
        Ok(result)
    }

    async fn report_day(&self, principal: &Principal, day: i64) -> Result<ReportResult, Error> {
        let mut change = self.change(principal).await?;
        // Two processes report at once: the second waits here and then finds nothing left.
        sql!(
            "insert into setting (name, value, updated_at) values ('billing.report', '', $1)
              on conflict (name) do update set updated_at = excluded.updated_at"
        )
        .bind(change.at())
        .execute(change.tx())
        .await?;
        let waiting: Vec<Waiting> = sql!(
            "select meter_event.id, meter_event.product_id, product.team_id as owner_id, payer, recipient.team_id as consumer_id,
                    (select r.team_id from access_grant join recipient as r on r.id = access_grant.recipient_id
                     where access_grant.product_id = product.id and access_grant.mode = 'replica'
                         and r.cloud || ':' || r.region = to_location order by access_grant.created_at, access_grant.id limit 1)
                        as replica_consumer_id,
                    from_location, to_location, bytes, busy_micros, method, at
             from meter_event join product on product.id = meter_event.product_id
                 left join recipient on recipient.id = meter_event.recipient_id
             where day = $1 and charge_id is null and method in ('measured', 'logged') order by meter_event.id"
        )
        .bind(day)
        .all(change.tx())
        .await?;
        let mut result = ReportResult::default();
        let mut sums: BTreeMap<Key, Sum> = BTreeMap::new();
        for event in waiting {
            let route = Route {
                from: event.from_location.clone(),
                to: event.to_location.clone(),
            };
            let rate = self.rate_for(change.tx(), &route, event.at).await?;
            if rate.is_none() && !route.is_local() && event.bytes > 0 {
                result.unrated += 1;
                continue;
            }
            let key = Key {
                product: event.product_id,
                team: event.billed(),
                consumer: event.consumer_id,
                from: route.from,
                to: route.to,
                method: event.method,
                rate: rate.as_ref().map(|rate| rate.id),
            };
            let sum = sums.entry(key).or_default();
            sum.bytes += i128::from(event.bytes);
            sum.busy += event.busy_micros;
            sum.events.push(event.id);
            sum.rate = rate;
        }
        if sums.is_empty() {
            return Ok(result);
        }
        let compute = self
            .service_rate_for(change.tx(), "compute", Timestamp::from_utc_day(day))
            .await?;
        for (key, sum) in sums {
            result.events += u64::try_from(sum.events.len()).unwrap_or(u64::MAX);
            result.charges += 1;
            let (amount, currency) = match &sum.rate {
                Some(rate) => (
                    Micro::charge(sum.bytes, rate.price_nano, rate.unit)
                        .map_err(Error::internal)?,
                    rate.currency,
                ),
                None => (Micro(0), self.default_currency(change.tx()).await?),
            };
            let bytes = i64::try_from(sum.bytes).map_err(Error::internal)?;
            let id = self
                .charge_store(
                    &mut change,
                    day,
                    "transfer",
                    &key,
                    (bytes, 0),
                    (amount, currency),
                )
                .await?;
            for event in &sum.events {
                sql!("update meter_event set charge_id = $1 where id = $2")
                    .bind(id)
                    .bind(*event)
                    .execute(change.tx())
                    .await?;
            }
            if let Some(rate) = compute.as_ref().filter(|_| sum.busy > 0) {
                let amount = Micro::of_time(sum.busy, rate.price_nano).map_err(Error::internal)?;
                let key = Key {
                    rate: Some(rate.id),
                    ..key
                };
                self.charge_store(
                    &mut change,
                    day,
                    "compute",
                    &key,
                    (0, sum.busy),
                    (amount, rate.currency),
                )
                .await?;
                result.charges += 1;
            }
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

    async fn charge_store(
        &self,
        change: &mut Change,
        day: i64,
        kind: &str,
        key: &Key,
        (bytes, busy): (i64, i64),
        (amount, currency): (Micro, Currency),
    ) -> Result<ChargeId, Error> {
        let at = change.at();
        let id = ChargeId::new(at);
        sql!("insert into charge (id, day, kind, product_id, team_id, consumer_team_id, from_location, to_location, method,
                  rate_id, bytes, busy_micros, amount_micro, currency, created_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)")
        .bind(id)
        .bind(day)
        .bind(kind)
        .bind(key.product)
        .bind(key.team)
        .bind(key.consumer)
        .bind(&key.from)
        .bind(&key.to)
        .bind(key.method)
        .bind(key.rate)
        .bind(bytes)
        .bind(busy)
        .bind(amount)
        .bind(currency)
        .bind(at)
        .execute(change.tx())
        .await?;
        Ok(id)
    }

    /// For bytes that cost nothing: the currency of the latest rate, EUR before there is one.
    pub(super) async fn default_currency<'a>(
        &self,
        on: impl Into<On<'a>>,
    ) -> Result<Currency, Error> {
        let row = sql!("select currency from rate order by created_at desc, id desc limit 1")
            .row(on)
            .await?;
        match row {
            Some(row) => Ok(row.get("currency")?),
            None => "EUR".parse().map_err(Error::internal),
        }
    }

    /// Charges that concern the caller's teams, newest first.
    pub async fn charges(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Charge>, Error> {
        can(principal, Operation::ChargeList, &Scope::NONE)?;
        let before: Option<ChargeId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<ChargeRow> = sql!(
            "select charge.id, day, kind, product.name as product, team.name as team, consumer.name as consumer, from_location,
                    to_location, method, bytes, busy_micros, amount_micro, currency
             from charge join product on product.id = product_id join team on team.id = charge.team_id
                 left join team as consumer on consumer.id = consumer_team_id
             where (charge.id < $1 or $1 is null) and (product.name = $2 or cast($2 as text) is null)
                 and ($3 or charge.team_id = $5 or product.team_id = $5
                      or charge.team_id in (select team_member.team_id from team_member where person_id = $4)
                      or product.team_id in (select team_member.team_id from team_member where person_id = $4))
             order by charge.id desc limit $6"
        )
        .bind(before)
        .bind(product)
        .bind(principal.sees_all() || principal.has(model::Role::Finance))
        .bind(person)
        .bind(team)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        let items = page
            .items
            .into_iter()
            .map(|row| Charge {
                id: row.id,
                day: day_text(row.day),
                kind: row.kind,
                product: row.product,
                team: row.team,
                consumer: row.consumer,
                from: row.from_location,
                to: row.to_location,
                method: row.method,
                bytes: row.bytes,
                busy_micros: row.busy_micros,
                amount: row.amount_micro,
                currency: row.currency,
            })
            .collect();
        Ok(Page {
            items,
            next: page.next,
        })
    }
}
