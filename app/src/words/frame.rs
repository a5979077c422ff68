//! What stands around every page, and the errors that any page can show.

use std::fmt::Display;

// Around every page.
pub(crate) const SKIP_TO_THE_CONTENT: &str = "Skip to the content";
pub(crate) const ENTREPOT: &str = "Entrepôt";
pub(crate) const WHAT_ENTREPOT_IS: &str =
    "Entrepôt, a data exchange. Landed once, read by everybody.";
pub(crate) const REST_INTERFACE: &str = "REST interface";

// The title of a page.

pub(crate) fn page_title(page: &dyn Display) -> String {
    format!("{page} · Entrepôt")
}

// Errors that any page can show.
pub(crate) const FORM_COULD_NOT_BE_READ: &str = "The form could not be read.";
pub(crate) const FORM_COULD_NOT_BE_READ_LOAD_AGAIN: &str =
    "The form could not be read. Load the page again.";
pub(crate) const NOT_SIGNED_IN_ANY_MORE: &str =
    "You are not signed in any more. Sign in, then send it again.";
pub(crate) const DOES_NOT_EXIST: &str = "This does not exist, or you may not see it.";

pub(crate) fn went_wrong_on_our_side(request_id: &str) -> String {
    format!(
        "Something went wrong on our side. Please quote request {request_id} when you report it."
    )
}
