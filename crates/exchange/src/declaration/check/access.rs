//! Recipients, grants and sync jobs.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use model::dto::FederationNew;
use model::{AddressRange, Addresses, Mode, Name, RowFilter, Until};
use serde_saphyr::{Location as At, Spanned};

use super::super::file::{
    FederationEntry, Federations, File, GrantEntry, Key, RecipientEntry, Section, SyncJobEntry,
    Text,
};
use super::super::wanted::{Named, WantedGrant, WantedJob, WantedRecipient, WantedSchedule};
use super::{Checker, Place};
use crate::access::{LIVE_CUT, MOST_ADDRESSES, MOST_REQUESTS};
use crate::replicas::{FORGET_HOURS, Schedule, ScheduleError, parse_every};

/// How long what tokens are compared with may be, as in the form; characters.
const WORDS: RangeInclusive<usize> = 1..=500;
/// Seconds.
const DAY: i64 = 86_400;
/// Ten years of hours, as in the form.
const HOURS_MAX: i64 = 24 * 3650;
/// As in the form.
const BYTES_MAX: i64 = 1 << 60;

impl Checker {
    pub(super) fn recipient(
        &mut self,
        place: &Place,
        entry: &RecipientEntry,
        file: &File,
    ) -> Option<WantedRecipient> {
        let team = self.must(place, "team", &entry.team);
        self.refer(place, "team", &entry.team, &file.teams);
        let location = self.location(place, &entry.cloud, &entry.region);
        let addresses = entry
            .addresses
            .as_ref()
            .map(|addresses| self.addresses(place, addresses));
        let requests = self.number(
            place,
            "requests_per_minute",
            &entry.requests_per_minute,
            1..=i64::from(MOST_REQUESTS),
        );
        let federation = entry.federation.as_ref().and_then(|Federations(all)| {
            let mut federations = Some(Vec::new());
            for one in all {
                let one = self.federation(place, one);
                federations = federations.zip(one).map(|(mut all, one)| {
                    all.push(one);
                    all
                });
            }
            federations
        });
        Some(WantedRecipient {
            team: team?,
            location: location?,
            addresses: addresses.flatten(),
            requests_per_minute: requests.and_then(|requests| u32::try_from(requests).ok()),
            federation,
        })
    }

    fn addresses(&mut self, place: &Place, addresses: &[Text]) -> Option<Addresses> {
        let path = format!("{}.addresses", place.path);
        if let Some(one) = addresses.get(MOST_ADDRESSES) {
            let why = format!("at most {MOST_ADDRESSES}");
            self.fail(place, "addresses", one.referenced, why);
            return None;
        }
        addresses
            .iter()
            .map(|text| self.parsed::<AddressRange>(&path, text.referenced, &text.value))
            .collect()
    }

    fn federation(&mut self, place: &Place, entry: &FederationEntry) -> Option<FederationNew> {
        let issuer = self.must_text(place, "federation.issuer", &entry.issuer, WORDS, false);
        let audience = self.must_text(place, "federation.audience", &entry.audience, WORDS, false);
        let claim = self.text(place, "federation.claim", &entry.claim, WORDS, false);
        let subject = self.must_text(place, "federation.subject", &entry.subject, WORDS, false);
        Some(FederationNew {
            issuer: issuer?,
            audience: audience?,
            claim,
            subject: subject?,
            beside: false,
        })
    }

    pub(super) fn grants(&mut self, file: &File) -> Named<Name, WantedGrant> {
        let grants = self.section("grants", &file.grants, |checker, place, entry| {
            checker.grant(place, entry, file)
        });
        let mut given: BTreeMap<(String, String, Mode, Option<Name>), &Name> = BTreeMap::new();
        for (name, grant) in grants.iter().flatten() {
            let what = (
                grant.product.to_string(),
                grant.recipient.to_string(),
                grant.mode,
                grant.cut.clone(),
            );
            if let Some(other) = given.insert(what, name) {
                let place = place_of(&file.grants, name);
                self.problems.push(super::problem(
                    &format!("grants.{name}"),
                    place,
                    format!("gives the same as {other}: product, recipient and mode"),
                ));
            }
        }
        grants
    }

    fn grant(&mut self, place: &Place, entry: &GrantEntry, file: &File) -> Option<WantedGrant> {
        let product = self.must(place, "product", &entry.product);
        self.refer(place, "product", &entry.product, &file.products);
        let recipient = self.must(place, "recipient", &entry.recipient);
        self.refer(place, "recipient", &entry.recipient, &file.recipients);
        let mode = self.must(place, "mode", &entry.mode);
        let cut: Option<Name> = self.word(place, "cut", &entry.cut);
        if let (Some(text), Some(Mode::Live)) = (&entry.cut, mode) {
            self.fail(place, "cut", text.referenced, LIVE_CUT);
        }
        if let (Some(_), Some(bytes)) = (&entry.cut, &entry.live_bytes_per_day) {
            self.fail(
                place,
                "live_bytes_per_day",
                bytes.referenced,
                "access by a cut is read from its replica alone; leave it out",
            );
        }
        let until: Option<Until> = self.must(place, "until", &entry.until);
        let per_day = self.number(
            place,
            "live_bytes_per_day",
            &entry.live_bytes_per_day,
            1..=BYTES_MAX,
        );
        let rows = entry
            .rows
            .as_ref()
            .and_then(|text| match RowFilter::parse(&text.value) {
                Ok(rows) => Some(rows.map(|rows| rows.to_string()).unwrap_or_default()),
                Err(why) => {
                    self.fail(place, "rows", text.referenced, why.to_string());
                    None
                }
            });
        let is_narrow = rows.as_ref().is_some_and(|rows| !rows.is_empty());
        let lends = entry.directory == Some(true);
        if mode == Some(Mode::Replica) && (is_narrow || lends) {
            let field = if is_narrow { "rows" } else { "directory" };
            self.fail(
                place,
                field,
                place.at,
                "a replica holds whole tables and is read by URL; this goes with mode: live",
            );
        }
        if is_narrow && lends {
            self.fail(
                place,
                "directory",
                place.at,
                "a credential opens whole folders; it does not go together with conditions on rows",
            );
        }
        let Some(purpose) = &entry.purpose else {
            self.missing(place, "purpose");
            return None;
        };
        let inner = Place {
            path: format!("{}.purpose", place.path),
            at: place.at,
        };
        let code = self.must(&inner, "code", &purpose.code);
        let text = self.must_text(&inner, "text", &purpose.text, 3..=4_000, true);
        Some(WantedGrant {
            product: product?,
            recipient: recipient?,
            mode: mode?,
            cut,
            until: until?.0,
            purpose_code: code?,
            purpose_text: text?,
            live_bytes_per_day: per_day.and_then(|bytes| u64::try_from(bytes).ok()),
            rows,
            directory: entry.directory,
        })
    }

    pub(super) fn sync_jobs(&mut self, file: &File) -> Named<Name, WantedJob> {
        let jobs = self.section("sync_jobs", &file.sync_jobs, |checker, place, entry| {
            checker.sync_job(place, entry, file)
        });
        let mut kept: BTreeMap<(String, Option<Name>, String), &Name> = BTreeMap::new();
        for (name, job) in jobs.iter().flatten() {
            let what = (job.product.to_string(), job.cut.clone(), job.to.to_string());
            if let Some(other) = kept.insert(what, name) {
                let place = place_of(&file.sync_jobs, name);
                self.problems.push(super::problem(
                    &format!("sync_jobs.{name}"),
                    place,
                    format!("keeps the same replica as {other}: there is one job for each"),
                ));
            }
        }
        jobs
    }

    fn sync_job(&mut self, place: &Place, entry: &SyncJobEntry, file: &File) -> Option<WantedJob> {
        let product = self.must(place, "product", &entry.product);
        self.refer(place, "product", &entry.product, &file.products);
        let to = self.must(place, "to", &entry.to);
        self.refer(place, "to", &entry.to, &file.storages);
        let cut = self.word(place, "cut", &entry.cut);
        let schedule = self.schedule(place, entry);
        let timezone = self.text(place, "timezone", &entry.timezone, 1..=64, false);
        let verify_objects = self.checks(place, "verify_objects", &entry.verify_objects);
        let verify_rows = self.checks(place, "verify_rows", &entry.verify_rows);
        let retention_hours = self.number(
            place,
            "retention_hours",
            &entry.retention_hours,
            1..=HOURS_MAX,
        );
        let keep_hours = self.number(place, "keep_hours", &entry.keep_hours, 0..=HOURS_MAX);
        let forget_hours = match &entry.forget_hours {
            Some(hours) if hours.value == 0 => Some(0),
            hours => self.number(place, "forget_hours", hours, FORGET_HOURS),
        };
        let fetches = self.word(place, "fetches", &entry.fetches);
        let commits = self.word(place, "commits", &entry.commits);
        Some(WantedJob {
            product: product?,
            cut,
            to: to?,
            schedule,
            timezone,
            verify_objects,
            verify_rows,
            retention_hours,
            keep_hours,
            forget_hours,
            fetches,
            commits,
            paused: entry.paused,
        })
    }

    /// When a replica is checked by itself.
    fn checks(
        &mut self,
        place: &Place,
        field: &'static str,
        text: &Option<Text>,
    ) -> Option<String> {
        let text = text.as_ref()?;
        let when = text.value.trim();
        if !when.is_empty()
            && let Err(error) = Schedule::of_checks(when, "UTC")
        {
            self.fail(place, field, text.referenced, error.to_string());
        }
        Some(when.to_owned())
    }

    /// Each field by itself first, so that all that is wrong is said at once, and then whether they go together.
    fn schedule(&mut self, place: &Place, entry: &SyncJobEntry) -> Option<WantedSchedule> {
        let before = self.problems.len();
        let [seconds, new_version, fresh] = [
            ("every", &entry.every),
            ("on_new_version", &entry.on_new_version),
            ("fresh_within", &entry.fresh_within),
        ]
        .map(|(field, text)| {
            let text = text.as_ref()?;
            match parse_every(&text.value) {
                Ok(found) => Some(found),
                Err(error) => {
                    self.fail(place, field, text.referenced, error.to_string());
                    None
                }
            }
        });
        let time = entry.at.as_ref().map(|at| at.value.as_str());
        let cron = entry.cron.as_ref().map(|cron| cron.value.as_str());
        let zone = entry.timezone.as_ref().map(|zone| zone.value.as_str());
        let alone = [
            ("at", &entry.at, Schedule::new(Some(DAY), time, None, "UTC")),
            ("cron", &entry.cron, Schedule::new(None, None, cron, "UTC")),
            (
                "timezone",
                &entry.timezone,
                Schedule::new(None, None, None, zone.unwrap_or("UTC")),
            ),
        ];
        for (field, text, schedule) in alone {
            if let (Some(text), Err(error)) = (text, schedule) {
                self.fail(place, field, text.referenced, error.to_string());
            }
        }
        let mut kinds = [
            ("every", &entry.every),
            ("on_new_version", &entry.on_new_version),
            ("fresh_within", &entry.fresh_within),
            ("cron", &entry.cron),
        ]
        .into_iter()
        .filter_map(|(field, text)| Some((field, text.as_ref()?)));
        if let (Some((field, text)), Some(_)) = (kinds.next(), kinds.next()) {
            let why = ScheduleError::Both.to_string();
            self.fail(place, field, text.referenced, why);
        }
        match (&entry.every, &entry.at, &entry.cron) {
            (None, Some(at), _) => self.fail(
                place,
                "at",
                at.referenced,
                "a time of day goes with `every`; with `cron` it stands in the cron line",
            ),
            (Some(_), Some(at), None) if seconds.is_some_and(|seconds| seconds % DAY != 0) => {
                let why = ScheduleError::AtWithoutDays.to_string();
                self.fail(place, "at", at.referenced, why);
            }
            _ => {}
        }
        if self.problems.len() > before {
            return None;
        }
        let every = |seconds| WantedSchedule::Every(seconds, time.map(str::to_owned));
        seconds
            .map(every)
            .or(new_version.map(WantedSchedule::NewVersion))
            .or(fresh.map(WantedSchedule::Fresh))
            .or(cron.map(|cron| WantedSchedule::Cron(cron.to_owned())))
    }
}

fn place_of<T>(section: &Section<T>, name: &Name) -> Option<At> {
    let key = Key(Spanned::new(name.to_string(), At::UNKNOWN, At::UNKNOWN));
    let (key, _) = section.as_ref()?.get_key_value(&key)?;
    Some(key.0.referenced)
}
