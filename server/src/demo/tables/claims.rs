//! Warranty claims, with the customer's name and contact: personal data. Partitioned by month. What happens: claims are
//! decided weekly, and customers are forgotten who ask for it (GDPR, article 17), so that files vanish here and must
//! vanish from every replica.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use delta::write::NewTable;
use delta::write::arrow::array::{
    Array, BooleanArray, Date32Array, Decimal128Array, Int32Array, Int64Array, RecordBatch,
    StringArray,
};
use delta::write::arrow_schema::{ArrowError, DataType, SchemaRef};

use super::super::cars::{COUNTRIES, Fleet, PARTS, TROUBLES, part_number};
use super::super::clouds::{CLAIMS, Clouds};
use super::super::random::Random;
use super::{
    Calendar, Load, MONEY, Source, busyness, column, date_of, instant, money, month, schema, text,
    typed, with_columns,
};

/// Claims on a usual day.
const A_DAY: i64 = 44;
const CUSTOMERS: i64 = 7_500;
/// A claim is decided after so many days at the latest.
const SLOWEST: i64 = 6;

const FIRST_NAMES: [&str; 24] = [
    "Anna", "Ben", "Carla", "David", "Elif", "Felix", "Greta", "Hugo", "Ines", "Jan", "Katja",
    "Luca", "Marta", "Nina", "Oscar", "Paula", "Quentin", "Rosa", "Simon", "Tilda", "Ugo", "Vera",
    "Willem", "Zoe",
];
const LAST_NAMES: [&str; 28] = [
    "Albrecht", "Bakker", "Bianchi", "Costa", "Dubois", "Ebner", "Fischer", "Garnier", "Gruber",
    "Hansen", "Iglesias", "Jansen", "Keller", "Lambert", "Lorenz", "Moreau", "Navarro", "Oliveri",
    "Peeters", "Quint", "Rossi", "Sander", "Thoma", "Urban", "Visser", "Weber", "Xhaka", "Zeller",
];
const COMPLAINTS: [&str; 12] = [
    "warning lamp comes on after a cold start",
    "rattles over cobblestones",
    "battery empty after one night",
    "window on the driver's side does not close",
    "loses coolant, no leak to be seen",
    "infotainment restarts while driving",
    "vibrates between 90 and 110 km/h",
    "charging stops at 80 percent",
    "rear camera shows no picture",
    "gear lever hard to move in winter",
    "water in the boot after rain",
    "heater blows cold on the left side",
];

/// Who claims. Addresses and numbers are of the ranges that are kept for fiction.
struct Customer {
    id: i64,
    name: String,
    email: String,
    phone: Option<String>,
}

impl Customer {
    fn of(seed: u64, id: i64, country: &str) -> Self {
        let mut random = Random::new(seed, "customer", id.unsigned_abs());
        let (first, last) = (random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES));
        let phone = match country {
            "DE" => Some(format!("+49 30 23125 {:03}", random.between(0, 999))),
            "FR" => Some(format!(
                "+33 1 99 00 {:02} {:02}",
                random.between(0, 99),
                random.between(0, 99)
            )),
            _ => None,
        };
        Self {
            id,
            name: format!("{first} {last}"),
            email: format!(
                "{}.{}{id}@example.org",
                first.to_lowercase(),
                last.to_lowercase()
            ),
            phone: phone.filter(|_| random.chance(70)),
        }
    }
}

struct Claim {
    id: i64,
    vin: String,
    country: &'static str,
    customer: Customer,
    submitted: i64,
    failure: &'static str,
    part: String,
    complaint: &'static str,
    odometer: i32,
    requested: i64,
    decision: Option<Decision>,
    month: String,
}

#[derive(Clone, Copy)]
struct Decision {
    day: i64,
    status: &'static str,
    approved: i64,
}

impl Decision {
    /// The same for the same claim, whenever it is asked for.
    fn of(seed: u64, id: i64, submitted: i64, requested: i64) -> Self {
        let mut random = Random::new(seed, "decision", id.unsigned_abs());
        let day = submitted + random.between(1, SLOWEST);
        let (status, percent) = match random.between(0, 99) {
            0..=13 => ("rejected", 0),
            14..=29 => ("goodwill", random.between(20, 70)),
            _ => ("approved", 100),
        };
        Self {
            day,
            status,
            approved: requested * percent / 100,
        }
    }
}

fn columns() -> SchemaRef {
    schema(vec![
        column("claim_id", DataType::Int64, false, "Number of the claim"),
        column(
            "vin",
            DataType::Utf8,
            false,
            "Vehicle identification number",
        ),
        column(
            "country",
            DataType::Utf8,
            false,
            "Country of the workshop, ISO 3166",
        ),
        column(
            "customer_id",
            DataType::Int64,
            false,
            "Number of the customer; personal",
        ),
        column(
            "customer_name",
            DataType::Utf8,
            false,
            "Name of the customer; personal",
        ),
        column(
            "customer_email",
            DataType::Utf8,
            false,
            "Address for the answer; personal",
        ),
        column(
            "customer_phone",
            DataType::Utf8,
            true,
            "Telephone, where given; personal",
        ),
        column("submitted_on", DataType::Date32, false, "Day of the claim"),
        column(
            "failure_code",
            DataType::Utf8,
            false,
            "Trouble code of the failure (SAE J2012)",
        ),
        column(
            "part_number",
            DataType::Utf8,
            false,
            "Part that failed; see parts of vehicle-parts-orders",
        ),
        column("complaint", DataType::Utf8, false, "What the customer said"),
        column(
            "odometer_km",
            DataType::Int32,
            false,
            "Kilometres when it failed",
        ),
        column(
            "requested_eur",
            MONEY,
            false,
            "What the workshop asks for, euros",
        ),
        column(
            "status",
            DataType::Utf8,
            false,
            "open, approved, goodwill, rejected",
        ),
        column(
            "approved_eur",
            MONEY,
            true,
            "What is paid, euros; null while open",
        ),
        column(
            "decided_on",
            DataType::Date32,
            true,
            "Day of the decision; null while open",
        ),
        column(
            "claim_month",
            DataType::Utf8,
            false,
            "Month of the claim, YYYY-MM; the table is partitioned by it",
        ),
    ])
}

pub(super) struct Claims {
    pub(super) source: Source,
    seed: u64,
    calendar: Calendar,
    fleet: Arc<Fleet>,
    next_id: i64,
}

impl Claims {
    pub(super) async fn create(
        clouds: &Clouds,
        seed: u64,
        calendar: Calendar,
        fleet: Arc<Fleet>,
    ) -> anyhow::Result<Self> {
        let new = NewTable {
            name: Some("claims".to_owned()),
            description: Some("Warranty claims with the customer's contact".to_owned()),
            schema: columns(),
            partition_columns: vec!["claim_month".to_owned()],
            configuration: Default::default(),
        };
        let source = Source::create(
            clouds,
            &CLAIMS,
            seed + 1,
            instant(calendar.made(), 4 * 60),
            new,
        )
        .await?;
        let mut claims = Self {
            source,
            seed,
            calendar,
            fleet,
            next_id: 77_001,
        };
        for load in calendar.loads() {
            claims.load(load).await?;
        }
        Ok(claims)
    }

    async fn load(&mut self, load: Load) -> anyhow::Result<()> {
        let at = load.at();
        let mut rows = Vec::new();
        for day in load.days {
            self.claims_of(day, load.day, &mut rows);
        }
        let rows = batch(&self.source.schema(), &rows)?;
        self.source.append(at, rows, load.what).await
    }

    /// The claims of a UTC day, as they are known on the day `today`.
    fn claims_of(&mut self, day: i64, today: i64, rows: &mut Vec<Claim>) {
        let mut random = Random::new(self.seed, "claims", day.unsigned_abs());
        let count = A_DAY * busyness(day) / 100 + random.between(-3, 3);
        for _ in 0..count.max(1) {
            let car = self.fleet.pick(&mut random);
            let country = COUNTRIES[car.country].code;
            let id = self.next_id;
            self.next_id += 1;
            let requested = random.mostly_low(4_000, 310_000);
            let decision = Decision::of(self.seed, id, day, requested);
            let part = u32::try_from(random.between(0, i64::from(PARTS) - 1)).unwrap_or(0);
            rows.push(Claim {
                id,
                vin: car.vin.clone(),
                country,
                customer: Customer::of(self.seed, 10_000 + random.between(0, CUSTOMERS), country),
                submitted: day,
                failure: random.pick(&TROUBLES).0,
                part: part_number(part),
                complaint: COMPLAINTS[random.index(COMPLAINTS.len())],
                odometer: car.odometer(day),
                requested,
                decision: (decision.day <= today).then_some(decision),
                month: month(day),
            });
        }
    }

    pub(super) async fn play(&mut self, day: u32) -> anyhow::Result<()> {
        let (calendar, today) = (self.calendar, self.calendar.day(day));
        let mut rows = Vec::new();
        self.claims_of(today, today, &mut rows);
        let what = format!("{} claims", rows.len());
        let rows = batch(&self.source.schema(), &rows)?;
        self.source
            .append(calendar.at(day, 19, 10), rows, &what)
            .await?;
        match day {
            5 | 12 | 19 | 26 => {
                let seed = self.seed;
                self.source
                    .update(calendar.at(day, 20, 10), "claims decided", |rows| {
                        decide(rows, seed, today)
                    })
                    .await?;
            }
            4 | 10 | 17 | 24 => self.forget(day).await?,
            _ => {}
        }
        Ok(())
    }

    /// Two customers of the last days ask to be forgotten: all their claims go.
    async fn forget(&mut self, day: u32) -> anyhow::Result<()> {
        let rows = self.source.writer.rows().await?;
        let claims: &Int64Array = typed(&rows, "claim_id")?;
        let of: &Int64Array = typed(&rows, "customer_id")?;
        let mut counts: BTreeMap<i64, u32> = BTreeMap::new();
        for customer in of.values() {
            *counts.entry(*customer).or_default() += 1;
        }
        // Those who claimed for the first time wonder most where their name went.
        let mut lately: Vec<(u32, i64)> = (0..rows.num_rows())
            .filter(|row| claims.value(*row) >= self.next_id - A_DAY)
            .map(|row| (counts[&of.value(row)], of.value(row)))
            .collect();
        lately.sort_unstable();
        lately.dedup();
        let customers: BTreeSet<i64> = lately
            .iter()
            .take(2)
            .map(|(_, customer)| *customer)
            .collect();
        let what = format!("{} customers forgotten at their wish", customers.len());
        self.source
            .delete(self.calendar.at(day, 20, 40), &what, |rows| {
                let of: &Int64Array = typed(rows, "customer_id")?;
                let keep: BooleanArray = of
                    .values()
                    .iter()
                    .map(|customer| Some(!customers.contains(customer)))
                    .collect();
                Ok(keep)
            })
            .await
    }
}

/// Claims whose day of decision has come.
fn decide(rows: &RecordBatch, seed: u64, today: i64) -> Result<Option<RecordBatch>, ArrowError> {
    let decided: &Date32Array = typed(rows, "decided_on")?;
    if decided.null_count() == 0 {
        return Ok(None);
    }
    let ids: &Int64Array = typed(rows, "claim_id")?;
    let submitted: &Date32Array = typed(rows, "submitted_on")?;
    let requested: &Decimal128Array = typed(rows, "requested_eur")?;
    let decisions: Vec<Option<Decision>> = (0..rows.num_rows())
        .map(|row| {
            let cents = i64::try_from(requested.value(row)).unwrap_or(0);
            let decision =
                Decision::of(seed, ids.value(row), i64::from(submitted.value(row)), cents);
            (decision.day <= today).then_some(decision)
        })
        .collect();
    let open = decisions
        .iter()
        .filter(|decision| decision.is_none())
        .count();
    if open == decided.null_count() {
        return Ok(None);
    }
    with_columns(rows, decision_columns(decisions.into_iter())?).map(Some)
}

type NamedColumn = (&'static str, Arc<dyn Array>);

fn decision_columns(
    decisions: impl Iterator<Item = Option<Decision>> + Clone,
) -> Result<[NamedColumn; 3], ArrowError> {
    let on: Date32Array = decisions
        .clone()
        .map(|decision| decision.map(|decision| date_of(decision.day)))
        .collect();
    let status = text(
        decisions
            .clone()
            .map(|decision| decision.map_or("open", |decision| decision.status)),
    );
    let approved = money(decisions.map(|decision| decision.map(|decision| decision.approved)))?;
    Ok([
        ("status", status),
        ("approved_eur", approved),
        ("decided_on", Arc::new(on)),
    ])
}

fn batch(schema: &SchemaRef, claims: &[Claim]) -> Result<RecordBatch, ArrowError> {
    let [(_, status), (_, approved), (_, decided)] =
        decision_columns(claims.iter().map(|claim| claim.decision))?;
    let phone: StringArray = claims
        .iter()
        .map(|claim| claim.customer.phone.as_deref())
        .collect();
    RecordBatch::try_new(
        Arc::clone(schema),
        vec![
            Arc::new(Int64Array::from_iter_values(
                claims.iter().map(|claim| claim.id),
            )),
            text(claims.iter().map(|claim| claim.vin.as_str())),
            text(claims.iter().map(|claim| claim.country)),
            Arc::new(Int64Array::from_iter_values(
                claims.iter().map(|claim| claim.customer.id),
            )),
            text(claims.iter().map(|claim| claim.customer.name.as_str())),
            text(claims.iter().map(|claim| claim.customer.email.as_str())),
            Arc::new(phone),
            Arc::new(Date32Array::from_iter_values(
                claims.iter().map(|claim| date_of(claim.submitted)),
            )),
            text(claims.iter().map(|claim| claim.failure)),
            text(claims.iter().map(|claim| claim.part.as_str())),
            text(claims.iter().map(|claim| claim.complaint)),
            Arc::new(Int32Array::from_iter_values(
                claims.iter().map(|claim| claim.odometer),
            )),
            money(claims.iter().map(|claim| Some(claim.requested)))?,
            status,
            approved,
            decided,
            text(claims.iter().map(|claim| claim.month.as_str())),
        ],
    )
}
