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
use crate::pages::access::ways::Ways;
use crate::pages::request::limit::brief;
use crate::pages::request::part::narrowed;
use crate::url;
use crate::wire;
use crate::words;

#[component]
pub fn Machines(
    recipient: Recipient,
    grants: Vec<Grant>,
    /// Whether older grants are left out.
    are_more: bool,
    /// Whose tokens may be said to let it in.
    issuers: Vec<String>,
) -> impl IntoView {
    let name = recipient.name.to_string();
    let heading = format!("recipient-{name}");
    let labelled_by = heading.clone();
    // Of its own for each: landmarks are told apart by their names.
    let caption = words::access::what_it_may_read(&name);
    let place = state::place(&recipient.location);
    let of_team = words::access::place_and_team(&place, &recipient.team);
    let has_credential = living(&recipient, ctx::now()).is_some();
    let (open, ended): (Vec<Grant>, Vec<Grant>) = grants
        .into_iter()
        .partition(|grant| grant.desired == GrantDesired::Active);
    view! {
        <section class="card machines" aria-labelledby=labelled_by>
            <div class="machines__head">
                <div>
                    <h2 id=heading class="code">{name.clone()}</h2>
                    <p class="muted">{of_team}</p>
                </div>
                <Credential recipient=recipient.clone()/>
            </div>
            <Ways recipient issuers has_credential/>
            {if open.is_empty() {
                view! { <p class="muted">{words::access::NOTHING_IS_GRANTED}</p> }.into_any()
            } else {
                granted(open, caption).into_any()
            }}
            {(!ended.is_empty()).then(|| over(ended))}
            {are_more.then(|| view! {
                <p class="muted">{words::access::LATEST_ARE_SHOWN}<span class="code">"entrepot grant list"</span>{words::access::WHERE_THE_OLDER_ARE}</p>
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
                    <Button weight=Weight::Primary><Icon name="down"/>{words::access::DOWNLOAD_THE_PROFILE}</Button>
                    <p class="muted">{words::access::KEEP_IT_LIKE_A_PASSWORD}</p>
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
    let label = words::product::write_to_confirm(&name);
    view! {
        <div class="credential">
            <p>
                <Badge tone=Tone::Good>{words::access::PROFILE_DOWNLOADED}</Badge>
                " "<span class="muted">{words::access::CREDENTIAL_ENDS_IN}<span class="code">{token.hint}</span>{words::access::LIVES_UNTIL}<Day at=token.expires_at/></span>
            </p>
            <details class="fold">
                <summary>{words::access::CHANGE_IN_GOOD_TIME}</summary>
                <form class="form" method="post" action=rotate data-download="">
                    <input type="hidden" name="at" value=PATH/>
                    <p>{words::access::WHAT_CHANGING_DOES}</p>
                    <div class="actions"><Button weight=Weight::Secondary><Icon name="down"/>{words::access::DOWNLOAD_A_NEW_PROFILE}</Button></div>
                </form>
            </details>
            <details class="fold" open=returned>
                <summary>{words::access::LOST_OR_LEAKED}</summary>
                <Form id=form action stay=true>
                    <Hidden name="recipient" value=name/>
                    <Hidden name="token" value=id/>
                    <p>{words::access::WHAT_REVOKING_DOES}</p>
                    <Field label name="confirm" required=true autocomplete="off"/>
                    <div class="actions"><Submit weight=Weight::Danger>{words::access::REVOKE_THE_CREDENTIAL}</Submit></div>
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
        Column::Text(words::access::PRODUCT),
        Column::Text(words::access::STATE),
        Column::Text(words::access::UNTIL),
        Column::Text(words::access::MODE),
        Column::Text(words::access::WHAT_TO_DO),
    ];
    view! { <Table caption head>{rows}</Table> }
}

#[component]
fn Row(grant: Grant) -> impl IntoView {
    let now = ctx::now();
    let said = state::grant(&grant);
    let product = grant.product.to_string();
    let cut = grant.cut.as_ref().map(ToString::to_string);
    let renew = url::with_query(
        &format!("/products/{product}/request"),
        [
            ("recipient", grant.recipient.as_str()),
            ("mode", grant.mode.as_str()),
            ("cut", cut.as_deref().unwrap_or_default()),
        ],
    );
    let read = url::with_query(PATH, [("read", grant.id.to_string().as_str())]);
    let request = format!("/requests/{}", grant.request);
    let href = format!("/products/{product}");
    let ends_soon = grant.until.since(now) < SOON;
    let id = grant.id.to_string();
    let label = format!(" {product}");
    let bytes = brief(&grant);
    let part = narrowed(&grant);
    let of = label.clone();
    let name = product.clone();
    view! {
        <tr>
            <th scope="row">
                <A href=href>{product}</A>
                <span class="secondary"><A href=request>{words::access::ITS_REQUEST}</A></span>
            </th>
            <td>
                <State said/>
                {grant.reason.map(|why| view! { <p class="reason">{words::sentence(&why)}</p> })}
                {grant.verified_at.map(|at| view! { <span class="muted secondary">{words::access::VERIFIED}<Ago at/></span> })}
            </td>
            <td>
                <LastDay at=grant.until/>
                {if ends_soon {
                    view! { <span class="secondary"><Badge tone=Tone::Warn>{words::access::ENDS}<Ago at=grant.until/></Badge></span> }.into_any()
                } else {
                    view! { <span class="muted secondary"><Ago at=grant.until/></span> }.into_any()
                }}
            </td>
            <td>{state::mode(grant.mode)}{part}{bytes}</td>
            <td>
                <p class="actions actions--tight">
                    <a class="button button--small" href=read>{words::access::HOW_TO_READ}<span class="visually-hidden">{label}</span></a>
                    <A href=renew attr:class="button button--small">{words::access::RENEW}<span class="visually-hidden">{of}</span></A>
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
    let label = words::product::write_to_confirm(&product);
    view! {
        <details class="fold" open=returned>
            <summary>{words::access::GIVE_UP}</summary>
            <Form id=form action stay=true>
                <Hidden name="grant" value=grant/>
                <Field
                    label=words::access::WHY
                    name="reason"
                    hint=words::access::WHY_HINT
                    required=true
                    autocomplete="off"
                />
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Danger>{words::access::END_THIS_ACCESS}</Submit></div>
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
            <summary>{words::access::WHAT_IT_COULD_READ}</summary>
            <ul class="lines">{rows}</ul>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use model::dto::RecipientLimits;
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
            limits: RecipientLimits::default(),
            federation: Vec::new(),
            activation: None,
            tokens: vec![token("gone", -1, false), token("took", DAY, true)],
        };
        assert_eq!(living(&recipient, now), None);
        recipient.tokens.push(token("good", DAY, false));
        assert_eq!(living(&recipient, now).unwrap().hint, "good");
    }
}
