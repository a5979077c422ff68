//! Another Entrepôt's Delta Share as the source of a replica: two installations that know nothing of each other but a profile, and
//! between them a proxy that counts what crosses and refuses what it is told to.

use exchange::Principal;
use http::StatusCode;
use model::dto::{CheckOutcome, CredentialNew, PurposeNew, RequestNew, StorageDoctor, StorageNew};
use model::{GrantId, ReplicaState};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::wire::serve_at;
use super::{Build, VISITS, VISITS_PATH, World, data_files, rows};
use crate::support::proxy::{Passed, Proxy};

/// The usual product of another installation, granted to a recipient.
struct There {
    world: World,
    proxy: Proxy,
    grant: GrantId,
    profile: serde_json::Value,
    stop: CancellationToken,
    serving: JoinHandle<()>,
}

impl There {
    async fn start() -> Self {
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let outer = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = format!("http://{}", inner.local_addr().unwrap());
        let public = outer.local_addr().unwrap();
        let proxy = Proxy::start_on(outer, &upstream);
        let (world, _, stop, serving) = serve_at(inner, public).await;
        world.visits().await;
        let grant = world.grant(VISITS, "rnd_weu", "live").await;
        let profile = world
            .exchange
            .profile_create(&Principal::operator(), "rnd_weu", Default::default())
            .await
            .unwrap();
        Self {
            profile: serde_json::to_value(&profile).unwrap(),
            world,
            proxy,
            grant,
            stop,
            serving,
        }
    }

    /// An installation that has the profile: the share is a storage, and its table a product.
    async fn neighbour(&self) -> World {
        let build = Build {
            endpoints: vec![self.proxy.address().to_string()],
            ..Build::default()
        };
        let world = World::start(&build).await;
        let made = world
            .exchange
            .storage_create(&Principal::operator(), self.storage())
            .await
            .unwrap();
        assert_eq!(made.credential.as_deref(), Some("sealed ****"));
        let table = format!("{VISITS}/default/visits");
        world.product(VISITS, "other", &[("visits", &table)]).await;
        world
    }

    fn storage(&self) -> StorageNew {
        StorageNew {
            name: "other".into(),
            cloud: "aws".into(),
            region: "eu-central-1".into(),
            url: format!("share://{}/delta-sharing", self.proxy.address()),
            endpoint: None,
            credential: Some(CredentialNew(self.profile.clone())),
            replicas: false,
        }
    }

    fn source(&self) -> std::path::PathBuf {
        self.world.root("aws_eu").join(VISITS_PATH)
    }

    fn end(self) {
        self.stop.cancel();
        self.serving.abort();
    }
}

fn files(passed: &[Passed]) -> usize {
    let files = passed.iter();
    files
        .filter(|one| one.path.starts_with("/data/") && one.status.is_success())
        .count()
}

fn queries(passed: &[Passed]) -> usize {
    let queries = passed.iter();
    queries.filter(|one| one.path.ends_with("/query")).count()
}

/// The data files of a folder, whatever they are called there.
fn contents(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let files = data_files(folder).into_iter();
    files.map(|file| std::fs::read(file).unwrap()).collect()
}

#[tokio::test]
async fn another_entrepots_share_is_cloned_and_followed() {
    let there = There::start().await;
    let world = there.neighbour().await;
    let operator = Principal::operator();
    let replica = world
        .root("az_weu")
        .join(format!("{VISITS}/default/visits"));

    let report = world
        .exchange
        .storage_doctor(&operator, "other", StorageDoctor { write: None })
        .await
        .unwrap();
    assert!(report.is_healthy(), "{report:?}");
    let read = report.checks.iter().find(|check| check.name == "read");
    assert_eq!(read.unwrap().outcome, CheckOutcome::Ok, "{report:?}");

    // What another shares is not handed on by addresses that are not ours.
    let until = world.exchange.now().plus(model::time::DAY);
    let live = RequestNew {
        product: VISITS.into(),
        recipient: "rnd_weu".into(),
        mode: "live".into(),
        cut: None,
        until: until.to_string(),
        purpose: PurposeNew {
            code: "warranty".into(),
            text: "to see what breaks".into(),
        },
    };
    let refused = world.exchange.request_create(&operator, live).await;
    let refused = format!("{:?}", refused.unwrap_err());
    assert!(refused.contains("read by a replica alone"), "{refused}");

    // One file's address is over when it is asked; another is asked for, and the run goes on.
    world.grant(VISITS, "rnd_weu", "replica").await;
    let before = there.proxy.counted();
    there.proxy.be_closed(1);
    world.work().await;
    let passed = there.proxy.passed_since(before);
    let run = &world.runs().await[0];
    assert_eq!(run.error, None);
    assert_eq!((run.from_version, run.to_version), (None, Some(3)));
    assert_eq!((run.files_copied, files(&passed)), (3, 3));
    assert_eq!(run.bytes_copied, run.bytes_full);
    let refused = passed
        .iter()
        .filter(|one| one.status == StatusCode::FORBIDDEN);
    assert_eq!(refused.count(), 1);
    assert_eq!(queries(&passed), 2, "{passed:?}");
    assert_eq!(contents(&replica), contents(&there.source()));
    assert_eq!(
        run.bytes_received,
        there.proxy.counted().since(before).received
    );

    // Nothing new: one look.
    let before = there.proxy.counted();
    let stands = world.sync().await;
    assert_eq!(stands.state, ReplicaState::Ready);
    let passed = there.proxy.passed_since(before);
    assert!(passed.len() <= 2 && queries(&passed) == 0, "{passed:?}");

    // A new version: its new file alone crosses.
    there.world.append(VISITS_PATH, &[rows(90_000, 700)]).await;
    // The catalog looks by itself, and would do so beside the run.
    let refreshed = world.exchange.product_refresh(&operator, VISITS).await;
    refreshed.unwrap();
    let before = there.proxy.counted();
    world.sync().await;
    let passed = there.proxy.passed_since(before);
    let run = &world.runs().await[0];
    assert_eq!((run.from_version, run.to_version), (Some(3), Some(4)));
    assert_eq!((run.files_copied, files(&passed)), (1, 1), "{passed:?}");
    assert_eq!(contents(&replica), contents(&there.source()));
    assert_eq!(
        run.bytes_received,
        there.proxy.counted().since(before).received
    );

    // The access ends: a sentence for people, and the replica stays as it is.
    there.world.revoke(there.grant).await;
    let stands = world.sync().await;
    let why = world.runs().await[0].error.clone().unwrap();
    assert!(why.contains("ask the provider"), "{why}");
    assert!(why.contains(&format!("{VISITS}/default/visits")), "{why}");
    assert_eq!(stands.tables[0].source_version, Some(4));
    assert_eq!(contents(&replica), contents(&there.source()));
    there.end();
}

/// Without the operator's word no share's server is asked, nor one that a profile names beside it.
#[tokio::test]
async fn a_share_is_asked_where_the_operator_allows_it_alone() {
    let there = There::start().await;
    let before = there.proxy.counted();
    let world = World::start(&Build::default()).await;
    let operator = Principal::operator();
    let refused = world
        .exchange
        .storage_create(&operator, there.storage())
        .await;
    let refused = format!("{:?}", refused.unwrap_err());
    assert!(refused.contains("allow-list"), "{refused}");
    let elsewhere = StorageNew {
        url: "share://sharing.example/delta-sharing".into(),
        ..there.storage()
    };
    let refused = world.exchange.storage_create(&operator, elsewhere).await;
    let refused = format!("{:?}", refused.unwrap_err());
    assert!(refused.contains("endpoint"), "{refused}");
    let writes = StorageNew {
        replicas: true,
        ..there.storage()
    };
    let build = Build {
        endpoints: vec![there.proxy.address().to_string()],
        ..Build::default()
    };
    let world = World::start(&build).await;
    let refused = world.exchange.storage_create(&operator, writes).await;
    let refused = format!("{:?}", refused.unwrap_err());
    assert!(refused.contains("nothing can be written"), "{refused}");
    assert_eq!(there.proxy.counted(), before);
    there.end();
}
