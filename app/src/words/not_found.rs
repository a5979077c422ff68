//! What an address says at which there is nothing, or nothing that one may see.

pub(crate) const NOT_FOUND: &str = "Not found";
pub(crate) const NOTHING_IS_LANDED_HERE: &str = "Nothing is landed here";
pub(crate) const WHY_NOTHING_IS_HERE: &str = "There is no page at this address, or you may not see it. The link may be old, or a letter may be missing.";
pub(crate) const GO_TO_THE_HOME_PAGE: &str = "Go to the home page";
