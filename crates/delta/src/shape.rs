//! The columns of a table as its data files have them: physical names, Arrow types. And making what a file has into that: a file
//! that is older than a column, or than its type, holds what a reader of the table sees all the same.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::TimestampMicrosecondType;
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use serde_json::Value;

use crate::LogError;
use crate::actions::Metadata;

const UTC: &str = "UTC";

/// Columns that have statistics where the table does not say which.
const USUALLY_TOLD: usize = 32;

/// The columns of a table, by the names that they have in its files.
#[derive(Clone, Debug)]
pub struct Shape {
    /// All of them, those of partitions too.
    names: BTreeSet<String>,
    /// Those that files have, in the table's order, as far as their types are known here. All may be null.
    fields: Vec<FieldRef>,
    /// Those of which the table wants statistics in its log: what it does not want told there, nobody tells for it.
    told: BTreeSet<String>,
    unfit: Option<String>,
}

impl Metadata {
    /// The columns of the table in its files.
    ///
    /// # Errors
    /// [`LogError::Schema`] when `schemaString` is not a schema of the protocol.
    pub fn shape(&self) -> Result<Shape, LogError> {
        let schema: Value =
            serde_json::from_str(&self.schema_string).map_err(|_| LogError::Schema {
                what: "is not JSON",
            })?;
        let columns = schema.get("fields").and_then(Value::as_array);
        let columns = columns.ok_or(LogError::Schema {
            what: "has no fields",
        })?;
        let mode = self.configuration.get("delta.columnMapping.mode");
        let is_mapped = mode.is_some_and(|mode| !mode.eq_ignore_ascii_case("none"));
        let mut shape = Shape {
            names: BTreeSet::new(),
            fields: Vec::new(),
            told: BTreeSet::new(),
            unfit: None,
        };
        let mut wanted = Wanted::of(self);
        if mode.is_some_and(|mode| mode.eq_ignore_ascii_case("id")) {
            shape.unfit = Some("columns are found by their numbers".to_owned());
        }
        for column in columns {
            let Some(name) = name_of(column, is_mapped) else {
                continue;
            };
            shape.names.insert(name.to_owned());
            let logical = column["name"].as_str().unwrap_or(name);
            if self.partition_columns.iter().any(|known| known == logical) {
                continue;
            }
            // The entries of a map have no order of their own, so that equal maps need not look alike.
            match field_of(column, is_mapped).filter(|field| !has_map(field.data_type())) {
                Some(field) => {
                    if wanted.takes(logical, leaves(field.data_type())) {
                        shape.told.insert(field.name().clone());
                    }
                    shape.fields.push(field);
                }
                None => {
                    let why = format!(
                        "the column {} has a type whose values cannot be compared",
                        crate::contain::shown(logical)
                    );
                    shape.unfit.get_or_insert(why);
                }
            }
        }
        if shape.fields.is_empty() {
            shape
                .unfit
                .get_or_insert_with(|| "its files have no columns".to_owned());
        }
        Ok(shape)
    }
}

impl Shape {
    /// Why rows of such a table cannot be told from one another and written, if they cannot.
    pub fn unfit(&self) -> Option<&str> {
        self.unfit.as_deref()
    }

    /// Columns of whole numbers, whose bounds are exact wherever they are told.
    pub fn whole_numbers(&self) -> impl Iterator<Item = &str> {
        let fields = self.fields.iter();
        fields
            .filter(|field| field.data_type().is_signed_integer())
            .map(|field| field.name().as_str())
    }

    pub(crate) fn told(&self) -> &BTreeSet<String> {
        &self.told
    }

    pub(crate) fn names(&self) -> &BTreeSet<String> {
        &self.names
    }

    pub(crate) fn fields(&self) -> &[FieldRef] {
        &self.fields
    }

    /// The types that columns are compared in: widened, because a column may have been after some of its files were written.
    pub(crate) fn widest(&self) -> HashMap<String, DataType> {
        let columns = self.fields.iter();
        columns
            .map(|field| (field.name().clone(), widest(field.data_type())))
            .collect()
    }
}

/// Which columns have statistics: those that are named, or the first so many, counted within structs.
enum Wanted {
    Named(BTreeSet<String>),
    First(usize),
    All,
}

impl Wanted {
    fn of(metadata: &Metadata) -> Self {
        let property = |name: &str| metadata.configuration.get(name).map(String::as_str);
        if let Some(named) = property("delta.dataSkippingStatsColumns") {
            let names = named
                .split(',')
                .map(|name| name.trim().trim_matches('`').to_lowercase());
            return Self::Named(names.collect());
        }
        match property("delta.dataSkippingNumIndexedCols").map(str::parse::<i64>) {
            None => Self::First(USUALLY_TOLD),
            Some(Ok(-1)) => Self::All,
            Some(count) => {
                Self::First(count.map_or(0, |count| usize::try_from(count).unwrap_or(0)))
            }
        }
    }

    /// Whether the next column is one of them.
    fn takes(&mut self, name: &str, leaves: usize) -> bool {
        match self {
            Self::Named(names) => names.contains(&name.to_lowercase()),
            Self::First(left) => {
                let is_one = *left > 0;
                *left = left.saturating_sub(leaves);
                is_one
            }
            Self::All => true,
        }
    }
}

fn leaves(of: &DataType) -> usize {
    match of {
        DataType::Struct(fields) => fields.iter().map(|field| leaves(field.data_type())).sum(),
        _ => 1,
    }
}

/// The name of a column in files.
pub(crate) fn name_of(field: &Value, is_mapped: bool) -> Option<&str> {
    let physical = field["metadata"]["delta.columnMapping.physicalName"].as_str();
    physical.filter(|_| is_mapped).or(field["name"].as_str())
}

/// None: of a type that is not known here.
pub(crate) fn field_of(field: &Value, is_mapped: bool) -> Option<FieldRef> {
    let name = name_of(field, is_mapped)?;
    let made = Field::new(name, type_of(field.get("type")?, is_mapped)?, true);
    let id = field["metadata"]["delta.columnMapping.id"].as_i64();
    let id = id
        .filter(|_| is_mapped)
        .map(|id| (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string()));
    Some(Arc::new(made.with_metadata(id.into_iter().collect())))
}

pub(crate) fn type_of(value: &Value, is_mapped: bool) -> Option<DataType> {
    let Some(name) = value.as_str() else {
        return match value.get("type").and_then(Value::as_str)? {
            "struct" => {
                let fields = value.get("fields").and_then(Value::as_array)?;
                let fields: Option<Vec<FieldRef>> = fields
                    .iter()
                    .map(|field| field_of(field, is_mapped))
                    .collect();
                let fields = fields.filter(|fields| !fields.is_empty())?;
                Some(DataType::Struct(Fields::from(fields)))
            }
            "array" => {
                let element = type_of(value.get("elementType")?, is_mapped)?;
                let element = Field::new("element", element, true);
                Some(DataType::List(Arc::new(element)))
            }
            "map" => {
                let key = type_of(value.get("keyType")?, is_mapped)?;
                let inner = type_of(value.get("valueType")?, is_mapped)?;
                let entries = Fields::from(vec![
                    Field::new("key", key, false),
                    Field::new("value", inner, true),
                ]);
                let entries = Field::new("key_value", DataType::Struct(entries), false);
                Some(DataType::Map(Arc::new(entries), false))
            }
            _ => None,
        };
    };
    primitive(name)
}

/// A type of the protocol that has a name and no parts. None: of another name, or a decimal that cannot be.
pub(crate) fn primitive(name: &str) -> Option<DataType> {
    Some(match name {
        "boolean" => DataType::Boolean,
        "byte" => DataType::Int8,
        "short" => DataType::Int16,
        "integer" => DataType::Int32,
        "long" => DataType::Int64,
        "float" => DataType::Float32,
        "double" => DataType::Float64,
        "string" => DataType::Utf8,
        "binary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        other => {
            let numbers = other.strip_prefix("decimal(")?.strip_suffix(')')?;
            let (precision, scale) = numbers.split_once(',')?;
            let precision: u8 = precision.trim().parse().ok()?;
            let scale: i8 = scale.trim().parse().ok()?;
            if !(1..=38).contains(&precision) || scale < 0 {
                return None;
            }
            DataType::Decimal128(precision, scale)
        }
    })
}

fn has_map(of: &DataType) -> bool {
    match of {
        DataType::Map(_, _) => true,
        DataType::List(element) => has_map(element.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_map(field.data_type())),
        _ => false,
    }
}

fn widest(of: &DataType) -> DataType {
    match of {
        DataType::Int8 | DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::Float32 => DataType::Float64,
        DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Microsecond, None),
        DataType::List(element) => {
            let inner = widest(element.data_type());
            DataType::List(Arc::new(element.as_ref().clone().with_data_type(inner)))
        }
        DataType::Struct(fields) => {
            let fields: Vec<Field> = fields
                .iter()
                .map(|field| {
                    let inner = widest(field.data_type());
                    field.as_ref().clone().with_data_type(inner)
                })
                .collect();
            DataType::Struct(Fields::from(fields))
        }
        other => other.clone(),
    }
}

/// The values of a column of a file in the type that the table gives them; of a struct, fields that the file does not know are
/// null.
///
/// # Errors
/// When a value cannot be had in the type.
pub(crate) fn fit(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    if column.data_type() == to {
        return Ok(column.clone());
    }
    match (column.data_type(), to) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let from = column.as_struct();
            let mut columns = Vec::with_capacity(fields.len());
            for field in fields {
                let is_close = |known: &FieldRef| known.name().eq_ignore_ascii_case(field.name());
                columns.push(match from.column_by_name(field.name()) {
                    Some(found) => fit(found, field.data_type())?,
                    // Some readers do not tell upper from lower case, and find it.
                    None if from.fields().iter().any(is_close) => {
                        let name = crate::contain::shown(field.name());
                        return Err(ArrowError::SchemaError(format!(
                            "a file spells the field {name} in another way than the table"
                        )));
                    }
                    None => new_null_array(field.data_type(), from.len()),
                });
            }
            let made = StructArray::try_new(fields.clone(), columns, from.nulls().cloned())?;
            Ok(Arc::new(made))
        }
        (DataType::List(_), DataType::List(element)) => {
            let from = column.as_list::<i32>();
            let values = fit(from.values(), element.data_type())?;
            let made = ListArray::try_new(
                element.clone(),
                from.offsets().clone(),
                values,
                from.nulls().cloned(),
            )?;
            Ok(Arc::new(made))
        }
        (DataType::Map(_, _), DataType::Map(entries, is_sorted)) => {
            let from = column.as_map();
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(ArrowError::SchemaError("a map without entries".to_owned()));
            };
            let [key, value] = &fields[..] else {
                return Err(ArrowError::SchemaError("a map without entries".to_owned()));
            };
            let columns = vec![
                fit(from.keys(), key.data_type())?,
                fit(from.values(), value.data_type())?,
            ];
            let made = StructArray::try_new(fields.clone(), columns, None)?;
            let nulls = from.nulls().cloned();
            let offsets = from.offsets().clone();
            let made = MapArray::try_new(entries.clone(), offsets, made, nulls, *is_sorted)?;
            Ok(Arc::new(made))
        }
        (DataType::Timestamp(unit, zone), DataType::Timestamp(TimeUnit::Microsecond, wanted)) => {
            // What zone a column is said to be in changes none of its instants.
            let same = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
            let micros = if *unit == TimeUnit::Microsecond {
                column.clone()
            } else {
                strictly(column, &same)?
            };
            let micros = micros.as_primitive::<TimestampMicrosecondType>().clone();
            Ok(Arc::new(micros.with_timezone_opt(wanted.clone())))
        }
        _ => strictly(column, to),
    }
}

fn strictly(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(column, to, &options)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, Int64Array, StringArray, TimestampNanosecondArray};
    use serde_json::json;

    use super::*;

    fn metadata(schema: &Value, mode: Option<&str>) -> Metadata {
        let mode = mode.map(|mode| ("delta.columnMapping.mode".to_owned(), mode.to_owned()));
        Metadata {
            id: "i".into(),
            name: None,
            description: None,
            schema_string: schema.to_string(),
            partition_columns: vec!["p".into()],
            configuration: mode.into_iter().collect(),
            created: None,
            raw: Value::Null,
        }
    }

    #[test]
    fn a_table_has_its_columns_by_their_names_in_files() {
        let mapped = |id: i64| json!({"delta.columnMapping.id": id, "delta.columnMapping.physicalName": format!("col-{id}")});
        let schema = json!({"type": "struct", "fields": [
            {"name": "n", "type": "long", "nullable": false, "metadata": mapped(1)},
            {"name": "p", "type": "string", "nullable": true, "metadata": mapped(2)},
            {"name": "s", "nullable": true, "metadata": mapped(3), "type": {"type": "struct", "fields": [
                {"name": "d", "type": "decimal(10,2)", "nullable": true, "metadata": mapped(4)}]}},
        ]});
        let plain = metadata(&schema, None).shape().unwrap();
        let names = |shape: &Shape| -> Vec<String> {
            shape.fields().iter().map(|f| f.name().clone()).collect()
        };
        assert_eq!(names(&plain), ["n", "s"]);
        assert!(plain.names().contains("p") && plain.unfit().is_none());
        let named = metadata(&schema, Some("name")).shape().unwrap();
        assert_eq!(names(&named), ["col-1", "col-3"]);
        assert_eq!(named.fields()[0].metadata()[PARQUET_FIELD_ID_META_KEY], "1");
        let numbered = metadata(&schema, Some("id")).shape().unwrap();
        assert!(numbered.unfit().is_some());
        let map = json!({"type": "struct", "fields": [{"name": "m", "nullable": true, "metadata": {}, "type":
            {"type": "map", "keyType": "string", "valueType": "long", "valueContainsNull": true}}]});
        let map = metadata(&map, None).shape().unwrap();
        assert!(map.unfit().is_some_and(|why| why.contains("column m")));
    }

    #[test]
    fn statistics_are_of_the_columns_that_the_table_says() {
        let column =
            |name: &str| json!({"name": name, "type": "long", "nullable": true, "metadata": {}});
        let inner = json!({"type": "struct", "fields": [column("x"), column("y")]});
        let inner = json!({"name": "s", "type": inner, "nullable": true, "metadata": {}});
        let columns = json!([column("a"), column("p"), inner, column("b"), column("c")]);
        let schema = json!({"type": "struct", "fields": columns});
        let told = |property: Option<(&str, &str)>| {
            let mut metadata = metadata(&schema, None);
            let property = property.map(|(name, value)| (name.to_owned(), value.to_owned()));
            metadata.configuration.extend(property);
            let told = metadata.shape().unwrap().told().clone();
            told.into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(told(None), "a b c s");
        let first = "delta.dataSkippingNumIndexedCols";
        for (count, columns) in [("4", "a b s"), ("1", "a"), ("0", ""), ("-1", "a b c s")] {
            assert_eq!(told(Some((first, count))), columns);
        }
        let named = Some(("delta.dataSkippingStatsColumns", "`B`, p,s.x"));
        assert_eq!(told(named), "b");
    }

    #[test]
    fn older_files_hold_what_readers_see() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
        let old: ArrayRef = Arc::new(StructArray::from(vec![
            (
                Arc::new(Field::new("n", DataType::Int32, true)),
                numbers.clone(),
            ),
            (Arc::new(Field::new("gone", DataType::Utf8, true)), texts),
        ]));
        let new = DataType::Struct(Fields::from(vec![
            Field::new("added", DataType::Utf8, true),
            Field::new("n", DataType::Int64, true),
        ]));
        let made = fit(&old, &new).unwrap();
        let made = made.as_struct();
        let expected = Int64Array::from(vec![Some(7), None]);
        assert_eq!(made.column(0).null_count(), 2);
        assert_eq!(
            made.column(1).as_primitive::<arrow::datatypes::Int64Type>(),
            &expected
        );

        let other = DataType::Struct(Fields::from(vec![Field::new("N", DataType::Int64, true)]));
        assert!(fit(&old, &other).is_err());

        let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![1_500_000]));
        let utc = DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()));
        let micros = fit(&nanos, &utc).unwrap();
        assert_eq!(micros.data_type(), &utc);
        let values = micros.as_primitive::<TimestampMicrosecondType>();
        assert_eq!(values.value(0), 1_500);
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
        assert!(fit(&texts, &DataType::Int64).is_err());
    }
}
