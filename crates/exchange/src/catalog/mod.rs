//! Data products and their tables: registering, changing, publishing, retiring, refreshing, and finding them.
//!
//! Lives here: the rows, the one visibility rule, and the readers that other areas need. A log is read through
//! [`crate::ports::TableInspector`] only, never inside a transaction.

mod already;
mod escape;
mod history;
mod inspect;
mod kinds;
mod life;
mod list;
mod read;
mod refresh;
mod register;
mod scan;
mod sprawl;
mod tables;
mod terms;
mod update;
mod yaml;

#[cfg(test)]
mod tests;

pub use escape::LogEscape;
pub(crate) use inspect::{check_path, overlaps};
pub(crate) use kinds::{is_compared, is_value};
pub use refresh::REFRESH_TICK;
pub(crate) use register::{begins_with, check_tags};
pub(crate) use sprawl::Looked;
pub(crate) use tables::note_commit;
pub(crate) use yaml::UNCHOSEN;

use model::dto::Column;
use model::{
    AccessPolicy, Classification, DomainId, Location, Name, Payer, ProductId, ProductName,
    ProductState, StorageId, TableId, TeamId, Timestamp,
};

use crate::db::{DbError, FromRow, On, Row};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, allows, can};
use crate::principal::Principal;
use crate::storages::location;
use crate::{Exchange, sql};

/// Products as [`ProductRecord`] reads them.
macro_rules! product_rows {
    () => {
        "select product.id, product.name, product.domain_id, domain.name as domain, product.team_id, team.name as team,
         team.title as team_title, team.contact, product.storage_id, storage.name as storage, storage.cloud,
         storage.region, storage.url, product.title, product.description, classification, access_policy, state,
         payer, baseline_days, published_at, product.revision, product.created_at, product.updated_at
         from product join domain on domain.id = product.domain_id join team on team.id = product.team_id
         join storage on storage.id = product.storage_id"
    };
}
pub(crate) use product_rows;

/// A product as other areas need it.
#[derive(Clone, Debug)]
pub struct ProductRecord {
    pub id: ProductId,
    pub name: ProductName,
    pub domain_id: DomainId,
    pub domain: Name,
    pub team_id: TeamId,
    pub team: Name,
    pub team_title: String,
    pub contact: String,
    /// The storage of tables that name none.
    pub storage_id: StorageId,
    pub storage: Name,
    pub location: Location,
    pub storage_url: String,
    pub title: String,
    pub description: String,
    pub classification: Classification,
    pub access_policy: AccessPolicy,
    pub state: ProductState,
    pub payer: Payer,
    /// Days between the full loads that savings are measured against.
    pub baseline_days: i64,
    pub published_at: Option<Timestamp>,
    pub revision: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl ProductRecord {
    pub const fn is_personal(&self) -> bool {
        matches!(self.classification, Classification::Personal)
    }

    /// What the policy has to know of it.
    pub fn scope(&self) -> Scope {
        Scope {
            personal: self.is_personal(),
            ..Scope::owner(self.team_id)
        }
    }
}

impl FromRow for ProductRecord {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            domain_id: row.get("domain_id")?,
            domain: row.get("domain")?,
            team_id: row.get("team_id")?,
            team: row.get("team")?,
            team_title: row.get("team_title")?,
            contact: row.get("contact")?,
            storage_id: row.get("storage_id")?,
            storage: row.get("storage")?,
            location: location(row)?,
            storage_url: row.get("url")?,
            title: row.get("title")?,
            description: row.get("description")?,
            classification: row.get("classification")?,
            access_policy: row.get("access_policy")?,
            state: row.get("state")?,
            payer: row.get("payer")?,
            baseline_days: row.get("baseline_days")?,
            published_at: row.get("published_at")?,
            revision: row.get("revision")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

/// A table of a product, with what its log said when it was last read.
#[derive(Clone, Debug)]
pub struct TableRecord {
    pub id: TableId,
    pub product_id: ProductId,
    pub storage_id: StorageId,
    pub storage: Name,
    /// Where the storage is: the source end of every leg.
    pub location: Location,
    pub schema: Name,
    pub name: Name,
    /// Relative to the storage.
    pub path: String,
    pub format: String,
    pub history: bool,
    pub history_start: Option<u64>,
    pub change_data_feed: bool,
    pub inspected_at: Option<Timestamp>,
    pub version: Option<u64>,
    pub committed_at: Option<Timestamp>,
    pub rows: Option<u64>,
    pub files: Option<u64>,
    pub bytes: Option<u64>,
    pub columns: Vec<Column>,
    pub partition_columns: Vec<String>,
    pub features: Vec<String>,
    /// Why it is shown but neither shared nor cloned.
    pub refused_for: Option<String>,
    /// Why it is not cloned, whether it is shared or not.
    pub clone_refused_for: Option<String>,
    /// What went wrong when the log was last read.
    pub problem: Option<String>,
}

impl TableRecord {
    /// Whether the table may be shared.
    pub const fn is_usable(&self) -> bool {
        self.refused_for.is_none()
    }

    /// Whether it may be cloned.
    pub const fn is_cloneable(&self) -> bool {
        self.clone_refused_for.is_none()
    }
}

impl FromRow for TableRecord {
    fn from_row(row: &Row) -> Result<Self, DbError> {
        Ok(Self {
            id: row.get("id")?,
            product_id: row.get("product_id")?,
            storage_id: row.get("storage_id")?,
            storage: row.get("storage")?,
            location: location(row)?,
            schema: row.get("schema_name")?,
            name: row.get("name")?,
            path: row.get("path")?,
            format: row.get("format")?,
            history: row.get("history")?,
            history_start: row.get("history_start")?,
            change_data_feed: row.get("change_data_feed")?,
            inspected_at: row.get("inspected_at")?,
            version: row.get("version")?,
            committed_at: row.get("committed_at")?,
            rows: row.get("row_count")?,
            files: row.get("file_count")?,
            bytes: row.get("byte_count")?,
            columns: json(row, "columns")?,
            partition_columns: json(row, "partition_columns")?,
            features: json(row, "features")?,
            refused_for: row.get("refused_for")?,
            clone_refused_for: row.get("clone_refused_for")?,
            problem: row.get("problem")?,
        })
    }
}

fn json<T: serde::de::DeserializeOwned>(row: &Row, column: &str) -> Result<T, DbError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| DbError::Decode {
        column: column.to_owned(),
        value: text.chars().take(80).collect(),
    })
}

impl Exchange {
    /// The product of this name. Asks no policy: [`Exchange::product_for`] does.
    pub(crate) async fn product_record<'a>(
        &self,
        on: impl Into<On<'a>>,
        name: &str,
    ) -> Result<Option<ProductRecord>, DbError> {
        sql!(product_rows!(), " where product.name = $1")
            .bind(name)
            .first(on)
            .await
    }

    /// The product with this id. Asks no policy.
    pub(crate) async fn product_by_id<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: ProductId,
    ) -> Result<Option<ProductRecord>, DbError> {
        sql!(product_rows!(), " where product.id = $1")
            .bind(id)
            .first(on)
            .await
    }

    /// The tables of a product, by schema and name; not those that were taken out.
    pub(crate) async fn tables_of<'a>(
        &self,
        on: impl Into<On<'a>>,
        product: ProductId,
    ) -> Result<Vec<TableRecord>, DbError> {
        sql!("select product_table.id, product_id, storage_id, storage.name as storage, storage.cloud, storage.region,
                     schema_name, product_table.name, path, format, history, history_start, change_data_feed, inspected_at, version,
                     committed_at, row_count, file_count, byte_count, columns, partition_columns, features, refused_for,
                     clone_refused_for, problem
              from product_table join storage on storage.id = storage_id
              where product_id = $1 and removed_at is null order by schema_name, product_table.name")
        .bind(product)
        .all(on)
        .await
    }

    /// The tags of a product, in order.
    pub(crate) async fn tags_of<'a>(
        &self,
        on: impl Into<On<'a>>,
        product: ProductId,
    ) -> Result<Vec<String>, DbError> {
        sql!("select tag from product_tag where product_id = $1 order by tag")
            .bind(product)
            .rows(on)
            .await?
            .iter()
            .map(|row| row.get("tag"))
            .collect()
    }

    /// The product `name` for an operation on it: 401 for nobody, 404 where the caller may not see it, 403 where the
    /// caller may see but not do.
    pub(crate) async fn product_for(
        &self,
        principal: &Principal,
        operation: Operation,
        name: &str,
    ) -> Result<ProductRecord, Error> {
        if principal.is_nobody() {
            return Err(Error::Unauthenticated);
        }
        let record = self
            .product_record(self.db(), name)
            .await?
            .filter(|record| is_visible(principal, record.team_id, record.state))
            .ok_or(Error::NotFound("product"))?;
        can(principal, operation, &record.scope())?;
        Ok(record)
    }
}

/// Who sees a product: a draft is for the owning team and for those who see everything; else everybody who is signed in.
/// Whatever area asks, it asks here; lists say the same in SQL.
pub(crate) fn is_visible(principal: &Principal, owner: TeamId, state: ProductState) -> bool {
    principal.sees_all()
        || principal.is_member(owner)
        || (state != ProductState::Draft && principal.is_signed_in())
}

/// Whether the caller may change the product.
fn is_editable(principal: &Principal, product: &ProductRecord) -> bool {
    allows(principal, Operation::ProductUpdate, &product.scope())
}
