//! The source of the state machine: a table of real Parquet files, and what it was at every version. Its writer is the test's own,
//! as small as can be, so that nothing that is tested also says what is right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use delta::write::arrow::array::{ArrayRef, Int64Array, StringArray};
use delta::write::arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use super::super::probe::Probe;
use super::super::world::START;
use super::state::{File, PARTITIONS, Row, State, Version};
use super::vectors;

/// What somebody does to the source, in one commit or none.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// A commit that says nothing.
    Nothing,
    Append(u8),
    /// Rows of every so many ids change, by files written anew.
    Update(u8),
    Delete(u8),
    /// The same by deletion vectors, where the table has them.
    DeleteByVector(u8),
    /// Rows change and others come, in one commit.
    Merge(u8, u8),
    /// One file for each partition.
    Compact,
    /// The rows of one partition lie in another order, in two files.
    Reorder(u8),
    Overwrite(u8),
    /// As it was so many versions ago, if its files are still there.
    Restore(u8),
    AddColumn,
    SetProperty,
    /// Something new is said of a file that is there.
    Describe,
    /// Commits before the newest checkpoint go.
    CleanLog,
    /// Every object goes that the newest version does not need.
    Vacuum,
    /// Another table in its place.
    Recreate,
}

pub(super) struct Source {
    store: Arc<Probe>,
    has_vectors: bool,
    /// It records its changes, row by row.
    has_feed: bool,
    /// How often the table was made.
    life: u32,
    /// Of every table that there was.
    states: BTreeMap<Version, State>,
    version: u64,
    checkpoint: Option<u64>,
    /// Counts what has to be called by a name of its own.
    names: u32,
    ids: i64,
}

impl Source {
    pub(super) fn new(store: Arc<Probe>, has_vectors: bool, has_feed: bool) -> Self {
        let mut source = Self {
            store,
            has_vectors,
            has_feed,
            life: 0,
            states: BTreeMap::new(),
            version: 0,
            checkpoint: None,
            names: 0,
            ids: 0,
        };
        source.create();
        source
    }

    fn table(&self) -> String {
        format!("source-{}", self.life)
    }

    pub(super) fn latest(&self) -> Version {
        (self.table(), self.version)
    }

    pub(super) fn state(&self, version: &Version) -> &State {
        &self.states[version]
    }

    fn now(&self) -> State {
        self.states[&self.latest()].clone()
    }

    /// A checkpoint of the newest version was written.
    pub(super) fn is_checkpointed(&mut self) {
        let key = format!("_delta_log/{:020}.checkpoint.parquet", self.version);
        if self.store.keys().contains(&key) {
            self.checkpoint = Some(self.version);
        }
    }

    fn create(&mut self) {
        self.life += 1;
        self.version = 0;
        self.checkpoint = None;
        let feed = self.has_feed.then_some("changeDataFeed");
        let writers: Vec<&str> = feed.into_iter().chain(["deletionVectors"]).collect();
        let protocol = match self.has_vectors {
            false => json!({
                "minReaderVersion": 1, "minWriterVersion": if self.has_feed { 4 } else { 2 },
            }),
            true => json!({
                "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"],
                "writerFeatures": writers,
            }),
        };
        let mut state = State::default();
        let mut actions = vec![
            json!({ "protocol": protocol }),
            self.metadata(&State::default()),
        ];
        let rows = self.new_rows(5);
        self.write(&mut state, &mut actions, rows, true);
        self.put("CREATE TABLE", &actions, state);
    }

    fn metadata(&self, state: &State) -> Value {
        let field = |name: &str, kind: &str| json!({ "name": name, "type": kind, "nullable": true, "metadata": {} });
        let mut fields = vec![
            field("id", "long"),
            field("p", "string"),
            field("x", "long"),
        ];
        if state.is_wide {
            fields.push(field("note", "string"));
        }
        let schema = json!({ "type": "struct", "fields": fields });
        let mut configuration = json!({ "owner.note": state.property.to_string() });
        if self.has_vectors {
            configuration["delta.enableDeletionVectors"] = json!("true");
        }
        if self.has_feed {
            configuration["delta.enableChangeDataFeed"] = json!("true");
        }
        json!({ "metaData": {
            "id": self.table(), "format": { "provider": "parquet", "options": {} },
            "schemaString": schema.to_string(), "partitionColumns": ["p"], "configuration": configuration,
            "createdTime": START,
        } })
    }

    fn put(&mut self, operation: &str, actions: &[Value], state: State) {
        let at = START - 1_000_000 + i64::try_from(self.version).unwrap();
        let info = json!({ "commitInfo": { "timestamp": at, "operation": operation } });
        let lines = std::iter::once(&info).chain(actions);
        let body: String = lines.map(|line| format!("{line}\n")).collect();
        let key = format!("_delta_log/{:020}.json", self.version);
        self.store.put_now(&key, body);
        let version = self.latest();
        self.states.insert(version, state);
    }

    fn commit(&mut self, operation: &str, actions: &[Value], state: State) {
        self.version += 1;
        self.put(operation, actions, state);
    }

    fn new_rows(&mut self, count: u8) -> Vec<Row> {
        let rows = (0..count).map(|_| {
            self.ids += 1;
            let id = self.ids;
            let partition = usize::try_from(id / 2).unwrap() % PARTITIONS.len();
            Row {
                id,
                p: PARTITIONS[partition].0.map(str::to_owned),
                x: (id % 3 != 0).then_some(id * 10),
                note: None,
            }
        });
        rows.collect()
    }

    /// Writes rows as files of their partitions; no rows at all as a file without any.
    fn write(
        &mut self,
        state: &mut State,
        actions: &mut Vec<Value>,
        rows: Vec<Row>,
        data_change: bool,
    ) {
        let mut parts: BTreeMap<usize, Vec<Row>> = BTreeMap::new();
        let is_empty = rows.is_empty();
        for row in rows {
            parts.entry(partition_of(&row)).or_default().push(row);
        }
        if is_empty {
            parts.insert(0, Vec::new());
        }
        for (partition, rows) in parts {
            let file = self.write_file(partition, rows, state.is_wide);
            actions.push(file.add(data_change));
            state.files.push(file);
        }
    }

    fn write_file(&mut self, partition: usize, rows: Vec<Row>, is_wide: bool) -> File {
        self.names += 1;
        let bytes = bytes_of(&rows, is_wide, None);
        let (_, path, key) = PARTITIONS[partition];
        let name = format!("part-{:05}.parquet", self.names);
        let file = File {
            path: format!("{path}/{name}"),
            key: format!("{key}/{name}"),
            partition,
            rows,
            size: bytes.len(),
            at: 1_700_000_000_000 + i64::from(self.names),
            gone: BTreeSet::new(),
            vector: None,
            said: 0,
        };
        self.store.put_now(&file.key, bytes);
        file
    }

    /// Says row by row what became of a state: what is gone, and what is new, in each partition.
    fn feed(&mut self, before: &State, state: &State, actions: &mut Vec<Value>) {
        let mut net: BTreeMap<Row, i64> = BTreeMap::new();
        for row in state.rows() {
            *net.entry(row).or_default() += 1;
        }
        for row in before.rows() {
            *net.entry(row).or_default() -= 1;
        }
        let mut parts: BTreeMap<usize, (Vec<Row>, Vec<&str>)> = BTreeMap::new();
        for (row, net) in net {
            let kind = if net > 0 { "insert" } else { "delete" };
            let (rows, kinds) = parts.entry(partition_of(&row)).or_default();
            for _ in 0..net.unsigned_abs() {
                rows.push(row.clone());
                kinds.push(kind);
            }
        }
        for (partition, (rows, kinds)) in parts {
            if rows.is_empty() {
                continue;
            }
            self.names += 1;
            let kinds = StringArray::from_iter_values(kinds);
            let bytes = bytes_of(&rows, state.is_wide, Some(kinds));
            let (value, path, key) = PARTITIONS[partition];
            let name = format!("cdc-{:05}.parquet", self.names);
            actions.push(json!({ "cdc": {
                "path": format!("_change_data/{path}/{name}"), "partitionValues": { "p": value },
                "size": bytes.len(), "dataChange": false,
            } }));
            self.store
                .put_now(&format!("_change_data/{key}/{name}"), bytes);
        }
    }

    /// Files for which `new` gives other rows are written anew.
    fn rewrite(
        &mut self,
        state: &mut State,
        actions: &mut Vec<Value>,
        new: impl Fn(&[Row]) -> Option<Vec<Row>>,
    ) {
        for file in std::mem::take(&mut state.files) {
            match new(&file.live()) {
                None => state.files.push(file),
                Some(rows) => {
                    actions.push(file.remove(true));
                    if !rows.is_empty() {
                        self.write(state, actions, rows, true);
                    }
                }
            }
        }
    }

    fn update(&mut self, state: &mut State, actions: &mut Vec<Value>, every: u8) {
        let is_hit = |row: &Row| row.id % (2 + i64::from(every % 5)) == 0;
        let is_wide = state.is_wide;
        self.rewrite(state, actions, |rows| {
            let changed = |row: &Row| match is_hit(row) {
                false => row.clone(),
                true => Row {
                    x: row.x.map_or(Some(0), |x| Some(x + 1)),
                    note: is_wide.then(|| "changed".to_owned()),
                    ..row.clone()
                },
            };
            rows.iter()
                .any(is_hit)
                .then(|| rows.iter().map(changed).collect())
        });
    }

    fn delete(&mut self, state: &mut State, actions: &mut Vec<Value>, every: u8) {
        let is_hit = |row: &Row| row.id % (2 + i64::from(every % 5)) == 0;
        self.rewrite(state, actions, |rows| {
            let kept = rows.iter().filter(|row| !is_hit(row));
            rows.iter()
                .any(is_hit)
                .then(|| kept.cloned().collect::<Vec<_>>())
        });
    }

    fn delete_by_vector(&mut self, state: &mut State, actions: &mut Vec<Value>, every: u8) {
        let is_hit = |row: &Row| row.id % (2 + i64::from(every % 5)) == 0;
        for file in &mut state.files {
            let rows = file.rows.iter().zip(0_u16..);
            let hit: BTreeSet<u16> = rows
                .filter(|(row, at)| is_hit(row) && !file.gone.contains(at))
                .map(|(_, at)| at)
                .collect();
            if hit.is_empty() {
                continue;
            }
            actions.push(file.remove(true));
            file.gone.extend(hit);
            self.names += 1;
            let (vector, object) = vectors::of(&file.gone, self.names);
            if let Some((key, bytes)) = object {
                self.store.put_now(&key, bytes);
            }
            file.vector = Some(vector);
            actions.push(file.add(true));
        }
    }

    /// One file for each partition that has several, or deleted rows.
    fn compact(&mut self, state: &mut State, actions: &mut Vec<Value>) {
        for partition in 0..PARTITIONS.len() {
            let (own, others): (Vec<File>, Vec<File>) = std::mem::take(&mut state.files)
                .into_iter()
                .partition(|file| file.partition == partition);
            state.files = others;
            if own.len() < 2 && own.iter().all(|file| file.vector.is_none()) {
                state.files.extend(own);
                continue;
            }
            actions.extend(own.iter().map(|file| file.remove(false)));
            let rows: Vec<Row> = own.iter().flat_map(File::live).collect();
            if !rows.is_empty() {
                self.write(state, actions, rows, false);
            }
        }
    }

    fn reorder(&mut self, state: &mut State, actions: &mut Vec<Value>, which: u8) {
        let partition = usize::from(which) % PARTITIONS.len();
        let (own, others): (Vec<File>, Vec<File>) = std::mem::take(&mut state.files)
            .into_iter()
            .partition(|file| file.partition == partition);
        state.files = others;
        actions.extend(own.iter().map(|file| file.remove(false)));
        let mut rows: Vec<Row> = own.iter().flat_map(File::live).collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.x));
        let second = rows.split_off(rows.len() / 2);
        for rows in [rows, second] {
            if !rows.is_empty() {
                self.write(state, actions, rows, false);
            }
        }
    }

    /// Another state of the table, all of whose objects are there.
    fn restore(&self, state: &mut State, actions: &mut Vec<Value>, to: State) {
        let named = |state: &State| -> BTreeSet<(String, Option<String>)> {
            let names = state.files.iter().map(File::name);
            names
                .map(|(path, vector)| (path.to_owned(), vector.map(str::to_owned)))
                .collect()
        };
        let (before, after) = (named(state), named(&to));
        let is_in = |names: &BTreeSet<(String, Option<String>)>, file: &File| {
            let (path, vector) = file.name();
            names.contains(&(path.to_owned(), vector.map(str::to_owned)))
        };
        if (state.is_wide, state.property) != (to.is_wide, to.property) {
            actions.push(self.metadata(&to));
        }
        let removed = state.files.iter().filter(|file| !is_in(&after, file));
        actions.extend(removed.map(|file| file.remove(true)));
        let added = to.files.iter().filter(|file| !is_in(&before, file));
        actions.extend(added.map(|file| file.add(true)));
        // What was said of a file that stays is not unsaid.
        let said: BTreeMap<String, u32> = state
            .files
            .iter()
            .map(|file| (file.path.clone(), file.said))
            .collect();
        *state = to;
        for file in &mut state.files {
            if is_in(&before, file) {
                file.said = said[&file.path];
            }
        }
    }

    pub(super) fn change(&mut self, change: Change) {
        let mut state = self.now();
        let before = state.clone();
        let mut actions = Vec::new();
        let operation = match change {
            Change::Nothing => "",
            Change::Append(count) => {
                let rows = self.new_rows(count % 8);
                self.write(&mut state, &mut actions, rows, true);
                "WRITE"
            }
            Change::Update(every) => {
                self.update(&mut state, &mut actions, every);
                "UPDATE"
            }
            Change::DeleteByVector(every) if self.has_vectors => {
                self.delete_by_vector(&mut state, &mut actions, every);
                "DELETE"
            }
            Change::Delete(every) | Change::DeleteByVector(every) => {
                self.delete(&mut state, &mut actions, every);
                "DELETE"
            }
            Change::Merge(every, count) => {
                self.update(&mut state, &mut actions, every);
                let rows = self.new_rows(count % 8);
                self.write(&mut state, &mut actions, rows, true);
                "MERGE"
            }
            Change::Compact => {
                self.compact(&mut state, &mut actions);
                "OPTIMIZE"
            }
            Change::Reorder(which) => {
                self.reorder(&mut state, &mut actions, which);
                "OPTIMIZE"
            }
            Change::Overwrite(count) => {
                let files = std::mem::take(&mut state.files);
                actions.extend(files.iter().map(|file| file.remove(true)));
                let rows = self.new_rows(count % 8);
                self.write(&mut state, &mut actions, rows, true);
                "WRITE"
            }
            Change::Restore(back) => {
                let to = self.version.saturating_sub(u64::from(back));
                let to = self.states[&(self.table(), to)].clone();
                let there = self.store.keys();
                if to.objects().keys().all(|key| there.contains(key)) {
                    self.restore(&mut state, &mut actions, to);
                }
                "RESTORE"
            }
            Change::AddColumn | Change::SetProperty => {
                state.property += 1;
                state.is_wide |= matches!(change, Change::AddColumn);
                actions.push(self.metadata(&state));
                "SET TBLPROPERTIES"
            }
            Change::Describe => {
                if let Some(file) = state.files.first_mut() {
                    file.said += 1;
                    actions.push(file.add(false));
                }
                "COMPUTE STATS"
            }
            Change::CleanLog => return self.clean_log(),
            Change::Vacuum => return self.vacuum(&state),
            Change::Recreate => return self.recreate(),
        };
        if self.has_feed && matches!(operation, "UPDATE" | "DELETE" | "MERGE") {
            self.feed(&before, &state, &mut actions);
        }
        self.commit(operation, &actions, state);
    }

    fn clean_log(&self) {
        for version in 0..self.checkpoint.unwrap_or_default() {
            let key = format!("_delta_log/{version:020}.json");
            if self.store.keys().contains(&key) {
                self.store.delete_now(&key);
            }
        }
    }

    fn vacuum(&self, state: &State) {
        let needed = state.objects();
        for key in self.store.data() {
            if !needed.contains_key(&key) {
                self.store.delete_now(&key);
            }
        }
    }

    fn recreate(&mut self) {
        for key in self.store.keys() {
            self.store.delete_now(&key);
        }
        self.create();
    }
}

fn partition_of(row: &Row) -> usize {
    let of = |(value, _, _): &(Option<&str>, &str, &str)| *value == row.p.as_deref();
    PARTITIONS.iter().position(of).unwrap()
}

/// Rows as a file, of the change feed where it is said what became of each.
fn bytes_of(rows: &[Row], is_wide: bool, kinds: Option<StringArray>) -> Vec<u8> {
    let ids = Int64Array::from_iter_values(rows.iter().map(|row| row.id));
    let xs = Int64Array::from_iter(rows.iter().map(|row| row.x));
    let mut columns: Vec<(&str, ArrayRef)> = vec![("id", Arc::new(ids)), ("x", Arc::new(xs))];
    if is_wide {
        let notes = StringArray::from_iter(rows.iter().map(|row| row.note.as_deref()));
        columns.push(("note", Arc::new(notes)));
    }
    if let Some(kinds) = kinds {
        columns.push(("_change_type", Arc::new(kinds)));
    }
    let columns = columns.into_iter().map(|(name, array)| (name, array, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut bytes: Vec<u8> = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}
