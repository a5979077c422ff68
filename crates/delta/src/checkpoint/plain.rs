//! Rows of a checkpoint that say the usual of one added file and nothing else, taken from their columns as they are: nearly all
//! rows of large checkpoints. Through JSON, as all others go, each would take many times as long.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, Int64Array, MapArray, StringArray, StructArray,
};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;

use crate::contain::contain;

/// What makes an added file an unusual one.
const UNUSUAL: [&str; 3] = ["deletionVector", "baseRowId", "defaultRowCommitVersion"];

/// Of more values than these a row is no usual one: it is held against the budgets before anything is made of it.
const MOST_VALUES: usize = 1_000;

/// A file without a deletion vector. Its path is contained.
pub(crate) struct PlainAdd<'a> {
    pub(crate) path: &'a str,
    pub(crate) size: u64,
    pub(crate) partition_values: BTreeMap<String, Option<String>>,
    pub(crate) modification_time: i64,
    pub(crate) data_change: bool,
    pub(crate) stats: Option<&'a str>,
}

impl PlainAdd<'_> {
    /// Bytes of what it says, about those of its line in a commit.
    pub(super) fn bytes(&self) -> usize {
        let values = self.partition_values.iter();
        // With quotes, colon and comma.
        let values =
            values.map(|(name, value)| 6 + name.len() + value.as_ref().map_or(0, String::len));
        self.path.len() + self.stats.map_or(0, str::len) + values.sum::<usize>() + 100
    }
}

/// The columns of some rows, of the types that writers give them.
pub(super) struct PlainRows<'a> {
    add: &'a StructArray,
    /// Null in the row of a plain file: all other actions, and what is unusual.
    nulls: Vec<&'a ArrayRef>,
    paths: &'a StringArray,
    sizes: &'a Int64Array,
    values: Option<Values<'a>>,
    modified: Option<&'a Int64Array>,
    data_change: Option<&'a BooleanArray>,
    stats: Option<&'a StringArray>,
}

struct Values<'a> {
    map: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
}

impl<'a> PlainRows<'a> {
    /// None: some column is not as it usually is, and no row is plain.
    pub(super) fn of(batch: &'a RecordBatch) -> Option<Self> {
        let schema = batch.schema();
        let names: BTreeSet<&String> = schema.fields().iter().map(|field| field.name()).collect();
        let add = batch.column_by_name("add")?.as_struct_opt()?;
        let fields: BTreeSet<&str> = add.column_names().into_iter().collect();
        // Of two columns with one name JSON has the last.
        if names.len() != batch.num_columns() || fields.len() != add.num_columns() {
            return None;
        }
        let others = schema.fields().iter().zip(batch.columns());
        let others = others.filter(|(field, _)| field.name() != "add");
        let unusual = UNUSUAL.iter().filter_map(|name| add.column_by_name(name));
        let values = match add.column_by_name("partitionValues") {
            None => None,
            Some(column) => {
                let map = column.as_map_opt()?;
                Some(Values {
                    map,
                    keys: map.keys().as_string_opt()?,
                    values: map.values().as_string_opt()?,
                })
            }
        };
        Some(Self {
            add,
            nulls: others.map(|(_, column)| column).chain(unusual).collect(),
            paths: add.column_by_name("path")?.as_string_opt()?,
            sizes: add
                .column_by_name("size")?
                .as_primitive_opt::<Int64Type>()?,
            values,
            modified: optional(add, "modificationTime", |column| {
                column.as_primitive_opt::<Int64Type>()
            })?,
            data_change: optional(add, "dataChange", |column| column.as_boolean_opt())?,
            stats: optional(add, "stats", |column| column.as_string_opt())?,
        })
    }

    /// None: the row is to be read as all others are, which also says what is wrong with it.
    pub(super) fn get(&self, row: usize) -> Option<PlainAdd<'a>> {
        if self.add.is_null(row)
            || self.paths.is_null(row)
            || self.sizes.is_null(row)
            || self.nulls.iter().any(|column| !column.is_null(row))
        {
            return None;
        }
        let path = self.paths.value(row);
        contain(path).ok()?;
        let modified = self.modified.filter(|column| !column.is_null(row));
        let data_change = self.data_change.filter(|column| !column.is_null(row));
        let stats = self.stats.filter(|column| !column.is_null(row));
        let partition_values = match &self.values {
            Some(values) => values.get(row)?,
            None => BTreeMap::new(),
        };
        Some(PlainAdd {
            path,
            size: u64::try_from(self.sizes.value(row)).ok()?,
            partition_values,
            modification_time: modified.map_or(0, |column| column.value(row)),
            // As `Fields::flag` has it.
            data_change: data_change.is_none_or(|column| column.value(row)),
            stats: stats.map(|column| column.value(row)),
        })
    }
}

impl Values<'_> {
    fn get(&self, row: usize) -> Option<BTreeMap<String, Option<String>>> {
        if self.map.is_null(row) {
            return Some(BTreeMap::new());
        }
        let offsets = self.map.value_offsets();
        let from = usize::try_from(*offsets.get(row)?).ok()?;
        let to = usize::try_from(*offsets.get(row + 1)?).ok()?;
        if to.saturating_sub(from) > MOST_VALUES {
            return None;
        }
        let mut values = BTreeMap::new();
        for at in from..to {
            if self.keys.is_null(at) {
                return None;
            }
            let value = (!self.values.is_null(at)).then(|| self.values.value(at).to_owned());
            values.insert(self.keys.value(at).to_owned(), value);
        }
        Some(values)
    }
}

/// None: it has another type. Within: it may be missing.
fn optional<'a, T>(
    add: &'a StructArray,
    name: &str,
    of_type: impl FnOnce(&'a ArrayRef) -> Option<&'a T>,
) -> Option<Option<&'a T>> {
    match add.column_by_name(name) {
        None => Some(None),
        Some(column) => of_type(column).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{MapBuilder, StringBuilder};

    use super::*;

    #[test]
    fn a_row_of_very_many_values_is_held_against_the_budgets_first() {
        let mut values = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
        for count in [2, MOST_VALUES, MOST_VALUES + 1] {
            for name in 0..count {
                values.keys().append_value(name.to_string());
                values.values().append_value("");
            }
            values.append(true).unwrap();
        }
        let paths: ArrayRef = Arc::new(StringArray::from(vec!["a"; 3]));
        let sizes: ArrayRef = Arc::new(Int64Array::from(vec![1; 3]));
        let values: ArrayRef = Arc::new(values.finish());
        let columns = vec![
            ("path", paths),
            ("size", sizes),
            ("partitionValues", values),
        ];
        let add: ArrayRef = Arc::new(StructArray::try_from(columns).unwrap());
        let batch = RecordBatch::try_from_iter([("add", add)]).unwrap();
        let rows = PlainRows::of(&batch).unwrap();
        let read = [0, 1, 2].map(|row| rows.get(row).map(|file| file.partition_values.len()));
        assert_eq!(read, [Some(2), Some(MOST_VALUES), None]);
        let bytes = rows.get(1).map(|file| file.bytes());
        assert!(bytes > Some(7 * MOST_VALUES), "{bytes:?}");
    }
}
