//! The issuers whose tokens let recipients in (`sharing.issuers`): a token is believed once its issuer's key has signed it and its
//! times hold. Whom it lets in is the exchange's to say.
//!
//! A token of an issuer that the operator has not named is refused without asking anybody: nobody else chooses an address that this
//! process goes to.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use exchange::Exchange;
use exchange::access::Word;
use model::time::SECOND;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier, CoreJsonWebKeySet};
use openidconnect::{
    ClaimsVerificationError, ClientId, IssuerUrl, JsonWebTokenType, Nonce,
    SignatureVerificationError,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::ask::{Caller, ProviderError, not_reached, refused};
use super::kept::{Kept, Now};
use super::provider::{ALGORITHMS, SKEW, ago};

/// What a token may call itself (RFC 7515 4.1.9, RFC 9068); some platforms say nothing.
const TYPES: [&str; 3] = ["JWT", "at+jwt", "application/jose"];

/// What is needed of an issuer's own description. Some describe no more than this, for nobody signs in there.
#[derive(Deserialize)]
struct Description {
    issuer: String,
    jwks_uri: String,
}

pub(crate) struct Issuers {
    /// By how they write themselves: their keys.
    known: BTreeMap<String, Kept<CoreJsonWebKeySet>>,
    /// Seconds; a token that is good for longer than a credential may be is none.
    longest: i64,
}

impl Issuers {
    pub(crate) fn of(exchange: &Exchange) -> Self {
        let clock = exchange.clone();
        let now: Now = Arc::new(move || clock.now());
        let options = exchange.options();
        Self {
            known: options
                .issuers
                .iter()
                .map(|issuer| (issuer.clone(), Kept::new(Arc::clone(&now))))
                .collect(),
            longest: options.token_lifetime / SECOND,
        }
    }

    /// Whether this looks like a signed token of OpenID Connect rather than one of ours.
    pub(crate) fn could_be(bearer: &str) -> bool {
        !bearer.starts_with("entrepot_") && bearer.matches('.').count() == 2
    }

    /// What a token says, once it is clear that its issuer says so, and that it holds now.
    pub(crate) async fn word(&self, bearer: &str) -> Result<Word, ProviderError> {
        let unread = || ProviderError::Refused("this is no token".to_owned());
        let claims = payload(bearer).ok_or_else(unread)?;
        let said = claims.get("iss").and_then(Value::as_str);
        let Some((issuer, keys)) = said.and_then(|issuer| self.known.get_key_value(issuer)) else {
            return Err(ProviderError::Refused(
                "its issuer is not one of those that are known here".to_owned(),
            ));
        };
        let token = CoreIdToken::from_str(bearer).map_err(|_| unread())?;
        let seen = keys.get(keys_of(issuer)).await?;
        match self.check(&token, issuer, &seen) {
            Err(ClaimsVerificationError::SignatureVerification(
                SignatureVerificationError::NoMatchingKey,
            )) => {
                let newer = keys.renewed(&seen, keys_of(issuer)).await?;
                self.check(&token, issuer, &newer).map_err(refused)?;
            }
            checked => checked.map_err(refused)?,
        }
        let not_before = claims.get("nbf");
        if not_before.is_some_and(|at| at.as_i64().is_none_or(|at| at > ago(-SKEW).timestamp())) {
            return Err(ProviderError::Refused(
                "the token does not count yet".to_owned(),
            ));
        }
        Ok(Word {
            issuer: issuer.clone(),
            audiences: audiences(&claims),
            claims,
        })
    }

    fn check(
        &self,
        token: &CoreIdToken,
        issuer: &str,
        keys: &CoreJsonWebKeySet,
    ) -> Result<(), ClaimsVerificationError> {
        let issuer = IssuerUrl::new(issuer.to_owned())
            .map_err(|error| ClaimsVerificationError::Other(error.to_string()))?;
        let types = TYPES
            .into_iter()
            .filter_map(|name| JsonWebTokenType::new(name.to_owned()).normalize().ok());
        let nobody = ClientId::new(String::new());
        let verifier = CoreIdTokenVerifier::new_public_client(nobody, issuer, keys.clone())
            .set_allowed_algs(ALGORITHMS)
            .set_allowed_jose_types(types)
            // Whom it was made for is compared with what each recipient expects.
            .require_audience_match(false)
            // Wall time: the token's instants are of another machine's clock, too.
            .set_time_fn(|| ago(SKEW))
            .set_issue_time_verifier_fn(|at| {
                if at > ago(-SKEW) {
                    Err("the token was made in the future".to_owned())
                } else {
                    Ok(())
                }
            });
        let claims = token.claims(&verifier, |_: Option<&Nonce>| Ok(()))?;
        if claims.expiration() > ago(-self.longest - SKEW) {
            return Err(ClaimsVerificationError::Other(
                "the token is good for longer than a credential may be".to_owned(),
            ));
        }
        Ok(())
    }
}

/// The keys that an issuer publishes, by way of its description.
async fn keys_of(issuer: &str) -> Result<CoreJsonWebKeySet, ProviderError> {
    let caller = Caller::new(issuer).map_err(not_reached)?;
    let at = format!(
        "{}/.well-known/openid-configuration",
        issuer.trim_end_matches('/')
    );
    let found: Description = caller.json(&at).await?;
    if found.issuer != issuer {
        return Err(ProviderError::Unreachable(
            "it writes itself otherwise than `sharing.issuers` does".to_owned(),
        ));
    }
    caller.json(&found.jwks_uri).await
}

/// What the token says, believed by nobody yet.
fn payload(bearer: &str) -> Option<Map<String, Value>> {
    let payload = bearer.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn audiences(claims: &Map<String, Value>) -> Vec<String> {
    match claims.get("aud") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all
            .iter()
            .filter_map(|one| one.as_str().map(str::to_owned))
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_of_an_issuer_is_told_from_one_of_ours() {
        for (bearer, expected) in [
            ("e30.e30.AA", true),
            ("entrepot_rt_0.0.0", false),
            ("e30.e30", false),
            ("e30.e30.AA.AA", false),
            ("", false),
        ] {
            assert_eq!(Issuers::could_be(bearer), expected, "{bearer}");
        }
        let claims = json!({ "iss": "https://id.example", "aud": ["a", 1, "b"] });
        let text = URL_SAFE_NO_PAD.encode(claims.to_string());
        let read = payload(&format!("e30.{text}.AA")).unwrap();
        assert_eq!(audiences(&read), ["a", "b"]);
        assert!(payload("e30.W10.AA").is_none(), "a list says nothing");
        assert!(payload("e30.?.AA").is_none());
    }
}
