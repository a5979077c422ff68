//! Whether what a reader was let into is still open to it: asked before URLs are handed out and before each byte range, in the
//! database, so that an end is felt at once on every process, and so is a grant that opens less than it did.

use model::{GrantId, RecipientTokenId, RowFilter, Timestamp};

use super::scope::parsed;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// What a grant opens at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Which rows; None: all.
    pub rows: Option<RowFilter>,
}

impl Exchange {
    /// What a grant opens, if it is wanted at this instant and the credential that asks, if one does, still counts: what the gateway
    /// asks before each byte range.
    pub async fn reading_opens(
        &self,
        principal: &Principal,
        grant: GrantId,
        token: Option<RecipientTokenId>,
    ) -> Result<Option<Opened>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let row = sql!(
            "select row_filter from access_grant where id = $1 and desired = 'active' and until_at > $2
                 and (exists (select 1 from recipient_token
                          where recipient_token.id = $3 and recipient_token.recipient_id = access_grant.recipient_id
                              and revoked_at is null and expires_at > $2)
                      or exists (select 1 from recipient_federation
                          where recipient_federation.id = $3
                              and recipient_federation.recipient_id = access_grant.recipient_id
                              and recipient_federation.ended_at is null)
                      or $3 is null)"
        )
        .bind(grant)
        .bind(self.now())
        .bind(token)
        .row(self.db())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let rows: Option<String> = row.get("row_filter")?;
        let rows = parsed(rows.as_deref())?;
        Ok(Some(Opened { rows }))
    }

    /// Whether it opens anything.
    #[cfg(test)]
    pub(crate) async fn reading_is_open(
        &self,
        principal: &Principal,
        grant: GrantId,
        token: Option<RecipientTokenId>,
    ) -> Result<bool, Error> {
        let opened = self.reading_opens(principal, grant, token).await?;
        Ok(opened.is_some())
    }

    /// Remembers, before URLs are handed out, until when they will work, for the grant and for the credential that asked;
    /// `by_store` is the last end of those that a store has signed, which nobody can take back. False: one of the two has ended
    /// meanwhile; hand out nothing. Both rows are held until it is noted, so that whoever ends one of them afterwards says the truth.
    pub async fn urls_issued(
        &self,
        principal: &Principal,
        grant: GrantId,
        token: RecipientTokenId,
        until: Timestamp,
        by_store: Option<Timestamp>,
    ) -> Result<bool, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let now = self.now();
        let mut tx = self.db().begin().await?;
        let of_grant = sql!(
            "update access_grant set urls_until = case when urls_until > $1 then urls_until else $1 end,
                 store_urls_until = case when store_urls_until > $2 or $2 is null then store_urls_until else $2 end
             where id = $3 and desired = 'active' and until_at > $4"
        )
        .bind(until)
        .bind(by_store)
        .bind(grant)
        .bind(now)
        .execute(&mut tx)
        .await?;
        let of_token = sql!(
            "update recipient_token
             set store_urls_until = case when store_urls_until > $1 or $1 is null then store_urls_until else $1 end
             where id = $2 and revoked_at is null and expires_at > $3
                 and recipient_id = (select recipient_id from access_grant where access_grant.id = $4)"
        )
        .bind(by_store)
        .bind(token)
        .bind(now)
        .bind(grant)
        .execute(&mut tx)
        .await?;
        let of_token = match of_token {
            0 => {
                sql!(
                    "update recipient_federation
                     set store_urls_until = case when store_urls_until > $1 or $1 is null then store_urls_until else $1 end
                     where id = $2 and ended_at is null
                         and recipient_id = (select recipient_id from access_grant where access_grant.id = $3)"
                )
                .bind(by_store)
                .bind(token)
                .bind(grant)
                .execute(&mut tx)
                .await?
            }
            some => some,
        };
        if (of_grant, of_token) != (1, 1) {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }
}
