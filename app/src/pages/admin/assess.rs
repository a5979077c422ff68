//! What moving tables costs, reckoned from their logs: a form that begins it, how far one is, and what came of the last ones.

mod found;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use model::dto::AssessmentState;

use self::found::told;
use super::Head;
use crate::api;
use crate::api::storages::Assessed;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::state::Said;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::text_area::TextArea;
use crate::components::time::Time;
use crate::wire;
use crate::wire::load;
use crate::words;

const PATH: &str = "/admin/assess";

#[component]
pub fn Assess() -> impl IntoView {
    view! {
        <Title text=words::admin::assess::ASSESSMENT/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let assessed = load(api::storages::assessment());
    view! {
        <section class="page">
            <Head
                path=PATH
                title=words::admin::assess::ASSESSMENT
                lead=words::admin::assess::WHAT_IT_IS
            />
            {assessed.show(move |assessed| all(assessed).into_any())}
        </section>
    }
}

fn all(assessed: Assessed) -> impl IntoView {
    let mut state = assessed.state;
    let storages = assessed
        .storages
        .into_iter()
        .map(|name| (name.clone(), name))
        .collect();
    let found = match state.found.take() {
        Some(found) => told(found).into_any(),
        None => view! {
            <Empty title=words::admin::assess::NONE_YET>
                <p>{words::admin::assess::HOW_TO_GET_ONE}</p>
            </Empty>
        }
        .into_any(),
    };
    view! {
        <Begin storages/>
        {standing(&state)}
        {found}
        {past(assessed.past)}
    }
}

/// One of them, by itself.
#[component]
pub fn ShowAssessment() -> impl IntoView {
    view! { <Members><One/></Members> }
}

#[component]
fn One() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let state = load(api::storages::assessment_of(id));
    view! {
        <Title text=words::admin::assess::ASSESSMENT/>
        <section class="page">
            <p class="crumbs"><A href=PATH>{words::admin::assess::ASSESSMENTS}</A></p>
            {state.show(|state| one(state).into_any())}
        </section>
    }
}

fn one(mut state: AssessmentState) -> impl IntoView {
    let found = state.found.take();
    let place = state.place.clone().unwrap_or_default();
    let said = said(&state);
    view! {
        <div class="page-head">
            <h1>{words::admin::assess::assessment_of(&place)}</h1>
            <p class="states"><State said/></p>
        </div>
        {standing(&state)}
        {found.map(told)}
    }
}

fn said(state: &AssessmentState) -> Said {
    match (state.running, &state.problem) {
        (true, _) => (words::admin::assess::RUNS, Tone::Warn),
        (false, Some(_)) => (words::admin::assess::FAILED, Tone::Bad),
        (false, None) if state.cancelled => (words::admin::assess::CANCELLED, Tone::Plain),
        (false, None) => (words::admin::assess::DONE, Tone::Good),
    }
}

/// How far it is, or why nothing came of it.
fn standing(state: &AssessmentState) -> impl IntoView + use<> {
    let runs = state.started_at.filter(|_| state.running).map(|at| {
        let place = state.place.clone().unwrap_or_default();
        let progress = words::admin::assess::progress(state.tables_done, state.tables);
        let id = state.id.map(|id| id.to_string()).unwrap_or_default();
        let action = wire::form::<api::storages::CancelAssessment>();
        view! {
            <div data-refresh="">
                <Notice tone=Tone::Plain>
                    <p>{words::admin::assess::runs_since(&place)}<Time at/>". "{progress}</p>
                </Notice>
                <div class="actions">
                    <Form id="assessment-cancel" action class="inline">
                        <Hidden name="assessment" value=id/>
                        <Submit weight=Weight::Secondary>{words::admin::assess::CANCEL}</Submit>
                    </Form>
                </div>
            </div>
        }
    });
    let cancelled = (state.cancelled && !state.running).then(
        || view! { <Notice tone=Tone::Plain><p>{words::admin::assess::WAS_CANCELLED}</p></Notice> },
    );
    let problem = state.problem.clone().map(|problem| {
        view! {
            <Notice tone=Tone::Bad>
                <p>{words::admin::assess::CAME_TO_NOTHING}" "{words::sentence(&problem)}</p>
            </Notice>
        }
    });
    view! { {runs} {cancelled} {problem} }
}

fn past(states: Vec<AssessmentState>) -> impl IntoView {
    let is_there = !states.is_empty();
    let rows = states.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::admin::assess::BEGUN),
        Column::Text(words::admin::assess::PLACE),
        Column::Text(words::admin::assess::STATE),
        Column::Number(words::admin::assess::TABLES),
    ];
    is_there.then(|| {
        view! {
            <section class="block">
                <h2>{words::admin::assess::ASSESSMENTS}</h2>
                <p class="muted">{words::admin::assess::HOW_MANY_ARE_KEPT}</p>
                <Table caption=words::admin::assess::ASSESSMENTS head>{rows}</Table>
            </section>
        }
    })
}

fn row(state: AssessmentState) -> impl IntoView {
    let id = state.id.map(|id| id.to_string()).unwrap_or_default();
    let href = format!("{PATH}/{id}");
    let said = said(&state);
    let begun = state.started_at.map(|at| view! { <Time at/> });
    view! {
        <tr>
            <th scope="row"><A href=href>{begun}</A></th>
            <td class="code">{state.place}</td>
            <td><State said/></td>
            <td class="number">{state.tables.map(words::count)}</td>
        </tr>
    }
}

#[component]
fn Begin(storages: Vec<(String, String)>) -> impl IntoView {
    let action = wire::form::<api::storages::StartAssessment>();
    view! {
        <section class="block">
            <h2>{words::admin::assess::BEGIN}</h2>
            <Form id="assessment" action class="form form--grid">
                <Select label=words::admin::assess::STORAGE name="storage" options=storages required=true/>
                <Field label=words::admin::assess::FOLDER name="prefix" hint=words::admin::assess::FOLDER_HINT autocomplete="off"/>
                <Field label=words::admin::assess::DAYS name="days" kind=Kind::Number value=Some("28".to_owned()) min=Some("1".to_owned())/>
                <Field label=words::admin::assess::EVERY name="every" hint=words::admin::assess::EVERY_HINT autocomplete="off"/>
                <Field label=words::admin::assess::TO name="to" hint=words::admin::assess::TO_HINT autocomplete="off"/>
                <TextArea label=words::admin::assess::FLOWS name="flows" hint=words::admin::assess::FLOWS_HINT rows=6/>
                <div class="actions"><Submit>{words::admin::assess::BEGIN_IT}</Submit></div>
            </Form>
        </section>
    }
}
