//! What came of each case: for programs, and for people.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::Case;

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Pass,
    Fail { expected: String, seen: String },
    Skip { why: String },
}

impl Outcome {
    /// `pass`, `fail` or `skip`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail { .. } => "fail",
            Self::Skip { .. } => "skip",
        }
    }
}

/// One case and how it ended.
#[derive(Clone, Debug)]
pub struct CaseReport {
    pub id: &'static str,
    pub title: &'static str,
    pub rule: &'static str,
    pub outcome: Outcome,
    /// The calls that were made, and what came.
    pub calls: Vec<String>,
}

impl CaseReport {
    pub(crate) fn new(case: &Case, outcome: Outcome, calls: Vec<String>) -> Self {
        Self {
            id: case.id,
            title: case.title,
            rule: case.rule,
            outcome,
            calls,
        }
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "id": self.id,
            "title": self.title,
            "rule": self.rule,
            "result": self.outcome.as_str(),
        });
        match &self.outcome {
            Outcome::Pass => {}
            Outcome::Fail { expected, seen } => {
                value["expected"] = json!(expected);
                value["seen"] = json!(seen);
            }
            Outcome::Skip { why } => value["why"] = json!(why),
        }
        value["calls"] = json!(self.calls);
        value
    }
}

/// All cases.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Where the server is.
    pub endpoint: String,
    pub cases: Vec<CaseReport>,
}

impl Report {
    /// How many cases ended so: `pass`, `fail`, `skip`.
    pub fn count(&self, result: &str) -> usize {
        let of = |case: &&CaseReport| case.outcome.as_str() == result;
        self.cases.iter().filter(of).count()
    }

    pub fn has_failed(&self) -> bool {
        self.count("fail") > 0
    }

    /// One object with `cases`.
    pub fn json(&self) -> Value {
        let cases: Vec<Value> = self.cases.iter().map(CaseReport::json).collect();
        json!({
            "endpoint": self.endpoint,
            "passed": self.count("pass"),
            "failed": self.count("fail"),
            "skipped": self.count("skip"),
            "cases": cases,
        })
    }

    /// The same for people: what does not hold comes with what was expected, seen and called.
    pub fn text(&self) -> String {
        let mut text = format!("Delta Sharing at {}\n\n", self.endpoint);
        for case in &self.cases {
            let _ = writeln!(
                text,
                "{:<5}{:<36}{}",
                case.outcome.as_str(),
                case.id,
                case.title
            );
            match &case.outcome {
                Outcome::Pass => {}
                Outcome::Skip { why } => {
                    let _ = writeln!(text, "       why       {why}");
                }
                Outcome::Fail { expected, seen } => {
                    let _ = writeln!(text, "       rule      {}", case.rule);
                    let _ = writeln!(text, "       expected  {expected}");
                    let _ = writeln!(text, "       seen      {seen}");
                    for call in &case.calls {
                        let _ = writeln!(text, "       called    {call}");
                    }
                }
            }
        }
        let _ = writeln!(
            text,
            "\n{} passed, {} failed, {} skipped",
            self.count("pass"),
            self.count("fail"),
            self.count("skip")
        );
        text
    }
}
