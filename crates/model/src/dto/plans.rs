//! What the next sync of a replica would move, before a byte does.

use serde::{Deserialize, Serialize};

use super::Money;
use crate::{Location, Name, ProductName, ReplicaId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncPlan {
    pub replica: ReplicaId,
    pub product: ProductName,
    /// The cut that the replica is of; None for the whole product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Name>,
    pub to: Name,
    pub to_location: Location,
    /// When it was planned: what the sources commit later is not in it.
    pub at: Timestamp,
    pub tables: Vec<TablePlan>,
    /// Of all tables that could be planned, by the chosen ways.
    pub bytes: u64,
    pub requests: u64,
    /// One amount per currency; what has no price is in none.
    pub money: Vec<Money>,
}

/// The plan of one table, from what the replica holds to the source's newest version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TablePlan {
    pub schema: Name,
    pub table: Name,
    pub from_location: Location,
    /// The source's version that the replica holds; None before the first sync.
    pub from_version: Option<u64>,
    /// The source's newest; None where it could not be planned.
    pub to_version: Option<u64>,
    /// What each way would take; none where there is nothing to do.
    pub ways: Vec<WayPlan>,
    pub chosen: Option<SyncWay>,
    /// Why that was chosen, or why there is no plan.
    pub because: String,
    /// What is taken over from a copy in the replica's storage, and does not cross.
    #[serde(default)]
    pub adopted_files: u64,
    #[serde(default)]
    pub adopted_bytes: u64,
    /// It could not be planned, and its run would not go through either.
    pub failed: bool,
    /// At which price the bytes were reckoned, or why at none.
    pub price: String,
    /// Where the worker stands that will do it, and how often each byte crosses.
    #[serde(default)]
    pub crossing: String,
}

/// A way of bringing a replica table to its source's newest version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyncWay {
    /// Every file of the table anew.
    FullCopy,
    /// The files that the replica does not hold, data files and deletion vectors each by themselves.
    FileCopy,
    /// The deletion vectors without their data files.
    DeletionVectors,
    /// The source's change feed, row by row, in place of the files that it tells of.
    ChangeFeed,
    /// The source's compactions left alone: the replica keeps its own files.
    Skipping,
}

/// What a way would take. Figures are absent where the way is not there, and nothing was estimated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayPlan {
    pub way: SyncWay,
    pub objects: Option<u64>,
    pub bytes: Option<u64>,
    /// How often the source would be asked for these bytes, nothing repeated; what is asked of its log comes on top.
    pub requests: Option<u64>,
    /// None where there is no price, and where nothing leaves its place.
    pub money: Option<Money>,
    /// Whether it would do, or why not.
    pub note: Option<String>,
}
