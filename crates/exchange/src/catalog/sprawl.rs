//! The same table under another name: what tells tables from one another wherever they lie is kept when a log is read, so that one query
//! finds the copies of a product's tables. What who asks is told of them stands in `already`.
//!
//! Nobody learns of a product that they may not see more than that it is there, and that only who holds a copy of its table.

use std::collections::{BTreeMap, BTreeSet};

use model::dto::{Alike, Inspection};
use model::{Cloud, Location, Name, ProductId, ProductName, ProductState, TeamId};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::db::{DbError, On};
use crate::error::Error;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// So many are told at the most.
const MOST: i64 = 20;

/// So many tables are looked for by one query.
const BATCH: usize = 48;

/// As many values as a batch has, after `in`.
macro_rules! first_of_batch {
    () => {
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
          $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48)"
    };
}

/// The same, after those.
macro_rules! second_of_batch {
    () => {
        "($49, $50, $51, $52, $53, $54, $55, $56, $57, $58, $59, $60, $61, $62, $63, $64, $65, $66, $67, $68, $69, $70, $71, $72,
          $73, $74, $75, $76, $77, $78, $79, $80, $81, $82, $83, $84, $85, $86, $87, $88, $89, $90, $91, $92, $93, $94, $95, $96)"
    };
}

/// A table that was looked at and is not registered, and the product that would have it, if that is there: its own tables are no news.
pub(crate) type Looked<'a> = (&'a Inspection, Option<&'a ProductName>);

/// A table of another product.
#[derive(Clone)]
struct Twin {
    lineage: Option<String>,
    likeness: Option<String>,
    mine: Option<String>,
    schema_name: Name,
    name: Name,
    product: ProductName,
    team_id: TeamId,
    state: ProductState,
    team_title: String,
    contact: String,
    cloud: Cloud,
    region: String,
    is_copy: bool,
}
from_row!(Twin {
    lineage,
    likeness,
    mine,
    schema_name,
    name,
    product,
    team_id,
    state,
    team_title,
    contact,
    cloud,
    region,
    is_copy
});

/// Other products' tables, with what is told of them.
macro_rules! twins {
    ($mine:literal, $is_copy:literal, $from:literal) => {
        concat!(
            "select other.lineage as lineage, other.likeness as likeness, ",
            $mine,
            " as mine, other.schema_name as schema_name, other.name as name, product.name as product, product.team_id, product.state,
                 team.title as team_title, team.contact, storage.cloud, storage.region, ",
            $is_copy,
            " as is_copy from ",
            $from,
            " join product on product.id = other.product_id join team on team.id = product.team_id
              join storage on storage.id = other.storage_id
              where other.removed_at is null and product.state <> 'retired' "
        )
    };
}

/// A hash by which tables that hold the same are found though nothing says so: of columns, partitions, rows, files and bytes. None
/// where that would say little.
pub(super) fn likeness(found: &Inspection) -> Option<String> {
    let rows = found.rows.filter(|rows| *rows > 0)?;
    if found.columns.is_empty() || found.files == 0 || found.bytes == 0 {
        return None;
    }
    let mut hash = Sha256::new();
    for column in &found.columns {
        hash.update(column.name.as_bytes());
        hash.update([0]);
        hash.update(column.type_text.as_bytes());
        hash.update([0]);
    }
    for column in &found.partition_columns {
        hash.update([1]);
        hash.update(column.as_bytes());
    }
    for number in [rows, found.files, found.bytes] {
        hash.update(number.to_le_bytes());
    }
    Some(hex::encode(&hash.finalize()[..16]))
}

/// By what copies of a table are found: what its log says. Where that is one of our replicas, the table it is made from.
pub(super) async fn lineage<'a>(
    on: impl Into<On<'a>>,
    found: &Inspection,
) -> Result<Option<String>, DbError> {
    let Some(told) = found.lineage.as_deref().filter(|told| !told.is_empty()) else {
        return Ok(None);
    };
    if let Ok(id) = Uuid::try_parse(told) {
        let source = sql!(
            "select lineage from replica_table join product_table on product_table.id = replica_table.table_id
             where replica_table.id = $1"
        )
        .bind(id)
        .row(on)
        .await?;
        if let Some(row) = source
            && let Some(source) = row.get::<Option<String>>("lineage")?
        {
            return Ok(Some(source));
        }
    }
    Ok(Some(told.to_owned()))
}

impl Exchange {
    /// The tables of other products that are the same as this product's, or copies of them.
    pub(super) async fn alike_of(
        &self,
        principal: &Principal,
        product: ProductId,
    ) -> Result<Vec<Alike>, Error> {
        let twins: Vec<Twin> = sql!(
            twins!(
                "mine.schema_name || '.' || mine.name",
                "true",
                "product_table as mine join product_table as other on other.lineage = mine.lineage and other.product_id <> mine.product_id"
            ),
            "and mine.product_id = $1 and mine.removed_at is null union all ",
            twins!(
                "mine.schema_name || '.' || mine.name",
                "false",
                "product_table as mine join product_table as other on other.likeness = mine.likeness and other.product_id <> mine.product_id"
            ),
            "and mine.product_id = $1 and mine.removed_at is null
                 and (other.lineage <> mine.lineage or other.lineage is null or mine.lineage is null)
             order by mine, product, schema_name, name limit $2"
        )
        .bind(product)
        .bind(MOST)
        .all(self.db())
        .await?;
        told(principal, twins)
    }

    /// The same of a table that was looked at and is not registered.
    pub(super) async fn alike_inspected(
        &self,
        principal: &Principal,
        found: &Inspection,
    ) -> Result<Vec<Alike>, Error> {
        let mut each = self.alike_each(principal, &[(found, None)]).await?;
        Ok(each.pop().unwrap_or_default())
    }

    /// The same of many tables, in their order: by two queries for each batch of them, not for each.
    pub(crate) async fn alike_each(
        &self,
        principal: &Principal,
        looked: &[Looked<'_>],
    ) -> Result<Vec<Vec<Alike>>, Error> {
        let mut each = Vec::with_capacity(looked.len());
        for batch in looked.chunks(BATCH) {
            let sources = self.sources(batch).await?;
            let keys: Vec<(Option<&str>, Option<String>)> = batch
                .iter()
                .map(|(found, _)| {
                    let told = found.lineage.as_deref().filter(|told| !told.is_empty());
                    let lineage = told.map(|told| {
                        let id = Uuid::try_parse(told).ok();
                        let source = id.and_then(|id| sources.get(&id));
                        source.map_or(told, String::as_str)
                    });
                    (lineage, likeness(found))
                })
                .collect();
            let twins = self.twins_of(&keys).await?;
            for ((_, own), (lineage, likeness)) in batch.iter().zip(&keys) {
                let same = |one: Option<&str>, other: Option<&str>| one.is_some() && one == other;
                let mut of_table = Vec::new();
                for twin in &twins {
                    let is_copy = same(*lineage, twin.lineage.as_deref());
                    let is_like = same(likeness.as_deref(), twin.likeness.as_deref());
                    if (is_copy || is_like) && own.is_none_or(|own| *own != twin.product) {
                        of_table.push(Twin {
                            is_copy,
                            ..twin.clone()
                        });
                    }
                }
                let mut alike = told(principal, of_table)?;
                alike.truncate(usize::try_from(MOST).unwrap_or(usize::MAX));
                each.push(alike);
            }
        }
        Ok(each)
    }

    /// What replicas of ours among these tables were made from, by the id that the replica's log gives.
    async fn sources(&self, batch: &[Looked<'_>]) -> Result<BTreeMap<Uuid, String>, Error> {
        let ids: Vec<Uuid> = batch
            .iter()
            .filter_map(|(found, _)| Uuid::try_parse(found.lineage.as_deref()?).ok())
            .collect();
        let Some(last) = ids.last() else {
            return Ok(BTreeMap::new());
        };
        let mut query = sql!(
            "select replica_table.id, lineage from replica_table join product_table on product_table.id = replica_table.table_id
             where replica_table.id in ",
            first_of_batch!()
        );
        // A batch that is not full repeats its last.
        for slot in 0..BATCH {
            query = query.bind(*ids.get(slot).unwrap_or(last));
        }
        let mut sources = BTreeMap::new();
        for row in query.rows(self.db()).await? {
            if let Some(lineage) = row.get::<Option<String>>("lineage")? {
                sources.insert(row.get::<Uuid>("id")?, lineage);
            }
        }
        Ok(sources)
    }

    /// Tables of products by lineage or likeness, of at most a batch of tables: up to [`MOST`] of each where many are like one of them.
    async fn twins_of(&self, keys: &[(Option<&str>, Option<String>)]) -> Result<Vec<Twin>, Error> {
        let found = self.twins_of_any(keys).await?;
        if i64::try_from(found.len()).unwrap_or(i64::MAX) < most_of(keys.len()) {
            return Ok(found);
        }
        let mut each = BTreeMap::new();
        // Those that are like many are often like each other, too.
        let keys: BTreeSet<_> = keys.iter().filter(|key| **key != (None, None)).collect();
        for key in keys {
            for twin in self.twins_of_any(std::slice::from_ref(key)).await? {
                let place = format!("{} {} {}", twin.product, twin.schema_name, twin.name);
                each.insert(place, twin);
            }
        }
        Ok(each.into_values().collect())
    }

    /// The same, not more of them than [`most_of`], whichever they are.
    async fn twins_of_any(
        &self,
        keys: &[(Option<&str>, Option<String>)],
    ) -> Result<Vec<Twin>, Error> {
        let mut query = sql!(
            twins!("cast(null as text)", "false", "product_table as other"),
            "and (other.lineage in ",
            first_of_batch!(),
            " or other.likeness in ",
            second_of_batch!(),
            ") order by product, schema_name, name limit $97"
        );
        // Where there is no key, null: it is equal to nothing.
        for slot in 0..BATCH {
            query = query.bind(keys.get(slot).and_then(|(lineage, _)| *lineage));
        }
        for slot in 0..BATCH {
            let likeness = keys.get(slot).and_then(|(_, likeness)| likeness.clone());
            query = query.bind(likeness);
        }
        Ok(query.bind(most_of(keys.len())).all(self.db()).await?)
    }
}

fn most_of(keys: usize) -> i64 {
    MOST.saturating_mul(i64::try_from(keys).unwrap_or(1))
}

/// As far as the caller may know.
fn told(principal: &Principal, twins: Vec<Twin>) -> Result<Vec<Alike>, Error> {
    let mut told: Vec<Alike> = Vec::new();
    for twin in twins {
        let seen = principal.sees_all()
            || principal.is_member(twin.team_id)
            || twin.state != ProductState::Draft;
        let place = Location::new(twin.cloud, &twin.region).map_err(Error::internal)?;
        let alike = match (seen, twin.is_copy) {
            (true, is_copy) => {
                let other = format!("{}.{}", twin.schema_name, twin.name);
                let contact = match twin.contact.as_str() {
                    "" => String::new(),
                    contact => format!(", {contact}"),
                };
                let (product, team) = (&twin.product, &twin.team_title);
                let what = match is_copy {
                    true => "is the same table, or one is a copy of the other: their logs say so",
                    false => "may be the same table: it has the same columns, rows, files and bytes",
                };
                Alike {
                    table: twin.mine,
                    sentence: format!(
                        "{other} of {product} ({team}{contact}) in {place} {what}. One product for both is fetched and paid for once."
                    ),
                    product: Some(twin.product),
                    other: Some(other),
                    is_copy,
                }
            }
            (false, true) => Alike {
                table: twin.mine,
                product: None,
                other: None,
                is_copy: true,
                sentence: "The same table, or a copy of it, is in a product that is not published yet. Ask an admin which."
                    .to_owned(),
            },
            // That something has as many rows is nobody's business.
            (false, false) => continue,
        };
        if !told.contains(&alike) {
            told.push(alike);
        }
    }
    Ok(told)
}
