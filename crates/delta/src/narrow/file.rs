//! One data file of a narrowed table: what reading it takes, and writing it anew. Fetched are the footer and the column chunks of what is
//! kept, hashed or compared, each range once and exactly, so that what it takes is known from the footer.

use std::collections::HashMap;
use std::ops::Range;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StructArray, new_null_array};
use arrow::compute::{and, filter_record_batch};
use arrow::record_batch::RecordBatch;
use arrow_schema::DataType;
use futures::FutureExt as _;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::WriterProperties;

use super::pseudonym::{Secret, pseudonyms};
use super::schema::{Act, Node};
use super::{Narrowed, Test};
use crate::actions::AddFile;
use crate::budgets::count;
use crate::checkpoint::{Input, merged, read_footer, rows_of_groups, sized_footer};
use crate::odd::is_before_calendars;
use crate::rewrite::NewFile;
use crate::rows::{Batches, GONE, RowSum, RowsError, converted, decode, hash_of, partition_text};
use crate::shape::fit;
use crate::write::stats::Tally;
use crate::{LogError, Table};

/// What lies between two ranges is fetched with them if it is less than a request is worth.
const GAP: u64 = 4 << 10;
/// Rows of a file: a few bytes can stand for more rows than anybody can wait for.
const FILE_ROWS: u64 = 1 << 30;
/// Bytes of a row group that are fetched for it at once.
const GROUP_BYTES: u64 = 256 << 20;
/// Bytes of a row group that is written.
const WRITTEN_GROUP_BYTES: usize = 32 << 20;
/// Above this a file is written in parts of this size.
const PART_BYTES: usize = 8 << 20;
/// A file may become larger than it was: by what is written whatever it holds, by what another encoding takes, and for each row of each
/// column by a hash. One value that a dictionary holds once and each row repeats must not.
const GROWN_BYTES: u64 = 64 << 20;
const GROWN_TIMES: u64 = 32;
const GROWN_ROW_BYTES: u64 = 80;

/// What a file that was written says of itself in its footer.
const OF: &str = "entrepot.of";
const TOLD: &str = "entrepot.stats";

/// By these Spark says that a file's oldest days are of another calendar.
const OTHER_CALENDAR: [&str; 2] = [
    "org.apache.spark.legacyDateTime",
    "org.apache.spark.legacyINT96",
];

/// Why a file cannot be narrowed. None of these repeats a value.
#[derive(Debug, thiserror::Error)]
pub enum Unnarrowed {
    /// The source has no such object.
    #[error("it is not there")]
    Missing,
    /// The same again cannot help.
    #[error("{0}")]
    Damaged(String),
    #[error("{0}")]
    Source(LogError),
    #[error("{0}")]
    Target(LogError),
}

/// A file of the source whose footer was read.
#[derive(Clone, Debug)]
pub struct Opened {
    footer: Arc<ParquetMetaData>,
    path: Path,
    /// The leaves that are read.
    leaves: Vec<usize>,
    /// Bytes of the footer, which were fetched already.
    pub footer_bytes: u64,
    /// Bytes that are fetched to write it anew, and requests: of column chunks, and of its deletion vector.
    pub bytes: u64,
    pub requests: u64,
}

fn damaged(what: &str) -> Unnarrowed {
    Unnarrowed::Damaged(what.to_owned())
}

fn of_source(error: object_store::Error) -> Unnarrowed {
    match error {
        object_store::Error::NotFound { .. } => Unnarrowed::Missing,
        error => Unnarrowed::Source(LogError::Storage(error)),
    }
}

/// What decoding a source's file came to: whatever a decoder says may hold what it stumbled over.
fn unread(error: RowsError, what: &str) -> Unnarrowed {
    match error {
        RowsError::Log(error @ LogError::Storage(_)) => Unnarrowed::Source(error),
        RowsError::Unreadable { what, .. } if what == GONE => Unnarrowed::Missing,
        RowsError::Log(LogError::Budget { .. }) => {
            damaged("its rows take more memory than is allowed here")
        }
        _ => damaged(what),
    }
}

const UNREADABLE: &str = "it cannot be decoded";

impl Narrowed {
    /// Reads the footer of a file of the source, and reckons what the rest takes.
    ///
    /// # Errors
    /// [`Unnarrowed`].
    pub async fn open(&self, source: &Table, file: &AddFile) -> Result<Opened, Unnarrowed> {
        unbroken(self.open_it(source, file)).await
    }

    async fn open_it(&self, source: &Table, file: &AddFile) -> Result<Opened, Unnarrowed> {
        let there = source.objects().head(&file.key).await.map_err(of_source)?;
        if there.size != file.size {
            return Err(Unnarrowed::Damaged(format!(
                "it has {} bytes, but the log says {}",
                there.size, file.size
            )));
        }
        let there = ObjectMeta {
            // A store below a prefix answers with the whole path.
            location: file.key.clone(),
            ..there
        };
        let read = sized_footer(source.objects().as_ref(), 0, &there, source.budgets()).await;
        let (footer, footer_bytes) = read.map_err(|error| match error {
            LogError::Storage(error) => of_source(error),
            LogError::Budget { .. } => damaged("its footer is larger than is allowed here"),
            _ => damaged("its footer is no Parquet footer"),
        })?;
        let schema = footer.file_metadata().schema_descr();
        let wanted = schema.columns().iter().enumerate();
        let leaves = wanted.filter(|(_, leaf)| self.takes(leaf.path().parts()));
        let leaves: Vec<usize> = leaves.map(|(index, _)| index).collect();
        let told = rows_of_groups(&footer);
        if told > FILE_ROWS {
            return Err(Unnarrowed::Damaged(format!(
                "it has {told} rows, and at most {FILE_ROWS} of a file are read here"
            )));
        }
        for root in schema.root_schema().get_fields() {
            // Some readers do not tell upper from lower case; here such a column would be none.
            let is_close = |known: &String| known.eq_ignore_ascii_case(root.name());
            if !self.roots.contains(root.name()) && self.roots.iter().any(is_close) {
                return Err(damaged("it spells a column in another way than the table"));
            }
        }
        let mut opened = Opened {
            leaves,
            path: there.location,
            footer_bytes,
            bytes: 0,
            requests: 0,
            footer: Arc::new(footer),
        };
        for ranges in opened.fetches(file.size)? {
            opened.requests += count(ranges.len());
            let bytes = ranges.iter().map(|range| range.end - range.start);
            opened.bytes += bytes.sum::<u64>();
        }
        if let (Some(vector), Some(_)) = (&file.deletion_vector, &file.deletion_vector_key) {
            let from = vector.get("offset").and_then(serde_json::Value::as_u64);
            let end = crate::vectors::end_of(vector);
            opened.bytes += end.saturating_sub(from.unwrap_or(1));
            opened.requests += 1;
        }
        Ok(opened)
    }

    /// Whether a leaf of a file is read, by the way to it.
    fn takes(&self, way: &[String]) -> bool {
        let is_compared = |test: &Test| way.starts_with(&test.way);
        is_one_of(&self.nodes, way) || self.tests.iter().any(is_compared)
    }

    /// Writes at `key` what is left of a file, which says of itself that it is `of` that. None: no row is left, and nothing is written.
    /// The same file makes the same bytes.
    ///
    /// # Errors
    /// [`Unnarrowed`].
    pub async fn write(
        &self,
        secret: &Secret,
        (source, file, opened): (&Table, &AddFile, &Opened),
        (target, key): (&Table, &Path),
        of: &str,
    ) -> Result<Option<NewFile>, Unnarrowed> {
        let mut out = None;
        let mut tally = Tally::only(self.told.clone());
        let filled = self.fill(
            secret,
            (source, file, opened),
            (target, key),
            (&mut out, &mut tally),
        );
        let filled = unbroken(filled).await;
        let Some(mut out) = out else {
            return filled.map(|()| None);
        };
        let stats = tally.told().to_string();
        let finished = match filled {
            Ok(()) => {
                for (name, value) in [(OF, of), (TOLD, stats.as_str())] {
                    let value = KeyValue::new(name.to_owned(), value.to_owned());
                    out.append_key_value_metadata(value);
                }
                unbroken(out.finish().map(|done| done.map_err(unwritten))).await
            }
            Err(error) => {
                // Parts of an upload that is never completed would be paid for.
                if out.into_inner().abort().await.is_err() {
                    tracing::warn!(object = %key, "an upload could not be aborted");
                }
                return Err(error);
            }
        };
        finished?;
        Ok(Some(NewFile {
            size: count(out.bytes_written()),
            rows: tally.rows(),
            stats,
        }))
    }

    async fn fill(
        &self,
        secret: &Secret,
        (source, file, opened): (&Table, &AddFile, &Opened),
        (target, key): (&Table, &Path),
        (out, tally): (&mut Option<AsyncArrowWriter<BufWriter>>, &mut Tally),
    ) -> Result<(), Unnarrowed> {
        let mut batches = opened.batches(source, file).await?;
        let kvs = opened.footer.file_metadata().key_value_metadata();
        let is_other = |kv: &KeyValue| OTHER_CALENDAR.contains(&kv.key.as_str());
        let has_other_calendar = kvs.is_some_and(|kvs| kvs.iter().any(is_other));
        let mut read = 0_u64;
        while let Some(rows) = self.next(secret, source, file, &mut batches).await? {
            tokio::task::yield_now().await;
            if rows.num_rows() == 0 {
                continue;
            }
            let is_old = |column: &ArrayRef| is_before_calendars(column.as_ref());
            if has_other_calendar && rows.columns().iter().any(is_old) {
                return Err(damaged(
                    "it has days so long ago that readers disagree about them: have Spark write them by today's calendar",
                ));
            }
            if out.is_none() {
                *out = Some(self.writer(target, key)?);
            }
            let Some(out) = out.as_mut() else {
                continue;
            };
            tally.include(&rows);
            out.write(&rows).await.map_err(unwritten)?;
            if out.in_progress_size() > WRITTEN_GROUP_BYTES {
                out.flush().await.map_err(unwritten)?;
            }
            read = read.saturating_add(count(rows.num_rows()));
            let hashes = read.saturating_mul(count(self.fields.fields().len()) * GROWN_ROW_BYTES);
            let most = file.size.saturating_mul(GROWN_TIMES).saturating_add(hashes);
            if count(out.bytes_written()) > most.saturating_add(GROWN_BYTES) {
                return Err(damaged("written anew it would be many times as large"));
            }
        }
        Ok(())
    }

    fn writer(
        &self,
        target: &Table,
        key: &Path,
    ) -> Result<AsyncArrowWriter<BufWriter>, Unnarrowed> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("entrepot ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let sink = BufWriter::with_capacity(target.objects().clone(), key.clone(), PART_BYTES);
        AsyncArrowWriter::try_new(sink, self.fields.clone(), Some(properties)).map_err(unwritten)
    }

    /// What stands at `key` already, if it is `of` that.
    ///
    /// # Errors
    /// [`Unnarrowed::Target`].
    pub async fn written(
        target: &Table,
        key: &Path,
        of: &str,
    ) -> Result<Option<NewFile>, Unnarrowed> {
        let there = match target.objects().head(key).await {
            Ok(there) => ObjectMeta {
                location: key.clone(),
                ..there
            },
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(Unnarrowed::Target(LogError::Storage(error))),
        };
        let read = read_footer(target.objects().as_ref(), 0, &there, target.budgets());
        let read = unbroken(read.map(|footer| match footer {
            Err(error @ LogError::Storage(_)) => Err(Unnarrowed::Target(error)),
            Err(_) => Err(damaged(UNREADABLE)),
            Ok(footer) => Ok(footer),
        }));
        let footer = match read.await {
            Ok(footer) => footer,
            // It is written again.
            Err(Unnarrowed::Damaged(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        let kvs = footer.file_metadata().key_value_metadata();
        let said = |name: &str| {
            let mut kvs = kvs.into_iter().flatten();
            kvs.find(|kv| kv.key == name)?.value.clone()
        };
        let made = NewFile {
            size: there.size,
            rows: rows_of_groups(&footer),
            stats: said(TOLD).unwrap_or_default(),
        };
        Ok((said(OF).as_deref() == Some(of)).then_some(made))
    }

    /// Writes a file without rows at `key`, or finds it there. Answers its size.
    ///
    /// # Errors
    /// [`Unnarrowed::Target`].
    pub async fn write_empty(
        &self,
        target: &Table,
        key: &Path,
        of: &str,
    ) -> Result<u64, Unnarrowed> {
        if let Some(there) = Self::written(target, key, of).await? {
            return Ok(there.size);
        }
        let mut out = self.writer(target, key)?;
        out.append_key_value_metadata(KeyValue::new(OF.to_owned(), of.to_owned()));
        out.finish().await.map_err(unwritten)?;
        Ok(count(out.bytes_written()))
    }

    /// The sum of what is left of a file's rows, as the replica's files have them.
    ///
    /// # Errors
    /// [`RowsError::Unreadable`] for what cannot be decoded.
    pub async fn sum(
        &self,
        secret: &Secret,
        source: &Table,
        file: &AddFile,
    ) -> Result<RowSum, RowsError> {
        let summed = unbroken(self.sum_it(secret, source, file)).await;
        summed.map_err(|error| match error {
            Unnarrowed::Source(error) | Unnarrowed::Target(error) => RowsError::Log(error),
            error => RowsError::Unreadable {
                path: "of the source".to_owned(),
                what: error.to_string(),
            },
        })
    }

    async fn sum_it(
        &self,
        secret: &Secret,
        source: &Table,
        file: &AddFile,
    ) -> Result<RowSum, Unnarrowed> {
        let opened = self.open_it(source, file).await?;
        let mut batches = opened.batches(source, file).await?;
        let shape = self.metadata.shape().map_err(Unnarrowed::Source)?;
        let types: HashMap<String, DataType> = shape.widest();
        let partition = partition_text(file);
        let mut all = RowSum::default();
        while let Some(rows) = self.next(secret, source, file, &mut batches).await? {
            let columns = converted(&rows, &types).map_err(|_| damaged(UNREADABLE))?;
            for at in 0..rows.num_rows() {
                all.include(RowSum {
                    rows: 1,
                    sum: hash_of(&partition, &columns, at),
                });
            }
            tokio::task::yield_now().await;
        }
        Ok(all)
    }

    /// The next rows, narrowed; there may be none among them that are left.
    async fn next(
        &self,
        secret: &Secret,
        source: &Table,
        file: &AddFile,
        batches: &mut Batches,
    ) -> Result<Option<RecordBatch>, Unnarrowed> {
        let next = batches.next(source, file).await;
        let Some((first, batch)) = next.map_err(|error| unread(error, UNREADABLE))? else {
            return Ok(None);
        };
        let lives = (0..batch.num_rows()).zip(first..);
        let lives: BooleanArray = lives.map(|(_, row)| Some(batches.lives(row))).collect();
        let broken = || damaged(UNREADABLE);
        let mut stays = lives;
        for test in &self.tests {
            let fits = fitting(test, &batch).ok_or_else(broken)?;
            stays = and(&stays, &fits).map_err(|_| broken())?;
        }
        let batch = match stays.true_count() == batch.num_rows() {
            true => batch,
            false => filter_record_batch(&batch, &stays).map_err(|_| broken())?,
        };
        let mut columns = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let column = batch.column_by_name(node.out.name());
            columns.push(made(node, column, batch.num_rows(), secret).ok_or_else(broken)?);
        }
        let made = RecordBatch::try_new(self.fields.clone(), columns);
        made.map(Some).map_err(|_| broken())
    }
}

impl Opened {
    /// What is fetched of each row group.
    fn fetches(&self, size: u64) -> Result<Vec<Vec<Range<u64>>>, Unnarrowed> {
        let mut all = Vec::with_capacity(self.footer.num_row_groups());
        let mut stored = 0_u64;
        for group in self.footer.row_groups() {
            let mut ranges = Vec::with_capacity(self.leaves.len());
            for leaf in &self.leaves {
                let Some(chunk) = group.columns().get(*leaf) else {
                    return Err(damaged("its footer is no Parquet footer"));
                };
                let from = chunk.dictionary_page_offset();
                let from = u64::try_from(from.unwrap_or(chunk.data_page_offset()));
                let bytes = u64::try_from(chunk.compressed_size());
                let (Ok(from), Ok(bytes)) = (from, bytes) else {
                    return Err(damaged("its footer is no Parquet footer"));
                };
                stored = stored.saturating_add(bytes);
                ranges.push(from..from.saturating_add(bytes));
            }
            let ranges = merged(ranges, GAP);
            let bytes = ranges.iter().map(|range| range.end - range.start);
            if bytes.fold(0, u64::saturating_add) > GROUP_BYTES {
                return Err(damaged("a row group of it is too large to be held at once"));
            }
            if ranges.last().is_some_and(|range| range.end > size) {
                return Err(damaged("its columns are larger than the file"));
            }
            all.push(ranges);
        }
        // Chunks that overlap would have the same bytes fetched again and again.
        if stored > size {
            return Err(damaged("its columns are larger than the file"));
        }
        Ok(all)
    }

    async fn batches(&self, source: &Table, file: &AddFile) -> Result<Batches, Unnarrowed> {
        let told = rows_of_groups(&self.footer);
        let hides = source.deleted(file, told).await;
        let broken = "its deletion vector cannot be read, or is not what the log says";
        let (_, hides) = hides.map_err(|error| unread(error, broken))?;
        let input = Input {
            objects: source.objects().clone(),
            path: self.path.clone(),
            footer: self.footer.clone(),
            gap: Some(GAP),
        };
        decode(file, input, self.leaves.clone(), hides).map_err(|error| unread(error, UNREADABLE))
    }
}

fn is_one_of(nodes: &[Node], way: &[String]) -> bool {
    let Some((first, rest)) = way.split_first() else {
        return false;
    };
    let node = nodes.iter().find(|node| node.out.name() == first);
    node.is_some_and(|node| match &node.act {
        Act::Struct(nodes) => is_one_of(nodes, rest),
        Act::Keep | Act::Hash(_) => true,
    })
}

/// The rows that fit. A column that the file does not have is null in all of them.
fn fitting(test: &Test, batch: &RecordBatch) -> Option<BooleanArray> {
    let none = || BooleanArray::from(vec![false; batch.num_rows()]);
    let (root, way) = test.way.split_first()?;
    let Some(mut column) = batch.column_by_name(root).cloned() else {
        return Some(none());
    };
    let mut lives = BooleanArray::from(vec![true; batch.num_rows()]);
    for name in way {
        let inner = column.as_struct_opt()?.column_by_name(name).cloned();
        // A field of a struct that is null is null, whatever stands in its place.
        let valid = (0..column.len()).map(|at| Some(!column.is_null(at)));
        lives = and(&lives, &valid.collect::<BooleanArray>()).ok()?;
        match inner {
            Some(inner) => column = inner,
            None => return Some(none()),
        }
    }
    and(&lives, &test.rows(&column)?).ok()
}

/// A column of the replica. None: the file's cannot be read as what the table says that it is.
fn made(node: &Node, column: Option<&ArrayRef>, rows: usize, secret: &Secret) -> Option<ArrayRef> {
    let Some(column) = column else {
        return Some(new_null_array(node.out.data_type(), rows));
    };
    match &node.act {
        Act::Keep => fit(column, node.out.data_type()).ok(),
        Act::Hash(of) => pseudonyms(column, of, secret),
        Act::Struct(nodes) => {
            let from = column.as_struct_opt()?;
            let DataType::Struct(fields) = node.out.data_type() else {
                return None;
            };
            let mut columns = Vec::with_capacity(nodes.len());
            for node in nodes {
                let inner = from.column_by_name(node.out.name());
                columns.push(made(node, inner, rows, secret)?);
            }
            let made = StructArray::try_new(fields.clone(), columns, from.nulls().cloned());
            Some(Arc::new(made.ok()?))
        }
    }
}

fn unwritten(error: ParquetError) -> Unnarrowed {
    match error {
        ParquetError::External(source) => {
            Unnarrowed::Target(LogError::Storage(object_store::Error::Generic {
                store: "parquet",
                source,
            }))
        }
        _ => damaged("it cannot be written anew"),
    }
}

/// A decoder meets hostile bytes; should it panic, the file is broken, not the process.
async fn unbroken<T>(work: impl Future<Output = Result<T, Unnarrowed>>) -> Result<T, Unnarrowed> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(damaged(UNREADABLE)),
    }
}
