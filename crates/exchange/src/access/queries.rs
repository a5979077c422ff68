//! The access log: which recipient asked the sharing protocol for which table, and what came of it. Read by those whom it
//! concerns, and kept for a bounded time.

use model::dto::ShareQuery;
use model::{GrantId, Name, ProductId, QueryId, RecipientId, TableId, Timestamp};
use serde::{Deserialize, Serialize};

use super::quota::live_counted;
use crate::billing::MeterEventNew;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, Period, from_row, sql};

/// So many lines are forgotten in one statement: whoever writes the next one does not wait for all of them.
const BATCH: i64 = 2_000;

/// So many lines one file holds.
const FILE: usize = 50_000;

/// Which lines; what is absent is no condition.
#[derive(Clone, Debug, Default)]
pub struct ShareQueryFilter {
    pub product: Option<String>,
    pub recipient: Option<String>,
    pub grant: Option<GrantId>,
    /// A table's name, with its schema before it or without.
    pub table: Option<String>,
    pub answer: Option<ShareAnswer>,
    pub period: Period,
}

/// How a call ended, as far as lists tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShareAnswer {
    /// The client got what it asked for, or began to.
    Given,
    /// It got a refusal or an error, or nothing.
    Refused,
}

impl ShareAnswer {
    pub const ALL: [Self; 2] = [Self::Given, Self::Refused];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Refused => "refused",
        }
    }
}

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
    /// Files that no row of which matches the predicates, and so were not handed out.
    pub files_dropped: u64,
    /// Actions of the table's log that were looked at.
    pub actions: u64,
    /// Microseconds from the call to when its last URLs were signed, or, without any, to when its answer was there.
    pub duration: i64,
    /// `producer` or `replica`; None: nothing was opened.
    pub source: Option<&'static str>,
    /// Since when that was staler than promised.
    pub stale_since: Option<Timestamp>,
    /// `answered`, `refused`, `failed` or `abandoned`.
    pub outcome: &'static str,
    pub error_code: Option<&'static str>,
    /// What the client was told, where it was not answered.
    pub reason: Option<String>,
    pub status: u16,
    pub user_agent: String,
    /// Bytes of the producer's own files that were not counted beforehand; see [`Exchange::live_read`].
    pub live_bytes: u64,
    /// Whether something had been handed out for the grant before the table was opened.
    pub was_read: bool,
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
    files_dropped: Option<u64>,
    actions: Option<u64>,
    duration_micros: Option<u64>,
    source: Option<String>,
    stale_since: Option<Timestamp>,
    outcome: Option<String>,
    error_code: Option<String>,
    reason: Option<String>,
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
    files_dropped,
    actions,
    duration_micros,
    source,
    stale_since,
    outcome,
    error_code,
    reason,
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
            files_dropped: line.files_dropped,
            actions: line.actions,
            duration_micros: line.duration_micros,
            source: line.source,
            stale_since: line.stale_since,
            outcome: line.outcome,
            error_code: line.error_code,
            reason: line.reason,
            status: line.status,
            user_agent: line.user_agent,
        }
    }
}

/// The lines that the caller may see, $5 to $8, and that fit the filters; which product's or recipient's says the condition.
macro_rules! lines_where {
    ($of_product:literal) => {
        sql!(
            "select query_log.id, query_log.at, recipient.name as recipient, team.name as team, endpoint, share, schema_name,
                    table_name, grant_id, version, files, bytes_signed, files_dropped, actions, duration_micros, source,
                    stale_since, outcome, error_code, query_log.reason, status, user_agent
             from query_log join recipient on recipient.id = query_log.recipient_id join team on team.id = recipient.team_id
                 left join product on product.id = query_log.product_id
             where ",
            $of_product,
            " and (query_log.id < $1 or $1 is null)
                 and (recipient.name = $3 or cast($3 as text) is null) and (grant_id = $4 or $4 is null)
                 and (table_name = $10 or schema_name || '.' || table_name = $10 or cast($10 as text) is null)
                 and ($11 = 0 or ($11 = 1 and status >= 200 and status < 300) or ($11 = 2 and (status < 200 or status >= 300)))
                 and (query_log.at >= $12 or $12 is null) and (query_log.at < $13 or $13 is null)
                 and ($5 or recipient.team_id = $7 or product.team_id = $7 or (product.classification = 'personal' and $8)
                     or recipient.team_id in (select team_member.team_id from team_member where person_id = $6)
                     or product.team_id in (select team_member.team_id from team_member where person_id = $6))
             order by query_log.id desc limit $9"
        )
    };
}

impl Exchange {
    /// Writes a line of the access log, and with it what was counted for the call, as [`Exchange::meter_record`] does; an answered
    /// query is also the consumer's first read, once.
    pub async fn query_logged(
        &self,
        principal: &Principal,
        new: &QueryLogNew,
        counted: &[MeterEventNew],
    ) -> Result<(), Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let now = self.now();
        let mut tx = self.db().begin().await?;
        // What was refused before anything was opened is its owner's to know, too, where there is such a product.
        sql!("insert into query_log (id, at, recipient_id, endpoint, share, schema_name, table_name, table_id, grant_id,
                  version, files, bytes_signed, status, user_agent, files_dropped, actions, duration_micros, source,
                  stale_since, outcome, error_code, reason, product_id)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                  (select product.id from product where product.name = $5))")
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
        .bind(new.files_dropped)
        .bind(new.actions)
        .bind(new.duration)
        .bind(new.source)
        .bind(new.stale_since)
        .bind(new.outcome)
        .bind(new.error_code)
        .bind(new.reason.as_deref().map(clip))
        .execute(&mut tx)
        .await?;
        if let Some(grant) = new.grant_id
            && !new.was_read
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
        for event in counted {
            self.meter_store(&mut tx, event, now).await?;
        }
        // Last, for answers of one grant wait for each other here until the commit.
        if let Some(grant) = new.grant_id {
            live_counted(&mut tx, grant, now, new.live_bytes).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The access log, newest first: to the recipient's team all that it asked for; to the team of a product all that was asked of
    /// it, also what was refused before anything was opened.
    pub async fn share_queries(
        &self,
        principal: &Principal,
        filter: &ShareQueryFilter,
        page: &PageRequest,
    ) -> Result<Page<ShareQuery>, Error> {
        can(principal, Operation::ShareQueryList, &Scope::NONE)?;
        let product: Option<ProductId> = match filter.product.as_deref() {
            Some(name) => Some(self.visible_product(principal, name).await?.id),
            None => None,
        };
        let before: Option<QueryId> = page.parse_after()?;
        let (person, team) = principal.scope();
        // Those of one product or recipient are found by its index, however many others there are.
        let lines = match (product, &filter.recipient) {
            (Some(_), _) => lines_where!("query_log.product_id = $2"),
            (None, Some(_)) => lines_where!(
                "(query_log.product_id = $2 or $2 is null)
                 and query_log.recipient_id = (select named.id from recipient as named where named.name = $3)"
            ),
            (None, None) => lines_where!("(query_log.product_id = $2 or $2 is null)"),
        };
        let rows: Vec<Line> = lines
            .bind(before)
            .bind(product)
            .bind(filter.recipient.as_deref())
            .bind(filter.grant)
            .bind(principal.sees_all())
            .bind(person)
            .bind(team)
            .bind(principal.has(model::Role::DataProtection))
            .bind(page.fetch())
            .bind(filter.table.as_deref())
            .bind(match filter.answer {
                None => 0_i64,
                Some(ShareAnswer::Given) => 1,
                Some(ShareAnswer::Refused) => 2,
            })
            .bind(filter.period.since())
            .bind(filter.period.until())
            .all(self.db())
            .await?;
        let page = page.cut(rows, |line| line.id.to_string());
        Ok(Page {
            items: page.items.into_iter().map(ShareQuery::from).collect(),
            next: page.next,
        })
    }

    /// All of them, as many as one file holds; what is more, as `next` says there is, is left to narrower questions.
    pub async fn all_share_queries(
        &self,
        principal: &Principal,
        filter: &ShareQueryFilter,
    ) -> Result<Page<ShareQuery>, Error> {
        let mut page = PageRequest::all();
        let mut all = Vec::new();
        loop {
            let found = self.share_queries(principal, filter, &page).await?;
            all.extend(found.items);
            if found.next.is_none() || all.len() >= FILE {
                return Ok(Page {
                    items: all,
                    next: found.next,
                });
            }
            page.after = found.next;
        }
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

/// What a client sent, cut to what a log line holds.
fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(255).collect()
}
