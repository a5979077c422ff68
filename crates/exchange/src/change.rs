//! A change: the rows, the audit rows and the work they wake are one transaction. No audit, no change.

use model::{Timestamp, crash_point};

use crate::Exchange;
use crate::audit::{self, Object};
use crate::db::Tx;
use crate::error::Error;
use crate::jobs::{self, Wake};
use crate::operation::Operation;
use crate::principal::Principal;

/// An open change. Dropped without [`Change::commit`], nothing happened.
pub struct Change {
    tx: Tx,
    at: Timestamp,
    actor: String,
    entries: Vec<audit::Entry>,
    wakes: Vec<Wake>,
}

impl Exchange {
    /// Opens a change in the name of `principal`. The caller has asked the policy before.
    pub async fn change(&self, principal: &Principal) -> Result<Change, Error> {
        let tx = self.db().begin().await?;
        Ok(Change {
            tx,
            at: self.now(),
            actor: principal.pseudonym().to_owned(),
            entries: Vec::new(),
            wakes: Vec::new(),
        })
    }
}

impl Change {
    /// The instant of this change, the same in all its rows.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    pub fn tx(&mut self) -> &mut Tx {
        &mut self.tx
    }

    /// Notes what happened to which object; written to the audit log at commit. `detail` holds no secret and no person's
    /// name.
    pub fn note(&mut self, operation: Operation, object: Object, detail: serde_json::Value) {
        self.entries.push(audit::Entry {
            operation,
            object,
            detail,
        });
    }

    /// Wakes work that follows from this change.
    pub fn wake(&mut self, wake: Wake) {
        self.wakes.push(wake);
    }

    /// Writes work and audit rows, and commits. The chain's head is locked last, so that writers wait for each other as
    /// briefly as can be.
    pub async fn commit(mut self) -> Result<(), Error> {
        if self.entries.is_empty() {
            return Err(Error::internal("a change without an audit row was refused"));
        }
        for wake in &self.wakes {
            jobs::enqueue(&mut self.tx, wake, self.at).await?;
        }
        audit::append(&mut self.tx, &self.actor, self.at, &self.entries)
            .await
            .map_err(|error| {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the audit log cannot be written"
                );
                Error::Unavailable(
                    "the audit log cannot be written, so nothing was changed; try again later"
                        .to_owned(),
                )
            })?;
        crash_point!("change.commit.before");
        self.tx.commit().await?;
        crash_point!("change.commit.after");
        Ok(())
    }
}
