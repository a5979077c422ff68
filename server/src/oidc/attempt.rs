//! One way to the provider and back, kept by the browser in a cookie that it cannot read: state, nonce and PKCE verifier, for ten
//! minutes. A cookie for each way, so that two tabs do not disturb each other. That a way is gone once is the database's to know.

use aes_gcm::aead::{Aead as _, KeyInit as _, Nonce, Payload};
use aes_gcm::{Aes256Gcm, Key};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Error;
use exchange::secret::random_text;
use http::{HeaderMap, HeaderValue, header};
use model::Timestamp;
use model::time::MINUTE;
use serde::{Deserialize, Serialize};

/// So long the way there and back may take.
const LONGEST: i64 = 10 * MINUTE;
/// 256 bits in base62; also what RFC 7636 asks of a verifier.
const LENGTH: usize = 43;
const NONCE: usize = 12;
/// So many ways one browser may have begun at once: each is a cookie that it sends along with every request.
const MOST: usize = 4;

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Attempt {
    pub(crate) state: String,
    pub(crate) nonce: String,
    pub(crate) verifier: String,
    /// Where to go afterwards: a path of this site.
    pub(crate) next: String,
    ends_at: i64,
}

impl Attempt {
    pub(crate) fn new(next: &str, now: Timestamp) -> Result<Self, Error> {
        Ok(Self {
            state: random_text(LENGTH)?,
            nonce: random_text(LENGTH)?,
            verifier: random_text(LENGTH)?,
            next: next.to_owned(),
            ends_at: now.plus(LONGEST).micros(),
        })
    }

    pub(crate) fn ends_at(&self) -> Timestamp {
        Timestamp::from_micros(self.ends_at)
    }
}

/// Seals attempts, with a key that all processes have.
pub(crate) struct Seal {
    cipher: Aes256Gcm,
    https: bool,
}

impl Seal {
    pub(crate) fn new(key: [u8; 32], https: bool) -> Self {
        Self {
            cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(key)),
            https,
        }
    }

    /// What the names of all attempts' cookies begin with.
    fn prefix(&self) -> &'static str {
        if self.https {
            "__Host-entrepot-sign-in-"
        } else {
            "entrepot-sign-in-"
        }
    }

    /// The name of an attempt's cookie. None: no state of ours looks like this.
    fn name(&self, state: &str) -> Option<String> {
        let is_ours = state.len() == LENGTH && state.bytes().all(|b| b.is_ascii_alphanumeric());
        is_ours.then(|| format!("{}{}", self.prefix(), &state[..8]))
    }

    /// SameSite=Lax: the provider's redirect brings it along, other sites' forms and frames do not.
    fn header(&self, name: &str, value: &str, seconds: i64) -> Option<HeaderValue> {
        let secure = if self.https { "; Secure" } else { "" };
        let text =
            format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::try_from(text).ok()
    }

    pub(crate) fn cookie(&self, attempt: &Attempt) -> Result<HeaderValue, Error> {
        let name = self
            .name(&attempt.state)
            .ok_or_else(|| Error::internal("a state of another kind"))?;
        let text = serde_json::to_vec(attempt).map_err(Error::internal)?;
        let mut nonce = [0_u8; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| Error::internal(error.to_string()))?;
        let payload = Payload {
            msg: &text,
            aad: name.as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(&Nonce::<Aes256Gcm>::from(nonce), payload)
            .map_err(|_| Error::internal("the way to the provider could not be sealed"))?;
        let mut bytes = nonce.to_vec();
        bytes.extend(sealed);
        self.header(&name, &URL_SAFE_NO_PAD.encode(bytes), LONGEST / 1_000_000)
            .ok_or_else(|| Error::internal("no cookie can be made of the way to the provider"))
    }

    /// The attempt that was begun with this state in the browser that these headers are of.
    pub(crate) fn open(&self, headers: &HeaderMap, state: &str) -> Option<Attempt> {
        let name = self.name(state)?;
        let (_, value) = cookies(headers).find(|(found, _)| *found == name)?;
        let attempt = self.unseal(&name, value)?;
        (attempt.state == state).then_some(attempt)
    }

    fn unseal(&self, name: &str, value: &str) -> Option<Attempt> {
        let bytes = URL_SAFE_NO_PAD.decode(value).ok()?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
        let nonce: [u8; NONCE] = nonce.try_into().ok()?;
        let payload = Payload {
            msg: sealed,
            aad: name.as_bytes(),
        };
        let text = self
            .cipher
            .decrypt(&Nonce::<Aes256Gcm>::from(nonce), payload)
            .ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// What makes room for one more attempt: takes back the cookies that open nothing, and of the others the oldest.
    pub(crate) fn make_room(&self, headers: &HeaderMap) -> Vec<HeaderValue> {
        let mut begun: Vec<(i64, &str)> = cookies(headers)
            .filter(|(name, _)| is_plain(name, self.prefix()))
            .map(|(name, value)| {
                let ends_at = self.unseal(name, value).map(|attempt| attempt.ends_at);
                (ends_at.unwrap_or(0), name)
            })
            .collect();
        // The youngest first.
        begun.sort_unstable();
        begun.reverse();
        let (mut kept, mut gone) = (1, Vec::new());
        for (ends_at, name) in begun {
            if ends_at > 0 && kept < MOST {
                kept += 1;
            } else {
                gone.extend(self.header(name, "", 0));
            }
        }
        gone
    }

    pub(crate) fn forget(&self, state: &str) -> Option<HeaderValue> {
        self.header(&self.name(state)?, "", 0)
    }
}

/// Whether a cookie is called as ours are: what another part of the site named oddly is none of ours to take back.
fn is_plain(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// Names and values of what a browser sends along.
fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        headers
    }

    /// The `name=value` that a browser sends back.
    fn kept(seal: &Seal, attempt: &Attempt) -> String {
        let set = seal.cookie(attempt).unwrap();
        let set = set.to_str().unwrap();
        set.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_way_opens_with_its_own_state_and_key_only() {
        let now = Timestamp::from_micros(1_000_000);
        let seal = Seal::new([7; 32], true);
        let one = Attempt::new("/catalog", now).unwrap();
        let other = Attempt::new("/", now).unwrap();
        assert_eq!(one.ends_at(), now.plus(10 * MINUTE));
        let set = seal.cookie(&one).unwrap();
        let set = set.to_str().unwrap();
        for part in [
            "__Host-",
            "Path=/;",
            "Max-Age=600",
            "HttpOnly",
            "SameSite=Lax",
            "Secure",
        ] {
            assert!(set.contains(part), "{part} in {set}");
        }
        assert!(
            !set.contains("Domain") && !set.contains(&one.verifier) && !set.contains(&one.nonce)
        );

        // Two tabs.
        let cookies = format!("a=b; {}; {}", kept(&seal, &one), kept(&seal, &other));
        let found = seal.open(&headers(&cookies), &one.state).unwrap();
        assert_eq!(
            (found.next.as_str(), found.verifier),
            ("/catalog", one.verifier.clone())
        );
        assert_eq!(
            seal.open(&headers(&cookies), &other.state).unwrap().next,
            "/"
        );

        // Another browser, another key, the one's content under the other's name, other states.
        assert!(seal.open(&HeaderMap::new(), &one.state).is_none());
        assert!(
            Seal::new([8; 32], true)
                .open(&headers(&cookies), &one.state)
                .is_none()
        );
        let (_, value) = cookies.split_once("; ").unwrap().1.split_once('=').unwrap();
        let swapped = format!("{}={value}", seal.name(&other.state).unwrap());
        assert!(seal.open(&headers(&swapped), &other.state).is_none());
        let similar = format!("{}{}", &one.state[..8], "x".repeat(LENGTH - 8));
        for state in ["", "x", &similar, &format!("{}ä", &one.state[..41])] {
            assert!(seal.open(&headers(&cookies), state).is_none(), "{state}");
        }
        assert!(
            seal.forget(&one.state)
                .unwrap()
                .to_str()
                .unwrap()
                .contains("Max-Age=0")
        );
    }

    #[test]
    fn a_browser_has_only_so_many_ways_begun() {
        let seal = Seal::new([7; 32], true);
        let attempts: Vec<Attempt> = (0..6)
            .map(|minute| {
                Attempt::new("/", Timestamp::from_micros(0).plus(minute * MINUTE)).unwrap()
            })
            .collect();
        let taken = |count: usize| -> Vec<String> {
            let mut pairs: Vec<String> = attempts[..count]
                .iter()
                .map(|one| kept(&seal, one))
                .collect();
            pairs.insert(0, "other=1; __Host-entrepot-sign-in-strange=x".to_owned());
            let gone = seal.make_room(&headers(&pairs.join("; ")));
            let gone = gone.iter().map(|set| set.to_str().unwrap());
            gone.map(|set| set.split('=').next().unwrap().to_owned())
                .collect()
        };
        let name = |at: usize| seal.name(&attempts[at].state).unwrap();
        let strange = "__Host-entrepot-sign-in-strange".to_owned();
        // With the one that begins there are four; what opens nothing goes in any case.
        assert_eq!(taken(3), [strange.clone()]);
        assert_eq!(taken(6), [name(2), name(1), name(0), strange]);
        assert!(seal.make_room(&HeaderMap::new()).is_empty());
    }

    #[test]
    fn without_tls_the_name_promises_none() {
        let seal = Seal::new([7; 32], false);
        let attempt = Attempt::new("/", Timestamp::from_micros(0)).unwrap();
        let set = seal.cookie(&attempt).unwrap();
        let set = set.to_str().unwrap();
        assert!(
            set.starts_with("entrepot-sign-in-") && !set.contains("Secure"),
            "{set}"
        );
    }
}
