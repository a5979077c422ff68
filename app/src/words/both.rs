//! What the pages of the server and the program in the browser both say.

pub(crate) const SERVER_UNREACHABLE: &str = "The server could not be reached. Please try again.";

// The button that copies.
pub(crate) const COPIED: &str = "Copied";
pub(crate) const COPY: &str = "Copy";
