//! Adoptions: a copy that lies in a storage already becomes the first clone there.

use serde::{Deserialize, Serialize};

use crate::{Location, Name, ProductName, SyncRunId, Timestamp};

/// Names the folder with the copy, before the first sync of a replica or before there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdoptionNew {
    pub product: String,
    /// Where the replica is or is to be, and the copy lies.
    pub storage: String,
    /// `schema.name`; may be left out where the product has one table.
    #[serde(default)]
    pub table: Option<String>,
    /// The copy's folder, relative to the storage. Empty: nothing is adopted after all.
    pub path: String,
    /// Where the source's store says nothing of a file's content: a Parquet file of the same size and the same last bytes, which are
    /// fetched, is taken for the same.
    #[serde(default)]
    pub by_ends: bool,
}

/// A copy that is to be adopted, or was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdoptedCopy {
    pub product: ProductName,
    pub schema: Name,
    pub table: Name,
    pub storage: Name,
    pub location: Location,
    pub path: String,
    pub by_ends: bool,
    /// What of the copy served when it was named: objects with the name and size of the source's.
    pub files: u64,
    pub bytes: u64,
    /// Of these, what has to be read beside the replica to know whether it is the same.
    pub to_read_bytes: u64,
    /// What had to be fetched all the same.
    pub fetch_bytes: u64,
    pub asked_at: Timestamp,
    /// When the first sync had used it.
    pub done_at: Option<Timestamp>,
    pub run: Option<SyncRunId>,
    pub taken_files: u64,
    pub taken_bytes: u64,
    /// What came of it, for people.
    pub outcome: Option<String>,
}
