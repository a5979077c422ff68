//! The forms of the steps. Each leads to the address of the next step, with its own fields and all that was filled in before.

use leptos::prelude::*;
use leptos_router::components::A;
use model::AccessPolicy;
use model::Classification;
use model::Payer;
use model::dto::ProductDraft;
use model::dto::ScannedTable;
use model::dto::TableDraft;

use super::filled::Filled;
use super::filled::PATH;
use super::filled::Step;
use super::filled::TABLES_MAX;
use super::filled::name_of;
use super::filled::schema_of;
use crate::api;
use crate::api::declaration::Places;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::field::Kind;
use crate::components::field::Select;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::state;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::text_area::TextArea;
use crate::components::tick::Tick;
use crate::error::FieldError;
use crate::wire;
use crate::words;

/// More of a description goes into the declaration at the end.
const DESCRIPTION_MAX: u32 = 4_000;

/// What is wrong with a field.
fn of(wrong: &[FieldError], field: &str) -> Option<String> {
    let found = wrong.iter().find(|error| error.field == field);
    found.map(|error| error.message.clone())
}

/// The form of a step. The button that leads on comes first: it is pressed by the enter key.
fn form(
    step: Step,
    filled: &Filled,
    on: (Step, &'static str),
    back: Option<Step>,
    class: &'static str,
    fields: AnyView,
) -> AnyView {
    let carried = filled
        .carried(step)
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect_view();
    let (next, title) = on;
    view! {
        <form class=class id="step" method="get" action=PATH>
            {carried}
            {fields}
            <div class="actions">
                <button type="submit" class=Weight::Primary.class() name="step" value=next.word()>{title}</button>
                {back.map(|back| view! {
                    // What is not right yet need not keep anybody from going back.
                    <button type="submit" class=Weight::Quiet.class() name="step" value=back.word() formnovalidate=true>"Back"</button>
                })}
            </div>
        </form>
    }
    .into_any()
}

pub(super) fn place(places: Places, filled: &Filled, wrong: &[FieldError]) -> AnyView {
    let chosen = |field: &str| filled.get(field).map(str::to_owned);
    let storages = places
        .storages
        .into_iter()
        .map(|name| (name.clone(), name))
        .collect::<Vec<_>>();
    let fields = view! {
        <Select label="Storage" name="storage" options=storages value=chosen("storage") error=of(wrong, "storage") required=true/>
        <Field
            label="Folder"
            name="prefix"
            hint="Tables below it are found; empty for all of the storage."
            value=chosen("prefix")
            error=of(wrong, "prefix")
            autocomplete="off"
        />
        <Select label="Team that will own them" name="team" options=places.teams value=chosen("team") error=of(wrong, "team") required=true/>
    }
    .into_any();
    let form = form(
        Step::Place,
        filled,
        (Step::Tables, "Look for tables"),
        None,
        "form form--grid",
        fields,
    );
    view! {
        <p class="muted">"Of each "<A href="/admin/storages">"storage"</A>" the doctor says whether it can be read and shared from."</p>
        {form}
    }
    .into_any()
}

pub(super) fn tables(tables: Vec<ScannedTable>, filled: &Filled, wrong: &[FieldError]) -> AnyView {
    if tables.is_empty() {
        let back = filled.href(Step::Place);
        return view! {
            <Empty title="There is no table there">
                <p>"A table is a folder with a Delta log in it. Look in another folder or another storage; folders of other teams are not shown."</p>
                <p class="actions"><a class=Weight::Primary.class() href=back>"Look elsewhere"</a></p>
            </Empty>
        }
        .into_any();
    }
    let usable = tables
        .iter()
        .filter(|table| table.problem.is_none())
        .count();
    let counted = found(tables.len(), usable);
    let ticked = filled.tables();
    // Whoever has named a folder mostly means all that is in it.
    let all = ticked.is_empty() && usable <= TABLES_MAX;
    let rows = tables
        .into_iter()
        .enumerate()
        .map(|(number, table)| {
            let is_ticked = all || ticked.contains(&table.path.as_str());
            one(number, table, is_ticked)
        })
        .collect_view();
    let head = vec![
        Column::Text("Table"),
        Column::Number("Rows"),
        Column::Number("Size"),
        Column::Text("To know"),
    ];
    let error = of(wrong, "table");
    let fields = view! {
        <Table caption="Tables found" head>{rows}</Table>
        {error.map(|error| view! { <p class="field__error">{error}</p> })}
    }
    .into_any();
    let form = form(
        Step::Tables,
        filled,
        (Step::Describe, "Describe them"),
        Some(Step::Place),
        "form form--wide",
        fields,
    );
    view! {
        <p>{counted}</p>
        <p class="muted">
            "What you tick, at most "{TABLES_MAX}" at once, becomes one product: it is described, asked for and granted as one. Make another product of the rest afterwards."
        </p>
        {form}
        {as_text(filled)}
    }
    .into_any()
}

fn found(all: usize, usable: usize) -> String {
    let tables = words::plural(all as u64, "table", "tables");
    if usable == all {
        format!("Found: {tables}.")
    } else {
        format!("Found: {tables}, of which {usable} can be registered.")
    }
}

fn one(number: usize, table: ScannedTable, is_ticked: bool) -> impl IntoView {
    let id = format!("table-{number}");
    let is_closed = table.problem.is_some();
    let label_for = id.clone();
    let path = table.path.clone();
    let remark = match (table.problem, table.refused_for) {
        (Some(why), _) => words::sentence(&why),
        (None, Some(feature)) => {
            format!("It will be shown, but neither shared nor cloned: {feature}.")
        }
        (None, None) => String::new(),
    };
    view! {
        <tr>
            <th scope="row">
                <div class="tick">
                    <input type="checkbox" id=id name="table" value=table.path checked=is_ticked && !is_closed disabled=is_closed/>
                    <label for=label_for>{path}</label>
                </div>
            </th>
            <td class="number">{table.rows.map(words::count)}</td>
            <td class="number">{table.bytes.map(words::bytes)}</td>
            <td class="detail">{remark}</td>
        </tr>
    }
}

/// The other way: a product for each folder, all at once, described as text.
fn as_text(filled: &Filled) -> impl IntoView + use<> {
    let action = wire::form::<api::declaration::ScanStorage>();
    let text = |field: &str| filled.get(field).unwrap_or_default().to_owned();
    let (storage, prefix, team) = (text("storage"), text("prefix"), text("team"));
    view! {
        <section class="block" aria-labelledby="as-text">
            <h2 id="as-text">"Or all of them as text"</h2>
            <p class="muted">"A product for each folder that holds tables, written as one declaration, which you then complete by hand."</p>
            <Form id="scan" action>
                <Hidden name="storage" value=storage/>
                <Hidden name="prefix" value=prefix/>
                <Hidden name="team" value=team/>
                <div class="actions"><Submit weight=Weight::Secondary>"Write all of them as YAML"</Submit></div>
            </Form>
        </section>
    }
}

pub(super) fn describe(draft: ProductDraft, filled: &Filled, wrong: &[FieldError]) -> AnyView {
    let unchosen = (String::new(), "Choose …".to_owned());
    let classifications = Classification::ALL.iter().map(|word| {
        let title = state::classification(*word).0;
        (word.as_str().to_owned(), title.to_owned())
    });
    let classifications = std::iter::once(unchosen).chain(classifications);
    let tables = named(draft.tables, wrong);
    let fields = view! {
        <Field label="Name" name="name" value=Some(draft.name) error=of(wrong, "name") hint="Begins with the domain’s name; fixed once it is published." required=true autocomplete="off"/>
        <Field label="Title" name="title" value=Some(draft.title) error=of(wrong, "title") hint="What people search for." required=true/>
        <TextArea
            label="Description"
            name="description"
            value=draft.description
            error=of(wrong, "description")
            rows=6
            max=DESCRIPTION_MAX
            hint="What is in it, what it is good for, and what it is not. An empty line begins a paragraph. A long one goes into the declaration at the end."
        />
        <Field label="Tags" name="tags" value=Some(draft.tags.join(", ")) error=of(wrong, "tags") hint="With commas between them." autocomplete="off"/>
        <Select label="Classification" name="classification" options=classifications.collect() value=Some(draft.classification) error=of(wrong, "classification") hint="Of personal data a data-protection officer decides, too." required=true/>
        {tables}
    }
    .into_any();
    let form = form(
        Step::Describe,
        filled,
        (Step::Access, "Say who gets access"),
        Some(Step::Tables),
        "form form--wide",
        fields,
    );
    let (team, storage) = (draft.team, draft.storage);
    view! {
        <p class="muted">"One product of the team "<strong>{team}</strong>", from the storage "<strong>{storage}</strong>"."</p>
        {form}
    }
    .into_any()
}

/// What readers call the tables.
fn named(tables: Vec<TableDraft>, wrong: &[FieldError]) -> impl IntoView + use<> {
    let rows = tables
        .into_iter()
        .enumerate()
        .map(|(number, table)| {
            let path = table.path;
            let name = cell("Name", number, name_of(&path), &path, table.name, wrong);
            let schema = cell(
                "Schema",
                number,
                schema_of(&path),
                &path,
                table.schema,
                wrong,
            );
            view! {
                <tr>
                    <th scope="row" class="detail">{path}</th>
                    <td>{name}</td>
                    <td>{schema}</td>
                </tr>
            }
        })
        .collect_view();
    let head = vec![
        Column::Text("Table"),
        Column::Text("Name for readers"),
        Column::Text("Schema"),
    ];
    view! { <Table caption="Names of the tables" head>{rows}</Table> }
}

fn cell(
    title: &'static str,
    number: usize,
    field: String,
    path: &str,
    value: String,
    wrong: &[FieldError],
) -> impl IntoView + use<> {
    let error = of(wrong, &field);
    let is_wrong = error.is_some();
    let error_id = format!("{}-{number}-error", title.to_lowercase());
    let described_by = is_wrong.then(|| error_id.clone());
    view! {
        <div class="field" class:field--wrong=is_wrong>
            <input
                class="input"
                type="text"
                name=field
                value=value
                required=true
                autocomplete="off"
                aria-label=format!("{title} of {path}")
                aria-invalid=is_wrong.then_some("true")
                aria-describedby=described_by
            />
            {error.map(|error| view! { <p class="field__error" id=error_id>{error}</p> })}
        </div>
    }
}

pub(super) fn access(draft: ProductDraft, filled: &Filled, wrong: &[FieldError]) -> AnyView {
    let word = |word: &str, title: &str| (word.to_owned(), title.to_owned());
    let policies = vec![
        word(
            AccessPolicy::Owner.as_str(),
            "A producer of the owning team",
        ),
        word(
            AccessPolicy::Auto.as_str(),
            "Nobody: whoever asks gets it at once",
        ),
    ];
    let payers = vec![
        word(Payer::Producer.as_str(), "The owning team"),
        word(Payer::Consumer.as_str(), "Whoever reads"),
    ];
    let states = vec![
        word(
            "published",
            "At once: everybody finds it and may ask for it",
        ),
        word("draft", "Later: it is a draft, which only the team sees"),
    ];
    // What was typed, also where it is no number.
    let baseline = filled
        .get("baseline_days")
        .map_or_else(|| draft.baseline_days.to_string(), str::to_owned);
    let personal = (draft.classification == Classification::Personal.as_str()).then(|| {
        view! { <p class="muted">"It is personal data: a data-protection officer decides on every request, too."</p> }
    });
    let fields = view! {
        <Select label="Who decides on requests" name="policy" options=policies value=Some(draft.access_policy) error=of(wrong, "policy")/>
        <Select label="Who pays for what crosses a border" name="payer" options=payers value=Some(draft.payer) error=of(wrong, "payer")/>
        <Field
            label="Baseline"
            name="baseline_days"
            kind=Kind::Number
            value=Some(baseline)
            error=of(wrong, "baseline_days")
            min=Some("1".to_owned())
            max=Some("366".to_owned())
            hint="Days between two full loads that savings are measured against."
            required=true
        />
        <Tick label="Readers may read older versions" name="history" checked=filled.is_ticked("history") hint="Time travel, as far back as the table keeps it."/>
        <Tick label="Readers may read what changed" name="changes" checked=filled.is_ticked("changes") hint="Only of tables that have a change data feed."/>
        <Select label="When it is published" name="state" options=states value=Some(draft.state) error=of(wrong, "state")/>
    }
    .into_any();
    let form = form(
        Step::Access,
        filled,
        (Step::Review, "Review it"),
        Some(Step::Describe),
        "form",
        fields,
    );
    view! {
        {personal}
        {form}
    }
    .into_any()
}
