//! Applying to the files of a clone what a change feed says of their rows, without a key: a row is the sum of its values, and of
//! equal rows it does not matter which one goes. What the feed deletes is looked for in the files, each row once; the files that
//! hold such rows are written anew without them; what it inserts is written behind.
//!
//! A file is read by row groups and written by row groups, so that its size costs no memory; what does is bounded: the feed's rows,
//! and the largest row group.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, new_null_array};
use arrow::compute::filter_record_batch;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, SortField};
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use futures::FutureExt;
use indexmap::IndexMap;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::AsyncArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::actions::AddFile;
use crate::budgets::count;
use crate::odd::{has_nanos, has_odd_numbers, is_before_calendars};
use crate::rows::{Batches, RowsError};
use crate::shape::{Shape, fit};
use crate::write::stats::Tally;
use crate::{LogError, Table};

/// The column of a change feed that says what became of a row.
pub(crate) const KIND: &str = "_change_type";

/// Bytes of rows of a feed that are held at once.
const FEED_BYTES: u64 = 256 << 20;
/// Rows of a feed, and of a file of the clone: a few bytes can stand for more rows than anybody can wait for.
const FEED_ROWS: u64 = 1 << 26;
const FILE_ROWS: u64 = 1 << 30;
/// Bytes of a row group, as stored, above which a file is not read.
const GROUP_BYTES: u64 = 256 << 20;
/// Bytes of a row group that is written.
const WRITTEN_GROUP_BYTES: usize = 32 << 20;
/// Above this a file is written in parts of this size.
const PART_BYTES: usize = 8 << 20;
/// Rows of the feed that are written at once.
const ROWS: usize = 1024;

/// Why rows cannot be applied.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Copying the files does without.
    #[error("{0}")]
    Rows(String),
    /// May be better next time.
    #[error(transparent)]
    Log(LogError),
}

impl From<RowsError> for Unfit {
    fn from(error: RowsError) -> Self {
        match error {
            RowsError::Log(error @ LogError::Storage(_)) => Self::Log(error),
            error => Self::Rows(error.to_string()),
        }
    }
}

impl From<ArrowError> for Unfit {
    fn from(error: ArrowError) -> Self {
        Self::Rows(error.to_string())
    }
}

/// What was looked for in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// The rows that go, by their place in the file.
    pub gone: Vec<u64>,
    /// Rows that stay.
    pub stay: u64,
}

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    pub size: u64,
    pub rows: u64,
    /// As in the log.
    pub stats: String,
}

/// A place among the rows to be written.
type Place = (usize, i64);

/// What is to become of the rows of some files of one partition.
pub struct RowChange {
    schema: SchemaRef,
    names: BTreeSet<String>,
    /// Of all columns of the table, also those of partitions.
    known: BTreeSet<String>,
    /// Of which the log is told.
    told: BTreeSet<String>,
    converter: RowConverter,
    /// By the bytes of a row how many more of it there are to be; below zero, how many fewer. In the order in which they came.
    net: IndexMap<Box<[u8]>, i64>,
    bytes: u64,
    /// Rows of the feed, as its files say.
    taken: u64,
    /// Sums over `net`.
    fewer: u64,
    more: u64,
}

impl RowChange {
    /// # Errors
    /// [`Unfit::Rows`] for a table whose rows cannot be told from one another.
    pub fn new(shape: &Shape) -> Result<Self, Unfit> {
        if let Some(why) = shape.unfit() {
            return Err(Unfit::Rows(why.to_owned()));
        }
        let schema = Arc::new(Schema::new(shape.fields().to_vec()));
        let sorts = schema.fields().iter();
        let sorts: Vec<_> = sorts
            .map(|field| SortField::new(field.data_type().clone()))
            .collect();
        let names = schema.fields().iter().map(|field| field.name().clone());
        Ok(Self {
            names: names.collect(),
            known: shape.names().clone(),
            told: shape.told().clone(),
            converter: RowConverter::new(sorts)?,
            schema,
            net: IndexMap::new(),
            bytes: 0,
            taken: 0,
            fewer: 0,
            more: 0,
        })
    }

    /// The same, with these columns told to the log.
    pub(crate) fn telling(self, told: BTreeSet<String>) -> Self {
        Self { told, ..self }
    }

    /// How many rows are still to be taken out of files.
    pub fn fewer(&self) -> u64 {
        self.fewer
    }

    /// How many rows are still to be written.
    pub fn more(&self) -> u64 {
        self.more
    }

    /// Takes up a file of a change feed.
    ///
    /// # Errors
    /// [`Unfit::Rows`] for what does not say what became of each of its rows.
    pub async fn feed(&mut self, table: &Table, file: &AddFile) -> Result<(), Unfit> {
        let mut names = self.names.clone();
        names.insert(KIND.to_owned());
        unbroken(self.take(table, file, &names)).await
    }

    /// Takes up a file all of whose rows go.
    ///
    /// # Errors
    /// [`Unfit::Rows`] for what cannot be read.
    pub async fn without(&mut self, table: &Table, file: &AddFile) -> Result<(), Unfit> {
        let names = self.names.clone();
        unbroken(self.take(table, file, &names)).await
    }

    async fn take(
        &mut self,
        table: &Table,
        file: &AddFile,
        names: &BTreeSet<String>,
    ) -> Result<(), Unfit> {
        let is_feed = names.contains(KIND);
        let mut batches = table.batches(file, names).await?;
        self.check(&batches)?;
        self.expect(batches.told)?;
        while let Some((first, batch)) = batches.next(table, file).await? {
            let kinds = match is_feed {
                true => Some(kinds_of(&batch)?),
                false => None,
            };
            self.include(&batch, |at| match &kinds {
                _ if !batches.lives(first + count(at)) => Ok(0),
                None => Ok(-1),
                Some(kinds) => change_of(kinds.as_string::<i32>(), at),
            })?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Makes room for so many rows, as a file says that it has.
    pub(crate) fn expect(&mut self, rows: u64) -> Result<(), Unfit> {
        self.taken = self.taken.saturating_add(rows);
        if self.taken > FEED_ROWS {
            return Err(Unfit::Rows(format!(
                "the change feed has {} rows, and at most {FEED_ROWS} are applied at once",
                self.taken
            )));
        }
        Ok(())
    }

    /// Takes up rows: of each, how many more of it there are to be.
    pub(crate) fn include(
        &mut self,
        batch: &RecordBatch,
        change: impl Fn(usize) -> Result<i64, Unfit>,
    ) -> Result<(), Unfit> {
        let rows = self.converter.convert_columns(&self.fitted(batch)?)?;
        for at in 0..batch.num_rows() {
            let change = change(at)?;
            if change == 0 {
                continue;
            }
            let row = rows.row(at).data();
            let before = match self.net.get_mut(row) {
                Some(net) => {
                    let before = *net;
                    *net += change;
                    before
                }
                None => {
                    self.bytes = self.bytes.saturating_add(count(row.len()) + 64);
                    if self.bytes > FEED_BYTES {
                        return Err(Unfit::Rows(
                            "the change feed has too many rows to be held at once".to_owned(),
                        ));
                    }
                    self.net.insert(row.into(), change);
                    0
                }
            };
            let after = before + change;
            let (fewer, more) = (
                |net: i64| net.min(0).unsigned_abs(),
                |net: i64| net.max(0).unsigned_abs(),
            );
            self.fewer = self.fewer + fewer(after) - fewer(before);
            self.more = self.more + more(after) - more(before);
        }
        Ok(())
    }

    /// Looks for what goes in a file of the clone. What is found is not looked for again.
    ///
    /// # Errors
    /// [`Unfit::Rows`] for what cannot be read.
    pub async fn seek(&mut self, table: &Table, file: &AddFile) -> Result<Sought, Unfit> {
        if self.fewer == 0
            && let Some(stay) = file.live_rows()
        {
            return Ok(Sought {
                gone: Vec::new(),
                stay,
            });
        }
        unbroken(self.look(table, file)).await
    }

    async fn look(&mut self, table: &Table, file: &AddFile) -> Result<Sought, Unfit> {
        let names = self.names.clone();
        let mut batches = table.batches(file, &names).await?;
        self.check(&batches)?;
        let mut sought = Sought::default();
        while let Some((first, batch)) = batches.next(table, file).await? {
            let rows = self.converter.convert_columns(&self.fitted(&batch)?)?;
            for (at, row) in (0..batch.num_rows()).zip(first..) {
                if !batches.lives(row) {
                    continue;
                }
                match self.net.get_mut(rows.row(at).data()) {
                    Some(net) if *net < 0 => {
                        *net += 1;
                        self.fewer -= 1;
                        sought.gone.push(row);
                    }
                    _ => sought.stay += 1,
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(sought)
    }

    /// Writes a file at `key`: the rows of some of the clone's without those that go, then, if asked for, all that are to be written.
    /// The same rows make the same bytes.
    ///
    /// # Errors
    /// [`Unfit::Rows`] for what cannot be read or written.
    pub async fn write(
        &mut self,
        table: &Table,
        from: &[(&AddFile, &Sought)],
        with_more: bool,
        key: &Path,
    ) -> Result<NewFile, Unfit> {
        unbroken(self.write_all(table, from, with_more, key)).await
    }

    async fn write_all(
        &mut self,
        table: &Table,
        from: &[(&AddFile, &Sought)],
        with_more: bool,
        key: &Path,
    ) -> Result<NewFile, Unfit> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("entrepot ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let sink = BufWriter::with_capacity(table.objects().clone(), key.clone(), PART_BYTES);
        let mut out = AsyncArrowWriter::try_new(sink, self.schema.clone(), Some(properties))
            .map_err(unwritten)?;
        let mut tally = Tally::only(self.told.clone());
        let filled = self
            .fill(table, from, with_more, &mut out, &mut tally)
            .await;
        if let Err(error) = filled {
            // Parts of an upload that is never completed would be paid for.
            let mut sink = out.into_inner();
            if sink.abort().await.is_err() {
                tracing::warn!(object = %key, "an upload could not be aborted");
            }
            return Err(error);
        }
        out.finish().await.map_err(unwritten)?;
        Ok(NewFile {
            size: count(out.bytes_written()),
            rows: tally.rows(),
            stats: tally.told().to_string(),
        })
    }

    async fn fill(
        &mut self,
        table: &Table,
        from: &[(&AddFile, &Sought)],
        with_more: bool,
        out: &mut AsyncArrowWriter<BufWriter>,
        tally: &mut Tally,
    ) -> Result<(), Unfit> {
        for (file, sought) in from {
            let names = self.names.clone();
            let mut batches = table.batches(file, &names).await?;
            self.check(&batches)?;
            while let Some((first, batch)) = batches.next(table, file).await? {
                let rows = RecordBatch::try_new(self.schema.clone(), self.fitted(&batch)?)?;
                let stays = (0..batch.num_rows()).zip(first..).map(|(_, row)| {
                    Some(batches.lives(row) && sought.gone.binary_search(&row).is_err())
                });
                let stays: BooleanArray = stays.collect();
                let rows = filter_record_batch(&rows, &stays)?;
                put(out, tally, &rows).await?;
                tokio::task::yield_now().await;
            }
        }
        if with_more {
            let mut at = (0, 0);
            while let Some((rows, next)) = self.rows_to_write(at)? {
                put(out, tally, &rows).await?;
                at = next;
            }
            for net in self.net.values_mut().filter(|net| **net > 0) {
                *net = 0;
            }
            self.more = 0;
        }
        Ok(())
    }

    /// Rows to be written, from this place among them all on, and the place behind them: which of the different ones, and how
    /// often it has been written by then.
    fn rows_to_write(&self, from: Place) -> Result<Option<(RecordBatch, Place)>, Unfit> {
        let parser = self.converter.parser();
        let (mut rows, (mut next, mut written)) = (Vec::new(), from);
        while rows.len() < ROWS {
            let Some((bytes, net)) = self.net.get_index(next) else {
                break;
            };
            if written >= *net {
                (next, written) = (next + 1, 0);
                continue;
            }
            rows.push(parser.parse(bytes));
            written += 1;
        }
        if rows.is_empty() {
            return Ok(None);
        }
        let columns = self.converter.convert_rows(rows)?;
        let columns = columns.iter().zip(self.schema.fields());
        let columns: Result<Vec<ArrayRef>, ArrowError> = columns
            .map(|(column, field)| fit(column, field.data_type()))
            .collect();
        let rows = RecordBatch::try_new(self.schema.clone(), columns?)?;
        Ok(Some((rows, (next, written))))
    }

    /// Whether a file can be read here at all.
    fn check(&self, batches: &Batches) -> Result<(), Unfit> {
        if batches.largest > GROUP_BYTES {
            return Err(Unfit::Rows(format!(
                "a row group of {} bytes is too large to be held at once",
                batches.largest
            )));
        }
        if batches.told > FILE_ROWS {
            return Err(Unfit::Rows(format!(
                "a file of {} rows takes too long to be looked through",
                batches.told
            )));
        }
        // Some readers do not tell upper from lower case; here such a column would be none.
        let is_close = |root: &&String| {
            let same = |name: &String| name.eq_ignore_ascii_case(root);
            !self.known.contains(*root) && self.known.iter().any(same)
        };
        match batches.roots.iter().find(is_close) {
            Some(root) => Err(Unfit::Rows(format!(
                "a file spells the column {} in another way than the table",
                crate::contain::shown(root)
            ))),
            None => Ok(()),
        }
    }

    /// The columns of the table, whatever the file has.
    fn fitted(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, Unfit> {
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for field in self.schema.fields() {
            columns.push(match batch.column_by_name(field.name()) {
                Some(column) => {
                    if has_nanos(column.data_type()) {
                        return Err(Unfit::Rows("it has instants in nanoseconds".to_owned()));
                    }
                    let column = fit(column, field.data_type())?;
                    if has_odd_numbers(column.as_ref()) {
                        return Err(Unfit::Rows(
                            "it has numbers that equal others or not even themselves".to_owned(),
                        ));
                    }
                    column
                }
                None => new_null_array(field.data_type(), batch.num_rows()),
            });
        }
        Ok(columns)
    }
}

async fn put(
    out: &mut AsyncArrowWriter<BufWriter>,
    tally: &mut Tally,
    rows: &RecordBatch,
) -> Result<(), Unfit> {
    if rows.num_rows() == 0 {
        return Ok(());
    }
    if rows
        .columns()
        .iter()
        .any(|column| is_before_calendars(column.as_ref()))
    {
        return Err(Unfit::Rows(
            "it has days so long ago that readers disagree about them".to_owned(),
        ));
    }
    tally.include(rows);
    out.write(rows).await.map_err(unwritten)?;
    if out.in_progress_size() > WRITTEN_GROUP_BYTES {
        out.flush().await.map_err(unwritten)?;
    }
    Ok(())
}

/// What a feed says that became of its rows.
pub(crate) fn kinds_of(batch: &RecordBatch) -> Result<ArrayRef, Unfit> {
    match batch.column_by_name(KIND) {
        Some(kinds) => Ok(fit(kinds, &DataType::Utf8)?),
        None => Err(Unfit::Rows(
            "the change feed does not say what became of its rows".to_owned(),
        )),
    }
}

/// How many more of a row there are to be.
pub(crate) fn change_of(kinds: &arrow::array::StringArray, at: usize) -> Result<i64, Unfit> {
    let kind = if kinds.is_null(at) {
        ""
    } else {
        kinds.value(at)
    };
    match kind {
        "insert" | "update_postimage" => Ok(1),
        "delete" | "update_preimage" => Ok(-1),
        other => Err(Unfit::Rows(format!(
            "the change feed says of a row that it is `{}`",
            crate::contain::shown(other)
        ))),
    }
}

fn unwritten(error: ParquetError) -> Unfit {
    match error {
        ParquetError::External(source) => {
            Unfit::Log(LogError::Storage(object_store::Error::Generic {
                store: "parquet",
                source,
            }))
        }
        error => Unfit::Rows(error.to_string()),
    }
}

/// A decoder meets hostile bytes; should it panic, the files are copied.
async fn unbroken<T>(work: impl Future<Output = Result<T, Unfit>>) -> Result<T, Unfit> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(Unfit::Rows("a file cannot be decoded".to_owned())),
    }
}

#[cfg(test)]
mod tests;
