//! The ports of the other crates, implemented over what this process has.

pub mod access;
pub mod connect;
pub mod gate;
pub mod inspector;
pub mod probe;
pub mod stores;
