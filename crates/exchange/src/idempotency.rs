//! Requests that may be sent twice: what a key was used for and what was answered, kept for a day.
//!
//! A key belongs to its principal. Kept are hashes of the key and of the request, the latter salted with the key itself, so
//! that a password in a request cannot be guessed from the table.

use model::time::{DAY, MINUTE};
use sha2::{Digest, Sha256};

use crate::error::Error;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// So long a request may run before its key is given to the next try; longer than any request's timeout.
const RUNNING: i64 = 5 * MINUTE;
/// So long an answer is kept.
const KEPT: i64 = DAY;

/// What a key meant before this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Nothing: go on, and say the answer with [`Exchange::idempotency_end`].
    Fresh,
    /// The same request is being answered at this moment.
    Running,
    /// Another request carried this key.
    Different,
    /// The same request was answered; `body` is None where the answer may not be kept.
    Done { status: u16, body: Option<String> },
}

struct Kept {
    request_hash: Vec<u8>,
    status: i64,
    body: String,
    created_at: model::Timestamp,
}
from_row!(Kept {
    request_hash,
    status,
    body,
    created_at
});

/// Stands in the row while the request runs, where an answer will stand later.
const UNANSWERED: i64 = 0;
/// Stands before a kept body; an answer that may not be kept leaves the column empty.
const BODY: &str = "=";

fn hash_of_request(key: &str, request: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(u64::try_from(key.len()).unwrap_or(u64::MAX).to_be_bytes());
    hasher.update(key.as_bytes());
    hasher.update(request);
    hasher.finalize().into()
}

fn hash_of_key(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

impl Exchange {
    /// Asks whether `request` (all that makes it the same request) may go on under `key`.
    pub async fn idempotency_begin(
        &self,
        principal: &Principal,
        key: &str,
        request: &[u8],
    ) -> Result<Begun, Error> {
        if principal.is_nobody() {
            return Err(Error::Unauthenticated);
        }
        let now = self.now();
        let wanted = hash_of_request(key, request);
        let inserted = sql!(
            "insert into idempotency (key, principal, request_hash, status, body, created_at)
             values ($1, $2, $3, $4, '', $5) on conflict (key, principal) do nothing"
        )
        .bind(hash_of_key(key))
        .bind(principal.pseudonym())
        .bind(wanted)
        .bind(UNANSWERED)
        .bind(now)
        .execute(self.db())
        .await?;
        if inserted == 1 {
            return Ok(Begun::Fresh);
        }
        let kept: Option<Kept> = sql!(
            "select request_hash, status, body, created_at from idempotency where key = $1 and principal = $2"
        )
        .bind(hash_of_key(key))
        .bind(principal.pseudonym())
        .first(self.db())
        .await?;
        let Some(kept) = kept else {
            // The first try was refused between the two statements; the caller tries again.
            return Ok(Begun::Running);
        };
        let age = now.since(kept.created_at);
        let lives = if kept.status == UNANSWERED {
            RUNNING
        } else {
            KEPT
        };
        if age > lives {
            let taken = sql!(
                "update idempotency set request_hash = $1, status = $2, body = '', created_at = $3
                 where key = $4 and principal = $5 and created_at = $6"
            )
            .bind(wanted)
            .bind(UNANSWERED)
            .bind(now)
            .bind(hash_of_key(key))
            .bind(principal.pseudonym())
            .bind(kept.created_at)
            .execute(self.db())
            .await?;
            return Ok(if taken == 1 {
                Begun::Fresh
            } else {
                Begun::Running
            });
        }
        if kept.request_hash != wanted {
            return Ok(Begun::Different);
        }
        if kept.status == UNANSWERED {
            return Ok(Begun::Running);
        }
        Ok(Begun::Done {
            status: u16::try_from(kept.status).map_err(Error::internal)?,
            body: kept.body.strip_prefix(BODY).map(str::to_owned),
        })
    }

    /// Keeps the answer; `body` is None where it holds a secret that is shown only once.
    pub async fn idempotency_end(
        &self,
        principal: &Principal,
        key: &str,
        status: u16,
        body: Option<&str>,
    ) -> Result<(), Error> {
        sql!("update idempotency set status = $1, body = $2 where key = $3 and principal = $4")
            .bind(i64::from(status))
            .bind(body.map_or_else(String::new, |body| format!("{BODY}{body}")))
            .bind(hash_of_key(key))
            .bind(principal.pseudonym())
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// Gives the key back: nothing was done under it.
    pub async fn idempotency_drop(&self, principal: &Principal, key: &str) -> Result<(), Error> {
        sql!("delete from idempotency where key = $1 and principal = $2 and status = 0")
            .bind(hash_of_key(key))
            .bind(principal.pseudonym())
            .execute(self.db())
            .await?;
        Ok(())
    }

    /// Removes what nobody will ask for again; called now and then by a worker.
    pub async fn idempotency_sweep(&self) -> Result<u64, Error> {
        Ok(sql!("delete from idempotency where created_at < $1")
            .bind(self.now().plus(-KEPT))
            .execute(self.db())
            .await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestExchange;

    #[tokio::test]
    async fn a_key_stands_for_one_request() {
        for test in TestExchange::start_each().await.unwrap() {
            let exchange = &test.exchange;
            let operator = Principal::operator();
            let begin =
                |request: &'static [u8]| exchange.idempotency_begin(&operator, "k", request);
            assert_eq!(begin(b"one").await.unwrap(), Begun::Fresh);
            assert_eq!(begin(b"one").await.unwrap(), Begun::Running);
            assert_eq!(begin(b"two").await.unwrap(), Begun::Different);
            exchange
                .idempotency_end(&operator, "k", 201, Some("{}"))
                .await
                .unwrap();
            let done = Begun::Done {
                status: 201,
                body: Some("{}".to_owned()),
            };
            assert_eq!(begin(b"one").await.unwrap(), done);
            assert_eq!(begin(b"two").await.unwrap(), Begun::Different);
            let other = exchange
                .idempotency_begin(&Principal::system(), "k", b"two")
                .await;
            assert_eq!(
                other.unwrap(),
                Begun::Fresh,
                "keys belong to their principal"
            );
            assert!(matches!(
                exchange
                    .idempotency_begin(&Principal::nobody(), "k", b"two")
                    .await,
                Err(Error::Unauthenticated)
            ));

            test.clock.advance(KEPT + 1);
            assert_eq!(begin(b"two").await.unwrap(), Begun::Fresh, "kept for a day");
            exchange.idempotency_drop(&operator, "k").await.unwrap();
            assert_eq!(begin(b"three").await.unwrap(), Begun::Fresh, "given back");
            test.clock.advance(RUNNING + 1);
            assert_eq!(begin(b"four").await.unwrap(), Begun::Fresh, "abandoned");
            assert_eq!(
                exchange.idempotency_sweep().await.unwrap(),
                1,
                "the system's"
            );
        }
    }

    #[tokio::test]
    async fn secrets_are_not_kept() {
        for test in TestExchange::start_each().await.unwrap() {
            let operator = Principal::operator();
            let exchange = &test.exchange;
            exchange
                .idempotency_begin(&operator, "k", b"one")
                .await
                .unwrap();
            exchange
                .idempotency_end(&operator, "k", 201, None)
                .await
                .unwrap();
            let again = exchange.idempotency_begin(&operator, "k", b"one").await;
            assert_eq!(
                again.unwrap(),
                Begun::Done {
                    status: 201,
                    body: None
                }
            );
        }
    }
}
