//! C-26: after a journey through everything that makes or takes a secret, none of them stands in the database (its files,
//! write-ahead log included; a dump of PostgreSQL) or in the log, neither as it is nor in base64 or hex.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use exchange::Principal;
use exchange::db::Db;
use http::{Method, StatusCode};
use model::dto::{DomainNew, SyncJobChange};
use serde_json::{Value, json};

use super::installation::{new_database, postgres_program, urls};
use super::world::{As, send};
use crate::support::{Log, PASSWORD, TestApp};

/// Chosen so that nothing else holds them.
const PASSWORDS: [&str; 3] = [
    "first of Adas passphrases",
    "second of Adas passphrases",
    "a wrong passphrase of Adas",
];
const STORE_KEYS: [&str; 2] = ["S3cretOfTheStore/One+kept", "S3cretOfTheStore/Two+kept"];

/// How a text may stand somewhere without being readable: in base64 with either alphabet, beginning at any of three places,
/// and in hex.
fn disguises(secret: &str) -> Vec<String> {
    let mut found = vec![
        secret.to_owned(),
        hex::encode(secret),
        hex::encode_upper(secret),
    ];
    for before in 0..3 {
        let padded = [vec![0_u8; before], secret.as_bytes().to_vec()].concat();
        // Characters that hold bits of what stands before or behind are not the secret's own.
        let first = (before * 8).div_ceil(6);
        let end = padded.len() * 8 / 6;
        for text in [
            STANDARD_NO_PAD.encode(&padded),
            URL_SAFE_NO_PAD.encode(&padded),
        ] {
            found.push(text[first..end].to_owned());
        }
    }
    found.sort();
    found.dedup();
    found
}

#[test]
fn disguises_are_seen_through() {
    let secret = "a secret?>";
    for before in ["", "x", "xy", "xyz"] {
        let around = format!("{before}{secret}behind");
        for text in [
            around.clone(),
            hex::encode(&around),
            hex::encode_upper(&around),
            STANDARD_NO_PAD.encode(&around),
            URL_SAFE_NO_PAD.encode(&around),
        ] {
            let seen = disguises(secret).iter().any(|form| text.contains(form));
            assert!(seen, "{before:?} {text}");
        }
    }
    let other = STANDARD_NO_PAD.encode("another text");
    assert!(!disguises(secret).iter().any(|form| other.contains(form)));
}

/// Where a search looks: what it is, and what stands there. Bytes that are no text are replaced: what is searched for is all
/// ASCII.
struct Place {
    name: String,
    text: String,
}

impl Place {
    fn new(name: impl ToString, bytes: &[u8]) -> Self {
        Self {
            name: name.to_string(),
            text: String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    fn holds(&self, form: &str) -> bool {
        self.text.contains(form)
    }
}

/// Every file below a folder.
fn files(folder: &Path, found: &mut Vec<Place>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(Place::new(path.display(), &std::fs::read(&path).unwrap()));
        }
    }
}

/// Everything that the installation keeps, and what was logged since the log was so long.
fn kept(app: &TestApp, database: Option<&str>, since: usize) -> Vec<Place> {
    let mut places = Vec::new();
    files(app.folder.path(), &mut places);
    if let Some(database) = database {
        let dump = postgres_program("pg_dump").arg(database).output().unwrap();
        let said = String::from_utf8_lossy(&dump.stderr);
        assert!(
            dump.status.success() && dump.stdout.len() > 10_000,
            "{said}"
        );
        places.push(Place::new("pg_dump", &dump.stdout));
    }
    let log = Log::shared().text();
    assert!(log.len() > since + 10_000, "nothing is logged");
    places.push(Place::new("the log", &log.as_bytes()[since..]));
    places
}

/// Everything a person or a machine can do with a secret. Answers the secrets.
async fn journey(app: &TestApp) -> Vec<String> {
    let mut secrets: Vec<String> = PASSWORDS
        .iter()
        .chain(&STORE_KEYS)
        .map(|text| (*text).to_owned())
        .collect();
    let operator = Principal::operator();
    app.domain("vehicle").await;
    app.team("aftersales", "vehicle").await;
    app.team("rnd", "vehicle").await;
    app.person("root", &["admin"]).await;
    let root = app.token("root").await;
    let call = async |token: &str, method: Method, path: &str, body: Value| {
        let path = format!("/api/v1{path}");
        let answer = send(app, As::Token(token), method, &path, Some(&body)).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        match answer.status {
            StatusCode::NO_CONTENT => Value::Null,
            _ => answer.json(),
        }
    };

    // An account, its password changed, a session, tries that fail.
    let new = json!({ "name": "ada", "title": "Ada", "password": PASSWORDS[0] });
    call(&root, Method::POST, "/people", new).await;
    let member = json!({ "role": "consumer" });
    call(&root, Method::PUT, "/teams/rnd/members/ada", member).await;
    for (password, fits) in [(PASSWORDS[2], false), (PASSWORDS[0], true)] {
        let form = [("name", "ada"), ("password", password), ("next", "/x?y=1")];
        let answer = app.post("/sign-in").own_origin().form(&form).await;
        let cookie = answer.cookie().unwrap();
        let page = send(app, As::Cookie(&cookie), Method::GET, "/", None).await;
        assert_eq!(page.text.contains("/sign-out"), fits);
        secrets.push(cookie.split_once('=').unwrap().1.to_owned());
    }
    let ada = app.token("ada").await;
    let change = json!({ "current": PASSWORDS[0], "password": PASSWORDS[1] });
    call(&ada, Method::PUT, "/people/ada/password", change).await;

    // The same in the portal: what is refused comes back without its secrets, and a token is shown in one answer.
    secrets.extend(in_the_portal(app).await);

    // Service tokens, one of them by a request that is sent twice.
    for body in [
        json!({ "name": "ci" }),
        json!({ "name": "team", "team": "rnd" }),
    ] {
        let key = "the-key-of-a-repeated-request";
        let made = app
            .post("/api/v1/tokens")
            .token(&ada)
            .header("idempotency-key", key)
            .json(&body)
            .await;
        if made.status == StatusCode::CREATED {
            secrets.push(made.json()["token"].as_str().unwrap().to_owned());
        }
        secrets.push(key.to_owned());
    }
    // Wrong tokens are secrets of somebody, too.
    let wrong = exchange::secret::new_token(exchange::secret::TokenKind::Service).unwrap();
    let refused = app.get("/api/v1/me").token(&wrong).send().await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    secrets.extend([root.clone(), ada.clone(), wrong]);

    // Credentials of stores: made, replaced, asked for, wrong.
    let credential =
        |secret: &str| json!({ "access_key_id": "AKIATEST", "secret_access_key": secret });
    let store = json!({
        "name": "s3_eu", "cloud": "aws", "region": "eu-central-1", "url": "s3://lake/x",
        "credential": credential(STORE_KEYS[0]),
    });
    call(&root, Method::POST, "/storages", store).await;
    let change = json!({ "credential": credential(STORE_KEYS[1]) });
    call(&root, Method::PATCH, "/storages/s3_eu", change).await;
    let unknown =
        json!({ "credential": { "secret_access_key": STORE_KEYS[0], "endpoint": STORE_KEYS[1] } });
    let refused = app
        .ask(Method::PATCH, "/api/v1/storages/s3_eu")
        .token(&root)
        .json(&unknown)
        .await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(
        !refused.text.contains("S3cretOfTheStore"),
        "{}",
        refused.text
    );
    let seen = send(
        app,
        As::Token(&root),
        Method::GET,
        "/api/v1/declaration",
        None,
    )
    .await;
    assert!(!seen.text.contains("S3cretOfTheStore"), "{}", seen.text);

    // A profile, queries with it, the URLs that they hand out, and its end.
    app.storage("aws_eu", "aws", "eu-central-1", false).await;
    app.storage("az_weu", "azure", "westeurope", true).await;
    app.product("vehicle-visits", "aftersales").await;
    let open = json!({ "access_policy": "auto" });
    call(&root, Method::PATCH, "/products/vehicle-visits", open).await;
    let recipient =
        json!({ "name": "rnd_weu", "team": "rnd", "cloud": "azure", "region": "westeurope" });
    call(&ada, Method::POST, "/recipients", recipient).await;
    for mode in ["live", "replica"] {
        let purpose = json!({ "code": "warranty", "text": "to see" });
        let asking = json!({
            "product": "vehicle-visits", "recipient": "rnd_weu", "mode": mode, "until": "2026-12-31", "purpose": purpose,
        });
        let request = call(&ada, Method::POST, "/requests", asking).await;
        let grant = request["grant"].as_str().unwrap().parse().unwrap();
        let system = Principal::system();
        app.exchange.grant_reconcile(&system, grant).await.unwrap();
    }
    let paused = SyncJobChange {
        paused: Some(true),
        ..SyncJobChange::default()
    };
    app.exchange
        .sync_job_update(&operator, "vehicle-visits@az_weu", paused)
        .await
        .unwrap();
    let profile = call(&ada, Method::POST, "/recipients/rnd_weu/profile", json!({})).await;
    let bearer = profile["bearerToken"].as_str().unwrap().to_owned();
    let table = "/delta-sharing/shares/vehicle-visits/schemas/default/tables/visits";
    let answer = send(
        app,
        As::Token(&bearer),
        Method::POST,
        &format!("{table}/query"),
        Some(&json!({})),
    )
    .await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    for url in urls(&answer.text) {
        let path = url.strip_prefix("https://data.example").unwrap();
        assert_eq!(app.get(path).send().await.status, StatusCode::OK);
        let (_, signature) = path.split_once("Signature=").unwrap();
        secrets.push(signature.to_owned());
    }
    let shown = send(
        app,
        As::Token(&ada),
        Method::GET,
        "/api/v1/recipients/rnd_weu",
        None,
    )
    .await;
    let id = shown.json()["tokens"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/recipients/rnd_weu/tokens/{id}");
    call(&ada, Method::DELETE, &path, json!({})).await;
    for (method, path) in [
        (Method::GET, "/delta-sharing/shares".to_owned()),
        (Method::POST, format!("{table}/query")),
    ] {
        let refused = send(app, As::Token(&bearer), method, &path, None).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
    // A token in an address, where it does not belong, does not get into the log either.
    let refused = app.get(&format!("/api/v1/me?token={bearer}")).send().await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    secrets.push(bearer);
    secrets.sort();
    secrets.dedup();
    assert!(secrets.len() >= 14, "{}", secrets.len());
    secrets
}

/// The portal's forms that take or make secrets, refused and done. Answers the secrets.
async fn in_the_portal(app: &TestApp) -> Vec<String> {
    const OWN: [&str; 3] = [
        "a passphrase of Roots own",
        "a mistyped passphrase of Root",
        "a passphrase for somebody new",
    ];
    const KEY: &str = "S3cretOfTheStore/Typed+twice";
    let mut cookie = app.sign_in("root").await;
    let send = async |cookie: &str, path: &str, fields: &[(&str, &str)]| {
        let ask = app.post(path).own_origin().cookie(cookie);
        ask.header("accept", "text/html").form(fields).await
    };
    for (current, again) in [(OWN[1], OWN[0]), (PASSWORD, OWN[1]), (PASSWORD, OWN[0])] {
        let fields = [("current", current), ("password", OWN[0]), ("again", again)];
        let answer = send(&cookie, "/account/password", &fields).await;
        assert_eq!(answer.location(), "/account", "{}", answer.text);
        cookie = answer.cookie().unwrap_or(cookie);
    }
    let made = send(&cookie, "/account/tokens", &[("name", "shown once")]).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    let (_, token) = made.text.split_once("entrepot_st_").unwrap();
    let token = token.split('<').next().unwrap();
    for name in ["Not a name", "zoe"] {
        let fields = [
            ("at", "/admin/people"),
            ("id", "person-new"),
            ("form[name]", name),
            ("form[title]", "Zoe"),
            ("form[password]", OWN[2]),
        ];
        let answer = send(&cookie, "/_fn/app/api/people/create_person", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    }
    for region in ["Not a region", "eu-west-3"] {
        let fields = [
            ("at", "/admin/storages"),
            ("id", "storage-new"),
            ("form[name]", "s3_west"),
            ("form[cloud]", "aws"),
            ("form[region]", region),
            ("form[url]", "s3://lake/west"),
            ("form[credential][access_key_id]", "AKIATEST"),
            ("form[credential][secret_access_key]", KEY),
        ];
        let answer = send(&cookie, "/_fn/app/api/storages/create_storage", &fields).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
    }
    let operator = Principal::operator();
    assert!(app.exchange.storage(&operator, "s3_west").await.is_ok());
    assert!(app.exchange.person(&operator, "zoe").await.is_ok());
    let mut secrets: Vec<String> = OWN.iter().map(|text| (*text).to_owned()).collect();
    secrets.extend([KEY.to_owned(), format!("entrepot_st_{token}")]);
    secrets
}

/// What is searched for: of a token the random part, which is more than the hint that is kept.
fn core(secret: &str) -> &str {
    let prefixes = ["entrepot_st_", "entrepot_rt_"];
    let found = prefixes
        .iter()
        .find_map(|prefix| secret.strip_prefix(prefix));
    found.unwrap_or(secret)
}

async fn search(app: &TestApp, database: Option<&str>) {
    let since = Log::shared().text().len();
    let secrets = journey(app).await;
    let places = kept(app, database, since);
    assert!(places.len() > 3, "database, log, tables");
    for secret in &secrets {
        for form in disguises(core(secret)) {
            for place in &places {
                assert!(
                    !place.holds(&form),
                    "{secret} stands in {} as {form}",
                    place.name
                );
            }
        }
    }

    // The search finds what is there: a text that is kept as it is, and in disguise.
    let marker = "a Marker that is kept and found";
    let forms = disguises(marker);
    for (n, form) in forms.iter().enumerate() {
        let new = DomainNew {
            name: format!("marker{n}"),
            title: "Marker".to_owned(),
            description: form.clone(),
        };
        app.exchange
            .domain_create(&Principal::operator(), new)
            .await
            .unwrap();
        tracing::info!("{form}");
    }
    let places = kept(app, database, since);
    for form in &forms {
        let found: Vec<&str> = places
            .iter()
            .filter(|place| place.holds(form))
            .map(|place| place.name.as_str())
            .collect();
        let in_database = match database {
            Some(_) => found.contains(&"pg_dump"),
            // Not checkpointed yet: in the write-ahead log.
            None => found.iter().any(|name| name.contains("entrepot.db")),
        };
        assert!(
            in_database && found.contains(&"the log"),
            "{form}: {found:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_sqlite_or_the_log() {
    search(&TestApp::start().await, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_stands_in_a_dump_of_postgres_or_the_log() {
    let Some(address) = new_database("secrets").await else {
        return;
    };
    let db = Db::open(&address).await.unwrap();
    let app = TestApp::over(db, address.clone()).await;
    search(&app, Some(&address)).await;
}
