//! The router as clients see it: real requests through `oneshot`, a gate that is a table of grants, and tables that are real
//! logs in memory.

mod access;
mod answers;
mod changes;
mod features;
mod hints;
mod history;
mod listing;
mod refusals;
mod slots;
mod streaming;
mod world;
mod written;
