//! Replicas: one clone of a product per target storage, its tables, the job that keeps it fresh, and the runs of that job.
//!
//! Lives here: what is wanted, what was recorded, when the next run is due. The copying itself is the replication crate's;
//! a worker of the server brings the two together.

mod adopt;
mod begin;
mod checks;
mod counts;
mod crossing;
mod deadline;
mod editions;
mod ends;
mod ensure;
mod foresee;
mod goes_on;
mod history;
mod hold;
mod how;
mod jobs;
mod look;
mod overdue;
mod quarantine;
mod records;
mod runs;
mod schedule;
mod sight;
mod steps;
mod tables;
mod task;
mod telling;

pub use adopt::AdoptionOutcome;
pub(crate) use adopt::one_table;
pub use begin::{RunBegun, RunStart};
pub use counts::Counted;
pub(crate) use deadline::FORGET_HOURS;
pub use ends::ReplicaStep;
pub use goes_on::SyncGoesOn;
pub use how::explained;
pub use look::is_look;
pub use records::{ReplicaRecord, ReplicaTableRecord};
pub use runs::{RunProgress, RunWays, SyncCommitted, SyncOutcome};
pub use schedule::Schedule;
pub(crate) use schedule::{ScheduleError, format_every, parse_every};
pub use task::SyncTask;
