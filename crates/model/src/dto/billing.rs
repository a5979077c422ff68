//! Rates, charges, statements, savings.

use serde::{Deserialize, Serialize};

use crate::{Currency, Nano, RateId, Timestamp, Unit};

/// `aws:eu-central-1`, `aws:*` or `*:*` on either side; the most specific match wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    pub id: RateId,
    pub from: String,
    pub to: String,
    pub price: Nano,
    pub unit: Unit,
    pub currency: Currency,
    pub valid_from: Timestamp,
    /// Exclusive; None: until further notice.
    pub valid_until: Option<Timestamp>,
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateNew {
    pub from: String,
    pub to: String,
    pub price: String,
    pub unit: String,
    pub currency: String,
    pub valid_from: String,
    #[serde(default)]
    pub valid_until: Option<String>,
    pub source: String,
}

/// A price that is not a route's: `compute` per hour of sync runs, `storage` per GB and month.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRate {
    pub id: RateId,
    pub kind: String,
    pub price: Nano,
    pub currency: Currency,
    pub valid_from: Timestamp,
    pub valid_until: Option<Timestamp>,
    pub source: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceRateNew {
    pub kind: String,
    pub price: String,
    pub currency: String,
    pub valid_from: String,
    #[serde(default)]
    pub valid_until: Option<String>,
    pub source: String,
}
