//! The routes of the portal, and what is around every page.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_meta::provide_meta_context;
use leptos_router::SsrMode;
use leptos_router::components::FlatRoutes;
use leptos_router::components::Route;
use leptos_router::components::Router;
use leptos_router::path;

use crate::layout::Layout;
use crate::pages::access::Access;
use crate::pages::account;
use crate::pages::account::Account;
use crate::pages::activate::Activate;
use crate::pages::admin;
use crate::pages::advice;
use crate::pages::advice::Advice;
use crate::pages::approvals::Approvals;
use crate::pages::catalog::Catalog;
use crate::pages::costs;
use crate::pages::costs::Costs;
use crate::pages::erasures;
use crate::pages::erasures::Erasures;
use crate::pages::flows::Adoptions;
use crate::pages::flows::Flows;
use crate::pages::home::Home;
use crate::pages::not_found::NotFound;
use crate::pages::product;
use crate::pages::product::Product;
use crate::pages::register::Register;
use crate::pages::replicas;
use crate::pages::replicas::Replicas;
use crate::pages::request::Ask;
use crate::pages::request::Show;
use crate::pages::sign_in::SignIn;
use crate::words;

/// The whole portal. Also run once at start-up, without a request, to list the routes: nothing here may expect
/// a context. Every page is rendered in [`SsrMode::Async`], because fragments streamed out of order need
/// JavaScript to find their place, and because status and title are known only when the page is.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=titled/>
        <Router>
            <Layout>
                <FlatRoutes fallback=NotFound>
                    <Route path=path!("/") view=Home ssr=SsrMode::Async/>
                    <Route path=path!("/catalog") view=Catalog ssr=SsrMode::Async/>
                    <Route path=path!("/products/:name") view=Product ssr=SsrMode::Async/>
                    <Route path=path!("/products/:name/edit") view=product::Edit ssr=SsrMode::Async/>
                    <Route path=path!("/products/:name/cuts") view=product::Cuts ssr=SsrMode::Async/>
                    <Route path=path!("/products/:name/request") view=Ask ssr=SsrMode::Async/>
                    <Route path=path!("/products/:name/usage") view=product::Usage ssr=SsrMode::Async/>
                    <Route path=path!("/requests/:id") view=Show ssr=SsrMode::Async/>
                    <Route path=path!("/approvals") view=Approvals ssr=SsrMode::Async/>
                    <Route path=path!("/access") view=Access ssr=SsrMode::Async/>
                    <Route path=path!("/register") view=Register ssr=SsrMode::Async/>
                    <Route path=path!("/replicas") view=Replicas ssr=SsrMode::Async/>
                    <Route path=path!("/replicas/:id") view=replicas::Show ssr=SsrMode::Async/>
                    <Route path=path!("/runs/:id") view=replicas::Run ssr=SsrMode::Async/>
                    <Route path=path!("/erasures") view=Erasures ssr=SsrMode::Async/>
                    <Route path=path!("/erasures/:id") view=erasures::Show ssr=SsrMode::Async/>
                    <Route path=path!("/adoptions") view=Adoptions ssr=SsrMode::Async/>
                    <Route path=path!("/flows") view=Flows ssr=SsrMode::Async/>
                    <Route path=path!("/costs") view=Costs ssr=SsrMode::Async/>
                    <Route path=path!("/costs/:team/:month") view=costs::Statement ssr=SsrMode::Async/>
                    <Route path=path!("/costs/:team/:month/line") view=costs::Line ssr=SsrMode::Async/>
                    <Route path=path!("/advice") view=Advice ssr=SsrMode::Async/>
                    <Route path=path!("/advice/:id") view=advice::Show ssr=SsrMode::Async/>
                    <Route path=path!("/account") view=Account ssr=SsrMode::Async/>
                    <Route path=path!("/account/tokens") view=account::Tokens ssr=SsrMode::Async/>
                    <Route path=path!("/admin/people") view=admin::People ssr=SsrMode::Async/>
                    <Route path=path!("/admin/people/:name") view=admin::people::Show ssr=SsrMode::Async/>
                    <Route path=path!("/admin/domains") view=admin::Domains ssr=SsrMode::Async/>
                    <Route path=path!("/admin/domains/:name") view=admin::ShowDomain ssr=SsrMode::Async/>
                    <Route path=path!("/admin/teams") view=admin::Teams ssr=SsrMode::Async/>
                    <Route path=path!("/admin/teams/:name") view=admin::teams::Show ssr=SsrMode::Async/>
                    <Route path=path!("/admin/storages") view=admin::Storages ssr=SsrMode::Async/>
                    <Route path=path!("/admin/storages/:name") view=admin::storages::Show ssr=SsrMode::Async/>
                    <Route path=path!("/admin/recipients") view=admin::Recipients ssr=SsrMode::Async/>
                    <Route path=path!("/admin/rates") view=admin::Rates ssr=SsrMode::Async/>
                    <Route path=path!("/admin/assess") view=admin::Assess ssr=SsrMode::Async/>
                    <Route path=path!("/admin/assess/:id") view=admin::ShowAssessment ssr=SsrMode::Async/>
                    <Route path=path!("/admin/jobs") view=admin::Jobs ssr=SsrMode::Async/>
                    <Route path=path!("/admin/audit") view=admin::Audit ssr=SsrMode::Async/>
                    <Route path=path!("/account/notifications") view=account::Notifications ssr=SsrMode::Async/>
                    <Route path=path!("/activate") view=Activate ssr=SsrMode::Async/>
                    <Route path=path!("/sign-in") view=SignIn ssr=SsrMode::Async/>
                </FlatRoutes>
            </Layout>
        </Router>
    }
}

/// A page's title with the portal's name behind it.
fn titled(page: String) -> String {
    if page.is_empty() {
        words::frame::ENTREPOT.to_owned()
    } else {
        words::frame::page_title(&page)
    }
}
