//! The tables: columns with types and comments, and what their logs say.

use leptos::prelude::*;
use model::dto::TableDetail;

use crate::components::badge::Badge;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::load::Empty;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::time::Ago;
use crate::words;

pub(super) fn schema(tables: Vec<TableDetail>) -> impl IntoView {
    if tables.is_empty() {
        return view! {
            <Empty title="No tables yet">
                <p>"The owning team has registered this product without tables."</p>
            </Empty>
        }
        .into_any();
    }
    tables.into_iter().map(one).collect_view().into_any()
}

fn one(table: TableDetail) -> impl IntoView {
    let name = format!("{}.{}", table.schema, table.name);
    let partitions = table.partition_columns.clone();
    let has_comments = table.columns.iter().any(|column| column.comment.is_some());
    let rows = table
        .columns
        .into_iter()
        .map(|column| {
            let is_partition = partitions.contains(&column.name);
            view! {
                <tr>
                    <th scope="row" class="code">{column.name}</th>
                    <td class="code">{column.type_text}</td>
                    <td>
                        {if column.nullable { "may be empty" } else { "always there" }}
                        {is_partition.then(|| view! { " "<Badge>"partition"</Badge> })}
                    </td>
                    {has_comments.then(|| view! { <td>{column.comment}</td> })}
                </tr>
            }
        })
        .collect_view();
    let mut head = vec![
        Column::Text("Column"),
        Column::Text("Type"),
        Column::Text("Values"),
    ];
    if has_comments {
        head.push(Column::Text("Comment"));
    }
    view! {
        <section class="block">
            <h2 class="code">{name}</h2>
            {table.refused_for.map(|why| view! {
                <Notice tone=Tone::Warn>
                    <p>"This table is shown but neither shared nor copied yet: "{why}"."</p>
                </Notice>
            })}
            {table.problem.map(|what| view! {
                <Notice tone=Tone::Bad>
                    <p>"When it was last looked at, the table could not be read: "{what}</p>
                </Notice>
            })}
            <dl class="facts facts--line">
                {table.version.map(|version| view! { <div><dt>"Version"</dt><dd>{version}</dd></div> })}
                {table.committed_at.map(|at| view! { <div><dt>"Last commit"</dt><dd><Ago at/></dd></div> })}
                {table.rows.map(|rows| view! { <div><dt>"Rows"</dt><dd>{words::count(rows)}</dd></div> })}
                {table.files.map(|files| view! { <div><dt>"Files"</dt><dd>{words::count(files)}</dd></div> })}
                {table.bytes.map(|bytes| view! { <div><dt>"Size"</dt><dd>{words::bytes(bytes)}</dd></div> })}
                {table.path.map(|path| view! { <div><dt>"Path"</dt><dd class="code">{path}</dd></div> })}
                {(!table.features.is_empty()).then(|| view! {
                    <div><dt>"Features"</dt><dd>{table.features.join(", ")}</dd></div>
                })}
            </dl>
            <Table caption="Columns" head>{rows}</Table>
        </section>
    }
}
