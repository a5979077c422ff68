//! Erasures: somebody says that rows are gone from the source of a product, and for each replica it is seen to that they are gone
//! there, too, and written down what was deleted, when, and that the store then said "not found". What came of it is a certificate
//! that anybody can check without us.
//!
//! Lives here: the requests, the ledger of deleted objects, and the certificate. The deleting and looking are the replication
//! crate's; a worker of the server brings the two together while it vacuums.

mod certificate;
mod keys;
mod ledger;
mod overdue;
mod parts;
mod requests;

pub use certificate::{CertificateError, Checked, check};
pub use keys::KEY;
pub use ledger::{ErasedGone, ErasedNew};
pub use parts::{ErasureSeen, ErasureTask};
