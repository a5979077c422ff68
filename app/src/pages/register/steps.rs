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
                    <button type="submit" class=Weight::Quiet.class() name="step" value=back.word() formnovalidate=true>{words::register::BACK}</button>
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
        <Select label=words::register::STORAGE name="storage" options=storages value=chosen("storage") error=of(wrong, "storage") required=true/>
        <Field
            label=words::register::FOLDER
            name="prefix"
            hint=words::register::FOLDER_HINT
            value=chosen("prefix")
            error=of(wrong, "prefix")
            autocomplete="off"
        />
        <Select label=words::register::OWNING_TEAM name="team" options=places.teams value=chosen("team") error=of(wrong, "team") required=true/>
    }
    .into_any();
    let form = form(
        Step::Place,
        filled,
        (Step::Tables, words::register::LOOK_FOR_TABLES),
        None,
        "form form--grid",
        fields,
    );
    view! {
        <p class="muted">{words::register::OF_EACH}<A href="/admin/storages">{words::register::STORAGE_LINK}</A>{words::register::THE_DOCTOR_SAYS}</p>
        {form}
    }
    .into_any()
}

pub(super) fn tables(tables: Vec<ScannedTable>, filled: &Filled, wrong: &[FieldError]) -> AnyView {
    if tables.is_empty() {
        let back = filled.href(Step::Place);
        return view! {
            <Empty title=words::register::NO_TABLE_THERE>
                <p>{words::register::LOOK_IN_ANOTHER_FOLDER}</p>
                <p class="actions"><a class=Weight::Primary.class() href=back>{words::register::LOOK_ELSEWHERE}</a></p>
            </Empty>
        }
        .into_any();
    }
    let usable = tables
        .iter()
        .filter(|table| table.problem.is_none())
        .count();
    let counted = words::register::found(tables.len(), usable);
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
        Column::Text(words::register::TABLE),
        Column::Number(words::register::ROWS),
        Column::Number(words::register::SIZE),
        Column::Text(words::register::TO_KNOW),
    ];
    let error = of(wrong, "table");
    let fields = view! {
        <Table caption=words::register::TABLES_FOUND head>{rows}</Table>
        {error.map(|error| view! { <p class="field__error">{error}</p> })}
    }
    .into_any();
    let form = form(
        Step::Tables,
        filled,
        (Step::Describe, words::register::DESCRIBE_THEM),
        Some(Step::Place),
        "form form--wide",
        fields,
    );
    view! {
        <p>{counted}</p>
        <p class="muted">
            {words::register::WHAT_YOU_TICK_AT_MOST}{TABLES_MAX}{words::register::BECOMES_ONE_PRODUCT}
        </p>
        {form}
        {as_text(filled)}
    }
    .into_any()
}

fn one(number: usize, table: ScannedTable, is_ticked: bool) -> impl IntoView {
    let id = format!("table-{number}");
    let is_closed = table.problem.is_some();
    let label_for = id.clone();
    let path = table.path.clone();
    let alike: Vec<String> = table
        .alike
        .into_iter()
        .map(|alike| alike.sentence)
        .collect();
    let alike = (!alike.is_empty()).then(|| {
        view! { <p>{words::register::IS_THERE_ALREADY}{alike.join(" ")}</p> }
    });
    let remark = match (table.problem, table.refused_for, table.clone_refused_for) {
        (Some(why), ..) => words::sentence(&why),
        (None, Some(feature), _) => words::register::not_shared(&feature),
        (None, None, Some(feature)) => words::register::not_cloned(&feature),
        (None, None, None) => String::new(),
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
            <td class="detail">{remark}{alike}</td>
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
            <h2 id="as-text">{words::register::OR_ALL_AS_TEXT}</h2>
            <p class="muted">{words::register::A_PRODUCT_FOR_EACH_FOLDER}</p>
            <Form id="scan" action>
                <Hidden name="storage" value=storage/>
                <Hidden name="prefix" value=prefix/>
                <Hidden name="team" value=team/>
                <div class="actions"><Submit weight=Weight::Secondary>{words::register::WRITE_ALL_AS_YAML}</Submit></div>
            </Form>
        </section>
    }
}

pub(super) fn describe(draft: ProductDraft, filled: &Filled, wrong: &[FieldError]) -> AnyView {
    let unchosen = (String::new(), words::register::CHOOSE.to_owned());
    let classifications = Classification::ALL.iter().map(|word| {
        let title = state::classification(*word).0;
        (word.as_str().to_owned(), title.to_owned())
    });
    let classifications = std::iter::once(unchosen).chain(classifications);
    let tables = named(draft.tables, wrong);
    let fields = view! {
        <Field label=words::product::NAME name="name" value=Some(draft.name) error=of(wrong, "name") hint=words::product::NAME_HINT required=true autocomplete="off"/>
        <Field label=words::product::TITLE name="title" value=Some(draft.title) error=of(wrong, "title") hint=words::product::TITLE_HINT required=true/>
        <TextArea
            label=words::product::DESCRIPTION
            name="description"
            value=draft.description
            error=of(wrong, "description")
            rows=6
            max=DESCRIPTION_MAX
            hint=words::register::DESCRIPTION_HINT
        />
        <Field label=words::product::TAGS name="tags" value=Some(draft.tags.join(", ")) error=of(wrong, "tags") hint=words::product::TAGS_HINT autocomplete="off"/>
        <Select label=words::product::CLASSIFICATION name="classification" options=classifications.collect() value=Some(draft.classification) error=of(wrong, "classification") hint=words::product::CLASSIFICATION_HINT required=true/>
        {tables}
    }
    .into_any();
    let form = form(
        Step::Describe,
        filled,
        (Step::Access, words::register::SAY_WHO_GETS_ACCESS),
        Some(Step::Tables),
        "form form--wide",
        fields,
    );
    let (team, storage) = (draft.team, draft.storage);
    view! {
        <p class="muted">{words::register::ONE_PRODUCT_OF_THE_TEAM}<strong>{team}</strong>{words::register::FROM_THE_STORAGE}<strong>{storage}</strong>"."</p>
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
            let name = cell(
                ("name", words::register::NAME),
                number,
                name_of(&path),
                &path,
                table.name,
                wrong,
            );
            let schema = cell(
                ("schema", words::register::SCHEMA),
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
        Column::Text(words::register::TABLE),
        Column::Text(words::register::NAME_FOR_READERS),
        Column::Text(words::register::SCHEMA),
    ];
    view! { <Table caption=words::register::NAMES_OF_THE_TABLES head>{rows}</Table> }
}

/// One field of one table: what it is in the page, and what people call it.
fn cell(
    (word, title): (&str, &str),
    number: usize,
    field: String,
    path: &str,
    value: String,
    wrong: &[FieldError],
) -> impl IntoView + use<> {
    let error = of(wrong, &field);
    let is_wrong = error.is_some();
    let error_id = format!("{word}-{number}-error");
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
                aria-label=words::register::field_of_table(&title, &path)
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
        word(AccessPolicy::Owner.as_str(), words::product::A_PRODUCER),
        word(AccessPolicy::Auto.as_str(), words::product::NOBODY),
    ];
    let payers = vec![
        word(Payer::Producer.as_str(), words::product::THE_OWNING_TEAM),
        word(Payer::Consumer.as_str(), words::product::WHOEVER_READS),
    ];
    let states = vec![
        word("published", words::register::PUBLISHED_AT_ONCE),
        word("draft", words::register::PUBLISHED_LATER),
    ];
    // What was typed, also where it is no number.
    let baseline = filled
        .get("baseline_days")
        .map_or_else(|| draft.baseline_days.to_string(), str::to_owned);
    let personal = (draft.classification == Classification::Personal.as_str()).then(|| {
        view! { <p class="muted">{words::register::OFFICER_DECIDES_TOO}</p> }
    });
    let fields = view! {
        <Select label=words::product::WHO_DECIDES name="policy" options=policies value=Some(draft.access_policy) error=of(wrong, "policy")/>
        <Select label=words::product::WHO_PAYS name="payer" options=payers value=Some(draft.payer) error=of(wrong, "payer")/>
        <Field
            label=words::product::BASELINE
            name="baseline_days"
            kind=Kind::Number
            value=Some(baseline)
            error=of(wrong, "baseline_days")
            min=Some("1".to_owned())
            max=Some("366".to_owned())
            hint=words::product::BASELINE_HINT
            required=true
        />
        <Tick label=words::register::OLDER_VERSIONS name="history" checked=filled.is_ticked("history") hint=words::register::OLDER_VERSIONS_HINT/>
        <Tick label=words::register::WHAT_CHANGED name="changes" checked=filled.is_ticked("changes") hint=words::register::WHAT_CHANGED_HINT/>
        <Select label=words::register::WHEN_IT_IS_PUBLISHED name="state" options=states value=Some(draft.state) error=of(wrong, "state")/>
    }
    .into_any();
    let form = form(
        Step::Access,
        filled,
        (Step::Review, words::register::REVIEW_IT),
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
