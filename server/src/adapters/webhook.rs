//! The port `Webhook`: events as signed POSTs, after the Standard Webhooks specification, so that receivers find a library that
//! checks them.
//!
//! `webhook-id` is the event's, `webhook-timestamp` the second of this attempt, `webhook-signature` is `v1,` and the base64 of
//! HMAC-SHA256 over `id.timestamp.body`. Redirects are not followed, proxies of the environment are not taken, and the
//! address that is connected to is judged, not the name: private ones only where the configuration says so.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use exchange::ports::{Undelivered, Webhook};
use hmac::{Hmac, KeyInit as _, Mac as _};
use model::{Clock, NoticeId};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sha2::Sha256;
use url::Url;

use super::clock::SystemClock;
use crate::config::{WebhookSettings, is_loopback};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(15);

pub struct SignedWebhook {
    http: reqwest::Client,
    url: Url,
    key: Vec<u8>,
    clock: Arc<dyn Clock>,
}

impl SignedWebhook {
    pub fn new(settings: &WebhookSettings) -> Result<Self, reqwest::Error> {
        Self::at(settings, Arc::new(SystemClock))
    }

    /// The same by another clock: signatures name the wall's time, for receivers compare it with theirs.
    pub fn at(settings: &WebhookSettings, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        let is_loopback = settings
            .url
            .host()
            .is_some_and(|host| is_loopback(&host.to_owned()));
        let resolver = Resolver {
            reach: match (is_loopback, settings.allow_private) {
                (true, _) => Reach::Loopback,
                (false, true) => Reach::Private,
                (false, false) => Reach::Public,
            },
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("entrepot/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .https_only(settings.url.scheme() == "https")
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .dns_resolver(Arc::new(resolver))
            .build()?;
        Ok(Self {
            http,
            url: settings.url.clone(),
            key: settings.key.clone(),
            clock,
        })
    }

    fn signature(&self, id: NoticeId, seconds: i64, body: &str) -> Result<String, Undelivered> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key)
            .map_err(|_| Undelivered::permanent("the webhook's secret makes no key"))?;
        mac.update(format!("{id}.{seconds}.{body}").as_bytes());
        let made = mac.finalize().into_bytes();
        let encoded = base64::engine::general_purpose::STANDARD.encode(made);
        Ok(format!("v1,{encoded}"))
    }
}

#[async_trait]
impl Webhook for SignedWebhook {
    async fn post(&self, id: NoticeId, body: &str) -> Result<(), Undelivered> {
        let seconds = self.clock.now().micros().div_euclid(model::time::SECOND);
        let signature = self.signature(id, seconds, body)?;
        let answer = self
            .http
            .post(self.url.clone())
            .header("content-type", "application/json")
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(body.to_owned())
            .send()
            .await
            // Its address may hold a secret.
            .map_err(|error| {
                Undelivered::passing(format!("the webhook was not reached: {}", said(error)))
            })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let why = if status.is_redirection() {
            "; redirects are not followed, so write the address that it leads to into webhook.url"
        } else {
            ""
        };
        Err(Undelivered::passing(format!(
            "the webhook answered {status}{why}"
        )))
    }
}

/// What went wrong down to its cause, without the address.
fn said(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// Which addresses the webhook's name may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Loopback,
    Public,
    Private,
}

impl Reach {
    fn allows(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Self::Loopback => address.is_loopback(),
            Self::Public => storage::is_public(address),
            // Never the machine itself, nor a cloud's metadata service.
            Self::Private => storage::is_public(address) || storage::is_private_network(address),
        }
    }
}

struct Resolver {
    reach: Reach,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        let host = name.as_str().to_owned();
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> =
                found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() {
                let why = "its name leads to no address that may be connected to; private ones are taken only with \
                           webhook.allow_private = true";
                return Err(why.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_judged_and_not_the_name() {
        for (reach, address, allowed) in [
            (Reach::Public, "8.8.8.8", true),
            (Reach::Public, "10.0.0.5", false),
            (Reach::Public, "127.0.0.1", false),
            (Reach::Public, "169.254.169.254", false),
            (Reach::Public, "::ffff:10.0.0.5", false),
            (Reach::Private, "10.0.0.5", true),
            (Reach::Private, "8.8.8.8", true),
            (Reach::Private, "169.254.169.254", false),
            (Reach::Private, "::ffff:169.254.169.254", false),
            (Reach::Private, "127.0.0.1", false),
            (Reach::Private, "fe80::1", false),
            (Reach::Private, "fd12::1", true),
            (Reach::Private, "fd00:ec2::254", false),
            (Reach::Private, "168.63.129.16", false),
            (Reach::Private, "64:ff9b::a9fe:a9fe", false),
            (Reach::Loopback, "127.0.0.1", true),
            (Reach::Loopback, "::1", true),
            (Reach::Loopback, "8.8.8.8", false),
        ] {
            assert_eq!(
                reach.allows(address.parse().unwrap()),
                allowed,
                "{reach:?} {address}"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_connected_to() {
        let resolver = Resolver {
            reach: Reach::Public,
        };
        let refused = resolver.resolve("localhost".parse().unwrap()).await;
        let Err(error) = refused else {
            panic!("localhost was let through")
        };
        assert!(error.to_string().contains("allow_private"), "{error}");
    }
}
