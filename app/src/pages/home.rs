//! Home: what is to be done, what broke, what it cost, and who you are to the exchange; for strangers, what the exchange is.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::AdviceState;
use model::GrantActual;
use model::GrantDesired;
use model::MemberRole;
use model::Role;
use model::dto::Advice;
use model::dto::Grant;
use model::dto::Money;
use model::dto::Replica;
use model::dto::Request;
use model::dto::StatementSummary;

use crate::api;
use crate::api::Listed;
use crate::api::audit::Job;
use crate::components::badge::Badge;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::nav;
use crate::components::state;
use crate::components::state::State;
use crate::components::time::Ago;
use crate::ctx;
use crate::ctx::Membership;
use crate::ctx::Viewer;
use crate::islands::icon::Icon;
use crate::pages::access::SOON;
use crate::pages::replicas::cut_of;
use crate::pages::replicas::is_failing;
use crate::pages::replicas::late;
use crate::wire::load;
use crate::wire::load_if;
use crate::words;

/// So many recommendations stand on the desk.
const ADVICE_SHOWN: usize = 3;

#[component]
pub fn Home() -> impl IntoView {
    match ctx::viewer() {
        Some(viewer) => desk(viewer).into_any(),
        None => landing().into_any(),
    }
}

fn desk(viewer: Viewer) -> impl IntoView {
    let belongs_nowhere = viewer.teams.is_empty() && viewer.roles.is_empty();
    let Viewer { name, teams, roles } = viewer;
    view! {
        <Title text=words::home::HOME/>
        <section class="page">
            <p class="stencil">{words::home::YOUR_DESK}</p>
            <h1>{words::home::WELCOME}{name}</h1>
            {belongs_nowhere.then(|| view! {
                <Notice tone=Tone::Plain>
                    <p>
                        {words::home::YOU_BELONG_TO_NO_TEAM}
                    </p>
                </Notice>
            })}
            {(!belongs_nowhere).then(|| view! { <Today/> })}
            {(!teams.is_empty()).then(|| team_cards(teams))}
            {(!roles.is_empty()).then(|| role_list(roles))}
        </section>
    }
}

/// What is to be done: decisions that wait, and accesses that end soon or do not work.
#[component]
fn Today() -> impl IntoView {
    let decides = ctx::viewer().is_some_and(|viewer| nav::decides(&viewer));
    let waiting = load_if(decides.then(|| api::access::waiting_for_me(None)));
    let grants = load(api::access::grants(None, None));
    let replicas = load(api::replicas::all_replicas(None));
    let statements = load(api::billing::statements(None));
    let advice = load(api::advice::advice(None, None));
    let is_admin = ctx::viewer().is_some_and(|viewer| viewer.is(Role::Admin));
    let jobs =
        load_if(is_admin.then(|| api::audit::jobs("parked".to_owned(), String::new(), None)));
    view! {
        <div class="cards">
            <section class="card" aria-labelledby="find">
                <h2 id="find">{words::home::FIND_DATA}</h2>
                <p>{words::home::EVERYTHING_PUBLISHED}</p>
                <p class="actions"><A href="/catalog" attr:class="button button--primary">{words::home::OPEN_THE_CATALOG}<Icon name="right"/></A></p>
            </section>
            {decides.then(|| view! {
                <section class="card" aria-labelledby="decisions">
                    <h2 id="decisions">{words::home::WAITS_FOR_YOUR_DECISION}</h2>
                    {waiting.show(|page| decisions(page).into_any())}
                </section>
            })}
            <section class="card" aria-labelledby="reading">
                <h2 id="reading">{words::home::YOUR_ACCESS}</h2>
                {grants.show(|page| reading(page).into_any())}
            </section>
            {jobs.show(|page| parked(page.items).into_any())}
            {replicas.show(|replicas| copies(replicas).into_any())}
            {statements.show(|statements| month(statements.items).into_any())}
            {advice.show(|advice| cheaper(advice.items).into_any())}
        </div>
    }
}

fn decisions(page: Listed<Request>) -> impl IntoView {
    let are_more = page.next.is_some();
    let lines = page
        .items
        .into_iter()
        .map(|request| {
            let href = format!("/requests/{}", request.id);
            view! {
                <li class="line">
                    <A href=href>{words::request::product_for(&request.product, &request.recipient)}</A>
                    <span class="muted"><Ago at=request.created_at/></span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    if lines.is_empty() {
        return view! { <p class="muted">{words::home::NOTHING_AT_THE_MOMENT}</p> }.into_any();
    }
    view! {
        <ul class="lines">{lines}</ul>
        {are_more.then(|| view! { <p class="muted">{words::home::MORE_IN_THE_INBOX}</p> })}
        <p class="actions"><A href="/approvals" attr:class="button">{words::home::OPEN_THE_INBOX}</A></p>
    }
    .into_any()
}

/// Of the viewer's teams: how many work, and what wants attention.
fn reading(page: Listed<Grant>) -> impl IntoView {
    let now = ctx::now();
    let are_more = page.next.is_some();
    let teams = ctx::viewer().map(|viewer| viewer.teams).unwrap_or_default();
    let grants: Vec<Grant> = page
        .items
        .into_iter()
        .filter(|grant| grant.desired == GrantDesired::Active)
        .filter(|grant| teams.iter().any(|team| team.team == grant.team.as_str()))
        .collect();
    let works = grants
        .iter()
        .filter(|grant| grant.actual == GrantActual::Active)
        .count();
    let summary = match (works, grants.len()) {
        (_, 0) => words::home::YOUR_TEAMS_READ_NOTHING.to_owned(),
        (works, all) if works == all => words::home::all_work(all),
        (works, all) => words::home::so_many_work(works, all),
    };
    let lines = grants
        .into_iter()
        .filter(|grant| grant.actual != GrantActual::Active || grant.until.since(now) < SOON)
        .map(|grant| {
            let href = format!("/requests/{}", grant.request);
            let said = state::grant(&grant);
            view! {
                <li class="line">
                    <A href=href>{words::request::product_for(&grant.product, &grant.recipient)}</A>
                    <span class="muted">{words::home::ENDS}<Ago at=grant.until/></span>
                    <State said/>
                </li>
            }
        })
        .collect_view();
    view! {
        <p>{summary}</p>
        <ul class="lines">{lines}</ul>
        {are_more.then(|| view! { <p class="muted">{words::home::ONLY_LATEST_COUNTED}</p> })}
        <p class="actions"><A href="/access" attr:class="button">{words::home::OPEN_MY_ACCESS}</A></p>
    }
}

/// Whether the replicas follow, for those who see any.
fn copies(page: Listed<Replica>) -> impl IntoView {
    let count = page.items.len();
    let are_more = page.next.is_some();
    let failing = page
        .items
        .iter()
        .filter(|replica| is_failing(replica))
        .count();
    let are_late = page
        .items
        .iter()
        .filter(|replica| replica.late_since.is_some())
        .count();
    let summary = match (failing, count) {
        (0, 1) if are_late == 0 => words::home::IT_FOLLOWS.to_owned(),
        (0, count) if are_late == 0 => words::home::all_follow(count),
        (0, count) => words::home::so_many_are_late(are_late, count),
        (failing, count) => words::home::so_many_did_not_sync(failing, count),
    };
    let lines = page
        .items
        .into_iter()
        .filter(|replica| is_failing(replica) || replica.late_since.is_some())
        .map(|replica| {
            let href = format!("/replicas/{}", replica.id);
            let product = replica.product.to_string();
            view! {
                <li class="line">
                    <A href=href>{product}</A>
                    {cut_of(&replica)}
                    <span class="muted">{state::place(&replica.location)}</span>
                    {late(&replica)}
                    <State said=state::replica(replica.state)/>
                </li>
            }
        })
        .collect_view();
    (count > 0).then(|| {
        view! {
            <section class="card" aria-labelledby="copies">
                <h2 id="copies">{words::home::REPLICAS}</h2>
                <p>{summary}</p>
                <ul class="lines">{lines}</ul>
                {are_more.then(|| view! { <p class="muted">{words::home::ONLY_OLDEST_COUNTED}</p> })}
                <p class="actions"><A href="/replicas" attr:class="button">{words::home::OPEN_THE_REPLICAS}</A></p>
            </section>
        }
    })
}

/// What the workers gave up on, for those who can have it tried again.
fn parked(jobs: Vec<Job>) -> impl IntoView {
    let lines = jobs
        .into_iter()
        .map(|job| {
            view! {
                <li class="line">
                    <span>{job.kind}</span>
                    <span class="code muted">{job.key}</span>
                    <Badge tone=Tone::Bad>{words::home::PARKED}</Badge>
                </li>
            }
        })
        .collect::<Vec<_>>();
    (!lines.is_empty()).then(|| {
        view! {
            <section class="card" aria-labelledby="parked">
                <h2 id="parked">{words::home::JOBS_THAT_WAIT}</h2>
                <p>{words::home::FAILED_TOO_OFTEN}</p>
                <ul class="lines">{lines}</ul>
                <p class="actions"><A href="/admin/jobs?state=parked" attr:class="button">{words::home::OPEN_THE_JOBS}</A></p>
            </section>
        }
    })
}

/// What the advisor recommends and nobody has answered, the latest of it.
fn cheaper(advice: Vec<Advice>) -> impl IntoView {
    let open = advice
        .into_iter()
        .filter(|advice| advice.state == AdviceState::Open);
    let lines = open
        .take(ADVICE_SHOWN)
        .map(|advice| {
            let href = format!("/advice/{}", advice.id);
            let what = words::advice::kind(advice.kind, &advice.change);
            let saving = advice.saving;
            let saves = words::advice::saves(&words::money(saving.low), &words::money(saving.high));
            view! {
                <li class="line">
                    <A href=href>{what}</A>
                    <span class="muted">{advice.product.to_string()}</span>
                    <span class="muted">{saves}</span>
                </li>
            }
        })
        .collect::<Vec<_>>();
    (!lines.is_empty()).then(|| {
        view! {
            <section class="card" aria-labelledby="cheaper">
                <h2 id="cheaper">{words::advice::WOULD_COST_LESS}</h2>
                <ul class="lines">{lines}</ul>
                <p class="actions"><A href="/advice" attr:class="button">{words::advice::OPEN_THE_ADVICE}</A></p>
            </section>
        }
    })
}

/// What the latest month costs, beside the one before, for those who see a statement.
fn month(statements: Vec<StatementSummary>) -> impl IntoView {
    let Some(latest) = statements.first().map(|first| first.month.clone()) else {
        return ().into_any();
    };
    // The latest month first.
    let (current, older): (Vec<StatementSummary>, Vec<StatementSummary>) = statements
        .into_iter()
        .partition(|statement| statement.month == latest);
    let lines = current
        .into_iter()
        .map(|statement| {
            let before = older
                .iter()
                .find(|other| other.team == statement.team && other.currency == statement.currency);
            let before = before.map(|other| {
                let total = words::money(Money {
                    amount: other.total,
                    currency: other.currency,
                });
                view! { <span class="muted">{words::home::total_in(&total, &other.month)}</span> }
            });
            let href = format!("/costs/{}/{}", statement.team, statement.month);
            let total = Money {
                amount: statement.total,
                currency: statement.currency,
            };
            view! {
                <li class="line">
                    <A href=href>{statement.team.to_string()}</A>
                    <span>{words::money(total)}</span>
                    {before}
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="card" aria-labelledby="month">
            <h2 id="month">{words::home::COSTS_OF}{latest}</h2>
            <ul class="lines">{lines}</ul>
            <p class="actions"><A href="/costs" attr:class="button">{words::home::OPEN_THE_COSTS}</A></p>
        </section>
    }
    .into_any()
}

fn team_cards(teams: Vec<Membership>) -> impl IntoView {
    let cards = teams
        .into_iter()
        .map(|membership| {
            let (word, may) = of_member(membership.role);
            view! {
                <li class="card">
                    <h3>{membership.title}</h3>
                    <p class="card__facts"><Badge>{word}</Badge><span class="code muted">{membership.team}</span></p>
                    <p>{may}</p>
                </li>
            }
        })
        .collect_view();
    view! {
        <h2>{words::home::YOUR_TEAMS}</h2>
        <ul class="cards">{cards}</ul>
    }
}

fn role_list(roles: Vec<Role>) -> impl IntoView {
    let cards = roles
        .into_iter()
        .map(|role| {
            let (word, may) = of_organisation(role);
            view! {
                <li class="card">
                    <h3>{word}</h3>
                    <p>{may}</p>
                </li>
            }
        })
        .collect_view();
    view! {
        <h2>{words::home::YOUR_ROLES}</h2>
        <ul class="cards">{cards}</ul>
    }
}

const fn of_member(role: MemberRole) -> (&'static str, &'static str) {
    match role {
        MemberRole::Consumer => (words::home::CONSUMER, words::home::A_CONSUMER_MAY),
        MemberRole::Producer => (words::home::PRODUCER, words::home::A_PRODUCER_MAY),
    }
}

const fn of_organisation(role: Role) -> (&'static str, &'static str) {
    match role {
        Role::DataProtection => (
            words::home::DATA_PROTECTION,
            words::home::DATA_PROTECTION_MAY,
        ),
        Role::Finance => (words::home::FINANCE, words::home::FINANCE_MAY),
        Role::Auditor => (words::home::AUDITOR, words::home::AN_AUDITOR_MAY),
        Role::Admin => (
            words::home::ADMINISTRATOR,
            words::home::AN_ADMINISTRATOR_MAY,
        ),
    }
}

fn landing() -> impl IntoView {
    view! {
        <Title text=words::home::A_DATA_EXCHANGE/>
        <section class="hero">
            <div class="hero__text">
                <p class="stencil">{words::home::A_DATA_EXCHANGE}</p>
                <h1>{words::home::LANDED_ONCE}<br/>{words::home::READ_BY_EVERYBODY}</h1>
                <p class="lead">
                    {words::home::WHAT_THE_EXCHANGE_IS}
                </p>
                <p class="actions">
                    <A href="/sign-in" attr:class="button button--primary">{words::sign_in::SIGN_IN}<Icon name="right"/></A>
                </p>
            </div>
            <svg class="hero__picture" viewBox="0 0 480 320" aria-hidden="true" focusable="false">
                <use href="/icons.svg#harbour"></use>
            </svg>
        </section>
        <section class="page" aria-labelledby="how">
            <h2 id="how">{words::home::HOW_IT_WORKS}</h2>
            <ol class="cards cards--numbered">
                <li class="card">
                    <h3>{words::home::FIND}</h3>
                    <p>{words::home::HOW_TO_FIND}</p>
                </li>
                <li class="card">
                    <h3>{words::home::ASK}</h3>
                    <p>{words::home::HOW_TO_ASK}</p>
                </li>
                <li class="card">
                    <h3>{words::home::READ}</h3>
                    <p>{words::home::HOW_TO_READ}</p>
                </li>
            </ol>
        </section>
    }
}
