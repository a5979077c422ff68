//! The cuts of a product, column by column; and the forms that make, change, rotate and retire them.

pub mod fields;
mod forms;
mod shown;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use model::ProductState;
use model::dto::ColumnCut;
use model::dto::Cut;
use model::dto::CutTable;
use model::dto::ProductDetail;

pub(crate) use self::shown::brief;
pub(crate) use self::shown::content;

use self::forms::forms;
use self::forms::make;
use super::path;
use crate::api;
use crate::api::cuts::CutsShown;
use crate::components::badge::Badge;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::load::Empty;
use crate::components::load::one;
use crate::components::time::Time;
use crate::url;
use crate::words;

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
