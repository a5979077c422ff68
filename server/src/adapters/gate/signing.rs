//! By which URLs a table's files are read, and how long those live.

use std::sync::atomic::Ordering;
use std::time::Duration;

use exchange::Principal;
use model::{RecipientTokenId, Timestamp};
use object_store::path::Path;
use sharing::{Refused, SignedFile};
use storage::{MAX_TTL, MIN_TTL, StorageError, Tags};

use super::notes::{end_of, life_until};
use super::{Look, Reading, ShareGate, ended, not_taken, refused, still_opens};
use crate::gateway::Ticket;

impl ShareGate {
    /// One URL per key. They are handed out only if the grant is still open and the credential still counts once they are made
    /// (C-15); the keys come from the snapshot that the protocol answers with.
    pub(super) async fn sign_keys(
        &self,
        reading: &Reading,
        keys: &[Path],
    ) -> Result<Vec<SignedFile>, Refused> {
        let system = Principal::system();
        let now = self.exchange.now();
        let wanted = self.exchange.options().url_lifetime;
        let end = end_of(now, url_life(wanted, reading.until.since(now)));
        let ttl = life_until(end, now);
        let tags = Tags {
            recipient: reading.recipient_name.to_string(),
            query: reading.query.to_string(),
        };
        let by_store = reading.at.sign_gets_for(keys, ttl, &tags).await;
        let (signed, last, last_by_store) = match by_store.map_err(unsigned)? {
            Some(many) if many.urls.len() == keys.len() => {
                reading.signed_by_store.store(true, Ordering::Relaxed);
                let expires_at = many.expires_at;
                let urls = many.urls.into_iter();
                let signed = urls
                    .map(|url| SignedFile { url, expires_at })
                    .collect::<Vec<_>>();
                (signed, now.max(expires_at), Some(expires_at))
            }
            Some(many) => {
                return Err(Refused::Internal(format!(
                    "{} keys were given to sign, {} URLs came back",
                    keys.len(),
                    many.urls.len()
                )));
            }
            None => {
                let keys = keys.iter().map(|key| reading.at.key(key));
                let signed = keys.map(|key| self.through_gateway(reading, key, end));
                let signed = signed.collect::<Result<Vec<_>, _>>()?;
                (signed, end, None)
            }
        };
        // Nobody outside gets those of a verification, so that nothing is left to wait for.
        let is_noted = match reading.look {
            Look::Consumer(token) => self.noted(reading, token, last, last_by_store).await?,
            Look::Verification => true,
        };
        // Asked before any is handed out, whether all is still open, and opens what it did when the answer was begun.
        let opened = if is_noted {
            let token = reading.look.token();
            let opened = self.exchange.reading_opens(&system, reading.grant, token);
            opened.await.map_err(refused)?
        } else {
            None
        };
        if let Some(opened) = opened {
            let still = still_opens(&self.exchange, &opened, reading.recipient, reading.rows);
            if still.await.map_err(refused)? {
                return Ok(signed);
            }
            return Err(Refused::Unavailable(
                "this access opens other rows than when the answer was begun".to_owned(),
            ));
        }
        let end = self.exchange.ended_grant(&system, reading.grant).await;
        if let Some(end) = end.map_err(refused)? {
            return Err(ended(end));
        }
        let Some(token) = reading.look.token() else {
            return Err(Refused::NotFound);
        };
        let why = self.exchange.token_refused(&system, token).await;
        Err(why.map_err(refused)?.map_or(Refused::NotFound, not_taken))
    }

    /// Notes until when URLs live, unless it is noted already. One of those who sign at the same time does it for all. False:
    /// nobody may get them.
    async fn noted(
        &self,
        reading: &Reading,
        token: RecipientTokenId,
        last: Timestamp,
        last_by_store: Option<Timestamp>,
    ) -> Result<bool, Refused> {
        let holder = (reading.grant, token, last_by_store.is_some());
        let note = self.notes.of(holder, self.exchange.now());
        if note.covers(last) {
            return Ok(true);
        }
        let _turn = note.turn().await;
        if note.covers(last) {
            return Ok(true);
        }
        let system = Principal::system();
        let issued = self
            .exchange
            .urls_issued(&system, reading.grant, token, last, last_by_store);
        let issued = issued.await.map_err(refused)?;
        if issued {
            note.noted(last);
        }
        Ok(issued)
    }

    fn through_gateway(
        &self,
        reading: &Reading,
        key: Path,
        expires_at: Timestamp,
    ) -> Result<SignedFile, Refused> {
        let ticket = Ticket {
            look: reading.look,
            grant: reading.grant,
            product: reading.product,
            table: reading.table,
            storage: reading.storage,
            recipient: reading.recipient,
            query: reading.query,
            to: reading.to.clone(),
            expires_at,
            rows: reading.rows,
            key,
        };
        let url = self
            .gateway
            .url(&ticket)
            .map_err(|error| Refused::Internal(error.to_string()))?;
        Ok(SignedFile { url, expires_at })
    }
}

/// As long as the installation says, not beyond the grant's end, and within what stores sign.
pub(super) fn url_life(wanted: i64, left: i64) -> Duration {
    let micros = u64::try_from(wanted.min(left)).unwrap_or(0);
    Duration::from_micros(micros).clamp(MIN_TTL, MAX_TTL)
}

fn unsigned(error: StorageError) -> Refused {
    match error {
        StorageError::Unreachable { .. } => Refused::Unavailable(error.to_string()),
        error => Refused::Internal(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use model::time::{DAY, HOUR, MINUTE};

    use super::*;

    #[test]
    fn urls_live_no_longer_than_grants_where_stores_allow_it() {
        let minutes = |wanted, left| url_life(wanted, left).as_secs() / 60;
        assert_eq!(minutes(HOUR, DAY), 60);
        assert_eq!(minutes(DAY, DAY), 60);
        assert_eq!(minutes(HOUR, 20 * MINUTE), 20);
        assert_eq!(minutes(HOUR, MINUTE), 15);
        assert_eq!(minutes(HOUR, -MINUTE), 15);
    }
}
