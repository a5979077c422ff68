//! What came of an assessment: in all, by table, as a chart, what was left out and assumed, and what can be deployed.

use leptos::prelude::*;
use model::dto::{AssessedFolder, AssessedKind, AssessedTable, AssessedWay, Assessment};

use crate::charts::against::Against;
use crate::charts::against::Comparison;
use crate::components::code::Code;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Time;
use crate::words;

/// More rows than this are no page.
const TABLES_SHOWN: usize = 500;

pub(super) fn told(found: Assessment) -> impl IntoView {
    let title = words::admin::assess::place_and_days(&found.place, found.days, found.every_hours);
    let chart = chart(&found.totals);
    let ways = found.totals.into_iter().map(way).collect_view();
    let more = found.tables.len().saturating_sub(TABLES_SHOWN);
    let tables = found.tables.into_iter().take(TABLES_SHOWN);
    let tables = tables.map(table).collect_view();
    let head = vec![
        Column::Text(words::admin::assess::WAY),
        Column::Number(words::admin::assess::BYTES),
        Column::Number(words::admin::assess::FIRST_COPY),
        Column::Number(words::admin::assess::MONEY),
        Column::Text(words::admin::assess::REMARK),
    ];
    view! {
        <section class="block">
            <h2>{words::admin::assess::IN_ALL}</h2>
            <p class="muted">{title}<Time at=found.at/></p>
            <Table caption=words::admin::assess::IN_ALL head>{ways}</Table>
            {chart}
        </section>
        <section class="block">
            <h2>{words::admin::assess::TABLES}</h2>
            <Table caption=words::admin::assess::TABLES head=head_of_tables()>{tables}</Table>
            {(more > 0).then(|| view! { <p class="muted">{words::admin::assess::more_tables(more as u64)}</p> })}
        </section>
        {others(found.others)}
        {sentences(words::admin::assess::LEFT_OUT, found.left_out)}
        {sentences(words::admin::assess::ASSUMED, found.assumptions)}
        <section class="block">
            <h2>{words::admin::assess::DECLARATION}</h2>
            <p class="muted">{words::admin::assess::DECLARATION_LEAD}</p>
            <Code text=found.yaml label=words::admin::assess::DECLARATION/>
        </section>
    }
}

fn way(way: AssessedWay) -> impl IntoView {
    let money: Vec<String> = way.money.iter().copied().map(words::money).collect();
    let unpriced =
        (way.unpriced > 0).then(|| words::admin::assess::unpriced(&words::bytes(way.unpriced)));
    // Ways without a copy have none, and lack nothing.
    let first_copy = way.first_copy.map(words::count);
    view! {
        <tr>
            <th scope="row">{words::admin::assess::kind(way.kind)}</th>
            <td class="number">{exact(way.bytes)}</td>
            <td class="number">{first_copy}</td>
            <td class="number">{money.join(", ")}</td>
            <td class="wide">{way.note}" "{unpriced}</td>
        </tr>
    }
}

/// To the byte, as it was reckoned.
fn exact(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || words::admin::assess::NOT_AVAILABLE.to_owned(),
        words::count,
    )
}

fn head_of_tables() -> Vec<Column> {
    let ways = AssessedKind::ALL.map(|kind| Column::Number(words::admin::assess::kind(kind)));
    let mut head = vec![
        Column::Text(words::admin::assess::TABLE),
        Column::Number(words::admin::assess::SIZE),
        Column::Number(words::admin::assess::COMMITS),
    ];
    head.extend(ways);
    head.push(Column::Text(words::admin::assess::REMARK));
    head
}

fn table(table: AssessedTable) -> impl IntoView {
    let name = match table.path.as_str() {
        "" => words::admin::assess::THE_PREFIX_ITSELF.to_owned(),
        path => path.to_owned(),
    };
    let bytes: Vec<Option<u64>> = AssessedKind::ALL
        .iter()
        .map(|kind| {
            table
                .ways
                .iter()
                .find(|way| way.kind == *kind)
                .and_then(|way| way.bytes)
        })
        .collect();
    let cells = bytes
        .into_iter()
        .map(|bytes| view! { <td class="number">{exact(bytes)}</td> })
        .collect_view();
    let note = table
        .ways
        .iter()
        .filter(|way| way.kind != AssessedKind::Today)
        .find_map(|way| way.note.clone());
    let said = [table.problem, table.short, note];
    let said: Vec<String> = said.into_iter().flatten().collect();
    view! {
        <tr>
            <th scope="row" class="code">{name}</th>
            <td class="number">{table.bytes.map(words::bytes)}</td>
            <td class="number">{words::count(table.commits)}</td>
            {cells}
            <td class="wide">{said.join(" ")}</td>
        </tr>
    }
}

/// What else was found is measured against today's flows; where those are not known, against reading live.
fn chart(totals: &[AssessedWay]) -> impl IntoView + use<> {
    let bytes = |kind: AssessedKind| {
        let way = totals.iter().find(|way| way.kind == kind);
        way.and_then(|way| way.bytes)
    };
    let (base, title) = match bytes(AssessedKind::Today) {
        Some(_) => (AssessedKind::Today, words::admin::assess::AGAINST_TODAY),
        None => (
            AssessedKind::Live,
            words::admin::assess::AGAINST_READING_LIVE,
        ),
    };
    let would_be = bytes(base).unwrap_or(0);
    let rows: Vec<Against> = totals
        .iter()
        .filter(|way| way.kind != base)
        .filter_map(|way| {
            let is = way.bytes?;
            Some(Against {
                name: words::admin::assess::kind(way.kind).to_owned(),
                baseline: words::admin::assess::kind(base).to_owned(),
                would_be,
                is,
                outcome: outcome(would_be, is),
                href: None,
            })
        })
        .collect();
    (would_be > 0 && !rows.is_empty()).then(|| {
        view! {
            <Comparison
                title
                would_be=words::admin::assess::BASELINE
                is=words::admin::assess::THIS_WAY
                rows
                said=words::bytes
            />
        }
    })
}

fn outcome(would_be: u64, is: u64) -> String {
    let difference = u128::from(would_be.abs_diff(is));
    let percent = difference * 100 / u128::from(would_be.max(1));
    words::admin::assess::share(u64::try_from(percent).unwrap_or(u64::MAX), is <= would_be)
}

fn others(folders: Vec<AssessedFolder>) -> impl IntoView {
    let head = vec![
        Column::Text(words::admin::assess::FOLDER),
        Column::Text(words::admin::assess::FORMAT),
        Column::Text(words::admin::assess::WHAT_IS_POSSIBLE),
    ];
    let is_there = !folders.is_empty();
    let more = folders.len().saturating_sub(TABLES_SHOWN);
    let rows = folders
        .into_iter()
        .take(TABLES_SHOWN)
        .map(|folder| {
            view! {
                <tr>
                    <th scope="row" class="code">{folder.path}</th>
                    <td>{folder.format}</td>
                    <td class="wide">{folder.possible}</td>
                </tr>
            }
        })
        .collect_view();
    is_there.then(|| {
        view! {
            <section class="block">
                <h2>{words::admin::assess::OTHER_FOLDERS}</h2>
                <Table caption=words::admin::assess::OTHER_FOLDERS head>{rows}</Table>
                {(more > 0).then(|| view! { <p class="muted">{words::admin::assess::more_folders(more as u64)}</p> })}
            </section>
        }
    })
}

fn sentences(title: &'static str, sentences: Vec<String>) -> impl IntoView {
    let is_there = !sentences.is_empty();
    let items = sentences
        .into_iter()
        .map(|sentence| view! { <li>{sentence}</li> })
        .collect_view();
    is_there.then(|| view! { <section class="block"><h2>{title}</h2><ul>{items}</ul></section> })
}
