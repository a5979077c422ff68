//! What came of each step of a check, and what to say to whom where something does not work.

use serde_json::{Value, json};

use crate::cli::show::grid;

/// The steps, in the order in which they are tried.
pub(super) const STEPS: [&str; 9] = [
    "profile",
    "name",
    "connection",
    "tls",
    "clock",
    "token",
    "share",
    "table",
    "file",
];

/// The most that is shown of what somebody else has written, in characters.
const SHOWN: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Ok,
    /// It works, but something should be put right.
    Warned,
    Failed,
    Skipped,
}

impl Outcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warned => "warned",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Who can put it right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    /// Whoever keeps the recipient, and can make a profile.
    Giver,
    Network,
    Machine,
    Operator,
    Producer,
}

impl Whom {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Giver => "whoever gave you the profile",
            Self::Network => "whoever runs the network here",
            Self::Machine => "whoever runs this machine",
            Self::Operator => "whoever runs the server",
            Self::Producer => "the team that owns the data",
        }
    }
}

/// What came of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) outcome: Outcome,
    pub(super) detail: String,
    pub(super) send: Option<(Whom, String)>,
}

impl Finding {
    fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self {
            outcome,
            detail: detail.into(),
            send: None,
        }
    }

    pub(super) fn ok(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Ok, detail)
    }

    pub(super) fn warned(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Warned, detail)
    }

    pub(super) fn skipped(detail: impl Into<String>) -> Self {
        Self::new(Outcome::Skipped, detail)
    }

    pub(super) fn failed(
        detail: impl Into<String>,
        whom: Whom,
        sentence: impl Into<String>,
    ) -> Self {
        Self {
            send: Some((whom, sentence.into())),
            ..Self::new(Outcome::Failed, detail)
        }
    }
}

/// A step gives the next one what it needs, or is where the check ends.
pub(super) type Step<T> = Result<(T, Finding), Finding>;

#[derive(Default)]
pub(super) struct Report {
    steps: Vec<(&'static str, Finding)>,
    /// Never shown, whoever has written it into an answer.
    secret: String,
}

impl Report {
    pub(super) fn hide(&mut self, secret: &str) {
        secret.clone_into(&mut self.secret);
    }

    pub(super) fn note(&mut self, step: &'static str, finding: Finding) {
        self.steps.push((step, finding));
    }

    /// None: nothing after it can be tried.
    pub(super) fn take<T>(&mut self, step: &'static str, came: Step<T>) -> Option<T> {
        match came {
            Ok((value, finding)) => {
                self.note(step, finding);
                Some(value)
            }
            Err(finding) => {
                self.note(step, finding);
                None
            }
        }
    }

    /// What was not reached is said to be skipped, so that every report has every step.
    pub(super) fn close(&mut self) {
        let last = self.steps.last().map_or("", |(step, _)| *step);
        for step in STEPS {
            if !self.steps.iter().any(|(done, _)| *done == step) {
                let why = format!("not tried: the check ended at `{last}`");
                self.steps.push((step, Finding::skipped(why)));
            }
        }
        self.steps
            .sort_by_key(|(done, _)| STEPS.iter().position(|step| step == done));
    }

    pub(super) fn has_failed(&self) -> bool {
        self.steps
            .iter()
            .any(|(_, finding)| finding.outcome == Outcome::Failed)
    }

    pub(super) fn json(&self) -> Value {
        let steps = self.steps.iter().map(|(id, finding)| {
            let mut step = json!({
                "id": id,
                "outcome": finding.outcome.as_str(),
                "detail": self.clean(&finding.detail),
            });
            if let Some((whom, sentence)) = &finding.send {
                step["send_to"] = whom.as_str().into();
                step["sentence"] = self.clean(sentence).into();
            }
            step
        });
        json!({ "works": !self.has_failed(), "steps": steps.collect::<Vec<_>>() })
    }

    pub(super) fn text(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .steps
            .iter()
            .map(|(id, finding)| {
                vec![
                    finding.outcome.as_str().to_owned(),
                    (*id).to_owned(),
                    self.clean(&finding.detail),
                ]
            })
            .collect();
        let mut text = grid(&rows);
        for (_, finding) in &self.steps {
            if let Some((whom, sentence)) = &finding.send {
                let (whom, sentence) = (whom.as_str(), self.clean(sentence));
                text.push_str(&format!("\nSend to {whom}:\n  {sentence}\n"));
            }
        }
        if !self.has_failed() {
            text.push_str("\nIt works from here.\n");
        }
        text
    }

    fn clean(&self, text: &str) -> String {
        let text: String = text
            .chars()
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        if self.secret.is_empty() {
            return text;
        }
        let text = text.replace(&self.secret, "…");
        // What `quoted` has cut may end within it.
        let beginnings = (8..self.secret.len())
            .rev()
            .filter_map(|length| self.secret.get(..length));
        beginnings.fold(text, |text, part| text.replace(&format!("{part}…"), "…"))
    }
}

/// What somebody else has written: not too long, and addresses without what signs them.
pub(super) fn quoted(text: &str) -> String {
    let words = text.split_whitespace().map(|word| {
        let query = word.find('?').filter(|_| word.contains("://"));
        query.map_or(word, |at| &word[..at])
    });
    let text = words.collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_report_has_every_step_and_no_secret() {
        let mut report = Report::default();
        report.hide("entrepot_rt_secret");
        report.note("profile", Finding::ok("it is one"));
        let failed = Finding::failed(
            "the token entrepot_rt_secret\u{1b} is unknown",
            Whom::Giver,
            "entrepot_rt_secret does not work",
        );
        assert_eq!(report.take::<()>("name", Err(failed)), None);
        report.close();
        assert!(report.has_failed());
        let json = report.json();
        let ids: Vec<&str> = json["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids, STEPS);
        assert_eq!(json["works"], false);
        assert_eq!(json["steps"][1]["send_to"], "whoever gave you the profile");
        assert_eq!(json["steps"][8]["outcome"], "skipped");
        for shown in [json.to_string(), report.text()] {
            assert!(
                !shown.contains("secret") && !shown.contains('\u{1b}'),
                "{shown}"
            );
        }
        assert!(
            report
                .text()
                .contains("\nSend to whoever gave you the profile:\n  … does not work\n")
        );
    }

    #[test]
    fn what_others_write_is_cut() {
        assert_eq!(
            quoted("see\nhttps://store/x?X-Amz-Signature=1 again, why?"),
            "see https://store/x again, why?"
        );
        assert_eq!(quoted(&"é".repeat(500)).chars().count(), SHOWN + 1);
    }
}
