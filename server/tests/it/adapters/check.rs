//! `entrepot check`, the program itself, against a real server: what works is said, what does not is named with whom to ask,
//! and nothing secret is shown.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use exchange::Principal;
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::s3::S3Server;
use super::{Build, VISITS, World, data_files};
use crate::support::environment::install_crypto;

const STEPS: [&str; 9] = [
    "profile",
    "name",
    "connection",
    "tls",
    "clock",
    "token",
    "share",
    "table",
    "file",
];

/// What a check found, and its exit status.
struct Checked {
    report: Value,
    status: Option<i32>,
}

impl Checked {
    fn step(&self, id: &str) -> &Value {
        let at = STEPS.iter().position(|step| *step == id).unwrap();
        &self.report["steps"][at]
    }

    /// Everything up to `id` worked, it failed with these words, and this is whom to ask; what follows was not tried.
    fn fails_at(&self, id: &str, says: &str, send_to: &str) {
        let at = STEPS.iter().position(|step| *step == id).unwrap();
        for (position, name) in STEPS.iter().enumerate() {
            let step = &self.report["steps"][position];
            let outcome = step["outcome"].as_str().unwrap();
            assert_eq!(step["id"], *name);
            let expected: &[&str] = match position {
                position if position < at => &["ok", "warned"],
                position if position == at => &["failed"],
                _ => &["skipped"],
            };
            assert!(expected.contains(&outcome), "{name}: {:#}", self.report);
        }
        let step = self.step(id);
        let detail = step["detail"].as_str().unwrap();
        assert!(detail.contains(says), "{step:#}");
        assert_eq!(step["send_to"], send_to, "{step:#}");
        assert!(!step["sentence"].as_str().unwrap().is_empty());
        assert_eq!(self.report["works"], false);
        assert_eq!(self.status, Some(1));
    }
}

/// One who reads from `world`, through `proxy` where there is one.
struct Consumer {
    profile: PathBuf,
    token: String,
    proxy: Option<SocketAddr>,
}

impl Consumer {
    fn of(world: &World, endpoint: &str, token: &str) -> Self {
        let profile = world.folder.path().join("rnd_weu.share");
        let text =
            json!({ "shareCredentialsVersion": 1, "endpoint": endpoint, "bearerToken": token });
        std::fs::write(&profile, text.to_string()).unwrap();
        Self {
            profile,
            token: token.to_owned(),
            proxy: None,
        }
    }

    async fn run(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_entrepot"));
        command.env_clear().args(["check", "--profile"]);
        command.arg(&self.profile).args(arguments);
        if let Some(proxy) = self.proxy {
            command.env("HTTP_PROXY", format!("http://{proxy}"));
        }
        let output = command.output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "", "{text}");
        for secret in [self.token.as_str(), "X-Amz-", "Signature="] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
        (text, output.status.code())
    }

    async fn check(&self, arguments: &[&str]) -> Checked {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let (text, status) = self.run(&arguments).await;
        let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        Checked { report, status }
    }
}

async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

fn endpoint(address: SocketAddr) -> String {
    format!("http://{address}/delta-sharing/")
}

/// A world whose files lie on an S3 server, who reads from it, and where it is served.
async fn ready(s3: &S3Server) -> (World, Consumer, SocketAddr) {
    let world = s3.worlds().await.remove(0);
    world.grant(VISITS, "rnd_weu", "live").await;
    let token = world.token("rnd_weu").await;
    let address = serve(world.router.clone()).await;
    let consumer = Consumer::of(&world, &endpoint(address), &token);
    (world, consumer, address)
}

/// What a proxy does with a request for `host:port` and this path: an answer of its own, or what to do to the real one.
type Meddle = fn(&str, &str, SocketAddr) -> Meddling;

enum Meddling {
    Pass,
    Answer(StatusCode, &'static str, &'static str),
    Date(&'static str),
}

#[derive(Clone)]
struct Between {
    http: reqwest::Client,
    meddle: Meddle,
    /// Handed to `meddle`: the host that it is about.
    about: SocketAddr,
}

impl Between {
    /// A forward proxy for `http:`, as `HTTP_PROXY` names one.
    async fn start(about: SocketAddr, meddle: Meddle) -> SocketAddr {
        install_crypto();
        let between = Self {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            meddle,
            about,
        };
        serve(Router::new().fallback(pass).with_state(between)).await
    }
}

async fn pass(State(between): State<Between>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let authority = parts.uri.authority().unwrap().to_string();
    let meddling = (between.meddle)(&authority, parts.uri.path(), between.about);
    if let Meddling::Answer(status, kind, body) = meddling {
        return (status, [(header::CONTENT_TYPE, kind)], body).into_response();
    }
    let mut headers = parts.headers;
    headers.remove(header::HOST);
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let passed = between
        .http
        .request(parts.method, parts.uri.to_string())
        .headers(headers)
        .body(body)
        .send();
    let passed = passed.await.unwrap();
    let (status, mut headers) = (passed.status(), passed.headers().clone());
    if let Meddling::Date(date) = meddling {
        headers.insert(header::DATE, HeaderValue::from_static(date));
    }
    // The length is the body's again.
    headers.remove(header::TRANSFER_ENCODING);
    let body = Body::from(passed.bytes().await.unwrap());
    (status, headers, body).into_response()
}

#[tokio::test]
async fn what_works_is_said_step_by_step() {
    let s3 = S3Server::start().await;
    let (_world, consumer, address) = ready(&s3).await;
    let table = format!("{VISITS}.default.visits");
    for arguments in [
        &[][..],
        &["--share", VISITS],
        &["--table", &table],
        &["--table", &table.to_uppercase()],
    ] {
        let checked = consumer.check(arguments).await;
        let steps = checked.report["steps"].as_array().unwrap();
        let found: Vec<_> = steps
            .iter()
            .map(|step| {
                (
                    step["id"].as_str().unwrap(),
                    step["outcome"].as_str().unwrap(),
                )
            })
            .collect();
        // The connection of a test is not encrypted, which is told.
        let expected = STEPS.map(|id| (id, if id == "tls" { "warned" } else { "ok" }));
        assert_eq!(found, expected, "{:#}", checked.report);
        assert_eq!(checked.report["works"], true);
        assert_eq!(checked.status, Some(0));
        let file = checked.step("file")["detail"].as_str().unwrap();
        assert!(file.contains(&s3.address.to_string()), "{file}");
    }
    let (text, status) = consumer.run(&[]).await;
    assert_eq!(status, Some(0));
    assert!(text.ends_with("\nIt works from here.\n"), "{text}");
    assert!(text.contains(&address.to_string()), "{text}");
}

/// The same where the server hands out its own URLs.
#[tokio::test]
async fn files_through_the_gateway_work_too() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let build = Build {
        public_url: Some(format!("http://{address}")),
        ..Build::default()
    };
    let world = World::start(&build).await;
    let router = world.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    world.visits().await;
    let grant = world.grant(VISITS, "rnd_weu", "live").await;
    let token = world.token("rnd_weu").await;
    let consumer = Consumer::of(&world, &endpoint(address), &token);
    let checked = consumer.check(&[]).await;
    assert_eq!(checked.status, Some(0), "{:#}", checked.report);
    // What comes is not what a table's file begins with.
    for file in data_files(&world.root("aws_eu").join(super::VISITS_PATH)) {
        std::fs::write(file, "<html>").unwrap();
    }
    consumer
        .check(&[])
        .await
        .fails_at("file", "no Parquet file", "whoever runs the network here");
    // What has ended is said in the server's own words.
    world.revoke(grant).await;
    let table = format!("{VISITS}.default.visits");
    let checked = consumer.check(&["--table", &table]).await;
    let (share, table) = (checked.step("share"), checked.step("table"));
    assert_eq!(
        (&share["outcome"], checked.status),
        (&json!("failed"), Some(1))
    );
    assert_eq!(table["outcome"], "failed");
    let detail = table["detail"].as_str().unwrap();
    assert!(detail.contains("it was revoked"), "{detail}");
    consumer.check(&[]).await.fails_at(
        "share",
        "the token may read no share",
        "whoever gave you the profile",
    );
}

#[tokio::test]
async fn a_revoked_token_is_named_and_not_shown() {
    let s3 = S3Server::start().await;
    let (world, consumer, _) = ready(&s3).await;
    let operator = Principal::operator();
    let recipient = world.exchange.recipient(&operator, "rnd_weu").await;
    let id = recipient.unwrap().tokens[0].id;
    let revoked = world
        .exchange
        .recipient_token_revoke(&operator, "rnd_weu", id);
    revoked.await.unwrap();
    consumer
        .check(&[])
        .await
        .fails_at("token", "it was revoked", "whoever gave you the profile");
    let (text, status) = consumer.run(&[]).await;
    assert_eq!(status, Some(1));
    assert!(
        text.contains("\nSend to whoever gave you the profile:\n  "),
        "{text}"
    );
}

#[tokio::test]
async fn wrong_profiles_and_hosts_are_named() {
    let s3 = S3Server::start().await;
    let (world, good, address) = ready(&s3).await;
    let at = |endpoint: &str| Consumer::of(&world, endpoint, &good.token);
    at("http://nowhere.invalid/delta-sharing/")
        .check(&[])
        .await
        .fails_at("name", "nowhere.invalid", "whoever runs the network here");
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = closed.local_addr().unwrap();
    drop(closed);
    at(&endpoint(nobody)).check(&[]).await.fails_at(
        "connection",
        &nobody.to_string(),
        "whoever runs the network here",
    );
    // Someone is there, who does not speak TLS.
    at(&endpoint(address).replace("http:", "https:"))
        .check(&[])
        .await
        .fails_at("tls", &address.to_string(), "whoever runs the network here");
    // Or speaks something else.
    at(&format!("http://{address}/elsewhere/"))
        .check(&[])
        .await
        .fails_at("token", "no sharing server", "whoever runs the server");
    at("data.example").check(&[]).await.fails_at(
        "profile",
        "endpoint",
        "whoever gave you the profile",
    );
    let mut gone = at(&endpoint(address));
    gone.profile = world.folder.path().join("gone.share");
    gone.check(&[])
        .await
        .fails_at("profile", "cannot be read", "whoever runs this machine");
    // Its own end is told, and the rest is tried all the same.
    let text = json!({
        "shareCredentialsVersion": 1, "endpoint": endpoint(address), "bearerToken": good.token,
        "expirationTime": "2026-01-01T00:00:00Z",
    });
    std::fs::write(&good.profile, text.to_string()).unwrap();
    let checked = good.check(&[]).await;
    assert_eq!(checked.status, Some(1));
    assert_eq!(checked.step("profile")["outcome"], "failed");
    assert_eq!(
        checked.step("file")["outcome"],
        "ok",
        "{:#}",
        checked.report
    );
}

#[tokio::test]
async fn shares_and_tables_that_are_not_there_are_named() {
    let s3 = S3Server::start().await;
    let (_world, mut consumer, address) = ready(&s3).await;
    let giver = "whoever gave you the profile";
    consumer
        .check(&["--share", "vehicle-none"])
        .await
        .fails_at("share", "vehicle-none", giver);
    let table = format!("{VISITS}.default.none");
    consumer
        .check(&["--table", &table])
        .await
        .fails_at("table", "404", giver);
    let proxy = Between::start(address, |_, path, _| {
        if path.ends_with("/all-tables") {
            Meddling::Answer(StatusCode::OK, "application/json", r#"{"items":[]}"#)
        } else {
            Meddling::Pass
        }
    });
    consumer.proxy = Some(proxy.await);
    consumer
        .check(&[])
        .await
        .fails_at("share", &format!("no table is in {VISITS}"), giver);
}

#[tokio::test]
async fn a_proxy_that_refuses_the_files_host_is_found() {
    let s3 = S3Server::start().await;
    let (_world, mut consumer, _) = ready(&s3).await;
    let network = "whoever runs the network here";
    let proxy = Between::start(s3.address, |host, _, store| {
        if host == store.to_string() {
            Meddling::Answer(StatusCode::FORBIDDEN, "text/html", "<html>blocked</html>")
        } else {
            Meddling::Pass
        }
    });
    consumer.proxy = Some(proxy.await);
    let checked = consumer.check(&[]).await;
    checked.fails_at("file", &s3.address.to_string(), network);
    let name = checked.step("name")["detail"].as_str().unwrap();
    assert!(name.contains("through the proxy"), "{name}");
    // One that answers with a page of its own is no file.
    let proxy = Between::start(s3.address, |host, _, store| {
        if host == store.to_string() {
            Meddling::Answer(StatusCode::OK, "text/html", "<html>sign in</html>")
        } else {
            Meddling::Pass
        }
    });
    consumer.proxy = Some(proxy.await);
    let checked = consumer.check(&[]).await;
    checked.fails_at("file", "text/html", network);
}

#[tokio::test]
async fn a_store_without_the_file_is_the_producers_business() {
    let s3 = S3Server::start().await;
    let (_world, consumer, _) = ready(&s3).await;
    for file in data_files(&s3.table()) {
        std::fs::remove_file(file).unwrap();
    }
    consumer
        .check(&[])
        .await
        .fails_at("file", "NoSuchKey", "the team that owns the data");
}

#[tokio::test]
async fn a_clock_that_is_off_is_found() {
    let s3 = S3Server::start().await;
    let (_world, mut consumer, address) = ready(&s3).await;
    let proxy = Between::start(address, |host, _, server| {
        if host == server.to_string() {
            Meddling::Date("Wed, 15 Jan 2020 12:00:00 GMT")
        } else {
            Meddling::Pass
        }
    });
    consumer.proxy = Some(proxy.await);
    let checked = consumer.check(&[]).await;
    let clock = checked.step("clock");
    assert_eq!(clock["outcome"], "failed", "{:#}", checked.report);
    assert!(
        clock["detail"].as_str().unwrap().contains("ahead of"),
        "{clock}"
    );
    assert_eq!(clock["send_to"], "whoever runs this machine");
    assert_eq!(checked.status, Some(1));
    // Which keeps nothing else from being tried.
    assert_eq!(
        checked.step("file")["outcome"],
        "ok",
        "{:#}",
        checked.report
    );
}
