//! What people read about cuts: what narrower replicas of a product hold.

use std::fmt::Display;

pub(crate) const CUTS: &str = "Cuts";
pub(crate) const WHAT_CUTS_ARE: &str = "A cut is a narrower replica of the product: columns are left out, values hashed, rows kept only where they fit. Who has \
     access by a cut reads its replica and nothing else; what is left out stands in none of its files.";
pub(crate) const NO_CUT_YET: &str = "No cut yet";
pub(crate) const ONLY_THE_WHOLE: &str = "Access is to the whole product.";
pub(crate) const RETIRED: &str = "retired";

pub(crate) fn cuts_of(product: &dyn Display) -> String {
    format!("Cuts of {product}")
}

// One of them.
pub(crate) const EDITION: &str = "Edition";
pub(crate) const ACCESSES: &str = "Accesses by it";
pub(crate) const NOT_IN_IT: &str = "Not in it";
pub(crate) const COLUMN: &str = "Column";
pub(crate) const TYPE: &str = "Type";
pub(crate) const IN_THE_CUT: &str = "In the cut";
pub(crate) const KEPT: &str = "kept";
pub(crate) const HASHED: &str = "hashed";
pub(crate) const LEFT_OUT: &str = "left out";
pub(crate) const LATER: &str = "left out: came later";
pub(crate) const PARTITION: &str = "partition";
pub(crate) const ROWS_WHERE: &str = "Only rows where ";
pub(crate) const EVERY_ROW: &str = "Every row.";
pub(crate) const LATER_TABLES: &str = "A table that the product gets later is in no cut before somebody puts it there. A column that a table gets later is \
     left out until an edition is made that gives it.";
pub(crate) const ASK_FOR_IT: &str = "Ask for this cut";
pub(crate) const MAY_BE_HASHED_ALIKE: &str = "The same value has the same hash everywhere in one edition, so that tables can be joined by it; in another edition or cut it \
     has another.";

pub(crate) fn edition(number: i64, why: &str) -> String {
    let why = match why {
        "made" => "as it was made",
        "rotated" => "another key",
        _ => "changed",
    };
    format!("{number}, {why}, ")
}

pub(crate) fn name_and_edition(name: &dyn Display, edition: Option<i64>) -> String {
    match edition {
        Some(edition) => format!("cut {name}, edition {edition}"),
        None => format!("cut {name}"),
    }
}

pub(crate) fn table_to_choose(table: &str, cut: Option<&dyn Display>) -> String {
    match cut {
        Some(cut) => format!("{table}: what becomes of its columns in the cut {cut}"),
        None => format!("{table}: what becomes of its columns in a new cut"),
    }
}

/// A line for each of them.
pub(crate) const NAMES_KEPT: &str = "kept: ";
pub(crate) const NAMES_HASHED: &str = "hashed: ";
pub(crate) const NAMES_LEFT_OUT: &str = "left out: ";
pub(crate) const NAMES_LATER: &str = "left out, for nobody has agreed to them yet: ";

pub(crate) fn table_of_cut(table: &str, cut: &dyn Display) -> String {
    format!("{table} in the cut {cut}")
}

// Making and changing one.
pub(crate) const MAKE_A_CUT: &str = "Make a cut";
pub(crate) const NAME: &str = "Name";
pub(crate) const NAME_HINT: &str =
    "Lower case, such as without-names. Requests name it, so it stays.";
pub(crate) const DESCRIPTION: &str = "What it is for";
pub(crate) const DESCRIPTION_HINT: &str = "Read by who asks and by who decides.";
pub(crate) const TABLE_IS_IN_IT: &str = "This table is in the cut";
pub(crate) const MORE_LEFT_OUT: &str = "Also left out";
pub(crate) const MORE_HASHED: &str = "Also hashed";
pub(crate) const IN_STRUCTS_HINT: &str =
    "Columns in structs, such as customer.name, with commas between them.";
pub(crate) const ROWS: &str = "Only rows where";
pub(crate) const ROWS_HINT: &str = "country = 'DE' and year in (2024, 2025); columns of text, whole numbers, dates, and true or false. Empty: every row.";
pub(crate) const CANNOT_BE_CLONED: &str = "This table cannot be cloned, so no cut has it.";
pub(crate) const CHANGE_IT: &str = "Change this cut";
pub(crate) const CHANGE_HINT: &str = "Other tables, columns or rows make another edition with replicas of its own, copied from the beginning. While somebody has access \
     by the cut, it may be changed to give less, not more.";
pub(crate) const WITH_LATER: &str = "Give what came later, too";
pub(crate) const WITH_LATER_HINT: &str = "Columns that its tables have got since the edition was made, and that are neither left out nor hashed. It makes another edition, and \
     is refused while somebody has access by the cut that was approved without them: make another cut then.";
pub(crate) const CAME_LATER: &str = "Came later and left out";
pub(crate) const AT_ONCE: &str = "Stop reading at once";
pub(crate) const AT_ONCE_HINT: &str = "Nobody reads the replicas of the edition before any more, from now on, and they are deleted. Else they are read until the new ones \
     stand.";
pub(crate) const KEEP_IT: &str = "Keep the change";
pub(crate) const ANOTHER_KEY: &str = "Another key";
pub(crate) const ANOTHER_KEY_HINT: &str = "What is hashed gets other hashes, so that nobody joins what is read from now on with what was read before. The replicas are \
     copied from the beginning.";
pub(crate) const ROTATE: &str = "Rotate the key";
pub(crate) const RETIRE: &str = "Retire this cut";
pub(crate) const RETIRE_HINT: &str = "No new access is given by it. What stands goes on.";

pub(crate) fn column_of(column: &str, table: &str) -> String {
    format!("{column} of {table}")
}

pub(crate) fn is_made(name: &dyn Display) -> String {
    format!("The cut {name} is made. Its replica is copied once somebody has access by it.")
}

pub(crate) fn is_changed(name: &dyn Display, edition: i64) -> String {
    format!("The cut {name} is changed; it is in edition {edition}.")
}

pub(crate) fn is_rotated(name: &dyn Display, edition: i64) -> String {
    format!("The cut {name} has another key from edition {edition} on.")
}

pub(crate) fn is_retired(name: &dyn Display) -> String {
    format!("The cut {name} is retired. What stands by it goes on.")
}

// Asking for one.
pub(crate) const HOW_MUCH: &str = "How much of it";
pub(crate) const HOW_MUCH_HINT: &str = "The whole product, or a cut of it. A cut may be all that the purpose needs, and is easier to say yes to.";
pub(crate) const WHOLE_PRODUCT: &str = "The whole product";
pub(crate) const WHAT_IT_GIVES: &str = "What it gives";
pub(crate) const CUT: &str = "Cut";
pub(crate) const BY_REPLICA_ALONE: &str = "It opens this cut and nothing else of the product: read from its replica, never from the producer’s files.";
