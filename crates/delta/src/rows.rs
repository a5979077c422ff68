//! The rows of a data file where it lies, without those its deletion vector deletes: how many there are, and a sum over them in
//! which neither their order nor the files they lie in count. Two tables with equal sums have the same rows.
//!
//! Columns are known by their physical names, which a rename does not change. A column that is not there and one that is null are
//! the same, as they are for every reader.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::compute::cast;
use arrow::record_batch::RecordBatch;
use arrow::row::{RowConverter, Rows, SortField};
use arrow_schema::{ArrowError, DataType};
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
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::actions::{AddFile, Metadata};
use crate::budgets::{count, within};
use crate::checkpoint::{Input, read_footer, rows_of_groups};
use crate::contain::shown;
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

impl Metadata {
    /// The names that the columns of the table have in its files.
    ///
    /// # Errors
    /// [`LogError::Schema`] when `schemaString` is not a schema of the protocol.
    pub fn physical_columns(&self) -> Result<BTreeSet<String>, LogError> {
        let schema: Value =
            serde_json::from_str(&self.schema_string).map_err(|_| LogError::Schema {
                what: "is not JSON",
            })?;
        let fields = schema.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or(LogError::Schema {
            what: "has no fields",
        })?;
        let is_mapped = self
            .configuration
            .get("delta.columnMapping.mode")
            .is_some_and(|mode| !mode.eq_ignore_ascii_case("none"));
        let name = |field: &Value| {
            let physical = field["metadata"]["delta.columnMapping.physicalName"].as_str();
            let name = physical.filter(|_| is_mapped).or(field["name"].as_str());
            name.map(str::to_owned)
        };
        Ok(fields.iter().filter_map(name).collect())
    }
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
        let deleted = self.deleted(file, told, |_| ()).await?;
        Ok((told, deleted))
    }

    /// Reads the whole file. `columns` are the table's, see [`Metadata::physical_columns`].
    ///
    /// # Errors
    /// [`RowsError::Unreadable`] for what cannot be decoded.
    pub async fn sum_rows(
        &self,
        file: &AddFile,
        columns: &BTreeSet<String>,
    ) -> Result<RowSum, RowsError> {
        guard(file, self.sum_all(file, columns)).await
    }

    async fn sum_all(
        &self,
        file: &AddFile,
        columns: &BTreeSet<String>,
    ) -> Result<RowSum, RowsError> {
        let failed = |error: ParquetError| of_parquet(file, error);
        let wrong = |error: ArrowError| unreadable(file, &error.to_string());
        let (footer, path) = self.footer(file).await?;
        let told = rows_of_groups(&footer);
        // In order.
        let mut gone: Vec<u64> = Vec::new();
        self.deleted(file, told, |row| gone.push(row)).await?;
        let schema = footer.file_metadata().schema_descr();
        let wanted = schema.columns().iter().enumerate().filter(|(_, column)| {
            let root = column.path().parts().first();
            root.is_some_and(|root| columns.contains(root))
        });
        let wanted: Vec<usize> = wanted.map(|(index, _)| index).collect();
        let projection = ProjectionMask::leaves(schema, wanted);
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::try_new(Arc::new(footer), options).map_err(failed)?;
        let input = Input {
            objects: self.objects().clone(),
            path,
            footer: metadata.metadata().clone(),
        };
        let mut batches = ParquetRecordBatchStreamBuilder::new_with_metadata(input, metadata)
            .with_projection(projection)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(failed)?;
        let partition = partition_text(file);
        let (mut row, mut all) = (0u64, RowSum::default());
        while let Some(batch) = batches.next().await {
            let batch = batch.map_err(failed)?;
            if row + count(batch.num_rows()) > told {
                return Err(unreadable(file, "it has more rows than its footer says"));
            }
            within(
                "decoded bytes of rows",
                self.budgets().total_log_bytes,
                count(batch.get_array_memory_size()),
            )
            .map_err(RowsError::Log)?;
            let columns = converted(&batch).map_err(wrong)?;
            for at in 0..batch.num_rows() {
                if gone.binary_search(&row).is_err() {
                    all.include(RowSum {
                        rows: 1,
                        sum: hash_of(&partition, &columns, at),
                    });
                }
                row += 1;
            }
            tokio::task::yield_now().await;
        }
        if row != told {
            return Err(unreadable(file, "it has fewer rows than its footer says"));
        }
        Ok(all)
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

    /// Hands out the rows that the deletion vector of a file deletes, and says how many they are, which has to be what the log
    /// says. The file has `of` rows.
    async fn deleted(
        &self,
        file: &AddFile,
        of: u64,
        each: impl FnMut(u64),
    ) -> Result<u64, RowsError> {
        let Some(vector) = &file.deletion_vector else {
            return Ok(0);
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
        rows.into_iter().for_each(each);
        Ok(cardinality)
    }
}

const VECTOR: &str = "its deletion vector is broken";

/// What the library is told a vector is called that was fetched already.
const HERE: &str = "memory:///vector";

/// A decoder meets hostile bytes; should it panic, the file is broken, not the process.
async fn guard<T>(
    file: &AddFile,
    work: impl Future<Output = Result<T, RowsError>>,
) -> Result<T, RowsError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => Err(unreadable(file, "it cannot be decoded")),
    }
}

fn unreadable(file: &AddFile, what: &str) -> RowsError {
    RowsError::Unreadable {
        path: shown(&file.path),
        what: shown(what),
    }
}

fn of_store(file: &AddFile, error: object_store::Error) -> RowsError {
    match error {
        object_store::Error::NotFound { .. } => unreadable(file, "it is not there"),
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
fn partition_text(file: &AddFile) -> Vec<u8> {
    let values = file.partition_values.iter();
    let given: Vec<_> = values.filter(|(_, value)| value.is_some()).collect();
    serde_json::json!(given).to_string().into_bytes()
}

/// The columns of a batch, by name, in a form in which equal values are equal bytes.
fn converted(batch: &RecordBatch) -> Result<Vec<(String, ArrayRef, Rows)>, ArrowError> {
    let schema = batch.schema();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        // A column may have been widened after some of its files were written.
        let wide = match column.data_type() {
            DataType::Int8 | DataType::Int16 | DataType::Int32 => Some(DataType::Int64),
            DataType::Float32 => Some(DataType::Float64),
            _ => None,
        };
        let column = match wide {
            Some(wide) => cast(column, &wide)?,
            None => column.clone(),
        };
        let converter = RowConverter::new(vec![SortField::new(column.data_type().clone())])?;
        let rows = converter.convert_columns(std::slice::from_ref(&column))?;
        columns.push((field.name().clone(), column, rows));
    }
    columns.sort_by(|(a, _, _), (b, _, _)| a.cmp(b));
    Ok(columns)
}

fn hash_of(partition: &[u8], columns: &[(String, ArrayRef, Rows)], at: usize) -> u128 {
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
