//! Narrowed replicas: columns of the source left out, values hashed, rows chosen. Such a replica is a table of its own: every data file of
//! it is written here, one for each file of the source of which a row is left, and called by a keyed hash of that file. So the replica's own
//! log says what it holds without saying anything of the source, and a run is again the difference of two sets. Where the source has
//! rewritten files and says in its change feed what became of their rows, these are changed in the replica's own files instead.
//!
//! Files of the source are read where they lie and never stored on the way: what is left out is nowhere but in the memory of the process
//! that writes, which is also the only one that has the key.

mod plan;
mod rows;
mod sets;
mod view;
mod work;

use std::collections::BTreeSet;
use std::fmt;

use delta::{Before, Metadata, NarrowColumn, Narrowed, Secret, Table};
use futures::FutureExt as _;
use futures::stream::{self, StreamExt as _};
use model::Narrowing;
use serde::{Deserialize, Serialize};

pub use self::plan::PlanNarrowed;
pub(crate) use self::plan::{Found, plan};
pub(crate) use self::rows::apply;
pub(crate) use self::view::represented;
pub(crate) use self::work::{Work, count, done_before, lines, note, settle, write};
use crate::prove::{Sums, is_split, sums_of};
use crate::verify::VerifyError;

/// What a run leaves out, and with which key it hashes. A replica is made by exactly one of these.
#[derive(Clone)]
pub struct Narrow {
    what: Narrowing,
    secret: Secret,
    agreed: Option<String>,
    /// Of the source, as it was when somebody agreed.
    then: Option<String>,
}

impl fmt::Debug for Narrow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A condition on rows may name a value.
        f.debug_struct("Narrow").finish_non_exhaustive()
    }
}

impl Narrow {
    pub const fn new(what: Narrowing, key: [u8; 32]) -> Self {
        Self {
            what,
            secret: Secret::new(key),
            agreed: None,
            then: None,
        }
    }

    /// With the schema that was agreed to, [`Columns::schema`]. A column that it does not know is left out from the first run on, and
    /// also when the replica is made once more; without it the first run decides which columns there are.
    #[must_use]
    pub fn agreed(self, schema: String) -> Self {
        Self {
            agreed: Some(schema),
            ..self
        }
    }

    /// The same with the source's own schema as it was then. So agreed, a cut may also leave out nothing but what comes later.
    #[must_use]
    pub fn agreed_at(self, schema: String) -> Self {
        Self {
            then: Some(schema),
            ..self
        }
    }

    /// Whether it leaves out nothing, nor ever would.
    pub(crate) fn is_whole(&self) -> bool {
        self.what.is_whole() && self.agreed.is_none() && self.then.is_none()
    }

    /// What was made of the source as it was: without what was left out, and with hashes for what was hashed, by the names that columns
    /// have in files. So a column that is called otherwise by now is not taken for another.
    fn made_of(&self, then: &str) -> Result<String, String> {
        let schema: serde_json::Value = serde_json::from_str(then).unwrap_or_default();
        let mut fields = schema["fields"].as_array().into_iter().flatten();
        let is_mapped =
            fields.any(|field| field["metadata"]["delta.columnMapping.physicalName"].is_string());
        let mode = is_mapped.then(|| ("delta.columnMapping.mode".to_owned(), "name".to_owned()));
        let source = Metadata {
            id: String::new(),
            name: None,
            description: None,
            schema_string: then.to_owned(),
            partition_columns: Vec::new(),
            configuration: mode.into_iter().collect(),
            created: None,
            raw: serde_json::Value::Null,
        };
        // Rows are chosen by what the table is now.
        let what = Narrowing {
            rows: None,
            ..self.what.clone()
        };
        let before = Before {
            held: Some(&source),
            ..Before::default()
        };
        let made = Narrowed::new(&source, &what, before)?;
        Ok(made.schema().to_owned())
    }

    /// Of the key and of what is left out, by which they are recognised; nothing of either can be told from it.
    pub(crate) fn print(&self) -> String {
        let names = |all: &[String]| {
            let mut all: Vec<String> = all.iter().map(|name| name.trim().to_lowercase()).collect();
            all.sort();
            all.dedup();
            all
        };
        let rows = self.what.rows.as_ref().map(ToString::to_string);
        let what =
            serde_json::json!([names(&self.what.drop), names(&self.what.pseudonymise), rows]);
        let key = self.secret.name("key", &[]);
        format!(
            "{key}.{}",
            self.secret.name("what", &[what.to_string().as_str()])
        )
    }

    /// What is made of a table.
    pub(crate) fn of(
        &self,
        source: &Metadata,
        held: Option<&Metadata>,
        by_name: bool,
    ) -> Result<Narrowed, String> {
        // A table that was made anew has other names in its files, all of them.
        let by_name = by_name
            || self.then.as_deref().is_some_and(|then| {
                names_in_files(then).is_disjoint(&names_in_files(&source.schema_string))
            });
        let then = self.then.as_deref().map(|then| self.made_of(then));
        let then = then.transpose()?;
        let before = Before {
            held,
            agreed: then.as_deref().or(self.agreed.as_deref()),
            by_name,
        };
        Narrowed::new(source, &self.what, before)
    }
}

/// What a schema's columns are called in files.
fn names_in_files(schema: &str) -> BTreeSet<String> {
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap_or_default();
    let fields = schema["fields"].as_array().into_iter().flatten();
    let names = fields.filter_map(|field| {
        let physical = field["metadata"]["delta.columnMapping.physicalName"].as_str();
        physical.or_else(|| field["name"].as_str())
    });
    names.map(str::to_lowercase).collect()
}

/// Why a replica that was made by `held` cannot go on by `now`, if it cannot: of either there may be none.
pub(crate) fn misfit(held: Option<&str>, now: Option<&str>) -> Option<&'static str> {
    let (held, now) = match (held, now) {
        (None, None) => return None,
        (None, Some(_)) => return Some("it has the whole table, and would be narrowed"),
        (Some(_), None) => {
            return Some("it is narrowed by a cut, and the run was given neither cut nor key");
        }
        (Some(held), Some(now)) => (held, now),
    };
    let key = |print: &str| print.split('.').next().map(str::to_owned);
    if held == now {
        None
    } else if key(held) != key(now) {
        Some("it was made with another key, by which the same value has another hash")
    } else {
        Some("it was made by another cut")
    }
}

/// The columns that a replica would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// In the table's order; hashed fields of structs behind the struct.
    pub kept: Vec<NarrowColumn>,
    /// As the source calls them; a dot leads into a struct.
    pub dropped: Vec<String>,
    /// What is agreed to with these columns: to be kept with the cut, for [`Narrow::agreed`].
    pub schema: String,
}

/// Whether a replica of a table can be narrowed so, and which columns it would have. Needs no key and reads nothing.
///
/// # Errors
/// A sentence for people.
pub fn check(what: &Narrowing, source: &Metadata) -> Result<Columns, String> {
    if what.is_whole() {
        return Err(
            "The cut leaves nothing out: name columns to leave out or to hash, or choose rows. For the whole table no cut is needed."
                .to_owned(),
        );
    }
    let narrowed = Narrowed::new(source, what, Before::default())?;
    let schema = narrowed.schema().to_owned();
    Ok(Columns {
        kept: narrowed.columns,
        dropped: narrowed.dropped,
        schema,
    })
}

/// Level 3 of a narrowed replica, the source's side of it: every row that the replica is to have, as it is to have it. `at` is the
/// replica's version, whose columns are asked for.
///
/// # Errors
/// What keeps it from reading; a file that is damaged is no error, and stands in the sums.
pub async fn sums(
    source: &Table,
    version: u64,
    narrow: &Narrow,
    (replica, at): (&Table, u64),
) -> Result<Sums, VerifyError> {
    let held = replica.snapshot(Some(at)).await.map_err(VerifyError::Log)?;
    let state = source.snapshot(Some(version)).await;
    let state = state.map_err(VerifyError::Log)?;
    let made = narrow.of(&state.metadata, Some(&held.metadata), false);
    let made = &made.map_err(VerifyError::Wrong)?;
    let files = state.files.values();
    let files = files.filter(|file| made.admits(&file.partition_values));
    let files: Vec<_> = files.cloned().collect();
    // As the other side is summed.
    sums_of(version, &files, is_split(&held), |file| {
        let secret = &narrow.secret;
        async move { made.sum(secret, source, file).await }.boxed()
    })
    .await
}

/// So many at a time, in order.
async fn in_order<T>(work: Vec<futures::future::BoxFuture<'_, T>>, at_once: usize) -> Vec<T> {
    stream::iter(work).buffered(at_once).collect().await
}
