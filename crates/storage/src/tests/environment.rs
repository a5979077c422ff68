//! What stands in the process's environment opens no store and changes no request (C-23). The environment of a running
//! process cannot be changed safely, so the test runs itself again with another one.

use std::net::TcpListener;

use object_store::{ObjectStoreExt as _, PutPayload};

use super::s3_server::S3Server;
use super::{body, key, meter, spec};
use crate::{Credential, Limits, StorageError, Stores};

const CHILD: &str = "STORAGE_TEST_CHILD";

#[test]
fn the_environment_does_not_leak_into_stores() {
    if std::env::var_os(CHILD).is_some() {
        tokio::runtime::Runtime::new()
            .unwrap()
            .block_on(with_a_tempting_environment());
        return;
    }
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}", trap.local_addr().unwrap());
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args([
            "--exact",
            "tests::environment::the_environment_does_not_leak_into_stores",
        ])
        .env(CHILD, "1");
    for name in [
        "AWS_ENDPOINT",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_S3",
        "AWS_METADATA_ENDPOINT",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AZURITE_BLOB_STORAGE_URL",
        "AZURE_MSI_ENDPOINT",
        "IDENTITY_ENDPOINT",
        "AZURE_STORAGE_ENDPOINT",
        "GOOGLE_BASE_URL",
        "STORAGE_EMULATOR_HOST",
        "METADATA_HOST",
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "PROXY_URL",
    ] {
        child.env(name, &url);
    }
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "test-secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_SKIP_SIGNATURE", "true"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "acct1"),
        ("AZURE_STORAGE_ACCOUNT_KEY", "dGhyb3ctYXdheQ=="),
        ("AZURE_STORAGE_USE_EMULATOR", "true"),
        ("GOOGLE_SERVICE_ACCOUNT", "/nowhere"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere"),
    ] {
        child.env(name, value);
    }
    let done = child.output().unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    assert!(
        done.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(
        trap.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "the environment was followed"
    );
}

async fn with_a_tempting_environment() {
    let stores = Stores::new(Limits::default());
    for place in [
        "s3://lake/a",
        "abfss://c01@acct1.dfs.core.windows.net/x",
        "gs://lake/x",
    ] {
        assert!(Credential::parse(&crate::StorageUrl::parse(place).unwrap(), "").is_err());
        let credential = match place.split_once("://").unwrap().0 {
            "s3" => super::s3_server::KEYS,
            "gs" => r#"{"client_email":"t@p.iam","private_key":"-----BEGIN"}"#,
            _ => r#"{"account_key":"dGhyb3ctYXdheQ=="}"#,
        };
        let mut spec = spec(place, None, credential);
        spec.credential = Credential::None;
        for error in [
            stores.check(&spec).unwrap_err(),
            stores.open(&spec, &meter()).unwrap_err(),
        ] {
            assert!(
                matches!(error, StorageError::NotAllowed { .. }),
                "{place}: {error:?}"
            );
        }
    }
    // With a credential of its own a store works, and goes where its row says and nowhere else.
    let server = S3Server::start().await;
    let (store, meter) = server.open("s3://lake/a");
    store
        .objects()
        .put(&key("x"), PutPayload::from_static(b"mine"))
        .await
        .unwrap();
    assert_eq!(body(&*store.objects(), "x").await, b"mine");
    assert_eq!(meter.requests(), server.requests());
}
