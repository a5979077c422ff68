//! What happened when: one track for each row, all over the same time. The drawings stretch to whatever width there is; what is
//! to be read stands beside them as text, so that it is as large on a telephone as anywhere.

use leptos::prelude::*;
use model::Timestamp;

use super::part::Part;
use super::part::part;
use super::part::readout;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Time;
use crate::words;

/// More rows than this nobody compares.
pub const ROWS_MAX: usize = 12;

/// More marks than this are not listed in the table of figures.
const LISTED_MAX: usize = 300;

/// The entry of the legend for delays.
const LATE: usize = 3;

const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 24.0;

/// What a row's marks are; they differ in their form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Something was committed at the source: short marks.
    Source,
    /// It arrived in a copy: marks over the whole height.
    Copy,
}

impl Kind {
    const fn class(self) -> &'static str {
        match self {
            Self::Source => "timeline__mark timeline__mark--source",
            Self::Copy => "timeline__mark timeline__mark--copy",
        }
    }

    /// Where its marks begin and end.
    const fn reach(self) -> (f64, f64) {
        match self {
            Self::Source => (7.0, 17.0),
            Self::Copy => (1.0, 23.0),
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Source => words::charts::COMMIT,
            Self::Copy => words::charts::SYNC,
        }
    }

    /// Which entry of the legend tells of it.
    const fn entry(self) -> usize {
        match self {
            Self::Source => 1,
            Self::Copy => 2,
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub at: Timestamp,
    /// Its figure: `version 3`.
    pub figure: String,
    /// Its page.
    pub href: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub name: String,
    pub kind: Kind,
    /// Within the time that is shown, in order.
    pub marks: Vec<Mark>,
    /// What is promised, in words.
    pub promise: Option<String>,
    /// When the promise was broken: from and until, in order, apart from each other.
    pub late: Vec<(Timestamp, Timestamp)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    pub from: Timestamp,
    pub until: Timestamp,
    pub rows: Vec<Row>,
}

impl Timeline {
    /// Where an instant stands on the track. Always within it, also where no time is shown at all.
    fn x(&self, at: Timestamp) -> f64 {
        let all = self.until.since(self.from).max(1);
        let part = at.since(self.from).clamp(0, all);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a picture's points are coarser than an f64"
        )]
        let x = part as f64 / all as f64 * WIDTH;
        x
    }

    /// `2026-06-01 to 2026-07-01: 8 commits seen, 7 syncs; 1 delay.`, in all rows together.
    fn summary(&self) -> String {
        let count = |kind: Kind| {
            let rows = self.rows.iter().filter(|row| row.kind == kind);
            rows.map(|row| row.marks.len() as u64).sum::<u64>()
        };
        let late: u64 = self.rows.iter().map(|row| row.late.len() as u64).sum();
        let late = if late == 0 {
            String::new()
        } else {
            format!("; {}", words::charts::delays(late))
        };
        words::charts::timeline_in_all(
            &words::day(self.from),
            &words::day(self.until),
            &words::charts::commits_seen(count(Kind::Source)),
            &words::charts::syncs(count(Kind::Copy)),
            &late,
        )
    }

    fn middle(&self) -> Timestamp {
        self.from.plus(self.until.since(self.from) / 2)
    }
}

/// The time that lies between two, cut to what is shown.
fn length(from: Timestamp, until: Timestamp) -> i64 {
    until.since(from).max(0)
}

impl Row {
    /// `3 syncs, the last 2026-06-15 06:00 UTC; late for 4 h 0 min in all; promised: every 2d`.
    fn summary(&self) -> String {
        let count = u64::try_from(self.marks.len()).unwrap_or(u64::MAX);
        let mut parts = vec![match self.kind {
            Kind::Source => words::charts::commits_seen(count),
            Kind::Copy => words::charts::syncs(count),
        }];
        if let Some(last) = self.marks.last() {
            parts[0] = words::charts::and_the_last(&parts[0], &words::minute(last.at, 0));
        }
        if let Some(promise) = &self.promise {
            parts.push(promise.clone());
        }
        let late: i64 = self
            .late
            .iter()
            .map(|(from, until)| length(*from, *until))
            .sum();
        if late > 0 {
            parts.push(words::charts::late_in_all(&words::duration(late)));
        }
        parts.join("; ")
    }
}

/// `title` stands above it; the figures stand below as a table.
#[component]
pub fn Tracks(title: &'static str, timeline: Timeline) -> impl IntoView {
    let hidden = timeline.rows.len().saturating_sub(ROWS_MAX);
    let tracks = timeline
        .rows
        .iter()
        .take(ROWS_MAX)
        .enumerate()
        .map(|(position, row)| track(&timeline, position, row))
        .collect_view();
    let figures = figures(&timeline);
    let days = [timeline.from, timeline.middle(), timeline.until].map(|at| {
        view! { <span>{words::day(at)}</span> }
    });
    let summary = timeline.summary();
    let has_late = timeline.rows.iter().any(|row| !row.late.is_empty());
    view! {
        <figure class="chart timeline" data-picture="">
            <figcaption>{title}</figcaption>
            {tracks}
            <p class="timeline__days muted" aria-hidden="true">{days}</p>
            {readout(summary)}
            <ul class="chart__legend">
                <li class="chart__entry chart__entry--1" tabindex="0">{key(Kind::Source)}{words::charts::COMMIT_AS_SEEN}</li>
                <li class="chart__entry chart__entry--2" tabindex="0">{key(Kind::Copy)}{words::charts::A_SYNC_WAS_DONE}</li>
                {has_late.then(|| view! { <li class="chart__entry chart__entry--3" tabindex="0">{late_key()}{words::charts::LATER_THAN_PROMISED}</li> })}
            </ul>
            {(hidden > 0).then(|| view! {
                <p class="muted">{words::charts::more_in_the_table(hidden as u64)}</p>
            })}
        </figure>
        {figures}
    }
}

fn track(timeline: &Timeline, position: usize, row: &Row) -> impl IntoView + use<> {
    let said = format!("{}: {}", row.name, row.summary());
    let late = row
        .late
        .iter()
        .enumerate()
        .map(|(which, (from, until))| {
            let (left, right) = (timeline.x(*from), timeline.x(*until));
            let shape = view! {
                <rect class="timeline__late" x=point(left) y="4" width=point((right - left).max(2.0)) height="16"></rect>
            };
            let drawn = Part {
                id: format!("track-{position}-late-{which}"),
                entry: LATE,
                href: None,
                said: words::charts::late_from_until(&words::minute(*from, 0), &words::minute(*until, 0), &row.name, &words::duration(length(*from, *until))),
                at: left,
                is_stop: false,
            };
            part(drawn, shape.into_any())
        })
        .collect_view();
    let (top, bottom) = row.kind.reach();
    let newest = row.marks.len().saturating_sub(1);
    let marks = row
        .marks
        .iter()
        .enumerate()
        .map(|(which, mark)| {
            let at = timeline.x(mark.at);
            let x = point(at);
            // What is seen is thin; what is pointed at is not.
            let shape = view! {
                <line class="timeline__reach" x1=x.clone() x2=x.clone() y1="0" y2=point(HEIGHT)></line>
                <line class=row.kind.class() x1=x.clone() x2=x y1=point(top) y2=point(bottom)></line>
            };
            let drawn = Part {
                id: format!("track-{position}-{which}"),
                entry: row.kind.entry(),
                href: mark.href.clone(),
                said: format!(
                    "{} {}, {}: {}",
                    row.kind.word(),
                    words::minute(mark.at, 0),
                    row.name,
                    mark.figure
                ),
                at,
                is_stop: which == newest,
            };
            part(drawn, shape.into_any())
        })
        .collect_view();
    view! {
        <p class="timeline__name">{row.name.clone()}<span class="secondary muted">{row.summary()}</span></p>
        <svg
            class="timeline__track"
            viewBox=format!("0 0 {WIDTH} {HEIGHT}")
            preserveAspectRatio="none"
            role="group"
            aria-label=said
            data-row=""
        >
            <line class="chart__line" x1="0" x2=point(WIDTH) y1="12" y2="12"></line>
            <line class="chart__crosshair" data-crosshair="" x1="0" x2="0" y1="0" y2=point(HEIGHT)></line>
            {late}
            {marks}
        </svg>
    }
}

fn key(kind: Kind) -> impl IntoView {
    let (top, bottom) = kind.reach();
    let scale = 16.0 / HEIGHT;
    view! {
        <svg class="chart__key" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <line class=kind.class() x1="8" x2="8" y1=point(top * scale) y2=point(bottom * scale)></line>
        </svg>
    }
}

fn late_key() -> impl IntoView {
    view! {
        <svg class="chart__key" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <rect class="timeline__late" x="1" y="3" width="14" height="10"></rect>
        </svg>
    }
}

/// Every mark and every delay, the newest first.
fn figures(timeline: &Timeline) -> impl IntoView + use<> {
    let mut all: Vec<(Timestamp, Option<Timestamp>, Option<&Mark>, &Row)> = Vec::new();
    for row in &timeline.rows {
        all.extend(
            row.marks
                .iter()
                .map(|mark| (mark.at, None, Some(mark), row)),
        );
        all.extend(
            row.late
                .iter()
                .map(|(from, until)| (*from, Some(*until), None, row)),
        );
    }
    all.sort_by_key(|(at, ..)| std::cmp::Reverse(*at));
    let left_out = all.len().saturating_sub(LISTED_MAX);
    let rows = all
        .into_iter()
        .take(LISTED_MAX)
        .map(|(at, until, mark, row)| {
            let what = until.map_or(row.kind.word(), |_| words::charts::LATE);
            let what = match mark.and_then(|mark| mark.href.clone()) {
                Some(href) => view! { <a href=href>{what}</a> }.into_any(),
                None => what.into_any(),
            };
            view! {
                <tr>
                    <th scope="row"><Time at/></th>
                    <td>{what}</td>
                    <td>{mark.map(|mark| mark.figure.clone())}</td>
                    <td>{until.map(|at| view! { <Time at/> })}</td>
                    <td>{row.name.clone()}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::charts::WHEN),
        Column::Text(words::charts::WHAT),
        Column::Text(words::charts::FIGURE),
        Column::Text(words::charts::UNTIL),
        Column::Text(words::charts::WHERE),
    ];
    view! {
        <details class="fold">
            <summary>{words::charts::FIGURES_AS_A_TABLE}</summary>
            <Table caption=words::charts::COMMITS_SYNCS_AND_DELAYS head>{rows}</Table>
            {(left_out > 0).then(|| view! {
                <p class="muted">{words::charts::older_are_not_listed(&words::count(left_out as u64))}</p>
            })}
        </details>
    }
}

/// Tenths are fine enough for a screen.
fn point(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use model::time::{DAY, HOUR};

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn drawn(timeline: Timeline) -> String {
        leptos::reactive::owner::Owner::new().with(|| {
            view! { <Tracks title="Commits and syncs" timeline/> }
                .into_view()
                .to_html()
        })
    }

    fn mark(text: &str, figure: &str) -> Mark {
        Mark {
            at: at(text),
            figure: figure.to_owned(),
            href: (figure == "version 2").then(|| "/runs/2".to_owned()),
        }
    }

    fn row(name: &str, kind: Kind) -> Row {
        Row {
            name: name.to_owned(),
            kind,
            marks: vec![
                mark("2026-06-05T00:00:00Z", "version 1"),
                mark("2026-06-10T00:00:00Z", "version 2"),
            ],
            promise: Some("promised: every 2d".to_owned()),
            late: vec![(at("2026-06-08T00:00:00Z"), at("2026-06-10T00:00:00Z"))],
        }
    }

    #[test]
    fn instants_stand_where_they_belong_and_never_outside() {
        let timeline = Timeline {
            from: at("2026-06-01T00:00:00Z"),
            until: at("2026-06-11T00:00:00Z"),
            rows: Vec::new(),
        };
        for (text, expected) in [
            ("2026-06-01T00:00:00Z", "0.0"),
            ("2026-06-06T00:00:00Z", "500.0"),
            ("2026-06-11T00:00:00Z", "1000.0"),
            ("2020-01-01T00:00:00Z", "0.0"),
            ("2030-01-01T00:00:00Z", "1000.0"),
        ] {
            assert_eq!(point(timeline.x(at(text))), expected, "{text}");
        }
    }

    #[test]
    fn nothing_is_drawn_as_nothing() {
        let html = drawn(Timeline::default());
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        let still = Timeline {
            from: at("2026-06-05T00:00:00Z"),
            until: at("2026-06-05T00:00:00Z"),
            rows: vec![row("visits", Kind::Copy)],
        };
        let html = drawn(still);
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
    }

    #[test]
    fn rows_say_what_they_show_and_names_are_text() {
        let from = at("2026-06-01T00:00:00Z");
        let timeline = Timeline {
            from,
            until: from.plus(10 * DAY + HOUR),
            rows: vec![
                row("</title><script>\"", Kind::Source),
                row("in Azure", Kind::Copy),
            ],
        };
        let html = drawn(timeline);
        assert!(!html.contains("<script>"), "{html}");
        for part in [
            "2 commits seen, the last 2026-06-10 00:00 UTC",
            "in Azure: 2 syncs, the last 2026-06-10 00:00 UTC; promised: every 2d; late for 48 h 0 min in all",
            "Later than promised",
            "Late from 2026-06-08 00:00 UTC until 2026-06-10 00:00 UTC, in Azure: 48 h 0 min",
            "2026-06-01 to 2026-06-11: 2 commits seen, 2 syncs; 2 delays.",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn a_mark_leads_to_its_run_from_the_picture_and_from_the_table() {
        let html = drawn(Timeline {
            from: at("2026-06-01T00:00:00Z"),
            until: at("2026-06-11T00:00:00Z"),
            rows: vec![row("in Azure", Kind::Copy)],
        });
        assert_eq!(html.matches("href=\"/runs/2\"").count(), 2, "{html}");
        for part in [
            "aria-label=\"Sync 2026-06-10 00:00 UTC, in Azure: version 2\" data-at=\"900.0\"",
            "aria-label=\"Sync 2026-06-05 00:00 UTC, in Azure: version 1\" data-at=\"400.0\"",
            "data-row",
            "data-crosshair",
            "aria-live=\"polite\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        // The newest is the one that the tabulator reaches; two entries of the legend, the one of delays, and the table's frame.
        assert_eq!(html.matches("tabindex=\"0\"").count(), 1 + 3 + 1, "{html}");
        assert!(!html.contains("style="), "{html}");
    }

    #[test]
    fn rows_that_nobody_compares_stand_in_the_table() {
        let rows = (0..30).map(|n| row(&format!("row {n}"), Kind::Copy));
        let html = drawn(Timeline {
            from: at("2026-06-01T00:00:00Z"),
            until: at("2026-06-11T00:00:00Z"),
            rows: rows.collect(),
        });
        assert_eq!(html.matches("timeline__track").count(), ROWS_MAX);
        assert!(
            html.contains("18 rows more stand in the table only."),
            "{html}"
        );
        assert!(html.contains("row 29"), "{html}");
    }
}
