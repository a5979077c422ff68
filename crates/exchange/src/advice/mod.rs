//! The advisor: from the access log and the sync history, what would be less for a product in a place. Live or a replica, how often to
//! sync, what runs fetch; with what it would save as an interval, and the weeks it is reckoned from.
//!
//! `facts`, `money`, `reckon` and `settle` are pure. `gather` reads what is recorded, `store` keeps what comes of it, `act` is what people
//! do with a recommendation. Nothing is measured for it, and nothing changes by itself: accepting one does what the caller could have
//! done by hand, with the caller's own rights.

mod act;
pub mod facts;
mod gather;
pub mod money;
mod read;
pub mod reckon;
pub mod settle;
mod store;

#[cfg(test)]
mod tests;

pub use store::ADVICE_TICK;
