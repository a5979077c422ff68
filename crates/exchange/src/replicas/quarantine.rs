//! Quarantine: a replica table that a check found to differ from its source is not served, until a run mends it or an operator
//! says that it is in order. What the check looks at is not told here.

use model::dto::Replica;
use model::{ReplicaTableId, RunState};
use serde_json::json;

use super::hold::{hold, hold_table};
use super::runs::end;
use super::tables::{Readers, settle, wake_readers};
use super::{RunStart, SyncTask};
use crate::audit::Object;
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

impl Exchange {
    /// A check found that a replica table differs. `suspects` are the partitions whose rows do; none where it is not about rows.
    /// False: the run is a later attempt's.
    pub async fn replica_quarantined(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: Option<&RunStart>,
        problem: &str,
        suspects: &[String],
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        hold_table(change.tx(), task.replica_table_id).await?;
        if let Some(run) = run
            && !end(&mut change, run, RunState::Failed, Some(problem)).await?
        {
            return Ok(false);
        }
        let suspects = (!suspects.is_empty()).then(|| json!(suspects).to_string());
        sql!(
            "update replica_table set state = 'diverged', reason = $1, quarantined_at = coalesce(quarantined_at, $2),
                 suspects = coalesce($3, suspects), updated_at = $2
             where id = $4 and state in ('pending', 'ready', 'diverged')"
        )
        .bind(problem)
        .bind(at)
        .bind(suspects)
        .bind(task.replica_table_id)
        .execute(change.tx())
        .await?;
        change.note(
            Operation::SyncRunWrite,
            Object::new("replica_table", task.replica_table_id),
            json!({ "verified": false, "quarantined": true }),
        );
        // Who reads it is told now that it does not work, and not when the grant is looked at next.
        wake_readers(&mut change, task.product_id, Readers::All).await?;
        change.commit().await?;
        Ok(true)
    }

    /// A check that looked at the data found everything in order. It does not end a quarantine.
    pub async fn run_proved(
        &self,
        principal: &Principal,
        task: &SyncTask,
        run: &RunStart,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        hold_table(change.tx(), task.replica_table_id).await?;
        if !end(&mut change, run, RunState::Done, None).await? {
            return Ok(false);
        }
        sql!("update replica_table set verified_at = $1, updated_at = $1 where id = $2")
            .bind(at)
            .bind(task.replica_table_id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::SyncRunWrite,
            Object::new("sync_run", run.id),
            json!({ "state": "done", "verified": true }),
        );
        change.commit().await?;
        Ok(true)
    }

    /// An operator's word that the tables of a replica are in order: those in quarantine are served again.
    pub async fn replica_release(
        &self,
        principal: &Principal,
        reference: &str,
    ) -> Result<Replica, Error> {
        let (replica, scope) = self.replica_for(principal, reference).await?;
        can(principal, Operation::ReplicaRelease, &scope)?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        hold(change.tx(), replica.id).await?;
        let rows = sql!(
            "update replica_table set state = case when source_version is null then 'pending' else 'ready' end, reason = null,
                 quarantined_at = null, suspects = null, updated_at = $1
             where replica_id = $2 and quarantined_at is not null and state = 'diverged' returning id"
        )
        .bind(at)
        .bind(replica.id)
        .rows(change.tx())
        .await?;
        let mut released = Vec::new();
        for row in rows {
            released.push(row.get::<ReplicaTableId>("id")?);
        }
        if !released.is_empty() {
            settle(&mut change, replica.id).await?;
            wake_readers(&mut change, replica.product_id, Readers::Waiting).await?;
        }
        change.note(
            Operation::ReplicaRelease,
            Object::new("replica", replica.id),
            json!({ "released": released }),
        );
        change.commit().await?;
        let id = replica.id.to_string();
        self.replica(principal, &id).await
    }
}
