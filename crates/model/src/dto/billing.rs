//! Rates, charges, statements, savings.

use serde::{Deserialize, Serialize};

use super::access::Money;
use crate::{
    ChargeId, Currency, Location, MeterEventId, Method, Micro, Name, Nano, ProductName, Purpose,
    QueryId, RateId, Route, StatementState, SyncRunId, Timestamp, Unit,
};

/// `aws:eu-central-1`, `aws:*` or `*:*` on either side; the most specific match wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub id: RateId,
    pub from: String,
    pub to: String,
    pub price: Nano,
    pub unit: Unit,
    pub currency: Currency,
    pub valid_from: Timestamp,
    /// Exclusive; None: until further notice.
    pub valid_until: Option<Timestamp>,
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateNew {
    pub from: String,
    pub to: String,
    pub price: String,
    pub unit: String,
    pub currency: String,
    pub valid_from: String,
    /// Exclusive; until further notice when absent. A price with an end interrupts the one that holds until further notice:
    /// afterwards that one holds again.
    #[serde(default)]
    pub valid_until: Option<String>,
    pub source: String,
}

/// A price that is not a route's: `compute` per hour of sync runs; `storage` per GB and month, which is told in offers and
/// never charged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRate {
    pub id: RateId,
    pub kind: String,
    pub price: Nano,
    pub currency: Currency,
    pub valid_from: Timestamp,
    pub valid_until: Option<Timestamp>,
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRateNew {
    pub kind: String,
    pub price: String,
    pub currency: String,
    pub valid_from: String,
    /// Exclusive; until further notice when absent. A price with an end interrupts the one that holds until further notice:
    /// afterwards that one holds again.
    #[serde(default)]
    pub valid_until: Option<String>,
    pub source: String,
}

/// Bytes of one leg, as counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterEvent {
    pub id: MeterEventId,
    pub product: Option<ProductName>,
    pub from: Location,
    pub to: Location,
    pub bytes: u64,
    pub busy_micros: i64,
    pub method: Method,
    pub purpose: Purpose,
    pub run: Option<SyncRunId>,
    pub query: Option<QueryId>,
    pub at: Timestamp,
    /// Whether charges hold all of it already: its bytes and its time.
    pub charged: bool,
    /// Of an estimate: when bytes of the store's own access log took its place.
    pub replaced_at: Option<Timestamp>,
}

/// Lines of the access log of a storage's bucket; or where the store keeps that log, for a worker to read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessLogNew {
    /// The storage whose bucket the log tells of.
    pub storage: String,
    /// Whole lines of the S3 server access log.
    #[serde(default)]
    pub lines: Option<String>,
    /// The storage in which the log lies, and below which folder.
    #[serde(default)]
    pub lies_in: Option<String>,
    #[serde(default)]
    pub prefix: Option<String>,
}

/// What became of a log's lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessLogResult {
    /// A worker reads it; nothing is counted yet.
    pub queued: bool,
    pub lines: u64,
    /// Reads that were counted now, and their bytes.
    pub counted: u64,
    pub bytes: u64,
    /// That had been counted before.
    pub repeated: u64,
    /// Reads that were by none of our URLs, or of which nobody can tell by which.
    pub unmatched: u64,
    /// Of another bucket, or no reads that sent bytes.
    pub others: u64,
    /// Older than what was handed out is remembered, or of the future.
    pub too_old: u64,
    /// That are no lines of such a log.
    pub unreadable: u64,
}

/// Priced meter events of one day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    pub id: ChargeId,
    /// `2026-06-15`, UTC.
    pub day: String,
    /// `transfer` or `compute`.
    pub kind: String,
    pub product: ProductName,
    /// Who pays.
    pub team: Name,
    pub consumer: Option<Name>,
    pub from: Location,
    pub to: Location,
    pub method: Method,
    pub bytes: u64,
    pub busy_micros: i64,
    pub amount: Micro,
    pub currency: Currency,
}

/// What a run of the daily report did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportResult {
    pub charges: u64,
    /// Events that were priced, each once.
    pub events: u64,
    /// Events of finished days whose route has no rate: they wait, and no statement of their month is issued.
    pub unrated: u64,
    /// Compute time of finished days at which compute had no price: it waits in the same way. A price of 0 is a price.
    pub unrated_busy_micros: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementSummary {
    pub team: Name,
    /// `2026-06`.
    pub month: String,
    pub currency: Currency,
    pub total: Micro,
    pub state: StatementState,
    pub issued_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    #[serde(flatten)]
    pub summary: StatementSummary,
    pub cost_center: String,
    pub lines: Vec<StatementLine>,
    /// Handed out as signed URLs, not billed: an estimate of what was read.
    pub signed_bytes: u64,
    /// Counted, and not priced yet: the daily report does it when their day is over.
    pub waiting_bytes: u64,
    /// When the last of them can be priced; None where none wait.
    pub waiting_until: Option<Timestamp>,
    /// Events of the month's finished days whose route has no rate: they wait for one, and not for the report.
    pub unrated: u64,
    /// Compute time of the month's finished days at which compute had no price.
    pub unrated_busy_micros: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementLine {
    pub kind: String,
    pub product: ProductName,
    pub route: Route,
    pub method: Method,
    pub bytes: u64,
    pub busy_micros: i64,
    pub amount: Micro,
}

/// Which line of a month's statement: all that tells it from the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatementLineQuery {
    /// `transfer` or `compute`.
    pub kind: String,
    pub product: String,
    pub from: String,
    pub to: String,
    pub method: String,
    pub currency: String,
}

/// What a line of a statement was made of. The parts and what is left out are the line's figure together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementTrace {
    pub line: StatementLine,
    pub currency: Currency,
    /// The latest first.
    pub parts: Vec<StatementPart>,
    /// What the oldest parts are together, where there are too many to tell.
    pub left_out_events: u64,
    pub left_out_bytes: u64,
    pub left_out_busy_micros: i64,
}

/// Counted events of a run; where nothing ran, of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementPart {
    pub run: Option<SyncRunId>,
    pub purpose: Purpose,
    /// `2026-06-15`, UTC, where there is no run.
    pub day: Option<String>,
    pub events: u64,
    pub bytes: u64,
    pub busy_micros: i64,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
}

/// What a product's replicas have saved, against a stated baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saving {
    pub product: ProductName,
    /// The cut that the replica is of; None for the whole product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Name>,
    pub route: Route,
    pub days: i64,
    pub baseline_bytes: u64,
    pub actual_bytes: u64,
    /// Negative when more was moved than the baseline would have: shown, never clamped.
    pub saved_bytes: i64,
    pub saved: Option<Money>,
    pub baseline: String,
}
