//! The filters beside the results: links, each with how many products it would leave.

use leptos::prelude::*;
use model::Classification;
use model::Cloud;
use model::ProductState;
use model::dto::FacetCount;
use model::dto::Facets;
use model::dto::MyAccess;

use crate::components::state;
use crate::islands::icon::Icon;
use crate::pages::catalog::search::Search;
use crate::words;

/// What the address calls a filter, and what people call it.
const TITLES: [(&str, &str); 7] = [
    ("access", words::catalog::MY_ACCESS),
    ("domain", words::catalog::DOMAIN),
    ("team", words::catalog::TEAM),
    ("cloud", words::catalog::CLOUD),
    ("region", words::catalog::REGION),
    ("classification", words::catalog::CLASSIFICATION),
    ("state", words::catalog::STATE),
];

#[component]
pub fn Filters(search: Search, facets: Facets) -> impl IntoView {
    let lists = [
        facets.access,
        facets.domain,
        facets.team,
        facets.cloud,
        facets.region,
        facets.classification,
        facets.state,
    ];
    let groups = TITLES
        .iter()
        .zip(lists)
        .filter(|((name, _), list)| is_of_use(name, list, search.get(name)))
        .map(|((name, title), list)| group(&search, name, title, list))
        .collect_view();
    view! {
        <div class="filters">
            // On a narrow screen they are shown when asked for; without script, too.
            <input class="filters__switch" type="checkbox" id="filters-shown"/>
            <label class="button filters__button" for="filters-shown">{words::catalog::FILTERS}</label>
            <nav class="filters__groups" aria-label=words::catalog::FILTERS>{groups}</nav>
        </div>
    }
}

/// A filter with one value filters nothing; the state is of use to those only who have drafts.
fn is_of_use(name: &str, list: &[FacetCount], chosen: &str) -> bool {
    !chosen.is_empty() || list.len() > 1 || (!list.is_empty() && name != "state")
}

fn group(
    search: &Search,
    name: &'static str,
    title: &'static str,
    list: Vec<FacetCount>,
) -> impl IntoView + use<> {
    let chosen = search.get(name).to_owned();
    let values = list
        .into_iter()
        .map(|facet| {
            let is_chosen = facet.value == chosen;
            let href = search.with(name, if is_chosen { "" } else { &facet.value }).href();
            view! {
                <li>
                    <a class="filter" href=href aria-current=is_chosen.then_some("true")>
                        <span class="filter__title">{called(name, &facet.value, &facet.title)}</span>
                        <span class="filter__count">{words::count(facet.count)}</span>
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <div class="filters__group">
            <h2>{title}</h2>
            <ul>{values}</ul>
        </div>
    }
}

/// The filters that hold, each with its way out. On a narrow screen the only sign of them.
#[component]
pub fn Chosen(search: Search) -> impl IntoView {
    let chosen = TITLES
        .iter()
        .filter(|(name, _)| !search.get(name).is_empty())
        .map(|(name, title)| {
            let value = search.get(name);
            let href = search.with(name, "").href();
            view! {
                <li>
                    <a class="chosen__filter" href=href>
                        <span class="visually-hidden">{words::catalog::REMOVE_THE_FILTER}</span>
                        {words::catalog::filter_set_to(title, &called(name, value, value))}
                        <Icon name="close"/>
                    </a>
                </li>
            }
        })
        .collect_view();
    search.has_filters().then(
        || view! { <ul class="chosen" aria-label=words::catalog::FILTERS_THAT_HOLD>{chosen}</ul> },
    )
}

/// What people call a filter's value; `title` is what the exchange calls it.
fn called(name: &str, value: &str, title: &str) -> String {
    let word = match name {
        "access" => MyAccess::ALL
            .into_iter()
            .find(|access| access.as_str() == value)
            .map(|access| state::access(access).0),
        "cloud" => value.parse::<Cloud>().ok().map(state::cloud),
        "classification" => value
            .parse::<Classification>()
            .ok()
            .map(|classification| state::classification(classification).0),
        "state" => value
            .parse::<ProductState>()
            .ok()
            .map(|product| state::product(product).0),
        _ => None,
    };
    word.map_or_else(|| title.to_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_words() {
        for (name, value, expected) in [
            ("access", "active", "You have access"),
            ("cloud", "gcp", "Google Cloud"),
            ("classification", "personal", "Personal data"),
            ("state", "draft", "Draft"),
            ("domain", "vehicle", "Vehicle data"),
            ("cloud", "mars", "Vehicle data"),
        ] {
            assert_eq!(
                called(name, value, "Vehicle data"),
                expected,
                "{name}={value}"
            );
        }
    }

    #[test]
    fn a_filter_that_filters_nothing_is_left_out() {
        let one = [FacetCount {
            value: "published".to_owned(),
            title: "published".to_owned(),
            count: 3,
        }];
        assert!(!is_of_use("state", &one, ""));
        assert!(is_of_use("state", &one, "published"));
        assert!(is_of_use("team", &one, ""));
        assert!(!is_of_use("team", &[], ""));
    }
}
