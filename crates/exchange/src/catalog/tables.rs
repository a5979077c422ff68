//! The tables of a product as forms wish them and as rows hold them, and the words the product is found by.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use model::dto::{Inspection, PRODUCT_TABLES_MAX, TableNew};
use model::{Name, ProductId, ProductName, ProductState, StorageId, TableId, TeamId, Timestamp};

use super::inspect::{check_path, overlaps};
use super::sprawl::{likeness, lineage};
use super::{TableRecord, terms};
use crate::change::Change;
use crate::db::{DbError, On, Tx};
use crate::error::{Check, Error};
use crate::ports::{Problem, StorageAccess};
use crate::principal::Principal;
use crate::storages::StorageRecord;
use crate::{Exchange, sql};

/// How many words one statement writes.
const BATCH: usize = 16;

/// A table as a form wishes it, checked.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Its place in the form, for messages.
    pub(super) index: usize,
    pub(super) schema: Name,
    pub(super) name: Name,
    pub(super) storage: StorageRecord,
    pub(super) path: String,
    pub(super) history: bool,
    pub(super) history_start: Option<u64>,
    pub(super) change_data_feed: bool,
}

impl Wanted {
    pub(super) fn is(&self, table: &TableRecord) -> bool {
        self.schema == table.schema && self.name == table.name
    }

    fn path_field(&self) -> String {
        format!("tables[{}].path", self.index)
    }
}

impl Exchange {
    /// Checks the tables of a form against the form itself: names, formats, paths, and that none repeats another.
    pub(super) async fn check_tables(
        &self,
        check: &mut Check,
        tables: &[TableNew],
        default: Option<&StorageRecord>,
    ) -> Result<Vec<Wanted>, Error> {
        if tables.len() > PRODUCT_TABLES_MAX {
            check.fail(
                "tables",
                format!("at most {PRODUCT_TABLES_MAX}; make several products"),
            );
            return Ok(Vec::new());
        }
        let mut storages: BTreeMap<String, Option<StorageRecord>> = BTreeMap::new();
        let mut wanted: Vec<Wanted> = Vec::with_capacity(tables.len());
        for (index, table) in tables.iter().enumerate() {
            let field = |name: &str| format!("tables[{index}].{name}");
            let name: Option<Name> = check.parse(&field("name"), &table.name);
            let schema: Option<Name> = check.parse(&field("schema"), &table.schema);
            let path = check_path(check, &field("path"), &table.path);
            match table.format.as_str() {
                "delta" => {}
                "iceberg" => check.fail(
                    &field("format"),
                    "iceberg is reserved: so far Entrepôt reads Delta tables only",
                ),
                _ => check.fail(&field("format"), "unknown format; use delta"),
            }
            let storage = match table.storage.as_deref().filter(|name| !name.is_empty()) {
                None => default.cloned(),
                Some(name) => {
                    if !storages.contains_key(name) {
                        let found = self.storage_by_name(name).await?;
                        storages.insert(name.to_owned(), found);
                    }
                    let found = storages.get(name).cloned().flatten();
                    if found.is_none() {
                        check.fail(&field("storage"), "there is no such storage");
                    }
                    found
                }
            };
            let start = table.history_start;
            if start.is_some() && !table.history {
                check.fail(
                    &field("history_start"),
                    "a first version goes with history; share the history, or leave it out",
                );
            } else if start.is_some_and(|start| i64::try_from(start).is_err()) {
                check.fail(&field("history_start"), "no table has that many versions");
            }
            let (Some(name), Some(schema), Some(path), Some(storage)) =
                (name, schema, path, storage)
            else {
                continue;
            };
            let table = Wanted {
                index,
                schema,
                name,
                storage,
                path,
                history: table.history,
                history_start: table.history_start,
                change_data_feed: table.change_data_feed,
            };
            for other in &wanted {
                if other.schema == table.schema && other.name == table.name {
                    check.fail(
                        &field("name"),
                        format!("tables[{}] has the same schema and name", other.index),
                    );
                }
                if other.storage.id == table.storage.id && overlaps(&other.path, &table.path) {
                    check.fail(
                        &table.path_field(),
                        format!(
                            "the same folder as tables[{}], or one holds the other",
                            other.index
                        ),
                    );
                }
            }
            wanted.push(table);
        }
        Ok(wanted)
    }

    /// Reads the logs of tables that a form adds to a product of `team`, in storages that the team may use; one that cannot
    /// be read is a field that is wrong.
    pub(super) async fn inspect_wanted(
        &self,
        principal: &Principal,
        team: TeamId,
        wanted: &[&Wanted],
    ) -> Result<Vec<Inspection>, Error> {
        let mut opened: BTreeMap<StorageId, StorageAccess> = BTreeMap::new();
        for table in wanted {
            if let Entry::Vacant(place) = opened.entry(table.storage.id) {
                self.storage_usable(principal, &[team], &table.storage)
                    .await?;
                place.insert(self.storage_open(table.storage.clone())?);
            }
        }
        let questions = wanted
            .iter()
            .filter_map(|table| Some((opened.get(&table.storage.id)?.clone(), table.path.clone())))
            .collect();
        let mut check = Check::new();
        let mut inspections = Vec::with_capacity(wanted.len());
        for (table, found) in wanted
            .iter()
            .zip(self.inspect_all(principal, questions).await)
        {
            match found {
                Ok(inspection) => inspections.push(inspection),
                Err(problem) => check.fail(&table.path_field(), problem.sentence),
            }
        }
        check.done()?;
        Ok(inspections)
    }

    /// Refuses folders that other products or replicas use. Inside the change this also makes two registrations of the
    /// same folder wait for each other, so that the second sees the first.
    pub(super) async fn refuse_taken(
        &self,
        change: &mut Change,
        principal: &Principal,
        product: ProductId,
        wanted: &[&Wanted],
    ) -> Result<(), Error> {
        // In the order of the ids, so that two changes never wait for each other in a circle.
        let storages: BTreeSet<StorageId> = wanted.iter().map(|table| table.storage.id).collect();
        for storage in storages {
            sql!("update storage set revision = revision where id = $1")
                .bind(storage)
                .execute(change.tx())
                .await?;
        }
        let mut check = Check::new();
        for table in wanted {
            let (storage, path) = (table.storage.id, table.path.as_str());
            if let Some(sentence) =
                taken_by(change.tx(), principal, Some(product), storage, path).await?
            {
                check.fail(&table.path_field(), sentence);
            } else if is_replica(change.tx(), storage, path).await? {
                check.fail(&table.path_field(), REPLICA);
            }
        }
        check.done()
    }

    /// Why a table of this product, or of one that is yet to be, could not lie in this folder.
    pub(crate) async fn folder_taken(
        &self,
        principal: &Principal,
        product: Option<ProductId>,
        storage: StorageId,
        path: &str,
    ) -> Result<Option<String>, Error> {
        let taken = taken_by(self.db(), principal, product, storage, path).await?;
        if taken.is_none() && is_replica(self.db(), storage, path).await? {
            return Ok(Some(REPLICA.to_owned()));
        }
        Ok(taken)
    }
}

const REPLICA: &str = "a replica is kept here; register the table it is made from";

/// Who uses the folder already, as a sentence; the name only for those who may see the product.
async fn taken_by<'a>(
    on: impl Into<On<'a>>,
    principal: &Principal,
    product: Option<ProductId>,
    storage: StorageId,
    wanted: &str,
) -> Result<Option<String>, DbError> {
    let row = sql!(
        "select product.name, product.team_id, product.state, path
         from product_table join product on product.id = product_id
         where product_table.storage_id = $1 and (product.id <> $2 or $2 is null) and product.state <> 'retired'
             and removed_at is null
             and (path = $3 or (path >= $3 || '/' and path < $3 || '0') or substr($3, 1, length(path) + 1) = path || '/')
         order by product.name limit 1"
    )
    .bind(storage)
    .bind(product)
    .bind(wanted)
    .row(on)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let name: ProductName = row.get("name")?;
    let team: TeamId = row.get("team_id")?;
    let state: ProductState = row.get("state")?;
    let path: String = row.get("path")?;
    let seen = principal.sees_all() || principal.is_member(team) || state != ProductState::Draft;
    let product = if seen {
        format!("the product {name}")
    } else {
        "another product".to_owned()
    };
    Ok(Some(if path == wanted {
        format!("this table is already registered in {product}; a table belongs to one product")
    } else {
        format!("this folder lies in a table of {product}, or holds one; choose a folder apart")
    }))
}

async fn is_replica<'a>(
    on: impl Into<On<'a>>,
    storage: StorageId,
    path: &str,
) -> Result<bool, DbError> {
    let row = sql!(
        "select replica_table.id from replica_table join replica on replica.id = replica_id
         where replica.storage_id = $1 and replica.state <> 'deleted' and replica_table.state <> 'deleted'
             and (path = $2 or (path >= $2 || '/' and path < $2 || '0') or substr($2, 1, length(path) + 1) = path || '/')
         limit 1"
    )
    .bind(storage)
    .bind(path)
    .row(on)
    .await?;
    Ok(row.is_some())
}

/// Writes a table that was looked at; one of its name that was taken out before comes back.
pub(super) async fn insert_table(
    change: &mut Change,
    product: ProductId,
    wanted: &Wanted,
    inspection: &Inspection,
) -> Result<(), Error> {
    let row = sql!("insert into product_table (id, product_id, storage_id, schema_name, name, path, format, history, change_data_feed,
              columns, partition_columns, features, created_at, updated_at, history_start)
          values ($1, $2, $3, $4, $5, $6, 'delta', $7, $8, '[]', '[]', '[]', $9, $9, $10)
          on conflict (product_id, schema_name, name) do update set storage_id = excluded.storage_id, path = excluded.path,
              history = excluded.history, change_data_feed = excluded.change_data_feed, removed_at = null,
              history_start = excluded.history_start,
              created_at = excluded.created_at, updated_at = excluded.updated_at where product_table.removed_at is not null
          returning id")
    .bind(TableId::new(change.at()))
    .bind(product)
    .bind(wanted.storage.id)
    .bind(&wanted.schema)
    .bind(&wanted.name)
    .bind(&wanted.path)
    .bind(wanted.history)
    .bind(wanted.change_data_feed)
    .bind(change.at())
    .bind(wanted.history_start)
    .row(change.tx())
    .await?;
    let row = row.ok_or_else(|| Error::changed("product"))?;
    let id = row.get("id")?;
    let at = change.at();
    note_inspection(
        change.tx(),
        at,
        id,
        wanted.storage.id,
        &wanted.path,
        inspection,
    )
    .await
}

/// Writes what a log said, if the table is still where it was read.
pub(super) async fn note_inspection(
    tx: &mut Tx,
    at: Timestamp,
    id: TableId,
    storage: StorageId,
    path: &str,
    found: &Inspection,
) -> Result<(), Error> {
    let text = |list: &Vec<String>| serde_json::to_string(list).map_err(Error::internal);
    let lineage = lineage(&mut *tx, found).await?;
    let written = sql!("update product_table set inspected_at = $1, version = $2, committed_at = $3, row_count = $4, file_count = $5,
              byte_count = $6, columns = $7, partition_columns = $8, features = $9, refused_for = $10, problem = null,
              updated_at = $1, recent_byte_count = $11, clone_refused_for = $12, lineage = $16, likeness = $17, schema_text = $18
          where id = $13 and storage_id = $14 and path = $15")
    .bind(at)
    .bind(found.version)
    .bind(found.committed_at)
    .bind(found.rows)
    .bind(found.files)
    .bind(found.bytes)
    .bind(serde_json::to_string(&found.columns).map_err(Error::internal)?)
    .bind(text(&found.partition_columns)?)
    .bind(text(&found.features)?)
    .bind(found.refused_for.as_deref())
    .bind(found.recent_bytes)
    .bind(found.not_cloned_for())
    .bind(id)
    .bind(storage)
    .bind(path)
    .bind(lineage)
    .bind(likeness(found))
    .bind(found.schema_text.as_deref())
    .execute(&mut *tx)
    .await?;
    if written > 0 {
        note_commit(tx, id, found.version, found.committed_at).await?;
    }
    Ok(())
}

/// Keeps that this version of a table was seen.
pub(crate) async fn note_commit(
    tx: &mut Tx,
    table: TableId,
    version: u64,
    committed_at: Timestamp,
) -> Result<(), Error> {
    sql!(
        "insert into table_commit (table_id, version, committed_at) values ($1, $2, $3)
         on conflict (table_id, committed_at, version) do nothing"
    )
    .bind(table)
    .bind(version)
    .bind(committed_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes why a log could not be read; what it said before stays.
pub(super) async fn note_problem(
    tx: &mut Tx,
    at: Timestamp,
    id: TableId,
    problem: &Problem,
) -> Result<(), Error> {
    sql!("update product_table set inspected_at = $1, problem = $2, updated_at = $1 where id = $3")
        .bind(at)
        .bind(&problem.sentence)
        .bind(id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Makes a product's tags exactly these.
pub(super) async fn set_tags(
    change: &mut Change,
    product: ProductId,
    tags: &BTreeSet<String>,
) -> Result<(), Error> {
    sql!("delete from product_tag where product_id = $1")
        .bind(product)
        .execute(change.tx())
        .await?;
    for tag in tags {
        sql!("insert into product_tag (product_id, tag) values ($1, $2)")
            .bind(product)
            .bind(tag)
            .execute(change.tx())
            .await?;
    }
    Ok(())
}

impl Exchange {
    /// Makes the words that a product is found by anew, from its rows as the change leaves them: call it last.
    pub(super) async fn rebuild_terms(
        &self,
        change: &mut Change,
        product: ProductId,
    ) -> Result<(), Error> {
        let record = self
            .product_by_id(change.tx(), product)
            .await?
            .ok_or(Error::NotFound("product"))?;
        let tags = self.tags_of(change.tx(), product).await?;
        let tables = self.tables_of(change.tx(), product).await?;
        sql!("delete from search_term where product_id = $1")
            .bind(product)
            .execute(change.tx())
            .await?;
        let terms = terms::terms_of(&record, &tags, &tables);
        for batch in terms.chunks(BATCH) {
            let mut query = sql!(
                "insert into search_term (product_id, term, field, weight) values
                     ($1, $2, $3, $4), ($1, $5, $6, $7), ($1, $8, $9, $10), ($1, $11, $12, $13),
                     ($1, $14, $15, $16), ($1, $17, $18, $19), ($1, $20, $21, $22), ($1, $23, $24, $25),
                     ($1, $26, $27, $28), ($1, $29, $30, $31), ($1, $32, $33, $34), ($1, $35, $36, $37),
                     ($1, $38, $39, $40), ($1, $41, $42, $43), ($1, $44, $45, $46), ($1, $47, $48, $49)
                 on conflict (term, product_id, field) do nothing"
            )
            .bind(product);
            // A batch that is not full repeats its last word, which then is there already.
            for slot in 0..BATCH {
                if let Some((term, field)) = batch.get(slot).or(batch.last()) {
                    query = query.bind(term).bind(field.name).bind(field.weight);
                }
            }
            query.execute(change.tx()).await?;
        }
        Ok(())
    }
}
