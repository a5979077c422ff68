//! What an edition of a cut agrees to: the columns that its tables had when it was made, by their schemas of then. What came later is
//! in none of its replicas, and what is called otherwise by now stays what it was. Said here as the engine does it: by the names that
//! columns have in files.

use std::collections::{BTreeMap, BTreeSet};

use model::dto::ColumnCut;
use model::{CutId, Narrowing, ProductId, TableId};
use serde_json::Value;

use super::Content;
use crate::catalog::TableRecord;
use crate::db::On;
use crate::error::Error;
use crate::{Exchange, sql};

/// Schemas as logs write them. A table that is not there is of an edition, or was read, before they were kept.
pub(super) type Schemas = BTreeMap<TableId, String>;

impl Exchange {
    /// Of the tables of a product, as they were last read.
    pub(super) async fn schemas_of<'a>(
        &self,
        on: impl Into<On<'a>>,
        product: ProductId,
    ) -> Result<Schemas, Error> {
        let rows = sql!(
            "select id, schema_text from product_table
             where product_id = $1 and removed_at is null and schema_text is not null"
        )
        .bind(product)
        .rows(on)
        .await?;
        let mut schemas = Schemas::new();
        for row in rows {
            schemas.insert(row.get("id")?, row.get("schema_text")?);
        }
        Ok(schemas)
    }

    /// Of the tables of an edition, as it knows them.
    pub(super) async fn cut_agreed<'a>(
        &self,
        on: impl Into<On<'a>>,
        cut: CutId,
        edition: i64,
    ) -> Result<Schemas, Error> {
        let rows = sql!(
            "select table_id, agreed from cut_table where cut_id = $1 and number = $2 and agreed is not null"
        )
        .bind(cut)
        .bind(edition)
        .rows(on)
        .await?;
        let mut schemas = Schemas::new();
        for row in rows {
            schemas.insert(row.get("table_id")?, row.get("agreed")?);
        }
        Ok(schemas)
    }
}

/// What the next edition knows: what the one before did, and of other tables what is known now. `must`: or it is refused.
pub(super) fn next(
    tables: &[TableRecord],
    content: &Content,
    (held, now): (&Schemas, &Schemas),
    must: bool,
) -> Result<Schemas, Error> {
    let mut next = Schemas::new();
    for table in content.keys() {
        if let Some(schema) = held.get(table).or_else(|| now.get(table)) {
            next.insert(*table, schema.clone());
        } else if must {
            return Err(Error::conflict(format!(
                "the columns of {} were last read before what is agreed to was kept; refresh the product, and try it again",
                super::change::called(tables, *table)
            )));
        }
    }
    Ok(next)
}

/// What becomes of columns that the narrowing does not name: those that came later, and those that it names by another name.
pub(super) fn unnamed(now: &str, agreed: &str, narrowing: &Narrowing) -> Vec<(String, ColumnCut)> {
    let names = |all: &[String]| all.iter().map(|name| name.to_lowercase()).collect();
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_default();
    let (now, agreed) = (read(now), read(agreed));
    let (now, agreed) = (below(&now), below(&agreed));
    let is_there = |field: &Value| {
        let name = name_in_files(field);
        agreed.iter().any(|other| name_in_files(other) == name)
    };
    let mut walk = Walk {
        drop: names(&narrowing.drop),
        hash: names(&narrowing.pseudonymise),
        by_name: !now.iter().any(|field| is_there(field)),
        found: Vec::new(),
    };
    walk.level((&now, ""), (&agreed, ""));
    walk.found
}

/// Refuses what no file of a replica can hold, of what an edition would keep.
pub(super) fn refuse_unwritten(
    tables: &[TableRecord],
    content: &Content,
    (agreed, now): (&Schemas, &Schemas),
) -> Result<(), Error> {
    for (id, narrowing) in content {
        let (Some(agreed), Some(now)) = (agreed.get(id), now.get(id)) else {
            continue;
        };
        let table = tables.iter().find(|table| table.id == *id);
        let partitions = table.map(|table| table.partition_columns.as_slice());
        let partitions = partitions.unwrap_or_default();
        if let Some((path, kind)) = unwritten(now, agreed, narrowing, partitions) {
            let sentence = format!(
                "{path} of {} is of the type {kind}, whose values no cut can hold yet: leave it out",
                super::change::called(tables, *id)
            );
            return Err(Error::invalid("tables", sentence));
        }
    }
    Ok(())
}

/// The first column that is kept and has a type whose values are not written, with that type.
fn unwritten(
    now: &str,
    agreed: &str,
    narrowing: &Narrowing,
    partitions: &[String],
) -> Option<(String, String)> {
    let later = unnamed(now, agreed, narrowing).into_iter();
    let named = narrowing.drop.iter().chain(&narrowing.pseudonymise);
    let gone = later.map(|(path, _)| path).chain(named.cloned());
    let gone: BTreeSet<String> = gone.map(|path| path.to_lowercase()).collect();
    let schema: Value = serde_json::from_str(now).ok()?;
    // What it is partitioned by stands in no file.
    let mut in_files = below(&schema).into_iter().filter(|field| {
        let name = field["name"].as_str().unwrap_or_default();
        !partitions.iter().any(|partition| partition == name)
    });
    in_files.find_map(|field| odd_in(field, "", &gone))
}

fn odd_in(field: &Value, at: &str, gone: &BTreeSet<String>) -> Option<(String, String)> {
    let path = path(at, field);
    match gone.contains(&path.to_lowercase()) {
        true => None,
        false => odd(&field["type"], &path, gone),
    }
}

fn odd(of: &Value, path: &str, gone: &BTreeSet<String>) -> Option<(String, String)> {
    // A name leads into structs alone, so that of a list or map the whole is left out.
    let whole = |(_, kind): (String, String)| (path.to_owned(), kind);
    match of["type"].as_str() {
        Some("struct") => {
            let mut fields = below(of).into_iter();
            fields.find_map(|field| odd_in(field, path, gone))
        }
        Some("array") => odd(&of["elementType"], path, gone).map(whole),
        Some("map") => odd(&of["keyType"], path, gone)
            .or_else(|| odd(&of["valueType"], path, gone))
            .map(whole),
        _ => {
            let kind = of.as_str().unwrap_or("unknown");
            (!is_written(kind)).then(|| (path.to_owned(), kind.to_owned()))
        }
    }
}

/// Whether values of a type, as logs call it, are written into replicas of cuts: what `delta` has a type for in files.
fn is_written(kind: &str) -> bool {
    const WRITTEN: [&str; 12] = [
        "boolean",
        "byte",
        "short",
        "integer",
        "long",
        "float",
        "double",
        "string",
        "binary",
        "date",
        "timestamp",
        "timestamp_ntz",
    ];
    WRITTEN.contains(&kind) || kind.starts_with("decimal(")
}

/// The columns that came later, of all tables of a content.
pub(super) fn later(content: &Content, agreed: &Schemas, now: &Schemas) -> Vec<(TableId, String)> {
    let mut all = Vec::new();
    for (table, narrowing) in content {
        let (Some(agreed), Some(now)) = (agreed.get(table), now.get(table)) else {
            continue;
        };
        let found = unnamed(now, agreed, narrowing).into_iter();
        let found = found.filter(|(_, how)| *how == ColumnCut::Later);
        all.extend(found.map(|(path, _)| (*table, path)));
    }
    all
}

struct Walk {
    /// In lower case.
    drop: BTreeSet<String>,
    hash: BTreeSet<String>,
    /// The table was made anew: it has other names in its files, all of them, and its columns are known by what they are called.
    by_name: bool,
    found: Vec<(String, ColumnCut)>,
}

impl Walk {
    fn name(&self, field: &Value) -> String {
        match self.by_name {
            true => path("", field).to_lowercase(),
            false => name_in_files(field),
        }
    }

    fn level(&mut self, (now, at): (&[&Value], &str), (agreed, was_at): (&[&Value], &str)) {
        for field in now {
            let path = path(at, field);
            let key = path.to_lowercase();
            if self.drop.contains(&key) || self.hash.contains(&key) {
                continue;
            }
            let name = self.name(field);
            let was = agreed.iter().find(|other| self.name(other) == name);
            let Some(was) = was else {
                self.found.push((path, ColumnCut::Later));
                continue;
            };
            let was_path = self::path(was_at, was);
            let was_key = was_path.to_lowercase();
            if self.drop.contains(&was_key) {
                self.found.push((path, ColumnCut::Later));
            } else if self.hash.contains(&was_key) {
                self.found.push((path, ColumnCut::Hashed));
            } else {
                let (now, agreed) = (below(&field["type"]), below(&was["type"]));
                self.level((&now, &path), (&agreed, &was_path));
            }
        }
    }
}

fn path(at: &str, field: &Value) -> String {
    let name = field["name"].as_str().unwrap_or_default();
    match at {
        "" => name.to_owned(),
        at => format!("{at}.{name}"),
    }
}

fn name_in_files(field: &Value) -> String {
    let physical = field["metadata"]["delta.columnMapping.physicalName"].as_str();
    let name = physical.or_else(|| field["name"].as_str());
    name.unwrap_or_default().to_lowercase()
}

/// The fields that lie in a type, also within lists and maps.
fn below(of: &Value) -> Vec<&Value> {
    match of["type"].as_str() {
        Some("struct") => of["fields"].as_array().into_iter().flatten().collect(),
        Some("array") => below(&of["elementType"]),
        Some("map") => [below(&of["keyType"]), below(&of["valueType"])].concat(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_came_later_is_told_from_what_is_called_otherwise() {
        let column = |name: &str, physical: &str, of: Value| json!({"name": name, "type": of, "nullable": true, "metadata": {"delta.columnMapping.physicalName": physical}});
        let table = |columns: Value| json!({"type": "struct", "fields": columns}).to_string();
        let list = |columns: Value| json!({"type": "array", "elementType": {"type": "struct", "fields": columns}});
        let agreed = table(json!([
            column("id", "c1", "long".into()),
            column("Name", "c2", "string".into()),
            column("vin", "c3", "string".into()),
            column(
                "visits",
                "c4",
                list(json!([column("at", "c5", "date".into())]))
            ),
        ]));
        let now = table(json!([
            column("key", "c1", "long".into()),
            column("full_name", "c2", "string".into()),
            column("fin", "c3", "string".into()),
            column(
                "visits",
                "c4",
                list(json!([
                    column("at", "c5", "date".into()),
                    column("driver", "c6", "string".into())
                ]))
            ),
            column("mail", "c7", "string".into()),
            column("plant", "c8", "string".into()),
        ]));
        let what = Narrowing {
            drop: vec!["name".to_owned(), "plant".to_owned()],
            pseudonymise: vec!["VIN".to_owned()],
            rows: None,
        };
        let found = unnamed(&now, &agreed, &what);
        let found: Vec<(&str, ColumnCut)> = found
            .iter()
            .map(|(path, how)| (path.as_str(), *how))
            .collect();
        assert_eq!(
            found,
            [
                ("full_name", ColumnCut::Later),
                ("fin", ColumnCut::Hashed),
                ("visits.driver", ColumnCut::Later),
                ("mail", ColumnCut::Later),
            ]
        );
        assert!(unnamed(&agreed, &agreed, &what).is_empty());

        // Made anew, it has other names in its files.
        let anew = table(json!([
            column("id", "d1", "long".into()),
            column("vin", "d3", "string".into()),
            column("mail", "d7", "string".into()),
        ]));
        let found = unnamed(&anew, &agreed, &what);
        assert_eq!(found, [("mail".to_owned(), ColumnCut::Later)]);
    }
}
