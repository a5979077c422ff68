//! Against a real S3 server: bytes counted, signatures, conditions, limits, the doctor.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use futures::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore as _, ObjectStoreExt as _, PutMode, PutPayload, WriteMultipart};
use url::Url;

use super::s3_server::{BUSY, S3Server};
use super::{NAMES, body, key, meter, spec};
use crate::doctor::{self, Outcome};
use crate::sign::MIN_TTL;
use crate::{Levels as _, Limits, Part, StorageError, Stores, Tags};

#[tokio::test]
async fn the_meter_agrees_with_the_server_to_the_byte() {
    let server = S3Server::start().await;
    let (store, meter) = server.open("s3://lake/aftersales");
    let objects = store.objects();
    let big = vec![9; 6 << 20];
    let mut upload = WriteMultipart::new_with_chunk_size(
        objects.put_multipart(&key("t/big")).await.unwrap(),
        5 << 20,
    );
    upload.write(&big);
    upload.finish().await.unwrap();
    for number in 0..5 {
        objects
            .put(
                &key(&format!("t/{number}")),
                PutPayload::from(vec![1; 1000 * number]),
            )
            .await
            .unwrap();
    }
    assert_eq!(body(&*objects, "t/big").await, big);
    assert_eq!(
        objects
            .get_range(&key("t/big"), 10..5000)
            .await
            .unwrap()
            .len(),
        4990
    );
    assert_eq!(
        objects
            .get_ranges(&key("t/4"), &[0..10, 3000..3010])
            .await
            .unwrap()
            .len(),
        2
    );
    assert_eq!(objects.head(&key("t/4")).await.unwrap().size, 4000);
    assert!(matches!(
        objects.get(&key("t/none")).await,
        Err(object_store::Error::NotFound { .. })
    ));
    let listed: Vec<_> = objects
        .list(None)
        .map_ok(|meta| meta.location.to_string())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(listed, ["t/0", "t/1", "t/2", "t/3", "t/4", "t/big"]);
    assert_eq!(
        objects
            .list_with_delimiter(None)
            .await
            .unwrap()
            .common_prefixes,
        [key("t")]
    );
    let level = store.level(&key(""), 1_000).await.unwrap();
    assert_eq!(level.folders, BTreeSet::from(["t".to_owned()]));
    assert!(store.level(&key("t"), 1_000).await.unwrap().is_whole);
    assert_eq!(body(&*store.at("t").unwrap(), "2").await.len(), 2000);
    objects.delete(&key("t/2")).await.unwrap();

    assert!(meter.received() > 6 << 20);
    assert_eq!(meter.received(), server.sent());
    assert_eq!(meter.requests(), server.requests());
    assert!(meter.sent() >= (6 << 20) + 10_000);
}

#[tokio::test]
async fn an_upload_goes_on_in_another_process() {
    let server = S3Server::start().await;
    let part = |index: usize| Part {
        index,
        at: (index as u64) * (5 << 20),
    };
    let (big, other) = (key("big"), key("other"));
    let pieces = [vec![1; 5 << 20], vec![2; 5 << 20], vec![3; 7]];
    let (upload, last) = {
        let (store, _) = server.open("s3://lake/aftersales");
        let parts = store.parts_at("t").unwrap().unwrap();
        let upload = parts.begin(&big).await.unwrap();
        let last = parts.put(&big, &upload, part(2), pieces[2].clone().into());
        let last = last.await.unwrap();
        (upload, last)
    };
    let (store, meter) = server.open("s3://lake/aftersales");
    let parts = store.parts_at("t").unwrap().unwrap();
    let mut all = Vec::new();
    for index in [0, 1] {
        let put = parts.put(&big, &upload, part(index), pieces[index].clone().into());
        all.push(put.await.unwrap());
    }
    all.push(last);
    parts.complete(&big, &upload, all).await.unwrap();
    assert!(meter.sent() >= 10 << 20);
    assert_eq!(body(&*store.objects(), "t/big").await, pieces.concat());

    let given_up = parts.begin(&other).await.unwrap();
    parts.abort(&other, &given_up).await.unwrap();
    let late = parts.put(&other, &given_up, part(0), pieces[2].clone().into());
    assert!(late.await.is_err(), "nobody adds to what was given up");
}

#[tokio::test]
async fn repeated_requests_are_counted_too() {
    let server = S3Server::start().await;
    let (store, meter) = server.open("s3://lake/a");
    store
        .objects()
        .put(&key("x"), PutPayload::from_static(b"0123456789"))
        .await
        .unwrap();
    let (received, requests) = (meter.received(), meter.requests());
    server.counts.busy.store(2, Ordering::SeqCst);
    assert_eq!(body(&*store.objects(), "x").await, b"0123456789");
    assert_eq!(meter.requests() - requests, 3);
    assert_eq!(server.sent(), received + 10 + 2 * BUSY.len() as u64);
    assert_eq!(meter.received(), server.sent());
}

#[tokio::test]
async fn a_body_that_is_given_up_is_counted_as_far_as_it_came() {
    let server = S3Server::start().await;
    let (store, meter) = server.open("s3://lake/a");
    store
        .objects()
        .put(&key("x"), PutPayload::from(vec![3; 16 << 20]))
        .await
        .unwrap();
    let before = meter.received();
    let mut stream = store.objects().get(&key("x")).await.unwrap().into_stream();
    let first = stream.try_next().await.unwrap().unwrap().len() as u64;
    drop(stream);
    let received = meter.received() - before;
    assert!(received >= first && received < 16 << 20, "{received}");
    assert!(meter.received() <= server.sent());
}

#[tokio::test]
async fn a_second_create_conflicts() {
    let server = S3Server::start().await;
    let (store, _) = server.open("s3://lake/a");
    let create = || async {
        store
            .objects()
            .put_opts(
                &key("log/0.json"),
                PutPayload::from_static(b"0"),
                PutMode::Create.into(),
            )
            .await
    };
    create().await.unwrap();
    let error = StorageError::from(create().await.unwrap_err());
    assert!(
        matches!(error, StorageError::AlreadyExists { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn signed_urls_open_exactly_one_object_to_read() {
    let server = S3Server::start().await;
    let (store, _) = server.open("s3://lake/after sales");
    let client = reqwest::Client::new();
    let mut urls = Vec::new();
    for name in NAMES {
        let at = Path::parse(format!("t/{name}")).unwrap();
        store
            .objects()
            .put(&at, PutPayload::from(name.to_owned()))
            .await
            .unwrap();
        let signed = store.sign_get(&at, MIN_TTL).await.unwrap().unwrap();
        let answer = client.get(signed.url.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}: {:?}", answer.text().await);
        assert_eq!(answer.text().await.unwrap(), name);
        assert!(
            signed
                .url
                .query_pairs()
                .any(|(name, _)| name == "X-Amz-Signature")
        );
        assert!(!format!("{signed:?}").contains("Signature"));
        for request in [
            client.put(signed.url.clone()).body("evil"),
            client.delete(signed.url.clone()),
            client.post(signed.url.clone()).body("evil"),
        ] {
            assert!(
                !request.send().await.unwrap().status().is_success(),
                "{name}"
            );
        }
        urls.push(signed.url);
    }
    // A signature moved to another key, or to the listing of the bucket, opens nothing.
    let mut other = urls[0].clone();
    other.set_path(urls[7].path());
    assert_eq!(client.get(other).send().await.unwrap().status(), 403);
    let mut listing = urls[0].clone();
    listing.set_path("/lake");
    listing.query_pairs_mut().append_pair("list-type", "2");
    assert!(
        !client
            .get(listing)
            .send()
            .await
            .unwrap()
            .status()
            .is_success()
    );
    let mut bare = urls[0].clone();
    bare.set_query(None);
    assert_eq!(client.get(bare).send().await.unwrap().status(), 403);
    for name in NAMES {
        assert_eq!(
            body(&*store.objects(), &format!("t/{name}")).await,
            name.as_bytes()
        );
    }
}

/// The marks are part of what is signed: taken out or changed they open nothing.
#[tokio::test]
async fn signed_urls_say_who_reads_and_for_which_query() {
    let server = S3Server::start().await;
    let (store, _) = server.open("s3://lake/after sales");
    let client = reqwest::Client::new();
    let tags = Tags {
        recipient: "rnd_weu".to_owned(),
        query: "01890000-0000-7000-8000-000000000000".to_owned(),
    };
    for name in NAMES {
        let at = Path::parse(format!("t/{name}")).unwrap();
        let put = PutPayload::from(name.to_owned());
        store.objects().put(&at, put).await.unwrap();
        let signed = store.sign_get_for(&at, MIN_TTL, &tags).await;
        let url = signed.unwrap().unwrap().url;
        let keys = [Path::parse(name).unwrap(), Path::from("other")];
        let folder = Path::from("t");
        let many = store.sign_gets_for(&folder, &keys, MIN_TTL, &tags).await;
        let many = many.unwrap().unwrap().urls;
        assert_eq!(many.len(), 2);
        let answer = client.get(&many[0]).send().await.unwrap();
        assert_eq!(answer.text().await.unwrap(), name);
        let answer = client.get(url.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}: {:?}", answer.text().await);
        assert_eq!(answer.text().await.unwrap(), name);
        let query = url.query().unwrap().to_owned();
        assert!(query.contains("x-entrepot-recipient=rnd_weu"), "{query}");
        for (mark, other) in [
            ("x-entrepot-recipient=rnd_weu", "x-entrepot-recipient=other"),
            ("&x-entrepot-recipient=rnd_weu", ""),
        ] {
            let mut forged = url.clone();
            forged.set_query(Some(&query.replace(mark, other)));
            assert_ne!(forged, url);
            let answer = client.get(forged).send().await.unwrap();
            assert_eq!(answer.status(), 403, "{name}");
        }
    }
}

#[tokio::test]
async fn the_life_of_a_signed_url_is_bounded() {
    let server = S3Server::start().await;
    let (store, _) = server.open("s3://lake/a");
    for seconds in [0, 60, 899, 3601, 7 * 86_400] {
        let error = store
            .sign_get(&key("x"), std::time::Duration::from_secs(seconds))
            .await
            .unwrap_err();
        assert!(
            matches!(error, StorageError::NotAllowed { .. }),
            "{seconds}: {error}"
        );
    }
    assert!(store.sign_get(&Path::default(), MIN_TTL).await.is_err());
    assert_eq!(server.requests(), 0);
}

#[tokio::test]
async fn the_doctor_examines_a_bucket() {
    let server = S3Server::start().await;
    let (store, meter) = server.open("s3://lake/aftersales");
    let report = doctor::examine(&store, true).await;
    assert!(report.healthy(), "{report:#?}");
    for name in [
        "list",
        "write",
        "put_if_absent",
        "read",
        "sign",
        "unsigned",
        "delete",
    ] {
        assert_eq!(
            report.check(name).unwrap().outcome,
            Outcome::Ok,
            "{name}: {report:#?}"
        );
    }
    // This server's one key opens everything.
    assert_eq!(report.check("parent").unwrap().outcome, Outcome::Warned);
    assert!(
        report
            .least_policy
            .contains("arn:aws:s3:::lake/aftersales/*")
    );
    assert!(
        store
            .objects()
            .list(None)
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(meter.requests(), server.requests());
    assert_eq!(meter.received(), server.sent());
    // The byte comes through the URL that a consumer would be handed.
    assert_eq!(server.counts.tagged.load(Ordering::SeqCst), 1);

    // What anybody may read, nobody can be kept from.
    server.counts.public.store(true, Ordering::SeqCst);
    let report = doctor::examine(&store, true).await;
    assert_eq!(report.check("sign").unwrap().outcome, Outcome::Ok);
    let unsigned = report.check("unsigned").unwrap();
    assert_eq!(unsigned.outcome, Outcome::Failed);
    assert!(
        unsigned
            .sentence
            .contains("revoking a grant would change nothing"),
        "{unsigned:?}"
    );
}

#[tokio::test]
async fn a_wrong_key_is_named_and_not_shown() {
    let server = S3Server::start().await;
    let keys = r#"{"access_key_id":"AKIATEST","secret_access_key":"wrong-s3cr3t"}"#;
    let store = server
        .stores()
        .open(
            &spec("s3://lake/a", Some(&server.endpoint()), keys),
            &meter(),
        )
        .unwrap();
    let report = doctor::examine(&store, true).await;
    assert!(!report.healthy());
    let text = format!("{report:?} {store:?} {:?}", store.spec());
    assert!(
        report
            .check("list")
            .unwrap()
            .sentence
            .contains("s3:ListBucket"),
        "{text}"
    );
    assert_eq!(report.check("write").unwrap().outcome, Outcome::Failed);
    assert_eq!(report.check("parent").unwrap().outcome, Outcome::Skipped);
    assert!(
        !text.contains("s3cr3t") && !text.contains("X-Amz-Signature"),
        "{text}"
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = S3Server::start().await;
    let target = other.endpoint();
    let app = axum::Router::new().fallback(move || async move {
        axum::response::Redirect::temporary(&format!("{target}/lake/a/x"))
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let limits = Limits {
        endpoints: vec![address.to_string(), other.address.to_string()],
        ..Limits::default()
    };
    let spec = spec(
        "s3://lake/a",
        Some(&format!("http://{address}")),
        super::s3_server::KEYS,
    );
    let store = Stores::new(limits).open(&spec, &meter()).unwrap();
    let error = StorageError::from(store.objects().get(&key("x")).await.unwrap_err());
    assert!(error.to_string().contains("redirect"), "{error}");
    assert_eq!(other.requests(), 0);
}

#[tokio::test]
async fn an_unreachable_store_is_said_to_be_so() {
    // A port on which nobody listens any more.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let limits = Limits {
        endpoints: vec![address.to_string()],
        ..Limits::default()
    };
    let spec = spec(
        "s3://lake/a",
        Some(&format!("http://{address}")),
        super::s3_server::KEYS,
    );
    let store = Stores::new(limits).open(&spec, &meter()).unwrap();
    let error = StorageError::from(store.objects().get(&key("x")).await.unwrap_err());
    assert!(
        matches!(error, StorageError::Unreachable { .. }) && error.is_transient(),
        "{error:?}"
    );
}

#[tokio::test]
async fn without_an_endpoint_buckets_are_at_the_region() {
    let stores = Stores::new(Limits::default());
    for (bucket, start) in [
        (
            "lake",
            "https://lake.s3.eu-central-1.amazonaws.com/a/x%23y?",
        ),
        (
            "la.ke",
            "https://s3.eu-central-1.amazonaws.com/la.ke/a/x%23y?",
        ),
    ] {
        let store = stores
            .open(
                &spec(&format!("s3://{bucket}/a"), None, super::s3_server::KEYS),
                &meter(),
            )
            .unwrap();
        let url: Url = store
            .sign_get(&key("x#y"), MIN_TTL)
            .await
            .unwrap()
            .unwrap()
            .url;
        assert!(url.as_str().starts_with(start), "{url}");
        assert!(url.as_str().contains("eu-central-1%2Fs3%2Faws4_request"));
    }
}

#[tokio::test]
async fn a_storage_is_asked_no_more_at_once_than_allowed_however_often_it_is_opened() {
    let server = S3Server::start().await;
    let stores = server.stores_with(3);
    let spec = spec(
        "s3://lake/a",
        Some(&server.endpoint()),
        super::s3_server::KEYS,
    );
    let writes = (0..30).map(|number: u32| {
        let objects = stores.open(&spec, &meter()).unwrap().objects();
        async move {
            let at = key(&number.to_string());
            objects
                .put(&at, PutPayload::from(vec![1; 50_000]))
                .await
                .unwrap();
        }
    });
    futures::future::join_all(writes).await;
    let most = server.counts.most.load(Ordering::SeqCst);
    assert!((1..=3).contains(&most), "{most}");
}

#[tokio::test]
async fn one_place_is_enough_to_copy_within_a_bucket() {
    let server = S3Server::start().await;
    let spec = spec(
        "s3://lake/a",
        Some(&server.endpoint()),
        super::s3_server::KEYS,
    );
    let store = server.stores_with(1).open(&spec, &meter()).unwrap();
    let objects = store.objects();
    objects
        .put(&key("x"), PutPayload::from(vec![5; 12 << 20]))
        .await
        .unwrap();
    let mut source = objects.get(&key("x")).await.unwrap().into_stream();
    let upload = objects.put_multipart(&key("y")).await.unwrap();
    let mut upload = WriteMultipart::new_with_chunk_size(upload, 5 << 20);
    while let Some(chunk) = source.try_next().await.unwrap() {
        upload.wait_for_capacity(1).await.unwrap();
        upload.write(&chunk);
    }
    upload.finish().await.unwrap();
    assert_eq!(objects.head(&key("y")).await.unwrap().size, 12 << 20);
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let server = S3Server::start().await;
    let (store, _) = server.open("s3://no-such-lake/a");
    let report = doctor::examine(&store, false).await;
    let list = report.check("list").unwrap();
    assert_eq!(list.outcome, Outcome::Failed);
    assert!(
        list.sentence
            .starts_with("The bucket or container was not found"),
        "{}",
        list.sentence
    );
}
