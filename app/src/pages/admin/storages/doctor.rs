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
        Column::Text(words::admin::storages::WHAT_WAS_TRIED),
        Column::Text(words::admin::storages::OUTCOME),
        Column::Text(words::admin::storages::WHAT_WAS_SEEN_AND_WHAT_TO_DO),
    ];
    view! {
        <Notice tone>{said}</Notice>
        <Table caption=words::admin::storages::WHAT_THE_DOCTOR_FOUND head>{rows}</Table>
        <h3>{words::admin::storages::LEAST_POLICY_THAT_WOULD_DO}</h3>
        <p class="muted">{words::admin::storages::WHERE_TO_PASTE_THE_POLICY}</p>
        <Code text=report.least_policy label=words::admin::storages::LEAST_POLICY/>
    }
}

fn in_short(report: &StorageReport) -> (Tone, &'static str) {
    let has = |outcome| report.checks.iter().any(|check| check.outcome == outcome);
    if !report.is_healthy() {
        return (Tone::Bad, words::admin::storages::SOMETHING_DOES_NOT_WORK);
    }
    if has(CheckOutcome::Warned) {
        return (Tone::Warn, words::admin::storages::WORKS_BUT_NOT_QUITE);
    }
    (Tone::Good, words::admin::storages::CAN_BE_USED_AS_IT_IS)
}

/// What was tried, in words.
fn title(name: &str) -> String {
    let known = match name {
        "list" => words::admin::storages::SEE_WHAT_IS_THERE,
        "read" => words::admin::storages::READ_AN_OBJECT,
        "write" => words::admin::storages::WRITE_AN_OBJECT,
        "put_if_absent" => words::admin::storages::REFUSE_A_SECOND_WRITER,
        "delete" => words::admin::storages::DELETE_AN_OBJECT,
        "sign" => words::admin::storages::SIGN_AN_ADDRESS,
        "unsigned" => words::admin::storages::REFUSE_AN_UNSIGNED_ADDRESS,
        "parent" => words::admin::storages::OPEN_NO_MORE_THAN_THIS,
        "counting" => words::admin::storages::COUNT_WHAT_IS_READ,
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
        "list" | "read" => words::admin::storages::LISTING_OR_READING_FAILED,
        "write" | "delete" => words::admin::storages::WRITING_OR_DELETING_FAILED,
        "put_if_absent" => words::admin::storages::SECOND_WRITER_IS_NOT_REFUSED,
        "sign" => words::admin::storages::SIGNING_FAILED,
        "unsigned" => words::admin::storages::STORE_IS_OPEN_TO_THE_PUBLIC,
        "parent" => words::admin::storages::CREDENTIAL_OPENS_MORE,
        "counting" => words::admin::storages::PROCESS_HAS_NO_PLACE,
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
