//! What every request and response passes through.

pub mod headers;
