//! Changing the rows of a narrowed replica's own files as the source's change feed says. What the feed says is narrowed in memory, and
//! what is made of it is called by the plan alone: a run that was broken off writes the same files again.

use delta::{Table, Unfit, Unnarrowed};

use super::Narrow;
use super::sets::Set;
use super::work::Work;
use crate::apply::{Applied, Place, differing, members, parts, rewrite, seek};
use crate::choose::rows_of;
use crate::plan::{Pair, PlanSummary};

/// Applies one of the sets that a plan does not narrow anew.
///
/// # Errors
/// [`Unnarrowed::Damaged`] and [`Unnarrowed::Missing`] where narrowing the files has to do.
pub(crate) async fn apply(
    pair: &Pair,
    narrow: &Narrow,
    (work, set): (&Work, &Set),
    summary: &PlanSummary,
) -> Result<Applied, Unnarrowed> {
    let made = &work.made;
    let mut change = made.change()?;
    let (mut more, mut read) = (0_i64, 0);
    for taken in &set.taken {
        let opened = match &taken.opened {
            Some(opened) => opened.clone(),
            None => made.open_for(taken.turn, &pair.source, &taken.file).await?,
        };
        read += opened.bytes + opened.footer_bytes;
        let from: (&Table, _, _) = (&pair.source, &taken.file, &opened);
        let came = made.take(&narrow.secret, taken.turn, from, &mut change);
        more = more.saturating_add(came.await?);
    }
    if let Some(said) = set.more.filter(|said| *said != more) {
        return Err(Unnarrowed::Damaged(format!(
            "by the change feed the source has {more} rows more, and by its log {said}"
        )));
    }
    let target = &pair.target;
    let sought = seek(target, &mut change, &set.bases).await;
    let sought = sought.map_err(unfit)?;
    let stay = sought.iter().map(|sought| sought.stay);
    let rows = stay.fold(change.more(), u64::saturating_add);
    counted(rows, set)?;
    let parts = parts(&set.bases, &sought, pair.ways.pack, |_| false);
    let place = Place {
        target,
        summary,
        id: &set.id,
        folder: None,
    };
    let written = rewrite(&place, &mut change, &set.bases, &sought, parts).await;
    let (mut applied, rows) = written.map_err(unfit)?;
    counted(rows, set)?;
    check(work, set, &applied, summary)?;
    applied.read = read;
    Ok(applied)
}

fn unfit(error: Unfit) -> Unnarrowed {
    match error {
        Unfit::Rows(why) => Unnarrowed::Damaged(why),
        Unfit::Log(error) => Unnarrowed::Target(error),
    }
}

fn counted(rows: u64, set: &Set) -> Result<(), Unnarrowed> {
    match set.rows {
        Some(wanted) if wanted != rows => Err(Unnarrowed::Damaged(format!(
            "after the changes there would be {rows} rows, and the source has {wanted}"
        ))),
        _ => Ok(()),
    }
}

/// The rows have to be as many as the files say, and where all are taken, their bounds those that the source says its files have.
fn check(
    work: &Work,
    set: &Set,
    applied: &Applied,
    summary: &PlanSummary,
) -> Result<(), Unnarrowed> {
    let (Some(wanted), Some((_, first))) = (set.rows, set.ends.first()) else {
        return Ok(());
    };
    let ours = members(&set.bases, &first.partition_values, applied, summary);
    let ours: Vec<_> = ours.into_iter().map(|(file, _)| file).collect();
    counted(rows_of(ours.iter()).unwrap_or(wanted), set)?;
    let theirs: Vec<_> = set.ends.iter().map(|(_, end)| end.clone()).collect();
    let shape = work.made.metadata.shape().map_err(Unnarrowed::Source)?;
    match differing(&shape, &ours, &theirs) {
        Some(column) => Err(Unnarrowed::Damaged(format!(
            "after the changes the column {} would reach from elsewhere to elsewhere",
            delta::shown(column)
        ))),
        None => Ok(()),
    }
}
