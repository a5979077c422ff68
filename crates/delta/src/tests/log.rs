//! Versions, gaps, torn commits, time, updates, our own commits.

use model::Timestamp;

use super::*;
use crate::write::WriteError;
use crate::{LogError, Written, inspect};

fn add(path: &str) -> String {
    format!(
        r#"{{"add":{{"path":"{path}","partitionValues":{{}},"size":3,"modificationTime":1,"dataChange":true,"stats":"{{\"numRecords\":2}}"}}}}"#
    )
}

async fn five_commits() -> Arc<Probe> {
    let probe = Probe::memory();
    probe.put_commit(0, &[PROTOCOL, METADATA]).await;
    for version in 1..5 {
        probe
            .put_commit(version, &[&add(&format!("f{version}"))])
            .await;
    }
    probe
}

#[tokio::test]
async fn versions_and_time_travel() {
    let probe = five_commits().await;
    let table = probe.table();
    assert_eq!(table.latest_version().await.unwrap(), Some(4));
    assert_eq!(table.earliest_version().await.unwrap(), Some(0));
    for version in 0..5 {
        let snapshot = table.snapshot(Some(version)).await.unwrap();
        assert_eq!(snapshot.version, version);
        let paths: Vec<_> = snapshot.files.keys().map(|key| key.path.clone()).collect();
        assert_eq!(
            paths,
            (1..=version).map(|v| format!("f{v}")).collect::<Vec<_>>()
        );
        assert_eq!(
            (snapshot.bytes(), snapshot.rows()),
            (3 * version, Some(2 * version))
        );
    }
    for version in [5, u64::MAX] {
        let result = table.snapshot(Some(version)).await;
        assert!(
            matches!(
                result,
                Err(LogError::NoSuchVersion {
                    earliest: 0,
                    latest: 4
                })
            ),
            "{result:?}"
        );
        let result = table.commit(version).await;
        assert!(
            matches!(
                result,
                Err(LogError::NoSuchVersion {
                    earliest: 0,
                    latest: 4
                })
            ),
            "{result:?}"
        );
    }
    assert_eq!(table.commit(2).await.unwrap().actions.len(), 1);
}

#[tokio::test]
async fn nothing_is_not_a_table() {
    let probe = Probe::memory();
    assert_eq!(probe.table().latest_version().await.unwrap(), None);
    assert!(matches!(
        probe.table().snapshot(None).await,
        Err(LogError::NotATable)
    ));
    assert!(matches!(
        probe.table().commit(0).await,
        Err(LogError::NotATable)
    ));
    // Folders inside the log and temporary files are not commits.
    probe
        .put_log("_staged_commits/00000000000000000000.json", PROTOCOL)
        .await;
    probe
        .put_log("00000000000000000000.json.tmp", PROTOCOL)
        .await;
    probe.put_log("_last_checkpoint", r#"{"version":7}"#).await;
    assert_eq!(probe.table().latest_version().await.unwrap(), None);
}

#[tokio::test]
async fn a_gap_is_named() {
    let probe = five_commits().await;
    let before = probe.table().snapshot(Some(1)).await.unwrap();
    probe.delete_log(&commit_name(3)).await;
    let table = probe.table();
    for result in [
        table.snapshot(None).await,
        table.snapshot(Some(3)).await,
        table.update(&before).await,
    ] {
        assert!(
            matches!(result, Err(LogError::Gap { missing: 3 })),
            "{result:?}"
        );
    }
    assert!(matches!(
        table.latest_version().await,
        Err(LogError::Gap { missing: 3 })
    ));
    assert!(matches!(
        table.commit(3).await,
        Err(LogError::Gap { missing: 3 })
    ));
    assert_eq!(table.snapshot(Some(2)).await.unwrap().version, 2);
    let text = table.snapshot(None).await.unwrap_err().to_string();
    assert_eq!(
        text,
        "The log has a gap: version 3 is missing. Restore _delta_log/00000000000000000003.json."
    );
}

#[tokio::test]
async fn a_torn_commit_names_version_and_line() {
    for (body, at) in [
        (format!("{}\n{{\"add\":{{\"pa", add("x")), 2),
        (String::new(), 0),
        ("\u{0}\u{0}\u{0}".into(), 1),
        (format!("{}\n[]\n{}", add("x"), add("y")), 2),
    ] {
        let probe = five_commits().await;
        probe.put_log(&commit_name(5), body.clone()).await;
        match probe.table().snapshot(None).await {
            Err(LogError::Broken {
                version: 5, line, ..
            }) => assert_eq!(line, at, "{body}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn an_update_reads_new_commits_only() {
    let probe = five_commits().await;
    let table = probe.table();
    let old = table.snapshot(Some(2)).await.unwrap();
    probe.take_read();
    let new = table.update(&old).await.unwrap();
    assert_eq!(probe.take_read(), [commit_name(3), commit_name(4)]);
    assert_eq!(new.files, table.snapshot(None).await.unwrap().files);
    probe.take_read();
    assert_eq!(table.update(&new).await.unwrap().version, 4);
    assert_eq!(probe.take_read(), [""; 0]);
}

#[tokio::test]
async fn a_table_written_anew_is_read_anew() {
    let probe = five_commits().await;
    let table = probe.table();
    let old = table.snapshot(None).await.unwrap();
    for version in 0..5 {
        probe.delete_log(&commit_name(version)).await;
    }
    assert!(matches!(table.update(&old).await, Err(LogError::NotATable)));
    probe
        .put_commit(0, &[PROTOCOL, &METADATA.replace("5fba94ed", "another")])
        .await;
    assert_eq!(table.update(&old).await.unwrap().metadata.id, "another");
    for version in 1..6 {
        probe.put_commit(version, &[&add("other")]).await;
    }
    let new = table.update(&old).await.unwrap();
    assert_eq!(
        (new.metadata.id.as_str(), new.version, new.files.len()),
        ("another", 5, 1)
    );
}

#[tokio::test]
async fn when_a_version_was_committed() {
    let probe = five_commits().await;
    let table = probe.table();
    let by_file = table.snapshot(None).await.unwrap();
    assert_eq!(by_file.timestamp, by_file.modified);
    probe
        .put_commit(5, &[r#"{"commitInfo":{"timestamp":1000}}"#])
        .await;
    let by_writer = table.snapshot(None).await.unwrap();
    assert_eq!(by_writer.timestamp, Timestamp::from_millis(1000));
    assert!(by_writer.modified > by_writer.timestamp);
    assert_eq!(
        table.commit(5).await.unwrap().timestamp,
        Timestamp::from_millis(1000)
    );
    probe
        .put_commit(
            6,
            &[r#"{"commitInfo":{"timestamp":2000,"inCommitTimestamp":3000}}"#],
        )
        .await;
    assert_eq!(
        table.snapshot(None).await.unwrap().timestamp,
        Timestamp::from_millis(3000)
    );
}

#[tokio::test]
async fn commits_are_put_if_absent() {
    let body = |txn: &str, more: &str| {
        bytes::Bytes::from(format!(
            "{{\"commitInfo\":{{\"txnId\":\"{txn}\",\"x\":\"{more}\"}}}}\n"
        ))
    };
    let probe = five_commits().await;
    let table = probe.table();
    assert_eq!(
        table.write_commit(5, body("a", "1")).await.unwrap(),
        Written::Ours
    );
    assert_eq!(
        table.write_commit(5, body("a", "1")).await.unwrap(),
        Written::Ours
    );
    assert_eq!(
        table.write_commit(5, body("a", "2")).await.unwrap(),
        Written::Ours,
        "the same transaction, tried again"
    );
    assert_eq!(
        table.write_commit(5, body("b", "1")).await.unwrap(),
        Written::Taken
    );
    let there = probe
        .inner
        .get(&log_path(&commit_name(5)))
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(there, body("a", "1"));
    assert_eq!(
        table.write_commit(4, body("b", "1")).await.unwrap(),
        Written::Taken,
        "without commitInfo"
    );

    probe.break_puts(LOSE_ANSWER);
    assert_eq!(
        table.write_commit(6, body("c", "1")).await.unwrap(),
        Written::Ours,
        "it landed, the answer did not"
    );
    probe.break_puts(FAIL);
    assert_eq!(
        table.write_commit(6, body("d", "1")).await.unwrap(),
        Written::Taken
    );
    assert!(matches!(
        table.write_commit(7, body("d", "1")).await,
        Err(LogError::Storage(_))
    ));
}

#[tokio::test]
async fn features_decide_what_is_shared_and_what_is_cloned() {
    let protocol = |reader: u32, features: &str| {
        format!(
            r#"{{"protocol":{{"minReaderVersion":{reader},"minWriterVersion":7,"readerFeatures":[{features}],"writerFeatures":[{features}]}}}}"#
        )
    };
    let mapped = METADATA.replace(
        r#""configuration":{}"#,
        r#""configuration":{"delta.columnMapping.mode":"name"}"#,
    );
    let sorted = mapped.replace(r#":"name""#, r#":"alphabet""#);
    let with_dv = r#"{"add":{"path":"x","size":1,"deletionVector":{"storageType":"i","pathOrInlineDv":"q","cardinality":1}}}"#;
    for (protocol, metadata, file, shared, cloned) in [
        (PROTOCOL.to_owned(), METADATA, "{}", None, None),
        (protocol(3, r#""timestampNtz""#), METADATA, "{}", None, None),
        (protocol(3, ""), METADATA, "{}", None, None),
        (protocol(2, ""), METADATA, "{}", None, None),
        (protocol(2, ""), &mapped, "{}", None, None),
        (
            protocol(3, r#""timestampNtz","deletionVectors""#),
            METADATA,
            "{}",
            None,
            None,
        ),
        (
            protocol(3, r#""v2Checkpoint""#),
            METADATA,
            "{}",
            None,
            None,
        ),
        (
            protocol(3, r#""typeWidening-preview""#),
            METADATA,
            "{}",
            None,
            None,
        ),
        (
            protocol(3, r#""variantType","variantShredding""#),
            METADATA,
            "{}",
            None,
            None,
        ),
        (
            PROTOCOL.to_owned(),
            METADATA,
            with_dv,
            None,
            Some("deletionVectors"),
        ),
        (
            r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["appendOnly","icebergCompatV9"]}}"#.to_owned(),
            METADATA,
            "{}",
            None,
            Some("icebergCompatV9"),
        ),
        (
            protocol(3, r#""deletionVectors","catalogManaged""#),
            METADATA,
            "{}",
            Some("catalogManaged"),
            Some("catalogManaged"),
        ),
        (
            protocol(2, ""),
            &sorted,
            "{}",
            Some("columnMapping"),
            Some("columnMapping"),
        ),
    ] {
        let probe = Probe::memory();
        probe.put_commit(0, &[&protocol, metadata, file]).await;
        let support = inspect(&probe.table()).await.unwrap().support;
        let said = (support.refused_for(), support.clone_refused_for());
        assert_eq!(said, (shared, cloned), "{protocol}");
        assert_eq!(support.is_full(), cloned.is_none());
        assert!(cloned.is_none_or(|name| support.to_string().contains(name)));
    }
    // How columns are found in files stands in no feature, and decides whether there are cuts.
    let by_id = mapped.replace(r#":"name""#, r#":"id""#);
    for (metadata, is) in [(&mapped, false), (&by_id, true)] {
        let probe = Probe::memory();
        probe.put_commit(0, &[&protocol(2, ""), metadata]).await;
        let features = inspect(&probe.table()).await.unwrap().features;
        assert_eq!(features.contains(model::dto::MAPPED_BY_ID), is);
    }
    for (protocol, name) in [
        (protocol(3, r#""hologram""#), "hologram"),
        (protocol(4, ""), "reader version 4"),
    ] {
        let probe = Probe::memory();
        probe.put_commit(0, &[&protocol, METADATA]).await;
        let error = inspect(&probe.table()).await.unwrap_err();
        assert!(
            matches!(error, LogError::UnknownFeature { .. }) && error.to_string().contains(name),
            "{error}"
        );
    }
}

#[test]
fn store_errors_are_told_without_the_stores_own_words() {
    let secret = "https://store/x?sig=SECRET";
    let source = || -> Box<dyn std::error::Error + Send + Sync> { secret.into() };
    for error in [
        Error::Generic {
            store: "S3",
            source: source(),
        },
        Error::NotFound {
            path: secret.into(),
            source: source(),
        },
        Error::PermissionDenied {
            path: secret.into(),
            source: source(),
        },
        Error::Unauthenticated {
            path: secret.into(),
            source: source(),
        },
    ] {
        let text = WriteError::from(error).to_string();
        assert!(!text.contains("SECRET") && text.ends_with('.'), "{text}");
    }
}
