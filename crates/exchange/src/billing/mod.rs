//! What moving bytes costs, and whom: rates, meter events, charges, statements, savings.
//!
//! Meter events are written by whoever counted; a daily report prices those of finished days into charges; a month's
//! charges of a producing team are its statement. Charges and issued statements never change: corrections are new rows.

mod charges;
mod export;
mod meter;
mod months;
mod rates;
mod report;
mod savings;
mod statements;

#[cfg(test)]
mod tests;

pub use export::{charges_csv, statement_csv};
pub use meter::MeterEventNew;
pub(crate) use rates::{Period, RATES_CLASH, check_side};
pub use rates::{RateRecord, ServiceRateRecord};
