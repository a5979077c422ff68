//! Limits on what one log may cost before it is refused. They hold before parsing (controls C-18 and C-19).

use crate::LogError;

/// What reading one table's log may cost. The defaults carry a table of 400,000 active files and refuse the bombs of
/// the threat model; an installation with larger tables raises them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// Bytes of one commit file.
    pub commit_bytes: u64,
    /// Bytes of one JSON line. In memory a line takes up to sixteen times as much.
    pub line_bytes: u64,
    /// Actions of one commit that is handed out whole ([`crate::Table::commit`]).
    pub commit_actions: u64,
    /// Bytes of all parts of one checkpoint, as stored.
    pub checkpoint_bytes: u64,
    /// Bytes of the Parquet footer of one checkpoint file.
    pub footer_bytes: u64,
    /// Rows of all parts of one checkpoint. Bytes alone say nothing: dictionaries make five million rows of half a
    /// megabyte.
    pub checkpoint_rows: u64,
    /// Active files of one table. Databricks refuses to share more than 400,000.
    pub files: u64,
    /// Tombstones of one table.
    pub tombstones: u64,
    /// Application transactions and metadata domains, each.
    pub entries: u64,
    /// Objects under `_delta_log`.
    pub log_objects: u64,
    /// Bytes of everything read for one snapshot: commits as stored, checkpoints as decoded.
    pub total_log_bytes: u64,
}

const MIB: u64 = 1 << 20;

impl Default for Budgets {
    fn default() -> Self {
        Self {
            commit_bytes: 256 * MIB,
            line_bytes: 8 * MIB,
            commit_actions: 1_000_000,
            checkpoint_bytes: 256 * MIB,
            footer_bytes: 16 * MIB,
            checkpoint_rows: 1_500_000,
            files: 400_000,
            tombstones: 1_000_000,
            entries: 100_000,
            log_objects: 1_000_000,
            total_log_bytes: 2_048 * MIB,
        }
    }
}

impl Budgets {
    /// For tables of so many active files: what grows with them grows as much.
    pub fn of_files(files: u64) -> Self {
        let usual = Self::default();
        let grown = |limit: u64| limit.max(limit.saturating_mul(files) / usual.files);
        Self {
            checkpoint_bytes: grown(usual.checkpoint_bytes),
            footer_bytes: grown(usual.footer_bytes),
            checkpoint_rows: grown(usual.checkpoint_rows),
            files,
            tombstones: grown(usual.tombstones),
            total_log_bytes: grown(usual.total_log_bytes),
            ..usual
        }
    }
}

/// Refuses `found` above `limit`.
pub(crate) fn within(what: &'static str, limit: u64, found: u64) -> Result<(), LogError> {
    if found > limit {
        return Err(LogError::Budget { what, limit, found });
    }
    Ok(())
}

/// A count as the budgets' type; usize is never wider on the platforms we build for.
pub(crate) fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_tables_have_larger_logs_and_smaller_ones_what_is_usual() {
        let usual = Budgets::default();
        assert_eq!(Budgets::of_files(usual.files), usual);
        let large = Budgets::of_files(10 * usual.files);
        assert_eq!(large.files, 10 * usual.files);
        assert_eq!(large.checkpoint_rows, 10 * usual.checkpoint_rows);
        assert_eq!(large.total_log_bytes, 10 * usual.total_log_bytes);
        assert_eq!(large.line_bytes, usual.line_bytes);
        let small = Budgets::of_files(1_000);
        assert_eq!(
            small,
            Budgets {
                files: 1_000,
                ..usual
            }
        );
    }
}
