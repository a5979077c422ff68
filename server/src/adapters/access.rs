//! Looks at a grant as its recipient would: through the sharing protocol, in this process. Lists the tables, queries them,
//! fetches the first and the last bytes of files; for a replica also that it stands where the last sync has left it.
//!
//! Nothing of it shows as the consumer's: no line in the access log, no first read, no URL that leaves the house.

mod looker;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use exchange::access::{GrantReading, ReadFrom, ReaderRecord, SharedTable};
use exchange::page::PageRequest;
use exchange::ports::{AccessTarget, Observation};
use exchange::{Error, Principal};
use futures::StreamExt as _;
use futures::future::try_join_all;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt as _;
use model::dto::{Replica, ReplicaTable, TableDetail};
use model::{GrantId, Mode, ReplicaState, Timestamp};
use sharing::Refused;

use super::gate::{Reading, ShareGate};
use looker::{FileLine, Looker};

/// So many tables of a product are read at one look; the next look goes on behind them.
const TABLES: usize = 5;
/// So many files of a table are touched at one look, likewise, among the first of its answer.
const FILES: usize = 8;
/// Between two looks at a grant that works; what is looked at moves on with it.
const ROUND: i64 = 15 * model::time::MINUTE;
/// A look takes no longer.
const LONGEST: Duration = Duration::from_secs(60);

/// [`AccessTarget`] over the sharing protocol.
pub struct SharingTarget {
    gate: Arc<ShareGate>,
    http: reqwest::Client,
}

/// Why a look shows no working access.
enum Seen {
    Waits(String),
    Broken(String),
}

impl From<Error> for Seen {
    fn from(error: Error) -> Self {
        Self::Broken(format!("Entrepôt could not look: {error}"))
    }
}

impl From<Refused> for Seen {
    fn from(refused: Refused) -> Self {
        Self::Broken(format!("Entrepôt could not look: {refused}"))
    }
}

impl SharingTarget {
    pub fn new(gate: Arc<ShareGate>) -> Result<Self, reqwest::Error> {
        // The URLs are signed for a store that the allow-lists took; nothing may lead elsewhere.
        let http = storage::trusting_the_system(reqwest::Client::builder())
            .user_agent(concat!("entrepot/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(20))
            .build()?;
        Ok(Self { gate, http })
    }

    async fn look(&self, id: GrantId) -> Result<Observation, Seen> {
        let system = Principal::system();
        let exchange = self.gate.exchange();
        let Some(grant) = exchange.grant_reading(&system, id).await? else {
            return Ok(Observation::Closed);
        };
        let Some(recipient) = exchange.reader(&system, grant.recipient_id).await? else {
            return Ok(Observation::Closed);
        };
        let seen_at = exchange.now();
        let looker = Looker::new(&self.gate, &grant, &recipient);
        let seeing = async {
            if grant.wanted {
                self.see_open(&looker, &grant, &recipient, seen_at).await
            } else {
                looker.see_closed(&grant).await
            }
        };
        let seen = tokio::time::timeout(LONGEST, seeing).await.unwrap_or_else(|_| {
            Err(Seen::Broken(format!(
                "the provider's storage did not answer within {} seconds; this is looked at again",
                LONGEST.as_secs()
            )))
        });
        for reading in looker.readings() {
            self.gate.count_own_reads(&reading).await;
        }
        match seen? {
            true => Ok(Observation::Works { seen_at }),
            false => Ok(Observation::Closed),
        }
    }

    /// Everything that must work does.
    async fn see_open(
        &self,
        looker: &Looker,
        grant: &GrantReading,
        recipient: &ReaderRecord,
        at: Timestamp,
    ) -> Result<bool, Seen> {
        let tables = self.expected(grant).await?;
        let only = grant.cut_id.map(|_| grant.id);
        let granted = self.gate.granted_by(grant.recipient_id, only).await?;
        self.wait_for_replica(grant, recipient, &granted).await?;
        let listed = looker.list(grant.product.as_str()).await?;
        for table in &tables {
            let name = (table.schema.to_string(), table.name.to_string());
            if !listed.contains(&name) {
                return Err(broken(table, "the sharing service does not list it"));
            }
        }
        let round = usize::try_from(at.micros().div_euclid(ROUND)).unwrap_or(0);
        for table in turn(&tables, round, TABLES) {
            self.see_table(looker, grant, table, round).await?;
        }
        Ok(true)
    }

    /// The product's tables that can be read through the grant, as the catalog has them, at least one.
    async fn expected(&self, grant: &GrantReading) -> Result<Vec<TableDetail>, Seen> {
        let (exchange, operator) = (self.gate.exchange(), Principal::operator());
        let mut product = exchange.product(&operator, grant.product.as_str()).await?;
        if let Some(cut) = &grant.cut {
            let product_name = grant.product.as_str();
            let cut = exchange.cut(&operator, product_name, cut.as_str()).await?;
            let is_in = |table: &TableDetail| {
                let mut tables = cut.tables.iter();
                tables.any(|within| within.schema == table.schema && within.table == table.name)
            };
            product.tables.retain(is_in);
        }
        let refused_for = |table: &TableDetail| {
            let cloned = table.clone_refused_for.clone();
            let shared = table.refused_for.clone();
            shared.or(cloned.filter(|_| grant.mode == Mode::Replica))
        };
        let (refused, tables): (Vec<_>, Vec<_>) = product
            .tables
            .into_iter()
            .partition(|table| refused_for(table).is_some());
        if tables.is_empty() {
            let feature = refused.iter().find_map(refused_for);
            return Err(Seen::Broken(match (feature, grant.mode) {
                (Some(feature), Mode::Replica) => format!(
                    "none of the product's tables can be cloned: they use the feature {feature}, which clones cannot have \
                     here yet"
                ),
                (Some(feature), Mode::Live) => format!(
                    "none of the product's tables can be shared: reading them needs the feature {feature}, which is not \
                     supported here yet"
                ),
                (None, _) if grant.cut.is_some() => {
                    "the cut has no table that the product still has".to_owned()
                }
                (None, _) => "the product has no table".to_owned(),
            }));
        }
        Ok(tables)
    }

    /// For a replica: there must be one, in order, with every table in it. What another grant gives meanwhile does not count.
    async fn wait_for_replica(
        &self,
        grant: &GrantReading,
        recipient: &ReaderRecord,
        granted: &[SharedTable],
    ) -> Result<(), Seen> {
        if grant.mode != Mode::Replica {
            return Ok(());
        }
        let mut missing = 0;
        for row in granted
            .iter()
            .filter(|row| row.product_id == grant.product_id && row.not_served().is_none())
        {
            let there = row.mode == Mode::Replica && row.place()?.is_some();
            missing += usize::from(!there);
        }
        if missing == 0 {
            return Ok(());
        }
        let location = recipient.location()?;
        let replicas = self
            .gate
            .exchange()
            .replicas(
                &Principal::operator(),
                Some(grant.product.as_str()),
                &PageRequest::default(),
            )
            .await?;
        // Of a cut the newest edition: it is what is waited for.
        let replica = replicas
            .items
            .into_iter()
            .filter(|replica| replica.location == location && replica.cut == grant.cut)
            .rev()
            .max_by_key(|replica| replica.edition);
        let Some(replica) = replica else {
            return Err(Seen::Broken(format!(
                "there is no replica in {location}; a storage there must take replicas"
            )));
        };
        Err(replica_state(&replica, missing))
    }

    /// One table: queried, some of its files touched, and a replica where it should stand.
    async fn see_table(
        &self,
        looker: &Looker,
        grant: &GrantReading,
        table: &TableDetail,
        round: usize,
    ) -> Result<(), Seen> {
        let (version, files) = looker.query(grant.product.as_str(), table).await?;
        let reading = looker
            .readings()
            .pop()
            .ok_or_else(|| broken(table, "the sharing service answered without opening it"))?;
        let files = turn(&files, round, FILES);
        let touching = files.into_iter().map(|file| self.touch(&reading, file));
        try_join_all(touching)
            .await
            .map_err(|why| broken(table, &why))?;
        if let ReadFrom::Replica { source_version } = reading.from {
            stands_at(&reading, version, source_version)
                .await
                .map_err(|why| broken(table, &why))?;
        }
        Ok(())
    }

    /// The first and the last byte of a file, by the URL that the consumer would get.
    async fn touch(&self, reading: &Reading, file: &FileLine) -> Result<(), String> {
        if file.size == 0 {
            return Ok(());
        }
        let last = file.size - 1;
        for at in BTreeSet::from([0, last]) {
            let (status, range, body) = self.fetch(&file.url, &format!("bytes={at}-{at}")).await?;
            if status != StatusCode::PARTIAL_CONTENT {
                return Err(format!(
                    "one of its files cannot be fetched: {}",
                    why_not(status)
                ));
            }
            reading
                .fetched
                .fetch_add(body.len() as u64, Ordering::Relaxed);
            if body.len() != 1 || range != format!("bytes {at}-{at}/{}", file.size) {
                return Err("one of its files has another size than the log says".to_owned());
            }
        }
        Ok(())
    }

    async fn fetch(&self, url: &str, range: &str) -> Result<(StatusCode, String, Bytes), String> {
        // A whole file is never taken in: the answer must be one byte, or an error's short text.
        const SHORT: usize = 64 << 10;
        let got_range = |headers: &HeaderMap| {
            let value = headers.get(header::CONTENT_RANGE);
            value
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
                .to_owned()
        };
        let unreachable =
            || "one of its files cannot be fetched: the store does not answer".to_owned();
        if let Some(response) = self.gate.gateway().fetch(url, range).await {
            let (parts, body) = response.into_parts();
            let body = http_body_util::Limited::new(body, SHORT).collect().await;
            let body = body.map_err(|_| unreachable())?.to_bytes();
            return Ok((parts.status, got_range(&parts.headers), body));
        }
        let request = self.http.get(url).header(header::RANGE, range);
        // The error's own text holds the signed URL.
        let response = request.send().await.map_err(|_| unreachable())?;
        let (status, range) = (response.status(), got_range(response.headers()));
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(|_| unreachable())?);
            if body.len() > SHORT {
                break;
            }
        }
        Ok((status, range, body.freeze()))
    }
}

#[async_trait]
impl AccessTarget for SharingTarget {
    async fn observe(&self, grant: GrantId) -> Observation {
        match self.look(grant).await {
            Ok(observation) => observation,
            Err(Seen::Waits(reason)) => Observation::Waits { reason },
            Err(Seen::Broken(reason)) => Observation::Broken { reason },
        }
    }
}

fn broken(table: &TableDetail, why: &str) -> Seen {
    Seen::Broken(format!("{}.{}: {why}", table.schema, table.name))
}

fn why_not(status: StatusCode) -> String {
    match status {
        StatusCode::NOT_FOUND => "it is gone; its producer has to restore it".to_owned(),
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            "the store refuses; its credential may lack permission to read".to_owned()
        }
        status => format!("the store answered {}", status.as_u16()),
    }
}

/// What is said of a grant while its replica is not there. A grant is read by both sides: the words of a failed run, which
/// name paths, stay with the run.
fn replica_state(replica: &Replica, missing: usize) -> Seen {
    let location = &replica.location;
    let table = replica.tables.iter().find(|table| {
        follows(table) && table.state != ReplicaState::Ready && table.reason.is_some()
    });
    let failed = table.is_some() || replica.reason.is_some();
    let diverged = replica.state == ReplicaState::Diverged
        || table.is_some_and(|table| table.state == ReplicaState::Diverged);
    match (diverged, failed) {
        (true, _) => Seen::Broken(format!(
            "the replica in {location} is not as it was left; its last run says why"
        )),
        (false, true) => Seen::Waits(format!(
            "the first copy to {location} is not complete: its last run did not go through and says why"
        )),
        (false, false) => Seen::Waits(format!(
            "the first copy to {location} is under way: {missing} of {} tables are still to come",
            replica.tables.iter().filter(|table| follows(table)).count()
        )),
    }
}

/// What was taken out of the product is not waited for.
fn follows(table: &ReplicaTable) -> bool {
    !matches!(
        table.state,
        ReplicaState::Draining | ReplicaState::Erasing | ReplicaState::Deleted
    )
}

/// The replica's own log says which version of the source it stands at: in the `txn` that syncs write.
async fn stands_at(reading: &Reading, version: u64, source_version: u64) -> Result<(), String> {
    let snapshot = reading
        .at
        .table
        .snapshot(None)
        .await
        .map_err(|error| error.to_string())?;
    let ours = snapshot
        .txns
        .iter()
        .filter(|(application, _)| application.starts_with("entrepot/"))
        .filter_map(|(_, version)| u64::try_from(*version).ok())
        .max();
    if snapshot.version < version {
        return Err("the replica went back to an older version while it was looked at".to_owned());
    }
    match ours {
        // A sync may have committed since and not been noted yet.
        Some(stands) if stands >= source_version => Ok(()),
        Some(stands) => Err(format!(
            "the replica stands at version {stands} of its source and should stand at {source_version}"
        )),
        None => Err("the replica holds no commit of a sync".to_owned()),
    }
}

/// `most` of `all`, beginning anew behind those of the round before.
fn turn<T>(all: &[T], round: usize, most: usize) -> Vec<&T> {
    if all.len() <= most {
        return all.iter().collect();
    }
    let start = round.wrapping_mul(most) % all.len();
    all.iter().cycle().skip(start).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_come_to_all() {
        let all: Vec<usize> = (0..12).collect();
        let mut seen = BTreeSet::new();
        for round in 100..103 {
            let turn = turn(&all, round, 5);
            assert_eq!(turn.len(), 5);
            seen.extend(turn.into_iter().copied());
        }
        assert_eq!(seen.len(), 12);
        assert_eq!(turn(&all[..5], 7, 5), all[..5].iter().collect::<Vec<_>>());
        assert!(turn(&all[..0], 7, 5).is_empty());
    }
}
