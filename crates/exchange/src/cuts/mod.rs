//! Cuts: what narrower replicas of a product hold. A producer names the tables, leaves columns out, has values hashed, keeps only some
//! rows; a grant on a cut is read from its replica and from nothing else.
//!
//! Lives here: the rows, who may write them, what fits a table's schema, and the keys. What is read by a cut is said in `access`, its
//! replicas in `replicas`, and the narrowing itself is the replication crate's.
//!
//! **Editions.** The content of a cut never changes under a replica: another content, or another key, is another edition with replicas
//! of its own, in folders of their own. Those of the edition before are read until those of the new one stand, and then go.
//!
//! **No more than was approved.** While somebody has access by a cut, it may be changed to give less, never more. An edition gives the
//! columns that its tables had when it was made; one that comes later is left out until somebody says otherwise.

mod agreed;
mod change;
mod check;
mod editions;
mod key;

use std::collections::BTreeMap;

use model::dto::{ColumnCut, Cut, CutColumn, CutEdition, CutTable};
use model::{CutId, Name, Narrowing, ProductId, TableId, Timestamp};

use agreed::Schemas;
pub(crate) use key::place_of;
pub use key::{CutKey, NarrowTask};

use crate::catalog::{ProductRecord, TableRecord};
use crate::db::{DbError, On};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::allows;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Of rows that have a `cut_id` each: whether both are of the same cut, or both of the whole product.
macro_rules! same_cut {
    ($one:literal, $other:literal) => {
        concat!(
            "(",
            $one,
            ".cut_id = ",
            $other,
            ".cut_id or (",
            $one,
            ".cut_id is null and ",
            $other,
            ".cut_id is null))"
        )
    };
}
pub(crate) use same_cut;

/// A cut's row.
#[derive(Clone, Debug)]
pub(crate) struct CutRecord {
    pub id: CutId,
    pub product_id: ProductId,
    pub name: Name,
    pub description: String,
    /// The newest.
    pub edition: i64,
    pub retired_at: Option<Timestamp>,
    pub revision: i64,
}
from_row!(CutRecord {
    id,
    product_id,
    name,
    description,
    edition,
    retired_at,
    revision
});

struct EditionRow {
    number: i64,
    why: String,
    created_at: Timestamp,
}
from_row!(EditionRow {
    number,
    why,
    created_at
});

/// A cut as its replicas know it.
#[derive(Clone, Debug)]
pub(crate) struct CutRef {
    pub id: CutId,
    pub name: Name,
    pub edition: i64,
}

impl CutRecord {
    /// By its newest edition.
    pub(crate) fn newest(&self) -> CutRef {
        CutRef {
            id: self.id,
            name: self.name.clone(),
            edition: self.edition,
        }
    }
}

/// What an edition does with each of its tables.
pub(crate) type Content = BTreeMap<TableId, Narrowing>;

impl Exchange {
    /// The cut of this name of a product. Asks no policy.
    pub(crate) async fn cut_record<'a>(
        &self,
        on: impl Into<On<'a>>,
        product: ProductId,
        name: &str,
    ) -> Result<Option<CutRecord>, DbError> {
        sql!(
            "select id, product_id, name, description, edition, retired_at, revision from cut
             where product_id = $1 and name = $2"
        )
        .bind(product)
        .bind(name)
        .first(on)
        .await
    }

    /// The same by its id.
    pub(crate) async fn cut_by_id<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: CutId,
    ) -> Result<Option<CutRecord>, DbError> {
        sql!("select id, product_id, name, description, edition, retired_at, revision from cut where id = $1")
            .bind(id)
            .first(on)
            .await
    }

    /// What an edition does with the tables that the product has.
    pub(crate) async fn cut_content<'a>(
        &self,
        on: impl Into<On<'a>>,
        cut: CutId,
        edition: i64,
    ) -> Result<Content, Error> {
        let rows = sql!(
            "select table_id, narrowing from cut_table join product_table on product_table.id = table_id
             where cut_id = $1 and number = $2 and removed_at is null"
        )
        .bind(cut)
        .bind(edition)
        .rows(on)
        .await?;
        let mut content = Content::new();
        for row in rows {
            let text: String = row.get("narrowing")?;
            content.insert(row.get("table_id")?, parsed(&text)?);
        }
        Ok(content)
    }

    /// The cuts of a product, in the order of their names.
    pub async fn cuts(&self, principal: &Principal, product: &str) -> Result<Vec<Cut>, Error> {
        let product = self
            .product_for(principal, Operation::CutList, product)
            .await?;
        let records: Vec<CutRecord> = sql!(
            "select id, product_id, name, description, edition, retired_at, revision from cut
             where product_id = $1 order by name"
        )
        .bind(product.id)
        .all(self.db())
        .await?;
        let tables = self.tables_of(self.db(), product.id).await?;
        let schemas = self.schemas_of(self.db(), product.id).await?;
        let mut cuts = Vec::with_capacity(records.len());
        for record in records {
            cuts.push(
                self.cut_shown(principal, &product, (&tables, &schemas), record)
                    .await?,
            );
        }
        Ok(cuts)
    }

    /// One cut of a product: what whoever reads by it finds, column by column.
    pub async fn cut(
        &self,
        principal: &Principal,
        product: &str,
        name: &str,
    ) -> Result<Cut, Error> {
        let product = self
            .product_for(principal, Operation::CutRead, product)
            .await?;
        let record = self
            .cut_record(self.db(), product.id, name)
            .await?
            .ok_or(Error::NotFound("cut"))?;
        let tables = self.tables_of(self.db(), product.id).await?;
        let schemas = self.schemas_of(self.db(), product.id).await?;
        self.cut_shown(principal, &product, (&tables, &schemas), record)
            .await
    }

    async fn cut_shown(
        &self,
        principal: &Principal,
        product: &ProductRecord,
        (tables, now): (&[TableRecord], &Schemas),
        record: CutRecord,
    ) -> Result<Cut, Error> {
        let content = self
            .cut_content(self.db(), record.id, record.edition)
            .await?;
        let agreed = self
            .cut_agreed(self.db(), record.id, record.edition)
            .await?;
        let editions: Vec<EditionRow> = sql!(
            "select number, why, created_at from cut_edition where cut_id = $1 order by number desc"
        )
        .bind(record.id)
        .all(self.db())
        .await?;
        let inside = principal.sees_all() || principal.is_member(product.team_id);
        let problem = match self.cut_key(record.id, record.edition).await? {
            Err(why) if inside => Some(why),
            _ => None,
        };
        let may_change = record.retired_at.is_none()
            && allows(principal, Operation::CutUpdate, &product.scope());
        let (within, left_out): (Vec<_>, Vec<_>) = tables
            .iter()
            .partition(|table| content.contains_key(&table.id));
        Ok(Cut {
            product: product.name.clone(),
            grants: self.cut_grants(self.db(), record.id).await?,
            name: record.name,
            description: record.description,
            retired: record.retired_at.is_some(),
            edition: record.edition,
            tables: within
                .into_iter()
                .filter_map(|table| Some(shown(table, content.get(&table.id)?, (&agreed, now))))
                .collect(),
            left_out: left_out
                .into_iter()
                .map(|table| format!("{}.{}", table.schema, table.name))
                .collect(),
            editions: editions
                .into_iter()
                .map(|edition| CutEdition {
                    number: edition.number,
                    why: edition.why,
                    made_at: edition.created_at,
                })
                .collect(),
            problem,
            may_change,
            revision: record.revision,
        })
    }

    /// What the newest edition of a cut gives of each of its tables. Asks no policy: who sees a request for it sees that.
    pub(crate) async fn cut_gives(&self, id: CutId) -> Result<Vec<CutTable>, Error> {
        let Some(record) = self.cut_by_id(self.db(), id).await? else {
            return Ok(Vec::new());
        };
        let content = self
            .cut_content(self.db(), record.id, record.edition)
            .await?;
        let agreed = self
            .cut_agreed(self.db(), record.id, record.edition)
            .await?;
        let tables = self.tables_of(self.db(), record.product_id).await?;
        let now = self.schemas_of(self.db(), record.product_id).await?;
        Ok(tables
            .iter()
            .filter_map(|table| Some(shown(table, content.get(&table.id)?, (&agreed, &now))))
            .collect())
    }

    /// How many accesses by a cut stand.
    async fn cut_grants<'a>(&self, on: impl Into<On<'a>>, cut: CutId) -> Result<u64, Error> {
        let row = sql!(
            "select cast(count(*) as bigint) as count from access_grant
             where cut_id = $1 and desired = 'active' and until_at > $2"
        )
        .bind(cut)
        .bind(self.now())
        .row(on)
        .await?;
        Ok(row.map(|row| row.get("count")).transpose()?.unwrap_or(0))
    }
}

/// What is stored was checked before.
pub(crate) fn parsed(text: &str) -> Result<Narrowing, Error> {
    serde_json::from_str(text).map_err(Error::internal)
}

fn shown(
    table: &TableRecord,
    narrowing: &Narrowing,
    (agreed, now): (&Schemas, &Schemas),
) -> CutTable {
    let unnamed = match (now.get(&table.id), agreed.get(&table.id)) {
        (Some(now), Some(agreed)) => agreed::unnamed(now, agreed, narrowing),
        _ => Vec::new(),
    };
    CutTable {
        schema: table.schema.clone(),
        table: table.name.clone(),
        columns: columns(table, narrowing, &unnamed),
        rows: narrowing.rows.as_ref().map(ToString::to_string),
    }
}

/// Each column as its reader finds it: what lies in a struct where that is treated by itself, and at last what the cut names and the
/// source has not any more.
fn columns(
    table: &TableRecord,
    narrowing: &Narrowing,
    unnamed: &[(String, ColumnCut)],
) -> Vec<CutColumn> {
    let treated: Vec<(&String, ColumnCut)> = narrowing
        .drop
        .iter()
        .map(|name| (name, ColumnCut::LeftOut))
        .chain(
            narrowing
                .pseudonymise
                .iter()
                .map(|name| (name, ColumnCut::Hashed)),
        )
        .chain(unnamed.iter().map(|(name, how)| (name, *how)))
        .collect();
    let mut told = vec![false; treated.len()];
    let mut all = Vec::new();
    for column in &table.columns {
        let name = column.name.to_lowercase();
        let own = treated
            .iter()
            .position(|(path, _)| path.to_lowercase() == name);
        if let Some(at) = own {
            told[at] = true;
        }
        all.push(CutColumn {
            name: column.name.clone(),
            type_text: column.type_text.clone(),
            how: own.map_or(ColumnCut::Kept, |at| treated[at].1),
            partition: check::is_partition(table, &column.name),
        });
        let inner = format!("{name}.");
        for (at, (path, how)) in treated.iter().enumerate() {
            if told[at] || !path.to_lowercase().starts_with(&inner) {
                continue;
            }
            if let Some(found) = check::find(&table.columns, path) {
                told[at] = true;
                all.push(CutColumn {
                    name: found.name,
                    type_text: found.type_text,
                    how: *how,
                    partition: false,
                });
            }
        }
    }
    let gone = treated.iter().zip(told).filter(|(_, told)| !told);
    all.extend(gone.map(|((path, how), _)| CutColumn {
        name: (*path).clone(),
        type_text: String::new(),
        how: *how,
        partition: false,
    }));
    all
}
