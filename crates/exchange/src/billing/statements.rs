//! Statements: a month's bill of one team that pays. Open ones are reckoned anew each time; an issued one is frozen, and
//! a charge that comes after it belongs to the month in which it came.

use chrono::{Datelike, NaiveDate};
use model::dto::{Statement, StatementLine, StatementSummary};
use model::time::DAY;
use model::{
    Currency, Location, Method, Micro, ProductId, ProductName, Route, StatementId, StatementState,
    TeamId, Timestamp,
};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::report::Part;
use crate::audit::Object;
use crate::error::Error;
use crate::operation::Operation;
use crate::people::TeamRecord;
use crate::policy::{Scope, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// A month: `2026-06`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Month {
    year: i32,
    month: u32,
}

impl Month {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let error = || Error::invalid("month", "not a month: write 2026-06");
        let date =
            NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").map_err(|_| error())?;
        if text.len() == 7 {
            Ok(Self {
                year: date.year(),
                month: date.month(),
            })
        } else {
            Err(error())
        }
    }

    pub(super) fn of(at: Timestamp) -> Result<Self, Error> {
        let date = at
            .date()
            .ok_or_else(|| Error::invalid("month", "out of range"))?;
        Ok(Self {
            year: date.year(),
            month: date.month(),
        })
    }

    pub(super) fn next(self) -> Self {
        if self.month == 12 {
            Self {
                year: self.year + 1,
                month: 1,
            }
        } else {
            Self {
                month: self.month + 1,
                ..self
            }
        }
    }

    pub(super) fn first_day(self) -> i64 {
        let date = NaiveDate::from_ymd_opt(self.year, self.month, 1).unwrap_or_default();
        Timestamp::from_datetime(date.and_time(chrono::NaiveTime::MIN).and_utc()).utc_day()
    }

    pub(super) fn text(self) -> String {
        format!("{:04}-{:02}", self.year, self.month)
    }
}

struct LineRow {
    kind: String,
    product_id: ProductId,
    product: ProductName,
    from_location: Location,
    to_location: Location,
    method: Method,
    bytes: u64,
    busy_micros: i64,
    amount_micro: Micro,
}
from_row!(LineRow {
    kind,
    product_id,
    product,
    from_location,
    to_location,
    method,
    bytes,
    busy_micros,
    amount_micro
});

impl From<LineRow> for StatementLine {
    fn from(row: LineRow) -> Self {
        Self {
            kind: row.kind,
            product: row.product,
            route: Route {
                from: row.from_location,
                to: row.to_location,
            },
            method: row.method,
            bytes: row.bytes,
            busy_micros: row.busy_micros,
            amount: row.amount_micro,
        }
    }
}

struct IssuedRow {
    id: StatementId,
    currency: Currency,
    total_micro: Micro,
    issued_at: Timestamp,
}
from_row!(IssuedRow {
    id,
    currency,
    total_micro,
    issued_at
});

/// What a month holds besides its lines.
#[derive(Clone, Copy, Debug, Default)]
struct Besides {
    signed_bytes: u64,
    waiting_bytes: u64,
    waiting_until: Option<Timestamp>,
    unrated: u64,
    unrated_busy_micros: u64,
}

impl Besides {
    fn is_nothing(&self) -> bool {
        self.signed_bytes == 0
            && self.waiting_until.is_none()
            && self.unrated == 0
            && self.unrated_busy_micros == 0
    }

    fn with(self, summary: StatementSummary, team: &TeamRecord, lines: Vec<LineRow>) -> Statement {
        Statement {
            summary,
            cost_center: team.cost_center.clone(),
            lines: lines.into_iter().map(StatementLine::from).collect(),
            signed_bytes: self.signed_bytes,
            waiting_bytes: self.waiting_bytes,
            waiting_until: self.waiting_until,
            unrated: self.unrated,
            unrated_busy_micros: self.unrated_busy_micros,
        }
    }
}

impl Exchange {
    /// The statements of one team's month, one per currency. Where nothing is charged yet and something was counted, one
    /// without lines says so.
    pub async fn statement(
        &self,
        principal: &Principal,
        team: &str,
        month: &str,
    ) -> Result<Vec<Statement>, Error> {
        let team = self.statement_team(principal, team).await?;
        let month = Month::parse(month)?;
        let issued: Vec<IssuedRow> =
            sql!("select id, currency, total_micro, issued_at from statement where team_id = $1 and month = $2 order by currency")
                .bind(team.id)
                .bind(month.text())
                .all(self.db())
                .await?;
        let besides = self.besides(team.id, month, None).await?;
        let mut statements = Vec::new();
        for row in &issued {
            let lines: Vec<LineRow> = sql!(
                "select kind, product_id, product.name as product, from_location, to_location, method, bytes, busy_micros, amount_micro
                 from statement_line join product on product.id = product_id where statement_id = $1 order by position"
            )
            .bind(row.id)
            .all(self.db())
            .await?;
            let summary = StatementSummary {
                team: team.name.clone(),
                month: month.text(),
                currency: row.currency,
                total: row.total_micro,
                state: StatementState::Issued,
                issued_at: Some(row.issued_at),
            };
            let besides = self.besides(team.id, month, Some(row.issued_at)).await?;
            statements.push(besides.with(summary, &team, lines));
        }
        let open = |currency, total| StatementSummary {
            team: team.name.clone(),
            month: month.text(),
            currency,
            total,
            state: StatementState::Open,
            issued_at: None,
        };
        for currency in self.open_currencies(team.id, month).await? {
            if issued.iter().any(|row| row.currency == currency) {
                continue;
            }
            let lines = self.open_lines(self.db(), team.id, month, currency).await?;
            let sum = total(lines.iter().map(|line| line.amount_micro))?;
            statements.push(besides.with(open(currency, sum), &team, lines));
        }
        if statements.is_empty() && !besides.is_nothing() {
            let currency = self.default_currency(self.db()).await?;
            statements.push(besides.with(open(currency, Micro(0)), &team, Vec::new()));
        }
        Ok(statements)
    }

    pub(super) async fn statement_team(
        &self,
        principal: &Principal,
        team: &str,
    ) -> Result<TeamRecord, Error> {
        let Some(team) = self.team_by_name(team).await? else {
            can(principal, Operation::StatementList, &Scope::NONE)?;
            return Err(Error::NotFound("team"));
        };
        can_see(
            principal,
            Operation::StatementRead,
            &Scope::owner(team.id),
            "statement",
        )?;
        Ok(team)
    }

    async fn open_currencies(&self, team: TeamId, month: Month) -> Result<Vec<Currency>, Error> {
        let rows = sql!(
            "select distinct currency from charge where team_id = $1
                 and ((day >= $2 and day < $3)
                      or (day < $2 and charge.created_at >= $4 and charge.created_at < $5 and exists (
                          select 1 from statement where statement.team_id = $1 and statement.currency = charge.currency
                              and statement.issued_at < charge.created_at
                              and charge.day >= statement.first_day and charge.day < statement.end_day)))
             order by currency"
        )
        .bind(team)
        .bind(month.first_day())
        .bind(month.next().first_day())
        .bind(month.first_day() * DAY)
        .bind(month.next().first_day() * DAY)
        .rows(self.db())
        .await?;
        rows.iter()
            .map(|row| row.get("currency").map_err(Error::from))
            .collect()
    }

    /// The month's own charges that came before its statement was issued, and late ones of months issued before they came.
    async fn open_lines<'a>(
        &self,
        on: impl Into<crate::db::On<'a>>,
        team: TeamId,
        month: Month,
        currency: Currency,
    ) -> Result<Vec<LineRow>, Error> {
        Ok(sql!(
            "select kind, product_id, product.name as product, from_location, to_location, method,
                    cast(sum(bytes) as bigint) as bytes, cast(sum(busy_micros) as bigint) as busy_micros,
                    cast(sum(amount_micro) as bigint) as amount_micro
             from charge join product on product.id = product_id
             where charge.team_id = $1 and currency = $2
                 and ((day >= $3 and day < $4)
                      or (day < $3 and charge.created_at >= $5 and charge.created_at < $6 and exists (
                          select 1 from statement where statement.team_id = $1 and statement.currency = $2
                              and statement.issued_at < charge.created_at
                              and charge.day >= statement.first_day and charge.day < statement.end_day)))
             group by kind, product_id, product.name, from_location, to_location, method
             order by product.name, kind desc, from_location, to_location, method"
        )
        .bind(team)
        .bind(currency)
        .bind(month.first_day())
        .bind(month.next().first_day())
        .bind(month.first_day() * DAY)
        .bind(month.next().first_day() * DAY)
        .all(on)
        .await?)
    }

    /// What was handed out as signed URLs for the team's products, which is shown and not billed; and what was counted and
    /// no charge holds: because its day is not over or the report has not come by, or because it has no price.
    /// `as_of`: when the statement was issued, which says for good what was not known better then.
    async fn besides(
        &self,
        team: TeamId,
        month: Month,
        as_of: Option<Timestamp>,
    ) -> Result<Besides, Error> {
        let row = sql!(
            "select cast(coalesce(sum(bytes), 0) as bigint) as bytes from meter_event join product on product.id = product_id
             where team_id = $1 and method = 'signed' and day >= $2 and day < $3
                 and (replaced_at is null or replaced_at >= $4)"
        )
        .bind(team)
        .bind(month.first_day())
        .bind(month.next().first_day())
        .bind(as_of)
        .row(self.db())
        .await?;
        let mut besides = Besides {
            signed_bytes: row.map(|row| row.get("bytes")).transpose()?.unwrap_or(0),
            ..Besides::default()
        };
        // What a report had in hand when it was cut short; the next one goes on with it.
        let drafts = sql!(
            "select cast(coalesce(sum(bytes), 0) as bigint) as bytes, cast(max(day) as bigint) as day from charge_draft
             where team_id = $1 and day >= $2 and day < $3"
        )
        .bind(team)
        .bind(month.first_day())
        .bind(month.next().first_day())
        .row(self.db())
        .await?;
        if let Some(row) = drafts
            && let Some(day) = row.get::<Option<i64>>("day")?
        {
            besides.waiting_bytes += row.get::<u64>("bytes")?;
            besides.waiting_until = Some(Timestamp::from_utc_day(day + 1));
        }
        let today = self.now().utc_day();
        for day in self.waiting_days(team, month).await? {
            for waits in self.waiting(day, Some(team)).await? {
                // Whether there is a price is asked when the day is over: until then there is nothing to mend.
                match (waits.price, waits.part) {
                    (None, Part::Bytes) if day < today => besides.unrated += waits.leg.events,
                    (None, Part::Time) if day < today => {
                        besides.unrated_busy_micros += waits.leg.busy_micros;
                    }
                    (_, part) => {
                        if part == Part::Bytes {
                            besides.waiting_bytes += waits.leg.bytes;
                        }
                        let until = Timestamp::from_utc_day(day + 1);
                        besides.waiting_until = besides.waiting_until.max(Some(until));
                    }
                }
            }
        }
        Ok(besides)
    }

    /// The days of the month of which no charge holds everything yet, in order.
    async fn waiting_days(&self, team: TeamId, month: Month) -> Result<Vec<i64>, Error> {
        let rows = sql!(
            "select day from billed_event where team_id = $1 and day >= $2 and day < $3 and ", bytes_wait!(),
            " union select day from billed_event where team_id = $1 and day >= $2 and day < $3 and ", time_waits!(),
            " order by day"
        )
        .bind(team)
        .bind(month.first_day())
        .bind(month.next().first_day())
        .rows(self.db())
        .await?;
        rows.iter()
            .map(|row| row.get("day").map_err(Error::from))
            .collect()
    }

    /// Freezes a finished month. Refused while events of it have no rate.
    pub async fn statement_issue(
        &self,
        principal: &Principal,
        team: &str,
        month: &str,
    ) -> Result<Vec<Statement>, Error> {
        let record = self.statement_team(principal, team).await?;
        can(
            principal,
            Operation::StatementIssue,
            &Scope::owner(record.id),
        )?;
        let month = Month::parse(month)?;
        if month.next().first_day() > self.now().utc_day() {
            return Err(Error::conflict(
                "the month is not over yet; issue its statement when it is",
            ));
        }
        self.billing_report(principal).await?;
        let besides = self.besides(record.id, month, None).await?;
        if besides.unrated > 0 {
            return Err(Error::conflict(format!(
                "{} meter events of this month have no rate; add the missing rate, then issue the statement",
                besides.unrated
            )));
        }
        if besides.unrated_busy_micros > 0 {
            return Err(Error::conflict(
                "there is compute time of this month at which compute had no price; set a price of kind compute that holds then \
                 (it may be 0), then issue the statement",
            ));
        }
        if besides.waiting_until.is_some() {
            return Err(Error::Unavailable(
                "some of this month is being priced right now; try again in a moment".to_owned(),
            ));
        }
        let currencies = self.open_currencies(record.id, month).await?;
        if currencies.is_empty() {
            return Err(Error::conflict("there is nothing to bill in this month"));
        }
        let mut change = self.change(principal).await?;
        let at = change.at();
        let mut issued = 0;
        for currency in currencies {
            let lines = self
                .open_lines(change.tx(), record.id, month, currency)
                .await?;
            if lines.is_empty() {
                continue;
            }
            let total = total(lines.iter().map(|line| line.amount_micro))?;
            let id = StatementId::new(at);
            let mut hasher = Sha256::new();
            for line in &lines {
                hasher.update(format!(
                    "{}|{}|{}|{}|{}|{}|{}|{}\n",
                    line.kind,
                    line.product,
                    line.from_location,
                    line.to_location,
                    line.method,
                    line.bytes,
                    line.busy_micros,
                    line.amount_micro.0
                ));
            }
            let hash: [u8; 32] = hasher.finalize().into();
            sql!("insert into statement (id, team_id, month, first_day, end_day, currency, total_micro, content_hash, issued_at)
                  values ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(id)
            .bind(record.id)
            .bind(month.text())
            .bind(month.first_day())
            .bind(month.next().first_day())
            .bind(currency)
            .bind(total)
            .bind(hash)
            .bind(at)
            .execute(change.tx())
            .await
            .map_err(|error| match error {
                crate::db::DbError::Unique(_) => Error::conflict("this statement was issued already and never changes"),
                other => other.into(),
            })?;
            for (position, line) in lines.into_iter().enumerate() {
                sql!("insert into statement_line (id, statement_id, position, kind, product_id, from_location, to_location,
                          method, bytes, busy_micros, amount_micro)
                      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)")
                .bind(model::ChargeId::new(at))
                .bind(id)
                .bind(position)
                .bind(line.kind)
                .bind(line.product_id)
                .bind(&line.from_location)
                .bind(&line.to_location)
                .bind(line.method)
                .bind(line.bytes)
                .bind(line.busy_micros)
                .bind(line.amount_micro)
                .execute(change.tx())
                .await?;
            }
            change.note(
                Operation::StatementIssue,
                Object::new("statement", id),
                json!({ "team": record.name, "month": month.text(), "currency": currency, "total": total }),
            );
            issued += 1;
        }
        if issued == 0 {
            return Err(Error::conflict("there is nothing to bill in this month"));
        }
        change.commit().await?;
        self.statement(principal, team, &month.text()).await
    }
}

fn total(amounts: impl Iterator<Item = Micro>) -> Result<Micro, Error> {
    amounts
        .into_iter()
        .try_fold(Micro(0), Micro::checked_add)
        .ok_or_else(|| Error::internal("the total is out of range"))
}
