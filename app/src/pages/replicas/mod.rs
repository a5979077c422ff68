//! Replicas: which there are, how fresh they are, what keeps them so.

mod plan;
pub mod run;
pub mod show;

pub use run::Run;
pub use show::Show;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::dto::Replica;
use model::dto::SyncJob;

use crate::api;
use crate::api::Listed;
use crate::components::badge::Badge;
use crate::components::flash::Tone;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::url;
use crate::wire::load;
use crate::words;

const PATH: &str = "/replicas";

#[component]
pub fn Replicas() -> impl IntoView {
    view! {
        <Title text=words::replicas::REPLICAS/>
        <Members><All/></Members>
    }
}

#[component]
fn All() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let replicas = load(api::replicas::all_replicas(after));
    view! {
        <section class="page">
            <div class="page-head">
                <h1>{words::replicas::REPLICAS}</h1>
                <p class="lead">{words::replicas::WHAT_REPLICAS_ARE}</p>
                <p><A href="/erasures">{words::replicas::WHAT_IS_TO_BE_FORGOTTEN}</A></p>
                <p><A href="/adoptions">{words::flows::ADOPT_A_COPY}</A></p>
            </div>
            {replicas.show(move |replicas| list(replicas, is_first).into_any())}
        </section>
    }
}

fn list(replicas: Listed<Replica>, is_first: bool) -> impl IntoView {
    if replicas.items.is_empty() && is_first {
        return view! {
            <Empty title=words::replicas::NO_REPLICA_YET>
                <p>{words::replicas::WHEN_A_REPLICA_IS_MADE}</p>
                <p class="actions"><A href="/catalog" attr:class="button">{words::replicas::OPEN_THE_CATALOG}</A></p>
            </Empty>
        }
        .into_any();
    }
    let rows = replicas.items.into_iter().map(row).collect_view();
    let first = (!is_first).then(|| PATH.to_owned());
    let next = replicas
        .next
        .map(|after| url::with_query(PATH, [("after", after.as_str())]));
    let head = vec![
        Column::Text(words::replicas::PRODUCT),
        Column::Text(words::replicas::WHERE),
        Column::Text(words::replicas::STATE),
        Column::Text(words::replicas::HOLDS_WHAT_WAS_COMMITTED),
        Column::Number(words::replicas::SIZE),
        Column::Text(words::replicas::RHYTHM),
    ];
    view! {
        <Table caption=words::replicas::REPLICAS head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn row(replica: Replica) -> impl IntoView {
    let href = format!("/replicas/{}", replica.id);
    let bytes: u64 = replica.tables.iter().filter_map(|table| table.bytes).sum();
    // As old as the oldest of its tables.
    let holds = replica
        .tables
        .iter()
        .map(|table| table.source_committed_at)
        .min()
        .flatten();
    let (rhythm, next) = match &replica.job {
        Some(job) => (rhythm(job), job.next_due_at.filter(|_| !job.paused)),
        None => (String::new(), None),
    };
    let failing = is_failing(&replica);
    let product = replica.product.to_string();
    view! {
        <tr>
            <th scope="row">
                <A href=href>{product}</A>
                {cut_of(&replica)}
                <span class="secondary muted">{words::replicas::tables(replica.tables.len() as u64)}</span>
            </th>
            <td>{state::place(&replica.location)}<span class="secondary code muted">{replica.storage.to_string()}</span></td>
            <td>
                <State said=state::replica(replica.state)/>
                {late(&replica)}
                {failing.then(|| view! { <p class="reason">{words::replicas::LAST_SYNC_DID_NOT_GO_THROUGH}</p> })}
                {replica.drain_until.map(|at| view! { <span class="secondary muted">{words::replicas::DELETED_ON}<Ago at/></span> })}
            </td>
            <td>{holds.map(|at| view! { <Ago at/> })}</td>
            <td class="number">{words::bytes(bytes)}</td>
            <td>{rhythm}{next.map(|at| view! { <span class="secondary muted">{words::replicas::NEXT_SYNC}<Ago at/></span> })}</td>
        </tr>
    }
}

/// Of which cut it is, in one line; nothing where it is of the whole product.
pub(crate) fn cut_of(replica: &Replica) -> impl IntoView + use<> {
    replica.cut.as_ref().map(|cut| {
        let text = words::cuts::name_and_edition(cut, replica.edition);
        view! { <span class="secondary"><Badge>{text}</Badge></span> }
    })
}

/// That it is later than its schedule promises, in one line.
pub(crate) fn late(replica: &Replica) -> impl IntoView + use<> {
    replica.late_since.map(|at| {
        view! { <span class="secondary"><Badge tone=Tone::Warn>{words::limit::LATE_SINCE}<Ago at/></Badge></span> }
    })
}

/// Whether something on it failed that is to be done.
pub(crate) fn is_failing(replica: &Replica) -> bool {
    let mut work = replica.tables.iter().flat_map(|table| &table.work);
    work.any(|work| work.failures > 0 || work.parked)
}

/// `every 2d at 03:00 Europe/Berlin`.
pub(crate) fn rhythm(job: &SyncJob) -> String {
    if job.paused {
        words::replicas::PAUSED.to_owned()
    } else {
        timetable(job)
    }
}

/// The same of one that may be paused.
pub(crate) fn timetable(job: &SyncJob) -> String {
    let at = job
        .at
        .as_ref()
        .map(|at| words::replicas::at_time_of_day(&at))
        .unwrap_or_default();
    if let Some(period) = &job.on_new_version {
        return words::replicas::on_new_version(period);
    }
    if let Some(period) = &job.fresh_within {
        return words::replicas::fresh_within(period);
    }
    match (&job.every, &job.cron) {
        (Some(every), _) => words::replicas::every_at(&every, &at, &job.timezone),
        (None, Some(cron)) => format!("{cron} {}", job.timezone),
        (None, None) => words::replicas::BY_HAND.to_owned(),
    }
}
