//! What happened to the product, from the audit log. People stand there by pseudonym.

use leptos::prelude::*;

use crate::api::Listed;
use crate::api::audit::Happening;
use crate::components::load::Empty;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Time;
use crate::pages::product::Place;
use crate::wire::Loaded;
use crate::words;

pub(super) fn history(happenings: Loaded<Listed<Happening>>, place: Place) -> impl IntoView {
    view! {
        <section class="block">
            <h2>{words::product::WHAT_HAPPENED}</h2>
            <p class="muted">{words::product::FROM_THE_AUDIT_LOG}</p>
            {happenings.show(move |page| table(page, place).into_any())}
        </section>
    }
}

fn table(page: Listed<Happening>, place: Place) -> impl IntoView {
    if page.items.is_empty() {
        return view! {
            <Empty title=words::product::NOTHING_HAPPENED><p>{words::product::EVERY_CHANGE_IS_NOTED}</p></Empty>
        }
        .into_any();
    }
    let (first, next) = (place.first(), place.next(page.next));
    let rows = page
        .items
        .into_iter()
        .map(|row| {
            view! {
                <tr>
                    <th scope="row"><Time at=row.at/></th>
                    <td class="code">{row.operation}</td>
                    <td class="code">{row.actor}</td>
                    <td class="code wide">{row.detail}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::product::WHEN),
        Column::Text(words::product::WHAT),
        Column::Text(words::product::WHO),
        Column::Text(words::product::IN_DETAIL),
    ];
    view! {
        <Table caption=words::product::AUDIT_LOG head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}
