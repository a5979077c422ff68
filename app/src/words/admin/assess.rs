//! The page of the assessment.

use std::fmt::Display;

use model::dto::AssessedKind;

pub(crate) const ASSESSMENT: &str = "Assessment";
pub(crate) const WHAT_IT_IS: &str = "What moving tables that are there already costs today, and what one clone for all would have cost. Only logs are read, and nothing is written.";
pub(crate) const BEGIN: &str = "Begin an assessment";
pub(crate) const BEGIN_IT: &str = "Assess";
pub(crate) const STORAGE: &str = "Storage";
pub(crate) const FOLDER: &str = "Folder";
pub(crate) const FOLDER_HINT: &str = "All tables below it; empty for the whole storage.";
pub(crate) const DAYS: &str = "Days to look back";
pub(crate) const EVERY: &str = "From sync to sync";
pub(crate) const EVERY_HINT: &str = "Hours or days: 12h, 2d. Empty for a day.";
pub(crate) const TO: &str = "Where the consumers are";
pub(crate) const TO_HINT: &str = "azure:westeurope; counts where no flows are given.";
pub(crate) const FLOWS: &str = "Today's flows";
pub(crate) const FLOWS_HINT: &str = "CSV with the columns table,kind,consumers,from,to. Kinds are weekly full load, daily full load, direct reads and FTP.";
pub(crate) const DAYS_ARE_A_NUMBER: &str = "write a number of days";
pub(crate) const NONE_YET: &str = "No assessment yet";
pub(crate) const HOW_TO_GET_ONE: &str =
    "Choose a storage above. It goes on by itself, and what comes of it is kept.";
pub(crate) const CAME_TO_NOTHING: &str = "It came to nothing.";
pub(crate) const IN_ALL: &str = "In all";
pub(crate) const WAY: &str = "Way";
pub(crate) const BYTES: &str = "Bytes that cross";
pub(crate) const FIRST_COPY: &str = "Of these the first copy";
pub(crate) const MONEY: &str = "Money";
pub(crate) const REMARK: &str = "Remark";
pub(crate) const NOT_AVAILABLE: &str = "–";
pub(crate) const AGAINST_READING_LIVE: &str = "Each way against reading live";
pub(crate) const AGAINST_TODAY: &str = "Each way against today's flows";
pub(crate) const BASELINE: &str = "Measured against";
pub(crate) const THIS_WAY: &str = "This way";
pub(crate) const TABLES: &str = "Tables";
pub(crate) const TABLE: &str = "Table";
pub(crate) const SIZE: &str = "Size";
pub(crate) const COMMITS: &str = "Commits";
pub(crate) const THE_PREFIX_ITSELF: &str = "the folder itself";
pub(crate) const OTHER_FOLDERS: &str = "Other folders";
pub(crate) const FORMAT: &str = "Format";
pub(crate) const WHAT_IS_POSSIBLE: &str = "What is possible";
pub(crate) const LEFT_OUT: &str = "What was left out";
pub(crate) const ASSUMED: &str = "What was assumed";
pub(crate) const DECLARATION: &str = "To deploy";
pub(crate) const DECLARATION_LEAD: &str = "A declaration of these tables and of one clone per place. Where it says choose, somebody has to choose.";
pub(crate) const STARTED: &str = "The assessment runs.";
pub(crate) const ASSESSMENTS: &str = "Assessments";
pub(crate) const HOW_MANY_ARE_KEPT: &str = "The last 20 are kept.";
pub(crate) const BEGUN: &str = "Begun";
pub(crate) const PLACE: &str = "What was assessed";
pub(crate) const STATE: &str = "State";
pub(crate) const RUNS: &str = "Runs";
pub(crate) const DONE: &str = "Done";
pub(crate) const FAILED: &str = "Failed";
pub(crate) const CANCELLED: &str = "Ended early";
pub(crate) const CANCEL: &str = "End it";
pub(crate) const WAS_CANCELLED: &str = "Somebody ended it before it was done.";
pub(crate) const IS_CANCELLED: &str = "The assessment was ended.";

pub(crate) fn runs_since(place: &dyn Display) -> String {
    format!("{place} is being assessed, since ")
}

pub(crate) fn assessment_of(place: &dyn Display) -> String {
    format!("Assessment of {place}")
}

pub(crate) fn progress(done: u64, tables: Option<u64>) -> String {
    match tables {
        None => "Tables are being looked for.".to_owned(),
        Some(tables) => format!(
            "The logs of {} of {} have been read.",
            crate::words::count(done),
            crate::words::plural(tables, "table", "tables")
        ),
    }
}

pub(crate) fn place_and_days(place: &dyn Display, days: u32, every_hours: u32) -> String {
    format!("{place}, the last {days} days, a sync every {every_hours} hours. Looked at ")
}

pub(crate) fn more_folders(more: u64) -> String {
    format!(
        "{} more; GET /api/v1/assessment tells of all.",
        crate::words::plural(more, "folder", "folders")
    )
}

pub(crate) fn more_tables(more: u64) -> String {
    format!(
        "{} more are in the totals; GET /api/v1/assessment tells of all.",
        crate::words::plural(more, "table", "tables")
    )
}

pub(crate) fn unpriced(bytes: &dyn Display) -> String {
    format!("{bytes} have no price.")
}

pub(crate) fn share(percent: u64, is_less: bool) -> String {
    if is_less {
        format!("{percent} % less")
    } else {
        format!("{percent} % more")
    }
}

pub(crate) const fn kind(kind: AssessedKind) -> &'static str {
    match kind {
        AssessedKind::Today => "Today's flows",
        AssessedKind::Live => "Read live",
        AssessedKind::Clone => "One clone, file by file",
        AssessedKind::CloneFeed => "With change feed",
        AssessedKind::CloneSkip => "With compaction skipped",
        AssessedKind::CloneBoth => "With both",
    }
}
