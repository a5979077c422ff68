//! A search as it stands in the address. Every filter is there, so that it can be sent, kept and gone back to.

use leptos_router::params::ParamsMap;
use model::dto::ProductQuery;

use crate::url;

/// In the order in which they stand in the address.
const NAMES: [&str; 10] = [
    "q",
    "access",
    "domain",
    "team",
    "cloud",
    "region",
    "classification",
    "state",
    "sort",
    "after",
];

/// So many products on one page.
const LIMIT: u32 = 20;

/// What each of [`NAMES`] is set to; empty: not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search([String; NAMES.len()]);

impl Search {
    pub fn of(query: &ParamsMap) -> Self {
        Self(NAMES.map(|name| query.get(name).unwrap_or_default()))
    }

    pub fn get(&self, name: &str) -> &str {
        self.pairs()
            .find(|(found, _)| *found == name)
            .map_or("", |(_, value)| value)
    }

    /// The same search but for this. It begins at the first page, and other words at their best match.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut changed = self.clone();
        for (known, slot) in NAMES.iter().zip(&mut changed.0) {
            if *known == name {
                value.clone_into(slot);
            } else if *known == "after" || (*known == "sort" && name == "q") {
                slot.clear();
            }
        }
        changed
    }

    pub fn href(&self) -> String {
        url::with_query("/catalog", self.pairs())
    }

    /// What a form that changes `name` has to carry along.
    pub fn others(&self, name: &str) -> impl Iterator<Item = (&'static str, &str)> {
        let changed = name.to_owned();
        self.pairs().filter(move |(name, value)| {
            *name != changed && !matches!(*name, "after" | "sort") && !value.is_empty()
        })
    }

    pub fn has_filters(&self) -> bool {
        self.others("q").next().is_some()
    }

    /// Whether it asks for everything.
    pub fn is_plain(&self) -> bool {
        self.get("q").is_empty() && !self.has_filters() && self.get("after").is_empty()
    }

    pub fn to_query(&self) -> ProductQuery {
        let given = |name: &str| Some(self.get(name).to_owned()).filter(|text| !text.is_empty());
        ProductQuery {
            q: given("q"),
            domain: given("domain"),
            team: given("team"),
            cloud: given("cloud"),
            region: given("region"),
            classification: given("classification"),
            state: given("state"),
            access: given("access"),
            sort: given("sort"),
            after: given("after"),
            limit: Some(LIMIT),
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        NAMES.into_iter().zip(self.0.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(pairs: &[(&'static str, &str)]) -> Search {
        pairs
            .iter()
            .fold(Search::default(), |search, (name, value)| {
                search.with(name, value)
            })
    }

    #[test]
    fn the_address_holds_the_whole_search() {
        let full = search(&[
            ("q", "workshop visit"),
            ("cloud", "aws"),
            ("access", "active"),
            ("sort", "name"),
            ("after", "0.vehicle-visits"),
        ]);
        assert_eq!(
            full.href(),
            "/catalog?q=workshop%20visit&access=active&cloud=aws&sort=name&after=0.vehicle-visits"
        );
        let query: ParamsMap = [("q", "workshop visit"), ("cloud", "aws"), ("foreign", "x")]
            .into_iter()
            .collect();
        assert_eq!(
            Search::of(&query),
            search(&[("q", "workshop visit"), ("cloud", "aws")])
        );
        assert_eq!(Search::default().href(), "/catalog");
    }

    #[test]
    fn a_changed_filter_begins_at_the_first_page() {
        let later = search(&[("q", "visits"), ("sort", "name"), ("after", "9.x")]);
        let changed = later.with("team", "rnd");
        assert_eq!(changed.get("after"), "");
        assert_eq!(changed.get("sort"), "name");
        assert_eq!(later.with("q", "claims").get("sort"), "");
        assert_eq!(changed.with("team", "").get("team"), "");
    }

    #[test]
    fn what_a_form_carries_along() {
        let full = search(&[("q", "visits"), ("team", "rnd"), ("after", "9.x")]);
        let kept: Vec<_> = full.others("q").collect();
        assert_eq!(kept, [("team", "rnd")]);
        assert!(full.has_filters() && !full.is_plain());
        assert!(Search::default().is_plain());
        assert!(!search(&[("q", "x")]).is_plain());
    }

    #[test]
    fn empty_filters_are_none() {
        let query = search(&[("q", "visits")]).to_query();
        assert_eq!(query.q.as_deref(), Some("visits"));
        assert_eq!(query.team, None);
        assert_eq!(query.limit, Some(LIMIT));
    }
}
