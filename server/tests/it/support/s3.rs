//! An S3 server in this process (signatures, conditions, multipart) over a fresh folder, behind a counting proxy.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::error_handling::HandleError;
use http::StatusCode;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::proxy::Proxy;

pub(crate) const ACCESS_KEY: &str = "AKIAJOURNEY";
pub(crate) const SECRET_KEY: &str = "journey-secret-key";
pub(crate) const BUCKET: &str = "lake";

pub(crate) struct S3 {
    /// What the server under test and its clients are told.
    pub(crate) proxy: Proxy,
    address: SocketAddr,
    folder: TempDir,
    task: JoinHandle<()>,
}

impl Drop for S3 {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl S3 {
    /// Serves an empty bucket [`BUCKET`].
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(BUCKET)).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = HandleError::new(builder.build(), async |error: s3s::HttpError| {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"))
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback_service(service);
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let proxy = Proxy::start(&format!("http://{address}")).await;
        Self {
            proxy,
            address,
            folder,
            task,
        }
    }

    /// The server itself, for those whose bytes are not to be counted.
    pub(crate) fn direct(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The credential as a storage takes it.
    pub(crate) fn credential(&self) -> serde_json::Value {
        serde_json::json!({ "access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY })
    }

    /// What a program of `end2end/python` needs to open the table at `url`, past the proxy.
    pub(crate) fn python(&self, url: &str) -> serde_json::Value {
        serde_json::json!({
            "url": url,
            "storage_options": {
                "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                "AWS_REGION": "eu-central-1",
                "AWS_ENDPOINT_URL": self.direct(),
                "AWS_ALLOW_HTTP": "true",
                "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
                "AWS_CONDITIONAL_PUT": "etag",
            },
        })
    }

    /// The file behind a key of the bucket, to break it.
    pub(crate) fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join(key)
    }
}
