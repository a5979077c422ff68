//! Queries that are answered later, kept by the gate of these tests.

use std::sync::Mutex;

use async_trait::async_trait;
use model::{QueryId, RecipientId, TableId};
use uuid::Uuid;

use crate::{Queries, QueryKept, QueryNew, QueryState, Refused};

#[derive(Default)]
pub(super) struct KeptQueries(Mutex<Vec<Kept>>);

struct Kept {
    new: QueryNew,
    kept: QueryKept,
    attempt: u64,
    leased: bool,
}

impl KeptQueries {
    /// As if the time of all who work on one were over.
    pub(super) fn release(&self) {
        for kept in self.0.lock().unwrap().iter_mut() {
            kept.leased = false;
        }
    }

    /// As if all had been kept for long enough.
    pub(super) fn forget(&self) {
        self.0.lock().unwrap().clear();
    }

    /// How often each was worked on.
    pub(super) fn attempts(&self) -> Vec<u64> {
        let kept = self.0.lock().unwrap();
        kept.iter().map(|kept| kept.attempt).collect()
    }
}

#[async_trait]
impl Queries for KeptQueries {
    async fn begin(&self, new: QueryNew) -> Result<QueryKept, Refused> {
        let mut all = self.0.lock().unwrap();
        let same = |kept: &&Kept| {
            (kept.new.recipient, kept.new.table, &kept.new.key)
                == (new.recipient, new.table, &new.key)
        };
        if let Some(found) = all.iter().find(same) {
            return Ok(found.kept.clone());
        }
        let kept = QueryKept {
            id: QueryId(Uuid::from_u128(9_000 + all.len() as u128)),
            request: new.request.clone(),
            version: new.version,
            state: QueryState::Pending,
        };
        all.push(Kept {
            new,
            kept: kept.clone(),
            attempt: 0,
            leased: false,
        });
        Ok(kept)
    }

    async fn find(
        &self,
        recipient: RecipientId,
        table: TableId,
        id: QueryId,
    ) -> Result<Option<QueryKept>, Refused> {
        let all = self.0.lock().unwrap();
        let found = all.iter().find(|kept| {
            (kept.kept.id, kept.new.recipient, kept.new.table) == (id, recipient, table)
        });
        Ok(found.map(|found| found.kept.clone()))
    }

    async fn take(&self, id: QueryId) -> Result<Option<u64>, Refused> {
        let mut all = self.0.lock().unwrap();
        let free = |kept: &&mut Kept| {
            kept.kept.id == id && !kept.leased && kept.kept.state == QueryState::Pending
        };
        Ok(all.iter_mut().find(free).map(|kept| {
            kept.leased = true;
            kept.attempt += 1;
            kept.attempt
        }))
    }

    async fn renew(&self, id: QueryId, attempt: u64) -> Result<bool, Refused> {
        let all = self.0.lock().unwrap();
        Ok(all
            .iter()
            .any(|kept| (kept.kept.id, kept.attempt) == (id, attempt)))
    }

    async fn end(&self, id: QueryId, attempt: u64, end: QueryState) -> Result<(), Refused> {
        let mut all = self.0.lock().unwrap();
        let held = |kept: &&mut Kept| (kept.kept.id, kept.attempt) == (id, attempt);
        if let Some(kept) = all.iter_mut().find(held) {
            kept.kept.state = end;
        }
        Ok(())
    }
}
