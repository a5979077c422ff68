//! What is spoken over the wire, by pages, REST and command line alike: one file per area.
//!
//! A `…New` or `…Change` comes in and denies unknown fields; the others go out.

mod catalog;
mod people;
mod storages;

pub use catalog::*;
pub use people::*;
pub use storages::*;
