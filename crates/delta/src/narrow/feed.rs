//! Taking up what the source says that became of its rows: files of its change feed, and files whose rows come or go as a whole. They
//! are narrowed in memory like any other, so that what is left out is nowhere else, and change the rows that the replica has.

use arrow::array::{Array, AsArray, BooleanArray};

use super::Narrowed;
use super::file::alive;
use super::open::{Opened, UNREADABLE, Unnarrowed, damaged, unbroken, unread};
use super::pseudonym::Secret;
use crate::actions::AddFile;
use crate::checkpoint::rows_of_groups;
use crate::rewrite::{KIND, RowChange, Unfit, change_of, kinds_of};
use crate::{LogError, Table};

/// What the rows of a file do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// What the column `_change_type` says of each: the file is one of the change feed.
    Change,
    Come,
    Go,
}

/// That rows cannot be applied is no fault of the storage's, unless it is.
fn unfit(error: Unfit) -> Unnarrowed {
    match error {
        Unfit::Log(error @ LogError::Storage(_)) => Unnarrowed::Source(error),
        error => Unnarrowed::Damaged(error.to_string()),
    }
}

impl Narrowed {
    /// What is to become of rows of such a replica; nothing yet.
    ///
    /// # Errors
    /// [`Unnarrowed::Damaged`] for a replica whose rows cannot be told from one another.
    pub fn change(&self) -> Result<RowChange, Unnarrowed> {
        let shape = self.metadata.shape().map_err(Unnarrowed::Source)?;
        let change = RowChange::new(&shape).map_err(unfit)?;
        Ok(change.telling(self.told.clone()))
    }

    /// Reads the footer of a file whose rows are to be taken up, and reckons what the rest takes.
    ///
    /// # Errors
    /// [`Unnarrowed`].
    pub async fn open_for(
        &self,
        turn: Turn,
        source: &Table,
        file: &AddFile,
    ) -> Result<Opened, Unnarrowed> {
        let more = (turn == Turn::Change).then_some(KIND);
        unbroken(self.open_it(source, file, more)).await
    }

    /// Takes up the rows of a file. Answers by how many the source has more for it, also of those that are not chosen.
    ///
    /// # Errors
    /// [`Unnarrowed`].
    pub async fn take(
        &self,
        secret: &Secret,
        turn: Turn,
        (source, file, opened): (&Table, &AddFile, &Opened),
        change: &mut RowChange,
    ) -> Result<i64, Unnarrowed> {
        unbroken(self.take_it(secret, turn, (source, file, opened), change)).await
    }

    async fn take_it(
        &self,
        secret: &Secret,
        turn: Turn,
        (source, file, opened): (&Table, &AddFile, &Opened),
        change: &mut RowChange,
    ) -> Result<i64, Unnarrowed> {
        let told = rows_of_groups(&opened.footer);
        change.expect(told).map_err(unfit)?;
        let mut batches = opened.batches(source, file).await?;
        let mut more = 0_i64;
        loop {
            let next = batches.next(source, file).await;
            let Some((first, batch)) = next.map_err(|error| unread(error, UNREADABLE))? else {
                break;
            };
            let rows = 0..batch.num_rows();
            let changes: Vec<i64> = match turn {
                Turn::Come => rows.map(|_| 1).collect(),
                Turn::Go => rows.map(|_| -1).collect(),
                Turn::Change => {
                    // What it says instead may be anything.
                    let untold =
                        |_| damaged("the change feed does not say what became of its rows");
                    let kinds = kinds_of(&batch).map_err(untold)?;
                    let kinds = kinds.as_string::<i32>();
                    let all: Result<_, Unfit> = rows.map(|at| change_of(kinds, at)).collect();
                    all.map_err(untold)?
                }
            };
            let of = |rows: &BooleanArray| -> Vec<i64> {
                let changes = changes.iter().enumerate();
                let some = changes.filter(|(at, _)| rows.is_valid(*at) && rows.value(*at));
                some.map(|(_, change)| *change).collect()
            };
            let lives = alive(&batches, first, &batch);
            more = more.saturating_add(of(&lives).iter().sum());
            let stays = self.chosen(&batch, lives)?;
            let left = of(&stays);
            let rows = self.made(secret, &batch, &stays)?;
            let change_at = |at: usize| Ok(left.get(at).copied().unwrap_or_default());
            change.include(&rows, change_at).map_err(unfit)?;
            tokio::task::yield_now().await;
        }
        Ok(more)
    }
}
