//! Adopting a copy that lies in the replica's storage: what is the same never crosses, what is not is fetched, and the adopted
//! folder stays as it was, whatever happens.

use std::collections::BTreeMap;
use std::sync::Arc;

use delta::{Budgets, Table};
use futures::FutureExt as _;
use md5::{Digest as _, Md5};
use model::Timestamp;
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{Attribute, Attributes, ObjectStore, PutOptions};
use serde_json::Value;

use super::probe::{Mode, Probe};
use super::world::{START, World, add, body, metadata, protocol};
use crate::adopt::{Adopted, Adoption};
use crate::drive::{Outcome, Run, RunError, drive};
use crate::engine::{Ends, LocalEngine};
use crate::foresee::{Foreseen, Foresight, foresee};
use crate::marker::MARKER;
use crate::plan::{Pair, PlanError};

const OWN: &str = "replicas/visits";
const OLD: &str = "old/visits";

/// A source, and a storage with the replica's folder and an older copy in it.
struct Port {
    world: World,
    storage: Arc<Probe>,
    folder: &'static str,
    beside: bool,
    by_ends: bool,
}

impl Port {
    fn new() -> Self {
        let world = World::new();
        let storage = Probe::new(&world.faults);
        Self {
            world,
            storage,
            folder: OLD,
            beside: true,
            by_ends: false,
        }
    }

    /// Puts a data object of the source, whose store says what it comes to, and gives its `add`.
    fn add(&self, path: &str, size: usize) -> Value {
        let bytes = body(path, size);
        let name = Attribute::Metadata("entrepot-content-md5".into());
        let sum = hex::encode(Md5::digest(&bytes));
        let options = PutOptions {
            attributes: Attributes::from_iter([(name, sum)]),
            ..PutOptions::default()
        };
        let (key, objects) = (Path::from(path), &self.world.source.inner);
        let put = objects.put_opts(&key, bytes.into(), options);
        put.now_or_never().unwrap().unwrap();
        add(path, size)
    }

    /// With `a`, `b` and `c` at the source, and a copy that has `a`, `b` under another name, and something else of the size of `c`.
    fn with_old_copy() -> Self {
        let port = Self::new();
        port.world.commit(
            0,
            &[
                protocol(),
                metadata("source-1"),
                port.add("a", 1_000),
                port.add("p=x/b", 2_000),
                port.add("c", 3_000),
            ],
        );
        port.old("a", body("a", 1_000));
        port.old("b-renamed", body("p=x/b", 2_000));
        port.old("d", body("d", 3_000));
        port.old("_delta_log/00000000000000000000.json", b"{}".to_vec());
        port
    }

    fn old(&self, name: &str, bytes: Vec<u8>) {
        self.storage.put_now(&format!("{OLD}/{name}"), bytes);
    }

    fn own(&self) -> Arc<dyn ObjectStore> {
        let storage: Arc<dyn ObjectStore> = self.storage.clone();
        Arc::new(PrefixStore::new(storage, OWN))
    }

    fn pair(&self) -> Pair {
        Pair {
            target: Table::new(self.own(), Budgets::default()),
            adopt: Some(Adoption {
                storage: self.storage.clone(),
                folder: Path::from(self.folder),
                own: Path::from(OWN),
                beside: self.beside,
                by_ends: self.by_ends,
            }),
            ..self.world.pair()
        }
    }

    async fn drive(&self, run: &Run) -> Result<Outcome, RunError> {
        let ends = Ends {
            source: self.world.source.clone(),
            target: self.own(),
            parts: None,
        };
        let engine = LocalEngine::new(Arc::new(ends), self.world.options);
        let (journal, clock) = (&self.world.journal, &self.world.clock);
        drive(run, &self.pair(), &engine, journal, clock).await
    }

    async fn foresee(&self) -> Result<Foresight, PlanError> {
        let now = Timestamp::from_millis(START);
        match foresee(&self.pair(), None, now).await? {
            Foreseen::Work(found) => Ok(*found),
            Foreseen::Nothing { .. } => panic!("nothing to do"),
        }
    }

    /// Runs to the end; what was adopted, and what was read of the source.
    async fn sync(&self) -> (Adopted, u64) {
        let run = self.world.run();
        let outcome = self.drive(&run).await.unwrap();
        let Outcome::Done(plan) = outcome else {
            panic!("not done: {outcome:?}")
        };
        let record = self.world.journal.record(run.id);
        (plan.adopted.unwrap(), record.copied.bytes_read)
    }

    /// The replica has the source's objects, to the byte.
    fn assert_whole(&self, objects: &[(&str, usize)]) {
        for (name, size) in objects {
            let found = self.storage.bytes_now(&format!("{OWN}/{name}"));
            assert!(found == body(name, *size), "{name}");
        }
    }

    /// All of the older copy.
    fn olds(&self) -> BTreeMap<String, Vec<u8>> {
        let keys = self.storage.keys();
        let keys = keys.into_iter().filter(|key| key.starts_with(OLD));
        keys.map(|key| (key.clone(), self.storage.bytes_now(&key).to_vec()))
            .collect()
    }
}

const ALL: [(&str, usize); 3] = [("a", 1_000), ("p=x/b", 2_000), ("c", 3_000)];

#[tokio::test]
async fn what_the_copy_holds_does_not_cross() {
    let port = Port::with_old_copy();
    let (olds, keys) = (port.olds(), port.storage.keys());
    let found = port.foresee().await.unwrap();
    assert_eq!(port.storage.keys(), keys);
    let adopted = found.summary.adopted.clone().unwrap();
    assert_eq!((adopted.files, adopted.bytes), (1, 1_000));
    assert_eq!((adopted.to_read_files, adopted.perhaps_files), (1, 2));
    // What has another name may turn out to be the same; no plan counts on it.
    assert_eq!((found.run.objects, found.run.bytes), (2, 5_000));

    let (adopted, read) = port.sync().await;
    assert_eq!((adopted.taken_files, adopted.taken_bytes), (2, 3_000));
    assert_eq!((adopted.differing, adopted.changed), (1, 0));
    assert_eq!(read, 3_000);
    port.assert_whole(&ALL);
    assert_eq!(port.olds(), olds);

    // From then on it is a replica like every other: the folder is not looked at again.
    port.world.commit(1, &[port.add("e", 50)]);
    port.old("e", body("e", 50));
    let run = port.world.run();
    let Outcome::Done(plan) = port.drive(&run).await.unwrap() else {
        panic!("not done")
    };
    assert_eq!((plan.adopted, plan.bytes_copy), (None, 50));
}

#[tokio::test]
async fn who_writes_the_folder_meanwhile_harms_nothing() {
    // Between the proof and the copy, with as many bytes.
    let port = Port::with_old_copy();
    let other = "x".repeat(1_000);
    *port.storage.before.lock().unwrap() = Some((format!("copy {OLD}/a"), "old/visits/a", other));
    let (adopted, read) = port.sync().await;
    assert_eq!((adopted.taken_files, adopted.changed), (1, 1));
    assert_eq!(read, 4_000);
    port.assert_whole(&ALL);

    // Before the run, likewise: it is found out by reading it.
    let port = Port::with_old_copy();
    port.old("a", b"y".repeat(1_000));
    let (adopted, read) = port.sync().await;
    assert_eq!((adopted.taken_files, adopted.differing), (1, 2));
    assert_eq!(read, 4_000);
    port.assert_whole(&ALL);

    // All of it gone: a first copy like every other.
    let port = Port::with_old_copy();
    for key in port.olds().keys() {
        port.storage.delete_now(key);
    }
    let (adopted, read) = port.sync().await;
    assert_eq!((adopted.files, adopted.taken_files, read), (0, 0, 6_000));
    port.assert_whole(&ALL);
}

#[tokio::test]
async fn a_folder_that_cannot_be_adopted_is_refused_by_name_and_nothing_written() {
    for (folder, holds, said) in [
        ("", "", "A storage as a whole"),
        (OWN, "", "the replica itself lies in"),
        ("replicas", "", "the replica itself lies in"),
        ("replicas/visits/deeper", "", "the replica itself lies in"),
        (OLD, MARKER, "a replica lies in it"),
        (OLD, "table/_entrepot/marker.json", "a replica lies in it"),
    ] {
        let mut port = Port::with_old_copy();
        port.folder = folder;
        if !holds.is_empty() {
            port.old(holds, b"{}".to_vec());
        }
        let keys = port.storage.keys();
        let error = port.foresee().await.unwrap_err().to_string();
        assert!(error.contains(said), "{folder}: {error}");
        assert_eq!(port.storage.keys(), keys);
        let outcome = port.drive(&port.world.run()).await.unwrap();
        let Outcome::Failed { why } = outcome else {
            panic!("{outcome:?}")
        };
        assert!(why.contains(said), "{why}");
        assert!(!port.storage.keys().contains(&format!("{OWN}/a")));
    }
}

#[tokio::test]
async fn where_the_source_says_nothing_of_the_content_only_the_ends_may_be_compared() {
    let mut port = Port::new();
    let mut file = body("a.parquet", 20_000);
    file[19_996..].copy_from_slice(b"PAR1");
    port.world.source.put_now("a.parquet", file.clone());
    let mut other = body("b.parquet", 20_000);
    other[19_996..].copy_from_slice(b"PAR1");
    port.world.source.put_now("b.parquet", other.clone());
    let actions = [
        protocol(),
        metadata("source-1"),
        add("a.parquet", 20_000),
        add("b.parquet", 20_000),
    ];
    port.world.commit(0, &actions);
    port.old("a.parquet", file.clone());
    // Another footer.
    other[15_000] ^= 1;
    port.old("b.parquet", other);

    let found = port.foresee().await.unwrap();
    let adopted = found.summary.adopted.unwrap();
    assert_eq!((adopted.files, found.run.bytes), (0, 40_000));
    let why = adopted.why.unwrap();
    assert!(why.contains("says nothing of their content"), "{why}");

    port.by_ends = true;
    let found = port.foresee().await.unwrap();
    assert_eq!(found.summary.adopted.unwrap().compared_bytes, 16_384);
    assert_eq!((found.run.objects, found.run.bytes), (0, 16_384));
    let (adopted, read) = port.sync().await;
    assert_eq!((adopted.taken_files, adopted.differing), (1, 1));
    // What was read to compare is the meter's to count, not the copy's.
    assert_eq!(read, 20_000);
    let copied = port.storage.bytes_now(&format!("{OWN}/a.parquet"));
    assert!(copied == file);
}

#[tokio::test]
async fn from_elsewhere_only_what_both_stores_say_counts() {
    let mut port = Port::with_old_copy();
    port.beside = false;
    let found = port.foresee().await.unwrap();
    let adopted = found.summary.adopted.unwrap();
    assert_eq!((adopted.files, adopted.perhaps_files), (0, 0));
    let why = adopted.why.unwrap();
    assert!(why.contains("does not stand beside the replica"), "{why}");
    let (adopted, read) = port.sync().await;
    assert_eq!((adopted.taken_files, read), (0, 6_000));
    port.assert_whole(&ALL);
}

#[tokio::test]
async fn what_is_less_than_hoped_for_keeps_to_the_budget() {
    let port = Port::with_old_copy();
    port.old("a", b"y".repeat(1_000));
    let run = Run {
        budget: Some(5_500),
        ..port.world.run()
    };
    // Planned were 5,000. `b` turns out to be there under another name, and `a` not to be itself: 4,000 are left.
    assert!(matches!(port.drive(&run).await.unwrap(), Outcome::Done(_)));

    let port = Port::with_old_copy();
    port.old("a", b"y".repeat(1_000));
    port.old("b-renamed", b"z".repeat(2_000));
    let run = Run {
        budget: Some(5_500),
        ..port.world.run()
    };
    let Outcome::Failed { why } = port.drive(&run).await.unwrap() else {
        panic!("not stopped")
    };
    assert!(
        why.contains("would have moved 6000 bytes in 3 objects"),
        "{why}"
    );
    assert_eq!(port.world.source.reads(), 0);
}

#[tokio::test]
async fn a_run_cut_off_at_any_effect_ends_the_same_and_leaves_the_folder_alone() {
    for mode in [Mode::Dies, Mode::DiesAfter, Mode::Lost] {
        for n in 0.. {
            let port = Port::with_old_copy();
            let olds = port.olds();
            let run = port.world.run();
            port.world.faults.arm(n, mode);
            let _ = port.drive(&run).await;
            let fired = port.world.faults.fired();
            port.world.faults.disarm();
            let outcome = port.drive(&Run { attempt: 2, ..run }).await.unwrap();
            let done = matches!(outcome, Outcome::Done(_) | Outcome::Nothing { .. });
            assert!(done, "{mode:?} {n}: {outcome:?}");
            port.assert_whole(&ALL);
            assert_eq!(port.olds(), olds, "{mode:?} {n}");
            if !fired {
                break;
            }
            assert!(n < 1_000);
        }
    }
}
