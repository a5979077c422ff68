//! What the catalog says: the search, the filters beside it, and the products found.

use std::fmt::Display;

use super::bytes;
use super::plural;

pub(crate) const CATALOG: &str = "Catalog";
pub(crate) const DATA_PRODUCTS_OF_ALL: &str =
    "Data products of the whole company, and how far you have access.";

// The search.
pub(crate) const SEARCH_PRODUCTS: &str = "Search products";
pub(crate) const SEARCH_HINT: &str = "Words of a name, a title, a description, a table or a column";
pub(crate) const SEARCH: &str = "Search";
pub(crate) const ORDER: &str = "Order";
pub(crate) const BEST_MATCH: &str = "Best match";
pub(crate) const BY_NAME: &str = "A–Z";

// The filters.
pub(crate) const FILTERS: &str = "Filters";
pub(crate) const FILTERS_THAT_HOLD: &str = "Filters that hold";
pub(crate) const REMOVE_THE_FILTER: &str = "Remove the filter ";
pub(crate) const MY_ACCESS: &str = "My access";
pub(crate) const DOMAIN: &str = "Domain";
pub(crate) const TEAM: &str = "Team";
pub(crate) const CLOUD: &str = "Cloud";
pub(crate) const REGION: &str = "Region";
pub(crate) const CLASSIFICATION: &str = "Classification";
pub(crate) const STATE: &str = "State";

pub(crate) fn filter_set_to(filter: &dyn Display, value: &dyn Display) -> String {
    format!("{filter}: {value}")
}

// What was found.
pub(crate) const TAGS: &str = "Tags";

pub(crate) fn products(found: u64) -> String {
    plural(found, "product", "products")
}

/// `3 tables, 1 200 rows, 1.2 GB`.
pub(crate) fn size(tables: u64, rows: Option<u64>, size: u64) -> String {
    let tables = plural(tables, "table", "tables");
    let rows = rows
        .map(|rows| format!("{}, ", plural(rows, "row", "rows")))
        .unwrap_or_default();
    format!("{tables}, {rows}{}", bytes(size))
}

// Nothing was found.
pub(crate) const NOTHING_PUBLISHED: &str = "Nothing is published yet";
pub(crate) const PRODUCERS_REGISTER_TABLES: &str =
    "Producers register their tables as products; what they publish is found here.";
pub(crate) const NO_PRODUCT_FITS: &str = "No product fits";
pub(crate) const TRY_FEWER_WORDS: &str =
    "Every word must begin a word of the product. Try fewer or shorter words.";
pub(crate) const SEARCH_WITHOUT_FILTERS: &str = "Search without filters";
pub(crate) const SHOW_ALL_PRODUCTS: &str = "Show all products";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_leaves_out_what_is_not_known() {
        assert_eq!(size(1, Some(2), 1_000), "1 table, 2 rows, 1.0 kB");
        assert_eq!(size(2, None, 0), "2 tables, 0 B");
    }
}
