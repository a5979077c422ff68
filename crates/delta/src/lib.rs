//! Delta tables: contained paths, the log, the state at a version, raw commits, checkpoints.
//!
//! Lives here: everything that reads or writes a `_delta_log`. This is the only crate that names deltalake and its
//! kernel; they see a table only through a [`ContainedStore`], and only to write checkpoints. Rows of data files are read here,
//! too: to be counted and summed, to apply a change feed to the files of a clone, and to write them anew with less in them.
//! Does not live here: the database, credentials, what may be shared with whom.
//!
//! A log is hostile input. [`contain`] checks every path before anybody may touch what it names, [`Budgets`] hold
//! before anything is parsed, and every [`LogError`] is a sentence for the table's owner.

mod actions;
mod budgets;
mod changes;
mod checkpoint;
mod commit;
mod contain;
mod contained;
mod error;
mod fields;
mod footer;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod inspect;
mod lines;
mod listing;
mod narrow;
mod odd;
mod replay;
mod rewrite;
mod rows;
mod schema;
mod shape;
mod state;
mod support;
mod survey;
mod table;
#[cfg(test)]
mod tests;
mod vacuum;
mod vectors;
mod walk;
pub mod witness;
pub mod write;

pub use actions::{
    Action, AddFile, CdcFile, DomainMetadata, FileKey, Metadata, Protocol, RemoveFile, Txn,
};
pub use budgets::Budgets;
pub use changes::{Change, ChangedFile, Feed, History, Instant};
pub use commit::Written;
pub use contain::{Escape, MAX_KEY_BYTES, contain, deletion_vector_key, encode, shown};
pub use contained::ContainedStore;
pub use error::LogError;
pub use inspect::{Inspection, inspect, scan};
pub use narrow::{Before, NarrowColumn, Narrowed, Opened, Secret, Turn, Unnarrowed};
pub use replay::Snapshot;
pub use rewrite::{NewFile, RowChange, Sought, Unfit};
pub use rows::{RowSum, RowsError};
pub use schema::Column;
pub use shape::Shape;
pub use state::{FileView, State};
pub use support::Support;
pub use survey::{Folder, Format, Survey, survey};
pub use table::{Commit, Latest, Table};
pub use vectors::{end_of as end_of_vector, relative_vector};
pub use walk::{Begun, Logged, LoggedFeed, LoggedFile, LoggedVector};
