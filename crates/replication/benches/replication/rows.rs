//! The rows of the tables, and the Parquet files they make. A row follows from its number and how often it was changed, so that a
//! table is kept in memory as two numbers a row. What a file costs beyond its rows is kept small: plain encoding, no compression
//! (the values would not compress), no dictionaries, statistics or indexes, a short schema. A file of a thousand rows has about one
//! part in a hundred that is not rows, as files of a gigabyte have less.

use std::sync::Arc;

use anyhow::Result;
use delta::write::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use serde_json::{Value, json};

/// Bytes of one row's values in a file: three numbers, a text of 48 letters and its length.
pub(crate) const ROW_BYTES: u64 = 3 * 8 + 4 + 48;

#[derive(Clone, Copy)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) revision: u64,
}

/// A row of the change feed.
#[derive(Clone, Copy)]
pub(crate) struct Changed {
    pub(crate) row: Row,
    /// As the protocol calls it: `update_preimage` and its like.
    pub(crate) kind: &'static str,
}

/// splitmix64: the same on every machine.
pub(crate) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// Numbers that look random and are the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(1);
        let end = (end as u64).max(1);
        usize::try_from(mix(self.0) % end).unwrap_or_default()
    }
}

impl Row {
    fn seed(self) -> u64 {
        mix(self.id ^ mix(self.revision))
    }

    fn id(self) -> i64 {
        self.id.cast_signed()
    }

    fn revision(self) -> i64 {
        self.revision.cast_signed()
    }

    fn amount(self) -> i64 {
        self.seed().cast_signed()
    }

    fn note(self) -> String {
        let word = |number: u64| mix(self.seed() ^ number);
        format!("{:016x}{:016x}{:016x}", word(1), word(2), word(3))
    }

    /// Where the row lies on a curve through two columns, as Z-ORDER sorts: their bits by turns.
    pub(crate) fn on_curve(self) -> u64 {
        let spread = |number: u64| {
            let mut bits = number >> 32;
            bits = (bits | (bits << 16)) & 0x0000_FFFF_0000_FFFF;
            bits = (bits | (bits << 8)) & 0x00FF_00FF_00FF_00FF;
            bits = (bits | (bits << 4)) & 0x0F0F_0F0F_0F0F_0F0F;
            bits = (bits | (bits << 2)) & 0x3333_3333_3333_3333;
            (bits | (bits << 1)) & 0x5555_5555_5555_5555
        };
        spread(mix(self.id)) | (spread(self.seed()) << 1)
    }
}

/// The table's schema without its partition column, as the log has it.
pub(crate) fn fields() -> Vec<Value> {
    let field = |name: &str, kind: &str| json!({ "name": name, "type": kind, "nullable": true, "metadata": {} });
    vec![
        field("id", "long"),
        field("revision", "long"),
        field("amount", "long"),
        field("note", "string"),
    ]
}

/// What an `add` says of these rows.
pub(crate) fn stats(rows: &[Row]) -> String {
    let numbers = |of: fn(Row) -> i64| {
        let values = rows.iter().map(|row| of(*row));
        (values.clone().min(), values.max())
    };
    let (id, revision, amount) = (
        numbers(Row::id),
        numbers(Row::revision),
        numbers(Row::amount),
    );
    json!({
        "numRecords": rows.len(),
        "minValues": { "id": id.0, "revision": revision.0, "amount": amount.0 },
        "maxValues": { "id": id.1, "revision": revision.1, "amount": amount.1 },
        "nullCount": { "id": 0, "revision": 0, "amount": 0, "note": 0 },
    })
    .to_string()
}

/// A data file.
pub(crate) fn file(rows: &[Row]) -> Result<Vec<u8>> {
    parquet(&batch(rows.iter().copied(), None)?)
}

/// A file of the change feed.
pub(crate) fn feed(changed: &[Changed]) -> Result<Vec<u8>> {
    let kinds = StringArray::from_iter_values(changed.iter().map(|changed| changed.kind));
    let rows = changed.iter().map(|changed| changed.row);
    parquet(&batch(rows, Some(Arc::new(kinds)))?)
}

fn batch(rows: impl Iterator<Item = Row> + Clone, kinds: Option<ArrayRef>) -> Result<RecordBatch> {
    let numbers = |of: fn(Row) -> i64| {
        Arc::new(Int64Array::from_iter_values(rows.clone().map(of))) as ArrayRef
    };
    let notes = StringArray::from_iter_values(rows.clone().map(Row::note));
    let mut columns = vec![
        ("id", numbers(Row::id), true),
        ("revision", numbers(Row::revision), true),
        ("amount", numbers(Row::amount), true),
        ("note", Arc::new(notes) as ArrayRef, true),
    ];
    columns.extend(kinds.map(|kinds| ("_change_type", kinds, true)));
    Ok(RecordBatch::try_from_iter_with_nullable(columns)?)
}

fn parquet(rows: &RecordBatch) -> Result<Vec<u8>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_created_by("bench".to_owned())
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new_with_options(&mut bytes, rows.schema(), options)?;
    writer.write(rows)?;
    writer.close()?;
    Ok(bytes)
}
