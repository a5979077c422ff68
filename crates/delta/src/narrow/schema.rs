//! What a narrowing makes of a schema: the columns that stay, those that become pseudonyms, and those that are left out because nobody
//! has said what is to become of them.
//!
//! A column is known by its name in files, which a rename does not change: a column that was dropped and is called otherwise now is not
//! let in, and one that was hashed stays so. What the narrowing names it names by the names that people see.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde_json::{Map, Value, json};

use super::pseudonym::kind_of;
use crate::contain::shown;
use crate::shape::{field_of, name_of, type_of};

/// What a field of the replica says of itself if it has pseudonyms: of values of what kind.
const HASHED: &str = "entrepot.hashed";

/// What of a field's metadata can hold no value. Comments are a producer's word to every reader.
const HARMLESS: [&str; 5] = [
    "comment",
    "delta.columnMapping.id",
    "delta.columnMapping.physicalName",
    "delta.columnMapping.nested.ids",
    "delta.typeChanges",
];
/// Of a column of pseudonyms.
const HARMLESS_HASHED: [&str; 2] = ["delta.columnMapping.id", "delta.columnMapping.physicalName"];

/// A column of the replica's files, or a field of one.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) out: FieldRef,
    pub(super) act: Act,
}

#[derive(Clone, Debug)]
pub(super) enum Act {
    Keep,
    /// Of this type at the source.
    Hash(DataType),
    Struct(Vec<Node>),
}

/// What is done to a schema, and what was found meanwhile.
pub(super) struct Pass<'a> {
    /// In lower case.
    pub(super) drop: BTreeSet<String>,
    pub(super) hash: BTreeSet<String>,
    pub(super) partitions: &'a [String],
    pub(super) is_mapped: bool,
    /// Columns are the same if they are called the same, not if their files call them the same.
    pub(super) by_name: bool,
    /// Of what the narrowing names, what is there.
    pub(super) found: BTreeSet<String>,
    pub(super) dropped: Vec<String>,
    pub(super) hashed: Vec<String>,
    pub(super) left_out: Vec<String>,
}

/// The fields at one level of the schemas that say what is known; none: everything is.
pub(super) type Known<'v> = Vec<&'v [Value]>;

/// What is known of a field.
enum Standing<'v> {
    New,
    /// Values of this kind.
    Hashed(&'v str),
    /// As these fields, of the schemas that know it.
    Plain(Vec<&'v Value>),
}

impl Pass<'_> {
    /// The fields of the replica at a level, as its schema has them and as its files do.
    ///
    /// # Errors
    /// A sentence: why such a replica cannot be.
    pub(super) fn fields(
        &mut self,
        fields: &[Value],
        prefix: &str,
        known: &Known<'_>,
    ) -> Result<(Vec<Value>, Vec<Node>), String> {
        let (mut schema, mut nodes) = (Vec::new(), Vec::new());
        for field in fields {
            if let Some((made, node)) = self.field(field, prefix, known)? {
                schema.push(made);
                nodes.extend(node);
            }
        }
        Ok((schema, nodes))
    }

    fn field(
        &mut self,
        field: &Value,
        prefix: &str,
        known: &Known<'_>,
    ) -> Result<Option<(Value, Option<Node>)>, String> {
        let (Some(name), Some(of)) = (field["name"].as_str(), field.get("type")) else {
            return Err("The table's schema has a column without a name or a type.".to_owned());
        };
        let path = match prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}.{name}"),
        };
        let (key, said) = (path.to_lowercase(), shown(&path));
        let is_partition = prefix.is_empty() && self.partitions.iter().any(|known| known == name);
        if self.drop.contains(&key) {
            self.found.insert(key);
            if is_partition {
                return Err(format!(
                    "The table is partitioned by the column `{said}`: it cannot be left out. Choose rows by it, or have the table written by another column."
                ));
            }
            self.dropped.push(path);
            return Ok(None);
        }
        let standing = self.standing(field, known);
        let is_named = self.hash.contains(&key);
        if is_named || matches!(standing, Standing::Hashed(_)) {
            self.found.insert(key);
            if is_partition {
                return Err(format!(
                    "The table is partitioned by the column `{said}`: its values are in the names of folders, and cannot be hashed. Choose rows by it, or have the table written by another column."
                ));
            }
            return self.pseudonym(field, path, &standing).map(Some);
        }
        let Standing::Plain(known) = standing else {
            if is_partition {
                return Err(format!(
                    "The table is now partitioned by the column `{said}`, of which the cut does not know. Make another cut."
                ));
            }
            self.left_out.push(path);
            return Ok(None);
        };
        if is_partition {
            // It is in no file.
            return Ok(Some((clean(field, of.clone(), &HARMLESS), None)));
        }
        if of.get("type").and_then(Value::as_str) == Some("struct") {
            return self.structure(field, of, path, &known);
        }
        let of = self.inner(
            of,
            &path,
            &known
                .iter()
                .copied()
                .map(|field| &field["type"])
                .collect::<Vec<_>>(),
        );
        let made = clean(field, of, &HARMLESS);
        let Some(out) = field_of(&made, self.is_mapped) else {
            return Err(format!(
                "The column `{said}` has a type that cannot be written here: leave it out."
            ));
        };
        let act = Act::Keep;
        Ok(Some((made, Some(Node { out, act }))))
    }

    fn pseudonym(
        &mut self,
        field: &Value,
        path: String,
        standing: &Standing<'_>,
    ) -> Result<(Value, Option<Node>), String> {
        let from = type_of(&field["type"], self.is_mapped);
        let kind = from.as_ref().and_then(kind_of);
        let (Some(from), Some(kind)) = (from, kind) else {
            return Err(format!(
                "The column `{}` cannot be hashed: only single values can be, not lists, maps, structs or variants. Name a field of it, or leave it out.",
                shown(&path)
            ));
        };
        if let Standing::Hashed(before) = standing
            && *before != kind
        {
            return Err(format!(
                "The column `{}` has another type than before, so that the same value would get another hash. Make another cut, or give this one another key.",
                shown(&path)
            ));
        }
        let mut made = clean(field, "string".into(), &HARMLESS_HASHED);
        made["metadata"][HASHED] = kind.into();
        let Some(out) = field_of(&made, self.is_mapped) else {
            return Err("The table's schema has a column without a name.".to_owned());
        };
        self.hashed.push(path);
        let act = Act::Hash(from);
        Ok((made, Some(Node { out, act })))
    }

    fn structure(
        &mut self,
        field: &Value,
        of: &Value,
        path: String,
        known: &[&Value],
    ) -> Result<Option<(Value, Option<Node>)>, String> {
        let fields = of.get("fields").and_then(Value::as_array);
        let below = levels(known.iter().copied().map(|field| &field["type"]));
        let fields = fields.map(Vec::as_slice).unwrap_or_default();
        let (made, nodes) = self.fields(fields, &path, &below)?;
        if nodes.is_empty() {
            // A struct of nothing is none.
            self.dropped.push(path);
            return Ok(None);
        }
        let made = clean(field, json!({"type": "struct", "fields": made}), &HARMLESS);
        let inner: Vec<FieldRef> = nodes.iter().map(|node| Arc::clone(&node.out)).collect();
        let name = name_of(&made, self.is_mapped).unwrap_or_default();
        let id = made["metadata"]["delta.columnMapping.id"].as_i64();
        let id = id.filter(|_| self.is_mapped);
        let id = id.map(|id| (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string()));
        let out = Field::new(name, DataType::Struct(Fields::from(inner)), true);
        let out = Arc::new(out.with_metadata(id.into_iter().collect()));
        let act = Act::Struct(nodes);
        Ok(Some((made, Some(Node { out, act }))))
    }

    /// A type without the fields that are new somewhere in it.
    fn inner(&mut self, of: &Value, path: &str, known: &[&Value]) -> Value {
        let below =
            |name: &str| -> Vec<&Value> { known.iter().copied().map(|of| &of[name]).collect() };
        let mut made = of.clone();
        match of.get("type").and_then(Value::as_str) {
            Some("array") => {
                made["elementType"] = self.inner(&of["elementType"], path, &below("elementType"));
            }
            Some("map") => {
                for name in ["keyType", "valueType"] {
                    made[name] = self.inner(&of[name], path, &below(name));
                }
            }
            Some("struct") => {
                let fields = of.get("fields").and_then(Value::as_array);
                let below = levels(known.iter().copied());
                let mut kept = Vec::new();
                for field in fields.into_iter().flatten() {
                    let name = field["name"].as_str().unwrap_or_default();
                    let path = format!("{path}.{name}");
                    let Standing::Plain(known) = self.standing(field, &below) else {
                        self.left_out.push(path);
                        continue;
                    };
                    let known: Vec<&Value> =
                        known.iter().copied().map(|field| &field["type"]).collect();
                    let inner = self.inner(&field["type"], &path, &known);
                    kept.push(clean(field, inner, &HARMLESS));
                }
                made["fields"] = kept.into();
            }
            _ => {}
        }
        made
    }

    fn name<'v>(&self, field: &'v Value) -> Option<&'v str> {
        match self.by_name {
            true => field["name"].as_str(),
            false => name_of(field, self.is_mapped),
        }
    }

    fn standing<'v>(&self, field: &Value, known: &Known<'v>) -> Standing<'v> {
        if known.is_empty() {
            return Standing::Plain(Vec::new());
        }
        let name = self.name(field).map(str::to_lowercase);
        let same = |other: &Value| self.name(other).map(str::to_lowercase) == name;
        let levels = known.iter().copied();
        let found: Vec<&'v Value> = levels
            .filter_map(|fields| fields.iter().find(|other| same(other)))
            .collect();
        let mut all = found.iter().copied();
        if let Some(kind) = all.find_map(|field| field["metadata"][HASHED].as_str()) {
            return Standing::Hashed(kind);
        }
        match found.is_empty() {
            true => Standing::New,
            false => Standing::Plain(found),
        }
    }
}

/// The fields of types that are structs. What is known to be no struct knows no field.
pub(super) fn levels<'v>(types: impl Iterator<Item = &'v Value>) -> Known<'v> {
    let fields = |of: &'v Value| of.get("fields").and_then(Value::as_array);
    types
        .map(|of| fields(of).map(Vec::as_slice).unwrap_or_default())
        .collect()
}

/// A field with another type, and of its metadata what is harmless.
fn clean(field: &Value, of: Value, harmless: &[&str]) -> Value {
    let said = field.get("metadata").and_then(Value::as_object);
    let mut metadata = Map::new();
    for (name, value) in said.into_iter().flatten() {
        if harmless.contains(&name.as_str()) {
            metadata.insert(name.clone(), value.clone());
        }
    }
    json!({
        "name": field["name"],
        "type": of,
        "nullable": field.get("nullable").cloned().unwrap_or(true.into()),
        "metadata": metadata,
    })
}
