//! Stacked bars: one bar for each day, one layer for each series.

use leptos::prelude::*;

use crate::words;

use super::part::Part;
use super::part::part;
use super::part::readout;

/// What is stacked: names, and for each bar its label and one value for each name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stack {
    pub series: Vec<String>,
    pub bars: Vec<(String, Vec<u64>)>,
}

/// More series than this are put together: more patterns nobody tells apart.
pub const SERIES_MAX: usize = 5;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 64.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 8.0;

impl Stack {
    /// Sums up what is given as (bar, series, value): the largest series first, what is beyond [`SERIES_MAX`] as "others". Bars come in
    /// the order of `days`, also where nothing happened.
    pub fn of(days: &[String], values: impl IntoIterator<Item = (String, String, u64)>) -> Self {
        let values: Vec<(String, String, u64)> = values.into_iter().collect();
        let mut totals: Vec<(String, u64)> = Vec::new();
        for (_, series, value) in &values {
            match totals.iter_mut().find(|(known, _)| known == series) {
                Some((_, total)) => *total = total.saturating_add(*value),
                None => totals.push((series.clone(), *value)),
            }
        }
        totals.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let mut series: Vec<String> = totals.into_iter().map(|(name, _)| name).collect();
        if series.len() > SERIES_MAX {
            series.truncate(SERIES_MAX - 1);
            series.push(words::charts::OTHERS.to_owned());
        }
        let mut bars: Vec<(String, Vec<u64>)> = days
            .iter()
            .map(|day| (day.clone(), vec![0; series.len()]))
            .collect();
        for (day, name, value) in values {
            let column = series
                .iter()
                .position(|known| *known == name)
                .unwrap_or(series.len().saturating_sub(1));
            let bar = bars.iter_mut().find(|(known, _)| *known == day);
            if let Some(cell) = bar.and_then(|(_, cells)| cells.get_mut(column)) {
                *cell = cell.saturating_add(value);
            }
        }
        Self { series, bars }
    }

    fn highest(&self) -> u64 {
        let sums = self.bars.iter().map(|(_, values)| {
            values
                .iter()
                .fold(0_u64, |sum, value| sum.saturating_add(*value))
        });
        sums.max().unwrap_or(0)
    }
}

/// `id` is unique on the page. `said` writes a value with its unit; `hrefs` are where the series lead, in their order.
#[component]
pub fn Bars(
    id: &'static str,
    title: &'static str,
    stack: Stack,
    said: fn(u64) -> String,
    hrefs: Vec<Option<String>>,
) -> impl IntoView {
    let highest = stack.highest().max(1);
    let (title_id, text_id) = (format!("{id}-title"), format!("{id}-text"));
    let labelled_by = format!("{title_id} {text_id}");
    let text = describe(&stack, said);
    let summary = text.clone();
    let room = WIDTH - LEFT;
    #[expect(clippy::cast_precision_loss, reason = "some dozens of bars")]
    let step = room / stack.bars.len().max(1) as f64;
    let height = HEIGHT - TOP - BOTTOM;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a picture's points are coarser than an f64"
    )]
    let tall = |value: u64| value as f64 / highest as f64 * height;
    #[expect(clippy::cast_precision_loss, reason = "some dozens of bars")]
    let left = |position: usize| LEFT + step * position as f64;
    let count = stack.bars.len();
    let mut feet = vec![HEIGHT - BOTTOM; count];
    // Series by series, so that arrows lead along one of them, and from one to the next.
    let mut layers = Vec::new();
    for (series, name) in stack.series.iter().enumerate() {
        let newest = stack
            .bars
            .iter()
            .rposition(|(_, values)| values[series] > 0);
        let mut parts = Vec::new();
        for (position, (label, values)) in stack.bars.iter().enumerate() {
            let value = values[series];
            if value == 0 {
                continue;
            }
            let (x, tall) = (left(position), tall(value));
            feet[position] -= tall;
            let shape = view! {
                <rect
                    class=format!("chart__layer chart__layer--{}", series + 1)
                    x=point(x + step * 0.12)
                    y=point(feet[position])
                    width=point(step * 0.76)
                    height=point(tall)
                ></rect>
            };
            let drawn = Part {
                id: format!("{id}-{}-{label}", series + 1),
                entry: series + 1,
                href: hrefs.get(series).cloned().flatten(),
                said: format!("{label}, {name}: {}", said(value)),
                at: x + step / 2.0,
                is_stop: newest == Some(position),
            };
            parts.push(part(drawn, shape.into_any()));
        }
        layers.push(view! { <g data-row="">{parts}</g> });
    }
    // As many days below as there is room for.
    let every = count.div_ceil(6).max(1);
    let days = stack
        .bars
        .iter()
        .enumerate()
        .step_by(every)
        .map(|(position, (label, _))| {
            let x = left(position) + step / 2.0;
            let short = label.get(5..).unwrap_or(label).to_owned();
            view! {
                <text class="chart__label" x=point(x) y=point(HEIGHT - 6.0) text-anchor="middle">{short}</text>
            }
        })
        .collect::<Vec<_>>();
    let lines = [1.0, 0.5, 0.0].map(|share: f64| {
        let y = TOP + height * (1.0 - share);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a label is coarser than an f64"
        )]
        let value = (highest as f64 * share) as u64;
        view! {
            <line class="chart__line" x1=point(LEFT) x2=point(WIDTH) y1=point(y) y2=point(y)></line>
            <text class="chart__label" x=point(LEFT - 6.0) y=point(y + 4.0) text-anchor="end">{said(value)}</text>
        }
    });
    let legend = legend(&stack.series, &hrefs);
    view! {
        <figure class="chart" data-picture="upward">
            <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") role="group" aria-labelledby=labelled_by>
                <title id=title_id>{title}</title>
                <desc id=text_id>{text}</desc>
                <g aria-hidden="true">{lines}{days}</g>
                {layers}
                <line class="chart__crosshair" data-crosshair="" x1="0" x2="0" y1=point(TOP) y2=point(HEIGHT - BOTTOM)></line>
            </svg>
            {readout(summary)}
            <ul class="chart__legend">{legend}</ul>
        </figure>
    }
}

fn legend(series: &[String], hrefs: &[Option<String>]) -> Vec<AnyView> {
    series
        .iter()
        .enumerate()
        .map(|(position, name)| {
            let href = hrefs.get(position).cloned().flatten();
            let class = format!("chart__layer chart__layer--{}", position + 1);
            let entry = format!("chart__entry chart__entry--{}", position + 1);
            let key = view! {
                <svg class="chart__key" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
                    <rect class=class x="0" y="0" width="16" height="16"></rect>
                </svg>
            };
            match href {
                Some(href) => {
                    view! { <li class=entry>{key}<a href=href>{name.clone()}</a></li> }.into_any()
                }
                None => view! { <li class=entry tabindex="0">{key}{name.clone()}</li> }.into_any(),
            }
        })
        .collect()
}

/// For who does not see it: how much in all, and the highest bar.
fn describe(stack: &Stack, said: fn(u64) -> String) -> String {
    let sum = |values: &[u64]| {
        values
            .iter()
            .fold(0_u64, |sum, value| sum.saturating_add(*value))
    };
    let all = stack
        .bars
        .iter()
        .fold(0_u64, |all, (_, values)| all.saturating_add(sum(values)));
    let highest = stack.bars.iter().max_by_key(|(_, values)| sum(values));
    match highest {
        Some((label, values)) if all > 0 => {
            words::charts::sum_and_highest_day(&said(all), &label, &said(sum(values)))
        }
        _ => words::charts::NOTHING.to_owned(),
    }
}

/// Tenths are fine enough for a screen.
fn point(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(values: &[(&str, &str, u64)]) -> Stack {
        let days = ["2026-06-01", "2026-06-02"].map(str::to_owned);
        let values = values
            .iter()
            .map(|(day, series, value)| ((*day).to_owned(), (*series).to_owned(), *value));
        Stack::of(&days, values)
    }

    #[test]
    fn the_largest_series_comes_first_and_days_without_anything_stay() {
        let stack = stack(&[
            ("2026-06-01", "claims", 1),
            ("2026-06-01", "visits", 5),
            ("2026-06-01", "visits", 2),
        ]);
        assert_eq!(stack.series, ["visits", "claims"]);
        assert_eq!(stack.bars[0].1, [7, 1]);
        assert_eq!(stack.bars[1], ("2026-06-02".to_owned(), vec![0, 0]));
        assert_eq!(stack.highest(), 8);
    }

    #[test]
    fn what_nobody_tells_apart_is_put_together() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let values: Vec<_> = names.iter().map(|name| ("2026-06-02", *name, 1)).collect();
        let stack = stack(&values);
        assert_eq!(stack.series, ["a", "b", "c", "d", "others"]);
        assert_eq!(stack.bars[1].1, [1, 1, 1, 1, 3]);
    }

    fn drawn(stack: Stack) -> String {
        let href = |name: &String| (name != "others").then(|| format!("/products/{name}"));
        let hrefs = stack.series.iter().map(href).collect();
        leptos::reactive::owner::Owner::new().with(|| {
            view! { <Bars id="x" title="Bytes" stack said=|value| format!("{value} B") hrefs/> }
                .into_view()
                .to_html()
                // Marks between texts, for scripts.
                .replace("<!>", "")
        })
    }

    #[test]
    fn names_are_text_and_figures_are_told() {
        let html = drawn(stack(&[("2026-06-01", "</title><script>", 9)]));
        assert!(!html.contains("<script>"), "{html}");
        assert!(html.contains("9 B in all; most on 2026-06-01"), "{html}");
    }

    #[test]
    fn each_series_is_a_row_of_links_with_one_stop_on_its_newest_day() {
        let html = drawn(stack(&[
            ("2026-06-01", "claims", 1),
            ("2026-06-01", "visits", 5),
            ("2026-06-02", "visits", 2),
        ]));
        assert_eq!(html.matches("data-row").count(), 2, "{html}");
        assert_eq!(html.matches("tabindex=\"0\"").count(), 2, "{html}");
        for part in [
            "id=\"x-1-2026-06-02\"",
            "aria-label=\"2026-06-01, claims: 1 B\"",
            "<title>2026-06-02, visits: 2 B</title>",
            "data-crosshair",
            "role=\"group\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        // Three days with something, and two entries of the legend.
        assert_eq!(html.matches("href=\"/products/visits\"").count(), 3);
        assert_eq!(html.matches("href=\"/products/claims\"").count(), 2);
        // Nothing has a style of its own: the policy of the page forbids it.
        assert!(!html.contains("style="), "{html}");
    }

    #[test]
    fn what_was_put_together_leads_nowhere_and_is_reached_all_the_same() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let values: Vec<_> = names.iter().map(|name| ("2026-06-02", *name, 1)).collect();
        let html = drawn(stack(&values));
        assert!(!html.contains("/products/others"), "{html}");
        assert!(html.contains("aria-label=\"2026-06-02, others: 2 B\""));
    }
}
