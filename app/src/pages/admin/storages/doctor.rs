//! What the doctor has found: each check with what was seen and what to do next, and the least policy that would do.

use leptos::prelude::*;
use model::dto::CheckOutcome;
use model::dto::StorageCheck;
use model::dto::StorageReport;

use crate::components::code::Code;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::words;

#[component]
pub(super) fn Report(report: StorageReport) -> impl IntoView {
    let (tone, said) = in_short(&report);
    let rows = report
        .checks
        .into_iter()
        .map(|check| {
            let next = next(&check);
            view! {
                <tr>
                    <th scope="row">{title(&check.name)}</th>
                    <td><State said=state::check(check.outcome)/></td>
                    <td class="wide">
                        {words::sentence(&check.sentence)}
                        {next.map(|next| view! { <span class="secondary">{next}</span> })}
                    </td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text("What was tried"),
        Column::Text("Outcome"),
        Column::Text("What was seen, and what to do"),
    ];
    view! {
        <Notice tone>{said}</Notice>
        <Table caption="What the doctor found" head>{rows}</Table>
        <h3>"The least policy that would do"</h3>
        <p class="muted">"Paste it into the cloud’s console, in place of whatever the credential may do now."</p>
        <Code text=report.least_policy label="Least policy"/>
    }
}

fn in_short(report: &StorageReport) -> (Tone, &'static str) {
    let has = |outcome| report.checks.iter().any(|check| check.outcome == outcome);
    if !report.is_healthy() {
        return (
            Tone::Bad,
            "Something does not work. Mend what failed below, then let the doctor look again.",
        );
    }
    if has(CheckOutcome::Warned) {
        return (
            Tone::Warn,
            "It works, but something should be put right: see below.",
        );
    }
    (Tone::Good, "The storage can be used as it is.")
}

/// What was tried, in words.
fn title(name: &str) -> String {
    let known = match name {
        "list" => "See what is there",
        "read" => "Read an object",
        "write" => "Write an object",
        "put_if_absent" => "Refuse a second writer",
        "delete" => "Delete an object",
        "sign" => "Sign an address",
        "unsigned" => "Refuse an address without signature",
        "parent" => "Open no more than this storage",
        "counting" => "Count what is read",
        other => other,
    };
    known.to_owned()
}

/// What follows from a check that did not go well, beside what its sentence says.
fn next(check: &StorageCheck) -> Option<&'static str> {
    if !matches!(check.outcome, CheckOutcome::Failed | CheckOutcome::Warned) {
        return None;
    }
    Some(match check.name.as_str() {
        "list" | "read" => {
            "Compare what the credential may do with the least policy below. Until it works, nothing here can be registered or read."
        }
        "write" | "delete" => {
            "Let the credential write and delete as the least policy below says, or change the storage so that no replicas are made here."
        }
        "put_if_absent" => {
            "Make no replicas here: two processes could overwrite each other’s commits."
        }
        "sign" => {
            "Until it signs, what lies here cannot be shared. Give it a key that signs; a shared-access signature does not."
        }
        "unsigned" => {
            "Close the store to the public: whoever has an address could read without a grant."
        }
        "parent" => "Bind the credential to this storage’s prefix with the least policy below.",
        "counting" => {
            "Name the process’s place in its configuration (docs/OPERATING.md, “Several locations”)."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, outcome: CheckOutcome) -> StorageCheck {
        StorageCheck {
            name: name.to_owned(),
            outcome,
            sentence: "seen".to_owned(),
        }
    }

    /// Every check of `storage::doctor` and of its adapter.
    const CHECKS: [&str; 9] = [
        "list",
        "read",
        "write",
        "put_if_absent",
        "delete",
        "sign",
        "unsigned",
        "parent",
        "counting",
    ];

    #[test]
    fn each_check_has_words_and_what_did_not_go_well_a_next_step() {
        for name in CHECKS {
            assert_ne!(title(name), name);
            assert!(next(&check(name, CheckOutcome::Failed)).is_some(), "{name}");
            assert!(next(&check(name, CheckOutcome::Warned)).is_some(), "{name}");
            assert_eq!(next(&check(name, CheckOutcome::Ok)), None);
            assert_eq!(next(&check(name, CheckOutcome::Skipped)), None);
        }
    }

    #[test]
    fn the_worst_is_said_first() {
        use CheckOutcome as Is;
        let report = |outcomes: &[CheckOutcome]| StorageReport {
            checks: outcomes.iter().map(|one| check("list", *one)).collect(),
            least_policy: String::new(),
        };
        for (outcomes, tone) in [
            (&[Is::Ok, Is::Skipped][..], Tone::Good),
            (&[Is::Ok, Is::Warned], Tone::Warn),
            (&[Is::Warned, Is::Failed, Is::Ok], Tone::Bad),
        ] {
            assert_eq!(in_short(&report(outcomes)).0, tone, "{outcomes:?}");
        }
    }
}
