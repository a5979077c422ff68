//! What part of a product a grant opens: which rows, by conditions on partition columns, and whether a credential for whole folders.
//! Conditions hold for every table of the product, also for one that comes later: of a table that is not partitioned by such a
//! column nothing is opened.

use std::collections::BTreeMap;

use model::dto::{Grant, GrantScope, GrantScopeNew, RecipientProperties, RecipientProperty};
use model::rows::{Operand, is_property_name};
use model::{
    GrantDesired, GrantId, Mode, ProductId, RecipientId, RecipientTokenId, RequestId, Role,
    RowFilter, TableId, Timestamp,
};
use serde_json::json;

use super::grants::GrantRecord;
use super::requests::RequestRecord;
use crate::audit::Object;
use crate::catalog::{TableRecord, is_compared, is_value};
use crate::change::Change;
use crate::error::{Check, Error};
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, allows, can};
use crate::principal::Principal;
use crate::{Exchange, sql};

/// What is known of every recipient; nobody notes a property of these names.
const OWN: [&str; 4] = ["name", "team", "cloud", "region"];
/// Properties of one recipient.
const MOST: usize = 50;

/// A scope that was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Narrowed {
    pub rows: Option<RowFilter>,
    pub directory: bool,
}

/// What a form says, for a grant of this mode. `prefix`: of the names of its fields.
pub(crate) fn check_scope(
    check: &mut Check,
    prefix: &str,
    scope: &GrantScope,
    mode: Mode,
) -> Narrowed {
    let field = |name: &str| format!("{prefix}{name}");
    let rows = match RowFilter::parse(scope.rows.as_deref().unwrap_or_default()) {
        Ok(rows) => rows,
        Err(why) => {
            check.fail(&field("rows"), why);
            None
        }
    };
    if rows.is_some() && mode == Mode::Replica {
        check.fail(
            &field("rows"),
            "a replica holds whole tables in the consumer's cloud; some rows only are opened by live access",
        );
    }
    if scope.directory && mode == Mode::Replica {
        check.fail(
            &field("directory"),
            "a replica is read by URL, so that it can be taken back; credentials for folders go with live access",
        );
    }
    if scope.directory && rows.is_some() {
        check.fail(
            &field("directory"),
            "a credential opens whole folders; it does not go together with conditions on rows",
        );
    }
    Narrowed {
        rows,
        directory: scope.directory,
    }
}

/// Why conditions do not fit a table; None where they do.
fn misfit(table: &TableRecord, rows: &RowFilter) -> Option<String> {
    for condition in rows.conditions() {
        let wanted = condition.column.to_lowercase();
        let is_it = |name: &str| name.to_lowercase() == wanted;
        let partition = table.partition_columns.iter().any(|name| is_it(name));
        if !partition {
            let has = if table.partition_columns.is_empty() {
                "it has none".to_owned()
            } else {
                format!("it has {}", table.partition_columns.join(", "))
            };
            return Some(format!(
                "{} is no partition column of {}.{}; {has}",
                condition.column, table.schema, table.name
            ));
        }
        let column = table.columns.iter().find(|column| is_it(&column.name));
        let kind = column.map_or("", |column| column.type_text.as_str());
        let wrong = condition.values.iter().find_map(|operand| match operand {
            Operand::Value(value) if is_value(kind, value) != Some(true) => Some(value),
            _ => None,
        });
        if !is_compared(kind) {
            return Some(format!(
                "{} of {}.{} is of a type ({kind}) whose values cannot be compared exactly; use a text, a whole number, a date or a truth value",
                condition.column, table.schema, table.name
            ));
        }
        if let Some(value) = wrong {
            return Some(format!(
                "'{value}' is no {kind}, which {} of {}.{} is",
                condition.column, table.schema, table.name
            ));
        }
    }
    None
}

/// Whether this person may say what part a grant opens. Of personal data a data-protection officer says it.
pub(super) fn may_narrow(principal: &Principal, record: &GrantRecord) -> bool {
    allows(principal, Operation::GrantNarrow, &record.scope()) && !needs_officer(principal, record)
}

fn needs_officer(principal: &Principal, record: &GrantRecord) -> bool {
    record.personal && !principal.is_operator() && !principal.has(Role::DataProtection)
}

/// As a request's page says it.
pub(super) fn scope_dto(record: &RequestRecord) -> GrantScope {
    GrantScope {
        rows: record.row_filter.clone(),
        directory: record.directory_access,
    }
}

impl Exchange {
    /// Fails the field where conditions name what is not a partition column of every table.
    pub(crate) async fn check_rows(
        &self,
        check: &mut Check,
        field: &str,
        product: ProductId,
        rows: Option<&RowFilter>,
    ) -> Result<(), Error> {
        let Some(rows) = rows else { return Ok(()) };
        let tables = self.tables_of(self.db(), product).await?;
        if let Some(why) = tables.iter().find_map(|table| misfit(table, rows)) {
            check.fail(field, why);
        }
        Ok(())
    }

    /// Keeps what one who decides says, beside what was said before; part of the caller's change.
    pub(crate) async fn request_scope(
        &self,
        change: &mut Change,
        id: RequestId,
        new: Narrowed,
    ) -> Result<(), Error> {
        if new == Narrowed::default() {
            return Ok(());
        }
        let row = sql!("select row_filter, directory_access from request where id = $1")
            .bind(id)
            .row(change.tx())
            .await?
            .ok_or(Error::NotFound("request"))?;
        let before: Option<String> = row.get("row_filter")?;
        let before = parsed(before.as_deref())?;
        let rows = match (before, new.rows) {
            (Some(before), Some(new)) => Some(before.and(new)),
            (before, new) => before.or(new),
        };
        let said: bool = row.get("directory_access")?;
        let directory = (said || new.directory) && rows.is_none();
        let rows = rows.map(|rows| rows.to_string());
        sql!("update request set row_filter = $1, directory_access = $2 where id = $3")
            .bind(rows.as_deref())
            .bind(directory)
            .bind(id)
            .execute(change.tx())
            .await?;
        change.note(
            Operation::RequestDecide,
            Object::new("request", id),
            json!({ "rows": rows, "directory": directory }),
        );
        Ok(())
    }

    /// Gives a new grant what its request says; where that says nothing of rows, the conditions of the access that the recipient
    /// has to the product already, so that asking once more opens no more. Part of the caller's change.
    pub(super) async fn grant_narrowed(
        &self,
        change: &mut Change,
        id: GrantId,
        request: RequestId,
        mode: Mode,
    ) -> Result<(), Error> {
        sql!(
            "update access_grant set
                 row_filter = coalesce(
                     (select request.row_filter from request where request.id = $1),
                     (select max(earlier.row_filter) from access_grant as earlier
                      where earlier.product_id = access_grant.product_id and earlier.recipient_id = access_grant.recipient_id
                          and earlier.desired = 'active' and earlier.until_at > $3 and earlier.id <> $2
                          and not exists (select 1 from access_grant as whole
                              where whole.product_id = access_grant.product_id
                                  and whole.recipient_id = access_grant.recipient_id and whole.desired = 'active'
                                  and whole.until_at > $3 and whole.id <> $2 and whole.row_filter is null))),
                 directory_access = (select request.directory_access from request where request.id = $1)
             where id = $2"
        )
        .bind(request)
        .bind(id)
        .bind(change.at())
        .execute(change.tx())
        .await?;
        let row = sql!("select row_filter from access_grant where id = $1")
            .bind(id)
            .row(change.tx())
            .await?
            .ok_or(Error::NotFound("grant"))?;
        let rows: Option<String> = row.get("row_filter")?;
        if rows.is_some() && mode == Mode::Replica {
            return Err(Error::conflict(
                "this recipient reads some rows only, and a replica would hold all of them; ask for live access, or have the \
                 conditions taken off its access first",
            ));
        }
        // Conditions that came from elsewhere leave no whole folder.
        sql!("update access_grant set directory_access = false where id = $1 and row_filter is not null")
            .bind(id)
            .execute(change.tx())
            .await?;
        Ok(())
    }

    /// Says what part of its product a grant opens from now on. URLs and credentials that were handed out stay what they are until
    /// they end.
    pub async fn grant_narrow(
        &self,
        principal: &Principal,
        id: GrantId,
        new: GrantScopeNew,
    ) -> Result<Grant, Error> {
        let record = self.grant_seen(principal, id).await?;
        can(principal, Operation::GrantNarrow, &record.scope())?;
        if needs_officer(principal, &record) {
            return Err(Error::forbidden(
                "of personal data a data-protection officer says which rows are opened",
            ));
        }
        let mut check = Check::new();
        let scope = GrantScope {
            rows: new.rows,
            directory: new.directory,
        };
        let wanted = check_scope(&mut check, "", &scope, record.mode);
        self.check_rows(&mut check, "rows", record.product_id, wanted.rows.as_ref())
            .await?;
        check.done()?;
        if record.desired == GrantDesired::Ended {
            return Err(Error::conflict(
                "this access has ended; nothing is opened by it any more",
            ));
        }
        if new.revision.is_some_and(|seen| seen != record.revision) {
            return Err(Error::changed("grant"));
        }
        let rows = wanted.rows.map(|rows| rows.to_string());
        if record.row_filter == rows && record.directory_access == wanted.directory {
            return self.grant(principal, id).await;
        }
        let mut change = self.change(principal).await?;
        let at = change.at();
        let changed = sql!(
            "update access_grant set row_filter = $1, directory_access = $2, revision = revision + 1, updated_at = $3
             where id = $4 and revision = $5 and desired = 'active'"
        )
        .bind(rows.as_deref())
        .bind(wanted.directory)
        .bind(at)
        .bind(id)
        .bind(record.revision)
        .execute(change.tx())
        .await?;
        if changed == 0 {
            return Err(Error::changed("grant"));
        }
        change.wake(Wake::new(WorkKind::Grant, id));
        change.note(
            Operation::GrantNarrow,
            Object::new("grant", id),
            json!({ "rows": rows, "directory": wanted.directory }),
        );
        change.commit().await?;
        self.grant(principal, id).await
    }

    /// What an admin has noted of a recipient.
    pub async fn recipient_properties(
        &self,
        principal: &Principal,
        name: &str,
    ) -> Result<RecipientProperties, Error> {
        let info = self
            .recipient_for(principal, name, Operation::RecipientPropertiesRead)
            .await?;
        let properties = self.properties_noted(info.id).await?;
        Ok(RecipientProperties {
            properties: properties
                .into_iter()
                .map(|(name, value)| RecipientProperty { name, value })
                .collect(),
        })
    }

    /// Makes a recipient's properties exactly these. They say which rows are opened, so they are not the consumer's to write.
    pub async fn recipient_properties_set(
        &self,
        principal: &Principal,
        name: &str,
        new: RecipientProperties,
    ) -> Result<RecipientProperties, Error> {
        let info = self
            .recipient_for(principal, name, Operation::RecipientPropertiesSet)
            .await?;
        let mut check = Check::new();
        let mut wanted = BTreeMap::new();
        if new.properties.len() > MOST {
            check.fail("properties", format!("at most {MOST}"));
        }
        for (index, property) in new.properties.iter().enumerate() {
            let field = |name: &str| format!("properties[{index}].{name}");
            if !is_property_name(&property.name) {
                check.fail(
                    &field("name"),
                    "1 to 63 of a-z, 0-9 and _, beginning with a letter",
                );
            } else if OWN.contains(&property.name.as_str()) {
                check.fail(
                    &field("name"),
                    "that is known of every recipient; leave it out",
                );
            }
            let value = check.text(&field("value"), &property.value, 1, 200, false);
            if wanted.insert(property.name.clone(), value).is_some() {
                check.fail(&field("name"), "it stands there twice");
            }
        }
        check.done()?;
        let mut change = self.change(principal).await?;
        sql!("delete from recipient_property where recipient_id = $1")
            .bind(info.id)
            .execute(change.tx())
            .await?;
        for (name, value) in &wanted {
            sql!("insert into recipient_property (recipient_id, name, value) values ($1, $2, $3)")
                .bind(info.id)
                .bind(name)
                .bind(value)
                .execute(change.tx())
                .await?;
        }
        change.note(
            Operation::RecipientPropertiesSet,
            Object::new("recipient", &info.name),
            json!({ "properties": wanted }),
        );
        change.commit().await?;
        self.recipient_properties(principal, name).await
    }

    async fn properties_noted(
        &self,
        recipient: RecipientId,
    ) -> Result<BTreeMap<String, String>, Error> {
        let rows = sql!(
            "select name, value from recipient_property where recipient_id = $1 order by name"
        )
        .bind(recipient)
        .rows(self.db())
        .await?;
        let mut properties = BTreeMap::new();
        for row in rows {
            properties.insert(row.get("name")?, row.get("value")?);
        }
        Ok(properties)
    }

    /// All that conditions may say of a recipient: what is noted of it, and what is known of every one.
    pub async fn reader_properties(
        &self,
        principal: &Principal,
        recipient: RecipientId,
    ) -> Result<BTreeMap<String, String>, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let mut properties = self.properties_noted(recipient).await?;
        let row = sql!(
            "select recipient.name as recipient, team.name as team, cloud, region
             from recipient join team on team.id = team_id where recipient.id = $1"
        )
        .bind(recipient)
        .row(self.db())
        .await?;
        let Some(row) = row else {
            return Ok(BTreeMap::new());
        };
        for (name, column) in [
            ("name", "recipient"),
            ("team", "team"),
            ("cloud", "cloud"),
            ("region", "region"),
        ] {
            properties.insert(name.to_owned(), row.get(column)?);
        }
        Ok(properties)
    }

    /// Notes, before it is handed out, that a grant gave a credential for a table's folder, which nobody can take back until it
    /// ends. False: the grant, the recipient's own credential or the permission ended meanwhile; hand out nothing.
    pub async fn credential_lent(
        &self,
        principal: &Principal,
        (grant, token): (GrantId, RecipientTokenId),
        table: TableId,
        until: Timestamp,
    ) -> Result<bool, Error> {
        can(principal, Operation::ShareRead, &Scope::NONE)?;
        let row = sql!(
            "select id from access_grant where id = $1 and directory_access and row_filter is null and mode = 'live'
                 and live_bytes_per_day is null and cut_id is null"
        )
        .bind(grant)
        .row(self.db())
        .await?;
        if row.is_none() {
            return Ok(false);
        }
        if !self
            .urls_issued(principal, grant, token, until, Some(until))
            .await?
        {
            return Ok(false);
        }
        let mut change = self.change(principal).await?;
        change.note(
            Operation::ShareRead,
            Object::new("grant", grant),
            json!({ "credential_for_table": table, "until": until }),
        );
        change.commit().await?;
        Ok(true)
    }
}

/// What is stored was checked before; what cannot be read opens nothing.
pub(super) fn parsed(text: Option<&str>) -> Result<Option<RowFilter>, Error> {
    let parse = |text: &str| text.parse::<RowFilter>().map_err(Error::internal);
    text.map(parse).transpose()
}
