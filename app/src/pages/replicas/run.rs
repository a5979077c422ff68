//! One sync run: how far it is, what it moved against what a full copy would have, and what went wrong.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use model::RunState;
use model::dto::SyncRun;

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
        <Title text="Sync run"/>
        {found.show(|run| page(run).into_any())}
    }
}

fn page(run: SyncRun) -> impl IntoView {
    let replica = format!("/replicas/{}@{}", run.product, run.to);
    let product = run.product.to_string();
    let is_under_way = run.finished_at.is_none();
    let copied = run.bytes_copied.min(run.bytes_planned);
    let share = less(run.bytes_copied, run.bytes_full);
    view! {
        <section class="page">
            <p class="crumbs"><A href="/replicas">"Replicas"</A><A href=replica>{format!("{product} in {}", run.to)}</A></p>
            <div class="page-head">
                <h1>{format!("{} of {}", state::run_kind(run.kind), run.table)}</h1>
                <p class="states"><State said=state::run(run.state)/><span class="muted">{format!("attempt {}", run.attempt)}</span></p>
            </div>
            <div class="columns" data-refresh=is_under_way.then_some("")>
                <div class="stack">
                    {steps(&run)}
                    {(is_under_way && run.bytes_planned > 0).then(|| view! {
                        <p>
                            <progress max=run.bytes_planned.to_string() value=copied.to_string() aria-label="Copied"></progress>
                            " "{words::bytes(copied)}" of "{words::bytes(run.bytes_planned)}
                        </p>
                    })}
                    {run.error.clone().map(|why| view! { <p class="reason" role="status">{words::sentence(&why)}</p> })}
                </div>
                <section class="card" aria-labelledby="figures">
                    <h2 id="figures">"What it moved"</h2>
                    <dl class="facts">
                        {fact("Copied", format!("{} in {}", words::bytes(run.bytes_copied), words::plural(run.files_copied, "file", "files")))}
                        {fact("A full copy", words::bytes(run.bytes_full))}
                        {share.map(|share| fact("Less by", share))}
                        {fact("Came from the source", format!("{}, log reads and repeated requests included: what is billed", words::bytes(run.bytes_received)))}
                        {(run.files_deleted > 0).then(|| fact("Deleted", format!("{} in {}", words::bytes(run.bytes_deleted), words::plural(run.files_deleted, "file", "files"))))}
                        {fact("Versions of the source", versions(&run))}
                        {run.replica_version.map(|version| fact("Version of the replica", version.to_string()))}
                        {fact("Worked for", words::duration(run.busy_micros))}
                        <div><dt>"Began"</dt><dd><Time at=run.started_at/></dd></div>
                        {run.finished_at.map(|at| view! { <div><dt>"Ended"</dt><dd><Time at/></dd></div> })}
                    </dl>
                </section>
            </div>
        </section>
    }
}

fn fact(title: &'static str, text: String) -> impl IntoView {
    view! { <div><dt>{title}</dt><dd>{text}</dd></div> }
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

fn steps(run: &SyncRun) -> impl IntoView + use<> {
    const WAY: [(RunState, &str); 4] = [
        (RunState::Planned, "Planned"),
        (RunState::Copying, "Copied"),
        (RunState::Committing, "Committed"),
        (RunState::Verifying, "Verified"),
    ];
    let now = WAY.iter().position(|(state, _)| *state == run.state);
    let steps = WAY
        .iter()
        .enumerate()
        .map(|(position, (_, title))| {
            let stand = match (run.state, now) {
                (RunState::Done, _) => Stand::Done,
                (_, Some(now)) if position < now => Stand::Done,
                (_, Some(now)) if position == now => Stand::Now,
                // It does not say how far it had come.
                _ => Stand::Ahead,
            };
            view! { <Step stand title><span></span></Step> }
        })
        .collect_view();
    let ended = matches!(run.state, RunState::Parked | RunState::Failed);
    let title = if run.state == RunState::Parked {
        "Parked: a person has to look"
    } else {
        "Failed"
    };
    view! {
        <Steps label="How far the run is">
            {steps}
            {ended.then(|| view! { <Step stand=Stand::Failed title><span></span></Step> })}
        </Steps>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_a_full_copy_is_said() {
        assert_eq!(less(10, 1_000).as_deref(), Some("99 %"));
        assert_eq!(less(1_500, 1_000).as_deref(), Some("−50 %"));
        assert_eq!(less(5, 0), None);
    }
}
