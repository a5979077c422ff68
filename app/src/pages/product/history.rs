//! What happened to the product, as far as the viewer may know. The audit log, which tells more, is a link for who may read it.

use leptos::prelude::*;
use leptos_router::components::A;
use model::Role;
use model::dto::ProductEvent;

use crate::api::Listed;
use crate::components::load::Empty;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Time;
use crate::ctx;
use crate::pages::product::Place;
use crate::url;
use crate::wire::Loaded;
use crate::words::history as words;

pub(super) fn history(
    product: &str,
    events: Loaded<Listed<ProductEvent>>,
    place: Place,
) -> impl IntoView + use<> {
    let reads_log =
        ctx::viewer().is_some_and(|viewer| viewer.is(Role::Auditor) || viewer.is(Role::Admin));
    let about = format!("product:{product}");
    let log = reads_log.then(|| {
        let href = url::with_query("/admin/audit", [("about", about.as_str())]);
        view! { <p><A href=href>{words::IN_THE_LOG}</A></p> }
    });
    view! {
        <section class="block">
            <h2>{words::HEADING}</h2>
            <p class="muted">{words::LEAD}</p>
            {events.show(move |page| table(page, place).into_any())}
            {log}
        </section>
    }
}

fn table(page: Listed<ProductEvent>, place: Place) -> impl IntoView {
    if page.items.is_empty() {
        return view! { <Empty title=words::NOTHING><p>{words::WHEN_NOTHING}</p></Empty> }
            .into_any();
    }
    let (first, next) = (place.first(), place.next(page.next));
    let rows = page
        .items
        .into_iter()
        .map(|event| {
            let (what, detail) = words::event(&event);
            view! {
                <tr>
                    <th scope="row"><Time at=event.at/></th>
                    <td>{what}</td>
                    <td class="wide" dir="auto">{detail}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::WHEN),
        Column::Text(words::WHAT),
        Column::Text(words::DETAIL),
    ];
    view! {
        <Table caption=words::CAPTION head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}
