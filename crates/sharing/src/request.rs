//! What every handler needs of a request: who calls, from where, which parameters. Reading it never fails, so that the
//! answer to a stranger is always 401, whatever else is wrong with the request.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{ConnectInfo, FromRequestParts, Path, Query};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Uri, header};
use serde::Serialize;
use uuid::Uuid;

use crate::error::{Failure, Kind, REQUEST_ID};
use crate::lines::one_line;
use crate::stream::Packing;
use crate::{Gate, Reader};

/// The longest body that is read, in bytes (C-54).
pub(crate) const BODY_LIMIT: usize = 1 << 20;

/// The longest bearer token that is looked up, in bytes.
const BEARER_LIMIT: usize = 4_096;

/// The caller's address as a middleware found it out, for example behind a trusted proxy. A request extension; it
/// goes before `ConnectInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// One request, without its body.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) headers: HeaderMap,
    pub(crate) peer: Option<IpAddr>,
    pub(crate) request_id: String,
    uri: Uri,
}

impl<S: Sync> FromRequestParts<S> for Call {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let connected = || {
            parts
                .extensions
                .get::<ConnectInfo<SocketAddr>>()
                .map(|info| info.0.ip())
        };
        let peer = parts
            .extensions
            .get::<Peer>()
            .map(|peer| peer.0)
            .or_else(connected);
        let given = parts
            .headers
            .get(&REQUEST_ID)
            .and_then(|id| id.to_str().ok());
        let fits = |id: &&str| {
            (1..=64).contains(&id.len())
                && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let request_id = given
            .filter(fits)
            .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
        Ok(Self {
            headers: parts.headers.clone(),
            peer,
            request_id,
            uri: parts.uri.clone(),
        })
    }
}

impl Call {
    /// Who calls. The token is taken from the `Authorization` header and from nowhere else (C-29).
    pub(crate) async fn reader(&self, gate: &dyn Gate) -> Result<Reader, Failure> {
        let missing = || {
            Failure::unauthenticated(
                "send the bearer token of the profile: Authorization: Bearer <token>",
            )
        };
        let mut values = self.headers.get_all(header::AUTHORIZATION).iter();
        let value = values
            .next()
            .and_then(|value| value.to_str().ok())
            .ok_or_else(missing)?;
        let (scheme, token) = value.trim().split_once(' ').ok_or_else(missing)?;
        let token = token.trim();
        if values.next().is_some() || !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(missing());
        }
        if token.len() > BEARER_LIMIT || token.bytes().any(|b| !b.is_ascii_graphic()) {
            return Err(Failure::unauthenticated("the bearer token is invalid"));
        }
        Ok(gate.authenticate(token, self.peer).await?)
    }

    /// What the lines of an answer go out in. Gzip where nothing else is liked better; that the layer around the routes sees to.
    pub(crate) fn packing(&self) -> Packing {
        let (mut gzip, mut brotli, mut identity, mut rest) = (None, None, None, None);
        let given = self.headers.get_all(header::ACCEPT_ENCODING).iter();
        let given = given.filter_map(|value| value.to_str().ok());
        for one in given.flat_map(|value| value.split(',')) {
            let (name, weight) = one.split_once(';').unwrap_or((one, "q=1"));
            let Some(weight) = quality(weight) else {
                continue;
            };
            match name.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => gzip = Some(weight),
                "br" => brotli = Some(weight),
                "identity" => identity = Some(weight),
                "*" => rest = Some(weight),
                _ => {}
            }
        }
        let gzip = gzip.or(rest).unwrap_or(0.0);
        let others = brotli.or(rest).into_iter().chain(identity);
        if gzip > 0.0 && others.fold(0.0, f32::max) <= gzip {
            Packing::Gzip
        } else {
            Packing::Plain
        }
    }

    pub(crate) fn user_agent(&self) -> String {
        self.headers
            .get(header::USER_AGENT)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default()
    }

    /// The query parameters; unknown ones are for others, a repeated one is ambiguous.
    pub(crate) fn parameters(&self) -> Result<Parameters, Failure> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&self.uri)
            .map_err(|_| Failure::invalid("the query string is not valid"))?;
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
            if parameters.contains_key(&name) {
                return Err(Failure::invalid(format!(
                    "'{}' is given twice",
                    shortened(&name)
                )));
            }
            parameters.insert(name, value);
        }
        Ok(Parameters(parameters))
    }
}

/// `q=0.5`: from 0 to 1 (RFC 9110, 12.4.2). None is no weight.
fn quality(text: &str) -> Option<f32> {
    let text = text.trim();
    let number = text
        .strip_prefix("q=")
        .or_else(|| text.strip_prefix("Q="))?;
    let number = number.parse::<f32>().ok()?;
    (0.0..=1.0).contains(&number).then_some(number)
}

/// Text of a caller, short enough to be said back.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Query parameters by name.
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A whole number of 64 bits.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Failure> {
        self.text(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| Failure::invalid(format!("'{name}' must be a number")))
            })
            .transpose()
    }

    /// A yes or no in any case: the Python connector sends `True`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Failure::invalid(format!("'{name}' must be true or false"))),
        }
    }

    /// `maxResults`: a number from 0 to 2³¹-1. None: not given.
    pub(crate) fn max_results(&self) -> Result<Option<usize>, Failure> {
        let wrong = || Failure::invalid("'maxResults' must be a number from 0 to 2147483647");
        self.text("maxResults")
            .map(|text| {
                text.parse::<i32>()
                    .ok()
                    .and_then(|n| usize::try_from(n).ok())
                    .ok_or_else(wrong)
            })
            .transpose()
    }
}

/// Share, schema and table of a path: decoded once, in lower case (C2). A name that none can have is kept as it is and found
/// nowhere.
#[derive(Clone, Debug, Default)]
pub(crate) struct TableNames {
    pub(crate) share: String,
    pub(crate) schema: String,
    pub(crate) table: String,
}

impl TableNames {
    pub(crate) fn new(path: Result<Path<(String, String, String)>, PathRejection>) -> Self {
        match path {
            Ok(Path((share, schema, table))) => Self {
                share: fold(&share),
                schema: fold(&schema),
                table: fold(&table),
            },
            Err(_) => Self::default(),
        }
    }

    /// Whether share, schema and table can be names at all.
    pub(crate) fn are_names(&self) -> bool {
        is_name(&self.share)
            && [&self.schema, &self.table]
                .into_iter()
                .all(|name| is_name(name) && !name.contains('.'))
    }

    /// One sentence for what does not exist and for what is not granted (C7).
    pub(crate) fn not_found(&self) -> Failure {
        let Self {
            share,
            schema,
            table,
        } = self;
        not_found(&format!("[Share/Schema/Table] '{share}/{schema}/{table}'"))
    }
}

/// `what` does not exist, or not for this caller: nobody can tell which.
pub(crate) fn not_found(what: &str) -> Failure {
    let what: String = what.chars().take(1_024).collect();
    Failure::new(
        Kind::NotFound,
        format!(
            "{what} does not exist, please contact your share provider for further information."
        ),
    )
}

/// How names are compared.
pub(crate) fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// 1 to 255 characters, no space, `/` or control character (PROTOCOL.md, Names).
pub(crate) fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.chars().count())
        && !name
            .chars()
            .any(|c| c == ' ' || c == '/' || c.is_ascii_control())
}

/// The whole body, at most [`BODY_LIMIT`] bytes.
pub(crate) async fn read_body(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, Failure> {
    let too_large = || {
        Failure::new(
            Kind::TooLarge,
            format!("the body is larger than {BODY_LIMIT} bytes"),
        )
    };
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > BODY_LIMIT as u64) {
        return Err(too_large());
    }
    let mut read = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece: Bytes = piece.map_err(|_| Failure::malformed("the body broke off"))?;
        if read.len() + piece.len() > BODY_LIMIT {
            return Err(too_large());
        }
        read.extend_from_slice(&piece);
    }
    let coding = headers
        .get(header::CONTENT_ENCODING)
        .map(|coding| String::from_utf8_lossy(coding.as_bytes()));
    if let Some(coding) = coding
        && !read.is_empty()
        && !coding.trim().eq_ignore_ascii_case("identity")
    {
        return Err(Failure::malformed(format!(
            "the body is encoded as '{}': send it as it is",
            shortened(&coding)
        )));
    }
    Ok(read)
}

/// A list's answer (C3).
pub(crate) fn json(value: &impl Serialize) -> Response {
    let mut response = one_line(value).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
