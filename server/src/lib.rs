//! server

pub mod adapters;
pub mod gateway;
