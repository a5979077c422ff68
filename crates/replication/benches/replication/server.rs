//! An S3 server in this process, with signatures and conditions, that counts by itself what it sends.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use anyhow::{Result, anyhow};
use axum::body::Body;
use axum::error_handling::HandleError;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

use crate::stores::Metered;

pub(crate) const KEY: &str = "AKIABENCH";
pub(crate) const SECRET: &str = "bench-secret";
const BUCKET: &str = "lake";
/// What the server says when it is told to fail.
const BUSY: &str = "<Error><Code>SlowDown</Code></Error>";

pub(crate) struct Server {
    /// `http://host:port`.
    pub(crate) endpoint: String,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Bytes of response bodies, and those of objects outside of logs among them.
    sent: AtomicU64,
    data: AtomicU64,
    requests: AtomicU64,
    /// So many of the next requests are answered 503.
    busy: AtomicU32,
}

/// What the server has counted.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) all: u64,
    pub(crate) data: u64,
    pub(crate) requests: u64,
}

impl Sent {
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            all: self.all - earlier.all,
            data: self.data - earlier.data,
            requests: self.requests - earlier.requests,
        }
    }
}

impl Server {
    /// `folder` is the server's own, and has to be empty.
    pub(crate) async fn start(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder.join(BUCKET))?;
        let files = s3s_fs::FileSystem::new(folder)
            .map_err(|error| anyhow!("the S3 server does not take its folder: {error:?}"))?;
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let service = HandleError::new(builder.build(), |error: s3s::HttpError| async move {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"))
        });
        let counts = Arc::new(Counts::default());
        let app = axum::Router::new()
            .fallback_service(service)
            .layer(from_fn_with_state(Arc::clone(&counts), count));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).await {
                eprintln!("the S3 server ended: {error}");
            }
        });
        Ok(Self { endpoint, counts })
    }

    pub(crate) fn sent(&self) -> Sent {
        Sent {
            all: self.counts.sent.load(Ordering::SeqCst),
            data: self.counts.data.load(Ordering::SeqCst),
            requests: self.counts.requests.load(Ordering::SeqCst),
        }
    }

    pub(crate) fn refuse_next(&self, requests: u32) {
        self.counts.busy.store(requests, Ordering::SeqCst);
    }

    /// A table's folder in it.
    pub(crate) fn open(&self, path: &str) -> Result<Metered> {
        open(&self.endpoint, path)
    }
}

/// The same from another process.
pub(crate) fn open(endpoint: &str, path: &str) -> Result<Metered> {
    let keys = serde_json::json!({ "access_key_id": KEY, "secret_access_key": SECRET });
    Metered::cloud(
        &format!("s3://{BUCKET}/{path}"),
        endpoint,
        &keys.to_string(),
    )
}

async fn count(
    State(counts): State<Arc<Counts>>,
    request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    counts.requests.fetch_add(1, Ordering::SeqCst);
    let fails = counts
        .busy
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
            left.checked_sub(1)
        })
        .is_ok();
    // A HEAD has headers alone, whatever the service would say.
    let is_head = request.method() == Method::HEAD;
    let is_log = request.uri().path().contains("_delta_log");
    let query = request.uri().query().unwrap_or_default();
    let is_data = request.method() == Method::GET && !is_log && !query.contains("list-type");
    let response = if fails {
        (StatusCode::SERVICE_UNAVAILABLE, BUSY).into_response()
    } else {
        next.run(request).await
    };
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            if let Some(bytes) = frame.data_ref().map(|data| data.len() as u64)
                && !is_head
            {
                counts.sent.fetch_add(bytes, Ordering::SeqCst);
                if is_data {
                    counts.data.fetch_add(bytes, Ordering::SeqCst);
                }
            }
            frame
        }))
    }))
}
