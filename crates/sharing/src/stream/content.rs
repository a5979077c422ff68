//! What an answer holds: files of a state, or changes.

use std::ops::Range;
use std::sync::Arc;

use delta::{ChangedFile, FileView, State};
use serde_json::Value;

use crate::lines::Committed;

/// What an answer holds after its two first lines.
pub(crate) enum Content {
    /// Files of a state, by their numbers; with its version, where one was asked for.
    State(Arc<State>, Arc<[u32]>, Option<Committed>),
    /// Changes, in the order of the log.
    Changes(Arc<[Item]>),
}

impl Content {
    /// The bytes of the files in a range, by the table's log.
    pub(super) fn bytes(&self, range: Range<usize>) -> u64 {
        match self {
            // Of a million files the sum takes a while, and is known.
            Self::State(state, rows, _)
                if Arc::ptr_eq(rows, state.rows()) && range == (0..rows.len()) =>
            {
                state.bytes()
            }
            Self::State(state, rows, _) => {
                let rows = rows.get(range).unwrap_or_default().iter();
                total(rows.map(|row| state.size(*row)))
            }
            Self::Changes(items) => {
                let files = items.get(range).unwrap_or_default().iter();
                total(files.filter_map(Item::file).filter_map(|file| file.size()))
            }
        }
    }

    /// Bytes that the log says of one file at the most, where that is known for all.
    pub(super) fn longest(&self) -> Option<usize> {
        match self {
            Self::State(state, ..) => Some(state.longest()),
            Self::Changes(_) => None,
        }
    }

    /// Bytes that the log says of one file, about.
    pub(super) fn said(&self, at: usize) -> usize {
        match self {
            Self::State(state, rows, _) => {
                let row = rows.get(at).copied();
                row.map_or(0, |row| said(state.view(row)))
            }
            Self::Changes(items) => items.get(at).map_or(0, |item| match item {
                Item::Line(line) => line.len(),
                Item::File(_, ChangedFile::Add(file)) => said(file.view()),
                Item::File(_, ChangedFile::Remove(file)) => length(&file.raw),
                Item::File(_, ChangedFile::Cdc(file)) => length(&file.raw),
            }),
        }
    }
}

/// One line of changes.
pub(crate) enum Item {
    File(Committed, ChangedFile),
    /// A protocol or metadata, with its line's end.
    Line(Vec<u8>),
}

impl Item {
    pub(super) fn file(&self) -> Option<&ChangedFile> {
        match self {
            Self::File(_, file) => Some(file),
            Self::Line(_) => None,
        }
    }
}

fn said(file: FileView<'_>) -> usize {
    let values = file.partition_values.iter();
    let values = values.map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len));
    let vector = file.deletion_vector.map_or(0, length);
    file.path.len() + file.stats.map_or(0, str::len) + values.sum::<usize>() + vector
}

/// Of the texts in a value.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(length).sum(),
        Value::Object(fields) => {
            let fields = fields.iter();
            fields.map(|(name, value)| name.len() + length(value)).sum()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

fn total(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}
