//! What the next sync of a replica would move, what the other ways would, and what that costs at today's prices. Planned behind
//! [`crate::ports::Foreseer`], by what plans the runs. Nothing of it is stored.
//!
//! Also here: a sync with a budget, which is planned before anything of it is begun.

use std::collections::HashMap;

use model::dto::{Money, Replica, SyncPlan, SyncWay, TablePlan, WayPlan};
use model::{Location, Micro, ReplicaTableId, Route, Timestamp};
use serde_json::json;

use super::crossing::{crossing, is_beside};
use super::records::ReplicaRecord;
use super::sight::Sight;
use super::task::SyncTask;
use crate::Exchange;
use crate::billing::RateRecord;
use crate::error::Error;
use crate::jobs::WorkKind;
use crate::operation::Operation;
use crate::policy::can;
use crate::ports::{Anew, Foreseen, Foresight, Moves, Problem};
use crate::principal::Principal;

/// Said of the change feed and of compactions where neither would do; nothing about them is estimated.
const NOTHING_REWRITTEN: &str = "No file was rewritten.";
const NO_COMPACTION: &str = "There is no compaction that can be left alone, or the replica is not to: that is switched on for each replica.";
const NOT_EVERYWHERE: &str = "What it cannot be done for is copied.";
/// Stands where the reason would, for those who only read the replica: a store's words name paths.
const NO_PLAN: &str = "It cannot be planned. The team that owns the product sees why.";
const ON_ITS_WAY_OUT: &str =
    "this replica is on its way out; ask for access again to bring it back";

/// One table of a replica, and what its next run would do.
struct Planned {
    task: SyncTask,
    found: Result<Foreseen, Problem>,
}

impl Planned {
    fn name(&self) -> String {
        format!("{}.{}", self.task.schema, self.task.table_name)
    }

    /// What its run would move.
    fn moves(&self) -> Moves {
        match &self.found {
            Ok(Foreseen::Work(found)) => found.run,
            _ => Moves::default(),
        }
    }
}

impl Exchange {
    /// What the next sync would move, before it does: reads logs at both ends and writes nothing.
    pub async fn sync_plan(
        &self,
        principal: &Principal,
        reference: &str,
    ) -> Result<SyncPlan, Error> {
        let (replica, scope) = self.replica_for(principal, reference).await?;
        can(principal, Operation::SyncPlanRead, &scope)?;
        if !replica.follows() {
            return Err(Error::conflict(ON_ITS_WAY_OUT));
        }
        let at = self.now();
        let (sight, to) = (Sight::of_replica(principal, &replica), replica.location()?);
        let mut plan = SyncPlan {
            replica: replica.id,
            product: replica.product.clone(),
            cut: replica.cut.clone(),
            to: replica.storage.clone(),
            to_location: to.clone(),
            at,
            tables: Vec::new(),
            bytes: 0,
            requests: 0,
            money: Vec::new(),
        };
        let workers = self.worker_places().await?;
        for planned in self.planned(&replica, at).await? {
            let moves = planned.moves();
            plan.bytes = plan.bytes.saturating_add(moves.bytes);
            plan.requests = plan.requests.saturating_add(moves.requests);
            let route = Route {
                from: planned.task.from_location()?,
                to: to.clone(),
            };
            let rate = self.rate_for(self.db(), &route, at).await?;
            add(&mut plan.money, cost(rate.as_ref(), moves.bytes));
            let mut table = shown(planned, &route, rate.as_ref(), sight);
            table.crossing = crossing(&route, &workers);
            plan.tables.push(table);
        }
        Ok(plan)
    }

    /// Asks for a sync of every table now that moves at most `budget` bytes of files: of all tables together. It is planned first,
    /// and refused where that is more. What a source commits meanwhile has to fit, too: each run has its share of the budget and
    /// stops before it is passed.
    pub async fn sync_start_within(
        &self,
        principal: &Principal,
        reference: &str,
        budget: u64,
    ) -> Result<Replica, Error> {
        let (replica, scope) = self.replica_for(principal, reference).await?;
        can(principal, Operation::SyncStart, &scope)?;
        if !replica.follows() {
            return Err(Error::conflict(ON_ITS_WAY_OUT));
        }
        let sight = Sight::of_replica(principal, &replica);
        let tables = self.planned(&replica, self.now()).await?;
        if let Some(table) = tables.iter().find(|table| table.found.is_err()) {
            let why = reason(&table.found, sight);
            return Err(Error::conflict(format!(
                "nothing was begun, for a budget is kept only where all can be planned, and {} cannot be: {why}",
                table.name()
            )));
        }
        let total = tables
            .iter()
            .fold(0_u64, |sum, table| sum.saturating_add(table.moves().bytes));
        if total > budget {
            let each: Vec<String> = tables
                .iter()
                .filter(|table| table.moves().bytes > 0)
                .map(|table| format!("{} {}", table.name(), table.moves().bytes))
                .collect();
            return Err(Error::conflict(format!(
                "nothing was begun: the sync would have moved {total} bytes ({}), and its budget is {budget}; raise the budget, or sync \
                 without one",
                each.join(", ")
            )));
        }
        // What is left over is for what is committed until the runs begin.
        let spare = (budget - total) / u64::try_from(tables.len()).unwrap_or(u64::MAX).max(1);
        let shares: HashMap<ReplicaTableId, u64> = tables
            .iter()
            .map(|table| (table.task.replica_table_id, table.moves().bytes + spare))
            .collect();
        let with = move |table: ReplicaTableId| {
            // A table that came since was not planned.
            json!({ "budget": shares.get(&table).copied().unwrap_or(0) })
        };
        self.replica_start(
            principal,
            reference,
            Operation::SyncStart,
            WorkKind::Sync,
            with,
        )
        .await
    }

    async fn planned(&self, replica: &ReplicaRecord, at: Timestamp) -> Result<Vec<Planned>, Error> {
        let system = Principal::system();
        let workers = self.worker_places().await?;
        let mut all = Vec::new();
        for table in self.replica_tables(self.db(), replica.id).await? {
            if !table.follows() {
                continue;
            }
            let Some(task) = self.sync_task(&system, table.id).await? else {
                continue;
            };
            let route = Route {
                from: task.from_location()?,
                to: task.to_location()?,
            };
            let beside = is_beside(&route, &workers);
            let found = match self.foresee(&task, beside, at).await {
                Ok(found) => Ok(found),
                // Of one table: the others are planned all the same.
                Err(Error::Unavailable(sentence)) => Err(Problem::new(sentence)),
                Err(error) => return Err(error),
            };
            all.push(Planned { task, found });
        }
        Ok(all)
    }

    pub(super) async fn foresee(
        &self,
        task: &SyncTask,
        beside: bool,
        at: Timestamp,
    ) -> Result<Foreseen, Error> {
        let system = Principal::system();
        let source = self
            .storage_access_for_system(&system, task.source_storage)
            .await?;
        let target = self
            .storage_access_for_system(&system, task.target_storage)
            .await?;
        let foreseer = &self.ports().foreseer;
        let found = foreseer.foresee(task, &source, &target, beside, at).await;
        found.map_err(|problem| Error::Unavailable(problem.sentence))
    }
}

fn reason(found: &Result<Foreseen, Problem>, sight: Sight) -> String {
    match (found, sight) {
        (Err(problem), Sight::Whole) => problem.sentence.clone(),
        _ => NO_PLAN.to_owned(),
    }
}

fn cost(rate: Option<&RateRecord>, bytes: u64) -> Option<Money> {
    let rate = rate?;
    Some(Money {
        amount: Micro::charge(i128::from(bytes), rate.price_nano, rate.unit).ok()?,
        currency: rate.currency,
    })
}

/// One amount per currency.
fn add(all: &mut Vec<Money>, more: Option<Money>) {
    let Some(more) = more else { return };
    match all.iter_mut().find(|money| money.currency == more.currency) {
        Some(money) => {
            money.amount = money
                .amount
                .checked_add(more.amount)
                .unwrap_or(money.amount)
        }
        None => all.push(more),
    }
}

fn shown(planned: Planned, route: &Route, rate: Option<&RateRecord>, sight: Sight) -> TablePlan {
    let Planned { task, found } = planned;
    let mut plan = TablePlan {
        schema: task.schema,
        table: task.table_name,
        from_location: route.from.clone(),
        from_version: task.source_version,
        to_version: None,
        ways: Vec::new(),
        chosen: None,
        because: String::new(),
        adopted_files: 0,
        adopted_bytes: 0,
        failed: false,
        price: price(route, rate),
        crossing: String::new(),
    };
    match found {
        Err(_) => {
            plan.because = reason(&found, sight);
            plan.failed = true;
        }
        Ok(Foreseen::Nothing { version }) => {
            plan.from_version = Some(version);
            plan.to_version = Some(version);
            "The replica stands at the source's newest version; there is nothing to move."
                .clone_into(&mut plan.because);
        }
        Ok(Foreseen::Work(mut found)) => {
            if let Some(adopted) = &mut found.adopted {
                plan.adopted_files = adopted.files;
                plan.adopted_bytes = adopted.bytes;
                // Who only reads the replica is told no places.
                if sight == Sight::Reader {
                    adopted.folder.clear();
                }
            }
            let (chosen, mut because) = choice(&found);
            if let Some(said) = &found.commits {
                because.push(' ');
                because.push_str(said);
            }
            plan.from_version = found.from_version;
            plan.to_version = Some(found.to_version);
            plan.ways = ways(&found, rate);
            plan.chosen = Some(chosen);
            plan.because = because;
        }
    }
    plan
}

fn price(route: &Route, rate: Option<&RateRecord>) -> String {
    let (from, to): (&Location, &Location) = (&route.from, &route.to);
    match rate {
        _ if route.is_local() => format!("It stays in {from}, where bytes cost nothing."),
        None => format!("No price is known from {from} to {to}, so none is reckoned."),
        Some(rate) => format!(
            "Reckoned at {} {} per {} from {from} to {to}, which holds now.",
            rate.price_nano,
            rate.currency,
            rate.unit.as_str()
        ),
    }
}

/// What the run does, and why. It copies what the replica does not hold; where that is vectors alone, it copies vectors alone.
fn choice(found: &Foresight) -> (SyncWay, String) {
    if let Some(adopted) = &found.adopted {
        return (SyncWay::FileCopy, adopted.sentence());
    }
    if found.sets_fed + found.sets_skipped > 0 {
        return by_rows(found);
    }
    if found.run.objects == 0 {
        let back = match found.reused {
            0 => String::new(),
            files => format!(" {files} of its files come back and are still there."),
        };
        let because = format!(
            "Nothing has to cross: the replica holds every object, and only its log is written.{back}"
        );
        return (SyncWay::FileCopy, because);
    }
    let because = match found.anew {
        Some(Anew::First) => {
            "It is the first sync: the replica holds nothing yet, so that every file is copied."
        }
        Some(Anew::Recreated) => {
            "The source was made anew or set back: all of it is compared, and what the replica does not hold is copied."
        }
        Some(Anew::Mended) => {
            "The replica was found to differ: what is missing or suspected is copied again, beside what is new."
        }
        None if found.are_vectors_enough => {
            return (
                SyncWay::DeletionVectors,
                "Only deletion vectors are new: they are copied without their data files."
                    .to_owned(),
            );
        }
        None if found.run.bytes < found.full.bytes => {
            "Only objects that the replica does not hold are copied, data files and deletion vectors each by themselves: less than a \
             full copy."
        }
        None => {
            "Every object is one that the replica does not hold, so that the copy of files is a full one."
        }
    };
    (SyncWay::FileCopy, because.to_owned())
}

/// Of some sets of rewritten files the rows are taken, or nothing.
fn by_rows(found: &Foresight) -> (SyncWay, String) {
    let sets = |count: u64, what: &str| match count {
        0 => None,
        1 => Some(format!("of 1 set of rewritten files {what}")),
        many => Some(format!("of {many} sets of rewritten files {what}")),
    };
    let fed = sets(
        found.sets_fed,
        "the change feed is fetched, which is less than the files",
    );
    let skipped = sets(
        found.sets_skipped,
        "nothing is fetched, for they were only compacted",
    );
    let parts: Vec<String> = [fed, skipped].into_iter().flatten().collect();
    let mut because = parts.join(", and ");
    // A sentence.
    if let Some(first) = because.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    because.push('.');
    because.push_str(&match &found.why {
        Some(why) => format!(" Everything else is copied, some of it because {why}."),
        None => " Everything else is copied.".to_owned(),
    });
    let way = match found.sets_fed {
        0 => SyncWay::Skipping,
        _ => SyncWay::ChangeFeed,
    };
    (way, because)
}

fn ways(found: &Foresight, rate: Option<&RateRecord>) -> Vec<WayPlan> {
    let way = |way: SyncWay, moves: Moves, note: Option<String>| WayPlan {
        way,
        objects: Some(moves.objects),
        bytes: Some(moves.bytes),
        requests: Some(moves.requests),
        money: cost(rate, moves.bytes),
        note,
    };
    let data_files = found.run.objects.saturating_sub(found.vectors.objects);
    let alone = match (data_files, found.vectors.objects) {
        (0, 0) => "No deletion vector is new.".to_owned(),
        (0, _) => "They are enough: no data file is new.".to_owned(),
        (1, _) => "They are not enough: 1 data file is new.".to_owned(),
        (files, _) => format!("They are not enough: {files} data files are new."),
    };
    let why = |kind: SyncWay| match &found.why {
        _ if kind == SyncWay::Skipping => NO_COMPACTION.to_owned(),
        Some(why) => format!("Not possible: {why}."),
        None => NOTHING_REWRITTEN.to_owned(),
    };
    let other = |kind: SyncWay, moves: Option<Moves>| match moves {
        // The figures of the way that is chosen are those of the run.
        Some(_) if Some(kind) == chosen_of(found) => {
            way(kind, found.run, Some(NOT_EVERYWHERE.to_owned()))
        }
        Some(moves) => way(kind, moves, Some(NOT_EVERYWHERE.to_owned())),
        None => WayPlan {
            way: kind,
            objects: None,
            bytes: None,
            requests: None,
            money: None,
            note: Some(why(kind)),
        },
    };
    vec![
        way(SyncWay::FullCopy, found.full, None),
        way(SyncWay::FileCopy, found.files, None),
        way(SyncWay::DeletionVectors, found.vectors, Some(alone)),
        other(SyncWay::ChangeFeed, found.feed),
        other(SyncWay::Skipping, found.skip),
    ]
}

/// Which of the two ways that are more than copying is chosen.
fn chosen_of(found: &Foresight) -> Option<SyncWay> {
    let some = found.sets_fed + found.sets_skipped > 0;
    some.then(|| by_rows(found).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moves(objects: u64, bytes: u64) -> Moves {
        Moves {
            objects,
            bytes,
            requests: objects,
        }
    }

    #[test]
    fn what_is_chosen_among_the_ways_is_said_with_its_reason() {
        let mut found = Foresight {
            from_version: Some(3),
            to_version: 9,
            anew: None,
            full: moves(40, 4_000),
            files: moves(6, 600),
            feed: Some(moves(5, 210)),
            skip: Some(moves(5, 500)),
            run: moves(4, 110),
            sets_fed: 2,
            sets_skipped: 1,
            why: Some("a file that went came back".to_owned()),
            commits: None,
            vectors: moves(0, 0),
            are_vectors_enough: false,
            reused: 0,
            adopted: None,
        };
        let (way, because) = choice(&found);
        assert_eq!(way, SyncWay::ChangeFeed);
        assert_eq!(
            because,
            "Of 2 sets of rewritten files the change feed is fetched, which is less than the files, and of 1 set of rewritten files \
             nothing is fetched, for they were only compacted. Everything else is copied, some of it because a file that went came \
             back."
        );
        let all = ways(&found, None);
        let told = |way: SyncWay| all.iter().find(|told| told.way == way).unwrap();
        assert_eq!(told(SyncWay::FileCopy).bytes, Some(600));
        // Of the chosen way what the run moves.
        assert_eq!(told(SyncWay::ChangeFeed).bytes, Some(110));
        assert_eq!(told(SyncWay::Skipping).bytes, Some(500));

        (found.sets_fed, found.sets_skipped) = (0, 0);
        (found.feed, found.skip, found.run) = (None, None, found.files);
        found.why = Some("the table tracks its rows".to_owned());
        assert_eq!(choice(&found).0, SyncWay::FileCopy);
        let all = ways(&found, None);
        let feed = all.iter().find(|told| told.way == SyncWay::ChangeFeed);
        let note = feed.unwrap().note.clone().unwrap();
        assert_eq!(note, "Not possible: the table tracks its rows.");
    }
}
