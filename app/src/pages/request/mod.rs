//! Asking for access, and what becomes of it.

pub mod ask;
pub mod case;
pub mod limit;
pub mod offer;
pub mod part;
pub mod show;

pub use ask::Ask;
pub use case::Case;
pub use case::Decide;
pub use case::Said;
pub use show::Show;
