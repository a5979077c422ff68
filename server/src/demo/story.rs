//! The story as it is told on the terminal: a line per thing that happens, under the day on which it happens.

use std::io::Write;

use model::Timestamp;

/// Where the story goes.
pub struct Story<'a> {
    out: Option<&'a mut (dyn Write + Send)>,
    day: String,
}

impl<'a> Story<'a> {
    /// Told line by line.
    pub fn told(out: &'a mut (dyn Write + Send)) -> Self {
        Self {
            out: Some(out),
            day: String::new(),
        }
    }

    /// Not told: only the object at the end counts.
    pub fn silent() -> Self {
        Self {
            out: None,
            day: String::new(),
        }
    }

    /// One line, without a day.
    pub(super) fn say(&mut self, line: &str) {
        self.write(line);
    }

    /// One line under its day.
    pub(super) fn on(&mut self, at: Timestamp, line: &str) {
        let day = short_day(at);
        let shown = if day == self.day { "" } else { day.as_str() };
        let text = format!("{shown:>6}  {line}");
        self.write(&text);
        self.day = day;
    }

    fn write(&mut self, line: &str) {
        if let Some(out) = &mut self.out {
            // Whoever stopped listening does not stop the story.
            let _ = writeln!(out, "{line}");
            let _ = out.flush();
        }
    }
}

/// `21 Oct`
fn short_day(at: Timestamp) -> String {
    at.date()
        .map(|date| date.format("%-d %b").to_string())
        .unwrap_or_default()
}

/// `21 October 2026`
pub(super) fn long_day(at: Timestamp) -> String {
    at.date()
        .map(|date| date.format("%-d %B %Y").to_string())
        .unwrap_or_default()
}

/// `2.6 MB`, decimal as bills have it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", tenths(bytes, 1_000)),
        1_000_000..1_000_000_000 => format!("{} MB", tenths(bytes, 1_000_000)),
        _ => format!("{} GB", tenths(bytes, 1_000_000_000)),
    }
}

fn tenths(bytes: u64, unit: u64) -> String {
    let tenths = (u128::from(bytes) * 10 + u128::from(unit) / 2) / u128::from(unit);
    match (tenths / 10, tenths % 10) {
        (whole, 0) => whole.to_string(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

/// `1 file`, `2 files`.
pub(super) fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// `66 %` of a whole; `–` of nothing.
pub(super) fn percent(part: i128, whole: i128) -> String {
    if whole <= 0 {
        return "–".to_owned();
    }
    format!("{} %", (part * 100 + whole / 2) / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stand_under_their_day() {
        let mut out = Vec::new();
        let mut story = Story::told(&mut out);
        let day = |text: &str| Timestamp::parse(text).unwrap();
        story.say("Begin");
        story.on(day("2026-10-21T04:00:00Z"), "one");
        story.on(day("2026-10-21T05:00:00Z"), "two");
        story.on(day("2026-11-02"), "three");
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "Begin\n21 Oct  one\n        two\n 2 Nov  three\n");
    }

    #[test]
    fn figures() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1 kB"),
            (1_550, "1.6 kB"),
            (2_640_000, "2.6 MB"),
            (3_000_000_000, "3 GB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(percent(2, 3), "67 %");
        assert_eq!(percent(1, 0), "–");
        assert_eq!(count(1, "file"), "1 file");
        assert_eq!(count(0, "file"), "0 files");
    }
}
