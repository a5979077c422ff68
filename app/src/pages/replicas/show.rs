//! One replica: its tables, what is being done on them, its schedule, its runs. Looks again by itself while something is
//! under way.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use leptos_router::hooks::use_query_map;
use model::RunKind;
use model::dto::Replica;
use model::dto::ReplicaTable;
use model::dto::SyncJob;
use model::dto::SyncRun;
use model::dto::TableWork;

use super::rhythm;
use super::timetable;
use crate::api;
use crate::api::Listed;
use crate::api::replicas::Lately;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::components::time::Time;
use crate::ctx;
use crate::pages::product::timeline::picture;
use crate::url;
use crate::wire;
use crate::wire::Loaded;
use crate::wire::load;
use crate::words;

#[component]
pub fn Show() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

#[component]
fn Shown() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let lately = load(api::replicas::replica_lately(id.clone()));
    let found = load(api::replicas::replica(id, after));
    view! {
        <Title text="Replica"/>
        {found.show(move |(replica, runs)| page(replica, runs, lately, is_first).into_any())}
    }
}

fn page(
    replica: Replica,
    runs: Listed<SyncRun>,
    lately: Loaded<Lately>,
    is_first: bool,
) -> impl IntoView {
    let path = format!("/replicas/{}", replica.id);
    let product = replica.product.to_string();
    let href = format!("/products/{product}");
    let crumb = product.clone();
    let is_busy = replica.tables.iter().any(|table| !table.work.is_empty());
    let tables = replica.tables.iter().map(table).collect_view();
    let head = vec![
        Column::Text("Table"),
        Column::Text("State"),
        Column::Text("Holds what was committed"),
        Column::Number("Version"),
        Column::Number("Size"),
        Column::Text("Synced"),
        Column::Text("Verified"),
    ];
    // The runs of the product go to all of its replicas.
    let storage = replica.storage.clone();
    let next = runs
        .next
        .clone()
        .map(|after| url::with_query(&path, [("after", after.as_str())]));
    let first = (!is_first).then(|| path.clone());
    let are_elsewhere = next.is_some();
    let runs: Vec<SyncRun> = runs
        .items
        .into_iter()
        .filter(|run| run.to == storage)
        .collect();
    view! {
        <section class="page">
            <p class="crumbs"><A href="/replicas">"Replicas"</A><A href=href>{crumb}</A></p>
            <div class="page-head page-head--split">
                <div>
                    <h1>{product}" in "{state::place(&replica.location)}</h1>
                    <p class="states">
                        <State said=state::replica(replica.state)/>
                        <span class="code muted">{replica.storage.to_string()}</span>
                        {replica.drain_until.map(|at| view! { <span class="muted">"nobody reads it any more; deleted "<Ago at/></span> })}
                    </p>
                    {replica.reason.clone().map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
                </div>
                {actions(&replica)}
            </div>
            <section class="block" data-refresh=is_busy.then_some("")>
                <h2>"Tables"</h2>
                <Table caption="Tables of the replica" head>{tables}</Table>
            </section>
            {replica.job.clone().map(|job| schedule(&replica, job))}
            <section class="block">
                <h2>"Over time"</h2>
                {lately.show(|lately| picture(lately).into_any())}
            </section>
            <section class="block">
                <h2>"Sync runs"</h2>
                {if runs.is_empty() && are_elsewhere {
                    view! { <p class="muted">"The latest runs of the product are of its other replicas; older ones stand on the next page."</p> }.into_any()
                } else {
                    list(runs).into_any()
                }}
                <Pager first next/>
            </section>
        </section>
    }
}

fn actions(replica: &Replica) -> impl IntoView + use<> {
    let may = replica.may;
    let one = |allowed: bool, form, action, title, weight| {
        let id = replica.id.to_string();
        allowed.then(move || start(id, form, action, title, weight))
    };
    let sync = one(
        may.sync,
        "start-sync",
        wire::form::<api::replicas::StartSync>(),
        "Sync now",
        Weight::Primary,
    );
    let verify = one(
        may.verify,
        "start-verify",
        wire::form::<api::replicas::StartVerify>(),
        "Check it now",
        Weight::Secondary,
    );
    let vacuum = one(
        may.vacuum,
        "start-vacuum",
        wire::form::<api::replicas::StartVacuum>(),
        "Vacuum now",
        Weight::Secondary,
    );
    view! { <div class="actions">{sync}{verify}{vacuum}</div> }
}

fn start(
    replica: String,
    form: &'static str,
    action: &'static str,
    title: &'static str,
    weight: Weight,
) -> impl IntoView {
    view! {
        <Form id=form action class="inline">
            <Hidden name="replica" value=replica/>
            <Submit weight>{title}</Submit>
        </Form>
    }
}

fn table(table: &ReplicaTable) -> impl IntoView + use<> {
    let name = format!("{}.{}", table.schema, table.name);
    let work = table.work.iter().map(under_way).collect_view();
    view! {
        <tr>
            <th scope="row" class="code">{name}</th>
            <td>
                <State said=state::replica(table.state)/>
                {table.reason.clone().map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
                {work}
            </td>
            <td>{table.source_committed_at.map(|at| view! { <Ago at/> })}</td>
            <td class="number">{table.source_version}</td>
            <td class="number">{table.bytes.map(words::bytes)}</td>
            <td>{table.synced_at.map(|at| view! { <Ago at/> })}</td>
            <td>{table.verified_at.map(|at| view! { <Ago at/> })}</td>
        </tr>
    }
}

fn under_way(work: &TableWork) -> impl IntoView + use<> {
    let what = match work.kind.as_str() {
        "sync" => "sync",
        "verify" => "check",
        "vacuum" => "vacuum",
        other => other,
    }
    .to_owned();
    let how = match (work.parked, work.failures) {
        (true, _) => "waits until a person says so".to_owned(),
        (false, 0) => "is under way".to_owned(),
        (false, times) => format!(
            "has failed {} and is tried again",
            words::plural(times.unsigned_abs(), "time", "times")
        ),
    };
    let error = work.error.clone();
    view! {
        <p class="secondary muted">{words::sentence(&format!("a {what} {how}"))}</p>
        {error.map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
    }
}

fn schedule(replica: &Replica, job: SyncJob) -> impl IntoView + use<> {
    let id = replica.id.to_string();
    let next = job.next_due_at.filter(|_| !job.paused);
    let may = replica.may.schedule;
    // What is synced by hand alone has nothing to pause.
    let is_timed = job.every.is_some() || job.cron.is_some();
    let halt = (may && is_timed).then(|| pause(id.clone(), &job));
    let resumed =
        (job.paused && is_timed).then(|| format!(" Resumed, it runs {}.", timetable(&job)));
    let form = may.then(|| change(id, job.clone()));
    view! {
        <section class="block">
            <h2>"Schedule"</h2>
            <p>
                {words::sentence(&rhythm(&job))}
                {resumed}
                {next.map(|at| view! { " Next run "<Ago at/>", at "<Time at/>"." })}
            </p>
            <p class="muted">
                {format!(
                    "What the source removed is kept for {}, the whole replica for {} after its last reader.",
                    words::plural(job.retention_hours.unsigned_abs(), "hour", "hours"),
                    words::plural(job.keep_hours.unsigned_abs(), "hour", "hours"),
                )}
            </p>
            {halt}
            {form}
        </section>
    }
}

/// One button; all else of the schedule stays.
fn pause(replica: String, job: &SyncJob) -> impl IntoView + use<> {
    let action = wire::form::<api::replicas::ChangeSyncJob>();
    let (word, title) = if job.paused {
        ("no", "Resume the schedule")
    } else {
        ("yes", "Pause the schedule")
    };
    let revision = job.revision.to_string();
    view! {
        <div class="actions">
            <Form id="sync-pause" action class="inline">
                <Hidden name="replica" value=replica/>
                <Hidden name="revision" value=revision/>
                <Hidden name="paused" value=word/>
                <Submit weight=Weight::Secondary>{title}</Submit>
            </Form>
        </div>
    }
}

fn change(replica: String, job: SyncJob) -> impl IntoView {
    let action = wire::form::<api::replicas::ChangeSyncJob>();
    let returned = ctx::flash().is_of("sync-job");
    let choices = [("no", "It runs"), ("yes", "It is paused")];
    let choices = choices.map(|(value, title)| (value.to_owned(), title.to_owned()));
    let paused = if job.paused { "yes" } else { "no" };
    view! {
        <details class="fold" open=returned>
            <summary>"Change the schedule"</summary>
            <Form id="sync-job" action class="form form--grid" revision=job.revision>
                <Hidden name="replica" value=replica/>
                <Field label="Every" name="every" value=job.every hint="For example 2d, 6h or 30m; empty to run by hand or by cron." autocomplete="off"/>
                <Field label="At" name="at" value=job.at hint="A time of day, 03:00, for whole days." autocomplete="off"/>
                <Field label="Cron" name="cron" value=job.cron hint="Instead of every and at." autocomplete="off"/>
                <Field label="Time zone" name="timezone" value=Some(job.timezone) hint="For example Europe/Berlin." required=true autocomplete="off"/>
                <Field label="Keep what the source removed" name="retention_hours" kind=Kind::Number value=Some(job.retention_hours.to_string()) hint="Hours." required=true/>
                <Field label="Keep the replica without readers" name="keep_hours" kind=Kind::Number value=Some(job.keep_hours.to_string()) hint="Hours." required=true/>
                <Select label="Whether it runs" name="paused" options=choices.to_vec() value=Some(paused.to_owned())/>
                <div class="actions"><Submit weight=Weight::Secondary>"Change the schedule"</Submit></div>
            </Form>
        </details>
    }
}

/// The runs, each with how much less was moved than a full copy would have.
pub(crate) fn list(runs: Vec<SyncRun>) -> impl IntoView {
    if runs.is_empty() {
        return view! { <p class="muted">"No run yet."</p> }.into_any();
    }
    let rows = runs
        .into_iter()
        .map(|run| {
            let href = format!("/runs/{}", run.id);
            // A vacuum moves nothing.
            let is_sync = run.kind == RunKind::Sync;
            let moved = |bytes| if is_sync { words::bytes(bytes) } else { "–".to_owned() };
            view! {
                <tr>
                    <th scope="row">
                        <A href=href><Time at=run.started_at/></A>
                        <span class="code muted">{format!("{} → {}", run.table, run.to)}</span>
                    </th>
                    <td>{state::run_kind(run.kind)}</td>
                    <td>{versions(&run)}</td>
                    <td class="number">{moved(run.bytes_copied)}</td>
                    <td class="number">{moved(run.bytes_full)}</td>
                    <td>
                        <State said=state::run(run.state)/>
                        {run.error.map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
                    </td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text("Run"),
        Column::Text("Kind"),
        Column::Text("Versions"),
        Column::Number("Copied"),
        Column::Number("A full copy"),
        Column::Text("State"),
    ];
    view! { <Table caption="Sync runs" head>{rows}</Table> }.into_any()
}

/// `3 → 7`, of the source.
pub(super) fn versions(run: &SyncRun) -> String {
    match (run.from_version, run.to_version) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (None, Some(to)) => format!("first → {to}"),
        _ => String::new(),
    }
}
