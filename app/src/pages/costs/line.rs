//! What a line of a statement was made of: the runs, and the days where nothing ran. Their sum is the line's figure.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use leptos_router::hooks::use_query_map;
use model::Purpose;
use model::dto::Money;
use model::dto::StatementLine;
use model::dto::StatementLineQuery;
use model::dto::StatementPart;
use model::dto::StatementTrace;

use crate::api;
use crate::components::load::Members;
use crate::components::state;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Time;
use crate::url;
use crate::wire::load;
use crate::words;

/// Where a line of a statement is opened.
pub(super) fn href(team: &str, month: &str, currency: &str, line: &StatementLine) -> String {
    let (product, from, to) = (
        line.product.to_string(),
        line.route.from.to_string(),
        line.route.to.to_string(),
    );
    url::with_query(
        &format!("/costs/{team}/{month}/line"),
        [
            ("kind", line.kind.as_str()),
            ("product", product.as_str()),
            ("from", from.as_str()),
            ("to", to.as_str()),
            ("method", line.method.as_str()),
            ("currency", currency),
        ],
    )
}

/// `Compute, 3 min` or `AWS eu-central-1 → Azure westeurope`.
pub(super) fn said(line: &StatementLine) -> String {
    if line.kind == "compute" {
        words::costs::compute_for(&words::duration(line.busy_micros))
    } else {
        format!(
            "{} → {}",
            state::place(&line.route.from),
            state::place(&line.route.to)
        )
    }
}

#[component]
pub fn Line() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

#[component]
fn Shown() -> impl IntoView {
    let (team, month) = use_params_map().with_untracked(|params| {
        let given = |name: &str| params.get(name).unwrap_or_default();
        (given("team"), given("month"))
    });
    let asked = use_query_map().with_untracked(|query| {
        let given = |name: &str| query.get(name).unwrap_or_default();
        StatementLineQuery {
            kind: given("kind"),
            product: given("product"),
            from: given("from"),
            to: given("to"),
            method: given("method"),
            currency: given("currency"),
        }
    });
    let back = format!("/costs/{}/{}", url::encode(&team), url::encode(&month));
    let crumb = words::costs::statement_of_team_for_month(&team, &month);
    load(api::billing::statement_line(team, month, asked)).show(move |trace| {
        let (back, crumb) = (back.clone(), crumb.clone());
        view! {
            <Title text=words::costs::LINE_OF_A_STATEMENT/>
            <section class="page">
                <p class="crumbs"><A href="/costs">{words::costs::COSTS}</A><A href=back>{crumb}</A></p>
                {opened(trace)}
            </section>
        }
        .into_any()
    })
}

fn opened(trace: StatementTrace) -> impl IntoView {
    let line = &trace.line;
    let is_compute = line.kind == "compute";
    let amount = words::money(Money {
        amount: line.amount,
        currency: trace.currency,
    });
    let figure = figure(is_compute, line.bytes, line.busy_micros);
    let product = line.product.to_string();
    let href = format!("/products/{product}");
    let has_rest = trace.left_out_events > 0;
    let rest = (
        trace.left_out_events,
        self::figure(is_compute, trace.left_out_bytes, trace.left_out_busy_micros),
    );
    let heading = format!("{product}: {}", said(line));
    let method = state::method(line.method);
    let is_empty = trace.parts.is_empty();
    let rows = trace
        .parts
        .into_iter()
        .map(|part| row(part, is_compute))
        .collect_view();
    let head = vec![
        Column::Text(words::costs::WHAT),
        Column::Text(words::costs::FOR_WHOM),
        Column::Text(words::costs::FROM),
        Column::Text(words::costs::UNTIL),
        Column::Number(words::costs::COUNTED),
        Column::Number(if is_compute {
            words::costs::TIME
        } else {
            words::costs::BYTES
        }),
    ];
    view! {
        <div class="page-head">
            <h1>{heading}</h1>
            <p class="lead">{format!("{figure}, {method}: {amount}")}</p>
        </div>
        <section class="block">
            <h2>{words::costs::WHAT_IT_WAS_MADE_OF}</h2>
            <p class="muted">{words::costs::TOGETHER_THEY_ARE_THE_LINE}<A href=href>{product}</A></p>
            {is_empty.then(|| view! { <p class="muted">{words::costs::OLD_CHARGES_HAVE_NO_EVENTS}</p> })}
            <Table caption=words::costs::RUNS_AND_DAYS_OF_THE_LINE head>
                {rows}
                {has_rest.then(|| view! {
                    <tr>
                        <th scope="row">{words::costs::OLDER_ONES_TOGETHER}</th>
                        <td></td>
                        <td></td>
                        <td></td>
                        <td class="number">{words::count(rest.0)}</td>
                        <td class="number">{rest.1}</td>
                    </tr>
                })}
                <tr>
                    <th scope="row">{words::costs::TOGETHER}</th>
                    <td></td>
                    <td></td>
                    <td></td>
                    <td></td>
                    <td class="number"><strong>{figure.clone()}</strong></td>
                </tr>
            </Table>
        </section>
    }
}

fn figure(is_compute: bool, bytes: u64, busy_micros: i64) -> String {
    if is_compute {
        words::duration(busy_micros)
    } else {
        words::costs::exact_bytes(&words::count(bytes))
    }
}

fn row(part: StatementPart, is_compute: bool) -> impl IntoView {
    let what = match (part.run, part.day) {
        (Some(run), _) => {
            let href = format!("/runs/{run}");
            view! { <A href=href>{words::costs::RUN_OF}<Time at=part.first_at/></A> }.into_any()
        }
        (None, day) => day.unwrap_or_default().into_any(),
    };
    view! {
        <tr>
            <th scope="row">{what}</th>
            <td>{purpose(part.purpose)}</td>
            <td><Time at=part.first_at/></td>
            <td><Time at=part.last_at/></td>
            <td class="number">{words::costs::times(part.events)}</td>
            <td class="number">{figure(is_compute, part.bytes, part.busy_micros)}</td>
        </tr>
    }
}

const fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Sync => words::costs::SYNC,
        Purpose::Gateway => words::costs::READ_THROUGH_THE_GATEWAY,
        Purpose::Query => words::costs::ANSWERING_A_QUERY,
        Purpose::Inspect => words::costs::LOOKING_AT_A_TABLE,
        Purpose::Verify => words::costs::CHECKING_A_REPLICA,
        Purpose::Vacuum => words::costs::VACUUM,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_address_of_its_own() {
        let line = StatementLine {
            kind: "transfer".to_owned(),
            product: "vehicle-visits".parse().unwrap(),
            route: "aws:eu-central-1->azure:westeurope".parse().unwrap(),
            method: model::Method::Measured,
            bytes: 1_500,
            busy_micros: 0,
            amount: model::Micro(1),
        };
        assert_eq!(
            href("rnd", "2026-06", "USD", &line),
            "/costs/rnd/2026-06/line?kind=transfer&product=vehicle-visits&from=aws%3Aeu-central-1\
             &to=azure%3Awesteurope&method=measured&currency=USD"
        );
        assert_eq!(said(&line), "AWS eu-central-1 → Azure westeurope");
        assert_eq!(figure(false, 1_500, 0), "1\u{202f}500 bytes");
        assert_eq!(figure(true, 0, 60_000_000), "1 min");
    }
}
