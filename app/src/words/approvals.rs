//! What the inbox of decisions says.

use super::sentence;

pub(crate) const APPROVALS: &str = "Approvals";
pub(crate) const WHAT_WAITS: &str = "What waits for your decision, with all that there is to know.";
pub(crate) const NOTHING_WAITS: &str = "Nothing waits for you";
pub(crate) const NOTHING_FURTHER_WAITS: &str = "Nothing further waits for you";
pub(crate) const WHAT_COMES_HERE: &str = "Requests for your team’s products come here, and those for personal data if you are a data-protection officer.";
pub(crate) const ASKED: &str = "asked ";

// The keys.
pub(crate) const KEYS: &str = "Keys";
pub(crate) const KEYS_OF_THIS_PAGE: &str = "Keys of this page";
pub(crate) const NOT_WHILE_TYPING: &str = "They do nothing while you type in a field.";
pub(crate) const TURN_THE_KEYS_OFF: &str = "Turn the keys off";
/// Each with what it does.
pub(crate) const KEYS_AND_WHAT_THEY_DO: [(&str, &str); 5] = [
    (
        "j, k",
        "The next request, the one before; arrows, too, once you are at one",
    ),
    ("a", "Approve: goes to the note"),
    ("r", "Reject: goes to the note"),
    (
        "Ctrl and Enter",
        "Send what a or r has opened; Escape leaves it",
    ),
    ("?", "This list"),
];

// What waits for others.
pub(crate) const WAITING_FOR_OTHERS: &str = "Waiting for others";
pub(crate) const OLDER_ONES: &str = "Older ones that wait for others";

pub(crate) fn waits_for(stages: &[&str]) -> String {
    sentence(&format!("waits for {}", stages.join(" and ")))
}
