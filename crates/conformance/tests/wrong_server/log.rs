//! A table's log: its state at a version, and what changed in each.

use conformance::fixture::Table;
use serde_json::Value;

pub(crate) fn latest(table: &Table) -> i64 {
    table.commits.len() as i64 - 1
}

/// A table at a version.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) timestamp: i64,
    pub(crate) protocol: Value,
    pub(crate) metadata: Value,
    /// The `add` actions.
    pub(crate) files: Vec<Value>,
}

pub(crate) fn state(table: &Table, version: i64) -> State {
    let mut state = State {
        timestamp: timestamp(table, version),
        protocol: Value::Null,
        metadata: Value::Null,
        files: Vec::new(),
    };
    let until = usize::try_from(version + 1).unwrap_or_default();
    for action in table
        .commits
        .iter()
        .take(until)
        .flat_map(|commit| &commit.actions)
    {
        if action["protocol"].is_object() {
            state.protocol = action["protocol"].clone();
        }
        if action["metaData"].is_object() {
            state.metadata = action["metaData"].clone();
        }
        if action["add"].is_object() {
            state.files.push(action["add"].clone());
        }
        if let Some(path) = action["remove"]["path"].as_str() {
            state.files.retain(|add| add["path"] != path);
        }
    }
    state
}

pub(crate) fn timestamp(table: &Table, version: i64) -> i64 {
    let at = usize::try_from(version).unwrap_or_default();
    table.commits.get(at).map_or(0, |commit| commit.timestamp)
}

/// The actions of one version.
pub(crate) fn actions(table: &Table, version: i64) -> &[Value] {
    let at = usize::try_from(version).unwrap_or_default();
    match table.commits.get(at) {
        Some(commit) => &commit.actions,
        None => &[],
    }
}

/// The first version at or after an instant.
pub(crate) fn since(table: &Table, millis: i64) -> Option<i64> {
    (0..=latest(table)).find(|version| timestamp(table, *version) >= millis)
}

/// The last version at or before it.
pub(crate) fn until(table: &Table, millis: i64) -> Option<i64> {
    (0..=latest(table)).rfind(|version| timestamp(table, *version) <= millis)
}

/// Whether changes are recorded at a version.
pub(crate) fn records(table: &Table, version: i64) -> bool {
    state(table, version).metadata["configuration"]["delta.enableChangeDataFeed"] == "true"
}
