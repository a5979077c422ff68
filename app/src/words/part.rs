//! What people read about the part of a product that an access opens.

pub(crate) const PART: &str = "Part of the product";
pub(crate) const ALL_ROWS: &str =
    "Every row of every table, also of tables that come later, is opened.";
pub(crate) const SOME_ROWS: &str = "Opened is where this holds, also in tables that come later:";
pub(crate) const BY_URL: &str = "Files are read by URL alone.";
pub(crate) const BY_DIRECTORY: &str = "The recipient may have a credential that reads the tables’ folders for up to an hour. What is read with it is \
     not counted, and it cannot be taken back.";
pub(crate) const SOME_ROWS_ONLY: &str = "some rows only";
pub(crate) const WHOLE_FOLDERS: &str = "credentials for folders";
pub(crate) const ROWS: &str = "Only rows where";
pub(crate) const ROWS_HINT: &str = "Conditions on partition columns of every table: country = 'DE' and year in (2024, 2025), or country = ${recipient.country}. \
     Empty: every row.";
pub(crate) const DIRECTORY: &str = "Give credentials for whole folders";
pub(crate) const DIRECTORY_HINT: &str = "For clients that read a table’s files themselves. What they read is not counted and ends only with the credential; not \
     together with conditions on rows.";
pub(crate) const KEEP_PART: &str = "Change the part";
pub(crate) const SAID_SO_FAR: &str = "So far it was said that only rows are opened where ";
pub(crate) const PART_IS_CHANGED: &str =
    "Changed. It holds at once; only URLs that stores have signed work until they end.";
/// Of a decision on live access: over what is folded.
pub(crate) const CONDITIONS: &str =
    "Conditions: some rows only, credentials for folders, bytes a day";
pub(crate) const DECIDED_LATER: &str =
    "What part of the product it opens can be said with a yes, and changed later.";
