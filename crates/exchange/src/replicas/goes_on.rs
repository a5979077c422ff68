//! How a sync goes on with the next version of its source: what the next piece of work is told, when it has its turn, and whether a
//! pause has come between.

use model::time::HOUR;
use model::{Location, ReplicaTableId, Timestamp};
use serde_json::{Map, Value, json};

use super::SyncTask;
use crate::db::{DbError, Tx};
use crate::error::Error;
use crate::jobs::{Leased, Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// In the payload of a sync that goes on where another has left off.
const GOES_ON: &str = "goes_on";

/// In the payload of a sync that was asked for while its job was paused.
const WHILE_PAUSED: &str = "while_paused";

/// The bytes of files that a sync may move.
const BUDGET: &str = "budget";

/// Between two versions a replica is vacuumed so often and no oftener: each time its whole folder is listed.
const VACUUM: i64 = HOUR;

/// How a sync goes on with the next version of its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncGoesOn {
    /// The bytes of files that may still be moved, where whoever asked for the sync said so.
    pub budget: Option<u64>,
    /// It was asked for while the job was paused, so that this is no reason to stop.
    pub while_paused: bool,
}

impl SyncGoesOn {
    /// After a piece of work that has moved so many bytes of files.
    pub fn after(leased: &Leased, moved: u64) -> Self {
        let budget = leased.payload.get(BUDGET).and_then(Value::as_u64);
        Self {
            budget: budget.map(|budget| budget.saturating_sub(moved)),
            while_paused: says(leased, WHILE_PAUSED),
        }
    }

    /// The next piece of work. It has its turn behind all that is due by now, `at` by the database's clock: a replica that is thousands
    /// of versions behind keeps nobody else waiting.
    pub(super) fn wake(self, table: ReplicaTableId, to: Location, at: Timestamp) -> Wake {
        let mut payload = Map::new();
        payload.insert(GOES_ON.to_owned(), true.into());
        if let Some(budget) = self.budget {
            payload.insert(BUDGET.to_owned(), budget.into());
        }
        if self.while_paused {
            payload.insert(WHILE_PAUSED.to_owned(), true.into());
        }
        Wake::new(WorkKind::Sync, table)
            .at(Some(to))
            .with(Value::Object(payload))
            .not_before(Some(at))
    }
}

fn says(leased: &Leased, what: &str) -> bool {
    leased.payload.get(what) == Some(&Value::Bool(true))
}

impl Exchange {
    /// Whether a piece of work only goes on with what was begun before the job was paused: then the replica rests with the version at
    /// which it stands. A run that is open already is brought to its end.
    pub async fn sync_halted(
        &self,
        principal: &Principal,
        task: &SyncTask,
        leased: &Leased,
    ) -> Result<bool, Error> {
        can(principal, Operation::SyncRunWrite, &Scope::NONE)?;
        if !task.is_paused || !says(leased, GOES_ON) || says(leased, WHILE_PAUSED) {
            return Ok(false);
        }
        let open = sql!(
            "select id from sync_run where replica_table_id = $1 and kind = 'sync'
                 and state in ('planned', 'copying', 'committing', 'verifying')"
        )
        .bind(task.replica_table_id)
        .row(self.db())
        .await?;
        Ok(open.is_none())
    }
}

/// What a sync is told that is asked for by hand while its job is paused.
pub(super) fn asked_while_paused(mut payload: Value) -> Value {
    if payload.is_null() {
        payload = json!({});
    }
    if let Some(fields) = payload.as_object_mut() {
        fields.insert(WHILE_PAUSED.to_owned(), true.into());
    }
    payload
}

/// Whether a replica table that has versions left to bring was vacuumed lately.
pub(super) async fn is_vacuumed(
    tx: &mut Tx,
    table: ReplicaTableId,
    at: Timestamp,
) -> Result<bool, DbError> {
    let row = sql!("select vacuumed_at from replica_table where id = $1")
        .bind(table)
        .row(tx)
        .await?;
    let last: Option<Timestamp> = row.map(|row| row.get("vacuumed_at")).transpose()?.flatten();
    Ok(last.is_some_and(|last| at.since(last) < VACUUM))
}
