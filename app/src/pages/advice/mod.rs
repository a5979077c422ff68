//! What would cost less: the recommendations that the viewer may see, and how one product stands where the address names it.

pub mod show;

pub use show::Show;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::dto::{Advice as Recommendation, AdviceStanding};

use crate::api;
use crate::api::Listed;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::url;
use crate::wire::load;
use crate::wire::load_if;
use crate::words;

const PATH: &str = "/advice";

#[component]
pub fn Advice() -> impl IntoView {
    view! {
        <Title text=words::advice::ADVICE/>
        <Members><All/></Members>
    }
}

#[component]
fn All() -> impl IntoView {
    let (product, after) = use_query_map().with_untracked(|query| {
        let product = query.get("product").filter(|name| !name.is_empty());
        (product, query.get("after"))
    });
    let is_first = after.is_none();
    let advice = load(api::advice::advice(product.clone(), after));
    let standings = load_if(product.clone().map(api::advice::standings));
    let crumb = product.clone().map(|name| {
        let href = format!("/products/{}", url::encode(&name));
        view! { <p class="crumbs"><A href=href>{name}</A></p> }
    });
    view! {
        <section class="page">
            {crumb}
            <div class="page-head">
                <h1>{words::advice::ADVICE}</h1>
                <p class="lead">{words::advice::WHAT_ADVICE_IS}</p>
            </div>
            {advice.show(move |advice| list(advice, product.clone(), is_first).into_any())}
            {standings.show(|standings| stands(standings).into_any())}
        </section>
    }
}

/// Low to high, in the advice's own currency.
pub(crate) fn saving(advice: &Recommendation) -> String {
    words::advice::from_to(
        &words::money(advice.saving.low),
        &words::money(advice.saving.high),
    )
}

fn list(advice: Listed<Recommendation>, product: Option<String>, is_first: bool) -> impl IntoView {
    if advice.items.is_empty() && is_first {
        return view! {
            <Empty title=words::advice::NO_ADVICE>
                <p>{words::advice::WHY_NO_ADVICE}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = advice.items.into_iter().map(row).collect_view();
    let product = product.unwrap_or_default();
    let address = |after: &str| {
        let named = [("product", product.as_str()), ("after", after)];
        url::with_query(PATH, named)
    };
    let first = (!is_first).then(|| address(""));
    let next = advice.next.map(|after| address(&after));
    let head = vec![
        Column::Text(words::advice::RECOMMENDED),
        Column::Text(words::advice::PRODUCT),
        Column::Number(words::advice::SAVES_A_MONTH),
        Column::Text(words::advice::STATE),
        Column::Number(words::advice::CAME_OF_IT),
    ];
    view! {
        <Table caption=words::advice::ADVICE head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn row(advice: Recommendation) -> impl IntoView {
    let href = format!("{PATH}/{}", advice.id);
    let what = words::advice::kind(advice.kind, &advice.change);
    let saves = saving(&advice);
    let measured = match (advice.accepted_at, advice.measured) {
        (Some(_), Some(money)) => words::money(money),
        (Some(_), None) => words::advice::NOT_MEASURED_YET.to_owned(),
        (None, _) => String::new(),
    };
    view! {
        <tr>
            <th scope="row"><A href=href>{what}</A></th>
            <td>
                <span class="code">{advice.product.to_string()}</span>
                <span class="secondary muted">{state::place(&advice.to)}</span>
            </td>
            <td class="number">{saves}</td>
            <td><State said=state::advice(advice.state)/></td>
            <td class="number">{measured}</td>
        </tr>
    }
}

fn stands(standings: Vec<AdviceStanding>) -> impl IntoView {
    let is_empty = standings.is_empty();
    let rows = standings.into_iter().map(standing).collect_view();
    let head = vec![
        Column::Text(words::advice::PLACE),
        Column::Text(words::advice::WEEKS),
        Column::Number(words::advice::READERS),
        Column::Text(words::advice::BREAK_EVEN),
        Column::Number(words::advice::COSTS_A_MONTH),
        Column::Text(words::advice::NOT_KNOWN),
    ];
    let shown = if is_empty {
        view! { <p class="muted">{words::advice::NOTHING_TO_RECKON}</p> }.into_any()
    } else {
        view! { <Table caption=words::advice::HOW_IT_STANDS head>{rows}</Table> }.into_any()
    };
    view! {
        <section class="block">
            <h2>{words::advice::HOW_IT_STANDS}</h2>
            {shown}
        </section>
    }
}

fn standing(standing: AdviceStanding) -> impl IntoView {
    let how = if standing.has_replica {
        words::advice::HAS_A_REPLICA
    } else {
        words::advice::IS_READ_LIVE
    };
    let weeks = standing
        .since
        .map(|since| words::advice::weeks_since(standing.weeks, &since));
    let even = standing
        .break_even
        .map(|even| words::advice::readers(even.from, even.to));
    let unknown = standing
        .unknown
        .iter()
        .map(|what| view! { <p>{words::sentence(what)}</p> })
        .collect_view();
    view! {
        <tr>
            <th scope="row">{state::place(&standing.to)}<span class="secondary muted">{how}</span></th>
            <td>{weeks}</td>
            <td class="number">{words::count(standing.readers)}</td>
            <td>{even}</td>
            <td class="number">{standing.cost.map(words::money)}</td>
            <td class="wide">{unknown}</td>
        </tr>
    }
}
