//! The handlers, one file per area. Each calls one operation of the exchange.
//!
//! To add an operation: an `.on(Operation::X, handler)` line with what it takes and answers, and the handler. Method and path
//! come from the exchange's table; the test of the table says what is still missing.

mod advice;
mod audit;
mod billing;
mod csv;
mod cuts;
mod declaration;
mod delivery;
mod domains;
mod erasures;
mod flows;
mod grants;
mod people;
mod products;
mod recipients;
mod replicas;
mod requests;
mod storages;
mod teams;
mod tokens;
mod work;

use crate::endpoint::Endpoints;

pub(crate) fn all() -> Endpoints {
    people::endpoints()
        .and(tokens::endpoints())
        .and(domains::endpoints())
        .and(teams::endpoints())
        .and(storages::endpoints())
        .and(products::endpoints())
        .and(cuts::endpoints())
        .and(recipients::endpoints())
        .and(requests::endpoints())
        .and(grants::endpoints())
        .and(replicas::endpoints())
        .and(erasures::endpoints())
        .and(flows::endpoints())
        .and(billing::endpoints())
        .and(advice::endpoints())
        .and(declaration::endpoints())
        .and(audit::endpoints())
        .and(delivery::endpoints())
        .and(work::endpoints())
}
