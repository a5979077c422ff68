//! The root URL of a storage. Parsed by hand and strictly: `url::Url` would quietly turn `a/../b` into `b`, and what
//! two people write differently must not name the same place twice (C-24).

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use object_store::path::Path;
use serde::{Deserialize, Serialize};
use url::Url;

/// Where a storage's tables lie. The prefix has no leading and no trailing `/` and may be empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StorageUrl {
    S3 {
        bucket: String,
        prefix: String,
    },
    Azure {
        account: String,
        container: String,
        prefix: String,
    },
    Gcs {
        bucket: String,
        prefix: String,
    },
    File {
        root: PathBuf,
    },
    /// What a Delta Sharing server shares with the recipient whose profile is the credential: read, and never written.
    Share {
        /// `host`, or `host:port` where that is not 443, in lower case.
        authority: String,
        prefix: String,
    },
}

/// The host that ADLS Gen2 URLs carry after the account's name.
const AZURE_HOST: &str = ".dfs.core.windows.net";
/// Longest key a cloud store takes, in bytes.
const MAX_PREFIX: usize = 1024;

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum UrlError {
    #[error(
        "not a storage: write s3://bucket/prefix, abfss://container@account.dfs.core.windows.net/prefix, \
         gs://bucket/prefix, file:///folder, or share://host/path for a Delta Share"
    )]
    Scheme,
    #[error(
        "not a bucket or container: 3 to 63 of a-z, 0-9, `-` and `.`, beginning and ending with a letter or digit"
    )]
    Bucket,
    #[error("not an Azure place: write abfss://container@account.dfs.core.windows.net/prefix")]
    Azure,
    #[error(
        "not a Delta Sharing server: write share://host/path, or share://host:port/path, as the profile's endpoint has it"
    )]
    Share,
    #[error(
        "the path in the URL is not plain: no `.`, `..` or empty parts, no backslash, `%`, `?`, `#`, `*` or invisible \
         characters, and at most 1024 bytes"
    )]
    Path,
    #[error(
        "a file storage needs a folder of its own: write file:///folder/below, with three slashes"
    )]
    File,
}

impl StorageUrl {
    /// Takes `s3://`, `s3a://` (which becomes `s3://`), `abfss://`, `gs://`, `file:///` and `share://`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::Scheme)?;
        match scheme {
            "s3" | "s3a" => {
                let (bucket, prefix) = split(rest)?;
                Ok(Self::S3 {
                    bucket: bucket_name(bucket)?,
                    prefix,
                })
            }
            "gs" => {
                let (bucket, prefix) = split(rest)?;
                Ok(Self::Gcs {
                    bucket: bucket_name(bucket)?,
                    prefix,
                })
            }
            "abfss" => {
                let (authority, prefix) = split(rest)?;
                let (container, host) = authority.split_once('@').ok_or(UrlError::Azure)?;
                let account = host.strip_suffix(AZURE_HOST).ok_or(UrlError::Azure)?;
                let account_fits = (3..=24).contains(&account.len())
                    && account
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
                if !account_fits || container.contains('.') {
                    return Err(UrlError::Azure);
                }
                let container = bucket_name(container)?;
                Ok(Self::Azure {
                    account: account.to_owned(),
                    container,
                    prefix,
                })
            }
            "file" => {
                let path = rest.strip_prefix('/').ok_or(UrlError::File)?;
                let path = plain_prefix(path)?;
                if path.is_empty() {
                    return Err(UrlError::File);
                }
                Ok(Self::File {
                    root: PathBuf::from(format!("/{path}")),
                })
            }
            "share" => {
                let (authority, prefix) = split(rest)?;
                let url = Url::parse(&format!("https://{authority}/"));
                let url = url.map_err(|_| UrlError::Share)?;
                let is_plain = url.path() == "/"
                    && url.username().is_empty()
                    && url.password().is_none()
                    && url.query().is_none()
                    && url.fragment().is_none();
                let authority = authority_of(&url).filter(|_| is_plain);
                Ok(Self::Share {
                    authority: authority.ok_or(UrlError::Share)?,
                    prefix,
                })
            }
            _ => Err(UrlError::Scheme),
        }
    }

    /// The storage that a profile of this endpoint opens.
    pub fn of_profile(endpoint: &Url) -> Result<Self, UrlError> {
        if !matches!(endpoint.scheme(), "https" | "http") {
            return Err(UrlError::Share);
        }
        Ok(Self::Share {
            authority: authority_of(endpoint).ok_or(UrlError::Share)?,
            prefix: plain_prefix(endpoint.path().trim_start_matches('/'))?,
        })
    }

    /// Whether nothing can ever be written here.
    pub const fn is_share(&self) -> bool {
        matches!(self, Self::Share { .. })
    }

    /// Whether one is the other, contains it, or lies under it. Endpoints are not looked at: two stores that hold a
    /// bucket of the same name count as one, which errs on the safe side.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::S3 {
                    bucket: a,
                    prefix: p,
                },
                Self::S3 {
                    bucket: b,
                    prefix: q,
                },
            )
            | (
                Self::Gcs {
                    bucket: a,
                    prefix: p,
                },
                Self::Gcs {
                    bucket: b,
                    prefix: q,
                },
            ) => a == b && nested(p, q),
            (
                Self::Azure {
                    account: a,
                    container: c,
                    prefix: p,
                },
                Self::Azure {
                    account: b,
                    container: d,
                    prefix: q,
                },
            ) => a == b && c == d && nested(p, q),
            (
                Self::Share {
                    authority: a,
                    prefix: p,
                },
                Self::Share {
                    authority: b,
                    prefix: q,
                },
            ) => a == b && nested(p, q),
            (Self::File { root: a }, Self::File { root: b }) => {
                a.starts_with(b) || b.starts_with(a)
            }
            _ => false,
        }
    }

    pub const fn scheme(&self) -> &'static str {
        match self {
            Self::S3 { .. } => "s3",
            Self::Azure { .. } => "abfss",
            Self::Gcs { .. } => "gs",
            Self::File { .. } => "file",
            Self::Share { .. } => "share",
        }
    }

    /// How writers may spell the absolute URL of a folder below the root, each with the slash at its end.
    pub fn spellings(&self, folder: &Path) -> Vec<String> {
        let canonical = match folder.as_ref() {
            "" => format!("{self}/"),
            folder => format!("{self}/{folder}/"),
        };
        let others: &[&str] = match self {
            Self::S3 { .. } => &["s3a://", "s3n://"],
            Self::Azure { .. } => &["abfs://"],
            Self::Gcs { .. } | Self::Share { .. } => &[],
            Self::File { .. } => &["file:", ""],
        };
        let rest = canonical.split_once("://").map_or("", |(_, rest)| rest);
        let mut all: Vec<String> = others
            .iter()
            .map(|begin| format!("{begin}{rest}"))
            .collect();
        all.push(canonical);
        all
    }

    /// The storage's root as a key of its bucket or container; empty for `file:` and for shares, whose keys begin with the name of a share.
    pub(crate) fn prefix(&self) -> Path {
        let prefix = match self {
            Self::S3 { prefix, .. } | Self::Azure { prefix, .. } | Self::Gcs { prefix, .. } => {
                prefix.as_str()
            }
            Self::File { .. } | Self::Share { .. } => "",
        };
        // `plain_prefix` has refused whatever Path refuses.
        Path::parse(prefix).unwrap_or_default()
    }
}

/// `host`, or `host:port` where that is not 443, as it is written once parsed.
fn authority_of(url: &Url) -> Option<String> {
    let host = url.host_str().filter(|host| !host.is_empty())?;
    match url.port_or_known_default()? {
        443 => Some(host.to_owned()),
        port => Some(format!("{host}:{port}")),
    }
}

fn split(rest: &str) -> Result<(&str, String), UrlError> {
    let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((authority, plain_prefix(prefix)?))
}

fn plain_prefix(text: &str) -> Result<String, UrlError> {
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.is_empty() {
        return Ok(String::new());
    }
    if text.len() > MAX_PREFIX
        || !text.split('/').all(is_plain_segment)
        || text.contains(['%', '?', '#', '*'])
    {
        return Err(UrlError::Path);
    }
    Ok(text.to_owned())
}

/// One part of a path that people or rows give: no walking up, nothing invisible.
pub(crate) fn is_plain_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && segment.trim() == segment
        && segment.len() <= 255
        && !segment
            .chars()
            .any(|c| c == '\\' || c == '/' || c.is_control() || is_format(c))
}

/// Characters that cannot be seen and change how text reads (Unicode's category Cf, and the byte-order mark).
const fn is_format(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

fn bucket_name(text: &str) -> Result<String, UrlError> {
    let bytes = text.as_bytes();
    let fits = (3..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
        && bytes[0].is_ascii_alphanumeric()
        && bytes[bytes.len() - 1].is_ascii_alphanumeric()
        && !text.contains("..");
    if fits {
        Ok(text.to_owned())
    } else {
        Err(UrlError::Bucket)
    }
}

/// Compares on the boundary of a part: `t` contains `t/a`, not `t2`.
fn nested(a: &str, b: &str) -> bool {
    let under = |inner: &str, outer: &str| {
        outer.is_empty()
            || inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    under(a, b) || under(b, a)
}

impl fmt::Display for StorageUrl {
    /// Canonical, without a trailing `/`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self {
            Self::S3 { bucket, prefix } => {
                write!(f, "s3://{bucket}")?;
                prefix
            }
            Self::Gcs { bucket, prefix } => {
                write!(f, "gs://{bucket}")?;
                prefix
            }
            Self::Azure {
                account,
                container,
                prefix,
            } => {
                write!(f, "abfss://{container}@{account}{AZURE_HOST}")?;
                prefix
            }
            Self::File { root } => return write!(f, "file://{}", root.display()),
            Self::Share { authority, prefix } => {
                write!(f, "share://{authority}")?;
                prefix
            }
        };
        if prefix.is_empty() {
            Ok(())
        } else {
            write!(f, "/{prefix}")
        }
    }
}

impl FromStr for StorageUrl {
    type Err = UrlError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for StorageUrl {
    type Error = UrlError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<StorageUrl> for String {
    fn from(url: StorageUrl) -> Self {
        url.to_string()
    }
}

#[cfg(test)]
mod tests;
