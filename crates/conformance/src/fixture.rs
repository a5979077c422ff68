//! A small world of Delta tables to check a server against, written by hand: with it no case lacks what it needs. [`write`] puts
//! it into a folder; shares, schemas and names are those of [`Table`]. The data files begin and end as Parquet files do and
//! hold nothing: the protocol never looks into them.

use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

/// When the first versions were committed: 2026-01-05T08:00:00Z, in milliseconds.
const FIRST: i64 = 1_767_600_000_000;
const HOUR: i64 = 3_600_000;

/// One version of a table.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Milliseconds.
    pub timestamp: i64,
    /// As in the log.
    pub actions: Vec<Value>,
}

/// One table.
#[derive(Clone, Debug)]
pub struct Table {
    pub share: &'static str,
    pub schema: &'static str,
    pub name: &'static str,
    /// Whether older versions are to be shared, and from which on.
    pub history: Option<i64>,
    /// Whether the change data feed is to be shared.
    pub changes: bool,
    /// Whether the recipient is to have it.
    pub granted: bool,
    /// Whether access to its directory is to be given.
    pub directory: bool,
    pub commits: Vec<Commit>,
}

impl Table {
    /// Its folder below the world's root.
    pub fn path(&self) -> String {
        format!("{}/{}", self.share, self.name)
    }

    /// `share.schema.table`.
    pub fn full_name(&self) -> String {
        format!("{}.{}.{}", self.share, self.schema, self.name)
    }

    /// The files below its folder that its log names, with what they hold.
    pub fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let mut objects = Vec::new();
        for action in self.commits.iter().flat_map(|commit| &commit.actions) {
            for kind in ["add", "cdc"] {
                let path = action[kind]["path"].as_str();
                // What is not its own lies elsewhere.
                if let Some(path) = path.filter(|path| !path.contains("://")) {
                    let size = action[kind]["size"].as_u64().unwrap_or_default();
                    objects.push((path.to_owned(), content(size)));
                }
            }
            if action["add"]["deletionVector"]["storageType"] == "u" {
                objects.push((VECTOR_PATH.to_owned(), vec![1; 64]));
            }
        }
        objects
    }

    /// The next version of the table that moves: its oldest file is removed, and another added.
    pub fn next(&self) -> Commit {
        let version = self.commits.len() as i64;
        let mut live: Vec<&Value> = Vec::new();
        for action in self.commits.iter().flat_map(|commit| &commit.actions) {
            if action["add"].is_object() {
                live.push(&action["add"]);
            }
            if let Some(path) = action["remove"]["path"].as_str() {
                live.retain(|add| add["path"] != path);
            }
        }
        let removed = live.first().map(|add| remove(add, true));
        let name = format!("part-{version:05}.parquet");
        let mut actions: Vec<Value> = removed.into_iter().collect();
        actions.push(add(&name, json!({}), version * 10, true));
        commit(version, actions)
    }
}

const VECTOR_PATH: &str = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";

/// What a data file of so many bytes holds.
pub fn content(size: u64) -> Vec<u8> {
    let middle = usize::try_from(size).unwrap_or_default().saturating_sub(8);
    let mut content = b"PAR1".to_vec();
    content.extend(std::iter::repeat_n(0, middle));
    content.extend(b"PAR1");
    content
}

fn commit(version: i64, mut actions: Vec<Value>) -> Commit {
    let timestamp = FIRST + version * HOUR;
    actions.insert(
        0,
        json!({ "commitInfo": { "timestamp": timestamp, "operation": "WRITE" } }),
    );
    Commit { timestamp, actions }
}

/// Ten rows from `first` on.
fn add(path: &str, partition: Value, first: i64, data_change: bool) -> Value {
    let stats = json!({
        "numRecords": 10,
        "minValues": { "id": first },
        "maxValues": { "id": first + 9 },
        "nullCount": { "id": 0 },
    });
    json!({ "add": {
        "path": path,
        "partitionValues": partition,
        "size": 100 + first,
        "modificationTime": FIRST,
        "dataChange": data_change,
        "stats": stats.to_string(),
    } })
}

fn remove(add: &Value, data_change: bool) -> Value {
    json!({ "remove": {
        "path": add["path"],
        "deletionTimestamp": FIRST,
        "dataChange": data_change,
        "extendedFileMetadata": true,
        "partitionValues": add["partitionValues"],
        "size": add["size"],
    } })
}

fn schema(columns: &[(&str, &str, Value)]) -> String {
    let fields: Vec<Value> = columns
        .iter()
        .map(|(name, kind, metadata)| {
            json!({ "name": name, "type": kind, "nullable": true, "metadata": metadata })
        })
        .collect();
    json!({ "type": "struct", "fields": fields }).to_string()
}

fn metadata(id: u8, description: &str, partitions: &[&str], configuration: Value) -> Value {
    let plain = |kind: &'static str, name: &'static str| (name, kind, json!({}));
    let mapped = configuration["delta.columnMapping.mode"].is_string();
    let mut columns = vec![plain("long", "id")];
    if partitions.is_empty() {
        columns.push((
            "word",
            "string",
            json!({ "comment": "a word", "tool.note": "x" }),
        ));
    } else {
        columns.push(plain("date", "day"));
    }
    if mapped {
        for (at, column) in columns.iter_mut().enumerate() {
            column.2 = json!({
                "delta.columnMapping.id": at + 1,
                "delta.columnMapping.physicalName": format!("col-{}", at + 1),
            });
        }
    }
    json!({ "metaData": {
        "id": format!("5f1d3a52-0000-4000-8000-0000000000{id:02}"),
        "name": null,
        "description": description,
        "format": { "provider": "parquet", "options": {} },
        "schemaString": schema(&columns),
        "partitionColumns": partitions,
        "createdTime": FIRST,
        "configuration": configuration,
    } })
}

/// With features of readers, which writers have to know, too.
fn protocol(reader: i64, writer: i64, features: &[&str]) -> Value {
    let mut protocol = json!({ "minReaderVersion": reader, "minWriterVersion": writer });
    if !features.is_empty() {
        protocol["readerFeatures"] = json!(features);
        let mut writers = features.to_vec();
        writers.push("changeDataFeed");
        protocol["writerFeatures"] = json!(writers);
    }
    json!({ "protocol": protocol })
}

fn table(share: &'static str, schema: &'static str, name: &'static str) -> Table {
    Table {
        share,
        schema,
        name,
        history: None,
        changes: false,
        granted: true,
        directory: false,
        commits: Vec::new(),
    }
}

/// Partitioned, with history and changes: loads, an update that recorded its changes, a rewrite, a null partition.
fn visits() -> Table {
    let on = json!({ "delta.enableChangeDataFeed": "true", "tool.secret": "x" });
    let day = |day: i64| json!({ "day": format!("2026-01-0{day}") });
    let (a, b) = (
        add("day=1/a.parquet", day(1), 0, true),
        add("day=2/b.parquet", day(2), 10, true),
    );
    let c = add("day=2/c.parquet", day(2), 20, true);
    let updated = add("day=1/a2.parquet", day(1), 0, true);
    let change = json!({ "cdc": {
        "path": "_change_data/cdc-1.parquet",
        "partitionValues": day(1),
        "size": 77,
        "dataChange": false,
    } });
    let rewritten = add("day=2/d.parquet", day(2), 10, false);
    let null = add("day=null/e.parquet", json!({ "day": null }), 40, true);
    let commits = vec![
        vec![
            protocol(1, 4, &[]),
            metadata(1, "first", &["day"], on.clone()),
            a.clone(),
            b.clone(),
        ],
        vec![metadata(1, "second", &["day"], on), c.clone()],
        vec![remove(&a["add"], true), updated, change],
        vec![
            remove(&b["add"], false),
            remove(&c["add"], false),
            rewritten,
        ],
        vec![null],
    ];
    Table {
        history: Some(0),
        changes: true,
        commits: numbered(commits),
        ..table("conformance-open", "default", "visits")
    }
}

fn numbered(commits: Vec<Vec<Value>>) -> Vec<Commit> {
    let numbered = commits.into_iter().zip(0..);
    numbered
        .map(|(actions, version)| commit(version, actions))
        .collect()
}

/// Three files without partitions in one version.
fn plain(share: &'static str, schema: &'static str, name: &'static str, id: u8) -> Table {
    let files = (0..3).map(|at| add(&format!("part-{at}.parquet"), json!({}), at * 10, true));
    let mut actions = vec![protocol(1, 2, &[]), metadata(id, name, &[], json!({}))];
    actions.extend(files);
    Table {
        commits: numbered(vec![actions]),
        ..table(share, schema, name)
    }
}

/// Four versions, the change data feed of which begins with the third.
fn late() -> Table {
    let on = json!({ "delta.enableChangeDataFeed": "true" });
    let file = |at: i64| add(&format!("part-{at}.parquet"), json!({}), at * 10, true);
    let commits = vec![
        vec![
            protocol(1, 4, &[]),
            metadata(8, "late", &[], json!({})),
            file(0),
        ],
        vec![file(1)],
        vec![metadata(8, "late", &[], on), file(2)],
        vec![file(3)],
    ];
    Table {
        history: Some(0),
        changes: true,
        commits: numbered(commits),
        ..table("conformance-late", "default", "late")
    }
}

/// The same as `visits`, of which the first two versions are kept back.
fn later() -> Table {
    Table {
        share: "conformance-later",
        name: "later",
        history: Some(2),
        ..visits()
    }
}

fn inline_vector() -> Value {
    json!({
        "storageType": "i",
        "pathOrInlineDv": "wi5b=000010000siXQKl0rr91000f55c8Xg0@@D72lkbi5=-{L",
        "sizeInBytes": 40,
        "cardinality": 6,
    })
}

/// With history and changes: two files with deletion vectors, then one without.
fn vectors() -> Table {
    let on = json!({
        "delta.enableDeletionVectors": "true",
        "delta.enableChangeDataFeed": "true",
    });
    let mut stored = add("part-0.parquet", json!({}), 0, true);
    stored["add"]["deletionVector"] = json!({
        "storageType": "u",
        "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^",
        "offset": 1,
        "sizeInBytes": 36,
        "cardinality": 2,
    });
    let mut inline = add("part-1.parquet", json!({}), 10, true);
    inline["add"]["deletionVector"] = inline_vector();
    let commits = vec![
        vec![
            protocol(3, 7, &["deletionVectors"]),
            metadata(6, "vectors", &[], on),
            stored,
            inline,
        ],
        vec![add("part-2.parquet", json!({}), 20, true)],
    ];
    Table {
        history: Some(0),
        changes: true,
        commits: numbered(commits),
        ..table("conformance-vectors", "default", "vectors")
    }
}

/// The property is off, and a file has a deletion vector from when it was on.
fn leftover() -> Table {
    let mut left = add("part-0.parquet", json!({}), 0, true);
    left["add"]["deletionVector"] = inline_vector();
    let commits = vec![vec![
        protocol(3, 7, &["deletionVectors"]),
        metadata(9, "leftover", &[], json!({})),
        left,
    ]];
    Table {
        commits: numbered(commits),
        ..table("conformance-leftover", "default", "leftover")
    }
}

fn mapped() -> Table {
    let on = json!({ "delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "2" });
    let mut file = add("part-0.parquet", json!({}), 0, true);
    file["add"]["stats"] = json!("{\"numRecords\":10}");
    let commits = vec![vec![
        protocol(2, 5, &[]),
        metadata(7, "mapped", &[], on),
        file,
    ]];
    Table {
        commits: numbered(commits),
        ..table("conformance-mapped", "default", "mapped")
    }
}

/// The whole world.
pub fn tables() -> Vec<Table> {
    let mut hidden = plain("conformance-hidden", "default", "hidden", 5);
    hidden.granted = false;
    let mut open = plain("conformance-directory", "default", "open", 4);
    open.directory = true;
    vec![
        visits(),
        plain("conformance-open", "default", "quiet", 2),
        plain("conformance-open", "other", "moving", 3),
        open,
        hidden,
        vectors(),
        leftover(),
        mapped(),
        late(),
        later(),
    ]
}

/// Its second version names a file that is not its own, as shallow clones do. It is none of [`tables`]: a server may not even
/// take it, and one that looks at tables when they are registered takes it with its first version alone.
pub fn outside() -> Table {
    let mut table = plain("conformance-outside", "default", "outside", 10);
    let foreign = add("file:///elsewhere/part-9.parquet", json!({}), 90, true);
    table.commits.push(commit(1, vec![foreign]));
    table
}

/// A table of so many files in one version, for a server that is to fail in the middle of an answer.
pub fn wide(share: &'static str, name: &'static str, files: i64) -> Table {
    let mut actions = vec![protocol(1, 2, &[]), metadata(11, name, &[], json!({}))];
    let file = |at: i64| add(&format!("part-{at:05}.parquet"), json!({}), at, true);
    actions.extend((0..files).map(file));
    Table {
        commits: numbered(vec![actions]),
        ..table(share, "default", name)
    }
}

/// What no server can tell of this world; see [`crate::Hints`]. Tokens, faults and logs that were cleaned up are the server's.
pub fn hints() -> crate::Hints {
    let visits = "conformance-open.default.visits".to_owned();
    crate::Hints {
        ungranted: Some("conformance-hidden.default.hidden".to_owned()),
        late: Some(("conformance-later.default.later".to_owned(), 2)),
        moving: Some("conformance-open.other.moving".to_owned()),
        rewrite: Some((visits.clone(), 3)),
        recorded: Some((visits, 2)),
        unrecorded: Some(("conformance-late.default.late".to_owned(), 1)),
        ..crate::Hints::default()
    }
}

/// Writes a table below `root`, version for version, dated as committed.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(root: &Path, table: &Table) -> io::Result<()> {
    let folder = root.join(table.path());
    for (path, content) in table.objects() {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(file, content)?;
    }
    fs::create_dir_all(folder.join("_delta_log"))?;
    for (version, commit) in table.commits.iter().enumerate() {
        let text: String = commit
            .actions
            .iter()
            .map(|action| format!("{action}\n"))
            .collect();
        let file = folder.join(format!("_delta_log/{version:020}.json"));
        // Put there whole: a reader may look at any time.
        let new = file.with_extension("new");
        fs::write(&new, text)?;
        let since = Duration::from_millis(u64::try_from(commit.timestamp).unwrap_or_default());
        fs::File::options()
            .write(true)
            .open(&new)?
            .set_modified(SystemTime::UNIX_EPOCH + since)?;
        fs::rename(new, file)?;
    }
    Ok(())
}
