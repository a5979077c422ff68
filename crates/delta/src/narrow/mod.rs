//! A table with less in it: columns left out, values hashed, rows chosen. What is made of the metadata, and of each data file: a file that
//! is written anew from the column chunks that it takes, with statistics of its own. Of what is left out nothing goes on, not into errors
//! either: what a decoder says of a value is not repeated.

mod feed;
mod file;
mod open;
mod pseudonym;
mod schema;
mod sieve;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{FieldRef, Schema, SchemaRef};
use model::Narrowing;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::feed::Turn;
pub use self::open::{Opened, Unnarrowed};
pub use self::pseudonym::Secret;
use self::schema::{Act, Known, Node, Pass};
use self::sieve::Test;
use crate::actions::Metadata;
use crate::contain::shown;
use crate::shape::name_of;

/// Properties that say how the table is read and its log kept, and nothing of its rows.
const PROPERTIES: [&str; 7] = [
    MODE,
    "delta.columnMapping.maxColumnId",
    "delta.enableTypeWidening",
    "delta.logRetentionDuration",
    "delta.enableExpiredLogCleanup",
    "delta.checkpointInterval",
    INDEXED,
];
const INDEXED: &str = "delta.dataSkippingNumIndexedCols";
const TOLD: &str = "delta.dataSkippingStatsColumns";
const MODE: &str = "delta.columnMapping.mode";

/// What is known from before. Without any of it every column that the narrowing does not name is kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Before<'a> {
    /// Of the replica as it stands.
    pub held: Option<&'a Metadata>,
    /// [`Narrowed::schema`] as it was when somebody agreed to it.
    pub agreed: Option<&'a str>,
    /// The source is another table than it was: its columns are known by what they are called.
    pub by_name: bool,
}

/// A column of the replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NarrowColumn {
    /// A dot leads into a struct.
    pub name: String,
    /// As in SQL.
    pub type_text: String,
    /// Its values are hashes.
    pub hashed: bool,
}

/// What a narrowing makes of a table.
#[derive(Clone, Debug)]
pub struct Narrowed {
    /// Of the replica, with the source's id.
    pub metadata: Metadata,
    /// In the table's order; hashed fields of structs behind the struct.
    pub columns: Vec<NarrowColumn>,
    /// Columns of the source that the replica does not have.
    pub dropped: Vec<String>,
    /// Such of them as nobody has said anything of: they came later.
    pub left_out: Vec<String>,
    nodes: Vec<Node>,
    /// Of the files that are written.
    fields: SchemaRef,
    /// Columns of which the log is told.
    told: BTreeSet<String>,
    /// The columns of the source, by their names in its files.
    roots: BTreeSet<String>,
    /// On columns of files, and on those of partitions.
    tests: Vec<Test>,
    partitions: Vec<Test>,
    /// The columns of partitions, by their names in the log.
    partition_names: Vec<String>,
}

impl Narrowed {
    /// Puts a narrowing to a table.
    ///
    /// # Errors
    /// A sentence for people: why such a replica cannot be.
    pub fn new(metadata: &Metadata, what: &Narrowing, before: Before<'_>) -> Result<Self, String> {
        let mode = metadata.configuration.get(MODE).map(String::as_str);
        let mode = mode.unwrap_or("none").to_ascii_lowercase();
        if mode == "id" {
            return Err(
                "The table's columns are found by their numbers (column mapping mode `id`): such a table cannot be narrowed here. Grant it whole, or have it written with the mode `name`."
                    .to_owned(),
            );
        }
        let is_mapped = mode != "none";
        let source = fields_of(&metadata.schema_string)?;
        let held = before.held.map(|held| fields_of(&held.schema_string));
        let agreed = before.agreed.map(fields_of);
        let (held, agreed) = (held.transpose()?, agreed.transpose()?);
        let known: Known<'_> = held.iter().chain(&agreed).map(Vec::as_slice).collect();
        let is_first = known.is_empty();
        let names = |all: &[String]| -> BTreeSet<String> {
            all.iter().map(|name| name.trim().to_lowercase()).collect()
        };
        let mut pass = Pass {
            drop: names(&what.drop),
            hash: names(&what.pseudonymise),
            partitions: &metadata.partition_columns,
            is_mapped,
            by_name: before.by_name,
            found: BTreeSet::new(),
            dropped: Vec::new(),
            hashed: Vec::new(),
            left_out: Vec::new(),
        };
        if let Some(both) = pass.drop.intersection(&pass.hash).next() {
            return Err(format!(
                "The column `{}` is both left out and hashed. Choose one of the two.",
                shown(both)
            ));
        }
        let (schema, nodes) = pass.fields(&source, "", &known)?;
        if is_first {
            // What the source has lost meanwhile is no mistake.
            let mut named = what.drop.iter().chain(&what.pseudonymise);
            let is_there = |name: &&String| pass.found.contains(&name.trim().to_lowercase());
            if let Some(lost) = named.find(|name| !is_there(name)) {
                return Err(format!(
                    "The table has no column `{}`, or it lies in one that is left out. Write it as the table's schema does; a dot leads into a struct.",
                    shown(lost)
                ));
            }
        }
        if nodes.is_empty() {
            return Err(
                "No column would be left in the replica's files. Keep at least one that the table is not partitioned by."
                    .to_owned(),
            );
        }
        let (tests, partitions) = tests(metadata, what, &source, is_mapped)?;
        let hashed: BTreeSet<String> = pass.hashed.iter().cloned().collect();
        let metadata = narrowed(metadata, schema, &hashed);
        let fields: Vec<FieldRef> = nodes.iter().map(|node| Arc::clone(&node.out)).collect();
        let broken = |_| "The table's schema cannot be read.".to_owned();
        let mut told = metadata.shape().map_err(broken)?.told().clone();
        // The least and the greatest of hashes say nothing.
        let pseudonyms = nodes.iter().filter(|node| matches!(node.act, Act::Hash(_)));
        for node in pseudonyms {
            told.remove(node.out.name());
        }
        let mut columns = Vec::new();
        for column in metadata.schema().map_err(broken)? {
            columns.push(NarrowColumn {
                hashed: hashed.contains(&column.name),
                name: column.name.clone(),
                type_text: column.type_text,
            });
            let below = format!("{}.", column.name);
            let within = pass.hashed.iter().filter(|path| path.starts_with(&below));
            columns.extend(within.map(|path| NarrowColumn {
                name: path.clone(),
                type_text: "string".to_owned(),
                hashed: true,
            }));
        }
        let is_partition = |field: &&Value| {
            let mut names = metadata.partition_columns.iter();
            names.any(|name| field["name"] == name.as_str())
        };
        let of_partitions = source.iter().filter(is_partition);
        let of_partitions = of_partitions.filter_map(|field| name_of(field, is_mapped));
        let partition_names = of_partitions.map(str::to_owned).collect();
        let roots = source.iter().filter_map(|field| name_of(field, is_mapped));
        Ok(Self {
            partition_names,
            metadata,
            columns,
            dropped: pass.dropped,
            left_out: pass.left_out,
            fields: Arc::new(Schema::new(fields)),
            nodes,
            told,
            roots: roots.map(str::to_owned).collect(),
            tests,
            partitions,
        })
    }

    /// The replica's schema, which says of each column whether it is hashed.
    pub fn schema(&self) -> &str {
        &self.metadata.schema_string
    }

    /// Whether some row of a file may be chosen, as far as its partition says.
    pub fn admits(&self, partitions: &BTreeMap<String, Option<String>>) -> bool {
        self.partitions.iter().all(|test| {
            let value = test.way.first().and_then(|name| partitions.get(name));
            test.admits(value.and_then(Option::as_deref))
        })
    }

    /// The values of a file that lies in no partition.
    pub fn no_partition(&self) -> BTreeMap<String, Option<String>> {
        self.partition_names
            .iter()
            .map(|name| (name.clone(), None))
            .collect()
    }

    /// What decides which rows of a file are taken; with another the file would be written otherwise.
    pub fn recipe(&self) -> String {
        let tests: Vec<String> = self.tests.iter().map(Test::digest).collect();
        json!(["1", tests]).to_string()
    }

    /// Whether rows of files may be left out.
    pub fn chooses_rows(&self) -> bool {
        !self.tests.is_empty()
    }
}

fn fields_of(schema: &str) -> Result<Vec<Value>, String> {
    let schema: Result<Value, _> = serde_json::from_str(schema);
    match schema
        .ok()
        .as_mut()
        .and_then(|schema| schema.get_mut("fields"))
    {
        Some(Value::Array(fields)) => Ok(std::mem::take(fields)),
        _ => Err("The table's schema cannot be read.".to_owned()),
    }
}

/// The conditions on rows: those on columns of files, and those on columns of partitions.
fn tests(
    metadata: &Metadata,
    what: &Narrowing,
    source: &[Value],
    is_mapped: bool,
) -> Result<(Vec<Test>, Vec<Test>), String> {
    let (mut tests, mut partitions) = (Vec::new(), Vec::new());
    let conditions = what.rows.as_ref().map(|rows| rows.conditions());
    for condition in conditions.unwrap_or_default() {
        let wanted = condition.column.to_lowercase();
        let Some((way, field)) = way_to(source, "", &wanted, is_mapped) else {
            return Err(format!(
                "Rows are chosen by the column `{}`, and the table has none of that name. Write it as the table's schema does.",
                shown(&condition.column)
            ));
        };
        let is_partition = way.len() == 1
            && metadata
                .partition_columns
                .iter()
                .any(|name| field["name"] == name.as_str());
        let test = Test::new(condition, way, field["type"].as_str())?;
        match is_partition {
            true => partitions.push(test),
            false => tests.push(test),
        }
    }
    Ok((tests, partitions))
}

/// The way to a field by the names in files, and the field.
fn way_to<'a>(
    fields: &'a [Value],
    prefix: &str,
    wanted: &str,
    is_mapped: bool,
) -> Option<(Vec<String>, &'a Value)> {
    fields.iter().find_map(|field| {
        let name = field["name"].as_str()?;
        let path = format!("{prefix}{}", name.to_lowercase());
        let physical = name_of(field, is_mapped)?.to_owned();
        if path == wanted {
            return Some((vec![physical], field));
        }
        let below = field["type"].get("fields").and_then(Value::as_array)?;
        let (way, found) = way_to(below, &format!("{path}."), wanted, is_mapped)?;
        let way = std::iter::once(physical).chain(way).collect();
        Some((way, found))
    })
}

/// The metadata with this schema, and of the rest what can hold no value.
fn narrowed(source: &Metadata, schema: Vec<Value>, hashed: &BTreeSet<String>) -> Metadata {
    let mut configuration: BTreeMap<String, String> = source
        .configuration
        .iter()
        .filter(|(property, _)| PROPERTIES.contains(&property.as_str()))
        .map(|(property, value)| (property.clone(), value.clone()))
        .collect();
    if let Some(named) = source.configuration.get(TOLD) {
        // Those of them that the replica has: a name is all that they say, and of the others not even that.
        let is_kept = |name: &&str| {
            let name = name.trim_matches('`').to_lowercase();
            let root = name.split('.').next().unwrap_or_default();
            let mut kept = schema.iter().filter_map(|field| field["name"].as_str());
            kept.any(|kept| kept.to_lowercase() == root)
                && !hashed.iter().any(|hashed| hashed.to_lowercase() == name)
        };
        let kept: Vec<&str> = named.split(',').map(str::trim).filter(is_kept).collect();
        match kept.is_empty() {
            true => configuration.insert(INDEXED.to_owned(), "0".to_owned()),
            false => configuration.insert(TOLD.to_owned(), kept.join(",")),
        };
    }
    let schema_string = json!({"type": "struct", "fields": schema}).to_string();
    let mut raw = json!({
        "id": source.id,
        "format": {"provider": "parquet", "options": {}},
        "schemaString": schema_string,
        "partitionColumns": source.partition_columns,
        "configuration": configuration,
    });
    if let Some(name) = &source.name {
        raw["name"] = name.as_str().into();
    }
    Metadata {
        id: source.id.clone(),
        name: source.name.clone(),
        // Whatever a producer has written there.
        description: None,
        schema_string,
        partition_columns: source.partition_columns.clone(),
        configuration,
        created: source.created,
        raw,
    }
}

#[cfg(test)]
mod tests;
