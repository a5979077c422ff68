//! The daily report: meter events of finished days × dated prices → charges. Σ of one (UTC day, product, consumer, route,
//! method, rate) × price in 128-bit integers, rounded half-even once.
//!
//! Two parts of an event have a price: its bytes, by the rate of their route, and the time that a worker was busy, by the
//! price of compute. Each is priced by what holds at the event's instant, and waits by itself as long as nothing does.
//!
//! A day may hold any number of events, and whoever writes waits for whoever writes. So the report takes them in batches into
//! drafts of charges, each batch with its sums in one transaction, and makes charges of the drafts when nothing of the day is
//! left. Cut short, it goes on from there.

use std::collections::{BTreeMap, VecDeque};

use model::dto::ReportResult;
use model::{
    ChargeId, Currency, Location, Method, Micro, Nano, ProductId, RateId, Route, TeamId, Timestamp,
    Unit, crash_point,
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
    /// Who pays; the view `billed_event` says why.
    team_id: TeamId,
    consumer_id: Option<TeamId>,
    from_location: Location,
    to_location: Location,
    method: Method,
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) busy_micros: u64,
}
from_row!(Leg {
    product_id,
    team_id,
    consumer_id,
    from_location,
    to_location,
    method,
    events,
    bytes,
    busy_micros
});

impl Leg {
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

/// Some of what waits of a day, with its price where there is one.
pub(super) struct Waiting {
    pub(super) part: Part,
    period: Period,
    pub(super) leg: Leg,
    pub(super) price: Option<Price>,
}

/// What came into a draft.
#[derive(Default)]
struct Taken {
    parts: usize,
    events: u64,
    bytes: i64,
    busy: i64,
}

/// A charge in the making.
struct Draft {
    id: ChargeId,
    kind: String,
    product_id: ProductId,
    team_id: TeamId,
    consumer_team_id: Option<TeamId>,
    from_location: Location,
    to_location: Location,
    method: Method,
    rate_id: Option<RateId>,
    price_nano: Nano,
    unit: Unit,
    currency: Currency,
    bytes: i64,
    busy_micros: i64,
}
from_row!(Draft {
    id,
    kind,
    product_id,
    team_id,
    consumer_team_id,
    from_location,
    to_location,
    method,
    rate_id,
    price_nano,
    unit,
    currency,
    bytes,
    busy_micros
});

/// What one transaction of the report did.
#[derive(Default)]
struct Batch {
    parts: usize,
    events: u64,
    charges: u64,
    is_last: bool,
}

/// What waits of a period, by what decides on its charge.
macro_rules! legs_of {
    ($waits:expr) => {
        sql!(
            "select product_id, team_id, consumer_id, from_location, to_location, method, cast(count(*) as bigint) as events,
                    cast(sum(bytes) as bigint) as bytes, cast(sum(busy_micros) as bigint) as busy_micros
             from billed_event where day = $1 and at >= $2 and at < $3 and (team_id = $4 or $4 is null) and ",
            $waits,
            " group by product_id, team_id, consumer_id, from_location, to_location, method"
        )
    };
}

/// Writes into a column of so many of a leg's events which charge holds them.
macro_rules! mark {
    ($column:literal, $waits:expr) => {
        sql!(
            "update meter_event set ",
            $column,
            " = $1 where id in (
                 select billed_event.id from billed_event
                 where day = $2 and at >= $3 and at < $4 and product_id = $5 and from_location = $6 and to_location = $7
                     and method = $8 and (consumer_id = $9 or (consumer_id is null and $9 is null)) and team_id = $10 and ",
            $waits,
            " limit $11)
             returning bytes, busy_micros"
        )
    };
}

impl Exchange {
    /// Prices what waits of every finished day. Run as often as one likes: nothing is priced twice, and what comes late
    /// becomes a charge of its own.
    pub async fn billing_report(&self, principal: &Principal) -> Result<ReportResult, Error> {
        can(principal, Operation::ReportRun, &Scope::NONE)?;
        let today = self.now().utc_day();
        let days = sql!(
            "select day from meter_event where day < $1 and ",
            bytes_wait!(),
            " union select day from meter_event where day < $1 and ",
            time_waits!(),
            " union select day from charge_draft order by day"
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
        let mut left = VecDeque::new();
        for waits in self.waiting(day, None).await? {
            match (waits.price, waits.part) {
                (Some(price), _) => left.push_back((waits, price)),
                (None, Part::Bytes) => result.unrated += waits.leg.events,
                (None, Part::Time) => result.unrated_busy_micros += waits.leg.busy_micros,
            }
        }
        loop {
            let batch = self.report_batch(principal, day, &mut left).await?;
            result.events += batch.events;
            result.charges += batch.charges;
            if batch.is_last {
                return Ok(result);
            }
        }
    }

    /// One transaction: events into drafts, and when none is left, drafts into charges. Of both together no more than fit.
    async fn report_batch(
        &self,
        principal: &Principal,
        day: i64,
        left: &mut VecDeque<(Waiting, Price)>,
    ) -> Result<Batch, Error> {
        let mut change = self.change(principal).await?;
        // Two processes that report at once take turns by the batch. What one has taken the other does not find, and as
        // charges are made where nothing was left, they hold what both have taken.
        sql!(
            "insert into setting (name, value, updated_at) values ('billing.report', '', $1)
              on conflict (name) do update set updated_at = excluded.updated_at"
        )
        .bind(change.at())
        .execute(change.tx())
        .await?;
        let mut batch = Batch::default();
        let mut room = self.options().report_batch.max(1);
        while room > 0
            && let Some((waits, price)) = left.front()
        {
            let taken = self.draft_fill(&mut change, waits, *price, room).await?;
            if taken.parts < room {
                left.pop_front();
            }
            room -= taken.parts;
            batch.parts += taken.parts;
            batch.events += taken.events;
        }
        if room > 0 {
            let drafts = self.drafts(&mut change, day, room).await?;
            batch.is_last = drafts.len() < room;
            for draft in &drafts {
                self.charge_make(&mut change, day, draft).await?;
                batch.charges += 1;
            }
        }
        if batch.parts == 0 && batch.charges == 0 {
            return Ok(batch);
        }
        change.note(
            Operation::ReportRun,
            Object::new("day", day_text(day)),
            json!({ "charges": batch.charges, "events": batch.events }),
        );
        // Dying where charges are made is another thing than dying on the way there.
        if batch.charges > 0 {
            crash_point!("billing.report.before");
            change.commit().await?;
            crash_point!("billing.report.after");
        } else {
            crash_point!("billing.batch.before");
            change.commit().await?;
            crash_point!("billing.batch.after");
        }
        Ok(batch)
    }

    /// What waits of a day, for one team to pay or for all, with its price where there is one.
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
            Part::Bytes => legs_of!(bytes_wait!()),
            Part::Time => legs_of!(time_waits!()),
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

    /// Takes so many of what waits into the draft of its charge.
    async fn draft_fill(
        &self,
        change: &mut Change,
        waits: &Waiting,
        price: Price,
        room: usize,
    ) -> Result<Taken, Error> {
        let leg = &waits.leg;
        let begun = sql!(
            "select id from charge_draft
             where day = $1 and kind = $2 and product_id = $3 and team_id = $4
                 and (consumer_team_id = $5 or (consumer_team_id is null and $5 is null))
                 and from_location = $6 and to_location = $7 and method = $8
                 and (rate_id = $9 or (rate_id is null and $9 is null))"
        )
        .bind(waits.period.day)
        .bind(waits.part.kind())
        .bind(leg.product_id)
        .bind(leg.team_id)
        .bind(leg.consumer_id)
        .bind(&leg.from_location)
        .bind(&leg.to_location)
        .bind(leg.method)
        .bind(price.rate)
        .row(change.tx())
        .await?;
        let begun: Option<ChargeId> = begun.map(|row| row.get("id")).transpose()?;
        let id = begun.unwrap_or_else(|| ChargeId::new(change.at()));
        let taken = self.take(change, waits, id, room).await?;
        if taken.parts == 0 {
            return Ok(taken);
        }
        if begun.is_some() {
            sql!("update charge_draft set bytes = bytes + $1, busy_micros = busy_micros + $2 where id = $3")
                .bind(taken.bytes)
                .bind(taken.busy)
                .bind(id)
                .execute(change.tx())
                .await?;
            return Ok(taken);
        }
        sql!(
            "insert into charge_draft (id, day, kind, product_id, team_id, consumer_team_id, from_location, to_location, method,
                 rate_id, price_nano, unit, currency, bytes, busy_micros)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        )
        .bind(id)
        .bind(waits.period.day)
        .bind(waits.part.kind())
        .bind(leg.product_id)
        .bind(leg.team_id)
        .bind(leg.consumer_id)
        .bind(&leg.from_location)
        .bind(&leg.to_location)
        .bind(leg.method)
        .bind(price.rate)
        .bind(price.nano)
        .bind(price.unit)
        .bind(price.currency)
        .bind(taken.bytes)
        .bind(taken.busy)
        .execute(change.tx())
        .await?;
        Ok(taken)
    }

    /// Marks so many of what waits as held by the charge `id`.
    async fn take(
        &self,
        change: &mut Change,
        waits: &Waiting,
        id: ChargeId,
        room: usize,
    ) -> Result<Taken, Error> {
        let (period, leg) = (waits.period, &waits.leg);
        let query = match waits.part {
            Part::Bytes => mark!("charge_id", bytes_wait!()),
            Part::Time => mark!("compute_charge_id", time_waits!()),
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
            .bind(leg.team_id)
            .bind(room)
            .rows(change.tx())
            .await?;
        let mut taken = Taken::default();
        for row in rows {
            let (bytes, busy): (i64, i64) = (row.get("bytes")?, row.get("busy_micros")?);
            taken.parts += 1;
            let (sum, part) = match waits.part {
                Part::Bytes => (&mut taken.bytes, bytes),
                Part::Time => (&mut taken.busy, busy),
            };
            *sum = sum
                .checked_add(part)
                .ok_or_else(|| Error::internal("the sum of a day is out of range"))?;
            // An event that has both is told by its bytes.
            taken.events += u64::from(waits.part == Part::Bytes || bytes == 0);
        }
        Ok(taken)
    }

    async fn drafts(
        &self,
        change: &mut Change,
        day: i64,
        room: usize,
    ) -> Result<Vec<Draft>, Error> {
        Ok(sql!(
            "select id, kind, product_id, team_id, consumer_team_id, from_location, to_location, method, rate_id, price_nano, unit,
                    currency, bytes, busy_micros
             from charge_draft where day = $1 order by id limit $2"
        )
        .bind(day)
        .bind(room)
        .all(change.tx())
        .await?)
    }

    /// The one place where money is rounded.
    async fn charge_make(&self, change: &mut Change, day: i64, draft: &Draft) -> Result<(), Error> {
        let at = change.at();
        let amount = if draft.kind == Part::Bytes.kind() {
            Micro::charge(i128::from(draft.bytes), draft.price_nano, draft.unit)
        } else {
            Micro::of_time(draft.busy_micros, draft.price_nano)
        };
        sql!("insert into charge (id, day, kind, product_id, team_id, consumer_team_id, from_location, to_location, method,
                  rate_id, bytes, busy_micros, amount_micro, currency, created_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)")
        .bind(draft.id)
        .bind(day)
        .bind(&draft.kind)
        .bind(draft.product_id)
        .bind(draft.team_id)
        .bind(draft.consumer_team_id)
        .bind(&draft.from_location)
        .bind(&draft.to_location)
        .bind(draft.method)
        .bind(draft.rate_id)
        .bind(draft.bytes)
        .bind(draft.busy_micros)
        .bind(amount.map_err(Error::internal)?)
        .bind(draft.currency)
        .bind(at)
        .execute(change.tx())
        .await?;
        sql!("delete from charge_draft where id = $1")
            .bind(draft.id)
            .execute(change.tx())
            .await?;
        Ok(())
    }
}
