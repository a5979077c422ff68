//! The queries of the sharing protocol that are answered later, kept by the exchange: all processes have the same.

use async_trait::async_trait;
use exchange::access::{Later, LaterNew, LaterState};
use exchange::{Exchange, Principal};
use model::{QueryId, RecipientId, TableId};
use sharing::{Queries, QueryKept, QueryNew, QueryState, Refused};

use super::gate::refused;

/// How soon a recipient that has too many may ask for another, in seconds.
const RETRY_AFTER: u64 = 600;

pub struct LaterQueries {
    exchange: Exchange,
}

impl LaterQueries {
    pub fn new(exchange: Exchange) -> Self {
        Self { exchange }
    }
}

fn kept(later: Later) -> QueryKept {
    QueryKept {
        id: later.id,
        request: later.request,
        version: later.version,
        state: match later.state {
            LaterState::Pending => QueryState::Pending,
            LaterState::Done(state) => QueryState::Done { state },
            LaterState::Failed(message) => QueryState::Failed { message },
        },
    }
}

#[async_trait]
impl Queries for LaterQueries {
    async fn begin(&self, new: QueryNew) -> Result<QueryKept, Refused> {
        let new = LaterNew {
            recipient: new.recipient,
            table: new.table,
            key: new.key,
            request: new.request,
            version: new.version,
        };
        let begun = self.exchange.later_begin(&Principal::system(), &new).await;
        begun.map_err(refused)?.map(kept).ok_or(Refused::TooMany {
            retry_after_seconds: RETRY_AFTER,
        })
    }

    async fn find(
        &self,
        recipient: RecipientId,
        table: TableId,
        id: QueryId,
    ) -> Result<Option<QueryKept>, Refused> {
        let system = Principal::system();
        let found = self.exchange.later_find(&system, recipient, table, id);
        Ok(found.await.map_err(refused)?.map(kept))
    }

    async fn take(&self, id: QueryId) -> Result<Option<u64>, Refused> {
        let taken = self.exchange.later_take(&Principal::system(), id).await;
        taken.map_err(refused)
    }

    async fn renew(&self, id: QueryId, attempt: u64) -> Result<bool, Refused> {
        let system = Principal::system();
        let renewed = self.exchange.later_renew(&system, id, attempt).await;
        renewed.map_err(refused)
    }

    async fn end(&self, id: QueryId, attempt: u64, end: QueryState) -> Result<(), Refused> {
        let end = match end {
            QueryState::Pending => LaterState::Pending,
            QueryState::Done { state } => LaterState::Done(state),
            QueryState::Failed { message } => LaterState::Failed(message),
        };
        let system = Principal::system();
        let ended = self.exchange.later_end(&system, id, attempt, &end).await;
        ended.map_err(refused)
    }
}
