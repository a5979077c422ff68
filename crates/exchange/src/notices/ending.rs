//! Accesses that end soon: told once fourteen days before, and once three.

use model::time::DAY;
use model::{Cloud, GrantId, Location, Mode, Name, NoticeEvent, ProductName, TeamId, Timestamp};

use super::{Audience, Facts, NoticeNew};
use crate::error::Error;
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// How many days before the end, the earlier warning first.
const WARNINGS: [i64; 2] = [14, 3];

/// How many one look tells of; the rest is found by the next.
const MOST: i64 = 500;

struct Ending {
    id: GrantId,
    product: ProductName,
    team_id: TeamId,
    team: Name,
    recipient: Name,
    cloud: Cloud,
    region: String,
    mode: Mode,
    until_at: Timestamp,
    cut: Option<Name>,
}
from_row!(Ending {
    id,
    product,
    team_id,
    team,
    recipient,
    cloud,
    region,
    mode,
    until_at,
    cut
});

impl Exchange {
    /// Tells of the accesses that end in fourteen and in three days. One that was given for less than that, or that another one
    /// follows, is not told of. Called now and then by a worker.
    pub async fn endings_tick(&self, principal: &Principal) -> Result<(), Error> {
        can(principal, Operation::NoticeSend, &Scope::NONE)?;
        if !self.tells() {
            return Ok(());
        }
        // The later warning first: where both have come since the last look, the earlier one is over.
        for days in WARNINGS.into_iter().rev() {
            self.endings_within(days).await?;
        }
        Ok(())
    }

    async fn endings_within(&self, days: i64) -> Result<(), Error> {
        let now = self.now();
        let endings: Vec<Ending> = sql!(
            "select access_grant.id, product.name as product, recipient.team_id, team.name as team,
                 recipient.name as recipient, recipient.cloud, recipient.region, access_grant.mode, access_grant.until_at,
                 cut.name as cut
             from access_grant left join cut on cut.id = access_grant.cut_id join product on product.id = access_grant.product_id
                 join recipient on recipient.id = access_grant.recipient_id join team on team.id = recipient.team_id
             where access_grant.desired = 'active' and access_grant.until_at > $1 and access_grant.until_at <= $1 + $2
                 and access_grant.until_at - access_grant.created_at > $2
                 and (access_grant.told_days is null or access_grant.told_days > $3)
                 and not exists (select 1 from access_grant as follower where follower.product_id = access_grant.product_id
                     and (follower.cut_id = access_grant.cut_id or (follower.cut_id is null and access_grant.cut_id is null))
                     and follower.recipient_id = access_grant.recipient_id and follower.mode = access_grant.mode
                     and follower.desired = 'active' and follower.until_at > access_grant.until_at)
             order by access_grant.until_at, access_grant.id limit $4"
        )
        .bind(now)
        .bind(days * DAY)
        .bind(days)
        .bind(MOST)
        .all(self.db())
        .await?;
        for ending in endings {
            let mut tx = self.db().begin().await?;
            // Two processes look at once: only the one that notes it tells.
            let told = sql!(
                "update access_grant set told_days = $1 where id = $2 and desired = 'active'
                     and (told_days is null or told_days > $1)"
            )
            .bind(days)
            .bind(ending.id)
            .execute(&mut tx)
            .await?;
            if told == 0 {
                continue;
            }
            let left = (ending.until_at.since(now) + DAY - 1) / DAY;
            let location = Location::new(ending.cloud, &ending.region).map_err(Error::internal)?;
            let notice = NoticeNew {
                key: format!("{}/{}/{days}", NoticeEvent::AccessEnding, ending.id),
                event: NoticeEvent::AccessEnding,
                facts: Facts {
                    product: Some(ending.product),
                    team: Some(ending.team),
                    recipient: Some(ending.recipient),
                    location: Some(location),
                    mode: Some(ending.mode),
                    cut: ending.cut,
                    until: Some(ending.until_at),
                    days: Some(left),
                    grant: Some(ending.id),
                    ..Facts::default()
                },
                audience: Audience::Members(ending.team_id),
            };
            self.tell(&mut tx, now, notice).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
