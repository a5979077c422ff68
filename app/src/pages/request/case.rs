//! A request with all that who decides has to know, and the form to decide on it.

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
use crate::pages::request::offer;
use crate::wire;
use crate::words;

/// The full payload, as it was shown to who asked.
#[component]
pub fn Case(request: Request) -> impl IntoView {
    let product = format!("/products/{}", request.product);
    let grants = format!("/products/{}?tab=access", request.product);
    let offered = request.offer.as_ref().and_then(|offer| {
        offer
            .modes
            .iter()
            .find(|mode| mode.mode == request.mode)
            .cloned()
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
                <dt>"Product"</dt>
                <dd><A href=product>{request.product.to_string()}</A>" "<A href=grants attr:class="secondary">"who else reads it"</A></dd>
            </div>
            <div>
                <dt>"For"</dt>
                <dd>
                    <span class="code">{request.recipient.to_string()}</span>
                    <span class="muted secondary">{format!("team {}, {}", request.team, state::place(&request.location))}</span>
                </dd>
            </div>
            <div>
                <dt>"Asked by"</dt>
                <dd>
                    {request.requester.map_or_else(|| "the declaration".to_owned(), |person| person.to_string())}
                    ", "<Ago at=request.created_at/>
                </dd>
            </div>
            <div>
                <dt>"Purpose"</dt>
                <dd><span class="code">{request.purpose_code}</span><span class="secondary lines">{request.purpose_text}</span></dd>
            </div>
            <div><dt>"Until"</dt><dd><LastDay at=request.until/>" ("<Ago at=request.until/>")"</dd></div>
            {request.renews_until.map(|at| view! {
                <div><dt>"Renews"</dt><dd>"an access until "<LastDay at/></dd></div>
            })}
            <div><dt>"Mode"</dt><dd>{state::mode(request.mode)}</dd></div>
            {offered.map(|offered| view! {
                <div>
                    <dt>"Cost"</dt>
                    <dd>
                        <strong>{offer::priced(offer::monthly(&offered))}</strong>" a month"
                        <span class="muted secondary">"First copy: "{offer::first_copy(&offered)}</span>
                        <span class="muted secondary">"Reckoned on "{offered.basis.clone()}"."</span>
                    </dd>
                </div>
            })}
            {payer.map(|(team, cost_center, as_of)| view! {
                <div>
                    <dt>"Paid by"</dt>
                    <dd>
                        {format!("{team}, cost centre {cost_center}")}
                        <span class="muted secondary">"as it was shown "<Ago at=as_of/></span>
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
            let who = decision
                .decider
                .as_ref()
                .map_or_else(String::new, |person| format!(" by {person}"));
            let note = decision.note.clone();
            view! {
                <li>
                    {format!("{verdict}{who}, as {}", state::stage(decision.stage))}
                    {(!note.is_empty()).then(|| view! { ": “"<bdi>{note}</bdi>"”" })}
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
    let others = others.join(" and ");
    view! {
        {(!request.decisions.is_empty()).then(|| view! { <ul class="said">{decisions}</ul> })}
        {(!others.is_empty()).then(|| view! { <p class="muted">{words::sentence(&format!("{others} decides too"))}</p> })}
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
    let of_a_day = match request.mode {
        Mode::Live => "At most so many bytes a day",
        Mode::Replica => "So many bytes a day at the source while the replica is late",
    };
    view! {
        <Form id=format!("decide-{id}") action class="form form--wide" stay>
            <Hidden name="request" value=id/>
            <Hidden name="revision" value=revision/>
            <Field
                label=of_a_day
                name="live_bytes_per_day"
                hint="With a yes, and only if you want to: such as 50 GB. It can be changed later."
                autocomplete="off"
            />
            <TextArea label="Note" name="note" hint="Who asked reads it. A rejection needs one." rows=2/>
            <div class="actions">
                <Submit says=("verdict", "approve") key="a">"Approve"</Submit>
                <Submit weight=Weight::Danger says=("verdict", "reject") key="r">"Reject"</Submit>
            </div>
        </Form>
    }
}
