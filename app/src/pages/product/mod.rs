//! One product: what it is, and in tabs with addresses of their own all that is known of it. A tab asks for its data only
//! when it is shown.

mod access;
pub(crate) mod cost;
pub mod cuts;
pub mod edit;
mod freshness;
mod history;
mod overview;
mod schema;
pub(crate) mod timeline;
pub mod usage;
mod yaml;

pub use cuts::Cuts;
pub use edit::Edit;
pub use usage::Usage;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use leptos_router::hooks::use_query_map;
use model::Classification;
use model::ProductState;
use model::dto::Charge;
use model::dto::Grant;
use model::dto::MyAccess;
use model::dto::ProductDetail;
use model::dto::ProductEvent;
use model::dto::Replica;
use model::dto::Saving;
use model::dto::ShareQuery;
use model::dto::SyncRun;

use crate::api;
use crate::api::Listed;
use crate::api::replicas::Lately;
use crate::components::button::Weight;
use crate::components::flash::Notice;
use crate::components::flash::Tone;
use crate::components::load::Members;
use crate::components::state;
use crate::components::state::State;
use crate::components::tabs::Tabs;
use crate::islands::copy::Copy;
use crate::islands::icon::Icon;
use crate::url;
use crate::wire::Loaded;
use crate::wire::load;
use crate::wire::load_if;
use crate::words;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Tab {
    #[default]
    Overview,
    Schema,
    Freshness,
    Access,
    Cost,
    History,
    Yaml,
}

impl Tab {
    const ALL: [Self; 7] = [
        Self::Overview,
        Self::Schema,
        Self::Freshness,
        Self::Access,
        Self::Cost,
        Self::History,
        Self::Yaml,
    ];

    /// In the address: `?tab=schema`.
    const fn word(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Schema => "schema",
            Self::Freshness => "freshness",
            Self::Access => "access",
            Self::Cost => "cost",
            Self::History => "history",
            Self::Yaml => "yaml",
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Overview => words::product::OVERVIEW,
            Self::Schema => words::product::SCHEMA,
            Self::Freshness => words::product::FRESHNESS,
            Self::Access => words::product::ACCESS,
            Self::Cost => words::product::USAGE_AND_COST,
            Self::History => words::product::HISTORY,
            Self::Yaml => words::product::YAML,
        }
    }

    fn of(word: &str) -> Self {
        Self::ALL
            .into_iter()
            .find(|tab| tab.word() == word)
            .unwrap_or_default()
    }

    fn href(self, product: &str) -> String {
        url::with_query(&path(product), [("tab", self.word())])
    }

    /// A tab that would say no more than that one may not see it is not offered.
    fn is_offered(self, product: &ProductDetail) -> bool {
        self != Self::Yaml || product.tables.iter().any(|table| table.path.is_some())
    }
}

fn path(product: &str) -> String {
    format!("/products/{}", url::encode(product))
}

#[component]
pub fn Product() -> impl IntoView {
    view! { <Members><Shown/></Members> }
}

/// What the tabs show beside the product itself, each asked for only while its tab is open.
#[derive(Clone, Copy)]
struct Parts {
    replicas: Loaded<Vec<Replica>>,
    runs: Loaded<Listed<SyncRun>>,
    lately: Loaded<Lately>,
    grants: Loaded<Listed<Grant>>,
    savings: Loaded<Vec<Saving>>,
    charges: Loaded<Listed<Charge>>,
    reads: Loaded<Listed<ShareQuery>>,
    events: Loaded<Listed<ProductEvent>>,
    yaml: Loaded<String>,
}

impl Parts {
    fn load(name: &str, tab: Tab, after: Option<String>) -> Self {
        let on = |wanted: Tab| (tab == wanted).then(|| name.to_owned());
        let of = |wanted: Tab| on(wanted).map(|name| (name, after.clone()));
        Self {
            replicas: load_if(on(Tab::Freshness).map(api::replicas::replicas)),
            runs: load_if(
                of(Tab::Freshness).map(|(name, after)| api::replicas::sync_runs(name, after)),
            ),
            lately: load_if(on(Tab::Freshness).map(api::replicas::lately)),
            grants: load_if(
                of(Tab::Access).map(|(name, after)| api::access::grants(Some(name), after)),
            ),
            savings: load_if(on(Tab::Cost).map(|name| api::billing::savings(Some(name)))),
            charges: load_if(of(Tab::Cost).map(|(name, after)| api::billing::charges(name, after))),
            reads: load_if(on(Tab::Cost).map(api::access::reads)),
            events: load_if(
                of(Tab::History).map(|(name, after)| api::catalog::history(name, after)),
            ),
            yaml: load_if(on(Tab::Yaml).map(api::declaration::product_yaml)),
        }
    }
}

/// Where in a long list the page stands.
#[derive(Clone, Copy)]
struct Place {
    /// The address of the list's first page.
    first: StoredValue<String>,
    after: StoredValue<Option<String>>,
}

impl Place {
    /// What leads to the first page, except from there.
    fn first(self) -> Option<String> {
        self.after.get_value().map(|_| self.first.get_value())
    }

    fn next(self, after: Option<String>) -> Option<String> {
        // The address has a query already: the tab.
        after.map(|after| format!("{}&after={}", self.first.get_value(), url::encode(&after)))
    }
}

#[component]
fn Shown() -> impl IntoView {
    let name = use_params_map().with_untracked(|params| params.get("name").unwrap_or_default());
    let (tab, after) = use_query_map().with_untracked(|query| {
        let tab = Tab::of(query.get_str("tab").unwrap_or(""));
        (tab, query.get("after"))
    });
    let parts = Parts::load(&name, tab, after.clone());
    let after = StoredValue::new(after);
    load(api::catalog::product(name))
        .show(move |product| whole(product, tab, after, parts).into_any())
}

fn whole(
    product: ProductDetail,
    tab: Tab,
    after: StoredValue<Option<String>>,
    parts: Parts,
) -> impl IntoView {
    let name = product.name.to_string();
    let tabs = Tab::ALL
        .into_iter()
        .filter(|tab| tab.is_offered(&product))
        .map(|tab| (tab.href(&name), tab.title()))
        .collect();
    let title = product.title.clone();
    let heading = match tab {
        Tab::Overview => title.clone(),
        tab => words::product::tab_of_product(&tab.title(), &title),
    };
    let current = tab.href(&name);
    let first = StoredValue::new(current.clone());
    let place = Place { first, after };
    let head = head(&product);
    let shown = match tab {
        Tab::Overview => overview::overview(product).into_any(),
        Tab::Schema => schema::schema(product.tables).into_any(),
        Tab::Freshness => {
            freshness::freshness(product, parts.replicas, parts.runs, parts.lately, place)
                .into_any()
        }
        Tab::Access => access::access(&product, parts.grants, place).into_any(),
        Tab::Cost => cost::cost(&name, parts, place).into_any(),
        Tab::History => history::history(&name, parts.events, place).into_any(),
        Tab::Yaml => yaml::yaml(parts.yaml).into_any(),
    };
    view! {
        <Title text=heading/>
        <section class="page">
            {head}
            <Tabs label=words::product::ABOUT_THIS_PRODUCT tabs current/>
            <div class="tab">{shown}</div>
        </section>
    }
}

fn head(product: &ProductDetail) -> impl IntoView + use<> {
    let name = product.name.to_string();
    let ask = format!("{}/request", path(&name));
    let is_published = product.state == ProductState::Published;
    let is_changeable = product.editable && product.state != ProductState::Retired;
    let edit = format!("{}/edit", path(&name));
    let cuts = format!("{}/cuts", path(&name));
    let way = match (product.state, product.access) {
        (_, MyAccess::Active) => view! {
            <A href="/access" attr:class="button button--primary">{words::product::READ_IT}<Icon name="right"/></A>
            {is_published.then(|| view! { <A href=ask attr:class="button">{words::product::ASK_AGAIN}</A> })}
        }
        .into_any(),
        (ProductState::Published, _) => {
            let weight = if product.editable {
                Weight::Secondary
            } else {
                Weight::Primary
            };
            view! { <A href=ask attr:class=weight.class()>{words::product::ASK_FOR_ACCESS}<Icon name="right"/></A> }
                .into_any()
        }
        _ => ().into_any(),
    };
    view! {
        <p class="crumbs"><A href="/catalog">{words::catalog::CATALOG}</A></p>
        <div class="page-head page-head--split">
            <div>
                <h1>{product.title.clone()}</h1>
                <p class="states">
                    <span class="code">{name.clone()}</span>
                    <Copy text=name what=words::product::THE_NAME/>
                    {(!is_published).then(|| view! { <State said=state::product(product.state)/> })}
                    <State said=state::classification(product.classification)/>
                    {(product.access != MyAccess::None).then(|| view! { <State said=state::access(product.access)/> })}
                </p>
            </div>
            <div class="actions">
                {way}
                <A href=cuts attr:class="button">{words::cuts::CUTS}</A>
                {is_changeable.then(|| view! { <A href=edit attr:class="button">{words::product::CHANGE_IT}</A> })}
            </div>
        </div>
        {notice(product)}
    }
}

fn notice(product: &ProductDetail) -> impl IntoView + use<> {
    let text = match (product.state, product.classification) {
        (ProductState::Draft, _) => Some(words::product::IS_A_DRAFT),
        (ProductState::Retired, _) => Some(words::product::WAS_RETIRED),
        (ProductState::Published, Classification::Personal) => {
            Some(words::product::IS_PERSONAL_DATA)
        }
        (ProductState::Published, _) => None,
    };
    text.map(|text| view! { <Notice tone=Tone::Plain><p>{text}</p></Notice> })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tab_has_an_address_of_its_own() {
        for tab in Tab::ALL {
            assert_eq!(Tab::of(tab.word()), tab);
        }
        assert_eq!(Tab::of("nowhere"), Tab::Overview);
        assert_eq!(
            Tab::Schema.href("vehicle-visits"),
            "/products/vehicle-visits?tab=schema"
        );
        assert_eq!(
            Tab::Overview.href("vehicle-visits"),
            "/products/vehicle-visits"
        );
    }
}
