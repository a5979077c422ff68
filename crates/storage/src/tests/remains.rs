//! What a store keeps of deleted objects, asked of an S3 server that checks our signatures.

use model::Timestamp;
use object_store::{ObjectStoreExt as _, PutPayload};

use super::s3_server::S3Server;
use super::{key, spec};
use crate::Keeps;

const NEVER: &str = "<VersioningConfiguration/>";
const VERSIONED: &str =
    "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";

/// A deleted object `t/a b` with a version and a mark, and one that stands there.
const VERSIONS: &str = "<ListVersionsResult><IsTruncated>false</IsTruncated>\
    <Version><Key>root/t/a+b</Key><VersionId>1</VersionId><IsLatest>false</IsLatest></Version>\
    <DeleteMarker><Key>root/t/a+b</Key><VersionId>2</VersionId><IsLatest>true</IsLatest></DeleteMarker>\
    <Version><Key>root/t/c</Key><VersionId>null</VersionId><IsLatest>true</IsLatest></Version>\
    </ListVersionsResult>";

const UPLOADS: &str = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>\
    <Upload><Key>root/t/x+y</Key><UploadId>u1</UploadId><Initiated>2026-06-01T00:00:00.000Z</Initiated></Upload>\
    <Upload><Key>root/t/young</Key><UploadId>u2</UploadId><Initiated>2026-06-03T00:00:00.000Z</Initiated></Upload>\
    <Upload><Key>root/other/z</Key><UploadId>u3</UploadId><Initiated>2026-06-01T00:00:00.000Z</Initiated></Upload>\
    </ListMultipartUploadsResult>";

#[tokio::test]
async fn versions_and_unfinished_uploads_are_found_by_asking_the_store() {
    let server = S3Server::start().await;
    let (store, meter) = server.open("s3://lake/root");
    let folder = key("t");
    let say = |question, answer: &str| {
        let mut said = server.counts.said.lock().unwrap();
        said.insert(question, answer.to_owned());
    };
    // A server that does not know the question proves nothing.
    let unsaid = store.remains(&folder).await.unwrap();
    assert!(matches!(unsaid.keeps, Keeps::Unknown(_)), "{unsaid:?}");
    assert_eq!(unsaid.versions, None);

    say("versioning", NEVER);
    let half = store.remains(&folder).await.unwrap();
    assert!(matches!(half.keeps, Keeps::Unknown(_)), "{half:?}");
    say("versions", VERSIONS);
    let never = store.remains(&folder).await.unwrap();
    assert_eq!(never.keeps, Keeps::Nothing);
    let versions = never.versions.unwrap();
    // Beside the object that stands there.
    assert_eq!(versions.get("a b"), Some(&2));
    assert_eq!(versions.len(), 1);
    say("versioning", VERSIONED);
    let kept = store.remains(&folder).await.unwrap();
    assert!(matches!(kept.keeps, Keeps::Old(_)), "{kept:?}");

    say("uploads", UPLOADS);
    let before = Timestamp::parse("2026-06-02").unwrap();
    let ended = store.end_unfinished(&folder, before).await.unwrap();
    assert_eq!((ended.aborted, ended.left), (1, 1));
    let asked = server.counts.ended.lock().unwrap().clone();
    assert_eq!(asked, ["/lake/root/t/x%20y u1"]);
    // Where there is more than a page of them, not all are ended yet.
    say("uploads", &UPLOADS.replace("false", "true"));
    let more = store.end_unfinished(&folder, before).await.unwrap();
    assert_eq!((more.aborted, more.left), (1, 2));
    assert_eq!(store.uncommitted(&folder).await.unwrap(), 0);
    // Counted like everything else.
    assert_eq!(meter.requests(), server.requests());
    assert_eq!(meter.received(), server.sent());

    // Whoever may not ask is not told that nothing is kept.
    let wrong = r#"{"access_key_id":"AKIATEST","secret_access_key":"wrong-s3cr3t"}"#;
    let wrong = spec("s3://lake/root", Some(&server.endpoint()), wrong);
    let refused = server.stores().open(&wrong, &super::meter()).unwrap();
    let refused = refused.remains(&folder).await.unwrap();
    match &refused.keeps {
        Keeps::Unknown(why) => assert!(why.contains("s3:GetBucketVersioning"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_folder_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = super::file_store(folder.path());
    let object = PutPayload::from_static(b"x");
    store.objects().put(&key("t/a"), object).await.unwrap();
    store.objects().delete(&key("t/a")).await.unwrap();
    let remains = store.remains(&key("t")).await.unwrap();
    assert_eq!(remains.keeps, Keeps::Nothing);
    assert_eq!(remains.versions.unwrap().len(), 0);
    let at = Timestamp::parse("2026-06-02").unwrap();
    let ended = store.end_unfinished(&key("t"), at).await.unwrap();
    assert_eq!((ended.aborted, ended.left), (0, 0));
}
