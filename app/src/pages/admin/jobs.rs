//! The workers' queue: what waits, what is under way, what failed and waits for a person.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::Head;
use crate::api;
use crate::api::Listed;
use crate::api::audit::Job;
use crate::components::badge::Badge;
use crate::components::button::Weight;
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
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let jobs = load(api::audit::jobs(after));
    view! {
        <section class="page">
            <Head path=PATH title="Jobs" lead="What the workers have to do. Parked is what failed too often: it waits for you."/>
            {jobs.show(move |jobs| list(jobs, is_first).into_any())}
        </section>
    }
}

fn list(jobs: Listed<Job>, is_first: bool) -> impl IntoView {
    if jobs.items.is_empty() {
        return view! {
            <Empty title="Nothing to do"><p>"Every piece of work is done."</p></Empty>
        }
        .into_any();
    }
    let next = jobs
        .next
        .map(|after| url::with_query(PATH, [("after", after.as_str())]));
    let first = (!is_first).then(|| PATH.to_owned());
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
