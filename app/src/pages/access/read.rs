//! How to read one granted product: the lines for each table and client.

use leptos::prelude::*;
use model::Mode;

use crate::api::access::Opened;
use crate::components::code::Code;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::pages::access::PATH;
use crate::pages::access::clients::CLIENTS;
use crate::pages::access::works;
use crate::words;

pub(super) fn lines(opened: Opened) -> impl IntoView {
    let Opened { grant, product } = opened;
    let is_active = works(&grant);
    let recipient = grant.recipient.to_string();
    let share = grant.product.to_string();
    let tables = product
        .tables
        .into_iter()
        .filter(|table| table.refused_for.is_none())
        .filter(|table| grant.mode == Mode::Live || table.clone_refused_for.is_none())
        .enumerate()
        .map(|(position, table)| {
            let name = format!("{}.{}", table.schema, table.name);
            let clients = CLIENTS
                .iter()
                .map(|client| {
                    let text = client.lines(
                        &recipient,
                        &share,
                        table.schema.as_str(),
                        table.name.as_str(),
                    );
                    let label = words::access::lines_for(&client.title, &name);
                    view! {
                        <div class="client">
                            <h3>{client.title}</h3>
                            <p class="code muted">{client.needs}</p>
                            <Code text label/>
                        </div>
                    }
                })
                .collect_view();
            let power_bi = power_bi(&share, table.schema.as_str(), table.name.as_str());
            view! {
                <details class="fold" open=position == 0>
                    <summary><span class="code">{name}</span></summary>
                    <div class="clients">{clients}{power_bi}</div>
                </details>
            }
        })
        .collect_view();
    view! {
        <section class="card read" aria-labelledby="read">
            <div class="machines__head">
                <h2 id="read">{words::access::READ}<bdi>{product.title.clone()}</bdi></h2>
                <a class="button button--small" href=PATH>{words::access::CLOSE}</a>
            </div>
            {(!is_active).then(|| view! {
                <Notice tone=Tone::Warn>
                    <p>{words::access::DOES_NOT_WORK}</p>
                </Notice>
            })}
            <p>
                {words::access::PUT_THE_PROFILE}<span class="code">{format!("{recipient}.share")}</span>
                {words::access::BESIDE_YOUR_NOTEBOOK}
            </p>
            <p>
                {words::access::DOES_IT_WORK}
                <span class="code">{format!("entrepot check --profile {recipient}.share")}</span>
                {words::access::ON_THAT_MACHINE}
            </p>
            {tables}
        </section>
    }
}

/// It is clicked, and takes no lines.
fn power_bi(share: &str, schema: &str, table: &str) -> impl IntoView + use<> {
    let place = format!("{share} › {schema} › {table}");
    view! {
        <div class="client">
            <h3>{words::access::POWER_BI}</h3>
            <p class="code muted">{words::access::POWER_BI_DESKTOP}</p>
            <ol class="numbered">
                <li>{words::access::CHOOSE_GET_DATA}</li>
                <li>{words::access::SERVERS_ADDRESS}<span class="code">"endpoint"</span>"."</li>
                <li>{words::access::BEARER_TOKEN}<span class="code">"bearerToken"</span>"."</li>
                <li>{words::access::IN_THE_NAVIGATOR_OPEN}<span class="code">{place}</span>{words::access::AND_LOAD_IT}</li>
            </ol>
        </div>
    }
}
