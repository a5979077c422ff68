//! Who may read it: why, until when, when it was last seen to work, and whether they do.

use leptos::prelude::*;
use leptos_router::components::A;
use model::dto::Grant;
use model::dto::ProductDetail;

use crate::api::Listed;
use crate::components::load::Empty;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::components::time::Day;
use crate::components::time::LastDay;
use crate::ctx;
use crate::pages::product::Place;
use crate::pages::request::limit::brief;
use crate::pages::request::part::narrowed;
use crate::wire::Loaded;
use crate::words;

pub(super) fn access(
    product: &ProductDetail,
    grants: Loaded<Listed<Grant>>,
    place: Place,
) -> impl IntoView + use<> {
    let team = &product.team;
    let is_owner = ctx::viewer()
        .is_some_and(|viewer| viewer.teams.iter().any(|own| own.team == team.as_str()));
    let whose = if is_owner {
        words::product::ALL_WHO_WERE_GRANTED
    } else {
        words::product::WHAT_CONCERNS_YOU
    };
    view! {
        <section class="block">
            <h2>{words::product::GRANTED}</h2>
            <p class="muted">{whose}</p>
            {grants.show(move |page| table(page, place).into_any())}
        </section>
    }
}

fn table(page: Listed<Grant>, place: Place) -> impl IntoView {
    if page.items.is_empty() {
        return view! {
            <Empty title=words::product::NO_GRANT>
                <p>{words::product::WHO_READS_IS_HERE}</p>
            </Empty>
        }
        .into_any();
    }
    let (first, next) = (place.first(), place.next(page.next));
    let rows = page.items.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::product::WHO),
        Column::Text(words::product::WHY),
        Column::Text(words::product::MODE),
        Column::Text(words::product::UNTIL),
        Column::Text(words::product::STATE),
        Column::Text(words::product::VERIFIED),
        Column::Text(words::product::FIRST_READ),
    ];
    view! {
        <Table caption=words::product::GRANTS head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}

fn row(grant: Grant) -> impl IntoView {
    let said = state::grant(&grant);
    let request = format!("/requests/{}", grant.request);
    let bytes = brief(&grant);
    let part = narrowed(&grant);
    view! {
        <tr>
            <th scope="row">
                <A href=request>{grant.recipient.to_string()}</A>
                <span class="muted secondary">{format!("{}, {}", grant.team, state::place(&grant.location))}</span>
            </th>
            <td class="wide">
                <span class="code">{grant.purpose_code}</span>
                <span class="secondary">{grant.purpose_text}</span>
            </td>
            <td>{state::mode(grant.mode)}{part}{bytes}</td>
            <td><LastDay at=grant.until/></td>
            <td>
                <State said/>
                {grant.reason.map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
                {grant.ended_reason.map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
            </td>
            <td>{grant.verified_at.map(|at| view! { <Ago at/> })}</td>
            <td>{match grant.first_read_at {
                Some(at) => view! { <Day at/> }.into_any(),
                None => words::product::NOT_YET.into_any(),
            }}</td>
        </tr>
    }
}
