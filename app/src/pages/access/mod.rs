//! My access: the recipients of my teams, what was granted to them until when, their profile, and the lines that read it.

pub mod clients;
pub mod read;
pub mod recipient;
pub mod ways;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::GrantActual;
use model::GrantDesired;
use model::dto::Grant;
use model::dto::Request;
use model::time::DAY;

use crate::api;
use crate::api::Listed;
use crate::api::access::RecipientShown;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::State;
use crate::components::time::Ago;
use crate::ctx;
use crate::ctx::MadeLink;
use crate::islands::icon::Icon;
use crate::pages::access::read::lines;
use crate::pages::access::recipient::Machines;
use crate::url;
use crate::wire::load;
use crate::wire::load_if;
use crate::words;

pub(crate) const PATH: &str = "/access";

/// From so long before its end on, an access asks to be renewed.
pub(crate) const SOON: i64 = 14 * DAY;

#[component]
pub fn Access() -> impl IntoView {
    view! {
        <Title text=words::access::MY_ACCESS/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let (read, after, machines_after) = use_query_map()
        .with_untracked(|query| (query.get("read"), query.get("after"), query.get("machines")));
    let is_first = after.is_none();
    let are_first = machines_after.is_none();
    // `?read=GRANT` opens how to read it, so that it can be linked to and works without JavaScript.
    let opened = load_if(read.map(api::access::opened));
    let recipients = load(api::access::own_recipients_shown(machines_after));
    let requests = load(api::access::requests(after));
    let made = use_context::<MadeLink>();
    view! {
        <section class="page">
            <div class="page-head">
                <h1>{words::access::MY_ACCESS}</h1>
                <p class="lead">{words::access::WHAT_YOUR_TEAMS_MAY_READ}</p>
            </div>
            {made.map(|link| ways::made(&link.0))}
            {opened.show(|opened| lines(opened).into_any())}
            {recipients.show(move |found| machines(found, are_first).into_any())}
            {requests.show(move |page| asked(page, is_first).into_any())}
        </section>
    }
}

/// Whether it is active: wanted, and seen to work.
pub(crate) fn works(grant: &Grant) -> bool {
    grant.desired == GrantDesired::Active
        && grant.actual == GrantActual::Active
        && grant.verified_at.is_some()
}

/// Whether it is of a team of the viewer: admins and owners are told of others, too.
fn is_ours(team: &str) -> bool {
    ctx::viewer().is_some_and(|viewer| viewer.teams.iter().any(|own| own.team == team))
}

fn machines(found: Listed<RecipientShown>, is_first: bool) -> impl IntoView {
    if found.items.is_empty() && is_first {
        return view! {
            <Empty title=words::access::YOU_READ_NOTHING_YET>
                <p>{words::access::FIND_AND_ASK}</p>
                <p class="actions"><A href="/catalog" attr:class="button button--primary">{words::access::FIND_A_PRODUCT}<Icon name="right"/></A></p>
            </Empty>
        }
        .into_any();
    }
    let first = (!is_first).then(|| PATH.to_owned());
    let next = found
        .next
        .map(|after| url::with_query(PATH, [("machines", after.as_str())]));
    let machines = found
        .items
        .into_iter()
        .map(|shown| {
            let are_more = shown.grants.next.is_some();
            view! { <Machines recipient=shown.recipient grants=shown.grants.items are_more issuers=shown.issuers/> }
        })
        .collect_view();
    view! {
        {machines}
        <Pager first next label=words::access::PAGES_OF_RECIPIENTS/>
    }
    .into_any()
}

/// What was asked in the name of the viewer's teams, newest first.
fn asked(page: Listed<Request>, is_first: bool) -> impl IntoView {
    let first = (!is_first).then(|| PATH.to_owned());
    let next = page
        .next
        .map(|after| url::with_query(PATH, [("after", after.as_str())]));
    // Who sees requests of others, too, may find none of their own between them.
    let has_pages = first.is_some() || next.is_some();
    let rows = page
        .items
        .into_iter()
        .filter(|request| is_ours(request.team.as_str()))
        .map(|request| {
            let href = format!("/requests/{}", request.id);
            view! {
                <li class="line">
                    <A href=href>{words::request::product_for(&request.product, &request.recipient)}</A>
                    <span class="muted">{state::mode(request.mode)}{words::access::ASKED}<Ago at=request.created_at/></span>
                    <State said=state::request(request.state)/>
                </li>
            }
        })
        .collect::<Vec<_>>();
    let nothing = rows
        .is_empty()
        .then(|| view! { <p class="muted">{words::access::NONE_ON_THIS_PAGE}</p> });
    (has_pages || !rows.is_empty()).then(|| {
        view! {
            <section class="block">
                <h2>{words::access::WHAT_YOU_ASKED_FOR}</h2>
                {nothing}
                <ul class="lines">{rows}</ul>
                <Pager first next label=words::access::PAGES_OF_REQUESTS/>
            </section>
        }
    })
}
