//! What lies under a prefix: Delta tables, and folders in other formats by their names alone. Lists, opens nothing, and never
//! lists a table's data: how much is looked at is bounded, and what was left out is said.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use futures::StreamExt;
use futures::future::join_all;
use object_store::ObjectStore;
use object_store::path::{Path, PathPart};
use storage::Levels;

use crate::LogError;
use crate::listing::LOG;

/// Folders that are looked at, and levels below the prefix.
const MAX_FOLDERS: usize = 20_000;
const MAX_LEVELS: usize = 12;
/// So many objects below a folder are looked at to tell what it is; with more of them directly in it, it is not listed further.
const WIDE: usize = 5_000;
/// Objects and folders directly in a folder that are listed to know its folders, where most of the first ones lay deeper.
const LEVEL: usize = 2 * MAX_FOLDERS;
/// Folders that are looked at at the same time.
const AT_ONCE: usize = 16;
/// More than so many places that were left out are only counted.
const SHOWN: usize = 100;

const REFUSED: &str = "the store does not let the storage's credential list it; allow that and assess again, or assess by prefixes that it may list";

/// What a folder seems to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    Delta,
    Iceberg,
    Parquet,
    Csv,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    pub path: Path,
    pub format: Format,
}

/// What was found, sorted by path.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    pub folders: Vec<Folder>,
    /// Places that were not looked into, with why; more of them than are named here are only counted.
    pub left_out: Vec<(Path, &'static str)>,
    pub left_out_more: u64,
}

impl Survey {
    fn leave_out(&mut self, path: Path, why: &'static str) {
        if self.left_out.len() < SHOWN {
            self.left_out.push((path, why));
        } else {
            self.left_out_more += 1;
        }
    }

    fn found(&mut self, path: &Path, format: Format) {
        let path = path.clone();
        self.folders.push(Folder { path, format });
    }
}

/// Looks at the folders under `prefix`, level by level; `prefix` itself may be a table. Folders inside a table and those whose
/// names begin with `_` or `.` are not looked into.
///
/// # Errors
/// [`LogError::Storage`]; a folder below `prefix` that the store does not let us list is left out, and the rest is looked at.
pub async fn survey(
    objects: &Arc<dyn ObjectStore>,
    levels: &dyn Levels,
    prefix: &Path,
) -> Result<Survey, LogError> {
    let mut survey = Survey::default();
    let mut open = VecDeque::from([(prefix.clone(), 0)]);
    let mut seen = 0;
    while !open.is_empty() {
        let some = open.len().min(AT_ONCE);
        let batch: Vec<(Path, usize)> = open.drain(..some).collect();
        seen += batch.len();
        let visiting: Vec<_> = batch
            .iter()
            .map(|(folder, _)| visit(objects, levels, folder))
            .collect();
        let visited = join_all(visiting).await;
        for ((folder, level), visit) in batch.into_iter().zip(visited) {
            let visit = match visit {
                Err(LogError::Storage(error)) if level > 0 && is_refused(&error) => {
                    survey.leave_out(folder, REFUSED);
                    continue;
                }
                visit => visit?,
            };
            if let Some(format) = visit.format {
                survey.found(&folder, format);
            }
            for why in visit.left_out {
                survey.leave_out(folder.clone(), why);
            }
            for name in visit.inner {
                // A folder of a partition belongs to what lies above it, unless tables lie in it.
                let is_part = name.contains('=') && !visit.holders.contains(&name);
                if name.starts_with(['_', '.']) || is_part {
                    continue;
                }
                let path = below(&folder, &name);
                if level >= MAX_LEVELS {
                    survey.leave_out(path, "it lies too many levels below the prefix");
                } else if seen + open.len() >= MAX_FOLDERS {
                    // Not even remembered: there may be a million of them.
                    survey.leave_out(path, "there are more folders than one assessment looks at");
                } else {
                    open.push_back((path, level + 1));
                }
            }
        }
    }
    survey.folders.sort();
    Ok(survey)
}

/// Whether the store refused this alone: what it answers to a credential that it does not know at all it answers everywhere.
const fn is_refused(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::PermissionDenied { .. })
}

/// What a folder is, and the names of the folders in it: none of a table's.
#[derive(Default)]
struct Visit {
    format: Option<Format>,
    inner: BTreeSet<String>,
    /// As those of [`Sight`].
    holders: BTreeSet<String>,
    /// Why not all in it was looked at.
    left_out: Vec<&'static str>,
}

async fn visit(
    objects: &Arc<dyn ObjectStore>,
    levels: &dyn Levels,
    folder: &Path,
) -> Result<Visit, LogError> {
    let table = |format| Visit {
        format: Some(format),
        ..Visit::default()
    };
    if is_there(objects, &below(folder, LOG)).await? {
        return Ok(table(Format::Delta));
    }
    let sight = look(objects, folder).await?;
    if sight.inner.contains("metadata") && is_iceberg(objects, folder).await? {
        return Ok(table(Format::Iceberg));
    }
    let mut left_out = Vec::new();
    if !sight.is_whole && !sight.holders.is_empty() {
        left_out.push("not all folders in it that are called like partitions were seen, and in some there are tables");
    }
    let inner = match (sight.is_whole, sight.is_wide) {
        (true, _) => sight.inner,
        (false, true) => {
            left_out.push("it holds too many objects to look for folders in it");
            BTreeSet::new()
        }
        (false, false) => {
            let level = levels.level(folder, LEVEL).await?;
            if !level.is_whole {
                left_out.push("it holds more objects and folders than one assessment lists, and only the first of them were seen");
            }
            level.folders
        }
    };
    Ok(Visit {
        format: sight.format,
        inner,
        holders: sight.holders,
        left_out,
    })
}

fn below(folder: &Path, name: &str) -> Path {
    // A name out of a listing parses; what does not is encoded.
    let last = Path::parse(name).unwrap_or_else(|_| Path::from(name));
    folder.parts().chain(last.parts()).collect()
}

async fn is_there(objects: &Arc<dyn ObjectStore>, folder: &Path) -> Result<bool, LogError> {
    match objects.list(Some(folder)).next().await {
        Some(found) => found.map(|_| true).map_err(LogError::from),
        None => Ok(false),
    }
}

async fn is_iceberg(objects: &Arc<dyn ObjectStore>, folder: &Path) -> Result<bool, LogError> {
    let metadata = below(folder, "metadata");
    let mut found = objects.list(Some(&metadata)).take(WIDE);
    while let Some(meta) = found.next().await {
        match meta {
            Ok(meta) if meta.location.as_ref().ends_with(".metadata.json") => return Ok(true),
            Ok(_) => {}
            // It is looked into by itself, and named then.
            Err(error) if is_refused(&error) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
}

/// What the first objects below a folder tell of it.
#[derive(Default)]
struct Sight {
    /// Names of the folders in it, as far as seen.
    inner: BTreeSet<String>,
    format: Option<Format>,
    /// Of those that are called like partitions, the ones in which a log was seen: no partitions, but folders with tables.
    holders: BTreeSet<String>,
    /// Everything below was seen.
    is_whole: bool,
    /// Most of what was seen lies directly in it.
    is_wide: bool,
}

async fn look(objects: &Arc<dyn ObjectStore>, folder: &Path) -> Result<Sight, LogError> {
    let mut sight = Sight {
        is_whole: true,
        ..Sight::default()
    };
    let depth = folder.parts().count();
    let (mut seen, mut direct) = (0, 0);
    let mut parts: BTreeMap<String, Format> = BTreeMap::new();
    let mut found = objects.list(Some(folder));
    while let Some(meta) = found.next().await {
        let location = match meta {
            Ok(meta) => meta.location,
            // Something below it may not be listed: what lies directly in it is listed by itself.
            Err(error) if is_refused(&error) => {
                sight.is_whole = false;
                break;
            }
            Err(error) => return Err(error.into()),
        };
        seen += 1;
        if seen > WIDE {
            sight.is_whole = false;
            sight.is_wide = direct * 2 > WIDE;
            break;
        }
        let mut rest = location.parts().skip(depth);
        let (Some(first), second) = (rest.next(), rest.next()) else {
            continue;
        };
        let first: &str = first.as_ref();
        let format = format_of(location.filename().unwrap_or_default());
        if second.is_none() {
            direct += 1;
            sight.format = sight.format.or(format);
            continue;
        }
        sight.inner.insert(first.to_owned());
        if !first.contains('=') {
            continue;
        }
        let is_log = |part: PathPart<'_>| AsRef::<str>::as_ref(&part) == LOG;
        if location.parts().skip(depth + 1).any(is_log) {
            sight.holders.insert(first.to_owned());
        } else if let Some(format) = format {
            parts.entry(first.to_owned()).or_insert(format);
        }
    }
    parts.retain(|name, _| !sight.holders.contains(name));
    sight.format = sight.format.or_else(|| parts.into_values().next());
    Ok(sight)
}

fn format_of(name: &str) -> Option<Format> {
    let name = name.to_ascii_lowercase();
    if name.ends_with(".parquet") {
        Some(Format::Parquet)
    } else if name.ends_with(".csv") || name.ends_with(".csv.gz") {
        Some(Format::Csv)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use object_store::ObjectStoreExt as _;
    use object_store::memory::InMemory;
    use storage::Level;

    use super::*;
    use crate::tests::Probe;

    async fn store(keys: impl IntoIterator<Item = String>) -> Arc<dyn ObjectStore> {
        let store = InMemory::new();
        for key in keys {
            store.put(&Path::from(key), "x".into()).await.unwrap();
        }
        Arc::new(store)
    }

    /// Levels of what is in memory, which is no more by that.
    struct InOne(Arc<dyn ObjectStore>);

    #[async_trait]
    impl Levels for InOne {
        async fn level(&self, folder: &Path, most: usize) -> object_store::Result<Level> {
            let listed = self.0.list_with_delimiter(Some(folder)).await?;
            let mut level = Level::of(&listed);
            level.is_whole = listed.objects.len() + listed.common_prefixes.len() <= most;
            level.folders = level.folders.into_iter().take(most).collect();
            Ok(level)
        }
    }

    async fn found(objects: &Arc<dyn ObjectStore>) -> Survey {
        let levels = InOne(Arc::clone(objects));
        let found = survey(objects, &levels, &Path::from("lake")).await;
        found.unwrap()
    }

    #[tokio::test]
    async fn folders_are_told_by_what_they_hold() {
        let keys = [
            "lake/a/visits/_delta_log/00000000000000000000.json",
            "lake/a/visits/part-0.parquet",
            "lake/a/visits/inner/_delta_log/00000000000000000000.json",
            "lake/geo/country=DE/visits/_delta_log/00000000000000000000.json",
            "lake/geo/country=DE/visits/1.parquet",
            "lake/ice/metadata/v1.metadata.json",
            "lake/ice/data/x.parquet",
            "lake/plain/day=1/x.parquet",
            "lake/plain/day=2/x.parquet",
            "lake/drops/2026.CSV",
            "lake/_hidden/x.csv",
            "lake2/x.csv",
        ];
        let objects = store(keys.map(str::to_owned)).await;
        let found = found(&objects).await;
        let told: Vec<(&str, Format)> = found
            .folders
            .iter()
            .map(|folder| (folder.path.as_ref(), folder.format))
            .collect();
        assert_eq!(
            told,
            [
                ("lake/a/visits", Format::Delta),
                ("lake/drops", Format::Csv),
                ("lake/geo/country=DE/visits", Format::Delta),
                ("lake/ice", Format::Iceberg),
                ("lake/plain", Format::Parquet),
            ]
        );
        assert!(found.left_out.is_empty());
    }

    #[tokio::test]
    async fn a_folder_that_may_not_be_listed_is_named_and_the_rest_is_found() {
        let keys = [
            "lake/a/_delta_log/00000000000000000000.json",
            "lake/secret/_delta_log/00000000000000000000.json",
            "lake/z/drops/1.csv",
        ];
        let probe = Probe::new(store(keys.map(str::to_owned)).await);
        probe.refuse("lake/secret");
        let objects: Arc<dyn ObjectStore> = probe.clone();
        let told = found(&objects).await;
        let paths: Vec<&str> = told.folders.iter().map(|one| one.path.as_ref()).collect();
        assert_eq!(paths, ["lake/a", "lake/z/drops"]);
        assert_eq!(told.left_out, [(Path::from("lake/secret"), REFUSED)]);
        // The prefix itself.
        probe.refuse("lake");
        let levels = InOne(Arc::clone(&objects));
        let error = survey(&objects, &levels, &Path::from("lake")).await;
        let error = error.unwrap_err();
        assert!(
            matches!(&error, LogError::Storage(error) if is_refused(error)),
            "{error}"
        );
    }

    #[tokio::test]
    async fn of_too_many_folders_some_are_named_and_the_rest_counted() {
        let many = (0..MAX_FOLDERS + 150).map(|number| format!("lake/{number:06}/x.csv"));
        let objects = store(many).await;
        let found = found(&objects).await;
        // The prefix is a folder, too.
        assert_eq!(found.folders.len(), MAX_FOLDERS - 1);
        assert_eq!((found.left_out.len(), found.left_out_more), (SHOWN, 51));
        let (first, why) = &found.left_out[0];
        assert_eq!(first.to_string(), format!("lake/{:06}", MAX_FOLDERS - 1));
        assert!(why.contains("more folders"), "{why}");
    }

    #[tokio::test]
    async fn of_a_folder_with_more_in_it_than_is_listed_the_first_are_seen_and_that_is_said() {
        // The first of its objects lie deeper, so that it is looked into level by level.
        let deep = (0..=WIDE).map(|number| format!("lake/a/{number}.csv"));
        let many = (0..LEVEL).map(|number| format!("lake/b{number:06}.csv"));
        let table = "lake/a-table/_delta_log/00000000000000000000.json".to_owned();
        let objects = store(deep.chain(many).chain([table])).await;
        let found = found(&objects).await;
        let formats: Vec<Format> = found.folders.iter().map(|folder| folder.format).collect();
        assert_eq!(formats, [Format::Csv, Format::Delta], "{found:?}");
        let said: Vec<(&str, bool)> = found
            .left_out
            .iter()
            .map(|(path, why)| (path.as_ref(), why.contains("than one assessment lists")))
            .collect();
        assert_eq!(said, [("lake", true), ("lake/a", false)]);
    }

    #[tokio::test]
    async fn a_folder_with_too_many_objects_is_named_and_the_rest_is_found() {
        let many = (0..=WIDE).map(|number| format!("lake/dump/{number}.csv"));
        let table = "lake/t/_delta_log/00000000000000000000.json".to_owned();
        let objects = store(many.chain([table])).await;
        let found = found(&objects).await;
        assert_eq!(found.folders.len(), 2, "{found:?}");
        assert_eq!(found.folders[1].format, Format::Delta);
        assert_eq!(found.left_out.len(), 1);
        assert_eq!(found.left_out[0].0.as_ref(), "lake/dump");
    }
}
