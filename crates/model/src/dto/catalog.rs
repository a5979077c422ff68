//! Storages, tables and products.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A column of a table, as its schema has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    /// `long`, `decimal(10,2)`, `struct<a: string, b: array<long>>`.
    pub type_text: String,
    pub nullable: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// What a Delta log says of its table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    pub version: u64,
    pub committed_at: Timestamp,
    pub columns: Vec<Column>,
    pub partition_columns: Vec<String>,
    /// None where a file carries no statistics.
    pub rows: Option<u64>,
    pub files: u64,
    pub bytes: u64,
    /// Reader and writer features, sorted.
    pub features: Vec<String>,
    /// Why the table is shown but neither shared nor cloned; names the feature.
    pub refused_for: Option<String>,
    /// Whether `delta.enableChangeDataFeed` is on.
    pub change_data_feed: bool,
}

/// One thing that `doctor` tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageCheck {
    pub name: String,
    pub outcome: CheckOutcome,
    pub sentence: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckOutcome {
    Ok,
    Warned,
    Failed,
    Skipped,
}

/// What `doctor` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageReport {
    pub checks: Vec<StorageCheck>,
    /// The least policy that would do, as text to paste into the cloud's console.
    pub least_policy: String,
}

impl StorageReport {
    pub fn is_healthy(&self) -> bool {
        self.checks
            .iter()
            .all(|check| check.outcome != CheckOutcome::Failed)
    }
}
