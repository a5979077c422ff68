//! Access that was: what is said to a recipient whose grant has ended. Nobody else is told anything, so that a table which was
//! never granted answers like one that does not exist.

use model::{GrantDesired, GrantId, RecipientId, Timestamp};

use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// How and when access ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedAccess {
    pub at: Timestamp,
    /// Whether people ended it before its time.
    pub revoked: bool,
    /// Until when URLs that a store has signed still work; None when none does. Those of the gateway ended with the grant.
    pub urls_until: Option<Timestamp>,
}

struct EndedRow {
    desired: GrantDesired,
    until_at: Timestamp,
    stopped_at: Option<Timestamp>,
    store_urls_until: Option<Timestamp>,
}
from_row!(EndedRow {
    desired,
    until_at,
    stopped_at,
    store_urls_until
});

impl EndedRow {
    /// None: it is still wanted, and its time is not over.
    fn seen_at(self, now: Timestamp) -> Option<EndedAccess> {
        let stopped_at = match self.desired {
            GrantDesired::Active => None,
            GrantDesired::Ended => Some(self.stopped_at.unwrap_or(self.until_at)),
        };
        let at = stopped_at.unwrap_or(self.until_at).min(self.until_at);
        (at <= now || stopped_at.is_some()).then_some(EndedAccess {
            at,
            revoked: at < self.until_at,
            urls_until: self.store_urls_until.filter(|until| *until > now),
        })
    }
}

impl Exchange {
    /// How access to a table ended that this recipient once had, by the last of its grants; None when it never had any. A table
    /// that came after that end, or was gone before the grant began, is none of its business.
    pub async fn ended_access(
        &self,
        principal: &Principal,
        recipient: RecipientId,
        (share, schema, table): (&str, &str, &str),
    ) -> Result<Option<EndedAccess>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let now = self.now();
        let rows: Vec<EndedRow> = sql!(
            "select desired, until_at, stopped_at, store_urls_until
             from access_grant join product on product.id = access_grant.product_id
                 join product_table on product_table.product_id = product.id
             where access_grant.recipient_id = $1 and product.name = $2 and product.state <> 'draft'
                 and schema_name = $3 and product_table.name = $4 and (desired = 'ended' or until_at <= $5)
                 and (removed_at is null or removed_at > access_grant.created_at)
                 and (access_grant.cut_id is null or exists (select 1 from cut_table
                     where cut_table.cut_id = access_grant.cut_id and cut_table.table_id = product_table.id))
                 and product_table.created_at <= case when desired = 'ended' then coalesce(stopped_at, until_at) else until_at end"
        )
        .bind(recipient)
        .bind(share)
        .bind(schema)
        .bind(table)
        .bind(now)
        .all(self.db())
        .await?;
        let ends: Vec<EndedAccess> = rows
            .into_iter()
            .filter_map(|row| row.seen_at(now))
            .collect();
        let last = ends.iter().max_by_key(|end| end.at);
        Ok(last.map(|last| EndedAccess {
            // Of an earlier grant some may work longer.
            urls_until: ends.iter().filter_map(|end| end.urls_until).max(),
            ..*last
        }))
    }

    /// How this very grant ended; None while it is open, or when there is no such grant.
    pub async fn ended_grant(
        &self,
        principal: &Principal,
        id: GrantId,
    ) -> Result<Option<EndedAccess>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let row: Option<EndedRow> = sql!(
            "select desired, until_at, stopped_at, store_urls_until from access_grant where id = $1"
        )
        .bind(id)
        .first(self.db())
        .await?;
        Ok(row.and_then(|row| row.seen_at(self.now())))
    }
}
