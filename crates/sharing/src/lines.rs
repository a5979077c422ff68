//! One line of JSON per thing: the answers' lines in both response formats (checklist §1.5).

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use delta::{ChangedFile, FileView, Metadata, Protocol, Snapshot, State};
use object_store::path::Path;
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;

use crate::capabilities::{Capabilities, FileIds, Format};
use crate::error::Failure;
use crate::wire::{
    DeltaAdd, DeltaCdc, DeltaProtocol, DeltaRemove, DeltaSingleAction, DeltaVector,
    EndStreamAction, FileLine, Line, MetadataLine, PlainFile, PlainMetadata, PlainValues,
    ProtocolLine, Provider, QueryStatus,
};
use crate::{Readable, SignedFile, lend, narrow, schema};

/// Compact JSON that no client can take for two lines: the Python connector splits where Unicode does, so that the three
/// line separators which JSON lets stand are escaped too (C2).
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        // None of them is in nearly all there is, and this is the faster look.
        if fragment.is_ascii() {
            return writer.write_all(fragment.as_bytes());
        }
        let mut rest = fragment;
        while let Some(at) = rest.find(['\u{85}', '\u{2028}', '\u{2029}']) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let mut tail = rest[at..].chars();
            if let Some(separator) = tail.next() {
                write!(writer, "\\u{:04x}", u32::from(separator))?;
            }
            rest = tail.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, OneLine);
    // A `Vec` takes every byte and our types have string keys only: this cannot fail. Should that ever change, the half
    // line is no JSON and the client fails instead of reading on.
    if let Err(error) = value.serialize(&mut serializer) {
        tracing::error!(%error, "a line could not be written");
    }
}

/// A value as one line of JSON, without the line's end.
pub(crate) fn one_line(value: &impl Serialize) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_json(&mut out, value);
    out
}

fn push(out: &mut Vec<u8>, line: &Line<'_>) {
    write_json(out, line);
    out.push(b'\n');
}

/// What the metadata of one state says beside what its log does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct About<'a> {
    /// Bytes and files of what the recipient sees. Spark plans by the bytes: without them Delta's own connector stops, and the older
    /// one, which asks for the parquet format by its name, lists all files first. Others are not told them in that format, as by the
    /// reference server: their tests compare to the letter.
    weight: Option<(u64, u64)>,
    /// Where the table's folder lies, if the recipient may have a credential for that.
    directory: Option<&'a str>,
}

impl<'a> About<'a> {
    fn new(readable: &'a Readable, state: &State, format: Format, client: &Capabilities) -> Self {
        let is_weighed = format == Format::Delta || client.is_only(format);
        Self {
            weight: is_weighed.then(|| narrow::weight(readable, state)),
            directory: lend::allowed(readable),
        }
    }

    /// Said only where it is more than by URL: clients take URLs where nothing is said.
    fn access_modes(self) -> Option<[&'static str; 2]> {
        self.directory.map(|_| ["url", "dir"])
    }
}

/// The two lines that every answer of one state begins with: the protocol, then the metadata. `version`: of the metadata, said
/// only where versions are asked about.
pub(crate) fn head(
    readable: &Readable,
    state: &State,
    version: Option<u64>,
    format: Format,
    client: &Capabilities,
) -> Result<Vec<u8>, Failure> {
    let Snapshot {
        protocol, metadata, ..
    } = state.outline();
    let mut out = Vec::with_capacity(1_024);
    protocol_of(&mut out, protocol, None, format, client);
    let about = About::new(readable, state, format, client);
    metadata_about(&mut out, metadata, version, about, format)?;
    Ok(out)
}

/// Appends the line of a protocol.
pub(crate) fn protocol_of(
    out: &mut Vec<u8>,
    protocol: &Protocol,
    version: Option<u64>,
    format: Format,
    client: &Capabilities,
) {
    push(
        out,
        &Line::Protocol(protocol_line(protocol, version, format, client)),
    );
}

/// Appends the line of a table's metadata, as its log has it.
pub(crate) fn metadata_of(
    out: &mut Vec<u8>,
    metadata: &Metadata,
    version: Option<u64>,
    format: Format,
) -> Result<(), Failure> {
    metadata_about(out, metadata, version, About::default(), format)
}

fn metadata_about(
    out: &mut Vec<u8>,
    metadata: &Metadata,
    version: Option<u64>,
    about: About<'_>,
    format: Format,
) -> Result<(), Failure> {
    match format {
        Format::Parquet => {
            let schema_string = schema::trimmed(&metadata.schema_string)?;
            let line = parquet_metadata(metadata, version, about, &schema_string);
            push(out, &Line::MetaData(line));
        }
        Format::Delta => {
            let line = delta_metadata(metadata, version, about);
            push(out, &Line::MetaData(line));
        }
    }
    Ok(())
}

fn protocol_line<'a>(
    protocol: &'a Protocol,
    version: Option<u64>,
    format: Format,
    client: &Capabilities,
) -> ProtocolLine<'a> {
    if format == Format::Parquet {
        // The version of this format itself, not the table's: all that a table may need beyond it was refused before.
        return ProtocolLine::Parquet {
            min_reader_version: 1,
        };
    }
    let reader = i64::from(protocol.min_reader);
    let writer = i64::from(protocol.min_writer);
    let delta_protocol = if client.names_features() {
        DeltaProtocol {
            min_reader_version: reader,
            min_writer_version: writer,
            reader_features: (reader >= 3)
                .then(|| listed(protocol, "readerFeatures", &protocol.reader_features)),
            writer_features: (writer >= 7)
                .then(|| listed(protocol, "writerFeatures", &protocol.writer_features)),
        }
    } else {
        DeltaProtocol {
            min_reader_version: 1,
            // From 7 on a protocol must list features.
            min_writer_version: if writer < 7 { writer } else { 2 },
            reader_features: None,
            writer_features: None,
        }
    };
    ProtocolLine::Delta {
        delta_protocol,
        version,
    }
}

/// A table's features in the order in which its log lists them: clients compare the lists as they stand.
fn listed<'a>(protocol: &Protocol, field: &str, features: &'a BTreeSet<String>) -> Vec<&'a str> {
    let order = protocol.raw.get(field).and_then(Value::as_array);
    let mut names: Vec<&str> = features.iter().map(String::as_str).collect();
    names.sort_by_key(|name| {
        order.and_then(|order| order.iter().position(|one| one.as_str() == Some(*name)))
    });
    names
}

/// Only what a reader needs: of the configuration whether the table records changes, of the columns' metadata the comments.
fn parquet_metadata<'a>(
    metadata: &'a Metadata,
    version: Option<u64>,
    about: About<'a>,
    schema_string: &'a str,
) -> MetadataLine<'a> {
    let (size, num_files) = about.weight.unzip();
    MetadataLine::Parquet(PlainMetadata {
        id: &metadata.id,
        name: metadata.name.as_deref(),
        description: metadata.description.as_deref(),
        format: Provider {
            provider: "parquet",
            options: None,
        },
        schema_string,
        partition_columns: &metadata.partition_columns,
        configuration: if metadata.records_changes() {
            BTreeMap::from([("enableChangeDataFeed", "true")])
        } else {
            BTreeMap::new()
        },
        created_time: None,
        version,
        size,
        num_files,
        location: about.directory,
        access_modes: about.access_modes(),
    })
}

/// As in the log, with the column metadata that column mapping lives in; of the configuration what Delta itself defines,
/// not what the producer's tools noted beside it.
fn delta_metadata<'a>(
    metadata: &'a Metadata,
    version: Option<u64>,
    about: About<'a>,
) -> MetadataLine<'a> {
    let (size, num_files) = about.weight.unzip();
    MetadataLine::Delta {
        version,
        size,
        num_files,
        location: about.directory,
        access_modes: about.access_modes(),
        delta_metadata: PlainMetadata {
            id: &metadata.id,
            name: metadata.name.as_deref(),
            description: metadata.description.as_deref(),
            format: Provider {
                provider: "parquet",
                options: Some(BTreeMap::new()),
            },
            schema_string: &metadata.schema_string,
            partition_columns: &metadata.partition_columns,
            configuration: metadata
                .configuration
                .iter()
                .filter(|(key, _)| key.starts_with("delta."))
                .map(|(key, value)| (key.as_str(), value.as_str()))
                .collect(),
            created_time: metadata
                .raw
                .get("createdTime")
                .filter(|value| value.is_i64()),
            version: None,
            size: None,
            num_files: None,
            location: None,
            access_modes: None,
        },
    }
}

/// The version that a file's line belongs to, and when it was committed, in milliseconds.
pub(crate) type Committed = (u64, i64);

/// The URLs of one file.
#[derive(Clone, Copy)]
pub(crate) struct Urls<'a> {
    pub(crate) file: &'a SignedFile,
    /// Of the object that holds its deletion vector, where one does.
    pub(crate) vector: Option<&'a SignedFile>,
}

impl Urls<'_> {
    /// When the first of them ends, in milliseconds.
    fn expire(&self) -> i64 {
        let file = self.file.expires_at.millis();
        let vector = self.vector.map(|vector| vector.expires_at.millis());
        vector.map_or(file, |vector| vector.min(file))
    }
}

/// As in the log; one that is an object of its own lies behind a URL, which is an absolute path.
fn deletion_vector<'a>(
    descriptor: Option<&'a Value>,
    signed: Option<&'a SignedFile>,
) -> Option<DeltaVector<'a>> {
    let descriptor = descriptor?;
    let number = |name: &str| descriptor.get(name).filter(|value| value.is_i64());
    let inline = || descriptor.get("pathOrInlineDv").and_then(Value::as_str);
    let (storage_type, path_or_inline_dv) = match signed {
        Some(signed) => ("p", signed.url.as_str()),
        None => ("i", inline()?),
    };
    Some(DeltaVector {
        storage_type,
        path_or_inline_dv,
        offset: number("offset"),
        size_in_bytes: number("sizeInBytes"),
        cardinality: number("cardinality"),
    })
}

fn delta_add<'a>(add: FileView<'a>, urls: Urls<'a>) -> DeltaSingleAction<'a> {
    let raw = add.raw;
    let number = |name: &str| raw.get(name).filter(|value| value.is_i64());
    DeltaSingleAction::Add(DeltaAdd {
        path: &urls.file.url,
        partition_values: add.partition_values,
        size: add.size,
        modification_time: add.modification_time,
        data_change: add.data_change,
        stats: add.stats,
        deletion_vector: deletion_vector(add.deletion_vector, urls.vector),
        base_row_id: number("baseRowId"),
        default_row_commit_version: number("defaultRowCommitVersion"),
    })
}

/// The same for every file whose deletion vector the object holds, and for every request.
fn vector_id(key: Option<&Path>, ids: FileIds) -> Option<String> {
    key.map(|key| ids.id(key.as_ref()))
}

/// Appends the line of one file of a table's state. `at`: of which version, where one was asked for.
pub(crate) fn file(
    out: &mut Vec<u8>,
    add: FileView<'_>,
    urls: Urls<'_>,
    at: Option<Committed>,
    format: Format,
    ids: FileIds,
) {
    let id = ids.id(add.path);
    let vector_id = vector_id(add.deletion_vector_key, ids);
    let expiration_timestamp = urls.expire();
    let (version, timestamp) = at.unzip();
    let line = match format {
        Format::Parquet => FileLine::Parquet(PlainFile {
            url: &urls.file.url,
            id: &id,
            partition_values: PlainValues(add.partition_values),
            size: add.size,
            stats: add.stats,
            version,
            timestamp,
            expiration_timestamp,
        }),
        Format::Delta => FileLine::Delta {
            id: &id,
            deletion_vector_file_id: vector_id.as_deref(),
            version,
            timestamp,
            expiration_timestamp,
            delta_single_action: delta_add(add, urls),
        },
    };
    push(out, &Line::File(line));
}

/// Appends the line of one file that tells of a change. A removed file without a size is not to come here.
pub(crate) fn changed(
    out: &mut Vec<u8>,
    file: &ChangedFile,
    urls: Urls<'_>,
    (version, timestamp): Committed,
    format: Format,
    ids: FileIds,
) {
    let id = ids.id(file.path());
    let vector_id = vector_id(file.deletion_vector_key(), ids);
    let expiration_timestamp = urls.expire();
    let size = file.size().unwrap_or_default();
    let removed_from;
    let (values, stats) = match file {
        ChangedFile::Add(add) => (&add.partition_values, add.stats.as_deref()),
        ChangedFile::Remove(remove) => {
            removed_from = remove.partition_values().unwrap_or_default();
            (&removed_from, None)
        }
        ChangedFile::Cdc(cdc) => (&cdc.partition_values, None),
    };
    let line = match format {
        Format::Parquet => {
            let plain = PlainFile {
                url: &urls.file.url,
                id: &id,
                partition_values: PlainValues(values),
                size,
                stats,
                version: Some(version),
                timestamp: Some(timestamp),
                expiration_timestamp,
            };
            match file {
                ChangedFile::Add(_) => Line::Add(plain),
                ChangedFile::Remove(_) => Line::Remove(plain),
                ChangedFile::Cdc(_) => Line::Cdf(plain),
            }
        }
        Format::Delta => Line::File(FileLine::Delta {
            id: &id,
            deletion_vector_file_id: vector_id.as_deref(),
            version: Some(version),
            timestamp: Some(timestamp),
            expiration_timestamp,
            delta_single_action: match file {
                ChangedFile::Add(add) => delta_add(add.view(), urls),
                ChangedFile::Remove(remove) => DeltaSingleAction::Remove(DeltaRemove {
                    path: &urls.file.url,
                    deletion_timestamp: remove.deletion_timestamp,
                    data_change: remove.data_change,
                    extended_file_metadata: true,
                    partition_values: values,
                    size,
                    deletion_vector: deletion_vector(remove.deletion_vector.as_ref(), urls.vector),
                }),
                ChangedFile::Cdc(_) => DeltaSingleAction::Cdc(DeltaCdc {
                    path: &urls.file.url,
                    partition_values: values,
                    size,
                    data_change: false,
                }),
            },
        }),
    };
    push(out, &line);
}

/// Appends the line that ends a complete answer, or one page of it.
pub(crate) fn end(
    out: &mut Vec<u8>,
    min_url_expiration_timestamp: Option<i64>,
    next_page_token: Option<&str>,
    refresh_token: Option<&str>,
) {
    push(
        out,
        &Line::EndStreamAction(EndStreamAction {
            refresh_token,
            next_page_token,
            min_url_expiration_timestamp,
            error_message: None,
        }),
    );
}

/// Appends the line that says why an answer is not complete.
pub(crate) fn end_with_error(out: &mut Vec<u8>, message: &str) {
    push(
        out,
        &Line::EndStreamAction(EndStreamAction {
            refresh_token: None,
            next_page_token: None,
            min_url_expiration_timestamp: None,
            error_message: Some(message),
        }),
    );
}

/// The only line of an answer that says how far a query has come.
pub(crate) fn query_status(query_id: &str, status: &'static str, message: Option<&str>) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let status = QueryStatus {
        query_id,
        status,
        message,
    };
    push(&mut out, &Line::QueryStatus(status));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_stays_on_one_line_for_every_client() {
        let text = "a\u{85}b\u{2028}c\u{2029}d\ne\u{b}f\u{1c}g\"\\ü🙂";
        let line = String::from_utf8(one_line(&BTreeMap::from([(text, text)]))).unwrap();
        assert!(
            !line.contains(['\u{85}', '\u{2028}', '\u{2029}', '\n', '\u{b}', '\u{1c}']),
            "{line}"
        );
        assert!(
            line.contains("a\\u0085b\\u2028c\\u2029d\\ne\\u000bf\\u001cg") && line.contains("ü🙂"),
            "{line}"
        );
        let back: BTreeMap<String, String> = serde_json::from_str(&line).unwrap();
        assert_eq!(back, BTreeMap::from([(text.to_owned(), text.to_owned())]));
    }
}
