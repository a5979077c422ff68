//! `[mail]` and `[webhook]`: how people and one other system are told what happened. Absent is not configured.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use lettre::message::Mailbox;
use secrecy::SecretString;
use serde::Deserialize;
use url::{Host, Url};

use super::scanning::RawScanning;
use super::{ConfigError, wrong};

/// The shortest key that signatures are made with; bytes.
const KEY_MIN: usize = 24;
/// Who gets more mails than that in an hour reads none of them.
const PER_HOUR: i64 = 20;

/// A secret of the file; it is not shown with the rest.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct Hidden(String);

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawMail {
    server: Option<String>,
    port: Option<u16>,
    tls: Option<String>,
    allow_plain: bool,
    ca_file: Option<PathBuf>,
    user: Option<String>,
    password: Option<Hidden>,
    password_file: Option<PathBuf>,
    from: Option<String>,
    reply_to: Option<String>,
    per_hour: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawWebhook {
    url: Option<String>,
    secret: Option<Hidden>,
    secret_file: Option<PathBuf>,
    allow_private: bool,
}

/// The server that takes mail.
#[derive(Clone, Debug)]
pub struct MailSettings {
    pub server: String,
    pub port: u16,
    pub tls: MailTls,
    /// PEM of further authorities that the server's certificate may be of.
    pub authorities: Option<Vec<u8>>,
    /// Name and password.
    pub credentials: Option<(String, SecretString)>,
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    /// So many mails a person gets in an hour by themselves; what is more comes as one.
    pub per_hour: i64,
}

/// How the way to the mail server is kept to oneself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// Begins in the clear and turns to TLS before anything is said; where the server will not, nothing is sent.
    StartTls,
    /// TLS from the first byte.
    Implicit,
    /// In the clear.
    None,
}

/// The one system that is told every event.
#[derive(Clone)]
pub struct WebhookSettings {
    pub url: Url,
    /// What signatures are made with.
    pub key: Vec<u8>,
    /// Whether it may lead into a network of one's own.
    pub allow_private: bool,
}

impl fmt::Debug for WebhookSettings {
    /// A receiver's address may hold a secret, too.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WebhookSettings");
        shown
            .field("host", &self.url.host_str())
            .finish_non_exhaustive()
    }
}

/// Secrets of the environment, taken out before what is left is parsed: a password of digits is no number.
#[derive(Default)]
pub(super) struct Secrets {
    password: Option<Hidden>,
    webhook: Option<Hidden>,
    scanning: Option<Hidden>,
}

impl Secrets {
    pub(super) fn take(environment: &mut HashMap<String, String>) -> Self {
        let mut take = |wanted: &str| {
            let name = environment
                .keys()
                .find(|name| name.eq_ignore_ascii_case(wanted))
                .cloned()?;
            environment.remove(&name).map(Hidden)
        };
        Self {
            password: take("ENTREPOT__MAIL__PASSWORD"),
            webhook: take("ENTREPOT__WEBHOOK__SECRET"),
            scanning: take("ENTREPOT__SCANNING__SECRET"),
        }
    }

    pub(super) fn into_raw(
        self,
        mail: &mut RawMail,
        webhook: &mut RawWebhook,
        scanning: &mut RawScanning,
    ) {
        if self.scanning.is_some() {
            scanning.secret = self.scanning;
        }
        if self.password.is_some() {
            mail.password = self.password;
        }
        if self.webhook.is_some() {
            webhook.secret = self.webhook;
        }
    }
}

pub(super) fn mail(raw: RawMail) -> Result<Option<MailSettings>, ConfigError> {
    let is_said = raw.from.is_some()
        || raw.user.is_some()
        || raw.password.is_some()
        || raw.password_file.is_some();
    let Some(server) = raw.server else {
        return if is_said {
            Err(wrong("mail.server", "say which server takes the mail"))
        } else {
            Ok(None)
        };
    };
    let host = Host::parse(&server).map_err(|_| {
        wrong(
            "mail.server",
            "give a host's name or address; the port stands in mail.port",
        )
    })?;
    let tls = match raw.tls.as_deref() {
        None | Some("starttls") => MailTls::StartTls,
        Some("implicit") => MailTls::Implicit,
        Some("none") if is_loopback(&host) || raw.allow_plain => MailTls::None,
        Some("none") => {
            return Err(wrong(
                "mail.tls",
                "without TLS mail and password can be read on the way: use starttls or implicit, or set mail.allow_plain = true",
            ));
        }
        Some(_) => return Err(wrong("mail.tls", "starttls, implicit or none")),
    };
    let from = raw.from.as_deref().ok_or_else(|| {
        wrong(
            "mail.from",
            "say whom mail comes from: `Entrepôt <entrepot@example.org>`",
        )
    })?;
    let password = secret(
        ("mail.password", raw.password),
        ("mail.password_file", raw.password_file.as_deref()),
    )?;
    let credentials = match (raw.user, password) {
        (Some(user), Some(password)) => Some((user, SecretString::from(password))),
        (None, None) => None,
        (Some(_), None) => {
            return Err(wrong(
                "mail.password",
                "a user needs a password: in mail.password_file or ENTREPOT__MAIL__PASSWORD",
            ));
        }
        (None, Some(_)) => return Err(wrong("mail.user", "a password needs a user")),
    };
    let authorities = match &raw.ca_file {
        Some(file) => Some(std::fs::read(file).map_err(|error| wrong("mail.ca_file", error))?),
        None => None,
    };
    let per_hour = raw.per_hour.unwrap_or(PER_HOUR);
    if !(1..=1_000).contains(&per_hour) {
        return Err(wrong("mail.per_hour", "from 1 to 1000"));
    }
    let port = raw.port.unwrap_or(match tls {
        MailTls::StartTls => 587,
        MailTls::Implicit => 465,
        MailTls::None => 25,
    });
    Ok(Some(MailSettings {
        server,
        port,
        tls,
        authorities,
        credentials,
        from: mailbox("mail.from", from)?,
        reply_to: raw
            .reply_to
            .as_deref()
            .map(|text| mailbox("mail.reply_to", text))
            .transpose()?,
        per_hour,
    }))
}

pub(super) fn webhook(raw: RawWebhook) -> Result<Option<WebhookSettings>, ConfigError> {
    const KEY: &str = "webhook.url";
    let secret = secret(
        ("webhook.secret", raw.secret),
        ("webhook.secret_file", raw.secret_file.as_deref()),
    )?;
    let Some(url) = raw.url else {
        return if secret.is_some() {
            Err(wrong(KEY, "say where events are sent to"))
        } else {
            Ok(None)
        };
    };
    // What is wrong is said without the address, which may hold a secret.
    let url = Url::parse(&url).map_err(|error| wrong(KEY, error))?;
    let host = url
        .host()
        .map(|host| host.to_owned())
        .ok_or_else(|| wrong(KEY, "names no host"))?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&host) => {}
        "http" => return Err(wrong(KEY, "must be https unless it is on loopback")),
        _ => return Err(wrong(KEY, "must begin with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(wrong(KEY, "holds no user name, no password and no `#`"));
    }
    let address: Option<IpAddr> = match host {
        Host::Ipv4(address) => Some(address.into()),
        Host::Ipv6(address) => Some(address.into()),
        Host::Domain(_) => None,
    };
    let allow_private = raw.allow_private;
    let is_reached = |address: IpAddr| {
        storage::is_public(address) || (allow_private && storage::is_private_network(address))
    };
    if !is_loopback(&host) && address.is_some_and(|address| !is_reached(address)) {
        let why = if allow_private {
            "is neither a public address nor one of a private network"
        } else {
            "is no public address; set webhook.allow_private = true if one of a private network is meant"
        };
        return Err(wrong(KEY, why));
    }
    let secret = secret.ok_or_else(|| {
        wrong(
            "webhook.secret",
            "events are signed: give a secret in webhook.secret_file or ENTREPOT__WEBHOOK__SECRET",
        )
    })?;
    let key = match secret.strip_prefix("whsec_") {
        Some(encoded) => base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .map_err(|_| wrong("webhook.secret", "what follows whsec_ is not base64"))?,
        None => secret.into_bytes(),
    };
    if key.len() < KEY_MIN {
        return Err(wrong(
            "webhook.secret",
            format!(
                "at least {KEY_MIN} bytes; make one with: echo whsec_$(openssl rand -base64 32)"
            ),
        ));
    }
    Ok(Some(WebhookSettings {
        url,
        key,
        allow_private,
    }))
}

/// As it stands, or the first line of the file.
pub(super) fn secret(
    (key, said): (&'static str, Option<Hidden>),
    (file_key, file): (&'static str, Option<&Path>),
) -> Result<Option<String>, ConfigError> {
    let found = match (said, file) {
        (Some(_), Some(_)) => return Err(wrong(file_key, format!("give either this or {key}"))),
        (Some(Hidden(secret)), None) => secret,
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|error| wrong(file_key, error))?;
            text.lines().next().unwrap_or_default().to_owned()
        }
        (None, None) => return Ok(None),
    };
    if found.is_empty() {
        return Err(wrong(key, "is empty"));
    }
    Ok(Some(found))
}

fn mailbox(key: &'static str, text: &str) -> Result<Mailbox, ConfigError> {
    text.parse().map_err(|_| {
        wrong(
            key,
            "not an address: use entrepot@example.org or `Entrepôt <entrepot@example.org>`",
        )
    })
}

pub(crate) fn is_loopback(host: &Host<String>) -> bool {
    match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}
