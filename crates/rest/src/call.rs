//! What a handler is called with: the exchange, who asks, the path's names and the query.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use exchange::page::{MAX_LIMIT, PageRequest};
use exchange::{Error, Exchange, FieldError, Principal};
use http::header;
use http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::body;
use crate::problem::Problem;

/// The exchange, and who asks.
pub(crate) struct Call {
    pub exchange: Exchange,
    pub principal: Principal,
}

impl FromRequestParts<Exchange> for Call {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        exchange: &Exchange,
    ) -> Result<Self, Self::Rejection> {
        let principal = parts.extensions.get::<Principal>().cloned();
        Ok(Self {
            exchange: exchange.clone(),
            principal: principal.unwrap_or_else(Principal::nobody),
        })
    }
}

/// The path's parameters. One that cannot be parsed names nothing there is.
pub(crate) struct At<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Exchange> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Exchange) -> Result<Self, Problem> {
        let found: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        match found {
            Ok(Path(value)) => Ok(Self(value)),
            Err(_) => Err(Error::NotFound("thing").into()),
        }
    }
}

/// The page that is asked for.
pub(crate) struct Paged(pub PageRequest);

impl FromRequestParts<Exchange> for Paged {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Exchange) -> Result<Self, Problem> {
        let (page, _) = split(parts)?;
        check_page(page).map(Self)
    }
}

/// Query parameters other than the page's. A parameter that `T` does not know is refused.
pub(crate) struct Filter<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Exchange> for Filter<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Exchange) -> Result<Self, Problem> {
        let (_, rest) = split(parts)?;
        query(&rest).map(Self)
    }
}

/// A list's filter by product.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfProduct {
    #[serde(default)]
    pub product: Option<String>,
}

/// What the caller would rather have, by its `Accept`.
pub(crate) struct Accepted {
    /// CSV is named, and JSON not before it.
    pub csv: bool,
}

impl FromRequestParts<Exchange> for Accepted {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        _: &Exchange,
    ) -> Result<Self, std::convert::Infallible> {
        let mut first = None;
        for value in parts.headers.get_all(header::ACCEPT) {
            for range in value.to_str().unwrap_or("").split(',') {
                let essence = range.split(';').next().unwrap_or("").trim();
                let is_csv = essence.eq_ignore_ascii_case("text/csv");
                if is_csv || essence.eq_ignore_ascii_case("application/json") {
                    first.get_or_insert(is_csv);
                }
            }
        }
        Ok(Self {
            csv: first.unwrap_or(false),
        })
    }
}

type Pairs = Vec<(String, String)>;

/// The parameters of the query, those of the page apart from the others.
fn split(parts: &Parts) -> Result<(Pairs, Pairs), Problem> {
    let pairs = pairs(parts.uri.query().unwrap_or(""))?;
    Ok(pairs
        .into_iter()
        .partition(|(name, _)| name == "after" || name == "limit"))
}

pub(crate) fn pairs(query: &str) -> Result<Pairs, Problem> {
    serde_urlencoded::from_str(query)
        .map_err(|_| Problem::invalid("query", "not a query: name=value&name=value"))
}

fn query<T: DeserializeOwned>(pairs: &Pairs) -> Result<T, Problem> {
    let text = serde_urlencoded::to_string(pairs).map_err(Error::internal)?;
    let deserializer =
        serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(deserializer).map_err(|error| {
        let path = error.path().to_string();
        Error::Invalid(vec![body::field_error(&path, &error.inner().to_string())]).into()
    })
}

fn check_page(pairs: Pairs) -> Result<PageRequest, Problem> {
    let page: PageRequest = query(&pairs)?;
    match page.limit {
        Some(limit) if !(1..=MAX_LIMIT).contains(&limit) => Err(Error::Invalid(vec![FieldError {
            field: "limit".to_owned(),
            message: format!("from 1 to {MAX_LIMIT}"),
        }])
        .into()),
        _ => Ok(page),
    }
}
