//! The workers' queue: what waits, what is under way, what failed and waits for a person.

use std::collections::BTreeSet;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::Role;

use super::Head;
use crate::api;
use crate::api::Listed;
use crate::api::audit::Job;
use crate::components::badge::Badge;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::field::Select;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

const PATH: &str = "/admin/jobs";

#[component]
pub fn Jobs() -> impl IntoView {
    view! {
        <Title text=words::admin::jobs::JOBS/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let (state, kind, after) = use_query_map().with_untracked(|query| {
        let given = |name: &str| query.get(name).unwrap_or_default();
        (given("state"), given("kind"), query.get("after"))
    });
    let is_first = after.is_none();
    let jobs = load(api::audit::jobs(state.clone(), kind.clone(), after));
    let form = filter(&state, &kind);
    let may = ctx::viewer().is_some_and(|viewer| viewer.is(Role::Admin));
    view! {
        <section class="page">
            <Head path=PATH title=words::admin::jobs::JOBS lead=words::admin::jobs::WHAT_JOBS_ARE/>
            {may.then_some(form)}
            {jobs.show(move |jobs| list(jobs, [&state, &kind], is_first).into_any())}
        </section>
    }
}

/// What a state is called, in the address and by people.
fn called(state: &str) -> &str {
    match state {
        "waiting" => words::admin::jobs::WAITS,
        "running" => words::admin::jobs::UNDER_WAY,
        "failing" => words::admin::jobs::TRIED_AGAIN,
        "parked" => words::admin::jobs::PARKED,
        other => other,
    }
}

/// A form that only leads to another address.
fn filter(state: &str, kind: &str) -> impl IntoView + use<> {
    let any = || (String::new(), words::admin::jobs::ALL.to_owned());
    let states = api::audit::job_states().map(|word| (word.to_owned(), called(word).to_owned()));
    let kinds = api::audit::job_kinds().map(|word| (word.to_owned(), word.to_owned()));
    let states = std::iter::once(any()).chain(states).collect();
    let kinds = std::iter::once(any()).chain(kinds).collect();
    view! {
        <form class="form form--grid" method="get" action=PATH>
            <Select label=words::admin::jobs::STATE name="state" options=states value=Some(state.to_owned())/>
            <Select label=words::admin::jobs::KIND name="kind" options=kinds value=Some(kind.to_owned())/>
            <div class="actions"><Button>{words::admin::jobs::SHOW}</Button></div>
        </form>
    }
}

fn list(jobs: Listed<Job>, [state, kind]: [&str; 2], is_first: bool) -> impl IntoView + use<> {
    let is_all = state.is_empty() && kind.is_empty();
    if jobs.items.is_empty() && !(is_all && is_first) {
        return view! {
            <Empty title=words::admin::jobs::NO_JOB_FITS>
                <p class="actions"><A href=PATH attr:class="button">{words::admin::jobs::SHOW_ALL_JOBS}</A></p>
            </Empty>
        }
        .into_any();
    }
    if jobs.items.is_empty() {
        return view! {
            <Empty title=words::admin::jobs::NOTHING_TO_DO><p>{words::admin::jobs::EVERY_PIECE_OF_WORK_IS_DONE}</p></Empty>
        }
        .into_any();
    }
    let chosen = [("state", state), ("kind", kind)];
    let next = jobs.next.map(|after| {
        let more = chosen.into_iter().chain([("after", after.as_str())]);
        url::with_query(PATH, more)
    });
    let first = (!is_first).then(|| url::with_query(PATH, chosen));
    let parked = jobs.items.iter().filter(|job| job.parked);
    let kinds: BTreeSet<String> = parked.map(|job| job.kind.clone()).collect();
    let retry = (!kinds.is_empty()).then(|| {
        let forms = kinds.into_iter().map(retry_all).collect_view();
        view! { <div class="actions">{forms}</div> }
    });
    let rows = jobs.items.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::admin::jobs::WORK),
        Column::Text(words::admin::jobs::STATE),
        Column::Number(words::admin::jobs::FAILURES),
        Column::Text(words::admin::jobs::SINCE),
        Column::Text(words::admin::jobs::WHAT_TO_DO),
    ];
    view! {
        {retry}
        <Table caption=words::admin::jobs::WORK head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn retry_all(kind: String) -> impl IntoView {
    let action = wire::form::<api::audit::RetryAll>();
    let (form, button) = (format!("retry-all-{kind}"), words::retry::all_of(&kind));
    view! {
        <Form id=form action class="inline" stay=true>
            <Hidden name="kind" value=kind/>
            <Submit weight=Weight::Secondary>{button}</Submit>
        </Form>
    }
}

fn row(job: Job) -> impl IntoView {
    let (word, tone) = match (job.parked, job.is_leased, job.failures) {
        (true, _, _) => (words::admin::jobs::PARKED, Tone::Bad),
        (false, true, _) => (words::admin::jobs::UNDER_WAY, Tone::Good),
        (false, false, 0) => (words::admin::jobs::WAITS, Tone::Plain),
        (false, false, _) => (words::admin::jobs::TRIED_AGAIN, Tone::Warn),
    };
    let form = format!("retry-{}", job.id);
    let action = wire::form::<api::audit::RetryWork>();
    view! {
        <tr>
            <th scope="row">{job.kind}<span class="secondary code muted">{job.key}</span></th>
            <td>
                <Badge tone>{word}</Badge>
                {job.error.map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
            </td>
            <td class="number">{job.failures}</td>
            <td><Ago at=job.created_at/></td>
            <td>
                {job.parked.then(|| view! {
                    <Form id=form action class="inline" stay=true>
                        <Hidden name="work" value=job.id/>
                        <Submit weight=Weight::Secondary>{words::admin::jobs::TRY_AGAIN}</Submit>
                    </Form>
                })}
            </td>
        </tr>
    }
}
