//! What is spoken over the wire, by pages, REST and command line alike: one file per area.
//!
//! A `…New` or `…Change` comes in and denies unknown fields; the others go out.

mod access;
mod adoptions;
mod advice;
mod assess;
mod billing;
mod catalog;
mod cuts;
mod declaration;
mod erasures;
mod flows;
mod notices;
mod people;
mod plans;
mod replicas;
mod storages;

pub use access::*;
pub use adoptions::*;
pub use advice::*;
pub use assess::*;
pub use billing::*;
pub use catalog::*;
pub use cuts::*;
pub use declaration::*;
pub use erasures::*;
pub use flows::*;
pub use notices::*;
pub use people::*;
pub use plans::*;
pub use replicas::*;
pub use storages::*;
