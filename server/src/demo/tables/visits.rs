//! Workshop visits: a row per stay of a car in a workshop, appended daily, closed when the car leaves. Partitioned by
//! month. What happens: stays are closed weekly, training entries deleted, a column comes, the month is compacted, and
//! what is older than a year is deleted.

use std::sync::Arc;

use delta::write::NewTable;
use delta::write::arrow::array::{
    Array, ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use delta::write::arrow_schema::{ArrowError, DataType, Field, SchemaRef};
use model::Timestamp;
use model::time::{DAY, MINUTE};

use super::super::cars::{COUNTRIES, Fleet, TROUBLES, workshop};
use super::super::clouds::{Clouds, VISITS};
use super::super::random::Random;
use super::{
    Calendar, HISTORY_DAYS, Load, MONEY, Source, busyness, column, instant, money, month, schema,
    text, timestamp_type, timestamps, typed, with_columns,
};

/// Visits on a usual day when the month begins.
const A_DAY: i64 = 190;
/// The column that comes in the middle of the month, and the day.
const NEW_COLUMN: &str = "software_version";
const NEW_COLUMN_DAY: u32 = 12;

const REASONS: [(&str, u32); 6] = [
    ("service", 40),
    ("repair", 29),
    ("tyres", 14),
    ("inspection", 9),
    ("recall", 5),
    ("accident", 3),
];

struct Visit {
    id: i64,
    vin: String,
    model: &'static str,
    country: &'static str,
    workshop: String,
    city: &'static str,
    checked_in: Timestamp,
    odometer: i32,
    reason: &'static str,
    diagnosis: Option<&'static str>,
    /// None while the car is still there.
    end: Option<End>,
    software: String,
    month: String,
}

/// What is known when the car leaves.
#[derive(Clone, Copy)]
struct End {
    checked_out: Timestamp,
    labour_minutes: i32,
    labour: i64,
    parts: i64,
}

impl End {
    /// The same for the same visit, whenever it is asked for.
    fn of(seed: u64, id: i64, checked_in: Timestamp) -> Self {
        let mut random = Random::new(seed, "visit's end", id.unsigned_abs());
        let labour_minutes = random.mostly_low(20, 540);
        Self {
            checked_out: checked_in.plus(random.mostly_low(50, 5_000) * MINUTE),
            labour_minutes: i32::try_from(labour_minutes).unwrap_or(0),
            labour: labour_minutes * random.between(155, 240),
            parts: random.mostly_low(0, 190_000),
        }
    }
}

fn columns() -> SchemaRef {
    schema(vec![
        column(
            "visit_id",
            DataType::Int64,
            false,
            "Number of the visit, counted up over all workshops",
        ),
        column(
            "vin",
            DataType::Utf8,
            false,
            "Vehicle identification number",
        ),
        column("model", DataType::Utf8, false, "Model as it was sold"),
        column(
            "country",
            DataType::Utf8,
            false,
            "Country of the workshop, ISO 3166",
        ),
        column(
            "workshop_id",
            DataType::Utf8,
            false,
            "Number of the workshop: country, city, workshop",
        ),
        column("city", DataType::Utf8, false, "City of the workshop"),
        column(
            "checked_in_at",
            timestamp_type(),
            false,
            "When the car came",
        ),
        column(
            "checked_out_at",
            timestamp_type(),
            true,
            "When it left; null while it is there",
        ),
        column(
            "odometer_km",
            DataType::Int32,
            false,
            "Kilometres at check-in",
        ),
        column(
            "reason",
            DataType::Utf8,
            false,
            "service, repair, tyres, inspection, recall, accident",
        ),
        column(
            "diagnosis_code",
            DataType::Utf8,
            true,
            "Trouble code that was read (SAE J2012); null when none was",
        ),
        column(
            "labour_minutes",
            DataType::Int32,
            true,
            "Minutes of work; null while the car is there",
        ),
        column("labour_eur", MONEY, true, "Price of the work, euros"),
        column("parts_eur", MONEY, true, "Price of the parts, euros"),
        column(
            "visit_month",
            DataType::Utf8,
            false,
            "Month of check-in, YYYY-MM; the table is partitioned by it",
        ),
    ])
}

pub(super) struct Visits {
    pub(super) source: Source,
    seed: u64,
    calendar: Calendar,
    fleet: Arc<Fleet>,
    next_id: i64,
}

impl Visits {
    pub(super) async fn create(
        clouds: &Clouds,
        seed: u64,
        calendar: Calendar,
        fleet: Arc<Fleet>,
    ) -> anyhow::Result<Self> {
        let new = NewTable {
            name: Some("visits".to_owned()),
            description: Some("Stays of cars in workshops".to_owned()),
            schema: columns(),
            partition_columns: vec!["visit_month".to_owned()],
            configuration: Default::default(),
        };
        let source =
            Source::create(clouds, &VISITS, seed, instant(calendar.made(), 4 * 60), new).await?;
        let mut visits = Self {
            source,
            seed,
            calendar,
            fleet,
            next_id: 480_001,
        };
        for load in calendar.loads() {
            visits.load(load).await?;
        }
        Ok(visits)
    }

    async fn load(&mut self, load: Load) -> anyhow::Result<()> {
        let at = load.at();
        let mut rows = Vec::new();
        for day in load.days {
            self.visits_of(day, at, &mut rows);
        }
        let rows = batch(&self.source.schema(), &rows)?;
        self.source.append(at, rows, load.what).await
    }

    /// The visits that begin on a UTC day, as they are known at an instant.
    fn visits_of(&mut self, day: i64, at: Timestamp, rows: &mut Vec<Visit>) {
        let mut random = Random::new(self.seed, "visits", day.unsigned_abs());
        // A fleet that grows: half a percent more cars a week.
        let growth = (day - self.calendar.day(0)) / 2;
        let count = A_DAY * busyness(day) * (1_000 + growth) / 100_000 + random.between(-6, 6);
        for _ in 0..count.max(2) {
            let car = self.fleet.pick(&mut random);
            let reason = REASONS[random.weighted(REASONS.iter().map(|(_, weight)| *weight))].0;
            let (workshop, city) = workshop(&mut random, car.country);
            let checked_in = instant(day, random.between(6 * 60, 17 * 60));
            let id = self.next_id;
            self.next_id += 1;
            let end = End::of(self.seed, id, checked_in);
            let diagnosis =
                (reason == "repair" || random.chance(8)).then(|| random.pick(&TROUBLES).0);
            rows.push(Visit {
                id,
                vin: car.vin.clone(),
                model: car.model,
                country: COUNTRIES[car.country].code,
                workshop,
                city,
                checked_in,
                odometer: car.odometer(day),
                reason,
                diagnosis,
                end: (end.checked_out <= at).then_some(end),
                software: format!(
                    "{}.{}.{}",
                    random.between(4, 7),
                    random.between(0, 9),
                    random.between(0, 30)
                ),
                month: month(day),
            });
        }
    }

    /// Entries that a workshop makes to learn the system, and forgets to take out.
    fn training(&mut self, day: i64, rows: &mut Vec<Visit>) {
        let mut random = Random::new(self.seed, "training", day.unsigned_abs());
        for minute in [0, 7, 15, 16, 40] {
            let car = self.fleet.pick(&mut random);
            rows.push(Visit {
                id: self.next_id,
                vin: car.vin.clone(),
                model: car.model,
                country: "DE",
                workshop: "DE-0199".to_owned(),
                city: "Berlin",
                checked_in: instant(day, 9 * 60 + minute),
                odometer: 1,
                reason: "training",
                diagnosis: None,
                end: None,
                software: "0.0.0".to_owned(),
                month: month(day),
            });
            self.next_id += 1;
        }
    }

    pub(super) async fn play(&mut self, day: u32) -> anyhow::Result<()> {
        let (calendar, today) = (self.calendar, self.calendar.day(day));
        if day == NEW_COLUMN_DAY {
            let comment = "Version of the car's software at check-in";
            let field: Field = column(NEW_COLUMN, DataType::Utf8, true, comment);
            self.source
                .add_column(calendar.at(day, 17, 30), field)
                .await?;
        }
        let at = calendar.at(day, 19, 0);
        let mut rows = Vec::new();
        self.visits_of(today, at, &mut rows);
        if [3, 4, 16].contains(&day) {
            self.training(today, &mut rows);
        }
        let what = format!("{} visits", rows.len());
        let rows = batch(&self.source.schema(), &rows)?;
        self.source.append(at, rows, &what).await?;
        match day {
            6 | 13 | 19 | 27 => self.close(calendar.at(day, 20, 0)).await?,
            9 | 18 => {
                let what = "training entries deleted";
                self.source
                    .delete(calendar.at(day, 20, 15), what, |rows| {
                        let reasons: &StringArray = typed(rows, "reason")?;
                        Ok(reasons
                            .iter()
                            .map(|reason| Some(reason != Some("training")))
                            .collect())
                    })
                    .await?;
            }
            15 => {
                let oldest = month(calendar.day(0) - HISTORY_DAYS);
                let what = format!("older than a year: {oldest} deleted");
                self.source
                    .delete(calendar.at(day, 20, 30), &what, |rows| {
                        let months: &StringArray = typed(rows, "visit_month")?;
                        let keep: BooleanArray = months
                            .iter()
                            .map(|month| Some(month != Some(oldest.as_str())))
                            .collect();
                        Ok(keep)
                    })
                    .await?;
            }
            20 => self.source.compact(calendar.at(day, 21, 0)).await?,
            _ => {}
        }
        Ok(())
    }

    /// Cars that have left meanwhile.
    async fn close(&mut self, at: Timestamp) -> anyhow::Result<()> {
        let seed = self.seed;
        self.source
            .update(at, "stays closed whose cars have left", |rows| {
                close(rows, seed, at)
            })
            .await
    }
}

fn close(rows: &RecordBatch, seed: u64, at: Timestamp) -> Result<Option<RecordBatch>, ArrowError> {
    let out: &TimestampMicrosecondArray = typed(rows, "checked_out_at")?;
    if out.null_count() == 0 {
        return Ok(None);
    }
    let ids: &Int64Array = typed(rows, "visit_id")?;
    let came: &TimestampMicrosecondArray = typed(rows, "checked_in_at")?;
    let reasons: &StringArray = typed(rows, "reason")?;
    let ends: Vec<Option<End>> = (0..rows.num_rows())
        .map(|row| {
            let end = End::of(
                seed,
                ids.value(row),
                Timestamp::from_micros(came.value(row)),
            );
            (end.checked_out <= at && reasons.value(row) != "training").then_some(end)
        })
        .collect();
    let open_before = out.null_count();
    let open_after = ends.iter().filter(|end| end.is_none()).count();
    if open_after == open_before {
        return Ok(None);
    }
    with_columns(rows, end_columns(ends.into_iter())?).map(Some)
}

type NamedColumn = (&'static str, ArrayRef);

fn end_columns(
    ends: impl Iterator<Item = Option<End>> + Clone,
) -> Result<[NamedColumn; 4], ArrowError> {
    let minutes: Int32Array = ends
        .clone()
        .map(|end| end.map(|end| end.labour_minutes))
        .collect();
    Ok([
        (
            "checked_out_at",
            timestamps(ends.clone().map(|end| end.map(|end| end.checked_out))),
        ),
        ("labour_minutes", Arc::new(minutes)),
        (
            "labour_eur",
            money(ends.clone().map(|end| end.map(|end| end.labour)))?,
        ),
        (
            "parts_eur",
            money(ends.map(|end| end.map(|end| end.parts)))?,
        ),
    ])
}

fn batch(schema: &SchemaRef, visits: &[Visit]) -> Result<RecordBatch, ArrowError> {
    let [(_, checked_out), (_, minutes), (_, labour), (_, parts)] =
        end_columns(visits.iter().map(|visit| visit.end))?;
    let diagnosis: StringArray = visits.iter().map(|visit| visit.diagnosis).collect();
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from_iter_values(
            visits.iter().map(|visit| visit.id),
        )),
        text(visits.iter().map(|visit| visit.vin.as_str())),
        text(visits.iter().map(|visit| visit.model)),
        text(visits.iter().map(|visit| visit.country)),
        text(visits.iter().map(|visit| visit.workshop.as_str())),
        text(visits.iter().map(|visit| visit.city)),
        timestamps(visits.iter().map(|visit| Some(visit.checked_in))),
        checked_out,
        Arc::new(Int32Array::from_iter_values(
            visits.iter().map(|visit| visit.odometer),
        )),
        text(visits.iter().map(|visit| visit.reason)),
        Arc::new(diagnosis),
        minutes,
        labour,
        parts,
        text(visits.iter().map(|visit| visit.month.as_str())),
    ];
    if schema.column_with_name(NEW_COLUMN).is_some() {
        columns.push(text(visits.iter().map(|visit| visit.software.as_str())));
    }
    RecordBatch::try_new(Arc::clone(schema), columns)
}

/// The longest stay is shorter than the time after which stays are closed for good.
const _: () = assert!(5_000 * MINUTE < 7 * DAY);
