//! The domain of Entrepôt: catalog, access, people, replicas, billing, audit, jobs, reconciling, declaration.
//!
//! Each area is one module: policy + operations + SQL. Every operation takes the [`Principal`] first and asks
//! [`policy::can`] before it touches anything. This is the only crate that names sqlx. What lies outside the database is
//! behind [`ports`].

pub mod access;
pub mod advice;
pub mod audit;
pub mod billing;
pub mod catalog;
pub mod change;
pub mod cuts;
pub mod db;
pub mod declaration;
pub mod erasures;
pub mod error;
pub mod flows;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
pub mod idempotency;
pub mod installation;
pub mod jobs;
pub mod notices;
pub mod operation;
pub mod page;
pub mod people;
mod period;
pub mod policy;
pub mod ports;
pub mod principal;
mod pulse;
pub mod replicas;
pub mod secret;
pub mod storages;
#[cfg(test)]
mod testing;

use std::sync::Arc;

use model::{Clock, Timestamp};

pub use error::{Check, Error, FieldError};
pub use inventory;
pub use operation::Operation;
pub use period::Period;
pub use policy::Scope;
pub use principal::Principal;

use db::Db;
use ports::Ports;

/// Knobs that are the same for the whole installation.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the outside reaches this installation, without a trailing slash: profiles and gateway URLs are made of it.
    pub public_url: String,
    /// How long a recipient's token lives unless asked for less; microseconds.
    pub token_lifetime: i64,
    /// The longest life a signed URL may have; microseconds. Also how long a revoked grant's URLs may still work.
    pub url_lifetime: i64,
    /// How long the access log is kept; microseconds.
    pub query_log_kept: i64,
    /// Sessions end after this long without a request, and after this long at all; microseconds.
    pub session_idle: i64,
    pub session_lifetime: i64,
    /// How many events the daily report prices in one transaction: other writers wait that long, and no longer.
    pub report_batch: usize,
    /// How often the tables of published products are looked at for new versions; microseconds. 0: only when asked for.
    pub refresh_every: i64,
    /// So many mails a person gets in an hour by themselves; what is more comes as one.
    pub mails_an_hour: i64,
    /// So many syncs, vacuums and checks go to one store at a time, of all workers together.
    pub runs_per_store: i64,
    /// Whether this process's worker also takes work on replicas of other places, where no worker stands at either end.
    pub elsewhere: bool,
    /// Who may come by a provider of identities, and as what; None: there is none.
    pub provider: Option<people::ProviderRules>,
    /// Whose tokens may let recipients in, to the letter as they write themselves.
    pub issuers: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:3000".to_owned(),
            token_lifetime: 90 * model::time::DAY,
            url_lifetime: model::time::HOUR,
            query_log_kept: 90 * model::time::DAY,
            session_idle: 12 * model::time::HOUR,
            session_lifetime: 7 * model::time::DAY,
            report_batch: 2_000,
            refresh_every: model::time::HOUR,
            mails_an_hour: 20,
            runs_per_store: 8,
            elsewhere: false,
            provider: None,
            issuers: Vec::new(),
        }
    }
}

/// The exchange: a database, a clock, the ports, and the operations on them. Cheap to clone.
#[derive(Clone)]
pub struct Exchange {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    ports: Ports,
    options: Options,
    storages: storages::Known,
}

impl Exchange {
    pub fn new(db: Db, clock: Arc<dyn Clock>, ports: Ports, options: Options) -> Self {
        Self {
            inner: Arc::new(Inner {
                db,
                clock,
                ports,
                options,
                storages: storages::Known::default(),
            }),
        }
    }

    pub(crate) fn storages_known(&self) -> &storages::Known {
        &self.inner.storages
    }

    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.inner.clock)
    }

    pub fn ports(&self) -> &Ports {
        &self.inner.ports
    }

    pub fn options(&self) -> &Options {
        &self.inner.options
    }
}
