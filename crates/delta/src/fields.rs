//! The fields of an action, read from JSON, with errors that say where in the log they stand.

use std::collections::BTreeMap;

use object_store::path::Path;
use serde_json::Value;

use crate::LogError;
use crate::contain::{Escape, contain, deletion_vector_key, shown};

/// Where in a log an action stands, for messages, and what absolute paths are held against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'a> {
    pub(crate) version: u64,
    /// Counts from 1; in a checkpoint the row.
    pub(crate) line: usize,
    /// See [`crate::Table::lying_at`].
    pub(crate) homes: &'a [String],
}

impl At<'_> {
    pub(crate) fn broken(self, what: impl Into<String>) -> LogError {
        LogError::Broken {
            version: self.version,
            line: self.line,
            what: what.into(),
        }
    }

    pub(crate) fn escape(self, action: &'static str, path: &str, why: Escape) -> LogError {
        LogError::Escape {
            version: self.version,
            action,
            path: shown(path),
            why,
        }
    }
}

/// The fields of one action, read strictly: a wrong type is an error, a missing optional field is none.
pub(crate) struct Fields<'a> {
    pub(crate) value: &'a Value,
    pub(crate) at: At<'a>,
    pub(crate) action: &'static str,
}

impl Fields<'_> {
    pub(crate) fn wrong(&self, what: &str) -> LogError {
        self.at.broken(format!("action '{}': {what}", self.action))
    }

    pub(crate) fn missing(&self, name: &str) -> LogError {
        self.wrong(&format!("field '{name}' is missing or of the wrong type"))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.value.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, LogError> {
        self.optional_text(name)?.ok_or_else(|| self.missing(name))
    }

    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<String>, LogError> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.missing(name)),
        }
    }

    pub(crate) fn optional_int(&self, name: &str) -> Result<Option<i64>, LogError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.missing(name)),
        }
    }

    pub(crate) fn size(&self, name: &str) -> Result<Option<u64>, LogError> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| self.missing(name)),
        }
    }

    pub(crate) fn version(&self, name: &str) -> Result<u32, LogError> {
        let number = self.size(name)?.ok_or_else(|| self.missing(name))?;
        u32::try_from(number).map_err(|_| self.missing(name))
    }

    /// True unless the log says false: taking a change for a rearrangement would lose it.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(true)
    }

    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>, LogError> {
        let Some(value) = self.get(name) else {
            return Ok(Vec::new());
        };
        let items = value.as_array().ok_or_else(|| self.missing(name))?;
        items
            .iter()
            .map(|item| {
                item.as_str()
                    .map(str::to_owned)
                    .ok_or_else(|| self.missing(name))
            })
            .collect()
    }

    pub(crate) fn map(&self, name: &str) -> Result<BTreeMap<String, Option<String>>, LogError> {
        let Some(value) = self.get(name) else {
            return Ok(BTreeMap::new());
        };
        let fields = value.as_object().ok_or_else(|| self.missing(name))?;
        fields
            .iter()
            .map(|(key, value)| match value {
                Value::Null => Ok((key.clone(), None)),
                Value::String(text) => Ok((key.clone(), Some(text.clone()))),
                _ => Err(self.missing(name)),
            })
            .collect()
    }

    pub(crate) fn object(&self, name: &str) -> Option<Value> {
        self.get(name).cloned()
    }

    pub(crate) fn contained(&self, path: &str) -> Result<Path, LogError> {
        contain(path).map_err(|why| self.at.escape(self.action, path, why))
    }

    pub(crate) fn deletion_vector(
        &self,
        descriptor: Option<&Value>,
    ) -> Result<Option<Path>, LogError> {
        let Some(descriptor) = descriptor else {
            return Ok(None);
        };
        deletion_vector_key(descriptor, self.at.homes).map_err(|why| match why {
            Escape::DeletionVector => self.wrong("its deletion vector is not one of the protocol"),
            why => {
                let path = descriptor
                    .get("pathOrInlineDv")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                self.at.escape("deletionVector", path, why)
            }
        })
    }
}
