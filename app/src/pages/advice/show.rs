//! One recommendation: what it rests on, week by week, what came of it, and what to do with it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use model::dto::Advice;
use model::dto::AdviceStill;
use model::dto::AdviceWeek;

use super::saving;
use crate::api;
use crate::charts::against::Against;
use crate::charts::against::Comparison;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
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
use crate::components::text_area::TextArea;
use crate::components::time::Time;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

#[component]
pub fn Show() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

#[component]
fn Shown() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    load(api::advice::one(id)).show(|advice| page(advice).into_any())
}

fn page(advice: Advice) -> impl IntoView {
    let what = words::advice::kind(advice.kind, &advice.change);
    let place = state::place(&advice.to);
    let heading = words::advice::heading(&what, &advice.product, &place);
    let title = heading.clone();
    let of_product = url::with_query("/advice", [("product", advice.product.as_str())]);
    let product = format!("/products/{}", url::encode(advice.product.as_str()));
    let name = advice.product.to_string();
    view! {
        <Title text=title/>
        <section class="page">
            <p class="crumbs">
                <A href="/advice">{words::advice::ALL_ADVICE}</A>
                <A href=of_product>{name}</A>
            </p>
            <div class="page-head">
                <h1>{heading}</h1>
                <p class="states"><State said=state::advice(advice.state)/></p>
            </div>
            {came_of_it(&advice)}
            {figures(&advice)}
            {evidence(&advice.weeks, &product)}
            {assumed(&advice)}
            {acts(&advice)}
        </section>
    }
}

fn figures(advice: &Advice) -> impl IntoView + use<> {
    let saves = saving(advice);
    let mean = words::money(advice.saving.mean);
    let even = advice
        .break_even
        .map(|even| words::advice::readers(even.from, even.to));
    let even = even.map(|even| {
        view! { <div><dt>{words::advice::BREAK_EVEN}</dt><dd>{even}</dd></div> }
    });
    let until = advice.snoozed_until.map(|at| {
        view! { <div><dt>{words::advice::PUT_OFF_UNTIL}</dt><dd><Time at/></dd></div> }
    });
    let because = (!advice.because.is_empty()).then(|| {
        let because = words::sentence(&advice.because);
        view! { <div><dt>{words::advice::BECAUSE}</dt><dd>{because}</dd></div> }
    });
    view! {
        <section class="block">
            <h2>{words::advice::FIGURES}</h2>
            <dl class="facts">
                {because}
                <div>
                    <dt>{words::advice::SAVES_A_MONTH}</dt>
                    <dd>{saves}<span class="secondary muted">{mean}" "{words::advice::ON_THE_MEAN}</span></dd>
                </div>
                <div><dt>{words::advice::COSTS_A_MONTH}</dt><dd>{words::money(advice.cost)}</dd></div>
                <div><dt>{words::advice::READERS}</dt><dd>{words::count(advice.readers)}</dd></div>
                {even}
                <div><dt>{words::advice::WHY_IN_THIS_STATE}</dt><dd>{words::sentence(&advice.reason)}</dd></div>
                {until}
                <div><dt>{words::advice::RECKONED}</dt><dd><Time at=advice.reckoned_at/></dd></div>
            </dl>
        </section>
    }
}

fn evidence(weeks: &[AdviceWeek], product: &str) -> impl IntoView + use<> {
    let compared: Vec<Against> = weeks.iter().map(compared).collect();
    let rows = weeks.iter().map(row).collect_view();
    let calls = format!("{product}/usage");
    let runs = url::with_query(product, [("tab", "freshness")]);
    let head = vec![
        Column::Text(words::advice::WEEK_OF),
        Column::Number(words::advice::READS),
        Column::Number(words::advice::LIVE),
        Column::Number(words::advice::OF_THE_REPLICA),
        Column::Number(words::advice::SYNCED),
        Column::Number(words::advice::COST),
        Column::Number(words::advice::WOULD_COST),
    ];
    view! {
        <section class="block">
            <h2>{words::advice::EVIDENCE}</h2>
            <Comparison
                title=words::advice::CROSSED_BY_WEEK
                would_be=words::advice::AS_IT_WAS
                is=words::advice::AS_RECOMMENDED
                rows=compared
                said=words::bytes
                in_order=true
            />
            <Table caption=words::advice::EVIDENCE head>{rows}</Table>
            <p><A href=calls>{words::advice::CALLS_BEHIND_IT}</A></p>
            <p><A href=runs>{words::advice::RUNS_BEHIND_IT}</A></p>
        </section>
    }
}

fn compared(week: &AdviceWeek) -> Against {
    Against {
        name: words::advice::week_of(&week.first_day),
        baseline: words::advice::runs(week.runs),
        would_be: week.bytes_now,
        is: week.bytes_then_high,
        outcome: words::advice::instead_of(
            &words::money(week.cost_then_high),
            &words::money(week.cost_now),
        ),
        href: None,
    }
}

fn row(week: &AdviceWeek) -> impl IntoView + use<> {
    let then = if week.cost_then_low == week.cost_then_high {
        words::money(week.cost_then_high)
    } else {
        words::advice::from_to(
            &words::money(week.cost_then_low),
            &words::money(week.cost_then_high),
        )
    };
    view! {
        <tr>
            <th scope="row">{week.first_day.clone()}</th>
            <td class="number">{words::count(week.reads)}<span class="secondary muted">{words::advice::readers_of(week.readers)}</span></td>
            <td class="number">{words::bytes(week.live_bytes)}</td>
            <td class="number">{words::bytes(week.replica_bytes)}</td>
            <td class="number">{words::bytes(week.synced_bytes)}<span class="secondary muted">{words::advice::runs(week.runs)}</span></td>
            <td class="number">{words::money(week.cost_now)}</td>
            <td class="number">{then}</td>
        </tr>
    }
}

fn assumed(advice: &Advice) -> impl IntoView + use<> {
    let lines = advice
        .assumptions
        .iter()
        .map(|line| view! { <li>{line.clone()}</li> })
        .collect_view();
    view! {
        <section class="block">
            <h2>{words::advice::ASSUMED}</h2>
            <ul>{lines}</ul>
        </section>
    }
}

/// Promised against measured, once somebody has accepted it.
fn came_of_it(advice: &Advice) -> Option<AnyView> {
    let at = advice.accepted_at?;
    let outcome = advice.outcome.clone().unwrap_or_default();
    let requests = outcome
        .requests
        .iter()
        .map(|id| {
            let href = format!("/requests/{id}");
            view! { <li><A href=href>{words::advice::A_REQUEST}</A></li> }
        })
        .collect_view();
    let job = outcome
        .replica
        .as_ref()
        .map(|replica| view! { <li>{words::advice::job_was_changed(replica)}</li> });
    let measured = match advice.measured {
        Some(money) => {
            let is_kept = advice.still.is_none() && money.amount >= advice.saving.low.amount;
            let (tone, said) = if is_kept {
                (Tone::Good, words::advice::AS_PROMISED)
            } else {
                (Tone::Warn, words::advice::LESS_THAN_PROMISED)
            };
            let over = words::advice::over_weeks(advice.measured_weeks);
            view! {
                <Notice tone>
                    <p>{words::money(money)}" "{over}". "{said}</p>
                </Notice>
            }
            .into_any()
        }
        None => view! { <p class="muted">{words::advice::IS_AWAITED}</p> }.into_any(),
    };
    let promised = saving(advice);
    let still = advice.still.as_ref().map(still_held);
    let block = view! {
        <section class="block">
            <h2>{words::advice::CAME_OF_IT}</h2>
            <dl class="facts">
                <div><dt>{words::advice::ACCEPTED}</dt><dd><Time at/></dd></div>
                <div><dt>{words::advice::PROMISED}</dt><dd>{promised}</dd></div>
                <div><dt>{words::advice::MEASURED}</dt><dd>{measured}</dd></div>
                <div><dt>{words::advice::WHAT_WAS_DONE}</dt><dd><ul>{requests}{job}</ul></dd></div>
                {still}
            </dl>
        </section>
    };
    Some(block.into_any())
}

/// The replica that was to go, and what keeps it.
fn still_held(still: &AdviceStill) -> impl IntoView + use<> {
    let accesses = still
        .accesses
        .iter()
        .map(|held| {
            let href = format!("/requests/{}", held.request);
            let end = words::advice::end_access_of(&held.recipient);
            view! { <li><A href=href>{end}</A></li> }
        })
        .collect_view();
    let others = (still.others > 0).then(|| {
        let others = words::advice::accesses_of_others(still.others);
        view! { <li>{others}</li> }
    });
    view! {
        <div>
            <dt>{words::advice::STILL_STANDS}</dt>
            <dd><p>{words::advice::WHY_IT_STANDS}</p><ul>{accesses}{others}</ul></dd>
        </div>
    }
}

fn acts(advice: &Advice) -> impl IntoView + use<> {
    use model::AdviceState;
    if !matches!(advice.state, AdviceState::Open | AdviceState::Snoozed) {
        return ().into_any();
    }
    let id = advice.id.to_string();
    let accept = advice.may.accept.then(|| {
        let (action, id) = (wire::form::<api::advice::AcceptAdvice>(), id.clone());
        view! {
            <p>{words::advice::accepting(advice.kind)}</p>
            <Form id="advice-accept" action>
                <Hidden name="advice" value=id/>
                <div class="actions"><Submit>{words::advice::ACCEPT}</Submit></div>
            </Form>
        }
    });
    let aside = advice.may.set_aside.then(|| {
        let snooze = wire::form::<api::advice::SnoozeAdvice>();
        let decline = wire::form::<api::advice::DeclineAdvice>();
        let (one, other) = (id.clone(), id.clone());
        view! {
            <Form id="advice-snooze" action=snooze>
                <Hidden name="advice" value=one/>
                <Field label=words::advice::UNTIL name="until" kind=Kind::Date hint=words::advice::UNTIL_HINT required=true/>
                <div class="actions"><Submit weight=Weight::Secondary>{words::advice::PUT_OFF}</Submit></div>
            </Form>
            <Form id="advice-decline" action=decline>
                <Hidden name="advice" value=other/>
                <TextArea label=words::advice::REASON name="reason" hint=words::advice::REASON_HINT required=true max=500 rows=2/>
                <div class="actions"><Submit weight=Weight::Secondary>{words::advice::DECLINE}</Submit></div>
            </Form>
        }
    });
    let of_others = (!advice.may.accept && !advice.may.set_aside)
        .then(|| view! { <p class="muted">{words::advice::OF_OTHERS}</p> });
    view! {
        <section class="block">
            <h2>{words::advice::WHAT_TO_DO}</h2>
            {accept}
            {aside}
            {of_others}
        </section>
    }
    .into_any()
}
