//! Files as columns: texts one after the other, equal partition values once, and what few files have beside.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use object_store::path::Path;
use serde_json::{Map, Value};

use crate::actions::{AddFile, FileKey, live_rows};
use crate::budgets::count;
use crate::checkpoint::PlainAdd;
use crate::contain::contain;

/// Columns with as many rows or bytes of text take no more: so they are never copied as a whole while they grow, and where in a text
/// one ends fits 32 bits.
pub(super) const FULL_ROWS: usize = 250_000;
const FULL_BYTES: usize = 128 << 20;
/// Memory of so few rows is at hand in any order, and they keep the log's.
pub(crate) const FEW_ROWS: usize = 4_000;

/// What answers say of a file beside the fields of [`AddFile`].
const KEPT: [&str; 2] = ["baseRowId", "defaultRowCommitVersion"];

type Values = BTreeMap<String, Option<String>>;

/// Where a file has nothing of [`KEPT`].
static NOTHING: Value = Value::Null;

/// A value of one letter takes as much as one of fifty.
fn bytes_of(values: &Values) -> usize {
    let texts = values
        .iter()
        .map(|(name, value)| 64 + name.len() + value.as_ref().map_or(0, String::len));
    64 + texts.sum::<usize>()
}

/// One file of a table, as it is held: an [`AddFile`] for who only looks.
#[derive(Clone, Copy, Debug)]
pub struct FileView<'a> {
    /// As the log gives it.
    pub path: &'a str,
    /// Bytes.
    pub size: u64,
    pub partition_values: &'a BTreeMap<String, Option<String>>,
    /// Milliseconds since the epoch.
    pub modification_time: i64,
    pub data_change: bool,
    pub stats: Option<&'a str>,
    pub deletion_vector: Option<&'a Value>,
    /// The object that holds the deletion vector.
    pub deletion_vector_key: Option<&'a Path>,
    /// The `add` object, or what answers say of it beside the fields above.
    pub raw: &'a Value,
}

impl AddFile {
    pub fn view(&self) -> FileView<'_> {
        FileView {
            path: &self.path,
            size: self.size,
            partition_values: &self.partition_values,
            modification_time: self.modification_time,
            data_change: self.data_change,
            stats: self.stats.as_deref(),
            deletion_vector: self.deletion_vector.as_ref(),
            deletion_vector_key: self.deletion_vector_key.as_ref(),
            raw: &self.raw,
        }
    }
}

/// Rows of files, numbered from 0.
#[derive(Debug, Default)]
pub(super) struct Columns {
    paths: Texts,
    /// Empty for none.
    stats: Texts,
    sizes: Vec<u64>,
    modified: Vec<i64>,
    data_change: Vec<bool>,
    /// Which of `values`.
    partitions: Vec<u32>,
    values: Vec<Arc<Values>>,
    known: HashMap<Arc<Values>, u32>,
    /// Bytes that `values` take, about.
    values_bytes: usize,
    extras: BTreeMap<usize, Extra>,
    has_vectors: bool,
    bytes: u64,
    /// Bytes that the log says of a row at the most, about.
    longest: usize,
    /// Hashes of the rows' keys, ascending, each with its row; made once a later version asks.
    index: OnceLock<Vec<(u64, u32)>>,
}

/// What few files have.
#[derive(Clone, Debug)]
struct Extra {
    deletion_vector: Option<Value>,
    deletion_vector_key: Option<Path>,
    /// Of the action, what is in [`KEPT`].
    raw: Value,
    /// Where it is not what the path says.
    key: Option<Path>,
}

/// Texts one after the other.
#[derive(Debug, Default)]
struct Texts {
    text: String,
    ends: Vec<u32>,
}

/// The first bytes of a text as a number: of two texts with different ones the lesser text has the lesser number.
fn beginning(text: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let length = text.len().min(bytes.len());
    bytes[..length].copy_from_slice(&text[..length]);
    u128::from_be_bytes(bytes)
}

impl Texts {
    /// Room for as much.
    fn empty(&self) -> Self {
        Self {
            text: String::with_capacity(self.text.len()),
            ends: Vec::with_capacity(self.ends.len()),
        }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        // Columns are full long before that.
        self.ends
            .push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
    }

    fn get(&self, row: usize) -> &str {
        let from = row.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[from as usize..self.ends[row] as usize]
    }

    /// Bytes.
    fn longest(&self) -> usize {
        let ends = self.ends.iter().scan(0, |from, end| {
            let length = *end - *from;
            *from = *end;
            Some(length as usize)
        });
        ends.max().unwrap_or_default()
    }

    fn fit(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    fn weight(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * size_of::<u32>()
    }
}

impl Columns {
    pub(super) fn push(&mut self, file: &AddFile) {
        let row = self.len();
        self.paths.push(&file.path);
        self.stats.push(file.stats.as_deref().unwrap_or_default());
        self.sizes.push(file.size);
        self.modified.push(file.modification_time);
        self.data_change.push(file.data_change);
        self.push_values(&file.partition_values);
        let raw: Map<String, Value> = KEPT
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), file.raw.get(name)?.clone())))
            .collect();
        let is_told = contain(&file.path).is_ok_and(|told| told == file.key);
        let key = (!is_told).then(|| file.key.clone());
        if file.deletion_vector.is_some() || !raw.is_empty() || key.is_some() {
            self.has_vectors |= file.deletion_vector.is_some();
            let extra = Extra {
                deletion_vector: file.deletion_vector.clone(),
                deletion_vector_key: file.deletion_vector_key.clone(),
                raw: Value::Object(raw),
                key,
            };
            self.extras.insert(row, extra);
        }
    }

    pub(super) fn push_plain(&mut self, file: &PlainAdd<'_>) {
        self.paths.push(file.path);
        self.stats.push(file.stats.unwrap_or_default());
        self.sizes.push(file.size);
        self.modified.push(file.modification_time);
        self.data_change.push(file.data_change);
        self.push_values(&file.partition_values);
    }

    /// A row of others.
    pub(super) fn push_row(&mut self, other: &Self, row: usize) {
        self.push_all_but_values(other, row);
        self.push_values(other.partition_values(row));
    }

    fn push_all_but_values(&mut self, other: &Self, row: usize) {
        if let Some(extra) = other.extras.get(&row) {
            let here = self.len();
            self.has_vectors |= extra.deletion_vector.is_some();
            self.extras.insert(here, extra.clone());
        }
        self.paths.push(other.path(row));
        self.stats.push(other.stats.get(row));
        self.sizes.push(other.sizes[row]);
        self.modified.push(other.modified[row]);
        self.data_change.push(other.data_change[row]);
    }

    /// `rows`, which ascend, in the order of their keys, for who reads files in that order reads memory from its beginning to its end
    /// then. None: they are few, or all rows, and in that order already.
    pub(super) fn in_order(&self, rows: &[u32]) -> Option<Self> {
        if rows.len() <= FEW_ROWS {
            return None;
        }
        let shared = self.shared_prefix(rows);
        // Most paths differ in the first bytes behind what all have in common: beside the numbers these are at hand, texts are not.
        let beginning = |row: u32| beginning(&self.path(row as usize).as_bytes()[shared..]);
        let mut keyed: Vec<(u128, u32)> = rows.iter().map(|row| (beginning(*row), *row)).collect();
        let order = |(one, a): &(u128, u32), (other, b): &(u128, u32)| {
            let whole = || self.compare(*a as usize, (self, *b as usize));
            one.cmp(other).then_with(whole)
        };
        if rows.len() == self.len() && keyed.is_sorted_by(|one, next| order(one, next).is_le()) {
            return None;
        }
        keyed.sort_unstable_by(order);
        let mut ordered = Self {
            paths: self.paths.empty(),
            stats: self.stats.empty(),
            sizes: Vec::with_capacity(rows.len()),
            modified: Vec::with_capacity(rows.len()),
            data_change: Vec::with_capacity(rows.len()),
            partitions: Vec::with_capacity(rows.len()),
            values: self.values.clone(),
            values_bytes: self.values_bytes,
            ..Self::default()
        };
        for (_, row) in keyed {
            let row = row as usize;
            ordered.push_all_but_values(self, row);
            ordered.partitions.push(self.partitions[row]);
        }
        ordered.fit();
        Some(ordered)
    }

    /// Bytes with which all paths of these rows begin.
    fn shared_prefix(&self, rows: &[u32]) -> usize {
        let mut paths = rows.iter().map(|row| self.path(*row as usize).as_bytes());
        let first = paths.next().unwrap_or_default();
        paths.fold(first.len(), |shared, path| {
            let same = first[..shared].iter().zip(path);
            same.take_while(|(one, other)| one == other).count()
        })
    }

    fn push_values(&mut self, found: &Values) {
        let partition = match self.known.get(found) {
            Some(known) => *known,
            None => {
                let values = Arc::new(found.clone());
                let next = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
                self.values_bytes = self.values_bytes.saturating_add(bytes_of(found));
                self.values.push(Arc::clone(&values));
                self.known.insert(values, next);
                next
            }
        };
        self.partitions.push(partition);
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() >= FULL_ROWS || self.paths.text.len().max(self.stats.text.len()) >= FULL_BYTES
    }

    /// Nothing more comes.
    pub(super) fn fit(&mut self) {
        self.paths.fit();
        self.stats.fit();
        self.sizes.shrink_to_fit();
        self.modified.shrink_to_fit();
        self.data_change.shrink_to_fit();
        self.partitions.shrink_to_fit();
        self.values.shrink_to_fit();
        self.known = HashMap::new();
        let row = 8 + 8 + 1 + 4 + 16;
        let vectors = self.extras.values().map(|extra| {
            let vector = extra.deletion_vector.as_ref();
            vector.map_or(0, |vector| vector.to_string().len())
        });
        let (count_of_extras, all_vectors, longest_vector) = vectors
            .fold((0, 0, 0), |(count, all, longest), length| {
                (count + 1, all + length, length.max(longest))
            });
        let extras: usize = 512 * count_of_extras + 2 * all_vectors;
        let values = self.values.iter().map(|values| bytes_of(values)).max();
        self.longest = self.paths.longest()
            + self.stats.longest()
            + values.unwrap_or_default()
            + longest_vector;
        let all = self.paths.weight()
            + self.stats.weight()
            + self.len() * row
            + self.values_bytes
            + extras;
        self.bytes = u64::try_from(all).unwrap_or(u64::MAX);
    }

    pub(super) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Bytes that the partition values take, about.
    pub(super) fn values_bytes(&self) -> u64 {
        count(self.values_bytes)
    }

    /// Bytes that are held, the index that may come among them.
    pub(super) fn weight(&self) -> u64 {
        self.bytes
    }

    /// Bytes that the log says of one row, at the most; once nothing more comes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    pub(super) fn path(&self, row: usize) -> &str {
        self.paths.get(row)
    }

    pub(super) fn size(&self, row: usize) -> u64 {
        self.sizes[row]
    }

    pub(super) fn stats(&self, row: usize) -> Option<&str> {
        Some(self.stats.get(row)).filter(|text| !text.is_empty())
    }

    pub(super) fn partition_values(&self, row: usize) -> &Values {
        &self.values[self.partitions[row] as usize]
    }

    pub(super) fn has_vectors(&self) -> bool {
        self.has_vectors
    }

    fn vector(&self, row: usize) -> Option<&Value> {
        self.extras.get(&row)?.deletion_vector.as_ref()
    }

    pub(super) fn has_deletion_vector(&self, row: usize) -> bool {
        self.vector(row).is_some()
    }

    /// The deletion vector's unique id.
    pub(super) fn vector_id(&self, row: usize) -> Option<String> {
        self.vector(row).and_then(|_| self.key(row).dv)
    }

    /// By path, and by vector where that is the same, which is seldom looked at.
    pub(super) fn compare(&self, row: usize, (other, there): (&Self, usize)) -> Ordering {
        let by_path = self.path(row).cmp(other.path(there));
        by_path.then_with(|| self.vector_id(row).cmp(&other.vector_id(there)))
    }

    pub(super) fn key(&self, row: usize) -> FileKey {
        FileKey::of(self.path(row), self.vector(row))
    }

    /// As [`AddFile::live_rows`].
    pub(super) fn live_rows(&self, row: usize) -> Option<u64> {
        live_rows(self.stats(row), self.vector(row))
    }

    pub(super) fn view(&self, row: usize) -> FileView<'_> {
        let extra = self.extras.get(&row);
        FileView {
            path: self.path(row),
            size: self.sizes[row],
            partition_values: self.partition_values(row),
            modification_time: self.modified[row],
            data_change: self.data_change[row],
            stats: self.stats(row),
            deletion_vector: extra.and_then(|extra| extra.deletion_vector.as_ref()),
            deletion_vector_key: extra.and_then(|extra| extra.deletion_vector_key.as_ref()),
            raw: extra.map_or(&NOTHING, |extra| &extra.raw),
        }
    }

    /// The file's object.
    pub(super) fn object(&self, row: usize) -> Path {
        let key = self.extras.get(&row).and_then(|extra| extra.key.clone());
        // It was contained when it was read, and is again: what would not be is no key of this table.
        key.or_else(|| contain(self.path(row)).ok())
            .unwrap_or_default()
    }

    pub(super) fn file(&self, row: usize) -> AddFile {
        let view = self.view(row);
        AddFile {
            path: view.path.to_owned(),
            key: self.object(row),
            size: view.size,
            partition_values: view.partition_values.clone(),
            modification_time: view.modification_time,
            data_change: view.data_change,
            stats: view.stats.map(str::to_owned),
            deletion_vector: view.deletion_vector.cloned(),
            deletion_vector_key: view.deletion_vector_key.cloned(),
            raw: view.raw.clone(),
        }
    }

    /// The rows whose keys may have this hash; `hash` tells that of a row.
    pub(super) fn rows_of(
        &self,
        wanted: u64,
        hash: impl Fn(usize) -> u64,
    ) -> impl Iterator<Item = usize> + '_ {
        let index = self.index.get_or_init(|| {
            let rows = 0..u32::try_from(self.len()).unwrap_or(u32::MAX);
            let mut index: Vec<(u64, u32)> = rows.map(|row| (hash(row as usize), row)).collect();
            index.sort_unstable();
            index
        });
        let from = index.partition_point(|(hash, _)| *hash < wanted);
        index[from..]
            .iter()
            .take_while(move |(hash, _)| *hash == wanted)
            .map(|(_, row)| *row as usize)
    }
}
