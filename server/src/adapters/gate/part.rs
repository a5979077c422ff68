//! What part of a table a grant opens: which rows, and whether a credential for the whole folder.

use std::sync::Arc;

use exchange::access::{Opened, SharedTable};
use exchange::{Error, Exchange, Principal};
use model::RecipientId;
use sha2::{Digest as _, Sha256};
use sharing::{Narrow, Refused, Temporary};
use storage::StorageError;

use super::signing::url_life;
use super::{Look, Reading, ShareGate, ended, not_taken, refused};

impl ShareGate {
    /// The rows that a grant opens to a recipient; None: all. Conditions that cannot be read open nothing.
    pub(super) async fn rows(
        &self,
        found: &SharedTable,
        recipient: RecipientId,
    ) -> Result<Option<Arc<Narrow>>, Refused> {
        let filter = match found.rows() {
            Ok(None) => return Ok(None),
            Ok(Some(filter)) => filter,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, grant = %found.grant_id, "conditions on rows cannot be read");
                return Ok(Some(Arc::new(Narrow::nothing())));
            }
        };
        let system = Principal::system();
        let properties = self.exchange.reader_properties(&system, recipient).await;
        let properties = properties.map_err(refused)?;
        Ok(Some(Arc::new(Narrow::new(&filter, &properties))))
    }

    /// A credential for the folder of a table that was opened. It is handed out only once it is noted until when it works, and only
    /// if grant and credential still count then.
    pub(super) async fn lend(
        &self,
        reading: &Reading,
        location: &str,
    ) -> Result<Temporary, Refused> {
        let system = Principal::system();
        let Look::Consumer(token) = reading.look else {
            return Err(Refused::NotFound);
        };
        let left = reading.until.since(self.exchange.now());
        let ttl = url_life(self.exchange.options().url_lifetime, left);
        let store = &reading.at.store;
        let lent = store.lend(&reading.at.folder, ttl, reading.recipient_name.as_str());
        let (key, expires_at) = lent.await.map_err(not_lent)?;
        let noted = self.exchange.credential_lent(
            &system,
            (reading.grant, token),
            reading.table,
            expires_at,
        );
        if noted.await.map_err(refused)? {
            return Ok(Temporary {
                location: location.to_owned(),
                key,
                expires_at,
            });
        }
        let end = self.exchange.ended_grant(&system, reading.grant).await;
        if let Some(end) = end.map_err(refused)? {
            return Err(ended(end));
        }
        let why = self.exchange.token_refused(&system, token).await;
        Err(why.map_err(refused)?.map_or(Refused::NotFound, not_taken))
    }
}

/// Tells the rows that a grant opens from those that it opens at another time; 0: all of them.
pub(super) fn mark(rows: Option<&Narrow>) -> u64 {
    let Some(rows) = rows else { return 0 };
    let hash: [u8; 32] = Sha256::digest(format!("{rows:?}")).into();
    u64::from_be_bytes(std::array::from_fn(|at| hash[at])) | 1
}

/// Whether the rows of `mark`, with which an answer was begun, may still be read: a grant may have been narrowed since, and of its
/// recipient something else be noted.
pub(crate) async fn still_opens(
    exchange: &Exchange,
    opened: &Opened,
    recipient: RecipientId,
    mark: u64,
) -> Result<bool, Error> {
    let Some(filter) = &opened.rows else {
        return Ok(true);
    };
    let system = Principal::system();
    let properties = exchange.reader_properties(&system, recipient).await?;
    let now = Narrow::new(filter, &properties);
    Ok(self::mark(Some(&now)) == mark)
}

/// What is wrong with a storage is for its owner alone; asking again mends nothing, so it is no 5xx.
fn not_lent(error: StorageError) -> Refused {
    tracing::warn!(
        error = &error as &dyn std::error::Error,
        "no temporary credential was given"
    );
    match error {
        StorageError::Unreachable { .. } => Refused::Unavailable(error.to_string()),
        _ => Refused::Forbidden {
            why: "the provider's storage gives no credential for this table's folder; use the query endpoint"
                .to_owned(),
        },
    }
}
