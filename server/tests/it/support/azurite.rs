//! Azurite, Microsoft's stand-in for Azure's object store, behind a counting proxy. `cargo xtask` starts it and says where
//! in `TEST_AZURITE_URL`; each test has a container of its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use futures::TryStreamExt as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use object_store::ObjectStore as _;
use object_store::azure::{MicrosoftAzure, MicrosoftAzureBuilder};
use sha2::Sha256;

use super::proxy::Proxy;

pub(crate) const ACCOUNT: &str = "devstoreaccount1";
/// Published with Azurite, the same everywhere.
pub(crate) const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
const VERSION: &str = "2023-11-03";

pub(crate) struct Azurite {
    /// What the server under test and its clients are told.
    pub(crate) proxy: Proxy,
    /// A fresh one.
    pub(crate) container: String,
    direct: String,
}

impl Azurite {
    /// `None` in a quick run, which does without.
    pub(crate) async fn start() -> Option<Self> {
        let direct = super::environment::wanted("TEST_AZURITE_URL")?;
        let proxy = Proxy::start(&direct).await;
        let container = format!("journey-{}", uuid::Uuid::new_v4().simple());
        let azurite = Self {
            proxy,
            container,
            direct,
        };
        azurite.create_container().await;
        Some(azurite)
    }

    /// The account's address without the proxy, for those whose bytes are not to be counted.
    pub(crate) fn direct(&self) -> &str {
        &self.direct
    }

    /// The storage's URL for the folder `prefix` of the container.
    pub(crate) fn url(&self, prefix: &str) -> String {
        format!(
            "abfss://{}@{ACCOUNT}.dfs.core.windows.net/{prefix}",
            self.container
        )
    }

    /// The credential as a storage takes it.
    pub(crate) fn credential(&self) -> serde_json::Value {
        serde_json::json!({ "account_key": KEY })
    }

    /// What a program of `end2end/python` needs to open the table at `path` of the container, past the proxy.
    pub(crate) fn python(&self, path: &str) -> serde_json::Value {
        serde_json::json!({
            "url": self.url(path),
            "storage_options": {
                "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
                "AZURE_STORAGE_ACCOUNT_KEY": KEY,
                "AZURE_STORAGE_ENDPOINT": self.direct(),
                "ALLOW_HTTP": "true",
            },
        })
    }

    /// The container, past the proxy.
    pub(crate) fn store(&self) -> MicrosoftAzure {
        MicrosoftAzureBuilder::new()
            .with_account(ACCOUNT)
            .with_access_key(KEY)
            .with_container_name(&self.container)
            .with_endpoint(self.direct.clone())
            .with_allow_http(true)
            .build()
            .unwrap()
    }

    /// Everything that is in the container now.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let keys = self
            .store()
            .list(None)
            .map_ok(|object| object.location.to_string());
        keys.try_collect().await.unwrap()
    }

    /// "Create Container" with the account's key ("Authorize with Shared Key", Azure Storage's REST reference).
    async fn create_container(&self) {
        let date = now();
        let Self { container, .. } = self;
        // The account stands twice: once as the account, once because the emulator has it in the path.
        let text = format!(
            "PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{date}\nx-ms-version:{VERSION}\n\
             /{ACCOUNT}/{ACCOUNT}/{container}\nrestype:container"
        );
        let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64.decode(KEY).unwrap()).unwrap();
        mac.update(text.as_bytes());
        let signature = BASE64.encode(mac.finalize().into_bytes());
        super::environment::install_crypto();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client
            .put(format!("{}/{container}?restype=container", self.direct))
            .header("x-ms-date", date)
            .header("x-ms-version", VERSION)
            .header("authorization", format!("SharedKey {ACCOUNT}:{signature}"))
            .header("content-length", "0")
            .send()
            .await
            .expect("Azurite does not answer");
        let status = answer.status();
        assert_eq!(status, 201, "{}", answer.text().await.unwrap_or_default());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a signature holds wall time, whatever the business clock says"
)]
fn now() -> String {
    chrono::Utc::now()
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}
