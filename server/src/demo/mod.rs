//! The demo world: a carmaker's after-sales data in three clouds, a month of it, and the whole journey from registering
//! a product to the bill, played by the same operations as everybody's. What is in it is invented.

mod acts;
#[cfg(test)]
mod advised;
mod cars;
mod clouds;
mod journey;
mod random;
mod reading;
mod report;
mod story;
mod tables;
#[cfg(test)]
mod tests;
mod world;

pub use journey::{Stage, play};
pub use report::Report;
pub use story::Story;
pub use world::{accounts_text, prepare};

/// In the data folder: every version of every source table as our own reader saw it when it was committed.
/// `end2end/python/check_demo.py` compares it with what Python `deltalake` sees.
const MANIFEST: &str = "demo-tables.json";
