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

pub(super) fn history(happenings: Loaded<Listed<Happening>>, place: Place) -> impl IntoView {
    view! {
        <section class="block">
            <h2>"What happened"</h2>
            <p class="muted">"From the audit log, which nobody can change. People appear by a pseudonym."</p>
            {happenings.show(move |page| table(page, place).into_any())}
        </section>
    }
}

fn table(page: Listed<Happening>, place: Place) -> impl IntoView {
    if page.items.is_empty() {
        return view! {
            <Empty title="Nothing happened yet"><p>"Every change of the product is noted here."</p></Empty>
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
        Column::Text("When"),
        Column::Text("What"),
        Column::Text("Who"),
        Column::Text("In detail"),
    ];
    view! {
        <Table caption="Audit log" head>{rows}</Table>
        <Pager first next/>
    }
    .into_any()
}
