//! The Delta Sharing protocol (also called OpenSharing), provider's side, over one port: [`Gate`].
//!
//! Lives here: the routes, the wire types, the capabilities header, list pages, the rendering of a snapshot in both
//! response formats and the protocol's error codes. Does not live here: who may see what, where a recipient reads,
//! signing, the database. Those are behind [`Gate`]; the server implements it.
//!
//! # What is served
//!
//! Under the prefix where [`router`] is mounted (`/delta-sharing`), every call with `Authorization: Bearer <token>`:
//!
//! | call | answer |
//! |---|---|
//! | `GET /shares`, `GET /shares/{share}` | the shares that the recipient has |
//! | `GET /shares/{share}/schemas`, `…/schemas/{schema}/tables`, `GET /shares/{share}/all-tables` | what is in them |
//! | `GET …/tables/{table}` | one table, as listed |
//! | `GET …/tables/{table}/version`, `HEAD …/tables/{table}` | `Delta-Table-Version` of the latest version, or of the first since `startingTimestamp` |
//! | `GET …/tables/{table}/metadata` | two lines: protocol and metadata of the latest version, or of `version` or `timestamp` |
//! | `POST …/tables/{table}/query` | these two lines and one line per file, with a signed URL: of the latest version, of `version` or `timestamp`, or of what was added and removed since `startingVersion` |
//! | `GET …/tables/{table}/changes` | these two lines and one line per file of the change data feed |
//! | `POST …/tables/{table}/queries/{query}` | the answer to a query that was to be answered later, or that it is not there yet |
//!
//! Names are compared without regard to case. What a recipient has no grant for answers like what does not exist: 404.
//! Lists are paged: `maxResults` is clamped to [`Options::max_results`]; `nextPageToken` is opaque, holds for the same
//! recipient and the same list only, and continues behind the last item seen, so that a list that changes meanwhile
//! neither repeats nor skips what stays. The last page has no token.
//!
//! `/query` is written as it is signed, in pieces of 500 files, so that neither memory nor the time to the first byte
//! grows with the table. Predicates are hints: a file is left out where its partition values or statistics make certain that
//! none of its rows matches, and never otherwise. `limitHint` is honoured where the files' statistics say how many rows they
//! hold, and all of them match. A failure after the answer has begun ends in an
//! `endStreamAction` with an `errorMessage` when the client negotiated one; else the connection breaks off, so that no
//! client takes half a table for a whole one.
//!
//! Older versions, by number or by time, are shared where the gate says so ([`Readable::history`]), and the change data feed
//! where it says that ([`Readable::changes`]); neither from a replica, whose versions are its own. All versions asked for are
//! read before an answer begins: one without its commit, without recorded changes or with a feature that is not served is an
//! error that says which. `maxFiles` makes pages, of changes and of the files of a version; a token holds for the same recipient
//! and the same request for three days, and pins the versions of the first page. With `includeRefreshToken` an answer ends with
//! a token by which the same files get new URLs for a day, whatever was committed since. Files that come in pages are in the
//! order of their paths, else in that of the log, where they are few.
//!
//! A client with the capability `asyncquery` is told the id of its query and asks for the files under that id
//! (`POST …/queries/{query}`); the same `idempotencyKey` is the same query.
//!
//! The state of a table is kept between requests ([`States`]) and carried on from new commits; each request looks at the log's
//! newest names first. While an answer is written its state is held: so many at once, and fewer for one recipient.
//! Who finds no place within 20 s is told 429; a client that takes nothing of its answer for a minute gets no more of it.
//!
//! # What is refused
//!
//! A token of another table, of another request or of nobody's answers 400 with a sentence. A table that needs a feature this
//! server or the client lacks answers 400 `UNSUPPORTED_OPERATION` and names it.
//!
//! # Which tables
//!
//! Deletion vectors, column mapping, widened types and variants are told in the delta format, to a client that names the feature
//! (`features`): paths and deletion vectors become signed URLs, everything else passes as the log has it. How the log is
//! written (V2 and multi-part checkpoints, compacted commits, in-commit timestamps) no client sees.
//!
//! Errors are `{"errorCode", "message"}`; nothing a user did wrong answers 429 or 5xx, because clients repeat those. A
//! 5xx carries a request id and no detail; the detail is in the log under the same id.
//!
//! The rules cited as C1…C7, E1…E12 and H1…H9 are those of the protocol's checklist: `PROTOCOL.md` of delta-io/delta-sharing
//! and the behaviour of its clients.

mod access_log;
mod capabilities;
mod changes;
mod error;
mod features;
mod files;
mod gate;
mod hints;
mod history;
mod later;
mod lend;
mod lines;
mod lists;
mod narrow;
mod page;
mod query;
mod request;
mod routes;
mod schema;
mod slots;
mod states;
mod stream;
mod tables;
#[cfg(test)]
mod tests;
mod wire;

#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;

pub use access_log::{Endpoint, Escaped, Outcome, QueryRecord};
pub use features::READER_FEATURES;
pub use gate::{Gate, Readable, Reader, Refused, ShareInfo, Shared, Side, SignedFile, Temporary};
pub use later::{Queries, QueryKept, QueryNew, QueryState};
pub use narrow::Narrow;
pub use request::Peer;
pub use routes::{Options, router};
pub use states::States;
