//! What a narrowed replica leaves out of its source: columns, the values of columns, rows. It is a cut's content, in one edition; a replica
//! is made by exactly one, and another one makes another replica.

use serde::{Deserialize, Serialize};

use crate::RowFilter;

/// Columns are named as the source's schema names them, in any case of letters; a dot leads into a struct (`customer.name`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Narrowing {
    /// Columns that the replica does not have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drop: Vec<String>,
    /// Columns of which it has a keyed hash instead: text, the same for the same value, null for null.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pseudonymise: Vec<String>,
    /// Only the rows that fit, on columns of any kind; without properties of a recipient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<RowFilter>,
}

impl Narrowing {
    /// Whether a replica by it is its source, whole.
    pub fn is_whole(&self) -> bool {
        self.drop.is_empty() && self.pseudonymise.is_empty() && self.rows.is_none()
    }
}
