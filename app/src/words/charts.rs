//! What the pictures say: legends, figures on what is pointed at, and what a reader hears who does not see them.

use std::fmt::Display;

use crate::words::plural;

// What was, against what would have been.
pub(crate) const ABOVE_IN_OUTLINE: &str = " (above, in outline)";
pub(crate) const BELOW_FILLED: &str = " (below, filled)";

pub(crate) fn largest_are_drawn(drawn: &dyn Display, left_out: &dyn Display) -> String {
    format!("The {drawn} largest are drawn; {left_out} more stand in the table.")
}

// Stacked bars.
pub(crate) const OTHERS: &str = "others";
pub(crate) const NOTHING: &str = "Nothing.";

pub(crate) fn sum_and_highest_day(
    all: &dyn Display,
    label: &dyn Display,
    highest: &dyn Display,
) -> String {
    format!("{all} in all; most on {label}: {highest}. The table below has every figure.")
}

// Bands from place to place.
pub(crate) const HOW_TO_READ_BANDS: &str =
    "From left to right. The width of a band is what it carried; on it stands what was charged.";
pub(crate) const THIN_BANDS_ARE_WIDENED: &str =
    " The thinnest bands are drawn wider than they are, so that they can be seen.";

pub(crate) fn sum_and_widest_band(
    all: &dyn Display,
    from: &dyn Display,
    to: &dyn Display,
    widest: &dyn Display,
) -> String {
    format!("{all} in all; most from {from} to {to}: {widest}. The table below has every figure.")
}

// Commits and syncs over time.
pub(crate) const COMMIT: &str = "Commit";
pub(crate) const SYNC: &str = "Sync";
pub(crate) const COMMIT_AS_SEEN: &str = "A commit at the source, as far as it was seen";
pub(crate) const A_SYNC_WAS_DONE: &str = "A sync was done";
pub(crate) const LATER_THAN_PROMISED: &str = "Later than promised";
pub(crate) const LATE: &str = "Late";
pub(crate) const WHEN: &str = "When";
pub(crate) const WHAT: &str = "What";
pub(crate) const FIGURE: &str = "Figure";
pub(crate) const UNTIL: &str = "Until";
pub(crate) const WHERE: &str = "Where";
pub(crate) const FIGURES_AS_A_TABLE: &str = "The figures as a table";
pub(crate) const COMMITS_SYNCS_AND_DELAYS: &str = "Commits, syncs and delays";

pub(crate) fn delays(count: u64) -> String {
    plural(count, "delay", "delays")
}

pub(crate) fn timeline_in_all(
    from: &dyn Display,
    until: &dyn Display,
    commits: &dyn Display,
    syncs: &dyn Display,
    late: &dyn Display,
) -> String {
    format!("{from} to {until}: {commits}, {syncs}{late}.")
}

pub(crate) fn commits_seen(count: u64) -> String {
    plural(count, "commit seen", "commits seen")
}

pub(crate) fn syncs(count: u64) -> String {
    plural(count, "sync", "syncs")
}

pub(crate) fn and_the_last(count: &dyn Display, at: &dyn Display) -> String {
    format!("{count}, the last {at}")
}

pub(crate) fn late_in_all(duration: &dyn Display) -> String {
    format!("late for {duration} in all")
}

pub(crate) fn more_in_the_table(rows: u64) -> String {
    let rows = plural(rows, "row", "rows");
    format!("{rows} more stand in the table only.")
}

pub(crate) fn late_from_until(
    from: &dyn Display,
    until: &dyn Display,
    name: &dyn Display,
    duration: &dyn Display,
) -> String {
    format!("Late from {from} until {until}, {name}: {duration}")
}

pub(crate) fn older_are_not_listed(count: &dyn Display) -> String {
    format!("{count} older ones are not listed.")
}
