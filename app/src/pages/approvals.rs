//! One inbox for all that waits for a decision: the whole request, the decision beside it, without leaving the page.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::dto::Request;

use crate::api;
use crate::api::Listed;
use crate::components::dialog::Dialog;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::time::Ago;
use crate::pages::request::Case;
use crate::pages::request::Decide;
use crate::pages::request::Said;
use crate::url;
use crate::wire::load;
use crate::words;

const PATH: &str = "/approvals";

#[component]
pub fn Approvals() -> impl IntoView {
    view! {
        <Title text=words::approvals::APPROVALS/>
        <Members><Inbox/></Members>
    }
}

#[component]
fn Inbox() -> impl IntoView {
    let query = use_query_map();
    let after = query.with_untracked(|query| query.get("after"));
    let older = query.with_untracked(|query| query.get("others"));
    let is_first = after.is_none();
    let mine = load(api::access::waiting_for_me(after));
    let others = load(api::access::waiting_for_others(older));
    view! {
        <section class="page">
            <div class="page-head">
                <h1>{words::approvals::APPROVALS}</h1>
                <p class="lead">{words::approvals::WHAT_WAITS}</p>
            </div>
            {mine.show(move |page| list(page, is_first).into_any())}
            {others.show(|page| waiting(page).into_any())}
        </section>
    }
}

/// The oldest first: it has waited longest.
fn list(page: Listed<Request>, is_first: bool) -> impl IntoView {
    let next = page
        .next
        .map(|after| url::with_query(PATH, [("after", after.as_str())]));
    let first = (!is_first).then(|| PATH.to_owned());
    let is_empty = page.items.is_empty();
    let cards = page
        .items
        .into_iter()
        .map(|request| view! { <li tabindex="-1"><Waiting request/></li> })
        .collect_view();
    let title = if is_first {
        words::approvals::NOTHING_WAITS
    } else {
        words::approvals::NOTHING_FURTHER_WAITS
    };
    view! {
        {is_empty.then(|| view! {
            <Empty title>
                <p>{words::approvals::WHAT_COMES_HERE}</p>
            </Empty>
        })}
        {(!is_empty).then(keys)}
        <ul class="inbox" data-keys="">{cards}</ul>
        <Pager first next/>
    }
}

/// Shown by the browser's program, which hears them.
fn keys() -> impl IntoView {
    let lines = words::approvals::KEYS_AND_WHAT_THEY_DO
        .map(|(key, what)| view! { <div><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div> })
        .into_iter()
        .collect_view();
    view! {
        <div data-keys-help="" hidden=true>
            <div class="actions">
                <Dialog id="keys" open=words::approvals::KEYS title=words::approvals::KEYS_OF_THIS_PAGE>
                    <dl class="facts">{lines}</dl>
                    <p class="muted">{words::approvals::NOT_WHILE_TYPING}</p>
                    <p><button type="button" class="button" data-keys-switch="">{words::approvals::TURN_THE_KEYS_OFF}</button></p>
                </Dialog>
            </div>
        </div>
    }
}

#[component]
fn Waiting(request: Request) -> impl IntoView {
    let title = words::request::product_for(&request.product, &request.recipient);
    let heading = format!("request-{}", request.id);
    let labelled_by = heading.clone();
    let created_at = request.created_at;
    let href = format!("/requests/{}", request.id);
    view! {
        <article class="case" aria-labelledby=labelled_by>
            <div class="case__head">
                <h2 id=heading><A href=href>{title}</A></h2>
                <p class="muted">{words::approvals::ASKED}<Ago at=created_at/></p>
            </div>
            <div class="case__body">
                <Case request=request.clone()/>
                <div class="stack">
                    <Said request=request.clone()/>
                    <Decide request stay=true/>
                </div>
            </div>
        </article>
    }
}

/// What the viewer asked or has decided on, and others have to decide.
fn waiting(page: Listed<Request>) -> impl IntoView {
    if page.items.is_empty() {
        return ().into_any();
    }
    let older = page
        .next
        .map(|after| url::with_query(PATH, [("others", after.as_str())]));
    let rows = page
        .items
        .into_iter()
        .map(|request| {
            let href = format!("/requests/{}", request.id);
            let stages: Vec<&str> = request
                .open_stages
                .iter()
                .map(|stage| state::stage(*stage))
                .collect();
            view! {
                <li class="line">
                    <A href=href>{words::request::product_for(&request.product, &request.recipient)}</A>
                    <span class="muted">{words::approvals::waits_for(&stages)}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="block">
            <h2>{words::approvals::WAITING_FOR_OTHERS}</h2>
            <ul class="lines">{rows}</ul>
            {older.map(|href| view! { <p class="actions"><A href=href attr:class="button">{words::approvals::OLDER_ONES}</A></p> })}
        </section>
    }
    .into_any()
}
