//! What the next run would move, told before it does: the plan that [`crate::drive`] would make, summed up, beside what other ways of
//! doing the same would take. Logs are read at both ends and objects looked at; nothing is written, not even the folder's marker, and
//! no data file is read.

use model::{SyncRunId, Timestamp};

use crate::copy::reads_of;
use crate::files::CopyItem;
use crate::plan::{Ask, Pair, Plan, PlanError, PlanSummary, Planned, plan_for};

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
    /// What the run does: each object that the replica does not hold.
    pub files: Moves,
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

fn told(plan: Plan) -> Foresight {
    let (mut files, mut vectors) = (Moves::default(), Moves::default());
    for item in plan
        .copies
        .iter()
        .filter(|item| !plan.reused.contains(&item.dst))
    {
        files.add(item.size);
        if is_vector(item) {
            vectors.add(item.size);
        }
    }
    Foresight {
        full: plan.full,
        files,
        vectors,
        are_vectors_enough: files.objects == vectors.objects,
        summary: plan.summary,
    }
}

/// The log says of data files when they were written, and of vectors not.
fn is_vector(item: &CopyItem) -> bool {
    item.modified.is_none()
}
