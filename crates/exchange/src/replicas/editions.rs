//! The replicas of a cut's editions: one of an edition takes the place of those of earlier ones once all its tables stand.

use model::time::DAY;
use model::{ReplicaId, Timestamp};
use serde_json::json;

use crate::audit::Object;
use crate::change::Change;
use crate::error::Error;
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::{Exchange, sql};

/// So long the folders of an edition are kept that nobody reads any more: URLs that were handed out still work.
const KEPT: i64 = DAY;

impl Exchange {
    /// Ends a replica that another edition follows; part of the caller's change. `at_once`: with its folders.
    pub(crate) async fn replica_supersede(
        &self,
        change: &mut Change,
        id: ReplicaId,
        at_once: bool,
    ) -> Result<(), Error> {
        let at = change.at();
        let until = if at_once { at } else { at.plus(KEPT) };
        supersede(change, id, until).await
    }
}

/// Ends what earlier editions have in the same storage, if this replica is of a cut and ready.
pub(super) async fn end_earlier(change: &mut Change, id: ReplicaId) -> Result<(), Error> {
    let earlier = sql!(
        "select earlier.id from replica join replica as earlier on earlier.cut_id = replica.cut_id
             and earlier.storage_id = replica.storage_id and earlier.edition < replica.edition
         where replica.id = $1 and replica.state = 'ready' and earlier.state in ('pending', 'ready', 'diverged')
         order by earlier.edition desc"
    )
    .bind(id)
    .rows(change.tx())
    .await?;
    let until = change.at().plus(KEPT);
    for row in earlier {
        supersede(change, row.get("id")?, until).await?;
    }
    Ok(())
}

async fn supersede(change: &mut Change, id: ReplicaId, until: Timestamp) -> Result<(), Error> {
    let changed = sql!(
        "update replica set state = 'draining', drain_until = $1, late_since = null, reason = 'another edition of its cut takes its place',
             revision = revision + 1, updated_at = $2
         where id = $3 and state in ('pending', 'ready', 'diverged')"
    )
    .bind(until)
    .bind(change.at())
    .bind(id)
    .execute(change.tx())
    .await?;
    if changed > 0 {
        change.note(
            Operation::ReplicaReconcile,
            Object::new("replica", id),
            json!({ "draining_until": until, "edition_followed": true }),
        );
        change.wake(Wake::new(WorkKind::Replica, id));
    }
    Ok(())
}
