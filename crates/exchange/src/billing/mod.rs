//! What moving bytes costs, and whom: rates, meter events, charges, statements, savings.
//!
//! Meter events are written by whoever counted; a daily report prices those of finished days into charges; a month's
//! charges of a producing team are its statement. Charges and issued statements never change: corrections are new rows.

/// The bytes of an event wait to be priced. Word for word as in the index of them.
macro_rules! bytes_wait {
    () => {
        "charge_id is null and bytes > 0 and method in ('measured', 'logged')"
    };
}

/// The compute time of an event waits to be priced; likewise.
macro_rules! time_waits {
    () => {
        "compute_charge_id is null and busy_micros > 0 and method in ('measured', 'logged')"
    };
}

mod access_log;
mod charges;
mod export;
mod meter;
mod months;
mod rates;
mod report;
mod s3_log;
mod savings;
mod statements;
mod trace;

#[cfg(test)]
mod tests;

pub use access_log::AccessLogPlace;
pub use export::{charges_csv, share_queries_csv, statement_csv};
pub use meter::MeterEventNew;
pub(crate) use rates::{Period, RATES_CLASH, check_side};
pub use rates::{RateRecord, ServiceRateRecord};
