//! The words of Entrepôt as types: identifiers, names, places, instants, money, roles and states.
//!
//! Lives here: what every other crate speaks of, parsed once at the edge and correct ever after.
//! Does not live here: IO, SQL, HTTP. The crate compiles to WebAssembly, so that the portal's pages
//! share these types with the server.

// The intermediates are shared between checkouts, and cargo tells workspace crates apart by their relative path and age
// only: naming the checkout here makes the crates of another one stale instead of silently used.
const _: Option<&str> = option_env!("ENTREPOT_CHECKOUT");

pub mod addresses;
pub mod clock;
pub mod crash;
pub mod dto;
pub mod ids;
pub mod money;
pub mod names;
pub mod narrowing;
pub mod place;
pub mod roles;
pub mod rows;
pub mod states;
pub mod tags;
pub mod time;

pub use addresses::{AddressError, AddressRange, Addresses};
pub use clock::{Clock, ManualClock};
pub use ids::*;
pub use money::{Currency, Micro, Nano, Unit};
pub use names::{Name, NameError, ProductName};
pub use narrowing::Narrowing;
pub use place::{Cloud, Location, Route};
pub use roles::{MemberRole, Role};
pub use rows::RowFilter;
pub use states::*;
pub use time::{Timestamp, Until};
