//! How old the data is, at the source and in each replica, and the runs that keep the replicas fresh.

use leptos::prelude::*;
use leptos_router::components::A;
use model::dto::ProductDetail;
use model::dto::Replica;
use model::dto::SyncRun;

use crate::api::Listed;
use crate::api::replicas::Lately;
use crate::components::load::Empty;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::pages::product::Place;
use crate::pages::product::timeline::picture;
use crate::pages::replicas::rhythm;
use crate::pages::replicas::show::list;
use crate::wire::Loaded;
use crate::words;

pub(super) fn freshness(
    product: ProductDetail,
    replicas: Loaded<Vec<Replica>>,
    runs: Loaded<Listed<SyncRun>>,
    lately: Loaded<Lately>,
    place: Place,
) -> impl IntoView {
    let rows = product
        .tables
        .into_iter()
        .map(|table| {
            view! {
                <tr>
                    <th scope="row" class="code">{format!("{}.{}", table.schema, table.name)}</th>
                    <td>{match table.committed_at {
                        Some(at) => view! { <Ago at/> }.into_any(),
                        None => words::product::NOT_READ_YET.into_any(),
                    }}</td>
                    <td class="number">{table.version}</td>
                    <td>{table.inspected_at.map(|at| view! { <Ago at/> })}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::product::TABLE),
        Column::Text(words::product::LAST_COMMIT),
        Column::Number(words::product::VERSION),
        Column::Text(words::product::LOOKED_AT),
    ];
    view! {
        <section class="block">
            <h2>{words::product::OVER_TIME}</h2>
            {lately.show(|lately| picture(lately).into_any())}
        </section>
        <section class="block">
            <h2>{words::product::AT_THE_SOURCE}</h2>
            <Table caption=words::product::TABLES_AT_THE_SOURCE head>{rows}</Table>
        </section>
        <section class="block">
            <h2>{words::product::REPLICAS}</h2>
            {replicas.show(|replicas| of_replicas(replicas).into_any())}
        </section>
        <section class="block">
            <h2>{words::product::SYNC_RUNS}</h2>
            {runs.show(move |page| of_runs(page, place).into_any())}
        </section>
    }
}

fn of_replicas(replicas: Vec<Replica>) -> impl IntoView {
    if replicas.is_empty() {
        return view! {
            <Empty title=words::product::NO_REPLICA>
                <p>{words::product::NO_COPY_WAS_GRANTED}</p>
            </Empty>
        }
        .into_any();
    }
    let rows = replicas
        .into_iter()
        .flat_map(|replica| {
            let place = match &replica.cut {
                Some(cut) => words::product_cost::product_to(
                    &words::cuts::name_and_edition(cut, replica.edition),
                    &state::place(&replica.location),
                ),
                None => state::place(&replica.location),
            };
            let href = format!("/replicas/{}", replica.id);
            let rhythm = replica.job.as_ref().map(rhythm);
            let next = replica
                .job
                .as_ref()
                .filter(|job| !job.paused)
                .and_then(|job| job.next_due_at);
            replica.tables.into_iter().map(move |table| {
                let (href, place) = (href.clone(), place.clone());
                view! {
                    <tr>
                        <th scope="row">
                            <A href=href>{place}</A>
                            <span class="code muted">{format!("{}.{}", table.schema, table.name)}</span>
                        </th>
                        <td>
                            <State said=state::replica(table.state)/>
                            {table.reason.map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
                        </td>
                        <td>{table.source_committed_at.map(|at| view! { <Ago at/> })}</td>
                        <td>{table.synced_at.map(|at| view! { <Ago at/> })}</td>
                        <td>{table.verified_at.map(|at| view! { <Ago at/> })}</td>
                        <td>{rhythm.clone()}{next.map(|at| view! { {words::product::NEXT_SYNC}<Ago at/> })}</td>
                    </tr>
                }
            })
        })
        .collect_view();
    let head = vec![
        Column::Text(words::product::REPLICA),
        Column::Text(words::product::STATE),
        Column::Text(words::product::HOLDS_WHAT_WAS_COMMITTED),
        Column::Text(words::product::SYNCED),
        Column::Text(words::product::VERIFIED),
        Column::Text(words::product::RHYTHM),
    ];
    view! { <Table caption=words::product::REPLICAS head>{rows}</Table> }.into_any()
}

fn of_runs(page: Listed<SyncRun>, place: Place) -> impl IntoView {
    let (first, next) = (place.first(), place.next(page.next));
    view! {
        {list(page.items)}
        <Pager first next/>
    }
    .into_any()
}
