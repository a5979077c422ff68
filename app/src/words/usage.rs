//! What the page of a product's usage says: each call of a reading client, and the filters. How a call was answered is in
//! `product_cost`, because the tab of costs tells it too.

use std::fmt::Display;

// The head.
pub(crate) const CATALOG: &str = "Catalog";
pub(crate) const USAGE_OF: &str = "Usage of ";
pub(crate) const OF_YOUR_TEAM: &str = "Each call of a reading client on this product, because it is your team’s. Kept for 90 days if nothing else is configured.";
pub(crate) const WHAT_CONCERNS_YOU: &str =
    "The calls that your teams and roles may see. Who else reads it, the owning team knows.";
pub(crate) const THESE_AS_CSV: &str = "These as CSV";

pub(crate) fn usage_of(product: &dyn Display) -> String {
    format!("{USAGE_OF}{product}")
}

// The filters.
pub(crate) const RECIPIENT: &str = "Recipient";
pub(crate) const TABLE: &str = "Table";
pub(crate) const TABLE_HINT: &str = "With its schema before it or without.";
pub(crate) const ANSWER: &str = "Answer";
pub(crate) const ANY: &str = "Any";
pub(crate) const ANSWERED: &str = "Answered";
pub(crate) const REFUSED_OR_FAILED: &str = "Refused or failed";
pub(crate) const FROM_DAY: &str = "From day";
pub(crate) const TO_DAY: &str = "To day";
pub(crate) const SHOW: &str = "Show";
pub(crate) const SHOW_ALL: &str = "Show all";

// The calls.
pub(crate) const CALLS: &str = "Calls of reading clients";
pub(crate) const NO_CALL: &str = "No call to show";
pub(crate) const WHY_NO_CALL: &str = "Nobody has asked for it, or nothing fits the filters.";
pub(crate) const WHEN: &str = "When";
pub(crate) const ASKED_FOR: &str = "Asked for";
pub(crate) const READ_FROM: &str = "Read from";
pub(crate) const THE_REPLICA: &str = "the replica";
pub(crate) const THE_PRODUCER: &str = "the producer";
pub(crate) const FILES: &str = "Files";
pub(crate) const HANDED_OUT: &str = "Handed out";
pub(crate) const TOOK: &str = "Took";

/// Files that a predicate dropped.
pub(crate) fn left_out(files: u64) -> String {
    format!("{files} left out")
}

/// To the millisecond: how long an answer takes is of interest where it is short, too.
pub(crate) fn took(micros: u64) -> String {
    match micros / 1_000 {
        0 => "< 1 ms".to_owned(),
        millis if millis < 10_000 => format!("{millis} ms"),
        millis => format!("{} s", millis / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_are_told_exactly() {
        for (micros, text) in [
            (999, "< 1 ms"),
            (1_000, "1 ms"),
            (9_999_999, "9999 ms"),
            (12_345_678, "12 s"),
        ] {
            assert_eq!(took(micros), text);
        }
    }
}
