//! Flows of the old way: how tables are brought to their consumers without the exchange, until they are switched off.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{FlowId, Location, Name, ProductName, Timestamp};

/// How a table is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowKind {
    #[serde(rename = "weekly full load")]
    WeeklyFullLoad,
    #[serde(rename = "daily full load")]
    DailyFullLoad,
    /// Read in place, from elsewhere.
    #[serde(rename = "direct reads")]
    DirectReads,
    /// Fetched as files; reckoned as once a week.
    #[serde(rename = "ftp")]
    Ftp,
}

impl FlowKind {
    pub const ALL: [Self; 4] = [
        Self::WeeklyFullLoad,
        Self::DailyFullLoad,
        Self::DirectReads,
        Self::Ftp,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WeeklyFullLoad => "weekly full load",
            Self::DailyFullLoad => "daily full load",
            Self::DirectReads => "direct reads",
            Self::Ftp => "ftp",
        }
    }

    /// Days between two loads; of direct reads, what is read is said for a week.
    pub const fn days(self) -> i64 {
        match self {
            Self::DailyFullLoad => 1,
            Self::WeeklyFullLoad | Self::DirectReads | Self::Ftp => 7,
        }
    }
}

impl fmt::Display for FlowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FlowKind {
    type Err = NoSuchFlow;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim().to_ascii_lowercase().replace(['_', '-'], " ");
        let mut all = Self::ALL.into_iter();
        all.find(|kind| kind.as_str() == text).ok_or(NoSuchFlow)
    }
}

/// Said of a kind that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchFlow;

impl fmt::Display for NoSuchFlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("write weekly full load, daily full load, direct reads or FTP")
    }
}

impl std::error::Error for NoSuchFlow {}

/// What a comparison of rows has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compared {
    Same,
    Differs,
    /// It cannot be said.
    Unknown,
}

impl Compared {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Differs => "differs",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Compared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Compared {
    type Err = NoSuchFlow;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Same, Self::Differs, Self::Unknown];
        let mut all = all.into_iter();
        all.find(|one| one.as_str() == text).ok_or(NoSuchFlow)
    }
}

/// A line of a list of flows, as an assessment reads it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowLine {
    /// Of the file, from 1.
    pub line: usize,
    /// The table's path, or its last segment.
    pub table: String,
    pub kind: FlowKind,
    pub consumers: u32,
    /// None: where the table lies.
    pub from: Option<Location>,
    pub to: Location,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowNew {
    pub product: String,
    /// `schema.name`; all tables of the product where it is not said.
    #[serde(default)]
    pub table: Option<String>,
    /// `weekly full load`, `daily full load`, `direct reads`, `ftp`.
    pub kind: String,
    /// How many fetch it, each for themselves.
    pub consumers: u32,
    /// Where the table lies, if it is not said.
    #[serde(default)]
    pub from: Option<String>,
    pub to: String,
    /// Bytes of one load of one consumer; of direct reads, of a week. What the table holds, where it is not said.
    #[serde(default)]
    pub load_bytes: Option<u64>,
    /// Where the old copy lies, to be compared with the replica: a registered storage, and a folder in it.
    #[serde(default)]
    pub storage: Option<String>,
    #[serde(default)]
    pub path: Option<String>,
}

/// A list of flows as an assessment takes it: CSV with the columns table, kind, consumers, from, to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowImport {
    pub list: String,
}

/// When a flow was switched off: a day or an instant, now where it is not said. Empty: it runs again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowSwitch {
    #[serde(default)]
    pub off: Option<String>,
}

/// A flow of the old way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    pub id: FlowId,
    pub product: ProductName,
    /// `schema.name`; None: all tables of the product.
    pub table: Option<String>,
    pub kind: FlowKind,
    pub consumers: u32,
    pub from: Location,
    pub to: Location,
    /// Of one load of one consumer, as it was said.
    pub load_bytes: Option<u64>,
    /// The same as it is reckoned with; None where it is not known.
    pub reckoned_bytes: Option<u64>,
    pub storage: Option<Name>,
    pub path: Option<String>,
    pub registered_at: Timestamp,
    pub off_at: Option<Timestamp>,
    pub compared_at: Option<Timestamp>,
    pub compared: Option<Compared>,
    /// What the comparison found, for people.
    pub comparison: Option<String>,
    /// A comparison waits for a worker, or one is at it.
    pub comparing: bool,
    /// Whether the caller may change it.
    pub may_change: bool,
}
