//! A new grant that comes between a crash and what would have been done after it.

use exchange::Principal;
use exchange::page::PageRequest;
use model::{GrantActual, ReplicaState, Timestamp};

use super::folder::{files_below, source};
use super::world::World;
use super::{Copying, Death, Kind, child};

/// Played after those of the loop up to the crash, at the instant of the last.
pub(super) const STAGES: &[(&str, &str)] = &[("renew", "2026-07-20T10:00:00Z")];

impl World {
    /// Asked for and approved again.
    pub(super) async fn renew(&self) {
        let (mara, jonas) = (self.person("mara").await, self.person("jonas").await);
        let request = self.ask(&mara).await;
        self.approve(&jonas, &request).await;
    }
}

/// The folder is empty, and nobody could say so any more: the replica that the new grant brings back is cloned anew.
async fn is_cloned_anew(kind: Kind, point: &str) {
    let base = tempfile::tempdir().unwrap();
    let (folder, log) = (base.path().join("main"), base.path().join("points"));
    std::fs::create_dir_all(&folder).unwrap();
    kind.copy(None, "main").await;
    let address = kind.address(&folder, "main");
    source(&folder, "declare").await;
    for stage in ["declare", "approve", "first"] {
        assert!(child(stage, &folder, &address, Copying::Local, None, &log));
    }
    let replica = folder.join("az_weu/vehicle-visits");
    let cloned = files_below(&replica);
    assert!(cloned.len() > 4, "{cloned:?}");
    assert!(child("end", &folder, &address, Copying::Local, None, &log));
    let death = Death::Worker(point.to_owned());
    assert!(
        !child(
            "erase",
            &folder,
            &address,
            Copying::Local,
            Some(&death),
            &log
        ),
        "it did not die at {point}"
    );
    assert!(child(
        "renew",
        &folder,
        &address,
        Copying::Local,
        None,
        &log
    ));
    let (_, at) = STAGES[0];
    let world = World::open(&folder, &address, Timestamp::parse(at).unwrap()).await;
    let operator = Principal::operator();
    let found = world
        .exchange()
        .replica(&operator, "vehicle-visits@az_weu")
        .await
        .unwrap();
    assert_eq!(found.state, ReplicaState::Ready, "{found:?}");
    let table = &found.tables[0];
    assert_eq!(table.state, ReplicaState::Ready);
    assert_eq!(table.replica_version, Some(0));
    let now = files_below(&replica);
    assert_eq!(now, cloned, "after dying at {point}");
    let grants = world
        .exchange()
        .grants(&operator, None, &PageRequest::all())
        .await
        .unwrap()
        .items;
    let active = grants
        .iter()
        .filter(|grant| grant.actual == GrantActual::Active);
    assert_eq!(active.count(), 1, "{grants:?}");
    world.exchange().db().close().await;
}

/// Before anything is gone, in the middle, with nothing but the marker left, and when all is gone.
const POINTS: &[&str] = &[
    "erase.delete.before",
    "erase.delete.after",
    "erase.marker.before",
    "replica.delete.before",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_after_dying_while_erasing_is_cloned_anew_on_sqlite() {
    for point in POINTS {
        is_cloned_anew(Kind::Sqlite, point).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_after_dying_while_erasing_is_cloned_anew_on_postgres() {
    let Ok(server) = std::env::var("TEST_POSTGRES_URL") else {
        assert!(
            std::env::var("TEST_QUICK").is_ok(),
            "TEST_POSTGRES_URL names no server"
        );
        return;
    };
    for (index, point) in POINTS.iter().enumerate() {
        let kind = Kind::Postgres {
            server: server.clone(),
            run: format!("renewal_{}_{index}", std::process::id()),
        };
        is_cloned_anew(kind, point).await;
    }
}
