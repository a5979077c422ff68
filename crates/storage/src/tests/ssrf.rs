//! Endpoints that somebody might try (C-21): none of them may make this process connect to the machine itself, to its
//! network or to a metadata service.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use object_store::ObjectStoreExt as _;
use url::Url;

use super::{key, meter, s3_server::KEYS, spec};
use crate::{Limits, StorageError, Stores};

fn limits() -> Limits {
    Limits {
        endpoints: vec![
            "*.store.example".to_owned(),
            "minio.example:9000".to_owned(),
        ],
        ..Limits::default()
    }
}

#[tokio::test]
async fn hostile_endpoints_are_refused_before_anything_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let stores = Stores::new(limits());
    let payloads = [
        format!("http://127.0.0.1:{port}"),
        format!("https://127.0.0.1:{port}"),
        format!("http://2130706433:{port}"),
        format!("http://0177.0.0.1:{port}"),
        format!("http://0x7f.0.0.1:{port}"),
        format!("http://0x7f000001:{port}"),
        format!("http://127.1:{port}"),
        format!("http://0:{port}"),
        format!("http://0.0.0.0:{port}"),
        format!("http://[::1]:{port}"),
        format!("http://[::]:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://[::ffff:7f00:1]:{port}"),
        format!("http://localhost:{port}"),
        format!("http://localhost.:{port}"),
        format!("https://LOCALHOST:{port}"),
        format!("https://a.store.example@127.0.0.1:{port}"),
        format!("https://a.store.example:443@127.0.0.1:{port}"),
        format!("https://127.0.0.1:{port}#.store.example"),
        format!("https://127.0.0.1:{port}?.store.example"),
        format!("https://127.0.0.1:{port}/.store.example"),
        format!("https://127.0.0.1:{port}\\@a.store.example"),
        format!("https://a.store.example.:{port}"),
        format!("https://１２７.０.０.１:{port}"),
        format!("https://①②⑦.⓪.⓪.①:{port}"),
        format!("http://a.store.example:{port}"),
        format!("http://minio.example:{port}"),
        format!("https://x.minio.example:{port}"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
        "http://metadata.google.internal/".to_owned(),
        "http://168.63.129.16/".to_owned(),
        "file:///etc/passwd".to_owned(),
        "ftp://a.store.example/".to_owned(),
        "gopher://127.0.0.1:70/_x".to_owned(),
        "data:text/plain,x".to_owned(),
    ];
    for payload in &payloads {
        // What is not even a URL never becomes a storage.
        let Ok(endpoint) = Url::parse(payload) else {
            continue;
        };
        for (place, credential) in [
            ("s3://lake/a", KEYS),
            (
                "abfss://c01@acct1.dfs.core.windows.net/x",
                r#"{"account_key":"dGhyb3ctYXdheQ=="}"#,
            ),
        ] {
            let mut spec = spec(place, None, credential);
            spec.endpoint = Some(endpoint.clone());
            let error = stores.check(&spec).unwrap_err();
            assert!(
                matches!(error, StorageError::NotAllowed { .. }),
                "{payload}: {error}"
            );
            assert!(stores.open(&spec, &meter()).is_err(), "{payload}");
        }
    }
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "somebody has connected"
    );
}

#[tokio::test]
async fn a_name_that_turns_to_this_machine_after_the_check_gains_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for address in [
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let address = SocketAddr::new(address.parse().unwrap(), 0);
        let stores = Stores::with_lookup(
            &limits(),
            Arc::new(move |_| Box::pin(async move { Ok(vec![address]) })),
        );
        let spec = spec(
            "s3://lake/a",
            Some(&format!("https://rebind.store.example:{port}")),
            KEYS,
        );
        stores.check(&spec).unwrap();
        let store = stores.open(&spec, &meter()).unwrap();
        let error = StorageError::from(store.objects().get(&key("x")).await.unwrap_err());
        assert!(
            matches!(error, StorageError::NotAllowed { .. }),
            "{address}: {error:?}"
        );
        assert!(
            error.to_string().contains("rebind.store.example"),
            "{error}"
        );
    }
    assert_eq!(
        listener.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock,
        "somebody has connected"
    );
}

#[test]
fn a_store_away_from_its_cloud_needs_an_endpoint() {
    let mut spec = spec("s3://lake/a", None, KEYS);
    spec.location = "onprem:frankfurt".parse().unwrap();
    let error = Stores::new(limits()).check(&spec).unwrap_err();
    assert!(error.to_string().contains("endpoint"), "{error}");
    spec.endpoint = Some(Url::parse("http://minio.example:9000").unwrap());
    Stores::new(limits()).check(&spec).unwrap();
    spec.endpoint = Some(Url::parse("http://minio.example:9000/path").unwrap());
    assert!(Stores::new(limits()).check(&spec).is_err());
}
