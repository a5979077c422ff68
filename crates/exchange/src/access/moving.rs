//! Moving a recipient: to another team or another place, as long as nothing was ever asked for it. Requests and grants say
//! where their recipient is and whose; what they say of the past stays true.

use model::dto::{Recipient, RecipientChange};
use model::{Cloud, Location};
use serde_json::json;

use super::RecipientInfo;
use crate::audit::Object;
use crate::change::Change;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// Why a recipient stays where it is.
pub(crate) const STAYS: &str = "something was asked for this recipient already, or it has a credential, a link to one or a federation; make another one";

impl Exchange {
    /// Gives a recipient to another team, or another place.
    pub async fn recipient_update(
        &self,
        principal: &Principal,
        name: &str,
        new: RecipientChange,
    ) -> Result<Recipient, Error> {
        let info = self
            .recipient_for(principal, name, Operation::RecipientUpdate)
            .await?;
        let mut check = Check::new();
        let cloud: Option<Cloud> = match &new.cloud {
            Some(cloud) => check.parse("cloud", cloud),
            None => Some(info.cloud),
        };
        let region = new.region.as_deref().unwrap_or(&info.region);
        let location = cloud.and_then(|cloud| match Location::new(cloud, region) {
            Ok(location) => Some(location),
            Err(error) => {
                check.fail("region", error);
                None
            }
        });
        let team = match &new.team {
            Some(team) => self.team_by_name(team).await?,
            None => self.team_by_id(self.db(), info.team_id).await?,
        };
        if team.is_none() {
            check.fail("team", "there is no such team");
        }
        check.done()?;
        let (Some(location), Some(team)) = (location, team) else {
            return Err(Error::invalid("region", "missing"));
        };
        // Nobody puts a recipient upon a team that is not theirs.
        can(
            principal,
            Operation::RecipientUpdate,
            &Scope::consumer(team.id),
        )?;
        let seen = new.revision.unwrap_or(info.revision);
        let mut change = self.change(principal).await?;
        let changed = sql!(
            "update recipient set team_id = $1, cloud = $2, region = $3, revision = revision + 1, updated_at = $4
             where id = $5 and revision = $6"
        )
        .bind(team.id)
        .bind(location.cloud)
        .bind(location.region())
        .bind(change.at())
        .bind(info.id)
        .bind(seen)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("recipient"));
        }
        // The row is ours: a request that comes now waits for it.
        if is_in_use(&mut change, &info).await? {
            return Err(Error::conflict(STAYS));
        }
        change.note(
            Operation::RecipientUpdate,
            Object::new("recipient", &info.name),
            json!({ "team": team.name, "location": location }),
        );
        change.commit().await?;
        self.recipient_dto(RecipientInfo {
            team_id: team.id,
            team: team.name,
            cost_center: team.cost_center,
            cloud: location.cloud,
            region: location.region().to_owned(),
            revision: seen + 1,
            ..info
        })
        .await
    }
}

async fn is_in_use(change: &mut Change, info: &RecipientInfo) -> Result<bool, Error> {
    let at = change.at();
    let row = sql!(
        "select recipient.id from recipient where recipient.id = $1 and (
             exists (select 1 from request where request.recipient_id = recipient.id)
             or exists (select 1 from recipient_token where recipient_token.recipient_id = recipient.id
                            and revoked_at is null and expires_at > $2)
             or exists (select 1 from recipient_federation where recipient_federation.recipient_id = recipient.id
                            and ended_at is null)
             or exists (select 1 from recipient_activation where recipient_activation.recipient_id = recipient.id
                            and used_at is null and ended_at is null and recipient_activation.expires_at > $2))"
    )
    .bind(info.id)
    .bind(at)
    .row(change.tx())
    .await?;
    Ok(row.is_some())
}
