//! The portal over this process's exchange: what its pages learn of who looks at them.

use app::ctx::{Flash, Membership, Viewer};
use axum::Router;
use http::request::Parts;
use leptos::config::LeptosOptions;
use leptos::prelude::provide_context;
use model::dto::Me;

use crate::middleware::principal::Visit;
use crate::portal;

/// The portal's routes, with the files of the browser bundle under `site`.
pub fn portal(exchange: exchange::Exchange, site: &std::path::Path) -> Router {
    let options = LeptosOptions::builder()
        .output_name("entrepot")
        .site_root(site.to_string_lossy().into_owned())
        .build();
    portal::routes(options, move |parts| {
        provide_context(exchange.clone());
        if let Some(principal) = parts.extensions.get::<exchange::Principal>() {
            provide_context(principal.clone());
        }
        seen(parts)
    })
}

/// Who looks and what the last form left behind, as middleware found it.
fn seen(parts: &Parts) -> (Option<Viewer>, Flash) {
    match parts.extensions.get::<Visit>() {
        Some(visit) => (visit.me.clone().and_then(viewer), visit.flash.clone()),
        None => (None, Flash::default()),
    }
}

fn viewer(me: Me) -> Option<Viewer> {
    let teams = me.teams.into_iter().map(|team| Membership {
        team: team.team.to_string(),
        title: team.title,
        role: team.role,
    });
    Some(Viewer {
        name: me.name?.to_string(),
        teams: teams.collect(),
        roles: me.roles,
    })
}
