//! Whether a plan's commit can be read back, and is recognised, once it is written.

use model::Timestamp;

use super::{Pair, PlanError, PlanSummary};
use crate::commit::Draft;
use crate::mark::HEAD_BYTES;

/// Actions below which a commit is surely small enough to be read back.
const MANY: usize = 5_000;

/// What could not be read back must not be written, and that is to be known before the first byte crosses.
pub(crate) fn can_be_read_back(
    pair: &Pair,
    draft: &Draft,
    summary: &PlanSummary,
    at: Timestamp,
) -> Result<(), PlanError> {
    can_be_recognised(pair, draft, summary, at)?;
    let limit = pair.target.budgets().commit_bytes;
    let actions = draft.adds.len() + draft.updates.len() + draft.removes.len();
    if actions + draft.feeds.len() > MANY {
        let bytes = draft.body(summary, pair.replica_table, at).len() as u64;
        if bytes > limit {
            return Err(PlanError::TooLarge { bytes, limit });
        }
    }
    Ok(())
}

/// Nor must what would be taken for a stranger's: the source's own words stand in the lines that say whose a commit is.
pub(crate) fn can_be_recognised(
    pair: &Pair,
    draft: &Draft,
    summary: &PlanSummary,
    at: Timestamp,
) -> Result<(), PlanError> {
    // Half of what is read of it: the figures may still gain some digits.
    let limit = HEAD_BYTES / 2;
    let bytes = draft.head(summary, pair.replica_table, at).len() as u64;
    if bytes > limit {
        return Err(PlanError::Verbose { bytes, limit });
    }
    Ok(())
}
