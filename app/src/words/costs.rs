//! The pages of costs: charges by day, bytes from place to place, statements and what a line is made of.

use std::fmt::Display;

use crate::words::plural;

// The page of costs.
pub(crate) const BY_PRODUCT: &str = "By product";
pub(crate) const BY_CONSUMER: &str = "By consumer";
pub(crate) const PRODUCT: &str = "Product";
pub(crate) const CONSUMER: &str = "Consumer";
pub(crate) const BYTES_BY_DAY_AND_PRODUCT: &str = "Bytes by day and product";
pub(crate) const BYTES_BY_DAY_AND_CONSUMER: &str = "Bytes by day and consumer";
pub(crate) const CHARGES_BY_DAY_AND_PRODUCT: &str = "Charges by day and product";
pub(crate) const CHARGES_BY_DAY_AND_CONSUMER: &str = "Charges by day and consumer";
pub(crate) const ALL_CONSUMERS_TOGETHER: &str = "all consumers together";
pub(crate) const COSTS: &str = "Costs";
pub(crate) const ALL_CHARGES_AS_CSV: &str = "All charges as CSV";
pub(crate) const CHARGES_OF_THESE_DAYS_AS_CSV: &str = "The charges of these days as CSV";
pub(crate) const WHAT_COSTS_SHOW: &str = "What crossed a border, and what it cost: for what your teams pay, and for all of your own products.";
pub(crate) const MOVED_BY_DAY: &str = "Moved by day";
pub(crate) const DIVIDED_BY: &str = "Divided by";
pub(crate) const FROM_PLACE_TO_PLACE: &str = "From place to place";
pub(crate) const SAVED_BY_REPLICAS: &str = "Saved by replicas";
pub(crate) const STATEMENTS: &str = "Statements";
pub(crate) const NOTHING_CHARGED_ON_THESE_DAYS: &str = "Nothing was charged on these days";
pub(crate) const CHOOSE_OTHER_DAYS: &str = "Choose others, or look at the last month.";
pub(crate) const THE_LAST_MONTH: &str = "The last month";
pub(crate) const NOTHING_WAS_CHARGED_YET: &str = "Nothing was charged yet";
pub(crate) const PRICED_WHEN_THE_DAY_IS_OVER: &str =
    "Today’s bytes are priced when the day is over, in UTC.";
pub(crate) const DAY: &str = "Day";
pub(crate) const FOR_WHOM: &str = "For";
pub(crate) const BYTES: &str = "Bytes";
pub(crate) const AMOUNT: &str = "Amount";
pub(crate) const TOO_MANY_CHARGES_FOR_A_PICTURE: &str = "There are more charges on these days than one picture can read: days before the first one shown are left out. Choose fewer days, or take the CSV.";
pub(crate) const FIGURES_AS_A_TABLE: &str = "The figures as a table";
pub(crate) const COMPUTE: &str = "Compute";
pub(crate) const TRANSFER: &str = "Transfer";
pub(crate) const NO_STATEMENT_CONCERNS_YOU: &str = "No statement concerns you. Each team has one for each month in which its products were read or copied.";
pub(crate) const MONTH: &str = "Month";
pub(crate) const TEAM: &str = "Team";
pub(crate) const STATE: &str = "State";
pub(crate) const TOTAL: &str = "Total";
pub(crate) const OPEN: &str = "Open";
pub(crate) const ISSUED: &str = "Issued";

pub(crate) fn from_day_to_day(first: &dyn Display, last: &dyn Display) -> String {
    format!("{first} to {last}, in UTC.")
}

// Which days are shown.
pub(crate) const HOW_A_DAY_IS_WRITTEN: &str =
    "A day is written like 2026-01-31. These are the last 31 days.";
pub(crate) const FIRST_DAY_AFTER_THE_LAST: &str =
    "The first day comes after the last. These are the last 31 days.";
pub(crate) const NO_MORE_THAN_92_DAYS: &str =
    "No more than 92 days are shown at once: these are the last of those that were asked for.";
pub(crate) const FROM_DAY: &str = "From day";
pub(crate) const DAYS_ARE_COUNTED_IN_UTC: &str = "Days are counted in UTC.";
pub(crate) const TO_DAY: &str = "To day";
pub(crate) const SHOW_THESE_DAYS: &str = "Show these days";

// From place to place.
pub(crate) const ALL_CLOUDS: &str = "All clouds";
pub(crate) const NOTHING_WAS_MOVED: &str = "Nothing was moved";
pub(crate) const MOVES_SHOW_AFTER_THEIR_DAY: &str =
    "What crosses from one place to another is here once its day is over, in UTC.";
pub(crate) const FROM_AND_TO: &str = "From and to";
pub(crate) const CHARGED: &str = "Charged";
pub(crate) const MOVED_FROM_PLACE_TO_PLACE: &str = "Moved from place to place";

pub(crate) fn between_clouds_by_region(from: &dyn Display, to: &dyn Display) -> String {
    format!("{from} → {to}, by region. ")
}

pub(crate) fn others(count: &dyn Display) -> String {
    format!("{count} others")
}

// A statement.
pub(crate) const AS_CSV: &str = "As CSV";
pub(crate) const NOTHING_IN_THIS_MONTH: &str =
    "Nothing was counted and nothing charged in this month.";
pub(crate) const COUNTED_HOW: &str = "Counted how";
pub(crate) const ISSUED_AT: &str = "issued ";
pub(crate) const LINES_OF_THE_STATEMENT: &str = "Lines of the statement";
pub(crate) const HANDED_OUT_NOT_BILLED: &str = "Handed out, not billed";
pub(crate) const WHAT_HANDED_OUT_IS: &str =
    "an estimate: the size of what was signed for reading at the source";
pub(crate) const COUNTED_NOT_PRICED_YET: &str = "Counted, not priced yet";
pub(crate) const PRICED_AFTER: &str = "priced after ";
pub(crate) const ISSUE_THE_STATEMENT: &str = "Issue the statement";
pub(crate) const ISSUED_STATEMENTS_NEVER_CHANGE: &str =
    "It never changes afterwards, so look at its lines first.";
pub(crate) const ISSUE_IT: &str = "Issue it";

pub(crate) fn statement_of_team_for_month(team: &dyn Display, month: &dyn Display) -> String {
    format!("Statement of {team} for {month}")
}

pub(crate) fn cost_centre(name: &dyn Display) -> String {
    format!("cost centre {name}")
}

pub(crate) fn legs_wait_for_a_price(legs: u64) -> String {
    let legs = plural(legs, "counted leg", "counted legs");
    format!("{legs} wait for a price of their route")
}

pub(crate) fn compute_waits_for_a_price(duration: &dyn Display) -> String {
    format!("{duration} of compute wait for a price")
}

pub(crate) fn cannot_be_issued_before(what_waits: &dyn Display) -> String {
    format!("{what_waits}. It cannot be issued before: finance adds the price.")
}

pub(crate) fn write_to_confirm(month: &dyn Display) -> String {
    format!("Write {month} to confirm")
}

// A line of a statement.
pub(crate) const LINE_OF_A_STATEMENT: &str = "Line of a statement";
pub(crate) const WHAT: &str = "What";
pub(crate) const FROM: &str = "From";
pub(crate) const UNTIL: &str = "Until";
pub(crate) const COUNTED: &str = "Counted";
pub(crate) const TIME: &str = "Time";
pub(crate) const WHAT_IT_WAS_MADE_OF: &str = "What it was made of";
pub(crate) const TOGETHER_THEY_ARE_THE_LINE: &str =
    "Together they are the line, to the last byte. ";
pub(crate) const OLD_CHARGES_HAVE_NO_EVENTS: &str =
    "Of charges from before events were kept nothing is known.";
pub(crate) const RUNS_AND_DAYS_OF_THE_LINE: &str = "Runs and days of the line";
pub(crate) const OLDER_ONES_TOGETHER: &str = "Older ones together";
pub(crate) const TOGETHER: &str = "Together";
pub(crate) const RUN_OF: &str = "Run ";
pub(crate) const SYNC: &str = "Sync";
pub(crate) const READ_THROUGH_THE_GATEWAY: &str = "Read through the gateway";
pub(crate) const ANSWERING_A_QUERY: &str = "Answering a query";
pub(crate) const LOOKING_AT_A_TABLE: &str = "Looking at a table";
pub(crate) const CHECKING_A_REPLICA: &str = "Checking a replica";
pub(crate) const VACUUM: &str = "Vacuum";

pub(crate) fn compute_for(duration: &dyn Display) -> String {
    format!("Compute, {duration}")
}

pub(crate) fn exact_bytes(count: &dyn Display) -> String {
    format!("{count} bytes")
}

pub(crate) fn times(count: u64) -> String {
    plural(count, "time", "times")
}
