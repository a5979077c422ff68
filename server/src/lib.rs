//! server

pub mod middleware;
pub mod portal;
