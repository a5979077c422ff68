//! Service tokens.

use exchange::Operation;
use model::ServiceTokenId;
use model::dto::{Token, TokenCreated, TokenNew};
use serde::Deserialize;

use crate::answer::{Nothing, Result, created, done, ok};
use crate::body::Body;
use crate::call::{At, Call, Filter, Paged};
use crate::endpoint::Endpoints;
use crate::schema::{all_of, object, of};

#[rustfmt::skip]
pub(crate) fn endpoints() -> Endpoints {
    let with_token = || all_of([of::<Token>(), object([("token", of::<String>())])]);
    Endpoints::new()
        .on(Operation::TokenCreate, create).takes::<TokenNew>().shows(with_token).created().secret().query(&["person"])
        .on(Operation::TokenList, list).pages::<Token>()
        .on(Operation::TokenRevoke, revoke)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct For {
    /// Whom the token acts for; only the operator may name another.
    #[serde(default)]
    person: Option<String>,
}

async fn create(
    call: Call,
    Filter(wanted): Filter<For>,
    Body(new): Body<TokenNew>,
) -> Result<TokenCreated> {
    created(
        call.exchange
            .token_create(&call.principal, wanted.person.as_deref(), new)
            .await?,
    )
}

async fn list(call: Call, Paged(page): Paged) -> Result<exchange::page::Page<Token>> {
    ok(call.exchange.tokens(&call.principal, &page).await?)
}

async fn revoke(call: Call, At(token): At<ServiceTokenId>) -> Result<Nothing> {
    call.exchange.token_revoke(&call.principal, token).await?;
    done()
}
