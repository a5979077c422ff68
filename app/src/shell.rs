//! The document around the app.

use std::sync::Arc;

use leptos::config::LeptosOptions;
use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::MetaTags;

use crate::App;
use crate::ctx;

/// Where the browser finds the bundle. The version is a digest of its files: whoever asks for a version gets
/// exactly that one for ever, so it may be cached for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub version: Arc<str>,
}

impl Bundle {
    /// The files of the bundle, relative to the site's root.
    pub fn files(options: &LeptosOptions) -> [String; 3] {
        ["js", "wasm", "css"]
            .map(|kind| format!("{}/{}.{kind}", options.site_pkg_dir, options.output_name))
    }

    /// The URL paths of script, module and style sheet, each with its version.
    fn urls(&self, options: &LeptosOptions) -> [String; 3] {
        Self::files(options).map(|file| format!("/{file}?v={}", self.version))
    }
}

/// The page's document with the app in it.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    document_with(&options, true, || view! { <App/> }.into_any())
}

/// The style guide's document. It has no part in the browser's bundle, so it does not hydrate: what it shows works
/// without JavaScript. Development builds only.
#[cfg(debug_assertions)]
pub fn styleguide_shell(options: LeptosOptions) -> impl IntoView {
    document_with(&options, false, || {
        view! { <crate::pages::styleguide::StyleguideApp/> }.into_any()
    })
}

/// Each island is taken over by the function that bears its name, also in what is drawn later. `data-hydrated` tells tests that
/// clicks now reach everything.
const WAKE: &str = r#"const wake = () => {
  for (const island of document.querySelectorAll("leptos-island:not([data-awake])")) {
    island.dataset.awake = "";
    portal[island.dataset.component]?.(island);
  }
};
document.addEventListener("portal:drawn", wake);
wake();
document.body.dataset.hydrated = "";"#;

fn document_with(
    options: &LeptosOptions,
    hydrate: bool,
    app: fn() -> AnyView,
) -> impl IntoView + use<> {
    let bundle = use_context::<Bundle>().unwrap_or(Bundle {
        version: Arc::from("0"),
    });
    let [script, module, style] = bundle.urls(options);
    let now = ctx::now().micros().to_string();
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <link rel="stylesheet" href=style/>
                {hydrate.then(|| hydration(script, module))}
                <MetaTags/>
            </head>
            <body data-now=now>{app()}</body>
        </html>
    }
}

/// Loads the bundle. Own markup instead of Leptos' `HydrationScripts`, which leaves the nonce off its
/// `modulepreload` (a violation under `strict-dynamic`) and knows no versions.
fn hydration(script: String, module: String) -> impl IntoView {
    let nonce = use_nonce();
    // Both are made of a name from the configuration and a hexadecimal digest: nothing to escape.
    let start = format!(
        "import init, * as portal from \"{script}\";\n\
         await init({{ module_or_path: \"{module}\" }});\n\
         portal.hydrate();\n{WAKE}"
    );
    view! {
        <link rel="modulepreload" href=script nonce=nonce.clone()/>
        <link rel="preload" href=module r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        <script type="module" nonce=nonce>{start}</script>
    }
}
