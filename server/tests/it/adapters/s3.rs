//! A storage that signs: the protocol hands out the store's own URLs, and a look fetches by them.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::error_handling::HandleError;
use exchange::ports::{Observation, StorageAccess};
use http::{StatusCode, header};
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
        let app = axum::Router::new().fallback_service(service);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self {
            address,
            folder,
            serving,
        }
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
