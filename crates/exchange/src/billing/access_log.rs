//! What a store's own access log says was read takes the place of the estimate that URLs were counted with when they were handed
//! out: to the byte, each line once, however often it comes.
//!
//! A line that bears the marks of a query is that query's; one without is that of the only access by which URLs of its table were
//! handed out in the time before it. The estimate stays as it was written, and counts no more from then on; the logged bytes are new
//! meter events, priced like all others. Of a day that was priced already they become a charge of their own, and of a month whose
//! statement was issued they stand on the next one: neither changes.

use std::collections::{BTreeMap, HashMap};

use model::dto::{AccessLogNew, AccessLogResult};
use model::time::{DAY, HOUR, MINUTE};
use model::{
    GrantId, Location, MeterEventId, Method, Name, Payer, ProductId, Purpose, QueryId, RecipientId,
    StorageId, TableId, Timestamp,
};
use serde_json::json;

use super::s3_log::{self, Entry};
use crate::audit::Object;
use crate::error::{Check, Error};
use crate::jobs::{Wake, WorkKind};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::principal::Principal;
use crate::storages::StorageRecord;
use crate::{Exchange, from_row, sql};

/// So many lines go into one transaction.
const BATCH: usize = 500;
/// So long before a read its URL may have been signed, and so much later its event written, where a long answer streams.
const BEFORE: i64 = 2 * HOUR;
const AFTER: i64 = 15 * MINUTE;
/// So far ahead of ours a store's clock may be.
const AHEAD: i64 = DAY;

/// An estimate, by what its URLs were handed out.
#[derive(Clone, Debug)]
struct Signed {
    id: MeterEventId,
    product_id: Option<ProductId>,
    table_id: Option<TableId>,
    grant_id: Option<GrantId>,
    recipient_id: Option<RecipientId>,
    recipient: Name,
    query_id: QueryId,
    from_location: Location,
    to_location: Location,
    purpose: Purpose,
    payer: Option<Payer>,
}
from_row!(Signed {
    id,
    product_id,
    table_id,
    grant_id,
    recipient_id,
    recipient,
    query_id,
    from_location,
    to_location,
    purpose,
    payer
});

/// Estimates with their recipients, as [`Signed`] reads them.
macro_rules! signed_rows {
    () => {
        "select meter_event.id, product_id, table_id, grant_id, recipient_id, recipient.name as recipient, query_id,
                from_location, to_location, purpose, payer
         from meter_event join recipient on recipient.id = recipient_id"
    };
}

/// A storage in the bucket whose log it is.
struct Within {
    id: StorageId,
    location: Location,
    /// Of its keys, with a slash behind it where there is one.
    prefix: String,
}

/// A bucket, and what of it is ours.
struct Bucket {
    name: String,
    /// The name that no other bucket has.
    place: String,
    within: Vec<Within>,
}

/// Of a place in a log's work: `storage/log storage/prefix`.
pub struct AccessLogPlace {
    pub of: StorageId,
    pub lies_in: StorageId,
    pub prefix: String,
}

impl AccessLogPlace {
    fn key(&self) -> String {
        format!("{}/{}/{}", self.of, self.lies_in, self.prefix)
    }

    /// None: not such a key.
    pub fn parse(key: &str) -> Option<Self> {
        let mut parts = key.splitn(3, '/');
        Some(Self {
            of: parts.next()?.parse().ok()?,
            lies_in: parts.next()?.parse().ok()?,
            prefix: parts.next()?.to_owned(),
        })
    }
}

/// Bucket and prefix of a storage. A folder that stands in for a cloud is a bucket of its own name.
fn bucket_of(storage: &StorageRecord) -> (String, String) {
    let Some(rest) = storage.url.strip_prefix("s3://") else {
        return (storage.name.to_string(), String::new());
    };
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = match prefix.trim_end_matches('/') {
        "" => String::new(),
        prefix => format!("{prefix}/"),
    };
    (bucket.to_owned(), prefix)
}

impl Exchange {
    /// Takes lines of the access log of a storage's bucket, or has a worker read them from where the store keeps its log.
    pub async fn access_log_import(
        &self,
        principal: &Principal,
        new: AccessLogNew,
    ) -> Result<AccessLogResult, Error> {
        can(principal, Operation::AccessLogImport, &Scope::NONE)?;
        let storage = self
            .storage_by_name(&new.storage)
            .await?
            .ok_or(Error::NotFound("storage"))?;
        match (new.lines, new.lies_in) {
            (Some(lines), None) if new.prefix.is_none() => {
                self.take_lines(principal, &storage, &lines).await
            }
            (None, Some(lies_in)) => {
                let mut check = Check::new();
                let prefix = new.prefix.unwrap_or_default();
                let prefix = check.text("prefix", prefix.trim_matches('/'), 0, 1_000, false);
                check.done()?;
                let lies_in = self
                    .storage_by_name(&lies_in)
                    .await?
                    .ok_or(Error::NotFound("storage"))?;
                let place = AccessLogPlace {
                    of: storage.id,
                    lies_in: lies_in.id,
                    prefix,
                };
                let mut change = self.change(principal).await?;
                change.note(
                    Operation::AccessLogImport,
                    Object::new("storage", storage.id),
                    json!({ "lies_in": lies_in.name, "prefix": place.prefix }),
                );
                change.wake(Wake::new(WorkKind::AccessLog, place.key()));
                change.commit().await?;
                Ok(AccessLogResult {
                    queued: true,
                    ..AccessLogResult::default()
                })
            }
            _ => Err(Error::invalid(
                "lines",
                "give the lines of the log, or say in which storage it lies and below which prefix",
            )),
        }
    }

    /// The same for a worker, which reads them.
    pub async fn access_log_lines(
        &self,
        principal: &Principal,
        storage: StorageId,
        lines: &str,
    ) -> Result<AccessLogResult, Error> {
        can(principal, Operation::AccessLogImport, &Scope::NONE)?;
        let storage = self
            .storage_by_id(self.db(), storage)
            .await?
            .ok_or(Error::NotFound("storage"))?;
        self.take_lines(principal, &storage, lines).await
    }

    /// Whether an object of the log was read to its end before.
    pub async fn access_log_was_read(
        &self,
        principal: &Principal,
        lies_in: StorageId,
        path: &str,
    ) -> Result<bool, Error> {
        can(principal, Operation::AccessLogImport, &Scope::NONE)?;
        let row = sql!("select path from access_log_object where storage_id = $1 and path = $2")
            .bind(lies_in)
            .bind(path)
            .row(self.db())
            .await?;
        Ok(row.is_some())
    }

    /// Remembers that it was.
    pub async fn access_log_read(
        &self,
        principal: &Principal,
        lies_in: StorageId,
        path: &str,
    ) -> Result<(), Error> {
        can(principal, Operation::AccessLogImport, &Scope::NONE)?;
        sql!(
            "insert into access_log_object (storage_id, path, day) values ($1, $2, $3) on conflict (storage_id, path) do nothing"
        )
        .bind(lies_in)
        .bind(path)
        .bind(self.now().utc_day())
        .execute(self.db())
        .await?;
        Ok(())
    }

    /// Forgets lines that are too old to be taken again. Called now and then by a worker.
    pub async fn access_log_sweep(&self, principal: &Principal) -> Result<u64, Error> {
        can(principal, Operation::WorkRun, &Scope::NONE)?;
        // A day longer than they are taken, so that none comes in between.
        let before = self.oldest_line().utc_day() - 1;
        let lines = sql!("delete from access_log_line where day < $1")
            .bind(before)
            .execute(self.db())
            .await?;
        let objects = sql!("delete from access_log_object where day < $1")
            .bind(before)
            .execute(self.db())
            .await?;
        Ok(lines + objects)
    }

    fn oldest_line(&self) -> Timestamp {
        self.now().plus(-self.options().query_log_kept)
    }

    /// The bucket of a storage, and which of our storages lie in it.
    async fn bucket(&self, storage: &StorageRecord) -> Result<Bucket, Error> {
        let (name, _) = bucket_of(storage);
        let within = self
            .storage_records(self.db())
            .await?
            .into_iter()
            .filter(|other| other.endpoint == storage.endpoint && bucket_of(other).0 == name)
            .filter(|other| other.url.starts_with("s3://") == storage.url.starts_with("s3://"))
            .map(|other| Within {
                id: other.id,
                prefix: bucket_of(&other).1,
                location: other.location,
            })
            .collect();
        let server = storage.endpoint.as_deref().unwrap_or("aws");
        Ok(Bucket {
            place: format!("{server} {name}"),
            name,
            within,
        })
    }

    async fn take_lines(
        &self,
        principal: &Principal,
        storage: &StorageRecord,
        lines: &str,
    ) -> Result<AccessLogResult, Error> {
        let bucket = self.bucket(storage).await?;
        let (oldest, newest) = (self.oldest_line(), self.now().plus(AHEAD));
        let mut result = AccessLogResult::default();
        let mut batch = Vec::new();
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            result.lines += 1;
            match s3_log::parse(line) {
                None => result.unreadable += 1,
                Some(entry) if !entry.is_read || entry.bucket != bucket.name => result.others += 1,
                Some(entry) if entry.at < oldest || entry.at > newest => result.too_old += 1,
                Some(entry) => batch.push(entry),
            }
            if batch.len() >= BATCH {
                let full = std::mem::take(&mut batch);
                self.take_batch(principal, storage.id, &bucket, full, &mut result)
                    .await?;
            }
        }
        self.take_batch(principal, storage.id, &bucket, batch, &mut result)
            .await?;
        Ok(result)
    }

    /// Finds whose the reads are, and counts those that were not counted yet, in one transaction.
    async fn take_batch(
        &self,
        principal: &Principal,
        storage: StorageId,
        bucket: &Bucket,
        batch: Vec<Entry>,
        result: &mut AccessLogResult,
    ) -> Result<(), Error> {
        let mut known: HashMap<QueryId, Option<Signed>> = HashMap::new();
        let mut found = Vec::with_capacity(batch.len());
        for entry in batch {
            match self.signed_for(bucket, &entry, &mut known).await? {
                Some(signed) => found.push((entry, signed)),
                None => result.unmatched += 1,
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        let mut change = self.change(principal).await?;
        let at = change.at();
        // One event for what a query has read on a day, by whoever counts it.
        let mut sums: BTreeMap<(QueryId, i64), (Signed, Timestamp, u64)> = BTreeMap::new();
        let mut counted = 0;
        for (entry, signed) in found {
            let is_new = sql!(
                "insert into access_log_line (bucket, request_id, day) values ($1, $2, $3)
                 on conflict (bucket, request_id) do nothing"
            )
            .bind(&bucket.place)
            .bind(&entry.request_id)
            .bind(entry.at.utc_day())
            .execute(change.tx())
            .await?;
            if is_new == 0 {
                result.repeated += 1;
                continue;
            }
            counted += 1;
            let key = (signed.query_id, entry.at.utc_day());
            let sum = sums.entry(key).or_insert((signed, entry.at, 0));
            sum.2 = sum.2.saturating_add(entry.bytes);
        }
        if counted == 0 {
            return Ok(());
        }
        let mut bytes = 0_u64;
        for ((query, day), (signed, first, sum)) in sums {
            sql!("update meter_event set replaced_at = $1 where id = $2 and replaced_at is null")
                .bind(at)
                .bind(signed.id)
                .execute(change.tx())
                .await?;
            if sum == 0 {
                continue;
            }
            bytes = bytes.saturating_add(sum);
            let id = MeterEventId::new(at);
            sql!("insert into meter_event (id, key, product_id, table_id, grant_id, recipient_id, query_id, from_location,
                      to_location, bytes, busy_micros, method, purpose, at, day, payer)
                  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, $13, $14, $15)")
            .bind(id)
            .bind(format!("logged/{query}/{id}"))
            .bind(signed.product_id)
            .bind(signed.table_id)
            .bind(signed.grant_id)
            .bind(signed.recipient_id)
            .bind(query)
            .bind(&signed.from_location)
            .bind(&signed.to_location)
            .bind(sum)
            .bind(Method::Logged)
            .bind(signed.purpose)
            .bind(first)
            .bind(day)
            .bind(signed.payer)
            .execute(change.tx())
            .await?;
        }
        change.note(
            Operation::AccessLogImport,
            Object::new("storage", storage),
            json!({ "lines": counted, "bytes": bytes }),
        );
        change.commit().await?;
        result.counted += counted;
        result.bytes = result.bytes.saturating_add(bytes);
        Ok(())
    }

    /// By which estimate a read is. None: it was none of ours, or nobody can tell.
    async fn signed_for(
        &self,
        bucket: &Bucket,
        entry: &Entry,
        known: &mut HashMap<QueryId, Option<Signed>>,
    ) -> Result<Option<Signed>, Error> {
        let here: Vec<&Within> = bucket
            .within
            .iter()
            .filter(|within| entry.key.starts_with(&within.prefix))
            .collect();
        let Some(text) = &entry.query else {
            // Reads with a key of their own are not by our URLs.
            return match entry.is_presigned {
                Some(true) => self.signed_before(&here, entry).await,
                _ => Ok(None),
            };
        };
        let Ok(query) = text.parse::<QueryId>() else {
            return Ok(None);
        };
        // The marks are part of what is signed. Where nothing is, anybody may write them.
        if entry.is_presigned == Some(false) {
            return Ok(None);
        }
        let signed = match known.get(&query) {
            Some(signed) => signed.clone(),
            None => {
                let signed: Option<Signed> = sql!(
                    signed_rows!(),
                    " where query_id = $1 and method = 'signed' order by meter_event.id limit 1"
                )
                .bind(query)
                .first(self.db())
                .await?;
                known.insert(query, signed.clone());
                signed
            }
        };
        Ok(signed.filter(|signed| {
            entry.recipient.as_deref() == Some(signed.recipient.as_str())
                && here
                    .iter()
                    .any(|within| within.location == signed.from_location)
        }))
    }

    /// The last estimate before a read of a table's file, where URLs of it were handed out by one access only.
    async fn signed_before(
        &self,
        here: &[&Within],
        entry: &Entry,
    ) -> Result<Option<Signed>, Error> {
        // The storage that lies deepest.
        let Some(within) = here.iter().max_by_key(|within| within.prefix.len()) else {
            return Ok(None);
        };
        let path = entry.key.get(within.prefix.len()..).unwrap_or_default();
        let table = sql!(
            "select product_table.product_id, product_table.id as table_id, length(path) as depth from product_table
             where storage_id = $1 and substr(cast($2 as text), 1, length(path) + 1) = path || '/'
             union all
             select replica.product_id, replica_table.table_id, length(path) as depth
             from replica_table join replica on replica.id = replica_table.replica_id
             where replica.storage_id = $1 and substr(cast($2 as text), 1, length(path) + 1) = path || '/'
             order by depth desc limit 1"
        )
        .bind(within.id)
        .bind(path)
        .row(self.db())
        .await?;
        let Some(table) = table else { return Ok(None) };
        let (product, table): (ProductId, TableId) =
            (table.get("product_id")?, table.get("table_id")?);
        let (from, until) = (entry.at.plus(-BEFORE), entry.at.plus(AFTER));
        let signed: Vec<Signed> = sql!(
            signed_rows!(),
            " where product_id = $1 and table_id = $2 and day >= $3 and day <= $4 and meter_event.at >= $5
                 and meter_event.at <= $6 and method = 'signed' and from_location = $7
              order by meter_event.at desc, meter_event.id desc limit 200"
        )
        .bind(product)
        .bind(table)
        .bind(from.utc_day())
        .bind(until.utc_day())
        .bind(from)
        .bind(until)
        .bind(&within.location)
        .all(self.db())
        .await?;
        let is_one = signed
            .windows(2)
            .all(|pair| pair[0].recipient_id == pair[1].recipient_id);
        Ok(signed.into_iter().next().filter(|_| is_one))
    }
}
