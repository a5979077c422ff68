//! Who is on the other end of the connection. `X-Forwarded-For` is believed only of proxies that the configuration names.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Extensions, HeaderMap};
use sharing::Peer;

/// The address that a request came from; None in process.
pub fn address(extensions: &Extensions, headers: &HeaderMap, trusted: &[IpAddr]) -> Option<IpAddr> {
    let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    let mut found = peer.ip().to_canonical();
    // Each proxy appends whom it saw: walk back from the nearest as long as it is one of ours.
    // Byte for byte, for what a client wrote first may be no text, and hides nothing of what the proxy wrote behind it.
    let mut hops: Vec<&[u8]> = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .collect();
    while trusted.contains(&found) {
        match hops.pop().and_then(hop_address) {
            Some(hop) => found = hop.to_canonical(),
            None => break,
        }
    }
    Some(found)
}

/// What a proxy wrote of whom it saw; some write the port, too.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let hop = std::str::from_utf8(hop).ok()?.trim();
    hop.parse::<IpAddr>()
        .or_else(|_| hop.parse::<SocketAddr>().map(|hop| hop.ip()))
        .ok()
}

/// Leaves [`Peer`] in the request's extensions, for the sharing protocol and for links to profiles.
pub async fn note_peer(
    State(trusted): State<Arc<[IpAddr]>>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(found) = address(request.extensions(), request.headers(), &trusted) {
        request.extensions_mut().insert(Peer(found));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxy: IpAddr = "10.0.0.1".parse().unwrap();
        let cases = [
            ("1.2.3.4:5", "9.9.9.9", "1.2.3.4"),
            ("10.0.0.1:5", "9.9.9.9", "9.9.9.9"),
            ("10.0.0.1:5", "6.6.6.6, 9.9.9.9", "9.9.9.9"),
            ("10.0.0.1:5", "9.9.9.9, 10.0.0.1", "9.9.9.9"),
            ("10.0.0.1:5", "junk", "10.0.0.1"),
            ("10.0.0.1:5", "\u{ff}, 9.9.9.9", "9.9.9.9"),
            ("10.0.0.1:5", "9.9.9.9, \u{ff}", "10.0.0.1"),
            ("10.0.0.1:5", "6.6.6.6, 9.9.9.9:4711", "9.9.9.9"),
            ("10.0.0.1:5", "[2001:db8::9]:4711", "2001:db8::9"),
            ("10.0.0.1:5", "", "10.0.0.1"),
            ("[::ffff:10.0.0.1]:5", "9.9.9.9", "9.9.9.9"),
        ];
        for (peer, forwarded, expected) in cases {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo::<SocketAddr>(peer.parse().unwrap()));
            let mut headers = HeaderMap::new();
            headers.insert(
                "x-forwarded-for",
                HeaderValue::from_bytes(forwarded.as_bytes()).unwrap(),
            );
            let found = address(&extensions, &headers, &[proxy]).unwrap();
            assert_eq!(found.to_string(), expected, "{peer} {forwarded}");
        }
        assert_eq!(
            address(&Extensions::new(), &HeaderMap::new(), &[proxy]),
            None
        );
    }
}
