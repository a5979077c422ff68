//! What VACUUM has deleted: files that an older version needs and that are not there any more. The log says which those may be, by
//! its tombstones and the commits in which a VACUUM begins and ends; whether they are gone says the store.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectStoreExt as _};
use serde_json::Value;

use crate::actions::Action;
use crate::budgets::{count, within};
use crate::changes::{History, at_once};
use crate::replay::commit_time;
use crate::table::modified;
use crate::{LogError, Table};

/// More commits are not looked through: the answer could not begin in time.
const MOST_COMMITS: u64 = 1_000;

/// What one commit says of files.
struct Told {
    version: u64,
    /// Milliseconds since the epoch.
    at: i64,
    added: BTreeSet<Path>,
    /// With the time of the tombstone, in milliseconds; 0 where it has none, as VACUUM takes it.
    removed: BTreeMap<Path, i64>,
    vacuum: Option<Vacuum>,
}

/// What a commit says of a VACUUM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vacuum {
    /// It keeps what was removed within so many milliseconds; None: that is not said.
    Begins(Option<i64>),
    Ends,
}

impl Vacuum {
    fn of(info: &Value) -> Option<Self> {
        let parameters = info.get("operationParameters");
        let said = |name: &str| parameters.and_then(|parameters| parameters.get(name));
        // Writers have numbers as such or as text.
        let number = |name: &str| -> Option<i64> {
            let value = said(name)?;
            value.as_i64().or_else(|| value.as_str()?.parse().ok())
        };
        match info.get("operation").and_then(Value::as_str)? {
            "VACUUM START" => {
                let specified = number("specifiedRetentionMillis");
                // By default that of the table: `delta.deletedFileRetentionDuration`.
                Some(Self::Begins(
                    specified.or_else(|| number("defaultRetentionMillis")),
                ))
            }
            "VACUUM END" => {
                let status = said("status").and_then(Value::as_str);
                let is_complete = status.is_some_and(|status| status.contains("COMPLETED"));
                is_complete.then_some(Self::Ends)
            }
            _ => None,
        }
    }
}

/// What has become of one file.
#[derive(Default)]
struct File {
    /// Whether the version that is asked for has it.
    is_wanted: bool,
    /// In which version it was removed, and when; None: it belongs to the table.
    removed: Option<(u64, i64)>,
    /// A VACUUM that deletes it has ended since.
    is_gone: bool,
}

/// What has become of the files of a version, and of those that came later.
#[derive(Default)]
struct Since {
    files: BTreeMap<Path, File>,
    /// The version in which a VACUUM began, and before when what it deletes was removed.
    begun: Option<(u64, i64)>,
}

impl Since {
    /// Takes the commits one after the other.
    fn take(&mut self, told: Told) {
        for (key, at) in told.removed {
            // A file that gets another deletion vector is removed and added in one commit.
            let removed = (!told.added.contains(&key)).then_some((told.version, at));
            let file = self.files.entry(key).or_insert(File {
                is_wanted: true,
                ..File::default()
            });
            file.removed = removed;
            file.is_gone = false;
        }
        for key in told.added {
            let file = self.files.entry(key).or_default();
            file.removed = None;
            file.is_gone = false;
        }
        match told.vacuum {
            Some(Vacuum::Begins(kept)) => {
                self.begun = kept.map(|kept| (told.version, told.at.saturating_sub(kept)));
            }
            Some(Vacuum::Ends) => {
                let Some((begun, before)) = self.begun.take() else {
                    return;
                };
                for file in self.files.values_mut() {
                    file.is_gone |= file
                        .removed
                        .is_some_and(|(version, at)| version < begun && at < before);
                }
            }
            None => {}
        }
    }

    /// Of the wanted files that are gone the one that was removed first.
    fn first_gone(&self) -> Option<&Path> {
        let gone = self.files.iter().filter(|(_, file)| file.is_gone);
        let wanted = gone.filter(|(_, file)| file.is_wanted);
        let first = wanted.min_by_key(|(_, file)| file.removed.map(|(_, at)| at));
        first.map(|(key, _)| key)
    }

    /// The version from which on no file is gone.
    fn earliest(&self) -> Option<u64> {
        let gone = self.files.values().filter(|file| file.is_gone);
        gone.filter_map(|file| file.removed.map(|(version, _)| version))
            .max()
    }
}

impl Table {
    /// If files of `version` were deleted by a VACUUM: the earliest version from which on none were. `None` where they are there,
    /// or where it cannot be known: no VACUUM was written down, or it is too long ago. One file is looked for in the store, so
    /// that nothing is said of a version that is still there.
    ///
    /// # Errors
    /// As [`Table::changes`]: then it is not known either.
    pub async fn vacuumed(&self, history: &History, version: u64) -> Result<Option<u64>, LogError> {
        let first = version.saturating_add(1);
        if first > history.latest || history.latest - version > MOST_COMMITS {
            return Ok(None);
        }
        let sizes: Vec<(u64, u64)> = history
            .listing
            .commits
            .range(first..)
            .map(|(version, meta)| (*version, meta.size))
            .collect();
        let found = sizes.iter().map(|(version, _)| *version);
        if !found.eq(first..=history.latest) {
            return Ok(None);
        }
        let (mut since, mut spent) = (Since::default(), 0_u64);
        let mut rest = sizes.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(at_once(rest));
            rest = after;
            let reading: Vec<_> = batch
                .iter()
                .map(|(version, _)| self.told(*version))
                .collect();
            for (told, read) in try_join_all(reading).await? {
                spent = spent.saturating_add(read);
                within("bytes of the log", self.budgets().total_log_bytes, spent)?;
                since.take(told);
                within(
                    "changed files of the versions asked for",
                    self.budgets().files,
                    count(since.files.len()),
                )?;
            }
        }
        let Some(key) = since.first_gone() else {
            return Ok(None);
        };
        match self.objects().head(key).await {
            Ok(_) => Ok(None),
            Err(StoreError::NotFound { .. }) => Ok(since.earliest()),
            Err(error) => Err(error.into()),
        }
    }

    /// What one commit says of files, and how many bytes were read for it.
    async fn told(&self, version: u64) -> Result<(Told, u64), LogError> {
        let (mut added, mut removed) = (BTreeSet::new(), BTreeMap::new());
        let mut info = None;
        let keep = |action| {
            match action {
                Action::Add(file) => {
                    added.insert(file.key.clone());
                }
                Action::Remove(file) => {
                    let at = file.deletion_timestamp.unwrap_or_default();
                    removed.insert(file.key.clone(), at);
                }
                Action::CommitInfo(found) => info = Some(found),
                _ => {}
            }
            added.len() + removed.len()
        };
        let (meta, spent) = self.actions_of(version, keep).await?;
        let told = Told {
            version,
            at: commit_time(info.as_ref(), modified(&meta)).millis(),
            added,
            removed,
            vacuum: info.as_ref().and_then(Vacuum::of),
        };
        Ok((told, spent))
    }
}
