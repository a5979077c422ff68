//! The journey, day by day: the clock is moved, the day's commits are written, what is due is done, people act. Every step
//! is an operation of the exchange in the name of whoever takes it; nothing is put into the database by another way.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::Router;
use exchange::access::RequestFilter;
use exchange::jobs::{Wake, WorkKind};
use exchange::{Exchange, Principal};
use model::dto::{DeploymentNew, MemberChange, PersonNew, Profile, ProfileNew};
use model::{ManualClock, SyncRunId, Timestamp};

use super::clouds::{Clouds, Place};
use super::reading::Reader;
use super::report::{self, ReadLine, Report};
use super::story::{Story, count, long_day, percent, size};
use super::tables::{Calendar, DAYS, Tables};
use super::world::{self, DORA, JONAS, LENA, MARA, PEOPLE};
use super::{MANIFEST, acts};
use crate::workers::Worker;

/// What the world is played in.
pub struct Stage {
    /// Over an empty database, on `clock`.
    pub exchange: Exchange,
    /// Moved from day to day; at the end it stands at `now`.
    pub clock: Arc<ManualClock>,
    /// With the handlers and ticks of a serving process; it is not running.
    pub worker: Worker,
    /// The protocol's routes and the gateway's, as the server has them.
    pub machines: Router,
    /// The data folder, made ready by [`super::prepare`].
    pub data: PathBuf,
    /// When the month ends.
    pub now: Timestamp,
    /// The same seed makes the same tables.
    pub seed: u64,
}

/// The principals of the story.
pub(super) struct Cast {
    pub(super) mara: Principal,
    pub(super) jonas: Principal,
    pub(super) dora: Principal,
    pub(super) lena: Principal,
}

/// A journey under way.
pub(super) struct Journey<'s, 'w> {
    pub(super) stage: &'s Stage,
    pub(super) calendar: Calendar,
    pub(super) story: &'s mut Story<'w>,
    pub(super) cast: Cast,
    tables: Tables,
    /// By recipient.
    profiles: BTreeMap<&'static str, (Profile, PathBuf)>,
    reads: Vec<ReadLine>,
    told: BTreeSet<SyncRunId>,
}

/// Plays the month.
///
/// # Errors
/// When the folder is in use, and when anything of the journey does not come out as the story has it: work that fails, a
/// grant that is not verified, bytes without a rate.
pub async fn play(stage: &Stage, story: &mut Story<'_>) -> anyhow::Result<Report> {
    world::check_empty(&stage.exchange, &stage.data).await?;
    let calendar = Calendar::ending(stage.now);
    let clouds = Clouds::create(&world::clouds_folder(&stage.data))?;
    story.say(&format!(
        "The after-sales data of a carmaker from {} to {}, in three clouds (folders that stand in for them).",
        long_day(calendar.at(0, 0, 0)),
        long_day(stage.now)
    ));
    stage.clock.set(calendar.at(0, 4, 0));
    let tables = Tables::create(&clouds, stage.seed, calendar).await?;
    let cast = people_and_declaration(stage, &clouds, story).await?;
    let mut journey = Journey {
        stage,
        calendar,
        story,
        cast,
        tables,
        profiles: BTreeMap::new(),
        reads: Vec::new(),
        told: BTreeSet::new(),
    };
    for day in 1..DAYS {
        journey
            .day(day)
            .await
            .with_context(|| format!("day {day} of the demo world failed"))?;
    }
    journey
        .today()
        .await
        .context("the last day of the demo world failed")
}

/// The organisation, made by who holds the data folder: accounts, the declaration, memberships.
async fn people_and_declaration(
    stage: &Stage,
    clouds: &Clouds,
    story: &mut Story<'_>,
) -> anyhow::Result<Cast> {
    let operator = Principal::operator();
    let exchange = &stage.exchange;
    let accounts = world::accounts(&stage.data)?;
    for account in &accounts {
        let new = PersonNew {
            name: account.person.name.to_owned(),
            title: account.person.title.to_owned(),
            email: format!("{}@example.org", account.person.name),
            password: Some(account.password.clone()),
            roles: account
                .person
                .roles
                .iter()
                .map(|role| (*role).to_owned())
                .collect(),
        };
        exchange.person_create(&operator, new).await?;
    }
    let deployed = exchange
        .declaration_deploy(
            &operator,
            DeploymentNew {
                yaml: world::declaration(clouds)?,
                file: world::DECLARATION_FILE.to_owned(),
                commit: concat!("entrepot-", env!("CARGO_PKG_VERSION")).to_owned(),
                expect_plan_hash: None,
            },
        )
        .await
        .map_err(told)?;
    for person in &PEOPLE {
        for (team, role) in person.teams {
            let role = MemberChange {
                role: (*role).to_owned(),
            };
            exchange
                .member_set(&operator, team, person.name, role)
                .await?;
        }
    }
    story.on(
        exchange.now(),
        &format!(
            "the world is declared: {} things made of demo/entrepot.yml; {} people",
            deployed.plan.to_do(),
            accounts.len()
        ),
    );
    let mut signed_in = BTreeMap::new();
    for account in accounts {
        let name = account.person.name;
        if [MARA, JONAS, DORA, LENA].contains(&name) {
            let (_, principal) = exchange.sign_in(name, account.password).await?;
            signed_in.insert(name, principal);
        }
    }
    let mut take = |name| {
        signed_in
            .remove(name)
            .context("somebody of the story is missing")
    };
    Ok(Cast {
        mara: take(MARA)?,
        jonas: take(JONAS)?,
        dora: take(DORA)?,
        lena: take(LENA)?,
    })
}

/// An error with its fields, which its sentence leaves out.
pub(super) fn told(error: exchange::Error) -> anyhow::Error {
    match &error {
        exchange::Error::Invalid(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}: {}", field.field, field.message))
                .collect();
            anyhow::anyhow!("refused: {}", fields.join("; "))
        }
        _ => error.into(),
    }
}

impl Journey<'_, '_> {
    pub(super) fn exchange(&self) -> &Exchange {
        &self.stage.exchange
    }

    /// One line under the clock's day.
    pub(super) fn tell(&mut self, line: &str) {
        let now = self.stage.exchange.now();
        self.story.on(now, line);
    }

    async fn day(&mut self, day: u32) -> anyhow::Result<()> {
        // Between 03:00 in Berlin, when syncs are due, and the first coffee.
        self.stage.clock.set(self.calendar.at(day, 2, 30));
        self.settle().await?;
        self.stage.clock.set(self.calendar.at(day, 9, 0));
        acts::of_day(self, day).await?;
        self.stage.clock.set(self.calendar.at(day, 21, 30));
        for history in self.tables.play(day).await? {
            for version in &history.versions {
                // The daily loads would drown the rest.
                if !version.what.ends_with(history.table) {
                    let line = format!("{}: {}", history.table, version.what);
                    self.story.on(version.at, &line);
                }
            }
            // The pipeline's last step tells the exchange that there is something new.
            self.exchange()
                .product_refresh(&self.cast.jonas, history.product)
                .await?;
        }
        self.settle().await
    }

    /// The end of the month: nothing new, a last look at everything, the bill.
    async fn today(mut self) -> anyhow::Result<Report> {
        self.stage.clock.set(self.stage.now);
        let system = Principal::system();
        let operator = Principal::operator();
        self.settle().await?;
        let grants =
            report::every(async |page| self.exchange().grants(&operator, None, &page).await)
                .await?;
        for grant in &grants {
            self.exchange()
                .wake(&system, &Wake::new(WorkKind::Grant, grant.id))
                .await?;
        }
        self.settle().await?;
        acts::of_today(&mut self).await?;
        self.finish().await
    }

    /// Looks at the clock, does all that is due, and tells what was synced.
    pub(super) async fn settle(&mut self) -> anyhow::Result<()> {
        for tick in &self.stage.worker.ticks {
            (tick.run)()
                .await
                .with_context(|| format!("the periodic task {} failed", tick.name))?;
        }
        self.stage.worker.drain().await;
        let operator = Principal::operator();
        let work =
            report::every(async |page| self.exchange().work_list(&operator, &page).await).await?;
        for row in work {
            ensure!(
                row.last_error.is_none() && !row.parked,
                "{} of {} failed: {}",
                row.kind,
                row.key,
                row.last_error.unwrap_or_default()
            );
        }
        self.tell_runs().await
    }

    /// What was copied and deleted since the last time.
    async fn tell_runs(&mut self) -> anyhow::Result<()> {
        let operator = Principal::operator();
        let page = exchange::page::PageRequest::all();
        let runs = self
            .exchange()
            .sync_runs(&operator, None, &page)
            .await?
            .items;
        let new: Vec<_> = runs
            .into_iter()
            .filter(|run| self.told.insert(run.id))
            .collect();
        let (syncs, vacuums) = report::runs(new);
        for run in syncs {
            let versions = match (run.from_version, run.source_version) {
                (Some(from), Some(to)) => format!("versions {from} to {to}"),
                (None, Some(to)) => format!("the first copy, version {to}"),
                _ => "nothing new".to_owned(),
            };
            self.tell(&format!(
                "sync  {} -> {}: {versions}; {} of {} that a full copy takes ({})",
                run.table,
                run.to_location,
                size(run.bytes_copied),
                size(run.bytes_full),
                percent(run.bytes_copied.into(), run.bytes_full.into()),
            ));
        }
        for run in vacuums {
            self.tell(&format!(
                "vacuum {} in {}: {} gone, {}",
                run.table,
                run.to,
                count(run.files_deleted, "file"),
                size(run.bytes_deleted)
            ));
        }
        Ok(())
    }

    /// Downloads a recipient's profile, as it can be done once.
    pub(super) async fn download_profile(&mut self, recipient: &'static str) -> anyhow::Result<()> {
        let profile = self
            .exchange()
            .profile_create(&self.cast.mara, recipient, ProfileNew::default())
            .await?;
        let folder = self.stage.data.join("profiles");
        crate::folder::create(&folder)?;
        let file = folder.join(format!("{recipient}.share"));
        let text = serde_json::to_string_pretty(&profile)?;
        world::write_secret(&file, &format!("{text}\n"))?;
        self.tell(&format!(
            "mara downloads the profile of {recipient}: profiles/{recipient}.share"
        ));
        self.profiles.insert(recipient, (profile, file));
        Ok(())
    }

    /// Reads whole tables with a downloaded profile.
    pub(super) async fn read(
        &mut self,
        recipient: &'static str,
        places: &[Place],
    ) -> anyhow::Result<()> {
        let (profile, _) = self
            .profiles
            .get(recipient)
            .with_context(|| format!("{recipient} has no profile yet"))?;
        let reader = Reader {
            routes: &self.stage.machines,
            profile,
        };
        let at = self.stage.exchange.now();
        let (mut tables, mut bytes) = (Vec::new(), 0);
        for place in places {
            let read = reader.table(place.product, place.table).await?;
            tables.push(format!("{} {}", read.rows, place.table));
            bytes += read.bytes;
            self.reads.push(ReadLine {
                recipient,
                product: place.product,
                table: place.table,
                version: read.version,
                files: read.files,
                bytes: read.bytes,
                rows: read.rows,
                at,
            });
        }
        self.tell(&format!(
            "{recipient} reads {}: {}",
            tables.join(", "),
            size(bytes)
        ));
        Ok(())
    }

    async fn finish(self) -> anyhow::Result<Report> {
        let operator = Principal::operator();
        let exchange = self.exchange();
        let every = RequestFilter::default();
        let requests =
            report::every(async |page| exchange.requests(&operator, &every, &page).await).await?;
        let grants =
            report::every(async |page| exchange.grants(&operator, None, &page).await).await?;
        let runs =
            report::every(async |page| exchange.sync_runs(&operator, None, &page).await).await?;
        let (sync_runs, vacuum_runs) = report::runs(runs);
        let mut statement_lines = Vec::new();
        let lena = &self.cast.lena;
        let mut summaries =
            report::every(async |page| exchange.statements(lena, &page).await).await?;
        summaries.sort_by(|one, other| (&one.month, &one.team).cmp(&(&other.month, &other.team)));
        for summary in summaries {
            let found = exchange
                .statement(&self.cast.lena, summary.team.as_str(), &summary.month)
                .await?;
            let same =
                |statement: &model::dto::Statement| statement.summary.currency == summary.currency;
            statement_lines.extend(found.into_iter().filter(same).flat_map(report::bill));
        }
        let manifest = serde_json::to_vec(&self.tables.histories())?;
        write(&self.stage.data.join(MANIFEST), &manifest)?;
        let (_, profile) = self
            .profiles
            .get(acts::RECIPIENT)
            .context("nobody has a profile")?;
        let report = Report {
            products: report::products(exchange, &operator).await?,
            requests: requests.into_iter().rev().map(Into::into).collect(),
            grants: grants.into_iter().rev().map(Into::into).collect(),
            sync_runs,
            vacuum_runs,
            statement_lines,
            savings: exchange.savings(&operator, None).await?,
            reads: self.reads,
            profile: profile.clone(),
            accounts: world::accounts_file(&self.stage.data),
        };
        Ok(report)
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
