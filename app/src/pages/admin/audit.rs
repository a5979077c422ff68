//! The audit log: who did what to what, newest first, and whether somebody has altered it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::Role;

use super::Head;
use crate::api;
use crate::api::Listed;
use crate::api::audit::Happening;
use crate::api::audit::Sought;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::form::Form;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Time;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;
use crate::words::history;

const PATH: &str = "/admin/audit";

#[component]
pub fn Audit() -> impl IntoView {
    view! {
        <Title text=words::admin::audit::AUDIT/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let (sought, after) = use_query_map().with_untracked(|query| {
        let given = |name: &str| query.get(name).unwrap_or_default();
        let sought = Sought {
            about: given("about"),
            actor: given("who"),
            operation: given("what"),
            since: given("since"),
            until: given("until"),
        };
        (sought, query.get("after"))
    });
    let is_first = after.is_none();
    let rows = load(api::audit::sought(sought.clone(), after));
    let form = filter(sought.clone());
    let may =
        ctx::viewer().is_some_and(|viewer| viewer.is(Role::Admin) || viewer.is(Role::Auditor));
    view! {
        <section class="page">
            <Head path=PATH title=words::admin::audit::AUDIT lead=words::admin::audit::WHAT_THE_AUDIT_LOG_IS/>
            {may.then(|| view! { <Check/>{form} })}
            {rows.show(move |rows| list(rows, &sought, is_first).into_any())}
        </section>
    }
}

/// A form that only leads to another address.
fn filter(sought: Sought) -> impl IntoView {
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let is_all = sought == Sought::default();
    view! {
        <form class="form form--grid" method="get" action=PATH>
            <Field label=history::ABOUT name="about" value=given(sought.about) hint=history::ABOUT_HINT autocomplete="off"/>
            <Field label=words::admin::audit::WHO name="who" value=given(sought.actor) hint=words::admin::audit::WHO_HINT autocomplete="off"/>
            <Field label=words::admin::audit::WHAT name="what" value=given(sought.operation) hint=words::admin::audit::WHAT_HINT autocomplete="off"/>
            <Field label=words::admin::audit::FROM_DAY name="since" kind=Kind::Date value=given(sought.since)/>
            <Field label=words::admin::audit::TO_DAY name="until" kind=Kind::Date value=given(sought.until)/>
            <div class="actions">
                <Button>{words::admin::audit::SHOW}</Button>
                {(!is_all).then(|| view! { <A href=PATH attr:class="button button--quiet">{words::admin::audit::SHOW_ALL}</A> })}
            </div>
        </form>
    }
}

#[component]
fn Check() -> impl IntoView {
    let action = wire::form::<api::audit::VerifyChain>();
    view! {
        <Form id="verify-chain" action class="form form--grid">
            <Field label=words::admin::audit::HASH_TO_FIND name="anchor" hint=words::admin::audit::HASH_HINT autocomplete="off"/>
            <div class="actions"><Submit weight=Weight::Secondary>{words::admin::audit::CHECK_THE_CHAIN}</Submit></div>
        </Form>
    }
}

fn list(rows: Listed<Happening>, sought: &Sought, is_first: bool) -> impl IntoView + use<> {
    let chosen = [
        ("about", sought.about.as_str()),
        ("who", sought.actor.as_str()),
        ("what", sought.operation.as_str()),
        ("since", sought.since.as_str()),
        ("until", sought.until.as_str()),
    ];
    let next = rows.next.map(|after| {
        let more = chosen.into_iter().chain([("after", after.as_str())]);
        url::with_query(PATH, more)
    });
    let first = (!is_first).then(|| url::with_query(PATH, chosen));
    if rows.items.is_empty() {
        return view! {
            <Empty title=words::admin::audit::NOTHING_FITS>
                <p>{words::admin::audit::LOOK_FOR_LESS}</p>
                <p class="actions"><A href=PATH attr:class="button">{words::admin::audit::SHOW_ALL}</A></p>
            </Empty>
        }
        .into_any();
    }
    let rows = rows
        .items
        .into_iter()
        .map(|row| {
            view! {
                <tr>
                    <th scope="row"><Time at=row.at/></th>
                    <td>{row.operation}<span class="secondary code muted">{row.object}</span></td>
                    <td class="code">{row.actor}</td>
                    <td class="code detail">{row.detail}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::admin::audit::WHEN),
        Column::Text(words::admin::audit::WHAT),
        Column::Text(words::admin::audit::WHO),
        Column::Text(words::admin::audit::DETAIL),
    ];
    view! {
        <Table caption=words::admin::audit::AUDIT_LOG head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}
