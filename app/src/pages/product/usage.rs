//! Who reads a product: each call of a reading client, who made it, what came of it, and why it was refused.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use leptos_router::hooks::use_query_map;
use model::dto::ProductDetail;
use model::dto::ShareQuery;

use super::cost::asked;
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
    let heading = format!("Usage of {title}");
    let team = product.team.to_string();
    let is_owner =
        ctx::viewer().is_some_and(|viewer| viewer.teams.iter().any(|own| own.team == team));
    let whose = if is_owner {
        "Each call of a reading client on this product, because it is your team’s. Kept for 90 days if nothing else is configured."
    } else {
        "The calls that your teams and roles may see. Who else reads it, the owning team knows."
    };
    let file = url::with_query(&format!("{here}.csv"), chosen(sought));
    let form = filter(&here, sought);
    let list = list(&here, calls, sought, is_first);
    view! {
        <Title text=heading/>
        <section class="page">
            <p class="crumbs"><A href="/catalog">"Catalog"</A><A href=of>{crumb}</A></p>
            <div class="page-head">
                <h1>"Usage of "<bdi>{title}</bdi></h1>
                <p class="lead">{whose}</p>
            </div>
            {form}
            <p><a href=file download="" rel="external">"These as CSV"</a></p>
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
        ("", "Any"),
        (given_word, "Answered"),
        (refused_word, "Refused or failed"),
    ]
    .map(|(value, title)| (value.to_owned(), title.to_owned()))
    .to_vec();
    view! {
        <form class="form form--grid" method="get" action=here>
            <Field label="Recipient" name="recipient" value=given(&sought.recipient) autocomplete="off"/>
            <Field label="Table" name="table" value=given(&sought.table) hint="With its schema before it or without." autocomplete="off"/>
            <Select label="Answer" name="answer" options value=Some(sought.answer.clone())/>
            <Field label="From day" name="since" kind=Kind::Date value=given(&sought.since)/>
            <Field label="To day" name="until" kind=Kind::Date value=given(&sought.until)/>
            <div class="actions">
                <Button>"Show"</Button>
                {(!is_all).then(|| view! { <A href=all attr:class="button button--quiet">"Show all"</A> })}
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
            <Empty title="No call to show">
                <p>"Nobody has asked for it, or nothing fits the filters."</p>
            </Empty>
        }
        .into_any();
    }
    let rows = calls.items.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text("When"),
        Column::Text("Recipient"),
        Column::Text("Asked for"),
        Column::Text("Answer"),
        Column::Text("Read from"),
        Column::Number("Files"),
        Column::Number("Handed out"),
        Column::Number("Took"),
    ];
    view! {
        <Table caption="Calls of reading clients" head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn row(call: ShareQuery) -> impl IntoView {
    let asked = asked(&call);
    let left_out = call.files_dropped.filter(|files| *files > 0);
    let from = call.source.as_deref().map(|source| match source {
        "replica" => "the replica",
        _ => "the producer",
    });
    view! {
        <tr>
            <th scope="row"><Time at=call.at/></th>
            <td>
                <span class="code">{call.recipient.to_string()}</span>
                <span class="muted secondary">{format!("team {}", call.team)}</span>
            </td>
            <td>
                {asked}
                <span class="code secondary">{format!("{}.{}", call.schema, call.table)}</span>
            </td>
            <td>
                {words::product_cost::answered(call.status)}
                {call.reason.map(|why| view! { <p class="reason"><bdi>{words::sentence(&why)}</bdi></p> })}
            </td>
            <td>
                {from}
                {call.stale_since.map(|at| view! {
                    <span class="secondary"><Badge tone=Tone::Warn>"late since "<Ago at/></Badge></span>
                })}
            </td>
            <td class="number">
                {call.files}
                {left_out.map(|files| view! { <span class="muted secondary">{format!("{files} left out")}</span> })}
            </td>
            <td class="number">{words::bytes(call.bytes_signed)}</td>
            <td class="number">{call.duration_micros.map(took)}</td>
        </tr>
    }
}

/// To the millisecond: how long an answer takes is of interest where it is short, too.
fn took(micros: u64) -> String {
    match micros / 1_000 {
        0 => "< 1 ms".to_owned(),
        millis if millis < 10_000 => format!("{millis} ms"),
        millis => format!("{} s", millis / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_times_are_told_exactly() {
        for (micros, text) in [
            (999, "< 1 ms"),
            (1_000, "1 ms"),
            (9_999_999, "9999 ms"),
            (12_345_678, "12 s"),
        ] {
            assert_eq!(took(micros), text);
        }
    }
}
