//! Asking for access, deciding, and what became of it.

use exchange::access::RequestFilter;
use exchange::page::Page;
use exchange::policy::{Scope, allows};
use exchange::{Exchange, Operation, Principal};
use leptos::prelude::*;
use model::dto::Cut;
use model::dto::Grant;
use model::dto::Offer;
use model::dto::ProductDetail;
use model::dto::Recipient;
use model::dto::Request;
use model::dto::RequestNew;
use serde::Deserialize;
use serde::Serialize;

use crate::api::Done;
use crate::api::Listed;
use crate::error::AppError;
use crate::words;

use super::{call, confirmed, parse_id, said};

mod log;

pub use log::{CallsSought, call_answers, calls, reads};

/// A recipient with what was granted to it.
#[derive(Clone, Debug)]
pub struct RecipientShown {
    pub recipient: Recipient,
    /// The newest first, at most a page of them; `next` says that there are older ones.
    pub grants: Listed<Grant>,
    /// End a credential of it.
    pub may_revoke: bool,
    /// Whose tokens may be said to let it in.
    pub issuers: Vec<String>,
}

/// Recipients that the viewer may see, in the order of their names, each with its grants.
pub async fn recipients_shown(after: Option<String>) -> Result<Listed<RecipientShown>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(25),
    };
    let found = exchange.recipients(&principal, &page).await.map_err(said)?;
    with_grants(&exchange, &principal, found).await
}

/// The same of the viewer's own teams alone.
pub async fn own_recipients_shown(
    after: Option<String>,
) -> Result<Listed<RecipientShown>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(25),
    };
    let found = exchange.own_recipients(&principal, &page).await;
    with_grants(&exchange, &principal, found.map_err(said)?).await
}

async fn with_grants(
    exchange: &Exchange,
    principal: &Principal,
    found: Page<Recipient>,
) -> Result<Listed<RecipientShown>, AppError> {
    let mut items = Vec::with_capacity(found.items.len());
    for recipient in found.items {
        let name = recipient.name.as_str();
        let page = exchange::page::PageRequest::all();
        let grants = exchange.grants_of_recipient(principal, name, &page).await;
        let team = exchange.team_by_name(recipient.team.as_str()).await;
        let team = team.map_err(|error| said(error.into()))?;
        let scope = team.map_or(Scope::NONE, |team| Scope::consumer(team.id));
        items.push(RecipientShown {
            grants: grants.map_err(said)?.into(),
            may_revoke: allows(principal, Operation::RecipientTokenRevoke, &scope),
            issuers: exchange.options().issuers.clone(),
            recipient,
        });
    }
    Ok(Listed {
        items,
        next: found.next,
    })
}

/// What somebody needs to ask: the recipients of their teams, and both modes for one of them, priced and dated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    pub recipients: Vec<Recipient>,
    /// Whether there are more of them than are offered to choose from.
    pub are_more: bool,
    /// For the recipient that was named, else the first; of the cut that was named. None without recipients.
    pub offer: Option<Offer>,
    /// The cuts that may be asked for.
    pub cuts: Vec<Cut>,
    /// The one that was named.
    pub cut: Option<Cut>,
}

pub async fn terms(
    product: String,
    recipient: Option<String>,
    cut: Option<String>,
) -> Result<Terms, AppError> {
    let (exchange, principal) = call()?;
    let mut cuts = exchange.cuts(&principal, &product).await.map_err(said)?;
    cuts.retain(|cut| !cut.retired);
    let cut = cut.and_then(|name| cuts.iter().find(|cut| cut.name.as_str() == name).cloned());
    let page = exchange::page::PageRequest::all();
    let found = exchange.own_recipients(&principal, &page).await;
    let found = found.map_err(said)?;
    let are_more = found.next.is_some();
    let mut recipients = found.items;
    if let (true, Some(name)) = (are_more, &recipient)
        && !recipients.iter().any(|known| known.name.as_str() == name)
    {
        let teams = super::teams();
        // Of one that is not there, or is not theirs, nothing is said: it is none of those to choose from.
        let named = exchange.recipient(&principal, name).await.ok();
        recipients
            .extend(named.filter(|named| teams.iter().any(|team| team == named.team.as_str())));
    }
    let chosen = recipients
        .iter()
        .find(|known| recipient.as_deref() == Some(known.name.as_str()))
        .or(recipients.first());
    let offer = match chosen {
        Some(chosen) => {
            let of = cut.as_ref().map(|cut| cut.name.as_str());
            let offer = exchange.offer(&principal, &product, chosen.name.as_str(), of);
            Some(offer.await.map_err(said)?)
        }
        None => None,
    };
    Ok(Terms {
        recipients,
        are_more,
        offer,
        cuts,
        cut,
    })
}

/// Requests that concern the viewer, newest first.
pub async fn requests(after: Option<String>) -> Result<Listed<Request>, AppError> {
    found(RequestFilter::default(), after).await
}

/// What waits for the viewer's decision, oldest first.
pub async fn waiting_for_me(after: Option<String>) -> Result<Listed<Request>, AppError> {
    found(RequestFilter::waiting_for_me(), after).await
}

/// What the viewer asked or has decided on, and others have to decide; newest first.
pub async fn waiting_for_others(after: Option<String>) -> Result<Listed<Request>, AppError> {
    found(RequestFilter::waiting_for_others(), after).await
}

async fn found(filter: RequestFilter, after: Option<String>) -> Result<Listed<Request>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(25),
    };
    let found = exchange
        .requests(&principal, &filter, &page)
        .await
        .map_err(said)?;
    Ok(found.into())
}

/// A request and, once it was approved, what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestShown {
    pub request: Request,
    pub grant: Option<Grant>,
}

pub async fn request(id: String) -> Result<RequestShown, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&id)?;
    let request = exchange.request(&principal, id).await.map_err(said)?;
    let grant = match request.grant {
        Some(grant) => Some(exchange.grant(&principal, grant).await.map_err(said)?),
        None => None,
    };
    Ok(RequestShown { request, grant })
}

/// Grants that concern the viewer, newest first; of one product when `product` is given.
pub async fn grants(
    product: Option<String>,
    after: Option<String>,
) -> Result<Listed<Grant>, AppError> {
    let (exchange, principal) = call()?;
    let page = exchange::page::PageRequest {
        after,
        limit: Some(100),
    };
    let found = exchange
        .grants(&principal, product.as_deref(), &page)
        .await
        .map_err(said)?;
    Ok(found.into())
}

/// A grant, and the tables that it opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    pub grant: Grant,
    pub product: ProductDetail,
}

pub async fn opened(grant: String) -> Result<Opened, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&grant)?;
    let grant = exchange.grant(&principal, id).await.map_err(said)?;
    let name = grant.product.as_str();
    let mut product = exchange.product(&principal, name).await.map_err(said)?;
    if let Some(cut) = &grant.cut {
        let cut = exchange.cut(&principal, name, cut.as_str()).await;
        let cut = cut.map_err(said)?;
        product.tables.retain(|table| {
            let mut tables = cut.tables.iter();
            tables.any(|within| within.schema == table.schema && within.table == table.name)
        });
    }
    Ok(Opened { grant, product })
}

/// A recipient that is made on the way to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipientForm {
    /// For what access is to be asked.
    pub product: String,
    pub name: String,
    pub team: String,
    pub cloud: String,
    pub region: String,
}

#[server]
pub async fn create_recipient(form: RecipientForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let product: model::ProductName = parse_id(&form.product)?;
    let new = model::dto::RecipientNew {
        name: form.name,
        team: form.team,
        cloud: form.cloud,
        region: form.region,
    };
    let made = exchange
        .recipient_create(&principal, new)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("/products/{product}/request?recipient={}", made.name),
        words::answers::recipient_is_made(&made.name),
    ))
}

#[server]
pub async fn create_request(form: RequestNew) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let request = exchange
        .request_create(&principal, form)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("/requests/{}", request.id),
        words::answers::THE_REQUEST_IS_SENT,
    ))
}

/// What concerns one request and needs no more than its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithdrawForm {
    pub request: String,
}

#[server]
pub async fn withdraw_request(form: WithdrawForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.request)?;
    let request = exchange
        .request_withdraw(&principal, id)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("/requests/{}", request.id),
        words::answers::THE_REQUEST_IS_WITHDRAWN,
    ))
}

/// A decision on exactly the revision that was shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionForm {
    pub request: String,
    pub revision: i64,
    #[serde(default)]
    pub note: String,
    /// `approve` or `reject`: the button that was pressed.
    #[serde(default)]
    pub verdict: String,
    /// `50 GB`; empty for none.
    #[serde(default)]
    pub live_bytes_per_day: String,
    /// Conditions on rows; empty for every row.
    #[serde(default)]
    pub rows: String,
    /// `yes`: credentials for whole folders.
    #[serde(default)]
    pub directory: String,
}

#[server]
pub async fn decide_request(form: DecisionForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.request)?;
    let new = model::dto::DecisionNew {
        verdict: form.verdict,
        note: form.note,
        revision: form.revision,
        stage: None,
        live_bytes_per_day: bytes_of(&form.live_bytes_per_day)?,
        scope: Some(model::dto::GrantScope {
            rows: some_text(form.rows),
            directory: !form.directory.is_empty(),
        }),
    };
    let decided = exchange
        .request_decide(&principal, id, new)
        .await
        .map_err(|error| said(flat(error)))?;
    Ok(Done::new(
        format!("/requests/{}", decided.id),
        after_decision(&decided),
    ))
}

fn some_text(text: String) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The fields of the form are called as those of the scope within.
fn flat(error: exchange::Error) -> exchange::Error {
    match error {
        exchange::Error::Invalid(mut fields) => {
            for field in &mut fields {
                if let Some(rest) = field.field.strip_prefix("scope.") {
                    field.field = rest.to_owned();
                } else if field.field == "scope" {
                    "rows".clone_into(&mut field.field);
                }
            }
            exchange::Error::Invalid(fields)
        }
        other => other,
    }
}

/// What part of its product a grant opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartForm {
    pub grant: String,
    /// The one that was shown.
    pub revision: i64,
    /// Conditions on rows; empty for every row.
    #[serde(default)]
    pub rows: String,
    /// `yes`: credentials for whole folders.
    #[serde(default)]
    pub directory: String,
}

#[server]
pub async fn narrow_grant(form: PartForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.grant)?;
    let new = model::dto::GrantScopeNew {
        rows: some_text(form.rows),
        directory: !form.directory.is_empty(),
        revision: Some(form.revision),
    };
    let grant = exchange
        .grant_narrow(&principal, id, new)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("/requests/{}", grant.request),
        words::part::PART_IS_CHANGED,
    ))
}

/// A number of bytes as people write it.
fn bytes_of(text: &str) -> Result<Option<u64>, AppError> {
    exchange::access::parse_bytes(text)
        .map_err(|why| said(exchange::Error::invalid("live_bytes_per_day", why)))
}

/// How many bytes of the producer's own files a grant hands out in a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitForm {
    pub grant: String,
    /// The one that was shown.
    pub revision: i64,
    #[serde(default)]
    pub live_bytes_per_day: String,
}

#[server]
pub async fn limit_grant(form: LimitForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.grant)?;
    let grant = exchange.grant(&principal, id).await.map_err(said)?;
    let new = model::dto::GrantLimit {
        live_bytes_per_day: bytes_of(&form.live_bytes_per_day)?,
        revision: Some(form.revision),
    };
    exchange
        .grant_limit(&principal, id, new)
        .await
        .map_err(said)?;
    Ok(Done::new(
        format!("/requests/{}", grant.request),
        words::answers::LIMIT_IS_KEPT,
    ))
}

/// Giving up an access, or ending somebody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokeForm {
    pub grant: String,
    #[serde(default)]
    pub reason: String,
    /// The product’s name, written by hand, because access has to be asked for again.
    #[serde(default)]
    pub confirm: String,
}

#[server]
pub async fn revoke_grant(form: RevokeForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let id = parse_id(&form.grant)?;
    let grant = exchange.grant(&principal, id).await.map_err(said)?;
    confirmed(&form.confirm, grant.product.as_str())?;
    let new = model::dto::RevokeNew {
        reason: form.reason,
    };
    let grant = exchange
        .grant_revoke(&principal, id, new)
        .await
        .map_err(said)?;
    Ok(Done::new("/access", after_end(&grant)))
}

/// A credential that is to end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenForm {
    pub recipient: String,
    pub token: String,
    /// The recipient’s name, written by hand, because whoever reads with it is shut out.
    #[serde(default)]
    pub confirm: String,
}

#[server]
pub async fn revoke_recipient_token(form: TokenForm) -> Result<Done, AppError> {
    let (exchange, principal) = call()?;
    let token = parse_id(&form.token)?;
    let recipient = exchange.recipient(&principal, &form.recipient).await;
    confirmed(&form.confirm, recipient.map_err(said)?.name.as_str())?;
    let recipient = exchange
        .recipient_token_revoke(&principal, &form.recipient, token)
        .await
        .map_err(said)?;
    Ok(Done::new(
        "/access",
        words::answers::credential_is_revoked(&recipient.name),
    ))
}

fn after_decision(request: &Request) -> String {
    use model::RequestState;
    let (product, recipient) = (&request.product, &request.recipient);
    match request.state {
        RequestState::Approved => words::answers::approved(&recipient, &product),
        RequestState::Rejected => words::answers::rejected(&recipient, &product),
        RequestState::Submitted | RequestState::Withdrawn => {
            words::answers::waits_for_one_more_decision(&product, &recipient)
        }
    }
}

fn after_end(grant: &Grant) -> String {
    let (product, recipient) = (&grant.product, &grant.recipient);
    let ended = words::answers::access_has_ended(&recipient, &product);
    match grant.urls_until {
        Some(until) => words::answers::links_may_work_until(&ended, &until),
        None => ended,
    }
}
