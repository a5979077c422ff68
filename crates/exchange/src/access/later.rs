//! Queries of the sharing protocol that are answered later: what was asked and how far it came, kept for some hours. A query
//! belongs to its recipient; its key means the same query for as long as it is kept.

use model::time::{HOUR, MINUTE};
use model::{QueryId, RecipientId, TableId};
use sha2::{Digest as _, Sha256};

use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// So long a query is kept; more than any client asks about it.
const KEPT: i64 = 6 * HOUR;
/// So long who works on one has it.
const LEASE: i64 = MINUTE;
/// So many of one recipient are kept at a time.
const MOST: i64 = 200;

/// A query to be answered later.
#[derive(Clone, Debug)]
pub struct LaterNew {
    pub recipient: RecipientId,
    pub table: TableId,
    pub key: String,
    pub request: String,
    pub version: u64,
}

/// The same as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    pub id: QueryId,
    pub request: String,
    pub version: u64,
    pub state: LaterState,
}

/// How far it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaterState {
    Pending,
    /// Tells the version's state from another table's.
    Done(u64),
    /// Why, for the caller.
    Failed(String),
}

struct Kept {
    id: QueryId,
    request: String,
    version: u64,
    state: String,
    fingerprint: Option<u64>,
    message: Option<String>,
}
from_row!(Kept {
    id,
    request,
    version,
    state,
    fingerprint,
    message
});

impl From<Kept> for Later {
    fn from(kept: Kept) -> Self {
        let state = match kept.state.as_str() {
            "done" => LaterState::Done(kept.fingerprint.unwrap_or_default()),
            "failed" => LaterState::Failed(kept.message.unwrap_or_default()),
            _ => LaterState::Pending,
        };
        Self {
            id: kept.id,
            request: kept.request,
            version: kept.version,
            state,
        }
    }
}

fn hash_of_key(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

impl Exchange {
    /// The recipient's query under this key, which begins now if there is none. None: it has too many.
    pub async fn later_begin(
        &self,
        principal: &Principal,
        new: &LaterNew,
    ) -> Result<Option<Later>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let now = self.now();
        let key = hash_of_key(&new.key);
        let mut tx = self.db().begin().await?;
        sql!(
            "delete from async_query where recipient_id = $1 and table_id = $2 and key_hash = $3 and until_at <= $4"
        )
        .bind(new.recipient)
        .bind(new.table)
        .bind(&key)
        .bind(now)
        .execute(&mut tx)
        .await?;
        sql!(
            "insert into async_query (id, recipient_id, table_id, key_hash, request, version, state, attempt, lease_until, until_at)
             select $1, $2, $3, $4, $5, $6, 'pending', 0, 0, $7
             where (select count(*) from async_query where recipient_id = $2 and until_at > $8) < $9
             on conflict (recipient_id, table_id, key_hash) do nothing"
        )
        .bind(QueryId::new(now))
        .bind(new.recipient)
        .bind(new.table)
        .bind(&key)
        .bind(&new.request)
        .bind(new.version)
        .bind(now.plus(KEPT))
        .bind(now)
        .bind(MOST)
        .execute(&mut tx)
        .await?;
        let kept: Option<Kept> = sql!(
            "select id, request, version, state, fingerprint, message from async_query
             where recipient_id = $1 and table_id = $2 and key_hash = $3"
        )
        .bind(new.recipient)
        .bind(new.table)
        .bind(&key)
        .first(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(kept.map(Later::from))
    }

    /// A query of this recipient on this table, while it is kept.
    pub async fn later_find(
        &self,
        principal: &Principal,
        recipient: RecipientId,
        table: TableId,
        id: QueryId,
    ) -> Result<Option<Later>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let kept: Option<Kept> = sql!(
            "select id, request, version, state, fingerprint, message from async_query
             where id = $1 and recipient_id = $2 and table_id = $3 and until_at > $4"
        )
        .bind(id)
        .bind(recipient)
        .bind(table)
        .bind(self.now())
        .first(self.db())
        .await?;
        Ok(kept.map(Later::from))
    }

    /// Takes a query to work on: which attempt this is. None: somebody else works on it, or it has ended.
    pub async fn later_take(
        &self,
        principal: &Principal,
        id: QueryId,
    ) -> Result<Option<u64>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let now = self.db().now().await?;
        let row = sql!(
            "update async_query set attempt = attempt + 1, lease_until = $1
             where id = $2 and state = 'pending' and lease_until < $3 returning attempt"
        )
        .bind(now.plus(LEASE))
        .bind(id)
        .bind(now)
        .row_changed(self.db())
        .await?;
        Ok(row.map(|row| row.get("attempt")).transpose()?)
    }

    /// Goes on working on it. False: somebody else has taken over.
    pub async fn later_renew(
        &self,
        principal: &Principal,
        id: QueryId,
        attempt: u64,
    ) -> Result<bool, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let until = self.db().now().await?.plus(LEASE);
        let changed = sql!(
            "update async_query set lease_until = $1 where id = $2 and attempt = $3 and state = 'pending'"
        )
        .bind(until)
        .bind(id)
        .bind(attempt)
        .execute(self.db())
        .await?;
        Ok(changed == 1)
    }

    /// Says how it ended, unless somebody else has taken over.
    pub async fn later_end(
        &self,
        principal: &Principal,
        id: QueryId,
        attempt: u64,
        end: &LaterState,
    ) -> Result<(), Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let (state, fingerprint, message) = match end {
            LaterState::Pending => return Ok(()),
            LaterState::Done(fingerprint) => ("done", Some(*fingerprint), None),
            LaterState::Failed(message) => ("failed", None, Some(message.as_str())),
        };
        sql!(
            "update async_query set state = $1, fingerprint = $2, message = $3
             where id = $4 and attempt = $5 and state = 'pending'"
        )
        .bind(state)
        .bind(fingerprint)
        .bind(message)
        .bind(id)
        .bind(attempt)
        .execute(self.db())
        .await?;
        Ok(())
    }

    /// Forgets the queries that nobody can ask about any more. Called now and then by a worker.
    pub async fn later_sweep(&self, principal: &Principal) -> Result<u64, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        Ok(sql!("delete from async_query where until_at <= $1")
            .bind(self.now())
            .execute(self.db())
            .await?)
    }
}
