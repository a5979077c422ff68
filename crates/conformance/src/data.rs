//! An answer that is a table's data: protocol, metadata, then files or changes, one per line.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::case::{Checked, ensure};
use crate::client::Answer;

/// The lines of one answer.
#[derive(Clone, Debug)]
pub(crate) struct Data {
    pub(crate) answer: Answer,
    pub(crate) lines: Vec<Value>,
}

impl Data {
    pub(crate) fn of(answer: Answer) -> Checked<Self> {
        let answer = answer.ok()?;
        let lines = answer.lines()?;
        ensure(
            lines.len() >= 2
                && lines[0]["protocol"].is_object()
                && lines[1]["metaData"].is_object(),
            "a line with the protocol, then one with the metadata",
            answer.shown(),
        )?;
        Ok(Self { answer, lines })
    }

    /// What comes after protocol and metadata, save the line that ends the stream.
    pub(crate) fn rest(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.lines
            .iter()
            .skip(2)
            .filter_map(|line| {
                let (key, value) = line.as_object()?.iter().next()?;
                Some((key.as_str(), value))
            })
            .filter(|(key, _)| *key != "endStreamAction")
    }

    /// The lines that name a file, whatever happened to it.
    pub(crate) fn files(&self) -> Vec<(&str, &Value)> {
        self.rest()
            .filter(|(key, _)| ["file", "add", "remove", "cdf"].contains(key))
            .collect()
    }

    pub(crate) fn ids(&self) -> BTreeSet<String> {
        self.files()
            .iter()
            .filter_map(|(_, file)| Some(file["id"].as_str()?.to_owned()))
            .collect()
    }

    pub(crate) fn end(&self) -> Option<&Value> {
        self.lines
            .iter()
            .map(|line| &line["endStreamAction"])
            .find(|end| end.is_object())
    }

    pub(crate) fn end_text(&self, name: &str) -> Option<String> {
        let text = self.end()?[name].as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub(crate) fn metadata(&self) -> &Value {
        let metadata = &self.lines[1]["metaData"];
        if metadata["deltaMetadata"].is_object() {
            &metadata["deltaMetadata"]
        } else {
            metadata
        }
    }

    pub(crate) fn protocol(&self) -> &Value {
        let protocol = &self.lines[0]["protocol"];
        if protocol["deltaProtocol"].is_object() {
            &protocol["deltaProtocol"]
        } else {
            protocol
        }
    }
}

/// The URL of a file's line, in both formats.
pub(crate) fn url(file: &Value) -> &str {
    let action = &file["deltaSingleAction"];
    file["url"]
        .as_str()
        .or_else(|| action["add"]["path"].as_str())
        .or_else(|| action["cdc"]["path"].as_str())
        .or_else(|| action["remove"]["path"].as_str())
        .unwrap_or_default()
}

/// Whether some rows of a file are deleted, as the delta format says it.
pub(crate) fn has_vector(file: &Value) -> bool {
    file["deltaSingleAction"]["add"]["deletionVector"].is_object()
}

/// The statistics of a file, in both formats; null where there are none.
pub(crate) fn stats(file: &Value) -> Value {
    let text = file["stats"]
        .as_str()
        .or_else(|| file["deltaSingleAction"]["add"]["stats"].as_str());
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}
