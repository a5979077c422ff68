//! Sync jobs: each belongs to a replica, which a grant makes.

use model::dto::SyncJobChange;
use model::{Location, Name};

use super::super::live::LiveJob;
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
        let replica = format!("{}@{}", wanted.product, wanted.to);
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
        let to_come = self
            .replicas
            .iter()
            .filter(|replica| replica.product == wanted.product && replica.location == location);
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
    live.product == wanted.product && live.storage == wanted.to
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
        let (every, at, cron) = words(schedule);
        let live_every = live.every_seconds.map(format_every).unwrap_or_default();
        let differs = [
            fields.compare("every", live_every, &every),
            fields.compare("at", live.at_time.as_deref().unwrap_or_default(), &at),
            fields.compare("cron", live.cron.as_deref().unwrap_or_default(), &cron),
        ];
        if differs.contains(&true) {
            set_schedule(&mut change, every, at, cron);
        }
    }
    change.timezone = fields.differs("timezone", &live.timezone, wanted.timezone.as_ref());
    change.retention_hours = fields.differs(
        "retention_hours",
        live.retention_hours,
        wanted.retention_hours.as_ref(),
    );
    change.keep_hours = fields.differs("keep_hours", live.keep_hours, wanted.keep_hours.as_ref());
    change.paused = fields.differs("paused", live.paused, wanted.paused.as_ref());
    change
}

fn new_job(fields: &mut Fields, name: &Name, wanted: &WantedJob) -> SyncJobChange {
    let mut change = SyncJobChange {
        name: Some(name.to_string()),
        timezone: wanted.timezone.clone(),
        retention_hours: wanted.retention_hours,
        keep_hours: wanted.keep_hours,
        paused: wanted.paused,
        ..SyncJobChange::default()
    };
    fields.set("product", &wanted.product);
    fields.set("to", &wanted.to);
    if let Some(schedule) = &wanted.schedule {
        let (every, at, cron) = words(schedule);
        for (field, word) in [("every", &every), ("at", &at), ("cron", &cron)] {
            fields.set_if(field, Some(word).filter(|word| !word.is_empty()));
        }
        set_schedule(&mut change, every, at, cron);
    }
    fields.set_if("timezone", wanted.timezone.as_ref());
    fields.set_if("retention_hours", wanted.retention_hours);
    fields.set_if("keep_hours", wanted.keep_hours);
    fields.set_if("paused", wanted.paused);
    change
}

/// `every`, `at` and `cron`; empty where there is none.
fn words(schedule: &WantedSchedule) -> (String, String, String) {
    match schedule {
        WantedSchedule::Every(seconds, at) => (
            format_every(*seconds),
            at.clone().unwrap_or_default(),
            String::new(),
        ),
        WantedSchedule::Cron(cron) => (String::new(), String::new(), cron.clone()),
    }
}

fn set_schedule(change: &mut SyncJobChange, every: String, at: String, cron: String) {
    if cron.is_empty() {
        change.every = Some(every);
        change.at = Some(at);
    } else {
        change.cron = Some(cron);
    }
}
