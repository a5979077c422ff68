//! Writing anew what is left of a data file of the source, and summing what is left of its rows.

use std::collections::HashMap;
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
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::open::{Opened, UNREADABLE, Unnarrowed, damaged, unbroken, unread};
use super::pseudonym::{Secret, pseudonyms};
use super::schema::{Act, Node};
use super::{Narrowed, Test};
use crate::actions::AddFile;
use crate::budgets::count;
use crate::checkpoint::{read_footer, rows_of_groups};
use crate::odd::is_before_calendars;
use crate::rewrite::NewFile;
use crate::rows::{Batches, RowSum, RowsError, converted, hash_of, partition_text};
use crate::shape::fit;
use crate::write::stats::Tally;
use crate::{LogError, Table};

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

impl Narrowed {
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
        let opened = self.open_it(source, file, None).await?;
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
        let stays = self.chosen(&batch, alive(batches, first, &batch))?;
        self.made(secret, &batch, &stays).map(Some)
    }

    /// Which rows of those that live are chosen.
    pub(super) fn chosen(
        &self,
        batch: &RecordBatch,
        lives: BooleanArray,
    ) -> Result<BooleanArray, Unnarrowed> {
        let broken = || damaged(UNREADABLE);
        self.tests.iter().try_fold(lives, |stays, test| {
            let fits = fitting(test, batch).ok_or_else(broken)?;
            and(&stays, &fits).map_err(|_| broken())
        })
    }

    /// The rows that stay, as the replica has them.
    pub(super) fn made(
        &self,
        secret: &Secret,
        batch: &RecordBatch,
        stays: &BooleanArray,
    ) -> Result<RecordBatch, Unnarrowed> {
        let broken = || damaged(UNREADABLE);
        let left;
        let batch = match stays.true_count() == batch.num_rows() {
            true => batch,
            false => {
                left = filter_record_batch(batch, stays).map_err(|_| broken())?;
                &left
            }
        };
        let mut columns = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let column = batch.column_by_name(node.out.name());
            columns.push(made(node, column, batch.num_rows(), secret).ok_or_else(broken)?);
        }
        RecordBatch::try_new(self.fields.clone(), columns).map_err(|_| broken())
    }
}

/// The rows that no deletion vector deletes.
pub(super) fn alive(batches: &Batches, first: u64, batch: &RecordBatch) -> BooleanArray {
    let rows = (0..batch.num_rows()).zip(first..);
    rows.map(|(_, row)| Some(batches.lives(row))).collect()
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
