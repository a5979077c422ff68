//! A reverse proxy that counts bytes: the tests' own witness for what crossed between two parties.
//!
//! Every request goes on as it came, with its `Host` header (signatures cover it), and every answer comes back as it is: no
//! redirect is followed, nothing is decoded. Bodies stream both ways; a response's frames count as they are passed on, so
//! that an answer given up half-way counts half. In front of a server that counts itself what was received, what the proxy
//! received is counted instead ([`Proxy::start_receiving`]).

pub(crate) mod faults;
mod tap;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use url::Url;

use faults::Faults;

/// What is on its way to a client at most: it is to leave before a large answer is whole.
const SEND_BUFFER: u32 = 64 << 10;

/// Those of one connection; the next has its own.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// What an overloaded store answers with 503; it crosses, so it counts.
const BUSY: &str =
    "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";

/// What a store answers with 403 to a signed URL whose time is over.
const OVER: &str = "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>";

/// Bytes of bodies, headers not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Of responses, as they were passed to the one who asked.
    pub(crate) received: u64,
    /// Of requests, as they were passed to the upstream.
    pub(crate) sent: u64,
    pub(crate) requests: u64,
}

impl Counted {
    /// What came since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            received: self.received - earlier.received,
            sent: self.sent - earlier.sent,
            requests: self.requests - earlier.requests,
        }
    }

    /// Both.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            sent: self.sent + other.sent,
            requests: self.requests + other.requests,
        }
    }
}

/// One request that was passed on, for messages and for tests that ask what was not read.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    pub(crate) method: Method,
    /// Path and query, without what signs.
    pub(crate) path: String,
    pub(crate) status: StatusCode,
    /// What the response said of the length of its body.
    pub(crate) promised: u64,
    /// Bytes of the response's body so far; of a proxy that counts what it received, once there will be no more.
    pub(crate) received: u64,
}

impl Passed {
    /// Whether the body was passed on to its end; a client may lose interest earlier.
    pub(crate) fn is_whole(&self) -> bool {
        self.received == self.promised
    }
}

/// A proxy on a free port of the loopback interface; it ends when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    /// Scheme, host and port.
    upstream: Url,
    way: Way,
    received: AtomicU64,
    sent: AtomicU64,
    log: Mutex<Vec<Passed>>,
    /// So many of the next requests are answered with [`BUSY`].
    busy: AtomicU32,
    /// So many of the next requests for files (`/data/…`) are refused, as where a signed URL's time is over.
    closed: AtomicU32,
    /// What goes wrong on purpose.
    faults: Mutex<Option<Arc<Faults>>>,
    /// Requests whose path ends like this wait.
    held: watch::Sender<Option<String>>,
    /// How many wait.
    waiting: watch::Sender<u32>,
    /// Of how many answers it is not settled yet what was received.
    unsettled: watch::Sender<u32>,
}

/// How the upstream is asked, and what of its answers counts.
enum Way {
    /// What was passed on.
    Passed(reqwest::Client),
    /// What was received.
    Received(SocketAddr),
}

struct Waiting<'a>(&'a watch::Sender<u32>);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.waiting.send_modify(|count| *count += 1);
        Self(&shared.waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// In front of `http://host:port`; a path of `upstream` is not used.
    pub(crate) async fn start(upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::start_on(listener, upstream)
    }

    /// The same on a listener that is bound already, where the address has to be known before the upstream is there.
    pub(crate) fn start_on(listener: TcpListener, upstream: &str) -> Self {
        super::environment::install_crypto();
        let client = storage::trusting_the_system(reqwest::Client::builder())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .http1_only()
            .build()
            .unwrap();
        Self::start_by(Way::Passed(client), listener, upstream)
    }

    /// In front of a server at `http://address:port` that counts what its clients received: what counts is what the proxy
    /// did.
    pub(crate) fn start_receiving(upstream: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // Those of its connections have the same.
        socket.set_send_buffer_size(SEND_BUFFER).unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let listener = socket.listen(1024).unwrap();
        Self::start_by(
            Way::Received(upstream),
            listener,
            &format!("http://{upstream}"),
        )
    }

    fn start_by(way: Way, listener: TcpListener, upstream: &str) -> Self {
        let shared = Arc::new(Shared {
            upstream: Url::parse(upstream).unwrap(),
            way,
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            log: Mutex::default(),
            busy: AtomicU32::new(0),
            closed: AtomicU32::new(0),
            faults: Mutex::default(),
            held: watch::Sender::new(None),
            waiting: watch::Sender::new(0),
            unsettled: watch::Sender::new(0),
        });
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(pass).with_state(Arc::clone(&shared));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            task,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://host:port` of the proxy.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything since the start.
    pub(crate) fn counted(&self) -> Counted {
        Counted {
            received: self.shared.received.load(Ordering::SeqCst),
            sent: self.shared.sent.load(Ordering::SeqCst),
            requests: self.shared.log.lock().unwrap().len() as u64,
        }
    }

    /// Answers so many of the next requests as an overloaded store does.
    pub(crate) fn be_busy(&self, requests: u32) {
        self.shared.busy.store(requests, Ordering::SeqCst);
    }

    /// Refuses so many of the next requests for files, as a store does with a signed URL whose time is over.
    pub(crate) fn be_closed(&self, requests: u32) {
        self.shared.closed.store(requests, Ordering::SeqCst);
    }

    /// From now on requests go wrong as these say. Not of a proxy that counts what it received.
    pub(crate) fn go_wrong_by(&self, faults: &Arc<Faults>) {
        *self.shared.faults.lock().unwrap() = Some(Arc::clone(faults));
    }

    /// Lets requests wait whose path ends like this, until [`Self::release`].
    pub(crate) fn hold(&self, end: &str) {
        self.shared.held.send_replace(Some(end.to_owned()));
    }

    pub(crate) fn release(&self) {
        self.shared.held.send_replace(None);
    }

    /// Until those who asked for what is held have gone.
    pub(crate) async fn until_none_waits(&self) {
        let mut waiting = self.shared.waiting.subscribe();
        waiting.wait_for(|count| *count == 0).await.unwrap();
    }

    /// Until it is settled what was received of every answer, those that were given up included.
    pub(crate) async fn until_settled(&self) {
        let mut unsettled = self.shared.unsettled.subscribe();
        unsettled.wait_for(|count| *count == 0).await.unwrap();
    }

    /// What was passed on since `earlier`, in the order of the requests.
    pub(crate) fn passed_since(&self, earlier: Counted) -> Vec<Passed> {
        let skip = usize::try_from(earlier.requests).unwrap();
        self.shared.log.lock().unwrap()[skip..].to_vec()
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let at = {
        let mut log = shared.log.lock().unwrap();
        log.push(Passed {
            method: parts.method.clone(),
            path: readable(&parts.uri),
            status: StatusCode::BAD_GATEWAY,
            promised: 0,
            received: 0,
        });
        log.len() - 1
    };
    let path = parts.uri.path().to_owned();
    {
        // Given back also when whoever asked is gone.
        let _waiting = Waiting::new(&shared);
        let mut held = shared.held.subscribe();
        // The sender lives as long as this request.
        let _ = held
            .wait_for(|end| end.as_ref().is_none_or(|end| !path.ends_with(end)))
            .await;
    }
    let one_less = |left: &AtomicU32| {
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok()
    };
    let refused = if path.starts_with("/data/") && one_less(&shared.closed) {
        Some((StatusCode::FORBIDDEN, OVER))
    } else if one_less(&shared.busy) {
        Some((StatusCode::SERVICE_UNAVAILABLE, BUSY))
    } else {
        None
    };
    if let Some((status, text)) = refused.filter(|_| parts.method != Method::HEAD) {
        let length = text.len() as u64;
        shared.received.fetch_add(length, Ordering::SeqCst);
        let passed = &mut shared.log.lock().unwrap()[at];
        (passed.status, passed.promised) = (status, length);
        passed.received = length;
        return (status, text).into_response();
    }
    let faults = shared.faults.lock().unwrap().clone();
    let wrong = faults.as_ref().and_then(|faults| faults.hit());
    let range = parts.headers.get(header::RANGE);
    let question = (parts.method == Method::GET).then(|| format!("{} {range:?}", parts.uri));
    if let Some(faults) = &faults
        && let Some(answer) = faults::before(faults, wrong, question.as_deref()).await
    {
        shared.log.lock().unwrap()[at].status = answer.status();
        return answer;
    }
    let client = match &shared.way {
        Way::Passed(client) => client.clone(),
        Way::Received(upstream) => {
            let upstream = *upstream;
            return tap::receive(shared, at, upstream, Request::from_parts(parts, body)).await;
        }
    };
    let mut url = shared.upstream.clone();
    url.set_path("");
    // As it came: parsed and written anew it could be encoded in another way than it was signed.
    let target = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let url = format!("{}{target}", url.as_str().trim_end_matches('/'));
    let mut onward = client
        .request(parts.method.clone(), url)
        .headers(end_to_end(&parts.headers));
    if !body.is_end_stream() {
        let counting = Arc::clone(&shared);
        let stream = body.into_data_stream().inspect(move |chunk| {
            if let Ok(chunk) = chunk {
                counting
                    .sent
                    .fetch_add(chunk.len() as u64, Ordering::SeqCst);
            }
        });
        onward = onward.body(reqwest::Body::wrap_stream(stream));
    }
    let answer = match onward.send().await {
        Ok(answer) => answer,
        Err(error) => {
            return failed(&error);
        }
    };
    {
        let passed = &mut shared.log.lock().unwrap()[at];
        passed.status = answer.status();
        passed.promised = match parts.method {
            Method::HEAD => 0,
            _ => answer.content_length().unwrap_or_default(),
        };
    }
    if let Some(faults) = &faults {
        return faults::after((shared.as_ref(), at), faults, wrong, question, answer).await;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = end_to_end(answer.headers());
    let body = reqwest::Body::from(answer).map_frame(move |frame| {
        if let Some(data) = frame.data_ref() {
            let length = data.len() as u64;
            shared.received.fetch_add(length, Ordering::SeqCst);
            shared.log.lock().unwrap()[at].received += length;
        }
        frame
    });
    *response.body_mut() = Body::new(body);
    response
}

/// Said in full: whoever reads this looks for the reason of a failed test.
fn failed(error: &(dyn std::error::Error + 'static)) -> Response {
    let sentence = format!("the tests' proxy: {error:?}");
    (StatusCode::BAD_GATEWAY, sentence).into_response()
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
    headers
}

fn readable(uri: &http::Uri) -> String {
    let signed = ["X-Amz-", "sig=", "signature="];
    let query: Vec<&str> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| !pair.is_empty() && !signed.iter().any(|key| pair.starts_with(key)))
        .collect();
    if query.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), query.join("&"))
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::any;

    use super::*;

    /// Says what reached it, and answers in pieces.
    async fn echo(request: Request) -> Response {
        let host = request.headers()[header::HOST].to_str().unwrap().to_owned();
        let target = request.uri().to_string();
        let length = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .map(|value| value.to_str().unwrap().to_owned());
        let body = request.into_body().collect().await.unwrap().to_bytes();
        let head = format!("{host} {target} {length:?} {} ", body.len());
        let chunks = [head.into_bytes(), vec![b'x'; 70_000]].map(Ok::<_, std::io::Error>);
        let mut response = Response::new(Body::from_stream(futures::stream::iter(chunks)));
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        response
    }

    #[tokio::test]
    async fn bytes_pass_unchanged_and_are_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route(
                "/moved",
                any(async || (StatusCode::FOUND, [(header::LOCATION, "/")])),
            )
            .fallback(echo);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let proxy = Proxy::start(&upstream).await;
        let client = storage::trusting_the_system(reqwest::Client::builder())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();

        let sent = client
            .put(format!(
                "{}/a%20b/%C3%A9=1%2F2?x=%2F&sig=secret",
                proxy.url()
            ))
            .body(vec![7; 300_000])
            .send()
            .await
            .unwrap();
        // Not decoded: the header is there, and the body is what it was.
        assert_eq!(sent.headers()[header::CONTENT_ENCODING], "gzip");
        let body = sent.bytes().await.unwrap();
        let expected = format!(
            "{} /a%20b/%C3%A9=1%2F2?x=%2F&sig=secret Some(\"300000\") 300000 ",
            proxy.address()
        );
        assert!(body.starts_with(expected.as_bytes()));
        let first = proxy.counted();
        assert_eq!(first.received, body.len() as u64);
        assert_eq!((first.sent, first.requests), (300_000, 1));
        assert_eq!(
            proxy.passed_since(Counted::default())[0].path,
            "/a%20b/%C3%A9=1%2F2?x=%2F"
        );

        let moved = client
            .get(format!("{}/moved", proxy.url()))
            .send()
            .await
            .unwrap();
        assert_eq!(moved.status(), StatusCode::FOUND);
        let head = client.head(proxy.url()).send().await.unwrap();
        assert_eq!(head.status(), StatusCode::OK);
        let since = proxy.counted().since(first);
        assert_eq!(
            since,
            Counted {
                received: 0,
                sent: 0,
                requests: 2
            }
        );
        assert!(
            proxy
                .passed_since(first)
                .iter()
                .all(|passed| passed.received == 0)
        );
    }
}
