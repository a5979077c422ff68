//! Grants that open some rows of a table only: conditions on its partition columns, so that a file is either visible as a whole or
//! not there at all. What is not visible is never told of: no line, no statistics, no count.
//!
//! Predicate hints keep a file when in doubt; here a file is left out when in doubt. A value that cannot be compared exactly fits
//! nothing: of another type than the column, null, of a column that is no partition column at that version.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use delta::{Change, ChangedFile, Metadata, State};
use model::RowFilter;
use model::rows::{How, Known};
use serde_json::Value;

use crate::Readable;

/// The rows that a grant opens to one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrow(Option<Vec<Known>>);

impl Narrow {
    /// `properties`: what is known of the recipient. One that the filter names and that is missing leaves no row.
    pub fn new(filter: &RowFilter, properties: &BTreeMap<String, String>) -> Self {
        Self(filter.known(properties))
    }

    /// No row at all.
    pub const fn nothing() -> Self {
        Self(None)
    }

    /// What holds for the files of a table with this metadata.
    pub(crate) fn on(&self, metadata: &Metadata) -> Sieve {
        let tests = self.0.as_ref().and_then(|conditions| {
            let columns = columns(metadata)?;
            let tests = conditions.iter().map(|known| {
                let (key, kind) = columns.get(&known.column.to_lowercase())?.clone()?;
                Test::new(key, kind, known)
            });
            tests.collect()
        });
        Sieve(tests)
    }

    /// Takes out of changes what is not visible. `metadata`: of the first of these versions.
    pub(crate) fn keep(&self, metadata: &Metadata, changes: &mut [Change]) {
        let mut sieve = self.on(metadata);
        let mut is_partitioned = !metadata.partition_columns.is_empty();
        for change in changes {
            // What a commit removes lay there under the metadata before it.
            let before = sieve.clone();
            if let Some(metadata) = &change.metadata {
                sieve = self.on(metadata);
                is_partitioned = !metadata.partition_columns.is_empty();
            }
            change.files.retain(|file| match file {
                ChangedFile::Add(file) => sieve.admits(&file.partition_values),
                ChangedFile::Cdc(file) => sieve.admits(&file.partition_values),
                // Of a partitioned table it cannot be told at all without values, and is refused as such.
                ChangedFile::Remove(file) => match file.partition_values() {
                    Some(values) => before.admits(&values),
                    None => is_partitioned,
                },
            });
        }
    }
}

/// What holds for the files of a state; None: all are visible.
pub(crate) fn sieve(readable: &Readable, state: &State) -> Option<Sieve> {
    let rows = readable.rows.as_ref()?;
    Some(rows.on(&state.outline().metadata))
}

/// Bytes and files of what is visible of a state.
pub(crate) fn weight(readable: &Readable, state: &State) -> (u64, u64) {
    let Some(sieve) = sieve(readable, state) else {
        return (state.bytes(), state.rows().len() as u64);
    };
    // A state has the values of a partition once.
    let mut judged = HashMap::new();
    let (mut bytes, mut files) = (0_u64, 0);
    for row in state.rows().iter().copied() {
        let values = state.partition_values(row);
        let is_visible = judged
            .entry(std::ptr::from_ref(values))
            .or_insert_with(|| sieve.admits(values));
        if *is_visible {
            bytes = bytes.saturating_add(state.size(row));
            files += 1;
        }
    }
    (bytes, files)
}

/// The same put to the columns of a table; None: nothing passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sieve(Option<Vec<Test>>);

impl Sieve {
    /// Whether all rows of a file are opened. `partitions` by the names in the log.
    pub(crate) fn admits(&self, partitions: &BTreeMap<String, Option<String>>) -> bool {
        let Some(tests) = &self.0 else {
            return false;
        };
        tests.iter().all(|test| {
            let value = partitions.get(&test.key).and_then(Option::as_deref);
            value.is_some_and(|value| test.holds(value))
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Test {
    /// The column's name in the log.
    key: String,
    kind: Kind,
    how: How,
    values: Vec<Exact>,
}

/// Types whose values are written in one way, or in ways that are read as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    Integer,
    Text,
    Date,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Exact {
    Integer(i64),
    /// A day is a text as well: of ten characters, so that they are in the order of days.
    Text(String),
}

impl Kind {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Bool,
            "byte" | "short" | "integer" | "long" => Self::Integer,
            "string" => Self::Text,
            "date" => Self::Date,
            _ => return None,
        })
    }

    fn read(self, text: &str) -> Option<Exact> {
        match self {
            Self::Bool => match text {
                "true" => Some(Exact::Integer(1)),
                "false" => Some(Exact::Integer(0)),
                _ => None,
            },
            Self::Integer => text.parse().ok().map(Exact::Integer),
            // No text is null in the log.
            Self::Text => (!text.is_empty()).then(|| Exact::Text(text.to_owned())),
            Self::Date => is_day(text).then(|| Exact::Text(text.to_owned())),
        }
    }
}

fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

impl Exact {
    fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(one), Self::Integer(other)) => Some(one.cmp(other)),
            // By bytes.
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

impl Test {
    fn new(key: String, kind: Kind, known: &Known) -> Option<Self> {
        let values = known.values.iter().map(|value| kind.read(value));
        Some(Self {
            key,
            kind,
            how: known.how,
            values: values.collect::<Option<_>>()?,
        })
    }

    fn holds(&self, value: &str) -> bool {
        let Some(value) = self.kind.read(value) else {
            return false;
        };
        self.values.iter().any(|wanted| {
            let order = value.compare(wanted);
            order.is_some_and(|order| self.how.holds(order))
        })
    }
}

/// The partition columns of a table by their names in lower case: the name in the log and the type. None in place of one that two
/// have, or that cannot be compared exactly.
fn columns(metadata: &Metadata) -> Option<BTreeMap<String, Option<(String, Kind)>>> {
    let schema: Value = serde_json::from_str(&metadata.schema_string).ok()?;
    let mode = metadata.configuration.get("delta.columnMapping.mode");
    let is_mapped = mode.is_some_and(|mode| !mode.eq_ignore_ascii_case("none"));
    let mut columns = BTreeMap::new();
    for field in schema.get("fields")?.as_array()? {
        let name = field.get("name")?.as_str()?;
        columns
            .entry(name.to_lowercase())
            .and_modify(|found| *found = None)
            .or_insert_with(|| partition(field, name, is_mapped, &metadata.partition_columns));
    }
    Some(columns)
}

fn partition(
    field: &Value,
    name: &str,
    is_mapped: bool,
    partitions: &[String],
) -> Option<(String, Kind)> {
    let note = |key: &str| field.get("metadata").and_then(|notes| notes.get(key));
    let is_partition = partitions.iter().any(|partition| partition == name);
    // Compared with padding, or by the rules of a language.
    let is_special = note("__CHAR_VARCHAR_TYPE_STRING").is_some() || note("__COLLATIONS").is_some();
    if !is_partition || is_special {
        return None;
    }
    let key = if is_mapped {
        note("delta.columnMapping.physicalName")?.as_str()?
    } else {
        name
    };
    let kind = Kind::of(field.get("type")?.as_str()?)?;
    Some((key.to_owned(), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sieve(filter: &str, country: Option<&str>) -> Sieve {
        let schema = serde_json::json!({"type": "struct", "fields": [
            {"name": "country", "type": "string", "nullable": true, "metadata": {}},
            {"name": "Year", "type": "integer", "nullable": true, "metadata": {}},
            {"name": "day", "type": "date", "nullable": true, "metadata": {}},
            {"name": "at", "type": "timestamp", "nullable": true, "metadata": {}},
            {"name": "cut", "type": "string", "nullable": true,
             "metadata": {"__CHAR_VARCHAR_TYPE_STRING": "char(2)"}},
            {"name": "free", "type": "string", "nullable": true, "metadata": {}},
        ]});
        let partition_columns = ["country", "Year", "day", "at", "cut"].map(str::to_owned);
        let metadata = Metadata {
            id: "m".to_owned(),
            name: None,
            description: None,
            schema_string: schema.to_string(),
            partition_columns: partition_columns.to_vec(),
            configuration: BTreeMap::new(),
            created: None,
            raw: Value::Null,
        };
        let properties = country.map(|country| ("country".to_owned(), country.to_owned()));
        let filter: RowFilter = filter.parse().unwrap();
        Narrow::new(&filter, &properties.into_iter().collect()).on(&metadata)
    }

    fn values(pairs: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
        let owned =
            |(key, value): &(&str, Option<&str>)| ((*key).to_owned(), value.map(str::to_owned));
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn only_what_is_certain_passes() {
        for (filter, key, value, passes) in [
            ("country = 'DE'", "country", Some("DE"), true),
            ("COUNTRY = 'DE'", "country", Some("DE"), true),
            ("country = 'DE'", "country", Some("de"), false),
            ("country = 'DE'", "country", Some("DE "), false),
            ("country = 'DE'", "country", Some(""), false),
            ("country = 'DE'", "country", None, false),
            ("country = 'DE'", "other", Some("DE"), false),
            ("country in ('DE', 'FR')", "country", Some("FR"), true),
            ("year = 2024", "Year", Some("2024"), true),
            ("year = '2024'", "Year", Some("02024"), true),
            ("year >= 2024", "Year", Some("10000"), true),
            ("year >= 2024", "Year", Some("999"), false),
            ("year >= 2024", "Year", Some("2024.0"), false),
            ("year >= 'x'", "Year", Some("2024"), false),
            ("year < 99999999999999999999", "Year", Some("1"), false),
            ("day >= '2026-01-31'", "day", Some("2026-02-01"), true),
            ("day >= '2026-01-31'", "day", Some("2026-1-31"), false),
            ("day >= '2026-1-31'", "day", Some("2026-02-01"), false),
            ("day < '2026-01-31'", "day", Some(""), false),
            (
                "at < '2026-01-31'",
                "at",
                Some("2020-01-01 00:00:00"),
                false,
            ),
            ("cut = 'DE'", "cut", Some("DE"), false),
            ("free = 'DE'", "free", Some("DE"), false),
            ("nothing = 'DE'", "nothing", Some("DE"), false),
            (
                "country = ${recipient.country}",
                "country",
                Some("DE"),
                false,
            ),
        ] {
            let Ok(parsed) = RowFilter::parse(filter) else {
                assert!(!passes, "{filter}");
                continue;
            };
            assert!(parsed.is_some());
            let found = sieve(filter, None).admits(&values(&[(key, value)]));
            assert_eq!(found, passes, "{filter} {value:?}");
        }
        let of_recipient = sieve("country = ${recipient.country} and year = 2024", Some("FR"));
        let both = |country, year| values(&[("country", Some(country)), ("Year", Some(year))]);
        assert!(of_recipient.admits(&both("FR", "2024")));
        assert!(!of_recipient.admits(&both("DE", "2024")));
        assert!(!of_recipient.admits(&both("FR", "2023")));
        assert!(!of_recipient.admits(&BTreeMap::new()));
    }
}
