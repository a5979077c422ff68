//! Taking rows before they are looked at, so that two who change one replica wait for each other and each sees what the other
//! did. Always in this order, whoever takes more than one: the replica, its table, the run.

use model::{ReplicaId, ReplicaTableId};

use crate::db::Tx;
use crate::error::Error;
use crate::sql;

/// Takes a replica's row until the end of the transaction.
pub(super) async fn hold(tx: &mut Tx, id: ReplicaId) -> Result<(), Error> {
    sql!("update replica set revision = revision where id = $1")
        .bind(id)
        .execute(tx)
        .await?;
    Ok(())
}

/// Takes a replica table's row until the end of the transaction.
pub(super) async fn hold_table(tx: &mut Tx, id: ReplicaTableId) -> Result<(), Error> {
    sql!("update replica_table set updated_at = updated_at where id = $1")
        .bind(id)
        .execute(tx)
        .await?;
    Ok(())
}
