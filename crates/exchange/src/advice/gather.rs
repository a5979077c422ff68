//! What is recorded of a product, put together for the reckoning: the access log by day, the runs, sizes, prices.

use std::collections::BTreeMap;

use model::time::DAY;
use model::{
    Cloud, Commits, Currency, Fetches, Location, Name, ProductId, ReplicaId, ReplicaTableId, Route,
    StorageId, Timestamp,
};

use super::facts::{Facts, Held, Read, Run, WEEK, Ways};
use super::money::{Atto, Leg, Price};
use super::reckon::WEEKS_MOST;
use crate::access::ProductInfo;
use crate::error::Error;
use crate::{Exchange, from_row, sql};

/// Seconds of a day.
const A_DAY: i64 = 86_400;

/// A product as the advisor sees it, all places together.
pub(super) struct Gathered {
    reads: Vec<ReadRow>,
    runs: Vec<RunRow>,
    sizes: Vec<SizeRow>,
    replicas: Vec<ReplicaRow>,
    /// Where it is read or kept, in order.
    pub(super) places: Vec<Location>,
    /// Per hour.
    compute: Option<crate::billing::ServiceRateRecord>,
    storage: Option<crate::billing::ServiceRateRecord>,
}

/// What is known of one place.
pub(super) enum InPlace {
    Known {
        facts: Box<Facts>,
        currency: Currency,
        /// What could not be priced.
        unpriced: Vec<String>,
    },
    /// Nothing can be reckoned, and why.
    Unknown(String),
    /// It lies there itself: nothing crosses.
    AtHome,
}

struct PlaceRow {
    cloud: Cloud,
    region: String,
}
from_row!(PlaceRow { cloud, region });

struct ReadRow {
    cloud: Cloud,
    region: String,
    read_day: i64,
    recipient_id: model::RecipientId,
    from_cloud: Cloud,
    from_region: String,
    from_replica: bool,
    calls: u64,
    bytes: u64,
}
from_row!(ReadRow {
    cloud,
    region,
    read_day,
    recipient_id,
    from_cloud,
    from_region,
    from_replica,
    calls,
    bytes
});

struct RunRow {
    replica_id: ReplicaId,
    replica_table_id: ReplicaTableId,
    from_cloud: Cloud,
    from_region: String,
    started_at: Timestamp,
    from_version: Option<u64>,
    bytes_received: u64,
    bytes_copied: u64,
    bytes_replaced: Option<u64>,
    bytes_by_files: Option<u64>,
    bytes_by_feed: Option<u64>,
    bytes_by_skip: Option<u64>,
    busy_micros: i64,
}
from_row!(RunRow {
    replica_id,
    replica_table_id,
    from_cloud,
    from_region,
    started_at,
    from_version,
    bytes_received,
    bytes_copied,
    bytes_replaced,
    bytes_by_files,
    bytes_by_feed,
    bytes_by_skip,
    busy_micros
});

struct SizeRow {
    cloud: Cloud,
    region: String,
    bytes: u64,
    recent: u64,
}
from_row!(SizeRow {
    cloud,
    region,
    bytes,
    recent
});

struct ReplicaRow {
    id: ReplicaId,
    storage: Name,
    cloud: Cloud,
    region: String,
    created_at: Timestamp,
    bytes: u64,
    every_seconds: Option<i64>,
    fetches: Fetches,
    commits: Commits,
    scheduled_at: Option<Timestamp>,
}
from_row!(ReplicaRow {
    id,
    storage,
    cloud,
    region,
    created_at,
    bytes,
    every_seconds,
    fetches,
    commits,
    scheduled_at
});

impl ReplicaRow {
    fn is_at(&self, place: &Location) -> bool {
        self.cloud == place.cloud && self.region == place.region()
    }
}

impl Exchange {
    /// Reads what is recorded of a product in the weeks that count. What is read and kept of its cuts is left out: advice is of the
    /// whole product, and who may read a part of it cannot read the whole in another way.
    pub(super) async fn advice_gather(&self, product: ProductId) -> Result<Gathered, Error> {
        let now = self.now();
        let today = Timestamp::from_utc_day(now.utc_day());
        let from = today.plus(-(WEEKS_MOST as i64) * WEEK * DAY);
        let places: Vec<PlaceRow> = sql!(
            "select recipient.cloud, recipient.region from access_grant join recipient on recipient.id = recipient_id
             where product_id = $1 and desired = 'active' and until_at > $2 and access_grant.cut_id is null
             union select storage.cloud, storage.region from replica join storage on storage.id = replica.storage_id
             where replica.product_id = $1 and replica.state in ('pending', 'ready') and replica.cut_id is null
             order by cloud, region"
        )
        .bind(product)
        .bind(now)
        .all(self.db())
        .await?;
        let places = places
            .iter()
            .map(|row| Location::new(row.cloud, &row.region).map_err(Error::internal))
            .collect::<Result<Vec<Location>, Error>>()?;
        // Whoever is handed rows reads them, as far as the log can tell. A cut is never read live, so nothing is advised of it.
        let reads = sql!(
            "select recipient.cloud, recipient.region, query_log.at / 86400000000 as read_day, query_log.recipient_id,
                    storage.cloud as from_cloud, storage.region as from_region,
                    case when query_log.source = 'replica' then true else false end as from_replica,
                    cast(count(*) as bigint) as calls, cast(sum(bytes_signed) as bigint) as bytes
             from query_log join recipient on recipient.id = query_log.recipient_id
                 join product_table on product_table.id = query_log.table_id join storage on storage.id = product_table.storage_id
                 left join access_grant on access_grant.id = query_log.grant_id
             where query_log.product_id = $1 and access_grant.cut_id is null and query_log.at >= $2 and query_log.at < $3
                 and query_log.status >= 200 and query_log.status < 300 and query_log.endpoint in ('query', 'async_query', 'changes')
             group by recipient.cloud, recipient.region, query_log.at / 86400000000, query_log.recipient_id, storage.cloud,
                 storage.region, case when query_log.source = 'replica' then true else false end
             order by read_day, query_log.recipient_id, from_cloud, from_region, from_replica"
        )
        .bind(product)
        .bind(from)
        .bind(today)
        .all(self.db())
        .await?;
        let runs = sql!(
            "select replica.id as replica_id, replica_table_id, storage.cloud as from_cloud, storage.region as from_region,
                    sync_run.started_at, from_version, bytes_received, bytes_copied, bytes_replaced, bytes_by_files, bytes_by_feed,
                    bytes_by_skip, busy_micros
             from sync_run join replica_table on replica_table.id = replica_table_id join replica on replica.id = replica_table.replica_id
                 join product_table on product_table.id = replica_table.table_id join storage on storage.id = product_table.storage_id
             where sync_run.product_id = $1 and sync_run.started_at >= $2 and sync_run.started_at < $3 and sync_run.kind = 'sync'
                 and sync_run.state = 'done' and replica.state in ('pending', 'ready') and replica.cut_id is null
             order by sync_run.started_at, sync_run.id"
        )
        .bind(product)
        .bind(from)
        .bind(today)
        .all(self.db())
        .await?;
        let sizes = sql!(
            "select storage.cloud, storage.region, cast(coalesce(sum(byte_count), 0) as bigint) as bytes,
                    cast(coalesce(sum(recent_byte_count), 0) as bigint) as recent
             from product_table join storage on storage.id = product_table.storage_id
             where product_id = $1 and removed_at is null and clone_refused_for is null
             group by storage.cloud, storage.region order by storage.cloud, storage.region"
        )
        .bind(product)
        .all(self.db())
        .await?;
        let replicas = sql!(
            "select replica.id, storage.name as storage, storage.cloud, storage.region, replica.created_at,
                    (select cast(coalesce(sum(replica_table.byte_count), 0) as bigint) from replica_table
                     where replica_table.replica_id = replica.id and replica_table.state <> 'deleted') as bytes,
                    every_seconds, fetches, commits, scheduled_at
             from replica join storage on storage.id = replica.storage_id join sync_job on sync_job.replica_id = replica.id
             where replica.product_id = $1 and replica.state in ('pending', 'ready') and replica.cut_id is null
             order by replica.created_at, replica.id"
        )
        .bind(product)
        .all(self.db())
        .await?;
        Ok(Gathered {
            places,
            reads,
            runs,
            sizes,
            replicas,
            compute: self.service_rate_for(self.db(), "compute", now).await?,
            storage: self.service_rate_for(self.db(), "storage", now).await?,
        })
    }

    /// The day on which anybody could read the product in a place first.
    async fn first_given(
        &self,
        product: ProductId,
        place: &Location,
    ) -> Result<Option<i64>, Error> {
        let row = sql!(
            "select cast(min(access_grant.created_at) as bigint) as at from access_grant
                 join recipient on recipient.id = recipient_id
             where product_id = $1 and cloud = $2 and region = $3 and access_grant.cut_id is null"
        )
        .bind(product)
        .bind(place.cloud)
        .bind(place.region())
        .row(self.db())
        .await?;
        let at: Option<Timestamp> = row.map(|row| row.get("at")).transpose()?.flatten();
        Ok(at.map(Timestamp::utc_day))
    }

    /// The figures of one place.
    pub(super) async fn advice_facts(
        &self,
        product: &ProductInfo,
        all: &Gathered,
        place: &Location,
    ) -> Result<InPlace, Error> {
        let now = self.now();
        let mut prices = Prices::default();
        for size in &all.sizes {
            let route = Route {
                from: Location::new(size.cloud, &size.region).map_err(Error::internal)?,
                to: place.clone(),
            };
            if route.is_local() {
                continue;
            }
            let Some(rate) = self.rate_for(self.db(), &route, now).await? else {
                return Ok(InPlace::Unknown(format!(
                    "no price is known from {} to {}; finance adds one",
                    route.from, route.to
                )));
            };
            if prices.currency.is_some_and(|known| known != rate.currency) {
                return Ok(InPlace::Unknown(
                    "its tables come at prices in several currencies, which are not added up"
                        .to_owned(),
                ));
            }
            prices.currency = Some(rate.currency);
            let price = Price {
                nano: rate.price_nano,
                unit: rate.unit,
            };
            prices.by_source.insert(route.from.to_string(), price);
        }
        let Some(currency) = prices.currency else {
            return Ok(InPlace::AtHome);
        };
        let mut unpriced = Vec::new();
        let mut service = |what: &str, rate: &Option<crate::billing::ServiceRateRecord>| {
            let found = rate.as_ref().filter(|rate| rate.currency == currency);
            if found.is_none() {
                unpriced.push(format!(
                    "there is no price of {what} in {currency}: none is reckoned"
                ));
            }
            found.map(|rate| rate.price_nano)
        };
        let compute = service("compute", &all.compute);
        let storage = service("storage", &all.storage);
        let held = all.replicas.iter().find(|replica| replica.is_at(place));
        let (first_day, weeks) = self.advice_weeks(product.id, place, held).await?;
        let reads = all
            .reads
            .iter()
            .filter(|row| row.cloud == place.cloud && row.region == place.region());
        let reads = reads.map(|row| Read {
            day: row.read_day,
            recipient: row.recipient_id,
            calls: row.calls,
            bytes: row.bytes,
            price: prices.of(row.from_cloud, &row.from_region),
            from_replica: row.from_replica,
        });
        let run = |row: &RunRow| Run {
            day: row.started_at.utc_day(),
            table: row.replica_table_id,
            is_first: row.from_version.is_none(),
            received: row.bytes_received,
            copied: row.bytes_copied,
            replaced: row.bytes_replaced,
            ways: row.bytes_by_files.map(|files| Ways {
                files,
                feed: row.bytes_by_feed,
                skip: row.bytes_by_skip,
            }),
            busy: compute.map_or(Atto::default(), |price| {
                Atto::of_time(row.busy_micros, price)
            }),
            price: prices.of(row.from_cloud, &row.from_region),
        };
        let runs_of = |id: ReplicaId| -> Vec<Run> {
            let rows = all.runs.iter().filter(|row| row.replica_id == id);
            rows.map(run).collect()
        };
        let elsewhere = match held {
            Some(_) => None,
            None => {
                let known = |replica: &&ReplicaRow| replica.created_at.utc_day() < first_day;
                all.replicas
                    .iter()
                    .find(known)
                    .map(|replica| runs_of(replica.id))
            }
        };
        // Of several replicas the one whose plans say most.
        let telling = |says: fn(&Ways) -> Option<u64>| -> Vec<Run> {
            let each = all.replicas.iter().map(|replica| {
                let mut runs = runs_of(replica.id);
                runs.retain(|run| {
                    let days = first_day..first_day + WEEK * i64::try_from(weeks).unwrap_or(0);
                    days.contains(&run.day) && run.ways.as_ref().and_then(says).is_some()
                });
                runs
            });
            each.reduce(|most, runs| if runs.len() > most.len() { runs } else { most })
                .unwrap_or_default()
        };
        let sum = |bytes: fn(&SizeRow) -> u64| {
            let each = all.sizes.iter();
            each.map(|size| prices.of(size.cloud, &size.region).leg(bytes(size)))
                .sum::<Leg>()
        };
        let facts = Facts {
            first_day,
            weeks,
            reads: reads.collect(),
            runs: held.map(|held| runs_of(held.id)).unwrap_or_default(),
            elsewhere,
            fed: telling(|ways| ways.feed),
            skipped: telling(|ways| ways.skip),
            size: sum(|size| size.bytes),
            recent: sum(|size| size.recent),
            storage,
            no_replica: self.no_replica(held.is_some(), all, place).await?,
            held: held.map(|held| Held {
                name: format!("{}@{}", product.name, held.storage),
                bytes: held.bytes,
                every: held
                    .every_seconds
                    .filter(|seconds| seconds % A_DAY == 0)
                    .map(|seconds| seconds / A_DAY),
                fetches: held.fetches,
                commits: held.commits,
            }),
        };
        Ok(InPlace::Known {
            facts: Box::new(facts),
            currency,
            unpriced,
        })
    }

    /// The first day and the number of the whole weeks that are over, since anybody could read there and since the replica and its
    /// schedule are as they are.
    async fn advice_weeks(
        &self,
        product: ProductId,
        place: &Location,
        held: Option<&ReplicaRow>,
    ) -> Result<(i64, usize), Error> {
        let today = self.now().utc_day();
        let log = self.options().query_log_kept / DAY;
        let mut first = today - log.min(WEEKS_MOST as i64 * WEEK);
        if let Some(given) = self.first_given(product, place).await? {
            first = first.max(given + 1);
        }
        if let Some(held) = held {
            first = first.max(held.created_at.utc_day() + 1);
            if let Some(at) = held.scheduled_at {
                first = first.max(at.utc_day() + 1);
            }
        }
        let weeks = (today - first).max(0) / WEEK;
        Ok((today - weeks * WEEK, usize::try_from(weeks).unwrap_or(0)))
    }

    /// Why there can be no replica in a place.
    async fn no_replica(
        &self,
        is_held: bool,
        all: &Gathered,
        place: &Location,
    ) -> Result<Option<String>, Error> {
        if is_held {
            return Ok(None);
        }
        if all.sizes.is_empty() {
            return Ok(Some("none of its tables can be cloned".to_owned()));
        }
        let storage: Option<StorageId> = self.replica_storage_at(place).await?;
        Ok(storage
            .is_none()
            .then(|| format!("no storage in {place} takes replicas; an admin adds one")))
    }
}

/// Of each place that tables lie in. None of the place itself: nothing crosses.
#[derive(Default)]
struct Prices {
    currency: Option<Currency>,
    by_source: BTreeMap<String, Price>,
}

impl Prices {
    fn of(&self, cloud: Cloud, region: &str) -> Price {
        let free = Price {
            nano: model::Nano(0),
            unit: model::Unit::Gigabyte,
        };
        let known = self.by_source.get(&format!("{cloud}:{region}"));
        known.copied().unwrap_or(free)
    }
}
