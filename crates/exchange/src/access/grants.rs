//! Grants: reading them, ending them, and their end by time.

use model::dto::{Grant, RevokeNew};
use model::{
    Cloud, CutId, GrantActual, GrantDesired, GrantId, Location, Mode, Name, ProductId, ProductName,
    RequestId, TeamId, Timestamp,
};
use serde_json::json;

use super::scope::may_narrow;
use crate::audit::Object;
use crate::change::Change;
use crate::db::{DbError, On};
use crate::error::{Check, Error};
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, allows, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Grants with the names around them, as [`GrantRecord`] reads them.
macro_rules! grant_rows {
    () => {
        "select access_grant.id, access_grant.name, request_id, access_grant.product_id, product.name as product,
         product.team_id as owner_id, case when classification = 'personal' then true else false end as personal,
         recipient.name as recipient, recipient.team_id, team.name as team, recipient.cloud, recipient.region,
         access_grant.mode, purpose_code, purpose_text, access_grant.until_at, desired, actual, generation, verified_at,
         first_read_at, urls_until, store_urls_until, reason, ended_at, ended_reason, access_grant.revision,
         access_grant.live_bytes_per_day,
         (select max(live_read.day) from live_read where live_read.grant_id = access_grant.id) as live_day,
         (select live_read.bytes from live_read where live_read.grant_id = access_grant.id
          order by live_read.day desc limit 1) as live_bytes,
         (select min(replica.late_since) from replica join storage on storage.id = replica.storage_id
          where access_grant.mode = 'replica' and replica.product_id = access_grant.product_id
              and (replica.cut_id = access_grant.cut_id or (replica.cut_id is null and access_grant.cut_id is null))
              and storage.cloud = recipient.cloud and storage.region = recipient.region
              and replica.state in ('pending', 'ready')) as stale_since,
         access_grant.row_filter, access_grant.directory_access, access_grant.cut_id, cut.name as cut
         from access_grant left join cut on cut.id = access_grant.cut_id join request on request.id = access_grant.request_id
         join product on product.id = access_grant.product_id
         join recipient on recipient.id = access_grant.recipient_id
         join team on team.id = recipient.team_id"
    };
}

/// A grant's row with the names around it.
#[derive(Clone, Debug)]
pub(crate) struct GrantRecord {
    pub id: GrantId,
    pub name: Option<Name>,
    pub request_id: RequestId,
    pub product_id: ProductId,
    pub product: ProductName,
    pub owner_id: TeamId,
    pub personal: bool,
    pub recipient: Name,
    pub team_id: TeamId,
    pub team: Name,
    pub cloud: Cloud,
    pub region: String,
    pub mode: Mode,
    pub purpose_code: String,
    pub purpose_text: String,
    pub until_at: Timestamp,
    pub desired: GrantDesired,
    pub actual: GrantActual,
    pub generation: i64,
    pub verified_at: Option<Timestamp>,
    pub first_read_at: Option<Timestamp>,
    pub urls_until: Option<Timestamp>,
    pub store_urls_until: Option<Timestamp>,
    pub reason: Option<String>,
    pub ended_at: Option<Timestamp>,
    pub ended_reason: Option<String>,
    pub row_filter: Option<String>,
    pub directory_access: bool,
    /// The cut that it opens; None for the whole product.
    pub cut_id: Option<CutId>,
    pub cut: Option<Name>,
    pub revision: i64,
    pub live_bytes_per_day: Option<u64>,
    /// The last day on which something of the producer's own was handed out, and how much.
    live_day: Option<i64>,
    live_bytes: Option<u64>,
    /// Since when the replica that it reads is later than promised.
    stale_since: Option<Timestamp>,
}
from_row!(GrantRecord {
    id,
    name,
    request_id,
    product_id,
    product,
    owner_id,
    personal,
    recipient,
    team_id,
    team,
    cloud,
    region,
    mode,
    purpose_code,
    purpose_text,
    until_at,
    desired,
    actual,
    generation,
    verified_at,
    first_read_at,
    urls_until,
    store_urls_until,
    reason,
    ended_at,
    ended_reason,
    row_filter,
    directory_access,
    cut_id,
    cut,
    revision,
    live_bytes_per_day,
    live_day,
    live_bytes,
    stale_since
});

impl GrantRecord {
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            owner: Some(self.owner_id),
            consumer: Some(self.team_id),
            person: None,
            personal: self.personal,
        }
    }

    /// Whether people want it and its time is not over.
    pub(crate) fn is_wanted(&self, at: Timestamp) -> bool {
        self.desired == GrantDesired::Active && self.until_at > at
    }
}

/// The grant as the caller may see it; `today` is the UTC day.
fn grant_dto(principal: &Principal, today: i64, record: GrantRecord) -> Result<Grant, Error> {
    let is_open = record.desired == GrantDesired::Active;
    let live_bytes = record.live_bytes.filter(|_| record.live_day == Some(today));
    Ok(Grant {
        // What is read from a replica is read as that holds it.
        may_narrow: is_open && record.cut_id.is_none() && may_narrow(principal, &record),
        may_limit: is_open
            && record.cut_id.is_none()
            && allows(principal, Operation::GrantLimit, &record.scope()),
        live_bytes_per_day: record.live_bytes_per_day,
        live_bytes_today: live_bytes.unwrap_or(0),
        stale_since: record.stale_since.filter(|_| is_open),
        may_revoke: is_open && allows(principal, Operation::GrantRevoke, &record.scope()),
        location: Location::new(record.cloud, &record.region).map_err(Error::internal)?,
        id: record.id,
        name: record.name,
        request: record.request_id,
        product: record.product,
        recipient: record.recipient,
        team: record.team,
        mode: record.mode,
        cut: record.cut,
        purpose_code: record.purpose_code,
        purpose_text: record.purpose_text,
        until: record.until_at,
        desired: record.desired,
        actual: record.actual,
        verified_at: record.verified_at,
        first_read_at: record.first_read_at,
        urls_until: match record.desired {
            GrantDesired::Active => record.urls_until,
            GrantDesired::Ended => record.store_urls_until,
        },
        reason: record.reason,
        ended_at: record.ended_at,
        ended_reason: record.ended_reason,
        rows: record.row_filter,
        directory: record.directory_access,
        revision: record.revision,
    })
}

impl Exchange {
    pub(crate) async fn grant_record<'a>(
        &self,
        on: impl Into<On<'a>>,
        id: GrantId,
    ) -> Result<Option<GrantRecord>, DbError> {
        sql!(grant_rows!(), " where access_grant.id = $1")
            .bind(id)
            .first(on)
            .await
    }

    /// Grants that concern the caller, newest first; of one product when `product` is given.
    pub async fn grants(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Grant>, Error> {
        can(principal, Operation::GrantList, &Scope::NONE)?;
        self.filter_by(principal, product).await?;
        self.grants_listed(principal, product, None, page).await
    }

    /// The same of one recipient; of one that is not there, none.
    pub async fn grants_of_recipient(
        &self,
        principal: &Principal,
        recipient: &str,
        page: &PageRequest,
    ) -> Result<Page<Grant>, Error> {
        can(principal, Operation::GrantList, &Scope::NONE)?;
        self.grants_listed(principal, None, Some(recipient), page)
            .await
    }

    /// The visibility rule of both lists; ask the policy first.
    async fn grants_listed(
        &self,
        principal: &Principal,
        product: Option<&str>,
        recipient: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Grant>, Error> {
        let before: Option<GrantId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<GrantRecord> = sql!(
            grant_rows!(),
            " where (access_grant.id < $1 or $1 is null) and (product.name = $2 or cast($2 as text) is null)
                 and (recipient.name = $8 or cast($8 as text) is null)
                 and ($3 or recipient.team_id = $5 or product.team_id = $5 or (classification = 'personal' and $6)
                 or recipient.team_id in (select team_member.team_id from team_member where person_id = $4)
                 or product.team_id in (select team_member.team_id from team_member where person_id = $4))
                 order by access_grant.id desc limit $7"
        )
        .bind(before)
        .bind(product)
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .bind(principal.has(model::Role::DataProtection))
        .bind(page.fetch())
        .bind(recipient)
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        let today = self.now().utc_day();
        let items = page
            .items
            .into_iter()
            .map(|record| grant_dto(principal, today, record))
            .collect::<Result<_, _>>()?;
        Ok(Page {
            items,
            next: page.next,
        })
    }

    /// What is known of a grant, to somebody who sees it.
    pub(super) async fn grant_seen(
        &self,
        principal: &Principal,
        id: GrantId,
    ) -> Result<GrantRecord, Error> {
        let Some(record) = self.grant_record(self.db(), id).await? else {
            can(principal, Operation::GrantList, &Scope::NONE)?;
            return Err(Error::NotFound("grant"));
        };
        can_see(principal, Operation::GrantRead, &record.scope(), "grant")?;
        Ok(record)
    }

    pub async fn grant(&self, principal: &Principal, id: GrantId) -> Result<Grant, Error> {
        let record = self.grant_seen(principal, id).await?;
        grant_dto(principal, self.now().utc_day(), record)
    }

    /// Ends a grant now: by the consumer (giving up), the owner, data protection or an admin. New calls are refused from
    /// this commit on; the answer's `urls_until` says until when URLs that were handed out may still work. Ending what has
    /// ended changes nothing.
    pub async fn grant_revoke(
        &self,
        principal: &Principal,
        id: GrantId,
        new: RevokeNew,
    ) -> Result<Grant, Error> {
        let record = self.grant_seen(principal, id).await?;
        can(principal, Operation::GrantRevoke, &record.scope())?;
        let mut check = Check::new();
        let reason = check.text("reason", &new.reason, 1, 1_000, true);
        check.done()?;
        if record.desired == GrantDesired::Ended {
            return grant_dto(principal, self.now().utc_day(), record);
        }
        let mut change = self.change(principal).await?;
        self.grant_end(
            &mut change,
            Operation::GrantRevoke,
            id,
            record.product_id,
            &reason,
        )
        .await?;
        change.commit().await?;
        self.grant(principal, id).await
    }

    /// Marks a grant as not wanted any more and drains what only it needed; part of the caller's change.
    pub(crate) async fn grant_end(
        &self,
        change: &mut Change,
        operation: Operation,
        id: GrantId,
        product: ProductId,
        reason: &str,
    ) -> Result<(), Error> {
        let at = change.at();
        // Who ends it after its time was over has not ended it: it was over then.
        sql!("update access_grant set desired = 'ended', ended_reason = $1, generation = generation + 1,
                  stopped_at = case when until_at < $2 then until_at else $2 end, revision = revision + 1, updated_at = $2
              where id = $3 and desired = 'active'")
        .bind(reason)
        .bind(at)
        .bind(id)
        .execute(change.tx())
        .await?;
        self.replicas_drain_unused(change, product).await?;
        change.wake(Wake::new(WorkKind::Grant, id));
        change.note(
            operation,
            Object::new("grant", id),
            json!({ "desired": "ended" }),
        );
        Ok(())
    }

    /// Ends the grants whose time is over. The sharing service refuses them from their last instant on; this makes it
    /// visible and drains replicas.
    pub async fn grants_expire(&self, principal: &Principal) -> Result<u64, Error> {
        can(principal, Operation::GrantObserve, &Scope::NONE)?;
        let rows = sql!("select id, product_id from access_grant where desired = 'active' and until_at <= $1 limit 500")
            .bind(self.now())
            .rows(self.db())
            .await?;
        let mut ended = 0;
        for row in rows {
            let mut change = self.change(principal).await?;
            self.grant_end(
                &mut change,
                Operation::GrantObserve,
                row.get("id")?,
                row.get("product_id")?,
                "its time is over",
            )
            .await?;
            change.commit().await?;
            ended += 1;
        }
        Ok(ended)
    }
}
