//! How recipients get in besides their profiles, and what limits them.

use leptos::prelude::*;
use model::dto::ActivationSeen;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::ctx::CallerAddress;
use crate::error::AppError;
use crate::words;

use super::{call, confirmed, said};

/// From where a recipient may be used, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsForm {
    pub recipient: String,
    /// One on each line.
    #[serde(default)]
    pub addresses: String,
    /// Empty: no limit of its own.
    #[serde(default)]
    pub requests_per_minute: String,
}

#[server]
pub async fn set_recipient_limits(form: LimitsForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let requests_per_minute = match form.requests_per_minute.trim() {
        "" => None,
        text => Some(text.parse().map_err(|_| {
            said(exchange::Error::invalid(
                "requests_per_minute",
                words::answers::A_NUMBER_OR_NOTHING,
            ))
        })?),
    };
    let new = model::dto::RecipientLimits {
        addresses: form
            .addresses
            .split([',', ' ', '\n', '\r', '\t'])
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect(),
        requests_per_minute,
    };
    let recipient = exchange
        .recipient_limits_set(&principal, &form.recipient, new)
        .await
        .map_err(said)?;
    Ok(Done::new(
        "/access",
        words::answers::limits_are_changed(&recipient.name),
    ))
}

/// Whose word lets a recipient in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederationForm {
    pub recipient: String,
    pub issuer: String,
    pub audience: String,
    #[serde(default)]
    pub claim: String,
    pub subject: String,
}

#[server]
pub async fn set_federation(form: FederationForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let new = model::dto::FederationNew {
        issuer: form.issuer,
        audience: form.audience,
        claim: Some(form.claim),
        subject: form.subject,
        // In the place of another: that one is ended by itself, so that nobody is shut out in between.
        beside: true,
    };
    let recipient = exchange
        .federation_set(&principal, &form.recipient, new)
        .await
        .map_err(said)?;
    Ok(Done::new(
        "/access",
        words::answers::tokens_let_in(&recipient.name),
    ))
}

/// A recipient, and its name written by hand: whoever reads that way is shut out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndForm {
    pub recipient: String,
    /// Which of the words that let it in; empty: all of them.
    #[serde(default)]
    pub policy: String,
    #[serde(default)]
    pub confirm: String,
}

#[server]
pub async fn end_federation(form: EndForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let recipient = exchange.recipient(&principal, &form.recipient).await;
    confirmed(&form.confirm, recipient.map_err(said)?.name.as_str())?;
    let policy = match form.policy.as_str() {
        "" => None,
        policy => {
            let policy = policy.parse::<model::RecipientTokenId>();
            Some(policy.map_err(|_| said(exchange::Error::NotFound("federation")))?)
        }
    };
    let recipient = exchange
        .federation_end(&principal, &form.recipient, policy)
        .await
        .map_err(said)?;
    Ok(Done::new(
        "/access",
        words::answers::tokens_let_in_no_more(&recipient.name),
    ))
}

/// A recipient whose link is taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkForm {
    pub recipient: String,
}

#[server]
pub async fn end_activation(form: LinkForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let recipient = exchange
        .activation_end(&principal, &form.recipient)
        .await
        .map_err(said)?;
    Ok(Done::new(
        "/access",
        words::answers::link_gives_nothing(&recipient.name),
    ))
}

/// What somebody sees who opens a link to a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkSeen {
    There(ActivationSeen),
    /// Not from this address.
    Refused(String),
}

/// Looks at a link; uses nothing up.
pub async fn activation(link: String) -> Result<LinkSeen, AppError> {
    let from = use_context::<CallerAddress>().map(|address| address.0);
    let (exchange, principal) = call()?;
    let seen = exchange.activation_seen(&principal, &link, from).await;
    match seen.map_err(said) {
        Ok(seen) => Ok(LinkSeen::There(seen)),
        Err(AppError::Forbidden { message }) => Ok(LinkSeen::Refused(message)),
        Err(error) => Err(error),
    }
}
