//! One line of JSON per thing: the answers' lines in both response formats (checklist §1.5).

use std::collections::BTreeMap;
use std::io;

use delta::{AddFile, Metadata, Protocol};
use serde::Serialize;
use serde_json::Value;
use serde_json::ser::Formatter;

use crate::SignedFile;
use crate::capabilities::{Capabilities, FileIds, Format};
use crate::error::Failure;
use crate::schema;

/// Compact JSON that no client can take for two lines: the Python connector splits where Unicode does, so that the three
/// line separators which JSON lets stand are escaped too (C2).
struct OneLine;

impl Formatter for OneLine {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
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

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Line<'a> {
    Protocol(ProtocolLine<'a>),
    MetaData(MetadataLine<'a>),
    File(FileLine<'a>),
    EndStreamAction(EndStreamAction<'a>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum ProtocolLine<'a> {
    #[serde(rename_all = "camelCase")]
    Parquet { min_reader_version: u32 },
    #[serde(rename_all = "camelCase")]
    Delta { delta_protocol: DeltaProtocol<'a> },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeltaProtocol<'a> {
    min_reader_version: i64,
    min_writer_version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reader_features: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    writer_features: Option<Vec<&'a str>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MetadataLine<'a> {
    Parquet(PlainMetadata<'a>),
    #[serde(rename_all = "camelCase")]
    Delta {
        delta_metadata: PlainMetadata<'a>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlainMetadata<'a> {
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    format: Provider<'a>,
    schema_string: &'a str,
    partition_columns: &'a [String],
    configuration: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_time: Option<&'a Value>,
}

#[derive(Serialize)]
struct Provider<'a> {
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    options: Option<BTreeMap<&'a str, &'a str>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum FileLine<'a> {
    #[serde(rename_all = "camelCase")]
    Parquet {
        url: &'a str,
        id: &'a str,
        partition_values: BTreeMap<&'a str, &'a str>,
        size: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        stats: Option<&'a str>,
        expiration_timestamp: i64,
    },
    #[serde(rename_all = "camelCase")]
    Delta {
        id: &'a str,
        expiration_timestamp: i64,
        delta_single_action: DeltaSingleAction<'a>,
    },
}

#[derive(Serialize)]
struct DeltaSingleAction<'a> {
    add: DeltaAdd<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeltaAdd<'a> {
    path: &'a str,
    partition_values: &'a BTreeMap<String, Option<String>>,
    size: u64,
    modification_time: i64,
    data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base_row_id: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    default_row_commit_version: Option<&'a Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EndStreamAction<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    min_url_expiration_timestamp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

fn push(out: &mut Vec<u8>, line: &Line<'_>) {
    write_json(out, line);
    out.push(b'\n');
}

/// The two lines that every answer begins with: the protocol, then the metadata.
pub(crate) fn head(
    protocol: &Protocol,
    metadata: &Metadata,
    format: Format,
    client: &Capabilities,
) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::with_capacity(1_024);
    push(
        &mut out,
        &Line::Protocol(protocol_line(protocol, format, client)),
    );
    match format {
        Format::Parquet => {
            let schema_string = schema::trimmed(&metadata.schema_string)?;
            push(
                &mut out,
                &Line::MetaData(parquet_metadata(metadata, &schema_string)),
            );
        }
        Format::Delta => push(&mut out, &Line::MetaData(delta_metadata(metadata))),
    }
    Ok(out)
}

fn protocol_line<'a>(
    protocol: &'a Protocol,
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
            reader_features: (reader >= 3).then(|| {
                protocol
                    .reader_features
                    .iter()
                    .map(String::as_str)
                    .collect()
            }),
            writer_features: (writer >= 7).then(|| {
                protocol
                    .writer_features
                    .iter()
                    .map(String::as_str)
                    .collect()
            }),
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
    ProtocolLine::Delta { delta_protocol }
}

/// Only what a reader needs: of the configuration whether the table records changes, of the columns' metadata the comments.
fn parquet_metadata<'a>(metadata: &'a Metadata, schema_string: &'a str) -> MetadataLine<'a> {
    let records_changes = metadata
        .configuration
        .get("delta.enableChangeDataFeed")
        .is_some_and(|value| value.eq_ignore_ascii_case("true"));
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
        configuration: if records_changes {
            BTreeMap::from([("enableChangeDataFeed", "true")])
        } else {
            BTreeMap::new()
        },
        created_time: None,
    })
}

/// As in the log, with the column metadata that column mapping lives in; of the configuration what Delta itself defines,
/// not what the producer's tools noted beside it.
fn delta_metadata(metadata: &Metadata) -> MetadataLine<'_> {
    MetadataLine::Delta {
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
        },
    }
}

/// Appends the line of one file.
pub(crate) fn file(
    out: &mut Vec<u8>,
    add: &AddFile,
    signed: &SignedFile,
    format: Format,
    ids: FileIds,
) {
    let id = ids.id(&add.path);
    let expiration_timestamp = signed.expires_at.millis();
    let line = match format {
        Format::Parquet => FileLine::Parquet {
            url: &signed.url,
            id: &id,
            // The empty string is null (PROTOCOL.md, Partition Value Serialization).
            partition_values: add
                .partition_values
                .iter()
                .map(|(column, value)| (column.as_str(), value.as_deref().unwrap_or("")))
                .collect(),
            size: add.size,
            stats: add.stats.as_deref(),
            expiration_timestamp,
        },
        Format::Delta => FileLine::Delta {
            id: &id,
            expiration_timestamp,
            delta_single_action: DeltaSingleAction {
                add: DeltaAdd {
                    path: &signed.url,
                    partition_values: &add.partition_values,
                    size: add.size,
                    modification_time: add.modification_time,
                    data_change: add.data_change,
                    stats: add.stats.as_deref(),
                    base_row_id: add.raw.get("baseRowId").filter(|value| value.is_i64()),
                    default_row_commit_version: add
                        .raw
                        .get("defaultRowCommitVersion")
                        .filter(|value| value.is_i64()),
                },
            },
        },
    };
    push(out, &Line::File(line));
}

/// Appends the line that ends a complete answer.
pub(crate) fn end(out: &mut Vec<u8>, min_url_expiration_timestamp: Option<i64>) {
    push(
        out,
        &Line::EndStreamAction(EndStreamAction {
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
            min_url_expiration_timestamp: None,
            error_message: Some(message),
        }),
    );
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
