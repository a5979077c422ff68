//! What a cut holds, column by column, as whoever asks for it, decides on it or reads by it is shown it.

use leptos::prelude::*;
use model::dto::ColumnCut;
use model::dto::CutTable;

use crate::components::badge::Badge;
use crate::components::flash::Tone;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::words;

/// What whoever reads by a cut finds, column by column.
pub(crate) fn content(cut: &str, tables: &[CutTable]) -> impl IntoView + use<> {
    tables
        .iter()
        .map(|table| of_table(cut, table))
        .collect_view()
}

/// The same in a few lines, where several requests stand on one page.
pub(crate) fn brief(tables: &[CutTable]) -> impl IntoView + use<> {
    let lines = tables
        .iter()
        .map(|table| {
            let name = format!("{}.{}", table.schema, table.table);
            let names = |how: ColumnCut, word: &'static str| {
                let columns = table.columns.iter().filter(|column| column.how == how);
                let columns: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
                let columns = columns.join(", ");
                (!columns.is_empty()).then(|| {
                    view! { <span class="secondary">{word}<span class="code">{columns}</span></span> }
                })
            };
            let rows = table.rows.clone().map(|rows| {
                view! { <span class="secondary">{words::cuts::ROWS_WHERE}<span class="code">{rows}</span></span> }
            });
            view! {
                <li>
                    <span class="code">{name}</span>
                    {names(ColumnCut::LeftOut, words::cuts::NAMES_LEFT_OUT)}
                    {names(ColumnCut::Later, words::cuts::NAMES_LATER)}
                    {names(ColumnCut::Hashed, words::cuts::NAMES_HASHED)}
                    {names(ColumnCut::Kept, words::cuts::NAMES_KEPT)}
                    {rows}
                </li>
            }
        })
        .collect_view();
    view! { <ul class="said">{lines}</ul> }
}

fn of_table(cut: &str, table: &CutTable) -> impl IntoView + use<> {
    let name = format!("{}.{}", table.schema, table.table);
    let caption = words::cuts::table_of_cut(&name, &cut);
    let rows = table
        .columns
        .iter()
        .map(|column| {
            let how = match column.how {
                ColumnCut::Kept => words::cuts::KEPT.into_any(),
                ColumnCut::Hashed => {
                    view! { <Badge tone=Tone::Warn>{words::cuts::HASHED}</Badge> }.into_any()
                }
                ColumnCut::LeftOut => {
                    view! { <Badge tone=Tone::Bad>{words::cuts::LEFT_OUT}</Badge> }.into_any()
                }
                ColumnCut::Later => {
                    view! { <Badge tone=Tone::Bad>{words::cuts::LATER}</Badge> }.into_any()
                }
            };
            view! {
                <tr>
                    <th scope="row" class="code">{column.name.clone()}</th>
                    <td class="code">{column.type_text.clone()}</td>
                    <td>{how}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text(words::cuts::COLUMN),
        Column::Text(words::cuts::TYPE),
        Column::Text(words::cuts::IN_THE_CUT),
    ];
    let which = match table.rows.clone() {
        Some(rows) => {
            view! { <p>{words::cuts::ROWS_WHERE}<span class="code">{rows}</span></p> }.into_any()
        }
        None => view! { <p class="muted">{words::cuts::EVERY_ROW}</p> }.into_any(),
    };
    view! {
        <Table caption head>{rows}</Table>
        {which}
    }
}
