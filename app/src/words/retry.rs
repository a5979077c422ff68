//! Trying again all that is parked of a kind of work.

use super::plural;

pub(crate) fn all_of(kind: &str) -> String {
    format!("Try all parked work of the kind {kind} again")
}

pub(crate) fn retried(count: u64) -> String {
    if count == 0 {
        return "Nothing of it is parked any more.".to_owned();
    }
    let work = plural(count, "piece of work is", "pieces of work are");
    format!("{work} tried again now.")
}
