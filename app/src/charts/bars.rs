//! Stacked bars: one bar for each day, one layer for each series.

use leptos::prelude::*;

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
            series.push("others".to_owned());
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

/// `id` is unique on the page. `said` writes a value with its unit.
#[component]
pub fn Bars(
    id: &'static str,
    title: &'static str,
    stack: Stack,
    said: fn(u64) -> String,
) -> impl IntoView {
    let highest = stack.highest().max(1);
    let (title_id, text_id) = (format!("{id}-title"), format!("{id}-text"));
    let labelled_by = format!("{title_id} {text_id}");
    let text = describe(&stack, said);
    let room = WIDTH - LEFT;
    #[expect(clippy::cast_precision_loss, reason = "some dozens of bars")]
    let step = room / stack.bars.len().max(1) as f64;
    let height = HEIGHT - TOP - BOTTOM;
    #[expect(
        clippy::cast_precision_loss,
        reason = "a picture's points are coarser than an f64"
    )]
    let tall = |value: u64| value as f64 / highest as f64 * height;
    let count = stack.bars.len();
    // As many days below as there is room for.
    let every = count.div_ceil(6).max(1);
    let bars = stack
        .bars
        .iter()
        .enumerate()
        .map(|(position, (label, values))| {
            #[expect(clippy::cast_precision_loss, reason = "some dozens of bars")]
            let x = LEFT + step * position as f64;
            let mut foot = HEIGHT - BOTTOM;
            let layers = values
                .iter()
                .enumerate()
                .filter(|(_, value)| **value > 0)
                .map(|(series, value)| {
                    let tall = tall(*value);
                    foot -= tall;
                    let hover = format!("{label}, {}: {}", stack.series[series], said(*value));
                    view! {
                        <rect
                            class=format!("chart__layer chart__layer--{}", series + 1)
                            x=point(x + step * 0.12)
                            y=point(foot)
                            width=point(step * 0.76)
                            height=point(tall)
                        >
                            <title>{hover}</title>
                        </rect>
                    }
                })
                .collect::<Vec<_>>();
            let day = (position % every == 0).then(|| {
                let short = label.get(5..).unwrap_or(label).to_owned();
                view! {
                    <text class="chart__label" x=point(x + step / 2.0) y=point(HEIGHT - 6.0) text-anchor="middle">{short}</text>
                }
            });
            view! { <g>{layers}{day}</g> }
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
    let legend = stack
        .series
        .iter()
        .enumerate()
        .map(|(series, name)| {
            let class = format!("chart__layer chart__layer--{}", series + 1);
            view! {
                <li>
                    <svg class="chart__key" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
                        <rect class=class x="0" y="0" width="16" height="16"></rect>
                    </svg>
                    {name.clone()}
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <figure class="chart">
            <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") role="img" aria-labelledby=labelled_by>
                <title id=title_id>{title}</title>
                <desc id=text_id>{text}</desc>
                {lines}
                {bars}
            </svg>
            <ul class="chart__legend">{legend}</ul>
        </figure>
    }
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
        Some((label, values)) if all > 0 => format!(
            "{} in all; most on {label}: {}. The table below has every figure.",
            said(all),
            said(sum(values))
        ),
        _ => "Nothing.".to_owned(),
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

    #[test]
    fn names_are_text_and_figures_are_told() {
        let hostile = stack(&[("2026-06-01", "</title><script>", 9)]);
        let html = leptos::reactive::owner::Owner::new().with(|| {
            view! { <Bars id="x" title="Bytes" stack=hostile said=|value| format!("{value} B")/> }
                .into_view()
                .to_html()
        });
        assert!(!html.contains("<script>"), "{html}");
        assert!(html.contains("9 B in all; most on 2026-06-01"), "{html}");
    }
}
