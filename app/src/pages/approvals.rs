//! One inbox for all that waits for a decision: the whole request, the decision beside it, without leaving the page.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::RequestId;
use model::dto::Request;

use crate::api;
use crate::api::Listed;
use crate::components::load::Empty;
use crate::components::load::Failed;
use crate::components::load::Loading;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::time::Ago;
use crate::error::AppError;
use crate::pages::request::Case;
use crate::pages::request::Decide;
use crate::pages::request::Said;
use crate::url;
use crate::wire::Loaded;
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

type Found = Memo<Option<Result<Listed<Request>, AppError>>>;

#[component]
fn Inbox() -> impl IntoView {
    let query = use_query_map();
    let after = Memo::new(move |_| query.with(|query| query.get("after")));
    let requests = load(move || api::access::Requests {
        open: true,
        after: after.get(),
    });
    view! {
        <section class="page">
            <div class="page-head">
                <h1>"Approvals"</h1>
                <p class="lead">"What waits for your decision, with all that there is to know."</p>
            </div>
            <Transition fallback=Loading>{move || list(requests, after)}</Transition>
        </section>
    }
}

fn list(requests: Loaded<Listed<Request>>, after: Memo<Option<String>>) -> impl IntoView {
    // Read here, below the transition, which waits for it.
    let found: Found = Memo::new(move |_| requests.get());
    let again = Callback::new(move |()| requests.refetch());
    let pages = move || {
        let next = found.get().and_then(Result::ok).and_then(|page| page.next);
        let next = next.map(|after| url::with_query(PATH, [("after", after.as_str())]));
        let first = after.get().map(|_| PATH.to_owned());
        view! { <Pager first next/> }
    };
    let failed = move || {
        found
            .get()
            .and_then(Result::err)
            .map(|error| view! { <Failed error/> })
    };
    let is_empty = move || mine(found).is_some_and(|mine| mine.is_empty());
    let others = move || {
        let others = listed(found).unwrap_or_default();
        let others: Vec<Request> = others
            .into_iter()
            .filter(|request| request.may_decide.is_empty())
            .collect();
        (!others.is_empty()).then(|| waiting(others))
    };
    view! {
        {failed}
        {move || is_empty().then(|| view! {
            <Empty title="Nothing waits for you">
                <p>"Requests for your team’s products come here, and those for personal data if you are a data-protection officer."</p>
            </Empty>
        })}
        // By id, so that a card, and a note begun in it, stays when the list is loaded again.
        <ul class="inbox">
            <For each=move || mine(found).unwrap_or_default() key=|request| request.id let:request>
                <li><Waiting request found again/></li>
            </For>
        </ul>
        {others}
        {pages}
    }
}

fn listed(found: Found) -> Option<Vec<Request>> {
    found.get().and_then(Result::ok).map(|page| page.items)
}

/// Those that the viewer may decide on, the oldest first.
fn mine(found: Found) -> Option<Vec<Request>> {
    listed(found).map(|requests| {
        let mut mine: Vec<Request> = requests
            .into_iter()
            .filter(|request| !request.may_decide.is_empty())
            .collect();
        mine.reverse();
        mine
    })
}

#[component]
fn Waiting(request: Request, found: Found, again: Callback<()>) -> impl IntoView {
    let id: RequestId = request.id;
    let title = format!("{} for {}", request.product, request.recipient);
    let heading = format!("request-{id}");
    let labelled_by = heading.clone();
    let created_at = request.created_at;
    // As it is now; as it was while it is loaded again.
    let request = Memo::new(move |before: Option<&Request>| {
        listed(found)
            .and_then(|requests| requests.into_iter().find(|request| request.id == id))
            .or_else(|| before.cloned())
            .unwrap_or_else(|| request.clone())
    });
    let href = format!("/requests/{id}");
    view! {
        <article class="case" aria-labelledby=labelled_by>
            <div class="case__head">
                <h2 id=heading><A href=href>{title}</A></h2>
                <p class="muted">"asked "<Ago at=created_at/></p>
            </div>
            <div class="case__body">
                <Case request=request.into()/>
                <div class="stack">
                    <Said request=request.into()/>
                    <Decide request=request.into() stay=true after=again/>
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
