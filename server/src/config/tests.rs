//! Configuration from file, environment and flags; what is refused and how.

use super::keys::KEYS;
use super::*;

fn environment(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

pub(super) fn load(file: &str, pairs: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(file_of(folder.path()), file).unwrap();
    let flags = Flags {
        data: Some(folder.path().to_owned()),
        ..Flags::default()
    };
    Settings::from_parts(&flags, environment(pairs))
}

#[test]
fn nothing_at_all_is_enough() {
    let settings = load("", &[]).unwrap();
    assert_eq!(settings.addr.to_string(), "127.0.0.1:3000");
    assert_eq!(settings.public_url, None);
    assert!(settings.is_embedded());
    assert!(settings.storage.file_roots.is_empty());
    assert_eq!(settings.metrics_addr, None);
}

#[test]
fn the_environment_overrides_the_file_and_flags_both() {
    let file = "[server]\naddr = \"127.0.0.1:1\"\n[storage]\nparallel_requests = 3\n[location]\ncloud = \"aws\"\nregion = \"eu-central-1\"\n";
    let pairs = [
        ("ENTREPOT__SERVER__ADDR", "127.0.0.1:2"),
        ("ENTREPOT__STORAGE__FILE_ROOTS", "/srv/a,/srv/b"),
        ("ENTREPOT__SERVER__TRUSTED_PROXIES", "10.0.0.1"),
        ("ENTREPOT_TOKEN", "not ours to read"),
    ];
    let settings = load(file, &pairs).unwrap();
    assert_eq!(settings.addr.port(), 2);
    assert_eq!(settings.storage.parallel_requests, 3);
    assert_eq!(
        settings.storage.file_roots,
        [PathBuf::from("/srv/a"), PathBuf::from("/srv/b")]
    );
    assert_eq!(settings.trusted_proxies.len(), 1);
    assert_eq!(
        settings.location.map(|location| location.to_string()),
        Some("aws:eu-central-1".to_owned())
    );
    let flags = Flags {
        data: Some(PathBuf::from("/nowhere")),
        addr: Some(SocketAddr::from(([127, 0, 0, 1], 9))),
        ..Flags::default()
    };
    let settings = Settings::from_parts(&flags, environment(&pairs)).unwrap();
    assert_eq!(settings.addr.port(), 9);
}

#[test]
fn wrong_keys_and_values_are_named() {
    type Case = (
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static str,
    );
    let cases: &[Case] = &[
        (
            "[server]\nadr = \"x\"",
            &[],
            "unknown key `server.adr` in the configuration; did you mean `server.addr`?",
        ),
        ("[sever]\naddr = \"x\"", &[], "did you mean `server.addr`?"),
        ("url = \"x\"", &[], "did you mean `mail.tls`?"),
        (
            "",
            &[("ENTREPOT__DATABASE__URI", "x")],
            "did you mean `database.url`?",
        ),
        (
            "[server]\naddr = \"x\"",
            &[],
            "server.addr: give address and port",
        ),
        ("[server\naddr", &[], "cannot be read"),
        ("[server]\nconnections = \"many\"", &[], "connections"),
        (
            "[telemetry]\nformat = \"xml\"",
            &[],
            "telemetry.format: json or text",
        ),
        ("[location]\ncloud = \"aws\"", &[], "location: give both"),
        (
            "[server]\naddr = \"127.0.0.1:1\"\nmetrics_addr = \"127.0.0.1:1\"",
            &[],
            "server.metrics_addr: must differ",
        ),
        (
            "[database]\nurl = \"postgres://localhost/x\"",
            &[],
            "keys.file: with PostgreSQL",
        ),
        (
            "[server]\naddr = \"0.0.0.0:3000\"",
            &[],
            "server.public_url: say under which https address",
        ),
        (
            "[server]\naddr = \"0.0.0.0:3000\"\nallow_http = true",
            &[],
            "server.public_url: say under which https address",
        ),
        (
            "[server]\naddr = \"[::]:3000\"\nallow_http = true",
            &[],
            "server.public_url: say under which https address",
        ),
        (
            "[database]\nurl = \"mysql://me:s3cr3t@db/x\"",
            &[],
            "database.url: `mysql` is no database that Entrepôt knows: write sqlite://FILE or postgres://",
        ),
        (
            "",
            &[("ENTREPOT__DATABASE__URL", "file:///data/x.db")],
            "database.url: `file` is no database",
        ),
        (
            "[database]\nconnections = 1",
            &[],
            "database.connections: from 2 to 1000",
        ),
        (
            "[storage]\ntable_files = 999",
            &[],
            "storage.table_files: from 1000 to 50000000",
        ),
        (
            "[sharing]\ntoken_days = 366",
            &[],
            "sharing.token_days: from 1 to 365",
        ),
        (
            "[sharing]\ntoken_days = 0",
            &[],
            "sharing.token_days: from 1 to 365",
        ),
        (
            "[sharing]\nurl_minutes = 61",
            &[],
            "sharing.url_minutes: from 15 to 60",
        ),
        (
            "[sharing]\nurl_minutes = 14",
            &[],
            "sharing.url_minutes: from 15 to 60",
        ),
        (
            "",
            &[("ENTREPOT__SHARING__LOG_DAYS", "0")],
            "sharing.log_days: from 1 to 3650",
        ),
        (
            "[sharing]\nrequests_per_second = 0",
            &[],
            "sharing.requests_per_second: from 1",
        ),
    ];
    for (file, pairs, expected) in cases {
        let found = load(file, pairs).unwrap_err().to_string();
        assert!(found.contains(expected), "{file}: {found}");
        assert!(!found.contains("s3cr3t"), "{file}: {found}");
    }
}

/// C-28: how long a recipient's token and a URL live is the installation's to say, within bounds.
#[test]
fn lifetimes_are_configured() {
    let sharing = load("", &[]).unwrap().sharing;
    assert_eq!(
        sharing,
        SharingSettings {
            token_lifetime: 90 * DAY,
            url_lifetime: HOUR,
            query_log_kept: 90 * DAY,
            requests_per_second: 100,
            states_kept: 256 << 20,
            issuers: Vec::new(),
        }
    );
    let file = "[sharing]\ntoken_days = 30\nurl_minutes = 15\nlog_days = 400\nrequests_per_second = 7\ncache_mib = 0\n";
    let pairs = [("ENTREPOT__SHARING__TOKEN_DAYS", "365")];
    let sharing = load(file, &pairs).unwrap().sharing;
    assert_eq!(
        sharing,
        SharingSettings {
            token_lifetime: 365 * DAY,
            url_lifetime: 15 * MINUTE,
            query_log_kept: 400 * DAY,
            requests_per_second: 7,
            states_kept: 0,
            issuers: Vec::new(),
        }
    );
}

#[test]
fn the_database_is_a_file_or_postgres() {
    for (url, file) in [
        ("sqlite:///srv/x.db", Some("/srv/x.db")),
        ("/srv/x.db", Some("/srv/x.db")),
        ("postgres://db/x", None),
        ("postgresql://db/x", None),
    ] {
        let text = format!("[database]\nurl = \"{url}\"\n[keys]\nfile = \"/srv/keys\"\n");
        let settings = load(&text, &[]).unwrap();
        assert_eq!(settings.database_file(), file.map(Path::new), "{url}");
        assert_eq!(settings.database_connections, 16, "{url}");
    }
    let fewer = load("", &[("ENTREPOT__DATABASE__CONNECTIONS", "4")]).unwrap();
    assert_eq!(fewer.database_connections, 4);
}

#[cfg(unix)]
#[test]
fn variables_of_others_may_hold_anything() {
    use std::os::unix::ffi::OsStringExt as _;

    let bytes = |text: &[u8]| OsString::from_vec(text.to_vec());
    let variable = |key: &[u8], value: &[u8]| (bytes(key), bytes(value));
    let others = [
        variable(b"LS_COLORS", b"\xff\xfe"),
        variable(b"\xc3\x28", b"x"),
        variable(b"ENTREPOT__SERVER__ADDR", b"127.0.0.1:9"),
    ];
    let found = texts(others.into_iter()).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found["ENTREPOT__SERVER__ADDR"], "127.0.0.1:9");
    let ours = [variable(b"ENTREPOT__DATABASE__URL", b"postgres://\xff")];
    let error = texts(ours.into_iter()).unwrap_err().to_string();
    assert!(error.contains("ENTREPOT__DATABASE__URL"), "{error}");
}

/// C-57: https, or loopback, or the explicit flag.
#[test]
fn the_public_url_is_https_or_says_why_not() {
    let cases = [
        (
            "https://data.example.org",
            false,
            Some("https://data.example.org"),
        ),
        (
            "https://data.example.org/",
            false,
            Some("https://data.example.org"),
        ),
        (
            "https://Data.Example.org:443",
            false,
            Some("https://data.example.org"),
        ),
        (
            "https://data.example.org:8443",
            false,
            Some("https://data.example.org:8443"),
        ),
        (
            "http://127.0.0.1:3000",
            false,
            Some("http://127.0.0.1:3000"),
        ),
        ("http://[::1]:3000", false, Some("http://[::1]:3000")),
        (
            "http://localhost:3000",
            false,
            Some("http://localhost:3000"),
        ),
        ("http://data.example.org", false, None),
        (
            "http://data.example.org",
            true,
            Some("http://data.example.org"),
        ),
        ("http://127.0.0.1.evil.org", false, None),
        ("http://localhost.evil.org", false, None),
        ("ftp://127.0.0.1", true, None),
        ("https://data.example.org/path", false, None),
        ("https://user@data.example.org", false, None),
        ("data.example.org", true, None),
    ];
    for (text, allow_http, expected) in cases {
        let found = PublicUrl::parse(text, allow_http).ok();
        assert_eq!(found.as_ref().map(PublicUrl::as_str), expected, "{text}");
    }
}

#[test]
fn every_key_of_the_list_is_read() {
    // A key that is listed but not read would be refused by serde with another message.
    let samples = |key: &str| match key {
        "server.addr" | "server.metrics_addr" => "\"127.0.0.1:7\"",
        "server.public_url" => "\"https://x.example\"",
        "server.allow_http" => "true",
        "server.trusted_proxies"
        | "storage.file_roots"
        | "storage.endpoints"
        | "oidc.scopes"
        | "oidc.groups"
        | "sharing.issuers" => "[]",
        "oidc.issuer" => "\"https://id.example\"",
        "oidc.client_id" | "oidc.client_secret" | "oidc.groups_claim" | "oidc.title" => "\"x\"",
        "oidc.known_people_only" | "oidc.trust_email" => "true",
        "location.cloud" | "location.region" => "\"aws\"",
        "telemetry.format" => "\"json\"",
        "worker.engine" => "\"process\"",
        "worker.elsewhere" => "true",
        "sharing.url_minutes" => "30",
        "storage.table_files" => "1000",
        "mail.server" => "\"mail.example.org\"",
        "mail.tls" => "\"implicit\"",
        "mail.from" | "mail.reply_to" => "\"entrepot@example.org\"",
        "mail.allow_plain" | "webhook.allow_private" => "true",
        "mail.user" | "mail.password" => "\"x\"",
        "webhook.url" => "\"https://hooks.example.org\"",
        "webhook.secret" | "scanning.secret" => "\"0123456789abcdef0123456789abcdef\"",
        "scanning.proof" => "\"bearer\"",
        "server.site" | "database.url" | "keys.file" | "telemetry.filter" => "\"x\"",
        _ => "7",
    };
    let mut file = String::new();
    for (section, keys) in KEYS {
        file.push_str(&format!("[{section}]\n"));
        // Files are read when the configuration is: they have tests of their own.
        let is_file = |key: &&&str| {
            [
                "ca_file",
                "password_file",
                "secret_file",
                "client_secret_file",
            ]
            .contains(*key)
        };
        for key in keys.iter().filter(|key| !is_file(key)) {
            let value = if *key == "metrics_addr" {
                "\"127.0.0.1:8\""
            } else {
                samples(&format!("{section}.{key}"))
            };
            file.push_str(&format!("{key} = {value}\n"));
        }
    }
    load(&file, &[]).unwrap();
}

#[test]
fn mail_and_webhook_are_off_until_somebody_configures_them() {
    let settings = load("", &[]).unwrap();
    assert!(settings.mail.is_none() && settings.webhook.is_none());
    let file = "[mail]\nserver = \"smtp.example.org\"\nfrom = \"Entrepôt <entrepot@example.org>\"\nuser = \"entrepot\"\n\
                [webhook]\nurl = \"https://hooks.example.org/x\"\n";
    let pairs = [
        // Of digits: no number.
        ("ENTREPOT__MAIL__PASSWORD", "007"),
        (
            "ENTREPOT__WEBHOOK__SECRET",
            "1234567890123456789012345678901234567890",
        ),
    ];
    let settings = load(file, &pairs).unwrap();
    let shown = format!("{settings:?}");
    assert!(!shown.contains("007") && !shown.contains("12345678901"));
    assert!(!shown.contains("/x\""), "{shown}");
    let mail = settings.mail.unwrap();
    assert_eq!((mail.port, mail.tls), (587, MailTls::StartTls));
    let (_, password) = mail.credentials.unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&password), "007");
    let webhook = settings.webhook.unwrap();
    assert_eq!(webhook.key.len(), 40);
    assert!(!webhook.allow_private);
}

#[test]
fn mail_that_could_be_read_on_the_way_has_to_be_meant() {
    let mail = |more: &str| format!("[mail]\nfrom = \"e@example.org\"\n{more}\n");
    for (more, port, tls) in [
        ("server = \"m.example\"", 587, MailTls::StartTls),
        (
            "server = \"m.example\"\ntls = \"implicit\"",
            465,
            MailTls::Implicit,
        ),
        ("server = \"localhost\"\ntls = \"none\"", 25, MailTls::None),
        (
            "server = \"127.0.0.1\"\ntls = \"none\"\nport = 2525",
            2525,
            MailTls::None,
        ),
        (
            "server = \"m.example\"\ntls = \"none\"\nallow_plain = true",
            25,
            MailTls::None,
        ),
    ] {
        let found = load(&mail(more), &[]).unwrap().mail.unwrap();
        assert_eq!((found.port, found.tls), (port, tls), "{more}");
    }
    for (more, key) in [
        ("", "mail.server"),
        ("server = \"m.example\"\ntls = \"none\"", "mail.tls"),
        ("server = \"m.example\"\ntls = \"off\"", "mail.tls"),
        ("server = \"m.example:25\"", "mail.server"),
        ("server = \"m.example\"\nuser = \"e\"", "mail.password"),
        ("server = \"m.example\"\npassword = \"e\"", "mail.user"),
        (
            "server = \"m.example\"\nuser = \"e\"\npassword_file = \"/nowhere\"",
            "mail.password_file",
        ),
        (
            "server = \"m.example\"\nca_file = \"/nowhere\"",
            "mail.ca_file",
        ),
        (
            "server = \"m.example\"\nreply_to = \"a b\"",
            "mail.reply_to",
        ),
    ] {
        let error = load(&mail(more), &[]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{key}: ")), "{more}: {error}");
    }
    let error = load("[mail]\nserver = \"m.example\"\n", &[]).unwrap_err();
    assert!(error.to_string().starts_with("mail.from: "), "{error}");
}

#[test]
fn the_webhook_is_https_signed_and_not_within() {
    const SECRET: &str = "secret = \"0123456789abcdef0123456789abcdef\"";
    let load = |url: &str, more: &str| load(&format!("[webhook]\nurl = \"{url}\"\n{more}\n"), &[]);
    for url in [
        "https://hooks.example.org",
        "https://hooks.example.org:8443/a?b=c",
        "https://8.8.8.8/",
        "http://127.0.0.1:9/x",
        "http://[::1]:9/x",
        "http://localhost:9/x",
    ] {
        assert!(load(url, SECRET).unwrap().webhook.is_some(), "{url}");
    }
    for url in [
        "http://hooks.example.org",
        "http://10.0.0.5/",
        "https://10.0.0.5/",
        "https://169.254.169.254/",
        "https://[fd00::1]/",
        "https://user@hooks.example.org",
        "https://user:s3cr3t@hooks.example.org",
        "https://hooks.example.org/#x",
        "ftp://hooks.example.org",
        "hooks.example.org",
    ] {
        let error = load(url, SECRET).unwrap_err().to_string();
        assert!(error.starts_with("webhook.url: "), "{url}: {error}");
        assert!(!error.contains("s3cr3t"), "{error}");
    }
    let private = format!("{SECRET}\nallow_private = true");
    assert!(load("https://10.0.0.5/", &private).is_ok());
    // Never a machine's own network or a cloud's metadata service.
    for url in [
        "https://169.254.169.254/",
        "https://[fe80::1]/",
        "https://[fd00:ec2::254]/",
        "https://168.63.129.16/",
    ] {
        let error = load(url, &private).unwrap_err().to_string();
        assert!(error.starts_with("webhook.url: "), "{url}: {error}");
    }
    for more in [
        "",
        "secret = \"short\"",
        "secret = \"whsec_short\"",
        "secret = \"whsec_?\"",
    ] {
        let error = load("https://hooks.example.org", more)
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("webhook.secret: "), "{more}: {error}");
    }
    let nowhere = load("https://hooks.example.org", "secret_file = \"/nowhere\"");
    let error = nowhere.unwrap_err().to_string();
    assert!(error.starts_with("webhook.secret_file: "), "{error}");
    let encoded = "secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"";
    let found = load("https://hooks.example.org", encoded).unwrap().webhook;
    assert_eq!(found.unwrap().key, b"0123456789abcdef0123456789abcdef");
    let error = super::tests::load(
        "[webhook]\nsecret = \"0123456789abcdef0123456789abcdef\"\n",
        &[],
    );
    assert!(error.unwrap_err().to_string().starts_with("webhook.url: "));
}
