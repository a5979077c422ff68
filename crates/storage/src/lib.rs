//! Object stores from a storage row: the URL and what overlaps with it, credentials, allow-lists, signing, metering,
//! containment, limits, the doctor, and faults for tests.
//!
//! Lives here: everything that opens a store. No other crate builds one, so that no store opens without a [`Meter`],
//! without the allow-lists ([`Limits`]) having been asked, or with a credential from the process's own environment.
//! Does not live here: what is in the stores (tables, logs, replicas), databases, configuration files.

pub mod doctor;
pub mod faults;

mod credential;
mod entra;
mod error;
mod files;
mod http_service;
mod levels;
mod limits;
mod meter;
mod open;
mod parts;
mod policy;
mod presign;
mod remains;
mod share;
mod sign;
mod storage_url;
mod store;
mod tag;
mod temporary;
mod trust;

#[cfg(test)]
mod tests;

pub use credential::{Credential, CredentialError};
pub use error::StorageError;
pub use levels::{Level, Levels};
pub use limits::{Limits, is_private_network, is_public};
pub use meter::{Cause, Meter, MeterKey};
pub use open::Stores;
pub use parts::{Part, Parts};
pub use remains::{Keeps, Remains, Unfinished};
pub use sign::{MAX_TTL, MIN_TTL, Signed, SignedMany};
pub use storage_url::{StorageUrl, UrlError};
pub use store::{StorageSpec, Store, check_relative};
pub use tag::Tags;
pub use temporary::TemporaryKey;
pub use trust::trusting_the_system;
