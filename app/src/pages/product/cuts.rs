//! The cuts of a product, column by column; and the forms that make, change, rotate and retire them.

use std::fmt::Display;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::ProductState;
use model::dto::ColumnCut;
use model::dto::Cut;
use model::dto::CutTable;
use model::dto::ProductDetail;
use model::dto::TableDetail;

use super::path;
use crate::api;
use crate::api::cuts::CutsShown;
use crate::api::cuts::key_of;
use crate::components::badge::Badge;
use crate::components::button::Weight;
use crate::components::field::Field;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::form::Form;
use crate::components::form::Hidden;
use crate::components::form::Scope;
use crate::components::form::Submit;
use crate::components::load::Empty;
use crate::components::load::one;
use crate::components::table::Column;
use crate::components::table::Table;
use crate::components::text_area::TextArea;
use crate::components::tick::TICKED;
use crate::components::tick::Tick;
use crate::components::time::Time;
use crate::ctx;
use crate::url;
use crate::wire;
use crate::words;

const NEW: &str = "cut-new";

#[component]
pub fn Cuts() -> impl IntoView {
    one(api::cuts::cuts, |shown| whole(shown).into_any())
}

fn whole(shown: CutsShown) -> impl IntoView {
    let CutsShown { product, cuts } = shown;
    let heading = words::cuts::cuts_of(&product.title);
    let (href, crumb, title) = (
        path(product.name.as_str()),
        product.title.clone(),
        heading.clone(),
    );
    let make = (product.editable && product.state != ProductState::Retired).then(|| make(&product));
    let is_empty = cuts.is_empty();
    let cards = cuts
        .into_iter()
        .map(|cut| card(&product, cut))
        .collect_view();
    view! {
        <Title text=heading/>
        <section class="page">
            <p class="crumbs"><A href="/catalog">{words::catalog::CATALOG}</A><A href=href>{crumb}</A></p>
            <div class="page-head">
                <h1>{title}</h1>
                <p class="lead">{words::cuts::WHAT_CUTS_ARE}</p>
            </div>
            {make}
            {is_empty.then(|| view! {
                <Empty title=words::cuts::NO_CUT_YET><p>{words::cuts::ONLY_THE_WHOLE}</p></Empty>
            })}
            {cards}
            {(!is_empty).then(|| view! {
                <p class="muted">{words::cuts::LATER_TABLES}</p>
                <p class="muted">{words::cuts::MAY_BE_HASHED_ALIKE}</p>
            })}
        </section>
    }
}

fn card(product: &ProductDetail, cut: Cut) -> impl IntoView + use<> {
    let id = format!("cut-{}", cut.name);
    let labelled_by = id.clone();
    let ask = url::with_query(
        &format!("{}/request", path(product.name.as_str())),
        [("cut", cut.name.as_str())],
    );
    let may_ask = !cut.retired && product.state == ProductState::Published;
    let forms = cut.may_change.then(|| forms(product, &cut));
    view! {
        <section class="block" aria-labelledby=labelled_by>
            <h2 id=id><span class="code">{cut.name.to_string()}</span></h2>
            <p class="states">
                {cut.retired.then(|| view! { <Badge>{words::cuts::RETIRED}</Badge> })}
            </p>
            {(!cut.description.is_empty()).then(|| view! { <p class="lines" dir="auto">{cut.description.clone()}</p> })}
            {cut.problem.clone().map(|why| view! {
                <Notice tone=Tone::Bad><p>{words::sentence(&why)}</p></Notice>
            })}
            {content(cut.name.as_str(), &cut.tables)}
            {facts(&cut)}
            {may_ask.then(|| view! { <p class="actions"><A href=ask attr:class="button">{words::cuts::ASK_FOR_IT}</A></p> })}
            {forms}
        </section>
    }
}

fn facts(cut: &Cut) -> impl IntoView + use<> {
    let editions = cut
        .editions
        .iter()
        .take(10)
        .map(|edition| {
            view! {
                <span class="secondary">{words::cuts::edition(edition.number, &edition.why)}<Time at=edition.made_at/></span>
            }
        })
        .collect_view();
    let left_out = cut.left_out.join(", ");
    let later = came_later(cut).join(", ");
    view! {
        <dl class="facts">
            <div><dt>{words::cuts::EDITION}</dt><dd>{editions}</dd></div>
            <div><dt>{words::cuts::ACCESSES}</dt><dd>{words::count(cut.grants)}</dd></div>
            {(!left_out.is_empty()).then(|| view! {
                <div><dt>{words::cuts::NOT_IN_IT}</dt><dd class="code">{left_out}</dd></div>
            })}
            {(!later.is_empty()).then(|| view! {
                <div><dt>{words::cuts::CAME_LATER}</dt><dd class="code">{later}</dd></div>
            })}
        </dl>
    }
}

/// The columns that nobody has agreed to yet.
fn came_later(cut: &Cut) -> Vec<String> {
    let of_table = |table: &CutTable| {
        let columns = table.columns.iter();
        let later = columns.filter(|column| column.how == ColumnCut::Later);
        let name = format!("{}.{}", table.schema, table.table);
        later
            .map(|column| format!("{name}:{}", column.name))
            .collect::<Vec<String>>()
    };
    cut.tables.iter().flat_map(of_table).collect()
}

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

fn make(product: &ProductDetail) -> impl IntoView + use<> {
    let action = wire::form::<api::cuts::CreateCut>();
    let is_open = ctx::flash().is_of(NEW);
    let name = product.name.to_string();
    let tables = product.tables.clone();
    view! {
        <details class="fold" open=is_open>
            <summary>{words::cuts::MAKE_A_CUT}</summary>
            <Form id=NEW action class="form form--wide">
                <Hidden name="product" value=name/>
                <Field label=words::cuts::NAME name="name" hint=words::cuts::NAME_HINT required=true autocomplete="off"/>
                <TextArea label=words::cuts::DESCRIPTION name="description" hint=words::cuts::DESCRIPTION_HINT rows=2/>
                <Content form=NEW.to_owned() tables cut=None/>
                <div class="actions"><Submit>{words::cuts::MAKE_A_CUT}</Submit></div>
            </Form>
        </details>
    }
}

/// What its producers may do with a cut.
fn forms(product: &ProductDetail, cut: &Cut) -> impl IntoView + use<> {
    let (name, of) = (cut.name.to_string(), product.name.to_string());
    let change = format!("cut-change-{name}");
    let rotate = format!("cut-rotate-{name}");
    let retire = format!("cut-retire-{name}");
    let revision = cut.revision;
    let has_later = !came_later(cut).is_empty();
    let is_changing = ctx::flash().is_of(&change);
    let is_rotating = ctx::flash().is_of(&rotate);
    let (tables, held) = (product.tables.clone(), cut.clone());
    let description = cut.description.clone();
    let update = wire::form::<api::cuts::UpdateCut>();
    let turn = wire::form::<api::cuts::RotateCut>();
    let end = wire::form::<api::cuts::RetireCut>();
    let fields = change.clone();
    let named = move || {
        let (of, name) = (of.clone(), name.clone());
        view! {
            <Hidden name="product" value=of/>
            <Hidden name="cut" value=name/>
        }
    };
    let (first, second, third) = (named.clone(), named.clone(), named);
    view! {
        <details class="fold" open=is_changing>
            <summary>{words::cuts::CHANGE_IT}</summary>
            <p class="muted">{words::cuts::CHANGE_HINT}</p>
            <Form id=change action=update revision class="form form--wide">
                {first()}
                <TextArea label=words::cuts::DESCRIPTION name="description" value=description hint=words::cuts::DESCRIPTION_HINT rows=2/>
                <Content form=fields tables cut=Some(held)/>
                {has_later.then(|| view! {
                    <Tick label=words::cuts::WITH_LATER name="with_later" hint=words::cuts::WITH_LATER_HINT/>
                })}
                <Tick label=words::cuts::AT_ONCE name="at_once" hint=words::cuts::AT_ONCE_HINT/>
                <div class="actions"><Submit>{words::cuts::KEEP_IT}</Submit></div>
            </Form>
        </details>
        <details class="fold" open=is_rotating>
            <summary>{words::cuts::ANOTHER_KEY}</summary>
            <p class="muted">{words::cuts::ANOTHER_KEY_HINT}</p>
            <Form id=rotate action=turn revision>
                {second()}
                <Tick label=words::cuts::AT_ONCE name="at_once" hint=words::cuts::AT_ONCE_HINT/>
                <div class="actions"><Submit>{words::cuts::ROTATE}</Submit></div>
            </Form>
        </details>
        <details class="fold">
            <summary>{words::cuts::RETIRE}</summary>
            <p class="muted">{words::cuts::RETIRE_HINT}</p>
            <Form id=retire action=end revision>
                {third()}
                <div class="actions"><Submit weight=Weight::Danger>{words::cuts::RETIRE}</Submit></div>
            </Form>
        </details>
    }
}

/// The fields of all tables: for each column what becomes of it. Drawn within the form of that id.
#[component]
fn Content(form: String, tables: Vec<TableDetail>, cut: Option<Cut>) -> impl IntoView {
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
