//! Dated prices. A rate is never changed. One that holds until further notice ends where the next such one begins; one with an
//! end interrupts it, and afterwards it holds again. So of those for the same places, where two overlap, one lies within the
//! other, and the one that began last is meant.

use model::dto::{Rate, RateNew, ServiceRate, ServiceRateNew};
use model::{Cloud, Currency, Location, Nano, RateId, Route, Timestamp, Unit};
use serde_json::json;

use crate::audit::Object;
use crate::change::Change;
use crate::db::On;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Said of a price that clashes with another.
pub(crate) const RATES_CLASH: &str = "a price for the same holds in that time already; choose another time, or one that lies wholly \
     within the other's";

/// A rate as it stands in the database; `*` where it holds for any.
#[derive(Clone, Debug)]
pub struct RateRecord {
    pub id: RateId,
    pub from_cloud: String,
    pub from_region: String,
    pub to_cloud: String,
    pub to_region: String,
    pub price_nano: Nano,
    pub unit: Unit,
    pub currency: Currency,
    pub valid_from: Timestamp,
    pub valid_until: Option<Timestamp>,
    pub source: String,
}
from_row!(RateRecord {
    id,
    from_cloud,
    from_region,
    to_cloud,
    to_region,
    price_nano,
    unit,
    currency,
    valid_from,
    valid_until,
    source
});

impl From<RateRecord> for Rate {
    fn from(record: RateRecord) -> Self {
        Self {
            id: record.id,
            from: format!("{}:{}", record.from_cloud, record.from_region),
            to: format!("{}:{}", record.to_cloud, record.to_region),
            price: record.price_nano,
            unit: record.unit,
            currency: record.currency,
            valid_from: record.valid_from,
            valid_until: record.valid_until,
            source: record.source,
        }
    }
}

/// A price for compute or storage.
#[derive(Clone, Debug)]
pub struct ServiceRateRecord {
    pub id: RateId,
    pub kind: String,
    pub price_nano: Nano,
    pub currency: Currency,
    pub valid_from: Timestamp,
    pub valid_until: Option<Timestamp>,
    pub source: String,
}
from_row!(ServiceRateRecord {
    id,
    kind,
    price_nano,
    currency,
    valid_from,
    valid_until,
    source
});

impl From<ServiceRateRecord> for ServiceRate {
    fn from(record: ServiceRateRecord) -> Self {
        Self {
            id: record.id,
            kind: record.kind,
            price: record.price_nano,
            currency: record.currency,
            valid_from: record.valid_from,
            valid_until: record.valid_until,
            source: record.source,
        }
    }
}

/// One side of a rate: cloud and region, `*` for any; a region needs its cloud.
pub(crate) fn check_side(check: &mut Check, field: &str, text: &str) -> Option<(String, String)> {
    if text == "*" || text == "*:*" {
        return Some(("*".to_owned(), "*".to_owned()));
    }
    if let Some(cloud) = text.strip_suffix(":*") {
        return check
            .parse::<Cloud>(field, cloud)
            .map(|cloud| (cloud.to_string(), "*".to_owned()));
    }
    check
        .parse::<Location>(field, text)
        .map(|place| (place.cloud.to_string(), place.region().to_owned()))
}

/// When a price holds; the end is exclusive, and None is until further notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) from: Timestamp,
    pub(crate) until: Option<Timestamp>,
}
from_row!(Period { from, until });

impl Period {
    /// Whether a price of this period ends the one of the other, for the same.
    pub(crate) fn ends(self, there: Self) -> bool {
        self.until.is_none() && there.until.is_none() && there.from < self.from
    }

    /// Whether this one cannot be added where the other stands: they would overlap otherwise than one within the other, or
    /// begin at the same instant.
    pub(crate) fn clashes(self, there: Self) -> bool {
        let end = |period: Self| period.until.map_or(i64::MAX, Timestamp::micros);
        let apart = end(self) <= there.from.micros() || end(there) <= self.from.micros();
        let both_open = self.until.is_none() && there.until.is_none();
        let within = there.from < self.from && end(self) <= end(there);
        let around = self.from < there.from && end(there) <= end(self);
        !(apart || self.ends(there) || (!both_open && (within || around)))
    }

    /// Puts it beside those that are there, as adding the price would; not where it clashes.
    pub(crate) fn join(self, there: &mut Vec<Self>) -> bool {
        if there.iter().any(|other| self.clashes(*other)) {
            return false;
        }
        for other in there.iter_mut() {
            if self.ends(*other) {
                other.until = Some(self.from);
            }
        }
        there.push(self);
        true
    }
}

fn check_period(check: &mut Check, from: &str, until: Option<&str>) -> Option<Period> {
    let from: Option<Timestamp> = check.parse("valid_from", from);
    let until: Option<Timestamp> = until.and_then(|until| check.parse("valid_until", until));
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        check.fail("valid_until", "must be later than valid_from");
    }
    from.map(|from| Period { from, until })
}

/// A slip beyond this is none that anybody means; what it would come to fits no amount.
const HIGHEST_PRICE: Nano = Nano(1_000_000 * 1_000_000_000);

/// Lets one change of prices at a time look for others that hold at the same time: two that are written at once must see each
/// other.
async fn hold_rates(change: &mut Change) -> Result<(), Error> {
    sql!(
        "insert into setting (name, value, updated_at) values ('lock.rates', '', $1)
         on conflict (name) do update set updated_at = excluded.updated_at"
    )
    .bind(change.at())
    .execute(change.tx())
    .await?;
    Ok(())
}

fn check_price(check: &mut Check, text: &str) -> Option<Nano> {
    let price: Option<Nano> = check.parse("price", text);
    if price.is_some_and(|price| !(0..=HIGHEST_PRICE.0).contains(&price.0)) {
        check.fail("price", "from 0 to 1000000");
    }
    price
}

impl Exchange {
    /// The rate of a route at an instant: exact places win over `cloud:*`, that over `*`; the source's side counts first.
    /// None inside one location, where bytes cost nothing, and where no rate is known.
    pub async fn rate_for<'a>(
        &self,
        on: impl Into<On<'a>>,
        route: &Route,
        at: Timestamp,
    ) -> Result<Option<RateRecord>, Error> {
        if route.is_local() {
            return Ok(None);
        }
        Ok(sql!(
            "select id, from_cloud, from_region, to_cloud, to_region, price_nano, unit, currency, valid_from, valid_until, source
             from rate
             where (from_cloud = $1 or from_cloud = '*') and (from_region = $2 or from_region = '*')
                 and (to_cloud = $3 or to_cloud = '*') and (to_region = $4 or to_region = '*')
                 and valid_from <= $5 and (valid_until > $5 or valid_until is null)
             order by case when from_region <> '*' then 0 when from_cloud <> '*' then 1 else 2 end,
                 case when to_region <> '*' then 0 when to_cloud <> '*' then 1 else 2 end, valid_from desc, id
             limit 1"
        )
        .bind(route.from.cloud)
        .bind(route.from.region())
        .bind(route.to.cloud)
        .bind(route.to.region())
        .bind(at)
        .first(on)
        .await?)
    }

    /// The price of `compute` or `storage` at an instant.
    pub async fn service_rate_for<'a>(
        &self,
        on: impl Into<On<'a>>,
        kind: &str,
        at: Timestamp,
    ) -> Result<Option<ServiceRateRecord>, Error> {
        Ok(sql!(
            "select id, kind, price_nano, currency, valid_from, valid_until, source from service_rate
             where kind = $1 and valid_from <= $2 and (valid_until > $2 or valid_until is null) order by valid_from desc, id limit 1"
        )
        .bind(kind)
        .bind(at)
        .first(on)
        .await?)
    }

    pub async fn rates(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<Rate>, Error> {
        can(principal, Operation::RateList, &Scope::NONE)?;
        let after: Option<RateId> = page.parse_after()?;
        let rows: Vec<RateRecord> = sql!(
            "select id, from_cloud, from_region, to_cloud, to_region, price_nano, unit, currency, valid_from, valid_until, source
             from rate where (id > $1 or $1 is null) order by id limit $2"
        )
        .bind(after)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        Ok(Page {
            items: page.items.into_iter().map(Rate::from).collect(),
            next: page.next,
        })
    }

    pub async fn service_rates(&self, principal: &Principal) -> Result<Vec<ServiceRate>, Error> {
        can(principal, Operation::RateList, &Scope::NONE)?;
        let rows: Vec<ServiceRateRecord> = sql!(
            "select id, kind, price_nano, currency, valid_from, valid_until, source from service_rate order by kind, valid_from"
        )
        .all(self.db())
        .await?;
        Ok(rows.into_iter().map(ServiceRate::from).collect())
    }

    /// Adds a rate. One for the same sides that runs until further notice is ended where this one begins, or, where this one
    /// has an end, interrupted by it; any other overlap is refused. What was charged already stays charged.
    pub async fn rate_create(&self, principal: &Principal, new: RateNew) -> Result<Rate, Error> {
        can(principal, Operation::RateCreate, &Scope::NONE)?;
        let mut check = Check::new();
        let from = check_side(&mut check, "from", &new.from);
        let to = check_side(&mut check, "to", &new.to);
        let price = check_price(&mut check, &new.price);
        let unit: Option<Unit> = check.parse("unit", &new.unit);
        let currency: Option<Currency> = check.parse("currency", &new.currency);
        let period = check_period(&mut check, &new.valid_from, new.valid_until.as_deref());
        let source = check.text("source", &new.source, 1, 500, false);
        check.done()?;
        let (Some(from), Some(to), Some(price), Some(unit), Some(currency), Some(period)) =
            (from, to, price, unit, currency, period)
        else {
            return Err(Error::invalid("rate", "incomplete"));
        };
        let mut change = self.change(principal).await?;
        hold_rates(&mut change).await?;
        if period.until.is_none() {
            sql!("update rate set valid_until = $1 where from_cloud = $2 and from_region = $3 and to_cloud = $4 and to_region = $5
                      and valid_until is null and valid_from < $1")
            .bind(period.from)
            .bind(&from.0)
            .bind(&from.1)
            .bind(&to.0)
            .bind(&to.1)
            .execute(change.tx())
            .await?;
        }
        let there: Vec<Period> = sql!(
            "select valid_from as \"from\", valid_until as \"until\" from rate
             where from_cloud = $1 and from_region = $2 and to_cloud = $3 and to_region = $4"
        )
        .bind(&from.0)
        .bind(&from.1)
        .bind(&to.0)
        .bind(&to.1)
        .all(change.tx())
        .await?;
        if there.into_iter().any(|there| period.clashes(there)) {
            return Err(Error::conflict(RATES_CLASH));
        }
        let record = RateRecord {
            id: RateId::new(change.at()),
            from_cloud: from.0,
            from_region: from.1,
            to_cloud: to.0,
            to_region: to.1,
            price_nano: price,
            unit,
            currency,
            valid_from: period.from,
            valid_until: period.until,
            source,
        };
        let at = change.at();
        sql!("insert into rate (id, from_cloud, from_region, to_cloud, to_region, price_nano, unit, currency, valid_from,
                  valid_until, source, created_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)")
        .bind(record.id)
        .bind(&record.from_cloud)
        .bind(&record.from_region)
        .bind(&record.to_cloud)
        .bind(&record.to_region)
        .bind(record.price_nano)
        .bind(record.unit)
        .bind(record.currency)
        .bind(record.valid_from)
        .bind(record.valid_until)
        .bind(&record.source)
        .bind(at)
        .execute(change.tx())
        .await?;
        let rate = Rate::from(record);
        change.note(
            Operation::RateCreate,
            Object::new("rate", rate.id),
            json!({ "from": rate.from, "to": rate.to, "price": rate.price, "valid_from": rate.valid_from }),
        );
        change.commit().await?;
        Ok(rate)
    }

    /// Adds a price for `compute` (per hour of sync runs) or `storage` (per GB and month); ends or interrupts the one that holds
    /// until further notice, as with rates.
    pub async fn service_rate_create(
        &self,
        principal: &Principal,
        new: ServiceRateNew,
    ) -> Result<ServiceRate, Error> {
        can(principal, Operation::RateCreate, &Scope::NONE)?;
        let mut check = Check::new();
        if !matches!(new.kind.as_str(), "compute" | "storage") {
            check.fail("kind", "use compute or storage");
        }
        let price = check_price(&mut check, &new.price);
        let currency: Option<Currency> = check.parse("currency", &new.currency);
        let period = check_period(&mut check, &new.valid_from, new.valid_until.as_deref());
        let source = check.text("source", &new.source, 1, 500, false);
        check.done()?;
        let (Some(price), Some(currency), Some(period)) = (price, currency, period) else {
            return Err(Error::invalid("rate", "incomplete"));
        };
        let mut change = self.change(principal).await?;
        let at = change.at();
        hold_rates(&mut change).await?;
        if period.until.is_none() {
            sql!("update service_rate set valid_until = $1 where kind = $2 and valid_until is null and valid_from < $1")
                .bind(period.from)
                .bind(&new.kind)
                .execute(change.tx())
                .await?;
        }
        let there: Vec<Period> = sql!(
            "select valid_from as \"from\", valid_until as \"until\" from service_rate where kind = $1"
        )
        .bind(&new.kind)
        .all(change.tx())
        .await?;
        if there.into_iter().any(|there| period.clashes(there)) {
            return Err(Error::conflict(RATES_CLASH));
        }
        let id = RateId::new(at);
        sql!("insert into service_rate (id, kind, price_nano, currency, valid_from, valid_until, source, created_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8)")
        .bind(id)
        .bind(&new.kind)
        .bind(price)
        .bind(currency)
        .bind(period.from)
        .bind(period.until)
        .bind(&source)
        .bind(at)
        .execute(change.tx())
        .await?;
        change.note(
            Operation::RateCreate,
            Object::new("rate", id),
            json!({ "kind": new.kind, "price": price, "valid_from": period.from }),
        );
        change.commit().await?;
        let (valid_from, valid_until) = (period.from, period.until);
        Ok(ServiceRate {
            id,
            kind: new.kind,
            price,
            currency,
            valid_from,
            valid_until,
            source,
        })
    }
}
