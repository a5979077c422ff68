//! Marks in the query of signed URLs, so that a store's access log says for whom and for which query an object was read. Stores
//! keep parameters that begin with `x-` in their logs and ignore them otherwise.

/// The recipient's name.
pub const RECIPIENT: &str = "x-entrepot-recipient";
/// The query's id in the access log of the sharing protocol.
pub const QUERY: &str = "x-entrepot-query";
