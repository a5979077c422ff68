//! Making a cut, changing what it holds, giving it another key, retiring it.

use std::collections::BTreeSet;

use model::dto::{Cut, CutChange, CutNew, CutRetire, CutRotate, CutTableNew};
use model::{CutId, Name, ProductId, ProductState, TableId};
use serde_json::{Value, json};

use super::agreed::{self, Schemas};
use super::check::{gives_more, lies_in, narrowing};
use super::{Content, CutRecord};
use crate::audit::Object;
use crate::catalog::{ProductRecord, TableRecord};
use crate::change::Change;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::people::taken;
use crate::principal::Principal;
use crate::storages::hold_storages;
use crate::{Exchange, sql};

/// The most cuts of one product, and tables of one cut.
const MOST: usize = 1_000;
const TABLES: usize = 500;

/// How the audit log calls a cut.
fn object(product: &ProductRecord, name: &Name) -> Object {
    Object::new("cut", format!("{}:{name}", product.name))
}

impl Exchange {
    /// Makes a cut of a product. Nothing is copied before somebody is given access by it.
    pub async fn cut_create(
        &self,
        principal: &Principal,
        product: &str,
        new: CutNew,
    ) -> Result<Cut, Error> {
        let product = self
            .product_for(principal, Operation::CutCreate, product)
            .await?;
        refuse_retired(&product)?;
        let mut check = Check::new();
        let name: Option<Name> = check.parse("name", &new.name);
        let description = check.text("description", &new.description, 0, 2_000, true);
        let tables = self.tables_of(self.db(), product.id).await?;
        let content = asked(&mut check, &tables, &new.tables, &Content::new());
        check.done()?;
        let Some(name) = name else {
            return Err(Error::invalid("name", "missing"));
        };
        let now = self.schemas_of(self.db(), product.id).await?;
        let agreed = agreed::next(&tables, &content, (&Schemas::new(), &now), true)?;
        agreed::refuse_unwritten(&tables, &content, (&agreed, &now))?;
        let mut change = self.change(principal).await?;
        let at = change.at();
        hold_product(&mut change, product.id).await?;
        // So that nothing is sealed with an older key while all is sealed anew.
        hold_storages(&mut change).await?;
        let row = sql!("select cast(count(*) as bigint) as count from cut where product_id = $1")
            .bind(product.id)
            .row(change.tx())
            .await?;
        let count: u64 = row.map(|row| row.get("count")).transpose()?.unwrap_or(0);
        if count >= MOST as u64 {
            return Err(Error::conflict(format!(
                "a product has at most {MOST} cuts, retired ones included"
            )));
        }
        let id = CutId::new(at);
        let sealed = self.cut_key_new(id, 1)?;
        sql!("insert into cut (id, product_id, name, description, edition, revision, created_at, updated_at)
              values ($1, $2, $3, $4, 1, 1, $5, $5)")
        .bind(id)
        .bind(product.id)
        .bind(&name)
        .bind(&description)
        .bind(at)
        .execute(change.tx())
        .await
        .map_err(|error| taken(error, "name", "the product has a cut of that name; choose another"))?;
        self.edition_store(&mut change, (id, 1), "made", &sealed, (&content, &agreed))
            .await?;
        let detail = json!({ "edition": 1, "tables": told(&tables, &content) });
        let what = (Operation::CutCreate, &product, &name);
        self.cut_done(principal, change, what, detail).await
    }

    /// Changes a cut. What it holds becomes another edition, with another key. While somebody has access by it, it may not give more
    /// than it did.
    pub async fn cut_update(
        &self,
        principal: &Principal,
        product: &str,
        name: &str,
        new: CutChange,
    ) -> Result<Cut, Error> {
        let (product, record) = self
            .cut_for(principal, Operation::CutUpdate, product, name)
            .await?;
        refuse_ended(&record, new.revision)?;
        let mut check = Check::new();
        let description = match &new.description {
            Some(text) => check.text("description", text, 0, 2_000, true),
            None => record.description.clone(),
        };
        let tables = self.tables_of(self.db(), product.id).await?;
        let (old, held, now) = self.cut_newest(&record).await?;
        let content = match &new.tables {
            Some(wanted) => asked(&mut check, &tables, wanted, &old),
            None => old.clone(),
        };
        check.done()?;
        let opened = match new.with_later {
            true => agreed::later(&content, &held, &now),
            false => Vec::new(),
        };
        let agreed = match new.with_later {
            true => agreed::next(&tables, &content, (&now, &held), true)?,
            false => agreed::next(&tables, &content, (&held, &now), new.tables.is_some())?,
        };
        let is_other = content != old || !opened.is_empty();
        if is_other {
            agreed::refuse_unwritten(&tables, &content, (&agreed, &now))?;
        }
        if !is_other && description == record.description {
            return self
                .cut(principal, product.name.as_str(), record.name.as_str())
                .await;
        }
        let edition = record.edition + i64::from(is_other);
        let mut change = self
            .cut_write(principal, &record, (description.as_str(), edition), false)
            .await?;
        if is_other {
            let more = gives_more(&old, &content, |id| called(&tables, id))
                .or_else(|| hashes_later(&tables, &content, &agreed::later(&old, &held, &now)))
                .or_else(|| opened.first().map(|(id, path)| later(&tables, *id, path)));
            self.refuse_more(&mut change, &record, more).await?;
            self.edition_follow(
                &mut change,
                &product,
                &record,
                (edition, "changed"),
                (&content, &agreed),
                new.at_once,
            )
            .await?;
        }
        let detail = json!({ "edition": edition, "tables": told(&tables, &content), "at_once": new.at_once && is_other });
        let what = (Operation::CutUpdate, &product, &record.name);
        self.cut_done(principal, change, what, detail).await
    }

    /// Gives a cut another key, which makes its replicas anew. Also the way out where the key is lost.
    pub async fn cut_rotate(
        &self,
        principal: &Principal,
        product: &str,
        name: &str,
        new: CutRotate,
    ) -> Result<Cut, Error> {
        let (product, record) = self
            .cut_for(principal, Operation::CutRotate, product, name)
            .await?;
        refuse_ended(&record, new.revision)?;
        let (content, held, now) = self.cut_newest(&record).await?;
        // Another key gives no more than the one before.
        let agreed = agreed::next(&[], &content, (&held, &now), false)?;
        let edition = record.edition + 1;
        let mut change = self
            .cut_write(
                principal,
                &record,
                (record.description.as_str(), edition),
                false,
            )
            .await?;
        self.edition_follow(
            &mut change,
            &product,
            &record,
            (edition, "rotated"),
            (&content, &agreed),
            new.at_once,
        )
        .await?;
        let detail = json!({ "edition": edition, "at_once": new.at_once });
        let what = (Operation::CutRotate, &product, &record.name);
        self.cut_done(principal, change, what, detail).await
    }

    /// Takes a cut out of service: nobody is given access by it any more. What stands goes on to its end.
    pub async fn cut_retire(
        &self,
        principal: &Principal,
        product: &str,
        name: &str,
        new: CutRetire,
    ) -> Result<Cut, Error> {
        let (product, record) = self
            .cut_for(principal, Operation::CutRetire, product, name)
            .await?;
        if record.retired_at.is_some() {
            return self
                .cut(principal, product.name.as_str(), record.name.as_str())
                .await;
        }
        refuse_ended(&record, new.revision)?;
        let becomes = (record.description.as_str(), record.edition);
        let mut change = self.cut_write(principal, &record, becomes, true).await?;
        unsettle_requests(&mut change, record.id).await?;
        let what = (Operation::CutRetire, &product, &record.name);
        self.cut_done(principal, change, what, Value::Null).await
    }

    /// What a declaration would make of a cut: the tables as they are, none where there is no such cut, and as they would be, each with
    /// the columns as the schema calls them. An error says why it would be refused. Asks no policy.
    pub(crate) async fn cut_foreseen(
        &self,
        product: ProductId,
        name: &Name,
        wanted: &[CutTableNew],
    ) -> Result<(Vec<CutTableNew>, Vec<CutTableNew>), Error> {
        let mut check = Check::new();
        let tables = self.tables_of(self.db(), product).await?;
        let record = self.cut_record(self.db(), product, name.as_str()).await?;
        let (old, held, now) = match &record {
            Some(record) => self.cut_newest(record).await?,
            None => {
                let now = self.schemas_of(self.db(), product).await?;
                (Content::default(), Schemas::default(), now)
            }
        };
        let new = asked(&mut check, &tables, wanted, &old);
        check.done()?;
        let forms = |content: &Content| -> Vec<CutTableNew> {
            let within = tables.iter().filter_map(|table| {
                let narrowing = content.get(&table.id)?;
                Some(CutTableNew {
                    schema: table.schema.to_string(),
                    table: table.name.to_string(),
                    drop: narrowing.drop.clone(),
                    pseudonymise: narrowing.pseudonymise.clone(),
                    rows: narrowing.rows.as_ref().map(ToString::to_string),
                })
            });
            within.collect()
        };
        let Some(record) = record else {
            agreed::refuse_unwritten(&tables, &new, (&now, &now))?;
            return Ok((Vec::new(), forms(&new)));
        };
        if record.retired_at.is_some() {
            return Err(Error::conflict(
                "a cut of that name was retired and stays so; choose another name",
            ));
        }
        let grants = self.cut_grants(self.db(), record.id).await?;
        if new != old {
            let agreed = agreed::next(&tables, &new, (&held, &now), false)?;
            agreed::refuse_unwritten(&tables, &new, (&agreed, &now))?;
        }
        let more = gives_more(&old, &new, |id| called(&tables, id))
            .or_else(|| hashes_later(&tables, &new, &agreed::later(&old, &held, &now)));
        if let Some(more) = more.filter(|_| grants > 0) {
            return Err(gives_too_much(&more, grants));
        }
        Ok((forms(&old), forms(&new)))
    }

    async fn cut_for(
        &self,
        principal: &Principal,
        operation: Operation,
        product: &str,
        name: &str,
    ) -> Result<(ProductRecord, CutRecord), Error> {
        let product = self.product_for(principal, operation, product).await?;
        let record = self
            .cut_record(self.db(), product.id, name)
            .await?
            .ok_or(Error::NotFound("cut"))?;
        Ok((product, record))
    }

    /// What the newest edition holds, what it agreed to, and the tables as they were last read.
    async fn cut_newest(&self, record: &CutRecord) -> Result<(Content, Schemas, Schemas), Error> {
        let (id, edition) = (record.id, record.edition);
        let content = self.cut_content(self.db(), id, edition).await?;
        let held = self.cut_agreed(self.db(), id, edition).await?;
        let now = self.schemas_of(self.db(), record.product_id).await?;
        Ok((content, held, now))
    }

    /// Begins a change of a cut that is still as it was seen, and writes its row: description, newest edition, whether it ends.
    async fn cut_write(
        &self,
        principal: &Principal,
        record: &CutRecord,
        (description, edition): (&str, i64),
        is_retired: bool,
    ) -> Result<Change, Error> {
        let mut change = self.change(principal).await?;
        let at = change.at();
        hold_product(&mut change, record.product_id).await?;
        let changed = sql!(
            "update cut set description = $1, edition = $2, retired_at = $3, revision = revision + 1, updated_at = $4
             where id = $5 and revision = $6 and retired_at is null"
        )
        .bind(description)
        .bind(edition)
        .bind(is_retired.then_some(at))
        .bind(at)
        .bind(record.id)
        .bind(record.revision)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("cut"));
        }
        Ok(change)
    }

    /// Ends a change of a cut, and says how it is now.
    async fn cut_done(
        &self,
        principal: &Principal,
        mut change: Change,
        (operation, product, name): (Operation, &ProductRecord, &Name),
        detail: Value,
    ) -> Result<Cut, Error> {
        change.note(operation, object(product, name), detail);
        change.commit().await?;
        self.cut(principal, product.name.as_str(), name.as_str())
            .await
    }

    /// What was approved is not made more behind who approved it. First the requests: an approval that runs at the same time holds its
    /// request's row, so that its grant is there to be counted.
    async fn refuse_more(
        &self,
        change: &mut Change,
        record: &CutRecord,
        more: Option<String>,
    ) -> Result<(), Error> {
        unsettle_requests(change, record.id).await?;
        let Some(more) = more else {
            return Ok(());
        };
        let grants = self.cut_grants(change.tx(), record.id).await?;
        if grants == 0 {
            return Ok(());
        }
        Err(gives_too_much(&more, grants))
    }
}

fn gives_too_much(more: &str, grants: u64) -> Error {
    Error::conflict(format!(
        "it would give {more}, and {grants} accesses stand by it that were approved without that; make another cut, and let it be \
         asked for"
    ))
}

fn refuse_retired(product: &ProductRecord) -> Result<(), Error> {
    if product.state == ProductState::Retired {
        return Err(Error::conflict("a retired product stays as it is"));
    }
    Ok(())
}

fn refuse_ended(record: &CutRecord, seen: Option<i64>) -> Result<(), Error> {
    if record.retired_at.is_some() {
        return Err(Error::conflict(
            "a retired cut stays as it is; make another one",
        ));
    }
    if seen.is_some_and(|seen| seen != record.revision) {
        return Err(Error::changed("cut"));
    }
    Ok(())
}

/// Whoever asks for access holds this row, too: a request is stored before or after the change, never beside it.
async fn hold_product(change: &mut Change, id: ProductId) -> Result<(), Error> {
    sql!("update product set revision = revision where id = $1")
        .bind(id)
        .execute(change.tx())
        .await?;
    Ok(())
}

/// What waits for a decision was shown as the cut was before: the approver looks again.
async fn unsettle_requests(change: &mut Change, cut: CutId) -> Result<(), Error> {
    sql!("update request set revision = revision + 1, updated_at = $1 where cut_id = $2 and state = 'submitted'")
        .bind(change.at())
        .bind(cut)
        .execute(change.tx())
        .await?;
    Ok(())
}

/// What a form says of all tables.
fn asked(
    check: &mut Check,
    tables: &[TableRecord],
    wanted: &[CutTableNew],
    held: &Content,
) -> Content {
    let mut content = Content::new();
    if wanted.is_empty() {
        check.fail("tables", "name at least one table of the product");
    }
    if wanted.len() > TABLES {
        check.fail("tables", format!("at most {TABLES}"));
        return content;
    }
    let mut named = BTreeSet::new();
    for (index, new) in wanted.iter().enumerate() {
        let prefix = format!("tables[{index}]");
        let found = tables
            .iter()
            .find(|table| table.schema.as_str() == new.schema && table.name.as_str() == new.table);
        let Some(table) = found else {
            let shown: String = format!("{}.{}", new.schema, new.table)
                .chars()
                .take(128)
                .collect();
            check.fail(
                &format!("{prefix}.table"),
                format!("the product has no table {shown}"),
            );
            continue;
        };
        if !named.insert(table.id) {
            check.fail(&format!("{prefix}.table"), "it stands there twice");
            continue;
        }
        let narrowed = narrowing(check, &prefix, (table, held.get(&table.id)), new);
        content.insert(table.id, narrowed);
    }
    let is_whole =
        content.len() == tables.len() && content.values().all(model::Narrowing::is_whole);
    if is_whole && !tables.is_empty() && check.is_clean() {
        check.fail(
            "tables",
            "nothing is left out; ask for the whole product instead, or choose what is to be left out",
        );
    }
    content
}

/// What is said of a column that nobody agreed to.
fn later(tables: &[TableRecord], id: TableId, path: &str) -> String {
    format!("{path} of {}, which came later", called(tables, id))
}

/// Hashes of values that nobody agreed to, neither as they are nor hashed.
fn hashes_later(
    tables: &[TableRecord],
    new: &Content,
    came: &[(TableId, String)],
) -> Option<String> {
    came.iter().find_map(|(id, path)| {
        let mut hashed = new.get(id)?.pseudonymise.iter();
        let hashed = hashed.find(|hashed| *hashed == path || lies_in(hashed, path))?;
        Some(format!("hashes of {}", later(tables, *id, hashed)))
    })
}

pub(super) fn called(tables: &[TableRecord], id: TableId) -> String {
    let table = tables.iter().find(|table| table.id == id);
    table.map_or_else(
        || "a table".to_owned(),
        |table| format!("{}.{}", table.schema, table.name),
    )
}

/// As the audit log keeps it: conditions may hold values, and columns are no secret.
fn told(tables: &[TableRecord], content: &Content) -> Value {
    let all = content
        .iter()
        .map(|(id, narrowing)| (called(tables, *id), json!(narrowing)));
    Value::Object(all.collect())
}
