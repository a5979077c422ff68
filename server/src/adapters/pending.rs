//! Ports whose crates are not part of this build yet: each says so, and does nothing.

use async_trait::async_trait;
use exchange::ports::{
    AccessTarget, Observation, Problem, StorageAccess, StoreProbe, TableInspector,
};
use model::GrantId;
use model::dto::{Inspection, StorageReport};

/// Answers every question with "not available in this build".
#[derive(Clone, Copy, Debug, Default)]
pub struct Pending;

fn problem() -> Problem {
    Problem::new("reading tables is not available in this build")
}

#[async_trait]
impl TableInspector for Pending {
    async fn inspect(&self, _: &StorageAccess, _: &str) -> Result<Inspection, Problem> {
        Err(problem())
    }

    async fn scan(&self, _: &StorageAccess, _: &str) -> Result<Vec<String>, Problem> {
        Err(problem())
    }
}

#[async_trait]
impl StoreProbe for Pending {
    fn check(&self, _: &StorageAccess) -> Result<String, Problem> {
        Err(problem())
    }

    fn overlap(&self, _: &str, _: &str) -> bool {
        true
    }

    fn is_simulated(&self, _: &str) -> bool {
        false
    }

    async fn examine(&self, _: &StorageAccess, _: bool) -> Result<StorageReport, Problem> {
        Err(problem())
    }
}

#[async_trait]
impl AccessTarget for Pending {
    async fn observe(&self, _: GrantId) -> Observation {
        Observation::Waits {
            reason: problem().sentence,
        }
    }
}
