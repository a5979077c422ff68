//! The gate of the sharing protocol: whose token this is, what they may read, from where, by which URLs, and what is written
//! down about it. Each call asks the exchange anew, so that an end is felt at once on every process (C-31).

mod listing;
mod notes;
mod part;
mod refusals;
mod side;
mod signing;
mod written;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use async_trait::async_trait;
use exchange::access::{NotServed, ReadFrom, SharedTable};
use exchange::{Exchange, Principal};
use model::{
    GrantId, Location, Name, ProductId, Purpose, QueryId, RecipientId, RecipientTokenId, StorageId,
    TableId, Timestamp,
};
use object_store::path::Path;
use sharing::{
    Gate, QueryRecord, Readable, Reader, Refused, ShareInfo, Shared, Side, SignedFile, Temporary,
};
use storage::{Cause, Meter, MeterKey};

use self::listing::entitled;
pub(crate) use self::listing::{listed, shares_of};
use self::notes::Notes;
pub(crate) use self::part::still_opens;
pub(crate) use self::refusals::refused;
use self::refusals::{cannot_open, ended, not_taken, turned_away, unbelieved};
use super::reads::Reads;
use super::stores::{Lake, TableAt};
use crate::gateway::Gateway;
use crate::middleware::limiter::{Limiter, Pace};
use crate::oidc::Issuers;

/// So many calls of one recipient that are turned away at the door leave a line in a minute, in this process: nothing else limits
/// who holds a credential that is over. The others are counted only.
const LINES_AT_THE_DOOR: u32 = 60;

/// [`Gate`] over the exchange and the lake.
pub struct ShareGate {
    exchange: Exchange,
    lake: Lake,
    gateway: Gateway,
    reads: Reads,
    /// Whose tokens let recipients in, beside those that are made here.
    issuers: Issuers,
    /// Requests of recipients that have a limit of their own, in this process.
    own_paces: Limiter,
    /// Lines of the access log of those who were not let in.
    lines_at_the_door: Limiter,
    /// Until when URLs live.
    notes: Notes,
}

/// For whom a table is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// A consumer reads; what it is handed ends with the credential that it called with.
    Consumer(RecipientTokenId),
    /// We look, as the consumer would; nobody is handed anything.
    Verification,
}

impl Look {
    /// The credential on which it rests, beside the grant.
    pub(crate) fn token(self) -> Option<RecipientTokenId> {
        match self {
            Self::Consumer(token) => Some(token),
            Self::Verification => None,
        }
    }

    /// What is counted for it.
    pub(crate) fn purpose(self, of_consumer: Purpose) -> Purpose {
        match self {
            Self::Consumer(_) => of_consumer,
            Self::Verification => Purpose::Verify,
        }
    }
}

/// One table that was opened for one request: what [`Readable::handle`] holds.
pub(crate) struct Reading {
    pub(crate) at: TableAt,
    pub(crate) from: ReadFrom,
    look: Look,
    product: ProductId,
    table: TableId,
    grant: GrantId,
    recipient: RecipientId,
    recipient_name: Name,
    query: QueryId,
    storage: StorageId,
    /// Where the recipient is.
    to: Location,
    until: Timestamp,
    /// The rows that the grant opened when the answer was begun; see [`part::mark`].
    rows: u64,
    meter: Meter,
    /// Whether the grant allows only so many bytes of the producer's own files in a day.
    is_limited: bool,
    /// Whether something had been handed out for the grant before.
    was_read: bool,
    /// Whether URLs of the store itself were handed out: what is read through them we do not see.
    signed_by_store: AtomicBool,
    /// Bytes that were fetched for a verification beside `meter`.
    pub(crate) fetched: AtomicU64,
}

impl Reading {
    /// Whether a consumer reads the producer's own files.
    fn is_live(&self) -> bool {
        matches!(self.look, Look::Consumer(_)) && self.from == ReadFrom::Producer
    }
}

impl ShareGate {
    pub fn new(exchange: Exchange, lake: Lake, gateway: Gateway, reads: Reads) -> Self {
        Self {
            issuers: Issuers::of(&exchange),
            own_paces: Limiter::new(1, Duration::from_secs(1)),
            lines_at_the_door: Limiter::new(
                LINES_AT_THE_DOOR,
                Duration::from_secs(60) / LINES_AT_THE_DOOR,
            ),
            notes: Notes::default(),
            exchange,
            lake,
            gateway,
            reads,
        }
    }

    pub(crate) fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    pub(crate) fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Everything that a recipient's grants give it now, also what cannot be served.
    pub(crate) async fn granted(
        &self,
        recipient: RecipientId,
    ) -> Result<Vec<SharedTable>, Refused> {
        self.granted_by(recipient, None).await
    }

    /// The same of one grant alone, when `only` says which.
    pub(crate) async fn granted_by(
        &self,
        recipient: RecipientId,
        only: Option<GrantId>,
    ) -> Result<Vec<SharedTable>, Refused> {
        self.exchange
            .shared_tables_by(&Principal::system(), recipient, only)
            .await
            .map_err(refused)
    }

    /// Opens one of the tables that [`Self::granted_by`] gives.
    pub(crate) async fn open_granted(
        &self,
        (recipient, only): (RecipientId, Option<GrantId>),
        names: (&str, &str, &str),
        look: Look,
        side: Option<Side>,
    ) -> Result<(Readable, Arc<Reading>), Refused> {
        let system = Principal::system();
        let found = self
            .exchange
            .shared_table(&system, recipient, only, names)
            .await
            .map_err(refused)?;
        let found = &found.ok_or(Refused::NotFound)?;
        let (share, schema, table) = names;
        match found.not_served() {
            None => {}
            Some(NotServed::Shared(feature)) => {
                return Err(Refused::Unsupported {
                    feature: feature.to_owned(),
                });
            }
            Some(NotServed::Cloned(feature)) => {
                return Err(Refused::Preparing {
                    why: format!(
                        "{share}.{schema}.{table} is granted as a replica, and it has none: it uses the Delta feature \
                         `{feature}`, which cannot be cloned yet; ask for live access to read the producer's table"
                    ),
                });
            }
        }
        let to = found.to().map_err(refused)?;
        let place = self.place(found, look, side).await?;
        let Some((storage, path, _, from)) = place else {
            return Err(Refused::Preparing {
                why: format!(
                    "the replica of {share}.{schema}.{table} in {to} is being prepared: its first copy is not complete; \
                     try again later"
                ),
            });
        };
        let access = self
            .exchange
            .storage_access_at(&system, storage, found.revision_of(storage))
            .await
            .map_err(refused)?;
        let query = QueryId::new(self.exchange.now());
        let meter = Meter::new(MeterKey {
            product: Some(found.product_id),
            table: Some(found.table_id),
            cause: Cause::Query(query),
            purpose: look.purpose(Purpose::Query),
        });
        let at = self
            .lake
            .table(&access, path, &meter)
            .map_err(|problem| cannot_open(&problem))?;
        let replica = matches!(from, ReadFrom::Replica { .. });
        let stale_since = found.late_since.filter(|_| replica);
        let rows = self.rows(found, recipient).await?;
        let reading = Arc::new(Reading {
            from,
            look,
            product: found.product_id,
            table: found.table_id,
            grant: found.grant_id,
            recipient,
            recipient_name: found.recipient.clone(),
            query,
            storage,
            to,
            until: found.until_at,
            rows: part::mark(rows.as_deref()),
            meter,
            is_limited: found.live_bytes_per_day.is_some(),
            was_read: found.first_read_at.is_some(),
            signed_by_store: AtomicBool::new(false),
            fetched: AtomicU64::new(0),
            at,
        });
        let endpoint = access.endpoint.as_deref().unwrap_or_default();
        let readable = Readable {
            table: reading.at.table.clone(),
            place: format!("{storage} {} {endpoint} {path}", access.url),
            share: found.share.to_string(),
            schema: found.schema.to_string(),
            name: found.table_name.to_string(),
            share_id: found.product_id.into(),
            table_id: found.table_id,
            grant: found.grant_id,
            query,
            history: found.history,
            history_start: found.history_start,
            changes: found.change_data_feed,
            rows,
            directory: found.directory().filter(|_| reading.at.store.lends()),
            replica,
            stale_since,
            handle: reading.clone(),
        };
        Ok((readable, reading))
    }

    /// Opens a table for a consumer; what it once could read says since when it no longer can.
    async fn open_for(
        &self,
        reader: &Reader,
        names: (&str, &str, &str),
        side: Option<Side>,
    ) -> Result<Readable, Refused> {
        let token = reader.token.ok_or_else(|| {
            Refused::Internal("a reader without a credential is handed nothing".to_owned())
        })?;
        let look = Look::Consumer(token);
        let opened = self.open_granted((reader.recipient, None), names, look, side);
        match opened.await {
            Ok((readable, _)) => Ok(readable),
            Err(Refused::NotFound) => {
                let system = Principal::system();
                let end = self.exchange.ended_access(&system, reader.recipient, names);
                let end = end.await.map_err(refused)?;
                Err(end.map_or(Refused::NotFound, ended))
            }
            Err(other) => Err(other),
        }
    }
}

#[async_trait]
impl Gate for ShareGate {
    async fn authenticate(&self, bearer: &str, peer: Option<IpAddr>) -> Result<Reader, Refused> {
        let system = Principal::system();
        let found = if Issuers::could_be(bearer) {
            let word = self.issuers.word(bearer).await.map_err(unbelieved)?;
            self.exchange.reader_of_word(&system, &word, peer).await
        } else {
            self.exchange.reader_of_token(&system, bearer, peer).await
        };
        let (found, token) = found.map_err(refused)?.map_err(turned_away)?;
        let reader = Reader {
            recipient: found.id,
            name: found.name.to_string(),
            token: Some(token),
        };
        if let Some(most) = found.requests_per_minute {
            let pace = Pace::per_minute(most);
            let taken = self.own_paces.take_at_pace(&found.id.to_string(), pace);
            if let Err(retry_after_seconds) = taken {
                let refused = Refused::TooMany {
                    retry_after_seconds,
                };
                return Err(refused.to_reader(reader));
            }
        }
        Ok(reader)
    }

    async fn tables(&self, reader: &Reader) -> Result<Vec<Shared>, Refused> {
        Ok(listed(&self.granted(reader.recipient).await?))
    }

    async fn shares(&self, reader: &Reader) -> Result<Vec<ShareInfo>, Refused> {
        let granted = self.granted(reader.recipient).await?;
        let titles = self
            .exchange
            .shared_titles(&Principal::system(), reader.recipient)
            .await
            .map_err(refused)?;
        Ok(entitled(shares_of(&granted), titles))
    }

    async fn open(
        &self,
        reader: &Reader,
        share: &str,
        schema: &str,
        table: &str,
    ) -> Result<Readable, Refused> {
        self.open_for(reader, (share, schema, table), None).await
    }

    async fn open_on(
        &self,
        reader: &Reader,
        share: &str,
        schema: &str,
        table: &str,
        side: Side,
    ) -> Result<Readable, Refused> {
        self.open_for(reader, (share, schema, table), Some(side))
            .await
    }

    async fn allow(&self, table: &Readable, bytes: u64) -> Result<(), Refused> {
        let reading = table.handle.downcast_ref::<Reading>();
        let reading = reading.ok_or_else(|| Refused::Internal("a foreign table".to_owned()))?;
        self.take_live(reading, bytes).await
    }

    async fn give_back(&self, table: &Readable, bytes: u64) {
        if let Some(reading) = table.handle.downcast_ref::<Reading>() {
            self.give_live_back(reading, bytes).await;
        }
    }

    async fn sign(&self, table: &Readable, keys: &[Path]) -> Result<Vec<SignedFile>, Refused> {
        let reading = table.handle.downcast_ref::<Reading>();
        let reading = reading.ok_or_else(|| Refused::Internal("a foreign table".to_owned()))?;
        self.sign_keys(reading, keys).await
    }

    async fn temporary(&self, table: &Readable) -> Result<Temporary, Refused> {
        let reading = table.handle.downcast_ref::<Reading>();
        let reading = reading.ok_or_else(|| Refused::Internal("a foreign table".to_owned()))?;
        let location = table.directory.as_deref().ok_or(Refused::NotFound)?;
        self.lend(reading, location).await
    }

    fn now(&self) -> Timestamp {
        self.exchange.now()
    }

    async fn record(&self, record: QueryRecord) {
        self.write_down(record).await;
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
