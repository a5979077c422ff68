//! An application of Entra ID opens a storage of Azure: what it asks for and how often, and what the keys sign that it is given. The
//! server checks what is asked as Azure documents it; signatures are checked with the key that it gave.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::Router;
use axum::extract::{Path as At, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use object_store::ObjectStoreExt as _;
use serde_json::json;
use sha2::Sha256;
use url::form_urlencoded;

use super::{body, key, meter, spec};
use crate::{Limits, MAX_TTL, MIN_TTL, StorageError, StorageSpec, Store, Stores, TemporaryKey};

/// Of the key that is given.
const KEY: &str = "ZGVsZWdhdGVkLXRocm93LWF3YXkta2V5";
const SECRET: &str = "s3cr3t~of.tests";
const URL: &str = "abfss://c01@acct1.dfs.core.windows.net/x";

#[derive(Default)]
struct Asked {
    tokens: AtomicU32,
    refused: AtomicU32,
    keys: AtomicU32,
    /// Keys end as they begin.
    ends_at_once: AtomicBool,
}

fn field(pairs: &str, name: &str) -> String {
    form_urlencoded::parse(pairs.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_else(|| panic!("{name} in {pairs}"))
}

/// Between two marks.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
}

async fn token(State(asked): State<Arc<Asked>>, At(tenant): At<String>, sent: String) -> Response {
    assert_eq!(field(&sent, "grant_type"), "client_credentials");
    assert_eq!(field(&sent, "scope"), "https://storage.azure.com/.default");
    assert_eq!(field(&sent, "client_id"), "reader");
    if field(&sent, "client_secret") != SECRET {
        asked.refused.fetch_add(1, Ordering::SeqCst);
        return (StatusCode::UNAUTHORIZED, "{\"error\":\"invalid_client\"}").into_response();
    }
    asked.tokens.fetch_add(1, Ordering::SeqCst);
    let lives = if tenant == "short" { 60 } else { 3_600 };
    let answer =
        json!({ "token_type": "Bearer", "access_token": "the-token", "expires_in": lives });
    answer.to_string().into_response()
}

async fn delegation(
    State(asked): State<Arc<Asked>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    sent: String,
) -> Response {
    assert_eq!(
        query.as_deref(),
        Some("restype=service&comp=userdelegationkey")
    );
    assert_eq!(headers["authorization"], "Bearer the-token");
    assert_eq!(headers["x-ms-version"], "2023-11-03");
    asked.keys.fetch_add(1, Ordering::SeqCst);
    let start = between(&sent, "<Start>", "</Start>");
    let mut expiry = between(&sent, "<Expiry>", "</Expiry>");
    if asked.ends_at_once.load(Ordering::SeqCst) {
        expiry = start;
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><UserDelegationKey><SignedOid>the-oid</SignedOid>\
         <SignedTid>the-tid</SignedTid><SignedStart>{start}</SignedStart><SignedExpiry>{expiry}</SignedExpiry>\
         <SignedService>b</SignedService><SignedVersion>2023-11-03</SignedVersion><Value>{KEY}</Value></UserDelegationKey>"
    )
    .into_response()
}

async fn object(headers: HeaderMap) -> Response {
    assert_eq!(headers["authorization"], "Bearer the-token");
    let answer = [
        ("etag", "\"1\""),
        ("last-modified", "Wed, 21 Oct 2026 07:28:00 GMT"),
    ];
    (answer, "abc").into_response()
}

/// One blob that was never committed.
async fn list(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    assert_eq!(headers["authorization"], "Bearer the-token");
    assert!(query.is_some_and(|query| query.starts_with("comp=list&")));
    "<EnumerationResults><Blobs><Blob><Name>x/t/a</Name><Properties><Etag></Etag></Properties></Blob></Blobs>\
     <NextMarker/></EnumerationResults>"
        .into_response()
}

/// An account that is its own token service, and how to open its storage.
async fn account() -> (String, Stores, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let router = Router::new()
        .route("/{tenant}/oauth2/v2.0/token", post(token))
        .route("/acct1/", post(delegation))
        .route("/acct1/c01", get(list))
        .route("/acct1/c01/{*key}", get(object))
        .with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let limits = Limits {
        endpoints: vec![address.to_string()],
        ..Limits::default()
    };
    (format!("http://{address}"), Stores::new(limits), asked)
}

fn at(endpoint: &str, tenant: &str, secret: &str) -> StorageSpec {
    let credential = json!({ "tenant_id": tenant, "client_id": "reader", "client_secret": secret });
    spec(URL, Some(endpoint), &credential.to_string())
}

/// The signature that the pairs should bear.
fn signature(pairs: &str, path: &str) -> String {
    let said = |name| field(pairs, name);
    let lines = [
        said("sp"),
        said("st"),
        said("se"),
        format!("/blob/acct1/c01/{path}"),
        said("skoid"),
        said("sktid"),
        said("skt"),
        said("ske"),
        said("sks"),
        said("skv"),
    ];
    let (protocol, version, kind) = (said("spr"), said("sv"), said("sr"));
    let text = format!(
        "{}\n\n\n\n\n{protocol}\n{version}\n{kind}\n\n\n\n\n\n\n",
        lines.join("\n")
    );
    assert_eq!(text.matches('\n').count(), 23);
    let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64.decode(KEY).unwrap()).unwrap();
    mac.update(text.as_bytes());
    BASE64.encode(mac.finalize().into_bytes())
}

async fn signs(store: &Store, name: &str) {
    let signed = store.sign_get(&key(name), MAX_TTL).await.unwrap().unwrap();
    let pairs = signed.url.query().unwrap();
    assert_eq!(field(pairs, "sig"), signature(pairs, &format!("x/{name}")));
    assert_eq!(field(pairs, "se"), signed.expires_at.to_string());
    assert!(field(pairs, "ske") > field(pairs, "se"), "{pairs}");
    assert!(!format!("{signed:?} {store:?}").contains("s3cr3t"));
}

#[tokio::test]
async fn one_key_signs_for_all_who_open_a_storage() {
    let (endpoint, stores, asked) = account().await;
    let counts = || {
        let read = |count: &AtomicU32| count.load(Ordering::SeqCst);
        (read(&asked.tokens), read(&asked.keys))
    };
    let spec = at(&endpoint, "contoso.example", SECRET);
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let store = stores.open(&spec, &meter()).unwrap();
        tasks.push(tokio::spawn(async move {
            for name in ["a b.parquet", "day=1/\u{e9}.parquet"] {
                signs(&store, name).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(counts(), (1, 1));

    // The same token opens the storage, and the same key signs for a table's folder.
    let store = stores.open(&spec, &meter()).unwrap();
    assert_eq!(body(&*store.objects(), "a").await, b"abc");
    assert!(store.lends());
    let lent = store.lend(&key("sales/t 1"), MIN_TTL, "rnd").await;
    let (TemporaryKey::Azure { sas }, _) = lent.unwrap() else {
        panic!("another kind");
    };
    assert_eq!(
        ["sp", "sr", "sdd"].map(|name| field(&sas, name)),
        ["rl", "d", "3"]
    );
    assert_eq!(field(&sas, "sig"), signature(&sas, "x/sales/t 1"));
    // And what the store keeps of what was deleted is asked with it.
    assert_eq!(store.uncommitted(&key("t")).await.unwrap(), 1);
    assert_eq!(counts(), (1, 1));

    // A token that ends soon is not used for long; the key that it brought is.
    let short = at(&endpoint, "short", SECRET);
    let store = stores.open(&short, &meter()).unwrap();
    for _ in 0..3 {
        signs(&store, "a").await;
        body(&*store.objects(), "a").await;
    }
    assert_eq!(counts(), (1 + 4, 2));

    // Another secret is another application, whatever was given to the first.
    let wrong = at(&endpoint, "contoso.example", "s3cr3t-of-nobody");
    let store = stores.open(&wrong, &meter()).unwrap();
    let mut tasks = Vec::new();
    for _ in 0..20 {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            store.sign_get(&key("a"), MIN_TTL).await.unwrap_err()
        }));
    }
    for task in tasks {
        let refused = task.await.unwrap();
        assert!(matches!(refused, StorageError::Denied { .. }), "{refused}");
        assert!(!format!("{refused} {refused:?}").contains("s3cr3t"));
    }
    // Who waits while it is refused does not ask again; who comes later does.
    assert_eq!(asked.refused.load(Ordering::SeqCst), 1);
    let refused: StorageError = match store.objects().get(&key("a")).await {
        Ok(_) => panic!("it was opened"),
        Err(error) => error.into(),
    };
    assert!(matches!(refused, StorageError::Denied { .. }), "{refused}");

    // A key that is over signs nothing.
    asked.ends_at_once.store(true, Ordering::SeqCst);
    let other = at(&endpoint, "fabrikam.example", SECRET);
    let store = stores.open(&other, &meter()).unwrap();
    let refused = store.sign_get(&key("a"), MIN_TTL).await.unwrap_err();
    assert!(refused.to_string().contains("too soon"), "{refused}");
}
