//! Recipients and their sharing credentials.

use axum::response::{IntoResponse, Response};
use exchange::page::Page;
use exchange::{Error, Operation};
use http::{HeaderValue, header};
use model::RecipientTokenId;
use model::dto::{
    Activation, ActivationNew, FederationNew, LeakNew, LeakReport, Profile, ProfileNew, Recipient,
    RecipientChange, RecipientLimits, RecipientNew, RecipientProperties, RotationNew,
};
use serde::Deserialize;

use crate::answer::{Result, created, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, Paged};
use crate::endpoint::Endpoints;
use crate::problem::Problem;

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    Endpoints::new()
        .on(Operation::RecipientList, list).pages::<Recipient>()
        .on(Operation::RecipientRead, show).answers::<Recipient>()
        .on(Operation::RecipientCreate, create).takes::<RecipientNew>().answers::<Recipient>().created()
        .on(Operation::RecipientUpdate, update).takes::<RecipientChange>().answers::<Recipient>()
        .on(Operation::ProfileCreate, profile).takes::<ProfileNew>().answers::<Profile>().secret()
        .on(Operation::RecipientRotate, rotate).takes::<RotationNew>().answers::<Profile>().secret()
        .on(Operation::RecipientTokenRevoke, revoke_token).answers::<Recipient>()
        .on(Operation::RecipientLimitsSet, set_limits).takes::<RecipientLimits>().answers::<Recipient>()
        .on(Operation::RecipientPropertiesRead, properties).answers::<RecipientProperties>()
        .on(Operation::RecipientPropertiesSet, set_properties).takes::<RecipientProperties>().answers::<RecipientProperties>()
        .on(Operation::FederationSet, federate).takes::<FederationNew>().answers::<Recipient>()
        .on(Operation::FederationEnd, end_federation).query(&["policy"]).answers::<Recipient>()
        .on(Operation::ActivationCreate, activation).takes::<ActivationNew>().answers::<Activation>().created().secret()
        .on(Operation::ActivationEnd, end_activation).answers::<Recipient>()
        .on(Operation::TokenReport, report_tokens).takes::<LeakNew>().answers::<LeakReport>()
}

async fn list(call: Call, Paged(page): Paged) -> Result<Page<Recipient>> {
    ok(call.exchange.recipients(&call.principal, &page).await?)
}

async fn show(call: Call, At(recipient): At<String>) -> Result<Recipient> {
    ok(call.exchange.recipient(&call.principal, &recipient).await?)
}

async fn create(call: Call, Body(new): Body<RecipientNew>) -> Result<Recipient> {
    created(call.exchange.recipient_create(&call.principal, new).await?)
}

async fn update(
    call: Call,
    At(recipient): At<String>,
    Body(new): Body<RecipientChange>,
) -> Result<Recipient> {
    ok(call
        .exchange
        .recipient_update(&call.principal, &recipient, new)
        .await?)
}

async fn profile(
    call: Call,
    At(recipient): At<String>,
    Body(new): Body<ProfileNew>,
) -> std::result::Result<Response, Problem> {
    let profile = call
        .exchange
        .profile_create(&call.principal, &recipient, new)
        .await?;
    file(&recipient, profile)
}

async fn rotate(
    call: Call,
    At(recipient): At<String>,
    Body(new): Body<RotationNew>,
) -> std::result::Result<Response, Problem> {
    let profile = call
        .exchange
        .recipient_rotate(&call.principal, &recipient, new)
        .await?;
    file(&recipient, profile)
}

/// The profile as a file to save: the only answer that ever holds the token.
fn file(recipient: &str, profile: Profile) -> std::result::Result<Response, Problem> {
    let mut response = ok(profile)?.into_response();
    // A recipient that was found has a name of letters, digits, `-` and `_`.
    let file = format!("attachment; filename=\"{recipient}.share\"");
    let file = HeaderValue::from_str(&file).map_err(Error::internal)?;
    response
        .headers_mut()
        .insert(header::CONTENT_DISPOSITION, file);
    Ok(response)
}

async fn revoke_token(
    call: Call,
    At((recipient, token)): At<(String, RecipientTokenId)>,
) -> Result<Recipient> {
    ok(call
        .exchange
        .recipient_token_revoke(&call.principal, &recipient, token)
        .await?)
}

async fn set_limits(
    call: Call,
    At(recipient): At<String>,
    Body(new): Body<RecipientLimits>,
) -> Result<Recipient> {
    ok(call
        .exchange
        .recipient_limits_set(&call.principal, &recipient, new)
        .await?)
}

async fn properties(call: Call, At(recipient): At<String>) -> Result<RecipientProperties> {
    ok(call
        .exchange
        .recipient_properties(&call.principal, &recipient)
        .await?)
}

async fn set_properties(
    call: Call,
    At(recipient): At<String>,
    Body(new): Body<RecipientProperties>,
) -> Result<RecipientProperties> {
    ok(call
        .exchange
        .recipient_properties_set(&call.principal, &recipient, new)
        .await?)
}

async fn federate(
    call: Call,
    At(recipient): At<String>,
    Body(new): Body<FederationNew>,
) -> Result<Recipient> {
    ok(call
        .exchange
        .federation_set(&call.principal, &recipient, new)
        .await?)
}

/// One of them, or all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfPolicy {
    #[serde(default)]
    policy: Option<RecipientTokenId>,
}

async fn end_federation(
    call: Call,
    At(recipient): At<String>,
    Filter(filter): Filter<OfPolicy>,
) -> Result<Recipient> {
    ok(call
        .exchange
        .federation_end(&call.principal, &recipient, filter.policy)
        .await?)
}

async fn activation(
    call: Call,
    At(recipient): At<String>,
    Body(new): Body<ActivationNew>,
) -> Result<Activation> {
    created(
        call.exchange
            .activation_create(&call.principal, &recipient, new)
            .await?,
    )
}

async fn end_activation(call: Call, At(recipient): At<String>) -> Result<Recipient> {
    ok(call
        .exchange
        .activation_end(&call.principal, &recipient)
        .await?)
}

async fn report_tokens(call: Call, Body(new): Body<LeakNew>) -> Result<LeakReport> {
    ok(call.exchange.token_report(&call.principal, new).await?)
}
