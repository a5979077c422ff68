//! The port to the rest of Entrepôt: who calls, what they may see, where they read, and what is written down about it.

use std::any::Any;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use model::{GrantId, QueryId, RecipientId, RecipientTokenId, TableId, Timestamp};
use object_store::path::Path;
use uuid::Uuid;

use crate::{Narrow, QueryRecord};

/// What this crate asks of its surroundings. Every call decides anew: nothing here caches an answer (C-31).
#[async_trait]
pub trait Gate: Send + Sync + 'static {
    /// Who holds this bearer token. `peer` is the address of the caller where it is known.
    async fn authenticate(&self, bearer: &str, peer: Option<IpAddr>) -> Result<Reader, Refused>;

    /// All tables that this recipient may see now, in any order.
    async fn tables(&self, reader: &Reader) -> Result<Vec<Shared>, Refused>;

    /// All shares that this recipient has now, in any order; also those without tables.
    async fn shares(&self, reader: &Reader) -> Result<Vec<ShareInfo>, Refused>;

    /// One table for reading: from where this recipient should read it. The names arrive in lower case. What the recipient
    /// may not see is [`Refused::NotFound`], exactly like what does not exist; what it once could and no longer may is
    /// [`Refused::Ended`].
    async fn open(
        &self,
        reader: &Reader,
        share: &str,
        schema: &str,
        table: &str,
    ) -> Result<Readable, Refused>;

    /// The same on one side: what a token of an answer asks that began there. By default the gate's own choice, where there is
    /// one side only. [`Refused::Preparing`], if that side is not there any more: the reader has to begin anew.
    async fn open_on(
        &self,
        reader: &Reader,
        share: &str,
        schema: &str,
        table: &str,
        side: Side,
    ) -> Result<Readable, Refused> {
        let readable = self.open(reader, share, schema, table).await?;
        if readable.side() == side {
            return Ok(readable);
        }
        Err(Refused::ended_side(side))
    }

    /// Whether files of so many bytes may be handed out now, before the first of them is signed: counted, once asked, against
    /// what the grant allows in a day; where it allows any number, [`Gate::record`] counts. [`Refused::OverQuota`] says when it begins anew.
    async fn allow(&self, _table: &Readable, _bytes: u64) -> Result<(), Refused> {
        Ok(())
    }

    /// Takes back what [`Gate::allow`] has counted for an answer of which nothing was handed out: whoever asks again, as clients do
    /// by themselves, is not to use up a day with answers that never came.
    async fn give_back(&self, _table: &Readable, _bytes: u64) {}

    /// One URL per key, in the order of `keys`. The keys are relative to the table's folder and contained.
    async fn sign(&self, table: &Readable, keys: &[Path]) -> Result<Vec<SignedFile>, Refused>;

    /// What time it is for whoever gives tokens an end.
    fn now(&self) -> Timestamp;

    /// Writes down one request on a table: the access log and, where files were signed, the `signed` meter event.
    /// Called once per request, denials included; also for strangers, of whom nothing should be kept that takes room, and for
    /// those who were turned away at the door ([`QueryRecord::at_the_door`]), of whom not much should be.
    async fn record(&self, record: QueryRecord);

    /// A credential of the store that reads all of the table's folder and nothing beside it, for a while. Only asked for where
    /// [`Readable::directory`] says that the grant gives one.
    async fn temporary(&self, table: &Readable) -> Result<Temporary, Refused> {
        Err(Refused::Forbidden {
            why: format!(
                "no credential is handed out for the folder of {}.{}.{}: use the query endpoint",
                table.share, table.schema, table.name
            ),
        })
    }
}

/// Why the gate says no.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// 401: no such token.
    #[error("the bearer token is unknown")]
    Unknown,
    /// 401: the token's time is over. `urls_until`: until when URLs that stores have signed for its holder still work.
    #[error("the bearer token has expired")]
    Expired { urls_until: Option<Timestamp> },
    /// 401: the token was taken back. `urls_until` as above.
    #[error("the bearer token was revoked")]
    Revoked { urls_until: Option<Timestamp> },
    /// 403: known, but refused by a policy, for example by address. `why` is shown to the caller.
    #[error("refused: {why}")]
    Forbidden { why: String },
    /// 403: this recipient had access, and it has ended. `urls_until`: until when URLs that stores have signed still work.
    /// Only ever said to who knew of the table.
    #[error("access has ended")]
    Ended {
        at: Timestamp,
        revoked: bool,
        urls_until: Option<Timestamp>,
    },
    /// 404.
    #[error("not found")]
    NotFound,
    /// 400: the table needs a feature that is not served.
    #[error("the table needs the feature {feature}")]
    Unsupported { feature: String },
    /// 400: granted, but there is nothing to read yet. `why` is shown to the caller. No 5xx: clients would repeat the call
    /// for minutes, while a first copy may take hours.
    #[error("not there yet: {why}")]
    Preparing { why: String },
    /// 403: as many bytes as the grant allows in a day were handed out. `why` is shown to the caller and says when it begins anew.
    #[error("over the daily quota: {why}")]
    OverQuota { why: String },
    /// 429.
    #[error("too many requests")]
    TooMany { retry_after_seconds: u64 },
    /// 503: worth another try.
    #[error("not available now: {0}")]
    Unavailable(String),
    /// 500: never shown, only logged.
    #[error("{0}")]
    Internal(String),
    /// As `why` says, to a caller that is known all the same: the access log says whose call it was.
    #[error("{why}")]
    Known {
        reader: Box<Reader>,
        why: Box<Refused>,
    },
}

impl Refused {
    /// The same, where it is known who called.
    pub fn to_reader(self, reader: Reader) -> Self {
        Self::Known {
            reader: Box::new(reader),
            why: Box::new(self),
        }
    }

    /// An answer began on a side on which the table cannot be read any more.
    pub fn ended_side(side: Side) -> Self {
        Self::Preparing {
            why: format!(
                "the answer began on the side of the {side} and cannot go on there; ask for it from its beginning"
            ),
        }
    }
}

/// The recipient that calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    pub recipient: RecipientId,
    pub name: String,
    /// The credential that it called with: what is handed out ends with it. None when nobody outside is handed anything.
    pub token: Option<RecipientTokenId>,
}

/// One share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareInfo {
    /// The product's name.
    pub name: String,
    pub id: Uuid,
    /// The product's title; 255 characters of it are sent.
    pub display_name: Option<String>,
    /// The product's description; 65,536 characters of it are sent.
    pub comment: Option<String>,
}

/// One table as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// The product's name.
    pub share: String,
    pub share_id: Uuid,
    pub schema: String,
    pub name: String,
    pub table_id: TableId,
    /// Where its folder lies, if this recipient may have a credential for that.
    pub directory: Option<String>,
}

/// A table that a recipient may read now.
#[derive(Clone)]
pub struct Readable {
    /// Where this recipient reads it: the producer's table or a verified replica.
    pub table: delta::Table,
    /// Which folder of which store that is: tables of the same place are one table, whoever reads them.
    pub place: String,
    pub share: String,
    pub schema: String,
    pub name: String,
    pub share_id: Uuid,
    pub table_id: TableId,
    pub grant: GrantId,
    /// The identity of this request in the access log and in meter events.
    pub query: QueryId,
    /// Whether older versions of it are shared as well.
    pub history: bool,
    /// The first version that is shared of its history; None: all that is there.
    pub history_start: Option<u64>,
    /// Whether its change data feed is shared.
    pub changes: bool,
    /// The rows that the grant opens; None: all.
    pub rows: Option<Arc<Narrow>>,
    /// Where its folder lies, if this recipient may have a credential for that. Never with `rows` or `history_start`.
    pub directory: Option<String>,
    /// Whether `table` is a copy, whose versions are its own: what happened to the producer's table does not stand there.
    pub replica: bool,
    /// Since when `table` is staler than was promised; None: it is not, or nothing was promised.
    pub stale_since: Option<Timestamp>,
    /// The gate's own: comes back in [`Gate::sign`] and in [`QueryRecord::handle`].
    pub handle: Arc<dyn Any + Send + Sync>,
}

impl Readable {
    pub const fn side(&self) -> Side {
        if self.replica {
            Side::Replica
        } else {
            Side::Producer
        }
    }
}

/// Whose files a table is read from. Versions of the one are none of the other, so that a token of an answer stays on the side on
/// which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    Producer,
    Replica,
}

impl Side {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Producer => "producer",
            Self::Replica => "replica",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One object, readable by whoever holds the URL, until it expires. Secret: no `Debug`.
#[derive(Clone)]
pub struct SignedFile {
    pub url: String,
    pub expires_at: Timestamp,
}

/// What reads all of a table's folder until it ends, however the grant goes. Secret: no `Debug`.
#[derive(Clone)]
pub struct Temporary {
    /// The folder's URL, without a slash at the end.
    pub location: String,
    pub key: storage::TemporaryKey,
    pub expires_at: Timestamp,
}
