//! What is said of the bytes of the producer's own files that an access hands out in a day, and of a replica that is late: beside a
//! grant, on the page of the access, and to who decides.

use std::fmt::Display;

/// Before since when a replica is late.
pub(crate) const LATE_SINCE: &str = "late since ";

/// `3 GB of 50 GB today`.
pub(crate) fn of_today(today: &dyn Display, per_day: &dyn Display) -> String {
    format!("{today} of {per_day} today")
}

// What holds.
pub(crate) const BYTES_A_DAY: &str = "Bytes a day";
pub(crate) const REPLICA_ONLY: &str =
    "The replica is read, also while it is late; nothing is read at the source.";
pub(crate) const USED_UP: &str =
    "The bytes of today are used up. It begins anew at midnight, in UTC.";
pub(crate) const NEARLY_USED_UP: &str =
    "Most of the bytes of today are used up. It begins anew at midnight, in UTC.";
/// Before when the replica's sync was due; after that comes [`IS_NOT_DONE`].
pub(crate) const IS_LATE: &str = "The replica is later than its schedule promises: what was due ";
pub(crate) const IS_NOT_DONE: &str = " is not done. Answers of it are marked so.";

pub(crate) fn at_most(per_day: &dyn Display, today: &dyn Display) -> String {
    format!("At most {per_day} are handed out in a day, in UTC; {today} were today.")
}

pub(crate) fn any_number(today: &dyn Display) -> String {
    format!("Any number may be handed out in a day; {today} were today.")
}

pub(crate) fn at_the_source_while_late(per_day: &dyn Display, today: &dyn Display) -> String {
    format!(
        "The replica is read. While it is late, up to {per_day} a day may be read at the source instead; {today} were today."
    )
}

// Saying otherwise.
pub(crate) const BYTES_A_DAY_AT_THE_SOURCE: &str =
    "Bytes a day at the source while the replica is late";
pub(crate) const BYTES_A_DAY_HINT: &str =
    "Such as 50 GB. Empty: live access has no limit, and a replica is read as it is.";
pub(crate) const KEEP: &str = "Keep";

// With a decision.
/// Of one on a replica: over what is folded.
pub(crate) const CONDITION_OF_A_REPLICA: &str = "Condition: bytes a day at the source";
pub(crate) const AT_MOST_A_DAY: &str = "At most so many bytes a day";
pub(crate) const SO_MANY_AT_THE_SOURCE: &str =
    "So many bytes a day at the source while the replica is late";
pub(crate) const WITH_A_YES_HINT: &str = "With a yes, and only if you want to: such as 50 GB. Empty: what the access before it had, or no limit. It can be changed later.";
