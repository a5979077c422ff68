//! What moving bytes costs, and whom: rates, meter events, charges, statements, savings.

mod rates;

pub use rates::{RateRecord, ServiceRateRecord};
