//! Making of the replica's own files what the source has made of its: a set's rows are changed as the feed says, in new files of the
//! replica. Names and bytes follow from the plan alone, so that a run that was broken off writes the same files again.

use std::collections::{BTreeMap, HashSet};
use std::path::Path as FilePath;
use std::sync::Arc;

use delta::{AddFile, FileKey, NewFile, RowChange, Shape, Sought, Table, Unfit};
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::choose::{Base, Ways, Work, rows_of};
use crate::files::{Copied, CopyItem};
use crate::plan::{Plan, PlanSummary};
use crate::stands::{Stand, same_tags, tagged};

/// Files up to so many bytes are put together with others, into files of up to so many.
const SMALL: u64 = 8 << 20;
const PACKED: u64 = 128 << 20;

/// Of a partition.
type Values = BTreeMap<String, Option<String>>;

/// What became of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Applied {
    /// Which of the set's files of the replica go.
    gone: Vec<usize>,
    own: Vec<Own>,
    /// Bytes read from the source to do it, where none was copied for it.
    #[serde(default)]
    pub(crate) read: u64,
}

impl Applied {
    /// Adds what was written, and what was read for it.
    pub(crate) fn count(&self, copied: &mut Copied) {
        copied.bytes_read = copied.bytes_read.saturating_add(self.read);
        copied.files += self.own.len() as u64;
        let sizes = self.own.iter().map(|own| own.size);
        copied.bytes = sizes.fold(copied.bytes, u64::saturating_add);
    }
}

/// A file of the replica's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Own {
    path: String,
    size: u64,
    stats: String,
}

/// What a run's process keeps of the work on its disk, so that it is not done again for the commit.
#[derive(Serialize, Deserialize)]
struct Kept {
    choice: String,
    applied: Vec<Applied>,
}

impl Own {
    /// As the replica's log is to have it. Of the time it was planned at, which a plan that is made again has, too.
    fn file(&self, values: &Values, summary: &PlanSummary) -> Option<AddFile> {
        let modified = summary.planned_at.millis();
        Some(AddFile {
            key: delta::contain(&self.path).ok()?,
            path: self.path.clone(),
            size: self.size,
            partition_values: values.clone(),
            modification_time: modified,
            data_change: true,
            stats: Some(self.stats.clone()),
            deletion_vector: None,
            deletion_vector_key: None,
            raw: json!({
                "path": self.path,
                "partitionValues": values,
                "size": self.size,
                "modificationTime": modified,
                "dataChange": true,
                "stats": self.stats,
            }),
        })
    }
}

/// Applies all that a plan has not copied.
///
/// # Errors
/// [`Unfit::Rows`] where copying has to do.
pub(crate) async fn apply(target: &Table, plan: &Plan, ways: Ways) -> Result<Vec<Applied>, Unfit> {
    let mut applied = Vec::with_capacity(plan.chosen.works.len());
    for work in &plan.chosen.works {
        applied.push(apply_one(target, plan, work, ways.pack).await?);
    }
    Ok(applied)
}

async fn apply_one(
    target: &Table,
    plan: &Plan,
    work: &Work,
    pack: usize,
) -> Result<Applied, Unfit> {
    let Some(shape) = &plan.shape else {
        return Err(Unfit::Rows("its schema cannot be read".to_owned()));
    };
    let mut change = RowChange::new(shape)?;
    for item in &work.feeds {
        change.feed(target, &fetched(item)?).await?;
    }
    for item in &work.without {
        change.without(target, &fetched(item)?).await?;
    }
    let sought = seek(target, &mut change, &work.bases).await?;
    let stay = sought.iter().map(|sought| sought.stay);
    let rows = stay.fold(0, u64::saturating_add);
    // Before a file is written for nothing.
    counted(rows.saturating_add(change.more()), work)?;
    let parts = parts(&work.bases, &sought, pack, |base| hides(base, work));
    let beside = work.ends.first().map(|end| end.path.as_str());
    let place = Place {
        target,
        summary: &plan.summary,
        id: &work.id,
        folder: beside
            .and_then(|path| path.rsplit_once('/'))
            .map(|(folder, _)| folder),
    };
    let written = rewrite(&place, &mut change, &work.bases, &sought, parts).await?;
    check(plan, work, &written.0, written.1, shape)?;
    Ok(written.0)
}

/// Looks for the rows that go.
pub(crate) async fn seek(
    target: &Table,
    change: &mut RowChange,
    bases: &[Base],
) -> Result<Vec<Sought>, Unfit> {
    let mut sought = Vec::with_capacity(bases.len());
    for base in bases {
        sought.push(change.seek(target, &base.file).await?);
    }
    if change.fewer() > 0 {
        return Err(Unfit::Rows(format!(
            "{} rows that the source changed are not in the files of the replica",
            change.fewer()
        )));
    }
    Ok(sought)
}

/// Where a set's files are written, and what their names are made of.
pub(crate) struct Place<'a> {
    pub(crate) target: &'a Table,
    pub(crate) summary: &'a PlanSummary,
    /// Of the set.
    pub(crate) id: &'a str,
    /// Below the table's.
    pub(crate) folder: Option<&'a str>,
}

/// Writes parts of a set's files anew, and what comes. Answers also how many rows the set has then.
pub(crate) async fn rewrite(
    place: &Place<'_>,
    change: &mut RowChange,
    bases: &[Base],
    sought: &[Sought],
    parts: Vec<Vec<usize>>,
) -> Result<(Applied, u64), Unfit> {
    let mut applied = Applied::default();
    let stay = sought.iter().map(|sought| sought.stay);
    let mut rows = stay.fold(0, u64::saturating_add);
    for part in parts {
        let from: Vec<(&AddFile, &Sought)> = part
            .iter()
            .filter_map(|at| Some((bases.get(*at)?.file.as_ref(), sought.get(*at)?)))
            .collect();
        let Some((first, _)) = from.first() else {
            continue;
        };
        let name = place.name_of(&first.file_key());
        let stay = from.iter().map(|(_, sought)| sought.stay);
        let stay = stay.fold(0, u64::saturating_add);
        applied.gone.extend(&part);
        // What is inserted goes behind the rows of the first file that is written anyway.
        let with_more = applied.own.is_empty() && change.more() > 0;
        if stay == 0 && !with_more {
            continue;
        }
        let made = place.write(change, &from, with_more, &name).await?;
        // Of a file that did not have to be read there was only the writer's word until now.
        rows = rows.saturating_sub(stay).saturating_add(made.1.rows);
        applied.own.push(made.0);
    }
    if change.more() > 0 {
        let none = FileKey {
            path: String::new(),
            dv: None,
        };
        let name = place.name_of(&none);
        let made = place.write(change, &[], true, &name).await?;
        rows = rows.saturating_add(made.1.rows);
        applied.own.push(made.0);
    }
    Ok((applied, rows))
}

/// Which files are written anew, each part of them as one: those in which a row goes, or something else `asks` for it; and small
/// ones, where they are many, so that the replica stays quick to read though the source's compactions are not copied.
pub(crate) fn parts(
    bases: &[Base],
    sought: &[Sought],
    pack: usize,
    asks: impl Fn(&Base) -> bool,
) -> Vec<Vec<usize>> {
    let all = || bases.iter().zip(sought).enumerate();
    let hit: HashSet<usize> = all()
        .filter(|(_, (base, sought))| !sought.gone.is_empty() || asks(base))
        .map(|(at, _)| at)
        .collect();
    let small = all().filter(|(_, (base, _))| base.file.size <= SMALL);
    let small: Vec<(usize, u64)> = small.map(|(at, (base, _))| (at, base.file.size)).collect();
    let mut parts: Vec<Vec<usize>> = Vec::new();
    if small.len() >= pack {
        let mut bytes = 0;
        for (at, size) in small {
            match parts.last_mut() {
                Some(part) if bytes + size <= PACKED => part.push(at),
                _ => {
                    parts.push(vec![at]);
                    bytes = 0;
                }
            }
            bytes += size;
        }
        parts.retain(|part| part.len() > 1);
    }
    let packed: HashSet<usize> = parts.iter().flatten().copied().collect();
    let mut alone: Vec<usize> = hit.difference(&packed).copied().collect();
    alone.sort_unstable();
    parts.extend(alone.into_iter().map(|at| vec![at]));
    parts
}

/// Whether a file has rows that are deleted and still in it, and that the source has got rid of: so must the replica. Or it must
/// though the source has not.
fn hides(base: &Base, work: &Work) -> bool {
    let is_there = |end: &Arc<AddFile>| end.key == base.file.key;
    base.file.deletion_vector.is_some() && (work.purges || !work.ends.iter().any(is_there))
}

impl Place<'_> {
    async fn write(
        &self,
        change: &mut RowChange,
        from: &[(&AddFile, &Sought)],
        with_more: bool,
        name: &str,
    ) -> Result<(Own, NewFile), Unfit> {
        let path = match self.folder {
            Some(folder) => format!("{folder}/{name}"),
            None => name.to_owned(),
        };
        let key = delta::contain(&path).map_err(|why| Unfit::Rows(why.to_string()))?;
        let made = change.write(self.target, from, with_more, &key).await?;
        let own = Own {
            path,
            size: made.size,
            stats: made.stats.clone(),
        };
        Ok((own, made))
    }

    /// The same for the same plan by the same program, and for no other.
    fn name_of(&self, of: &FileKey) -> String {
        let mut hash = Sha256::new();
        let ordinal = self.summary.ordinal.to_string();
        let run = self.summary.run.to_string();
        let dv = of.dv.as_deref().unwrap_or_default();
        for part in [
            env!("CARGO_PKG_VERSION"),
            &run,
            &ordinal,
            self.id,
            &of.path,
            dv,
        ] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        format!(
            "part-00000-{}-c000.snappy.parquet",
            hex::encode(&hash.finalize()[..16])
        )
    }
}

fn counted(rows: u64, work: &Work) -> Result<(), Unfit> {
    if rows == work.rows {
        return Ok(());
    }
    Err(Unfit::Rows(format!(
        "after the changes there would be {rows} rows, and the source has {}",
        work.rows
    )))
}

/// The rows and their bounds have to be those that the source says its files have.
fn check(
    plan: &Plan,
    work: &Work,
    applied: &Applied,
    rows: u64,
    shape: &Shape,
) -> Result<(), Unfit> {
    counted(rows, work)?;
    if rows == 0 || applied.gone.len() == work.bases.len() && applied.own.is_empty() {
        return Err(Unfit::Rows("no row would be left".to_owned()));
    }
    let ours: Vec<Arc<AddFile>> = members_of(work, applied, &plan.summary)
        .into_iter()
        .map(|(file, _)| file)
        .collect();
    // What the files say is what is verified after the commit.
    if let Some(told) = rows_of(ours.iter()) {
        counted(told, work)?;
    }
    match differing(shape, &ours, &work.ends) {
        Some(column) => Err(Unfit::Rows(format!(
            "after the changes the column {} would reach from elsewhere to elsewhere",
            delta::shown(column)
        ))),
        None => Ok(()),
    }
}

/// Lowest and highest value of a column over all files, where each file says them and none is only near them.
fn bounds<'a>(files: impl Iterator<Item = &'a AddFile>, column: &str) -> Option<(i64, i64)> {
    let mut all: Option<(i64, i64)> = None;
    for file in files {
        if file.deletion_vector.is_some() {
            return None;
        }
        let stats: Value = serde_json::from_str(file.stats.as_deref()?).ok()?;
        if stats.get("tightBounds") == Some(&Value::Bool(false)) {
            return None;
        }
        let of = |name: &str| stats.get(name)?.get(column)?.as_i64();
        let (low, high) = (of("minValues")?, of("maxValues")?);
        let known = all.get_or_insert((low, high));
        *known = (known.0.min(low), known.1.max(high));
    }
    all
}

/// The first column whose bounds are not those of the source.
pub(crate) fn differing<'a>(
    shape: &'a Shape,
    ours: &[Arc<AddFile>],
    theirs: &[Arc<AddFile>],
) -> Option<&'a str> {
    shape.whole_numbers().find(|column| {
        let of = |files: &[Arc<AddFile>]| bounds(files.iter().map(AsRef::as_ref), column);
        matches!((of(ours), of(theirs)), (Some(ours), Some(theirs)) if ours != theirs)
    })
}

/// A file that was fetched, as a file to be read.
fn fetched(item: &CopyItem) -> Result<AddFile, Unfit> {
    bare(&item.dst, item.size).map_err(|error| Unfit::Rows(error.to_string()))
}

/// A file of which no more is known than where it lies.
pub(crate) fn bare(path: &str, size: u64) -> Result<AddFile, object_store::path::Error> {
    Ok(AddFile {
        path: path.to_owned(),
        key: Path::parse(path)?,
        size,
        partition_values: Default::default(),
        modification_time: 0,
        data_change: false,
        stats: None,
        deletion_vector: None,
        deletion_vector_key: None,
        raw: Value::Null,
    })
}

/// The files that have the set's rows, each with the file of the replica that it was before, where it is one.
pub(crate) fn members(
    bases: &[Base],
    values: &Values,
    applied: &Applied,
    summary: &PlanSummary,
) -> Vec<(Arc<AddFile>, Option<Arc<AddFile>>)> {
    let gone: HashSet<usize> = applied.gone.iter().copied().collect();
    let stay = bases.iter().enumerate();
    let stay = stay.filter(|(at, _)| !gone.contains(at));
    let stay = stay.map(|(_, base)| {
        let before = (!base.is_new).then(|| Arc::clone(&base.file));
        (Arc::clone(&base.file), before)
    });
    let own = applied.own.iter();
    let own = own.filter_map(|own| own.file(values, summary));
    let all = stay.chain(own.map(|file| (Arc::new(file), None)));
    let mut all: Vec<_> = all.collect();
    all.sort_by_cached_key(|(file, _)| file.file_key());
    all
}

/// The files that go for what was applied.
pub(crate) fn gone(bases: &[Base], applied: &Applied) -> Vec<Arc<AddFile>> {
    let gone = applied.gone.iter().filter_map(|at| bases.get(*at));
    let gone = gone.filter(|base| !base.is_new);
    gone.map(|base| Arc::clone(&base.file)).collect()
}

fn members_of(
    work: &Work,
    applied: &Applied,
    summary: &PlanSummary,
) -> Vec<(Arc<AddFile>, Option<Arc<AddFile>>)> {
    let Some(first) = work.ends.first() else {
        return Vec::new();
    };
    members(&work.bases, &first.partition_values, applied, summary)
}

/// Puts what was applied into the commit.
pub(crate) fn settle(plan: &mut Plan, applied: &[Applied]) {
    for (work, applied) in plan.chosen.works.iter().zip(applied) {
        plan.draft.removes.extend(gone(&work.bases, applied));
        let files = members_of(work, applied, &plan.summary);
        let stands: Vec<Stand> = work.ends.iter().map(|end| Stand::of(end)).collect();
        for (at, (file, before)) in files.into_iter().enumerate() {
            let told = (at == 0).then_some(stands.as_slice());
            let file = Arc::new(tagged(&file, &work.id, told));
            match before {
                None => plan.draft.own.push(file),
                Some(before) if !same_tags(&before, &file) => plan.draft.retold.push(file),
                Some(_) => {}
            }
        }
    }
    plan.is_settled = true;
}

/// Keeps what was applied, for this process and for the next one on this machine.
pub(crate) async fn keep(
    path: &FilePath,
    choice: &str,
    applied: &[Applied],
) -> std::io::Result<()> {
    let kept = Kept {
        choice: choice.to_owned(),
        applied: applied.to_vec(),
    };
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let beside = path.with_extension("part");
    tokio::fs::write(&beside, serde_json::to_vec(&kept)?).await?;
    tokio::fs::rename(&beside, path).await
}

/// What was kept of the same plan; of a narrowed replica's it may be the first few alone.
pub(crate) async fn kept(path: &FilePath, choice: &str) -> Option<Vec<Applied>> {
    let bytes = tokio::fs::read(path).await.ok()?;
    let kept: Kept = serde_json::from_slice(&bytes).ok()?;
    (kept.choice == choice).then_some(kept.applied)
}
