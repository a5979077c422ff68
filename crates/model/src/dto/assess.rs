//! The assessment of tables that are there already: what moving them costs today, and what a clone of them would have.

use serde::{Deserialize, Serialize};

use super::access::Money;
use crate::{AssessmentId, Location, Timestamp};

/// How far an assessment is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessmentState {
    /// None: none was begun yet, and nothing else is said.
    pub id: Option<AssessmentId>,
    pub running: bool,
    pub started_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// Somebody ended it.
    pub cancelled: bool,
    /// Tables whose logs have been read, of so many; None before they are known.
    pub tables_done: u64,
    pub tables: Option<u64>,
    /// What is, or was, assessed.
    pub place: Option<String>,
    /// What came of it; of the last one that came to something where the last one of all is asked for.
    pub found: Option<Assessment>,
    /// Why it came to nothing.
    pub problem: Option<String>,
}

/// What to assess.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssessmentNew {
    pub storage: String,
    /// A folder of the storage; empty for all of it.
    #[serde(default)]
    pub prefix: String,
    /// How far to look back; 28 when absent.
    #[serde(default)]
    pub days: Option<u32>,
    /// From sync to sync, as `1d` or `12h`; what sync jobs are made with when absent.
    #[serde(default)]
    pub every: Option<String>,
    /// Where one consumer of each table is, where there is no list of flows: `azure:westeurope`.
    #[serde(default)]
    pub to: Option<String>,
    /// The list of today's flows as CSV: table, kind, consumers, from, to.
    #[serde(default)]
    pub flows: Option<String>,
}

/// A way of bringing tables to their consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssessedKind {
    /// The flows that were listed.
    Today,
    /// Every consumer reads the tables where they are, whole, as often as a clone is synced.
    Live,
    /// One clone for all consumers of a place, file by file: what Entrepôt does.
    Clone,
    /// The same, with rows taken from the change feed where that is fewer bytes.
    CloneFeed,
    /// The same, without copying what compaction only put elsewhere.
    CloneSkip,
    /// Both.
    CloneBoth,
}

impl AssessedKind {
    pub const ALL: [Self; 6] = [
        Self::Today,
        Self::Live,
        Self::Clone,
        Self::CloneFeed,
        Self::CloneSkip,
        Self::CloneBoth,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Today => "today",
            Self::Live => "live",
            Self::Clone => "clone",
            Self::CloneFeed => "clone_feed",
            Self::CloneSkip => "clone_skip",
            Self::CloneBoth => "clone_both",
        }
    }
}

/// What one way comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessedWay {
    pub kind: AssessedKind,
    /// Bytes that cross; None where that is not available, and then `note` says why.
    pub bytes: Option<u64>,
    /// Of these the first copy's.
    pub first_copy: Option<u64>,
    /// One amount per currency, of the bytes that have a price.
    pub money: Vec<Money>,
    /// Bytes of routes without a price.
    pub unpriced: u64,
    pub note: Option<String>,
}

/// One table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessedTable {
    /// Below the prefix; empty for the prefix itself.
    pub path: String,
    pub version: Option<u64>,
    /// From when on its history counts.
    pub since: Option<Timestamp>,
    /// Why that is later than was asked for.
    pub short: Option<String>,
    pub bytes: Option<u64>,
    pub files: Option<u64>,
    pub commits: u64,
    /// After the first copy, of one clone.
    pub syncs: u64,
    pub change_feed: bool,
    pub ways: Vec<AssessedWay>,
    /// Why it is not reckoned.
    pub problem: Option<String>,
}

/// A folder that is no Delta table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssessedFolder {
    pub path: String,
    /// `iceberg`, `parquet` or `csv`.
    pub format: String,
    /// What can be done with it.
    pub possible: String,
}

/// What was found and reckoned. Nothing of it is kept in a storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// The storage's name or URL, and the prefix.
    pub place: String,
    pub location: Location,
    pub at: Timestamp,
    pub days: u32,
    pub every_hours: u32,
    pub tables: Vec<AssessedTable>,
    /// Over all tables, in the order of [`AssessedKind::ALL`].
    pub totals: Vec<AssessedWay>,
    pub others: Vec<AssessedFolder>,
    /// What was not looked at, and why.
    pub left_out: Vec<String>,
    pub assumptions: Vec<String>,
    /// Requests are not counted here, bytes are: of logs and listings that were read for this.
    pub log_bytes: u64,
    /// A declaration of the tables and of one clone per place, to read through and deploy.
    pub yaml: String,
}
