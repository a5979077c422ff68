//! How fresh the copies were: what the source committed, when each replica had it, and where that was later than its schedule
//! promises.

use leptos::prelude::*;
use model::ReplicaState;
use model::RunKind;
use model::RunState;
use model::Timestamp;
use model::dto::Replica;
use model::dto::ReplicaTable;
use model::dto::SyncJob;
use model::dto::SyncRun;
use model::dto::TableCommit;
use model::dto::TableDetail;
use model::time::DAY;
use model::time::HOUR;
use model::time::MINUTE;

use crate::api::replicas::LATELY_DAYS;
use crate::api::replicas::Lately;
use crate::charts::timeline::Kind;
use crate::charts::timeline::Mark;
use crate::charts::timeline::Row;
use crate::charts::timeline::Timeline;
use crate::charts::timeline::Tracks;
use crate::components::state;
use crate::ctx;
use crate::pages::replicas::rhythm;
use crate::words;

/// The picture and its figures.
pub(crate) fn picture(lately: Lately) -> impl IntoView {
    let timeline = timeline(&lately, ctx::now());
    if timeline.rows.is_empty() {
        return view! { <p class="muted">{words::product::WITHOUT_A_TABLE}</p> }.into_any();
    }
    view! {
        <p class="muted">
            {words::product::WHEN_A_PROMISE_IS_KEPT}
        </p>
        <Tracks title=words::product::COMMITS_AND_SYNCS timeline/>
    }
    .into_any()
}

fn timeline(lately: &Lately, now: Timestamp) -> Timeline {
    let mut from = now.plus(-LATELY_DAYS * DAY);
    // Of what is older than the last run that was read, nothing can be said.
    if let (true, Some(oldest)) = (lately.is_cut, lately.runs.last()) {
        from = from.max(oldest.started_at);
    }
    let shown = |at: &Timestamp| (from..=now).contains(at);
    let mut rows = Vec::new();
    for table in &lately.tables {
        let name = format!("{}.{}", table.schema, table.name);
        let commits: Vec<TableCommit> = table
            .commits
            .iter()
            .copied()
            .filter(|commit| shown(&commit.committed_at))
            .collect();
        rows.push(Row {
            name: words::product::table_at_the_source(&name),
            kind: Kind::Source,
            marks: commits.iter().map(of_commit).collect(),
            promise: None,
            late: Vec::new(),
        });
        for (replica, copy) in copies(&lately.replicas, table) {
            let syncs: Vec<&SyncRun> = lately
                .runs
                .iter()
                .filter(|run| is_sync_of(run, replica, copy))
                .collect();
            let mut marks: Vec<Mark> = syncs
                .iter()
                .filter_map(|run| of_run(run))
                .filter(|mark| shown(&mark.at))
                .collect();
            marks.sort_by_key(|mark| mark.at);
            let promise = replica.job.as_ref().filter(|_| copy.synced_at.is_some());
            let due = promise.and_then(Due::of);
            rows.push(Row {
                name: words::product::table_in_replica(&name, &state::place(&replica.location)),
                kind: Kind::Copy,
                marks,
                promise: promise.map(|job| match due {
                    Some(_) => words::product::promised(&rhythm(job)),
                    None => words::product::nothing_is_promised(&rhythm(job)),
                }),
                late: due
                    .map(|due| late(&commits, &syncs, copy, due, now))
                    .unwrap_or_default(),
            });
        }
    }
    Timeline {
        from,
        until: now,
        rows,
    }
}

/// What the source committed has no page of its own.
fn of_commit(commit: &TableCommit) -> Mark {
    Mark {
        at: commit.committed_at,
        figure: words::product::version(commit.version),
        href: None,
    }
}

fn of_run(run: &SyncRun) -> Option<Mark> {
    Some(Mark {
        at: run.finished_at?,
        figure: words::product::copied(run.to_version, run.bytes_copied),
        href: Some(format!("/runs/{}", run.id)),
    })
}

fn copies<'a>(
    replicas: &'a [Replica],
    table: &'a TableDetail,
) -> impl Iterator<Item = (&'a Replica, &'a ReplicaTable)> {
    let living = replicas
        .iter()
        .filter(|replica| replica.state != ReplicaState::Deleted);
    living.flat_map(move |replica| {
        let copies = replica
            .tables
            .iter()
            .filter(move |copy| copy.schema == table.schema && copy.name == table.name);
        copies.map(move |copy| (replica, copy))
    })
}

fn is_sync_of(run: &SyncRun, replica: &Replica, copy: &ReplicaTable) -> bool {
    run.kind == RunKind::Sync
        && run.state == RunState::Done
        && run.to == replica.storage
        && run.schema == copy.schema
        && run.table == copy.name
}

/// Until when the copy is to have what was committed: the same promise as people are told of by mail
/// (`exchange::replicas::telling`). Periods are microseconds, more than none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Syncs are due every `period`, one of them at `next`: what the source held when one was due is there before the next one is.
    Beat { next: Timestamp, period: i64 },
    /// So long after its commit.
    Within(i64),
}

impl Due {
    /// None: nothing is promised.
    fn of(job: &SyncJob) -> Option<Self> {
        if job.paused {
            return None;
        }
        if let Some(period) = &job.fresh_within {
            return Some(Self::Within(micros(period)?));
        }
        if let Some(period) = &job.on_new_version {
            // What is committed right after a sync waits for the next one, and that takes its time.
            return Some(Self::Within(micros(period)?.checked_mul(2)?));
        }
        let period = micros(job.every.as_deref()?)?;
        let next = job.next_due_at?;
        Some(Self::Beat { next, period })
    }

    /// When the copy is to have what was committed then.
    fn of_commit(self, committed: Timestamp) -> Timestamp {
        match self {
            Self::Within(promise) => committed.plus(promise),
            Self::Beat { next, period } => {
                let since_due = committed.since(next).rem_euclid(period);
                let until_due = (period - since_due) % period;
                committed.plus(until_due).plus(period)
            }
        }
    }
}

/// `2d`; None where that is no period.
fn micros(period: &str) -> Option<i64> {
    let unit = match period.chars().last()? {
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        'w' => 7 * DAY,
        _ => return None,
    };
    let count: i64 = period.get(..period.len() - 1)?.parse().ok()?;
    count.checked_mul(unit).filter(|period| *period > 0)
}

/// When the copy lacked something longer than it may.
fn late(
    commits: &[TableCommit],
    syncs: &[&SyncRun],
    copy: &ReplicaTable,
    due: Due,
    now: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    // What was there before the first copy came with it.
    let begun = syncs
        .iter()
        .filter(|run| run.from_version.is_none())
        .map(|run| run.started_at)
        .max();
    let mut found: Vec<(Timestamp, Timestamp)> = Vec::new();
    for commit in commits {
        if begun.is_some_and(|begun| commit.committed_at < begun) {
            continue;
        }
        let due = due.of_commit(commit.committed_at);
        let by_a_run = syncs
            .iter()
            .filter(|run| brings(run, commit))
            .filter_map(|run| run.finished_at)
            .min();
        // Of runs that are no longer known this is what is left.
        let is_there = copy.source_version >= Some(commit.version);
        let had = by_a_run.or(copy.synced_at.filter(|_| is_there));
        let until = had.unwrap_or(now).min(now);
        if until > due {
            found.push((due, until));
        }
    }
    found.sort_unstable();
    let mut apart: Vec<(Timestamp, Timestamp)> = Vec::new();
    for (from, until) in found {
        match apart.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => apart.push((from, until)),
        }
    }
    apart
}

/// A run brings the newest version there is when it plans, which is after it began.
fn brings(run: &SyncRun, commit: &TableCommit) -> bool {
    run.started_at >= commit.committed_at || run.to_version >= Some(commit.version)
}

#[cfg(test)]
mod tests {
    use model::dto::ReplicaActions;

    use super::*;

    const ID: &str = "018f3a6e-0000-7000-8000-000000000000";

    fn at(text: &str) -> Timestamp {
        format!("2026-06-{text}:00Z").parse().unwrap()
    }

    fn commit(version: u64, text: &str) -> TableCommit {
        TableCommit {
            version,
            committed_at: at(text),
        }
    }

    fn run(from: Option<u64>, to: u64, started: &str, finished: &str) -> SyncRun {
        SyncRun {
            id: ID.parse().unwrap(),
            kind: RunKind::Sync,
            product: "vehicle-visits".parse().unwrap(),
            cut: None,
            schema: "default".parse().unwrap(),
            table: "visits".parse().unwrap(),
            to: "az_weu".parse().unwrap(),
            to_location: "azure:westeurope".parse().unwrap(),
            state: RunState::Done,
            attempt: 1,
            from_version: from,
            to_version: Some(to),
            replica_version: Some(to),
            files_planned: 0,
            bytes_planned: 0,
            files_copied: 0,
            bytes_copied: 0,
            bytes_full: 0,
            bytes_received: 0,
            bytes_unused: 0,
            files_deleted: 0,
            bytes_deleted: 0,
            adopted_files: 0,
            adopted_bytes: 0,
            error: None,
            started_at: at(started),
            finished_at: Some(at(finished)),
            busy_micros: 0,
            how: None,
            steps: Vec::new(),
        }
    }

    fn copy(version: u64, synced: &str) -> ReplicaTable {
        ReplicaTable {
            id: ID.parse().unwrap(),
            schema: "default".parse().unwrap(),
            name: "visits".parse().unwrap(),
            path: None,
            state: ReplicaState::Ready,
            source_version: Some(version),
            source_committed_at: None,
            replica_version: Some(version),
            bytes: None,
            synced_at: Some(at(synced)),
            verified_at: None,
            vacuumed_at: None,
            quarantined_at: None,
            reason: None,
            work: Vec::new(),
        }
    }

    fn job(every: Option<&str>, paused: bool) -> SyncJob {
        SyncJob {
            name: None,
            every: every.map(str::to_owned),
            at: None,
            cron: None,
            on_new_version: None,
            fresh_within: None,
            timezone: "UTC".to_owned(),
            verify_objects: None,
            verify_rows: None,
            next_objects_at: None,
            next_rows_at: None,
            retention_hours: 168,
            keep_hours: 336,
            forget_hours: None,
            paused,
            fetches: model::Fetches::Changes,
            commits: model::Commits::Run,
            next_due_at: None,
            revision: 1,
        }
    }

    #[test]
    fn a_schedule_promises_what_a_sync_finds_before_the_next() {
        for (every, paused, expected) in [
            (Some("2d"), false, Some(2 * DAY)),
            (Some("30m"), false, Some(30 * MINUTE)),
            (Some("6h"), false, Some(6 * HOUR)),
            (Some("1w"), false, Some(7 * DAY)),
            (Some("2d"), true, None),
            (None, false, None),
            (Some(""), false, None),
            (Some("0d"), false, None),
            (Some("9223372036854775807d"), false, None),
            (Some("zwei"), false, None),
        ] {
            let next = at("20T02:00");
            let job = SyncJob {
                next_due_at: Some(next),
                ..job(every, paused)
            };
            let expected = expected.map(|period| Due::Beat { next, period });
            assert_eq!(Due::of(&job), expected, "{every:?}");
        }
        let looking = |on_new_version: Option<&str>, fresh_within: Option<&str>| SyncJob {
            on_new_version: on_new_version.map(str::to_owned),
            fresh_within: fresh_within.map(str::to_owned),
            ..job(None, false)
        };
        let fresh = Due::of(&looking(None, Some("6h"))).unwrap();
        assert_eq!(fresh, Due::Within(6 * HOUR));
        assert_eq!(fresh.of_commit(at("05T02:00")), at("05T08:00"));
        let hourly = Due::of(&looking(Some("1h"), None));
        assert_eq!(hourly, Some(Due::Within(2 * HOUR)));
        let due = Due::Beat {
            next: at("20T02:00"),
            period: DAY,
        };
        for (committed, by) in [
            ("05T01:59", "06T02:00"),
            ("05T02:00", "06T02:00"),
            ("05T02:01", "07T02:00"),
            ("25T03:00", "27T02:00"),
        ] {
            assert_eq!(due.of_commit(at(committed)), at(by), "{committed}");
        }
    }

    #[test]
    fn late_is_what_was_committed_and_did_not_arrive_in_time() {
        let commits = [
            commit(1, "01T00:00"),
            commit(2, "03T00:00"),
            commit(3, "03T12:00"),
            commit(4, "09T00:00"),
        ];
        let runs = [
            run(None, 1, "02T00:00", "02T00:10"),
            run(Some(1), 3, "06T00:00", "06T00:10"),
        ];
        let runs: Vec<&SyncRun> = runs.iter().collect();
        let due = Due::Beat {
            next: at("20T00:00"),
            period: DAY,
        };
        let seen = |now: &str| late(&commits, &runs, &copy(3, "06T00:10"), due, at(now));
        // Two commits, one delay; what the first copy brought was never late.
        let first = (at("04T00:00"), at("06T00:10"));
        assert_eq!(seen("09T12:00"), [first]);
        // The last one has not come, and its time is over.
        assert_eq!(seen("11T00:00"), [first, (at("10T00:00"), at("11T00:00"))]);
        let none = late(&[], &runs, &copy(3, "06T00:10"), due, at("09T00:00"));
        assert!(none.is_empty(), "{none:?}");
    }

    #[test]
    fn what_the_copy_holds_is_not_late_where_its_run_is_forgotten() {
        let commits = [commit(5, "03T00:00")];
        let due = Due::Beat {
            next: at("20T00:00"),
            period: DAY,
        };
        let held = late(&commits, &[], &copy(5, "03T06:00"), due, at("20T00:00"));
        assert!(held.is_empty(), "{held:?}");
        let missing = late(&commits, &[], &copy(4, "03T06:00"), due, at("20T00:00"));
        assert_eq!(missing, [(at("04T00:00"), at("20T00:00"))]);
    }

    #[test]
    fn each_copy_has_a_row_below_its_source() {
        let replica = Replica {
            id: ID.parse().unwrap(),
            product: "vehicle-visits".parse().unwrap(),
            cut: None,
            edition: None,
            storage: "az_weu".parse().unwrap(),
            location: "azure:westeurope".parse().unwrap(),
            state: ReplicaState::Ready,
            drain_until: None,
            late_since: None,
            reason: None,
            tables: vec![copy(3, "06T00:10")],
            job: Some(job(Some("1d"), false)),
            may: ReplicaActions::default(),
        };
        let table = TableDetail {
            id: ID.parse().unwrap(),
            schema: "default".parse().unwrap(),
            name: "visits".parse().unwrap(),
            storage: "aws_eu".parse().unwrap(),
            cloud: model::Cloud::Aws,
            region: "eu-central-1".to_owned(),
            path: None,
            format: "delta".to_owned(),
            history: false,
            history_start: None,
            change_data_feed: false,
            columns: Vec::new(),
            partition_columns: Vec::new(),
            version: Some(3),
            committed_at: None,
            rows: None,
            files: None,
            bytes: None,
            features: Vec::new(),
            refused_for: None,
            clone_refused_for: None,
            problem: None,
            inspected_at: None,
            commits: vec![commit(3, "05T00:00")],
        };
        let lately = Lately {
            tables: vec![table],
            replicas: vec![replica],
            runs: vec![run(Some(1), 3, "06T00:00", "06T00:10")],
            is_cut: false,
        };
        let shown = timeline(&lately, at("15T00:00"));
        let names: Vec<&str> = shown.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(
            names,
            [
                "default.visits at the source",
                "default.visits in Azure westeurope"
            ]
        );
        let marks = |row: usize| -> Vec<(Timestamp, &str, Option<&str>)> {
            let marks = shown.rows[row].marks.iter();
            marks
                .map(|mark| (mark.at, mark.figure.as_str(), mark.href.as_deref()))
                .collect()
        };
        assert_eq!(marks(0), [(at("05T00:00"), "version 3", None)]);
        let href = format!("/runs/{ID}");
        assert_eq!(
            marks(1),
            [(at("06T00:10"), "version 3, 0 B copied", Some(href.as_str()))]
        );
        assert!(shown.rows[1].late.is_empty(), "{shown:?}");
        // Where older runs were not read, the picture begins with the oldest that was.
        let cut = Lately {
            is_cut: true,
            ..lately
        };
        assert_eq!(timeline(&cut, at("15T00:00")).from, at("06T00:00"));
    }
}
