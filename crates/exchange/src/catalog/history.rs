//! What happened to a product, for everybody who sees it: put together of the audit log, of the commits that were seen, and of
//! the grants that the caller may see. Of the log nothing is repeated as it stands: no person, no path, no field that is not
//! named here.

use std::collections::BTreeSet;
use std::str::FromStr;

use model::dto::ProductEvent;
use model::{Mode, Name, ProductEventKind, Timestamp};
use serde_json::Value;

use super::ProductRecord;
use super::update::TablePlan;
use crate::error::Error;
use crate::operation::Operation;
use crate::page::{Page, PageRequest};
use crate::policy::allows;
use crate::principal::Principal;
use crate::{Exchange, from_row, sql};

/// A line of the three lists that are one.
struct Line {
    at: Timestamp,
    /// The operation of the audit log, or a kind of event.
    kind: String,
    key: String,
    /// The audit log's JSON, or a table's name.
    detail: String,
    version: Option<u64>,
    commits: Option<u64>,
    recipient: Option<Name>,
    mode: Option<Mode>,
}
from_row!(Line {
    at,
    kind,
    key,
    detail,
    version,
    commits,
    recipient,
    mode
});

/// The last line of a page: what comes after it is older, or as old and has a lesser key.
struct Seen {
    at: i64,
    key: String,
}

impl FromStr for Seen {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (at, key) = text.split_once('.').ok_or(())?;
        Ok(Self {
            at: at.parse().map_err(|_| ())?,
            key: key.to_owned(),
        })
    }
}

impl Exchange {
    /// What happened to a product, newest first: what was done to it, the versions of its tables by UTC day, and the accesses
    /// that the caller may see.
    pub async fn product_history(
        &self,
        principal: &Principal,
        name: &str,
        page: &PageRequest,
    ) -> Result<Page<ProductEvent>, Error> {
        let record = self
            .product_for(principal, Operation::ProductHistory, name)
            .await?;
        let inside = principal.sees_all() || principal.is_member(record.team_id);
        let all_grants = allows(principal, Operation::GrantRead, &record.scope());
        let (person, team) = principal.scope();
        let seen: Option<Seen> = page.parse_after()?;
        let (at, key) = seen.map_or((i64::MAX, String::new()), |seen| (seen.at, seen.key));
        // Days are UTC days, in microseconds. Numbers of the log are given the same length, to be sorted as texts.
        let lines: Vec<Line> = sql!(
            "select at, kind, key, detail, version, commits, recipient, mode from (
                 select at, operation as kind, 'a' || cast(1000000000000000000 + seq as text) as key, detail, cast(null as bigint) as version,
                     cast(null as bigint) as commits, cast(null as text) as recipient, cast(null as text) as mode
                 from audit where object_kind = 'product' and object_id = $1
                     and operation in ('ProductRegister', 'ProductUpdate', 'ProductPublish', 'ProductRetire')
                 union all
                 select max(table_commit.committed_at), 'version', 'v' || schema_name || '.' || product_table.name,
                     schema_name || '.' || product_table.name, max(table_commit.version), count(*), null, null
                 from table_commit join product_table on product_table.id = table_id
                 where product_id = $2
                 group by schema_name, product_table.name, table_commit.committed_at / 86400000000
                 union all
                 select access_grant.created_at, 'access_given', 'g' || recipient.name, '', null, null, recipient.name,
                     access_grant.mode
                 from access_grant join recipient on recipient.id = recipient_id
                 where product_id = $2 and ($3 or recipient.team_id = $5
                     or recipient.team_id in (select team_member.team_id from team_member where person_id = $4))
                 union all
                 select ended_at, 'access_ended', 'e' || recipient.name, '', null, null, recipient.name, access_grant.mode
                 from access_grant join recipient on recipient.id = recipient_id
                 where product_id = $2 and ended_at is not null and ($3 or recipient.team_id = $5
                     or recipient.team_id in (select team_member.team_id from team_member where person_id = $4))
             ) as event
             where at < $6 or (at = $6 and key < $7)
             order by at desc, key desc limit $8"
        )
        .bind(&record.name)
        .bind(record.id)
        .bind(all_grants)
        .bind(person)
        .bind(team)
        .bind(at)
        .bind(key)
        .bind(page.fetch())
        .all(self.db())
        .await?;
        let found = page.cut(lines, |line| format!("{}.{}", line.at.micros(), line.key));
        Ok(Page {
            items: found
                .items
                .into_iter()
                .filter_map(|line| event(line, inside))
                .collect(),
            next: found.next,
        })
    }

    /// What of a product a change changes, by the names that its form has: kept in the audit log, told in the history.
    pub(super) async fn what_changes(
        &self,
        old: &ProductRecord,
        new: &ProductRecord,
        tags: Option<&BTreeSet<String>>,
        plan: &TablePlan,
    ) -> Result<Vec<&'static str>, Error> {
        let tagged = match tags {
            Some(tags) => {
                let had: BTreeSet<String> =
                    self.tags_of(self.db(), old.id).await?.into_iter().collect();
                had != *tags
            }
            None => false,
        };
        let fields = [
            ("name", old.name != new.name),
            ("title", old.title != new.title),
            ("description", old.description != new.description),
            ("tags", tagged),
            ("storage", old.storage_id != new.storage_id),
            ("classification", old.classification != new.classification),
            ("access_policy", old.access_policy != new.access_policy),
            ("payer", old.payer != new.payer),
            ("baseline_days", old.baseline_days != new.baseline_days),
            ("tables", plan.changes_tables()),
        ];
        Ok(fields
            .into_iter()
            .filter_map(|(field, changed)| changed.then_some(field))
            .collect())
    }
}

/// None: what is none of these events, which an older version may have written.
fn event(line: Line, inside: bool) -> Option<ProductEvent> {
    let kind = match line.kind.as_str() {
        "ProductRegister" => ProductEventKind::Registered,
        "ProductUpdate" => ProductEventKind::Changed,
        "ProductPublish" => ProductEventKind::Published,
        "ProductRetire" => ProductEventKind::Retired,
        other => other.parse().ok()?,
    };
    let is_version = kind == ProductEventKind::Version;
    let detail: Value = if is_version {
        Value::Null
    } else {
        serde_json::from_str(&line.detail).unwrap_or_default()
    };
    let added = match kind {
        ProductEventKind::Registered => "tables",
        _ => "tables_added",
    };
    let reason = detail["reason"].as_str().filter(|_| inside);
    Some(ProductEvent {
        at: line.at,
        kind,
        changed: texts(&detail["changed"]),
        // In the log the storage and the path follow, which are for the owner's team.
        tables_added: texts(&detail[added])
            .iter()
            .filter_map(|text| text.split(' ').next())
            .map(str::to_owned)
            .collect(),
        tables_removed: texts(&detail["tables_removed"]),
        reason: reason.map(str::to_owned),
        table: is_version.then_some(line.detail),
        version: line.version,
        commits: line.commits,
        recipient: line.recipient,
        mode: line.mode,
    })
}

/// The texts of a list; of what is none, none.
fn texts(list: &Value) -> Vec<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
