//! What the operator allows: folders for `file:` storages and hosts for endpoints (C-17, C-21). Nothing is allowed
//! by default but the clouds' own public endpoints.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Component, Path, PathBuf};

use url::{Host, Url};

use crate::StorageError;

/// From the configuration; never from a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Folders beneath which `file:` storages may lie; none: no `file:` storages.
    pub file_roots: Vec<PathBuf>,
    /// `host:port`, `host` (any port) or `*.suffix` (any host below it, any port). Addresses in private, loopback,
    /// link-local and metadata ranges, and plain `http`, are taken only where the host itself is listed.
    pub endpoints: Vec<String>,
    /// Requests in flight per storage.
    pub parallel_requests: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_roots: Vec::new(),
            endpoints: Vec::new(),
            parallel_requests: 32,
        }
    }
}

/// How far one may trust where a name leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// The operator has listed this host: it may be anywhere, and speak plain `http`.
    Listed,
    /// A cloud's own endpoint: private links are usual, the machine itself and its metadata service are not.
    Cloud,
    /// Below a listed suffix: public addresses only.
    Suffix,
    Refused,
}

/// The endpoint list, parsed.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints(Vec<Entry>);

#[derive(Clone, Debug)]
enum Entry {
    Exact { host: String, port: Option<u16> },
    Suffix { suffix: String, port: Option<u16> },
}

impl Endpoints {
    pub(crate) fn new(entries: &[String]) -> Self {
        let parsed = entries.iter().filter_map(|entry| {
            let parsed = Entry::parse(entry);
            if parsed.is_none() {
                tracing::warn!(entry, "an entry of the endpoint allow-list is not host:port, host or *.suffix and allows nothing");
            }
            parsed
        });
        Self(parsed.collect())
    }

    /// Whether this endpoint may be used; looks nothing up.
    pub(crate) fn check(&self, endpoint: &Url) -> Result<(), StorageError> {
        let refuse = |why: &str| {
            Err(StorageError::NotAllowed {
                what: format!("the endpoint {}", shown(endpoint)),
                why: why.to_owned(),
            })
        };
        if !matches!(endpoint.scheme(), "https" | "http") {
            return refuse("an endpoint begins with https://");
        }
        if !endpoint.username().is_empty() || endpoint.password().is_some() {
            return refuse(
                "an endpoint holds no user name and no password; give them as the storage's credential",
            );
        }
        if endpoint.query().is_some() || endpoint.fragment().is_some() {
            return refuse("an endpoint is a host and a port, without `?` and `#`");
        }
        let Some(host) = endpoint.host() else {
            return refuse("it names no host");
        };
        let name = host.to_string();
        if name.ends_with('.')
            || name.contains(|c: char| !(c.is_ascii_alphanumeric() || "-._:[]".contains(c)))
        {
            return refuse("its host is not written plainly");
        }
        match self.trust(&host.to_owned(), endpoint.port_or_known_default()) {
            Trust::Listed => Ok(()),
            Trust::Suffix | Trust::Cloud if endpoint.scheme() == "http" => refuse(
                "plain http is taken only where the host itself stands on the endpoint allow-list; use https",
            ),
            Trust::Suffix => Ok(()),
            Trust::Cloud | Trust::Refused => refuse(
                "its host is not on the endpoint allow-list; ask the operator to add it to `storage.endpoints`",
            ),
        }
    }

    /// Whether a URL may be asked that another's server hands out to read a file by: a store at a cloud's own address, or a host that
    /// the operator lists. Plain `http` only where the host itself is listed.
    pub(crate) fn check_handed_out(&self, url: &Url) -> Result<(), StorageError> {
        let refuse = |why: &str| {
            Err(StorageError::NotAllowed {
                what: format!("the address {} that a share's server hands out", shown(url)),
                why: why.to_owned(),
            })
        };
        let Some(host) = url.host() else {
            return refuse("it names no host");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("it holds a user name or a password");
        }
        match (
            self.trust(&host.to_owned(), url.port_or_known_default()),
            url.scheme(),
        ) {
            (Trust::Listed, "http" | "https") | (Trust::Suffix | Trust::Cloud, "https") => Ok(()),
            (Trust::Suffix | Trust::Cloud, _) => refuse("it is not https"),
            _ => refuse(
                "its host is neither a cloud's own store nor on the endpoint allow-list; if files of this provider do lie there, ask the \
                 operator to add it to `storage.endpoints`",
            ),
        }
    }

    fn trust(&self, host: &Host<String>, port: Option<u16>) -> Trust {
        let name = host.to_string();
        let port_fits =
            |wanted: &Option<u16>| wanted.is_none() || *wanted == port || port.is_none();
        if self.0.iter().any(|entry| matches!(entry, Entry::Exact { host, port } if *host == name && port_fits(port))) {
            return Trust::Listed;
        }
        // A suffix is about names: an address has none.
        let Host::Domain(_) = host else {
            return Trust::Refused;
        };
        let below = |suffix: &str| {
            name.strip_suffix(suffix)
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        };
        if self.0.iter().any(|entry| matches!(entry, Entry::Suffix { suffix, port } if below(suffix) && port_fits(port))) {
            return Trust::Suffix;
        }
        if is_cloud_endpoint(&name) {
            Trust::Cloud
        } else {
            Trust::Refused
        }
    }

    /// Whether a connection to `address` may be made for the name `host`. Asked at the moment of connecting, so that a
    /// name that changes its address after it was checked gains nothing.
    pub(crate) fn may_connect(&self, host: &str, address: IpAddr) -> bool {
        let Ok(parsed) = Host::parse(host) else {
            return false;
        };
        let of_a_cloud = || is_public(address) || is_private_network(address);
        match self.trust(&parsed, None) {
            Trust::Listed => true,
            Trust::Cloud => of_a_cloud(),
            Trust::Suffix => is_public(address),
            Trust::Refused => is_token_service(&parsed.to_string()) && of_a_cloud(),
        }
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        // `host:port`, but not the colons inside of `[::1]`.
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
            _ => (text.as_str(), None),
        };
        if let Some(suffix) = host.strip_prefix("*.") {
            let plain = !suffix.is_empty() && !suffix.contains('*') && !suffix.starts_with('.');
            return plain.then(|| Self::Suffix {
                suffix: suffix.to_owned(),
                port,
            });
        }
        let host = Host::parse(host).ok()?.to_string();
        Some(Self::Exact { host, port })
    }
}

/// `s3.REGION`, and the older `s3` and `s3-REGION`, which signed addresses of the first region and of old clients still have; with the
/// name of a bucket before it or without.
fn is_s3(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    name.starts_with("s3.") || name.contains(".s3.") || last == "s3" || last.starts_with("s3-")
}

/// The endpoints that are used where a storage names none.
fn is_cloud_endpoint(name: &str) -> bool {
    let aws = name.strip_suffix(".amazonaws.com").is_some_and(is_s3);
    // The second is where shares on Azure hand out addresses at; nobody can name it as an endpoint.
    let azure = [".blob.core.windows.net", ".dfs.core.windows.net"];
    aws || name == "storage.googleapis.com" || azure.iter().any(|end| name.ends_with(end))
}

/// Where clouds give tokens and temporary credentials. Nobody can name one as an endpoint; it is asked for what a storage's credential
/// says.
fn is_token_service(name: &str) -> bool {
    let sts = name
        .strip_prefix("sts.")
        .and_then(|rest| rest.strip_suffix(".amazonaws.com"))
        .is_some_and(|region| !region.is_empty() && !region.contains('.'));
    let others = [
        "oauth2.googleapis.com",
        "sts.googleapis.com",
        "login.microsoftonline.com",
    ];
    sts || others.contains(&name)
}

/// An endpoint as it may be shown in a message: without user name, password, path and query.
fn shown(endpoint: &Url) -> String {
    let host = endpoint.host_str().unwrap_or("?");
    match endpoint.port() {
        Some(port) => format!("{}://{host}:{port}", endpoint.scheme()),
        None => format!("{}://{host}", endpoint.scheme()),
    }
}

/// A network of one's own (RFC 1918, RFC 4193), where private links to a cloud lead. Not a cloud's metadata service.
pub fn is_private_network(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.is_private(),
            None => {
                v6.is_unique_local() && v6 != Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
            }
        },
    }
}

/// An address of the public internet, whichever way it is written.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(v4: Ipv4Addr) -> bool {
    let [a, b, c, _] = v4.octets();
    !(v4.is_private()
        || v4.is_loopback()
        || v4.is_link_local()
        || v4.is_unspecified()
        || v4.is_broadcast()
        || v4.is_multicast()
        || v4.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19))
        // Azure's wire server, which hands out a machine's certificates.
        || v4 == Ipv4Addr::new(168, 63, 129, 16))
}

fn is_public_v6(v6: Ipv6Addr) -> bool {
    let s = v6.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // IPv4-mapped, IPv4-compatible and NAT64 addresses are what is in their last 32 bits, 6to4 in its second.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            embedded(high, low)
        }
        [0, 0, 0, 0, 0, 0, ..] => false,
        [0x2002, high, low, ..] => embedded(high, low),
        [0x2001, 0, ..] | [0x2001, 0xdb8, ..] | [0x64, 0xff9b, 1, ..] | [0x100, 0, 0, 0, ..] => {
            false
        }
        // Global unicast is 2000::/3.
        _ => s[0] & 0xe000 == 0x2000,
    }
}

/// Where a `file:` storage lies: the allowed root and the parts below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rooted {
    pub(crate) anchor: PathBuf,
    pub(crate) parts: Vec<String>,
}

/// The allowed folders, each as written and as it is after following its own links.
#[derive(Clone, Debug)]
pub(crate) struct FileRoots(Vec<(PathBuf, PathBuf)>);

impl FileRoots {
    pub(crate) fn new(roots: &[PathBuf]) -> Self {
        let usable = roots.iter().filter(|root| {
            if !root.is_absolute() {
                tracing::warn!(root = %root.display(), "a folder of the file allow-list is not absolute and allows nothing");
            }
            root.is_absolute()
        });
        Self(
            usable
                .map(|root| {
                    (
                        root.clone(),
                        root.canonicalize().unwrap_or_else(|_| root.clone()),
                    )
                })
                .collect(),
        )
    }

    /// Finds the allowed root that `root` lies in, looking at the names only; links below it are refused on opening.
    pub(crate) fn locate(&self, root: &Path) -> Result<Rooted, StorageError> {
        let refuse = |why: &str| {
            Err(StorageError::NotAllowed {
                what: format!("the folder {}", root.display()),
                why: why.to_owned(),
            })
        };
        if self.0.is_empty() {
            return refuse(
                "file storages are switched off; the operator allows folders in `storage.file_roots`",
            );
        }
        for (written, canonical) in &self.0 {
            let Ok(below) = root
                .strip_prefix(written)
                .or_else(|_| root.strip_prefix(canonical))
            else {
                continue;
            };
            let parts = below.components().map(|part| match part {
                Component::Normal(name) => name.to_str().map(str::to_owned),
                _ => None,
            });
            return match parts.collect() {
                Some(parts) => Ok(Rooted {
                    anchor: canonical.clone(),
                    parts,
                }),
                None => refuse("its path is not plain"),
            };
        }
        refuse("it lies in none of the folders that the operator allows in `storage.file_roots`")
    }
}

#[cfg(test)]
mod tests;
