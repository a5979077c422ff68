//! A gate that breaks in the middle of an answer, as when a store goes away meanwhile: of one table the first files of a query are
//! signed, and no more. What the server then says is its own; everything else is as the gate behind this one says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use model::QueryId;
use object_store::path::Path;
use sharing::{Gate, Readable, Refused, SignedFile};

use crate::adapters::front::{Front, InFront};

/// The table's share and name.
pub(super) const SHARE: &str = "conformance-broken";
pub(super) const TABLE: &str = "broken";
/// More than are signed before an answer begins.
pub(super) const FILES: i64 = 600;

/// So long it takes to see that a store is gone. What was written before is on its way to the client by then.
const PATIENCE: Duration = Duration::from_millis(100);

pub(super) struct BrokenGate {
    gate: Arc<dyn Gate>,
    /// The queries on the table whose first files were signed.
    begun: Mutex<BTreeSet<QueryId>>,
}

impl BrokenGate {
    pub(super) fn before(gate: Arc<dyn Gate>) -> InFront<Self> {
        InFront(Self {
            gate,
            begun: Mutex::default(),
        })
    }

    fn is_over(&self, table: &Readable) -> bool {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        table.share == SHARE && !begun.insert(table.query)
    }
}

#[async_trait]
impl Front for BrokenGate {
    fn behind(&self) -> &dyn Gate {
        &*self.gate
    }

    async fn sign(&self, table: &Readable, keys: &[Path]) -> Result<Vec<SignedFile>, Refused> {
        if self.is_over(table) {
            tokio::time::sleep(PATIENCE).await;
            let why = "the store is taken away here, to see what is said of it";
            return Err(Refused::Unavailable(why.to_owned()));
        }
        self.gate.sign(table, keys).await
    }
}
