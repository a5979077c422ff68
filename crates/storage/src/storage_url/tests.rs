use super::*;

#[test]
fn urls_round_trip_in_one_form() {
    for (text, canonical) in [
        ("s3://lake/aftersales", "s3://lake/aftersales"),
        ("s3a://lake/aftersales/", "s3://lake/aftersales"),
        ("s3://lake", "s3://lake"),
        ("s3://lake/", "s3://lake"),
        ("gs://lake/a b/ü", "gs://lake/a b/ü"),
        (
            "abfss://c01@acct.dfs.core.windows.net/x/y/",
            "abfss://c01@acct.dfs.core.windows.net/x/y",
        ),
        ("file:///srv/az_weu/", "file:///srv/az_weu"),
        (
            "share://Sharing.example:443/delta-sharing/",
            "share://sharing.example/delta-sharing",
        ),
        ("share://127.0.0.1:9000", "share://127.0.0.1:9000"),
    ] {
        let url = StorageUrl::parse(text).unwrap();
        assert_eq!(url.to_string(), canonical);
        assert_eq!(StorageUrl::parse(canonical).unwrap(), url);
    }
}

#[test]
fn a_folder_has_several_spellings() {
    for (root, folder, expected) in [
        (
            "s3://lake",
            "t",
            vec!["s3a://lake/t/", "s3n://lake/t/", "s3://lake/t/"],
        ),
        (
            "abfss://lake@account.dfs.core.windows.net/p",
            "",
            vec![
                "abfs://lake@account.dfs.core.windows.net/p/",
                "abfss://lake@account.dfs.core.windows.net/p/",
            ],
        ),
        ("gs://lake/p", "a/t", vec!["gs://lake/p/a/t/"]),
        (
            "file:///srv/x",
            "t",
            vec!["file:/srv/x/t/", "/srv/x/t/", "file:///srv/x/t/"],
        ),
    ] {
        let root = StorageUrl::parse(root).unwrap();
        assert_eq!(root.spellings(&Path::from(folder)), expected);
    }
}

#[test]
fn what_is_not_plain_is_refused() {
    for text in [
        "",
        "lake/a",
        "http://lake/a",
        "https://lake/a",
        "S3://lake/a",
        "s3:/lake/a",
        "s3://",
        "s3://B/a",
        "s3://B0B/a",
        "s3://b//a",
        "s3://lake//a",
        "s3://lake/a//b",
        "s3://lake/a/../b",
        "s3://lake/./a",
        "s3://lake/..",
        "s3://lake/%2e%2e/a",
        "s3://lake/a?x=1",
        "s3://lake/a#b",
        "s3://lake/a\\b",
        "s3://lake/a\0b",
        "s3://lake/a\u{200b}b",
        "s3://lake/a\u{202e}b",
        "s3://user@lake/a",
        "s3://lake:9000/a",
        "s3://-lake/a",
        "s3://la..ke/a",
        "s3://lake./a",
        "gs://",
        "gs://a",
        "abfss://c01@acct.blob.core.windows.net/x",
        "abfss://acct.dfs.core.windows.net/x",
        "abfss://c01@evil.example/x",
        "abfss://c01@acct.dfs.core.windows.net.evil.example/x",
        "abfss://c01@AC.dfs.core.windows.net/",
        "file://",
        "file:///",
        "file://host/share",
        "file://localhost/srv",
        "file:///srv/../etc",
        "file:///srv//x",
        "file:/srv",
        "share://",
        "share:///delta-sharing",
        "share://user@sharing.example/x",
        "share://sharing.example?x/y",
        "share://sharing.example\\x/y",
        "share://sharing.example/a/../b",
        "file:///srv/%2e%2e/etc",
        &format!("s3://lake/{}", "a/".repeat(600)),
    ] {
        assert!(StorageUrl::parse(text).is_err(), "{text:?} was taken");
    }
}

#[test]
fn a_profile_says_which_storage_it_opens() {
    let of = |endpoint: &str| {
        let url = StorageUrl::of_profile(&Url::parse(endpoint).unwrap());
        url.map(|url| url.to_string())
    };
    for (endpoint, url) in [
        (
            "https://sharing.example/delta-sharing/",
            "share://sharing.example/delta-sharing",
        ),
        ("http://sharing.example/x", "share://sharing.example:80/x"),
        ("http://127.0.0.1:9000", "share://127.0.0.1:9000"),
    ] {
        assert_eq!(of(endpoint).as_deref(), Ok(url), "{endpoint}");
        StorageUrl::parse(url).unwrap();
    }
    assert_eq!(of("file:///etc/passwd"), Err(UrlError::Share));
}

#[test]
fn overlap_is_on_the_boundary_of_parts() {
    let url = |text: &str| StorageUrl::parse(text).unwrap();
    for (a, b) in [
        ("s3://bbb/a", "s3://bbb/a"),
        ("s3://bbb/a", "s3://bbb/a/b"),
        ("s3://bbb/a", "s3a://bbb/a/"),
        ("s3://bbb", "s3://bbb/a"),
        ("gs://bbb/x", "gs://bbb"),
        ("file:///srv/x", "file:///srv"),
        ("file:///srv/x", "file:///srv/x/y"),
        (
            "abfss://ccc@acct.dfs.core.windows.net/a",
            "abfss://ccc@acct.dfs.core.windows.net/a/b",
        ),
    ] {
        assert!(
            url(a).overlaps(&url(b)) && url(b).overlaps(&url(a)),
            "{a} {b}"
        );
    }
    for (a, b) in [
        ("s3://bbb/a", "s3://bbb/ab"),
        ("s3://bbb/a", "s3://bbc/a"),
        ("s3://bbb/a", "gs://bbb/a"),
        ("file:///srv/x", "file:///srv/xy"),
        (
            "abfss://ccc@acct.dfs.core.windows.net/a",
            "abfss://ccd@acct.dfs.core.windows.net/a",
        ),
        (
            "abfss://ccc@acct.dfs.core.windows.net/a",
            "abfss://ccc@acct2.dfs.core.windows.net/a",
        ),
    ] {
        assert!(
            !url(a).overlaps(&url(b)) && !url(b).overlaps(&url(a)),
            "{a} {b}"
        );
    }
}
