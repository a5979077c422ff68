//! Reckoning what tables that are there already cost to move, and what a clone of them would have: from their logs' history and a
//! list of today's flows. Pure figures; logs are read by `delta`, and whoever asks brings the prices.
//!
//! Lives here: the ways of keeping a copy ([`ways`]) and what they follow of commits ([`sets`]), one table over its history
//! ([`table`]), the list of flows ([`flows`]), the report with money ([`report`]) and the declaration made of it ([`yaml`]). Does
//! not live here: any IO.

mod flows;
mod report;
mod sets;
mod table;
#[cfg(test)]
mod tests;
mod ways;
mod yaml;

pub use flows::{Flow, FlowError, FlowKind, check_flows, flows};
pub use report::{Read, Surveyed, parse_every, report};
pub use table::{Figures, Moved, Reads, Reckoner, Window};
