//! Components that live on in the browser: what has a state of its own that no address and no form holds. Each is drawn by the
//! server like all others, with what it needs as properties, which travel in the page: never a secret, and nothing that its reader
//! may not see.
//!
//! Whatever an island can do must have a way without it.

pub mod copy;
pub mod icon;
