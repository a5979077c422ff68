//! Lists that are answered as JSON, a page at a time, or as one CSV file.

use exchange::page::PageRequest;
use serde::Deserialize;

use crate::call::Accepted;
use crate::problem::Problem;

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Json,
    Csv,
}

/// By `?format=`, else by what the client accepts.
pub(crate) fn is_csv(format: Option<Format>, accepted: &Accepted) -> bool {
    match format {
        Some(format) => format == Format::Csv,
        None => accepted.csv,
    }
}

/// A file is whole: pages of it are refused.
pub(crate) fn no_page(page: &PageRequest, of: &str) -> Result<(), Problem> {
    for (name, is_given) in [
        ("after", page.after.is_some()),
        ("limit", page.limit.is_some()),
    ] {
        if is_given {
            let why = format!("leave it out: the CSV holds all {of}");
            return Err(Problem::invalid(name, why));
        }
    }
    Ok(())
}
