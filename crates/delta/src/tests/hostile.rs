//! One malicious table per action (controls C-12, C-13), and the bombs of the threat model (C-18).

use object_store::local::LocalFileSystem;

use super::*;
use crate::{LogError, inspect};

/// A table on disk whose neighbour must not be reached.
async fn on_disk() -> (tempfile::TempDir, Arc<Probe>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("table")).unwrap();
    std::fs::write(folder.path().join("secret.parquet"), "secret").unwrap();
    let store = LocalFileSystem::new_with_prefix(folder.path().join("table")).unwrap();
    let probe = Probe::new(Arc::new(store));
    probe.put_commit(0, &[PROTOCOL, METADATA]).await;
    (folder, probe)
}

#[tokio::test]
async fn one_malicious_table_per_action() {
    let uuid = "^-aqEH.-t@S}K{vb[*k^";
    let paths = [
        "../secret.parquet",
        "%2e%2e/secret.parquet",
        "%252e%252e/secret.parquet",
        "/etc/passwd",
        "file:///etc/passwd",
        "s3://other/x",
        "a\\\\..\\\\x",
        "a//x",
    ];
    for path in paths {
        let dv = |kind: &str, place: &str| {
            format!(
                r#""deletionVector":{{"storageType":"{kind}","pathOrInlineDv":"{place}","offset":1,"sizeInBytes":1,"cardinality":1}}"#
            )
        };
        for (action, line) in [
            ("add", format!(r#"{{"add":{{"path":"{path}","size":1}}}}"#)),
            (
                "remove",
                format!(r#"{{"remove":{{"path":"{path}","dataChange":true}}}}"#),
            ),
            ("cdc", format!(r#"{{"cdc":{{"path":"{path}","size":1}}}}"#)),
            (
                "sidecar",
                format!(r#"{{"sidecar":{{"path":"{path}","sizeInBytes":1}}}}"#),
            ),
            (
                "deletionVector",
                format!(r#"{{"add":{{"path":"x","size":1,{}}}}}"#, dv("p", path)),
            ),
            (
                "deletionVector",
                format!(
                    r#"{{"add":{{"path":"x","size":1,{}}}}}"#,
                    dv("u", &format!("{path}/{uuid}"))
                ),
            ),
            (
                "deletionVector",
                format!(
                    r#"{{"remove":{{"path":"x",{}}}}}"#,
                    dv("u", &format!("{path}/{uuid}"))
                ),
            ),
        ] {
            let (_folder, probe) = on_disk().await;
            let table = probe.table();
            let clean = table.snapshot(None).await.unwrap();
            probe
                .put_commit(1, &[r#"{"add":{"path":"good","size":1}}"#, &line])
                .await;
            let results = [
                table.snapshot(None).await.map(|_| ()),
                table.update(&clean).await.map(|_| ()),
                table.commit(1).await.map(|_| ()),
                inspect(&table).await.map(|_| ()),
            ];
            for result in results {
                match result {
                    Err(LogError::Escape {
                        version: 1,
                        action: found,
                        ..
                    }) => assert_eq!(found, action),
                    other => panic!("{line}: {other:?}"),
                }
            }
            // The version before is as good as ever.
            assert_eq!(table.snapshot(Some(0)).await.unwrap().version, 0);
        }
    }
}

#[tokio::test]
async fn the_message_shows_the_path_cut_and_clean() {
    let probe = Probe::memory();
    let path = format!("../\\u001b[31m\\u202e{}", "x".repeat(5000));
    let line = format!(r#"{{"add":{{"path":"{path}","size":1}}}}"#);
    probe.put_commit(0, &[PROTOCOL, METADATA, &line]).await;
    let text = probe.table().snapshot(None).await.unwrap_err().to_string();
    assert!(
        text.starts_with(
            "Version 0 of the log names a file outside the table in an action 'add': \"../"
        ),
        "{text}"
    );
    assert!(
        text.len() < 600 && !text.contains(['\u{1b}', '\u{202e}']),
        "{text}"
    );
}

#[tokio::test]
async fn deep_nesting_does_not_overflow_the_stack() {
    let deep = |name: &str| {
        format!(
            r#"{{"{name}":{}{}}}"#,
            "[".repeat(200_000),
            "]".repeat(200_000)
        )
    };
    let probe = Probe::memory();
    probe
        .put_commit(0, &[PROTOCOL, METADATA, &deep("unknown")])
        .await;
    assert_eq!(
        probe.table().snapshot(None).await.unwrap().version,
        0,
        "what is not known is not even looked at"
    );
    for inside in ["commitInfo", "add"] {
        let probe = Probe::memory();
        probe
            .put_commit(0, &[PROTOCOL, METADATA, &deep(inside)])
            .await;
        let result = probe.table().snapshot(None).await;
        assert!(
            matches!(
                result,
                Err(LogError::Broken {
                    version: 0,
                    line: 3,
                    ..
                })
            ),
            "{inside}: {result:?}"
        );
    }
    let probe = Probe::memory();
    let schema = format!(
        "{}{}",
        r#"{\"type\":\"array\",\"elementType\":"#.repeat(10_000),
        "}".repeat(10_000)
    );
    let metadata = METADATA.replace(r#"\"long\""#, &schema);
    probe.put_commit(0, &[PROTOCOL, &metadata]).await;
    assert!(matches!(
        inspect(&probe.table()).await,
        Err(LogError::Schema { .. })
    ));
}

#[tokio::test]
async fn large_lines_commits_and_logs_are_refused() {
    let probe = Probe::memory();
    let line = format!(r#"{{"commitInfo":{{"x":"{}"}}}}"#, "x".repeat(100_000));
    probe.put_commit(0, &[PROTOCOL, METADATA, &line]).await;
    let all = Budgets::default();
    for (budgets, expected) in [
        (
            Budgets {
                line_bytes: 50_000,
                ..all.clone()
            },
            "bytes of a line",
        ),
        (
            Budgets {
                commit_bytes: 50_000,
                ..all.clone()
            },
            "bytes of a commit",
        ),
        (
            Budgets {
                total_log_bytes: 50_000,
                ..all.clone()
            },
            "bytes of the log",
        ),
        (
            Budgets {
                log_objects: 0,
                ..all.clone()
            },
            "objects in the log",
        ),
    ] {
        match Table::new(probe.clone(), budgets).snapshot(None).await {
            Err(LogError::Budget { what, .. }) => assert_eq!(what, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let table = Table::new(
        probe.clone(),
        Budgets {
            commit_actions: 2,
            ..all
        },
    );
    assert!(matches!(
        table.commit(0).await,
        Err(LogError::Budget {
            what: "actions of a commit",
            ..
        })
    ));
}
