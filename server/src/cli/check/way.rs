//! The way to a host: its name, a connection, TLS, and the proxy in between that the environment names.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use hyper_util::client::proxy::matcher::Matcher;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::{Host, Url};

use super::report::{Finding, Step, Whom};

/// A name that is not looked up, or a connection that does not come, by then does not come at all.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// The most addresses that are tried, and shown.
const ADDRESSES: usize = 4;

/// Where requests to a URL go.
pub(super) struct Way {
    pub(super) is_https: bool,
    host: Host<String>,
    port: u16,
    proxy: Option<(Host<String>, u16)>,
}

impl Way {
    /// None: the URL has no host.
    pub(super) fn to(url: &Url) -> Option<Self> {
        Some(Self {
            is_https: url.scheme() == "https",
            host: url.host()?.to_owned(),
            port: url.port_or_known_default()?,
            proxy: proxy(url),
        })
    }

    /// `host:port`, which is all that is shown of a URL.
    pub(super) fn place(&self) -> String {
        place(&self.host, self.port)
    }

    /// The proxy, where there is one.
    pub(super) fn proxy(&self) -> Option<String> {
        self.proxy.as_ref().map(|(host, port)| place(host, *port))
    }

    /// Looks the name up, or the proxy's: that one looks up the rest.
    pub(super) async fn name(&self) -> Step<Vec<SocketAddr>> {
        let (host, port) = match &self.proxy {
            Some((host, port)) => (host, *port),
            None => (&self.host, self.port),
        };
        let found = resolve(host, port).await.map_err(|why| {
            let what = if self.proxy.is_some() {
                format!("the name of the proxy, {host}")
            } else {
                format!("the name {host}")
            };
            Finding::failed(
                format!("{what} cannot be looked up: {why}"),
                Whom::Network,
                format!(
                    "On the machine where we read data {what} cannot be looked up ({why}). \
                     Is it written correctly, and do our name servers know it?"
                ),
            )
        })?;
        let shown: Vec<String> = found.iter().map(|at| at.ip().to_string()).collect();
        let detail = match (self.proxy(), host) {
            (Some(proxy), _) => format!(
                "requests to {} go through the proxy {proxy}, which looks the name up",
                self.place()
            ),
            (None, Host::Domain(name)) => format!("{name} is {}", shown.join(", ")),
            (None, _) => format!("{host} is an address"),
        };
        Ok((found, Finding::ok(detail)))
    }

    pub(super) async fn connect(&self, found: &[SocketAddr]) -> Step<()> {
        let to = self
            .proxy()
            .map_or_else(|| self.place(), |proxy| format!("the proxy {proxy}"));
        let mut why = "it has no address".to_owned();
        for address in found {
            match timeout(PATIENCE, TcpStream::connect(address)).await {
                Ok(Ok(_)) => return Ok(((), Finding::ok(format!("{to} takes connections")))),
                Ok(Err(error)) => why = error.to_string(),
                Err(_) => {
                    why = format!(
                        "no answer within {} s, as behind a firewall",
                        PATIENCE.as_secs()
                    );
                }
            }
        }
        Err(Finding::failed(
            format!("{to} cannot be reached: {why}"),
            Whom::Network,
            format!(
                "The machine where we read data cannot connect to {to} ({why}). \
                 Please allow connections from it to there."
            ),
        ))
    }

    /// Why a request over this way had no answer.
    pub(super) fn broke(&self, error: &reqwest::Error) -> Finding {
        let place = self.place();
        if let Some(why) = tls_error(error) {
            return certificate(&place, why);
        }
        let why = innermost(error);
        if let Some(proxy) = self.proxy().filter(|_| error.is_connect()) {
            return Finding::failed(
                format!("the proxy {proxy} does not let requests through to {place}: {why}"),
                Whom::Network,
                format!(
                    "The proxy {proxy} does not let us through to {place} ({why}). Please allow it."
                ),
            );
        }
        if error.is_timeout() {
            return Finding::failed(
                format!("{place} took the request and did not answer in time"),
                Whom::Operator,
                format!("{place} takes our connections, but does not answer our requests in time."),
            );
        }
        Finding::failed(
            format!("the connection to {place} broke off: {why}"),
            Whom::Network,
            format!(
                "Connections from the machine where we read data to {place} are broken off ({why}), \
                 as by a firewall that looks into them. Please let them through as they are."
            ),
        )
    }

    /// Whether a request failed before it was sent: what went wrong is the connection's doing.
    pub(super) fn is_of_connection(error: &reqwest::Error) -> bool {
        error.is_connect() || tls_error(error).is_some()
    }
}

fn place(host: &Host<String>, port: u16) -> String {
    format!("{host}:{port}")
}

/// By the rules of the HTTP client itself.
fn proxy(url: &Url) -> Option<(Host<String>, u16)> {
    let target: http::Uri = url.as_str().parse().ok()?;
    let found = Matcher::from_system().intercept(&target)?;
    let uri = found.uri();
    let host = Host::parse(uri.host()?).ok()?;
    let usual = match uri.scheme_str() {
        Some("https") => 443,
        Some(scheme) if scheme.starts_with("socks") => 1080,
        _ => 80,
    };
    Some((host, uri.port_u16().unwrap_or(usual)))
}

async fn resolve(host: &Host<String>, port: u16) -> Result<Vec<SocketAddr>, String> {
    let name = match host {
        Host::Ipv4(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::Ipv6(address) => return Ok(vec![SocketAddr::from((*address, port))]),
        Host::Domain(name) => name.as_str(),
    };
    match timeout(PATIENCE, lookup_host((name, port))).await {
        Ok(Ok(found)) => {
            let found: Vec<SocketAddr> = found.take(ADDRESSES).collect();
            if found.is_empty() {
                Err("it has no address".to_owned())
            } else {
                Ok(found)
            }
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the name servers do not answer".to_owned()),
    }
}

/// What TLS found wrong, however deep it stands.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<rustls::Error>() {
            return Some(found);
        }
        // The source of an IO error is that of the error within, which itself would be passed over.
        if let Some(within) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            && let Some(found) = tls_error(within)
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    super::report::quoted(&last.to_string())
}

fn certificate(place: &str, why: &rustls::Error) -> Finding {
    use rustls::CertificateError as Wrong;

    let rustls::Error::InvalidCertificate(wrong) = why else {
        return Finding::failed(
            format!("TLS with {place} fails: {why}"),
            Whom::Network,
            format!(
                "From the machine where we read data TLS with {place} fails ({why}), as where something in between \
                 speaks instead. Please let the connection through as it is."
            ),
        );
    };
    match wrong {
        Wrong::Expired
        | Wrong::ExpiredContext { .. }
        | Wrong::NotValidYet
        | Wrong::NotValidYetContext { .. } => Finding::failed(
            format!("the certificate of {place} does not hold at this machine's time: {why}"),
            Whom::Operator,
            format!(
                "The certificate of {place} does not hold at the time of our clock ({why}). \
                 If our clock is right, please renew it."
            ),
        ),
        Wrong::NotValidForName | Wrong::NotValidForNameContext { .. } => Finding::failed(
            format!("the certificate of {place} is another name's: {why}"),
            Whom::Operator,
            format!("The certificate that {place} shows us is another name's ({why})."),
        ),
        Wrong::UnknownIssuer => Finding::failed(
            format!("nobody whom this machine trusts has signed the certificate of {place}"),
            Whom::Network,
            format!(
                "The certificate that {place} shows us is signed by nobody whom our machine trusts. If a proxy of ours \
                 looks into connections, its authority has to be known on the machine where we read data; else the \
                 server has to send its whole chain."
            ),
        ),
        _ => Finding::failed(
            format!("the certificate of {place} is not accepted: {why}"),
            Whom::Operator,
            format!("The certificate of {place} is not accepted here ({why})."),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Outcome;
    use super::*;

    fn way(url: &str) -> Way {
        Way {
            proxy: None,
            ..Way::to(&Url::parse(url).unwrap()).unwrap()
        }
    }

    #[tokio::test]
    async fn names_and_addresses() {
        let (found, finding) = way("http://127.0.0.1:7").name().await.ok().unwrap();
        assert_eq!(found, [SocketAddr::from(([127, 0, 0, 1], 7))]);
        assert_eq!(finding, Finding::ok("127.0.0.1 is an address"));
        assert_eq!(way("https://[::1]/x").place(), "[::1]:443");
        let finding = way("https://nobody.invalid/x").name().await.err().unwrap();
        assert_eq!(finding.outcome, Outcome::Failed);
        assert!(finding.detail.contains("nobody.invalid"), "{finding:?}");
    }

    #[tokio::test]
    async fn who_does_not_listen_is_told() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = way(&format!("http://{address}"));
        assert!(way.connect(&[address]).await.is_ok());
        drop(listener);
        let finding = way.connect(&[address]).await.err().unwrap();
        assert!(finding.detail.contains(&address.to_string()), "{finding:?}");
        assert_eq!(finding.send.unwrap().0, Whom::Network);
    }

    #[test]
    fn what_tls_says_is_found_within_io_errors() {
        let wrong = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        let error = io::Error::other(io::Error::other(wrong.clone()));
        assert_eq!(tls_error(&error), Some(&wrong));
        assert_eq!(tls_error(&io::Error::other("else")), None);
        let finding = certificate("data.example:443", &wrong);
        assert!(finding.send.unwrap().1.contains("its authority"));
    }
}
