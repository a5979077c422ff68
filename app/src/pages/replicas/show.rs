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
use model::dto::SyncPlan;
use model::dto::SyncRun;
use model::dto::TableWork;
use model::{Commits, Fetches};

use super::cut_of;
use super::plan;
use super::rhythm;
use super::timetable;
use crate::api;
use crate::api::Listed;
use crate::api::replicas::Lately;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
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
use crate::wire::load_if;
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
    // Logs are read for it, maybe across a border: only where somebody asks.
    let is_planned = use_query_map().with_untracked(|query| query.get("plan").is_some());
    let planned = load_if(is_planned.then(|| api::replicas::sync_plan(id.clone())));
    let lately = load(api::replicas::replica_lately(id.clone()));
    let found = load(api::replicas::replica(id, after));
    view! {
        <Title text=words::replicas::REPLICA/>
        {found.show(move |(replica, runs)| {
            page(replica, runs, lately, is_first, is_planned.then_some(planned)).into_any()
        })}
    }
}

fn page(
    replica: Replica,
    runs: Listed<SyncRun>,
    lately: Loaded<Lately>,
    is_first: bool,
    planned: Option<Loaded<Option<SyncPlan>>>,
) -> impl IntoView {
    let path = format!("/replicas/{}", replica.id);
    let product = replica.product.to_string();
    let href = format!("/products/{product}");
    let crumb = product.clone();
    let plan = plan::block(&replica, planned);
    let is_new = replica.tables.iter().any(|table| table.synced_at.is_none());
    let adopt = (is_new && replica.may.schedule).then(|| {
        let storage = replica.storage.to_string();
        let query = [("product", product.as_str()), ("storage", storage.as_str())];
        let href = url::with_query("/adoptions", query);
        view! { <p><A href=href>{words::flows::IS_A_COPY_THERE}</A></p> }
    });
    let is_busy = replica.tables.iter().any(|table| !table.work.is_empty());
    let tables = replica.tables.iter().map(table).collect_view();
    let head = vec![
        Column::Text(words::replicas::TABLE),
        Column::Text(words::replicas::STATE),
        Column::Text(words::replicas::HOLDS_WHAT_WAS_COMMITTED),
        Column::Number(words::replicas::VERSION),
        Column::Number(words::replicas::SIZE),
        Column::Text(words::replicas::SYNCED),
        Column::Text(words::replicas::VERIFIED),
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
        .filter(|run| run.to == storage && run.cut == replica.cut)
        .collect();
    view! {
        <section class="page">
            <p class="crumbs"><A href="/replicas">{words::replicas::REPLICAS}</A><A href=href>{crumb}</A></p>
            <div class="page-head page-head--split">
                <div>
                    <h1>{product}{words::replicas::IN}{state::place(&replica.location)}</h1>
                    <p class="states">
                        <State said=state::replica(replica.state)/>
                        <span class="code muted">{replica.storage.to_string()}</span>
                        {cut_of(&replica)}
                        {replica.drain_until.map(|at| view! { <span class="muted">{words::replicas::UNREAD_AND_DELETED_ON}<Ago at/></span> })}
                    </p>
                    {replica.reason.clone().map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
                </div>
                {actions(&replica)}
            </div>
            {replica.late_since.map(|at| view! {
                <Notice tone=Tone::Warn>
                    <p>{words::replicas::IT_IS_LATE}<Ago at/>{words::replicas::IS_NOT_HERE}</p>
                </Notice>
            })}
            <section class="block" data-refresh=is_busy.then_some("")>
                <h2>{words::replicas::TABLES}</h2>
                <Table caption=words::replicas::TABLES_OF_THE_REPLICA head>{tables}</Table>
                {adopt}
            </section>
            {plan}
            {replica.job.clone().map(|job| schedule(&replica, job))}
            <section class="block">
                <h2>{words::replicas::OVER_TIME}</h2>
                {lately.show(|lately| picture(lately).into_any())}
            </section>
            <section class="block">
                <h2>{words::replicas::SYNC_RUNS}</h2>
                {if runs.is_empty() && are_elsewhere {
                    view! { <p class="muted">{words::replicas::LATEST_RUNS_ARE_OF_OTHERS}</p> }.into_any()
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
        allowed.then(move || start(id, None, form, action, title, weight))
    };
    let sync = one(
        may.sync,
        "start-sync",
        wire::form::<api::replicas::StartSync>(),
        words::replicas::SYNC_NOW,
        Weight::Primary,
    );
    let verify = one(
        may.verify,
        "start-verify",
        wire::form::<api::replicas::StartVerify>(),
        words::replicas::CHECK_IT_NOW,
        Weight::Secondary,
    );
    let id = replica.id.to_string();
    let rows = may.verify.then(move || {
        let action = wire::form::<api::replicas::StartVerify>();
        let (title, weight) = (words::replicas::CHECK_EVERY_ROW, Weight::Secondary);
        start(id, Some("3"), "start-verify-rows", action, title, weight)
    });
    let release = one(
        may.release,
        "release-replica",
        wire::form::<api::replicas::ReleaseReplica>(),
        words::replicas::RELEASE,
        Weight::Secondary,
    );
    let vacuum = one(
        may.vacuum,
        "start-vacuum",
        wire::form::<api::replicas::StartVacuum>(),
        words::replicas::VACUUM_NOW,
        Weight::Secondary,
    );
    view! { <div class="actions">{sync}{verify}{rows}{vacuum}{release}</div> }
}

fn start(
    replica: String,
    level: Option<&'static str>,
    form: &'static str,
    action: &'static str,
    title: &'static str,
    weight: Weight,
) -> impl IntoView {
    view! {
        <Form id=form action class="inline">
            <Hidden name="replica" value=replica/>
            {level.map(|level| view! { <Hidden name="level" value=level.to_owned()/> })}
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
                {table.quarantined_at.map(|at| view! { <p class="secondary">{words::replicas::IN_QUARANTINE_SINCE}<Ago at/></p> })}
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
        "sync" => words::replicas::A_SYNC,
        "verify" => words::replicas::A_CHECK,
        "vacuum" => words::replicas::A_VACUUM,
        other => other,
    }
    .to_owned();
    let how = match (work.parked, work.failures) {
        (true, _) => words::replicas::WAITS_FOR_A_PERSON.to_owned(),
        (false, 0) => words::replicas::IS_UNDER_WAY.to_owned(),
        (false, times) => words::replicas::has_failed_and_is_tried_again(times.unsigned_abs()),
    };
    let error = work.error.clone();
    view! {
        <p class="secondary muted">{words::sentence(&words::replicas::work_stands_like_this(&what, &how))}</p>
        {error.map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
    }
}

fn schedule(replica: &Replica, job: SyncJob) -> impl IntoView + use<> {
    let id = replica.id.to_string();
    let next = job.next_due_at.filter(|_| !job.paused);
    let may = replica.may.schedule;
    let is_looking = job.on_new_version.is_some() || job.fresh_within.is_some();
    let is_checked = job.verify_objects.is_some() || job.verify_rows.is_some();
    // What is synced and checked by hand alone has nothing to pause.
    let is_timed = job.every.is_some() || job.cron.is_some() || is_looking || is_checked;
    let next_word = if is_looking {
        words::replicas::NEXT_LOOK
    } else {
        words::replicas::NEXT_RUN
    };
    let checks = [
        (
            words::replicas::EVERY_OBJECT_IS_CHECKED,
            job.verify_objects.clone(),
            job.next_objects_at,
        ),
        (
            words::replicas::EVERY_ROW_IS_CHECKED,
            job.verify_rows.clone(),
            job.next_rows_at,
        ),
    ];
    let checks = checks
        .into_iter()
        .filter_map(|(what, when, next)| {
            let when = words::replicas::checked(&when?, &job.timezone);
            Some(view! {
                <p>{what}{when}{next.map(|at| view! { {words::replicas::NEXT_CHECK}<Ago at/> })}"."</p>
            })
        })
        .collect_view();
    let halt = (may && is_timed).then(|| pause(id.clone(), &job));
    let resumed =
        (job.paused && is_timed).then(|| words::replicas::resumed_it_runs(&timetable(&job)));
    let form = may.then(|| change(id, job.clone()));
    view! {
        <section class="block">
            <h2>{words::replicas::SCHEDULE}</h2>
            <p>
                {words::sentence(&rhythm(&job))}
                {resumed}
                {next.map(|at| view! { {next_word}<Ago at/>{words::replicas::NEXT_RUN_AT}<Time at/>"." })}
            </p>
            {checks}
            <p class="muted">
                {words::replicas::how_long_it_is_kept(job.retention_hours.unsigned_abs(), job.keep_hours.unsigned_abs())}
                {job.forget_hours.map(|hours| words::replicas::forget_within(hours.unsigned_abs()))}
                {(job.commits == Commits::Each).then_some(words::replicas::EACH_VERSION_IS_KEPT)}
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
        ("no", words::replicas::RESUME_THE_SCHEDULE)
    } else {
        ("yes", words::replicas::PAUSE_THE_SCHEDULE)
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
    let choices = [
        ("no", words::replicas::IT_RUNS),
        ("yes", words::replicas::IT_IS_PAUSED),
    ];
    let choices = choices.map(|(value, title)| (value.to_owned(), title.to_owned()));
    let paused = if job.paused { "yes" } else { "no" };
    let fetches = Fetches::ALL
        .iter()
        .map(|what| (what.to_string(), words::replicas::fetches(*what).to_owned()))
        .collect::<Vec<_>>();
    let fetched = job.fetches.to_string();
    let commits = Commits::ALL
        .iter()
        .map(|what| (what.to_string(), words::replicas::commits(*what).to_owned()))
        .collect::<Vec<_>>();
    let committed = job.commits.to_string();
    view! {
        <details class="fold" open=returned>
            <summary>{words::replicas::CHANGE_THE_SCHEDULE}</summary>
            <Form id="sync-job" action class="form form--grid" revision=job.revision>
                <Hidden name="replica" value=replica/>
                <Field label=words::replicas::EVERY name="every" value=job.every hint=words::replicas::EVERY_HINT autocomplete="off"/>
                <Field label=words::replicas::AT name="at" value=job.at hint=words::replicas::AT_HINT autocomplete="off"/>
                <Field label=words::replicas::CRON name="cron" value=job.cron hint=words::replicas::CRON_HINT autocomplete="off"/>
                <Field label=words::replicas::ON_NEW_VERSION name="on_new_version" value=job.on_new_version hint=words::replicas::ON_NEW_VERSION_HINT autocomplete="off"/>
                <Field label=words::replicas::FRESH_WITHIN name="fresh_within" value=job.fresh_within hint=words::replicas::FRESH_WITHIN_HINT autocomplete="off"/>
                <Field label=words::replicas::TIME_ZONE name="timezone" value=Some(job.timezone) hint=words::replicas::TIME_ZONE_HINT required=true autocomplete="off"/>
                <Field label=words::replicas::VERIFY_OBJECTS name="verify_objects" value=job.verify_objects hint=words::replicas::VERIFY_OBJECTS_HINT autocomplete="off"/>
                <Field label=words::replicas::VERIFY_ROWS name="verify_rows" value=job.verify_rows hint=words::replicas::VERIFY_ROWS_HINT autocomplete="off"/>
                <Field label=words::replicas::KEEP_WHAT_THE_SOURCE_REMOVED name="retention_hours" kind=Kind::Number value=Some(job.retention_hours.to_string()) hint=words::replicas::HOURS required=true/>
                <Field label=words::replicas::KEEP_THE_REPLICA_WITHOUT_READERS name="keep_hours" kind=Kind::Number value=Some(job.keep_hours.to_string()) hint=words::replicas::HOURS required=true/>
                <Field label=words::replicas::FORGET_WITHIN name="forget_hours" kind=Kind::Number value=Some(job.forget_hours.unwrap_or_default().to_string()) hint=words::replicas::FORGET_WITHIN_HINT required=true/>
                <Select label=words::replicas::OF_REWRITTEN_FILES name="fetches" options=fetches value=Some(fetched)/>
                <Select label=words::replicas::A_COMMIT_BRINGS name="commits" options=commits value=Some(committed)/>
                <Select label=words::replicas::WHETHER_IT_RUNS name="paused" options=choices.to_vec() value=Some(paused.to_owned())/>
                <div class="actions"><Submit weight=Weight::Secondary>{words::replicas::CHANGE_THE_SCHEDULE}</Submit></div>
            </Form>
        </details>
    }
}

/// The runs, each with how much less was moved than a full copy would have.
pub(crate) fn list(runs: Vec<SyncRun>) -> impl IntoView {
    if runs.is_empty() {
        return view! { <p class="muted">{words::replicas::NO_RUN_YET}</p> }.into_any();
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
        Column::Text(words::replicas::RUN),
        Column::Text(words::replicas::KIND),
        Column::Text(words::replicas::VERSIONS),
        Column::Number(words::replicas::COPIED),
        Column::Number(words::replicas::A_FULL_COPY),
        Column::Text(words::replicas::STATE),
    ];
    view! { <Table caption=words::replicas::SYNC_RUNS head>{rows}</Table> }.into_any()
}

/// `3 → 7`, of the source.
pub(super) fn versions(run: &SyncRun) -> String {
    match (run.from_version, run.to_version) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (None, Some(to)) => words::replicas::first_version_to(&to),
        _ => String::new(),
    }
}
