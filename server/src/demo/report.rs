//! What `entrepot demo --json` prints: what the journey has made, read back from the exchange.

use exchange::page::{Page, PageRequest};
use exchange::{Error, Exchange, Principal};
use model::dto::{Grant, ProductQuery, Request, Saving, Statement, SyncRun};
use model::{
    Classification, Currency, GrantActual, GrantId, Location, Method, Micro, Mode, Name,
    ProductName, RequestId, RequestState, Route, RunKind, RunState, StatementState, Timestamp,
};
use serde::Serialize;

/// The one object.
#[derive(Debug, Serialize)]
pub struct Report {
    pub products: Vec<ProductLine>,
    pub requests: Vec<RequestLine>,
    pub grants: Vec<GrantLine>,
    /// Syncs, oldest first.
    pub sync_runs: Vec<RunLine>,
    /// Vacuums that deleted something, oldest first.
    pub vacuum_runs: Vec<VacuumLine>,
    pub statement_lines: Vec<BillLine>,
    /// Against a full load of every replicated product every week.
    pub savings: Vec<Saving>,
    /// What the consumer read through the share.
    pub reads: Vec<ReadLine>,
    /// The profile that the consumer downloaded.
    pub profile: std::path::PathBuf,
    /// Where the accounts and their passwords stand.
    pub accounts: std::path::PathBuf,
}

#[derive(Debug, Serialize)]
pub struct ProductLine {
    pub name: ProductName,
    pub title: String,
    pub team: Name,
    pub classification: Classification,
    pub location: Location,
    pub tables: u64,
    pub rows: Option<u64>,
    pub bytes: u64,
}

#[derive(Debug, Serialize)]
pub struct RequestLine {
    pub id: RequestId,
    pub product: ProductName,
    pub recipient: Name,
    pub mode: Mode,
    pub state: RequestState,
    pub requester: Option<Name>,
    pub created_at: Timestamp,
}

#[derive(Debug, Serialize)]
pub struct GrantLine {
    pub id: GrantId,
    pub product: ProductName,
    pub recipient: Name,
    pub mode: Mode,
    pub actual: GrantActual,
    pub verified_at: Option<Timestamp>,
    pub first_read_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
pub struct RunLine {
    pub product: ProductName,
    pub table: Name,
    /// The storage.
    pub to: Name,
    pub to_location: Location,
    pub state: RunState,
    pub from_version: Option<u64>,
    pub source_version: Option<u64>,
    pub files_copied: u64,
    pub bytes_copied: u64,
    /// What a full copy would have moved.
    pub bytes_full: u64,
    /// What came from the source, log reads included: what is billed.
    pub bytes_received: u64,
    /// Time that workers were busy with it.
    pub seconds: f64,
    pub at: Timestamp,
}

#[derive(Debug, Serialize)]
pub struct VacuumLine {
    pub product: ProductName,
    pub table: Name,
    pub to: Name,
    pub files_deleted: u64,
    pub bytes_deleted: u64,
    pub at: Timestamp,
}

#[derive(Debug, Serialize)]
pub struct BillLine {
    pub team: Name,
    pub month: String,
    pub state: StatementState,
    /// `transfer` or `compute`.
    pub kind: String,
    pub product: ProductName,
    pub route: Route,
    pub method: Method,
    pub bytes: u64,
    pub amount: Micro,
    pub currency: Currency,
}

#[derive(Clone, Debug, Serialize)]
pub struct ReadLine {
    pub recipient: &'static str,
    pub product: &'static str,
    pub table: &'static str,
    pub version: u64,
    pub files: u64,
    pub bytes: u64,
    pub rows: u64,
    pub at: Timestamp,
}

/// Every page of a list.
pub(super) async fn every<T>(
    mut next: impl AsyncFnMut(PageRequest) -> Result<Page<T>, Error>,
) -> Result<Vec<T>, Error> {
    let mut request = PageRequest::all();
    let mut items = Vec::new();
    loop {
        let page = next(request.clone()).await?;
        items.extend(page.items);
        if page.next.is_none() {
            return Ok(items);
        }
        request.after = page.next;
    }
}

pub(super) async fn products(
    exchange: &Exchange,
    principal: &Principal,
) -> Result<Vec<ProductLine>, Error> {
    let page = exchange
        .products(principal, ProductQuery::default())
        .await?;
    page.items
        .into_iter()
        .map(|card| {
            Ok(ProductLine {
                location: Location::new(card.cloud, &card.region).map_err(Error::internal)?,
                name: card.name,
                title: card.title,
                team: card.team,
                classification: card.classification,
                tables: card.tables,
                rows: card.rows,
                bytes: card.bytes,
            })
        })
        .collect()
}

impl From<Request> for RequestLine {
    fn from(request: Request) -> Self {
        Self {
            id: request.id,
            product: request.product,
            recipient: request.recipient,
            mode: request.mode,
            state: request.state,
            requester: request.requester,
            created_at: request.created_at,
        }
    }
}

impl From<Grant> for GrantLine {
    fn from(grant: Grant) -> Self {
        Self {
            id: grant.id,
            product: grant.product,
            recipient: grant.recipient,
            mode: grant.mode,
            actual: grant.actual,
            verified_at: grant.verified_at,
            first_read_at: grant.first_read_at,
        }
    }
}

/// Syncs and the vacuums that found something, of runs in any order.
pub(super) fn runs(mut runs: Vec<SyncRun>) -> (Vec<RunLine>, Vec<VacuumLine>) {
    runs.sort_by_key(|run| (run.started_at, run.id));
    let (mut syncs, mut vacuums) = (Vec::new(), Vec::new());
    for run in runs {
        match run.kind {
            RunKind::Sync => syncs.push(RunLine {
                product: run.product,
                table: run.table,
                to: run.to,
                to_location: run.to_location,
                state: run.state,
                from_version: run.from_version,
                source_version: run.to_version,
                files_copied: run.files_copied,
                bytes_copied: run.bytes_copied,
                bytes_full: run.bytes_full,
                bytes_received: run.bytes_received,
                seconds: seconds(run.busy_micros),
                at: run.started_at,
            }),
            RunKind::Vacuum => vacuums.push(VacuumLine {
                product: run.product,
                table: run.table,
                to: run.to,
                files_deleted: run.files_deleted,
                bytes_deleted: run.bytes_deleted,
                at: run.started_at,
            }),
            RunKind::Verify => {}
        }
    }
    (syncs, vacuums)
}

fn seconds(micros: i64) -> f64 {
    std::time::Duration::from_micros(u64::try_from(micros).unwrap_or(0)).as_secs_f64()
}

pub(super) fn bill(statement: Statement) -> impl Iterator<Item = BillLine> {
    let summary = statement.summary;
    statement.lines.into_iter().map(move |line| BillLine {
        team: summary.team.clone(),
        month: summary.month.clone(),
        state: summary.state,
        kind: line.kind,
        product: line.product,
        route: line.route,
        method: line.method,
        bytes: line.bytes,
        amount: line.amount,
        currency: summary.currency,
    })
}
