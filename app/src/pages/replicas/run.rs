//! One sync run: how far it is, what it moved against what a full copy would have, and what went wrong.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use model::RunKind;
use model::RunState;
use model::Timestamp;
use model::dto::{RunHow, SyncRun};

use super::show::versions;
use crate::api;
use crate::components::load::Members;
use crate::components::state;
use crate::components::state::State;
use crate::components::steps::Stand;
use crate::components::steps::Step;
use crate::components::steps::Steps;
use crate::components::time::Time;
use crate::wire::load;
use crate::words;

#[component]
pub fn Run() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

#[component]
fn Shown() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let found = load(api::replicas::sync_run(id));
    view! {
        <Title text=words::replicas::SYNC_RUN/>
        {found.show(|run| page(run).into_any())}
    }
}

fn page(run: SyncRun) -> impl IntoView {
    let replica = match &run.cut {
        Some(cut) => format!("/replicas/{}:{cut}@{}", run.product, run.to),
        None => format!("/replicas/{}@{}", run.product, run.to),
    };
    let cut = run.cut.as_ref().map(|cut| {
        let text = words::cuts::name_and_edition(cut, None);
        view! { <span class="muted">{text}</span> }
    });
    let product = run.product.to_string();
    let here = words::replicas::product_in_place(&product, &run.to);
    let is_under_way = run.finished_at.is_none();
    let copied = run.bytes_copied.min(run.bytes_planned);
    let share = less(run.bytes_copied, run.bytes_full);
    let how = run.how.clone();
    let because = run.how.clone().map(|how| how.because);
    view! {
        <section class="page">
            <p class="crumbs"><A href="/replicas">{words::replicas::REPLICAS}</A><A href=replica>{here}</A></p>
            <div class="page-head">
                <h1>{words::replicas::run_of_table(&state::run_kind(run.kind), &run.table)}</h1>
                <p class="states"><State said=state::run(run.state)/><span class="muted">{words::replicas::attempt(&run.attempt)}</span>{cut}</p>
            </div>
            <div class="columns" data-refresh=is_under_way.then_some("")>
                <div class="stack">
                    {steps(&run)}
                    {(is_under_way && run.bytes_planned > 0).then(|| view! {
                        <p>
                            <progress max=run.bytes_planned.to_string() value=copied.to_string() aria-label=words::replicas::COPIED></progress>
                            " "{words::bytes(copied)}{words::replicas::OF}{words::bytes(run.bytes_planned)}
                        </p>
                    })}
                    {run.error.clone().map(|why| view! { <p class="reason" role="status">{words::sentence(&why)}</p> })}
                </div>
                <section class="card" aria-labelledby="figures">
                    <h2 id="figures">{words::replicas::WHAT_IT_MOVED}</h2>
                    <dl class="facts">
                        {fact(words::replicas::COPIED, words::replicas::bytes_in_files(&words::bytes(run.bytes_copied), run.files_copied))}
                        {of_plan(run.bytes_copied, run.bytes_planned).map(|share| fact(words::replicas::OF_THE_PLAN, words::replicas::of_what_was_planned(&share, &words::bytes(run.bytes_planned))))}
                        {how.as_ref().map(|how| sets(how).into_iter().map(|(title, text)| fact(title, text)).collect_view())}
                        {(run.adopted_files > 0).then(|| fact(words::flows::TAKEN_OVER, words::replicas::bytes_in_files(&words::bytes(run.adopted_bytes), run.adopted_files)))}
                        {fact(words::replicas::A_FULL_COPY, words::bytes(run.bytes_full))}
                        {share.map(|share| fact(words::replicas::LESS_BY, share))}
                        {fact(words::replicas::CAME_FROM_THE_SOURCE, words::replicas::bytes_that_are_billed(&words::bytes(run.bytes_received)))}
                        {(run.bytes_unused > 0).then(|| fact(words::replicas::OF_IT_NOT_USED, words::replicas::bytes_not_used(&words::bytes(run.bytes_unused))))}
                        {(run.files_deleted > 0).then(|| fact(words::replicas::DELETED, words::replicas::bytes_in_files(&words::bytes(run.bytes_deleted), run.files_deleted)))}
                        {fact(words::replicas::VERSIONS_OF_THE_SOURCE, versions(&run))}
                        {run.replica_version.map(|version| fact(words::replicas::VERSION_OF_THE_REPLICA, version.to_string()))}
                        {fact(words::replicas::WORKED_FOR, words::duration(run.busy_micros))}
                        <div><dt>{words::replicas::BEGAN}</dt><dd><Time at=run.started_at/></dd></div>
                        {run.finished_at.map(|at| view! { <div><dt>{words::replicas::ENDED}</dt><dd><Time at/></dd></div> })}
                    </dl>
                    {because.map(|because| view! { <p class="muted">{because}</p> })}
                </section>
            </div>
        </section>
    }
}

fn fact(title: &'static str, text: String) -> impl IntoView {
    view! { <div><dt>{title}</dt><dd>{text}</dd></div> }
}

/// Of the sets of files that the source has rewritten, how many come how; nothing of what there is none.
fn sets(how: &RunHow) -> Vec<(&'static str, String)> {
    let fed = words::replicas::sets_and_bytes(how.sets_fed, &words::bytes(how.bytes_fed));
    let all = [
        (how.sets_fed, words::replicas::BY_THE_CHANGE_FEED, fed),
        (
            how.sets_skipped,
            words::replicas::LEFT_ALONE,
            words::replicas::sets(how.sets_skipped),
        ),
        (
            how.sets_copied,
            words::replicas::COPIED_ALL_THE_SAME,
            words::replicas::sets(how.sets_copied),
        ),
        (
            how.files_purged,
            words::replicas::WRITTEN_ANEW,
            words::replicas::files_without_hidden(how.files_purged),
        ),
    ];
    let some = all.into_iter().filter(|(count, _, _)| *count > 0);
    some.map(|(_, title, text)| (title, text)).collect()
}

/// What was copied of what was planned, in percent. None where nothing was planned.
fn of_plan(copied: u64, planned: u64) -> Option<String> {
    (planned > 0).then(|| {
        let tenths = u128::from(copied) * 1_000 / u128::from(planned);
        format!("{}.{} %", tenths / 10, tenths % 10)
    })
}

/// How much less than a full copy, in percent. None where there is nothing to compare with.
fn less(moved: u64, full: u64) -> Option<String> {
    let saved = i128::from(full) - i128::from(moved);
    (full > 0).then(|| {
        let percent = saved * 100 / i128::from(full);
        let sign = if percent < 0 { "−" } else { "" };
        format!("{sign}{} %", percent.unsigned_abs())
    })
}

/// One part of a run's way, as far as it is known.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    stand: Stand,
    title: &'static str,
    /// When it last came there.
    began: Option<Timestamp>,
    /// Until it went on, in microseconds.
    took: Option<i64>,
    /// How often it came there.
    times: usize,
}

const WAY: [(RunState, &str); 4] = [
    (RunState::Planned, words::replicas::PLANNED),
    (RunState::Copying, words::replicas::COPIED),
    (RunState::Committing, words::replicas::COMMITTED),
    (RunState::Verifying, words::replicas::VERIFIED),
];

/// The run's way. Of one that ended badly it says where that was, if that was kept.
fn way(run: &SyncRun) -> Vec<Part> {
    let place = |state: RunState| WAY.iter().position(|(known, _)| *known == state);
    let now = place(run.state);
    let stopped = run.steps.iter().rev().find_map(|step| place(step.state));
    // What had nothing to copy, and what deletes, goes a shorter way.
    let is_short = run.state == RunState::Done || run.kind != RunKind::Sync;
    let part = |(position, (state, title)): (usize, (RunState, &'static str))| {
        let last = run.steps.iter().rposition(|step| step.state == state);
        if is_short && !run.steps.is_empty() && last.is_none() {
            return None;
        }
        let stand = match (run.state, now, stopped) {
            (RunState::Done, ..) => Stand::Done,
            (_, Some(now), _) if position < now => Stand::Done,
            (_, Some(now), _) if position == now => Stand::Now,
            (_, None, Some(stopped)) if position < stopped => Stand::Done,
            (_, None, Some(stopped)) if position == stopped => Stand::Failed,
            _ => Stand::Ahead,
        };
        // Further on it was before it planned anew.
        let last = last.filter(|_| stand != Stand::Ahead);
        let began = last.map(|last| run.steps[last].at);
        let next = last.and_then(|last| run.steps.get(last + 1));
        Some(Part {
            stand,
            title,
            began,
            took: next.zip(began).map(|(next, began)| next.at.since(began)),
            times: run.steps.iter().filter(|step| step.state == state).count(),
        })
    };
    WAY.into_iter().enumerate().filter_map(part).collect()
}

fn steps(run: &SyncRun) -> impl IntoView + use<> {
    let steps = way(run)
        .into_iter()
        .map(|part| {
            let Part {
                stand,
                title,
                began,
                took,
                times,
            } = part;
            let took = took.map(|took| words::replicas::for_so_long(&words::duration(took)));
            let again = (times > 1).then(|| words::replicas::begun_so_often(&times));
            let told = began.map(
                |at| view! { <p class="muted">{words::replicas::FROM}<Time at/>{took}{again}</p> },
            );
            view! { <Step stand title>{told}</Step> }
        })
        .collect_view();
    let ended = matches!(run.state, RunState::Parked | RunState::Failed);
    let title = if run.state == RunState::Parked {
        words::replicas::PARKED_FOR_A_PERSON
    } else {
        words::replicas::FAILED
    };
    let at = run.finished_at;
    view! {
        <Steps label=words::replicas::HOW_FAR_THE_RUN_IS>
            {steps}
            {ended.then(|| view! {
                <Step stand=Stand::Failed title>
                    {at.map(|at| view! { <p class="muted"><Time at/></p> })}
                </Step>
            })}
        </Steps>
    }
}

#[cfg(test)]
mod tests {
    use model::dto::RunStep;

    use super::*;

    #[test]
    fn more_than_a_full_copy_is_said() {
        assert_eq!(less(10, 1_000).as_deref(), Some("99 %"));
        assert_eq!(less(1_500, 1_000).as_deref(), Some("−50 %"));
        assert_eq!(less(5, 0), None);
    }

    #[test]
    fn what_was_copied_is_held_against_the_plan_and_sets_are_told() {
        assert_eq!(of_plan(999, 1_000).as_deref(), Some("99.9 %"));
        assert_eq!(of_plan(21_600, 21_600).as_deref(), Some("100.0 %"));
        assert_eq!(of_plan(5, 0), None);
        let how = RunHow {
            sets_fed: 2,
            bytes_fed: 1_400,
            files_purged: 1,
            ..RunHow::default()
        };
        let told = sets(&how);
        let titles: Vec<&str> = told.iter().map(|(title, _)| *title).collect();
        assert_eq!(
            titles,
            [
                words::replicas::BY_THE_CHANGE_FEED,
                words::replicas::WRITTEN_ANEW
            ]
        );
        assert!(
            told[0].1.starts_with("2 sets of rewritten files"),
            "{told:?}"
        );
    }

    fn run(state: RunState, steps: &[(RunState, i64)]) -> SyncRun {
        let at = |second: i64| Timestamp::from_micros(second * 1_000_000);
        SyncRun {
            id: "018f3a6e-0000-7000-8000-000000000000".parse().unwrap(),
            kind: RunKind::Sync,
            product: "vehicle-visits".parse().unwrap(),
            cut: None,
            schema: "default".parse().unwrap(),
            table: "visits".parse().unwrap(),
            to: "az_weu".parse().unwrap(),
            to_location: "azure:westeurope".parse().unwrap(),
            state,
            attempt: 1,
            from_version: None,
            to_version: None,
            replica_version: None,
            files_planned: 0,
            bytes_planned: 0,
            files_copied: 0,
            bytes_copied: 0,
            bytes_full: 0,
            bytes_received: 0,
            bytes_unused: 0,
            files_deleted: 0,
            bytes_deleted: 0,
            adopted_files: 0,
            adopted_bytes: 0,
            error: None,
            started_at: at(0),
            finished_at: None,
            busy_micros: 0,
            how: None,
            steps: steps
                .iter()
                .map(|(state, second)| RunStep {
                    state: *state,
                    at: at(*second),
                })
                .collect(),
        }
    }

    fn told(run: &SyncRun) -> Vec<(&'static str, Stand, Option<i64>)> {
        let parts = way(run).into_iter();
        parts
            .map(|part| {
                (
                    part.title,
                    part.stand,
                    part.took.map(|took| took / 1_000_000),
                )
            })
            .collect()
    }

    #[test]
    fn a_run_that_ended_badly_says_how_far_it_came() {
        use RunState::{Committing, Copying, Failed, Planned};
        let steps = [
            (Planned, 0),
            (Copying, 2),
            (Committing, 9),
            (Planned, 10),
            (Copying, 13),
            (Failed, 20),
        ];
        let failed = run(Failed, &steps);
        assert_eq!(
            told(&failed),
            [
                ("Planned", Stand::Done, Some(3)),
                ("Copied", Stand::Failed, Some(7)),
                ("Committed", Stand::Ahead, None),
                ("Verified", Stand::Ahead, None),
            ]
        );
        let parts = way(&failed);
        assert_eq!((parts[1].times, parts[2].began), (2, None));
        // Nothing was kept of it.
        let before = told(&run(Failed, &[]));
        assert!(before.iter().all(|(_, stand, _)| *stand == Stand::Ahead));
    }

    #[test]
    fn what_was_not_on_the_way_is_left_out() {
        use RunState::{Done, Planned};
        let nothing_new = run(Done, &[(Planned, 0), (Done, 4)]);
        assert_eq!(told(&nothing_new), [("Planned", Stand::Done, Some(4))]);
        assert_eq!(told(&run(Done, &[])).len(), 4, "from before it was kept");
        let mut vacuum = run(Planned, &[(Planned, 0)]);
        vacuum.kind = RunKind::Vacuum;
        assert_eq!(told(&vacuum), [("Planned", Stand::Now, None)]);
        assert_eq!(told(&run(Planned, &[(Planned, 0)])).len(), 4);
    }
}
