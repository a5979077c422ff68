//! Why there is no plan, and what is to become of the run.

use delta::LogError;

use crate::journal::LogEscape;
use crate::marker::MarkerError;

#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error(transparent)]
    Marker(#[from] MarkerError),
    #[error(
        "The replica has diverged: {what}. Delete its folder, all of it, and sync again: it is cloned anew. Or put it back as it was."
    )]
    Diverged { what: String },
    #[error(
        "The source needs the table feature `{feature}`, which cannot be cloned yet. Drop it from the table, or grant live access."
    )]
    Unsupported { feature: String },
    #[error(
        "The source's log names the data file `{path}`, which lies where a replica keeps its own files. It is not copied."
    )]
    Reserved { path: String },
    #[error(
        "The source has too many files for one commit: {bytes} bytes of log, at most {limit}. Compact the table."
    )]
    TooLarge { bytes: u64, limit: u64 },
    #[error(
        "The source says of itself what is {bytes} bytes long, its table id above all; by more than {limit} no commit of the replica could be recognised. Write the table anew."
    )]
    Verbose { bytes: u64, limit: u64 },
    #[error("The replica cannot be narrowed by its cut. {0}")]
    Narrowing(String),
    #[error(
        "The replica cannot go on by this cut: {0}. Nothing was written. Sync it by the cut and key that it was made with, or make another replica."
    )]
    Profile(&'static str),
    /// What was named as a copy of the table cannot be taken for one.
    #[error("{why}.")]
    Adopt { why: String },
    #[error("The source's log no longer has version {version}.")]
    PinGone { version: u64 },
    #[error("Source: {0}")]
    Source(LogError),
    #[error("Replica: {0}")]
    Target(LogError),
    #[error("{0}")]
    Store(String),
}

/// What is to become of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// May be better next time.
    Retry,
    /// Only the source's owner can help, by another version.
    Fail,
    /// A person has to look at the replica.
    Park,
}

impl PlanError {
    /// The log that points out of its table, if that is what is wrong.
    pub(crate) fn escape(&self) -> Option<LogEscape> {
        let (error, of_source) = match self {
            Self::Source(error) => (error, true),
            Self::Target(error) => (error, false),
            _ => return None,
        };
        let version = error.escape_version()?;
        Some(LogEscape { of_source, version })
    }

    pub(crate) fn fate(&self) -> Fate {
        match self {
            Self::Marker(error) if error.is_passing() => Fate::Retry,
            Self::Marker(_) | Self::Diverged { .. } | Self::Profile(_) => Fate::Park,
            Self::Narrowing(_) => Fate::Fail,
            Self::Unsupported { .. }
            | Self::Reserved { .. }
            | Self::TooLarge { .. }
            | Self::Verbose { .. }
            | Self::Adopt { .. } => Fate::Fail,
            Self::Source(error) | Self::Target(error) if is_passing(error) => Fate::Retry,
            Self::Source(_) => Fate::Fail,
            Self::Target(_) => Fate::Park,
            Self::PinGone { .. } | Self::Store(_) => Fate::Retry,
        }
    }
}

/// Whether a log may be readable the next time: the store failed, or a cleaner was faster than the reader.
pub(crate) fn is_passing(error: &LogError) -> bool {
    matches!(error, LogError::Storage(_) | LogError::NoSuchVersion { .. })
}
