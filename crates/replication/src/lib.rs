//! Replication: a Delta table of one storage kept as a clone in another, copying only what is new.
//!
//! Lives here: planning (the difference between the source's state and the replica's), copy engines (the only part
//! that moves data), the replica's commits as raw JSON, verifying, vacuuming, and the state machine of a sync run that
//! survives `kill -9` at any point; and what that would have moved, reckoned from a history ([`assess`]). Does not live here: reading logs and containing their paths (`delta`), credentials
//! and counting bytes (`storage`), the database (a [`RunJournal`] keeps a run's state), schedules and leases.
//!
//! What crosses between planning and copying are two files: the manifest (what to copy) and the receipts (what was
//! copied), both JSON lines. An engine never sees a log.

mod adopt;
mod apply;
pub mod assess;
mod choose;
mod commit;
mod commits;
mod copy;
mod diff;
mod drive;
mod each;
mod engine;
mod erase;
mod files;
mod foresee;
mod intent;
mod interval;
mod journal;
mod mark;
mod marker;
mod mend;
pub mod narrow;
mod old_copy;
mod plan;
mod process;
mod proof;
mod prove;
mod purge;
mod residue;
mod say;
mod stands;
mod tail;
mod uploads;
mod vacuum;
mod verify;

#[cfg(test)]
mod tests;

pub use adopt::{Adopted, Adoption};
pub use choose::Ways;
pub use copy::{CopyError, CopyOptions, copy};
pub use drive::{Outcome, Run, RunError, drive};
pub use engine::{
    CopyEngine, CopyJob, Ends, EngineError, ExternalRef, LocalEngine, OpenEnds, Progress,
};
pub use erase::{erase, erase_proved};
pub use files::{Copied, CopyFailure, CopyItem, FailureKind, Receipt};
pub use foresee::{Foreseen, Foresight, Moves, foresee};
pub use journal::{JournalError, LogEscape, RunJournal, RunRecord};
pub use mark::{OPERATION, app_id};
pub use marker::{MARKER, Marker, MarkerError, is_vacant};
pub use mend::Mend;
pub use narrow::{Narrow, PlanNarrowed};
pub use old_copy::{Likeness, liken};
pub use plan::{FullReason, Pair, Plan, PlanError, PlanSummary, Planned, WaysMoved, plan};
pub use process::ProcessEngine;
pub use proof::{Gone, Ledger, Proof, Unproved, look_again};
pub use prove::{Looked, Sums, compare, look, partition_of, sums};
pub use residue::{Residue, forget_history, residue};
pub use tail::Basis;
pub use vacuum::{
    Doomed, Fence, Keep, Removal, VacuumError, VacuumPlan, VacuumReport, Why, plan_vacuum,
    plan_vacuum_keeping, vacuum, vacuum_planned, vacuum_proved,
};
pub use verify::{Verified, VerifyError, verify};
