//! Credentials for one folder: what S3's token service is asked and how it is signed, by a service that checks the signature as AWS
//! documents it; what Azure's signature covers; what Google's boundary says.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use model::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::{key, meter, spec};
use crate::{Limits, MAX_TTL, MIN_TTL, StorageError, Store, Stores, TemporaryKey};

const KEYS: &str = r#"{"access_key_id":"AKIATEST","secret_access_key":"test-secret","role_arn":"arn:aws:iam::123456789012:role/readers"}"#;
const ANSWER: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
     <AccessKeyId>ASIATEMP</AccessKeyId><SecretAccessKey>temp/secret+=</SecretAccessKey><SessionToken>tok/en==</SessionToken>\
     <Expiration>2026-11-22T01:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";

fn mac(secret: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The signature that a request should bear, as
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html> says.
fn signature_of(headers: &HeaderMap, body: &str, scope: &str, signed: &str) -> String {
    let value = |name: &str| {
        headers
            .get(name)
            .unwrap()
            .to_str()
            .unwrap()
            .trim()
            .to_owned()
    };
    let lines: String = signed
        .split(';')
        .map(|name| format!("{name}:{}\n", value(name)))
        .collect();
    let hash = hex(&Sha256::digest(body.as_bytes()));
    let canonical = format!("POST\n/\n\n{lines}\n{signed}\n{hash}");
    let hash = hex(&Sha256::digest(canonical.as_bytes()));
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hash}", value("x-amz-date"));
    let secret = scope
        .split('/')
        .fold(b"AWS4test-secret".to_vec(), |secret, part| {
            mac(&secret, part)
        });
    hex(&mac(&secret, &text))
}

type Asked = Arc<Mutex<Vec<String>>>;

async fn assume_role(
    State(asked): State<Asked>,
    headers: HeaderMap,
    body: String,
) -> (StatusCode, String) {
    let authorization = headers["authorization"].to_str().unwrap();
    let part = |name: &str| {
        let (_, rest) = authorization.split_once(name).unwrap();
        rest.split(',').next().unwrap().to_owned()
    };
    let credential = part("Credential=");
    let (id, scope) = credential.split_once('/').unwrap();
    let right = signature_of(&headers, &body, scope, &part("SignedHeaders="));
    if id != "AKIATEST"
        || part("Signature=") != right
        || !scope.ends_with("/eu-central-1/sts/aws4_request")
    {
        return (
            StatusCode::FORBIDDEN,
            "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>"
                .to_owned(),
        );
    }
    if body.contains("role%2Fpacked") && body.contains("ListBucket") {
        return (
            StatusCode::BAD_REQUEST,
            "<ErrorResponse><Error><Code>PackedPolicyTooLarge</Code></Error></ErrorResponse>"
                .to_owned(),
        );
    }
    asked.lock().unwrap().push(body);
    (StatusCode::OK, ANSWER.to_owned())
}

/// A token service where the store is, and the store.
async fn sts(keys: &str) -> (Store, Asked) {
    let asked = Asked::default();
    let router = Router::new()
        .route("/", post(assume_role))
        .with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let limits = Limits {
        endpoints: vec![address.to_string()],
        ..Limits::default()
    };
    let endpoint = format!("http://{address}");
    let spec = spec("s3://lake/root", Some(&endpoint), keys);
    (Stores::new(limits).open(&spec, &meter()).unwrap(), asked)
}

#[tokio::test]
async fn s3_is_asked_for_this_folder_alone() {
    let (store, asked) = sts(KEYS).await;
    assert!(store.lends());
    let lent = store.lend(&key("sales/t1"), MIN_TTL, "rnd weu;&").await;
    let (found, until) = lent.unwrap();
    let expected = TemporaryKey::S3 {
        access_key_id: "ASIATEMP".to_owned(),
        secret_access_key: "temp/secret+=".to_owned(),
        session_token: "tok/en==".to_owned(),
    };
    assert!(found == expected);
    assert_eq!(format!("{found:?}"), "S3(****)");
    assert_eq!(until, Timestamp::parse("2026-11-22T01:00:00Z").unwrap());
    let body = asked.lock().unwrap().pop().unwrap();
    let field = |name: &str| {
        let found = form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).unwrap()
    };
    assert_eq!(field("Action"), "AssumeRole");
    assert_eq!(field("RoleArn"), "arn:aws:iam::123456789012:role/readers");
    assert_eq!(field("RoleSessionName"), "entrepot-rndweu");
    assert_eq!(field("DurationSeconds"), "900");
    let policy: Value = serde_json::from_str(&field("Policy")).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    assert_eq!(statements.len(), 2);
    // With the slash: `t10` beside it is another folder.
    assert_eq!(statements[0]["Action"], json!(["s3:GetObject"]));
    assert_eq!(
        statements[0]["Resource"],
        json!(["arn:aws:s3:::lake/root/sales/t1/*"])
    );
    assert_eq!(statements[1]["Action"], json!(["s3:ListBucket"]));
    assert_eq!(
        statements[1]["Condition"]["StringLike"]["s3:prefix"],
        json!(["root/sales/t1/*"])
    );

    for wild in ["sales/*", "a?b", "${aws:username}", "it's"] {
        assert!(
            store.lend(&key(wild), MIN_TTL, "rnd").await.is_err(),
            "{wild}"
        );
    }
    assert!(store.lend(&key("t"), MAX_TTL * 2, "rnd").await.is_err());
    assert!(asked.lock().unwrap().is_empty());

    // A policy that is too long once it is packed is asked for without the right to list.
    let (store, asked) = sts(&KEYS.replace("role/readers", "role/packed")).await;
    store.lend(&key("sales/t1"), MIN_TTL, "rnd").await.unwrap();
    let body = asked.lock().unwrap().pop().unwrap();
    assert!(
        body.contains("GetObject") && !body.contains("ListBucket"),
        "{body}"
    );

    let (store, _) = sts(&KEYS.replace("test-secret", "another")).await;
    let refused = store.lend(&key("t"), MIN_TTL, "rnd").await;
    assert!(matches!(refused, Err(StorageError::Denied { .. })));
    let (store, _) = sts(super::s3_server::KEYS).await;
    assert!(!store.lends());
}

#[tokio::test]
async fn azure_signs_the_directory_and_its_depth() {
    let account_key = "dGhyb3ctYXdheS1hY2NvdW50LWtleQ==";
    let keys = json!({ "account_key": account_key }).to_string();
    let stores = Stores::new(Limits::default());
    let spec = spec("abfss://c01@acct1.dfs.core.windows.net/x", None, &keys);
    let store = stores.open(&spec, &meter()).unwrap();
    let (found, _) = store.lend(&key("sales/t 1"), MIN_TTL, "rnd").await.unwrap();
    let TemporaryKey::Azure { sas } = found else {
        panic!("another kind");
    };
    let field = |name: &str| {
        let found = form_urlencoded::parse(sas.as_bytes()).find(|(key, _)| key == name);
        found.map(|(_, value)| value.into_owned()).unwrap()
    };
    assert_eq!(
        [field("sp"), field("sr"), field("sdd"), field("spr")],
        ["rl", "d", "3", "https"]
    );
    let text = format!(
        "rl\n{}\n{}\n/blob/acct1/c01/x/sales/t 1\n\n\nhttps\n2023-11-03\nd\n\n\n\n\n\n\n",
        field("st"),
        field("se")
    );
    let right = mac(&BASE64.decode(account_key).unwrap(), &text);
    assert_eq!(field("sig"), BASE64.encode(right));
    // The whole container is no folder.
    let spec = super::spec("abfss://c01@acct1.dfs.core.windows.net", None, &keys);
    let store = stores.open(&spec, &meter()).unwrap();
    assert!(store.lend(&key(""), MIN_TTL, "rnd").await.is_err());
}
