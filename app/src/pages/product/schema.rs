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
            <Empty title=words::product::NO_TABLES_YET>
                <p>{words::product::REGISTERED_WITHOUT_TABLES}</p>
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
                        {if column.nullable { words::product::MAY_BE_EMPTY } else { words::product::ALWAYS_THERE }}
                        {is_partition.then(|| view! { " "<Badge>{words::product::PARTITION}</Badge> })}
                    </td>
                    {has_comments.then(|| view! { <td>{column.comment}</td> })}
                </tr>
            }
        })
        .collect_view();
    let mut head = vec![
        Column::Text(words::product::COLUMN),
        Column::Text(words::product::TYPE),
        Column::Text(words::product::VALUES),
    ];
    if has_comments {
        head.push(Column::Text(words::product::COMMENT));
    }
    view! {
        <section class="block">
            <h2 class="code">{name}</h2>
            {table.refused_for.clone().map(|why| view! {
                <Notice tone=Tone::Warn>
                    <p>{words::product::NOT_SHARED_YET}{why}"."</p>
                </Notice>
            })}
            {table.clone_refused_for.filter(|_| table.refused_for.is_none()).map(|why| view! {
                <Notice tone=Tone::Plain>
                    <p>{words::product::NOT_COPIED_YET}{why}"."</p>
                </Notice>
            })}
            {table.problem.map(|what| view! {
                <Notice tone=Tone::Bad>
                    <p>{words::product::COULD_NOT_BE_READ}{what}</p>
                </Notice>
            })}
            <dl class="facts facts--line">
                {table.version.map(|version| view! { <div><dt>{words::product::VERSION}</dt><dd>{version}</dd></div> })}
                {table.committed_at.map(|at| view! { <div><dt>{words::product::LAST_COMMIT}</dt><dd><Ago at/></dd></div> })}
                {table.rows.map(|rows| view! { <div><dt>{words::product::ROWS}</dt><dd>{words::count(rows)}</dd></div> })}
                {table.files.map(|files| view! { <div><dt>{words::product::FILES}</dt><dd>{words::count(files)}</dd></div> })}
                {table.bytes.map(|bytes| view! { <div><dt>{words::product::SIZE}</dt><dd>{words::bytes(bytes)}</dd></div> })}
                {table.path.map(|path| view! { <div><dt>{words::product::PATH}</dt><dd class="code">{path}</dd></div> })}
                {table.history.then(|| {
                    let which = table.history_start.map_or_else(
                        || words::product::ALL_THAT_ARE_THERE.to_owned(),
                        words::product::from_version,
                    );
                    view! { <div><dt>{words::product::OLDER_VERSIONS}</dt><dd>{which}</dd></div> }
                })}
                {(!table.features.is_empty()).then(|| view! {
                    <div><dt>{words::product::FEATURES}</dt><dd>{table.features.join(", ")}</dd></div>
                })}
            </dl>
            <Table caption=words::product::COLUMNS head>{rows}</Table>
        </section>
    }
}
