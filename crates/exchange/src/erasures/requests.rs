//! Asking for an erasure, and looking at what came of it.

use model::dto::{Erasure, ErasureCertificate, ErasureNew, ErasurePart};
use model::{
    Cloud, ErasureId, ErasureState, Location, Name, ProductName, ReplicaTableId, Role, TableId,
    TeamId, Timestamp, Until,
};
use serde_json::json;

use super::certificate;
use crate::audit::Object;
use crate::error::{Check, Error};
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// Erasures of one team's products that may wait at the same time: each wakes a sync and a vacuum of every replica table that it is
/// about, and goes on looking at them.
const MOST_WAITING: i64 = 20;

pub(super) struct ErasureRecord {
    pub(super) id: ErasureId,
    pub(super) product: ProductName,
    pub(super) team_id: TeamId,
    pub(super) personal: bool,
    pub(super) schema_name: Option<Name>,
    pub(super) table_name: Option<Name>,
    pub(super) since_version: Option<u64>,
    pub(super) since_at: Timestamp,
    pub(super) at_once: bool,
    pub(super) reason: String,
    pub(super) state: ErasureState,
    pub(super) requested_at: Timestamp,
    pub(super) issued_at: Option<Timestamp>,
    pub(super) head: Option<String>,
    pub(super) certificate: Option<String>,
}
from_row!(ErasureRecord {
    id,
    product,
    team_id,
    personal,
    schema_name,
    table_name,
    since_version,
    since_at,
    at_once,
    reason,
    state,
    requested_at,
    issued_at,
    head,
    certificate
});

impl ErasureRecord {
    fn scope(&self) -> Scope {
        Scope {
            personal: self.personal,
            ..Scope::owner(self.team_id)
        }
    }

    /// `schema.name`.
    pub(super) fn table(&self) -> Option<String> {
        let (schema, name) = (self.schema_name.as_ref()?, self.table_name.as_ref()?);
        Some(format!("{schema}.{name}"))
    }
}

/// Erasures with what is shown of them; the certificate only where `$certificate` says so.
macro_rules! erasure_rows {
    ($certificate:literal) => {
        concat!(
            "select erasure.id, product.name as product, product.team_id,
                case when classification = 'personal' then true else false end as personal,
                schema_name, product_table.name as table_name, since_version, since_at, at_once, erasure.reason, erasure.state,
                requested_at, issued_at, head, ",
            $certificate,
            " as certificate
             from erasure join product on product.id = erasure.product_id
                 left join product_table on product_table.id = erasure.table_id "
        )
    };
}

/// A part as it is shown.
struct PartRow {
    storage: Name,
    cloud: Cloud,
    region: String,
    cut: Option<Name>,
    schema_name: Name,
    table_name: Name,
    state: ErasureState,
    reason: Option<String>,
    object_count: u64,
    updated_at: Timestamp,
}
from_row!(PartRow {
    storage,
    cloud,
    region,
    cut,
    schema_name,
    table_name,
    state,
    reason,
    object_count,
    updated_at
});

/// A replica table that a request is about.
struct Concerned {
    id: ReplicaTableId,
    cloud: Cloud,
    region: String,
}
from_row!(Concerned { id, cloud, region });

impl Exchange {
    /// Says that rows are gone from the source: they are to be gone from all replicas of the product.
    pub async fn erasure_request(
        &self,
        principal: &Principal,
        new: ErasureNew,
    ) -> Result<Erasure, Error> {
        let product = self
            .product_for(principal, Operation::ErasureRequest, new.product.trim())
            .await?;
        let mut check = Check::new();
        let reason = check.text("reason", &new.reason, 3, 500, true);
        let table = self.table_asked(&mut check, &new, product.id).await?;
        let now = self.now();
        let named = new.since.as_deref().map(str::trim);
        let since = match named.filter(|text| !text.is_empty()) {
            None => None,
            Some(_) if new.since_version.is_some() => {
                check.fail("since", "say a version or a time, not both");
                None
            }
            Some(text) => match Timestamp::parse(text) {
                Ok(at) if at > now => {
                    check.fail(
                        "since",
                        "this is yet to come; say since when the rows are gone",
                    );
                    None
                }
                // Some time on a day is, for sure, only at its end: a sync in its early hours does not hold what was deleted at noon.
                Ok(at) => Some(text.parse().map_or(at, |Until(end)| end).min(now)),
                Err(_) => {
                    check.fail(
                        "since",
                        "write a day (2026-06-15) or an instant (2026-06-15T12:00:00Z)",
                    );
                    None
                }
            },
        };
        check.done()?;
        let since_at = match (since, table, new.since_version) {
            (Some(at), _, _) => at,
            (None, Some(table), Some(version)) => {
                self.committed(table, version).await?.unwrap_or(now)
            }
            _ => now,
        };
        // Before the change begins, for it may have to write.
        let seed = self.erasure_seed().await?;
        let mut change = self.change(principal).await?;
        let waiting = sql!(
            "select count(*) as count from erasure join product on product.id = erasure.product_id
             where product.team_id = $1 and erasure.state = 'waiting'"
        )
        .bind(product.team_id)
        .row(change.tx())
        .await?;
        let waiting: i64 = waiting
            .map(|row| row.get("count"))
            .transpose()?
            .unwrap_or(0);
        if waiting >= MOST_WAITING {
            return Err(Error::conflict(format!(
                "{waiting} erasures of this team's products wait already, and more than {MOST_WAITING} may not: one that is asked for later, of \
                 the whole product, holds for what went before it too; or wait until one has come to its end"
            )));
        }
        let at = change.at();
        let id = ErasureId::new(at);
        sql!("insert into erasure (id, product_id, table_id, since_version, since_at, at_once, reason, actor, state, requested_at)
              values ($1, $2, $3, $4, $5, $6, $7, $8, 'waiting', $9)")
        .bind(id)
        .bind(product.id)
        .bind(table)
        .bind(new.since_version)
        .bind(since_at)
        .bind(new.at_once)
        .bind(&reason)
        .bind(principal.pseudonym())
        .bind(at)
        .execute(change.tx())
        .await?;
        let concerned: Vec<Concerned> = sql!(
            "select replica_table.id, cloud, region from replica_table join replica on replica.id = replica_table.replica_id
                 join storage on storage.id = replica.storage_id
             where replica.product_id = $1 and replica.state <> 'deleted' and replica_table.state <> 'deleted'
                 and (replica_table.table_id = $2 or $2 is null) order by replica_table.id"
        )
        .bind(product.id)
        .bind(table)
        .all(change.tx())
        .await?;
        for part in &concerned {
            sql!("insert into erasure_part (erasure_id, replica_table_id, state, object_count, updated_at)
                  values ($1, $2, 'waiting', 0, $3)")
            .bind(id)
            .bind(part.id)
            .bind(at)
            .execute(change.tx())
            .await?;
            let location = Location::new(part.cloud, &part.region).map_err(Error::internal)?;
            for kind in [WorkKind::Sync, WorkKind::Vacuum] {
                change.wake(Wake::new(kind, part.id).at(Some(location.clone())));
            }
        }
        change.note(
            Operation::ErasureRequest,
            Object::new("erasure", id),
            json!({ "product": product.name, "replica_tables": concerned.len(), "since": since_at,
                    "since_version": new.since_version, "at_once": new.at_once }),
        );
        self.erasure_issue(&mut change, id, &seed).await?;
        change.commit().await?;
        self.erasure(principal, id).await
    }

    /// The one table that is named.
    async fn table_asked(
        &self,
        check: &mut Check,
        new: &ErasureNew,
        product: model::ProductId,
    ) -> Result<Option<TableId>, Error> {
        let named = new.table.as_deref().map(str::trim);
        let Some(named) = named.filter(|name| !name.is_empty()) else {
            if new.since_version.is_some() {
                check.fail(
                    "table",
                    "versions are a table's own: say of which one this is",
                );
            }
            return Ok(None);
        };
        let tables = self.tables_of(self.db(), product).await?;
        let found = tables
            .iter()
            .find(|table| format!("{}.{}", table.schema, table.name) == named);
        if found.is_none() {
            check.fail(
                "table",
                "the product has no such table; write it as schema.name",
            );
        }
        Ok(found.map(|table| table.id))
    }

    /// When a version of a source was committed, or the first after it that was seen.
    async fn committed(&self, table: TableId, version: u64) -> Result<Option<Timestamp>, Error> {
        let row = sql!(
            "select min(committed_at) as at from table_commit where table_id = $1 and version >= $2"
        )
        .bind(table)
        .bind(version)
        .row(self.db())
        .await?;
        Ok(row.map(|row| row.get("at")).transpose()?.flatten())
    }

    /// Erasures that the caller may see, newest first; of one product where `product` is given.
    pub async fn erasures(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Erasure>, Error> {
        can(principal, Operation::ErasureList, &Scope::NONE)?;
        self.filter_by(principal, product).await?;
        let before: Option<ErasureId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<ErasureRecord> = sql!(
            erasure_rows!("cast(null as text)"),
            "where ($1 or product.team_id = $3 or (classification = 'personal' and $4)
                    or product.team_id in (select team_member.team_id from team_member where person_id = $2))
                 and (erasure.id < $5 or $5 is null) and (product.name = $6 or cast($6 as text) is null)
             order by erasure.id desc limit $7"
        )
        .bind(principal.sees_all())
        .bind(person)
        .bind(team)
        .bind(principal.has(Role::DataProtection))
        .bind(before)
        .bind(product)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let page = page.cut(rows, |row| row.id.to_string());
        let mut items = Vec::with_capacity(page.items.len());
        for record in page.items {
            items.push(self.erasure_shown(record).await?);
        }
        Ok(Page {
            items,
            next: page.next,
        })
    }

    /// One erasure. Its certificate is checked as it is kept.
    pub async fn erasure(&self, principal: &Principal, id: ErasureId) -> Result<Erasure, Error> {
        let record = self
            .erasure_for(principal, Operation::ErasureRead, id)
            .await?;
        let keys = self.erasure_keys().await?;
        let is_ours = |key: &str| {
            keys.public_key == key || keys.retired.iter().any(|retired| retired.public_key == key)
        };
        let checked = record
            .certificate
            .as_deref()
            .map(|text| certificate::check(text, None).ok())
            .map(|checked| checked.filter(|checked| is_ours(&checked.public_key)));
        Ok(Erasure {
            is_sound: checked.as_ref().map(Option::is_some),
            public_key: checked.flatten().map(|checked| checked.public_key),
            ..self.erasure_shown(record).await?
        })
    }

    /// The certificate, once it is issued.
    pub async fn erasure_certificate(
        &self,
        principal: &Principal,
        id: ErasureId,
    ) -> Result<ErasureCertificate, Error> {
        let record = self
            .erasure_for(principal, Operation::ErasureCertificate, id)
            .await?;
        let certificate = record.certificate.ok_or_else(|| {
            Error::conflict(
                "there is no certificate yet: not every replica has come to an end; look at the erasure for what it waits for",
            )
        })?;
        Ok(ErasureCertificate { certificate })
    }

    async fn erasure_for(
        &self,
        principal: &Principal,
        operation: Operation,
        id: ErasureId,
    ) -> Result<ErasureRecord, Error> {
        if principal.is_nobody() {
            return Err(Error::Unauthenticated);
        }
        let found: Option<ErasureRecord> =
            sql!(erasure_rows!("certificate"), "where erasure.id = $1")
                .bind(id)
                .first(self.db())
                .await?;
        let record = found.ok_or(Error::NotFound("erasure"))?;
        can_see(principal, operation, &record.scope(), "erasure")?;
        Ok(record)
    }

    async fn erasure_shown(&self, record: ErasureRecord) -> Result<Erasure, Error> {
        let parts: Vec<PartRow> = sql!(
            "select storage.name as storage, cloud, region, cut.name as cut, schema_name, product_table.name as table_name,
                    erasure_part.state, erasure_part.reason, object_count, erasure_part.updated_at
             from erasure_part join replica_table on replica_table.id = replica_table_id
                 join replica on replica.id = replica_table.replica_id join storage on storage.id = replica.storage_id
                 join product_table on product_table.id = replica_table.table_id left join cut on cut.id = replica.cut_id
             where erasure_id = $1 order by storage.name, coalesce(cut.name, ''), schema_name, product_table.name, replica_table.id"
        )
        .bind(record.id)
        .all(self.db())
        .await?;
        let parts = parts.into_iter().map(|part| {
            Ok::<_, Error>(ErasurePart {
                location: Location::new(part.cloud, &part.region).map_err(Error::internal)?,
                storage: part.storage,
                cut: part.cut,
                schema: part.schema_name,
                table: part.table_name,
                state: part.state,
                reason: part.reason,
                objects: part.object_count,
                updated_at: part.updated_at,
            })
        });
        let parts: Result<Vec<ErasurePart>, Error> = parts.collect();
        Ok(Erasure {
            table: record.table(),
            id: record.id,
            product: record.product,
            since_version: record.since_version,
            since: record.since_at,
            at_once: record.at_once,
            reason: record.reason,
            state: record.state,
            requested_at: record.requested_at,
            issued_at: record.issued_at,
            head: record.head,
            is_sound: None,
            public_key: None,
            parts: parts?,
        })
    }
}
