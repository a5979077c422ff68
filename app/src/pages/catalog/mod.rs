//! The catalog: search as one types, filters with counts, everything in the address. Without JavaScript the same form is
//! sent and the same links are followed.

pub mod card;
pub mod filters;
pub mod search;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use model::dto::ProductPage;

use crate::api;
use crate::components::load::Empty;
use crate::components::load::Members;
use crate::components::pager::Pager;
use crate::islands::icon::Icon;
use crate::pages::catalog::card::Card;
use crate::pages::catalog::filters::Chosen;
use crate::pages::catalog::filters::Filters;
use crate::pages::catalog::search::Search;
use crate::wire::load;
use crate::words;

#[component]
pub fn Catalog() -> impl IntoView {
    view! {
        <Title text=words::catalog::CATALOG/>
        <Members><Found/></Members>
    }
}

#[component]
fn Found() -> impl IntoView {
    let search = use_query_map().with_untracked(Search::of);
    let found = load(api::catalog::products(search.to_query()));
    view! {
        <section class="page">
            <div class="page-head">
                <h1>{words::catalog::CATALOG}</h1>
                <p class="lead">{words::catalog::DATA_PRODUCTS_OF_ALL}</p>
            </div>
            {search_box(&search)}
            <div id="found">{found.show(move |page| results(&search, page).into_any())}</div>
        </section>
    }
}

/// Stands outside of what is drawn anew as somebody types.
fn search_box(search: &Search) -> impl IntoView + use<> {
    let kept = search
        .others("q")
        .map(|(name, value)| view! { <input type="hidden" name=name value=value.to_owned()/> })
        .collect_view();
    let words = search.get("q").to_owned();
    view! {
        <form class="search" method="get" action="/catalog" role="search" data-part="found">
            <label class="visually-hidden" for="catalog-words">{words::catalog::SEARCH_PRODUCTS}</label>
            <Icon name="search"/>
            <input
                class="input search__input"
                id="catalog-words"
                name="q"
                type="search"
                value=words
                maxlength="200"
                placeholder=words::catalog::SEARCH_HINT
                autocomplete="off"
            />
            {kept}
            <button type="submit" class="button">{words::catalog::SEARCH}</button>
        </form>
    }
}

fn results(search: &Search, page: ProductPage) -> impl IntoView + use<> {
    let is_empty = page.items.is_empty();
    let next = page
        .next
        .as_ref()
        .map(|after| search.with("after", after).href());
    let first = (!search.get("after").is_empty()).then(|| search.with("after", "").href());
    let cards = page
        .items
        .into_iter()
        .map(|product| view! { <li><Card product/></li> })
        .collect_view();
    view! {
        <div class="browse">
            <Filters search=search.clone() facets=page.facets/>
            <div class="browse__results">
                <div class="browse__bar">
                    <p role="status">{words::catalog::products(page.total)}</p>
                    {order(search)}
                </div>
                <Chosen search=search.clone()/>
                {if is_empty {
                    nothing(search).into_any()
                } else {
                    view! { <ul class="results">{cards}</ul> }.into_any()
                }}
                <Pager first next/>
            </div>
        </div>
    }
}

/// By relevance only where there are words to be relevant to.
fn order(search: &Search) -> impl IntoView + use<> {
    let by_name = search.get("sort") == "name";
    let has_words = !search.get("q").is_empty();
    let choices = [
        (words::catalog::BEST_MATCH, "", !by_name),
        (words::catalog::BY_NAME, "name", by_name),
    ];
    let choices = choices
        .map(|(title, sort, is_current)| {
            let href = search.with("sort", sort).href();
            view! { <li><a href=href aria-current=is_current.then_some("true")>{title}</a></li> }
        })
        .collect_view();
    has_words.then(
        || view! { <nav class="order" aria-label=words::catalog::ORDER><ul>{choices}</ul></nav> },
    )
}

fn nothing(search: &Search) -> impl IntoView + use<> {
    if search.is_plain() {
        view! {
            <Empty title=words::catalog::NOTHING_PUBLISHED>
                <p>{words::catalog::PRODUCERS_REGISTER_TABLES}</p>
            </Empty>
        }
        .into_any()
    } else {
        let without_filters = Search::default().with("q", search.get("q")).href();
        let has_filters = search.has_filters();
        view! {
            <Empty title=words::catalog::NO_PRODUCT_FITS>
                <p>{words::catalog::TRY_FEWER_WORDS}</p>
                <p class="actions">
                    {has_filters.then(|| view! { <a class="button" href=without_filters>{words::catalog::SEARCH_WITHOUT_FILTERS}</a> })}
                    <a class="button" href="/catalog">{words::catalog::SHOW_ALL_PRODUCTS}</a>
                </p>
            </Empty>
        }
        .into_any()
    }
}
