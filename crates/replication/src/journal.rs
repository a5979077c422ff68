//! Where a run's state is kept between crashes: a port that the server implements on its database.

use async_trait::async_trait;
use model::{RunState, SyncRunId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::files::Copied;
use crate::plan::PlanSummary;
use crate::verify::Verified;

/// All that is kept of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    pub state: RunState,
    pub started_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// The current plan; None before there is one, and in the end if nothing was new.
    pub plan: Option<PlanSummary>,
    /// How many plans the run has had.
    pub plans: u32,
    /// The source lost a planned file once already (rule 27).
    pub lost_file: bool,
    /// What was to be done beside copying could not be: the run copies all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub files_only: bool,
    /// Of the version's change feed a file is gone at the source: it is copied without.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unfed: bool,
    /// The replica's time of the commit: fixed before each try, and once the commit stands what it says itself.
    pub commit_at: Option<Timestamp>,
    pub copied: Copied,
    /// With nothing new: the source version at which the replica was found.
    pub nothing_at: Option<u64>,
    pub verified: Option<Verified>,
    /// Why the run was parked or failed, for people.
    pub why: Option<String>,
    /// The run failed because what it committed is not what it was meant to be.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub differs: bool,
    /// The run ended because a log points out of its table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<LogEscape>,
}

/// Whose log points out, and in which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEscape {
    /// The source's; else the replica's.
    pub of_source: bool,
    pub version: u64,
}

impl RunRecord {
    pub fn new(at: Timestamp) -> Self {
        Self {
            state: RunState::Planned,
            started_at: at,
            ended_at: None,
            plan: None,
            plans: 0,
            lost_file: false,
            files_only: false,
            unfed: false,
            commit_at: None,
            copied: Copied::default(),
            nothing_at: None,
            verified: None,
            why: None,
            differs: false,
            escape: None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the run's journal: {0}")]
pub struct JournalError(pub String);

#[async_trait]
pub trait RunJournal: Send + Sync {
    /// None: the run has not been driven yet.
    async fn load(&self, run: SyncRunId) -> Result<Option<RunRecord>, JournalError>;

    /// Keeps the record if `attempt` is still the run's; `false` means fenced: somebody else drives the run now.
    async fn save(
        &self,
        run: SyncRunId,
        attempt: i64,
        record: &RunRecord,
    ) -> Result<bool, JournalError>;
}
