//! A predicate put to the columns of a table: what it can be for the rows of one file. Three-valued, as in SQL, and always on
//! the safe side: what is said to be impossible is.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use delta::Metadata;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::expr::{Expr, How};
use super::value::{Kind, Scalar};

/// How many rows of a file match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// None, for certain.
    None,
    Some,
    /// All, for certain.
    All,
}

/// The predicates of a query on one table.
pub(super) struct Filter(Node);

enum Node {
    Unknown,
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    IsNull(Column),
    Compare(Column, Kind, How, Scalar),
}

#[derive(Clone)]
struct Column {
    /// Its name in the log: of partition values and statistics.
    key: String,
    is_partition: bool,
    /// Of an array or a map some writers count the nulls within.
    is_nested: bool,
    /// None: its values are not understood.
    kind: Option<Kind>,
}

/// What a predicate may be for some row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Truth {
    yes: bool,
    no: bool,
    null: bool,
}

const ANYTHING: Truth = Truth {
    yes: true,
    no: true,
    null: true,
};

impl Truth {
    fn and(self, other: Self) -> Self {
        Self {
            yes: self.yes && other.yes,
            no: self.no || other.no,
            null: self.null && (other.null || other.yes) || other.null && self.yes,
        }
    }

    fn or(self, other: Self) -> Self {
        Self {
            yes: self.yes || other.yes,
            no: self.no && other.no,
            null: self.null && (other.null || other.no) || other.null && self.no,
        }
    }

    /// Null stays null in SQL. Not everybody takes a comparison with null for that, and who takes it for false wants the row.
    fn not(self) -> Self {
        Self {
            yes: self.no || self.null,
            no: self.yes,
            null: self.null,
        }
    }
}

/// The values that a column of a file may have.
struct Span {
    low: Option<Scalar>,
    high: Option<Scalar>,
    has_values: bool,
    has_nulls: bool,
}

const ANY: Span = Span {
    low: None,
    high: None,
    has_values: true,
    has_nulls: true,
};

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Stats {
    num_records: Option<u64>,
    min_values: Map<String, Value>,
    max_values: Map<String, Value>,
    null_count: Map<String, Value>,
}

impl Filter {
    pub(super) fn new(all: &[Expr], metadata: &Metadata) -> Self {
        if all.is_empty() {
            return Self(Node::And(Vec::new()));
        }
        let columns = Columns::of(metadata).unwrap_or_default();
        Self(Node::And(
            all.iter().map(|expr| columns.node(expr)).collect(),
        ))
    }

    /// Whether it leaves every file.
    pub(super) fn is_idle(&self) -> bool {
        match &self.0 {
            Node::And(all) => all.iter().all(|node| matches!(node, Node::Unknown)),
            _ => false,
        }
    }

    /// Whether all files of a partition are judged alike.
    pub(super) fn is_of_partitions(&self) -> bool {
        !self.0.reads_stats()
    }

    pub(super) fn judge(
        &self,
        partitions: &BTreeMap<String, Option<String>>,
        stats: Option<&str>,
    ) -> Rows {
        // First without statistics, which take the time.
        let mut file = File {
            partitions,
            stats: None,
        };
        let mut truth = self.0.truth(&file);
        if truth.yes
            && self.0.reads_stats()
            && let Some(stats) = stats.and_then(|stats| serde_json::from_str(stats).ok())
        {
            file.stats = Some(stats);
            truth = self.0.truth(&file);
        }
        match truth {
            Truth { yes: false, .. } => Rows::None,
            Truth {
                no: false,
                null: false,
                ..
            } => Rows::All,
            _ => Rows::Some,
        }
    }
}

/// What is known of one file.
struct File<'a> {
    partitions: &'a BTreeMap<String, Option<String>>,
    stats: Option<Stats>,
}

impl Node {
    fn truth(&self, file: &File<'_>) -> Truth {
        match self {
            Self::Unknown => ANYTHING,
            Self::And(all) => {
                let yes = Truth {
                    yes: true,
                    no: false,
                    null: false,
                };
                all.iter()
                    .fold(yes, |truth, node| truth.and(node.truth(file)))
            }
            Self::Or(all) => {
                let no = Truth {
                    yes: false,
                    no: true,
                    null: false,
                };
                all.iter()
                    .fold(no, |truth, node| truth.or(node.truth(file)))
            }
            Self::Not(node) => node.truth(file).not(),
            Self::IsNull(column) => {
                let span = column.span(file);
                Truth {
                    yes: span.has_nulls,
                    no: span.has_values,
                    null: false,
                }
            }
            Self::Compare(column, kind, how, literal) => {
                compare(&column.span(file), *kind, *how, literal)
            }
        }
    }

    fn reads_stats(&self) -> bool {
        match self {
            Self::Unknown => false,
            Self::And(all) | Self::Or(all) => all.iter().any(Self::reads_stats),
            Self::Not(node) => node.reads_stats(),
            Self::IsNull(column) | Self::Compare(column, ..) => !column.is_partition,
        }
    }
}

fn compare(span: &Span, kind: Kind, how: How, literal: &Scalar) -> Truth {
    // What cannot be compared may be on any side.
    let side = |bound: &Option<Scalar>, otherwise: Ordering| {
        let found = bound.as_ref().map(|bound| bound.compare(literal));
        found.unwrap_or(Some(otherwise))
    };
    let (Some(low), Some(high)) = (
        side(&span.low, Ordering::Less),
        side(&span.high, Ordering::Greater),
    ) else {
        return ANYTHING;
    };
    let (less, greater) = (low.is_lt(), high.is_gt());
    let equal = low.is_le() && high.is_ge();
    let (mut yes, mut no) = match how {
        How::Equal => (equal, less || greater),
        How::Less => (less, equal || greater),
        How::LessOrEqual => (less || equal, greater),
        How::Greater => (greater, less || equal),
        How::GreaterOrEqual => (greater || equal, less),
    };
    if kind.has_nan() {
        no = true;
        yes |= matches!(how, How::Greater | How::GreaterOrEqual);
    }
    Truth {
        yes: yes && span.has_values,
        no: no && span.has_values,
        null: span.has_nulls,
    }
}

impl Column {
    fn span(&self, file: &File<'_>) -> Span {
        let known = if self.is_partition {
            self.partition(file)
        } else {
            file.stats.as_ref().and_then(|stats| self.counted(stats))
        };
        known.unwrap_or(ANY)
    }

    fn partition(&self, file: &File<'_>) -> Option<Span> {
        let null = Span {
            has_values: false,
            ..ANY
        };
        match file.partitions.get(&self.key)? {
            None => Some(null),
            // No text is null in the log, and for some readers it is no text.
            Some(text) if text.is_empty() => (self.kind? != Kind::Text).then_some(null),
            Some(text) => {
                let (low, high) = self.kind?.partition(text)?;
                Some(Span {
                    low: Some(low),
                    high: Some(high),
                    has_nulls: false,
                    ..ANY
                })
            }
        }
    }

    /// What a file's statistics say; nothing where they contradict themselves.
    fn counted(&self, stats: &Stats) -> Option<Span> {
        let rows = stats.num_records;
        let nulls = stats.null_count.get(&self.key).filter(|_| !self.is_nested);
        let nulls = nulls.and_then(Value::as_u64);
        if rows == Some(0) || matches!((nulls, rows), (Some(nulls), Some(rows)) if nulls > rows) {
            return None;
        }
        let bound = |values: &Map<String, Value>, is_high: bool| {
            let value = values.get(&self.key).filter(|value| !value.is_null())?;
            Some(self.kind.and_then(|kind| kind.bound(value, is_high)))
        };
        let (low, high) = (
            bound(&stats.min_values, false),
            bound(&stats.max_values, true),
        );
        let has_bounds = low.is_some() || high.is_some();
        let (low, high) = (low.flatten(), high.flatten());
        if let (Some(low), Some(high)) = (&low, &high)
            && low.compare(high).is_none_or(Ordering::is_gt)
        {
            return None;
        }
        // Deletion vectors take rows away and leave the counts: none and all stay what they are.
        Some(Span {
            low,
            high,
            has_values: has_bounds || nulls.is_none() || nulls != rows,
            has_nulls: nulls != Some(0),
        })
    }
}

/// The columns of a table by their names in lower case; none where two have the same.
#[derive(Default)]
struct Columns(BTreeMap<String, Option<Column>>);

impl Columns {
    fn of(metadata: &Metadata) -> Option<Self> {
        let schema: Value = serde_json::from_str(&metadata.schema_string).ok()?;
        let mode = metadata.configuration.get("delta.columnMapping.mode");
        let is_mapped = mode.is_some_and(|mode| !mode.eq_ignore_ascii_case("none"));
        let mut columns: BTreeMap<String, Option<Column>> = BTreeMap::new();
        for field in schema.get("fields")?.as_array()? {
            let name = field.get("name")?.as_str()?;
            let named = named(field, name, is_mapped, &metadata.partition_columns);
            columns
                .entry(name.to_lowercase())
                .and_modify(|found| *found = None)
                .or_insert(named);
        }
        Some(Self(columns))
    }

    fn column(&self, name: &str) -> Option<Column> {
        self.0.get(&name.to_lowercase())?.clone()
    }

    fn node(&self, expr: &Expr) -> Node {
        let all = |all: &[Expr]| all.iter().map(|expr| self.node(expr)).collect();
        match expr {
            Expr::Unknown => Node::Unknown,
            Expr::And(parts) => Node::And(all(parts)),
            Expr::Or(parts) => Node::Or(all(parts)),
            Expr::Not(part) => Node::Not(Box::new(self.node(part))),
            Expr::IsNull(name) => self.column(name).map_or(Node::Unknown, Node::IsNull),
            Expr::Compare {
                column,
                how,
                literal,
            } => {
                let found = self.column(column).and_then(|column| {
                    let kind = column.kind?;
                    let literal = kind.literal(literal)?;
                    Some(Node::Compare(column, kind, *how, literal))
                });
                found.unwrap_or(Node::Unknown)
            }
        }
    }
}

/// None: it cannot be told by which name the log calls it.
fn named(field: &Value, name: &str, is_mapped: bool, partitions: &[String]) -> Option<Column> {
    let note = |key: &str| field.get("metadata").and_then(|notes| notes.get(key));
    let key = if is_mapped {
        note("delta.columnMapping.physicalName")?.as_str()?
    } else {
        name
    };
    // Compared with padding, or by the rules of a language.
    let is_special = note("__CHAR_VARCHAR_TYPE_STRING").is_some() || note("__COLLATIONS").is_some();
    let kind = field.get("type").and_then(Value::as_str);
    Some(Column {
        key: key.to_owned(),
        is_partition: partitions.iter().any(|partition| partition == name),
        is_nested: kind.is_none(),
        kind: kind.filter(|_| !is_special).and_then(Kind::of),
    })
}
