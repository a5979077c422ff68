//! The HTTP service under object_store: one client for all stores, and a thin layer per store that counts, limits and
//! pins. Redirects are not followed, proxies and other settings from the environment are not taken, names are resolved
//! through the allow-list, and a store's requests go to that store's host alone: whatever object_store might fall back
//! to (a metadata service, a token endpoint) is refused here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::{Bytes, BytesMut};
use futures::future::BoxFuture;
use http::header::HeaderMap;
use http::{HeaderValue, Method};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Meter;
use crate::error::RefusedError;
use crate::limits::Endpoints;
use crate::trust::trusting_the_system;

/// A store that does not take a connection within this time is unreachable.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A store that sends nothing for this long has hung up. There is no limit on a whole request: files are large.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// Of an answer that is not a success no more than about this is read.
const MAX_ERROR: usize = 1 << 20;

/// The name under which `replication` finds an object's MD5 among its attributes.
const CONTENT_MD5: &str = "entrepot-content-md5";

/// How names become addresses; tests put a lying one here.
pub(crate) type Lookup =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

/// The two clients: one that refuses plain `http`, one for hosts that the operator has listed.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    secure: reqwest::Client,
    plain: reqwest::Client,
}

impl Clients {
    pub(crate) fn new(
        endpoints: Endpoints,
        lookup: Option<Lookup>,
    ) -> Result<Self, reqwest::Error> {
        let lookup = lookup.unwrap_or_else(|| {
            Arc::new(|name| {
                Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
            })
        });
        let resolver = Arc::new(Resolver {
            endpoints: Arc::new(endpoints),
            lookup,
        });
        let client = |https_only: bool| {
            trusting_the_system(reqwest::Client::builder())
                .user_agent(concat!("entrepot/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                // Bytes are counted before decoding, so nothing may be decoded here.
                .no_gzip()
                .no_brotli()
                .no_zstd()
                .no_deflate()
                .http1_only()
                .https_only(https_only)
                .connect_timeout(CONNECT_TIMEOUT)
                .read_timeout(READ_TIMEOUT)
                .dns_resolver(Arc::clone(&resolver))
                .build()
        };
        Ok(Self {
            secure: client(true)?,
            plain: client(false)?,
        })
    }

    pub(crate) fn for_scheme(&self, plain: bool) -> reqwest::Client {
        if plain {
            self.plain.clone()
        } else {
            self.secure.clone()
        }
    }
}

struct Resolver {
    endpoints: Arc<Endpoints>,
    lookup: Lookup,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let endpoints = Arc::clone(&self.endpoints);
        let host = name.as_str().to_owned();
        let found = (self.lookup)(host.clone());
        Box::pin(async move {
            let found = found.await?;
            let allowed: Vec<_> = found
                .into_iter()
                .filter(|address| endpoints.may_connect(&host, unmapped(address.ip())))
                .collect();
            if allowed.is_empty() {
                let why = format!(
                    "the name {host} leads to no address that may be connected to; private addresses are taken only where \
                     the host itself stands on the endpoint allow-list"
                );
                return Err(RefusedError(why).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

fn unmapped(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Requests in flight of one storage. Reads hold their place until the body has ended; writes have places of their own,
/// for a copy within one store holds a read while it writes.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    reads: Arc<Semaphore>,
    writes: Arc<Semaphore>,
}

impl Gate {
    pub(crate) fn new(parallel: usize) -> Self {
        let places = || Arc::new(Semaphore::new(parallel.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            reads: places(),
            writes: places(),
        }
    }

    pub(crate) async fn enter(
        &self,
        read: bool,
    ) -> Result<OwnedSemaphorePermit, tokio::sync::AcquireError> {
        let places = if read { &self.reads } else { &self.writes };
        Arc::clone(places).acquire_owned().await
    }
}

/// Makes the services of one opened store.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) client: reqwest::Client,
    pub(crate) meter: Meter,
    pub(crate) gate: Gate,
    /// `host:port` of the store.
    pub(crate) authority: String,
}

impl Connector {
    pub(crate) fn http_client(&self) -> HttpClient {
        HttpClient::new(Service(self.clone()))
    }
}

impl HttpConnector for Connector {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(self.http_client())
    }
}

#[derive(Debug)]
struct Service(Connector);

#[async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let Connector {
            client,
            meter,
            gate,
            authority,
        } = &self.0;
        if authority_of(request.uri()).as_deref() != Some(authority) {
            let why = "the request was meant for another host than the storage's".to_owned();
            return Err(HttpError::new(HttpErrorKind::Unknown, RefusedError(why)));
        }
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        let is_head = *request.method() == Method::HEAD;
        let place = gate
            .enter(read)
            .await
            .map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        meter.count_request();
        meter.count_sent(request.body().content_length());
        let response = client.call(request).await.map_err(refusal)?;
        let (mut parts, inner) = response.into_parts();
        if is_head {
            pass_on_md5(&mut parts.headers);
        }
        let mut body = CountedBody {
            inner,
            meter: meter.clone(),
            place: Some(place),
        };
        if parts.status.is_success() {
            return Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)));
        }
        // object_store drops the answer unread when it is about to try again; but it has crossed, so it counts.
        let mut answer = BytesMut::new();
        while let Some(Ok(frame)) = body.frame().await {
            answer.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
            if answer.len() > MAX_ERROR {
                break;
            }
        }
        Ok(HttpResponse::from_parts(parts, answer.freeze().into()))
    }
}

/// What an Azure or a Google store says an object's bytes come to is passed on as if it were metadata, for object_store tells of no
/// more: `entrepot-content-md5`, in hexadecimal. Nobody else's word is taken for it.
fn pass_on_md5(headers: &mut HeaderMap) {
    const PREFIXES: [&str; 3] = ["x-ms-meta-", "x-goog-meta-", "x-amz-meta-"];
    for prefix in PREFIXES {
        headers.remove(format!("{prefix}{CONTENT_MD5}"));
    }
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let azure = headers.get("content-md5").and_then(text);
    let google = headers
        .get_all("x-goog-hash")
        .iter()
        .filter_map(text)
        .flat_map(|all| all.split(',').map(str::to_owned).collect::<Vec<_>>())
        .find_map(|one| one.trim().strip_prefix("md5=").map(str::to_owned));
    let Some(bytes) = azure.or(google).and_then(|sum| BASE64.decode(sum).ok()) else {
        return;
    };
    let sum: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let Ok(sum) = HeaderValue::try_from(sum) else {
        return;
    };
    // Each store's client looks for its own prefix.
    for prefix in PREFIXES {
        if let Ok(name) = http::HeaderName::try_from(format!("{prefix}{CONTENT_MD5}")) {
            headers.insert(name, sum.clone());
        }
    }
}

/// A name that the resolver refused is not a connection that failed: trying again would not help, and the reason is to
/// be told.
fn refusal(error: HttpError) -> HttpError {
    let mut next = std::error::Error::source(&error);
    while let Some(source) = next {
        if let Some(RefusedError(why)) = source.downcast_ref() {
            return HttpError::new(HttpErrorKind::Unknown, RefusedError(why.clone()));
        }
        next = source.source();
    }
    error
}

/// `host:port` with the scheme's own port filled in.
pub(crate) fn authority_of(uri: &http::Uri) -> Option<String> {
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("https")) => 443,
        (None, Some("http")) => 80,
        _ => return None,
    };
    Some(format!("{}:{port}", uri.host()?.to_ascii_lowercase()))
}

/// Counts what passes, and gives the place back at the end.
#[derive(Debug)]
struct CountedBody {
    inner: HttpResponseBody,
    meter: Meter,
    place: Option<OwnedSemaphorePermit>,
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.meter.count_received(data.len());
                }
            }
            Poll::Ready(Some(Err(_)) | None) => self.place = None,
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_md5_that_the_store_tells_is_passed_on_and_nobody_elses() {
        let mut headers = HeaderMap::new();
        let own = HeaderValue::from_static("00");
        headers.insert("x-amz-meta-entrepot-content-md5", own);
        pass_on_md5(&mut headers);
        assert!(headers.is_empty());
        let hash = HeaderValue::from_static("crc32c=n03x6A==,md5=1B2M2Y8AsgTpgAmY7PhCfg==");
        for (name, value) in [
            (
                "content-md5",
                HeaderValue::from_static("1B2M2Y8AsgTpgAmY7PhCfg=="),
            ),
            ("x-goog-hash", hash),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, value);
            pass_on_md5(&mut headers);
            let told = &headers["x-ms-meta-entrepot-content-md5"];
            assert_eq!(told, "d41d8cd98f00b204e9800998ecf8427e");
        }
    }
}
