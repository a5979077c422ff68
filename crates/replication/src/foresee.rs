//! What the next run would move, told before it does: the plan that [`crate::drive`] would make, summed up, beside what other ways of
//! doing the same would take. Logs are read at both ends and objects looked at; nothing is written, not even the folder's marker, and
//! no data file is read, but the footers of those of which a narrowed replica is made.

use std::collections::{HashMap, HashSet};

use model::{SyncRunId, Timestamp};

use crate::adopt::{Adopted, Wanted, is_sure};
use crate::choose::{Choice, Way, is_staged};
use crate::copy::reads_of;
use crate::files::CopyItem;
use crate::plan::{Ask, Pair, Plan, PlanError, PlanSummary, Planned, WaysMoved, plan_for};

/// What one way would move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moves {
    pub objects: u64,
    pub bytes: u64,
    /// How often the source is asked for their bytes, if nothing has to be repeated. What is asked of its log comes on top.
    pub requests: u64,
}

impl Moves {
    pub(crate) fn of(sizes: impl Iterator<Item = u64>) -> Self {
        let mut moves = Self::default();
        sizes.for_each(|size| moves.add(size));
        moves
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            objects: self.objects.saturating_add(other.objects),
            bytes: self.bytes.saturating_add(other.bytes),
            requests: self.requests.saturating_add(other.requests),
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            objects: self.objects.saturating_sub(other.objects),
            bytes: self.bytes.saturating_sub(other.bytes),
            requests: self.requests.saturating_sub(other.requests),
        }
    }

    fn add(&mut self, size: u64) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(size);
        self.requests = self.requests.saturating_add(reads_of(size));
    }
}

/// The plan of a run that has something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foresight {
    pub summary: PlanSummary,
    /// Every file of the table anew, without looking at what the replica holds; deletion vectors not counted.
    pub full: Moves,
    /// Each object that the replica does not hold, and nothing else. Of a narrowed replica: the files of the source that it lacks, whole,
    /// beside the column chunks that the run fetches of them.
    pub files: Moves,
    /// With the change feed in place of rewritten files wherever it can be, though it were more. `None`: nowhere.
    pub feed: Option<Moves>,
    /// With compactions left alone wherever they can be. `None`: nowhere.
    pub skip: Option<Moves>,
    /// What the run does: of each set of rewritten files what is least.
    pub run: Moves,
    /// Sets whose rows are changed by the feed, and sets that are left alone.
    pub sets_fed: u64,
    pub sets_skipped: u64,
    /// Why other rewritten files are copied: the first reason.
    pub why: Option<String>,
    /// The deletion vectors among these, copied without their data files.
    pub vectors: Moves,
    /// Whether no data file has to cross, so that the vectors are all there is.
    pub are_vectors_enough: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Foreseen {
    /// The replica stands at the source's version.
    Nothing {
        source_version: u64,
        target_version: u64,
    },
    Work(Box<Foresight>),
}

/// Plans as the next run would and writes nothing. `expected` is the replica's version as last recorded.
///
/// # Errors
/// What would keep the run itself from being planned.
pub async fn foresee(
    pair: &Pair,
    expected: Option<u64>,
    at: Timestamp,
) -> Result<Foreseen, PlanError> {
    let ask = Ask {
        run: SyncRunId::new(at),
        ordinal: 1,
        pin: None,
        expected,
        claimed: false,
        files_only: false,
        // What else could be done is told, too, and that is a matter of states.
        whole: true,
        newest: false,
        unfed: false,
    };
    Ok(match plan_for(pair, ask, at).await? {
        Planned::Nothing {
            source_version,
            target_version,
        } => Foreseen::Nothing {
            source_version,
            target_version,
        },
        Planned::Work(plan) => Foreseen::Work(Box::new(told(*plan))),
    })
}

/// What a plan's run moves, and what the ways that were thought of would.
pub(crate) struct Weighed {
    run: Moves,
    /// The deletion vectors of it.
    vectors: Moves,
    files: Moves,
    feed: Option<Moves>,
    skip: Option<Moves>,
}

impl Weighed {
    /// Of what is to be copied, save what the replica still holds and what an adopted folder has for sure.
    pub(crate) fn of(
        copies: &[CopyItem],
        reused: &HashSet<String>,
        (wanted, adopted): (&HashMap<String, Wanted>, Option<&Adopted>),
        choices: &[Choice],
    ) -> Self {
        let (mut run, mut vectors) = (Moves::default(), Moves::default());
        let crosses = |dst: &str| !reused.contains(dst) && !is_sure(wanted, dst);
        for item in copies.iter().filter(|item| crosses(&item.dst)) {
            run.add(item.size);
            if is_vector(item) {
                vectors.add(item.size);
            }
        }
        // What compares the ends of files is fetched, too.
        if let Some(adopted) = adopted {
            run.bytes = run.bytes.saturating_add(adopted.compared_bytes);
            run.requests += wanted.values().filter(|w| w.is_compared()).count() as u64;
        }
        let sum = |way: Option<Way>, of: fn(&Choice) -> Moves| sum_of(choices, way, of);
        // What no choice is about crosses whichever is taken.
        let rest = run.minus(sum(None, now));
        let files = rest.plus(sum(None, |choice| choice.copy));
        let by = |way: Way| {
            let others = files.minus(sum(Some(way), |choice| choice.copy));
            let is_any = choices.iter().any(|choice| choice.way == way);
            is_any.then(|| others.plus(sum(Some(way), |choice| choice.other)))
        };
        Self {
            run,
            vectors,
            files,
            feed: by(Way::Feed),
            skip: by(Way::Skip),
        }
    }

    /// The bytes, for the record.
    pub(crate) fn told(&self) -> WaysMoved {
        WaysMoved {
            files: self.files.bytes,
            feed: self.feed.map(|moves| moves.bytes),
            skip: self.skip.map(|moves| moves.bytes),
        }
    }
}

fn told(plan: Plan) -> Foresight {
    if let Some(work) = &plan.narrow {
        return Foresight {
            full: plan.full,
            files: work.whole,
            feed: None,
            skip: None,
            run: work.run,
            sets_fed: plan.summary.sets_fed,
            sets_skipped: plan.summary.sets_by_rows - plan.summary.sets_fed,
            why: plan.summary.why.clone(),
            vectors: Moves::default(),
            are_vectors_enough: false,
            summary: plan.summary,
        };
    }
    let adopting = (&plan.wanted, plan.summary.adopted.as_ref());
    let choices = &plan.chosen.options;
    let Weighed {
        run,
        vectors,
        files,
        feed,
        skip,
    } = Weighed::of(&plan.copies, &plan.reused, adopting, choices);
    let sets = |way: Way| {
        let chosen = choices.iter().filter(|c| c.is_chosen && c.way == way);
        chosen.count() as u64
    };
    Foresight {
        full: plan.full,
        files,
        feed,
        skip,
        run,
        sets_fed: sets(Way::Feed),
        sets_skipped: sets(Way::Skip),
        why: plan.chosen.why.clone(),
        vectors,
        are_vectors_enough: run.objects == vectors.objects,
        summary: plan.summary,
    }
}

/// What is done for a set.
fn now(choice: &Choice) -> Moves {
    match choice.is_chosen {
        true => choice.other,
        false => choice.copy,
    }
}

fn sum_of(choices: &[Choice], way: Option<Way>, of: fn(&Choice) -> Moves) -> Moves {
    let some = choices
        .iter()
        .filter(|choice| way.is_none_or(|way| choice.way == way));
    some.fold(Moves::default(), |sum, choice| sum.plus(of(choice)))
}

/// The log says of data files when they were written, and of vectors not.
fn is_vector(item: &CopyItem) -> bool {
    item.modified.is_none() && !is_staged(item)
}
