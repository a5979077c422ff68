//! What was, against what would have been: two bars for each thing, one above the other, all of one scale.

use leptos::prelude::*;

use crate::words;

/// One thing that is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Against {
    pub name: String,
    /// What it is measured against, in words.
    pub baseline: String,
    pub would_be: u64,
    pub is: u64,
    /// What came of it, in words.
    pub outcome: String,
    /// Where more is told of it.
    pub href: Option<String>,
}

/// More than this nobody compares: the largest are drawn.
pub const DRAWN_MAX: usize = 8;

const WIDTH: f64 = 1_000.0;

/// `said` writes a value with its unit. Name and figures stand above each pair of bars, so pointing at it needs to tell nothing: the
/// whole of it is the link. The largest come first, unless the rows have an order of their own, such as that of time.
#[component]
pub fn Comparison(
    title: &'static str,
    would_be: &'static str,
    is: &'static str,
    rows: Vec<Against>,
    said: fn(u64) -> String,
    #[prop(optional)] in_order: bool,
) -> impl IntoView {
    let size = |row: &Against| row.would_be.max(row.is);
    let left_out = rows.len().saturating_sub(DRAWN_MAX);
    let mut rows: Vec<(usize, Against)> = rows.into_iter().enumerate().collect();
    rows.sort_by_key(|(_, row)| std::cmp::Reverse(size(row)));
    rows.truncate(DRAWN_MAX);
    if in_order {
        rows.sort_by_key(|(nth, _)| *nth);
    }
    let highest = rows
        .iter()
        .map(|(_, row)| size(row))
        .max()
        .unwrap_or(0)
        .max(1);
    let bars = rows
        .into_iter()
        .map(|(_, row)| {
            let figures = format!(
                "{would_be} {}, {is} {}: {}",
                said(row.would_be),
                said(row.is),
                row.outcome
            );
            let label = format!("{}. {figures}. {would_be}: {}", row.name, row.baseline);
            view! {
                <div class="against__row">
                    <p class="timeline__name">
                        {match row.href {
                            Some(href) => view! { <a href=href>{row.name}</a> }.into_any(),
                            None => row.name.into_any(),
                        }}
                        <span class="secondary">{figures}</span>
                        <span class="secondary muted">{format!("{would_be}: {}", row.baseline)}</span>
                    </p>
                    <svg
                        class="against__bars"
                        viewBox=format!("0 0 {WIDTH} 28")
                        preserveAspectRatio="none"
                        role="img"
                        aria-label=label
                    >
                        <g class="chart__part chart__part--1">
                            <rect class="against__would-be" x="0" y="1" width=point(long(row.would_be, highest)) height="12"></rect>
                        </g>
                        <g class="chart__part chart__part--2">
                            <rect class="against__is" x="0" y="15" width=point(long(row.is, highest)) height="12"></rect>
                        </g>
                    </svg>
                </div>
            }
        })
        .collect_view();
    view! {
        <figure class="chart against">
            <figcaption>{title}</figcaption>
            {bars}
            <ul class="chart__legend">
                <li class="chart__entry chart__entry--1" tabindex="0">{key("against__would-be")}{would_be}{words::charts::ABOVE_IN_OUTLINE}</li>
                <li class="chart__entry chart__entry--2" tabindex="0">{key("against__is")}{is}{words::charts::BELOW_FILLED}</li>
            </ul>
            {(left_out > 0).then(|| view! {
                <p class="muted">{words::charts::largest_are_drawn(&DRAWN_MAX, &left_out)}</p>
            })}
        </figure>
    }
}

fn key(class: &'static str) -> impl IntoView {
    view! {
        <svg class="chart__key" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
            <rect class=class x="1" y="3" width="14" height="10"></rect>
        </svg>
    }
}

fn long(value: u64, highest: u64) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a picture's points are coarser than an f64"
    )]
    let long = value as f64 / highest as f64 * WIDTH;
    long
}

/// Tenths are fine enough for a screen.
fn point(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, would_be: u64, is: u64) -> Against {
        Against {
            name: name.to_owned(),
            baseline: "a full load every 7 days".to_owned(),
            would_be,
            is,
            outcome: "50 % less".to_owned(),
            href: None,
        }
    }

    fn drawn(rows: Vec<Against>) -> String {
        leptos::reactive::owner::Owner::new().with(|| {
            view! {
                <Comparison title="Saved" would_be="Baseline" is="Moved" rows said=|value| format!("{value} B")/>
            }
            .into_view()
            .to_html()
                // Marks between texts, for scripts.
                .replace("<!>", "")
        })
    }

    #[test]
    fn all_bars_have_one_scale_and_the_baseline_is_stated() {
        let html = drawn(vec![row("a", 200, 100), row("b", 50, 400)]);
        for part in [
            "width=\"500.0\"",
            "width=\"250.0\"",
            "width=\"125.0\"",
            "width=\"1000.0\"",
            "Baseline: a full load every 7 days",
            "b. Baseline 50 B, Moved 400 B: 50 % less",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn the_largest_come_first_unless_there_is_an_order() {
        let rows = || (0..10).map(|n| row(&format!("week {n}"), [3, 9, 5][n % 3], 0));
        let names = |html: &str| -> Vec<usize> {
            let found = html.split("aria-label=\"week ").skip(1);
            let names = found.map(|rest| rest.split('.').next().unwrap().parse().unwrap());
            names.collect()
        };
        assert_eq!(names(&drawn(rows().collect())), [1, 4, 7, 2, 5, 8, 0, 3]);
        let html = leptos::reactive::owner::Owner::new().with(|| {
            view! {
                <Comparison title="Weeks" would_be="Was" is="Is" rows=rows().collect() in_order=true said=|value| format!("{value} B")/>
            }
            .into_view()
            .to_html()
        });
        assert_eq!(names(&html), [0, 1, 2, 3, 4, 5, 7, 8]);
    }

    #[test]
    fn a_pair_of_bars_leads_to_what_it_is_of() {
        let known = Against {
            href: Some("/products/visits?tab=cost".to_owned()),
            ..row("visits", 2, 1)
        };
        let html = drawn(vec![known, row("elsewhere", 2, 1)]);
        assert!(
            html.contains("<a href=\"/products/visits?tab=cost\">visits</a>"),
            "{html}"
        );
        assert_eq!(html.matches("<a ").count(), 1, "{html}");
        assert!(!html.contains("style="), "{html}");
    }

    #[test]
    fn nothing_many_and_hostile_ones() {
        for rows in [vec![], vec![row("a", 0, 0)], vec![row("a", u64::MAX, 0)]] {
            let html = drawn(rows);
            assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        }
        let html = drawn((0..30).map(|n| row(&format!("n{n}"), n, n)).collect());
        assert_eq!(html.matches("against__bars").count(), DRAWN_MAX);
        assert!(html.contains("22 more stand in the table"), "{html}");
        assert!(
            html.contains("n29") && !html.contains("n21"),
            "the largest: {html}"
        );
        let html = drawn(vec![row("\"><script>", 1, 1)]);
        assert!(!html.contains("<script>"), "{html}");
    }
}
