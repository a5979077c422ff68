//! The pages of the advisor: what would cost less, the weeks that say so, and what is done with it.

use std::fmt::Display;

use model::AdviceKind;

use crate::words::{count, plural};

// All of them.
pub(crate) const ADVICE: &str = "Advice";
pub(crate) const WHAT_ADVICE_IS: &str = "What would cost less, reckoned once a day from the access log and the syncs of the last weeks, at today’s prices. Nothing changes before somebody accepts it.";
pub(crate) const NO_ADVICE: &str = "Nothing to recommend";
pub(crate) const WHY_NO_ADVICE: &str = "It takes three whole weeks of history, and what would save less than a tenth of the cost is not recommended.";
pub(crate) const PRODUCT: &str = "Product";
pub(crate) const RECOMMENDED: &str = "Recommended";
pub(crate) const SAVES_A_MONTH: &str = "Saves a month";
pub(crate) const STATE: &str = "State";
pub(crate) const CAME_OF_IT: &str = "Came of it";
pub(crate) const NOT_MEASURED_YET: &str = "not measured yet";
pub(crate) const ALL_ADVICE: &str = "All advice";
pub(crate) const WHAT_WOULD_COST_LESS: &str = "What would cost less here";

/// What is recommended, in few words.
pub(crate) fn kind(kind: AdviceKind, change: &str) -> String {
    match kind {
        AdviceKind::Replica => "Read a replica".to_owned(),
        AdviceKind::Live => "Read live".to_owned(),
        AdviceKind::Cadence => format!("Sync every {}", period(change)),
        AdviceKind::ChangeFeed => "Fetch the change feed".to_owned(),
        AdviceKind::Compaction => "Leave compactions alone, or compact less".to_owned(),
    }
}

/// `7d` in words.
fn period(change: &str) -> String {
    match change.strip_suffix('d').and_then(|days| days.parse().ok()) {
        Some(1) => "day".to_owned(),
        Some(days) => plural(days, "day", "days"),
        None => change.to_owned(),
    }
}

pub(crate) fn from_to(low: &dyn Display, high: &dyn Display) -> String {
    format!("{low} to {high}")
}

pub(crate) fn heading(what: &dyn Display, product: &dyn Display, place: &dyn Display) -> String {
    format!("{what}: {product} in {place}")
}

// How a product stands.
pub(crate) const HOW_IT_STANDS: &str = "How it stands";
pub(crate) const PLACE: &str = "Place";
pub(crate) const WEEKS: &str = "Weeks";
pub(crate) const READERS: &str = "Readers";
pub(crate) const BREAK_EVEN: &str = "A replica costs less from";
pub(crate) const COSTS_A_MONTH: &str = "Costs a month";
pub(crate) const NOT_KNOWN: &str = "Not known";
pub(crate) const HAS_A_REPLICA: &str = "has a replica";
pub(crate) const IS_READ_LIVE: &str = "is read live";
pub(crate) const NOTHING_TO_RECKON: &str =
    "Nobody reads it across a border, or its costs are not yours to see.";

pub(crate) fn weeks_since(weeks: u64, since: &dyn Display) -> String {
    format!("{} since {since}", plural(weeks, "week", "weeks"))
}

pub(crate) fn readers(from: u64, to: u64) -> String {
    if from == to {
        plural(from, "reader", "readers")
    } else {
        format!("{} to {} readers", count(from), count(to))
    }
}

// One of them.
pub(crate) const FIGURES: &str = "In figures";
pub(crate) const BECAUSE: &str = "Because";
pub(crate) const ON_THE_MEAN: &str = "on the mean";
pub(crate) const WHY_IN_THIS_STATE: &str = "Why it stands so";
pub(crate) const PUT_OFF_UNTIL: &str = "Put off until";
pub(crate) const RECKONED: &str = "Reckoned";
pub(crate) const EVIDENCE: &str = "The weeks behind it";
pub(crate) const CROSSED_BY_WEEK: &str = "What crossed each week, and what would have at most";
pub(crate) const AS_IT_WAS: &str = "As it was";
pub(crate) const AS_RECOMMENDED: &str = "As recommended, at most";
pub(crate) const WEEK_OF: &str = "Week of";
pub(crate) const READS: &str = "Reads";
pub(crate) const LIVE: &str = "Handed out live";
pub(crate) const OF_THE_REPLICA: &str = "Handed out of the replica";
pub(crate) const SYNCED: &str = "Synced";
pub(crate) const COST: &str = "Cost";
pub(crate) const WOULD_COST: &str = "Would have cost";
pub(crate) const ASSUMED: &str = "What is assumed";
pub(crate) const CALLS_BEHIND_IT: &str = "Each call, with filters and as CSV";
pub(crate) const RUNS_BEHIND_IT: &str = "Each sync, with what it moved";

pub(crate) fn week_of(day: &dyn Display) -> String {
    format!("Week of {day}")
}

pub(crate) fn runs(count: u64) -> String {
    plural(count, "run", "runs")
}

pub(crate) fn readers_of(count: u64) -> String {
    plural(count, "reader", "readers")
}

pub(crate) fn instead_of(then: &dyn Display, now: &dyn Display) -> String {
    format!("{then} in place of {now}")
}

// What came of it.
pub(crate) const PROMISED: &str = "Promised";
pub(crate) const MEASURED: &str = "Measured since";
pub(crate) const ACCEPTED: &str = "Accepted";
pub(crate) const WHAT_WAS_DONE: &str = "What was done";
pub(crate) const A_REQUEST: &str = "A request";
pub(crate) const IS_AWAITED: &str = "It is measured once a whole week after it is over, and once it is carried out: a request has to be approved first.";
pub(crate) const AS_PROMISED: &str = "That is within what was promised, or more.";
pub(crate) const LESS_THAN_PROMISED: &str = "That is less than was promised.";

pub(crate) const STILL_STANDS: &str = "The replica still stands";
pub(crate) const WHY_IT_STANDS: &str = "Nothing is saved as long as it does. It goes with the last access that reads it, once its readers read live.";

pub(crate) fn end_access_of(recipient: &dyn Display) -> String {
    format!("End the access of {recipient}")
}

pub(crate) fn accesses_of_others(number: u64) -> String {
    format!("{} of others", plural(number, "access", "accesses"))
}

pub(crate) fn over_weeks(weeks: u64) -> String {
    format!("over {}", plural(weeks, "week", "weeks"))
}

pub(crate) fn job_was_changed(replica: &dyn Display) -> String {
    format!("The sync job of {replica} was changed.")
}

// What to do with it.
pub(crate) const WHAT_TO_DO: &str = "What to do with it";
pub(crate) const ACCEPT: &str = "Accept";
pub(crate) const PUT_OFF: &str = "Put it off";
pub(crate) const UNTIL: &str = "Until";
pub(crate) const UNTIL_HINT: &str = "A day, which counts to its end, in UTC.";
pub(crate) const DECLINE: &str = "Decline";
pub(crate) const REASON: &str = "Why";
pub(crate) const REASON_HINT: &str = "It comes back only when it would save twice as much.";
pub(crate) const IS_ACCEPTED: &str = "It is accepted, and measured from now on.";
pub(crate) const IS_PUT_OFF: &str = "It is put off.";
pub(crate) const IS_DECLINED: &str = "It is declined.";
pub(crate) const OF_OTHERS: &str = "You may look at it. Others act on it: a producer of the owning team, or a team that reads it there.";

/// What accepting does.
pub(crate) const fn accepting(kind: AdviceKind) -> &'static str {
    match kind {
        AdviceKind::Replica => {
            "Accepting asks for a replica in the name of your team’s recipients there, for the purpose and the time of the access they have. \
             It is decided on like every request."
        }
        AdviceKind::Live => {
            "Accepting asks for live access in the name of your team’s recipients there. End their access to the replica once they read live: \
             with the last one the replica goes."
        }
        AdviceKind::Cadence => "Accepting changes the schedule of the replica’s sync job.",
        AdviceKind::ChangeFeed | AdviceKind::Compaction => {
            "Accepting changes what the runs of the replica’s sync job fetch."
        }
    }
}

// On other pages.
pub(crate) const WOULD_COST_LESS: &str = "Would cost less";
pub(crate) const OPEN_THE_ADVICE: &str = "Open the advice";

pub(crate) fn saves(low: &dyn Display, high: &dyn Display) -> String {
    format!("{low} to {high} a month")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recommendation_is_told_in_words() {
        for (what, change, told) in [
            (AdviceKind::Cadence, "7d", "Sync every 7 days"),
            (AdviceKind::Cadence, "1d", "Sync every day"),
            (AdviceKind::Live, "live", "Read live"),
        ] {
            assert_eq!(kind(what, change), told);
        }
        assert_eq!(readers(1, 1), "1 reader");
        assert_eq!(readers(1, 3), "1 to 3 readers");
    }
}
