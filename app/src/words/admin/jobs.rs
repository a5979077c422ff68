//! The page of jobs.

// The jobs.
pub(crate) const JOBS: &str = "Jobs";
pub(crate) const WHAT_JOBS_ARE: &str =
    "What the workers have to do. Parked is what failed too often: it waits for you.";
pub(crate) const WAITS: &str = "Waits";
pub(crate) const UNDER_WAY: &str = "Under way";
pub(crate) const TRIED_AGAIN: &str = "Tried again";
pub(crate) const PARKED: &str = "Parked";
pub(crate) const ALL: &str = "All";
pub(crate) const STATE: &str = "State";
pub(crate) const KIND: &str = "Kind";
pub(crate) const SHOW: &str = "Show";
pub(crate) const NO_JOB_FITS: &str = "No job fits";
pub(crate) const SHOW_ALL_JOBS: &str = "Show all jobs";
pub(crate) const NOTHING_TO_DO: &str = "Nothing to do";
pub(crate) const EVERY_PIECE_OF_WORK_IS_DONE: &str = "Every piece of work is done.";
pub(crate) const WORK: &str = "Work";
pub(crate) const FAILURES: &str = "Failures";
pub(crate) const SINCE: &str = "Since";
pub(crate) const WHAT_TO_DO: &str = "What to do";
pub(crate) const TRY_AGAIN: &str = "Try again";
