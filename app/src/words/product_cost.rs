//! What a product's tab of usage and cost says: what replicas saved, charges, and the calls of reading clients.

use std::fmt::Display;

// Saved by replicas.
pub(crate) const SAVED_BY_REPLICAS: &str = "Saved by replicas";
pub(crate) const NOTHING_TO_COMPARE: &str = "Nothing to compare";
pub(crate) const NOTHING_IS_SAVED: &str =
    "Without a replica everybody reads at the source, and nothing is saved.";
pub(crate) const MOVED_AGAINST_BASELINE: &str = "What replicas moved, against their baseline";
/// Between a product and a place.
pub(crate) const INTO: &str = " to ";
pub(crate) const TO: &str = "To";
pub(crate) const DAYS: &str = "Days";
pub(crate) const BASELINE: &str = "Baseline";
pub(crate) const MOVED: &str = "Moved";
pub(crate) const SAVED: &str = "Saved";
pub(crate) const WORTH: &str = "Worth";
pub(crate) const NO_RATE: &str = "no rate";

pub(crate) fn product_to(product: &dyn Display, place: &dyn Display) -> String {
    format!("{product}{INTO}{place}")
}

pub(crate) fn saved(share: &dyn Display) -> String {
    format!("{share} saved")
}

pub(crate) fn saved_and_worth(share: &dyn Display, worth: &dyn Display) -> String {
    format!("{share} saved, worth {worth}")
}

pub(crate) fn saved_at_a_loss(share: &dyn Display, loss: &dyn Display) -> String {
    format!("{share} saved, a loss of {loss}")
}

// Charges.
pub(crate) const CHARGES: &str = "Charges";
pub(crate) const ALL_AS_CSV: &str = "All of them as CSV";
pub(crate) const NO_CHARGE: &str = "No charge to show";
pub(crate) const WHOSE_CHARGES_YOU_SEE: &str = "You see what your own teams pay, and for your own products all of it. Today’s bytes are priced when the day is over, in UTC.";
pub(crate) const COMPUTE: &str = "Compute";
pub(crate) const DAY: &str = "Day";
pub(crate) const FOR: &str = "For";
pub(crate) const CONSUMER: &str = "Consumer";
pub(crate) const PAID_BY: &str = "Paid by";
pub(crate) const BYTES: &str = "Bytes";
pub(crate) const AMOUNT: &str = "Amount";

// Calls of reading clients.
pub(crate) const READ_LATELY: &str = "Read lately";
pub(crate) const ALL_CALLS: &str = "All calls, with filters and as CSV";
pub(crate) const NO_CALL: &str = "No call to show";
pub(crate) const WHOSE_CALLS_YOU_SEE: &str = "You see what your own teams asked for, and of your own products all of it: each call of a reading client, for 90 days.";
pub(crate) const CALLS: &str = "Calls of reading clients";
pub(crate) const WHEN: &str = "When";
pub(crate) const RECIPIENT: &str = "Recipient";
pub(crate) const ASKED_FOR: &str = "Asked for";
pub(crate) const FILES: &str = "Files";
pub(crate) const HANDED_OUT: &str = "Handed out";
pub(crate) const ANSWER: &str = "Answer";
pub(crate) const LATEST_ARE_SHOWN: &str = "The latest are shown.";
pub(crate) const A_LIST: &str = "What is there";
pub(crate) const ITS_VERSION: &str = "Its version";
pub(crate) const ITS_COLUMNS: &str = "Its columns";
pub(crate) const ITS_ROWS: &str = "Its rows";
pub(crate) const ITS_ROWS_LATER: &str = "Its rows, for later";
pub(crate) const ITS_CHANGES: &str = "Its changes";
pub(crate) const A_CREDENTIAL: &str = "A credential for its folder";

pub(crate) fn team(team: &dyn Display) -> String {
    format!("team {team}")
}

pub(crate) fn asked_at_version(what: &dyn Display, version: u64) -> String {
    format!("{what}, version {version}")
}

/// An HTTP status in words.
pub(crate) fn answered(status: u32) -> String {
    match status {
        0 => "the client left before".to_owned(),
        200..=299 => "answered".to_owned(),
        401 | 403 => format!("refused ({status})"),
        _ => format!("failed ({status})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_told_in_words() {
        for (status, word) in [
            (0, "the client left before"),
            (200, "answered"),
            (403, "refused (403)"),
            (503, "failed (503)"),
        ] {
            assert_eq!(answered(status), word);
        }
    }
}
