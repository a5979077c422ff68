//! Signatures of stores that no test server here can check: Azure and Google. Nothing is sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use object_store::path::Path;
use serde_json::json;
use sha2::Sha256;
use url::Url;

use super::{NAMES, key, meter, spec};
use crate::sign::{MAX_TTL, MIN_TTL};
use crate::{Limits, Store, Stores};

const ACCOUNT_KEY: &str = "dGhyb3ctYXdheS1hY2NvdW50LWtleQ==";

/// Stores that count how often a name is looked up, which stands before every request.
fn offline(endpoints: &[&str]) -> (Stores, Arc<AtomicU32>) {
    let lookups = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&lookups);
    let limits = Limits {
        endpoints: endpoints.iter().map(|&e| e.to_owned()).collect(),
        ..Limits::default()
    };
    let stores = Stores::with_lookup(
        &limits,
        Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Err(std::io::Error::other("no network")) })
        }),
    );
    (stores, lookups)
}

/// The path of a URL, decoded once: the key as the store will understand it.
fn decoded(url: &Url) -> String {
    let mut bytes = Vec::new();
    let mut rest = url.path().as_bytes();
    while let [first, tail @ ..] = rest {
        if *first == b'%' {
            bytes.push(u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap());
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn query(url: &Url, name: &str) -> String {
    url.query_pairs()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

async fn signed(store: &Store, at: &Path) -> Url {
    store.sign_get(at, MIN_TTL).await.unwrap().unwrap().url
}

#[tokio::test]
async fn azure_signatures_cover_the_key_as_it_is() {
    let credential = json!({ "account_key": ACCOUNT_KEY }).to_string();
    let local = "http://127.0.0.1:10000";
    let named = "http://127.0.0.1:10000/acct1";
    for (endpoint, start, protocol) in [
        (None, "https://acct1.blob.core.windows.net/c01/x/", "https"),
        (
            Some(local),
            "http://127.0.0.1:10000/acct1/c01/x/",
            "https,http",
        ),
        (
            Some(named),
            "http://127.0.0.1:10000/acct1/c01/x/",
            "https,http",
        ),
        (
            Some("https://acct1.store.example"),
            "https://acct1.store.example/c01/x/",
            "https",
        ),
    ] {
        let (stores, lookups) = offline(&["127.0.0.1:10000", "*.store.example"]);
        let spec = spec(
            "abfss://c01@acct1.dfs.core.windows.net/x",
            endpoint,
            &credential,
        );
        let store = stores.open(&spec, &meter()).unwrap();
        for name in NAMES {
            let url = signed(&store, &Path::parse(name).unwrap()).await;
            assert!(url.as_str().starts_with(start), "{url}");
            assert!(decoded(&url).ends_with(&format!("/c01/x/{name}")), "{url}");
            assert_eq!(
                (query(&url, "sp"), query(&url, "sr"), query(&url, "spr")),
                ("r".into(), "b".into(), protocol.into())
            );
            // As the service does it: the string to sign from the URL's own parameters.
            let text = format!(
                "r\n{}\n{}\n/blob/acct1/c01/x/{name}\n\n\n{protocol}\n2023-11-03\nb\n\n\n\n\n\n\n",
                query(&url, "st"),
                query(&url, "se")
            );
            assert_eq!(text.matches('\n').count(), 15);
            let mut mac =
                Hmac::<Sha256>::new_from_slice(&BASE64.decode(ACCOUNT_KEY).unwrap()).unwrap();
            mac.update(text.as_bytes());
            assert_eq!(
                query(&url, "sig"),
                BASE64.encode(mac.finalize().into_bytes())
            );
        }
        assert_eq!(lookups.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn an_expiry_is_promised_no_later_than_it_is_signed() {
    let credential = json!({ "account_key": ACCOUNT_KEY }).to_string();
    let (stores, _) = offline(&[]);
    let store = stores
        .open(
            &spec(
                "abfss://c01@acct1.dfs.core.windows.net/x",
                None,
                &credential,
            ),
            &meter(),
        )
        .unwrap();
    let one = store.sign_get(&key("a"), MAX_TTL).await.unwrap().unwrap();
    assert_eq!(one.expires_at.to_string(), query(&one.url, "se"));
}

#[tokio::test]
async fn a_shared_access_signature_signs_nothing() {
    let credential = json!({ "sas": "?sv=2023-11-03&sr=c&sp=rl&sig=s3cr3t%3D" }).to_string();
    let (stores, _) = offline(&[]);
    let store = stores
        .open(
            &spec(
                "abfss://c01@acct1.dfs.core.windows.net/x",
                None,
                &credential,
            ),
            &meter(),
        )
        .unwrap();
    assert_eq!(store.sign_get(&key("a"), MIN_TTL).await.unwrap(), None);
}

#[test]
fn azure_endpoints_name_no_other_path() {
    let credential = json!({ "account_key": ACCOUNT_KEY }).to_string();
    let (stores, _) = offline(&["127.0.0.1:10000"]);
    for endpoint in [
        "http://127.0.0.1:10000/acct2",
        "http://127.0.0.1:10000/acct1/c02",
        "http://127.0.0.1:10000/x/../acct2",
    ] {
        assert!(
            stores
                .check(&spec(
                    "abfss://c01@acct1.dfs.core.windows.net/x",
                    Some(endpoint),
                    &credential
                ))
                .is_err()
        );
    }
}

#[tokio::test]
async fn google_signatures_are_made_offline_for_the_encoded_key() {
    // A throw-away key made for this test alone.
    let pem = include_str!("../../testdata/throwaway-rsa.pem");
    let credential =
        json!({ "client_email": "t@p.iam", "private_key": pem, "private_key_id": "1" }).to_string();
    let (stores, lookups) = offline(&[]);
    let store = stores
        .open(&spec("gs://lake/x", None, &credential), &meter())
        .unwrap();
    let mut signatures = std::collections::HashSet::new();
    for name in NAMES {
        let url = signed(&store, &Path::parse(name).unwrap()).await;
        assert_eq!(decoded(&url), format!("/lake/x/{name}"));
        assert_eq!(url.host_str(), Some("storage.googleapis.com"));
        assert_eq!(query(&url, "X-Goog-Expires"), "900");
        assert!(query(&url, "X-Goog-Credential").starts_with("t@p.iam/"));
        let signature = query(&url, "X-Goog-Signature");
        assert!(signature.len() == 512 && signature.bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(signatures.insert(signature), "two keys have one signature");
    }
    assert_eq!(lookups.load(Ordering::SeqCst), 0);
}

#[test]
fn a_key_that_is_none_is_refused_without_being_shown() {
    let credential =
        json!({ "client_email": "t@p.iam", "private_key": "-----BEGIN s3cr3t" }).to_string();
    let (stores, _) = offline(&[]);
    let error = stores
        .open(&spec("gs://lake/x", None, &credential), &meter())
        .unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cr3t"), "{error}");
}
