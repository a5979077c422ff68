//! What a line of a statement was made of: the counted bytes or compute time that its charges hold, by run, and by day where
//! nothing ran.

use model::dto::{StatementLine, StatementLineQuery, StatementPart, StatementTrace};
use model::time::DAY;
use model::{
    Currency, Location, Method, ProductName, Purpose, Route, StatementState, SyncRunId, Timestamp,
};

use super::charges::day_text;
use super::statements::Month;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::policy::{Scope, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// So many parts are told one by one, the latest; the rest is told as a sum.
const PARTS_MOST: i64 = 500;

struct PartRow {
    run_id: Option<SyncRunId>,
    purpose: Purpose,
    of_day: Option<i64>,
    events: u64,
    bytes: u64,
    busy_micros: i64,
    first_at: Timestamp,
    last_at: Timestamp,
}
from_row!(PartRow {
    run_id,
    purpose,
    of_day,
    events,
    bytes,
    busy_micros,
    first_at,
    last_at
});

/// What all parts are together.
struct Whole {
    events: u64,
    bytes: u64,
    busy_micros: i64,
}
from_row!(Whole {
    events,
    bytes,
    busy_micros
});

/// The events that a line's charges hold, $1 to $12 being what tells the line: the month's own charges and late ones of months that
/// were issued before they came, as in the lines of an open statement; of an issued one what was there when it was issued.
/// Events and their charge are of one day and product, which is how the events are found.
macro_rules! events_of {
    ($select:literal, $column:literal, $rest:literal) => {
        sql!(
            $select,
            " from charge join product on product.id = charge.product_id
                  join meter_event on meter_event.product_id = charge.product_id and meter_event.day = charge.day
                      and meter_event.",
            $column,
            " = charge.id
              where charge.team_id = $1 and currency = $2 and kind = $3 and product.name = $4 and charge.from_location = $5
                  and charge.to_location = $6 and charge.method = $7
                  and ((charge.day >= $8 and charge.day < $9)
                       or (charge.day < $8 and charge.created_at >= $10 and charge.created_at < $11 and exists (
                           select 1 from statement where statement.team_id = $1 and statement.currency = $2
                               and statement.issued_at < charge.created_at
                               and charge.day >= statement.first_day and charge.day < statement.end_day)))
                  and (charge.created_at <= $12 or $12 is null)",
            $rest
        )
    };
}

macro_rules! whole {
    ($column:literal) => {
        events_of!(
            "select cast(count(*) as bigint) as events, cast(coalesce(sum(meter_event.bytes), 0) as bigint) as bytes,
                    cast(coalesce(sum(meter_event.busy_micros), 0) as bigint) as busy_micros",
            $column,
            ""
        )
    };
}

macro_rules! parts {
    ($column:literal) => {
        events_of!(
            "select run_id, purpose, case when run_id is null then meter_event.day end as of_day,
                    cast(count(*) as bigint) as events, cast(sum(meter_event.bytes) as bigint) as bytes,
                    cast(sum(meter_event.busy_micros) as bigint) as busy_micros, min(at) as first_at, max(at) as last_at",
            $column,
            " group by run_id, purpose, case when run_id is null then meter_event.day end
              order by max(at) desc, min(at) desc, purpose limit $13"
        )
    };
}

impl Exchange {
    /// What one line of a team's month was made of. Its parts and what is left out of them are the line's figure together.
    pub async fn statement_line(
        &self,
        principal: &Principal,
        team: &str,
        month: &str,
        asked: &StatementLineQuery,
    ) -> Result<StatementTrace, Error> {
        let record = self.statement_team(principal, team).await?;
        can_see(
            principal,
            Operation::StatementLineRead,
            &Scope::owner(record.id),
            "statement",
        )?;
        let month = Month::parse(month)?;
        let (wanted, currency) = parse(asked)?;
        let statements = self.statement(principal, team, &month.text()).await?;
        let found = statements
            .into_iter()
            .filter(|statement| statement.summary.currency == currency)
            .find_map(|statement| {
                let mut lines = statement.lines.into_iter();
                let line = lines.find(|line| wanted.is(line))?;
                Some((statement.summary, line))
            });
        let (summary, line) = found.ok_or(Error::NotFound("statement line"))?;
        let until = match summary.state {
            StatementState::Open => None,
            StatementState::Issued => summary.issued_at,
        };
        let is_compute = line.kind == "compute";
        let (whole, parts) = if is_compute {
            (whole!("compute_charge_id"), parts!("compute_charge_id"))
        } else {
            (whole!("charge_id"), parts!("charge_id"))
        };
        macro_rules! bound {
            ($query:expr) => {
                $query
                    .bind(record.id)
                    .bind(currency)
                    .bind(&line.kind)
                    .bind(&line.product)
                    .bind(&line.route.from)
                    .bind(&line.route.to)
                    .bind(line.method)
                    .bind(month.first_day())
                    .bind(month.next().first_day())
                    .bind(month.first_day() * DAY)
                    .bind(month.next().first_day() * DAY)
                    .bind(until)
            };
        }
        let whole: Option<Whole> = bound!(whole).first(self.db()).await?;
        let rows: Vec<PartRow> = bound!(parts).bind(PARTS_MOST).all(self.db()).await?;
        let whole = whole.ok_or_else(|| Error::internal("a sum without a row"))?;
        // The other half of an event is another line's.
        let halved = |bytes: u64, busy: i64| if is_compute { (0, busy) } else { (bytes, 0) };
        let (mut bytes, mut busy_micros) = halved(whole.bytes, whole.busy_micros);
        let mut events = whole.events;
        let mut parts = Vec::with_capacity(rows.len());
        for row in rows {
            let (of_bytes, of_busy) = halved(row.bytes, row.busy_micros);
            events = events.saturating_sub(row.events);
            bytes = bytes.saturating_sub(of_bytes);
            busy_micros = busy_micros.saturating_sub(of_busy);
            parts.push(StatementPart {
                run: row.run_id,
                purpose: row.purpose,
                day: row.of_day.map(day_text),
                events: row.events,
                bytes: of_bytes,
                busy_micros: of_busy,
                first_at: row.first_at,
                last_at: row.last_at,
            });
        }
        Ok(StatementTrace {
            line,
            currency,
            parts,
            left_out_events: events,
            left_out_bytes: bytes,
            left_out_busy_micros: busy_micros,
        })
    }
}

/// What tells a line of a month's statement.
struct Wanted {
    kind: String,
    product: ProductName,
    route: Route,
    method: Method,
}

impl Wanted {
    fn is(&self, line: &StatementLine) -> bool {
        line.kind == self.kind
            && line.product == self.product
            && line.route == self.route
            && line.method == self.method
    }
}

fn parse(asked: &StatementLineQuery) -> Result<(Wanted, Currency), Error> {
    let mut check = Check::new();
    let product = check.parse::<ProductName>("product", &asked.product);
    let from = check.parse::<Location>("from", &asked.from);
    let to = check.parse::<Location>("to", &asked.to);
    let method = check.parse::<Method>("method", &asked.method);
    let currency = check.parse::<Currency>("currency", &asked.currency);
    if !matches!(asked.kind.as_str(), "transfer" | "compute") {
        check.fail("kind", "must be transfer or compute");
    }
    check.done()?;
    match (product, from, to, method, currency) {
        (Some(product), Some(from), Some(to), Some(method), Some(currency)) => Ok((
            Wanted {
                kind: asked.kind.clone(),
                product,
                route: Route { from, to },
                method,
            },
            currency,
        )),
        _ => Err(Error::invalid("product", "missing")),
    }
}
