use super::*;

fn endpoints(entries: &[&str]) -> Endpoints {
    Endpoints::new(
        &entries
            .iter()
            .map(|&entry| entry.to_owned())
            .collect::<Vec<_>>(),
    )
}

#[test]
fn entries_allow_what_they_say() {
    let list = endpoints(&[
        "127.0.0.1:9000",
        "[::1]:9000",
        "minio.intern",
        "*.store.example",
        "nonsense/x",
        "*.",
        "*",
    ]);
    for good in [
        "http://127.0.0.1:9000",
        "http://127.0.0.1:9000/",
        "http://[::1]:9000",
        "http://minio.intern:1",
        "https://minio.intern",
        "https://a.store.example",
        "https://a.b.store.example:8443",
        "https://MINIO.intern",
    ] {
        list.check(&Url::parse(good).unwrap()).unwrap();
    }
    for bad in [
        "http://127.0.0.1:9001",
        "http://127.0.0.2:9000",
        "http://a.store.example",
        "https://store.example",
        "https://astore.example",
        "https://a.store.example.evil.example",
        "https://minio.intern.",
        "https://x.minio.intern",
        "https://user@minio.intern",
        "https://user:pw@minio.intern",
        "https://minio.intern?x",
        "https://minio.intern#x",
        "ftp://minio.intern",
        "https://s3.eu-central-1.amazonaws.com.evil.example",
    ] {
        assert!(list.check(&Url::parse(bad).unwrap()).is_err(), "{bad}");
    }
}

#[test]
fn addresses_are_public_or_not_however_they_are_written() {
    for private in [
        "127.0.0.1",
        "127.8.8.8",
        "10.1.1.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "0.0.0.0",
        "0.1.2.3",
        "168.63.129.16",
        "255.255.255.255",
        "224.0.0.1",
        "198.18.0.1",
        "192.0.0.192",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
    ] {
        assert!(!is_public(private.parse().unwrap()), "{private}");
    }
    for public in [
        "52.219.140.1",
        "8.8.8.8",
        "2a05:d050::1",
        "::ffff:8.8.8.8",
        "2606:4700::1",
    ] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
}

#[test]
fn connecting_is_judged_by_name_and_address() {
    let list = endpoints(&["127.0.0.1:9000", "minio.intern:9000", "*.store.example"]);
    let may = |host: &str, address: &str| list.may_connect(host, address.parse().unwrap());
    assert!(may("minio.intern", "10.0.0.5"));
    assert!(may("a.store.example", "8.8.8.8"));
    assert!(!may("a.store.example", "10.0.0.5"));
    assert!(!may("a.store.example", "::ffff:127.0.0.1"));
    assert!(may("bucket.s3.eu-central-1.amazonaws.com", "10.0.0.5"));
    assert!(!may(
        "bucket.s3.eu-central-1.amazonaws.com",
        "169.254.169.254"
    ));
    assert!(!may("acct.blob.core.windows.net", "127.0.0.1"));
    assert!(!may("acct.blob.core.windows.net", "fd00:ec2::254"));
    assert!(!may("ec2-1-2-3-4.compute.amazonaws.com", "8.8.8.8"));
    assert!(!may("evil.example", "8.8.8.8"));
    // Where tokens are given is no store.
    for service in [
        "sts.eu-central-1.amazonaws.com",
        "oauth2.googleapis.com",
        "sts.googleapis.com",
        "login.microsoftonline.com",
    ] {
        assert!(may(service, "8.8.8.8") && may(service, "10.0.0.5"));
        assert!(!may(service, "169.254.169.254") && !may(service, "127.0.0.1"));
        assert!(!may(&format!("{service}.evil.example"), "8.8.8.8"));
        let named = Url::parse(&format!("https://{service}")).unwrap();
        assert!(Endpoints::new(&[]).check(&named).is_err(), "{service}");
    }
}

#[test]
fn addresses_that_are_handed_out_lead_to_stores_alone() {
    let list = endpoints(&["127.0.0.1:9000", "*.store.example"]);
    let may = |url: &str| list.check_handed_out(&Url::parse(url).unwrap()).is_ok();
    for good in [
        "https://b.s3.eu-central-1.amazonaws.com/x?X-Amz-Signature=1",
        "https://b.s3.amazonaws.com/x",
        "https://s3.amazonaws.com/b/x",
        "https://b.s3-us-west-2.amazonaws.com/x",
        "https://acct.dfs.core.windows.net/c/x?sig=1",
        "https://storage.googleapis.com/b/x",
        "https://eu.store.example/x",
        "http://127.0.0.1:9000/x",
    ] {
        assert!(may(good), "{good}");
    }
    for bad in [
        "http://b.s3.eu-central-1.amazonaws.com/x",
        "http://eu.store.example/x",
        "https://evil.example/x",
        "https://s3.amazonaws.com.evil.example/x",
        "https://ec2-1-2-3-4.compute-1.amazonaws.com/x",
        "https://bs3.amazonaws.com/x",
        "https://user:pw@eu.store.example/x",
        "http://127.0.0.1:9001/x",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "file:///etc/passwd",
    ] {
        assert!(!may(bad), "{bad}");
    }
}

#[test]
fn folders_must_lie_in_an_allowed_root() {
    let folder = tempfile::tempdir().unwrap();
    let roots = FileRoots::new(&[folder.path().to_owned()]);
    let below = roots.locate(&folder.path().join("a/b")).unwrap();
    assert_eq!(below.parts, ["a", "b"]);
    assert_eq!(
        roots.locate(folder.path()).unwrap().parts,
        Vec::<String>::new()
    );
    for bad in [
        "/etc",
        "/",
        &format!("{}x", folder.path().display()),
        &format!("{}/../x", folder.path().display()),
    ] {
        assert!(roots.locate(Path::new(bad)).is_err(), "{bad}");
    }
    assert!(FileRoots::new(&[]).locate(Path::new("/srv/x")).is_err());
}
