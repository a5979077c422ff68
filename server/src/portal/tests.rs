//! The mounted portal, asked over HTTP.

use app::ctx::Flash;
use app::ctx::Viewer;
use axum::body::Body;
use axum::middleware;
use http::Method;
use model::MemberRole;
use tempfile::TempDir;
use tower::ServiceExt;

use super::*;
use crate::middleware::headers;
use crate::middleware::headers::Policy;

const HOSTILE: &str = "</script><script>alert(1)</script>";

/// A site root with a bundle, and the portal over it as `mara` (or as nobody) with a flash.
struct Portal {
    _site: TempDir,
    router: Router,
    version: String,
}

impl Portal {
    fn new(viewer: Option<Viewer>, flash: Flash) -> Self {
        let site = tempfile::tempdir().unwrap();
        fs::create_dir(site.path().join("pkg")).unwrap();
        for (file, content) in [
            ("pkg/entrepot.js", "script"),
            ("pkg/entrepot.wasm", "module"),
            ("pkg/entrepot.css", "style"),
            ("pkg/entrepot.css.br", "packed"),
            ("icons.svg", "<svg/>"),
        ] {
            fs::write(site.path().join(file), content).unwrap();
        }
        let options = LeptosOptions::builder()
            .output_name("entrepot")
            .site_root(site.path().to_string_lossy().into_owned())
            .build();
        let version = read_bundle(&options).version.to_string();
        let router = routes(options, move |_| Visit {
            viewer: viewer.clone(),
            flash: flash.clone(),
            ..Visit::default()
        })
        .layer(middleware::from_fn_with_state(
            Policy { https: true },
            headers::apply,
        ));
        Self {
            _site: site,
            router,
            version,
        }
    }

    fn anonymous() -> Self {
        Self::new(None, Flash::default())
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.router
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, http::HeaderMap, String) {
        let response = self.ask(Method::GET, path, &[]).await;
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        (
            parts.status,
            parts.headers,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }
}

fn mara() -> Viewer {
    Viewer {
        name: "mara".to_owned(),
        teams: vec![Membership {
            team: "rnd".to_owned(),
            title: "Research & Development".to_owned(),
            role: MemberRole::Producer,
        }],
        roles: vec![],
    }
}
use app::ctx::Membership;

#[tokio::test]
async fn strangers_get_the_landing_page_and_members_their_desk() {
    let (status, _, html) = Portal::anonymous().get("/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains("href=\"/sign-in\""), "{html}");
    assert!(!html.contains("/sign-out"), "{html}");

    let (status, _, html) = Portal::new(Some(mara()), Flash::default()).get("/").await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains("Research &amp; Development"), "{html}");
    assert!(html.contains("action=\"/sign-out\""), "{html}");
}

#[tokio::test]
async fn unknown_paths_are_404_for_every_method() {
    let portal = Portal::anonymous();
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE] {
        for path in [
            "/nowhere",
            "/pkg/nowhere.js",
            "/pkg/",
            "/pkg",
            "/..%2f..%2fetc/passwd",
            "/_fn/nowhere",
        ] {
            let response = portal.ask(method.clone(), path, &[]).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method} {path}");
            assert_eq!(
                response.headers()[header::CACHE_CONTROL],
                NO_STORE,
                "{method} {path}"
            );
        }
    }
    let (_, _, html) = portal.get("/nowhere").await;
    assert!(html.contains("Nothing is landed here"), "{html}");
}

#[tokio::test]
async fn pages_are_kept_nowhere_and_files_as_long_as_their_name_says() {
    let portal = Portal::anonymous();
    let cases = [
        ("/".to_owned(), NO_STORE),
        ("/sign-in".to_owned(), NO_STORE),
        (format!("/?v={}", portal.version), NO_STORE),
        (format!("/pkg/entrepot.css?v={}", portal.version), FOR_EVER),
        ("/pkg/entrepot.css?v=older".to_owned(), ASK_AGAIN),
        ("/pkg/entrepot.css".to_owned(), ASK_AGAIN),
        ("/icons.svg".to_owned(), ASK_AGAIN),
    ];
    for (path, expected) in cases {
        let response = portal.ask(Method::GET, &path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(
            response.headers()[header::CACHE_CONTROL],
            expected,
            "{path}"
        );
    }
}

#[tokio::test]
async fn files_come_packed_and_only_when_changed() {
    let portal = Portal::anonymous();
    let packed = portal
        .ask(
            Method::GET,
            "/pkg/entrepot.css",
            &[("accept-encoding", "br")],
        )
        .await;
    assert_eq!(packed.headers()[header::CONTENT_ENCODING], "br");
    assert_eq!(packed.headers()[header::CONTENT_TYPE], "text/css");
    let plain = portal.ask(Method::GET, "/icons.svg", &[]).await;
    let modified = plain.headers()[header::LAST_MODIFIED]
        .to_str()
        .unwrap()
        .to_owned();
    let again = portal
        .ask(
            Method::GET,
            "/icons.svg",
            &[("if-modified-since", &modified)],
        )
        .await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(again.headers()[header::CACHE_CONTROL], ASK_AGAIN);
}

#[tokio::test]
async fn the_page_names_the_bundle_that_exists() {
    let portal = Portal::anonymous();
    let (_, _, html) = portal.get("/").await;
    for kind in ["js", "wasm", "css"] {
        let url = format!("/pkg/entrepot.{kind}?v={}", portal.version);
        assert!(html.contains(&url), "{url} in {html}");
        assert_eq!(portal.get(&url).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn every_script_bears_the_nonce_of_the_header() {
    let portal = Portal::new(Some(mara()), Flash::default());
    for path in ["/", "/sign-in", "/nowhere"] {
        let (_, headers, html) = portal.get(path).await;
        let policy = headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        let nonce = policy
            .split("'nonce-")
            .nth(1)
            .unwrap()
            .split('\'')
            .next()
            .unwrap();
        let bearing = format!("nonce=\"{nonce}\"");
        let scripts: Vec<_> = html.match_indices("<script").collect();
        assert!(!scripts.is_empty(), "{path}");
        for (at, _) in scripts {
            let tag = &html[at..at + html[at..].find('>').unwrap()];
            assert!(tag.contains(&bearing), "{tag}");
        }
        assert!(!html.contains(" style="), "{path} has an inline style");
    }
}

#[tokio::test]
async fn a_refused_form_comes_back_with_its_values_escaped() {
    let flash = Flash {
        form: app::pages::sign_in::FORM.to_owned(),
        values: vec![("name".to_owned(), HOSTILE.to_owned())],
        errors: vec![(String::new(), app::words::sign_in::REFUSED.to_owned())],
        ..Flash::default()
    };
    let (status, _, html) = Portal::new(None, flash)
        .get("/sign-in?next=/requests")
        .await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains(app::words::sign_in::REFUSED), "{html}");
    assert!(html.contains("name=\"next\" value=\"/requests\""), "{html}");
    assert!(!html.contains(HOSTILE), "{html}");
    assert!(!html.contains("alert(1)</script>"), "{html}");
}

#[tokio::test]
async fn a_name_cannot_break_out_of_the_page() {
    let viewer = Viewer {
        name: HOSTILE.to_owned(),
        ..mara()
    };
    let (_, _, html) = Portal::new(Some(viewer), Flash::default()).get("/").await;
    assert!(!html.contains("<script>alert(1)"), "{html}");
}

#[tokio::test]
async fn sign_in_leads_only_into_the_portal() {
    let portal = Portal::anonymous();
    for next in [
        "//evil",
        "/%5Cevil",
        "https://evil",
        "/%252f%252fevil",
        "javascript:alert(1)",
    ] {
        let (_, _, html) = portal.get(&format!("/sign-in?next={next}")).await;
        assert!(!html.contains("name=\"next\""), "{next}: {html}");
    }
}

#[tokio::test]
async fn the_style_guide_shows_without_a_script_of_ours() {
    let (status, _, html) = Portal::anonymous().get("/styleguide").await;
    assert_eq!(status, StatusCode::OK);
    assert!(html.contains("<h1>Style guide</h1>"), "{html}");
    assert!(!html.contains("entrepot.js"), "{html}");
}
