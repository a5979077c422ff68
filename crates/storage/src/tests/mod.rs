//! Tests of the whole crate: files with hostile links, a real S3 server in this process, hostile endpoints, signatures.

mod contained;
mod entra;
mod environment;
mod faulty;
mod folders;
mod remains;
mod s3;
mod s3_server;
mod share;
mod signatures;
mod ssrf;
mod temporary;

use std::path::Path as FilePath;

use model::{Cloud, Location, Purpose};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use url::Url;

use crate::{Cause, Credential, Limits, Meter, MeterKey, StorageSpec, StorageUrl, Store, Stores};

fn meter() -> Meter {
    let cause = Cause::Operation("storage.test");
    Meter::new(MeterKey {
        product: None,
        table: None,
        cause,
        purpose: Purpose::Inspect,
    })
}

fn spec(url: &str, endpoint: Option<&str>, credential: &str) -> StorageSpec {
    let url = StorageUrl::parse(url).unwrap();
    let location = match &url {
        StorageUrl::Azure { .. } => Location::new(Cloud::Azure, "westeurope"),
        StorageUrl::Gcs { .. } => Location::new(Cloud::Gcp, "europe-west3"),
        _ => Location::new(Cloud::Aws, "eu-central-1"),
    };
    StorageSpec {
        name: "lake".to_owned(),
        location: location.unwrap(),
        credential: Credential::parse(&url, credential).unwrap(),
        url,
        endpoint: endpoint.map(|endpoint| Url::parse(endpoint).unwrap()),
    }
}

fn file_store(root: &FilePath) -> (Store, Meter) {
    let limits = Limits {
        file_roots: vec![root.to_owned()],
        ..Limits::default()
    };
    let meter = meter();
    let store = Stores::new(limits)
        .open(
            &spec(&format!("file://{}/lake", root.display()), None, ""),
            &meter,
        )
        .unwrap();
    (store, meter)
}

fn key(text: &str) -> Path {
    Path::parse(text).unwrap()
}

async fn body(objects: &dyn ObjectStore, at: &str) -> Vec<u8> {
    objects
        .get(&key(at))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap()
        .to_vec()
}

/// Names that go wrong wherever somebody forgets to encode, or encodes twice.
pub(crate) const NAMES: [&str; 32] = [
    "plain",
    "a b",
    "a#b",
    "a?b",
    "a%b",
    "a%20b",
    "a+b",
    "é",
    "a&b",
    "a=b",
    "a;b",
    "a:b",
    "a@b",
    "a$b",
    "a,b",
    "a!b",
    "a'b",
    "a(b)",
    "a*b",
    "a[b]",
    "a{b}",
    "a~b",
    "a^b",
    "a`b",
    "a|b",
    "a\"b",
    "a<b>",
    "日本語",
    "x=1 y/part=é+ü/a#1?.parquet",
    "%2F",
    "…",
    "a..b",
];
