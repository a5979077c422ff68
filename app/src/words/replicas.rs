//! The pages of replicas and of sync runs.

use std::fmt::Display;

use model::{Commits, Fetches};

use crate::words::plural;

// All replicas.
pub(crate) const REPLICAS: &str = "Replicas";
pub(crate) const WHAT_REPLICAS_ARE: &str = "Copies near their readers, one for all readers of a place: of your products, and those that your teams read.";
pub(crate) const WHAT_IS_TO_BE_FORGOTTEN: &str = "Erasures and their certificates";
pub(crate) const NO_REPLICA_YET: &str = "No replica yet";
pub(crate) const WHEN_A_REPLICA_IS_MADE: &str =
    "One is made by itself once somebody is granted a product as a replica.";
pub(crate) const OPEN_THE_CATALOG: &str = "Open the catalog";
pub(crate) const PRODUCT: &str = "Product";
pub(crate) const WHERE: &str = "Where";
pub(crate) const STATE: &str = "State";
pub(crate) const HOLDS_WHAT_WAS_COMMITTED: &str = "Holds what was committed";
pub(crate) const SIZE: &str = "Size";
pub(crate) const RHYTHM: &str = "Rhythm";
pub(crate) const LAST_SYNC_DID_NOT_GO_THROUGH: &str = "Its last sync did not go through.";
pub(crate) const DELETED_ON: &str = "deleted ";
pub(crate) const NEXT_SYNC: &str = "next ";
pub(crate) const PAUSED: &str = "paused";
pub(crate) const BY_HAND: &str = "by hand";

pub(crate) fn tables(count: u64) -> String {
    plural(count, "table", "tables")
}

pub(crate) fn at_time_of_day(at: &dyn Display) -> String {
    format!(" at {at}")
}

pub(crate) fn every_at(every: &dyn Display, at: &dyn Display, timezone: &dyn Display) -> String {
    format!("every {every}{at} {timezone}")
}

// One replica.
pub(crate) const REPLICA: &str = "Replica";
pub(crate) const TABLE: &str = "Table";
pub(crate) const VERSION: &str = "Version";
pub(crate) const SYNCED: &str = "Synced";
pub(crate) const VERIFIED: &str = "Verified";
pub(crate) const IN: &str = " in ";
pub(crate) const UNREAD_AND_DELETED_ON: &str = "nobody reads it any more; deleted ";
pub(crate) const TABLES: &str = "Tables";
pub(crate) const TABLES_OF_THE_REPLICA: &str = "Tables of the replica";
pub(crate) const OVER_TIME: &str = "Over time";
pub(crate) const SYNC_RUNS: &str = "Sync runs";
pub(crate) const LATEST_RUNS_ARE_OF_OTHERS: &str =
    "The latest runs of the product are of its other replicas; older ones stand on the next page.";
pub(crate) const SYNC_NOW: &str = "Sync now";
pub(crate) const CHECK_IT_NOW: &str = "Check it now";
pub(crate) const CHECK_EVERY_ROW: &str = "Check every row";
pub(crate) const RELEASE: &str = "Serve it again";
pub(crate) const IN_QUARANTINE_SINCE: &str =
    "In quarantine, not served, until a sync mends it; since ";
pub(crate) const VACUUM_NOW: &str = "Vacuum now";
pub(crate) const A_SYNC: &str = "sync";
pub(crate) const A_CHECK: &str = "check";
pub(crate) const A_VACUUM: &str = "vacuum";
pub(crate) const WAITS_FOR_A_PERSON: &str = "waits until a person says so";
pub(crate) const IS_UNDER_WAY: &str = "is under way";
pub(crate) const SCHEDULE: &str = "Schedule";
pub(crate) const NEXT_RUN: &str = " Next run ";
pub(crate) const NEXT_LOOK: &str = " Its source is looked at next ";
pub(crate) const EVERY_OBJECT_IS_CHECKED: &str = "Every object is checked ";
pub(crate) const EVERY_ROW_IS_CHECKED: &str = "Every row is checked ";
pub(crate) const NEXT_CHECK: &str = ", next ";
/// Before when what was promised had to be there; after that comes [`IS_NOT_HERE`].
pub(crate) const IT_IS_LATE: &str =
    "This replica is later than its schedule promises: what had to be here ";
pub(crate) const IS_NOT_HERE: &str = " is not.";
pub(crate) const NEXT_RUN_AT: &str = ", at ";
pub(crate) const RESUME_THE_SCHEDULE: &str = "Resume the schedule";
pub(crate) const PAUSE_THE_SCHEDULE: &str = "Pause the schedule";
pub(crate) const IT_RUNS: &str = "It runs";
pub(crate) const IT_IS_PAUSED: &str = "It is paused";
pub(crate) const CHANGE_THE_SCHEDULE: &str = "Change the schedule";
pub(crate) const EVERY: &str = "Every";
pub(crate) const EVERY_HINT: &str =
    "For example 2d, 6h or 30m. Empty where a field below says when, or to run by hand only.";
pub(crate) const AT: &str = "At";
pub(crate) const AT_HINT: &str = "A time of day, 03:00, for whole days.";
pub(crate) const CRON: &str = "Cron";
pub(crate) const CRON_HINT: &str =
    "Instead of every and at: minute, hour, day, month and weekday, such as 0 3 * * 1-5.";
pub(crate) const ON_NEW_VERSION: &str = "On a new version, at most every";
pub(crate) const ON_NEW_VERSION_HINT: &str =
    "Instead: when the source has a new version, with such a pause at least. For example 1h.";
pub(crate) const FRESH_WITHIN: &str = "Fresh within";
pub(crate) const FRESH_WITHIN_HINT: &str = "Instead: what the source commits is here within, such as 6h. It runs as seldom as that allows.";
pub(crate) const VERIFY_OBJECTS: &str = "Check every object";
pub(crate) const VERIFY_OBJECTS_HINT: &str =
    "A period such as 1w, or a cron line. Empty: only when somebody asks.";
pub(crate) const VERIFY_ROWS: &str = "Check every row";
pub(crate) const VERIFY_ROWS_HINT: &str = "The same. It reads the whole of the source and of the replica, each where it lies if a worker stands there; else it crosses, and is counted.";
pub(crate) const TIME_ZONE: &str = "Time zone";
pub(crate) const TIME_ZONE_HINT: &str =
    "For example Europe/Berlin. Times and cron lines are meant in it, over clock changes.";
pub(crate) const KEEP_WHAT_THE_SOURCE_REMOVED: &str = "Keep what the source removed";
pub(crate) const HOURS: &str = "Hours.";
pub(crate) const KEEP_THE_REPLICA_WITHOUT_READERS: &str = "Keep the replica without readers";
pub(crate) const FORGET_WITHIN: &str = "What the source deleted is gone within";
pub(crate) const FORGET_WITHIN_HINT: &str = "Hours from the source’s commit, 8 or more; 0 for no deadline. It is then kept for half of them at most.";
pub(crate) const OF_REWRITTEN_FILES: &str = "Of files the source has rewritten, fetch";
pub(crate) const A_COMMIT_BRINGS: &str = "One commit of the replica brings";
pub(crate) const EACH_VERSION_IS_KEPT: &str = " Each version of the source is a commit of its own here, with its change feed unless the replica is of a cut.";
pub(crate) const WHETHER_IT_RUNS: &str = "Whether it runs";
pub(crate) const NO_RUN_YET: &str = "No run yet.";
pub(crate) const RUN: &str = "Run";
pub(crate) const KIND: &str = "Kind";
pub(crate) const VERSIONS: &str = "Versions";
pub(crate) const COPIED: &str = "Copied";
pub(crate) const A_FULL_COPY: &str = "A full copy";

pub(crate) fn has_failed_and_is_tried_again(times: u64) -> String {
    let times = plural(times, "time", "times");
    format!("has failed {times} and is tried again")
}

pub(crate) fn work_stands_like_this(what: &dyn Display, how: &dyn Display) -> String {
    format!("a {what} {how}")
}

pub(crate) fn resumed_it_runs(timetable: &dyn Display) -> String {
    format!(" Resumed, it runs {timetable}.")
}

pub(crate) fn how_long_it_is_kept(removed_hours: u64, whole_hours: u64) -> String {
    let removed = plural(removed_hours, "hour", "hours");
    let whole = plural(whole_hours, "hour", "hours");
    format!(
        "What the source removed is kept for {removed}, the whole replica for {whole} after its last reader."
    )
}

/// Follows [`how_long_it_is_kept`].
pub(crate) fn forget_within(hours: u64) -> String {
    let kept = plural(hours / 2, "hour", "hours");
    let hours = plural(hours, "hour", "hours");
    format!(
        " What the source deletes is gone from here within {hours} of its commit: it is kept for {kept} at most, and a sync comes in time \
         whatever the schedule says."
    )
}

/// `when the source has a new version, at most every 1h`.
pub(crate) fn on_new_version(period: &dyn Display) -> String {
    format!("when the source has a new version, at most every {period}")
}

/// `within 6h of the source’s commit`.
pub(crate) fn fresh_within(period: &dyn Display) -> String {
    format!("within {period} of the source’s commit")
}

/// `every 1w`, or the cron line with its time zone.
pub(crate) fn checked(when: &str, timezone: &dyn Display) -> String {
    if when.contains(' ') {
        format!("by cron {when} {timezone}")
    } else {
        format!("every {when}")
    }
}

pub(crate) fn first_version_to(to: &dyn Display) -> String {
    format!("first → {to}")
}

// What the next run would move.
pub(crate) const WHAT_THE_NEXT_RUN_WOULD_MOVE: &str = "What the next run would move";
pub(crate) const PLANNING_READS_LOGS: &str = "Planned as the run itself would be: logs are read at both ends, no data file, and nothing is written.";
pub(crate) const PLANNED_ONCE_IT_IS_OVER: &str =
    "Something is being done on this replica. Plan it once that is over.";
pub(crate) const PLAN_IT_NOW: &str = "Plan it now";
pub(crate) const PLAN_IT_AGAIN: &str = "Plan it again";
pub(crate) const WAYS_TO_SYNC: &str = "Ways to sync";
pub(crate) const WAY: &str = "Way";
pub(crate) const OBJECTS: &str = "Objects";
pub(crate) const BYTES: &str = "Bytes";
pub(crate) const REQUESTS: &str = "Requests";
pub(crate) const COST: &str = "Cost";
pub(crate) const CHOSEN: &str = "chosen";
pub(crate) const FULL_COPY: &str = "Full copy";
pub(crate) const FILE_COPY: &str = "Copy of files";
pub(crate) const DELETION_VECTORS: &str = "Deletion vectors alone";
pub(crate) const CHANGE_FEED: &str = "Change feed";
pub(crate) const SKIPPING: &str = "Compactions left alone";

pub(crate) fn fetches(what: Fetches) -> &'static str {
    match what {
        Fetches::Files => "the files",
        Fetches::Changes => "the changes, where they are less",
        Fetches::Least => "the changes, and nothing for what was only compacted",
    }
}

pub(crate) fn commits(what: Commits) -> &'static str {
    match what {
        Commits::Run => "all that the source has committed since the last run",
        Commits::Each => "one version of the source, with its change feed",
    }
}

pub(crate) fn ways_of(table: &dyn Display) -> String {
    format!("{WAYS_TO_SYNC}: {table}")
}

/// `3 → 7`; nothing where it could not be planned.
pub(crate) fn versions_to(from: Option<u64>, to: Option<u64>) -> String {
    match (from, to) {
        (_, None) => String::new(),
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (None, Some(to)) => first_version_to(&to),
    }
}

pub(crate) fn it_would_move(bytes: &dyn Display, requests: u64, money: &str) -> String {
    let requests = plural(requests, "request", "requests");
    let money = if money.is_empty() {
        String::new()
    } else {
        format!(", for {money}")
    };
    format!("It would move {bytes} in {requests}{money}. Reading logs comes on top.")
}

// One run.
pub(crate) const SYNC_RUN: &str = "Sync run";
pub(crate) const OF: &str = " of ";
pub(crate) const WHAT_IT_MOVED: &str = "What it moved";
pub(crate) const LESS_BY: &str = "Less by";
pub(crate) const CAME_FROM_THE_SOURCE: &str = "Came from the source";
pub(crate) const OF_THE_PLAN: &str = "Of the plan";
pub(crate) const OF_IT_NOT_USED: &str = "Of it not used";
pub(crate) const BY_THE_CHANGE_FEED: &str = "By the change feed";
pub(crate) const LEFT_ALONE: &str = "Left alone";
pub(crate) const COPIED_ALL_THE_SAME: &str = "Copied though rewritten";
pub(crate) const WRITTEN_ANEW: &str = "Written anew here";
pub(crate) const DELETED: &str = "Deleted";
pub(crate) const VERSIONS_OF_THE_SOURCE: &str = "Versions of the source";
pub(crate) const VERSION_OF_THE_REPLICA: &str = "Version of the replica";
pub(crate) const WORKED_FOR: &str = "Worked for";
pub(crate) const BEGAN: &str = "Began";
pub(crate) const ENDED: &str = "Ended";
pub(crate) const PLANNED: &str = "Planned";
pub(crate) const COMMITTED: &str = "Committed";
pub(crate) const FROM: &str = "from ";
pub(crate) const PARKED_FOR_A_PERSON: &str = "Parked: a person has to look";
pub(crate) const FAILED: &str = "Failed";
pub(crate) const HOW_FAR_THE_RUN_IS: &str = "How far the run is";

pub(crate) fn product_in_place(product: &dyn Display, place: &dyn Display) -> String {
    format!("{product} in {place}")
}

pub(crate) fn run_of_table(kind: &dyn Display, table: &dyn Display) -> String {
    format!("{kind} of {table}")
}

pub(crate) fn attempt(number: &dyn Display) -> String {
    format!("attempt {number}")
}

pub(crate) fn bytes_that_are_billed(bytes: &dyn Display) -> String {
    format!("{bytes}, log reads and repeated requests included: what is billed")
}

/// `99.8 % of 21.6 kB`.
pub(crate) fn of_what_was_planned(share: &dyn Display, bytes: &dyn Display) -> String {
    format!("{share} of {bytes}")
}

pub(crate) fn bytes_not_used(bytes: &dyn Display) -> String {
    format!("{bytes}: logs, and requests that were repeated or broken off")
}

pub(crate) fn sets(count: u64) -> String {
    plural(count, "set of rewritten files", "sets of rewritten files")
}

/// `2 sets of rewritten files, 1.4 kB fetched`.
pub(crate) fn sets_and_bytes(count: u64, bytes: &dyn Display) -> String {
    let sets = sets(count);
    format!("{sets}, {bytes} fetched")
}

pub(crate) fn files_without_hidden(count: u64) -> String {
    let files = plural(count, "file", "files");
    format!("{files}, without rows that a deletion vector hides")
}

pub(crate) fn bytes_in_files(bytes: &dyn Display, files: u64) -> String {
    let files = plural(files, "file", "files");
    format!("{bytes} in {files}")
}

pub(crate) fn for_so_long(duration: &dyn Display) -> String {
    format!(", for {duration}")
}

pub(crate) fn begun_so_often(times: &dyn Display) -> String {
    format!(", begun {times} times")
}
