//! One recipient: its credential, and what it may read.

use leptos::prelude::*;
use leptos_router::components::A;
use model::GrantDesired;
use model::Timestamp;
use model::dto::Grant;
use model::dto::Recipient;
use model::dto::RecipientToken;

use crate::api;
use crate::components::badge::Badge;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::state;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::components::time::Day;
use crate::components::time::LastDay;
use crate::ctx;
use crate::islands::icon::Icon;
use crate::pages::access::PATH;
use crate::pages::access::SOON;
use crate::pages::request::limit::brief;
use crate::url;
use crate::wire;
use crate::words;

#[component]
pub fn Machines(
    recipient: Recipient,
    grants: Vec<Grant>,
    /// Whether older grants are left out.
    are_more: bool,
) -> impl IntoView {
    let name = recipient.name.to_string();
    let heading = format!("recipient-{name}");
    let labelled_by = heading.clone();
    // Of its own for each: landmarks are told apart by their names.
    let caption = format!("What {name} may read");
    let place = state::place(&recipient.location);
    let (open, ended): (Vec<Grant>, Vec<Grant>) = grants
        .into_iter()
        .partition(|grant| grant.desired == GrantDesired::Active);
    view! {
        <section class="card machines" aria-labelledby=labelled_by>
            <div class="machines__head">
                <div>
                    <h2 id=heading class="code">{name.clone()}</h2>
                    <p class="muted">{format!("{place}, team {}", recipient.team)}</p>
                </div>
                <Credential recipient/>
            </div>
            {if open.is_empty() {
                view! { <p class="muted">"Nothing is granted to it."</p> }.into_any()
            } else {
                granted(open, caption).into_any()
            }}
            {(!ended.is_empty()).then(|| over(ended))}
            {are_more.then(|| view! {
                <p class="muted">"Only its latest accesses are shown; "<span class="code">"entrepot grant list"</span>" and the pages of the products have the older ones."</p>
            })}
        </section>
    }
}

/// The token that lives, if one does; of two, the newer.
fn living(recipient: &Recipient, now: Timestamp) -> Option<RecipientToken> {
    recipient
        .tokens
        .iter()
        .filter(|token| token.revoked_at.is_none() && token.expires_at > now)
        .max_by_key(|token| token.created_at)
        .cloned()
}

#[component]
fn Credential(recipient: Recipient) -> impl IntoView {
    let now = ctx::now();
    let name = recipient.name.to_string();
    match living(&recipient, now) {
        Some(token) => view! { <Living name token/> }.into_any(),
        None => {
            let action = format!("/recipients/{name}/profile");
            view! {
                <form class="credential" method="post" action=action data-download="">
                    <input type="hidden" name="at" value=PATH/>
                    <Button weight=Weight::Primary><Icon name="down"/>"Download the profile"</Button>
                    <p class="muted">"It holds the only copy of the credential. Keep it like a password."</p>
                </form>
            }
            .into_any()
        }
    }
}

#[component]
fn Living(name: String, token: RecipientToken) -> impl IntoView {
    let action = wire::form::<api::access::RevokeRecipientToken>();
    let form = format!("revoke-{name}");
    let returned = ctx::flash().is_of(&form);
    let id = token.id.to_string();
    let rotate = format!("/recipients/{name}/rotate");
    let label = format!("Write {name} to confirm");
    view! {
        <div class="credential">
            <p>
                <Badge tone=Tone::Good>"Profile downloaded"</Badge>
                " "<span class="muted">"ends in "<span class="code">{token.hint}</span>", lives until "<Day at=token.expires_at/></span>
            </p>
            <details class="fold">
                <summary>"Change it in good time"</summary>
                <form class="form" method="post" action=rotate data-download="">
                    <input type="hidden" name="at" value=PATH/>
                    <p>"You get a new profile now. The old credential goes on for 24 hours, so that readers can change over one by one."</p>
                    <div class="actions"><Button weight=Weight::Secondary><Icon name="down"/>"Download a new profile"</Button></div>
                </form>
            </details>
            <details class="fold" open=returned>
                <summary>"Lost or leaked?"</summary>
                <Form id=form action stay=true>
                    <Hidden name="recipient" value=name/>
                    <Hidden name="token" value=id/>
                    <p>"Revoking ends it at once, for everybody who uses it. Then you can download a new profile."</p>
                    <Field label name="confirm" required=true autocomplete="off"/>
                    <div class="actions"><Submit weight=Weight::Danger>"Revoke the credential"</Submit></div>
                </Form>
            </details>
        </div>
    }
}

fn granted(grants: Vec<Grant>, caption: String) -> impl IntoView {
    let rows = grants
        .into_iter()
        .map(|grant| view! { <Row grant/> })
        .collect_view();
    let head = vec![
        Column::Text("Product"),
        Column::Text("State"),
        Column::Text("Until"),
        Column::Text("Mode"),
        Column::Text("What to do"),
    ];
    view! { <Table caption head>{rows}</Table> }
}

#[component]
fn Row(grant: Grant) -> impl IntoView {
    let now = ctx::now();
    let said = state::grant(&grant);
    let product = grant.product.to_string();
    let renew = url::with_query(
        &format!("/products/{product}/request"),
        [
            ("recipient", grant.recipient.as_str()),
            ("mode", grant.mode.as_str()),
        ],
    );
    let read = url::with_query(PATH, [("read", grant.id.to_string().as_str())]);
    let request = format!("/requests/{}", grant.request);
    let href = format!("/products/{product}");
    let ends_soon = grant.until.since(now) < SOON;
    let id = grant.id.to_string();
    let label = format!(" {product}");
    let bytes = brief(&grant);
    let of = label.clone();
    let name = product.clone();
    view! {
        <tr>
            <th scope="row">
                <A href=href>{product}</A>
                <span class="secondary"><A href=request>"its request"</A></span>
            </th>
            <td>
                <State said/>
                {grant.reason.map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
                {grant.verified_at.map(|at| view! { <span class="muted secondary">"verified "<Ago at/></span> })}
            </td>
            <td>
                <LastDay at=grant.until/>
                {if ends_soon {
                    view! { <span class="secondary"><Badge tone=Tone::Warn>"ends "<Ago at=grant.until/></Badge></span> }.into_any()
                } else {
                    view! { <span class="muted secondary"><Ago at=grant.until/></span> }.into_any()
                }}
            </td>
            <td>{state::mode(grant.mode)}{bytes}</td>
            <td>
                <p class="actions actions--tight">
                    <a class="button button--small" href=read>"How to read"<span class="visually-hidden">{label}</span></a>
                    <A href=renew attr:class="button button--small">"Renew"<span class="visually-hidden">{of}</span></A>
                </p>
                {grant.may_revoke.then(|| view! { <GiveUp grant=id product=name/> })}
            </td>
        </tr>
    }
}

#[component]
fn GiveUp(grant: String, product: String) -> impl IntoView {
    let action = wire::form::<api::access::RevokeGrant>();
    let form = format!("end-{grant}");
    let returned = ctx::flash().is_of(&form);
    let label = format!("Write {product} to confirm");
    view! {
        <details class="fold" open=returned>
            <summary>"Give up"</summary>
            <Form id=form action stay=true>
                <Hidden name="grant" value=grant/>
                <Field
                    label="Why"
                    name="reason"
                    hint="It ends at once. To get it back you have to ask again."
                    required=true
                    autocomplete="off"
                />
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Danger>"End this access"</Submit></div>
            </Form>
        </details>
    }
}

fn over(grants: Vec<Grant>) -> impl IntoView {
    let rows = grants
        .into_iter()
        .map(|grant| {
            let href = format!("/requests/{}", grant.request);
            let said = state::grant(&grant);
            view! {
                <li class="line">
                    <A href=href>{grant.product.to_string()}</A>
                    <bdi class="muted">{grant.ended_reason.map(|why| words::sentence(&why))}</bdi>
                    <State said/>
                </li>
            }
        })
        .collect_view();
    view! {
        <details class="fold">
            <summary>"What it could read before"</summary>
            <ul class="lines">{rows}</ul>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use model::time::DAY;

    use super::*;

    #[test]
    fn only_a_token_that_lives_counts() {
        let now: Timestamp = "2026-06-15T12:00:00Z".parse().unwrap();
        let token = |hint: &str, expires: i64, revoked: bool| RecipientToken {
            id: "018f3a6e-0000-7000-8000-000000000000".parse().unwrap(),
            hint: hint.to_owned(),
            created_at: now,
            expires_at: now.plus(expires),
            revoked_at: revoked.then_some(now),
        };
        let mut recipient = Recipient {
            name: "rnd_weu".parse().unwrap(),
            team: "rnd".parse().unwrap(),
            location: "azure:westeurope".parse().unwrap(),
            revision: 1,
            tokens: vec![token("gone", -1, false), token("took", DAY, true)],
        };
        assert_eq!(living(&recipient, now), None);
        recipient.tokens.push(token("good", DAY, false));
        assert_eq!(living(&recipient, now).unwrap().hint, "good");
    }
}
