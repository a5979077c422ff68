//! The router as clients see it: real requests through `oneshot`, a gate that is a table of grants, and tables that are real
//! logs in memory.

mod access;
mod actions;
mod answers;
mod changes;
mod counting;
mod edges;
mod features;
mod gate;
mod hints;
mod history;
mod kept;
mod later;
mod listing;
mod narrow;
mod pages;
mod refusals;
mod slots;
mod states;
mod streaming;
mod world;
mod written;
