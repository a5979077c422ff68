//! A request with all that who decides has to know, and the form to decide on it.

use std::fmt::Display;

use leptos::prelude::*;
use leptos_router::components::A;
use model::Mode;
use model::dto::Request;

use crate::api;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::state;
use crate::components::text_area::TextArea;
use crate::components::time::Ago;
use crate::components::time::LastDay;
use crate::ctx;
use crate::ctx::Flash;
use crate::pages::product::cuts::brief;
use crate::pages::request::offer;
use crate::pages::request::part;
use crate::pages::request::part::Narrowing;
use crate::url;
use crate::wire;
use crate::words;

/// The full payload, as it was shown to who asked.
#[component]
pub fn Case(request: Request) -> impl IntoView {
    let product = format!("/products/{}", request.product);
    let grants = format!("/products/{}?tab=access", request.product);
    // Once it is approved the first sync begins.
    let adopt = (request.mode == Mode::Replica && !request.may_decide.is_empty()).then(|| {
        let product = request.product.to_string();
        let href = url::with_query("/adoptions", [("product", product.as_str())]);
        view! { <span class="secondary"><A href=href>{words::flows::IS_A_COPY_THERE}</A></span> }
    });
    let offered = request.offer.as_ref().and_then(|offer| {
        offer
            .modes
            .iter()
            .find(|mode| mode.mode == request.mode)
            .cloned()
    });
    let cut = request.cut.as_ref().map(|cut| {
        let href = format!("/products/{}/cuts#cut-{cut}", request.product);
        let (name, gives) = (cut.to_string(), brief(&request.gives));
        view! {
            <div>
                <dt>{words::cuts::CUT}</dt>
                <dd><A href=href>{name}</A><span class="muted secondary">{words::cuts::BY_REPLICA_ALONE}</span>{gives}</dd>
            </div>
        }
    });
    let payer = request.offer.as_ref().map(|offer| {
        (
            offer.payer.to_string(),
            offer.cost_center.clone(),
            offer.as_of,
        )
    });
    view! {
        <dl class="facts">
            <div>
                <dt>{words::request::PRODUCT}</dt>
                <dd><A href=product>{request.product.to_string()}</A>" "<A href=grants attr:class="secondary">{words::request::WHO_ELSE_READS_IT}</A></dd>
            </div>
            <div>
                <dt>{words::request::FOR}</dt>
                <dd>
                    <span class="code">{request.recipient.to_string()}</span>
                    <span class="muted secondary">{words::request::team_at(&request.team, &state::place(&request.location))}</span>
                </dd>
            </div>
            <div>
                <dt>{words::request::ASKED_BY}</dt>
                <dd>
                    {request.requester.map_or_else(|| words::request::THE_DECLARATION.to_owned(), |person| person.to_string())}
                    ", "<Ago at=request.created_at/>
                </dd>
            </div>
            <div>
                <dt>{words::request::PURPOSE}</dt>
                <dd><span class="code">{request.purpose_code}</span><span class="secondary lines">{request.purpose_text}</span></dd>
            </div>
            <div><dt>{words::request::UNTIL}</dt><dd><LastDay at=request.until/>" ("<Ago at=request.until/>")"</dd></div>
            {request.renews_until.map(|at| view! {
                <div><dt>{words::request::RENEWS}</dt><dd>{words::request::AN_ACCESS_UNTIL}<LastDay at/></dd></div>
            })}
            <div><dt>{words::request::MODE}</dt><dd>{state::mode(request.mode)}{adopt}</dd></div>
            {cut}
            {offered.map(|offered| view! {
                <div>
                    <dt>{words::request::COST}</dt>
                    <dd>
                        <strong>{offer::priced(offer::monthly(&offered))}</strong>{words::request::A_MONTH}
                        <span class="muted secondary">{words::request::FIRST_COPY_IS}{offer::first_copy(&offered)}</span>
                        <span class="muted secondary">{words::request::IT_IS_RECKONED_ON}{offered.basis.clone()}"."</span>
                    </dd>
                </div>
            })}
            {payer.map(|(team, cost_center, as_of)| view! {
                <div>
                    <dt>{words::request::PAID_BY}</dt>
                    <dd>
                        {words::request::team_and_cost_centre(&team, &cost_center)}
                        <span class="muted secondary">{words::request::AS_IT_WAS_SHOWN}<Ago at=as_of/></span>
                    </dd>
                </div>
            })}
        </dl>
    }
}

/// What was said already, and who else has to say something.
#[component]
pub fn Said(request: Request) -> impl IntoView {
    let decisions = request
        .decisions
        .iter()
        .map(|decision| {
            let (verdict, _) = state::verdict(decision.verdict);
            let person = decision
                .decider
                .as_ref()
                .map(|person| person as &dyn Display);
            let note = decision.note.clone();
            view! {
                <li>
                    {words::request::decision(&verdict, person, &state::stage(decision.stage))}
                    {(!note.is_empty()).then(|| view! { {words::request::NOTE_BEGINS}<bdi>{note}</bdi>{words::request::NOTE_ENDS} })}
                </li>
            }
        })
        .collect_view();
    let others: Vec<&str> = request
        .open_stages
        .iter()
        .filter(|stage| !request.may_decide.contains(stage))
        .map(|stage| state::stage(*stage))
        .collect();
    view! {
        {(!request.decisions.is_empty()).then(|| view! { <ul class="said">{decisions}</ul> })}
        {(!others.is_empty()).then(|| view! { <p class="muted">{words::request::decide_too(&others)}</p> })}
    }
}

/// The decision binds the revision that is shown; if another has come, the answer says so and the new one is shown.
#[component]
pub fn Decide(
    request: Request,
    /// Whether to stay on the page that it stands on.
    stay: bool,
) -> impl IntoView {
    let action = wire::form::<api::access::DecideRequest>();
    let id = request.id.to_string();
    let revision = request.revision.to_string();
    let form = format!("decide-{id}");
    let said = part::said(&request);
    let mode = request.mode;
    let (of_a_day, folded) = match mode {
        Mode::Live => (words::limit::AT_MOST_A_DAY, words::part::CONDITIONS),
        Mode::Replica => (
            words::limit::SO_MANY_AT_THE_SOURCE,
            words::limit::CONDITION_OF_A_REPLICA,
        ),
    };
    let written = has_conditions(&ctx::flash(), &form);
    // A cut is read from its replica alone: there is nothing to add.
    let is_conditional = request.cut.is_none();
    view! {
        <Form id=form action class="form form--wide" stay>
            <Hidden name="request" value=id/>
            <Hidden name="revision" value=revision/>
            {said}
            {is_conditional.then(|| view! {
                <details class="fold" open=written>
                    <summary>{folded}</summary>
                    <div class="stack">
                        <Narrowing mode/>
                        <Field
                            label=of_a_day
                            name="live_bytes_per_day"
                            hint=words::limit::WITH_A_YES_HINT
                            autocomplete="off"
                        />
                    </div>
                </details>
            })}
            <TextArea label=words::request::NOTE name="note" hint=words::request::NOTE_HINT rows=2/>
            <div class="actions">
                <Submit says=("verdict", "approve") key="a">{words::request::APPROVE}</Submit>
                <Submit weight=Weight::Danger says=("verdict", "reject") key="r">{words::request::REJECT}</Submit>
            </div>
        </Form>
    }
}

/// Whether somebody wrote conditions into this form before it came back, or something is wrong with them: then they are not folded.
fn has_conditions(flash: &Flash, form: &str) -> bool {
    let fields = ["rows", "directory", "live_bytes_per_day"];
    let is_written = |field: &str| flash.value(field).is_some_and(|value| !value.is_empty());
    flash.is_of(form)
        && fields
            .iter()
            .any(|field| is_written(field) || flash.error(field).is_some())
}
