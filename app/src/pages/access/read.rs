//! How to read one granted product: the lines for each table and client.

use leptos::prelude::*;

use crate::api::access::Opened;
use crate::components::code::Code;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::state;
use crate::pages::access::PATH;
use crate::pages::access::clients::CLIENTS;

pub(super) fn lines(opened: Opened) -> impl IntoView {
    let Opened { grant, product } = opened;
    let is_active = state::grant(&grant).0 == "Active";
    let recipient = grant.recipient.to_string();
    let share = grant.product.to_string();
    let tables = product
        .tables
        .into_iter()
        .filter(|table| table.refused_for.is_none())
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
                    let label = format!("Lines for {} to read {name}", client.title);
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
                <h2 id="read">"Read "<bdi>{product.title.clone()}</bdi></h2>
                <a class="button button--small" href=PATH>"Close"</a>
            </div>
            {(!is_active).then(|| view! {
                <Notice tone=Tone::Warn>
                    <p>"This access does not work at the moment; its request says why."</p>
                </Notice>
            })}
            <p>
                "Put the profile "<span class="code">{format!("{recipient}.share")}</span>
                " beside your notebook. It is all that a client needs to know."
            </p>
            <p>
                "Does it work from there? Run "
                <span class="code">{format!("entrepot check --profile {recipient}.share")}</span>
                " on that machine: it says what does not, and whom to tell."
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
            <h3>"Power BI"</h3>
            <p class="code muted">"Power BI Desktop"</p>
            <ol class="numbered">
                <li>"Choose “Get data”, then the connector “Delta Sharing”."</li>
                <li>"As its server’s address give what the profile says under "<span class="code">"endpoint"</span>"."</li>
                <li>"As the bearer token give what it says under "<span class="code">"bearerToken"</span>"."</li>
                <li>"In the navigator open "<span class="code">{place}</span>" and load it."</li>
            </ol>
        </div>
    }
}
