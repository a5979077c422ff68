//! Which storages a team may look into and register tables from. A storage has no owner of its own: it is a team's by the
//! tables that the team has in it.

use model::{Role, StorageId, TeamId};

use super::StorageRecord;
use crate::db::DbError;
use crate::error::Error;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// A folder that somebody uses.
#[derive(Debug)]
pub(crate) struct UsedFolder {
    pub(crate) path: String,
    /// Who owns the product that lies there, or whose replica does.
    pub(crate) team_id: TeamId,
    replica: bool,
}
from_row!(UsedFolder {
    path,
    team_id,
    replica
});

/// The folders of a storage that are in use.
#[derive(Debug)]
pub(crate) struct Usage(Vec<UsedFolder>);

impl Usage {
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|used| used.path.as_str())
    }

    /// The folders of teams other than those.
    pub(crate) fn of_others(&self, teams: &[TeamId]) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|used| !teams.contains(&used.team_id))
            .map(|used| used.path.as_str())
    }

    /// One of the teams has a table here, or nobody else has anything here. A replica in a storage gives no right to it:
    /// where it is made is not its team's choice.
    fn is_open_to(&self, teams: &[TeamId]) -> bool {
        self.0
            .iter()
            .any(|used| !used.replica && teams.contains(&used.team_id))
            || self.of_others(teams).next().is_none()
    }
}

/// The teams that the caller registers tables for.
pub(crate) fn produced_by(principal: &Principal) -> Vec<TeamId> {
    let teams = principal.teams().keys().copied();
    teams.filter(|team| principal.is_producer(*team)).collect()
}

/// Whether the caller may use every storage, for every team.
pub(crate) fn uses_all(principal: &Principal) -> bool {
    principal.is_operator() || principal.is_system() || principal.has(Role::Admin)
}

impl Exchange {
    pub(crate) async fn storage_usage(&self, storage: StorageId) -> Result<Usage, DbError> {
        let used = sql!(
            "select path, team_id, false as replica from product_table join product on product.id = product_id
             where product_table.storage_id = $1 and product.state <> 'retired' and product_table.removed_at is null
             union select replica_table.path, team_id, true as replica from replica_table
                 join replica on replica.id = replica_id join product on product.id = replica.product_id
             where replica.storage_id = $1 and replica.state <> 'deleted' and replica_table.state <> 'deleted'"
        )
        .bind(storage)
        .all(self.db())
        .await?;
        Ok(Usage(used))
    }

    /// Refuses a caller who would look into a storage, or register from it, in the name of teams that have nothing to do
    /// with it. Answers what is in use there.
    pub(crate) async fn storage_usable(
        &self,
        principal: &Principal,
        teams: &[TeamId],
        storage: &StorageRecord,
    ) -> Result<Usage, Error> {
        let usage = self.storage_usage(storage.id).await?;
        if uses_all(principal) || usage.is_open_to(teams) {
            return Ok(usage);
        }
        Err(Error::forbidden(format!(
            "the storage {} is used by other teams; an admin registers the first table of yours in it",
            storage.name
        )))
    }

    /// Why somebody may not name a folder that nobody has registered in a storage that takes replicas, as a copy of what `team` has; None:
    /// they may. What they would be told of the folder is no more than they may look at there as a table to register.
    pub(crate) async fn copy_unnameable(
        &self,
        principal: &Principal,
        team: TeamId,
        storage: &StorageRecord,
    ) -> Result<Option<String>, Error> {
        if !storage.replicas || uses_all(principal) {
            return Ok(None);
        }
        let usage = self.storage_usage(storage.id).await?;
        Ok((!usage.is_open_to(&[team])).then(|| {
            format!(
                "other teams use the storage {}, and a folder in it that nobody has registered may be theirs; have an admin name the copy",
                storage.name
            )
        }))
    }
}

#[cfg(test)]
mod tests {
    use model::Timestamp;

    use super::*;

    #[test]
    fn a_storage_is_open_to_those_who_have_a_table_there_and_to_all_while_it_is_empty() {
        let at = Timestamp::from_micros(0);
        let [ours, theirs] = [TeamId::new(at), TeamId::new(at)];
        let used = |team_id, replica| UsedFolder {
            path: "x".to_owned(),
            team_id,
            replica,
        };
        for (folders, open) in [
            (vec![], true),
            (vec![used(ours, false)], true),
            (vec![used(ours, true)], true),
            (vec![used(theirs, false)], false),
            (vec![used(theirs, true)], false),
            (vec![used(theirs, false), used(ours, false)], true),
            (vec![used(theirs, false), used(ours, true)], false),
        ] {
            let usage = Usage(folders);
            assert_eq!(usage.is_open_to(&[ours]), open, "{usage:?}");
        }
    }
}
