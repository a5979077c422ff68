//! A storage that signs: the protocol hands out the store's own URLs, and a look fetches by them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::error_handling::HandleError;
use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use exchange::Principal;
use exchange::billing::MeterEventNew;
use exchange::ports::{Observation, StorageAccess};
use http::{StatusCode, header};
use model::dto::{AccessLogNew, RateNew};
use model::time::DAY;
use model::{GrantActual, Method, Purpose, StorageId, Timestamp};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tempfile::TempDir;
use tokio::task::JoinHandle;

use super::{Build, VISITS, VISITS_PATH, World, aws, azure, data_files, rows};

const KEYS: &str = r#"{"access_key_id":"AKIATEST","secret_access_key":"test-secret"}"#;

pub(super) struct S3Server {
    pub(super) address: SocketAddr,
    folder: TempDir,
    serving: JoinHandle<()>,
    log: Log,
}

/// What was asked and how much was sent, as the server itself saw it.
type Log = Arc<Mutex<Vec<Sent>>>;

struct Sent {
    method: http::Method,
    target: String,
    status: u16,
    bytes: u64,
}

async fn record(State(log): State<Log>, request: axum::extract::Request, next: Next) -> Response {
    let method = request.method().clone();
    let target = request.uri().to_string();
    let (parts, body) = next.run(request).await.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    log.lock().unwrap().push(Sent {
        method,
        target,
        status: parts.status.as_u16(),
        bytes: body.len() as u64,
    });
    Response::from_parts(parts, axum::body::Body::from(body))
}

impl S3Server {
    /// Serves a bucket `lake`.
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("lake")).unwrap();
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single("AKIATEST", "test-secret"));
        let service = HandleError::new(builder.build(), |error: s3s::HttpError| async move {
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"))
        });
        let log = Log::default();
        let app = axum::Router::new()
            .fallback_service(service)
            .layer(from_fn_with_state(log.clone(), record));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            folder,
            serving,
            log,
        }
    }

    /// Its access log as S3 writes it, of all that was asked since the last call.
    fn lines(&self, at: Timestamp) -> Vec<String> {
        let text = at.to_string();
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        let month = months[text[5..7].parse::<usize>().unwrap() - 1];
        let (year, day, time) = (&text[..4], &text[8..10], &text[11..19]);
        let sent = std::mem::take(&mut *self.log.lock().unwrap());
        let lines = sent.iter().enumerate().map(|(nth, sent)| {
            let (path, query) = sent.target.split_once('?').unwrap_or((sent.target.as_str(), ""));
            let key = path.strip_prefix("/lake/").unwrap_or("");
            let operation = match (sent.method.as_str(), key) {
                ("GET", "") => "REST.GET.BUCKET",
                ("GET", _) => "REST.GET.OBJECT",
                _ => "REST.HEAD.OBJECT",
            };
            let kind = if query.contains("X-Amz-Signature") {
                "QueryString"
            } else {
                "AuthHeader"
            };
            let (key, id) = (if key.is_empty() { "-" } else { key }, format!("{nth:016X}"));
            format!(
                "owner lake [{day}/{month}/{year}:{time} +0000] 127.0.0.1 - {id} {operation} {key} \"{} {} HTTP/1.1\" {} - {} - 1 1 \
                 \"-\" \"tests/1 (\"quoted\")\" - host SigV4 cipher {kind} lake.s3.amazonaws.com TLSv1.2 - -",
                sent.method, sent.target, sent.status, sent.bytes
            )
        });
        lines.collect()
    }

    pub(super) fn table(&self) -> PathBuf {
        self.folder.path().join("lake/aftersales").join(VISITS_PATH)
    }

    /// Worlds with the usual product on this server.
    pub(super) async fn worlds(&self) -> Vec<World> {
        let build = Build {
            endpoints: vec![self.address.to_string()],
            ..Build::default()
        };
        let worlds = World::each_with(&build).await;
        let endpoint = format!("http://{}", self.address);
        let url = "s3://lake/aftersales";
        let access = StorageAccess {
            id: StorageId::new(Timestamp::from_micros(0)),
            name: "s3_eu".parse().unwrap(),
            location: aws(),
            url: url.to_owned(),
            endpoint: Some(endpoint.clone()),
            credential: Some(KEYS.to_owned().into()),
            replicas: false,
        };
        worlds[0]
            .write_at(&access, VISITS_PATH, &[&[rows(0, 10)], &[rows(10, 3_000)]])
            .await;
        for world in &worlds {
            world.keys.set("ENTREPOT_CREDENTIAL_LAKE", KEYS);
            world
                .storage("s3_eu", &aws(), url, Some(endpoint.clone()), false)
                .await;
            world
                .product(VISITS, "s3_eu", &[("visits", VISITS_PATH)])
                .await;
        }
        worlds
    }
}

#[tokio::test]
async fn native_urls_are_handed_out_and_counted_as_signed() {
    let server = S3Server::start().await;
    for world in server.worlds().await {
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        let files = world.files(&token).await;
        assert_eq!(files.len(), 2);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        for (file, on_disk) in files.iter().zip(data_files(&server.table())) {
            assert!(
                file.url
                    .starts_with(&format!("http://{}/lake/", server.address))
            );
            assert!(file.url.contains("X-Amz-Signature="));
            let got = client.get(&file.url).send().await.unwrap();
            assert_eq!(got.status(), StatusCode::OK);
            assert_eq!(got.bytes().await.unwrap(), std::fs::read(on_disk).unwrap());
            let url = file.url.replace("part-", "pert-");
            assert_eq!(
                client.get(url).send().await.unwrap().status(),
                StatusCode::FORBIDDEN
            );
        }
        let events = world.events().await;
        assert_eq!(events.len(), 1, "{events:?}");
        assert_eq!((&events[0].from, &events[0].to), (&aws(), &azure()));
        assert_eq!(
            (events[0].method, events[0].purpose),
            (Method::Signed, Purpose::Query)
        );
        assert_eq!(
            events[0].bytes,
            files.iter().map(|file| file.size).sum::<u64>()
        );
        let until = world.granted(grant).await.urls_until.unwrap();
        let latest = files.iter().map(|file| file.expires_millis).max();
        assert_eq!(Some(until.millis()), latest);
        // Ended: no more of them. Those that the store has signed cannot be taken back, and the refusal says until when they work.
        let at = world.exchange.now();
        world.revoke(grant).await;
        assert_eq!(world.granted(grant).await.urls_until, Some(until));
        let answer = world.query(VISITS, "visits", &token).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
        let says = format!(
            "the access of this recipient to the table ended at {at}: it was revoked; URLs already issued work until {until}; \
             ask for access again"
        );
        assert_eq!(answer.json()["message"], says.as_str());
        let got = client.get(&files[0].url).send().await.unwrap();
        assert_eq!(got.status(), StatusCode::OK);
        assert_eq!(world.events().await.len(), 1);
        // The same is said of the credential.
        let operator = exchange::Principal::operator();
        let recipient = world.exchange.recipient(&operator, "rnd_weu").await;
        let id = recipient.unwrap().tokens[0].id;
        let revoked = world
            .exchange
            .recipient_token_revoke(&operator, "rnd_weu", id);
        revoked.await.unwrap();
        let answer = world.query(VISITS, "visits", &token).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let says = format!(
            "the bearer token is invalid: it was revoked; URLs already issued work until {until}"
        );
        assert_eq!(answer.json()["message"], says.as_str());
    }
}

#[tokio::test]
async fn a_broken_credential_file_or_server_is_never_active() {
    let server = S3Server::start().await;
    let worlds = server.worlds().await;
    for world in &worlds {
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let active = async || {
            world.reconcile(grant).await;
            world.granted(grant).await.actual == GrantActual::Active
        };
        assert!(active().await);
        assert!(world.granted(grant).await.first_read_at.is_none());
        assert!(world.events().await.is_empty());

        for wrong in [
            r#"{"access_key_id":"AKIATEST","secret_access_key":"wrong"}"#,
            r#"{"access_key_id":"NOBODY","secret_access_key":"test-secret"}"#,
            "{}",
            "",
        ] {
            world.keys.set("ENTREPOT_CREDENTIAL_LAKE", wrong);
            let seen = world.observe(grant).await;
            assert!(
                matches!(&seen, Observation::Broken { reason } if !reason.contains("wrong")),
                "{wrong} {seen:?}"
            );
            assert!(!active().await, "{wrong}");
        }
        world.keys.clear();
        assert!(!active().await);
        world.keys.set("ENTREPOT_CREDENTIAL_LAKE", KEYS);
        assert!(active().await);

        for file in data_files(&server.table()) {
            let bytes = std::fs::read(&file).unwrap();
            std::fs::remove_file(&file).unwrap();
            World::assert_broken(&world.observe(grant).await, "it is gone");
            assert!(!active().await);
            std::fs::write(&file, &bytes).unwrap();
        }
        assert!(active().await);
    }
    server.serving.abort();
    for world in &worlds {
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        // The port answers nobody any more.
        assert!(matches!(
            world.observe(grant).await,
            Observation::Broken { .. }
        ));
    }
}

/// The gateway serves nothing that the store has signed for: its URLs are its own.
#[tokio::test]
async fn the_gateway_knows_only_its_own_urls() {
    let server = S3Server::start().await;
    let world = server.worlds().await.remove(0);
    world.grant(VISITS, "rnd_weu", "live").await;
    let token = world.token("rnd_weu").await;
    let file = world.files(&token).await.remove(0);
    let signature = file.url.split("X-Amz-Signature=").nth(1).unwrap();
    let url = format!(
        "{}/data/v1/AAAA/x?X-Amz-Signature={signature}",
        super::PUBLIC_URL
    );
    let answer = world.get(&url, None).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(
        answer.header(header::CONTENT_TYPE),
        "text/plain; charset=utf-8"
    );
}

fn month_of(at: Timestamp) -> String {
    at.to_string()[..7].to_owned()
}

/// What the store itself has sent takes the place of what was handed out, to the byte: by the marks of our URLs, once however often
/// the log is given, and never on a statement that was issued.
#[tokio::test]
async fn logged_bytes_take_the_place_of_signed_ones_to_the_byte() {
    let server = S3Server::start().await;
    let operator = Principal::operator();
    for world in server.worlds().await {
        let exchange = &world.exchange;
        let rate = RateNew {
            from: "aws:*".to_owned(),
            to: "azure:*".to_owned(),
            price: "0.09".to_owned(),
            unit: "GB".to_owned(),
            currency: "USD".to_owned(),
            valid_from: "2020-01-01".to_owned(),
            valid_until: None,
            source: "list price".to_owned(),
        };
        exchange.rate_create(&operator, rate).await.unwrap();
        world.grant(VISITS, "rnd_weu", "live").await;
        let token = world.token("rnd_weu").await;
        server.lines(exchange.now());
        let files = world.files(&token).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let whole = client.get(&files[0].url).send().await.unwrap();
        let whole = whole.bytes().await.unwrap().len() as u64;
        let part = client.get(&files[1].url).header("range", "bytes=5-104");
        let part = part.send().await.unwrap().bytes().await.unwrap();
        assert_eq!(part.len(), 100);
        let forged = files[0].url.replace("=rnd_weu", "=other_weu");
        assert_ne!(forged, files[0].url);
        let forged = client.get(forged).send().await.unwrap();
        assert_eq!(forged.status(), StatusCode::FORBIDDEN);
        let lines = server.lines(exchange.now());
        let presigned: Vec<&String> = lines
            .iter()
            .filter(|line| line.contains("QueryString"))
            .collect();
        assert_eq!(presigned.len(), 3, "{lines:#?}");

        // The month is over, and its statement issued, before the log comes.
        let signed = world.events().await.remove(0);
        assert_eq!((signed.method, signed.replaced_at), (Method::Signed, None));
        let measured = MeterEventNew {
            key: "before".to_owned(),
            product: Some(exchange.product(&operator, VISITS).await.unwrap().id),
            table: None,
            grant: None,
            recipient: None,
            run: None,
            query: None,
            from: aws(),
            to: azure(),
            bytes: 1_000_000_000,
            busy: 0,
            method: Method::Measured,
            purpose: Purpose::Sync,
        };
        let system = Principal::system();
        exchange.meter_record(&system, &measured).await.unwrap();
        let month = month_of(exchange.now());
        while month_of(exchange.now()) == month {
            world.clock.advance(DAY);
        }
        world.clock.advance(DAY);
        let next = month_of(exchange.now());
        exchange
            .statement_issue(&operator, "aftersales", &month)
            .await
            .unwrap();
        let issued = exchange.statement(&operator, "aftersales", &month).await;
        let issued = issued.unwrap();
        assert_eq!(issued[0].signed_bytes, signed.bytes);
        world.clock.advance(DAY);

        // One line by hand, with what strangers may write around it.
        let hostile = [
            "x".repeat(70_000),
            "\u{0}\u{1}".to_owned(),
            presigned[0].replace("=rnd_weu", "=other_weu"),
            presigned[0].replace("QueryString", "AuthHeader"),
            presigned[0].replace(" - 0000", " - ../"),
        ];
        let by_hand = AccessLogNew {
            storage: "s3_eu".to_owned(),
            lines: Some(format!("{}\n{}\n", hostile.join("\n"), presigned[0])),
            lies_in: None,
            prefix: None,
        };
        let first = exchange.access_log_import(&operator, by_hand.clone()).await;
        let first = first.unwrap();
        assert_eq!((first.counted, first.bytes), (1, whole), "{first:?}");
        assert_eq!(first.lines, 6);
        let again = exchange.access_log_import(&operator, by_hand).await;
        let again = again.unwrap();
        assert_eq!((again.counted, again.repeated), (0, 1), "{again:?}");

        // All of it from where it lies, twice.
        for nth in 0..2 {
            let folder = world.root("aws_eu").join(format!("logs/{nth}"));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("2026-06-15-log"), lines.join("\n")).unwrap();
            let queued = AccessLogNew {
                storage: "s3_eu".to_owned(),
                lines: None,
                lies_in: Some("aws_eu".to_owned()),
                prefix: Some("logs".to_owned()),
            };
            let queued = exchange.access_log_import(&operator, queued).await;
            assert!(queued.unwrap().queued);
            world.work().await;
        }
        let events = world.events().await;
        let logged: Vec<_> = events
            .iter()
            .filter(|event| event.method == Method::Logged)
            .collect();
        let sum: u64 = logged.iter().map(|event| event.bytes).sum();
        assert_eq!(sum, whole + 100, "{events:#?}");
        for event in &logged {
            assert_eq!((&event.from, &event.to), (&aws(), &azure()));
            assert_eq!(event.query, signed.query);
            assert_eq!(event.at.utc_day(), signed.at.utc_day());
        }
        let estimate = events.iter().find(|event| event.id == signed.id).unwrap();
        assert!(estimate.replaced_at.is_some());
        assert_eq!(estimate.bytes, signed.bytes);

        // What was issued stays; the bytes stand on the month in which they came.
        exchange.billing_report(&system).await.unwrap();
        let after = exchange.statement(&operator, "aftersales", &month).await;
        assert_eq!(after.unwrap(), issued);
        let open = exchange.statement(&operator, "aftersales", &next).await;
        let open = open.unwrap();
        let line = open[0]
            .lines
            .iter()
            .find(|line| line.method == Method::Logged)
            .unwrap();
        assert_eq!(line.bytes, whole + 100, "{open:#?}");
    }
}
