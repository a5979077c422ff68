//! What the next run of a replica would move, by which way and why. Planned only where somebody asks, for logs are read for it.

use leptos::prelude::*;
use leptos_router::components::A;
use model::ReplicaState;
use model::dto::Replica;
use model::dto::SyncPlan;
use model::dto::SyncWay;
use model::dto::TablePlan;
use model::dto::WayPlan;

use crate::components::table::Column;
use crate::components::table::Table;
use crate::url;
use crate::wire::Loaded;
use crate::words;

/// None where the replica is on its way out: it has no next run.
pub(super) fn block(
    replica: &Replica,
    planned: Option<Loaded<Option<SyncPlan>>>,
) -> Option<impl IntoView + use<>> {
    let follows = matches!(
        replica.state,
        ReplicaState::Pending | ReplicaState::Ready | ReplicaState::Diverged
    );
    let href = url::with_query(&format!("/replicas/{}", replica.id), [("plan", "now")]);
    let title = if planned.is_some() {
        words::replicas::PLAN_IT_AGAIN
    } else {
        words::replicas::PLAN_IT_NOW
    };
    follows.then(|| {
        view! {
            <section class="block" id="plan">
                <h2>{words::replicas::WHAT_THE_NEXT_RUN_WOULD_MOVE}</h2>
                <p class="muted">{words::replicas::PLANNING_READS_LOGS}</p>
                {planned.map(|planned| planned.show(shown))}
                <p class="actions"><A href=href attr:class="button">{title}</A></p>
            </section>
        }
    })
}

fn shown(plan: Option<SyncPlan>) -> AnyView {
    let Some(plan) = plan else {
        return view! { <p role="status">{words::replicas::PLANNED_ONCE_IT_IS_OVER}</p> }
            .into_any();
    };
    let money: Vec<String> = plan
        .money
        .iter()
        .map(|money| words::money(*money))
        .collect();
    let bytes = words::bytes(plan.bytes);
    let sum = words::replicas::it_would_move(&bytes, plan.requests, &money.join(", "));
    let tables = plan.tables.into_iter().map(table).collect_view();
    view! {
        <p role="status">{sum}</p>
        {tables}
    }
    .into_any()
}

fn table(table: TablePlan) -> impl IntoView {
    let name = format!("{}.{}", table.schema, table.table);
    let versions = words::replicas::versions_to(table.from_version, table.to_version);
    let class = if table.failed { "reason" } else { "" };
    let chosen = table.chosen;
    let price = (!table.ways.is_empty()).then_some(table.price);
    let crossing = (!table.crossing.is_empty()).then_some(table.crossing);
    let rows: Vec<_> = table
        .ways
        .into_iter()
        .map(|way| {
            let is_chosen = Some(way.way) == chosen;
            row(way, is_chosen)
        })
        .collect();
    let head = vec![
        Column::Text(words::replicas::WAY),
        Column::Number(words::replicas::OBJECTS),
        Column::Number(words::replicas::BYTES),
        Column::Number(words::replicas::REQUESTS),
        Column::Number(words::replicas::COST),
    ];
    let caption = words::replicas::ways_of(&name);
    let ways = (!rows.is_empty()).then(|| {
        view! { <Table caption head>{rows.collect_view()}</Table> }
    });
    view! {
        <h3><span class="code">{name}</span>" "{versions}</h3>
        <p class=class>{words::sentence(&table.because)}</p>
        {ways}
        {price.map(|price| view! { <p class="muted">{price}</p> })}
        {crossing.map(|crossing| view! { <p class="muted">{crossing}</p> })}
    }
}

fn row(way: WayPlan, is_chosen: bool) -> impl IntoView {
    let title = match way.way {
        SyncWay::FullCopy => words::replicas::FULL_COPY,
        SyncWay::FileCopy => words::replicas::FILE_COPY,
        SyncWay::DeletionVectors => words::replicas::DELETION_VECTORS,
        SyncWay::ChangeFeed => words::replicas::CHANGE_FEED,
        SyncWay::Skipping => words::replicas::SKIPPING,
    };
    view! {
        <tr>
            <th scope="row">
                {title}
                {is_chosen.then(|| view! { " "<strong>{words::replicas::CHOSEN}</strong> })}
                {way.note.map(|note| view! { <span class="muted secondary">{note}</span> })}
            </th>
            <td class="number">{way.objects.map(words::count)}</td>
            <td class="number">{way.bytes.map(words::bytes)}</td>
            <td class="number">{way.requests.map(words::count)}</td>
            <td class="number">{way.money.map(words::money)}</td>
        </tr>
    }
}
