//! Tests of whole runs. Those of one module's own stand beside it.

mod abort;
mod adopting;
mod by_rows;
mod copying;
mod crashes;
mod each;
pub(crate) mod engines;
mod foresee;
mod lies;
mod live;
mod machine;
mod narrow;
mod narrow_parity;
mod parity;
mod probe;
mod rules;
mod rules_of_files;
mod rules_of_logs;
mod tails;
mod vacuuming;
pub(crate) mod world;
