//! Predicate hints (checklist §1.10): which files hold no row that a query asks for, by their partition values and their
//! statistics. A hint may be wrong for us in any way, and the client filters for itself: so a file is left out only if it is
//! certain that none of its rows matches. What is not understood says nothing: an operator, a type, a value, statistics that
//! are missing or cut.
//!
//! `json` and `sql` read the two notations into `expr`; `filter` puts an expression to a table's columns and judges one file
//! after the other; `value` knows how the values of each type are written and compared.

#[cfg(test)]
mod chance;
mod expr;
mod filter;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod json;
mod sql;
#[cfg(test)]
mod tests;
mod value;

use delta::Snapshot;

use self::expr::Expr;
use self::filter::{Filter, Rows};
use crate::error::Failure;
use crate::slots::Slot;

/// Of more parts than these a query's predicates are not looked at: each is held against each file.
const PARTS: usize = 256;

/// The predicates of a query, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hints(Vec<Expr>);

impl Hints {
    /// Never fails: what is no predicate is one of which nothing is known.
    pub(crate) fn parse(sql: &[&str], json: Option<&str>) -> Self {
        let json = json.filter(|text| !text.trim().is_empty());
        let sql = sql.iter().map(|text| sql::parse(text));
        let all = sql.chain(json.map(json::parse));
        let (mut known, mut room, mut is_whole) = (Vec::new(), PARTS, true);
        for expr in all {
            match expr.map(|expr| (expr.size(), expr)) {
                Some((size, expr)) if size <= room => {
                    room -= size;
                    known.push(expr);
                }
                _ => is_whole = false,
            }
        }
        if !is_whole {
            known.push(Expr::Unknown);
        }
        Self(known)
    }

    /// Leaves the files that may hold a row that matches, as many of them as it takes to hold `limit` such rows for certain,
    /// and tells how many were left out because no row of theirs matches. The place is held for as long as that takes, also when
    /// nobody waits for it any more.
    pub(crate) async fn select(
        self,
        mut snapshot: Snapshot,
        limit: Option<u64>,
        slot: Slot,
    ) -> Result<(Snapshot, u64, Slot), Failure> {
        let filter = Filter::new(&self.0, &snapshot.metadata);
        if limit.is_none() && filter.is_idle() {
            return Ok((snapshot, 0, slot));
        }
        // The statistics of a million files take a while to read, in which others want to be answered.
        let selecting = tokio::task::spawn_blocking(move || {
            let dropped = retain(&mut snapshot, &filter, limit);
            (snapshot, dropped, slot)
        });
        selecting
            .await
            .map_err(|error| Failure::internal(error.to_string()))
    }
}

fn retain(snapshot: &mut Snapshot, filter: &Filter, limit: Option<u64>) -> u64 {
    let (mut dropped, mut rows) = (0_u64, 0_u64);
    snapshot.files.retain(|_, file| {
        if limit.is_some_and(|limit| rows >= limit) {
            return false;
        }
        match filter.judge(&file.partition_values, file.stats.as_deref()) {
            Rows::None => {
                dropped += 1;
                return false;
            }
            // How many of them match is not known: none, for all that counts.
            Rows::Some => {}
            // A file without statistics counts as empty, so that never too few are sent.
            Rows::All => rows = rows.saturating_add(file.live_rows().unwrap_or(0)),
        }
        true
    });
    dropped
}
