//! Rows of storages that this process has read, by their revisions: most requests read from one that has not changed since.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::StorageId;

use super::StorageRecord;

/// So many are remembered; beyond that all are forgotten, and read again.
const MOST: usize = 10_000;

#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<HashMap<StorageId, StorageRecord>>);

impl Known {
    /// What was read of it, if that is this revision.
    pub(super) fn get(&self, id: StorageId, revision: i64) -> Option<StorageRecord> {
        let known = self.known();
        let record = known.get(&id);
        record.filter(|known| known.revision == revision).cloned()
    }

    pub(super) fn keep(&self, record: &StorageRecord) {
        let mut known = self.known();
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(record.id, record.clone());
    }

    fn known(&self) -> MutexGuard<'_, HashMap<StorageId, StorageRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
