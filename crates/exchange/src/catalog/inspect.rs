//! Looking at tables: paths as people write them, and reading logs through the port, several at a time.

use std::sync::Arc;

use model::dto::{Inspection, TableInspect};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Exchange;
use crate::error::{Check, Error};
use crate::operation::Operation;
use crate::policy::{Scope, can};
use crate::ports::{Problem, StorageAccess};
use crate::principal::Principal;
use crate::storages::{produced_by, uses_all};

const PATH_MAX: usize = 1_024;
/// How many logs are read at once for one caller.
const PARALLEL: usize = 4;

impl Exchange {
    /// Reads a table's log and stores nothing: what a producer sees before registering. Only in storages that the caller
    /// may use, and there not in the folders of other teams.
    pub async fn table_inspect(
        &self,
        principal: &Principal,
        form: TableInspect,
    ) -> Result<Inspection, Error> {
        can(principal, Operation::TableInspect, &Scope::NONE)?;
        let mut check = Check::new();
        let path = check_path(&mut check, "path", &form.path);
        let storage = self.storage_by_name(&form.storage).await?;
        if storage.is_none() {
            check.fail("storage", "there is no such storage");
        }
        check.done()?;
        let (Some(path), Some(storage)) = (path, storage) else {
            return Err(Error::invalid("path", "missing"));
        };
        let teams = produced_by(principal);
        let usage = self.storage_usable(principal, &teams, &storage).await?;
        if !uses_all(principal) && usage.of_others(&teams).any(|other| overlaps(other, &path)) {
            return Err(Error::invalid(
                "path",
                "this folder lies in a table of another team, or holds one; choose a folder apart",
            ));
        }
        let access = self.storage_open(storage)?;
        match self.ports().inspector.inspect(&access, &path).await {
            Ok(mut found) => {
                found.alike = self.alike_inspected(principal, &found).await?;
                Ok(found)
            }
            Err(problem) => {
                self.inspected_escape(principal, &access, &path, &problem)
                    .await;
                Err(if problem.transient {
                    Error::Unavailable(problem.sentence)
                } else {
                    Error::invalid("path", problem.sentence)
                })
            }
        }
    }

    /// Reads several logs, a few at a time; the answers in the order of the questions.
    pub(crate) async fn inspect_all(
        &self,
        principal: &Principal,
        tables: Vec<(StorageAccess, String)>,
    ) -> Vec<Result<Inspection, Problem>> {
        let slots = Arc::new(Semaphore::new(PARALLEL));
        let mut running = JoinSet::new();
        let count = tables.len();
        for (index, (access, path)) in tables.iter().cloned().enumerate() {
            let inspector = Arc::clone(&self.ports().inspector);
            let slots = Arc::clone(&slots);
            running.spawn(async move {
                let _slot = slots.acquire_owned().await;
                (index, inspector.inspect(&access, &path).await)
            });
        }
        // A reader that breaks down leaves this; none of it may be taken for a table.
        let broken = || {
            Err(Problem::new(
                "the log could not be read: the reader broke down; the server's log has the details",
            ))
        };
        let mut found: Vec<Result<Inspection, Problem>> = (0..count).map(|_| broken()).collect();
        while let Some(done) = running.join_next().await {
            match done {
                Ok((index, answer)) => found[index] = answer,
                Err(error) => tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "reading a log broke down"
                ),
            }
        }
        for ((access, path), found) in tables.iter().zip(&found) {
            if let Err(problem) = found {
                self.inspected_escape(principal, access, path, problem)
                    .await;
            }
        }
        found
    }
}

/// A folder inside a storage as people may write it: relative, `/` between plain segments. A slash at the end is forgiven.
pub(crate) fn check_path(check: &mut Check, field: &str, text: &str) -> Option<String> {
    let path = text.strip_suffix('/').unwrap_or(text);
    let wrong = if path.trim().is_empty() {
        Some("say which folder of the storage holds the table")
    } else if path.len() > PATH_MAX {
        Some("at most 1024 bytes")
    } else if path.starts_with('/') || path.contains("://") {
        Some("write it relative to the storage: no leading `/` and no address")
    } else if path.chars().any(|c| c.is_control() || c == '\\') {
        Some("control characters and backslashes cannot be in a path")
    } else if path
        .split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        Some("no empty segments, no `.` and no `..`")
    } else if path.split('/').any(|segment| segment == "_delta_log") {
        Some("name the table's folder, not its `_delta_log`")
    } else if path
        .split('/')
        .any(|segment| segment != segment.trim() || segment.contains(is_hidden))
    {
        Some("no spaces around a segment and no invisible characters")
    } else {
        None
    };
    match wrong {
        Some(wrong) => {
            check.fail(field, wrong);
            None
        }
        None => Some(path.to_owned()),
    }
}

/// Characters that are there and do not show: two paths would read the same.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether two paths of one storage are the same folder, or one holds the other.
pub(crate) fn overlaps(one: &str, other: &str) -> bool {
    let inside = |inner: &str, outer: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    inside(one, other) || inside(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        for good in [
            "visits",
            "workshop/visits",
            "a=1/b c",
            "visits/",
            "größe/x.y",
        ] {
            let mut check = Check::new();
            let path = check_path(&mut check, "path", good);
            assert!(check.is_clean(), "{good}");
            assert_eq!(path.as_deref(), Some(good.trim_end_matches('/')));
        }
        let long = "a/".repeat(513);
        for bad in [
            "",
            " ",
            "/",
            "/etc",
            "..",
            "a/../b",
            "a//b",
            "a//",
            "./a",
            "a/.",
            "s3://b/a",
            "a\\b",
            "a\0b",
            "a/_delta_log",
            "a /b",
            "a\u{202e}b",
            &long,
        ] {
            let mut check = Check::new();
            assert_eq!(check_path(&mut check, "path", bad), None, "{bad}");
            assert!(!check.is_clean(), "{bad}");
        }
    }

    #[test]
    fn folders_overlap_at_whole_segments() {
        for (one, other, expected) in [
            ("a/b", "a/b", true),
            ("a/b", "a/b/c", true),
            ("a", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/b", "a/c", false),
        ] {
            assert_eq!(overlaps(one, other), expected, "{one} {other}");
            assert_eq!(overlaps(other, one), expected, "{other} {one}");
        }
    }
}
