//! The pages of flows of the old way and of copies that are adopted.

use std::fmt::Display;

use crate::words::plural;

// Flows.
pub(crate) const FLOWS_OF_THE_OLD_WAY: &str = "Flows of the old way";
pub(crate) const WHAT_FLOWS_ARE: &str = "How tables are brought to consumers without the exchange: full loads, reads from afar, FTP. Register them, let them run beside the \
     replica, compare the rows, and say when each was switched off: from that day the savings count.";
pub(crate) const WHAT_WAS_SAVED: &str = "What was saved since";
pub(crate) const NO_FLOW_YET: &str = "No flow is registered";
pub(crate) const WHO_REGISTERS_FLOWS: &str =
    "Producers of the owning team and finance register them.";
pub(crate) const PRODUCT: &str = "Product";
pub(crate) const FLOW: &str = "Flow";
pub(crate) const FROM_AND_TO: &str = "From and to";
pub(crate) const A_LOAD: &str = "A load";
pub(crate) const ROWS: &str = "Rows, compared with the replica";
pub(crate) const STATE: &str = "State";
pub(crate) const RUNS: &str = "runs";
pub(crate) const OFF_SINCE: &str = "switched off on ";
pub(crate) const NOT_COMPARED: &str = "not compared";
pub(crate) const A_COMPARISON_WAITS: &str = "A comparison waits for a worker.";
pub(crate) const ARE_THE_SAME: &str = "the same";
pub(crate) const DIFFER: &str = "differ";
pub(crate) const CANNOT_BE_SAID: &str = "cannot be said";
pub(crate) const ALL_TABLES: &str = "all tables";
pub(crate) const NOT_KNOWN: &str = "not known";

// What can be done with one.
pub(crate) const CHANGE: &str = "Change";
pub(crate) const OFF_ON: &str = "Switched off on";
pub(crate) const OFF_HINT: &str = "A day or an instant in UTC; empty while it runs.";
pub(crate) const SAVE: &str = "Save";
pub(crate) const COMPARE: &str = "Compare the rows";
pub(crate) const TAKE_OUT: &str = "Take out";

// Registering.
pub(crate) const REGISTER_A_FLOW: &str = "Register a flow";
pub(crate) const TABLE: &str = "Table";
pub(crate) const TABLE_HINT: &str = "As schema.name; empty for all tables of the product.";
pub(crate) const KIND: &str = "How it is fetched";
pub(crate) const WEEKLY_FULL_LOAD: &str = "Whole, once a week";
pub(crate) const DAILY_FULL_LOAD: &str = "Whole, once a day";
pub(crate) const DIRECT_READS: &str = "Read in place, from elsewhere";
pub(crate) const FTP: &str = "As files by FTP, once a week";
pub(crate) const CONSUMERS: &str = "Consumers";
pub(crate) const CONSUMERS_HINT: &str = "How many fetch it, each for themselves.";
pub(crate) const FROM: &str = "From";
pub(crate) const FROM_HINT: &str = "As aws:eu-central-1; empty for where the table lies.";
pub(crate) const TO: &str = "To";
pub(crate) const TO_HINT: &str = "As azure:westeurope.";
pub(crate) const LOAD_BYTES: &str = "Bytes of a load";
pub(crate) const LOAD_BYTES_HINT: &str =
    "Of one consumer; of direct reads, of a week. Empty for what the table holds.";
pub(crate) const COPY_STORAGE: &str = "Storage with the old copy";
pub(crate) const COPY_STORAGE_HINT: &str = "Its name, if the rows are to be compared.";
pub(crate) const COPY_PATH: &str = "Folder of the old copy";
pub(crate) const COPY_PATH_HINT: &str = "A Delta table or Parquet files.";
pub(crate) const IMPORT_A_LIST: &str = "Register a list";
pub(crate) const THE_LIST: &str = "The list";
pub(crate) const LIST_HINT: &str = "CSV with the columns table, kind, consumers, from, to, as an assessment takes it. All of it is registered, or nothing.";
pub(crate) const NOT_A_NUMBER: &str = "write a number, or leave it empty";

// Answers.
pub(crate) const IS_SWITCHED_OFF: &str =
    "The flow is switched off; from that day the savings count.";
pub(crate) const RUNS_AGAIN: &str = "The flow runs, and counts as no saving.";
pub(crate) const A_COMPARISON_IS_ASKED_FOR: &str =
    "A worker compares the rows; what it finds is told here.";
pub(crate) const IS_TAKEN_OUT: &str = "The flow is taken out.";

pub(crate) fn is_registered(product: &dyn Display) -> String {
    format!("A flow of {product} is registered.")
}

pub(crate) fn are_registered(flows: usize) -> String {
    let flows = u64::try_from(flows).unwrap_or(u64::MAX);
    format!("Registered: {}.", plural(flows, "flow", "flows"))
}

pub(crate) fn fetched_by(kind: &str, consumers: u32) -> String {
    let consumers = plural(u64::from(consumers), "consumer", "consumers");
    format!("{kind}, {consumers}")
}

// Adopting.
pub(crate) const ADOPT_A_COPY: &str = "Adopt a copy that is there already";
pub(crate) const IS_A_COPY_THERE: &str =
    "Does a copy lie in the storage already? Name it before the first sync";
pub(crate) const ADOPTED_COPIES: &str = "Adopted copies";
pub(crate) const WHAT_ADOPTING_IS: &str = "Where a copy of a table lies in the replica's storage already, from full loads, a bucket sync or a deep clone, the first sync takes \
     over what is the same, within the storage, and fetches only the rest. The copy itself is read and never written. Name it before the \
     first sync, best before the request for the replica is approved.";
pub(crate) const NAME_A_COPY: &str = "Name a copy";
pub(crate) const ONLY_TABLE_HINT: &str =
    "As schema.name; may be left out where the product has one table.";
pub(crate) const STORAGE: &str = "Storage";
pub(crate) const STORAGE_HINT: &str = "Where the copy lies and the replica is made.";
pub(crate) const FOLDER: &str = "Folder";
pub(crate) const FOLDER_HINT: &str =
    "Relative to the storage. Empty: nothing is adopted after all.";
pub(crate) const BY_ENDS: &str = "Where the source says nothing of a file's content";
pub(crate) const FETCH_IT: &str = "Fetch the file";
pub(crate) const COMPARE_ENDS: &str = "Compare sizes and the last 8 KiB of Parquet files";
pub(crate) const LOOK_AND_NAME_IT: &str = "Look at it, and name it";
pub(crate) const NO_COPY_YET: &str = "No copy was named yet";
pub(crate) const WHO_NAMES_COPIES: &str = "Producers of the team that owns the product name them.";
pub(crate) const SERVES: &str = "Serves";
pub(crate) const TO_FETCH: &str = "To be fetched";
pub(crate) const TAKEN_OVER: &str = "Taken over from a copy in the storage";
pub(crate) const WAITS_FOR_THE_FIRST_SYNC: &str = "waits for the first sync";
pub(crate) const THE_RUN: &str = "the run";
pub(crate) const THE_COPY_IS_NAMED: &str = "The copy serves, and the first sync takes it over.";
pub(crate) const NOTHING_IS_ADOPTED: &str =
    "Nothing is adopted; the first sync fetches everything.";
