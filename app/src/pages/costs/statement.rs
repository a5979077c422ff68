//! One team's month: each line, what is shown and not billed, and what still waits.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use model::StatementState;
use model::dto;
use model::dto::Money;

use super::line;
use super::said;
use crate::api;
use crate::components::field::Field;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Members;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Time;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

#[component]
pub fn Statement() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

#[component]
fn Shown() -> impl IntoView {
    let (team, month) = use_params_map().with_untracked(|params| {
        let given = |name: &str| params.get(name).unwrap_or_default();
        (given("team"), given("month"))
    });
    let title = words::costs::statement_of_team_for_month(&team, &month);
    let heading = title.clone();
    let (of, at) = (url::encode(&team), url::encode(&month));
    let file = format!("/costs/{of}/{at}/statement.csv");
    load(api::billing::statement(team, month)).show(move |shown| {
        let is_empty = shown.statements.is_empty();
        let may_issue = shown.may_issue;
        let parts = shown
            .statements
            .into_iter()
            .map(|statement| one(statement, may_issue))
            .collect_view();
        view! {
            <Title text=title.clone()/>
            <section class="page">
                <p class="crumbs"><A href="/costs">{words::costs::COSTS}</A></p>
                <div class="page-head">
                    <h1>{heading.clone()}</h1>
                    <p><a href=file.clone() download="" rel="external">{words::costs::AS_CSV}</a></p>
                </div>
                {is_empty.then(|| view! { <p class="muted">{words::costs::NOTHING_IN_THIS_MONTH}</p> })}
                {parts}
            </section>
        }
        .into_any()
    })
}

fn one(statement: dto::Statement, may_issue: bool) -> impl IntoView {
    let summary = statement.summary;
    let money = |amount| {
        words::money(Money {
            amount,
            currency: summary.currency,
        })
    };
    let rows = statement
        .lines
        .into_iter()
        .map(|line| {
            let (team, currency) = (summary.team.as_str(), summary.currency.to_string());
            let href = line::href(team, &summary.month, &currency, &line);
            let what = line::said(&line);
            view! {
                <tr>
                    <th scope="row">{line.product.to_string()}</th>
                    <td><A href=href>{what}</A></td>
                    <td>{state::method(line.method)}</td>
                    <td class="number">{words::bytes(line.bytes)}</td>
                    <td class="number">{money(line.amount)}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::costs::PRODUCT),
        Column::Text(words::costs::FOR_WHOM),
        Column::Text(words::costs::COUNTED_HOW),
        Column::Number(words::costs::BYTES),
        Column::Number(words::costs::AMOUNT),
    ];
    let is_open = summary.state == StatementState::Open;
    let waits = statement.unrated > 0 || statement.unrated_busy_micros > 0;
    view! {
        <section class="block">
            <div class="page-head page-head--split">
                <div>
                    <h2>{money(summary.total)}</h2>
                    <p class="states">
                        <State said=said(summary.state)/>
                        <span class="muted">{words::costs::cost_centre(&statement.cost_center)}</span>
                        {summary.issued_at.map(|at| view! { <span class="muted">{words::costs::ISSUED_AT}<Time at/></span> })}
                    </p>
                </div>
                {(is_open && may_issue).then(|| issue(summary.team.to_string(), summary.month.clone(), summary.currency.to_string()))}
            </div>
            {waits.then(|| view! {
                <Notice tone=Tone::Warn>
                    <p>{unrated(statement.unrated, statement.unrated_busy_micros)}</p>
                </Notice>
            })}
            <Table caption=words::costs::LINES_OF_THE_STATEMENT head>{rows}</Table>
            <dl class="facts">
                <div>
                    <dt>{words::costs::HANDED_OUT_NOT_BILLED}</dt>
                    <dd>{words::bytes(statement.signed_bytes)}<span class="secondary muted">{words::costs::WHAT_HANDED_OUT_IS}</span></dd>
                </div>
                <div>
                    <dt>{words::costs::COUNTED_NOT_PRICED_YET}</dt>
                    <dd>
                        {words::bytes(statement.waiting_bytes)}
                        {statement.waiting_until.map(|at| view! { <span class="secondary muted">{words::costs::PRICED_AFTER}<Time at/></span> })}
                    </dd>
                </div>
            </dl>
        </section>
    }
}

fn unrated(events: u64, busy_micros: u64) -> String {
    let mut parts = Vec::new();
    if events > 0 {
        parts.push(words::costs::legs_wait_for_a_price(events));
    }
    if busy_micros > 0 {
        parts.push(words::costs::compute_waits_for_a_price(&words::duration(
            i64::try_from(busy_micros).unwrap_or(i64::MAX),
        )));
    }
    words::costs::cannot_be_issued_before(&parts.join("; "))
}

fn issue(team: String, month: String, currency: String) -> impl IntoView {
    let action = wire::form::<api::billing::IssueStatement>();
    let id = format!("issue-{currency}");
    let returned = ctx::flash().is_of(&id);
    let label = words::costs::write_to_confirm(&month);
    view! {
        <details class="fold" open=returned>
            <summary>{words::costs::ISSUE_THE_STATEMENT}</summary>
            <Form id action>
                <Hidden name="team" value=team/>
                <Hidden name="month" value=month/>
                <p>{words::costs::ISSUED_STATEMENTS_NEVER_CHANGE}</p>
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit>{words::costs::ISSUE_IT}</Submit></div>
            </Form>
        </details>
    }
}
