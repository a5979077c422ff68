//! Cuts: what narrower replicas of a product hold.

use serde::{Deserialize, Serialize};

use crate::{Name, ProductName, Timestamp};

/// What a replica holds of one table of the product. A table that is not named is not in the cut.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutTableNew {
    #[serde(default = "default_schema")]
    pub schema: String,
    pub table: String,
    /// Columns that are left out, as the table's schema names them; a dot leads into a struct: `customer.name`.
    #[serde(default)]
    pub drop: Vec<String>,
    /// Columns of which there is a keyed hash instead.
    #[serde(default)]
    pub pseudonymise: Vec<String>,
    /// Only the rows that fit, as `country = 'DE' and year in (2024, 2025)`; every row when absent or empty.
    #[serde(default)]
    pub rows: Option<String>,
}

fn default_schema() -> String {
    "default".to_owned()
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutNew {
    /// Fixed: requests and declarations name it.
    pub name: String,
    #[serde(default)]
    pub description: String,
    pub tables: Vec<CutTableNew>,
}

/// What is absent stays as it is. Other tables make another edition, with a key and replicas of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutChange {
    #[serde(default)]
    pub description: Option<String>,
    /// All tables that the cut shall have.
    #[serde(default)]
    pub tables: Option<Vec<CutTableNew>>,
    /// Whether nobody reads the replicas of the edition before any more, from now on; else until those of the new one stand.
    #[serde(default)]
    pub at_once: bool,
    /// Whether columns that came after the edition was made are given from now on, too; else they stay left out.
    #[serde(default)]
    pub with_later: bool,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

/// The same content with another key: hashes of before and after cannot be joined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutRotate {
    /// As with a change.
    #[serde(default)]
    pub at_once: bool,
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutRetire {
    /// The revision that was looked at; 409 when it has moved on.
    #[serde(default)]
    pub revision: Option<i64>,
}

/// What a cut does with a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnCut {
    #[default]
    Kept,
    Hashed,
    LeftOut,
    /// Left out because it came after the edition was made, so that nobody agreed to it.
    Later,
}

impl ColumnCut {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Hashed => "hashed",
            Self::LeftOut => "left_out",
            Self::Later => "later",
        }
    }
}

/// A column as whoever reads by the cut finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutColumn {
    /// `customer.name` for what lies in a struct.
    pub name: String,
    /// As the source has it; empty where that has no such column any more.
    pub type_text: String,
    pub how: ColumnCut,
    /// Whether the table is partitioned by it: then it stays.
    pub partition: bool,
}

/// A table of a cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutTable {
    pub schema: Name,
    pub table: Name,
    /// Every column of the table, and what lies in structs where that is treated by itself.
    pub columns: Vec<CutColumn>,
    /// Only the rows that fit; None for every row.
    pub rows: Option<String>,
}

/// One state of a cut's content, with a key of its own. It never changes; another one follows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutEdition {
    pub number: i64,
    /// `made`, `changed` or `rotated`.
    pub why: String,
    pub made_at: Timestamp,
}

/// What narrower replicas of a product hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    pub product: ProductName,
    pub name: Name,
    pub description: String,
    /// No new access is given by it; what stands goes on.
    pub retired: bool,
    /// The newest; its replicas are made, and those of the one before end when they stand.
    pub edition: i64,
    pub tables: Vec<CutTable>,
    /// `schema.name` of the tables of the product that are not in it.
    pub left_out: Vec<String>,
    /// Accesses by it that stand.
    pub grants: u64,
    /// All editions, newest first.
    pub editions: Vec<CutEdition>,
    /// For the owning team: why nothing can be hashed, where the key does not open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether the caller may change it.
    pub may_change: bool,
    pub revision: i64,
}

impl Cut {
    /// In one line: what is hashed and what is left out, of all tables.
    pub fn summary(&self) -> String {
        let count = |how: ColumnCut| -> usize {
            let columns = self.tables.iter().flat_map(|table| &table.columns);
            columns.filter(|column| column.how == how).count()
        };
        let narrowed = self
            .tables
            .iter()
            .filter(|table| table.rows.is_some())
            .count();
        let several = |count: usize, one: &str, many: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{count} {many}"),
        };
        let mut parts = vec![several(self.tables.len(), "table", "tables")];
        parts.push(format!(
            "{} kept",
            several(count(ColumnCut::Kept), "column", "columns")
        ));
        for (how, word) in [
            (ColumnCut::Hashed, "hashed"),
            (ColumnCut::LeftOut, "left out"),
            (ColumnCut::Later, "left out that came later"),
        ] {
            if count(how) > 0 {
                parts.push(format!("{} {word}", count(how)));
            }
        }
        if narrowed > 0 {
            parts.push(several(
                narrowed,
                "table with some rows only",
                "tables with some rows only",
            ));
        }
        parts.join(", ")
    }
}
