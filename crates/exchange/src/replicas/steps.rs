//! The states that a run came into, and when: written with the change of the state, and never without it.

use model::{RunState, SyncRunId, Timestamp};

use crate::db::Tx;
use crate::error::Error;
use crate::sql;

/// Keeps that a run came into a state. One in which it is already is saved again and again, and is none that it came into.
pub(super) async fn note_step(
    tx: &mut Tx,
    run: SyncRunId,
    state: RunState,
    at: Timestamp,
) -> Result<(), Error> {
    let last = sql!("select seq, state from run_step where run_id = $1 order by seq desc limit 1")
        .bind(run)
        .row(&mut *tx)
        .await?;
    let mut seq = 0;
    if let Some(row) = last {
        if row.get::<RunState>("state")? == state {
            return Ok(());
        }
        seq = row.get::<i64>("seq")?;
    }
    sql!("insert into run_step (run_id, seq, state, at) values ($1, $2, $3, $4)")
        .bind(run)
        .bind(seq + 1)
        .bind(state)
        .bind(at)
        .execute(tx)
        .await?;
    Ok(())
}
