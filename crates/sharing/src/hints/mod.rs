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

use std::collections::HashMap;
use std::sync::Arc;

use delta::State;
use sha2::{Digest as _, Sha256};

use self::expr::Expr;
use self::filter::{Filter, Rows};
use crate::error::Failure;
use crate::narrow::Sieve;
use crate::slots::Slot;
use crate::states::{Selected, States};

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

    /// The files that may hold a row that matches, as many of them as it takes to hold `limit` such rows for certain. In pages
    /// they come in the order of their paths, which is the same wherever a page is asked for, and what the pages have in common
    /// is kept. The place is held for as long as selecting takes, also when nobody waits for it any more.
    pub(crate) async fn select(
        &self,
        states: &States,
        (state, sieve): (&Arc<State>, Option<Sieve>),
        limit: Option<u64>,
        by_path: bool,
        slot: Slot,
    ) -> Result<(Selected, Slot), Failure> {
        let filter = Filter::new(&self.0, &state.outline().metadata);
        let takes_all = limit.is_none() && filter.is_idle() && sieve.is_none();
        let known = match by_path {
            true => state.sorted_already(),
            false => Some(state.rows()),
        };
        if let Some(rows) = known.filter(|_| takes_all) {
            let selected = Selected {
                rows: Arc::clone(rows),
                dropped: 0,
            };
            return Ok((selected, slot));
        }
        let key = by_path.then(|| self.key(state, sieve.as_ref(), limit));
        if let Some(selected) = key.as_ref().and_then(|key| states.selected(key)) {
            return Ok((selected, slot));
        }
        let state = Arc::clone(state);
        // The statistics of a million files take a while to read, in which others want to be answered.
        let selecting = tokio::task::spawn_blocking(move || {
            let rows = if by_path {
                state.sorted()
            } else {
                state.rows()
            };
            let selected = if takes_all {
                Selected {
                    rows: Arc::clone(rows),
                    dropped: 0,
                }
            } else {
                retain(&state, rows, sieve.as_ref(), &filter, limit)
            };
            (selected, slot)
        });
        let (selected, slot) = selecting
            .await
            .map_err(|error| Failure::internal(error.to_string()))?;
        if let Some(key) = key.filter(|_| !takes_all) {
            states.keep_selected(key, &selected);
        }
        Ok((selected, slot))
    }

    /// What a selection depends on.
    fn key(&self, state: &State, sieve: Option<&Sieve>, limit: Option<u64>) -> [u8; 32] {
        Sha256::digest(format!("{} {limit:?} {sieve:?} {:?}", state.id(), self.0)).into()
    }
}

/// What the sieve holds back counts nowhere, not even as left out.
fn retain(
    state: &State,
    rows: &[u32],
    sieve: Option<&Sieve>,
    filter: &Filter,
    limit: Option<u64>,
) -> Selected {
    let (mut dropped, mut enough) = (0_u64, 0_u64);
    let mut left = Vec::new();
    let of_partitions = filter.is_of_partitions();
    // A state has the values of a partition once.
    let mut judged = HashMap::new();
    for row in rows.iter().copied() {
        if limit.is_some_and(|limit| enough >= limit) {
            break;
        }
        let values = state.partition_values(row);
        if sieve.is_some_and(|sieve| !sieve.admits(values)) {
            continue;
        }
        let matching = if of_partitions {
            let partition = std::ptr::from_ref(values);
            *judged
                .entry(partition)
                .or_insert_with(|| filter.judge(values, None))
        } else {
            filter.judge(values, state.stats(row))
        };
        match matching {
            Rows::None => {
                dropped += 1;
                continue;
            }
            // How many of them match is not known: none, for all that counts.
            Rows::Some => {}
            // A file without statistics counts as empty, so that never too few are sent.
            Rows::All => enough = enough.saturating_add(state.live_rows(row).unwrap_or(0)),
        }
        left.push(row);
    }
    Selected {
        rows: left.into(),
        dropped,
    }
}
