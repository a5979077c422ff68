//! Flows of the old way: how tables are brought to their consumers without the exchange. They are registered, run in parallel with a
//! replica, are compared with it row by row, and are switched off on a day, from which savings count.

mod compare;
mod register;
mod saved;

pub use compare::FlowTask;
pub(crate) use saved::SwitchedOff;
