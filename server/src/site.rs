//! The portal over this process's exchange: what its pages learn of who looks at them.

use app::ctx::{CallerAddress, MadeLink, MadeToken, Membership, Viewer, Visit};
use axum::Router;
use http::request::Parts;
use leptos::config::LeptosOptions;
use leptos::prelude::provide_context;
use model::dto::Me;
use sharing::Peer;

use crate::middleware::principal;
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
        if let Some(made) = parts.extensions.get::<MadeToken>() {
            provide_context(made.clone());
        }
        if let Some(made) = parts.extensions.get::<MadeLink>() {
            provide_context(made.clone());
        }
        if let Some(Peer(address)) = parts.extensions.get::<Peer>() {
            provide_context(CallerAddress(*address));
        }
        Visit {
            now: exchange.now(),
            provider: exchange
                .options()
                .provider
                .as_ref()
                .map(|rules| rules.title.clone()),
            ..seen(parts)
        }
    })
}

/// Who looks and what the last form left behind, as middleware found it.
fn seen(parts: &Parts) -> Visit {
    match parts.extensions.get::<principal::Visit>() {
        Some(visit) => Visit {
            viewer: visit.me.clone().and_then(viewer),
            flash: visit.flash.clone(),
            ..Visit::default()
        },
        None => Visit::default(),
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
