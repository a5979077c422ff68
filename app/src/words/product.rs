//! What the page of a product says, tab by tab, and the page that changes a product. What it was charged and how it was read is in
//! `product_cost`.

use std::fmt::Display;

use super::bytes;

// The tabs.
pub(crate) const ABOUT_THIS_PRODUCT: &str = "About this product";
pub(crate) const OVERVIEW: &str = "Overview";
pub(crate) const SCHEMA: &str = "Schema";
pub(crate) const FRESHNESS: &str = "Freshness";
pub(crate) const ACCESS: &str = "Access";
pub(crate) const USAGE_AND_COST: &str = "Usage and cost";
pub(crate) const HISTORY: &str = "History";
pub(crate) const YAML: &str = "YAML";

pub(crate) fn tab_of_product(tab: &dyn Display, product: &dyn Display) -> String {
    format!("{tab} of {product}")
}

// The head of all tabs.
pub(crate) const THE_NAME: &str = "the name";
pub(crate) const READ_IT: &str = "Read it";
pub(crate) const ASK_AGAIN: &str = "Ask again";
pub(crate) const ASK_FOR_ACCESS: &str = "Ask for access";
pub(crate) const CHANGE_IT: &str = "Change it";
pub(crate) const IS_A_DRAFT: &str =
    "This is a draft: only your team sees it. Nobody can ask for it until it is published.";
pub(crate) const WAS_RETIRED: &str =
    "This product was retired. No new access is given; what was granted ends in its time.";
pub(crate) const IS_PERSONAL_DATA: &str =
    "Personal data: a data-protection officer decides together with the owning team.";

// Facts of a product and of its tables.
pub(crate) const TEAM: &str = "Team";
pub(crate) const DOMAIN: &str = "Domain";
pub(crate) const PLACE: &str = "Place";
pub(crate) const SIMULATED: &str = " (simulated)";
pub(crate) const LAST_COMMIT: &str = "Last commit";
pub(crate) const NOT_READ_YET: &str = "not read yet";
pub(crate) const TABLES: &str = "Tables";
pub(crate) const ROWS: &str = "Rows";
pub(crate) const NOT_KNOWN: &str = "not known";
pub(crate) const SIZE: &str = "Size";
pub(crate) const PUBLISHED: &str = "Published";
pub(crate) const VERSION: &str = "Version";
pub(crate) const FILES: &str = "Files";
pub(crate) const PATH: &str = "Path";
pub(crate) const FEATURES: &str = "Features";
pub(crate) const OLDER_VERSIONS: &str = "Older versions";
pub(crate) const ALL_THAT_ARE_THERE: &str = "all that are there";

// The overview.
pub(crate) const WHAT_IT_IS: &str = "What it is";
pub(crate) const IS_THERE_ALREADY: &str =
    "The same is there already under another name. Nothing is refused for that.";
pub(crate) const LOOK_AT_IT: &str = "Look at it";
pub(crate) const NOT_DESCRIBED_YET: &str = "The owning team has not described it yet.";
pub(crate) const HOW_YOU_GET_IT: &str = "How you get it";
pub(crate) const BOTH_DECIDE: &str =
    "You ask; a producer of the owning team and a data-protection officer both decide.";
pub(crate) const NOBODY_HAS_TO_DECIDE: &str = "You ask, and get it at once: nobody has to decide.";
pub(crate) const A_PRODUCER_DECIDES: &str = "You ask; a producer of the owning team decides.";
pub(crate) const OWNING_TEAM_PAYS: &str = "The owning team pays for what crosses a border.";
pub(crate) const WHOEVER_READS_PAYS: &str = "Whoever reads pays for what crosses a border.";
pub(crate) const PRICED_BEFORE_YOU_ASK: &str = " Both ways of reading are priced before you ask.";

// The schema.
pub(crate) const NO_TABLES_YET: &str = "No tables yet";
pub(crate) const REGISTERED_WITHOUT_TABLES: &str =
    "The owning team has registered this product without tables.";
pub(crate) const COLUMNS: &str = "Columns";
pub(crate) const COLUMN: &str = "Column";
pub(crate) const TYPE: &str = "Type";
pub(crate) const VALUES: &str = "Values";
pub(crate) const COMMENT: &str = "Comment";
pub(crate) const MAY_BE_EMPTY: &str = "may be empty";
pub(crate) const ALWAYS_THERE: &str = "always there";
pub(crate) const PARTITION: &str = "partition";
pub(crate) const NOT_SHARED_YET: &str = "This table is shown but neither shared nor copied yet: ";
pub(crate) const NOT_COPIED_YET: &str = "This table is read live only, and not copied yet: ";
pub(crate) const COULD_NOT_BE_READ: &str =
    "When it was last looked at, the table could not be read: ";

// Freshness.
pub(crate) const OVER_TIME: &str = "Over time";
pub(crate) const AT_THE_SOURCE: &str = "At the source";
pub(crate) const TABLES_AT_THE_SOURCE: &str = "Tables at the source";
pub(crate) const TABLE: &str = "Table";
pub(crate) const LOOKED_AT: &str = "Looked at";
pub(crate) const REPLICAS: &str = "Replicas";
pub(crate) const NO_REPLICA: &str = "No replica";
pub(crate) const NO_COPY_WAS_GRANTED: &str =
    "Nobody was granted a copy near them yet: everybody reads at the source.";
pub(crate) const REPLICA: &str = "Replica";
pub(crate) const HOLDS_WHAT_WAS_COMMITTED: &str = "Holds what was committed";
pub(crate) const SYNCED: &str = "Synced";
pub(crate) const RHYTHM: &str = "Rhythm";
pub(crate) const NEXT_SYNC: &str = ", next ";
pub(crate) const SYNC_RUNS: &str = "Sync runs";

// Freshness as a picture.
pub(crate) const WITHOUT_A_TABLE: &str = "Without a table there is nothing to show.";
pub(crate) const WHEN_A_PROMISE_IS_KEPT: &str = "A promise is kept when what the source held at the time of a sync is in the replica before the next sync is due; or, where the schedule promises a time, when it is there so long after its commit.";
pub(crate) const COMMITS_AND_SYNCS: &str = "Commits at the source, and when the replicas had them";

pub(crate) fn table_at_the_source(table: &dyn Display) -> String {
    format!("{table} at the source")
}

pub(crate) fn table_in_replica(table: &dyn Display, place: &dyn Display) -> String {
    format!("{table} in {place}")
}

pub(crate) fn promised(rhythm: &dyn Display) -> String {
    format!("promised: {rhythm}")
}

pub(crate) fn nothing_is_promised(rhythm: &dyn Display) -> String {
    format!("nothing is promised: {rhythm}")
}

pub(crate) fn version(number: u64) -> String {
    format!("version {number}")
}

/// `version 3, 1.2 GB copied`.
pub(crate) fn copied(to: Option<u64>, size: u64) -> String {
    let to = to
        .map(|number| format!("{}, ", version(number)))
        .unwrap_or_default();
    format!("{to}{} copied", bytes(size))
}

// Who has access.
pub(crate) const GRANTED: &str = "Granted";
pub(crate) const ALL_WHO_WERE_GRANTED: &str = "All who were granted it, because it is your team’s.";
pub(crate) const WHAT_CONCERNS_YOU: &str =
    "What concerns your teams and roles. Who else reads it, the owning team knows.";
pub(crate) const NO_GRANT: &str = "No grant to show";
pub(crate) const WHO_READS_IS_HERE: &str =
    "Once a request is approved, it is here who reads, why and until when.";
pub(crate) const GRANTS: &str = "Grants";
pub(crate) const WHO: &str = "Who";
pub(crate) const WHY: &str = "Why";
pub(crate) const MODE: &str = "Mode";
pub(crate) const UNTIL: &str = "Until";
pub(crate) const STATE: &str = "State";
pub(crate) const VERIFIED: &str = "Verified";
pub(crate) const FIRST_READ: &str = "First read";
pub(crate) const NOT_YET: &str = "not yet";

// As a declaration.
pub(crate) const AS_A_DECLARATION: &str = "As a declaration";
pub(crate) const WHAT_IS_LIVE_AS: &str = "What is live, as ";
pub(crate) const WOULD_HAVE_IT: &str =
    " would have it. Deploying it changes nothing; keep it in git and deploy what you change.";
pub(crate) const DECLARATION: &str = "Declaration";

// Changing it.
pub(crate) const CHANGE: &str = "Change ";

pub(crate) fn change(product: &dyn Display) -> String {
    format!("{CHANGE}{product}")
}

pub(crate) const ASK_PRODUCERS_TO_CHANGE_IT: &str =
    "Producers of the owning team change a product. What you would like otherwise, ask them: ";
pub(crate) const RETIRED_STAYS: &str = "A retired product stays as it is.";
pub(crate) const WHAT_IT_SAYS_AND_ITS_RULES: &str = "What it says and its rules";
pub(crate) const WHAT_A_CHANGE_DOES: &str = "Requests that wait are to be looked at again when its rules or its price change. Its tables, and how they may be read, are changed by ";
pub(crate) const ITS_DECLARATION: &str = "its declaration";
pub(crate) const REPLICAS_ON_THEIR_OWN_PAGES: &str =
    "; how fresh replicas are kept, on their own pages.";
pub(crate) const SAVE: &str = "Save";

// The fields of a product, also of one that is being registered.
pub(crate) const NAME: &str = "Name";
pub(crate) const NAME_HINT: &str = "Begins with the domain’s name; fixed once it is published.";
pub(crate) const TITLE: &str = "Title";
pub(crate) const TITLE_HINT: &str = "What people search for.";
pub(crate) const DESCRIPTION: &str = "Description";
pub(crate) const DESCRIPTION_HINT: &str =
    "What is in it, what it is good for, and what it is not. An empty line begins a paragraph.";
pub(crate) const TAGS: &str = "Tags";
pub(crate) const TAGS_HINT: &str = "With commas between them.";
pub(crate) const CLASSIFICATION: &str = "Classification";
pub(crate) const CLASSIFICATION_HINT: &str =
    "Of personal data a data-protection officer decides, too.";
pub(crate) const WHO_DECIDES: &str = "Who decides on requests";
pub(crate) const A_PRODUCER: &str = "A producer of the owning team";
pub(crate) const NOBODY: &str = "Nobody: whoever asks gets it at once";
pub(crate) const WHO_PAYS: &str = "Who pays for what crosses a border";
pub(crate) const THE_OWNING_TEAM: &str = "The owning team";
pub(crate) const WHOEVER_READS: &str = "Whoever reads";
pub(crate) const BASELINE: &str = "Baseline";
pub(crate) const BASELINE_HINT: &str =
    "Days between two full loads that savings are measured against.";

// Publishing and retiring it.
pub(crate) const PUBLISH_IT: &str = "Publish it";
pub(crate) const WHAT_PUBLISHING_DOES: &str = "Everybody finds it then and may ask for it. Its name and where its tables are stay as they are from then on.";
pub(crate) const RETIRE_IT: &str = "Retire it";
pub(crate) const CANNOT_BE_UNDONE: &str = "This cannot be undone";
pub(crate) const WHAT_RETIRING_DOES: &str = "Nobody can ask for it any more, and requests that wait are rejected with your reason. Grants are revoked first.";
pub(crate) const RETIRE_REASON_HINT: &str = "Those whose requests wait read it.";

pub(crate) fn write_to_confirm(name: &dyn Display) -> String {
    format!("Write {name} to confirm")
}

/// The first version whose history is shared.
pub(crate) fn from_version(start: u64) -> String {
    format!("from {start} on")
}
