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
use crate::ctx;
use crate::pages::access::works;
use crate::pages::request::Case;
use crate::pages::request::case::Decide;
use crate::pages::request::limit::limit;
use crate::pages::request::part::part;
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
        <Title text=words::request::REQUEST/>
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
        .map(|grant| (part(grant), grant.cut.is_none().then(|| limit(grant))));
    let name = request.product.to_string();
    let recipient = request.recipient.to_string();
    let crumb = name.clone();
    view! {
        <section class="page">
            <p class="crumbs">
                <A href="/access">{words::access::MY_ACCESS}</A>
                <A href=product>{crumb}</A>
            </p>
            <div class="page-head">
                <h1>{words::request::REQUEST_FOR}{name}</h1>
                <p class="states">
                    <State said/>
                    <span class="muted">{words::request::FOR_RECIPIENT}{recipient}</span>
                </p>
            </div>
            <div class="columns">
                <div class="stack" data-refresh=is_under_way.then_some("")>
                    {steps}
                    {is_under_way.then(|| view! {
                        <noscript>
                            <p class="muted">
                                {words::request::NO_REFRESH_WITHOUT_SCRIPT}<a href=look_again>{words::request::LOOK_AGAIN}</a>
                            </p>
                        </noscript>
                    })}
                    {grant.map(after_steps)}
                    {bytes}
                </div>
                <section class="card" aria-labelledby="asked">
                    <h2 id="asked">{words::request::WHAT_WAS_ASKED}</h2>
                    <Case request=shown.clone()/>
                    {may_withdraw.then(|| view! { <Withdraw request=id.clone()/> })}
                </section>
            </div>
            {may_decide.then(|| view! {
                <section class="card" aria-labelledby="decide">
                    <h2 id="decide">{words::request::YOUR_DECISION}</h2>
                    <Decide request=shown stay=false/>
                </section>
            })}
        </section>
    }
}

fn steps(request: &Request, grant: Option<&Grant>) -> impl IntoView + use<> {
    let asked = match (&request.requester, &request.declared) {
        (Some(person), _) => words::request::by_person_for_team(person, &request.team),
        (None, Some(source)) => words::request::by_declaration(source),
        (None, None) => words::request::for_team(&request.team),
    };
    let decided = match request.state {
        RequestState::Submitted => Stand::Now,
        RequestState::Approved => Stand::Done,
        RequestState::Rejected | RequestState::Withdrawn => Stand::Failed,
    };
    let waits = request
        .open_stages
        .iter()
        .map(|stage| view! { <p>{words::request::waits_for(&state::stage(*stage))}</p> })
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
    let urls = grant
        .filter(|grant| grant.desired == GrantDesired::Ended)
        .and_then(|grant| grant.urls_until)
        .filter(|until| *until > ctx::now());
    view! {
        <Steps label=words::request::HOW_FAR_IT_IS>
            <Step stand=Stand::Done title=words::request::SUBMITTED>
                <p><Time at=created_at/>" "{asked}</p>
            </Step>
            <Step stand=decided title=words::request::DECIDED>
                {decisions}
                {waits}
                {withdrawn.then(|| view! { <p>{words::request::TAKEN_BACK}</p> })}
            </Step>
            <Step stand=provisioning title=words::request::SET_UP>
                {match provisioning {
                    Stand::Now if replica => view! { <p>{words::request::COPY_IS_MADE}</p> }.into_any(),
                    Stand::Now => view! { <p>{words::request::SHARE_IS_OPENED}</p> }.into_any(),
                    _ => ().into_any(),
                }}
                {reason.map(|why| view! { <p class="reason" role="status">{words::sentence(&why)}</p> })}
            </Step>
            <Step stand=verified title=words::request::VERIFIED>
                {match (verified, verified_at) {
                    (_, Some(at)) => view! {
                        <p>{words::request::READ_AS_YOU_WOULD}<Ago at/>"."</p>
                    }.into_any(),
                    (Stand::Failed, None) => ().into_any(),
                    (_, None) => view! { <p class="muted">{words::request::ACTIVE_ONCE_SEEN}</p> }.into_any(),
                }}
                {ended.map(|why| view! { <p>{words::request::ENDED_BECAUSE}<bdi>{words::sentence(&why)}</bdi></p> })}
                {urls.map(|at| view! { <p>{words::request::URLS_WORK_UNTIL}<Time at/>"."</p> })}
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
        |person| words::request::person_as(person, &state::stage(decision.stage)),
    );
    let verb = match decision.verdict {
        Verdict::Approve => words::request::APPROVED_BY,
        Verdict::Reject => words::request::REJECTED_BY,
    };
    let note = decision.note.clone();
    view! {
        <p>{verb}{who}", "<Time at=decision.decided_at/></p>
        {(!note.is_empty()).then(|| view! { <blockquote class="note">{note}</blockquote> })}
    }
}

/// What to do once it works, or has ended.
fn after_steps(grant: Grant) -> impl IntoView {
    let is_active = works(&grant);
    let read = format!("/access?read={}", grant.id);
    is_active.then(|| {
        view! {
            <div class="card">
                <h2>{words::request::READ_IT}</h2>
                <p>
                    {match grant.first_read_at {
                        Some(at) => view! { {words::request::FIRST_READ}<Ago at/>"." }.into_any(),
                        None => words::request::NOBODY_HAS_READ_IT.into_any(),
                    }}
                </p>
                <p class="actions"><A href=read attr:class="button button--primary">{words::request::PROFILE_AND_LINES}</A></p>
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
            <div class="actions"><Submit weight=Weight::Secondary>{words::request::TAKE_THE_REQUEST_BACK}</Submit></div>
        </Form>
    }
}
