//! The binary `entrepot`: command line, configuration, telemetry, routes, middleware, workers, and the adapters that give the
//! exchange its ports.
//!
//! Does not live here: rules (the exchange's), pages (the app's), JSON shapes (the model's).

pub mod account;
pub mod adapters;
pub mod cli;
pub mod config;
pub mod demo;
pub mod download;
pub mod folder;
pub mod gateway;
pub mod health;
pub mod listen;
pub mod metrics;
pub mod middleware;
pub mod node;
pub mod oidc;
pub mod plain_form;
pub mod portal;
pub mod profile;
pub mod router;
pub mod scanning;
pub mod session;
pub mod sign_in;
pub mod site;
pub mod telemetry;
pub mod workers;
