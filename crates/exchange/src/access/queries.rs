//! The access log: which recipient asked the sharing protocol for which table, and what came of it. Read by those whom it
//! concerns, and kept for a bounded time.

use model::dto::ShareQuery;
use model::{GrantId, Name, QueryId, Timestamp};

use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// So many lines are forgotten in one statement: whoever writes the next one does not wait for all of them.
const BATCH: i64 = 2_000;

/// Which lines; what is absent is no condition.
#[derive(Clone, Debug, Default)]
pub struct ShareQueryFilter {
    pub product: Option<String>,
    pub recipient: Option<String>,
    pub grant: Option<GrantId>,
}

struct Line {
    id: QueryId,
    at: Timestamp,
    recipient: Name,
    team: Name,
    endpoint: String,
    share: String,
    schema_name: String,
    table_name: String,
    grant_id: Option<GrantId>,
    version: Option<u64>,
    files: u64,
    bytes_signed: u64,
    status: u32,
    user_agent: String,
}
from_row!(Line {
    id,
    at,
    recipient,
    team,
    endpoint,
    share,
    schema_name,
    table_name,
    grant_id,
    version,
    files,
    bytes_signed,
    status,
    user_agent
});

impl From<Line> for ShareQuery {
    fn from(line: Line) -> Self {
        Self {
            id: line.id,
            at: line.at,
            recipient: line.recipient,
            team: line.team,
            endpoint: line.endpoint,
            share: line.share,
            schema: line.schema_name,
            table: line.table_name,
            grant: line.grant_id,
            version: line.version,
            files: line.files,
            bytes_signed: line.bytes_signed,
            status: line.status,
            user_agent: line.user_agent,
        }
    }
}

impl Exchange {
    /// The access log, newest first: to the recipient's team all that it asked for; to whoever else sees a grant what was
    /// asked by it.
    pub async fn share_queries(
        &self,
        principal: &Principal,
        filter: &ShareQueryFilter,
        page: &PageRequest,
    ) -> Result<Page<ShareQuery>, Error> {
        can(principal, Operation::ShareQueryList, &Scope::NONE)?;
        self.filter_by(principal, filter.product.as_deref()).await?;
        let before: Option<QueryId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<Line> = sql!(
            "select query_log.id, query_log.at, recipient.name as recipient, team.name as team, endpoint, share, schema_name,
                    table_name, grant_id, version, files, bytes_signed, status, user_agent
             from query_log join recipient on recipient.id = query_log.recipient_id join team on team.id = recipient.team_id
                 left join access_grant on access_grant.id = grant_id left join product on product.id = access_grant.product_id
             where (query_log.id < $1 or $1 is null) and (product.name = $2 or cast($2 as text) is null)
                 and (recipient.name = $3 or cast($3 as text) is null) and (grant_id = $4 or $4 is null)
                 and ($5 or recipient.team_id = $7 or product.team_id = $7 or (product.classification = 'personal' and $8)
                     or recipient.team_id in (select team_member.team_id from team_member where person_id = $6)
                     or product.team_id in (select team_member.team_id from team_member where person_id = $6))
             order by query_log.id desc limit $9"
        )
        .bind(before)
        .bind(filter.product.as_deref())
        .bind(filter.recipient.as_deref())
        .bind(filter.grant)
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .bind(principal.has(model::Role::DataProtection))
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |line| line.id.to_string());
        Ok(Page {
            items: page.items.into_iter().map(ShareQuery::from).collect(),
            next: page.next,
        })
    }

    /// Forgets the lines that are older than the installation keeps them. Called now and then by a worker.
    pub async fn share_queries_sweep(&self, principal: &Principal) -> Result<u64, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        let before = self.now().plus(-self.options().query_log_kept);
        let mut forgotten = 0;
        loop {
            let gone = sql!(
                "delete from query_log where id in (select id from query_log where at < $1 order by at limit $2)"
            )
            .bind(before)
            .bind(BATCH)
            .execute(self.db())
            .await?;
            forgotten += gone;
            if gone == 0 {
                return Ok(forgotten);
            }
        }
    }
}
