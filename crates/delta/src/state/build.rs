//! A state that is made of a whole log, action by action in the log's order: each file is put into columns at once, and nothing else is
//! held of it. Which files count is found out in the end, or once too many do not: a file that was added again or taken out. In the
//! end, too, many rows are put in the order of their paths, in which pages are read.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::columns::Columns;
use super::{IDLE_ROWS, Part, State, number};
use crate::actions::{Action, FileKey};
use crate::budgets::{count, within};
use crate::checkpoint::Row;
use crate::replay::{Replay, Snapshot};
use crate::{Budgets, LogError};

/// So many removed files are remembered before it is looked which files they are, if they are not half of them.
const REMEMBERED: usize = 100_000;

/// Columns that grow; one after the other, for each is full some time.
#[derive(Debug, Default)]
pub(super) struct Growing {
    parts: Vec<Part>,
    open: Columns,
    /// The number of the open columns' first row.
    first: u32,
    /// Bytes of the partition values of columns that were closed.
    values: u64,
}

impl Growing {
    pub(super) fn after(parts: Vec<Part>) -> Self {
        let first = parts.last().map_or(0, Part::end);
        Self {
            parts,
            open: Columns::default(),
            first,
            values: 0,
        }
    }

    pub(super) fn push(&mut self, push: impl FnOnce(&mut Columns)) {
        push(&mut self.open);
        if self.open.is_full() {
            self.close();
        }
    }

    fn close(&mut self) {
        if self.open.len() == 0 {
            return;
        }
        let mut columns = std::mem::take(&mut self.open);
        columns.fit();
        self.values = self.values.saturating_add(columns.values_bytes());
        let part = Part {
            first: self.first,
            columns: Arc::new(columns),
        };
        self.first = part.end();
        self.parts.push(part);
    }

    pub(super) fn parts(mut self) -> Vec<Part> {
        self.close();
        self.parts
    }

    fn rows(&self) -> usize {
        self.first as usize + self.open.len()
    }

    fn values_bytes(&self) -> u64 {
        self.values.saturating_add(self.open.values_bytes())
    }
}

/// Stands for a file: nobody outside can choose two files with one of these.
type Name = (u64, u64);

pub(super) struct Builder {
    /// Of active files.
    most: u64,
    /// Of bytes that their partition values take: in a log these may be a tenth of that, and in a checkpoint next to nothing.
    most_bytes: u64,
    growing: Growing,
    /// Rows that do not count.
    gone: HashSet<u32>,
    /// Files that were taken out, and how many rows there were then.
    removed: HashMap<Name, u32>,
    /// Not looked at before there are so many rows.
    next_look: usize,
    hashers: [RandomState; 2],
}

impl Builder {
    pub(super) fn new(budgets: &Budgets) -> Self {
        Self {
            most: budgets.files,
            most_bytes: budgets.total_log_bytes,
            growing: Growing::default(),
            gone: HashSet::new(),
            removed: HashMap::new(),
            next_look: usize::try_from(budgets.files).unwrap_or(usize::MAX),
            hashers: Default::default(),
        }
    }

    /// Files are kept here, all else is put to `head`.
    pub(super) fn take(&mut self, row: Row<'_>, head: &mut Replay<'_>) -> Result<(), LogError> {
        match row {
            Row::Plain(file) => self.growing.push(|columns| columns.push_plain(&file)),
            Row::Action(Action::Add(file)) => self.growing.push(|columns| columns.push(&file)),
            Row::Action(Action::Remove(file)) => {
                let FileKey { path, dv } = file.file_key();
                let name = name(&self.hashers, &path, dv.as_deref());
                self.removed.insert(name, number(self.growing.rows())?);
                if self.removed.len() > REMEMBERED.max(self.growing.rows() / 2) {
                    return self.settle();
                }
                return Ok(());
            }
            Row::Action(action) => return head.apply(action),
        }
        let values = self.growing.values_bytes();
        within("bytes of partition values", self.most_bytes, values)?;
        if self.growing.rows() > self.next_look {
            return self.settle();
        }
        Ok(())
    }

    /// Finds out which rows count.
    fn settle(&mut self) -> Result<(), LogError> {
        self.growing.close();
        let rows = number(self.growing.rows())?;
        let suspects = self.suspects();
        if !suspects.is_empty() {
            let mut last: HashMap<Name, u32> = HashMap::new();
            for (row, name) in names(&self.growing.parts, &self.hashers) {
                if self.gone.contains(&row) || !suspects.contains(&name.0) {
                    continue;
                }
                if self.removed.get(&name).is_some_and(|at| row < *at) {
                    self.gone.insert(row);
                } else if let Some(before) = last.insert(name, row) {
                    self.gone.insert(before);
                }
            }
        }
        self.removed = HashMap::new();
        let left = rows as usize - self.gone.len();
        within("active files", self.most, count(left))?;
        if self.gone.len() > IDLE_ROWS.max(left) {
            self.pack();
        }
        let most = usize::try_from(self.most).unwrap_or(usize::MAX);
        let more = self.growing.rows().saturating_add(most / 8 + 1);
        self.next_look = most.max(more);
        Ok(())
    }

    /// Hashes that more than one row has, or a removed file: nearly always that is one file, and all others need no second look.
    fn suspects(&self) -> HashSet<u64> {
        let mut hashes = Vec::with_capacity(self.growing.rows());
        let all = names(&self.growing.parts, &self.hashers);
        let left = all.filter(|(row, _)| !self.gone.contains(row));
        hashes.extend(left.map(|(_, name)| name.0));
        hashes.sort_unstable();
        let twice = hashes.windows(2).filter(|two| two[0] == two[1]);
        let removed = self.removed.keys().map(|name| name.0);
        let removed = removed.filter(|hash| hashes.binary_search(hash).is_ok());
        twice.map(|two| two[0]).chain(removed).collect()
    }

    fn pack(&mut self) {
        let mut packed = Growing::default();
        for part in std::mem::take(&mut self.growing.parts) {
            for row in 0..part.columns.len() {
                if !self.gone.contains(&(part.first + row as u32)) {
                    packed.push(|columns| columns.push_row(&part.columns, row));
                }
            }
        }
        packed.close();
        self.growing = packed;
        self.gone = HashSet::new();
    }

    /// The state, whose files are those that were taken and all else is `outline`.
    pub(super) fn finish(mut self, outline: Snapshot) -> Result<State, LogError> {
        self.settle()?;
        let (mut parts, mut rows, mut first) = (Vec::new(), Vec::new(), 0);
        for part in self.growing.parts {
            let all = 0..number(part.columns.len())?;
            let kept = all.filter(|row| !self.gone.contains(&(part.first + row)));
            let mut kept: Vec<u32> = kept.collect();
            let mut columns = part.columns;
            if kept.is_empty() {
                continue;
            }
            // One after the other, so that no more than one of them is there twice.
            if let Some(ordered) = columns.in_order(&kept) {
                kept = (0..number(ordered.len())?).collect();
                columns = Arc::new(ordered);
            }
            rows.extend(kept.iter().map(|row| first + row));
            let part = Part { first, columns };
            first = part.end();
            parts.push(part);
        }
        let [hasher, _] = self.hashers;
        Ok(State::new(outline, parts, rows.into(), hasher))
    }
}

fn name(hashers: &[RandomState; 2], path: &str, dv: Option<&str>) -> Name {
    let [one, other] = hashers.each_ref().map(|hasher| hasher.hash_one((path, dv)));
    (one, other)
}

/// All rows with what stands for their files.
fn names<'a>(
    parts: &'a [Part],
    hashers: &'a [RandomState; 2],
) -> impl Iterator<Item = (u32, Name)> + 'a {
    parts.iter().flat_map(move |part| {
        (0..part.columns.len()).map(move |row| {
            let dv = part.columns.vector_id(row);
            let name = name(hashers, part.columns.path(row), dv.as_deref());
            (part.first + row as u32, name)
        })
    })
}
