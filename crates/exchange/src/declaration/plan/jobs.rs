//! Sync jobs: each belongs to a replica, which a grant makes.

use model::dto::SyncJobChange;
use model::{Location, Name};

use super::super::live::{LiveJob, replica_of};
use super::super::wanted::{WantedJob, WantedSchedule};
use super::{Act, Fields, Planner, has};
use crate::operation::Operation;
use crate::replicas::format_every;

impl Planner<'_> {
    pub(super) fn sync_jobs(&mut self) {
        for (name, wanted) in self.wanted.sync_jobs.iter().flatten() {
            self.sync_job(name, wanted);
        }
    }

    fn sync_job(&mut self, name: &Name, wanted: &WantedJob) {
        let Some(scope) = self.product_scope(&wanted.product) else {
            let why = "there is no such product, or you may not see it";
            return self.refuse("sync_job", name, Fields::default(), why);
        };
        let Some(location) = self.storage_location(&wanted.to) else {
            let why = format!("there is no storage {}", wanted.to);
            return self.refuse("sync_job", name, Fields::default(), why);
        };
        let taken = self
            .live
            .jobs
            .iter()
            .find(|job| job.name.as_ref() == Some(name) && !is_job(job, wanted));
        if let Some(other) = taken {
            let why = format!("that name is the job's of {}", other.reference());
            return self.refuse("sync_job", name, Fields::default(), why);
        }
        let mut fields = Fields::default();
        let found = self.live.jobs.iter().find(|job| is_job(job, wanted));
        let replica = replica_of(&wanted.product, wanted.cut.as_ref(), &wanted.to);
        if let Some(live) = found {
            let change = compare(&mut fields, name, wanted, live);
            self.update("sync_job", name, fields, Act::Job { replica, change });
            return self.needs(Operation::SyncJobUpdate, &scope);
        }
        let target = self.replica_target(&location);
        if target.as_ref() != Some(&wanted.to) {
            let why = match target {
                Some(target) => format!("replicas in {location} are kept in {target}"),
                None => format!("{} takes no replicas", wanted.to),
            };
            return self.refuse("sync_job", name, fields, why);
        }
        let to_come = self.replicas.iter().filter(|replica| {
            replica.product == wanted.product
                && replica.cut == wanted.cut
                && replica.location == location
        });
        // One that does not wait is enough.
        match to_come.min_by_key(|replica| replica.waits) {
            None => {
                let why = format!(
                    "there is no replica of {} in {} yet, and no grant of this file makes one; declare a grant of mode \
                     replica for a recipient in {location}",
                    wanted.product, wanted.to
                );
                self.refuse("sync_job", name, fields, why);
            }
            Some(replica) if replica.waits => {
                let why = format!(
                    "there is no replica until data protection agrees to {}; deploy again then",
                    replica.grant
                );
                self.unchanged("sync_job", name);
                self.note(why);
            }
            Some(_) => {
                let change = new_job(&mut fields, name, wanted);
                self.create("sync_job", name, fields, Act::Job { replica, change });
                self.needs(Operation::SyncJobUpdate, &scope);
            }
        }
    }

    fn storage_location(&self, name: &Name) -> Option<Location> {
        let wanted = self.wanted.storages.as_ref().and_then(|s| s.get(name));
        match wanted {
            Some(wanted) => Some(wanted.location.clone()),
            None => Some(self.live.storages.get(name)?.location.clone()),
        }
    }

    /// The storage that will take the replicas of a location: the first by name, as the approval chooses.
    pub(super) fn replica_target(&self, location: &Location) -> Option<Name> {
        let wanted = self.wanted.storages.iter().flatten();
        let declared = wanted.filter(|(name, storage)| {
            let live = self.live.storages.get(*name);
            storage.location == *location
                && storage
                    .replicas
                    .or(live.map(|live| live.replicas))
                    .unwrap_or_default()
        });
        let live = self.live.storages.values().filter(|storage| {
            storage.location == *location
                && storage.replicas
                && !has(&self.wanted.storages, &storage.name)
        });
        declared
            .map(|(name, _)| name)
            .chain(live.map(|storage| &storage.name))
            .min()
            .cloned()
    }

    pub(super) fn foreign_jobs(&mut self) {
        let live = self.live;
        for job in &live.jobs {
            let declared = self
                .wanted
                .sync_jobs
                .iter()
                .flatten()
                .any(|(_, wanted)| is_job(job, wanted));
            let visible = live.product_for(self.principal, &job.product).is_some();
            if !declared && visible {
                self.foreign_one("sync_job", job.shown_name());
            }
        }
    }
}

fn is_job(live: &LiveJob, wanted: &WantedJob) -> bool {
    live.product == wanted.product && live.cut == wanted.cut && live.storage == wanted.to
}

fn compare(fields: &mut Fields, name: &Name, wanted: &WantedJob, live: &LiveJob) -> SyncJobChange {
    let mut change = SyncJobChange {
        revision: Some(live.revision),
        ..SyncJobChange::default()
    };
    // Under the name that an export made up a job stays without one.
    if live.export_name() != name.as_str() {
        let called = live.name.as_ref().map(ToString::to_string);
        fields.compare("name", called.unwrap_or_default(), name);
        change.name = Some(name.to_string());
    }
    if let Some(schedule) = &wanted.schedule {
        let words = words(schedule);
        let period = |seconds: Option<i64>| seconds.map(format_every).unwrap_or_default();
        let stands = [
            period(live.every_seconds),
            live.at_time.clone().unwrap_or_default(),
            live.cron.clone().unwrap_or_default(),
            period(live.new_version_seconds),
            period(live.fresh_seconds),
        ];
        let mut is_other = false;
        for ((field, word), stands) in words.iter().zip(stands) {
            is_other |= fields.compare(field, stands, word);
        }
        if is_other {
            set_schedule(&mut change, words);
        }
    }
    for (field, live, wanted, change) in [
        (
            "verify_objects",
            &live.verify_objects,
            &wanted.verify_objects,
            &mut change.verify_objects,
        ),
        (
            "verify_rows",
            &live.verify_rows,
            &wanted.verify_rows,
            &mut change.verify_rows,
        ),
    ] {
        let live = live.clone().unwrap_or_default();
        *change = fields.differs(field, &live, wanted.as_ref());
    }
    change.timezone = fields.differs("timezone", &live.timezone, wanted.timezone.as_ref());
    change.retention_hours = fields.differs(
        "retention_hours",
        live.retention_hours,
        wanted.retention_hours.as_ref(),
    );
    change.keep_hours = fields.differs("keep_hours", live.keep_hours, wanted.keep_hours.as_ref());
    change.forget_hours = fields.differs(
        "forget_hours",
        live.forget_hours.unwrap_or_default(),
        wanted.forget_hours.as_ref(),
    );
    change.fetches = fields.differs("fetches", live.fetches, wanted.fetches.as_ref());
    change.commits = fields.differs("commits", live.commits, wanted.commits.as_ref());
    change.paused = fields.differs("paused", live.paused, wanted.paused.as_ref());
    change
}

fn new_job(fields: &mut Fields, name: &Name, wanted: &WantedJob) -> SyncJobChange {
    let mut change = SyncJobChange {
        name: Some(name.to_string()),
        timezone: wanted.timezone.clone(),
        retention_hours: wanted.retention_hours,
        keep_hours: wanted.keep_hours,
        forget_hours: wanted.forget_hours,
        fetches: wanted.fetches,
        commits: wanted.commits,
        paused: wanted.paused,
        verify_objects: wanted.verify_objects.clone(),
        verify_rows: wanted.verify_rows.clone(),
        ..SyncJobChange::default()
    };
    fields.set("product", &wanted.product);
    fields.set_if("cut", wanted.cut.as_ref());
    fields.set("to", &wanted.to);
    if let Some(schedule) = &wanted.schedule {
        let words = words(schedule);
        for (field, word) in &words {
            fields.set_if(field, Some(word).filter(|word| !word.is_empty()));
        }
        set_schedule(&mut change, words);
    }
    fields.set_if("timezone", wanted.timezone.as_ref());
    fields.set_if("verify_objects", wanted.verify_objects.as_ref());
    fields.set_if("verify_rows", wanted.verify_rows.as_ref());
    fields.set_if("retention_hours", wanted.retention_hours);
    fields.set_if("keep_hours", wanted.keep_hours);
    let deadline = wanted.forget_hours.filter(|hours| *hours != 0);
    fields.set_if("forget_hours", deadline);
    fields.set_if("fetches", wanted.fetches);
    fields.set_if("commits", wanted.commits);
    fields.set_if("paused", wanted.paused);
    change
}

/// What says when, by its field; empty where there is none.
type Words = [(&'static str, String); 5];

fn words(schedule: &WantedSchedule) -> Words {
    let mut words = ["every", "at", "cron", "on_new_version", "fresh_within"]
        .map(|field| (field, String::new()));
    let [every, at, cron, new_version, fresh] = &mut words;
    match schedule {
        WantedSchedule::Every(seconds, time) => {
            every.1 = format_every(*seconds);
            at.1 = time.clone().unwrap_or_default();
        }
        WantedSchedule::Cron(line) => cron.1.clone_from(line),
        WantedSchedule::NewVersion(seconds) => new_version.1 = format_every(*seconds),
        WantedSchedule::Fresh(seconds) => fresh.1 = format_every(*seconds),
    }
    words
}

/// All of it: what is declared takes the place of what stood.
fn set_schedule(change: &mut SyncJobChange, words: Words) {
    let [every, at, cron, new_version, fresh] = words.map(|(_, word)| Some(word));
    change.every = every;
    change.at = at;
    change.cron = cron;
    change.on_new_version = new_version;
    change.fresh_within = fresh;
}
