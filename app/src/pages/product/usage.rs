//! Who reads a product: each call of a reading client, who made it, what came of it, and why it was refused.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use leptos_router::hooks::use_query_map;
use model::dto::ProductDetail;
use model::dto::ShareQuery;

use super::cost::asked;
use super::cost::table_of;
use super::path;
use crate::api;
use crate::api::Listed;
use crate::api::access::CallsSought;
use crate::components::badge::Badge;
use crate::components::button::Button;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::flash::Tone;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::components::time::Time;
use crate::ctx;
use crate::url;
use crate::wire::load;
use crate::words;

#[component]
pub fn Usage() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

#[component]
fn Shown() -> impl IntoView {
    let name = use_params_map().with_untracked(|params| params.get("name").unwrap_or_default());
    let (sought, after) = use_query_map().with_untracked(|query| {
        let given = |name: &str| query.get(name).unwrap_or_default();
        let sought = CallsSought {
            recipient: given("recipient"),
            table: given("table"),
            answer: given("answer"),
            since: given("since"),
            until: given("until"),
        };
        (sought, query.get("after"))
    });
    let is_first = after.is_none();
    load(api::access::calls(name, sought.clone(), after))
        .show(move |(product, calls)| page(product, calls, &sought, is_first).into_any())
}

/// The filters as the address has them.
fn chosen(sought: &CallsSought) -> [(&'static str, &str); 5] {
    [
        ("recipient", sought.recipient.as_str()),
        ("table", sought.table.as_str()),
        ("answer", sought.answer.as_str()),
        ("since", sought.since.as_str()),
        ("until", sought.until.as_str()),
    ]
}

fn page(
    product: ProductDetail,
    calls: Listed<ShareQuery>,
    sought: &CallsSought,
    is_first: bool,
) -> impl IntoView + use<> {
    let of = path(product.name.as_str());
    let here = format!("{of}/usage");
    let title = product.title;
    let crumb = title.clone();
    let heading = words::usage::usage_of(&title);
    let team = product.team.to_string();
    let is_owner =
        ctx::viewer().is_some_and(|viewer| viewer.teams.iter().any(|own| own.team == team));
    let whose = if is_owner {
        words::usage::OF_YOUR_TEAM
    } else {
        words::usage::WHAT_CONCERNS_YOU
    };
    let file = url::with_query(&format!("{here}.csv"), chosen(sought));
    let form = filter(&here, sought);
    let list = list(&here, calls, sought, is_first);
    view! {
        <Title text=heading/>
        <section class="page">
            <p class="crumbs"><A href="/catalog">{words::usage::CATALOG}</A><A href=of>{crumb}</A></p>
            <div class="page-head">
                <h1>{words::usage::USAGE_OF}<bdi>{title}</bdi></h1>
                <p class="lead">{whose}</p>
            </div>
            {form}
            <p><a href=file download="" rel="external">{words::usage::THESE_AS_CSV}</a></p>
            {list}
        </section>
    }
}

/// A form that only leads to another address.
fn filter(here: &str, sought: &CallsSought) -> impl IntoView + use<> {
    let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let is_all = *sought == CallsSought::default();
    let here = here.to_owned();
    let all = here.clone();
    let [given_word, refused_word] = api::access::call_answers();
    let options = [
        ("", words::usage::ANY),
        (given_word, words::usage::ANSWERED),
        (refused_word, words::usage::REFUSED_OR_FAILED),
    ]
    .map(|(value, title)| (value.to_owned(), title.to_owned()))
    .to_vec();
    view! {
        <form class="form form--grid" method="get" action=here>
            <Field label=words::usage::RECIPIENT name="recipient" value=given(&sought.recipient) autocomplete="off"/>
            <Field label=words::usage::TABLE name="table" value=given(&sought.table) hint=words::usage::TABLE_HINT autocomplete="off"/>
            <Select label=words::usage::ANSWER name="answer" options value=Some(sought.answer.clone())/>
            <Field label=words::usage::FROM_DAY name="since" kind=Kind::Date value=given(&sought.since)/>
            <Field label=words::usage::TO_DAY name="until" kind=Kind::Date value=given(&sought.until)/>
            <div class="actions">
                <Button>{words::usage::SHOW}</Button>
                {(!is_all).then(|| view! { <A href=all attr:class="button button--quiet">{words::usage::SHOW_ALL}</A> })}
            </div>
        </form>
    }
}

fn list(
    here: &str,
    calls: Listed<ShareQuery>,
    sought: &CallsSought,
    is_first: bool,
) -> impl IntoView + use<> {
    let next = calls.next.map(|after| {
        let more = chosen(sought)
            .into_iter()
            .chain([("after", after.as_str())]);
        url::with_query(here, more)
    });
    let first = (!is_first).then(|| url::with_query(here, chosen(sought)));
    if calls.items.is_empty() {
        return view! {
            <Empty title=words::usage::NO_CALL>
                <p>{words::usage::WHY_NO_CALL}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = calls.items.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::usage::WHEN),
        Column::Text(words::usage::RECIPIENT),
        Column::Text(words::usage::ASKED_FOR),
        Column::Text(words::usage::ANSWER),
        Column::Text(words::usage::READ_FROM),
        Column::Number(words::usage::FILES),
        Column::Number(words::usage::HANDED_OUT),
        Column::Number(words::usage::TOOK),
    ];
    view! {
        <Table caption=words::usage::CALLS head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn row(call: ShareQuery) -> impl IntoView {
    let asked = asked(&call);
    let table = table_of(&call);
    let left_out = call.files_dropped.filter(|files| *files > 0);
    let from = call.source.as_deref().map(|source| match source {
        "replica" => words::usage::THE_REPLICA,
        _ => words::usage::THE_PRODUCER,
    });
    view! {
        <tr>
            <th scope="row"><Time at=call.at/></th>
            <td>
                <span class="code">{call.recipient.to_string()}</span>
                <span class="muted secondary">{words::product_cost::team(&call.team)}</span>
            </td>
            <td>
                {asked}
                <span class="code secondary">{table}</span>
            </td>
            <td>
                {words::product_cost::answered(call.status)}
                {call.reason.map(|why| view! { <p class="reason"><bdi>{words::sentence(&why)}</bdi></p> })}
            </td>
            <td>
                {from}
                {call.stale_since.map(|at| view! {
                    <span class="secondary"><Badge tone=Tone::Warn>{words::limit::LATE_SINCE}<Ago at/></Badge></span>
                })}
            </td>
            <td class="number">
                {call.files}
                {left_out.map(|files| view! { <span class="muted secondary">{words::usage::left_out(files)}</span> })}
            </td>
            <td class="number">{words::bytes(call.bytes_signed)}</td>
            <td class="number">{call.duration_micros.map(words::usage::took)}</td>
        </tr>
    }
}
