//! Tickets: what a gateway URL stands for, sealed so that its holder learns nothing of storages and cannot change it, and
//! signed so that whatever is not ours is refused before it is looked at.

use aes_gcm::aead::{Aead as _, Nonce};
use aes_gcm::{Aes256Gcm, Key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac as _};
use http::HeaderValue;
use model::{GrantId, Location, ProductId, QueryId, RecipientId, StorageId, TableId, Timestamp};
use object_store::ObjectMeta;
use object_store::path::Path;
use secrecy::zeroize::Zeroizing;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::adapters::gate::Look;

const NONCE: usize = 12;
/// The layout below. What was sealed in an earlier one is refused: it lives for an hour at most, and its holder queries again.
const LAYOUT: u8 = 3;
/// So many identifiers.
const IDS: usize = 7;

/// One object, for one recipient, until an instant; `look` holds the credential that it was handed out for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) look: Look,
    pub(crate) grant: GrantId,
    pub(crate) product: ProductId,
    pub(crate) table: TableId,
    pub(crate) storage: StorageId,
    pub(crate) recipient: RecipientId,
    pub(crate) query: QueryId,
    pub(crate) expires_at: Timestamp,
    /// The rows that the grant opened when it was made; see [`crate::adapters::gate::still_opens`].
    pub(crate) rows: u64,
    /// Where the recipient is.
    pub(crate) to: Location,
    /// Relative to the storage.
    pub(crate) key: Path,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TicketError {
    #[error("the location's name is too long for a URL")]
    Location,
    #[error("the ticket could not be sealed")]
    Seal,
}

/// Seals, signs and opens. Of the installation's key it keeps three others, one for each use.
pub(super) struct Tickets {
    cipher: Aes256Gcm,
    signing: Zeroizing<[u8; 32]>,
    tagging: Zeroizing<[u8; 32]>,
}

impl Tickets {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        let sealing = Zeroizing::new(mac(key, &[b"entrepot gateway: seal"]));
        Self {
            cipher: <Aes256Gcm as aes_gcm::KeyInit>::new(&Key::<Aes256Gcm>::from(*sealing)),
            signing: Zeroizing::new(mac(key, &[b"entrepot gateway: sign"])),
            tagging: Zeroizing::new(mac(key, &[b"entrepot gateway: tag"])),
        }
    }

    /// The path of the ticket's URL.
    pub(super) fn seal(&self, ticket: &Ticket) -> Result<String, TicketError> {
        let plain = ticket.to_bytes()?;
        // The nonce follows from what is sealed: equal tickets look equal, and different ones never share a nonce.
        let nonce: [u8; NONCE] = first(&mac(&self.signing, &[b"nonce", &plain]));
        let sealed = self
            .cipher
            .encrypt(&Nonce::<Aes256Gcm>::from(nonce), plain.as_slice())
            .map_err(|_| TicketError::Seal)?;
        let text = BASE64.encode([nonce.as_slice(), &sealed].concat());
        Ok(format!("/data/v1/{text}/{}", file_name(&ticket.key)))
    }

    /// Of a path that [`Tickets::seal`] made.
    pub(super) fn sign(&self, path: &str) -> String {
        hex::encode(mac(&self.signing, &[b"path", path.as_bytes()]))
    }

    /// The ticket of a URL; None for whatever is not ours, whole and unchanged. The time it takes does not depend on how
    /// much of the signature is right.
    pub(super) fn open(&self, text: &str, name: &str, signature: Option<&str>) -> Option<Ticket> {
        let mut given = [0_u8; 32];
        hex::decode_to_slice(signature?, &mut given).ok()?;
        let path = format!("/data/v1/{text}/{name}");
        let wanted = mac(&self.signing, &[b"path", path.as_bytes()]);
        if !bool::from(wanted.ct_eq(&given)) {
            return None;
        }
        let bytes = BASE64.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let plain = self
            .cipher
            .decrypt(&Nonce::<Aes256Gcm>::from(nonce), sealed)
            .ok()?;
        Ticket::from_bytes(&plain)
    }

    /// A strong entity tag that says nothing of the store's own.
    pub(super) fn tag(&self, meta: &ObjectMeta) -> HeaderValue {
        let tag = mac(
            &self.tagging,
            &[
                meta.location.as_ref().as_bytes(),
                meta.e_tag.as_deref().unwrap_or_default().as_bytes(),
                &meta.size.to_be_bytes(),
                &meta.last_modified.timestamp_micros().to_be_bytes(),
            ],
        );
        let short: [u8; 16] = first(&tag);
        HeaderValue::try_from(format!("\"{}\"", hex::encode(short)))
            .unwrap_or(HeaderValue::from_static("\"\""))
    }
}

impl Ticket {
    fn to_bytes(&self) -> Result<Vec<u8>, TicketError> {
        let to = self.to.to_string();
        let length = u8::try_from(to.len()).map_err(|_| TicketError::Location)?;
        let (look, token) = match self.look {
            Look::Consumer(token) => (0, token.into()),
            Look::Verification => (1, Uuid::nil()),
        };
        let ids: [Uuid; IDS] = [
            self.grant.into(),
            self.product.into(),
            self.table.into(),
            self.storage.into(),
            self.recipient.into(),
            self.query.into(),
            token,
        ];
        let mut bytes = vec![LAYOUT, look];
        for id in ids {
            bytes.extend_from_slice(id.as_bytes());
        }
        bytes.extend_from_slice(&self.expires_at.micros().to_be_bytes());
        bytes.extend_from_slice(&self.rows.to_be_bytes());
        bytes.push(length);
        bytes.extend_from_slice(to.as_bytes());
        bytes.extend_from_slice(self.key.as_ref().as_bytes());
        Ok(bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&[layout, look], rest) = bytes.split_first_chunk()?;
        if layout != LAYOUT {
            return None;
        }
        let (ids, rest) = rest.split_first_chunk::<{ IDS * 16 }>()?;
        let (ids, _) = ids.as_chunks::<16>();
        let id = |at: usize| ids.get(at).map(|bytes| Uuid::from_bytes(*bytes));
        let look = match (look, id(6)?) {
            (0, token) => Look::Consumer(token.into()),
            (1, none) if none.is_nil() => Look::Verification,
            _ => return None,
        };
        let (expires_at, rest) = rest.split_first_chunk::<8>()?;
        let (rows, rest) = rest.split_first_chunk::<8>()?;
        let (&length, rest) = rest.split_first()?;
        let (to, key) = rest.split_at_checked(usize::from(length))?;
        Some(Self {
            look,
            grant: id(0)?.into(),
            product: id(1)?.into(),
            table: id(2)?.into(),
            storage: id(3)?.into(),
            recipient: id(4)?.into(),
            query: id(5)?.into(),
            expires_at: Timestamp::from_micros(i64::from_be_bytes(*expires_at)),
            rows: u64::from_be_bytes(*rows),
            to: std::str::from_utf8(to).ok()?.parse().ok()?,
            key: Path::parse(std::str::from_utf8(key).ok()?).ok()?,
        })
    }
}

/// HMAC-SHA256 over parts, each with its length before it.
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC fills a short key up with zeros to its block; so filled up, making it cannot fail.
    let mut block = Zeroizing::new([0; 64]);
    block[..key.len()].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new((&*block).into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn first<const N: usize>(bytes: &[u8; 32]) -> [u8; N] {
    std::array::from_fn(|at| bytes[at])
}

/// The end of the key, so that clients see what kind of file it is; only characters that nobody encodes.
fn file_name(key: &Path) -> String {
    let name = key.filename().unwrap_or("file");
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let chars: Vec<char> = name
        .chars()
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let tail: String = chars[chars.len().saturating_sub(100)..].iter().collect();
    // A path that ends in dots would be shortened on its way.
    if tail.trim_matches('.').is_empty() {
        "file".to_owned()
    } else {
        tail
    }
}

#[cfg(test)]
mod tests {
    use model::{Cloud, RecipientTokenId};

    use super::*;

    fn ticket(key: &str) -> Ticket {
        let at = Timestamp::from_micros(1_780_000_000_000_000);
        Ticket {
            look: Look::Consumer(RecipientTokenId::new(at)),
            grant: GrantId::new(at),
            product: ProductId::new(at),
            table: TableId::new(at),
            storage: StorageId::new(at),
            recipient: RecipientId::new(at),
            query: QueryId::new(at),
            expires_at: at,
            rows: 7,
            to: Location::new(Cloud::Azure, "westeurope").unwrap(),
            key: Path::parse(key).unwrap(),
        }
    }

    fn parts(path: &str) -> (&str, &str) {
        path.strip_prefix("/data/v1/")
            .unwrap()
            .split_once('/')
            .unwrap()
    }

    #[test]
    fn tickets_come_back_and_show_nothing() {
        let tickets = Tickets::new(&[7; 32]);
        for key in [
            "secret/folder/part-0.parquet",
            "x=é ü/a#1?.parquet",
            "dots/...",
            &format!("{}.parquet", "long".repeat(60)),
        ] {
            let mut ticket = ticket(key);
            for look in [ticket.look, Look::Verification] {
                ticket.look = look;
                let path = tickets.seal(&ticket).unwrap();
                let (text, name) = parts(&path);
                let signature = tickets.sign(&path);
                assert_eq!(
                    tickets.open(text, name, Some(&signature)),
                    Some(ticket.clone())
                );
                assert_eq!(tickets.seal(&ticket).unwrap(), path);
                // It is a URL as it stands, and no reader of it learns the folder.
                assert_eq!(path.parse::<http::Uri>().unwrap().path(), path);
                assert_eq!(
                    url::Url::parse(&format!("http://h{path}")).unwrap().path(),
                    path
                );
                let plain = BASE64.decode(text).unwrap();
                // Half of the key is too long to be there by chance.
                let part = &key.as_bytes()[..key.len() / 2];
                assert!(part.len() < 6 || !plain.windows(part.len()).any(|seen| seen == part));
            }
        }
    }

    #[test]
    fn what_is_not_ours_does_not_open() {
        let tickets = Tickets::new(&[7; 32]);
        let path = tickets.seal(&ticket("a/part.parquet")).unwrap();
        let (text, name) = parts(&path);
        let signature = tickets.sign(&path);
        for other in [
            "",
            "0",
            &signature[1..],
            &format!("{signature}0"),
            &"0".repeat(64),
        ] {
            assert_eq!(tickets.open(text, name, Some(other)), None, "{other}");
        }
        assert_eq!(tickets.open(text, name, None), None);
        assert_eq!(tickets.open(text, "other.parquet", Some(&signature)), None);
        let swap = |text: &str, at: usize| {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            String::from_utf8(bytes).unwrap()
        };
        for at in 0..text.len() {
            assert_eq!(
                tickets.open(&swap(text, at), name, Some(&signature)),
                None,
                "{at}"
            );
        }
        for at in 0..signature.len() {
            let other = swap(&signature, at);
            assert_eq!(tickets.open(text, name, Some(&other)), None, "{at}");
        }
        assert_eq!(
            Tickets::new(&[8; 32]).open(text, name, Some(&signature)),
            None,
            "another installation's"
        );
        // Signed by us, but no ticket.
        for text in ["", "AAAA", &BASE64.encode([0; 64])] {
            let path = format!("/data/v1/{text}/x");
            assert_eq!(tickets.open(text, "x", Some(&tickets.sign(&path))), None);
        }
    }

    #[test]
    fn torn_layouts_are_no_tickets() {
        let whole = ticket("a/part.parquet").to_bytes().unwrap();
        assert!(Ticket::from_bytes(&whole).is_some());
        // Up to the location; from there on less is only a shorter key.
        for length in 0..2 + IDS * 16 + 16 + 1 + "azure:westeurope".len() {
            assert_eq!(Ticket::from_bytes(&whole[..length]), None, "{length}");
        }
        // An earlier layout, no look that there is, and one of ours with a credential.
        for (at, value) in [(0, 1), (1, 2), (1, 1)] {
            let mut other = whole.clone();
            other[at] = value;
            assert_eq!(Ticket::from_bytes(&other), None);
        }
    }
}
