//! A conformance suite for servers of the Delta Sharing protocol (also called OpenSharing), over HTTP and with nothing but a
//! recipient's profile: point it at any server.
//!
//! Lives here: the cases (`cases/*`, one per rule), what they are told of the server's tables ([`Hints`]) and find out for
//! themselves, the report, and a small world of tables to check against ([`fixture`]). Does not live here: anything of a
//! server of ours; this crate depends on none of it.
//!
//! ```no_run
//! # async fn check() -> Result<(), String> {
//! let profile = std::fs::read("config.share").map_err(|error| error.to_string())?;
//! let target = conformance::Target::new(conformance::Profile::parse(&profile)?);
//! let report = conformance::run(target, &[]).await?;
//! println!("{}", report.text());
//! # Ok(()) }
//! ```
//!
//! The ids begin with the rule they check: `C` what holds for every call, `E` the endpoints, `L` lists, `Q` the body of a query,
//! `A` the lines of an answer, `H` headers, pages and tokens, `F` the change data feed, `Y` asynchronous queries, `K` temporary
//! credentials, `J` predicates, `R` errors, `T` the traps that only reading clients shows. A case whose precondition the
//! server does not offer is skipped, and says why.

mod case;
mod cases;
mod client;
mod data;
pub mod fixture;
mod hints;
mod report;
mod run;
mod world;

pub use case::Case;
pub use client::Profile;
pub use hints::{Advance, Hints, Target};
pub use report::{CaseReport, Outcome, Report};
pub use run::{cases, discover, run, run_case};
pub use world::World;
