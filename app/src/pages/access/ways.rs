//! How a recipient gets in besides its profile, and what limits it: addresses and a pace, a platform's own tokens, a link for
//! somebody without an account.

use leptos::prelude::*;
use model::dto::Activation;
use model::dto::ActivationOpen;
use model::dto::Federation;
use model::dto::Recipient;
use model::dto::RecipientLimits;

use crate::api;
use crate::components::button::Button;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::text_area::TextArea;
use crate::components::time::Ago;
use crate::components::time::Day;
use crate::ctx;
use crate::pages::access::PATH;
use crate::wire;
use crate::words;

/// A link that has just been made. No island: its properties would stand in the page a second time.
pub(super) fn made(link: &Activation) -> impl IntoView + use<> {
    let heading = words::ways::send_this_link(&link.recipient);
    let url = link.url.clone();
    let until = link.expires_at;
    view! {
        <section class="card read" aria-labelledby="made">
            <h2 id="made">{heading}</h2>
            <p>{words::ways::SHOWN_ONCE}</p>
            <div class="code-block">
                <pre class="secret" tabindex="0" role="region" aria-label=words::ways::THE_LINK><code>{url}</code></pre>
            </div>
            <p class="muted">{words::ways::IT_ENDS}<Ago at=until/>{words::ways::IF_NOBODY_USES_IT}</p>
        </section>
    }
}

#[component]
pub fn Ways(
    recipient: Recipient,
    /// Whose tokens may be said to let it in.
    issuers: Vec<String>,
    /// Whether a credential lives: then a link would give nothing.
    has_credential: bool,
) -> impl IntoView {
    let name = recipient.name.to_string();
    view! {
        {link(&name, recipient.activation, has_credential)}
        {limits(&name, &recipient.limits)}
        {federation(&name, recipient.federation, issuers)}
    }
}

fn link(name: &str, open: Option<ActivationOpen>, has_credential: bool) -> impl IntoView + use<> {
    let waiting = open.map(|open| {
        let action = wire::form::<api::ways::EndActivation>();
        let (form, recipient) = (format!("end-link-{name}"), name.to_owned());
        view! {
            <Form id=form action stay=true>
                <Hidden name="recipient" value=recipient/>
                <p>{words::ways::A_LINK_WAITS}<Ago at=open.expires_at/>"."</p>
                <div class="actions"><Submit weight=Weight::Danger>{words::ways::TAKE_THE_LINK_BACK}</Submit></div>
            </Form>
        }
    });
    let make = (!has_credential).then(|| {
        let action = format!("/recipients/{name}/activation");
        view! {
            <form class="form" method="post" action=action>
                <input type="hidden" name="at" value=PATH/>
                <p>{words::ways::WHAT_A_LINK_DOES}</p>
                <div class="actions"><Button weight=Weight::Secondary>{words::ways::MAKE_A_LINK}</Button></div>
            </form>
        }
    });
    let waits = waiting.is_some();
    (waits || make.is_some()).then(|| {
        view! {
            <details class="fold" open=waits>
                <summary>{words::ways::GIVE_TO_SOMEBODY}</summary>
                {waiting}
                {make}
            </details>
        }
    })
}

fn limits(name: &str, limits: &RecipientLimits) -> impl IntoView + use<> {
    let action = wire::form::<api::ways::SetRecipientLimits>();
    let (form, recipient) = (format!("limits-{name}"), name.to_owned());
    let returned = ctx::flash().is_of(&form);
    let addresses = limits.addresses.join("\n");
    let requests = limits.requests_per_minute.map(|most| most.to_string());
    let said = match limits.addresses.len() {
        0 => words::ways::FROM_EVERYWHERE,
        1 => words::ways::FROM_ONE,
        _ => words::ways::FROM_SOME,
    };
    view! {
        <details class="fold" open=returned>
            <summary>{words::ways::FROM_WHERE_AND_HOW_OFTEN}<span class="muted">{said}</span></summary>
            <Form id=form action stay=true>
                <Hidden name="recipient" value=recipient/>
                <TextArea
                    label=words::ways::ADDRESSES
                    name="addresses"
                    value=addresses
                    hint=words::ways::ADDRESSES_HINT
                />
                <Field
                    label=words::ways::REQUESTS_PER_MINUTE
                    name="requests_per_minute"
                    kind=Kind::Number
                    value=requests
                    min=Some("1".to_owned())
                    hint=words::ways::REQUESTS_PER_MINUTE_HINT
                />
                <div class="actions"><Submit weight=Weight::Secondary>{words::ways::CHANGE_THE_LIMITS}</Submit></div>
            </Form>
        </details>
    }
}

fn federation(
    name: &str,
    federation: Vec<Federation>,
    issuers: Vec<String>,
) -> impl IntoView + use<> {
    let form = format!("federation-{name}");
    let end_form = |federation: &Federation| format!("end-federation-{name}-{}", federation.id);
    let flash = ctx::flash();
    let ends = |federation: &Federation| flash.is_of(&end_form(federation));
    let returned = flash.is_of(&form) || federation.iter().any(ends);
    let said = if federation.is_empty() {
        words::ways::OFF
    } else {
        words::ways::ON
    };
    let one = |federation: Federation| {
        let action = wire::form::<api::ways::EndFederation>();
        let (end_form, policy) = (end_form(&federation), federation.id.to_string());
        let recipient = name.to_owned();
        let label = words::ways::write_to_confirm(&name);
        view! {
            <p>
                {words::ways::TOKENS_OF}<bdi class="code">{federation.issuer}</bdi>{words::ways::FOR_AUDIENCE}<bdi class="code">{federation.audience}</bdi>{words::ways::IN_WHICH}
                <bdi class="code">{federation.claim}</bdi>{words::ways::CLAIM_IS}<bdi class="code">{federation.subject}</bdi>{words::ways::LET_IT_IN_SINCE}
                <Day at=federation.created_at/>"."
            </p>
            <Form id=end_form action stay=true>
                <Hidden name="recipient" value=recipient/>
                <Hidden name="policy" value=policy/>
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Danger>{words::ways::LET_NOBODY_IN}</Submit></div>
            </Form>
        }
    };
    let end = federation.into_iter().map(one).collect_view();
    let set = if issuers.is_empty() {
        view! { <p class="muted">{words::ways::NO_OTHER_PLATFORM}<span class="code">"sharing.issuers"</span>"."</p> }.into_any()
    } else {
        let action = wire::form::<api::ways::SetFederation>();
        let recipient = name.to_owned();
        let options: Vec<(String, String)> = issuers
            .into_iter()
            .map(|issuer| (issuer.clone(), issuer))
            .collect();
        view! {
            <Form id=form action stay=true>
                <Hidden name="recipient" value=recipient/>
                <Select label=words::ways::ISSUER name="issuer" options/>
                <Field label=words::ways::AUDIENCE name="audience" hint=words::ways::AUDIENCE_HINT required=true autocomplete="off"/>
                <Field label=words::ways::CLAIM name="claim" value=Some("sub".to_owned()) hint=words::ways::CLAIM_HINT required=true autocomplete="off"/>
                <Field label=words::ways::WHAT_IT_SAYS name="subject" hint=words::ways::WHAT_IT_SAYS_HINT required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Secondary>{words::ways::LET_IT_IN}</Submit></div>
            </Form>
        }
        .into_any()
    };
    view! {
        <details class="fold" open=returned>
            <summary>{words::ways::LET_IN_BY_TOKENS}<span class="muted">{said}</span></summary>
            {end}
            {set}
        </details>
    }
}
