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
        <Title text="Approvals"/>
        <Members><Inbox/></Members>
    }
}

#[component]
fn Inbox() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let requests = load(api::access::requests(true, after));
    view! {
        <section class="page">
            <div class="page-head">
                <h1>"Approvals"</h1>
                <p class="lead">"What waits for your decision, with all that there is to know."</p>
            </div>
            {requests.show(move |page| list(page, is_first).into_any())}
        </section>
    }
}

fn list(page: Listed<Request>, is_first: bool) -> impl IntoView {
    let next = page
        .next
        .map(|after| url::with_query(PATH, [("after", after.as_str())]));
    let first = (!is_first).then(|| PATH.to_owned());
    let (mut mine, others): (Vec<Request>, Vec<Request>) = page
        .items
        .into_iter()
        .partition(|request| !request.may_decide.is_empty());
    // The oldest first.
    mine.reverse();
    let is_empty = mine.is_empty();
    let cards = mine
        .into_iter()
        .map(|request| view! { <li tabindex="-1"><Waiting request/></li> })
        .collect_view();
    view! {
        {is_empty.then(|| view! {
            <Empty title="Nothing waits for you">
                <p>"Requests for your team’s products come here, and those for personal data if you are a data-protection officer."</p>
            </Empty>
        })}
        {(!is_empty).then(keys)}
        <ul class="inbox" data-keys="">{cards}</ul>
        {(!others.is_empty()).then(|| waiting(others))}
        <Pager first next/>
    }
}

/// Shown by the browser's program, which hears them.
fn keys() -> impl IntoView {
    const KEYS: [(&str, &str); 5] = [
        (
            "j, k",
            "The next request, the one before; arrows, too, once you are at one",
        ),
        ("a", "Approve: goes to the note"),
        ("r", "Reject: goes to the note"),
        (
            "Ctrl and Enter",
            "Send what a or r has opened; Escape leaves it",
        ),
        ("?", "This list"),
    ];
    let lines = KEYS
        .map(|(key, what)| view! { <div><dt><kbd>{key}</kbd></dt><dd>{what}</dd></div> })
        .into_iter()
        .collect_view();
    view! {
        <div data-keys-help="" hidden=true>
            <div class="actions">
                <Dialog id="keys" open="Keys" title="Keys of this page">
                    <dl class="facts">{lines}</dl>
                    <p class="muted">"They do nothing while you type in a field."</p>
                    <p><button type="button" class="button" data-keys-switch="">"Turn the keys off"</button></p>
                </Dialog>
            </div>
        </div>
    }
}

#[component]
fn Waiting(request: Request) -> impl IntoView {
    let title = format!("{} for {}", request.product, request.recipient);
    let heading = format!("request-{}", request.id);
    let labelled_by = heading.clone();
    let created_at = request.created_at;
    let href = format!("/requests/{}", request.id);
    view! {
        <article class="case" aria-labelledby=labelled_by>
            <div class="case__head">
                <h2 id=heading><A href=href>{title}</A></h2>
                <p class="muted">"asked "<Ago at=created_at/></p>
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
fn waiting(requests: Vec<Request>) -> impl IntoView {
    let rows = requests
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
                    <A href=href>{format!("{} for {}", request.product, request.recipient)}</A>
                    <span class="muted">{words::sentence(&format!("waits for {}", stages.join(" and ")))}</span>
                </li>
            }
        })
        .collect_view();
    view! {
        <section class="block">
            <h2>"Waiting for others"</h2>
            <ul class="lines">{rows}</ul>
        </section>
    }
}
