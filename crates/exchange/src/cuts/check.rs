//! What fits a table: columns that are there, each treated once, something left of it, conditions that can be compared; and whether
//! one content gives more than another. By the schema as it was last read; the log itself is asked again by whoever writes the replica.

use model::dto::{Column, CutTableNew, MAPPED_BY_ID};
use model::rows::{Condition, Operand};
use model::{Narrowing, RowFilter};

use super::Content;
use crate::catalog::{TableRecord, is_compared, is_value};
use crate::error::Check;

/// The most columns that one table's part names.
const MOST: usize = 1_000;
/// So many columns of a table are named to who wrote another.
const NAMED: usize = 20;

/// A column as the schema calls it.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) type_text: String,
}

/// The column that a path names, in any case of letters; a dot leads into a struct.
pub(super) fn find(columns: &[Column], path: &str) -> Option<Found> {
    let all: Vec<(&str, &str)> = columns
        .iter()
        .map(|column| (column.name.as_str(), column.type_text.as_str()))
        .collect();
    walk(&all, path)
}

fn walk(columns: &[(&str, &str)], path: &str) -> Option<Found> {
    let is = |name: &str, wanted: &str| name.to_lowercase() == wanted.to_lowercase();
    if let Some((name, type_text)) = columns.iter().find(|(name, _)| is(name, path)) {
        return Some(Found {
            name: (*name).to_owned(),
            type_text: (*type_text).to_owned(),
        });
    }
    path.match_indices('.').find_map(|(at, _)| {
        let (outer, inner) = (path.get(..at)?, path.get(at + 1..)?);
        let (name, type_text) = columns.iter().find(|(name, _)| is(name, outer))?;
        let found = walk(&fields(type_text)?, inner)?;
        Some(Found {
            name: format!("{name}.{}", found.name),
            type_text: found.type_text,
        })
    })
}

/// The fields of `struct<a: string, b: array<long>>`, with their types.
fn fields(type_text: &str) -> Option<Vec<(&str, &str)>> {
    let inner = type_text.strip_prefix("struct<")?.strip_suffix('>')?;
    let (mut all, mut depth, mut begin) = (Vec::new(), 0_usize, 0);
    for (at, c) in inner.char_indices() {
        match c {
            '<' | '(' => depth += 1,
            '>' | ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                all.push(inner.get(begin..at)?);
                begin = at + 1;
            }
            _ => {}
        }
    }
    all.push(inner.get(begin..)?);
    all.into_iter()
        .map(|field| field.trim().split_once(": "))
        .collect()
}

/// Whether values of a type have a hash.
fn is_single(type_text: &str) -> bool {
    const SINGLE: [&str; 12] = [
        "boolean",
        "tinyint",
        "smallint",
        "int",
        "bigint",
        "float",
        "double",
        "string",
        "binary",
        "date",
        "timestamp",
        "timestamp_ntz",
    ];
    SINGLE.contains(&type_text) || type_text.starts_with("decimal(")
}

pub(super) fn is_partition(table: &TableRecord, column: &str) -> bool {
    let wanted = column.to_lowercase();
    table
        .partition_columns
        .iter()
        .any(|name| name.to_lowercase() == wanted)
}

pub(super) fn lies_in(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer)
        .is_some_and(|rest| rest.starts_with('.'))
}

fn covers(list: &[String], path: &str) -> bool {
    list.iter()
        .any(|entry| entry == path || lies_in(path, entry))
}

fn called(table: &TableRecord) -> String {
    format!("{}.{}", table.schema, table.name)
}

/// What a form says of one table, with the columns as the schema calls them. What is wrong is said of the fields under `prefix`. A column
/// that the edition before names (`held`) may be gone from the table: it goes on being named, in case that it comes back.
pub(super) fn narrowing(
    check: &mut Check,
    prefix: &str,
    (table, held): (&TableRecord, Option<&Narrowing>),
    new: &CutTableNew,
) -> Narrowing {
    let mut narrowing = Narrowing::default();
    let field = |name: &str| format!("{prefix}.{name}");
    if let Some(why) = &table.clone_refused_for {
        check.fail(
            &field("table"),
            format!(
                "{} cannot be cloned, so there is no replica of it: {why}",
                called(table)
            ),
        );
        return narrowing;
    }
    if table.features.iter().any(|name| name == MAPPED_BY_ID) {
        check.fail(
            &field("table"),
            format!(
                "the columns of {} are found by their numbers in its files (column mapping mode `id`), and of such a table no cut is made \
                 yet: leave it out, or have it written with the mode `name`",
                called(table)
            ),
        );
        return narrowing;
    }
    if table.columns.is_empty() {
        check.fail(
            &field("table"),
            format!(
                "the columns of {} are not known: its log could not be read yet; refresh the product",
                called(table)
            ),
        );
        return narrowing;
    }
    if new.drop.len() + new.pseudonymise.len() > MOST {
        check.fail(&field("drop"), format!("at most {MOST} columns"));
        return narrowing;
    }
    for (name, paths) in [("drop", &new.drop), ("pseudonymise", &new.pseudonymise)] {
        let named: &[String] = match held {
            None => &[],
            Some(held) if name == "drop" => &held.drop,
            Some(held) => &held.pseudonymise,
        };
        for path in paths {
            let gone = named.iter().find(|named| *named == path.trim());
            if let Some(gone) = gone.filter(|gone| find(&table.columns, gone).is_none()) {
                let list = match name {
                    "drop" => &mut narrowing.drop,
                    _ => &mut narrowing.pseudonymise,
                };
                list.push(gone.clone());
                continue;
            }
            match column(table, &narrowing, name, path.trim()) {
                Ok(found) if name == "drop" => narrowing.drop.push(found),
                Ok(found) => narrowing.pseudonymise.push(found),
                Err(why) => check.fail(&field(name), why),
            }
        }
    }
    if let Some(why) = nothing_left(table, &narrowing.drop) {
        check.fail(&field("drop"), why);
    }
    narrowing.drop.sort();
    narrowing.pseudonymise.sort();
    match RowFilter::parse(new.rows.as_deref().unwrap_or_default()) {
        Err(why) => check.fail(&field("rows"), why),
        Ok(None) => {}
        Ok(Some(rows)) => {
            let misfit = rows.conditions().iter().find_map(|one| misfit(table, one));
            if let Some(why) = misfit {
                check.fail(&field("rows"), why);
            }
            narrowing.rows = Some(rows);
        }
    }
    narrowing
}

/// The column that `path` names, if it can be left out (`drop`) or hashed, beside what is treated already.
fn column(
    table: &TableRecord,
    beside: &Narrowing,
    how: &str,
    path: &str,
) -> Result<String, String> {
    let found = find(&table.columns, path).ok_or_else(|| unknown(table, path))?;
    let (name, of) = (found.name, called(table));
    if is_partition(table, &name) {
        return Err(format!(
            "{of} is partitioned by {name}: its values stand in every file's path, so it can be neither left out nor hashed; choose \
             rows by it, or leave the table out"
        ));
    }
    for other in beside.drop.iter().chain(&beside.pseudonymise) {
        if *other == name {
            return Err(format!("{name} stands there twice"));
        }
        let (inner, outer) = match (lies_in(&name, other), lies_in(other, &name)) {
            (true, _) => (&name, other),
            (_, true) => (other, &name),
            _ => continue,
        };
        return Err(format!(
            "{inner} lies in {outer}, which is named already; name one of them"
        ));
    }
    if how == "pseudonymise" && !is_single(&found.type_text) {
        return Err(format!(
            "{name} of {of} is of the type {}; single values are hashed: leave it out, or name columns in it",
            found.type_text
        ));
    }
    Ok(name)
}

fn unknown(table: &TableRecord, path: &str) -> String {
    let shown: String = path.chars().take(100).collect();
    let names: Vec<&str> = table
        .columns
        .iter()
        .take(NAMED)
        .map(|column| column.name.as_str())
        .collect();
    let more = match table.columns.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "{} has no column `{shown}`; it has {}{more}",
        called(table),
        names.join(", ")
    )
}

/// Why no table, or no struct, can be without these.
fn nothing_left(table: &TableRecord, drop: &[String]) -> Option<String> {
    if table
        .columns
        .iter()
        .all(|column| drop.contains(&column.name))
    {
        return Some(format!(
            "nothing would be left of {}; leave the whole table out of the cut",
            called(table)
        ));
    }
    drop.iter().find_map(|path| {
        let (outer, _) = path.rsplit_once('.')?;
        let inside = find(&table.columns, outer)?;
        let all = fields(&inside.type_text)?;
        all.iter()
            .all(|(name, _)| drop.contains(&format!("{outer}.{name}")))
            .then(|| format!("nothing would be left in {outer}; name {outer} itself"))
    })
}

/// Why a condition does not fit a table; None where it does.
fn misfit(table: &TableRecord, condition: &Condition) -> Option<String> {
    let Some(found) = find(&table.columns, &condition.column) else {
        return Some(unknown(table, &condition.column));
    };
    let kind = found.type_text.as_str();
    if !is_compared(kind) {
        return Some(format!(
            "{} of {} is of a type ({kind}) that is not compared; use a text, a whole number, a date or a truth value",
            found.name,
            called(table)
        ));
    }
    condition.values.iter().find_map(|operand| match operand {
        Operand::Property(name) => Some(format!(
            "a replica is the same for all who read it, so its rows cannot depend on the recipient (${{recipient.{name}}}); make a \
             cut for each value"
        )),
        Operand::Value(value) if is_value(kind, value) != Some(true) => Some(format!(
            "'{value}' is no {kind}, which {} of {} is",
            found.name,
            called(table)
        )),
        Operand::Value(_) => None,
    })
}

/// What the new content would give that the old does not, in words; None: it gives no more. `name` calls a table.
pub(super) fn gives_more(
    old: &Content,
    new: &Content,
    name: impl Fn(model::TableId) -> String,
) -> Option<String> {
    new.iter().find_map(|(table, new)| {
        let of = name(*table);
        let Some(old) = old.get(table) else {
            return Some(format!("the table {of}"));
        };
        let given = old.drop.iter().find(|path| !covers(&new.drop, path));
        if let Some(path) = given {
            return Some(format!("{path} of {of}, which it leaves out"));
        }
        let opened = old
            .pseudonymise
            .iter()
            .find(|path| !covers(&new.drop, path) && !new.pseudonymise.contains(path));
        if let Some(path) = opened {
            return Some(format!("the values of {path} of {of}, which are hashed"));
        }
        let held = new.rows.as_ref().map(RowFilter::conditions);
        let rows = old.rows.as_ref().map(RowFilter::conditions);
        let lost = rows
            .unwrap_or_default()
            .iter()
            .find(|condition| !held.unwrap_or_default().contains(condition));
        lost.map(|condition| format!("rows of {of} that do not fit {condition}"))
    })
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    fn columns() -> Vec<Column> {
        [
            ("vin", "string"),
            ("Customer", "struct<name: string, address: struct<street: string, zip: decimal(5,0)>, tags: array<string>>"),
            ("amount", "decimal(10,2)"),
        ]
        .map(|(name, type_text)| Column {
            name: name.to_owned(),
            type_text: type_text.to_owned(),
            nullable: true,
            comment: None,
        })
        .to_vec()
    }

    #[test]
    fn a_dot_leads_into_a_struct_in_any_case_of_letters() {
        let columns = columns();
        for (path, found) in [
            ("VIN", Some(("vin", "string"))),
            ("customer.NAME", Some(("Customer.name", "string"))),
            (
                "customer.address.zip",
                Some(("Customer.address.zip", "decimal(5,0)")),
            ),
            ("customer.tags", Some(("Customer.tags", "array<string>"))),
            ("customer.tags.element", None),
            ("vin.x", None),
            ("customer.", None),
            ("", None),
        ] {
            let is = find(&columns, path);
            let is = is
                .as_ref()
                .map(|is| (is.name.as_str(), is.type_text.as_str()));
            assert_eq!(is, found, "{path}");
        }
    }

    #[test]
    fn what_has_no_hash_is_not_said_to_have_one() {
        for (type_text, is) in [
            ("bigint", true),
            ("decimal(10,2)", true),
            ("timestamp_ntz", true),
            ("variant", false),
            ("void", false),
            ("array<string>", false),
            ("map<string, int>", false),
            ("struct<a: int>", false),
        ] {
            assert_eq!(is_single(type_text), is, "{type_text}");
        }
    }

    #[test]
    fn less_is_told_from_more() {
        let table = model::TableId::new(Timestamp::from_micros(1));
        let content = |drop: &[&str], hash: &[&str], rows: &str| {
            let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let narrowing = Narrowing {
                drop: all(drop),
                pseudonymise: all(hash),
                rows: RowFilter::parse(rows).unwrap(),
            };
            Content::from([(table, narrowing)])
        };
        let old = content(&["c.name"], &["vin"], "country = 'DE'");
        let more = |new: &Content| gives_more(&old, new, |_| "default.visits".to_owned());
        for new in [
            old.clone(),
            content(&["c"], &["vin"], "country = 'DE'"),
            content(&["c", "vin"], &[], "year = 2024 and country = 'DE'"),
            content(&["c.name"], &["amount", "vin"], "country = 'DE'"),
            Content::new(),
        ] {
            assert_eq!(more(&new), None, "{new:?}");
        }
        for new in [
            content(&[], &["vin"], "country = 'DE'"),
            content(&[], &["c.name", "vin"], "country = 'DE'"),
            content(&["c.name"], &[], "country = 'DE'"),
            content(&["c.name"], &["vin"], ""),
            content(&["c.name"], &["vin"], "country in ('DE', 'FR')"),
        ] {
            assert!(more(&new).is_some(), "{new:?}");
        }
        let other = model::TableId::new(Timestamp::from_micros(2));
        let mut wider = old.clone();
        wider.insert(other, Narrowing::default());
        assert_eq!(more(&wider).unwrap(), "the table default.visits");
    }
}
