//! Orders of spare parts, without a customer's trace: open to everybody. Partitioned by country. What happens: what
//! has arrived is marked weekly, cancelled orders are deleted, and the many small files are compacted.

use std::sync::Arc;

use delta::write::NewTable;
use delta::write::arrow::array::{
    Array, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use delta::write::arrow_schema::{ArrowError, DataType, SchemaRef};
use model::Timestamp;

use super::super::cars::{COUNTRIES, PARTS, part_number, workshop};
use super::super::clouds::{Clouds, ORDERS};
use super::super::random::Random;
use super::parts::list_price;
use super::{
    Calendar, Load, MONEY, Source, busyness, column, date_of, instant, money, schema, text,
    timestamp_type, timestamps, typed, with_columns,
};

/// Orders on a usual day.
const A_DAY: i64 = 130;
/// What is ordered arrives after so many days at the latest.
const SLOWEST: i64 = 6;

const WAREHOUSES: [&str; 4] = ["Dingolfing", "Lyon", "Bologna", "Zaragoza"];

struct Order {
    id: i64,
    workshop: String,
    country: &'static str,
    ordered: Timestamp,
    part: u32,
    quantity: i32,
    warehouse: &'static str,
    urgent: bool,
    /// None: under way.
    end: Option<End>,
}

#[derive(Clone, Copy)]
struct End {
    day: i64,
    cancelled: bool,
}

impl End {
    /// The same for the same order, whenever it is asked for.
    fn of(seed: u64, id: i64, ordered: i64) -> Self {
        let mut random = Random::new(seed, "order's end", id.unsigned_abs());
        Self {
            day: ordered + random.between(1, SLOWEST),
            cancelled: random.chance(3),
        }
    }
}

fn columns() -> SchemaRef {
    schema(vec![
        column("order_id", DataType::Int64, false, "Number of the order"),
        column(
            "workshop_id",
            DataType::Utf8,
            false,
            "Number of the workshop that orders",
        ),
        column(
            "country",
            DataType::Utf8,
            false,
            "Its country, ISO 3166; the table is partitioned by it",
        ),
        column("ordered_at", timestamp_type(), false, "When it was ordered"),
        column(
            "part_number",
            DataType::Utf8,
            false,
            "What was ordered; see the table parts",
        ),
        column("quantity", DataType::Int32, false, "How many"),
        column("price_eur", MONEY, false, "Price of one, euros"),
        column("warehouse", DataType::Utf8, false, "From where it is sent"),
        column("urgent", DataType::Boolean, false, "Sent overnight"),
        column(
            "status",
            DataType::Utf8,
            false,
            "under way, delivered, cancelled",
        ),
        column(
            "ended_on",
            DataType::Date32,
            true,
            "Day it was delivered or cancelled; null while under way",
        ),
    ])
}

pub(super) struct Orders {
    pub(super) source: Source,
    seed: u64,
    calendar: Calendar,
    next_id: i64,
}

impl Orders {
    pub(super) async fn create(
        clouds: &Clouds,
        seed: u64,
        calendar: Calendar,
    ) -> anyhow::Result<Self> {
        let new = NewTable {
            name: Some("orders".to_owned()),
            description: Some("Orders of spare parts".to_owned()),
            schema: columns(),
            partition_columns: vec!["country".to_owned()],
            configuration: Default::default(),
        };
        let source = Source::create(
            clouds,
            &ORDERS,
            seed + 2,
            instant(calendar.made(), 4 * 60),
            new,
        )
        .await?;
        let mut orders = Self {
            source,
            seed,
            calendar,
            next_id: 2_310_001,
        };
        for load in calendar.loads() {
            orders.load(load).await?;
        }
        Ok(orders)
    }

    async fn load(&mut self, load: Load) -> anyhow::Result<()> {
        let at = load.at();
        let mut rows = Vec::new();
        for day in load.days {
            self.orders_of(day, load.day, &mut rows);
        }
        // What was cancelled before the month is deleted already.
        rows.retain(|order| !order.end.is_some_and(|end| end.cancelled));
        let rows = batch(&self.source.schema(), &rows)?;
        self.source.append(at, rows, load.what).await
    }

    /// The orders of a UTC day, as they are known on the day `today`.
    fn orders_of(&mut self, day: i64, today: i64, rows: &mut Vec<Order>) {
        let mut random = Random::new(self.seed, "orders", day.unsigned_abs());
        let count = A_DAY * busyness(day) / 100 + random.between(-8, 8);
        for _ in 0..count.max(2) {
            let country = random.weighted(COUNTRIES.iter().map(|country| country.weight));
            let id = self.next_id;
            self.next_id += 1;
            let end = End::of(self.seed, id, day);
            rows.push(Order {
                id,
                workshop: workshop(&mut random, country).0,
                country: COUNTRIES[country].code,
                ordered: instant(day, random.between(6 * 60, 18 * 60)),
                part: u32::try_from(random.mostly_low(0, i64::from(PARTS) - 1)).unwrap_or(0),
                quantity: i32::try_from(random.mostly_low(1, 12)).unwrap_or(1),
                warehouse: WAREHOUSES[random.index(WAREHOUSES.len())],
                urgent: random.chance(17),
                end: (end.day <= today).then_some(end),
            });
        }
    }

    pub(super) async fn play(&mut self, day: u32) -> anyhow::Result<()> {
        let (calendar, today) = (self.calendar, self.calendar.day(day));
        let mut rows = Vec::new();
        self.orders_of(today, today, &mut rows);
        let what = format!("{} orders", rows.len());
        let rows = batch(&self.source.schema(), &rows)?;
        self.source
            .append(calendar.at(day, 19, 20), rows, &what)
            .await?;
        match day {
            7 | 14 | 21 | 28 => {
                let seed = self.seed;
                self.source
                    .update(calendar.at(day, 20, 20), "orders delivered", |rows| {
                        end(rows, seed, today)
                    })
                    .await?;
            }
            8 | 22 => {
                let what = "cancelled orders deleted";
                self.source
                    .delete(calendar.at(day, 20, 50), what, |rows| {
                        let status: &StringArray = typed(rows, "status")?;
                        let keep: BooleanArray = status
                            .iter()
                            .map(|status| Some(status != Some("cancelled")))
                            .collect();
                        Ok(keep)
                    })
                    .await?;
            }
            23 => self.source.compact(calendar.at(day, 21, 10)).await?,
            _ => {}
        }
        Ok(())
    }
}

/// Orders whose last day has come.
fn end(rows: &RecordBatch, seed: u64, today: i64) -> Result<Option<RecordBatch>, ArrowError> {
    let ended: &Date32Array = typed(rows, "ended_on")?;
    if ended.null_count() == 0 {
        return Ok(None);
    }
    let ids: &Int64Array = typed(rows, "order_id")?;
    let ordered: &TimestampMicrosecondArray = typed(rows, "ordered_at")?;
    let ends: Vec<Option<End>> = (0..rows.num_rows())
        .map(|row| {
            let day = Timestamp::from_micros(ordered.value(row)).utc_day();
            let end = End::of(seed, ids.value(row), day);
            (end.day <= today).then_some(end)
        })
        .collect();
    let open = ends.iter().filter(|end| end.is_none()).count();
    if open == ended.null_count() {
        return Ok(None);
    }
    let (status, ended) = end_columns(ends.into_iter());
    with_columns(rows, [("status", status), ("ended_on", ended)]).map(Some)
}

fn end_columns(
    ends: impl Iterator<Item = Option<End>> + Clone,
) -> (Arc<dyn Array>, Arc<dyn Array>) {
    let status = text(ends.clone().map(|end| match end {
        None => "under way",
        Some(End {
            cancelled: true, ..
        }) => "cancelled",
        Some(_) => "delivered",
    }));
    let on: Date32Array = ends.map(|end| end.map(|end| date_of(end.day))).collect();
    (status, Arc::new(on))
}

fn batch(schema: &SchemaRef, orders: &[Order]) -> Result<RecordBatch, ArrowError> {
    let (status, ended) = end_columns(orders.iter().map(|order| order.end));
    let numbers: Vec<String> = orders.iter().map(|order| part_number(order.part)).collect();
    let urgent: BooleanArray = orders.iter().map(|order| Some(order.urgent)).collect();
    RecordBatch::try_new(
        Arc::clone(schema),
        vec![
            Arc::new(Int64Array::from_iter_values(
                orders.iter().map(|order| order.id),
            )),
            text(orders.iter().map(|order| order.workshop.as_str())),
            text(orders.iter().map(|order| order.country)),
            timestamps(orders.iter().map(|order| Some(order.ordered))),
            text(numbers.iter().map(String::as_str)),
            Arc::new(Int32Array::from_iter_values(
                orders.iter().map(|order| order.quantity),
            )),
            money(orders.iter().map(|order| Some(list_price(order.part))))?,
            text(orders.iter().map(|order| order.warehouse)),
            Arc::new(urgent),
            status,
            ended,
        ],
    )
}
