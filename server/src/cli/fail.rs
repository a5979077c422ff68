//! How a command says that it failed: a sentence on standard error, or with `--json` a problem document on standard output,
//! which then always holds one JSON value. The exit status is the same.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::show;

/// An answer that is a problem document.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct Refused {
    pub text: String,
    pub problem: Value,
}

/// Whether `--json` stands among the arguments, also where they cannot be understood otherwise.
pub(super) fn wants_json(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--json")
}

/// The command line cannot be understood.
pub(super) fn wrong_use(error: &clap::Error, is_json: bool) -> ExitCode {
    if is_json {
        let text = error.render().to_string();
        print(&problem("Wrong use", text.trim()));
    } else {
        let _ = error.print();
    }
    ExitCode::FAILURE
}

pub(super) fn fail(error: &anyhow::Error, is_json: bool) -> ExitCode {
    if is_json {
        print(&described(error));
    } else {
        let _ = writeln!(std::io::stderr(), "entrepot: {error:#}");
    }
    ExitCode::FAILURE
}

/// The server's own problem document, or one of the same shape.
pub(super) fn described(error: &anyhow::Error) -> Value {
    match error.downcast_ref::<Refused>() {
        Some(refused) => refused.problem.clone(),
        None => problem("The command failed", &format!("{error:#}")),
    }
}

fn problem(title: &str, detail: &str) -> Value {
    json!({ "type": "about:blank", "title": title, "detail": detail })
}

fn print(problem: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(show::json(problem).as_bytes());
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_refusal_stays_the_servers_document() {
        let document = json!({ "status": 409, "detail": "it is taken" });
        let refused = Refused {
            text: "it is taken".to_owned(),
            problem: document.clone(),
        };
        let failed: anyhow::Result<()> = Err(refused).context("the first step");
        assert_eq!(described(&failed.unwrap_err()), document);
        let other = anyhow::anyhow!("no such file").context("FILE cannot be read");
        assert_eq!(
            described(&other)["detail"],
            "FILE cannot be read: no such file"
        );
    }

    #[test]
    fn json_is_seen_wherever_it_stands() {
        let seen = |arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            wants_json(&arguments)
        };
        assert!(seen(&["entrepot", "--json", "nonsense"]));
        assert!(seen(&["entrepot", "nonsense", "--json"]));
        assert!(!seen(&["entrepot", "nonsense", "--", "--json"]));
        assert!(!seen(&["entrepot", "--jason"]));
    }
}
