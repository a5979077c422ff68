//! Whom this process trusts when it speaks TLS: the system's root certificates, read once. Each client that reads them by
//! itself parses some hundred files.

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};

/// A client that trusts the system's roots, speaks HTTP/1.1 under TLS, and shares the sessions of the others made so.
pub fn trusting_the_system(client: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    static SHARED: OnceLock<Option<ClientConfig>> = OnceLock::new();
    match SHARED.get_or_init(of_the_system) {
        Some(config) => client.use_preconfigured_tls(config.clone()),
        // It reads them itself and says what is wrong.
        None => client,
    }
}

/// None: there is no root that can be read.
fn of_the_system() -> Option<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // Systems keep old ones that are no certificates of today; those are left out.
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        return None;
    }
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(aws_lc_rs::default_provider()));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .ok()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(config)
}
