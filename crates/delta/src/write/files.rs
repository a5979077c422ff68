//! Data files: rows split by partition, Parquet written and read back.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::array::{Array, ArrayRef, AsArray, UInt32Array, new_null_array};
use arrow::compute::{cast, concat_batches, take_record_batch};
use arrow::record_batch::RecordBatch;
use arrow_schema::{DataType, SchemaRef};
use model::Timestamp;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use serde_json::{Value, json};

use super::{WriteError, stats};
use crate::actions::AddFile;
use crate::contain::encode;

/// Rows of one partition, without the partition columns.
pub(super) struct Part {
    values: Vec<(String, Option<String>)>,
    rows: RecordBatch,
}

/// Splits rows by the values of the partition columns, in the order of the values' text.
pub(super) fn split(rows: &RecordBatch, columns: &[String]) -> Result<Vec<Part>, WriteError> {
    if rows.num_rows() == 0 {
        return Ok(Vec::new());
    }
    let schema = rows.schema();
    let mut texts = Vec::with_capacity(columns.len());
    for name in columns {
        texts.push(cast(rows.column(schema.index_of(name)?), &DataType::Utf8)?);
    }
    let mut groups: BTreeMap<Vec<Option<String>>, Vec<u32>> = BTreeMap::new();
    for (row, index) in (0..rows.num_rows()).zip(0u32..) {
        groups
            .entry(texts.iter().map(|text| value(text, row)).collect())
            .or_default()
            .push(index);
    }
    let data: Vec<usize> = schema
        .fields()
        .iter()
        .enumerate()
        .filter(|(_, f)| !columns.contains(f.name()))
        .map(|(i, _)| i)
        .collect();
    let data = rows.project(&data)?;
    groups
        .into_iter()
        .map(|(values, indices)| {
            let rows = take_record_batch(&data, &UInt32Array::from(indices))?;
            Ok(Part {
                values: columns.iter().cloned().zip(values).collect(),
                rows,
            })
        })
        .collect()
}

/// The protocol has no empty partition value: empty text means null.
fn value(texts: &ArrayRef, row: usize) -> Option<String> {
    let texts = texts.as_string::<i32>();
    (!texts.is_null(row))
        .then(|| texts.value(row).to_owned())
        .filter(|text| !text.is_empty())
}

/// Writes one data file and returns its `add` action.
pub(super) async fn write(
    objects: &dyn ObjectStore,
    name: &str,
    part: Part,
    at: Timestamp,
    data_change: bool,
) -> Result<Value, WriteError> {
    let mut key = String::new();
    for (column, value) in &part.values {
        let value = value
            .as_deref()
            .map_or_else(|| "__HIVE_DEFAULT_PARTITION__".to_owned(), hive_escape);
        key.push_str(&format!("{}={value}/", hive_escape(column)));
    }
    key.push_str(name);
    let key = Path::parse(&key).map_err(object_store::Error::from)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("entrepot ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, part.rows.schema(), Some(properties))?;
    writer.write(&part.rows)?;
    writer.close()?;
    let size = bytes.len();
    objects.put(&key, bytes.into()).await?;
    Ok(json!({
        "path": encode(&key),
        "partitionValues": part.values.into_iter().collect::<BTreeMap<_, _>>(),
        "size": size,
        "modificationTime": at.millis(),
        "dataChange": data_change,
        "stats": stats::stats(&part.rows).to_string(),
    }))
}

/// Hive's escaping of names and values in folder names, as Spark has it.
fn hive_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_control() || "\"#%'*/:=?\\{}[]^".contains(c) {
            out.push_str(&format!("%{:02X}", u32::from(c)));
        } else {
            out.push(c);
        }
    }
    out
}

/// All rows of one data file with the table's columns: those of partitions from the log, those the file does not know
/// yet null.
pub(super) async fn read(
    objects: &dyn ObjectStore,
    file: &AddFile,
    schema: &SchemaRef,
) -> Result<RecordBatch, WriteError> {
    let bytes = objects.get(&file.key).await?.bytes().await?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
    let own = reader.schema().clone();
    let batches = reader.build()?.collect::<Result<Vec<_>, _>>()?;
    let rows = concat_batches(&own, &batches)?;
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            match (
                file.partition_values.get(field.name()),
                rows.column_by_name(field.name()),
            ) {
                (Some(Some(value)), _) => {
                    let texts =
                        StringArray::from_iter_values(std::iter::repeat_n(value, rows.num_rows()));
                    cast(&(Arc::new(texts) as ArrayRef), field.data_type())
                }
                (Some(None), _) | (None, None) => {
                    Ok(new_null_array(field.data_type(), rows.num_rows()))
                }
                (None, Some(column)) => Ok(column.clone()),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(schema.clone(), columns)?)
}
