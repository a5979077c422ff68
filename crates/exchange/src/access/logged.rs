//! The access log: one line for each call of a recipient on a shared table.

use model::{GrantId, QueryId, RecipientId, TableId, Timestamp};

use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// One line of the access log.
#[derive(Clone, Debug)]
pub struct QueryLogNew {
    pub id: QueryId,
    pub recipient_id: RecipientId,
    pub endpoint: &'static str,
    pub share: String,
    pub schema: String,
    pub table: String,
    pub table_id: Option<TableId>,
    pub grant_id: Option<GrantId>,
    pub version: Option<u64>,
    pub files: u64,
    pub bytes_signed: u64,
    pub status: u16,
    pub user_agent: String,
    /// Until when the URLs of this answer work.
    pub urls_until: Option<Timestamp>,
}

impl Exchange {
    /// Writes a line of the access log; an answered query is also the consumer's first read, once.
    pub async fn query_logged(
        &self,
        principal: &Principal,
        new: &QueryLogNew,
    ) -> Result<(), Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let now = self.now();
        let mut tx = self.db().begin().await?;
        sql!("insert into query_log (id, at, recipient_id, endpoint, share, schema_name, table_name, table_id, grant_id,
                  version, files, bytes_signed, status, user_agent)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)")
        .bind(new.id)
        .bind(now)
        .bind(new.recipient_id)
        .bind(new.endpoint)
        .bind(clip(&new.share))
        .bind(clip(&new.schema))
        .bind(clip(&new.table))
        .bind(new.table_id)
        .bind(new.grant_id)
        .bind(new.version)
        .bind(new.files)
        .bind(new.bytes_signed)
        .bind(i64::from(new.status))
        .bind(clip(&new.user_agent))
        .execute(&mut tx)
        .await?;
        if let Some(grant) = new.grant_id
            && new.endpoint == "query"
            && new.status == 200
        {
            sql!(
                "update access_grant set first_read_at = $1 where id = $2 and first_read_at is null"
            )
            .bind(now)
            .bind(grant)
            .execute(&mut tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// What a client sent, cut to what a log line holds.
fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(255).collect()
}
