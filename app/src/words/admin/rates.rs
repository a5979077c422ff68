//! The page of prices.

use std::fmt::Display;

// Prices of routes and of services.
pub(crate) const PRICES: &str = "Prices";
pub(crate) const WHAT_PRICES_ARE: &str = "What a byte costs from place to place. The most specific one counts; what was charged stays charged.";
pub(crate) const HOUR: &str = "hour";
pub(crate) const GB_AND_MONTH: &str = "GB and month";
pub(crate) const OF_ROUTES: &str = "Of routes";
pub(crate) const NO_PRICE_OF_A_ROUTE_YET: &str = "No price of a route yet";
pub(crate) const WITHOUT_A_PRICE_OF_A_ROUTE: &str = "What crosses a border is counted, and waits for a price: until then nothing of it is charged. Begin with *:* and add what costs more or less.";
pub(crate) const PRICES_OF_ROUTES: &str = "Prices of routes";
pub(crate) const ROUTE: &str = "Route";
pub(crate) const OF_SERVICES: &str = "Of services";
pub(crate) const NO_PRICE_OF_A_SERVICE_YET: &str = "No price of a service yet";
pub(crate) const WITHOUT_A_PRICE_OF_A_SERVICE: &str = "While compute has no price, no statement with sync runs can be issued; it may be 0. Storage is told in offers and never charged.";
pub(crate) const PRICES_OF_SERVICES: &str = "Prices of services";
pub(crate) const SERVICE: &str = "Service";
pub(crate) const PRICE: &str = "Price";
pub(crate) const FROM: &str = "From";
pub(crate) const UNTIL: &str = "Until";
pub(crate) const SOURCE: &str = "Source";
pub(crate) const FURTHER_NOTICE: &str = "further notice";
pub(crate) const GB: &str = "GB (10⁹ bytes)";
pub(crate) const GIB: &str = "GiB (2³⁰ bytes)";
pub(crate) const ADD_A_PRICE_OF_A_ROUTE: &str = "Add a price of a route";
pub(crate) const FROM_HINT: &str = "aws:eu-central-1, aws:* or *:*";
pub(crate) const TO: &str = "To";
pub(crate) const TO_HINT: &str = "azure:westeurope, azure:* or *:*";
pub(crate) const ROUTE_PRICE_HINT: &str = "A decimal, 0.09";
pub(crate) const UNIT: &str = "Unit";
pub(crate) const COMPUTE_HOUR: &str = "Compute: an hour of sync runs";
pub(crate) const STORAGE_MONTH: &str = "Storage: a GB for a month";
pub(crate) const ADD_A_PRICE_OF_A_SERVICE: &str = "Add a price of a service";
pub(crate) const SERVICE_HINT: &str = "Storage is told in offers and never charged.";
pub(crate) const SERVICE_PRICE_HINT: &str = "A decimal, 0.20; 0 is a price, too.";
pub(crate) const CURRENCY: &str = "Currency";
pub(crate) const VALID_FROM: &str = "Valid from";
pub(crate) const UNTIL_HINT: &str =
    "Exclusive; empty for further notice. A price with an end interrupts the one that holds.";
pub(crate) const SOURCE_HINT: &str = "Where the price stands, for who checks it.";
pub(crate) const ADD_THE_PRICE: &str = "Add the price";

pub(crate) fn price_per_unit(
    price: &dyn Display,
    currency: &dyn Display,
    unit: &dyn Display,
) -> String {
    format!("{price} {currency} per {unit}")
}
