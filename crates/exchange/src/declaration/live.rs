//! What is live, read at once: what a plan compares with and what an export writes. Everything is read here; what the
//! caller may see of it is asked of each record.

use std::collections::{BTreeMap, BTreeSet};

use model::dto::{Cut, Domain, Federation};
use model::{
    Cloud, Commits, Fetches, GrantDesired, GrantId, Location, Mode, Name, ProductId, ProductName,
    ProductState, RecipientId, RequestId, RequestState, SyncJobId, TeamId, Timestamp,
};

use crate::access::{RecipientInfo, recipient_rows};
use crate::billing::{RateRecord, ServiceRateRecord};
use crate::catalog::{ProductRecord, is_visible, product_rows};
use crate::db::FromRow as _;
use crate::error::Error;
use crate::operation::Operation;
use crate::people::TeamRecord;
use crate::policy::{Scope, allows};
use crate::principal::Principal;
use crate::storages::{StorageRecord, is_any_producer};
use crate::{Exchange, from_row, sql};

/// Where the exchange's own name is kept.
pub(super) const EXCHANGE_NAME: &str = "exchange.name";

pub(super) struct Live {
    pub(super) at: Timestamp,
    pub(super) exchange: Option<String>,
    pub(super) domains: BTreeMap<Name, Domain>,
    pub(super) teams: BTreeMap<Name, TeamRecord>,
    pub(super) storages: BTreeMap<Name, StorageRecord>,
    pub(super) products: BTreeMap<ProductName, LiveProduct>,
    pub(super) recipients: BTreeMap<Name, RecipientInfo>,
    /// Those that stay where they are: something was asked for them, or they have a credential.
    pub(super) fixed_recipients: BTreeSet<RecipientId>,
    /// Whose word lets them in, where somebody's does.
    pub(super) federations: BTreeMap<RecipientId, Vec<Federation>>,
    /// Oldest first.
    pub(super) asks: Vec<Ask>,
    pub(super) jobs: Vec<LiveJob>,
    pub(super) rates: Vec<RateRecord>,
    pub(super) service_rates: Vec<ServiceRateRecord>,
}

pub(super) struct LiveProduct {
    pub(super) record: ProductRecord,
    pub(super) tags: Vec<String>,
    pub(super) tables: BTreeMap<(Name, Name), LiveTable>,
    /// Those that are not retired.
    pub(super) cuts: BTreeMap<Name, Cut>,
}

impl LiveProduct {
    pub(super) fn is_visible_to(&self, principal: &Principal) -> bool {
        is_visible(principal, self.record.team_id, self.record.state)
    }

    /// Who may see where its tables lie.
    pub(super) fn is_open_to(&self, principal: &Principal) -> bool {
        principal.sees_all() || principal.is_member(self.record.team_id)
    }
}

/// A table's row, as far as a declaration speaks of it.
pub(super) struct LiveTable {
    product_id: ProductId,
    schema_name: Name,
    name: Name,
    pub(super) storage: Name,
    pub(super) path: String,
    pub(super) format: String,
    pub(super) history: bool,
    pub(super) history_start: Option<u64>,
    pub(super) change_data_feed: bool,
}
from_row!(LiveTable {
    product_id,
    schema_name,
    name,
    storage,
    path,
    format,
    history,
    history_start,
    change_data_feed
});

struct TagRow {
    product_id: ProductId,
    tag: String,
}
from_row!(TagRow { product_id, tag });

/// A request that was declared, or waits, or has a grant that stands; with its grant.
#[derive(Clone, Debug)]
pub(super) struct Ask {
    pub(super) request_id: RequestId,
    /// As the declaration that made it calls the grant.
    pub(super) grant_name: Option<Name>,
    pub(super) state: RequestState,
    pub(super) product: ProductName,
    pub(super) owner_id: TeamId,
    pub(super) personal: bool,
    pub(super) recipient: Name,
    pub(super) team_id: TeamId,
    pub(super) team: Name,
    pub(super) cloud: Cloud,
    pub(super) region: String,
    pub(super) mode: Mode,
    pub(super) cut: Option<Name>,
    pub(super) until_at: Timestamp,
    pub(super) purpose_code: String,
    pub(super) purpose_text: String,
    pub(super) grant_id: Option<GrantId>,
    pub(super) desired: Option<GrantDesired>,
    pub(super) ended_reason: Option<String>,
    /// Of the grant; of a request without one, what it is to get.
    pub(super) live_bytes_per_day: Option<u64>,
    pub(super) row_filter: Option<String>,
    pub(super) directory_access: bool,
}
from_row!(Ask {
    request_id,
    grant_name,
    state,
    product,
    owner_id,
    personal,
    recipient,
    team_id,
    team,
    cloud,
    region,
    mode,
    cut,
    until_at,
    purpose_code,
    purpose_text,
    grant_id,
    desired,
    ended_reason,
    live_bytes_per_day,
    row_filter,
    directory_access
});

impl Ask {
    pub(super) fn stands(&self, at: Timestamp) -> bool {
        self.desired == Some(GrantDesired::Active) && self.until_at > at
    }

    pub(super) fn waits(&self) -> bool {
        self.state == RequestState::Submitted
    }

    pub(super) fn scope(&self) -> Scope {
        Scope {
            owner: Some(self.owner_id),
            consumer: Some(self.team_id),
            person: None,
            personal: self.personal,
        }
    }

    pub(super) fn is_visible_to(&self, principal: &Principal) -> bool {
        allows(principal, Operation::GrantRead, &self.scope())
    }

    pub(super) fn location(&self) -> Result<Location, Error> {
        Location::new(self.cloud, &self.region).map_err(Error::internal)
    }
}

/// A replica with its job.
pub(super) struct LiveJob {
    id: SyncJobId,
    pub(super) product: ProductName,
    pub(super) cut: Option<Name>,
    pub(super) storage: Name,
    pub(super) name: Option<Name>,
    pub(super) every_seconds: Option<i64>,
    pub(super) at_time: Option<String>,
    pub(super) cron: Option<String>,
    pub(super) new_version_seconds: Option<i64>,
    pub(super) fresh_seconds: Option<i64>,
    pub(super) timezone: String,
    pub(super) verify_objects: Option<String>,
    pub(super) verify_rows: Option<String>,
    pub(super) retention_hours: i64,
    pub(super) keep_hours: i64,
    pub(super) forget_hours: Option<i64>,
    pub(super) fetches: Fetches,
    pub(super) commits: Commits,
    pub(super) paused: bool,
    pub(super) revision: i64,
}
from_row!(LiveJob {
    id,
    product,
    cut,
    storage,
    name,
    every_seconds,
    at_time,
    cron,
    new_version_seconds,
    fresh_seconds,
    timezone,
    verify_objects,
    verify_rows,
    retention_hours,
    keep_hours,
    forget_hours,
    fetches,
    commits,
    paused,
    revision
});

/// As operations on replicas take it.
pub(super) fn replica_of(product: &ProductName, cut: Option<&Name>, storage: &Name) -> String {
    match cut {
        Some(cut) => format!("{product}:{cut}@{storage}"),
        None => format!("{product}@{storage}"),
    }
}

impl LiveJob {
    /// As operations on replicas take it.
    pub(super) fn reference(&self) -> String {
        replica_of(&self.product, self.cut.as_ref(), &self.storage)
    }

    /// The name of the job in a declaration; one that has none gets one of its own, always the same.
    pub(super) fn export_name(&self) -> String {
        self.name.as_ref().map_or_else(
            || format!("job-{}", &self.id.0.simple().to_string()[20..]),
            ToString::to_string,
        )
    }

    /// The job's name, or its replica where it has none.
    pub(super) fn shown_name(&self) -> String {
        self.name
            .as_ref()
            .map_or_else(|| self.reference(), ToString::to_string)
    }
}

impl Live {
    pub(super) fn team_id(&self, name: &Name) -> Option<TeamId> {
        self.teams.get(name).map(|team| team.id)
    }

    /// The product, if the caller may know of it.
    pub(super) fn product_for(
        &self,
        principal: &Principal,
        name: &ProductName,
    ) -> Option<&LiveProduct> {
        self.products
            .get(name)
            .filter(|product| product.is_visible_to(principal))
    }
}

/// Who may see the addresses of storages.
pub(super) fn sees_addresses(principal: &Principal) -> bool {
    principal.sees_all() || is_any_producer(principal)
}

impl Exchange {
    pub(super) async fn live(&self) -> Result<Live, Error> {
        let exchange = sql!("select value from setting where name = $1")
            .bind(EXCHANGE_NAME)
            .row(self.db())
            .await?
            .map(|row| row.get("value"))
            .transpose()?;
        let domains: Vec<Domain> =
            sql!("select name, title, description, revision from domain order by name")
                .all(self.db())
                .await?;
        let teams: Vec<TeamRecord> = sql!(
            "select team.id, team.name, domain_id, domain.name as domain, team.title, cost_center, contact, team.revision
             from team join domain on domain.id = domain_id order by team.name"
        )
        .all(self.db())
        .await?;
        let storages = self.storage_records(self.db()).await?;
        let recipients: Vec<RecipientInfo> = sql!(recipient_rows!(), " order by recipient.name")
            .all(self.db())
            .await?;
        let rates = sql!(
            "select id, from_cloud, from_region, to_cloud, to_region, price_nano, unit, currency, valid_from, valid_until, source
             from rate order by from_cloud, from_region, to_cloud, to_region, valid_from"
        )
        .all(self.db())
        .await?;
        let service_rates = sql!(
            "select id, kind, price_nano, currency, valid_from, valid_until, source from service_rate order by kind, valid_from"
        )
        .all(self.db())
        .await?;
        Ok(Live {
            at: self.now(),
            exchange,
            domains: domains
                .into_iter()
                .map(|domain| (domain.name.clone(), domain))
                .collect(),
            teams: teams
                .into_iter()
                .map(|team| (team.name.clone(), team))
                .collect(),
            storages: storages
                .into_iter()
                .map(|storage| (storage.name.clone(), storage))
                .collect(),
            products: self.live_products().await?,
            recipients: recipients
                .into_iter()
                .map(|recipient| (recipient.name.clone(), recipient))
                .collect(),
            fixed_recipients: self.live_fixed_recipients().await?,
            federations: self.live_federations().await?,
            asks: self.live_asks().await?,
            jobs: self.live_jobs().await?,
            rates,
            service_rates,
        })
    }

    async fn live_products(&self) -> Result<BTreeMap<ProductName, LiveProduct>, Error> {
        let records: Vec<ProductRecord> = sql!(product_rows!(), " order by product.name")
            .all(self.db())
            .await?;
        let tables: Vec<LiveTable> = sql!(
            "select product_id, schema_name, product_table.name, storage.name as storage, path, format, history, history_start, change_data_feed
             from product_table join storage on storage.id = storage_id where removed_at is null
             order by product_id, schema_name, product_table.name"
        )
        .all(self.db())
        .await?;
        let tags: Vec<TagRow> =
            sql!("select product_id, tag from product_tag order by product_id, tag")
                .all(self.db())
                .await?;
        let mut by_id: BTreeMap<ProductId, LiveProduct> = records
            .into_iter()
            .map(|record| {
                let product = LiveProduct {
                    record,
                    tags: Vec::new(),
                    tables: BTreeMap::new(),
                    cuts: BTreeMap::new(),
                };
                (product.record.id, product)
            })
            .collect();
        for table in tables {
            if let Some(product) = by_id.get_mut(&table.product_id) {
                let key = (table.schema_name.clone(), table.name.clone());
                product.tables.insert(key, table);
            }
        }
        for row in tags {
            if let Some(product) = by_id.get_mut(&row.product_id) {
                product.tags.push(row.tag);
            }
        }
        let named = sql!("select distinct product_id from cut where retired_at is null")
            .rows(self.db())
            .await?;
        for row in named {
            let Some(product) = by_id.get_mut(&row.get::<ProductId>("product_id")?) else {
                continue;
            };
            let name = product.record.name.as_str();
            let cuts = self.cuts(&Principal::operator(), name).await?;
            let cuts = cuts.into_iter().filter(|cut| !cut.retired);
            product.cuts = cuts.map(|cut| (cut.name.clone(), cut)).collect();
        }
        Ok(by_id
            .into_values()
            .map(|product| (product.record.name.clone(), product))
            .collect())
    }

    async fn live_fixed_recipients(&self) -> Result<BTreeSet<RecipientId>, Error> {
        let rows = sql!(
            "select recipient_id from request
             union select recipient_id from recipient_token where revoked_at is null and expires_at > $1
             union select recipient_id from recipient_federation where ended_at is null
             union select recipient_id from recipient_activation
                 where used_at is null and ended_at is null and expires_at > $1"
        )
        .bind(self.now())
        .rows(self.db())
        .await?;
        let ids = rows.iter().map(|row| row.get("recipient_id"));
        Ok(ids.collect::<Result<_, _>>()?)
    }

    async fn live_federations(&self) -> Result<BTreeMap<RecipientId, Vec<Federation>>, Error> {
        let rows = sql!(
            "select recipient_id, id, issuer, audience, claim, subject, created_at from recipient_federation
             where ended_at is null order by created_at, id"
        )
        .rows(self.db())
        .await?;
        let mut found: BTreeMap<RecipientId, Vec<Federation>> = BTreeMap::new();
        for row in &rows {
            let of = found.entry(row.get("recipient_id")?).or_default();
            of.push(Federation::from_row(row)?);
        }
        Ok(found)
    }

    async fn live_asks(&self) -> Result<Vec<Ask>, Error> {
        Ok(sql!(
            "select request.id as request_id, request.grant_name, request.state, product.name as product,
                    product.team_id as owner_id, case when classification = 'personal' then true else false end as personal,
                    recipient.name as recipient, recipient.team_id, team.name as team, recipient.cloud, recipient.region,
                    request.mode, cut.name as cut, request.until_at, purpose_code, purpose_text, access_grant.id as grant_id, desired, ended_reason,
                    case when access_grant.id is null then request.live_bytes_per_day
                         else access_grant.live_bytes_per_day end as live_bytes_per_day,
                    case when access_grant.id is null then request.row_filter
                         else access_grant.row_filter end as row_filter,
                    case when access_grant.id is null then request.directory_access
                         else access_grant.directory_access end as directory_access
             from request join product on product.id = request.product_id
                 join recipient on recipient.id = request.recipient_id join team on team.id = recipient.team_id
                 left join cut on cut.id = request.cut_id left join access_grant on access_grant.request_id = request.id
             where request.grant_name is not null or request.state = 'submitted' or desired = 'active'
             order by request.id"
        )
        .all(self.db())
        .await?)
    }

    async fn live_jobs(&self) -> Result<Vec<LiveJob>, Error> {
        Ok(sql!(
            "select sync_job.id, product.name as product, cut.name as cut, storage.name as storage, sync_job.name, every_seconds, at_time, cron,
                    new_version_seconds, fresh_seconds, timezone, verify_objects, verify_rows, retention_hours, keep_hours,
                    forget_hours, fetches, commits, paused, sync_job.revision
             from sync_job join replica on replica.id = replica_id join product on product.id = replica.product_id
                 join storage on storage.id = replica.storage_id left join cut on cut.id = replica.cut_id
             where replica.state <> 'deleted' and (replica.cut_id is null or replica.edition = cut.edition)
             order by product.name, coalesce(cut.name, ''), storage.name"
        )
        .all(self.db())
        .await?)
    }
}

/// Whether a product can still be changed.
pub(super) const fn is_retired(state: ProductState) -> bool {
    matches!(state, ProductState::Retired)
}
