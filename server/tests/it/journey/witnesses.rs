//! The witnesses themselves, without the server: what the journey relies on when it compares and counts.

use futures::TryStreamExt as _;
use model::{Cloud, Location, Purpose};
use object_store::ObjectStoreExt as _;
use serde_json::{Value, json};
use storage::{Cause, Credential, Limits, Meter, MeterKey, StorageSpec, StorageUrl, Store, Stores};

use crate::support::azurite::Azurite;
use crate::support::proxy::Counted;
use crate::support::python::Python;
use crate::support::s3::{BUCKET, S3};

fn meter() -> Meter {
    Meter::new(MeterKey {
        product: None,
        table: None,
        cause: Cause::Operation("journey.witness"),
        purpose: Purpose::Sync,
    })
}

fn open(cloud: Cloud, url: &str, endpoint: &str, credential: &Value, meter: &Meter) -> Store {
    let url = StorageUrl::parse(url).unwrap();
    let endpoint = url::Url::parse(endpoint).unwrap();
    let limits = Limits {
        endpoints: vec![format!(
            "{}:{}",
            endpoint.host_str().unwrap(),
            endpoint.port().unwrap()
        )],
        ..Limits::default()
    };
    let spec = StorageSpec {
        name: "lake".to_owned(),
        location: Location::new(cloud, "eu-central-1").unwrap(),
        credential: Credential::parse(&url, &credential.to_string()).unwrap(),
        url,
        endpoint: Some(endpoint),
    };
    Stores::new(limits).open(&spec, meter).unwrap()
}

/// Python's table on S3, copied object by object to Azurite, is for Python the same table, and each meter says what its
/// proxy says.
#[tokio::test]
async fn python_reads_the_same_rows_from_both_stores_and_meters_agree_with_proxies() {
    let (Some(python), Some(azurite)) = (Python::find(), Azurite::start().await) else {
        return;
    };
    let s3 = S3::start().await;
    let source = s3.python(&format!("s3://{BUCKET}/lake/visits 2026"));
    let written: Value = python.run("write_table.py", &source).await;
    assert_eq!(written, json!({ "version": 5 }));
    let rows: Value = python.run("read_table.py", &source).await;
    assert_eq!(rows["version"], 5);
    assert!(rows["rows"].as_array().unwrap().len() > 2_000);
    assert_eq!(
        s3.proxy.counted(),
        Counted::default(),
        "Python takes the direct way"
    );

    let (read, written) = (meter(), meter());
    let from = open(
        Cloud::Aws,
        &format!("s3://{BUCKET}/lake"),
        &s3.proxy.url(),
        &s3.credential(),
        &read,
    );
    let to = open(
        Cloud::Azure,
        &azurite.url("copies"),
        &azurite.proxy.url(),
        &azurite.credential(),
        &written,
    );
    let objects: Vec<_> = from.objects().list(None).try_collect().await.unwrap();
    assert!(objects.len() > 20);
    for object in objects {
        let body = from.objects().get(&object.location).await.unwrap();
        let body = body.bytes().await.unwrap();
        to.objects()
            .put(&object.location, body.into())
            .await
            .unwrap();
    }
    assert_eq!(s3.proxy.counted().received, read.received());
    assert_eq!(s3.proxy.counted().requests, read.requests());
    assert_eq!(azurite.proxy.counted().received, written.received());
    assert_eq!(azurite.proxy.counted().sent, written.sent());
    assert!(read.received() > 10 << 20);

    let copy: Value = python
        .run("read_table.py", &azurite.python("copies/visits 2026"))
        .await;
    assert!(copy == rows, "the copy has other rows");
}
