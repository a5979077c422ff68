//! Comparing what a flow of the old way brought with the replica at the same place, row by row. Both are read where they lie.

use exchange::Principal;
use exchange::jobs::Leased;
use model::dto::Compared;
use model::{FlowId, Purpose};
use replication::VerifyError;

use super::handlers::Lakehand;
use super::upkeep::meter;
use super::{Outcome, WorkFailed};

impl Lakehand {
    pub(super) async fn compare(&self, work: &Leased) -> Result<Outcome, WorkFailed> {
        let done = self.compare_copy(work).await;
        if let Err(failed) = &done {
            let failed = (failed.sentence.as_str(), failed.terminal);
            let system = Principal::system();
            let noted = self.exchange.flow_compare_failed(&system, work, failed);
            if let Err(error) = noted.await {
                // The work has it, too.
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "why a comparison failed was not noted on its flow"
                );
            }
        }
        done
    }

    async fn compare_copy(&self, work: &Leased) -> Result<Outcome, WorkFailed> {
        let system = Principal::system();
        let id: FlowId = work
            .key
            .parse()
            .map_err(|_| WorkFailed::terminal("the work's key is not a flow"))?;
        let Some(task) = self.exchange.flow_task(&system, id).await? else {
            let why = "There is nothing to compare with any more.";
            return self.compared(id, Compared::Unknown, why).await;
        };
        let Some(version) = task.replica_version else {
            let why = "The replica was not synced yet; compare again once it was.";
            return self.compared(id, Compared::Unknown, why).await;
        };
        let old = self
            .exchange
            .storage_access_for_system(&system, task.copy_storage)
            .await?;
        let new = self
            .exchange
            .storage_access_for_system(&system, task.replica_storage)
            .await?;
        let key = (task.product_id, task.table_id);
        let (from_old, from_new) = (
            meter(key, "compare", Purpose::Verify),
            meter(key, "compare", Purpose::Verify),
        );
        let copy = self.lake.table(&old, &task.copy_path, &from_old)?;
        let replica = self.lake.table(&new, &task.replica_path, &from_new)?;
        let reading = replication::liken(&copy.table, &replica.table, version);
        let reading = self.reads.noting(&from_new, &new.location, None, reading);
        let found = self
            .reads
            .noting(&from_old, &old.location, None, reading)
            .await;
        match found {
            Ok(found) => {
                let compared = match (found.is_same(), &found.unreadable) {
                    (_, Some(_)) => Compared::Unknown,
                    (true, None) => Compared::Same,
                    (false, None) => Compared::Differs,
                };
                self.compared(id, compared, &found.sentence()).await
            }
            Err(error) if error.is_passing() => Err(WorkFailed::passing(error.to_string())),
            Err(VerifyError::Wrong(why)) => {
                let why = format!("It cannot be said, for {why}.");
                self.compared(id, Compared::Unknown, &why).await
            }
            Err(error) => {
                let why = format!("It cannot be said: {error}");
                self.compared(id, Compared::Unknown, &why).await
            }
        }
    }

    async fn compared(
        &self,
        id: FlowId,
        compared: Compared,
        sentence: &str,
    ) -> Result<Outcome, WorkFailed> {
        let system = Principal::system();
        self.exchange
            .flow_compared(&system, id, compared, sentence)
            .await?;
        Ok(Outcome::Done)
    }
}
