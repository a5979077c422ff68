//! One product with its tables, as the caller may see it.

use std::collections::BTreeMap;

use model::dto::{MyAccess, ProductDetail, TableCommit, TableDetail};
use model::time::DAY;
use model::{ProductId, TableId, Timestamp};

use super::{ProductRecord, TableRecord, is_editable};
use crate::db::DbError;
use crate::error::Error;
use crate::operation::Operation;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Commits so old are still shown, and so many of a product.
const COMMITS_FOR: i64 = 31 * DAY;
const COMMITS_MOST: i64 = 1_000;

struct CommitRow {
    table_id: TableId,
    version: u64,
    committed_at: Timestamp,
}
from_row!(CommitRow {
    table_id,
    version,
    committed_at
});

impl Exchange {
    /// A product. A draft of another team answers as if it were not there.
    pub async fn product(&self, principal: &Principal, name: &str) -> Result<ProductDetail, Error> {
        let record = self
            .product_for(principal, Operation::ProductRead, name)
            .await?;
        self.product_detail(principal, record).await
    }

    /// The product as it stands after a change by the caller, who was asked the policy before.
    pub(super) async fn product_shown(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<ProductDetail, Error> {
        let record = self
            .product_record(self.db(), name)
            .await?
            .ok_or(Error::NotFound("product"))?;
        self.product_detail(principal, record).await
    }

    async fn product_detail(
        &self,
        principal: &Principal,
        record: ProductRecord,
    ) -> Result<ProductDetail, Error> {
        let inside = principal.sees_all() || principal.is_member(record.team_id);
        let tables = self.tables_of(self.db(), record.id).await?;
        let tags = self.tags_of(self.db(), record.id).await?;
        let access = self.my_access(principal, record.id).await?;
        let mut commits = self.commits_of(record.id).await?;
        let editable = is_editable(principal, &record);
        let alike = match editable {
            true => self.alike_of(principal, record.id).await?,
            false => Vec::new(),
        };
        Ok(ProductDetail {
            id: record.id,
            editable,
            alike,
            simulated: self.ports().probe.is_simulated(&record.storage_url),
            cloud: record.location.cloud,
            region: record.location.region().to_owned(),
            name: record.name,
            title: record.title,
            description: record.description,
            domain: record.domain,
            team: record.team,
            team_title: record.team_title,
            contact: record.contact,
            storage: record.storage,
            classification: record.classification,
            access_policy: record.access_policy,
            payer: record.payer,
            baseline_days: u32::try_from(record.baseline_days).unwrap_or(u32::MAX),
            state: record.state,
            access,
            tags,
            tables: tables
                .into_iter()
                .map(|table| {
                    let commits = commits.remove(&table.id).unwrap_or_default();
                    table_detail(table, commits, inside)
                })
                .collect(),
            published_at: record.published_at,
            created_at: record.created_at,
            updated_at: record.updated_at,
            revision: record.revision,
        })
    }

    /// The latest commits of a product's tables that were seen, the oldest first.
    async fn commits_of(
        &self,
        product: ProductId,
    ) -> Result<BTreeMap<TableId, Vec<TableCommit>>, DbError> {
        let rows: Vec<CommitRow> = sql!(
            "select table_id, table_commit.version, table_commit.committed_at
             from table_commit join product_table on product_table.id = table_id
             where product_id = $1 and removed_at is null and table_commit.committed_at >= $2
             order by table_commit.committed_at desc, table_commit.version desc limit $3"
        )
        .bind(product)
        .bind(self.now().plus(-COMMITS_FOR))
        .bind(COMMITS_MOST)
        .all(self.db())
        .await?;
        let mut commits: BTreeMap<TableId, Vec<TableCommit>> = BTreeMap::new();
        for row in rows.into_iter().rev() {
            commits.entry(row.table_id).or_default().push(TableCommit {
                version: row.version,
                committed_at: row.committed_at,
            });
        }
        Ok(commits)
    }

    /// How far the caller's teams have access.
    pub(crate) async fn my_access(
        &self,
        principal: &Principal,
        product: ProductId,
    ) -> Result<MyAccess, DbError> {
        let (person, team) = principal.scope();
        let row = sql!(
            "select cast(coalesce(max(level), 0) as bigint) as level from (
                 select case when actual = 'active' then 2 else 1 end as level
                 from access_grant join recipient on recipient.id = recipient_id
                 where product_id = $1 and desired = 'active' and until_at > $2
                     and (team_id = $3 or team_id in (select team_id from team_member where person_id = $4))
                 union all
                 select 1 as level from request join recipient on recipient.id = recipient_id
                 where product_id = $1 and state = 'submitted'
                     and (team_id = $3 or team_id in (select team_id from team_member where person_id = $4))) as mine"
        )
        .bind(product)
        .bind(self.now())
        .bind(team)
        .bind(person)
        .row(self.db())
        .await?;
        let level: i64 = match row {
            Some(row) => row.get("level")?,
            None => 0,
        };
        Ok(access_of(level))
    }
}

/// The levels that SQL computes with.
pub(super) const fn access_of(level: i64) -> MyAccess {
    match level {
        2 => MyAccess::Active,
        1 => MyAccess::Pending,
        _ => MyAccess::None,
    }
}

fn table_detail(table: TableRecord, commits: Vec<TableCommit>, inside: bool) -> TableDetail {
    TableDetail {
        id: table.id,
        schema: table.schema,
        name: table.name,
        storage: table.storage,
        cloud: table.location.cloud,
        region: table.location.region().to_owned(),
        path: inside.then_some(table.path),
        format: table.format,
        history: table.history,
        history_start: table.history_start,
        change_data_feed: table.change_data_feed,
        columns: table.columns,
        partition_columns: table.partition_columns,
        version: table.version,
        committed_at: table.committed_at,
        rows: table.rows,
        files: table.files,
        bytes: table.bytes,
        features: table.features,
        refused_for: table.refused_for,
        clone_refused_for: table.clone_refused_for,
        problem: table.problem,
        inspected_at: table.inspected_at,
        commits,
    }
}
