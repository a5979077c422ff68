//! Recipients: which machines read, with which credential, and what was granted to them until when. Their teams have the same with
//! more to do under "My access".

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_query_map;
use model::GrantDesired;
use model::Timestamp;
use model::dto::Grant;
use model::dto::RecipientToken;

use super::Head;
use crate::api;
use crate::api::Listed;
use crate::api::access::RecipientShown;
use crate::components::badge::Badge;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::components::state;
use crate::components::state::Said;
use crate::components::state::State;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Day;
use crate::components::time::LastDay;
use crate::ctx;
use crate::pages::access::SOON;
use crate::url;
use crate::wire;
use crate::wire::load;
use crate::words;

pub(super) const PATH: &str = "/admin/recipients";

#[component]
pub fn Recipients() -> impl IntoView {
    view! {
        <Title text=words::admin::recipients::RECIPIENTS/>
        <Members><Shown/></Members>
    }
}

#[component]
fn Shown() -> impl IntoView {
    let after = use_query_map().with_untracked(|query| query.get("after"));
    let is_first = after.is_none();
    let found = load(api::access::recipients_shown(after));
    view! {
        <section class="page">
            <Head path=PATH title=words::admin::recipients::RECIPIENTS lead=words::admin::recipients::WHAT_RECIPIENTS_ARE/>
            {found.show(move |found| all(found, is_first).into_any())}
        </section>
    }
}

fn all(found: Listed<RecipientShown>, is_first: bool) -> impl IntoView {
    if found.items.is_empty() {
        return view! {
            <Empty title=words::admin::recipients::NO_RECIPIENT_YET>
                <p>{words::admin::recipients::WHEN_A_RECIPIENT_IS_MADE}</p>
                <p class="actions"><A href="/catalog" attr:class="button">{words::admin::recipients::OPEN_THE_CATALOG}</A></p>
            </Empty>
        }
        .into_any();
    }
    let rows = found.items.into_iter().map(row).collect_view();
    let head = vec![
        Column::Text(words::admin::recipients::RECIPIENT),
        Column::Text(words::admin::recipients::WHERE),
        Column::Text(words::admin::recipients::CREDENTIAL),
        Column::Text(words::admin::recipients::MAY_READ),
    ];
    view! {
        <Table caption=words::admin::recipients::RECIPIENTS head>{rows}</Table>
        <Pager
            first=(!is_first).then(|| PATH.to_owned())
            next=found.next.map(|after| url::with_query(PATH, [("after", after.as_str())]))
        />
    }
    .into_any()
}

fn row(shown: RecipientShown) -> impl IntoView {
    let RecipientShown {
        recipient,
        grants,
        may_revoke,
        ..
    } = shown;
    let name = recipient.name.to_string();
    let team = recipient.team.to_string();
    let of_team = format!("/admin/teams/{team}");
    let tokens = recipient.tokens;
    view! {
        <tr>
            <th scope="row">
                <span class="code">{name.clone()}</span>
                <span class="secondary"><A href=of_team>{team}</A></span>
            </th>
            <td>{state::place(&recipient.location)}</td>
            <td>{credentials(&name, tokens, may_revoke)}</td>
            <td class="wide">{granted(grants)}</td>
        </tr>
    }
}

/// How a credential stands, in a word.
fn standing(token: &RecipientToken, now: Timestamp) -> Said {
    if token.revoked_at.is_some() {
        (words::admin::recipients::REVOKED, Tone::Plain)
    } else if token.expires_at <= now {
        (words::admin::recipients::OVER, Tone::Plain)
    } else if token.expires_at.since(now) < SOON {
        (words::admin::recipients::ENDS_SOON, Tone::Warn)
    } else {
        (words::admin::recipients::LIVES, Tone::Good)
    }
}

fn lives(token: &RecipientToken, now: Timestamp) -> bool {
    token.revoked_at.is_none() && token.expires_at > now
}

/// Those that count; where none does, the last that did.
fn worth_showing(tokens: Vec<RecipientToken>, now: Timestamp) -> Vec<RecipientToken> {
    let (living, over): (Vec<_>, Vec<_>) = tokens.into_iter().partition(|token| lives(token, now));
    if living.is_empty() {
        let last = over.into_iter().max_by_key(|token| token.created_at);
        last.into_iter().collect()
    } else {
        living
    }
}

fn credentials(recipient: &str, tokens: Vec<RecipientToken>, may_revoke: bool) -> AnyView {
    let now = ctx::now();
    let tokens = worth_showing(tokens, now);
    if tokens.is_empty() {
        return view! { <Badge>{words::admin::recipients::NOT_DOWNLOADED_YET}</Badge> }.into_any();
    }
    tokens
        .into_iter()
        .map(|token| {
            let end = (may_revoke && lives(&token, now)).then(|| revoke(recipient, &token));
            let when = match token.revoked_at {
                Some(at) => view! { {words::admin::recipients::SINCE}<Day at/> }.into_any(),
                None => view! { {words::admin::recipients::UNTIL}<Day at=token.expires_at/> }.into_any(),
            };
            view! {
                <div>
                    <State said=standing(&token, now)/>
                    <span class="secondary muted">{when}{words::admin::recipients::CREDENTIAL_ENDS_IN}<span class="code">{token.hint}</span></span>
                    {end}
                </div>
            }
        })
        .collect_view()
        .into_any()
}

fn revoke(recipient: &str, token: &RecipientToken) -> impl IntoView + use<> {
    let action = wire::form::<api::access::RevokeRecipientToken>();
    let form = format!("revoke-{}", token.id);
    let returned = ctx::flash().is_of(&form);
    let (recipient, id) = (recipient.to_owned(), token.id.to_string());
    let which = format!(" {}", token.hint);
    let button = words::admin::recipients::revoke_credential_of(&recipient);
    let label = words::admin::recipients::write_to_confirm(&recipient);
    view! {
        <details class="fold" open=returned>
            <summary>{words::admin::recipients::REVOKE}<span class="visually-hidden">{which}</span></summary>
            <Form id=form action stay=true>
                <Hidden name="recipient" value=recipient/>
                <Hidden name="token" value=id/>
                <p>{words::admin::recipients::WHAT_REVOKING_DOES}</p>
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Danger>{button}</Submit></div>
            </Form>
        </details>
    }
}

fn granted(grants: Listed<Grant>) -> impl IntoView {
    let has_more = grants.next.is_some();
    let (open, ended): (Vec<Grant>, Vec<Grant>) = grants
        .items
        .into_iter()
        .partition(|grant| grant.desired == GrantDesired::Active);
    let nothing = open.is_empty();
    let over = (!ended.is_empty()).then(|| {
        view! {
            <span class="secondary muted">{words::admin::recipients::accesses_have_ended(ended.len() as u64)}</span>
        }
    });
    let lines = open.into_iter().map(line).collect_view();
    view! {
        {if nothing {
            view! { <span class="muted">{words::admin::recipients::NOTHING}</span> }.into_any()
        } else {
            view! { <ul class="lines">{lines}</ul> }.into_any()
        }}
        {over}
        {has_more.then(|| view! { <span class="secondary muted">{words::admin::recipients::OLDER_ONES_ARE_LEFT_OUT}</span> })}
    }
}

fn line(grant: Grant) -> impl IntoView {
    let href = format!("/requests/{}", grant.request);
    let said = state::grant(&grant);
    view! {
        <li class="line">
            <A href=href>{grant.product.to_string()}</A>
            <span class="muted">{state::mode(grant.mode)}{words::admin::recipients::READS_UNTIL}<LastDay at=grant.until/></span>
            <State said/>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use model::time::DAY;

    use super::*;

    #[test]
    fn what_counts_is_shown_and_else_the_last_that_did() {
        let now: Timestamp = "2026-06-15T12:00:00Z".parse().unwrap();
        let token = |hint: &str, created: i64, expires: i64, revoked: bool| RecipientToken {
            id: "018f3a6e-0000-7000-8000-000000000000".parse().unwrap(),
            hint: hint.to_owned(),
            created_at: now.plus(created),
            expires_at: now.plus(expires),
            revoked_at: revoked.then_some(now),
        };
        let old = token("gone", -90 * DAY, 0, false);
        let revoked = token("took", -DAY, 90 * DAY, true);
        let good = token("good", -2 * DAY, 90 * DAY, false);
        let ending = token("soon", -80 * DAY, DAY, false);
        for (token, word) in [
            (&old, "Over"),
            (&revoked, "Revoked"),
            (&good, "Lives"),
            (&ending, "Ends soon"),
        ] {
            assert_eq!(standing(token, now).0, word);
        }
        let hints = |tokens: &[&RecipientToken]| -> Vec<String> {
            let tokens = tokens.iter().map(|token| (*token).clone()).collect();
            let shown = worth_showing(tokens, now);
            shown.into_iter().map(|token| token.hint).collect()
        };
        assert_eq!(hints(&[&old, &good, &revoked, &ending]), ["good", "soon"]);
        assert_eq!(hints(&[&old, &revoked]), ["took"]);
        assert!(hints(&[]).is_empty());
    }
}
