//! Looks at storages as such: their addresses against the allow-lists, and with the doctor at what they let us do.

use std::time::Duration;

use async_trait::async_trait;
use exchange::ports::{Problem, StorageAccess, StoreProbe};
use model::Purpose;
use model::dto::{CheckOutcome, StorageCheck, StorageReport};
use storage::doctor::{self, Outcome};
use storage::{Cause, Meter, MeterKey, StorageUrl};

use super::reads::Reads;
use super::stores::Lake;

/// A person waits for the answer.
const LONGEST: Duration = Duration::from_secs(45);

/// [`StoreProbe`] over the lake.
#[derive(Clone)]
pub struct Probe {
    lake: Lake,
    reads: Reads,
}

impl Probe {
    pub fn new(lake: Lake, reads: Reads) -> Self {
        Self { lake, reads }
    }
}

#[async_trait]
impl StoreProbe for Probe {
    fn check(&self, storage: &StorageAccess) -> Result<String, Problem> {
        Ok(self.lake.check(storage)?.url.to_string())
    }

    fn overlap(&self, one: &str, other: &str) -> bool {
        match (StorageUrl::parse(one), StorageUrl::parse(other)) {
            (Ok(one), Ok(other)) => one.overlaps(&other),
            // What cannot be told apart is taken for the same place.
            _ => true,
        }
    }

    fn is_simulated(&self, url: &str) -> bool {
        matches!(StorageUrl::parse(url), Ok(StorageUrl::File { .. }))
    }

    async fn examine(
        &self,
        storage: &StorageAccess,
        write: bool,
    ) -> Result<StorageReport, Problem> {
        let meter = Meter::new(MeterKey {
            product: None,
            table: None,
            cause: Cause::Operation("storage.doctor"),
            purpose: Purpose::Inspect,
        });
        let store = self.lake.open(storage, &meter)?;
        let from = &storage.location;
        let examining = tokio::time::timeout(LONGEST, doctor::examine(&store, write));
        let report = self
            .reads
            .noting(&meter, from, None, examining)
            .await
            .map_err(|_| Problem {
                sentence: format!(
                    "The storage did not answer within {} seconds. Check its endpoint and the network, then try again.",
                    LONGEST.as_secs()
                ),
                transient: true,
                ..Problem::new("")
            })?;
        let mut checks: Vec<_> = report.checks.into_iter().map(check).collect();
        let (outcome, sentence) = self.reads.said_of(from);
        checks.push(StorageCheck {
            name: "counting".to_owned(),
            outcome,
            sentence,
        });
        Ok(StorageReport {
            checks,
            least_policy: report.least_policy,
        })
    }
}

fn check(check: doctor::Check) -> StorageCheck {
    StorageCheck {
        name: check.name,
        outcome: match check.outcome {
            Outcome::Ok => CheckOutcome::Ok,
            Outcome::Warned => CheckOutcome::Warned,
            Outcome::Failed => CheckOutcome::Failed,
            Outcome::Skipped => CheckOutcome::Skipped,
        },
        sentence: check.sentence,
    }
}
