//! One erasure: what it came to on each replica, the certificate, and how anybody checks it. Looks again by itself while it waits.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use model::ErasureState;
use model::dto::Erasure;
use model::dto::ErasureKey;
use model::dto::ErasurePart;

use crate::api;
use crate::components::code::Code;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::load::Members;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::components::time::Time;
use crate::wire::load;
use crate::words;

#[component]
pub fn Show() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

#[component]
fn Shown() -> impl IntoView {
    let id = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    let found = load(api::erasures::erasure(id));
    view! {
        <Title text=words::erasures::ERASURE/>
        {found.show(|(erasure, key)| page(erasure, key).into_any())}
    }
}

fn page(erasure: Erasure, key: ErasureKey) -> impl IntoView {
    let waits = erasure.state == ErasureState::Waiting;
    let heading = words::erasures::erasure_of(&erasure.product);
    let certificate = certificate(&erasure, &key);
    let table = erasure
        .table
        .clone()
        .unwrap_or_else(|| words::erasures::ALL_TABLES.to_owned());
    let when = if erasure.at_once {
        words::erasures::AT_ONCE
    } else {
        words::erasures::WHEN_THE_RETENTION_IS_OVER
    };
    let rows = erasure.parts.iter().map(part).collect_view();
    let has_parts = !erasure.parts.is_empty();
    let head = vec![
        Column::Text(words::erasures::STORAGE),
        Column::Text(words::erasures::TABLE),
        Column::Text(words::erasures::STATE),
        Column::Number(words::erasures::OBJECTS),
        Column::Text(words::erasures::SEEN),
    ];
    view! {
        <section class="page">
            <p class="crumbs"><A href="/erasures">{words::erasures::ERASURES}</A></p>
            <div class="page-head">
                <h1>{heading}</h1>
                <p class="states"><State said=state::erasure(erasure.state)/></p>
            </div>
            <section class="block">
                <h2>{words::erasures::FACTS}</h2>
                <dl class="facts">
                    <div><dt>{words::erasures::TABLE}</dt><dd class="code">{table}</dd></div>
                    <div>
                        <dt>{words::erasures::GONE_SINCE}</dt>
                        <dd>{erasure.since_version.map(words::erasures::version)}<Time at=erasure.since/></dd>
                    </div>
                    <div><dt>{words::erasures::WHEN}</dt><dd>{when}</dd></div>
                    <div><dt>{words::erasures::REASON}</dt><dd>{erasure.reason.clone()}</dd></div>
                    <div><dt>{words::erasures::ASKED_FOR}</dt><dd><Time at=erasure.requested_at/></dd></div>
                </dl>
            </section>
            <section class="block" data-refresh=waits.then_some("")>
                <h2>{words::erasures::ON_EACH_REPLICA}</h2>
                {if has_parts {
                    view! { <Table caption=words::erasures::ON_EACH_REPLICA head>{rows}</Table> }.into_any()
                } else {
                    view! { <p class="muted">{words::erasures::NO_REPLICA}</p> }.into_any()
                }}
            </section>
            {certificate}
        </section>
    }
}

fn part(part: &ErasurePart) -> impl IntoView + use<> {
    let cut = part.cut.as_ref().map(|cut| {
        let text = words::cuts::name_and_edition(cut, None);
        view! { <span class="secondary">{text}</span> }
    });
    view! {
        <tr>
            <th scope="row">{state::place(&part.location)}<span class="secondary code muted">{part.storage.to_string()}</span>{cut}</th>
            <td class="code">{format!("{}.{}", part.schema, part.table)}</td>
            <td>
                <State said=state::erasure(part.state)/>
                {part.reason.clone().map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
            </td>
            <td class="number">{words::erasures::objects(part.objects)}</td>
            <td><Ago at=part.updated_at/></td>
        </tr>
    }
}

fn certificate(erasure: &Erasure, key: &ErasureKey) -> impl IntoView + use<> {
    let href = format!("/erasures/{}/certificate.json", erasure.id);
    let (issued, head) = (erasure.issued_at, erasure.head.clone());
    let sound = erasure.is_sound;
    // Of one that is out what signed it, which may have been replaced since.
    let public_key = erasure.public_key.clone();
    let public_key = public_key.unwrap_or_else(|| key.public_key.clone());
    let command = words::erasures::command(&public_key);
    let kept = issued.map(|at| {
        let notice = match sound {
            Some(false) => view! { <Notice tone=Tone::Bad><p>{words::erasures::IS_NOT_SOUND}</p></Notice> }.into_any(),
            _ => view! { <p>{words::erasures::IS_SOUND}</p> }.into_any(),
        };
        view! {
            <p><a href=href.clone() download="" rel="external">{words::erasures::DOWNLOAD}</a></p>
            {notice}
            <dl class="facts">
                <div><dt>{words::erasures::ISSUED}</dt><dd><Time at/></dd></div>
                {head.clone().map(|head| view! { <div><dt>{words::erasures::HEAD}</dt><dd class="code">{head}</dd></div> })}
            </dl>
        }
    });
    let is_missing = issued.is_none();
    view! {
        <section class="block">
            <h2>{words::erasures::CERTIFICATE}</h2>
            {kept}
            {is_missing.then(|| view! { <p class="muted">{words::erasures::NO_CERTIFICATE_YET}</p> })}
            <p>{words::erasures::HOW_TO_CHECK}</p>
            <Code text=command label=words::erasures::HOW_TO_CHECK/>
            <dl class="facts">
                <div><dt>{words::erasures::KEY}</dt><dd class="code">{public_key}</dd></div>
            </dl>
            <p class="muted">{words::erasures::WHAT_IT_DOES_NOT_PROVE}</p>
        </section>
    }
}
