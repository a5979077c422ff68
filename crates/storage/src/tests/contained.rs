//! The `file:` store: what it does as an object store, and that nothing outside of its root is read, written, listed,
//! signed or deleted through a link (C-17).

use std::os::unix::fs::symlink;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use model::Timestamp;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};

use super::{NAMES, body, file_store, key, meter, spec};
use crate::doctor::{self, Outcome};
use crate::{Level, Levels as _, Limits, StorageError, Stores};

fn payload(text: &'static str) -> PutPayload {
    PutPayload::from_static(text.as_bytes())
}

async fn keys(objects: &dyn ObjectStore, prefix: Option<&str>) -> Vec<String> {
    let prefix = prefix.map(key);
    objects
        .list(prefix.as_ref())
        .map_ok(|meta| meta.location.to_string())
        .try_collect()
        .await
        .unwrap()
}

#[tokio::test]
async fn objects_are_put_read_listed_and_deleted_and_counted_to_the_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (store, meter) = file_store(folder.path());
    let objects = store.objects();
    assert_eq!(keys(&*objects, None).await, Vec::<String>::new());
    for (at, text) in [
        ("t/a0", "1234567890"),
        ("t/a/x", "xx"),
        ("t/a-b", "ab"),
        ("t2/y", "y"),
        ("t/z", ""),
    ] {
        objects.put(&key(at), payload(text)).await.unwrap();
    }
    assert_eq!(
        keys(&*objects, None).await,
        ["t/a-b", "t/a/x", "t/a0", "t/z", "t2/y"]
    );
    assert_eq!(
        keys(&*objects, Some("t")).await,
        ["t/a-b", "t/a/x", "t/a0", "t/z"]
    );
    assert_eq!(keys(&*objects, Some("t/a0")).await, Vec::<String>::new());
    assert_eq!(keys(&*objects, Some("nothing")).await, Vec::<String>::new());
    let after = objects.list_with_offset(Some(&key("t")), &key("t/a/x"));
    let after: Vec<_> = after
        .map_ok(|meta| meta.location.to_string())
        .try_collect()
        .await
        .unwrap();
    assert_eq!(after, ["t/a0", "t/z"]);
    let shallow = objects.list_with_delimiter(Some(&key("t"))).await.unwrap();
    assert_eq!(shallow.common_prefixes, [key("t/a")]);
    assert_eq!(shallow.objects.len(), 3);
    let level = store.level(&key("t"), 4).await.unwrap();
    assert_eq!(level, Level::of(&shallow));
    assert!(!store.level(&key("t"), 3).await.unwrap().is_whole);
    let nothing = store.level(&key("nothing"), 3).await.unwrap();
    assert!(nothing.is_whole && nothing.folders.is_empty());

    assert_eq!((meter.sent(), meter.received()), (15, 0));
    assert_eq!(body(&*objects, "t/a0").await, b"1234567890");
    assert_eq!(meter.received(), 10);
    assert_eq!(
        objects.get_range(&key("t/a0"), 2..5).await.unwrap(),
        Bytes::from_static(b"345")
    );
    assert_eq!(meter.received(), 13);
    let ranges = objects
        .get_ranges(&key("t/a0"), &[0..1, 8..20])
        .await
        .unwrap();
    assert_eq!(
        ranges,
        [Bytes::from_static(b"1"), Bytes::from_static(b"90")]
    );
    assert_eq!(meter.received(), 16);
    let suffix = GetOptions {
        range: Some(GetRange::Suffix(3)),
        ..GetOptions::default()
    };
    assert_eq!(
        objects
            .get_opts(&key("t/a0"), suffix)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap(),
        Bytes::from_static(b"890")
    );
    assert!(objects.get_range(&key("t/a0"), 10..12).await.is_err());
    assert_eq!(objects.head(&key("t/a0")).await.unwrap().size, 10);
    assert_eq!(meter.received(), 19);

    let table = store.at("t").unwrap();
    assert_eq!(body(&*table, "a/x").await, b"xx");
    assert_eq!(keys(&*table, Some("a")).await, ["a/x"]);
    assert_eq!(meter.received(), 21);

    objects.copy(&key("t/a0"), &key("t/copy")).await.unwrap();
    objects
        .rename(&key("t/copy"), &key("u/moved"))
        .await
        .unwrap();
    assert!(matches!(
        objects
            .rename_if_not_exists(&key("u/moved"), &key("t/a0"))
            .await,
        Err(object_store::Error::AlreadyExists { .. })
    ));
    let gone = stream::iter([Ok(key("u/moved")), Ok(key("t/z"))]).boxed();
    assert_eq!(
        objects
            .delete_stream(gone)
            .try_collect::<Vec<_>>()
            .await
            .unwrap()
            .len(),
        2
    );
    assert!(matches!(
        objects.delete(&key("t/z")).await,
        Err(object_store::Error::NotFound { .. })
    ));
    assert_eq!(
        keys(&*objects, None).await,
        ["t/a-b", "t/a/x", "t/a0", "t2/y"]
    );
    assert_eq!(meter.received(), 21);
}

#[tokio::test]
async fn a_reader_that_gives_up_is_counted_for_what_it_got() {
    let folder = tempfile::tempdir().unwrap();
    let (store, meter) = file_store(folder.path());
    let objects = store.objects();
    objects
        .put(&key("big"), PutPayload::from(vec![7; 3 << 20]))
        .await
        .unwrap();
    let mut stream = objects.get(&key("big")).await.unwrap().into_stream();
    let first = stream.try_next().await.unwrap().unwrap();
    drop(stream);
    assert_eq!(meter.received(), first.len() as u64);
    assert!(first.len() < 3 << 20);
}

#[tokio::test]
async fn only_one_of_many_writers_creates_an_object() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = file_store(folder.path());
    let writers = (0..20).map(|number: u32| {
        let objects = store.objects();
        async move {
            let body = PutPayload::from(number.to_string());
            let done = objects
                .put_opts(&key("log/00.json"), body, PutMode::Create.into())
                .await;
            match done {
                Ok(_) => Some(number),
                Err(object_store::Error::AlreadyExists { .. }) => None,
                Err(error) => panic!("{error}"),
            }
        }
    });
    let won: Vec<_> = futures::future::join_all(writers)
        .await
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(won.len(), 1);
    assert_eq!(
        body(&*store.objects(), "log/00.json").await,
        won[0].to_string().as_bytes()
    );
    let left: Vec<_> = std::fs::read_dir(folder.path().join("lake/log"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "a staged file was left behind");
}

#[tokio::test]
async fn uploads_in_parts_are_whole_or_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = file_store(folder.path());
    let objects = store.objects();
    let mut upload = objects.put_multipart(&key("t/big")).await.unwrap();
    let (one, two) = (
        upload.put_part(payload("hello ")),
        upload.put_part(payload("world")),
    );
    // The order in which parts arrive does not matter.
    two.await.unwrap();
    one.await.unwrap();
    assert_eq!(keys(&*objects, None).await, Vec::<String>::new());
    upload.complete().await.unwrap();
    assert_eq!(body(&*objects, "t/big").await, b"hello world");
    assert!(upload.complete().await.is_err());

    let mut upload = objects.put_multipart(&key("t/big")).await.unwrap();
    drop(upload.put_part(payload("never sent")));
    assert!(upload.complete().await.is_err(), "a part is missing");
    let mut upload = objects.put_multipart(&key("t/big")).await.unwrap();
    upload.put_part(payload("x")).await.unwrap();
    upload.abort().await.unwrap();
    assert_eq!(body(&*objects, "t/big").await, b"hello world");
    let left: Vec<_> = std::fs::read_dir(folder.path().join("lake/t"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1);
}

#[tokio::test]
async fn half_written_files_are_hidden_and_swept() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = file_store(folder.path());
    store
        .objects()
        .put(&key("t/a"), payload("a"))
        .await
        .unwrap();
    let orphan = folder.path().join("lake/t/.entrepot-staging-00");
    std::fs::write(&orphan, "half").unwrap();
    assert_eq!(keys(&*store.objects(), None).await, ["t/a"]);
    assert!(
        store
            .objects()
            .get(&key("t/.entrepot-staging-00"))
            .await
            .is_err()
    );
    assert_eq!(
        store.sweep("t", Duration::from_secs(3600)).await.unwrap(),
        0
    );
    std::fs::File::open(&orphan)
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    assert_eq!(store.sweep("", Duration::from_secs(3600)).await.unwrap(), 1);
    assert!(!orphan.exists());
    assert_eq!(body(&*store.objects(), "t/a").await, b"a");
}

#[tokio::test]
async fn half_written_files_are_counted_until_nobody_can_be_at_them() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = file_store(folder.path());
    let objects = store.objects();
    objects.put(&key("t/a"), payload("a")).await.unwrap();
    let half = folder.path().join("lake/t/.entrepot-staging-00");
    std::fs::write(&half, "half").unwrap();
    let table = key("t");
    let ended = |before| store.end_unfinished(&table, before);
    let found = ended(Timestamp::from_millis(0)).await.unwrap();
    assert_eq!((found.aborted, found.left), (0, 1));
    assert!(half.exists());
    // Long after now.
    let found = ended(Timestamp::from_millis(32_503_680_000_000)).await;
    let found = found.unwrap();
    assert_eq!((found.aborted, found.left), (1, 0));
    assert!(!half.exists());
    assert_eq!(body(&*objects, "t/a").await, b"a");
}

#[tokio::test]
async fn empty_folders_go_and_their_names_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = file_store(folder.path());
    let objects = store.objects();
    for name in ["t/p=Erika/q=1/a", "t/p=Erika/b", "t/p=Max/a", "u/p=Erika/a"] {
        objects.put(&key(name), payload("a")).await.unwrap();
    }
    let lake = folder.path().join("lake");
    assert_eq!(store.tidy(&key("t")).await.unwrap(), 0);
    objects.delete(&key("t/p=Erika/q=1/a")).await.unwrap();
    assert_eq!(store.tidy(&key("t")).await.unwrap(), 1);
    assert!(lake.join("t/p=Erika/b").is_file() && !lake.join("t/p=Erika/q=1").exists());
    for name in ["t/p=Erika/b", "t/p=Max/a", "u/p=Erika/a"] {
        objects.delete(&key(name)).await.unwrap();
    }
    assert_eq!(store.tidy(&key("t")).await.unwrap(), 2);
    assert!(std::fs::read_dir(lake.join("t")).unwrap().next().is_none());
    assert!(lake.join("u/p=Erika").exists(), "it is another table's");
    assert_eq!(store.tidy(&key("nowhere")).await.unwrap(), 0);
    // And what comes back finds its place.
    objects.put(&key("t/p=Max/a"), payload("a")).await.unwrap();
    assert_eq!(body(&*objects, "t/p=Max/a").await, b"a");
}

#[tokio::test]
async fn names_are_kept_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = file_store(folder.path());
    let objects = store.objects();
    let mut expected: Vec<_> = NAMES.iter().map(|name| format!("t/{name}")).collect();
    for name in &expected {
        objects
            .put(&key(name), PutPayload::from(name.clone()))
            .await
            .unwrap();
    }
    expected.sort();
    assert_eq!(keys(&*objects, None).await, expected);
    for name in &expected {
        assert_eq!(body(&*objects, name).await, name.as_bytes());
        assert!(folder.path().join("lake").join(name).is_file());
    }
}

#[tokio::test]
async fn links_are_refused_by_every_operation_and_their_targets_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    let lake = folder.path().join("lake");
    std::fs::create_dir_all(lake.join("t")).unwrap();
    std::fs::write(lake.join("t/real"), "real").unwrap();
    symlink(outside.path().join("secret"), lake.join("t/file")).unwrap();
    symlink(outside.path(), lake.join("t/folder")).unwrap();
    symlink(lake.join("t/real"), lake.join("t/inside")).unwrap();
    symlink("/nowhere", lake.join("t/dangling")).unwrap();
    let (store, meter) = file_store(folder.path());
    let objects = store.objects();

    assert_eq!(keys(&*objects, None).await, ["t/real"]);
    assert_eq!(
        objects
            .list_with_delimiter(Some(&key("t")))
            .await
            .unwrap()
            .objects
            .len(),
        1
    );
    assert!(
        objects
            .list(Some(&key("t/folder")))
            .try_collect::<Vec<_>>()
            .await
            .is_err()
    );
    let escaped = |error: object_store::Error| {
        let error = StorageError::from(error);
        assert!(matches!(error, StorageError::Escape { .. }), "{error:?}");
    };
    for at in [
        "t/file",
        "t/folder/secret",
        "t/inside",
        "t/dangling",
        "t/folder/new",
    ] {
        let at = key(at);
        escaped(objects.get(&at).await.unwrap_err());
        escaped(objects.head(&at).await.unwrap_err());
        escaped(objects.get_range(&at, 0..1).await.unwrap_err());
        escaped(
            objects
                .get_ranges(&at, std::slice::from_ref(&(0..1)))
                .await
                .unwrap_err(),
        );
        escaped(objects.delete(&at).await.unwrap_err());
        escaped(objects.put(&at, payload("evil")).await.unwrap_err());
        escaped(
            objects
                .put_opts(&at, payload("evil"), PutMode::Create.into())
                .await
                .unwrap_err(),
        );
        escaped(objects.put_multipart(&at).await.unwrap_err());
        escaped(objects.copy(&at, &key("t/stolen")).await.unwrap_err());
        escaped(objects.copy(&key("t/real"), &at).await.unwrap_err());
        escaped(objects.rename(&at, &key("t/stolen")).await.unwrap_err());
        escaped(objects.rename(&key("t/real"), &at).await.unwrap_err());
        assert!(matches!(
            store.file(&at),
            Some(Err(StorageError::Escape { .. }))
        ));
        assert!(matches!(
            store.at("t/folder").unwrap().get(&key("secret")).await,
            Err(object_store::Error::PermissionDenied { .. })
        ));
    }
    assert_eq!(meter.received(), 0);
    assert_eq!(
        std::fs::read_to_string(outside.path().join("secret")).unwrap(),
        "secret"
    );
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(keys(&*objects, None).await, ["t/real"]);
    assert_eq!(store.sweep("", Duration::ZERO).await.unwrap(), 0);
}

#[tokio::test]
async fn a_storage_whose_own_folder_is_a_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), folder.path().join("lake")).unwrap();
    let (store, _) = file_store(folder.path());
    let error = StorageError::from(store.objects().get(&key("secret")).await.unwrap_err());
    assert!(matches!(error, StorageError::Escape { .. }));
}

#[tokio::test]
async fn a_folder_swapped_for_a_link_between_two_reads_gains_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("a"), "secret").unwrap();
    let (store, _) = file_store(folder.path());
    let objects = store.objects();
    objects.put(&key("t/a"), payload("mine")).await.unwrap();
    assert_eq!(body(&*objects, "t/a").await, b"mine");
    std::fs::rename(folder.path().join("lake/t"), folder.path().join("lake/old")).unwrap();
    symlink(outside.path(), folder.path().join("lake/t")).unwrap();
    assert!(matches!(
        StorageError::from(objects.get(&key("t/a")).await.unwrap_err()),
        StorageError::Escape { .. }
    ));
    assert!(matches!(
        StorageError::from(objects.delete(&key("t/a")).await.unwrap_err()),
        StorageError::Escape { .. }
    ));
    assert_eq!(
        std::fs::read_to_string(outside.path().join("a")).unwrap(),
        "secret"
    );
}

#[test]
fn file_storages_are_off_until_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let spec = spec(&format!("file://{}", folder.path().display()), None, "");
    let error = Stores::new(Limits::default()).check(&spec).unwrap_err();
    assert!(matches!(error, StorageError::NotAllowed { .. }), "{error}");
    let other = tempfile::tempdir().unwrap();
    let limits = Limits {
        file_roots: vec![other.path().to_owned()],
        ..Limits::default()
    };
    assert!(Stores::new(limits).open(&spec, &meter()).is_err());
}

#[tokio::test]
async fn one_place_is_enough_to_copy_within_a_store() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        file_roots: vec![folder.path().to_owned()],
        parallel_requests: 1,
        ..Limits::default()
    };
    let spec = spec(&format!("file://{}", folder.path().display()), None, "");
    let store = Stores::new(limits).open(&spec, &meter()).unwrap();
    let objects = store.objects();
    objects
        .put(&key("a"), PutPayload::from(vec![1; 3 << 20]))
        .await
        .unwrap();
    let mut source = objects.get(&key("a")).await.unwrap().into_stream();
    let mut upload = objects.put_multipart(&key("b")).await.unwrap();
    while let Some(chunk) = source.try_next().await.unwrap() {
        upload.put_part(chunk.into()).await.unwrap();
    }
    upload.complete().await.unwrap();
    assert_eq!(body(&*objects, "b").await.len(), 3 << 20);
}

#[tokio::test]
async fn the_doctor_examines_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = file_store(folder.path());
    let report = doctor::examine(&store, true).await;
    assert!(report.healthy(), "{report:#?}");
    for name in ["list", "write", "put_if_absent", "read", "delete", "parent"] {
        assert_eq!(report.check(name).unwrap().outcome, Outcome::Ok, "{name}");
    }
    assert_eq!(report.check("sign").unwrap().outcome, Outcome::Skipped);
    assert_eq!(keys(&*store.objects(), None).await, Vec::<String>::new());
    let json = serde_json::to_string(&report).unwrap();
    assert_eq!(
        serde_json::from_str::<doctor::Report>(&json).unwrap(),
        report
    );
    assert_eq!(
        doctor::examine(&store, false)
            .await
            .check("read")
            .unwrap()
            .outcome,
        Outcome::Skipped
    );
}
