//! What the steps of a history do, and what has to hold after each.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures::FutureExt as _;
use model::time::HOUR;
use model::{Clock as _, ManualClock, RunState, Timestamp};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;

use super::super::probe::Mode;
use super::super::tails::agree;
use super::super::world::{Holds, World};
use super::look::{self, Standing};
use super::source::{Change, Source};
use crate::drive::{Outcome, Run, RunError};
use crate::narrow::{self, Narrow};
use crate::{CopyOptions, MARKER, Sums, VacuumError, compare, sums, vacuum};

/// What [`World::pair`] says, too.
const RETENTION: u32 = 168;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Change(Change),
    /// The source gets a checkpoint of its newest version.
    Checkpoint,
    Sync {
        fault: Option<(i64, Mode)>,
        /// Happens once the run is planned.
        meanwhile: Option<Change>,
        /// By a machine that has nothing of what the one before had noted.
        is_elsewhere: bool,
    },
    Vacuum(Option<(i64, Mode)>),
    /// So many hours.
    Wait(i64),
}

pub(super) struct Machine {
    world: World,
    /// The replica's files are the source's.
    keeps_files: bool,
    source: Arc<Mutex<Source>>,
    /// When it began, by the clock of the stores.
    began: Timestamp,
    /// A run that is not over.
    open: Option<Run>,
    /// The replica was vacuumed since the open run began.
    is_vacuumed: bool,
    /// What the replica was found to be when it was last looked at.
    seen: Option<Standing>,
    /// Runs that could be planned from the tails of both logs.
    pub(super) tails: usize,
    /// The replica has some of the rows alone.
    chooses: bool,
    /// Sets of a narrowed replica that were not narrowed anew.
    pub(super) narrowed: usize,
}

/// Rows of a narrowed replica, where they are chosen, have greater ids.
const CHOSEN: i64 = 4;

impl Machine {
    /// `each`: every version of the source is a commit of the replica.
    pub(super) fn new(has_vectors: bool, has_feed: bool, skips: bool, each: bool) -> Self {
        let mut world = World::new();
        world.each = each;
        world.ways.skip = skips;
        world.ways.pack = 3;
        // One after the other, so that the same history is the same again.
        world.options = CopyOptions {
            files: 1,
            part_bytes: 1024,
            ..CopyOptions::default()
        };
        // Orphans are as old as the stores say, and tombstones as the clock says: both begin at the same time.
        world.source.put_now("now", "");
        let key = Path::from("now");
        let now = world.source.inner.head(&key).now_or_never();
        let now = now.unwrap().unwrap().last_modified;
        world.source.delete_now("now");
        let began = Timestamp::from_datetime(now);
        world.clock = ManualClock::at(began);
        let source = Source::new(Arc::clone(&world.source), has_vectors, has_feed);
        Self {
            world,
            keeps_files: !has_feed && !skips,
            source: Arc::new(Mutex::new(source)),
            began,
            open: None,
            is_vacuumed: false,
            seen: None,
            tails: 0,
            chooses: false,
            narrowed: 0,
        }
    }

    /// The replica has neither `x` nor its hashes, or the hashes; of all rows, or of those that are chosen.
    pub(super) fn cut(&mut self, chooses: bool) {
        let x = || vec!["x".to_owned()];
        let none = Vec::new;
        let (drop, pseudonymise) = if chooses {
            (x(), none())
        } else {
            (none(), x())
        };
        let rows = match chooses {
            true => format!("id > {CHOSEN}"),
            false => String::new(),
        };
        let what = model::Narrowing {
            drop,
            pseudonymise,
            rows: model::RowFilter::parse(&rows).unwrap(),
        };
        self.world.narrow = Some(Narrow::new(what, [11; 32]));
        self.chooses = chooses;
    }

    /// The sums of the source as the replica is to have it.
    async fn theirs(&self, version: u64, replica: u64) -> Sums {
        let pair = self.world.pair();
        let theirs = match &pair.narrow {
            Some(narrow) => {
                narrow::sums(&pair.source, version, narrow, (&pair.target, replica)).await
            }
            None => sums(&pair.source, version).await,
        };
        theirs.unwrap()
    }

    pub(super) async fn take(&mut self, step: Step) {
        match step {
            Step::Change(change) => self.source.lock().unwrap().change(change),
            Step::Checkpoint => self.checkpoint().await,
            Step::Sync {
                fault,
                meanwhile,
                is_elsewhere,
            } => self.sync(fault, meanwhile, is_elsewhere).await,
            Step::Vacuum(fault) => self.vacuum(fault).await,
            Step::Wait(hours) => self.world.clock.advance(hours * HOUR),
        }
    }

    /// Without faults, whatever is open is brought to its end, and the replica to the newest version.
    pub(super) async fn come_to_rest(&mut self) {
        // A run that was taken up may find that it has to begin again, and ends where it had been going.
        for _ in 0..4 {
            self.sync(None, None, false).await;
        }
        // Of many versions each comes by a run of its own.
        for _ in 0..10 * super::LONGEST {
            let latest = self.source.lock().unwrap().latest();
            if !self.world.each || look::standing(&self.world).unwrap().source == latest {
                break;
            }
            self.sync(None, None, false).await;
        }
        let latest = self.source.lock().unwrap().latest();
        let standing = look::standing(&self.world).unwrap();
        assert_eq!(standing.source, latest);
    }

    async fn checkpoint(&self) {
        let table = self.world.pair().source;
        let snapshot = table.snapshot(None).await.unwrap();
        // Refused or not: a checkpoint only saves reading.
        let _ = table.write_checkpoint(&snapshot).await;
        self.source.lock().unwrap().is_checkpointed();
    }

    async fn sync(
        &mut self,
        fault: Option<(i64, Mode)>,
        meanwhile: Option<Change>,
        is_elsewhere: bool,
    ) {
        let is_calm = fault.is_none() && meanwhile.is_none() && self.open.is_none();
        let before = look::standing(&self.world);
        let there: BTreeSet<String> = self.world.target.data().into_iter().collect();
        let run = match self.open.take() {
            Some(run) => Run {
                attempt: run.attempt + 1,
                ..run
            },
            None => {
                self.is_vacuumed = false;
                self.world.run()
            }
        };
        self.world.journal.lease(run.id, run.attempt);
        if is_elsewhere {
            for file in std::fs::read_dir(self.world.folder.path()).unwrap() {
                std::fs::remove_file(file.unwrap().path()).unwrap();
            }
        }
        // However the run is planned, it is the same plan.
        self.tails += usize::from(agree(&self.world).await);
        self.happens_meanwhile(meanwhile);
        self.world.source.forget();
        if let Some((n, mode)) = fault {
            self.world.faults.arm(n, mode);
        }
        let result = self.world.drive(&run).await;
        let hit = fault.filter(|_| self.world.faults.fired());
        self.world.faults.disarm();
        *self.world.journal.hook.lock().unwrap() = None;

        // What stands there whole crosses no second time.
        for asked in self.world.source.asked() {
            let key = asked.strip_prefix("get ").unwrap_or_default();
            assert!(!there.contains(key), "`{key}` was copied twice");
        }
        // A store that says what is not true may end a run, for what it says is believed; nothing wrong is committed.
        let is_lied_to = hit.is_some_and(|(_, mode)| matches!(mode, Mode::Short | Mode::Stale));
        match result {
            Ok(Outcome::Done(plan)) => {
                let standing = look::standing(&self.world).unwrap();
                let source = (plan.source_table.clone(), plan.source_version);
                assert_eq!(standing.source, source);
                if plan.narrowed.is_some() {
                    self.narrowed += usize::try_from(plan.sets_by_rows).unwrap();
                }
                // Whatever was chosen, copying files would have moved no less.
                let files = plan.ways.map(|ways| ways.files);
                assert!(
                    files.is_none_or(|files| plan.bytes_copy <= files),
                    "{plan:?}"
                );
                // What is cleaned away on the way costs what of it was copied.
                if is_calm && !self.world.each && self.world.narrow.is_none() {
                    self.moved_no_more_than_files(&run, before.as_ref(), &standing);
                }
            }
            Ok(Outcome::Nothing { .. }) => {
                if is_calm {
                    let latest = self.source.lock().unwrap().latest();
                    assert_eq!(before.unwrap().source, latest);
                }
            }
            Ok(other) => assert!(is_lied_to, "{other:?}"),
            Err(error) => {
                // The objects of a run that had stopped may have been vacuumed: they are copied again.
                let is_robbed = self.is_vacuumed && matches!(error, RunError::Verify(_));
                assert!(hit.is_some() || is_robbed, "{error}");
                self.open = Some(run);
            }
        }
        self.look().await;
        if self.open.is_none() && !is_lied_to {
            self.rerun().await;
        }
    }

    /// Once the run begins to copy, the source changes under it.
    fn happens_meanwhile(&self, change: Option<Change>) {
        let (source, change) = (Arc::clone(&self.source), Mutex::new(change));
        *self.world.journal.hook.lock().unwrap() = Some(Box::new(move |record| {
            if record.state == RunState::Copying
                && let Some(change) = change.lock().unwrap().take()
            {
                source.lock().unwrap().change(change);
            }
        }));
    }

    /// Never more than a copy of the files that are new would have moved; where the replica has files of its own, no more than a copy
    /// of all, for what was not copied may have to be later.
    fn moved_no_more_than_files(&self, run: &Run, before: Option<&Standing>, now: &Standing) {
        let source = self.source.lock().unwrap();
        let held = before
            .filter(|_| self.keeps_files)
            .map(|before| source.state(&before.source));
        let most = source.state(&now.source).bytes_from(held);
        let moved = self.world.journal.record(run.id).copied.bytes_read;
        assert!(moved <= most, "{moved} bytes instead of {most}");
    }

    /// Run again where nothing is new, it moves nothing and writes nothing.
    async fn rerun(&self) {
        let latest = self.source.lock().unwrap().latest();
        let standing = look::standing(&self.world).unwrap();
        if standing.source != latest {
            return;
        }
        self.world.source.forget();
        let keys = self.world.target.keys();
        assert!(matches!(self.world.sync().await, Outcome::Nothing { .. }));
        assert_eq!(self.world.source.reads(), 0);
        assert_eq!(self.world.target.keys(), keys);
        let pair = self.world.pair();
        let theirs = self.theirs(latest.1, standing.version).await;
        let ours = sums(&pair.target, standing.version).await.unwrap();
        compare(&theirs, &ours).unwrap();
    }

    /// The replica is whole, and has the rows of the version that it says it has.
    async fn look(&mut self) {
        let Some(standing) = look::standing(&self.world) else {
            return;
        };
        look::has_its_objects(&self.world, standing.version).await;
        if self.seen.as_ref() == Some(&standing) {
            return;
        }
        let mut rows = self.source.lock().unwrap().state(&standing.source).rows();
        let (ours, has_note) = look::rows(&self.world, standing.version).await;
        if self.world.narrow.is_some() {
            if self.chooses {
                rows.retain(|row| row.id > CHOSEN);
            }
            for row in &mut rows {
                row.x = None;
                row.note = row.note.take().filter(|_| has_note);
            }
            rows.sort();
        }
        assert_eq!(ours, rows);
        self.seen = Some(standing);
    }

    async fn vacuum(&mut self, fault: Option<(i64, Mode)>) {
        let (pair, now) = (self.world.pair(), self.world.clock.now());
        if let Some((n, mode)) = fault {
            self.world.faults.arm(n, mode);
        }
        let fence = Holds::for_ever();
        let done = vacuum(&pair.target, World::replica_table(), RETENTION, now, &fence).await;
        let hit = fault.filter(|_| self.world.faults.fired());
        self.world.faults.disarm();
        self.is_vacuumed = true;
        match &done {
            Ok(_) => {}
            Err(VacuumError::NoMarker) => {
                assert!(!self.world.target.keys().contains(&MARKER.to_owned()));
            }
            Err(error) => assert!(hit.is_some(), "{error}"),
        }
        self.look().await;
        let kept_since = now.plus(-i64::from(RETENTION) * HOUR);
        look::can_still_be_read(&self.world, kept_since).await;
        // The stores' clock goes on while this one is played.
        let is_late = self.began.plus(HOUR) < kept_since;
        if done.is_ok() && hit.is_none() && is_late {
            look::has_forgotten(&self.world, kept_since).await;
        }
    }
}
