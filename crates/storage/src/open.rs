//! Opening stores. Every setting of object_store that matters is set here, from the storage's row and nothing else:
//! no builder reads the environment, and a cloud store without a credential is an error before any request (C-23).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::Cloud as CloudName;
use object_store::aws::AmazonS3Builder;
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::client::HttpClient;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::list::PaginatedListStore;
use object_store::multipart::MultipartStore;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientOptions, ObjectStore, RetryConfig};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::entra::{Delegate, Kept, Tokens};
use crate::files::FileStore;
use crate::http_service::{Clients, Connector, Gate, Lookup, authority_of};
use crate::limits::{Endpoints, FileRoots};
use crate::parts::{Below, CloudParts};
use crate::share::{Client as ShareClient, ShareStore};
use crate::sign::{AzureSecret, AzureSigner, Signing};
use crate::store::{Cloud, Inner, Kind};
use crate::temporary::Lender;
use crate::{Credential, Limits, Meter, StorageError, StorageSpec, StorageUrl, Store};

/// Opens stores within the operator's limits. Clones share connections and limits.
#[derive(Clone)]
pub struct Stores(Arc<Shared>);

struct Shared {
    roots: FileRoots,
    endpoints: Endpoints,
    parallel: usize,
    clients: Result<Clients, String>,
    /// One per storage, so that however often a storage is opened, its limit holds.
    gates: Mutex<HashMap<String, Gate>>,
    /// One per account, application and (hash of its) secret, so that what it was given is asked for once.
    delegations: Mutex<Delegations>,
}

/// What was given to whom: by account and application, and by the hash of its secret.
type Delegations = HashMap<(String, Vec<u8>), Arc<Kept>>;

impl Stores {
    pub fn new(limits: Limits) -> Self {
        Self::build(&limits, None)
    }

    #[cfg(test)]
    pub(crate) fn with_lookup(limits: &Limits, lookup: Lookup) -> Self {
        Self::build(limits, Some(lookup))
    }

    fn build(limits: &Limits, lookup: Option<Lookup>) -> Self {
        let endpoints = Endpoints::new(&limits.endpoints);
        let clients = Clients::new(endpoints.clone(), lookup).map_err(|error| error.to_string());
        Self(Arc::new(Shared {
            roots: FileRoots::new(&limits.file_roots),
            endpoints,
            parallel: limits.parallel_requests,
            clients,
            gates: Mutex::default(),
            delegations: Mutex::default(),
        }))
    }

    /// Whether the allow-lists take this storage and it can be opened at all. Does no IO.
    pub fn check(&self, spec: &StorageSpec) -> Result<(), StorageError> {
        self.plan(spec).map(|_| ())
    }

    fn plan(&self, spec: &StorageSpec) -> Result<Plan, StorageError> {
        let refuse = |why: String| {
            Err(StorageError::NotAllowed {
                what: format!("the storage `{}`", spec.name),
                why,
            })
        };
        if let StorageUrl::File { root } = &spec.url {
            if spec.endpoint.is_some() {
                return refuse("a file storage has no endpoint; remove it".to_owned());
            }
            if !spec.credential.is_none() {
                return refuse("a file storage takes no credential; remove it".to_owned());
            }
            return Ok(Plan::File(self.0.roots.locate(root)?));
        }
        if spec.url.is_share() {
            if spec.endpoint.is_some() {
                return refuse(
                    "a share's address stands in its URL and its profile; remove the endpoint"
                        .to_owned(),
                );
            }
            let Credential::Share { endpoint, .. } = &spec.credential else {
                return refuse("a share is opened by a recipient's profile".to_owned());
            };
            self.0.endpoints.check(endpoint)?;
            return Ok(Plan::Share(endpoint.clone()));
        }
        let fits = matches!(
            (&spec.url, &spec.credential),
            (StorageUrl::S3 { .. }, Credential::S3 { .. })
                | (
                    StorageUrl::Azure { .. },
                    Credential::AzureKey { .. }
                        | Credential::AzureSas { .. }
                        | Credential::AzureApp { .. }
                )
                | (StorageUrl::Gcs { .. }, Credential::Gcs { .. })
        );
        if !fits {
            let scheme = spec.url.scheme();
            return refuse(format!(
                "a {scheme} storage needs a credential of its own kind; credentials of this process are never used"
            ));
        }
        match &spec.endpoint {
            Some(endpoint) => self.0.endpoints.check(endpoint)?,
            None => {
                let at_home = matches!(
                    (&spec.url, spec.location.cloud),
                    (StorageUrl::S3 { .. }, CloudName::Aws)
                        | (StorageUrl::Azure { .. }, CloudName::Azure)
                        | (StorageUrl::Gcs { .. }, CloudName::Gcp)
                );
                if !at_home {
                    return refuse(format!(
                        "a {} storage in {} needs an endpoint; without one it would be the cloud's public service",
                        spec.url.scheme(),
                        spec.location
                    ));
                }
            }
        }
        Ok(Plan::Cloud(service_of(spec)?))
    }

    /// Opens a storage; what it moves is counted by `meter`. Does no request yet.
    pub fn open(&self, spec: &StorageSpec, meter: &Meter) -> Result<Store, StorageError> {
        let gate = self.gate(spec);
        let service = match self.plan(spec)? {
            Plan::File(root) => {
                let files = FileStore::new(root, gate, meter.clone());
                return Ok(Store::new(Inner {
                    spec: spec.clone(),
                    meter: meter.clone(),
                    objects: Arc::new(files.clone()),
                    parts: Some(Arc::new(files.clone())),
                    kind: Kind::File(files),
                }));
            }
            Plan::Cloud(service) | Plan::Share(service) => service,
        };
        let failed = |why: String| StorageError::Other {
            what: format!("opening the storage `{}`", spec.name),
            why,
        };
        let clients = self
            .0
            .clients
            .as_ref()
            .map_err(|why| failed(format!("the HTTP client cannot be set up: {why}")))?;
        let plain = service.scheme() == "http";
        let authority = service
            .as_str()
            .parse::<http::Uri>()
            .ok()
            .and_then(|uri| authority_of(&uri))
            .ok_or_else(|| failed("its endpoint is not an address".to_owned()))?;
        let connector = Connector {
            client: clients.for_scheme(plain),
            meter: meter.clone(),
            gate,
            authority,
        };
        if let Credential::Share { token, until, .. } = &spec.credential {
            let share = ShareStore::new(
                ShareClient {
                    connector,
                    clients: clients.clone(),
                    endpoints: self.0.endpoints.clone(),
                    endpoint: service,
                    token: token.clone(),
                    until: *until,
                },
                spec.url.to_string(),
            );
            return Ok(Store::new(Inner {
                spec: spec.clone(),
                meter: meter.clone(),
                objects: Arc::new(share.clone()),
                parts: None,
                kind: Kind::Share(share),
            }));
        }
        let delegate = self.delegate(spec, &service, &connector);
        let (built, signing) =
            build(spec, &service, connector.clone(), delegate).map_err(|error| match error {
                // object_store's text may hold what it was given.
                object_store::Error::Generic { .. } => {
                    failed("its credential cannot be used; give it anew".to_owned())
                }
                error => error.into(),
            })?;
        let Built {
            bucket,
            parts,
            pages,
        } = built;
        let lender = lender(spec, &connector);
        let prefix = spec.url.prefix();
        let objects: Arc<dyn ObjectStore> =
            Arc::new(PrefixStore::new(Arc::clone(&bucket), prefix.clone()));
        let parts = Arc::new(Below {
            parts: Arc::new(CloudParts(parts)),
            folder: prefix,
        });
        let kind = Kind::Cloud(Box::new(Cloud {
            bucket,
            pages,
            address: address_of(spec, service),
            signing,
            lender,
            http: connector.http_client(),
        }));
        Ok(Store::new(Inner {
            spec: spec.clone(),
            meter: meter.clone(),
            objects,
            parts: Some(parts),
            kind,
        }))
    }

    /// The application that opens an Azure storage, where one does.
    fn delegate(
        &self,
        spec: &StorageSpec,
        service: &Url,
        connector: &Connector,
    ) -> Option<Delegate> {
        let Credential::AzureApp {
            tenant_id,
            client_id,
            client_secret,
        } = &spec.credential
        else {
            return None;
        };
        let path = format!("/{tenant_id}/oauth2/v2.0/token");
        let login = match &spec.endpoint {
            Some(_) => {
                let mut url = service.clone();
                url.set_path(&path);
                (connector.http_client(), url)
            }
            None => elsewhere(connector, &format!("login.microsoftonline.com{path}"))?,
        };
        let secret = Sha256::digest(client_secret.expose_secret()).to_vec();
        let key = (format!("{service} {tenant_id} {client_id}"), secret);
        let delegations = &self.0.delegations;
        let mut known = delegations.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = Arc::clone(known.entry(key).or_default());
        Some(Delegate {
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            login,
            account: (connector.http_client(), service.clone()),
            kept,
        })
    }

    fn gate(&self, spec: &StorageSpec) -> Gate {
        let endpoint = spec.endpoint.as_ref().map(Url::as_str).unwrap_or_default();
        let key = format!("{} {} {endpoint}", spec.name, spec.url);
        let mut gates = self.0.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates
            .entry(key)
            .or_insert_with(|| Gate::new(self.0.parallel))
            .clone()
    }
}

/// Where the bucket or container itself answers.
fn address_of(spec: &StorageSpec, mut service: Url) -> Url {
    let name = match &spec.url {
        // Its name stands in the host.
        StorageUrl::S3 { bucket, .. } if spec.endpoint.is_none() && !bucket.contains('.') => {
            return service;
        }
        StorageUrl::S3 { bucket, .. } | StorageUrl::Gcs { bucket, .. } => bucket,
        StorageUrl::Azure { container, .. } => container,
        StorageUrl::File { .. } | StorageUrl::Share { .. } => return service,
    };
    let path = format!("{}/{name}", service.path().trim_end_matches('/'));
    service.set_path(&path);
    service
}

enum Plan {
    File(crate::limits::Rooted),
    /// The URL of the service.
    Cloud(Url),
    /// Where the share's server answers.
    Share(Url),
}

/// Where the store answers: what object_store will be told, and where alone its requests may go.
fn service_of(spec: &StorageSpec) -> Result<Url, StorageError> {
    let refuse = |why: &str| {
        Err(StorageError::NotAllowed {
            what: format!("the endpoint of `{}`", spec.name),
            why: why.to_owned(),
        })
    };
    let text = match (&spec.endpoint, &spec.url) {
        (Some(endpoint), StorageUrl::Azure { account, .. }) => {
            // Emulators and gateways name the account in the path, Azure's own clouds in the host.
            let mut endpoint = endpoint.clone();
            let named =
                endpoint.host_str().and_then(|host| host.split('.').next()) == Some(account);
            match endpoint.path().trim_matches('/') {
                "" if named => {}
                "" => endpoint.set_path(account),
                path if path == account && !named => endpoint.set_path(account),
                _ => {
                    return refuse(
                        "an Azure endpoint is https://host:port, with no path but the account's name",
                    );
                }
            }
            return Ok(endpoint);
        }
        (Some(endpoint), _) if endpoint.path() != "/" => {
            return refuse(
                "an endpoint is https://host:port without a path; the bucket stands in the storage's URL",
            );
        }
        (Some(endpoint), _) => return Ok(endpoint.clone()),
        // A certificate for *.s3.region.amazonaws.com does not cover a bucket with a dot in its name.
        (None, StorageUrl::S3 { bucket, .. }) if bucket.contains('.') => {
            format!("https://s3.{}.amazonaws.com", spec.location.region())
        }
        (None, StorageUrl::S3 { bucket, .. }) => format!(
            "https://{bucket}.s3.{}.amazonaws.com",
            spec.location.region()
        ),
        (None, StorageUrl::Azure { account, .. }) => {
            format!("https://{account}.blob.core.windows.net")
        }
        (None, _) => "https://storage.googleapis.com".to_owned(),
    };
    Url::parse(&text).or_else(|_| refuse("it is no URL"))
}

/// One store, as object_store's ways to write to it and to list it.
struct Built {
    bucket: Arc<dyn ObjectStore>,
    parts: Arc<dyn MultipartStore>,
    pages: Arc<dyn PaginatedListStore>,
}

impl Built {
    fn of(store: impl ObjectStore + MultipartStore + PaginatedListStore) -> Self {
        let store = Arc::new(store);
        Self {
            bucket: store.clone(),
            parts: store.clone(),
            pages: store,
        }
    }
}

fn build(
    spec: &StorageSpec,
    service: &Url,
    connector: Connector,
    delegate: Option<Delegate>,
) -> object_store::Result<(Built, Signing)> {
    let options = ClientOptions::new().with_allow_http(service.scheme() == "http");
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(5),
            base: 2.0,
        },
        max_retries: 5,
        retry_timeout: Duration::from_secs(120),
    };
    let address = service.as_str().trim_end_matches('/');
    match (&spec.url, &spec.credential) {
        (
            StorageUrl::S3 { bucket, .. },
            Credential::S3 {
                access_key_id,
                secret_access_key,
                session_token,
                role_arn: _,
            },
        ) => {
            let virtual_hosted = spec.endpoint.is_none() && !bucket.contains('.');
            let mut builder = AmazonS3Builder::new()
                .with_bucket_name(bucket)
                .with_region(spec.location.region())
                .with_access_key_id(access_key_id)
                .with_secret_access_key(secret_access_key.expose_secret())
                .with_endpoint(address)
                .with_virtual_hosted_style_request(virtual_hosted)
                .with_client_options(options)
                .with_retry(retry)
                .with_http_connector(connector);
            if let Some(token) = session_token {
                builder = builder.with_token(token.expose_secret());
            }
            let store = builder.build()?;
            Ok((Built::of(store.clone()), Signing::S3(Box::new(store))))
        }
        (
            StorageUrl::Azure {
                account, container, ..
            },
            credential,
        ) => {
            let builder = MicrosoftAzureBuilder::new()
                .with_account(account)
                .with_container_name(container)
                .with_endpoint(address.to_owned())
                .with_client_options(options)
                .with_retry(retry)
                .with_http_connector(connector);
            let signing = |secret| {
                Signing::Azure(AzureSigner {
                    service: service.clone(),
                    account: account.clone(),
                    container: container.clone(),
                    secret,
                })
            };
            let (builder, signing) = match credential {
                Credential::AzureKey { account_key } => (
                    builder.with_access_key(account_key.expose_secret()),
                    signing(AzureSecret::Account(account_key.clone())),
                ),
                Credential::AzureApp { .. } => {
                    let delegate = delegate.ok_or_else(no_credential)?;
                    (
                        builder.with_credentials(Arc::new(Tokens(delegate.clone()))),
                        signing(AzureSecret::Delegated(Box::new(delegate))),
                    )
                }
                Credential::AzureSas { sas } => (
                    builder.with_config(AzureConfigKey::SasKey, sas.expose_secret()),
                    Signing::No,
                ),
                _ => return Err(no_credential()),
            };
            Ok((Built::of(builder.build()?), signing))
        }
        (
            StorageUrl::Gcs { bucket, .. },
            Credential::Gcs {
                client_email,
                private_key,
                private_key_id,
            },
        ) => {
            // Only these three fields reach object_store, which takes more (a base URL among them) from this text.
            let key = serde_json::json!({
                "client_email": client_email,
                "private_key": private_key.expose_secret(),
                "private_key_id": private_key_id,
            });
            let store = GoogleCloudStorageBuilder::new()
                .with_bucket_name(bucket)
                .with_service_account_key(key.to_string())
                .with_base_url(address)
                .with_client_options(options)
                .with_retry(retry)
                .with_http_connector(connector)
                .build()?;
            // Signatures cover the host, and object_store knows only Google's own.
            let signing = if spec.endpoint.is_none() {
                Signing::Gcs(Box::new(store.clone()))
            } else {
                Signing::No
            };
            Ok((Built::of(store), signing))
        }
        _ => Err(no_credential()),
    }
}

/// A client for another host than the store's, and the URL there: of a cloud's token service.
fn elsewhere(connector: &Connector, host: &str) -> Option<(HttpClient, Url)> {
    let url = Url::parse(&format!("https://{host}")).ok()?;
    let connector = Connector {
        authority: format!("{}:443", url.host_str()?),
        ..connector.clone()
    };
    Some((connector.http_client(), url))
}

/// Who gives temporary credentials for this storage. A store at an endpoint of its own has its token service there, too.
fn lender(spec: &StorageSpec, connector: &Connector) -> Lender {
    let at = |host: &str| elsewhere(connector, host);
    match &spec.credential {
        Credential::S3 {
            role_arn: Some(_), ..
        } => {
            let region = spec.location.region().to_owned();
            let found = match &spec.endpoint {
                Some(endpoint) => Some((connector.http_client(), endpoint.clone())),
                None => at(&format!("sts.{region}.amazonaws.com/")),
            };
            found.map_or(Lender::No, |(client, service)| Lender::Sts {
                client,
                service,
                region,
            })
        }
        Credential::AzureKey { .. } | Credential::AzureApp { .. } => Lender::Azure,
        Credential::Gcs { .. } if spec.endpoint.is_none() => {
            let found = at("oauth2.googleapis.com/token").zip(at("sts.googleapis.com/v1/token"));
            found.map_or(Lender::No, |(token, exchange)| Lender::Google {
                token,
                exchange,
            })
        }
        _ => Lender::No,
    }
}

fn no_credential() -> object_store::Error {
    object_store::Error::Generic {
        store: "storage",
        source: "no credential of the storage's kind".into(),
    }
}
