//! The tables of the demo world: a year of history, then a month of real Delta commits, day by day. Written through
//! [`delta::write`], seeded, and dated: commits, files and rows carry the days of the month that is played.

mod claims;
mod orders;
mod parts;
#[cfg(test)]
mod tests;
mod visits;

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use delta::Snapshot;
use delta::write::arrow::array::{
    ArrayRef, BooleanArray, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use delta::write::arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use delta::write::{NewTable, Writer};
use model::Timestamp;
use model::time::MINUTE;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::cars::Fleet;
use super::clouds::{Clouds, Place};

/// Days of the month, the last of them being today.
pub(super) const DAYS: u32 = 30;
/// What is older than the month's first day: days of history that the first load brings.
const HISTORY_DAYS: i64 = 360;
/// A checkpoint after so many commits, as writers usually do: readers need not replay the whole log.
const CHECKPOINT_EVERY: u64 = 10;
/// Of which some rows are still unfinished when they are loaded: nothing takes longer than a week.
const WEEK: i64 = 7;
/// Weekly loads between the first load and the month, as it was done before the daily ones.
const WEEKLY_LOADS: i64 = 6;
const CARS: u32 = 9_000;

/// The days of the month. Day 0 is the first, [`DAYS`] is today.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calendar {
    first: i64,
}

impl Calendar {
    pub(super) fn ending(now: Timestamp) -> Self {
        Self {
            first: now.utc_day() - i64::from(DAYS),
        }
    }

    /// As UTC day.
    pub(super) fn day(self, day: u32) -> i64 {
        self.first + i64::from(day)
    }

    /// A time of day, UTC.
    pub(super) fn at(self, day: u32, hour: i64, minute: i64) -> Timestamp {
        instant(self.day(day), hour * 60 + minute)
    }
}

/// What was committed before the month begins: the days whose rows are loaded, and when. A week is loaded when nothing in
/// it changes any more, save the last.
struct Load {
    days: Range<i64>,
    day: i64,
    what: &'static str,
}

impl Load {
    fn at(&self) -> Timestamp {
        // Two loads may fall on one day; the one with the newer rows comes second.
        instant(
            self.day,
            4 * 60 + 10 + if self.days.end == self.day { 20 } else { 0 },
        )
    }
}

impl Calendar {
    /// The UTC day on which tables are made.
    fn made(self) -> i64 {
        self.first - WEEK * WEEKLY_LOADS
    }

    fn loads(self) -> Vec<Load> {
        let weekly = (0..WEEKLY_LOADS).map(|week| {
            let begin = self.made() - WEEK + WEEK * week;
            Load {
                days: begin..begin + WEEK,
                day: begin + 2 * WEEK,
                what: "a week loaded",
            }
        });
        let history = Load {
            days: self.first - HISTORY_DAYS..self.made() - WEEK,
            day: self.made(),
            what: "the history loaded",
        };
        let last = Load {
            days: self.first - WEEK..self.first,
            day: self.first,
            what: "the last week loaded, in part still unfinished",
        };
        [history].into_iter().chain(weekly).chain([last]).collect()
    }
}

fn instant(day: i64, minute: i64) -> Timestamp {
    Timestamp::from_utc_day(day).plus(minute * MINUTE)
}

/// `2026-10`, the value of partitions by month.
fn month(day: i64) -> String {
    Timestamp::from_utc_day(day)
        .date()
        .map(|date| date.format("%Y-%m").to_string())
        .unwrap_or_default()
}

/// How busy after-sales is on a UTC day, in percent: Monday much, Sunday only the breakdown service.
fn busyness(day: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    [122, 116, 110, 108, 104, 44, 9][usize::try_from((day + 3).rem_euclid(7)).unwrap_or(0)]
}

/// One version of one table, as our own reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Version {
    pub(super) version: u64,
    pub(super) at: Timestamp,
    /// What was done, in words.
    pub(super) what: String,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) rows: Option<u64>,
    /// SHA-256 over the data files, sorted, one `path<tab>size` a line, in hexadecimal.
    pub(super) digest: String,
    pub(super) columns: Vec<Shown>,
}

/// A column as the log has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Shown {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) type_text: String,
    pub(super) nullable: bool,
    pub(super) comment: Option<String>,
}

impl Version {
    fn of(snapshot: &Snapshot, at: Timestamp, what: String) -> anyhow::Result<Self> {
        let columns = snapshot.metadata.schema()?;
        Ok(Self {
            version: snapshot.version,
            at,
            what,
            files: snapshot.files.len() as u64,
            bytes: snapshot.bytes(),
            rows: snapshot.rows(),
            digest: digest(snapshot),
            columns: columns
                .into_iter()
                .map(|column| Shown {
                    name: column.name,
                    type_text: column.type_text,
                    nullable: column.nullable,
                    comment: column.comment,
                })
                .collect(),
        })
    }
}

fn digest(snapshot: &Snapshot) -> String {
    let mut lines: Vec<String> = snapshot
        .files
        .values()
        .map(|file| format!("{}\t{}\n", file.key, file.size))
        .collect();
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for line in lines {
        hash.update(line.as_bytes());
    }
    hex::encode(hash.finalize())
}

/// A table with all its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct History {
    pub(super) product: &'static str,
    pub(super) table: &'static str,
    /// Relative to the folder of the clouds.
    pub(super) path: PathBuf,
    pub(super) versions: Vec<Version>,
}

/// A table that is being written.
struct Source {
    writer: Writer,
    folder: PathBuf,
    history: History,
}

impl Source {
    async fn create(
        clouds: &Clouds,
        place: &Place,
        seed: u64,
        at: Timestamp,
        new: NewTable,
    ) -> anyhow::Result<Self> {
        let history = History {
            product: place.product,
            table: place.table,
            path: place.relative(),
            versions: Vec::new(),
        };
        let folder = clouds.root().join(&history.path);
        let table = clouds.table(place)?;
        let writer = Writer::create(table, seed, at, new)
            .await
            .with_context(|| format!("cannot make the table {}", folder.display()))?;
        let mut source = Self {
            writer,
            folder,
            history,
        };
        source.wrote(at, "table created".to_owned()).await?;
        Ok(source)
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(self.writer.schema())
    }

    async fn append(&mut self, at: Timestamp, rows: RecordBatch, what: &str) -> anyhow::Result<()> {
        self.writer.append(at, &[rows]).await?;
        self.wrote(at, what.to_owned()).await
    }

    async fn update(
        &mut self,
        at: Timestamp,
        what: &str,
        new: impl FnMut(&RecordBatch) -> Result<Option<RecordBatch>, ArrowError>,
    ) -> anyhow::Result<()> {
        self.writer.update_where(at, new).await?;
        self.wrote(at, what.to_owned()).await
    }

    async fn delete(
        &mut self,
        at: Timestamp,
        what: &str,
        keep: impl FnMut(&RecordBatch) -> Result<BooleanArray, ArrowError>,
    ) -> anyhow::Result<()> {
        self.writer.delete_where(at, keep).await?;
        self.wrote(at, what.to_owned()).await
    }

    async fn compact(&mut self, at: Timestamp) -> anyhow::Result<()> {
        self.writer.compact(at).await?;
        self.wrote(at, "files compacted, the same rows".to_owned())
            .await
    }

    async fn add_column(&mut self, at: Timestamp, field: Field) -> anyhow::Result<()> {
        let what = format!("new column {}", field.name());
        self.writer.add_column(at, field).await?;
        self.wrote(at, what).await
    }

    /// Dates what the last commit wrote and notes the version, if there was anything to commit.
    async fn wrote(&mut self, at: Timestamp, what: String) -> anyhow::Result<()> {
        let snapshot = self.writer.snapshot();
        let known = self.history.versions.last().map(|line| line.version);
        if known == Some(snapshot.version) {
            return Ok(());
        }
        let added = snapshot
            .files
            .values()
            .filter(|file| file.modification_time == at.millis())
            .map(|file| file.key.to_string());
        let log = format!("_delta_log/{:020}.json", snapshot.version);
        let mut keys: Vec<String> = added.chain([log]).collect();
        if snapshot.version > 0 && snapshot.version.is_multiple_of(CHECKPOINT_EVERY) {
            self.writer.table().write_checkpoint(snapshot).await?;
            keys.push(format!(
                "_delta_log/{:020}.checkpoint.parquet",
                snapshot.version
            ));
            keys.push("_delta_log/_last_checkpoint".to_owned());
        }
        for key in keys {
            date(&self.folder.join(key), at)?;
        }
        self.history.versions.push(Version::of(snapshot, at, what)?);
        Ok(())
    }
}

/// Gives a file the age it has in the month that is played: readers take a commit's time from it.
fn date(path: &Path, at: Timestamp) -> anyhow::Result<()> {
    let since = Duration::from_micros(u64::try_from(at.micros()).unwrap_or(0));
    File::options()
        .append(true)
        .open(path)
        .and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + since))
        .with_context(|| format!("cannot date {}", path.display()))
}

/// All source tables.
pub(super) struct Tables {
    visits: visits::Visits,
    claims: claims::Claims,
    orders: orders::Orders,
    parts: parts::Parts,
}

impl Tables {
    /// Writes the history: what there is when the month begins.
    pub(super) async fn create(
        clouds: &Clouds,
        seed: u64,
        calendar: Calendar,
    ) -> anyhow::Result<Self> {
        let fleet = Arc::new(Fleet::new(seed, CARS, calendar.day(0) - HISTORY_DAYS));
        Ok(Self {
            visits: visits::Visits::create(clouds, seed, calendar, Arc::clone(&fleet)).await?,
            claims: claims::Claims::create(clouds, seed, calendar, fleet).await?,
            orders: orders::Orders::create(clouds, seed, calendar).await?,
            parts: parts::Parts::create(clouds, seed, calendar).await?,
        })
    }

    /// Commits what happened on a day, and answers it: product, table, and the new versions.
    pub(super) async fn play(&mut self, day: u32) -> anyhow::Result<Vec<History>> {
        let before = self.histories();
        self.visits.play(day).await?;
        self.claims.play(day).await?;
        self.orders.play(day).await?;
        self.parts.play(day).await?;
        let mut new = self.histories();
        for (history, before) in new.iter_mut().zip(before) {
            history.versions.drain(..before.versions.len());
        }
        new.retain(|history| !history.versions.is_empty());
        Ok(new)
    }

    /// Every version of every table.
    pub(super) fn histories(&self) -> Vec<History> {
        [
            &self.visits.source,
            &self.claims.source,
            &self.orders.source,
            &self.parts.source,
        ]
        .map(|source| source.history.clone())
        .into()
    }
}

fn schema(columns: Vec<Field>) -> SchemaRef {
    Arc::new(Schema::new(columns))
}

/// A column with what it means, for people.
fn column(name: &str, data_type: DataType, nullable: bool, comment: &str) -> Field {
    Field::new(name, data_type, nullable)
        .with_metadata([("comment".to_owned(), comment.to_owned())].into())
}

fn text<'a>(of: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(of))
}

fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn timestamps(of: impl Iterator<Item = Option<Timestamp>>) -> ArrayRef {
    let array: TimestampMicrosecondArray = of.map(|at| at.map(Timestamp::micros)).collect();
    Arc::new(array.with_timezone("UTC"))
}

/// Money with two digits behind the point.
const MONEY: DataType = DataType::Decimal128(10, 2);

fn money(cents: impl Iterator<Item = Option<i64>>) -> Result<ArrayRef, ArrowError> {
    let array: Decimal128Array = cents.map(|cents| cents.map(i128::from)).collect();
    Ok(Arc::new(array.with_precision_and_scale(10, 2)?))
}

/// A column as the type it has; the tables are this module's own, so another type is a mistake of it.
fn typed<'a, T: 'static>(rows: &'a RecordBatch, name: &str) -> Result<&'a T, ArrowError> {
    rows.column_by_name(name)
        .and_then(|column| column.as_any().downcast_ref())
        .ok_or_else(|| ArrowError::SchemaError(format!("no column {name} of the type expected")))
}

/// The same rows with some columns replaced.
fn with_columns(
    rows: &RecordBatch,
    new: impl IntoIterator<Item = (&'static str, ArrayRef)>,
) -> Result<RecordBatch, ArrowError> {
    let schema = rows.schema();
    let mut columns = rows.columns().to_vec();
    for (name, array) in new {
        columns[schema.index_of(name)?] = array;
    }
    RecordBatch::try_new(schema, columns)
}

/// A UTC day as columns of type date hold it.
fn date_of(day: i64) -> i32 {
    i32::try_from(day).unwrap_or(i32::MAX)
}
