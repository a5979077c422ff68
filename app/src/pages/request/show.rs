//! One request: how far it is, what was asked, who decided what, and what can be done. While something is under way the
//! page looks again by itself.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use model::GrantActual;
use model::GrantDesired;
use model::Mode;
use model::RequestState;
use model::Verdict;
use model::dto::Decision;
use model::dto::Grant;
use model::dto::Request;

use crate::api;
use crate::api::access::RequestShown;
use crate::components::button::Weight;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Members;
use crate::components::state;
use crate::components::state::State;
use crate::components::steps::Stand;
use crate::components::steps::Step;
use crate::components::steps::Steps;
use crate::components::time::Ago;
use crate::components::time::Time;
use crate::pages::request::Case;
use crate::pages::request::case::Decide;
use crate::pages::request::limit::limit;
use crate::wire;
use crate::wire::load;
use crate::words;

#[component]
pub fn Show() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

#[component]
fn Shown() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let found = load(api::access::request(id));
    view! {
        <Title text="Request"/>
        {found.show(move |RequestShown { request, grant }| {
            page(request, grant).into_any()
        })}
    }
}

/// Whether the next look may show something else.
fn is_under_way(request: &Request, grant: Option<&Grant>) -> bool {
    match (request.state, grant) {
        (RequestState::Submitted, _) => true,
        (_, Some(grant)) => match grant.desired {
            GrantDesired::Active => grant.actual != GrantActual::Active,
            GrantDesired::Ended => grant.actual != GrantActual::Ended,
        },
        (_, None) => false,
    }
}

fn page(request: Request, grant: Option<Grant>) -> impl IntoView {
    let product = format!("/products/{}", request.product);
    let is_under_way = is_under_way(&request, grant.as_ref());
    let may_decide = !request.may_decide.is_empty();
    let may_withdraw = request.may_withdraw;
    let id = request.id.to_string();
    let look_again = format!("/requests/{id}");
    let steps = steps(&request, grant.as_ref());
    let said = match &grant {
        Some(grant) => state::grant(grant),
        None => state::request(request.state),
    };
    let shown = request.clone();
    let bytes = grant
        .as_ref()
        .filter(|grant| grant.desired == GrantDesired::Active)
        .map(limit);
    let name = request.product.to_string();
    let recipient = request.recipient.to_string();
    let crumb = name.clone();
    view! {
        <section class="page">
            <p class="crumbs">
                <A href="/access">"My access"</A>
                <A href=product>{crumb}</A>
            </p>
            <div class="page-head">
                <h1>"Request for "{name}</h1>
                <p class="states">
                    <State said/>
                    <span class="muted">"for "{recipient}</span>
                </p>
            </div>
            <div class="columns">
                <div class="stack" data-refresh=is_under_way.then_some("")>
                    {steps}
                    {is_under_way.then(|| view! {
                        <noscript>
                            <p class="muted">
                                "This page does not refresh itself without JavaScript. "<a href=look_again>"Look again"</a>
                            </p>
                        </noscript>
                    })}
                    {grant.map(after_steps)}
                    {bytes}
                </div>
                <section class="card" aria-labelledby="asked">
                    <h2 id="asked">"What was asked"</h2>
                    <Case request=shown.clone()/>
                    {may_withdraw.then(|| view! { <Withdraw request=id.clone()/> })}
                </section>
            </div>
            {may_decide.then(|| view! {
                <section class="card" aria-labelledby="decide">
                    <h2 id="decide">"Your decision"</h2>
                    <Decide request=shown stay=false/>
                </section>
            })}
        </section>
    }
}

fn steps(request: &Request, grant: Option<&Grant>) -> impl IntoView + use<> {
    let asked = match (&request.requester, &request.declared) {
        (Some(person), _) => format!("by {person}, for the team {}", request.team),
        (None, Some(source)) => format!("by the declaration {source}"),
        (None, None) => format!("for the team {}", request.team),
    };
    let decided = match request.state {
        RequestState::Submitted => Stand::Now,
        RequestState::Approved => Stand::Done,
        RequestState::Rejected | RequestState::Withdrawn => Stand::Failed,
    };
    let waits = request
        .open_stages
        .iter()
        .map(|stage| view! { <p>"Waits for "{state::stage(*stage)}"."</p> })
        .collect_view();
    let decisions = request.decisions.iter().map(decision).collect_view();
    let withdrawn = request.state == RequestState::Withdrawn;
    let (provisioning, verified) = stands(request, grant);
    let replica = request.mode == Mode::Replica;
    let created_at = request.created_at;
    let verified_at = grant.and_then(|grant| grant.verified_at);
    let reason = grant
        .filter(|grant| grant.desired == GrantDesired::Active)
        .and_then(|grant| grant.reason.clone());
    let ended = grant.and_then(|grant| grant.ended_reason.clone());
    view! {
        <Steps label="How far the request is">
            <Step stand=Stand::Done title="Submitted">
                <p><Time at=created_at/>" "{asked}</p>
            </Step>
            <Step stand=decided title="Decided">
                {decisions}
                {waits}
                {withdrawn.then(|| view! { <p>"Taken back by who asked."</p> })}
            </Step>
            <Step stand=provisioning title="Set up">
                {match provisioning {
                    Stand::Now if replica => view! { <p>"The copy is made near you, and the share is opened."</p> }.into_any(),
                    Stand::Now => view! { <p>"The share is opened."</p> }.into_any(),
                    _ => ().into_any(),
                }}
                {reason.map(|why| view! { <p class="reason" role="status">{words::sentence(&why)}</p> })}
            </Step>
            <Step stand=verified title="Verified">
                {match (verified, verified_at) {
                    (_, Some(at)) => view! {
                        <p>"Read as you would read it, "<Ago at/>"."</p>
                    }.into_any(),
                    (Stand::Failed, None) => ().into_any(),
                    (_, None) => view! { <p class="muted">"It counts as active only when it was seen to work."</p> }.into_any(),
                }}
                {ended.map(|why| view! { <p>"Ended: "<bdi>{words::sentence(&why)}</bdi></p> })}
            </Step>
        </Steps>
    }
}

/// Where setting up and verifying stand.
fn stands(request: &Request, grant: Option<&Grant>) -> (Stand, Stand) {
    match (request.state, grant) {
        (RequestState::Rejected | RequestState::Withdrawn, _) => (Stand::Ahead, Stand::Ahead),
        (_, None) => (Stand::Ahead, Stand::Ahead),
        (_, Some(grant)) => match (grant.desired, grant.actual) {
            (GrantDesired::Ended, _) | (_, GrantActual::Ended) => (Stand::Done, Stand::Failed),
            (_, GrantActual::Active) => (Stand::Done, Stand::Done),
            (_, GrantActual::Failed) => (Stand::Failed, Stand::Ahead),
            (_, GrantActual::Pending | GrantActual::Provisioning) => (Stand::Now, Stand::Ahead),
        },
    }
}

fn decision(decision: &Decision) -> impl IntoView + use<> {
    let who = decision.decider.as_ref().map_or_else(
        || state::stage(decision.stage).to_owned(),
        |person| format!("{person}, as {}", state::stage(decision.stage)),
    );
    let verb = match decision.verdict {
        Verdict::Approve => "Approved by ",
        Verdict::Reject => "Rejected by ",
    };
    let note = decision.note.clone();
    view! {
        <p>{verb}{who}", "<Time at=decision.decided_at/></p>
        {(!note.is_empty()).then(|| view! { <blockquote class="note">{note}</blockquote> })}
    }
}

/// What to do once it works, or has ended.
fn after_steps(grant: Grant) -> impl IntoView {
    let is_active = state::grant(&grant).0 == "Active";
    let read = format!("/access?read={}", grant.id);
    is_active.then(|| {
        view! {
            <div class="card">
                <h2>"Read it"</h2>
                <p>
                    {match grant.first_read_at {
                        Some(at) => view! { "First read "<Ago at/>"." }.into_any(),
                        None => "Nobody has read it yet.".into_any(),
                    }}
                </p>
                <p class="actions"><A href=read attr:class="button button--primary">"Profile and ready-made lines"</A></p>
            </div>
        }
    })
}

#[component]
fn Withdraw(request: String) -> impl IntoView {
    let action = wire::form::<api::access::WithdrawRequest>();
    view! {
        <Form id="withdraw" action>
            <Hidden name="request" value=request/>
            <div class="actions"><Submit weight=Weight::Secondary>"Take the request back"</Submit></div>
        </Form>
    }
}
