//! What can be wrong with a log, as sentences for the producer who registered the table.

use std::fmt;

use crate::contain::Escape;

/// Every message says what is wrong and what to do. Text of the log is shown cleaned and cut; text of the store's
/// client is not shown at all, since it may name hosts, keys and signed URLs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("There is no Delta table here: no _delta_log with commits. Check the path.")]
    NotATable,
    #[error(
        "The table needs a reader feature that is not known here: {}. Drop the feature, or wait for a release that reads it.",
        .names.join(", ")
    )]
    UnknownFeature { names: Vec<String> },
    #[error(
        "Version {version} of the log names a file outside the table in an action '{action}': \"{path}\" ({why}). \
         Nothing of this table is read. Write the table anew with its files inside, for example by a deep clone."
    )]
    Escape {
        version: u64,
        action: &'static str,
        path: String,
        why: Escape,
    },
    #[error(
        "The log has a gap: version {missing} is missing. Restore _delta_log/{missing:020}.json."
    )]
    Gap { missing: u64 },
    #[error(
        "The log is larger than allowed here: {what} {found}, at most {limit}. Compact the table, write a checkpoint, or ask for higher limits."
    )]
    Budget {
        what: &'static str,
        limit: u64,
        found: u64,
    },
    /// `line` counts from 1; 0 is the version as a whole.
    #[error("Version {version} of the log is broken{}: {what}. Repair or restore the table.", Line(*.line))]
    Broken {
        version: u64,
        line: usize,
        what: String,
    },
    #[error("The table's schema {what}. Repair or restore the table.")]
    Schema { what: &'static str },
    #[error(
        "The checkpoint of version {version} cannot be read ({what}), and the log does not reach back without it. Write a new checkpoint."
    )]
    BrokenCheckpoint { version: u64, what: String },
    #[error("The log holds the versions {earliest} to {latest}, not the one asked for.")]
    NoSuchVersion { earliest: u64, latest: u64 },
    /// Only from [`crate::Table::write_checkpoint`]; the caller goes on without a checkpoint.
    #[error("A checkpoint of this table cannot be written: {what}.")]
    Unsupported { what: String },
    #[error("{}", Failure(.0))]
    Storage(object_store::Error),
}

impl LogError {
    /// The version whose log points out of the table, if that is what is wrong.
    pub const fn escape_version(&self) -> Option<u64> {
        match self {
            Self::Escape { version, .. } => Some(*version),
            _ => None,
        }
    }
}

impl From<object_store::Error> for LogError {
    fn from(error: object_store::Error) -> Self {
        Self::Storage(error)
    }
}

struct Line(usize);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            line => write!(f, " in line {line}"),
        }
    }
}

struct Failure<'a>(&'a object_store::Error);

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use object_store::Error as E;
        // Said for people already, where the store is another's share.
        if let E::Generic {
            store: "a Delta Share",
            source,
        } = self.0
        {
            return write!(f, "{source}.");
        }
        f.write_str(match self.0 {
            E::NotFound { .. } => "The store has no such object. It may have been deleted while it was being read; try again.",
            E::PermissionDenied { .. } => "The store refused: the credential may not do this. Run the doctor on this storage.",
            E::Unauthenticated { .. } => "The store did not accept the credential. Renew it on the storage.",
            E::AlreadyExists { .. } | E::Precondition { .. } => "The object is there already; somebody else wrote it.",
            E::NotSupported { .. } | E::NotImplemented { .. } => "The store cannot do this.",
            E::InvalidPath { .. } => "The store refused the name of the object.",
            _ => "The store could not be reached or answered with an error. Try again, or run the doctor on this storage.",
        })
    }
}
