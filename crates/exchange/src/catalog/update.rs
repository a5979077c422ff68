//! Changing a product: its description, its rules, its tables.

use std::collections::BTreeSet;

use model::dto::{Inspection, ProductChange, ProductDetail};
use model::{
    AccessPolicy, Classification, GrantId, Payer, ProductId, ProductName, ProductState, Role,
};
use serde_json::json;

use super::life::live_grants;
use super::register::{begins_with, check_baseline, check_policy, check_tags, described};
use super::tables::{Wanted, insert_table, note_inspection, set_tags};
use super::terms::fold;
use super::{ProductRecord, TableRecord};
use crate::audit::Object;
use crate::change::Change;
use crate::error::{Check, Error};
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::people::taken;
use crate::principal::Principal;
use crate::storages::StorageRecord;
use crate::{Exchange, sql};

/// What a form does to the tables of a product.
#[derive(Default)]
pub(super) struct TablePlan {
    added: Vec<Wanted>,
    /// The same table in another folder; drafts only.
    moved: Vec<(Wanted, TableRecord)>,
    /// Other flags only.
    flagged: Vec<(Wanted, TableRecord)>,
    removed: Vec<TableRecord>,
}

impl TablePlan {
    const fn is_empty(&self) -> bool {
        self.added.is_empty()
            && self.moved.is_empty()
            && self.flagged.is_empty()
            && self.removed.is_empty()
    }

    /// Whether tables that stay are other ones.
    pub(super) const fn changes_tables(&self) -> bool {
        !(self.moved.is_empty() && self.flagged.is_empty())
    }
}

/// A product as a form would have it.
struct Asked {
    record: ProductRecord,
    tags: Option<BTreeSet<String>>,
    plan: TablePlan,
}

impl Exchange {
    /// Changes a product. What waits for a decision has to be looked at again when its rules, its price or its tables change;
    /// grants and replicas that stand follow a change of the tables.
    pub async fn product_update(
        &self,
        principal: &Principal,
        name: &str,
        new: ProductChange,
    ) -> Result<ProductDetail, Error> {
        let old = self
            .product_for(principal, Operation::ProductUpdate, name)
            .await?;
        if old.state == ProductState::Retired {
            return Err(Error::conflict("a retired product stays as it is"));
        }
        let seen = new.revision.unwrap_or(old.revision);
        if seen != old.revision {
            return Err(Error::changed("product"));
        }
        let Asked { record, tags, plan } = self.update_asked(principal, &old, &new).await?;
        let changed = self
            .what_changes(&old, &record, tags.as_ref(), &plan)
            .await?;
        let placed: Vec<&Wanted> = plan
            .added
            .iter()
            .chain(plan.moved.iter().map(|(wanted, _)| wanted))
            .collect();
        let inspections = self.inspect_wanted(principal, old.team_id, &placed).await?;

        let mut change = self.change(principal).await?;
        write(&mut change, &record, seen).await?;
        if let Some(tags) = &tags {
            set_tags(&mut change, record.id, tags).await?;
        }
        self.refuse_taken(&mut change, principal, record.id, &placed)
            .await?;
        // First the requests, then whatever asks for grants: an approval that runs at the same time holds its request's row,
        // so that its grant is there to be counted once we come by.
        if !plan.is_empty() || is_other_bargain(&old, &record) {
            unsettle_requests(&mut change, record.id).await?;
        }
        write_tables(&mut change, &record, &plan, &inspections).await?;
        follow_rules(&mut change, &old, &record).await?;
        if record.state == ProductState::Published && !plan.is_empty() {
            self.users_follow(&mut change, record.id, &record.name)
                .await?;
        }
        self.rebuild_terms(&mut change, record.id).await?;
        change.note(
            Operation::ProductUpdate,
            Object::new("product", &old.name),
            json!({
                "changed": changed, "name": record.name, "classification": record.classification, "access_policy": record.access_policy,
                "payer": record.payer, "baseline_days": record.baseline_days, "tables_added": described(&placed),
                "tables_removed": plan.removed.iter().map(|table| format!("{}.{}", table.schema, table.name)).collect::<Vec<_>>(),
            }),
        );
        change.commit().await?;
        self.product_shown(principal, record.name.as_str()).await
    }

    /// What a form makes of a product, by all rules that need no look at its tables.
    async fn update_asked(
        &self,
        principal: &Principal,
        old: &ProductRecord,
        new: &ProductChange,
    ) -> Result<Asked, Error> {
        let mut record = old.clone();
        let mut check = Check::new();
        let storage = self.check_change(&mut check, &mut record, new).await?;
        let tags = new.tags.as_deref().map(|tags| check_tags(&mut check, tags));
        let wanted = match &new.tables {
            Some(tables) => Some(
                self.check_tables(&mut check, tables, storage.as_ref())
                    .await?,
            ),
            None => None,
        };
        check.done()?;
        refuse_lowering(principal, old, &record)?;
        let plan = match wanted {
            Some(wanted) => {
                let tables = self.tables_of(self.db(), old.id).await?;
                plan_tables(old, wanted, tables)?
            }
            None => TablePlan::default(),
        };
        Ok(Asked { record, tags, plan })
    }

    /// Why a form would be refused, as far as that can be told without a look at its tables.
    pub(crate) async fn product_update_foreseen(
        &self,
        principal: &Principal,
        name: &str,
        new: &ProductChange,
    ) -> Result<(), Error> {
        let old = self
            .product_for(principal, Operation::ProductUpdate, name)
            .await?;
        self.update_asked(principal, &old, new).await.map(|_| ())
    }

    /// Puts the form's values into `record`; answers the storage of tables that name none.
    async fn check_change(
        &self,
        check: &mut Check,
        record: &mut ProductRecord,
        new: &ProductChange,
    ) -> Result<Option<StorageRecord>, Error> {
        let draft = record.state == ProductState::Draft;
        if let Some(name) = &new.name
            && let Some(name) = check.parse::<ProductName>("name", name)
            && name != record.name
        {
            if !draft {
                check.fail(
                    "name",
                    "the name was fixed when the product was published; consumers read by it",
                );
            } else if !name.is_of_domain(&record.domain) {
                check.fail("name", begins_with(record.domain.as_str()));
            }
            record.name = name;
        }
        if let Some(title) = &new.title {
            record.title = check.text("title", title, 1, 200, false);
        }
        if let Some(description) = &new.description {
            record.description = check.text("description", description, 0, 10_000, true);
        }
        if let Some(word) = &new.classification
            && let Some(classification) = check.parse::<Classification>("classification", word)
        {
            record.classification = classification;
        }
        if let Some(word) = &new.access_policy
            && let Some(policy) = check.parse::<AccessPolicy>("access_policy", word)
        {
            record.access_policy = policy;
        }
        check_policy(
            check,
            Some(record.classification),
            Some(record.access_policy),
        );
        if let Some(word) = &new.payer
            && let Some(payer) = check.parse::<Payer>("payer", word)
        {
            record.payer = payer;
        }
        if let Some(days) = new.baseline_days {
            check_baseline(check, days);
            record.baseline_days = i64::from(days);
        }
        let storage = match &new.storage {
            Some(name) => self.storage_by_name(name).await?,
            None => self.storage_by_id(self.db(), record.storage_id).await?,
        };
        match &storage {
            None => check.fail("storage", "there is no such storage"),
            Some(storage) if storage.id != record.storage_id => {
                if !draft {
                    check.fail(
                        "storage",
                        "a published product stays where it is; register another product",
                    );
                }
                record.storage_id = storage.id;
            }
            Some(_) => {}
        }
        Ok(storage)
    }

    /// Grants and replicas are made true again with the tables as they are now. Part of the change that changed them.
    pub(super) async fn users_follow(
        &self,
        change: &mut Change,
        product: ProductId,
        name: &ProductName,
    ) -> Result<(), Error> {
        let rows = sql!(
            "select id from access_grant where product_id = $1 and desired = 'active' order by id"
        )
        .bind(product)
        .rows(change.tx())
        .await?;
        for row in rows {
            change.wake(Wake::new(WorkKind::Grant, row.get::<GrantId>("id")?));
        }
        self.replicas_follow_tables(change, product, name).await?;
        Ok(())
    }
}

/// Whoever could make personal data look harmless could also decide on it alone.
fn refuse_lowering(
    principal: &Principal,
    old: &ProductRecord,
    new: &ProductRecord,
) -> Result<(), Error> {
    let lowered = old.state == ProductState::Published && old.is_personal() && !new.is_personal();
    let may = principal.is_operator()
        || principal.has(Role::Admin)
        || principal.has(Role::DataProtection);
    if lowered && !may {
        return Err(Error::forbidden(
            "that data is no longer personal is said by an admin or a data-protection officer; ask one of them",
        ));
    }
    Ok(())
}

fn plan_tables(
    product: &ProductRecord,
    wanted: Vec<Wanted>,
    tables: Vec<TableRecord>,
) -> Result<TablePlan, Error> {
    let draft = product.state == ProductState::Draft;
    let mut check = Check::new();
    if wanted.is_empty() && !draft {
        check.fail("tables", "a published product has at least one table");
    }
    let mut plan = TablePlan::default();
    let mut left = tables;
    for wanted in wanted {
        let Some(at) = left.iter().position(|table| wanted.is(table)) else {
            plan.added.push(wanted);
            continue;
        };
        let table = left.swap_remove(at);
        if wanted.storage.id != table.storage_id || wanted.path != table.path {
            if !draft {
                check.fail(
                    &format!("tables[{}].path", wanted.index),
                    "a published table stays where it is; register it under another name",
                );
            }
            plan.moved.push((wanted, table));
        } else if wanted.history != table.history
            || wanted.history_start != table.history_start
            || wanted.change_data_feed != table.change_data_feed
        {
            plan.flagged.push((wanted, table));
        }
    }
    plan.removed = left;
    check.done()?;
    Ok(plan)
}

async fn write(change: &mut Change, record: &ProductRecord, seen: i64) -> Result<(), Error> {
    let changed = sql!(
        "update product set name = $1, title = $2, title_key = $3, description = $4, classification = $5, access_policy = $6,
             payer = $7, baseline_days = $8, storage_id = $9, revision = revision + 1, updated_at = $10
         where id = $11 and revision = $12 and state = $13"
    )
    .bind(&record.name)
    .bind(&record.title)
    .bind(fold(&record.title))
    .bind(&record.description)
    .bind(record.classification)
    .bind(record.access_policy)
    .bind(record.payer)
    .bind(record.baseline_days)
    .bind(record.storage_id)
    .bind(change.at())
    .bind(record.id)
    .bind(seen)
    .bind(record.state)
    .execute(change.tx())
    .await
    .map_err(|error| taken(error, "name", "that name is taken"))?;
    if changed == 0 {
        return Err(Error::changed("product"));
    }
    Ok(())
}

async fn write_tables(
    change: &mut Change,
    product: &ProductRecord,
    plan: &TablePlan,
    inspections: &[Inspection],
) -> Result<(), Error> {
    for table in &plan.removed {
        remove_table(change, product, table).await?;
    }
    for (wanted, table) in plan.moved.iter().chain(&plan.flagged) {
        sql!("update product_table set storage_id = $1, path = $2, history = $3, change_data_feed = $4, updated_at = $5,
                  history_start = $7 where id = $6")
        .bind(wanted.storage.id)
        .bind(&wanted.path)
        .bind(wanted.history)
        .bind(wanted.change_data_feed)
        .bind(change.at())
        .bind(table.id)
        .bind(wanted.history_start)
        .execute(change.tx())
        .await?;
    }
    // In the order in which they were looked at: first the added, then the moved.
    let (added, moved) = inspections.split_at(plan.added.len().min(inspections.len()));
    for (wanted, inspection) in plan.added.iter().zip(added) {
        insert_table(change, product.id, wanted, inspection).await?;
    }
    for ((wanted, table), inspection) in plan.moved.iter().zip(moved) {
        let at = change.at();
        note_inspection(
            change.tx(),
            at,
            table.id,
            wanted.storage.id,
            &wanted.path,
            inspection,
        )
        .await?;
    }
    Ok(())
}

/// Takes a table out, unless somebody was promised it.
async fn remove_table(
    change: &mut Change,
    product: &ProductRecord,
    table: &TableRecord,
) -> Result<(), Error> {
    let name = format!("{}.{}", table.schema, table.name);
    if live_grants(change, product.id).await? > 0 {
        return Err(Error::conflict(format!(
            "grants stand on this product, so {name} stays; revoke them first, or retire the product"
        )));
    }
    let replicated = sql!(
        "select id from replica_table where table_id = $1 union all select table_id from cut_table where table_id = $1 limit 1"
    )
        .bind(table.id)
        .row(change.tx())
        .await?
        .is_some();
    if replicated {
        // Its runs, or the cuts that name it, are on record, and so is it. Its clone is on its way out with it.
        sql!("update product_table set removed_at = $1, updated_at = $1 where id = $2")
            .bind(change.at())
            .bind(table.id)
            .execute(change.tx())
            .await?;
    } else {
        sql!("delete from table_commit where table_id = $1")
            .bind(table.id)
            .execute(change.tx())
            .await?;
        sql!("delete from product_table where id = $1")
            .bind(table.id)
            .execute(change.tx())
            .await?;
    }
    Ok(())
}

/// Whether who says yes to this product gives away something else than before: who decides, who pays, what it is measured
/// against. (Its tables are the caller's to look at.)
fn is_other_bargain(old: &ProductRecord, new: &ProductRecord) -> bool {
    old.classification != new.classification
        || old.access_policy != new.access_policy
        || old.payer != new.payer
        || old.baseline_days != new.baseline_days
}

/// What waits for a decision was shown as the product was before: a decision on that is refused, the approver looks again.
async fn unsettle_requests(change: &mut Change, product: ProductId) -> Result<(), Error> {
    sql!("update request set revision = revision + 1, updated_at = $1 where product_id = $2 and state = 'submitted'")
        .bind(change.at())
        .bind(product)
        .execute(change.tx())
        .await?;
    Ok(())
}

/// What was granted without a data-protection officer cannot stand on personal data, and nobody is made to pay for what was
/// granted at the producer's cost.
async fn follow_rules(
    change: &mut Change,
    old: &ProductRecord,
    new: &ProductRecord,
) -> Result<(), Error> {
    if old.payer != new.payer
        && new.payer == Payer::Consumer
        && live_grants(change, new.id).await? > 0
    {
        return Err(Error::conflict(
            "grants stand on this product that say that the producing team pays; revoke them first",
        ));
    }
    if old.is_personal() || !new.is_personal() {
        return Ok(());
    }
    let row = sql!(
        "select count(*) as count from access_grant where product_id = $1 and desired = 'active'
             and not exists (select 1 from decision where decision.request_id = access_grant.request_id
                                 and stage = 'data_protection' and verdict = 'approve')"
    )
    .bind(new.id)
    .row(change.tx())
    .await?;
    let count: i64 = match row {
        Some(row) => row.get("count")?,
        None => 0,
    };
    if count > 0 {
        return Err(Error::conflict(format!(
            "no data-protection officer had a say in {count} of the grants on this product; revoke them first"
        )));
    }
    Ok(())
}
