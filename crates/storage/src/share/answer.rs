//! The lines that a Delta Sharing server answers with, as lines of a Delta log: files get names of their own in the place of the URLs
//! that open them, the same in every version, for the server's ids are. Both formats are read, `delta` and the older `parquet`.
//! What is said cannot be trusted: sizes are bounded here, and the log's reader contains and checks the rest as it does any log.

use std::collections::HashMap;

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::client::{Lines, other};
use crate::StorageError;
use crate::sign::wall_clock;

/// Bytes that are kept of one answer: of the log's lines, and of the URLs, each.
const MAX_KEPT: usize = 256 << 20;
/// URLs are used no later than this before they end.
const REST: i64 = 60_000;
/// Features of writers that a share does not tell all of: a copy that claimed them would be a broken one.
const NOT_CARRIED: [&str; 4] = [
    "rowTracking",
    "clustering",
    "catalogManaged",
    "catalogOwned-preview",
];
/// The same as settings.
const NOT_CARRIED_SETTINGS: [&str; 5] = [
    "delta.enableRowTracking",
    "delta.rowTracking.",
    "delta.feature.rowTracking",
    "delta.feature.clustering",
    "delta.feature.catalog",
];

/// The first two lines: what a table is, without its files.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) version: u64,
    pub(super) protocol: Value,
    pub(super) metadata: Value,
}

/// An object of the table, behind the URL of the moment.
#[derive(Clone)]
pub(super) struct Remote {
    pub(super) url: SecretString,
    /// None: nobody says, as of deletion vectors.
    pub(super) size: Option<u64>,
    /// In milliseconds.
    pub(super) modified: i64,
}

/// A table's files at one version.
pub(super) struct Answer {
    pub(super) head: Head,
    /// The log's checkpoint, as lines; handed out once, for it is large and read once.
    pub(super) rows: Option<Bytes>,
    /// By name within the table's folder.
    pub(super) objects: HashMap<String, Remote>,
    pub(super) refresh: Option<SecretString>,
    /// When the newest file was written, in milliseconds.
    pub(super) newest: i64,
    /// By our clock, in milliseconds.
    asked: i64,
    /// When the first URL ends, by the server's.
    ends: Option<i64>,
}

/// Reads the first two lines of an answer.
pub(super) async fn read_head(lines: &mut Lines) -> Result<Head, StorageError> {
    let version = lines.version;
    let (protocol, metadata) = (first(lines).await?, first(lines).await?);
    let what = lines.what();
    Ok(Head {
        version,
        protocol: protocol_of(protocol).map_err(|why| misread(what, why))?,
        metadata: metadata_of(metadata).map_err(|why| misread(what, why))?,
    })
}

async fn first(lines: &mut Lines) -> Result<Value, StorageError> {
    let line = lines.next().await?;
    let line = line.ok_or_else(|| misread(lines.what(), "it ends early"))?;
    parse(&line, lines.what())
}

/// Reads a whole answer. `home`: what the table's folder is called by an absolute URL, with the slash at its end.
pub(super) async fn read(mut lines: Lines, home: &str) -> Result<Answer, StorageError> {
    let asked = millis();
    let head = read_head(&mut lines).await?;
    let mut reader = Reader {
        home,
        rows: self::lines(&[
            json!({ "checkpointMetadata": { "version": head.version } }),
            json!({ "protocol": head.protocol }),
            json!({ "metaData": head.metadata }),
        ]),
        urls: 0,
        answer: Answer {
            head,
            rows: None,
            objects: HashMap::new(),
            refresh: None,
            newest: 0,
            asked,
            ends: None,
        },
        is_whole: false,
    };
    while let Some(line) = lines.next().await? {
        let line = parse(&line, lines.what())?;
        reader
            .take(line)
            .map_err(|why| misread(lines.what(), why))?;
    }
    if lines.says_its_end && !reader.is_whole {
        return Err(StorageError::Unreachable {
            what: lines.what().to_owned(),
            why: "the answer of its server broke off".to_owned(),
        });
    }
    let mut answer = reader.answer;
    answer.rows = Some(reader.rows.into());
    Ok(answer)
}

/// Lines of a log.
pub(super) fn lines(lines: &[Value]) -> Vec<u8> {
    let lines = lines.iter().map(|line| format!("{line}\n"));
    lines.collect::<String>().into_bytes()
}

fn misread(what: &str, why: &str) -> StorageError {
    other(
        what,
        &format!("its server's answer is not what the protocol says: {why}"),
    )
}

fn parse(line: &[u8], what: &str) -> Result<Value, StorageError> {
    serde_json::from_slice(line).map_err(|_| misread(what, "a line is not JSON"))
}

fn millis() -> i64 {
    i64::try_from(wall_clock().as_millis()).unwrap_or(i64::MAX)
}

/// A number, which some servers write as text.
fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

impl Answer {
    /// Whether its URLs are about to end. Where they seem to have ended when they came, for the server's clock is behind ours, or to end so
    /// soon that every read would ask for all of them anew, only a store's refusal tells.
    pub(super) fn is_due(&self) -> bool {
        self.ends.is_some_and(|ends| {
            let life = ends.saturating_sub(self.asked);
            life > REST && millis() >= ends.saturating_sub(REST.min(life / 4))
        })
    }
}

struct Reader<'a> {
    home: &'a str,
    rows: Vec<u8>,
    /// Bytes of the URLs that are kept.
    urls: usize,
    answer: Answer,
    is_whole: bool,
}

impl Reader<'_> {
    fn take(&mut self, mut line: Value) -> Result<(), &'static str> {
        if self.is_whole {
            return Err("it goes on after its end");
        }
        if let Some(file) = line.get_mut("file").map(Value::take) {
            return match file.get("deltaSingleAction") {
                Some(_) => self.delta_file(file),
                None => self.parquet_file(file),
            };
        }
        let Some(end) = line.get("endStreamAction") else {
            // Lines that are not known are passed over, as the protocol asks; one that says "later" is not an answer.
            return match line.get("queryStatus") {
                Some(_) => Err("it is to come later, which was not asked for"),
                None => Ok(()),
            };
        };
        let text = |name: &str| {
            let found = end.get(name).and_then(Value::as_str);
            found.filter(|text| !text.is_empty())
        };
        if text("errorMessage").is_some() {
            return Err("it ends with an error");
        }
        if text("nextPageToken").is_some() {
            return Err("it goes on on further pages, which were not asked for");
        }
        self.answer.refresh = text("refreshToken").map(|token| token.to_owned().into());
        self.ends_at(number(end.get("minUrlExpirationTimestamp")));
        self.is_whole = true;
        Ok(())
    }

    fn ends_at(&mut self, at: Option<i64>) {
        let ends = &mut self.answer.ends;
        *ends = match (*ends, at) {
            (Some(ends), Some(at)) => Some(ends.min(at)),
            (ends, at) => ends.or(at),
        };
    }

    /// Keeps the URL of an object; false: there is one of that name already.
    fn keep(
        &mut self,
        name: &str,
        url: String,
        size: Option<u64>,
        modified: i64,
    ) -> Result<bool, &'static str> {
        self.urls += name.len() + url.len() + 96;
        if self.urls > MAX_KEPT {
            return Err("it names more files than are kept at once (256 MiB of addresses)");
        }
        let remote = Remote {
            url: url.into(),
            size,
            modified,
        };
        let before = self.answer.objects.insert(name.to_owned(), remote);
        Ok(before.is_none())
    }

    fn push(&mut self, add: Map<String, Value>) -> Result<(), &'static str> {
        let line = Map::from_iter([("add".to_owned(), Value::Object(add))]);
        let line = Value::Object(line).to_string();
        if self.rows.len() + line.len() > MAX_KEPT {
            return Err("it says more of its files than is kept at once (256 MiB)");
        }
        self.rows.extend_from_slice(line.as_bytes());
        self.rows.push(b'\n');
        Ok(())
    }

    fn delta_file(&mut self, mut file: Value) -> Result<(), &'static str> {
        let Some(Value::Object(mut add)) =
            file.pointer_mut("/deltaSingleAction/add").map(Value::take)
        else {
            return Err("it tells of a change where files were asked for");
        };
        add.retain(|_, value| !value.is_null());
        let text = |name: &str| file.get(name).and_then(Value::as_str);
        let id = text("id").ok_or("a file has no id")?;
        let Some(Value::String(url)) = add.shift_remove("path") else {
            return Err("a file has no address");
        };
        let name = name_of(id);
        let modified = number(add.get("modificationTime")).unwrap_or_default();
        let size = number(add.get("size")).and_then(|size| u64::try_from(size).ok());
        if size.is_none() {
            return Err("a file has no size");
        }
        if let Some(vector) = add.get_mut("deletionVector") {
            let found = vector.get("storageType").and_then(Value::as_str);
            match found {
                Some("i") => {}
                Some("p") => {
                    let Some(at) = vector.get("pathOrInlineDv").and_then(Value::as_str) else {
                        return Err("a deletion vector has no address");
                    };
                    let bare = at.split('?').next().unwrap_or_default();
                    let name = name_of_vector(text("deletionVectorFileId").unwrap_or(bare));
                    // Absolute, as the protocol of tables has it: the reader of the log takes it home.
                    let (url, path) = (at.to_owned(), format!("{}{name}", self.home));
                    vector["pathOrInlineDv"] = path.into();
                    // One object may hold the vectors of many files.
                    self.keep(&name, url, None, modified)?;
                }
                _ => return Err("a deletion vector lies where only its owner can read it"),
            }
        }
        for own in ["baseRowId", "defaultRowCommitVersion", "clusteringProvider"] {
            add.shift_remove(own);
        }
        add.insert("path".to_owned(), name.as_str().into());
        add.insert("dataChange".to_owned(), false.into());
        let ends = number(file.get("expirationTimestamp"));
        self.push(add)?;
        self.file(&name, url, size, modified, ends)
    }

    fn parquet_file(&mut self, mut file: Value) -> Result<(), &'static str> {
        let id = file.get("id").and_then(Value::as_str);
        let name = name_of(id.ok_or("a file has no id")?);
        let Some(Value::String(url)) = file.get_mut("url").map(Value::take) else {
            return Err("a file has no address");
        };
        let size = number(file.get("size")).and_then(|size| u64::try_from(size).ok());
        let values = file.get_mut("partitionValues").map(Value::take);
        let stats = file.get_mut("stats").map(Value::take);
        // When it was written this format does not say.
        let modified = number(file.get("timestamp")).unwrap_or_default();
        let mut add = Map::new();
        add.insert("path".to_owned(), name.as_str().into());
        add.insert(
            "partitionValues".to_owned(),
            values.filter(Value::is_object).unwrap_or_else(|| json!({})),
        );
        add.insert("size".to_owned(), size.ok_or("a file has no size")?.into());
        add.insert("modificationTime".to_owned(), modified.into());
        add.insert("dataChange".to_owned(), false.into());
        if let Some(stats) = stats.filter(Value::is_string) {
            add.insert("stats".to_owned(), stats);
        }
        let ends = number(file.get("expirationTimestamp"));
        self.push(add)?;
        self.file(&name, url, size, modified, ends)
    }

    fn file(
        &mut self,
        name: &str,
        url: String,
        size: Option<u64>,
        modified: i64,
        ends: Option<i64>,
    ) -> Result<(), &'static str> {
        self.answer.newest = self.answer.newest.max(modified);
        self.ends_at(ends);
        match self.keep(name, url, size, modified)? {
            true => Ok(()),
            false => Err("two files have one id"),
        }
    }
}

/// What a file is called here: by its id, where that is plain enough for a name.
fn name_of(id: &str) -> String {
    let is_plain = (1..=128).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    match is_plain {
        true => format!("part-{id}.parquet"),
        false => format!("part-{}.parquet", hex(&Sha256::digest(id.as_bytes()))),
    }
}

/// What a deletion vector's object is called: as the protocol calls it, by a UUID, here one that is made of its id.
fn name_of_vector(id: &str) -> String {
    format!("deletion_vector_{}.bin", uuid(id.as_bytes()))
}

/// The form of a UUID, made of a hash.
pub(super) fn uuid(of: &[u8]) -> String {
    let text = hex(&Sha256::digest(of));
    format!(
        "{}-{}-{}-{}-{}",
        &text[..8],
        &text[8..12],
        &text[12..16],
        &text[16..20],
        &text[20..32]
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn protocol_of(mut line: Value) -> Result<Value, &'static str> {
    let protocol = line.get_mut("protocol").map(Value::take);
    let mut protocol = protocol.ok_or("it does not begin with a protocol")?;
    let Some(Value::Object(mut told)) = protocol.get_mut("deltaProtocol").map(Value::take) else {
        // The format that is older than readers' features.
        return match number(protocol.get("minReaderVersion")) {
            Some(..=1) => Ok(json!({ "minReaderVersion": 1, "minWriterVersion": 2 })),
            _ => Err("it is in a format that is not known here"),
        };
    };
    told.entry("minWriterVersion").or_insert(json!(2));
    for list in ["readerFeatures", "writerFeatures"] {
        if let Some(Value::Array(features)) = told.get_mut(list) {
            features.retain(|feature| {
                feature
                    .as_str()
                    .is_none_or(|feature| !NOT_CARRIED.contains(&feature))
            });
        }
    }
    Ok(Value::Object(told))
}

fn metadata_of(mut line: Value) -> Result<Value, &'static str> {
    let metadata = line.get_mut("metaData").map(Value::take);
    let mut metadata = metadata.ok_or("its second line is not the table's metadata")?;
    if let Some(Value::Object(mut told)) = metadata.get_mut("deltaMetadata").map(Value::take) {
        if let Some(Value::Object(settings)) = told.get_mut("configuration") {
            settings.retain(|name, _| {
                !NOT_CARRIED_SETTINGS
                    .iter()
                    .any(|own| name.starts_with(*own))
            });
        }
        return Ok(Value::Object(told));
    }
    let mut told = Map::new();
    for name in [
        "id",
        "name",
        "description",
        "schemaString",
        "partitionColumns",
    ] {
        if let Some(value) = metadata.get_mut(name).map(Value::take)
            && !value.is_null()
        {
            told.insert(name.to_owned(), value);
        }
    }
    told.insert(
        "format".to_owned(),
        json!({ "provider": "parquet", "options": {} }),
    );
    told.insert("configuration".to_owned(), json!({}));
    Ok(Value::Object(told))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_due_before_they_end_and_not_each_time() {
        let due = |asked: i64, ends: i64| {
            let head = Head {
                version: 1,
                protocol: Value::Null,
                metadata: Value::Null,
            };
            let answer = Answer {
                head,
                rows: None,
                objects: HashMap::new(),
                refresh: None,
                newest: 0,
                asked,
                ends: Some(ends),
            };
            answer.is_due()
        };
        let now = millis();
        assert!(!due(now, now + 20 * REST));
        assert!(due(now - 20 * REST, now + REST / 2));
        assert!(!due(now, now - REST), "ended when they came");
        assert!(!due(now, now + 1) && !due(now - REST / 2, now));
    }
}
