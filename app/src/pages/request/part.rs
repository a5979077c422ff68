//! What part of a product an access opens: which rows, and whether credentials for whole folders; and the form to say otherwise.

use leptos::prelude::*;
use leptos_router::components::A;
use model::Mode;
use model::dto::Grant;
use model::dto::Request;

use crate::api;
use crate::components::badge::Badge;
use crate::components::field::Field;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::tick::Tick;
use crate::wire;
use crate::words::cuts;
use crate::words::part as words;

/// In one line beside a grant that opens less than everything, or more than URLs do.
pub fn narrowed(grant: &Grant) -> impl IntoView + use<> {
    let rows = grant.rows.clone().map(|rows| {
        view! {
            <span class="secondary"><Badge tone=Tone::Plain>{words::SOME_ROWS_ONLY}</Badge></span>
            <span class="secondary code">{rows}</span>
        }
    });
    let directory = grant.directory.then(|| {
        view! { <span class="secondary"><Badge tone=Tone::Warn>{words::WHOLE_FOLDERS}</Badge></span> }
    });
    let cut = grant.cut.as_ref().map(|cut| {
        let text = cuts::name_and_edition(cut, None);
        view! { <span class="secondary"><Badge tone=Tone::Plain>{text}</Badge></span> }
    });
    view! {
        {cut}
        {rows}
        {directory}
    }
}

/// The whole of it, on the page of the access.
pub(super) fn part(grant: &Grant) -> impl IntoView + use<> {
    let cut = grant.cut.as_ref().map(|cut| {
        let href = format!("/products/{}/cuts#cut-{cut}", grant.product);
        let name = cut.to_string();
        view! { <p>{cuts::BY_REPLICA_ALONE}" "<A href=href>{name}</A></p> }
    });
    let rows = match grant.rows.clone() {
        _ if cut.is_some() => ().into_any(),
        Some(rows) => view! {
            <p>{words::SOME_ROWS}</p>
            <p class="code">{rows}</p>
        }
        .into_any(),
        None => view! { <p>{words::ALL_ROWS}</p> }.into_any(),
    };
    let how = if grant.directory {
        words::BY_DIRECTORY
    } else {
        words::BY_URL
    };
    // A replica holds whole tables and is read by URL: there is nothing to choose.
    let may_choose = grant.may_narrow && grant.mode == Mode::Live;
    let form = may_choose.then(|| {
        let action = wire::form::<api::access::NarrowGrant>();
        let id = grant.id.to_string();
        let revision = grant.revision;
        let (value, checked) = (grant.rows.clone(), grant.directory);
        view! {
            <Form id="part-form" action revision stay=true>
                <Hidden name="grant" value=id/>
                <Field label=words::ROWS name="rows" value hint=words::ROWS_HINT autocomplete="off"/>
                <Tick label=words::DIRECTORY name="directory" checked hint=words::DIRECTORY_HINT/>
                <div class="actions"><Submit>{words::KEEP_PART}</Submit></div>
            </Form>
        }
    });
    view! {
        <section class="card" aria-labelledby="part">
            <h2 id="part">{words::PART}</h2>
            {cut}
            {rows}
            <p>{how}</p>
            {form}
        </section>
    }
}

/// What others who decide have said of it already.
pub(super) fn said(request: &Request) -> impl IntoView + use<> {
    request.scope.rows.clone().map(|rows| {
        view! { <p>{words::SAID_SO_FAR}<span class="code">{rows}</span></p> }
    })
}

/// The fields of a decision that say it. Drawn within its form, which they find their names and values by.
#[component]
pub fn Narrowing(mode: Mode) -> impl IntoView {
    (mode == Mode::Live).then(|| {
        view! {
            <p class="muted">{words::DECIDED_LATER}</p>
            <Field label=words::ROWS name="rows" hint=words::ROWS_HINT autocomplete="off"/>
            <Tick label=words::DIRECTORY name="directory" hint=words::DIRECTORY_HINT/>
        }
    })
}
