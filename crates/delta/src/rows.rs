//! The rows of a data file where it lies, without those its deletion vector deletes: how many there are, and a sum over them in
//! which neither their order nor the files they lie in count. Two tables with equal sums have the same rows.
//!
//! Columns are known by their physical names, which a rename does not change. A column that is not there and one that is null are
//! the same, as they are for every reader.

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use buoyant_kernel::actions::deletion_vector::{
    DeletionVectorDescriptor, DeletionVectorStorageType,
};
use buoyant_kernel::{DeltaResult, Error as KernelError, FileMeta, FileSlice, StorageHandler};
use bytes::{BufMut, Bytes, BytesMut};
use futures::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::actions::AddFile;
use crate::budgets::{count, within};
use crate::checkpoint::{Input, read_footer, rows_of_groups};
use crate::contain::shown;
use crate::shape::{Shape, fit};
use crate::{LogError, Table};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 1024;

/// The rows of a file, a partition or a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowSum {
    pub rows: u64,
    /// Of the rows' hashes, modulo 2^128.
    pub sum: u128,
}

impl RowSum {
    pub fn include(&mut self, other: Self) {
        self.rows = self.rows.saturating_add(other.rows);
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

/// Why the rows of a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RowsError {
    #[error("the data file `{path}` cannot be read: {what}")]
    Unreadable { path: String, what: String },
    #[error(transparent)]
    Log(LogError),
}

impl Table {
    /// Looks at the footer of a data file and at its deletion vector: how many rows there are, and how many of them are deleted.
    ///
    /// # Errors
    /// [`RowsError::Unreadable`] for what is no Parquet file or no vector.
    pub async fn count_rows(&self, file: &AddFile) -> Result<(u64, u64), RowsError> {
        guard(file, self.count_all(file)).await
    }

    async fn count_all(&self, file: &AddFile) -> Result<(u64, u64), RowsError> {
        let (footer, _) = self.footer(file).await?;
        let told = rows_of_groups(&footer);
        let (deleted, _) = self.deleted(file, told).await?;
        Ok((told, deleted))
    }

    /// Reads the whole file. `shape` is the table's.
    ///
    /// # Errors
    /// [`RowsError::Unreadable`] for what cannot be decoded.
    pub async fn sum_rows(&self, file: &AddFile, shape: &Shape) -> Result<RowSum, RowsError> {
        guard(file, self.sum_all(file, shape)).await
    }

    async fn sum_all(&self, file: &AddFile, shape: &Shape) -> Result<RowSum, RowsError> {
        let wrong = |error: ArrowError| unreadable(file, &error.to_string());
        let mut batches = self.batches(file, shape.names()).await?;
        let types = shape.widest();
        let partition = partition_text(file);
        let mut all = RowSum::default();
        while let Some((first, batch)) = batches.next(self, file).await? {
            let columns = converted(&batch, &types).map_err(wrong)?;
            for (at, row) in (0..batch.num_rows()).zip(first..) {
                if batches.lives(row) {
                    all.include(RowSum {
                        rows: 1,
                        sum: hash_of(&partition, &columns, at),
                    });
                }
            }
            tokio::task::yield_now().await;
        }
        Ok(all)
    }

    /// The rows of a file, a few at a time: of the columns with these names, as far as the file has them.
    pub(crate) async fn batches(
        &self,
        file: &AddFile,
        names: &BTreeSet<String>,
    ) -> Result<Batches, RowsError> {
        let (footer, path) = self.footer(file).await?;
        let told = rows_of_groups(&footer);
        let (_, hides) = self.deleted(file, told).await?;
        let schema = footer.file_metadata().schema_descr();
        let wanted = schema.columns().iter().enumerate().filter(|(_, column)| {
            let root = column.path().parts().first();
            root.is_some_and(|root| names.contains(root))
        });
        let wanted: Vec<usize> = wanted.map(|(index, _)| index).collect();
        let input = Input {
            objects: self.objects().clone(),
            path,
            footer: Arc::new(footer),
            gap: None,
        };
        decode(file, input, wanted, hides)
    }

    /// The footer of a data file, which has to have the size that the log says.
    async fn footer(&self, file: &AddFile) -> Result<(ParquetMetaData, Path), RowsError> {
        let there = self.objects().head(&file.key).await;
        let there = ObjectMeta {
            // A store below a prefix answers with the whole path.
            location: file.key.clone(),
            ..there.map_err(|error| of_store(file, error))?
        };
        if there.size != file.size {
            let what = format!("it has {} bytes instead of {}", there.size, file.size);
            return Err(unreadable(file, &what));
        }
        let footer = read_footer(self.objects().as_ref(), 0, &there, self.budgets()).await;
        let footer = footer.map_err(|error| of_log(file, error))?;
        Ok((footer, there.location))
    }

    /// How many rows the deletion vector of a file deletes, which has to be what the log says, and which. The file has `of` rows.
    pub(crate) async fn deleted(
        &self,
        file: &AddFile,
        of: u64,
    ) -> Result<(u64, Option<Hides>), RowsError> {
        let Some(vector) = &file.deletion_vector else {
            return Ok((0, None));
        };
        let wrong = |what: &str| unreadable(file, what);
        let number = |name: &str| vector.get(name).and_then(Value::as_u64);
        let cardinality = number("cardinality").ok_or_else(|| wrong(VECTOR))?;
        if cardinality > of {
            return Err(wrong("its deletion vector deletes more rows than it has"));
        }
        let size = number("sizeInBytes").and_then(|size| u32::try_from(size).ok());
        let size = size.ok_or_else(|| wrong(VECTOR))?;
        let said = (
            i32::try_from(size).map_err(|_| wrong(VECTOR))?,
            i64::try_from(cardinality).map_err(|_| wrong(VECTOR))?,
        );
        let (descriptor, bytes) = match &file.deletion_vector_key {
            None => {
                let text = vector["pathOrInlineDv"].as_str().unwrap_or_default();
                // Shorter than what it begins with.
                if text.len() < 10 {
                    return Err(wrong(VECTOR));
                }
                let kind = DeletionVectorStorageType::Inline;
                let made = DeletionVectorDescriptor::try_new(kind, text, None, said.0, said.1);
                (made, Bytes::new())
            }
            Some(key) => {
                let from = number("offset").unwrap_or(1);
                let end = crate::vectors::end_of(vector);
                let found = self.objects().get_range(key, from..end).await;
                let found = found.map_err(|error| of_store(file, error))?;
                // As if it stood alone in its object, behind the version.
                let mut alone = BytesMut::with_capacity(found.len() + 1);
                alone.put_u8(1);
                alone.put_slice(&found);
                let kind = DeletionVectorStorageType::PersistedAbsolute;
                let made = DeletionVectorDescriptor::try_new(kind, HERE, Some(1), said.0, said.1);
                (made, alone.freeze())
            }
        };
        let wrong = |error: KernelError| unreadable(file, &error.to_string());
        let root = Url::parse(HERE).map_err(|_| unreadable(file, VECTOR))?;
        let read = descriptor.and_then(|made| made.read(Arc::new(Fetched(bytes)), &root));
        let rows = read.map_err(wrong)?;
        if rows.len() != cardinality {
            return Err(unreadable(
                file,
                "its deletion vector deletes another number of rows than the log says",
            ));
        }
        // As it is: a short vector can stand for more rows than there is memory for their numbers.
        let hides: Hides = Box::new(move |row| rows.contains(row));
        Ok((cardinality, Some(hides)))
    }
}

/// The rows of a file, of these leaves of its columns, and without what a deletion vector hides.
pub(crate) fn decode(
    file: &AddFile,
    input: Input,
    leaves: Vec<usize>,
    hides: Option<Hides>,
) -> Result<Batches, RowsError> {
    let failed = |error: ParquetError| of_parquet(file, error);
    let footer = input.footer.clone();
    let told = rows_of_groups(&footer);
    let groups = footer.row_groups().iter();
    let largest = groups.map(|group| u64::try_from(group.compressed_size()).unwrap_or(u64::MAX));
    let largest = largest.max().unwrap_or(0);
    let schema = footer.file_metadata().schema_descr();
    let roots = schema.root_schema().get_fields().iter();
    let roots = roots.map(|root| root.name().to_owned()).collect();
    let projection = ProjectionMask::leaves(schema, leaves);
    let metadata = of_micros(footer.clone()).map_err(failed)?;
    let input = Input {
        footer: metadata.metadata().clone(),
        ..input
    };
    let stream = ParquetRecordBatchStreamBuilder::new_with_metadata(input, metadata)
        .with_projection(projection)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(failed)?;
    Ok(Batches {
        stream,
        told,
        hides,
        row: 0,
        largest,
        roots,
    })
}

/// Whether a deletion vector deletes the row with this number.
pub(crate) type Hides = Box<dyn Fn(u64) -> bool + Send + Sync>;

/// The rows of a file that is being read.
pub(crate) struct Batches {
    stream: ParquetRecordBatchStream<Input>,
    /// Rows, as the footer says.
    pub(crate) told: u64,
    /// None: there is no deletion vector.
    hides: Option<Hides>,
    /// Rows that were handed out.
    row: u64,
    /// Bytes of the largest row group, as stored: so many are held at a time.
    pub(crate) largest: u64,
    /// The names of all columns of the file.
    pub(crate) roots: Vec<String>,
}

impl Batches {
    /// The next rows, and the number of the first.
    pub(crate) async fn next(
        &mut self,
        table: &Table,
        file: &AddFile,
    ) -> Result<Option<(u64, RecordBatch)>, RowsError> {
        let Some(batch) = self.stream.next().await else {
            if self.row != self.told {
                return Err(unreadable(file, "it has fewer rows than its footer says"));
            }
            return Ok(None);
        };
        let batch = batch.map_err(|error| of_parquet(file, error))?;
        let first = self.row;
        self.row += count(batch.num_rows());
        if self.row > self.told {
            return Err(unreadable(file, "it has more rows than its footer says"));
        }
        within(
            "decoded bytes of rows",
            table.budgets().total_log_bytes,
            count(batch.get_array_memory_size()),
        )
        .map_err(RowsError::Log)?;
        Ok(Some((first, batch)))
    }

    /// Whether the deletion vector leaves a row.
    pub(crate) fn lives(&self, row: u64) -> bool {
        self.hides.as_ref().is_none_or(|hides| !hides(row))
    }
}

/// How a file is decoded. Instants in 96 bits become microseconds, which is what tables have: in nanoseconds most years would not
/// fit.
fn of_micros(footer: Arc<ParquetMetaData>) -> Result<ArrowReaderMetadata, ParquetError> {
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let plain = ArrowReaderMetadata::try_new(footer.clone(), options)?;
    let leaves = footer.file_metadata().schema_descr().columns();
    if !leaves
        .iter()
        .any(|leaf| leaf.physical_type() == Type::INT96)
    {
        return Ok(plain);
    }
    let fields = plain.schema().fields().iter();
    let fields: Vec<Field> = fields.map(|field| micros(field)).collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    // Where there are true nanoseconds, too, each is taken as it is.
    Ok(ArrowReaderMetadata::try_new(footer, options).unwrap_or(plain))
}

fn micros(field: &Field) -> Field {
    let of = match field.data_type() {
        DataType::Timestamp(TimeUnit::Nanosecond, None) => {
            DataType::Timestamp(TimeUnit::Microsecond, None)
        }
        DataType::List(element) => DataType::List(Arc::new(micros(element))),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| micros(field)).collect())
        }
        other => other.clone(),
    };
    field.clone().with_data_type(of)
}

const VECTOR: &str = "its deletion vector is broken";

/// What is said of an object that the store does not have.
pub(crate) const GONE: &str = "it is not there";

/// What the library is told a vector is called that was fetched already.
const HERE: &str = "memory:///vector";

/// A decoder meets hostile bytes; should it panic, the file is broken, not the process.
pub(crate) async fn guard<T>(
    file: &AddFile,
    work: impl Future<Output = Result<T, RowsError>>,
) -> Result<T, RowsError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(unreadable(file, "it cannot be decoded")),
    }
}

pub(crate) fn unreadable(file: &AddFile, what: &str) -> RowsError {
    RowsError::Unreadable {
        path: shown(&file.path),
        what: shown(what),
    }
}

fn of_store(file: &AddFile, error: object_store::Error) -> RowsError {
    match error {
        object_store::Error::NotFound { .. } => unreadable(file, GONE),
        error => RowsError::Log(LogError::Storage(error)),
    }
}

fn of_log(file: &AddFile, error: LogError) -> RowsError {
    match error {
        LogError::Storage(error) => of_store(file, error),
        LogError::BrokenCheckpoint { what, .. } => unreadable(file, &what),
        error => RowsError::Log(error),
    }
}

fn of_parquet(file: &AddFile, error: ParquetError) -> RowsError {
    of_log(file, crate::checkpoint::decoding(0, error))
}

/// The partition values belong to every row of the file.
pub(crate) fn partition_text(file: &AddFile) -> Vec<u8> {
    let values = file.partition_values.iter();
    let given: Vec<_> = values.filter(|(_, value)| value.is_some()).collect();
    serde_json::json!(given).to_string().into_bytes()
}

/// The columns of a batch, by name, in a form in which equal values are equal bytes.
pub(crate) fn converted(
    batch: &RecordBatch,
    types: &HashMap<String, DataType>,
) -> Result<Vec<(String, ArrayRef, Rows)>, ArrowError> {
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        let fitted = types.get(field.name()).map(|to| fit(column, to));
        // What does not fit is compared as it is.
        let column = match fitted {
            Some(Ok(fitted)) => fitted,
            _ => column.clone(),
        };
        let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
        let rows = converter.convert_columns(std::slice::from_ref(&column))?;
        columns.push((field.name().clone(), column, rows));
    }
    columns.sort_by(|(a, _, _), (b, _, _)| a.cmp(b));
    Ok(columns)
}

pub(crate) fn hash_of(partition: &[u8], columns: &[(String, ArrayRef, Rows)], at: usize) -> u128 {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(count(bytes.len()).to_le_bytes());
        hash.update(bytes);
    };
    part(partition);
    for (name, column, rows) in columns {
        if !column.is_null(at) {
            part(name.as_bytes());
            part(rows.row(at).as_ref());
        }
    }
    let hash: [u8; 32] = hash.finalize().into();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    u128::from_le_bytes(half)
}

/// Bytes that were fetched already, for a library that wants to fetch them itself.
struct Fetched(Bytes);

impl Fetched {
    fn refused<T>() -> DeltaResult<T> {
        Err(KernelError::generic("nothing but the vector can be read"))
    }
}

impl StorageHandler for Fetched {
    fn list_from(&self, _: &Url) -> DeltaResult<Box<dyn Iterator<Item = DeltaResult<FileMeta>>>> {
        Self::refused()
    }

    fn read_files(
        &self,
        _: Vec<FileSlice>,
    ) -> DeltaResult<Box<dyn Iterator<Item = DeltaResult<Bytes>>>> {
        Ok(Box::new(std::iter::once(Ok(self.0.clone()))))
    }

    fn copy_atomic(&self, _: &Url, _: &Url) -> DeltaResult<()> {
        Self::refused()
    }

    fn put(&self, _: &Url, _: Bytes, _: bool) -> DeltaResult<()> {
        Self::refused()
    }

    fn head(&self, _: &Url) -> DeltaResult<FileMeta> {
        Self::refused()
    }

    fn delete(&self, _: &Url) -> DeltaResult<()> {
        Self::refused()
    }
}
