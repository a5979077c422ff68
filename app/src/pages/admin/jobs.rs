//! The workers' queue: what waits, what is under way, what failed and waits for a person.

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
        <Title text="Jobs"/>
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
            <Head path=PATH title="Jobs" lead="What the workers have to do. Parked is what failed too often: it waits for you."/>
            {may.then_some(form)}
            {jobs.show(move |jobs| list(jobs, [&state, &kind], is_first).into_any())}
        </section>
    }
}

/// What a state is called, in the address and by people.
fn called(state: &str) -> &str {
    match state {
        "waiting" => "Waits",
        "running" => "Under way",
        "failing" => "Tried again",
        "parked" => "Parked",
        other => other,
    }
}

/// A form that only leads to another address.
fn filter(state: &str, kind: &str) -> impl IntoView + use<> {
    let any = || (String::new(), "All".to_owned());
    let states = api::audit::job_states().map(|word| (word.to_owned(), called(word).to_owned()));
    let kinds = api::audit::job_kinds().map(|word| (word.to_owned(), word.to_owned()));
    let states = std::iter::once(any()).chain(states).collect();
    let kinds = std::iter::once(any()).chain(kinds).collect();
    view! {
        <form class="form form--grid" method="get" action=PATH>
            <Select label="State" name="state" options=states value=Some(state.to_owned())/>
            <Select label="Kind" name="kind" options=kinds value=Some(kind.to_owned())/>
            <div class="actions"><Button>"Show"</Button></div>
        </form>
    }
}

fn list(jobs: Listed<Job>, [state, kind]: [&str; 2], is_first: bool) -> impl IntoView + use<> {
    let is_all = state.is_empty() && kind.is_empty();
    if jobs.items.is_empty() && !(is_all && is_first) {
        return view! {
            <Empty title="No job fits">
                <p class="actions"><A href=PATH attr:class="button">"Show all jobs"</A></p>
            </Empty>
        }
        .into_any();
    }
    if jobs.items.is_empty() {
        return view! {
            <Empty title="Nothing to do"><p>"Every piece of work is done."</p></Empty>
        }
        .into_any();
    }
    let chosen = [("state", state), ("kind", kind)];
    let next = jobs.next.map(|after| {
        let more = chosen.into_iter().chain([("after", after.as_str())]);
        url::with_query(PATH, more)
    });
    let first = (!is_first).then(|| url::with_query(PATH, chosen));
    let rows = jobs.items.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text("Work"),
        Column::Text("State"),
        Column::Number("Failures"),
        Column::Text("Since"),
        Column::Text("What to do"),
    ];
    view! {
        <Table caption="Work" head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn row(job: Job) -> impl IntoView {
    let (word, tone) = match (job.parked, job.is_leased, job.failures) {
        (true, _, _) => ("Parked", Tone::Bad),
        (false, true, _) => ("Under way", Tone::Good),
        (false, false, 0) => ("Waits", Tone::Plain),
        (false, false, _) => ("Tried again", Tone::Warn),
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
                        <Submit weight=Weight::Secondary>"Try again"</Submit>
                    </Form>
                })}
            </td>
        </tr>
    }
}
