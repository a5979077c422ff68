//! The fields of a cut: for each table whether it is in it, what becomes of its columns, and which rows it has.

use std::fmt::Display;

use leptos::prelude::*;
use model::dto::ColumnCut;
use model::dto::Cut;
use model::dto::CutTable;
use model::dto::TableDetail;

use crate::api::cuts::key_of;
use crate::components::badge::Badge;
use crate::components::form::Scope;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::tick::TICKED;
use crate::words;

/// The fields of all tables: for each column what becomes of it. Drawn within the form of that id.
#[component]
pub(super) fn Content(form: String, tables: Vec<TableDetail>, cut: Option<Cut>) -> impl IntoView {
    let scope = use_context::<Scope>();
    tables
        .into_iter()
        .enumerate()
        .map(|(at, table)| {
            let (schema, name) = (table.schema.clone(), table.name.clone());
            let held = cut.as_ref().and_then(|cut| {
                let mut tables = cut.tables.iter();
                tables
                    .find(|held| held.schema == schema && held.table == name)
                    .cloned()
            });
            let inputs = Inputs {
                key: key_of(schema.as_str(), name.as_str()),
                id: format!("{form}-t{at}"),
                scope: scope.clone(),
            };
            let caption = words::cuts::table_to_choose(
                &format!("{schema}.{name}"),
                cut.as_ref().map(|cut| &cut.name as &dyn Display),
            );
            fields_of(&inputs, caption, table, held).into_any()
        })
        .collect_view()
}

/// How the inputs of one table are called, and what was typed into them.
struct Inputs {
    key: String,
    id: String,
    scope: Option<Scope>,
}

impl Inputs {
    /// Name, value, and what is wrong.
    fn of(&self, field: &str, column: Option<&str>) -> (String, Option<String>, Option<String>) {
        let key = match column {
            Some(column) => format!("content.{field}.{}:{column}", self.key),
            None => format!("content.{field}.{}", self.key),
        };
        let scope = self.scope.as_ref();
        (
            Scope::name(&key),
            scope.and_then(|scope| scope.value(&key)),
            scope.and_then(|scope| scope.error(&key)),
        )
    }

    fn is_returned(&self) -> bool {
        self.scope.as_ref().is_some_and(Scope::is_returned)
    }
}

fn fields_of(
    inputs: &Inputs,
    caption: String,
    table: TableDetail,
    held: Option<CutTable>,
) -> impl IntoView + use<> {
    let name = format!("{}.{}", table.schema, table.name);
    if table.clone_refused_for.is_some() || table.refused_for.is_some() {
        return view! {
            <fieldset class="group">
                <legend class="field__label code">{name}</legend>
                <p class="muted">{words::cuts::CANNOT_BE_CLONED}</p>
            </fieldset>
        }
        .into_any();
    }
    let tick = tick(inputs, held.is_some());
    let rows = table
        .columns
        .iter()
        .enumerate()
        // What has such a sign in its name is named by the command line.
        .filter(|(_, column)| !column.name.contains(['.', '[', ']']))
        .map(|(at, column)| {
            let is_partition = table.partition_columns.contains(&column.name);
            let how = held
                .as_ref()
                .and_then(|held| {
                    let mut columns = held.columns.iter();
                    columns.find(|known| known.name == column.name)
                })
                .map_or(ColumnCut::Kept, |known| known.how);
            let label = words::cuts::column_of(&column.name, &name);
            let choice = if is_partition {
                view! { {words::cuts::KEPT}" "<Badge>{words::cuts::PARTITION}</Badge> }.into_any()
            } else {
                choice(inputs, at, &column.name, label, how).into_any()
            };
            view! {
                <tr>
                    <th scope="row" class="code">{column.name.clone()}</th>
                    <td class="code">{column.type_text.clone()}</td>
                    <td>{choice}</td>
                </tr>
            }
        })
        .collect_view();
    let inner = |how: ColumnCut| {
        let columns = held.iter().flat_map(|held| &held.columns);
        let names = columns
            .filter(|column| column.how == how)
            .map(|column| column.name.clone())
            .filter(|name| !table.columns.iter().any(|column| column.name == *name));
        names.collect::<Vec<String>>().join(", ")
    };
    let head = vec![
        Column::Text(words::cuts::COLUMN),
        Column::Text(words::cuts::TYPE),
        Column::Text(words::cuts::IN_THE_CUT),
    ];
    let rows_where = held.as_ref().and_then(|held| held.rows.clone());
    let more = [
        line(
            inputs,
            "drop",
            words::cuts::MORE_LEFT_OUT,
            words::cuts::IN_STRUCTS_HINT,
            inner(ColumnCut::LeftOut),
        ),
        line(
            inputs,
            "hash",
            words::cuts::MORE_HASHED,
            words::cuts::IN_STRUCTS_HINT,
            inner(ColumnCut::Hashed),
        ),
        line(
            inputs,
            "rows",
            words::cuts::ROWS,
            words::cuts::ROWS_HINT,
            rows_where.unwrap_or_default(),
        ),
    ];
    view! {
        <fieldset class="group">
            <legend class="field__label code">{name}</legend>
            {tick}
            <Table caption head>{rows}</Table>
            {more.into_iter().collect_view()}
        </fieldset>
    }
    .into_any()
}

fn tick(inputs: &Inputs, is_held: bool) -> impl IntoView + use<> {
    let (name, value, error) = inputs.of("within", None);
    let checked = if inputs.is_returned() {
        value.is_some()
    } else {
        is_held
    };
    let id = format!("{}-within", inputs.id);
    let (of, is_wrong) = (id.clone(), error.is_some());
    view! {
        <div class="tick" class:field--wrong=is_wrong>
            <input type="checkbox" id=id name=name value=TICKED checked=checked/>
            <div>
                <label for=of>{words::cuts::TABLE_IS_IN_IT}</label>
                {error.map(|error| view! { <p class="field__error">{error}</p> })}
            </div>
        </div>
    }
}

fn choice(
    inputs: &Inputs,
    at: usize,
    column: &str,
    label: String,
    how: ColumnCut,
) -> impl IntoView + use<> {
    let (name, value, _) = inputs.of("columns", Some(column));
    let chosen = value.unwrap_or_else(|| how.as_str().to_owned());
    // What came later is not kept by chance.
    let usual = match how {
        ColumnCut::Later => (how, words::cuts::LATER),
        _ => (ColumnCut::Kept, words::cuts::KEPT),
    };
    let options = [
        usual,
        (ColumnCut::Hashed, words::cuts::HASHED),
        (ColumnCut::LeftOut, words::cuts::LEFT_OUT),
    ]
    .into_iter()
    .map(|(how, title)| {
        let selected = chosen == how.as_str();
        view! { <option value=how.as_str() selected=selected>{title}</option> }
    })
    .collect_view();
    let id = format!("{}-c{at}", inputs.id);
    view! { <select class="input" id=id name=name aria-label=label>{options}</select> }
}

/// One line of input of a table.
fn line(
    inputs: &Inputs,
    field: &str,
    label: &'static str,
    hint: &'static str,
    is: String,
) -> impl IntoView + use<> {
    let (name, value, error) = inputs.of(field, None);
    let id = format!("{}-{field}", inputs.id);
    let (of, hint_id, described_by) = (id.clone(), format!("{id}-hint"), format!("{id}-hint"));
    let is_wrong = error.is_some();
    let wrong = is_wrong.then_some("true");
    view! {
        <div class="field" class:field--wrong=is_wrong>
            <label class="field__label" for=of>{label}</label>
            <p class="field__hint" id=hint_id>{hint}</p>
            <input
                class="input"
                type="text"
                dir="auto"
                id=id
                name=name
                value=value.unwrap_or(is)
                autocomplete="off"
                aria-invalid=wrong
                aria-describedby=described_by
            />
            {error.map(|error| view! { <p class="field__error">{error}</p> })}
        </div>
    }
}
