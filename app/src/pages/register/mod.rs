//! Registering products, several tables at once, step by step: where they are, which, what they are, who gets access, and the declaration
//! that all of it comes to, with what publishing it does. Each step but the last is a form that leads to the next address: what was filled
//! in stands there, so that a step can be sent to somebody, and the back button loses nothing.

mod filled;
mod review;
mod steps;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_location;
use model::Name;

use crate::api;
use crate::api::declaration::Drafted;
use crate::api::declaration::Found;
use crate::api::declaration::Places;
use crate::api::declaration::ScanForm;
use crate::components::flash::Problems;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::error::FieldError;
use crate::wire::Loaded;
use crate::wire::load;
use crate::wire::load_if;
use crate::words;

use filled::Filled;
use filled::Step;

#[component]
pub fn Register() -> impl IntoView {
    view! {
        <Title text=words::register::REGISTER_PRODUCTS/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let query = use_location().search.get_untracked();
    let (filled, asked) = Filled::of_query(&query);
    let sent = review::sent();
    let (step, wrong) = match &sent {
        // What was sent is shown again, whatever the address holds.
        Some(_) => (Step::Review, Vec::new()),
        None => filled.reach(asked),
    };
    // Where something is missing on the way, it is about what comes before that only.
    let asked = std::cmp::min(asked, step);
    let places = load(api::declaration::places());
    let found = load_if((step == Step::Tables).then(|| api::declaration::tables(place(&filled))));
    let drafted = load_if((sent.is_none() && step >= Step::Describe).then(|| {
        let product = filled.clone();
        let team = filled.get("team").unwrap_or_default().to_owned();
        api::declaration::draft(team, move |domain: Option<&Name>| product.draft(domain))
    }));
    view! {
        <section class="page">
            <div class="page-head">
                <h1>{words::register::REGISTER_PRODUCTS}</h1>
                <p class="lead">{words::register::YOUR_TABLES_STAY}</p>
            </div>
            {match (sent, step) {
                (Some(sent), _) => review::page(&filled, sent).into_any(),
                (None, Step::Place) => places.show(move |places| at_place(places, &filled, &wrong)),
                (None, Step::Tables) => tables(places, found, filled, wrong),
                (None, _) => described(drafted, filled, asked, wrong),
            }}
        </section>
    }
}

fn place(filled: &Filled) -> ScanForm {
    let text = |field: &str| filled.get(field).unwrap_or_default().to_owned();
    ScanForm {
        storage: text("storage"),
        prefix: text("prefix"),
        team: text("team"),
    }
}

/// A step with its place among the others, and what is wrong in it.
fn whole(step: Step, filled: &Filled, wrong: &[FieldError], content: AnyView) -> AnyView {
    view! {
        {way(step, filled)}
        <Problems problems=wrong.to_vec()/>
        <section class="block" aria-labelledby="step-title">
            <h2 id="step-title">{step.title()}</h2>
            {content}
        </section>
    }
    .into_any()
}

/// All steps. At the last one they lead back; before it, the button in the form does, which takes along what was typed.
fn way(now: Step, filled: &Filled) -> impl IntoView + use<> {
    let is_last = now == Step::Review && filled.get("storage").is_some();
    let steps = Step::ALL
        .into_iter()
        .map(|step| {
            let title = step.title();
            let current = (step == now).then_some("step");
            let is_done = step < now;
            let done = is_done
                .then(|| view! { <span class="visually-hidden">{words::register::DONE}</span> });
            let link = (is_last && is_done).then(|| filled.href(step));
            view! {
                <li class="way__step" class:way__step--done=is_done aria-current=current>
                    {done}
                    {match link {
                        Some(href) => view! { <a href=href>{title}</a> }.into_any(),
                        None => view! { <span>{title}</span> }.into_any(),
                    }}
                </li>
            }
        })
        .collect_view();
    view! { <ol class="way" aria-label=words::register::STEPS>{steps}</ol> }
}

fn at_place(places: Places, filled: &Filled, wrong: &[FieldError]) -> AnyView {
    if places.teams.is_empty() {
        return view! {
            <Empty title=words::register::PRODUCER_OF_NO_TEAM>
                <p>{words::register::ASK_TO_BECOME_A_PRODUCER}</p>
            </Empty>
        }
        .into_any();
    }
    if places.storages.is_empty() {
        return view! {
            <Empty title=words::register::NO_STORAGE_YET>
                <p>{words::register::ASK_FOR_A_STORAGE}</p>
            </Empty>
        }
        .into_any();
    }
    whole(
        Step::Place,
        filled,
        wrong,
        steps::place(places, filled, wrong),
    )
}

/// What cannot be looked into is told where it was chosen.
fn tables(
    places: Loaded<Places>,
    found: Loaded<Found>,
    filled: Filled,
    wrong: Vec<FieldError>,
) -> AnyView {
    found.show(move |found| {
        if found.wrong.is_empty() {
            let content = steps::tables(found.tables, &filled, &wrong);
            return whole(Step::Tables, &filled, &wrong, content);
        }
        let (filled, wrong) = (filled.clone(), found.wrong);
        places.show(move |places| at_place(places, &filled, &wrong))
    })
}

/// The steps that are about the draft. Where it is wrong before the step that was asked for, that is shown instead.
fn described(
    drafted: Loaded<Drafted>,
    filled: Filled,
    asked: Step,
    wrong: Vec<FieldError>,
) -> AnyView {
    drafted.show(move |drafted| {
        let Drafted {
            draft,
            yaml,
            wrong: found,
        } = drafted;
        let (step, found) = filled::blame(found, &draft, asked);
        let wrong: Vec<FieldError> = wrong.iter().cloned().chain(found).collect();
        match step {
            Step::Review => review::page(&filled, review::Sent::drafted(yaml)).into_any(),
            Step::Access => whole(step, &filled, &wrong, steps::access(draft, &filled, &wrong)),
            _ => whole(
                Step::Describe,
                &filled,
                &wrong,
                steps::describe(draft, &filled, &wrong),
            ),
        }
    })
}
