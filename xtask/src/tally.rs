//! Counting: what cargo's test harness and Playwright report, added up for the last line.

use std::ops::AddAssign;

use anyhow::{Context as _, Result};

#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Not run, by a test's own mark. Counted as neither, but said aloud.
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Tally {
    /// The run's last line; other programs read it.
    pub(crate) fn last_line(self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s`
pub(crate) fn of_cargo(line: &str) -> Option<Tally> {
    let counts = line
        .trim()
        .strip_prefix("test result: ")?
        .split_once(". ")?
        .1;
    let count = |word: &str| {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(word)?.trim().parse::<u64>().ok())
    };
    Some(Tally {
        passed: count(" passed")?,
        failed: count(" failed")?,
        skipped: count(" ignored")?,
    })
}

/// The `stats` of Playwright's JSON report. A test that passed at its second try counts as passed.
pub(crate) fn of_playwright(report: &str) -> Result<Tally> {
    let report: serde_json::Value =
        serde_json::from_str(report).context("Playwright's report is not JSON")?;
    let count = |name: &str| {
        report["stats"][name]
            .as_u64()
            .with_context(|| format!("Playwright's report has no stats.{name}"))
    };
    Ok(Tally {
        passed: count("expected")? + count("flaky")?,
        failed: count("unexpected")?,
        skipped: count("skipped")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_counted_and_others_are_not() {
        let ok = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.01s";
        assert_eq!(
            of_cargo(ok),
            Some(Tally {
                passed: 5,
                failed: 0,
                skipped: 1
            })
        );
        let bad = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s";
        assert_eq!(
            of_cargo(bad),
            Some(Tally {
                passed: 12,
                failed: 3,
                skipped: 0
            })
        );
        for other in [
            "test a::b ... ok",
            "test result: ",
            "5 passed; 0 failed",
            "running 3 tests",
            "",
        ] {
            assert_eq!(of_cargo(other), None, "{other:?}");
        }
    }

    #[test]
    fn playwright_counts_by_outcome() -> Result<()> {
        let report = r#"{"suites": [], "stats": {"duration": 1.5, "expected": 7, "skipped": 1, "unexpected": 2, "flaky": 3}}"#;
        assert_eq!(
            of_playwright(report)?,
            Tally {
                passed: 10,
                failed: 2,
                skipped: 1
            }
        );
        assert!(of_playwright("{}").is_err());
        assert!(of_playwright("").is_err());
        Ok(())
    }

    #[test]
    fn the_last_line_is_exact() {
        let mut sum = Tally {
            passed: 1,
            failed: 0,
            skipped: 4,
        };
        sum += Tally {
            passed: 2,
            failed: 1,
            skipped: 0,
        };
        assert_eq!(sum.last_line(), "3 passed, 1 failed");
    }
}
