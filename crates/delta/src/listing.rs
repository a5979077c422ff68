//! What lies in `_delta_log`, and which of it makes up a version. Names only; nothing is opened here.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use futures::StreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use crate::budgets::within;
use crate::{Budgets, LogError};

pub(crate) const LOG: &str = "_delta_log";

/// Where the sidecars of V2 checkpoints lie, within the log.
const SIDECARS: &str = "_sidecars/";

pub(crate) fn commit_path(version: u64) -> Path {
    Path::from_iter([LOG, &format!("{version:020}.json")])
}

/// What a name in `_delta_log` means. Compacted commits (each commit they hold is there by itself, too), checksums, temporary
/// files and other sub-folders are `Other`: nothing we need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Commit(u64),
    Checkpoint(u64),
    Part { version: u64, part: u64, of: u64 },
    V2Checkpoint(u64),
    Sidecar,
    Other,
}

fn kind(name: &str) -> Kind {
    if name.starts_with(SIDECARS) && name.ends_with(".parquet") {
        return Kind::Sidecar;
    }
    // Versions are signed 64-bit numbers in the protocol, so one more always fits into ours.
    let Some(version) = name.split('.').next().and_then(|digits| fixed(digits, 20)) else {
        return Kind::Other;
    };
    if i64::try_from(version).is_err() {
        return Kind::Other;
    }
    let parts: Vec<&str> = name.split('.').skip(1).collect();
    match parts.as_slice() {
        ["json"] => Kind::Commit(version),
        ["checkpoint", "parquet"] => Kind::Checkpoint(version),
        ["checkpoint", part, of, "parquet"] => match (fixed(part, 10), fixed(of, 10)) {
            (Some(part), Some(of)) if 1 <= part && part <= of => Kind::Part { version, part, of },
            _ => Kind::Other,
        },
        ["checkpoint", id, "json" | "parquet"] if uuid::Uuid::try_parse(id).is_ok() => {
            Kind::V2Checkpoint(version)
        }
        _ => Kind::Other,
    }
}

/// A decimal number of exactly `width` digits.
fn fixed(digits: &str, width: usize) -> Option<u64> {
    let plain = digits.len() == width && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub(crate) commits: BTreeMap<u64, ObjectMeta>,
    single: BTreeMap<u64, ObjectMeta>,
    /// By version and number of parts: a checkpoint may have been written twice.
    parts: BTreeMap<(u64, u64), BTreeMap<u64, ObjectMeta>>,
    /// The newest one of each version.
    v2: BTreeMap<u64, ObjectMeta>,
    /// What V2 checkpoints may consist of.
    pub(crate) sidecars: BTreeMap<Path, ObjectMeta>,
}

/// The objects that make up one version: at most one checkpoint, then every commit after it.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) checkpoint: Option<(u64, Vec<ObjectMeta>)>,
    pub(crate) commits: Vec<u64>,
    pub(crate) version: u64,
}

impl Listing {
    /// Lists the log, from version `from` when given.
    pub(crate) async fn read(
        objects: &dyn ObjectStore,
        from: Option<u64>,
        budgets: &Budgets,
    ) -> Result<Self, LogError> {
        let log = Path::from(LOG);
        let mut found = match from {
            // The offset itself is not listed: the bare number sorts before every file of that version.
            Some(version) => objects.list_with_offset(
                Some(&log),
                &Path::from_iter([LOG, &format!("{version:020}")]),
            ),
            None => objects.list(Some(&log)),
        };
        let mut listing = Self::default();
        let mut seen = 0;
        while let Some(meta) = found.next().await {
            seen += 1;
            within("objects in the log", budgets.log_objects, seen)?;
            listing.insert(meta?);
        }
        Ok(listing)
    }

    fn insert(&mut self, meta: ObjectMeta) {
        let name = match meta.location.as_ref().split_once('/') {
            Some((LOG, name)) => name,
            _ => return,
        };
        match kind(name) {
            Kind::Commit(version) => {
                self.commits.insert(version, meta);
            }
            Kind::Checkpoint(version) => {
                self.single.insert(version, meta);
            }
            Kind::Part { version, part, of } => {
                self.parts
                    .entry((version, of))
                    .or_default()
                    .insert(part, meta);
            }
            Kind::V2Checkpoint(version) => {
                let known = self.v2.get(&version);
                if known.is_none_or(|known| known.last_modified <= meta.last_modified) {
                    self.v2.insert(version, meta);
                }
            }
            Kind::Sidecar => {
                self.sidecars.insert(meta.location.clone(), meta);
            }
            Kind::Other => {}
        }
    }

    /// The files of a complete checkpoint of exactly this version, without sidecars.
    pub(crate) fn checkpoint(&self, version: u64) -> Option<Vec<ObjectMeta>> {
        if let Some(meta) = self.single.get(&version) {
            return Some(vec![meta.clone()]);
        }
        let whole: Option<Vec<ObjectMeta>> = self
            .parts
            .range((version, 0)..=(version, u64::MAX))
            .find(|((_, of), parts)| u64::try_from(parts.len()) == Ok(*of))
            .map(|(_, parts)| parts.values().cloned().collect());
        whole.or_else(|| self.v2.get(&version).map(|meta| vec![meta.clone()]))
    }

    /// Whether there are V2 checkpoints by their own names.
    pub(crate) fn has_v2(&self) -> bool {
        !self.v2.is_empty()
    }

    /// Versions with a complete checkpoint, ascending, without those in `skip`.
    fn checkpoints<'a>(&'a self, skip: &'a BTreeSet<u64>) -> impl Iterator<Item = u64> + 'a {
        let versions: BTreeSet<u64> = self
            .single
            .keys()
            .copied()
            .chain(self.parts.keys().map(|(version, _)| *version))
            .chain(self.v2.keys().copied())
            .collect();
        versions
            .into_iter()
            .filter(|version| !skip.contains(version) && self.checkpoint(*version).is_some())
    }

    /// The lowest version in `range` with a complete checkpoint.
    pub(crate) fn first_checkpoint(&self, range: RangeInclusive<u64>) -> Option<u64> {
        self.checkpoints(&BTreeSet::new())
            .find(|version| range.contains(version))
    }

    /// The highest version there is any trace of.
    pub(crate) fn latest(&self) -> Option<u64> {
        let none = BTreeSet::new();
        let checkpoint = self.checkpoints(&none).last();
        self.commits.keys().last().copied().max(checkpoint)
    }

    /// The lowest version that can be put together, when `skip` cannot be read.
    pub(crate) fn earliest(&self, skip: &BTreeSet<u64>) -> Option<u64> {
        if self.commits.contains_key(&0) {
            Some(0)
        } else {
            self.checkpoints(skip).next()
        }
    }

    /// Chooses what to read for version `at`, or the latest.
    ///
    /// # Errors
    /// [`LogError::NotATable`], [`LogError::NoSuchVersion`], [`LogError::Gap`].
    pub(crate) fn plan(&self, at: Option<u64>, skip: &BTreeSet<u64>) -> Result<Plan, LogError> {
        let latest = self.latest().ok_or(LogError::NotATable)?;
        let version = at.unwrap_or(latest);
        if version > latest {
            return Err(LogError::NoSuchVersion {
                earliest: self.earliest(skip).unwrap_or(latest),
                latest,
            });
        }
        let base = self
            .checkpoints(skip)
            .take_while(|found| *found <= version)
            .last();
        let first = base.map_or(0, |base| base + 1);
        // Not a range over all numbers: a hostile name may say version 2^63.
        let commits: Vec<u64> = if first > version {
            Vec::new()
        } else {
            self.commits
                .range(first..=version)
                .map(|(v, _)| *v)
                .collect()
        };
        let missing = commits
            .iter()
            .zip(first..)
            .find(|(found, wanted)| **found != *wanted)
            .map(|(_, wanted)| wanted);
        let end = first + u64::try_from(commits.len()).unwrap_or(u64::MAX);
        if let Some(missing) = missing.or((end <= version).then_some(end)) {
            return Err(match self.earliest(skip) {
                Some(earliest) if version < earliest => {
                    LogError::NoSuchVersion { earliest, latest }
                }
                _ => LogError::Gap { missing },
            });
        }
        let checkpoint = base.and_then(|base| Some((base, self.checkpoint(base)?)));
        Ok(Plan {
            checkpoint,
            commits,
            version,
        })
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;

    use super::*;

    async fn listing(names: &[&str]) -> Listing {
        let store = InMemory::new();
        for name in names {
            store
                .put(&Path::from(format!("_delta_log/{name}")), "x".into())
                .await
                .unwrap();
        }
        Listing::read(&store, None, &Budgets::default())
            .await
            .unwrap()
    }

    #[test]
    fn names() {
        let uuid = "3a0d65cd-4056-49b8-937b-95f9e3ee90e5";
        for (name, expected) in [
            ("00000000000000000007.json".to_owned(), Kind::Commit(7)),
            (
                "00000000000000000007.checkpoint.parquet".to_owned(),
                Kind::Checkpoint(7),
            ),
            (
                "00000000000000000007.checkpoint.0000000001.0000000003.parquet".to_owned(),
                Kind::Part {
                    version: 7,
                    part: 1,
                    of: 3,
                },
            ),
            (
                "00000000000000000007.checkpoint.0000000004.0000000003.parquet".to_owned(),
                Kind::Other,
            ),
            (
                "00000000000000000007.checkpoint.0000000000.0000000003.parquet".to_owned(),
                Kind::Other,
            ),
            (
                format!("00000000000000000007.checkpoint.{uuid}.json"),
                Kind::V2Checkpoint(7),
            ),
            (
                format!("00000000000000000007.checkpoint.{uuid}.parquet"),
                Kind::V2Checkpoint(7),
            ),
            (
                "00000000000000000004.00000000000000000007.compacted.json".to_owned(),
                Kind::Other,
            ),
            (
                format!(
                    "_sidecars/00000000000000000007.checkpoint.0000000001.0000000002.{uuid}.parquet"
                ),
                Kind::Sidecar,
            ),
            (format!("_sidecars/{uuid}.json"), Kind::Other),
            ("00000000000000000007.crc".to_owned(), Kind::Other),
            ("00000000000000000007.json.tmp".to_owned(), Kind::Other),
            (".00000000000000000007.json".to_owned(), Kind::Other),
            (
                "_staged_commits/00000000000000000007.json".to_owned(),
                Kind::Other,
            ),
            ("7.json".to_owned(), Kind::Other),
            ("+0000000000000000007.json".to_owned(), Kind::Other),
            ("99999999999999999999.json".to_owned(), Kind::Other),
            ("18446744073709551615.json".to_owned(), Kind::Other),
        ] {
            assert_eq!(kind(&name), expected, "{name}");
        }
    }

    #[tokio::test]
    async fn plans() {
        let none = BTreeSet::new();
        let plan = |l: &Listing, at| {
            l.plan(at, &BTreeSet::new())
                .map(|p| (p.checkpoint.map(|c| c.0), p.commits))
        };

        let empty = listing(&[]).await;
        assert!(matches!(empty.plan(None, &none), Err(LogError::NotATable)));

        let json: Vec<String> = (0..4).map(|v| format!("{v:020}.json")).collect();
        let names: Vec<&str> = json.iter().map(String::as_str).collect();
        let whole = listing(&names).await;
        assert_eq!(plan(&whole, None).unwrap(), (None, vec![0, 1, 2, 3]));
        assert_eq!(plan(&whole, Some(1)).unwrap(), (None, vec![0, 1]));
        assert!(matches!(
            plan(&whole, Some(4)),
            Err(LogError::NoSuchVersion {
                earliest: 0,
                latest: 3
            })
        ));

        let gap = listing(&[names[0], names[1], names[3]]).await;
        assert!(matches!(
            plan(&gap, None),
            Err(LogError::Gap { missing: 2 })
        ));
        assert_eq!(plan(&gap, Some(1)).unwrap(), (None, vec![0, 1]));
        let cut = listing(&[names[2], names[3]]).await;
        assert!(matches!(
            plan(&cut, None),
            Err(LogError::Gap { missing: 0 })
        ));

        let cleaned = listing(&[
            "00000000000000000002.checkpoint.parquet",
            names[2],
            names[3],
        ])
        .await;
        assert_eq!(plan(&cleaned, None).unwrap(), (Some(2), vec![3]));
        assert_eq!(plan(&cleaned, Some(2)).unwrap(), (Some(2), vec![]));
        assert!(matches!(
            plan(&cleaned, Some(1)),
            Err(LogError::NoSuchVersion {
                earliest: 2,
                latest: 3
            })
        ));

        let torn = listing(&[
            "00000000000000000002.checkpoint.0000000001.0000000002.parquet",
            names[0],
            names[1],
            names[2],
        ])
        .await;
        assert_eq!(plan(&torn, None).unwrap(), (None, vec![0, 1, 2]));

        let v2 = "00000000000000000002.checkpoint.3a0d65cd-4056-49b8-937b-95f9e3ee90e5.json";
        let both = listing(&[names[0], names[1], names[2], v2]).await;
        assert_eq!(plan(&both, None).unwrap(), (Some(2), vec![]));
        let torn = listing(&[
            "00000000000000000002.checkpoint.0000000001.0000000002.parquet",
            v2,
        ])
        .await;
        assert_eq!(plan(&torn, None).unwrap(), (Some(2), vec![]));
        let only = listing(&[names[3], v2]).await;
        assert_eq!(plan(&only, None).unwrap(), (Some(2), vec![3]));

        let far = listing(&[names[0], "09223372036854775807.json"]).await;
        assert!(matches!(
            plan(&far, None),
            Err(LogError::Gap { missing: 1 })
        ));
        let last = listing(&["09223372036854775807.checkpoint.parquet"]).await;
        assert_eq!(
            plan(&last, None).unwrap(),
            (Some(i64::MAX.unsigned_abs()), vec![])
        );
    }
}
