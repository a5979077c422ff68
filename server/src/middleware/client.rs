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
    let mut hops: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    while trusted.contains(&found) {
        let Some(hop) = hops.pop() else { break };
        match hop.trim().parse::<IpAddr>() {
            Ok(hop) => found = hop.to_canonical(),
            Err(_) => break,
        }
    }
    Some(found)
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
            ("10.0.0.1:5", "", "10.0.0.1"),
            ("[::ffff:10.0.0.1]:5", "9.9.9.9", "9.9.9.9"),
        ];
        for (peer, forwarded, expected) in cases {
            let mut extensions = Extensions::new();
            extensions.insert(ConnectInfo::<SocketAddr>(peer.parse().unwrap()));
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", HeaderValue::from_str(forwarded).unwrap());
            let found = address(&extensions, &headers, &[proxy]).unwrap();
            assert_eq!(found.to_string(), expected, "{peer} {forwarded}");
        }
        assert_eq!(
            address(&Extensions::new(), &HeaderMap::new(), &[proxy]),
            None
        );
    }
}
