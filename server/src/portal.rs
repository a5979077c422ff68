//! The portal mounted: pages, server functions, static files and the page for what does not exist.
//!
//! Does not live here: who is signed in (the caller says), `POST /sign-in` and `POST /sign-out` (they change the
//! session), and the response's security headers (`middleware::headers`).

use std::fs;
use std::path::Path;
use std::sync::Arc;

use app::App;
use app::Bundle;
use app::ctx::Visit;
use app::shell;
use axum::Router;
use axum::extract::Request;
use axum::extract::State;
use axum::handler::Handler;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use http::request::Parts;
use leptos::config::LeptosOptions;
use leptos::prelude::provide_context;
use leptos::prelude::use_context;
use leptos_axum::LeptosRoutes;
use leptos_axum::generate_route_list;
use leptos_axum::render_app_async_with_context;
use sha2::Digest;
use sha2::Sha256;
use tower_http::services::ServeDir;

use crate::middleware::headers::ResponseNonce;

#[cfg(test)]
mod tests;

/// Pages carry the viewer's name and what was typed: kept nowhere.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// A versioned name never changes its content.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Everything else is asked for again, and mostly answered 304.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The portal's routes: every page, `/_fn/…`, the files under the site's root, and, as the router's fallback, the
/// page that says 404.
///
/// `provide` is called inside the rendering of each page and each server function, with the request's parts (what
/// middleware left in their extensions is there). It says who looks and what the last form left behind, and may
/// provide further contexts that server functions want. It must not wait.
pub fn routes<P>(options: LeptosOptions, provide: P) -> Router
where
    P: Fn(&Parts) -> Visit + Clone + Send + Sync + 'static,
{
    let bundle = read_bundle(&options);
    let context = {
        let bundle = bundle.clone();
        move || {
            provide_context(bundle.clone());
            // Absent only while the routes are listed at start-up.
            let Some(parts) = use_context::<Parts>() else {
                return;
            };
            // The renderer has made a nonce of its own; the one in the header counts.
            if let Some(ResponseNonce(nonce)) = parts.extensions.get() {
                provide_context(nonce.clone());
            }
            let visit = provide(&parts);
            provide_context(visit);
        }
    };
    let page = {
        let options = options.clone();
        move || shell(options.clone())
    };

    let not_found = render_app_async_with_context(context.clone(), page.clone())
        .layer(axum::middleware::map_response(mark_not_found))
        .with_state(());
    let files = ServeDir::new(&*options.site_root)
        .append_index_html_on_directories(false)
        .precompressed_br()
        .precompressed_gzip()
        .call_fallback_on_method_not_allowed(true)
        .fallback(not_found);

    let router = Router::new().leptos_routes_with_context(
        &options,
        generate_route_list(App),
        context.clone(),
        page,
    );
    #[cfg(debug_assertions)]
    let router = {
        let options = options.clone();
        let guide =
            render_app_async_with_context(context, move || app::styleguide_shell(options.clone()));
        router.route("/styleguide", axum::routing::get(guide))
    };
    router
        .fallback_service(files)
        .with_state(options)
        .layer(axum::middleware::from_fn_with_state(bundle, cache_control))
}

/// The page says so itself; this holds should a redirect or an error inside have said something else than "fine".
async fn mark_not_found(mut response: Response) -> Response {
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

async fn cache_control(State(bundle): State<Bundle>, request: Request, next: Next) -> Response {
    let versioned = request
        .uri()
        .query()
        .and_then(|query| query.strip_prefix("v="))
        == Some(&*bundle.version);
    let mut response = next.run(request).await;
    let found = response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED;
    let page = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_none_or(|kind| kind.as_bytes().starts_with(b"text/html"));
    let value = match (response.status(), versioned) {
        (StatusCode::NOT_MODIFIED, true) => FOR_EVER,
        (StatusCode::NOT_MODIFIED, false) => ASK_AGAIN,
        _ if page || !found => NO_STORE,
        (_, true) => FOR_EVER,
        (_, false) => ASK_AGAIN,
    };
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(value);
    response
}

/// Digests the bundle once at start-up. Without one the pages are served all the same and do not hydrate.
fn read_bundle(options: &LeptosOptions) -> Bundle {
    let mut digest = Sha256::new();
    for file in Bundle::files(options) {
        match fs::read(Path::new(&*options.site_root).join(&file)) {
            Ok(content) => digest.update(content),
            Err(error) => {
                tracing::warn!(file, %error, "a file of the browser bundle cannot be read; pages stay plain")
            }
        }
    }
    let version = hex::encode(&digest.finalize()[..8]);
    Bundle {
        version: Arc::from(version),
    }
}
