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

/// A link that has just been made. No island: its properties would stand in the page a second time.
pub(super) fn made(link: &Activation) -> impl IntoView + use<> {
    let heading = format!("Send this link for {}", link.recipient);
    let url = link.url.clone();
    let until = link.expires_at;
    view! {
        <section class="card read" aria-labelledby="made">
            <h2 id="made">{heading}</h2>
            <p>"This is the only time that it is shown. Whoever opens it first gets the profile, once: send it to the one who is to have it, and by a way that others do not read."</p>
            <div class="code-block">
                <pre class="secret" tabindex="0" role="region" aria-label="The link"><code>{url}</code></pre>
            </div>
            <p class="muted">"It ends "<Ago at=until/>" if nobody uses it."</p>
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
                <p>"A link waits to be opened; it ends "<Ago at=open.expires_at/>"."</p>
                <div class="actions"><Submit weight=Weight::Danger>"Take the link back"</Submit></div>
            </Form>
        }
    });
    let make = (!has_credential).then(|| {
        let action = format!("/recipients/{name}/activation");
        view! {
            <form class="form" method="post" action=action>
                <input type="hidden" name="at" value=PATH/>
                <p>"Whoever opens it first downloads the profile, once, without an account. It is good for 24 hours; one that waits ends with it."</p>
                <div class="actions"><Button weight=Weight::Secondary>"Make a link"</Button></div>
            </form>
        }
    });
    let waits = waiting.is_some();
    (waits || make.is_some()).then(|| {
        view! {
            <details class="fold" open=waits>
                <summary>"Give the profile to somebody without an account"</summary>
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
        0 => "From everywhere",
        1 => "From one address or block",
        _ => "From some addresses",
    };
    view! {
        <details class="fold" open=returned>
            <summary>"From where, and how often: "<span class="muted">{said}</span></summary>
            <Form id=form action stay=true>
                <Hidden name="recipient" value=recipient/>
                <TextArea
                    label="Addresses that it may be used from"
                    name="addresses"
                    value=addresses
                    hint="One on each line, version 4 or 6: 192.0.2.7, 192.0.2.0/24, 2001:db8::/32. None: from everywhere. It holds for links to the profile, too."
                />
                <Field
                    label="Requests per minute"
                    name="requests_per_minute"
                    kind=Kind::Number
                    value=requests
                    min=Some("1".to_owned())
                    hint="Empty: as many as this installation lets any."
                />
                <div class="actions"><Submit weight=Weight::Secondary>"Change the limits"</Submit></div>
            </Form>
        </details>
    }
}

fn federation(
    name: &str,
    federation: Option<Federation>,
    issuers: Vec<String>,
) -> impl IntoView + use<> {
    let form = format!("federation-{name}");
    let end_form = format!("end-federation-{name}");
    let flash = ctx::flash();
    let returned = flash.is_of(&form) || flash.is_of(&end_form);
    let said = if federation.is_some() { "on" } else { "off" };
    let end = federation.clone().map(|federation| {
        let action = wire::form::<api::ways::EndFederation>();
        let recipient = name.to_owned();
        let label = format!("Write {name} to confirm");
        view! {
            <p>
                "Tokens of "<bdi class="code">{federation.issuer}</bdi>" for "<bdi class="code">{federation.audience}</bdi>" in which "
                <bdi class="code">{federation.claim}</bdi>" is "<bdi class="code">{federation.subject}</bdi>" let it in, since "
                <Day at=federation.created_at/>"."
            </p>
            <Form id=end_form action stay=true>
                <Hidden name="recipient" value=recipient/>
                <Field label name="confirm" required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Danger>"Let nobody in that way"</Submit></div>
            </Form>
        }
    });
    let set = if issuers.is_empty() {
        view! { <p class="muted">"This installation takes tokens of no other platform. Its operator can name some, in "<span class="code">"sharing.issuers"</span>"."</p> }.into_any()
    } else {
        let action = wire::form::<api::ways::SetFederation>();
        let recipient = name.to_owned();
        let options: Vec<(String, String)> = issuers
            .into_iter()
            .map(|issuer| (issuer.clone(), issuer))
            .collect();
        let there = federation.as_ref();
        let issuer = there.map(|there| there.issuer.clone());
        let audience = there.map(|there| there.audience.clone());
        let claim = there.map_or_else(|| "sub".to_owned(), |there| there.claim.clone());
        let subject = there.map(|there| there.subject.clone());
        view! {
            <Form id=form action stay=true>
                <Hidden name="recipient" value=recipient/>
                <Select label="Issuer" name="issuer" options value=issuer/>
                <Field label="Audience" name="audience" value=audience hint="For whom the platform makes the tokens, as they say it." required=true autocomplete="off"/>
                <Field label="Claim" name="claim" value=Some(claim) hint="What tells one machine from another there." required=true autocomplete="off"/>
                <Field label="What it says" name="subject" value=subject hint="To the letter." required=true autocomplete="off"/>
                <div class="actions"><Submit weight=Weight::Secondary>"Let it in that way"</Submit></div>
            </Form>
        }
        .into_any()
    };
    view! {
        <details class="fold" open=returned>
            <summary>"Let in by a platform’s own tokens: "<span class="muted">{said}</span></summary>
            {end}
            {set}
        </details>
    }
}
