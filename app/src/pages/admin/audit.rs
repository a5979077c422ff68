//! The audit log: who did what to what, newest first, and whether somebody has altered it.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use super::Head;
use crate::api;
use crate::api::Listed;
use crate::api::audit::Happening;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::form::Form;
use crate::components::form::Submit;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Time;
use crate::url;
use crate::wire;
use crate::wire::load;

const PATH: &str = "/admin/audit";

#[component]
pub fn Audit() -> impl IntoView {
    view! {
        <Title text="Audit"/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let rows = load(api::audit::happenings(None, after));
    view! {
        <section class="page">
            <Head path=PATH title="Audit" lead="Every change, in a chain in which each row seals the one before."/>
            {rows.show(move |rows| list(rows, is_first).into_any())}
        </section>
    }
}

fn list(rows: Listed<Happening>, is_first: bool) -> impl IntoView {
    let next = rows
        .next
        .map(|after| url::with_query(PATH, [("after", after.as_str())]));
    let first = (!is_first).then(|| PATH.to_owned());
    let rows = rows
        .items
        .into_iter()
        .map(|row| {
            view! {
                <tr>
                    <th scope="row"><Time at=row.at/></th>
                    <td>{row.operation}<span class="secondary code muted">{row.object}</span></td>
                    <td class="code">{row.actor}</td>
                    <td class="code detail">{row.detail}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text("When"),
        Column::Text("What"),
        Column::Text("Who"),
        Column::Text("Detail"),
    ];
    let action = wire::form::<api::audit::VerifyChain>();
    view! {
        <Form id="verify-chain" action class="form form--grid">
            <Field label="Hash to find in the chain" name="anchor" hint="The last row’s hash, as a check before said it; empty to check the chain alone." autocomplete="off"/>
            <div class="actions"><Submit weight=Weight::Secondary>"Check the chain"</Submit></div>
        </Form>
        <Table caption="Audit log" head>{rows}</Table>
        <Pager first next/>
    }
}
