//! Reads the logs under a prefix for an assessment, and nothing else: lists, gets what lies in `_delta_log`, writes nowhere. The
//! reckoning itself is `replication::assess`'s.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use delta::{Folder, Format, History, LogError, Survey};
use exchange::ports::{Assessor, Problem, StorageAccess};
use exchange::{Exchange, Principal};
use model::dto::{AssessedFolder, Assessment, AssessmentNew, FlowKind, FlowLine, Rate};
use model::time::DAY;
use model::{AssessmentId, Location, Purpose, Timestamp};
use object_store::ObjectStore;
use object_store::path::Path;
use replication::assess::{
    Flow, Read, Reckoner, Surveyed, Window, check_flows, flows, parse_every, report,
};
use storage::{Cause, Meter, MeterKey, check_relative};
use tokio::task::JoinSet;

use super::reads::Reads;
use super::stores::{Lake, TableAt, problem_of_log, problem_of_store};

const DAYS: u32 = 28;
const DAYS_MAX: u32 = 3_660;
/// As a sync job is made: every day, and what was taken out is kept for a week.
const EVERY: i64 = DAY;
const RETENTION_HOURS: u32 = 168;
const TABLES_MAX: usize = 5_000;
/// Tables whose logs are read at a time, each in a task of its own, and of each some commits at a time.
const AT_ONCE: usize = 8;
/// How often it is said how far it is; the exchange takes a process for gone that is silent for much longer.
const BEAT: Duration = Duration::from_secs(2);

/// What is to be assessed, checked.
#[derive(Debug)]
pub struct Asked {
    prefix: String,
    days: u32,
    every: i64,
    to: Option<Location>,
    flows: Option<Vec<Flow>>,
}

impl Asked {
    /// # Errors
    /// A sentence for the field that is wrong.
    pub fn of(new: &AssessmentNew) -> Result<Self, Problem> {
        let wrong = |field, sentence: String| Problem::new(sentence).of_field(field);
        let days = new.days.unwrap_or(DAYS);
        if !(1..=DAYS_MAX).contains(&days) {
            return Err(wrong(
                "days",
                format!("write a number of days from 1 to {DAYS_MAX}"),
            ));
        }
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let every = given(&new.every).map_or(Ok(EVERY), |text| parse_every(&text));
        let to = given(&new.to)
            .map(|text| text.trim().parse::<Location>())
            .transpose();
        let list = given(&new.flows).map(|text| flows(&text)).transpose();
        let prefix = new.prefix.trim_matches('/').to_owned();
        check_relative(&prefix).map_err(|error| problem_of_store(error).of_field("prefix"))?;
        Ok(Self {
            prefix,
            days,
            every: every.map_err(|sentence| wrong("every", sentence))?,
            to: to.map_err(|error| wrong("to", error.to_string()))?,
            flows: list.map_err(|error| wrong("flows", error.to_string()))?,
        })
    }
}

/// [`Assessor`] over the lake: each in a task of its own.
#[derive(Clone)]
pub struct LakeAssessor {
    lake: Lake,
    reads: Reads,
    /// Where it is written down how far one is; None: of an exchange that nobody asks for one.
    book: Option<Exchange>,
}

/// How many tables there are, once that is known, and of how many the logs have been read.
#[derive(Debug, Default)]
pub struct Progress {
    tables: OnceLock<u64>,
    done: AtomicU64,
}

impl Progress {
    fn told(&self) -> (u64, Option<u64>) {
        (
            self.done.load(Ordering::Relaxed),
            self.tables.get().copied(),
        )
    }
}

impl LakeAssessor {
    pub fn new(lake: Lake, reads: Reads, book: Option<Exchange>) -> Self {
        Self { lake, reads, book }
    }

    async fn run(
        self,
        id: AssessmentId,
        access: StorageAccess,
        asked: Asked,
        rates: Vec<Rate>,
        at: Timestamp,
    ) {
        let Some(book) = &self.book else { return };
        let system = Principal::system();
        let meter = Meter::new(MeterKey {
            product: None,
            table: None,
            cause: Cause::Operation("storage.assess"),
            purpose: Purpose::Inspect,
        });
        let progress = Arc::new(Progress::default());
        let work = assess(&self.lake, &access, asked, &rates, at, &meter, &progress);
        let mut work = pin!(self.reads.noting(&meter, &access.location, None, work));
        let mut beat = tokio::time::interval(BEAT);
        let found = loop {
            tokio::select! {
                found = &mut work => break found,
                _ = beat.tick() => {
                    let (done, tables) = progress.told();
                    match book.assessment_progress(&system, id, done, tables).await {
                        Ok(true) => {}
                        // Somebody has ended it.
                        Ok(false) => return,
                        Err(error) => tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "how far an assessment is cannot be written down"
                        ),
                    }
                }
            }
        };
        let found = found.map_err(|problem| problem.sentence);
        let (done, tables) = progress.told();
        let told = async {
            book.assessment_progress(&system, id, done, tables).await?;
            book.assessment_end(&system, id, found).await
        };
        if let Err(error) = told.await {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "what came of an assessment cannot be written down"
            );
        }
    }
}

impl Assessor for LakeAssessor {
    fn check(&self, asked: &AssessmentNew) -> Result<(), Problem> {
        Asked::of(asked).map(|_| ())
    }

    fn start(
        &self,
        id: AssessmentId,
        storage: StorageAccess,
        asked: AssessmentNew,
        rates: Vec<Rate>,
        at: Timestamp,
    ) {
        // What was checked parses. If it does not, nobody says a word of it, and that is told as of a process that is gone.
        if let Ok(asked) = Asked::of(&asked) {
            tokio::spawn(self.clone().run(id, storage, asked, rates, at));
        }
    }

    fn flows(&self, list: &str) -> Result<Vec<FlowLine>, Problem> {
        let found = flows(list).map_err(|error| Problem::new(error.to_string()))?;
        let lines = found.into_iter().map(|flow| FlowLine {
            line: flow.line,
            table: flow.table,
            kind: match flow.kind {
                replication::assess::FlowKind::WeeklyFullLoad => FlowKind::WeeklyFullLoad,
                replication::assess::FlowKind::DailyFullLoad => FlowKind::DailyFullLoad,
                replication::assess::FlowKind::DirectReads => FlowKind::DirectReads,
                replication::assess::FlowKind::Ftp => FlowKind::Ftp,
            },
            consumers: flow.consumers,
            from: flow.from,
            to: flow.to,
        });
        Ok(lines.collect())
    }
}

/// Assesses what lies in a storage at the instant `at`, with these prices.
///
/// # Errors
/// When the prefix cannot be listed, or a flow names a table that is not there. What is wrong with one table's log stands in the
/// report.
pub async fn assess(
    lake: &Lake,
    access: &StorageAccess,
    asked: Asked,
    rates: &[Rate],
    at: Timestamp,
    meter: &Meter,
    progress: &Arc<Progress>,
) -> Result<Assessment, Problem> {
    let store = lake.open(access, meter)?;
    let objects: Arc<dyn ObjectStore> = store.objects();
    let prefix = check_relative(&asked.prefix).map_err(problem_of_store)?;
    let Survey {
        folders,
        left_out,
        left_out_more,
    } = delta::survey(&objects, &store, &prefix)
        .await
        .map_err(problem_of_log)?;
    let mut left_out: Vec<String> = left_out
        .iter()
        .map(|(path, why)| {
            format!(
                "`{}` was not looked into: {why}.",
                delta::shown(&below(&prefix, path))
            )
        })
        .collect();
    if left_out_more > 0 {
        left_out.push(format!(
            "{left_out_more} more folders were not looked into."
        ));
    }
    let (tables, others): (Vec<Folder>, Vec<Folder>) = folders
        .into_iter()
        .partition(|folder| folder.format == Format::Delta);
    let others: Vec<AssessedFolder> = others
        .iter()
        .map(|folder| other(below(&prefix, &folder.path), folder.format))
        .collect();
    let mut tables: Vec<String> = tables
        .iter()
        .map(|folder| below(&prefix, &folder.path))
        .collect();
    let of_tables = first_tables(&mut tables, &others, asked.flows, &mut left_out)?;
    let span = Span {
        from: at.plus(-i64::from(asked.days) * DAY),
        until: at,
        every: asked.every,
    };
    let _ = progress.tables.set(tables.len() as u64);
    let mut waiting = tables.into_iter();
    let mut reading: JoinSet<(String, Result<Read, LogError>)> = JoinSet::new();
    let mut read: Vec<(String, Result<Read, String>)> = Vec::new();
    loop {
        // Given up with the rest when nobody waits for it any more.
        while reading.len() < AT_ONCE
            && let Some(path) = waiting.next()
        {
            let full = [asked.prefix.as_str(), path.as_str()];
            let full: Vec<&str> = full.into_iter().filter(|part| !part.is_empty()).collect();
            match lake.table(access, &full.join("/"), meter) {
                Ok(table) => {
                    let progress = Arc::clone(progress);
                    reading.spawn(async move {
                        let found = self::read(&table, span).await;
                        progress.done.fetch_add(1, Ordering::Relaxed);
                        (path, found)
                    });
                }
                Err(problem) => read.push((path, Err(problem.sentence))),
            }
        }
        match reading.join_next().await {
            None => break,
            Some(Ok((path, found))) => {
                read.push((path, found.map_err(|error| problem_of_log(error).sentence)))
            }
            Some(Err(error)) => return Err(broken_down(&error)),
        }
    }
    read.sort_by(|(one, _), (other, _)| one.cmp(other));
    let full = |from: &str| match asked.prefix.as_str() {
        "" => from.to_owned(),
        prefix => format!("{from}/{prefix}"),
    };
    let surveyed = Surveyed {
        place: full(access.name.as_ref()),
        location: access.location.clone(),
        at,
        days: asked.days,
        every: asked.every,
        to: asked.to,
        url: full(&access.url),
        endpoint: access.endpoint.clone(),
        others,
        left_out,
        log_bytes: meter.received(),
    };
    Ok(report(surveyed, read, of_tables.as_ref(), rates))
}

/// Cuts the tables off at as many as are assessed, and tells the flows of each. What is cut off is there nevertheless, so flows are
/// told by the whole list.
fn first_tables(
    tables: &mut Vec<String>,
    others: &[AssessedFolder],
    list: Option<Vec<Flow>>,
    left_out: &mut Vec<String>,
) -> Result<Option<BTreeMap<String, Vec<Flow>>>, Problem> {
    let of_tables = list
        .map(|list| check_flows(list, tables, TABLES_MAX, others))
        .transpose()
        .map_err(|error| Problem::new(error.to_string()).of_field("flows"))?;
    if tables.len() > TABLES_MAX {
        left_out.push(format!(
            "{} tables more than {TABLES_MAX}, from `{}` on; assess them by narrower prefixes.",
            tables.len() - TABLES_MAX,
            delta::shown(&tables[TABLES_MAX])
        ));
        tables.truncate(TABLES_MAX);
    }
    Ok(of_tables)
}

fn broken_down(error: &tokio::task::JoinError) -> Problem {
    tracing::error!(
        error = error as &dyn std::error::Error,
        "reading a log broke down"
    );
    Problem::new(
        "A log could not be read: the reader broke down. The server's log has the details.",
    )
}

/// A path of the storage as one below the prefix.
fn below(prefix: &Path, path: &Path) -> String {
    let parts = path.parts().skip(prefix.parts().count());
    String::from(parts.collect::<Path>())
}

fn other(path: String, format: Format) -> AssessedFolder {
    let (format, possible) = match format {
        Format::Iceberg => (
            "iceberg",
            "An Iceberg table. Iceberg is not read here yet: have Delta metadata written beside it, then it can be assessed, \
             shared and cloned.",
        ),
        Format::Csv => (
            "csv",
            "CSV files, which tell no history. Load them into a Delta table; then only what changes has to cross.",
        ),
        Format::Parquet | Format::Delta => (
            "parquet",
            "Parquet files without a log. Make a Delta table of them in place (CONVERT TO DELTA); then it can be assessed, shared \
             and cloned.",
        ),
    };
    AssessedFolder {
        path,
        format: format.to_owned(),
        possible: possible.to_owned(),
    }
}

/// What is asked for, before a table's history is known.
#[derive(Clone, Copy)]
struct Span {
    from: Timestamp,
    until: Timestamp,
    every: i64,
}

/// Where a table's history begins to count, and why not earlier.
async fn beginning(
    table: &delta::Table,
    history: &History,
    from: Timestamp,
) -> Result<(u64, Option<&'static str>), LogError> {
    let Some(first) = history.earliest_change(history.latest) else {
        return Ok((
            history.latest,
            Some("Its log holds one version and no history"),
        ));
    };
    match table.instant(history, from).await?.before {
        Some((version, _)) => Ok((version, None)),
        None if first == 0 => Ok((0, Some("The table was made later"))),
        None => Ok((first, Some("Its log was cleaned up and tells no more"))),
    }
}

/// The log is pinned at the version that is the newest now: what is committed meanwhile does not count.
async fn read(at: &TableAt, span: Span) -> Result<Read, LogError> {
    let table = &at.table;
    let history = table.history().await?;
    let begins = beginning(table, &history, span.from).await;
    let (first, short) = begins.map_err(changed)?;
    let begun = table.begin(&history, first).await.map_err(changed)?;
    // A clock that runs ahead is not believed beyond now.
    let from = match short {
        None => span.from,
        Some(_) => begun.timestamp.min(span.until).max(span.from),
    };
    let window = Window {
        from,
        until: span.until,
        every: span.every,
        retention_hours: RETENTION_HOURS,
    };
    let (mut protocol, mut metadata) = (begun.protocol, begun.metadata);
    let mut reckoner = Reckoner::new(window, begun.files).recording(metadata.records_changes());
    let limit = table.budgets().files;
    let mut each = |logged: delta::Logged| -> Result<(), LogError> {
        if let Some(found) = &logged.protocol {
            protocol = found.clone();
        }
        if let Some(found) = &logged.metadata {
            metadata = found.clone();
        }
        reckoner.commit(logged);
        let found = u64::try_from(reckoner.files()).unwrap_or(u64::MAX);
        if found > limit {
            let what = "active files";
            return Err(LogError::Budget { what, limit, found });
        }
        Ok(())
    };
    if begun.version < history.latest {
        let rest = begun.version + 1..=history.latest;
        table
            .walk(&history, rest, &mut each)
            .await
            .map_err(changed)?;
    }
    let figures = reckoner.finish();
    let support = delta::Support::of(&protocol, &metadata);
    // A reader that goes by the protocol would show rows that are deleted.
    let says_so = protocol.reader_features.contains("deletionVectors");
    let vectors = (figures.has_vectors && !says_so).then_some("deletionVectors");
    let not_cloned = support.clone_refused_for().or(vectors).map(|feature| {
        format!(
            "it uses the feature {}, which clones cannot have here yet",
            delta::shown(feature)
        )
    });
    // As runs choose: a row that a clone wrote would have another id, and of some types rows cannot be told apart.
    let files_only = match protocol.writer_features.contains("rowTracking") {
        true => Some("the table tracks its rows".to_owned()),
        false => match metadata.shape() {
            Ok(shape) => shape.unfit().map(str::to_owned),
            Err(_) => Some("its schema cannot be read".to_owned()),
        },
    };
    let short = short.map(|why| format!("{why}: it counts from {from}."));
    Ok(Read {
        version: history.latest,
        short,
        change_feed: metadata.records_changes(),
        not_cloned,
        files_only,
        figures,
    })
}

/// A commit that was listed and is gone: somebody cleans the log up, or writes the table anew.
fn changed(error: LogError) -> LogError {
    match error {
        LogError::Gap { missing } => LogError::Broken {
            version: missing,
            line: 0,
            what: "the table was changed while it was assessed, or this version is missing; assess it again".to_owned(),
        },
        error => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_of_a_table_that_is_cut_off_says_so() {
        let all: Vec<String> = (0..=TABLES_MAX).map(|n| format!("many/t{n:04}")).collect();
        let cut = |flow: &str| {
            let list = flows(&format!(
                "table,kind,consumers,from,to\n{flow},FTP,1,,azure:westeurope\n"
            ));
            let (mut tables, mut left_out) = (all.clone(), Vec::new());
            let found = first_tables(&mut tables, &[], Some(list.unwrap()), &mut left_out);
            found.map(|found| (found, tables.len(), left_out))
        };
        let (found, tables, left_out) = cut("t4999").unwrap();
        assert!(found.unwrap().contains_key("many/t4999"));
        assert_eq!((tables, left_out.len()), (TABLES_MAX, 1));
        for beyond in ["t5000", "many/t5000"] {
            let problem = cut(beyond).unwrap_err();
            assert_eq!(problem.field, Some("flows"));
            assert!(
                problem.sentence.contains("is beyond the first 5000 tables"),
                "{problem}"
            );
            assert!(problem.sentence.contains("narrower prefix"), "{problem}");
        }
        assert!(
            cut("t5001")
                .unwrap_err()
                .sentence
                .contains("not under the prefix")
        );
    }
}
