//! Writing the files of a narrowed replica. What is written is called by what it is of, so that a run that was broken off finds it again:
//! in its own lines on this machine, or by a look at the replica's folder on another.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path as FilePath;
use std::sync::Arc;

use delta::{AddFile, Narrowed, NewFile, Opened, Unnarrowed};
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;

use super::Narrow;
use super::sets::Set;
use super::view::{Note, Told, member, noted, notes, says_same};
use crate::apply::{Applied, gone, members};
use crate::files::Copied;
use crate::foresee::Moves;
use crate::plan::{Pair, Plan};

/// A file of the source that the replica lacks.
pub(crate) struct File {
    /// What it is called.
    pub(crate) of: String,
    /// Where what is left of it goes.
    pub(crate) path: String,
    pub(crate) source: Arc<AddFile>,
    /// Which file it is in the order of the source's log, counted from 1.
    pub(crate) nth: usize,
    /// What stands there is not to be trusted.
    pub(crate) fresh: bool,
    /// As the replica has it, where that is not to be trusted.
    pub(crate) held: Option<Arc<AddFile>>,
    /// What was read of it already.
    pub(crate) opened: Option<Opened>,
}

/// What a plan has to be done for a narrowed replica.
pub(crate) struct Work {
    pub(crate) made: Narrowed,
    pub(crate) files: Vec<File>,
    /// What is brought up to date without the files.
    pub(crate) sets: Vec<Set>,
    /// Files of the replica that stay as they are.
    pub(crate) stays: Vec<Arc<AddFile>>,
    /// Of these it is known that no row is left, and noted.
    pub(crate) none: BTreeSet<String>,
    pub(crate) notes: BTreeMap<String, Note>,
    /// What it moves, and what the same files would whole.
    pub(crate) run: Moves,
    pub(crate) whole: Moves,
}

/// What became of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) of: String,
    /// None: no row is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made: Option<Made>,
    /// Bytes read for it from the source.
    pub(crate) read: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Made {
    size: u64,
    rows: u64,
    stats: String,
}

impl Made {
    fn of(file: NewFile) -> Self {
        Self {
            size: file.size,
            rows: file.rows,
            stats: file.stats,
        }
    }
}

/// Writes what is left of a file, or finds it written.
pub(crate) async fn write(
    pair: &Pair,
    narrow: &Narrow,
    made: &Narrowed,
    file: &File,
) -> Result<Done, Unnarrowed> {
    let key = Path::from(file.path.as_str());
    let done = |made, read| Done {
        of: file.of.clone(),
        made,
        read,
    };
    if !file.fresh
        && let Some(there) = Narrowed::written(&pair.target, &key, &file.of).await?
    {
        // Its footer was read to plan, if it was not known then that it is there.
        let read = file.opened.as_ref().map_or(0, |opened| opened.footer_bytes);
        return Ok(done(Some(Made::of(there)), read));
    }
    let opened = match &file.opened {
        Some(opened) => opened.clone(),
        None => made.open(&pair.source, &file.source).await?,
    };
    let written = made
        .write(
            &narrow.secret,
            (&pair.source, file.source.as_ref(), &opened),
            (&pair.target, &key),
            &file.of,
        )
        .await?;
    Ok(done(
        written.map(Made::of),
        opened.bytes + opened.footer_bytes,
    ))
}

/// What earlier attempts of the run have done on this machine.
pub(crate) async fn done_before(path: &FilePath) -> HashMap<String, Done> {
    let text = tokio::fs::read_to_string(path).await.unwrap_or_default();
    // A line torn by a crash proves nothing.
    let lines = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    lines.map(|done: Done| (done.of.clone(), done)).collect()
}

/// The lines of a run that begins or goes on.
pub(crate) async fn lines(path: &FilePath) -> std::io::Result<tokio::fs::File> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let mut options = tokio::fs::File::options();
    options.create(true).append(true).open(path).await
}

pub(crate) async fn note(lines: &mut tokio::fs::File, done: &Done) -> std::io::Result<()> {
    // A line before it may be torn.
    let mut line = vec![b'\n'];
    line.extend(serde_json::to_vec(done)?);
    line.push(b'\n');
    lines.write_all(&line).await?;
    lines.flush().await
}

pub(crate) fn count(copied: &mut Copied, done: &Done) {
    copied.bytes_read = copied.bytes_read.saturating_add(done.read);
    if let Some(made) = &done.made {
        copied.files += 1;
        copied.bytes = copied.bytes.saturating_add(made.size);
    }
}

/// Bytes and rows of the replica as it will stand.
fn amount(
    work: &Work,
    all: &HashMap<String, Done>,
    together: &[Arc<AddFile>],
) -> (u64, Option<u64>) {
    let (mut bytes, mut rows) = (0_u64, Some(0_u64));
    for file in work.stays.iter().chain(together) {
        bytes = bytes.saturating_add(file.size);
        rows = rows.and_then(|rows| rows.checked_add(file.num_records()?));
    }
    let done = work.files.iter().filter_map(|file| all.get(&file.of));
    for made in done.filter_map(|done| done.made.as_ref()) {
        bytes = bytes.saturating_add(made.size);
        rows = rows.and_then(|rows| rows.checked_add(made.rows));
    }
    (bytes, rows)
}

/// Puts what was written into the commit. Of what no row is left is noted at files of their own, which are written here.
pub(crate) async fn settle(
    pair: &Pair,
    narrow: &Narrow,
    plan: &mut Plan,
    all: &HashMap<String, Done>,
    applied: &[Applied],
) -> Result<(), Unnarrowed> {
    let Some(work) = &plan.narrow else {
        return Ok(());
    };
    let modified = plan.summary.planned_at.millis();
    let mut none = work.none.clone();
    let mut own = Vec::with_capacity(work.files.len());
    let (mut removes, mut retold) = (Vec::new(), Vec::new());
    let lost = || Unnarrowed::Damaged("it was not written".to_owned());
    for file in &work.files {
        let done = all.get(&file.of).ok_or_else(lost)?;
        let Some(made) = &done.made else {
            none.insert(file.of.clone());
            // What is mended may have had rows before.
            removes.extend(file.held.clone());
            continue;
        };
        let told = Told {
            path: &file.path,
            size: made.size,
            partition_values: file.source.partition_values.clone(),
            modified,
            stats: &made.stats,
        };
        own.push(Arc::new(told.of(&file.of).ok_or_else(lost)?));
    }
    let mut together = Vec::new();
    for (set, applied) in work.sets.iter().zip(applied) {
        removes.extend(gone(&set.bases, applied));
        let values = set.ends.first().map(|(_, end)| &end.partition_values);
        let values = values.ok_or_else(lost)?;
        let files = members(&set.bases, values, applied, &plan.summary);
        let of: Vec<&str> = set.ends.iter().map(|(of, _)| of.as_str()).collect();
        if files.is_empty() {
            none.extend(of.into_iter().map(str::to_owned));
            continue;
        }
        let of = of.join(" ");
        for (at, (file, before)) in files.into_iter().enumerate() {
            let told = (at == 0).then_some(of.as_str());
            let file = Arc::new(member(&file, &set.id, told));
            together.push(Arc::clone(&file));
            match before {
                None => own.push(file),
                Some(before) if !says_same(&before, &file) => retold.push(file),
                Some(_) => {}
            }
        }
    }
    let notes = notes(&none);
    let mut paths = HashSet::new();
    for (place, told) in &notes {
        let of = narrow.secret.name("none", &[place.as_str()]);
        let path = format!("none-{of}.snappy.parquet");
        match work.notes.get(&path) {
            Some(note) if note.says(told) => {}
            Some(note) => retold.push(Arc::new(noted(&note.file, told))),
            None => {
                let key = Path::from(path.as_str());
                let size = work.made.write_empty(&pair.target, &key, &of).await?;
                own.push(Arc::new(
                    nowhere(work, &path, size, modified, told).ok_or_else(lost)?,
                ));
            }
        }
        paths.insert(path);
    }
    let old = work.notes.iter().filter(|(path, _)| !paths.contains(*path));
    removes.extend(old.map(|(_, note)| Arc::clone(&note.file)));
    (plan.summary.bytes_full, plan.summary.rows_full) = amount(work, all, &together);
    let draft = &mut plan.draft;
    draft.removes.extend(removes);
    draft.own.extend(own);
    draft.retold.extend(retold);
    plan.is_settled = true;
    Ok(())
}

/// An empty file, in no partition.
fn nowhere(work: &Work, path: &str, size: u64, modified: i64, none: &str) -> Option<AddFile> {
    let told = Told {
        path,
        size,
        partition_values: work.made.no_partition(),
        modified,
        stats: r#"{"numRecords":0}"#,
    };
    told.note(none)
}
