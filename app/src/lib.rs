//! The portal's pages. Compiled twice: for the server (`ssr`), which renders every page whole, and for the
//! browser (`hydrate`), which takes the same page over. Every page reads and works without JavaScript.
//!
//! Lives here: the shell, the layout, pages, components, and the server functions through which pages reach the exchange.
//! Does not live here: rules, SQL, sessions. Signing in and out are plain routes of the server, because they change the
//! session cookie; so is the download of a profile, because it answers with a file.

pub mod api;
pub mod components;
pub mod ctx;
pub mod error;
pub mod layout;
pub mod next;
pub mod pages;
pub mod url;
pub mod wire;
pub mod words;

#[cfg(feature = "ssr")]
mod shell;

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
use crate::pages::approvals::Approvals;
use crate::pages::catalog::Catalog;
use crate::pages::home::Home;
use crate::pages::not_found::NotFound;
use crate::pages::product::Product;
use crate::pages::request::Ask;
use crate::pages::request::Show;
use crate::pages::sign_in::SignIn;

pub use error::AppError;
#[cfg(feature = "ssr")]
pub use shell::Bundle;
#[cfg(feature = "ssr")]
pub use shell::shell;
#[cfg(all(feature = "ssr", debug_assertions))]
pub use shell::styleguide_shell;

/// The whole portal. Also run once at start-up, without a request, to list the routes: nothing here may expect
/// a context. Every page is rendered in [`SsrMode::Async`], because fragments streamed out of order need
/// JavaScript to find their place, and because status and title are known only when the page is.
#[component]
pub fn App() -> impl IntoView {
    ctx::share_visit();
    provide_meta_context();
    let is_routing = RwSignal::new(false);
    view! {
        <Title formatter=titled/>
        <Router set_is_routing=SignalSetter::from(is_routing)>
            <Layout is_routing>
                <FlatRoutes fallback=NotFound>
                    <Route path=path!("/") view=Home ssr=SsrMode::Async/>
                    <Route path=path!("/catalog") view=Catalog ssr=SsrMode::Async/>
                    <Route path=path!("/products/:name") view=Product ssr=SsrMode::Async/>
                    <Route path=path!("/products/:name/request") view=Ask ssr=SsrMode::Async/>
                    <Route path=path!("/requests/:id") view=Show ssr=SsrMode::Async/>
                    <Route path=path!("/approvals") view=Approvals ssr=SsrMode::Async/>
                    <Route path=path!("/access") view=Access ssr=SsrMode::Async/>
                    <Route path=path!("/sign-in") view=SignIn ssr=SsrMode::Async/>
                </FlatRoutes>
            </Layout>
        </Router>
    }
}

/// A page's title with the portal's name behind it.
fn titled(page: String) -> String {
    if page.is_empty() {
        "Entrepôt".to_owned()
    } else {
        format!("{page} · Entrepôt")
    }
}
