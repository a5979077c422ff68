//! An S3 server in this process, with signatures and conditions, that counts the bytes of its response bodies by itself.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::error_handling::HandleError;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;

use super::{meter, spec};
use crate::{Limits, Meter, Store, Stores};

pub(super) const KEYS: &str = r#"{"access_key_id":"AKIATEST","secret_access_key":"test-secret"}"#;
/// What the server says when it is told to fail.
pub(super) const BUSY: &str = "<Error><Code>SlowDown</Code></Error>";

pub(super) struct S3Server {
    pub(super) address: SocketAddr,
    pub(super) counts: Arc<Counts>,
    _folder: TempDir,
}

#[derive(Default)]
pub(super) struct Counts {
    /// Bytes of response bodies.
    pub(super) sent: AtomicU64,
    pub(super) requests: AtomicU64,
    /// Requests being answered now, and the most there have been at once.
    pub(super) now: AtomicU64,
    pub(super) most: AtomicU64,
    /// So many of the next requests are answered 503.
    pub(super) busy: AtomicU32,
    /// Whether anybody may read anything, as in a public bucket.
    pub(super) public: AtomicBool,
    /// Requests with a signed URL that says for whom it was made.
    pub(super) tagged: AtomicU64,
    /// What is answered to questions that the service itself does not know, by the question: `versioning`, `versions`, `uploads`.
    pub(super) said: Mutex<HashMap<&'static str, String>>,
    /// The uploads that were ended, as key and id.
    pub(super) ended: Mutex<Vec<String>>,
}

impl S3Server {
    /// Serves a bucket `lake`.
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lake")).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single("AKIATEST", "test-secret"));
        let service = HandleError::new(builder.build(), |error: s3s::HttpError| async move {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"))
        });
        let counts = Arc::new(Counts::default());
        let app = axum::Router::new()
            .fallback_service(service)
            .layer(from_fn_with_state(Arc::clone(&counts), count));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            counts,
            _folder: folder,
        }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::SeqCst)
    }

    pub(super) fn stores(&self) -> Stores {
        self.stores_with(32)
    }

    pub(super) fn stores_with(&self, parallel_requests: usize) -> Stores {
        Stores::new(Limits {
            endpoints: vec![self.address.to_string()],
            parallel_requests,
            ..Limits::default()
        })
    }

    pub(super) fn open(&self, url: &str) -> (Store, Meter) {
        let meter = meter();
        let store = self
            .stores()
            .open(&spec(url, Some(&self.endpoint()), KEYS), &meter)
            .unwrap();
        (store, meter)
    }
}

async fn count(
    State(counts): State<Arc<Counts>>,
    request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    counts.requests.fetch_add(1, Ordering::SeqCst);
    let now = counts.now.fetch_add(1, Ordering::SeqCst) + 1;
    counts.most.fetch_max(now, Ordering::SeqCst);
    let fails = counts
        .busy
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok();
    // A HEAD has headers alone, whatever the service would say.
    let head = request.method() == axum::http::Method::HEAD;
    let query = request.uri().query().unwrap_or_default().to_owned();
    if query.contains("x-entrepot-recipient=") && query.contains("X-Amz-Signature=") {
        counts.tagged.fetch_add(1, Ordering::SeqCst);
    }
    let is_unsigned = query.is_empty() && !request.headers().contains_key("authorization");
    let response = if fails {
        (StatusCode::SERVICE_UNAVAILABLE, BUSY).into_response()
    } else if is_unsigned && counts.public.load(Ordering::SeqCst) {
        "x".into_response()
    } else {
        let question = query.split('&').find_map(|part| part.strip_suffix('='));
        let said = match question {
            Some(question) if request.method() == axum::http::Method::GET => {
                counts.said.lock().unwrap().get(question).cloned()
            }
            _ => None,
        };
        let upload = query
            .strip_prefix("uploadId=")
            .filter(|_| request.method() == axum::http::Method::DELETE)
            .map(str::to_owned);
        let path = request.uri().path().to_owned();
        let response = next.run(request).await;
        // The service has looked at the signature by then.
        match (response.status(), said, upload) {
            (StatusCode::NOT_IMPLEMENTED, Some(said), _) => said.into_response(),
            (status, _, Some(upload)) if status != StatusCode::FORBIDDEN => {
                counts
                    .ended
                    .lock()
                    .unwrap()
                    .push(format!("{path} {upload}"));
                StatusCode::NO_CONTENT.into_response()
            }
            _ => response,
        }
    };
    counts.now.fetch_sub(1, Ordering::SeqCst);
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            if let Some(data) = frame.data_ref()
                && !head
            {
                counts.sent.fetch_add(data.len() as u64, Ordering::SeqCst);
            }
            frame
        }))
    }))
}
