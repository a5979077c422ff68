//! J: predicates. They are hints: a file may be left out only where none of its rows matches, and keeping all is allowed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::World;
use crate::case::{Checked, cases, ensure, skip};
use crate::data::stats;
use crate::world::{Data, Table, before};

cases! {
    "J.partition" "PROTOCOL.md, JSON predicates" "Equality on a partition column never leaves out a matching file" partition;
    "J.partition-exact" "PartitionFilterUtils.scala" "A server that goes by equality on a partition column gives the matching files and no other" partition_exact;
    "J.sql" "PROTOCOL.md, SQL Expressions for Predicates" "Equality in predicateHints never leaves out a matching file" sql;
    "J.statistics" "PROTOCOL.md, JSON predicates" "A comparison on statistics never leaves out a file that may match" statistics;
    "J.sql-operators" "PROTOCOL.md, SQL Expressions for Predicates" "The other operators of predicateHints never leave out a file that may match" sql_operators;
    "J.advanced" "PROTOCOL.md, JSON predicates" "The same holds for a table with advanced features" advanced;
    "J.not" "PROTOCOL.md, JSON predicates" "not never leaves out a matching file" not;
    "J.or" "PROTOCOL.md, JSON predicates" "or never leaves out a file that one side matches" or;
    "J.and" "PROTOCOL.md, JSON predicates" "and never leaves out a file that both sides match" and;
    "J.is-null" "PROTOCOL.md, JSON predicates" "isNull never leaves out a file whose partition value is null" is_null;
    "J.deep" "JsonPredicates.scala" "A predicate nested too deep is ignored, never an error" deep;
    "J.limit" "PROTOCOL.md, Read Data from a Table" "With a limitHint, too, what matches is not cut off before the limit" limit;
}

/// A table, a partition column of it with its type, one value, and the ids of the files that have it.
struct Split {
    table: Table,
    column: String,
    kind: &'static str,
    value: String,
    matching: BTreeSet<String>,
    others: BTreeSet<String>,
}

fn value_of(file: &Value, column: &str) -> Option<String> {
    let values = file["partitionValues"].as_object()?;
    let (_, value) = values
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(column))?;
    let value = value.as_str()?;
    (!value.is_empty()).then(|| value.to_owned())
}

/// The name that predicates have for a column's type.
fn kind_of(data: &Data, column: &str) -> Option<&'static str> {
    let schema = data.metadata()["schemaString"].as_str()?;
    let schema: Value = serde_json::from_str(schema).ok()?;
    let fields = schema["fields"].as_array()?;
    let field = fields
        .iter()
        .find(|field| field["name"].as_str() == Some(column))?;
    match field["type"].as_str()? {
        "string" => Some("string"),
        "date" => Some("date"),
        "integer" => Some("int"),
        "long" => Some("long"),
        "boolean" => Some("bool"),
        _ => None,
    }
}

async fn split(world: &World) -> Checked<Split> {
    let table = world.partitioned()?.clone();
    let data = before(world.data(table.query(json!({}))).await)?;
    for column in &table.partitions {
        let Some(kind) = kind_of(&data, column) else {
            continue;
        };
        let found = data
            .files()
            .into_iter()
            .find_map(|(_, file)| value_of(file, column));
        let Some(value) = found else { continue };
        let (mut matching, mut others) = (BTreeSet::new(), BTreeSet::new());
        for (_, file) in data.files() {
            let id = file["id"].as_str().unwrap_or_default().to_owned();
            if value_of(file, column).as_deref() == Some(value.as_str()) {
                matching.insert(id);
            } else {
                others.insert(id);
            }
        }
        if !others.is_empty() {
            return Ok(Split {
                column: column.clone(),
                table: table.clone(),
                kind,
                value,
                matching,
                others,
            });
        }
    }
    skip("no partition column here has more than one value")
}

impl Split {
    fn column(&self) -> Value {
        json!({ "op": "column", "name": self.column, "valueType": self.kind })
    }

    fn equal(&self) -> Value {
        let literal = json!({ "op": "literal", "value": self.value, "valueType": self.kind });
        json!({ "op": "equal", "children": [self.column(), literal] })
    }

    async fn ids(&self, world: &World, predicate: &Value) -> Checked<BTreeSet<String>> {
        let body = json!({ "jsonPredicateHints": predicate.to_string() });
        Ok(world.data(self.table.query(body)).await?.ids())
    }

    fn holds(&self, seen: &BTreeSet<String>, wanted: &BTreeSet<String>) -> Checked {
        let missing = wanted.difference(seen).count();
        ensure(
            missing == 0,
            format!("all {} files that match", wanted.len()),
            format!("{missing} of them left out"),
        )
    }
}

async fn partition(world: &World) -> Checked {
    let split = split(world).await?;
    let seen = split.ids(world, &split.equal()).await?;
    split.holds(&seen, &split.matching)
}

async fn partition_exact(world: &World) -> Checked {
    let split = split(world).await?;
    let seen = split.ids(world, &split.equal()).await?;
    if split.others.is_subset(&seen) {
        return skip("the server gives all files whatever the predicate says, as it may");
    }
    ensure(
        seen == split.matching,
        format!("the {} files that match", split.matching.len()),
        format!("{} files", seen.len()),
    )
}

async fn sql(world: &World) -> Checked {
    let split = split(world).await?;
    let literal = match split.kind {
        "int" | "long" | "bool" => split.value.clone(),
        _ => format!("'{}'", split.value.replace('\'', "''")),
    };
    let body = json!({ "predicateHints": [format!("{} = {literal}", split.column)] });
    let seen = world.data(split.table.query(body)).await?.ids();
    split.holds(&seen, &split.matching)
}

async fn not(world: &World) -> Checked {
    let split = split(world).await?;
    let predicate = json!({ "op": "not", "children": [split.equal()] });
    let seen = split.ids(world, &predicate).await?;
    // A null is not unequal to anything.
    let data = before(world.data(split.table.query(json!({}))).await)?;
    let mut wanted = BTreeSet::new();
    for (_, file) in data.files() {
        let id = file["id"].as_str().unwrap_or_default();
        if split.others.contains(id) && value_of(file, &split.column).is_some() {
            wanted.insert(id.to_owned());
        }
    }
    split.holds(&seen, &wanted)
}

async fn or(world: &World) -> Checked {
    let split = split(world).await?;
    let absent = json!({ "op": "isNull", "children": [split.column()] });
    let predicate = json!({ "op": "or", "children": [absent, split.equal()] });
    let seen = split.ids(world, &predicate).await?;
    split.holds(&seen, &split.matching)
}

async fn and(world: &World) -> Checked {
    let split = split(world).await?;
    let predicate = json!({ "op": "and", "children": [split.equal(), split.equal()] });
    let seen = split.ids(world, &predicate).await?;
    split.holds(&seen, &split.matching)
}

async fn is_null(world: &World) -> Checked {
    let split = split(world).await?;
    let data = before(world.data(split.table.query(json!({}))).await)?;
    let mut wanted = BTreeSet::new();
    for (_, file) in data.files() {
        if value_of(file, &split.column).is_none() {
            wanted.insert(file["id"].as_str().unwrap_or_default().to_owned());
        }
    }
    if wanted.is_empty() {
        return skip("no partition value here is null");
    }
    let predicate = json!({ "op": "isNull", "children": [split.column()] });
    let seen = split.ids(world, &predicate).await?;
    split.holds(&seen, &wanted)
}

/// A file's id with the least and greatest value of a column.
type Range = (String, i64, i64);

/// A column of whole numbers with statistics.
async fn counted(world: &World, table: &Table) -> Checked<(String, Vec<Range>)> {
    let ask = table.query(json!({})).can(&table.able());
    let data = before(world.data(ask).await)?;
    let mut files = Vec::new();
    let mut column = None::<String>;
    for (_, file) in data.files() {
        let stats = stats(file);
        let least = stats["minValues"].as_object();
        let found = least.into_iter().flatten().find(|(name, value)| {
            value.is_i64() && column.as_ref().is_none_or(|column| column == *name)
        });
        let Some((name, least)) = found else { continue };
        let (Some(least), Some(most)) = (least.as_i64(), stats["maxValues"][name].as_i64()) else {
            continue;
        };
        column = Some(name.clone());
        let id = file["id"].as_str().unwrap_or_default().to_owned();
        files.push((id, least, most));
    }
    match column {
        Some(column) if files.len() > 1 => Ok((column, files)),
        _ => skip("no file here has statistics of whole numbers"),
    }
}

async fn statistics(world: &World) -> Checked {
    compared(world, world.several()?).await
}

async fn advanced(world: &World) -> Checked {
    compared(world, world.advanced_changing()?.0).await
}

async fn compared(world: &World, table: &Table) -> Checked {
    const OPERATORS: [(&str, &str); 5] = [
        ("equal", "="),
        ("lessThan", "<"),
        ("lessThanOrEqual", "<="),
        ("greaterThan", ">"),
        ("greaterThanOrEqual", ">="),
    ];
    let (column, files) = counted(world, table).await?;
    for (_, value, _) in &files {
        for (op, sign) in OPERATORS {
            let predicate = json!({
                "op": op,
                "children": [
                    { "op": "column", "name": column, "valueType": "long" },
                    { "op": "literal", "value": value.to_string(), "valueType": "long" },
                ],
            });
            let body = json!({ "jsonPredicateHints": predicate.to_string() });
            holds_for(world, table, body, (column.as_str(), sign, *value), &files).await?;
        }
    }
    Ok(())
}

/// Asks with hints that say `column sign value`; no file that may hold such a row is left out.
async fn holds_for(
    world: &World,
    table: &Table,
    body: Value,
    (column, sign, value): (&str, &str, i64),
    files: &[Range],
) -> Checked {
    let ask = table.query(body).can(&table.able());
    let seen = world.data(ask).await?.ids();
    for (id, from, to) in files {
        let (from, to) = (*from, *to);
        let may = match sign {
            "=" => from <= value && value <= to,
            "<>" => from != value || to != value,
            "<" => from < value,
            "<=" => from <= value,
            ">" => to > value,
            ">=" => to >= value,
            // IS NOT NULL: there are values.
            _ => true,
        };
        ensure(
            !may || seen.contains(id),
            format!("the file with {column} from {from} to {to} for {column} {sign} {value}"),
            "left out",
        )?;
    }
    Ok(())
}

async fn sql_operators(world: &World) -> Checked {
    let table = world.several()?;
    let (column, files) = counted(world, table).await?;
    for (_, value, _) in &files {
        for sign in ["=", "<>", "<", "<=", ">", ">=", "IS NOT NULL"] {
            let hint = match sign {
                "IS NOT NULL" => format!("{column} {sign}"),
                _ => format!("{column} {sign} {value}"),
            };
            let body = json!({ "predicateHints": [hint] });
            holds_for(world, table, body, (column.as_str(), sign, *value), &files).await?;
        }
    }
    Ok(())
}

async fn deep(world: &World) -> Checked {
    let split = split(world).await?;
    let mut predicate = split.equal();
    // The reference takes no more than 100 levels.
    for _ in 0..110 {
        predicate = json!({ "op": "not", "children": [predicate] });
    }
    let seen = split.ids(world, &predicate).await?;
    split.holds(&seen, &split.matching)
}

async fn limit(world: &World) -> Checked {
    let split = split(world).await?;
    let body = json!({
        "jsonPredicateHints": split.equal().to_string(),
        "limitHint": 1_000_000_000,
    });
    let seen = world.data(split.table.query(body)).await?.ids();
    split.holds(&seen, &split.matching)
}
