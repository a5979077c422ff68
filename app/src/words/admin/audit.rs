//! The page of the audit log.

// The audit log.
pub(crate) const AUDIT: &str = "Audit";
pub(crate) const WHAT_THE_AUDIT_LOG_IS: &str =
    "Every change, in a chain in which each row seals the one before.";
pub(crate) const WHO: &str = "Who";
pub(crate) const WHO_HINT: &str = "A pseudonym as the log has it, operator or system.";
pub(crate) const WHAT: &str = "What";
pub(crate) const WHAT_HINT: &str = "As the log has it.";
pub(crate) const FROM_DAY: &str = "From day";
pub(crate) const TO_DAY: &str = "To day";
pub(crate) const SHOW: &str = "Show";
pub(crate) const SHOW_ALL: &str = "Show all";
pub(crate) const HASH_TO_FIND: &str = "Hash to find in the chain";
pub(crate) const HASH_HINT: &str =
    "The last row’s hash, as a check before said it; empty to check the chain alone.";
pub(crate) const CHECK_THE_CHAIN: &str = "Check the chain";
pub(crate) const NOTHING_FITS: &str = "Nothing fits";
pub(crate) const LOOK_FOR_LESS: &str =
    "Look for less: who and what have to be written as the log has them.";
pub(crate) const WHEN: &str = "When";
pub(crate) const DETAIL: &str = "Detail";
pub(crate) const AUDIT_LOG: &str = "Audit log";
