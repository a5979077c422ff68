//! What registering products says, step by step, and what keeps from the next step.

use std::fmt::Display;

use super::plural;

pub(crate) const REGISTER_PRODUCTS: &str = "Register products";
pub(crate) const YOUR_TABLES_STAY: &str =
    "Your tables stay where they are. Say where, describe them, and publish; several at once.";

// The steps.
pub(crate) const STEPS: &str = "Steps";
pub(crate) const DONE: &str = "Done: ";
pub(crate) const WHERE_THE_TABLES_ARE: &str = "Where the tables are";
pub(crate) const WHICH_TABLES: &str = "Which tables";
pub(crate) const WHAT_THEY_ARE: &str = "What they are";
pub(crate) const WHO_GETS_ACCESS: &str = "Who gets access";
pub(crate) const REVIEW_AND_PUBLISH: &str = "Review and publish";
pub(crate) const BACK: &str = "Back";

// What keeps from the next step.
pub(crate) const PRODUCER_OF_NO_TEAM: &str = "You are a producer of no team";
pub(crate) const ASK_TO_BECOME_A_PRODUCER: &str = "Producers register their team’s tables. Ask an administrator, or a producer of your team, to make you one.";
pub(crate) const NO_STORAGE_YET: &str = "No storage yet";
pub(crate) const ASK_FOR_A_STORAGE: &str = "Tables are registered from storages. Ask an administrator to make one for the place where yours lie.";
pub(crate) const CHOOSE_THE_STORAGE: &str = "Choose the storage that the tables are in.";
pub(crate) const CHOOSE_THE_TEAM: &str = "Choose the team that will own them.";
pub(crate) const TICK_A_TABLE: &str = "Tick at least one table.";
pub(crate) const MORE_THAN_THE_PAGE_CARRIES: &str = "That is more than this page can carry. Shorten it here and write the rest into the YAML at the end, or tick fewer tables.";

pub(crate) fn too_many_tables(count: usize, most: usize) -> String {
    format!(
        "These are {count}; at most {most} go this way. Tick fewer, or let all of them be written as YAML."
    )
}

// Where the tables are.
pub(crate) const OF_EACH: &str = "Of each ";
pub(crate) const STORAGE_LINK: &str = "storage";
pub(crate) const THE_DOCTOR_SAYS: &str = " the doctor says whether it can be read and shared from.";
pub(crate) const STORAGE: &str = "Storage";
pub(crate) const FOLDER: &str = "Folder";
pub(crate) const FOLDER_HINT: &str = "Tables below it are found; empty for all of the storage.";
pub(crate) const OWNING_TEAM: &str = "Team that will own them";
pub(crate) const LOOK_FOR_TABLES: &str = "Look for tables";

// Which tables.
pub(crate) const NO_TABLE_THERE: &str = "There is no table there";
pub(crate) const LOOK_IN_ANOTHER_FOLDER: &str = "A table is a folder with a Delta log in it. Look in another folder or another storage; folders of other teams are not shown.";
pub(crate) const LOOK_ELSEWHERE: &str = "Look elsewhere";
/// Before the most tables that go at once; [`BECOMES_ONE_PRODUCT`] comes after it.
pub(crate) const WHAT_YOU_TICK_AT_MOST: &str = "What you tick, at most ";
pub(crate) const BECOMES_ONE_PRODUCT: &str = " at once, becomes one product: it is described, asked for and granted as one. Make another product of the rest afterwards.";
pub(crate) const TABLES_FOUND: &str = "Tables found";
pub(crate) const TABLE: &str = "Table";
pub(crate) const ROWS: &str = "Rows";
pub(crate) const SIZE: &str = "Size";
pub(crate) const TO_KNOW: &str = "To know";
pub(crate) const DESCRIBE_THEM: &str = "Describe them";

pub(crate) fn found(all: usize, usable: usize) -> String {
    let tables = plural(all as u64, "table", "tables");
    if usable == all {
        format!("Found: {tables}.")
    } else {
        format!("Found: {tables}, of which {usable} can be registered.")
    }
}

pub(crate) fn not_shared(feature: &dyn Display) -> String {
    format!("It will be shown, but neither shared nor cloned: {feature}.")
}

pub(crate) fn not_cloned(feature: &dyn Display) -> String {
    format!("It will be shared, but not cloned: {feature}.")
}

/// Before what is told of each.
pub(crate) const IS_THERE_ALREADY: &str = "The same is there already under another name: ";

// The other way.
pub(crate) const OR_ALL_AS_TEXT: &str = "Or all of them as text";
pub(crate) const A_PRODUCT_FOR_EACH_FOLDER: &str = "A product for each folder that holds tables, written as one declaration, which you then complete by hand.";
pub(crate) const WRITE_ALL_AS_YAML: &str = "Write all of them as YAML";

// What they are; what a product's fields are called, `product` says.
pub(crate) const ONE_PRODUCT_OF_THE_TEAM: &str = "One product of the team ";
pub(crate) const FROM_THE_STORAGE: &str = ", from the storage ";
pub(crate) const CHOOSE: &str = "Choose …";
pub(crate) const DESCRIPTION_HINT: &str = "What is in it, what it is good for, and what it is not. An empty line begins a paragraph. A long one goes into the declaration at the end.";
pub(crate) const NAMES_OF_THE_TABLES: &str = "Names of the tables";
pub(crate) const NAME_FOR_READERS: &str = "Name for readers";
pub(crate) const NAME: &str = "Name";
pub(crate) const SCHEMA: &str = "Schema";
pub(crate) const SAY_WHO_GETS_ACCESS: &str = "Say who gets access";

/// `Name of warranty/claims`.
pub(crate) fn field_of_table(field: &dyn Display, path: &dyn Display) -> String {
    format!("{field} of {path}")
}

// Who gets access.
pub(crate) const OFFICER_DECIDES_TOO: &str =
    "It is personal data: a data-protection officer decides on every request, too.";
pub(crate) const OLDER_VERSIONS: &str = "Readers may read older versions";
pub(crate) const OLDER_VERSIONS_HINT: &str = "Time travel, as far back as the table keeps it.";
pub(crate) const WHAT_CHANGED: &str = "Readers may read what changed";
pub(crate) const WHAT_CHANGED_HINT: &str = "Only of tables that have a change data feed.";
pub(crate) const WHEN_IT_IS_PUBLISHED: &str = "When it is published";
pub(crate) const PUBLISHED_AT_ONCE: &str = "At once: everybody finds it and may ask for it";
pub(crate) const PUBLISHED_LATER: &str = "Later: it is a draft, which only the team sees";
pub(crate) const REVIEW_IT: &str = "Review it";

// Review and publish.
pub(crate) const ABOUT_THE_DECLARATION: &str = "This is the declaration that the products will equal. Change it here as you like; what you change here does not go back into the steps before. A classification is ";
/// Between the classifications that there are.
pub(crate) const OR: &str = " or ";
pub(crate) const KEEP_IT_IN_GIT: &str =
    ". Keep a copy in git and you can deploy changes from there.";
pub(crate) const DECLARATION: &str = "Declaration";
pub(crate) const SHOW_WHAT_PUBLISHING_DOES: &str = "Show what publishing does";
pub(crate) const WHAT_PUBLISHING_DOES: &str = "What publishing does";
pub(crate) const PUBLISH: &str = "Publish";
