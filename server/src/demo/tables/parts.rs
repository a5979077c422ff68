//! The catalogue of parts, the second table of the parts' product: small, and changed once in the month.

use std::sync::Arc;

use delta::write::NewTable;
use delta::write::arrow::array::{Decimal128Array, Int32Array, RecordBatch};
use delta::write::arrow_schema::{ArrowError, DataType, SchemaRef};

use super::super::cars::{PARTS, part_number};
use super::super::clouds::{Clouds, PARTS as PLACE};
use super::super::random::Random;
use super::{Calendar, MONEY, Source, column, instant, money, schema, text, typed, with_columns};

/// The day of the new price list.
const NEW_PRICES: u32 = 14;

const KINDS: [&str; 15] = [
    "Brake disc",
    "Brake pad set",
    "Wheel bearing",
    "Shock absorber",
    "Control arm",
    "Alternator",
    "Starter battery",
    "Water pump",
    "Timing belt kit",
    "Fuel injector",
    "Oxygen sensor",
    "Wheel speed sensor",
    "Headlamp",
    "Wiper blade set",
    "Control unit",
];
const PLACES: [&str; 4] = ["front left", "front right", "rear left", "rear right"];

/// Cents.
pub(super) fn list_price(part: u32) -> i64 {
    // Follows from the number alone, so that orders and catalogue agree.
    Random::new(0, "price", u64::from(part)).mostly_low(590, 89_900)
}

fn columns() -> SchemaRef {
    schema(vec![
        column(
            "part_number",
            DataType::Utf8,
            false,
            "Number on the label: group, running number, letter of change",
        ),
        column(
            "title",
            DataType::Utf8,
            false,
            "What it is and where it belongs",
        ),
        column(
            "weight_g",
            DataType::Int32,
            false,
            "Weight with packaging, grams",
        ),
        column(
            "list_price_eur",
            MONEY,
            false,
            "Price of the current list, euros",
        ),
    ])
}

pub(super) struct Parts {
    pub(super) source: Source,
    calendar: Calendar,
}

impl Parts {
    pub(super) async fn create(
        clouds: &Clouds,
        seed: u64,
        calendar: Calendar,
    ) -> anyhow::Result<Self> {
        let new = NewTable {
            name: Some("parts".to_owned()),
            description: Some("Catalogue of spare parts".to_owned()),
            schema: columns(),
            partition_columns: Vec::new(),
            configuration: Default::default(),
        };
        let mut source = Source::create(
            clouds,
            &PLACE,
            seed + 3,
            instant(calendar.made(), 4 * 60),
            new,
        )
        .await?;
        let rows = batch(&source.schema(), seed)?;
        let what = format!("{PARTS} parts");
        source
            .append(instant(calendar.made(), 4 * 60 + 10), rows, &what)
            .await?;
        Ok(Self { source, calendar })
    }

    pub(super) async fn play(&mut self, day: u32) -> anyhow::Result<()> {
        if day != NEW_PRICES {
            return Ok(());
        }
        let at = self.calendar.at(day, 5, 0);
        self.source
            .update(at, "new price list", |rows| {
                let prices: &Decimal128Array = typed(rows, "list_price_eur")?;
                // 2.4 % more, in whole cents.
                let new = prices.values().iter().map(|cents| {
                    let cents = i64::try_from(*cents).unwrap_or(0);
                    Some(cents + cents * 24 / 1_000)
                });
                with_columns(rows, [("list_price_eur", money(new)?)]).map(Some)
            })
            .await
    }
}

fn batch(schema: &SchemaRef, seed: u64) -> Result<RecordBatch, ArrowError> {
    let numbers: Vec<String> = (0..PARTS).map(part_number).collect();
    let titles: Vec<String> = (0..PARTS)
        .map(|part| {
            let mut random = Random::new(seed, "part", u64::from(part));
            format!("{}, {}", random.pick(&KINDS), random.pick(&PLACES))
        })
        .collect();
    let weights = (0..PARTS).map(|part| {
        let grams = Random::new(seed, "weight", u64::from(part)).mostly_low(40, 21_000);
        i32::try_from(grams).unwrap_or(0)
    });
    RecordBatch::try_new(
        Arc::clone(schema),
        vec![
            text(numbers.iter().map(String::as_str)),
            text(titles.iter().map(String::as_str)),
            Arc::new(Int32Array::from_iter_values(weights)),
            money((0..PARTS).map(|part| Some(list_price(part))))?,
        ],
    )
}
