//! Registering flows one at a time, listing them, switching them off, taking one out again.

mod import;

use model::dto::{Compared, Flow, FlowKind, FlowNew, FlowSwitch};
use model::{
    Cloud, FlowId, Location, Name, ProductId, ProductName, StorageId, TableId, TeamId, Timestamp,
};
use serde_json::json;

use crate::audit::Object;
use crate::catalog::check_path;
use crate::change::Change;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::{Scope, allows, can, can_see};
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// So many fetch a table, at most; more is a slip.
const CONSUMERS_MAX: u32 = 100_000;

pub(super) struct FlowRecord {
    pub(super) id: FlowId,
    pub(super) product_id: ProductId,
    product: ProductName,
    pub(super) team_id: TeamId,
    schema_name: Option<Name>,
    table_name: Option<Name>,
    pub(super) kind: FlowKind,
    pub(super) consumers: u32,
    from_location: Option<Location>,
    cloud: Cloud,
    region: String,
    pub(super) to_location: Location,
    pub(super) load_bytes: Option<u64>,
    /// What the table holds, or all tables of the product.
    held_bytes: Option<u64>,
    pub(super) copy_storage: Option<Name>,
    pub(super) copy_path: Option<String>,
    registered_at: Timestamp,
    pub(super) off_at: Option<Timestamp>,
    compared_at: Option<Timestamp>,
    compared: Option<Compared>,
    comparison: Option<String>,
    comparing: bool,
}
from_row!(FlowRecord {
    id,
    product_id,
    product,
    team_id,
    schema_name,
    table_name,
    kind,
    consumers,
    from_location,
    cloud,
    region,
    to_location,
    load_bytes,
    held_bytes,
    copy_storage,
    copy_path,
    registered_at,
    off_at,
    compared_at,
    compared,
    comparison,
    comparing
});

/// Flows with what is around them; a comparison waits where there is work on it.
macro_rules! flow_rows {
    () => {
        "select old_flow.id, old_flow.product_id, product.name as product, product.team_id, product_table.schema_name,
                product_table.name as table_name, old_flow.kind, consumers, from_location, source.cloud, source.region, to_location,
                load_bytes, copies.name as copy_storage, copy_path, registered_at, off_at, compared_at, compared, comparison,
                case when flow_table is null
                     then (select cast(sum(every.byte_count) as bigint) from product_table as every
                           where every.product_id = product.id and every.removed_at is null)
                     else product_table.byte_count end as held_bytes,
                case when comparing_at is null then false else true end as comparing
         from old_flow join product on product.id = old_flow.product_id
             left join product_table on product_table.id = flow_table
             join storage as source on source.id = coalesce(product_table.storage_id, product.storage_id)
             left join storage as copies on copies.id = copy_storage"
    };
}
pub(super) use flow_rows;

impl FlowRecord {
    pub(super) fn scope(&self) -> Scope {
        Scope::owner(self.team_id)
    }

    pub(super) fn from(&self) -> Result<Location, Error> {
        match &self.from_location {
            Some(from) => Ok(from.clone()),
            None => Location::new(self.cloud, &self.region).map_err(Error::internal),
        }
    }

    /// Bytes of one load of one consumer. What direct reads read is not what the table holds.
    pub(super) fn load(&self) -> Option<u64> {
        match self.kind {
            FlowKind::DirectReads => self.load_bytes,
            _ => self.load_bytes.or(self.held_bytes),
        }
    }

    pub(super) fn shown(self, principal: &Principal) -> Result<Flow, Error> {
        let table = self.schema_name.as_ref().zip(self.table_name.as_ref());
        Ok(Flow {
            from: self.from()?,
            reckoned_bytes: self.load(),
            table: table.map(|(schema, name)| format!("{schema}.{name}")),
            may_change: allows(principal, Operation::FlowSwitch, &self.scope()),
            id: self.id,
            product: self.product,
            kind: self.kind,
            consumers: self.consumers,
            to: self.to_location,
            load_bytes: self.load_bytes,
            storage: self.copy_storage,
            path: self.copy_path,
            registered_at: self.registered_at,
            off_at: self.off_at,
            compared_at: self.compared_at,
            compared: self.compared,
            comparison: self.comparison,
            comparing: self.comparing,
        })
    }
}

/// A flow that may be written.
struct Checked {
    product: ProductId,
    table: Option<TableId>,
    kind: FlowKind,
    consumers: u32,
    from: Option<Location>,
    to: Location,
    load_bytes: Option<u64>,
    copy: Option<(StorageId, String)>,
}

impl Exchange {
    /// The flows of products that the caller looks after or reckons for, the newest first; of one product where it is given.
    pub async fn flows(
        &self,
        principal: &Principal,
        product: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Flow>, Error> {
        can(principal, Operation::FlowList, &Scope::NONE)?;
        self.filter_by(principal, product).await?;
        let before: Option<FlowId> = page.parse_after()?;
        let (person, team) = principal.scope();
        let rows: Vec<FlowRecord> = sql!(
            flow_rows!(),
            " where ($1 or product.team_id = $3
                 or product.team_id in (select team_member.team_id from team_member where person_id = $2))
                 and (product.name = $4 or cast($4 as text) is null) and (old_flow.id < $5 or $5 is null)
              order by old_flow.id desc limit $6"
        )
        .bind(principal.sees_all() || principal.has(model::Role::Finance))
        .bind(person)
        .bind(team)
        .bind(product)
        .bind(before)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let rows = page.cut(rows, |row| row.id.to_string());
        let items = rows.items.into_iter().map(|row| row.shown(principal));
        Ok(Page {
            items: items.collect::<Result<_, _>>()?,
            next: rows.next,
        })
    }

    /// Registers a flow.
    pub async fn flow_register(&self, principal: &Principal, new: FlowNew) -> Result<Flow, Error> {
        let product = self
            .product_for(principal, Operation::FlowRegister, new.product.trim())
            .await?;
        let mut check = Check::new();
        let named = new.table.as_deref().map(str::trim);
        let tables = self.tables_of(self.db(), product.id).await?;
        let table = match named.filter(|name| !name.is_empty()) {
            None => None,
            Some(_) => crate::replicas::one_table(&mut check, &tables, named).map(|table| table.id),
        };
        let kind: Option<FlowKind> = check.parse("kind", &new.kind);
        let place = |text: &Option<String>| {
            let text = text.as_deref().map(str::trim).unwrap_or_default();
            (!text.is_empty()).then(|| text.to_owned())
        };
        let from = place(&new.from).and_then(|text| check.parse("from", &text));
        let to: Option<Location> = check.parse("to", new.to.trim());
        if !(1..=CONSUMERS_MAX).contains(&new.consumers) {
            check.fail("consumers", format!("from 1 to {CONSUMERS_MAX}"));
        }
        if new
            .load_bytes
            .is_some_and(|bytes| i64::try_from(bytes).is_err())
        {
            check.fail("load_bytes", "no load has that many bytes");
        }
        let copy = match (place(&new.storage), place(&new.path)) {
            (None, None) => None,
            (Some(storage), Some(path)) => {
                let path = check_path(&mut check, "path", &path);
                match (self.storage_by_name(&storage).await?, path) {
                    (Some(storage), Some(path)) => {
                        let place = (&storage, path.as_str());
                        self.check_copy(&mut check, principal, product.team_id, to.as_ref(), place)
                            .await?;
                        let why = self.copy_unnameable(principal, product.team_id, &storage);
                        if let Some(why) = why.await? {
                            check.fail("storage", why);
                        }
                        Some((storage.id, path))
                    }
                    (None, _) => {
                        check.fail("storage", "there is no such storage");
                        None
                    }
                    (_, None) => None,
                }
            }
            (None, Some(_)) => {
                check.fail("storage", "say in which storage the folder is");
                None
            }
            (Some(_), None) => {
                check.fail("path", "say in which folder of the storage the copy lies");
                None
            }
        };
        check.done()?;
        let (Some(kind), Some(to)) = (kind, to) else {
            return Err(Error::internal("a form without mistakes lacks something"));
        };
        let mut change = self.change(principal).await?;
        let id = write(
            &mut change,
            Checked {
                product: product.id,
                table,
                kind,
                consumers: new.consumers,
                from,
                to,
                load_bytes: new.load_bytes,
                copy,
            },
        )
        .await?;
        change.note(
            Operation::FlowRegister,
            Object::new("product", product.id),
            json!({ "flow": id, "kind": kind }),
        );
        change.commit().await?;
        let record = self
            .flow_for(principal, Operation::FlowRegister, id)
            .await?;
        record.shown(principal)
    }

    /// Switches a flow off, or on again.
    pub async fn flow_switch(
        &self,
        principal: &Principal,
        id: FlowId,
        new: FlowSwitch,
    ) -> Result<Flow, Error> {
        let record = self.flow_for(principal, Operation::FlowSwitch, id).await?;
        let now = self.now();
        let off = match new.off.as_deref().map(str::trim) {
            None => Some(now),
            Some("") => None,
            Some(text) => match Timestamp::parse(text) {
                Ok(at) if at > now => {
                    let why = "this is yet to come; say it once it is switched off";
                    return Err(Error::invalid("off", why));
                }
                Ok(at) => Some(at),
                Err(_) => {
                    let why = "write a day (2026-06-15) or an instant (2026-06-15T12:00:00Z), or leave it empty where it runs again";
                    return Err(Error::invalid("off", why));
                }
            },
        };
        let mut change = self.change(principal).await?;
        sql!("update old_flow set off_at = $1 where id = $2")
            .bind(off)
            .bind(id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::FlowSwitch,
            Object::new("product", record.product_id),
            json!({ "flow": id, "off": off }),
        );
        change.commit().await?;
        let record = self.flow_for(principal, Operation::FlowSwitch, id).await?;
        record.shown(principal)
    }

    /// Takes out a flow that was registered by mistake.
    pub async fn flow_remove(&self, principal: &Principal, id: FlowId) -> Result<(), Error> {
        let record = self.flow_for(principal, Operation::FlowRemove, id).await?;
        let mut change = self.change(principal).await?;
        sql!("delete from old_flow where id = $1")
            .bind(id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::FlowRemove,
            Object::new("product", record.product_id),
            json!({ "flow": id, "kind": record.kind, "off": record.off_at }),
        );
        change.commit().await
    }

    /// One flow, for an operation on it. Not there, too, for those who may not do it.
    pub(super) async fn flow_for(
        &self,
        principal: &Principal,
        operation: Operation,
        id: FlowId,
    ) -> Result<FlowRecord, Error> {
        if principal.is_nobody() {
            return Err(Error::Unauthenticated);
        }
        let found: Option<FlowRecord> = sql!(flow_rows!(), " where old_flow.id = $1")
            .bind(id)
            .first(self.db())
            .await?;
        let record = found.ok_or(Error::NotFound("flow"))?;
        can_see(principal, operation, &record.scope(), "flow")?;
        Ok(record)
    }
}

async fn write(change: &mut Change, flow: Checked) -> Result<FlowId, Error> {
    let at = change.at();
    let id = FlowId::new(at);
    let (storage, path) = flow.copy.unzip();
    sql!(
        "insert into old_flow (id, product_id, flow_table, kind, consumers, from_location, to_location, load_bytes, copy_storage,
             copy_path, registered_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    )
    .bind(id)
    .bind(flow.product)
    .bind(flow.table)
    .bind(flow.kind)
    .bind(flow.consumers)
    .bind(flow.from)
    .bind(flow.to)
    .bind(flow.load_bytes)
    .bind(storage)
    .bind(path)
    .bind(at)
    .execute(change.tx())
    .await?;
    Ok(id)
}
