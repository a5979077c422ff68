//! What the provider says of a person, in the ID token and beside it, and what the exchange gets of it.

use std::collections::BTreeSet;

use exchange::people::Provided;
use openidconnect::core::CoreGenderClaim;
use openidconnect::{AdditionalClaims, IdTokenClaims, UserInfoClaims};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::OidcSettings;

/// Claims beside the standard ones: the groups are one of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Extra {
    #[serde(flatten)]
    pub(super) all: serde_json::Map<String, Value>,
}

impl AdditionalClaims for Extra {}

pub(super) type Claims = IdTokenClaims<Extra, CoreGenderClaim>;
pub(super) type PersonClaims = UserInfoClaims<Extra, CoreGenderClaim>;

/// What the provider says of a person, wherever it says it.
#[derive(Debug, Default)]
pub(super) struct About {
    user_name: Option<String>,
    name: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    extra: Extra,
}

/// The two kinds of claims have the same getters and no trait for them.
macro_rules! about {
    ($claims:expr) => {
        About {
            user_name: $claims.preferred_username().map(|name| name.to_string()),
            name: $claims
                .name()
                .and_then(|name| name.get(None))
                .map(|name| name.to_string()),
            email: $claims.email().map(|email| email.to_string()),
            email_verified: $claims.email_verified(),
            extra: $claims.additional_claims().clone(),
        }
    };
}

impl About {
    pub(super) fn of_token(claims: &Claims) -> Self {
        about!(claims)
    }

    pub(super) fn of_person(claims: &PersonClaims) -> Self {
        about!(claims)
    }

    /// Whether something is left to ask for.
    pub(super) fn lacks(&self, settings: &OidcSettings) -> bool {
        let has_groups = self.extra.all.contains_key(&settings.groups_claim);
        let wants_groups = !settings.rules.groups.is_empty();
        let has_name = self.name.is_some() || self.user_name.is_some();
        (wants_groups && !has_groups) || !has_name
    }

    /// What the ID token has said counts; the rest is filled in.
    pub(super) fn fill(&mut self, more: Self) {
        self.user_name = self.user_name.take().or(more.user_name);
        self.name = self.name.take().or(more.name);
        // An address and whether it is theirs are one.
        if self.email.is_none() {
            self.email = more.email;
            self.email_verified = more.email_verified;
        }
        for (name, value) in more.extra.all {
            self.extra.all.entry(name).or_insert(value);
        }
    }

    pub(super) fn provided(self, settings: &OidcSettings, subject: &str) -> Provided {
        let is_theirs = self.email_verified == Some(true)
            || (settings.trust_email && self.email_verified.is_none());
        let names = [&self.user_name, &self.email, &self.name];
        Provided {
            issuer: settings.issuer.clone(),
            subject: subject.to_owned(),
            names: names.into_iter().flatten().cloned().collect(),
            title: self.name.or(self.user_name),
            email: self.email.filter(|_| is_theirs),
            groups: groups(self.extra.all.get(&settings.groups_claim)),
        }
    }
}

/// A list of texts, or one text. Anything else is no group.
fn groups(claim: Option<&Value>) -> BTreeSet<String> {
    let texts = match claim {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(text)) => vec![text.as_str()],
        _ => Vec::new(),
    };
    texts.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use exchange::people::ProviderRules;
    use serde_json::json;

    use super::*;

    fn settings(trust_email: bool) -> OidcSettings {
        OidcSettings {
            issuer: "https://id.example".to_owned(),
            client_id: "entrepot".to_owned(),
            client_secret: None,
            scopes: Vec::new(),
            groups_claim: "groups".to_owned(),
            trust_email,
            rules: ProviderRules::default(),
        }
    }

    #[test]
    fn groups_are_texts() {
        for (claim, expected) in [
            (json!(["a", "b", "a"]), vec!["a", "b"]),
            (json!("a"), vec!["a"]),
            (json!(["a", 1, null, ["b"], { "c": true }]), vec!["a"]),
            (json!({ "a": true }), vec![]),
            (json!(true), vec![]),
        ] {
            let found = groups(Some(&claim));
            assert_eq!(
                found.iter().map(String::as_str).collect::<Vec<_>>(),
                expected
            );
        }
        assert!(groups(None).is_empty());
    }

    #[test]
    fn an_address_is_theirs_where_the_provider_says_so() {
        for (verified, trusted, expected) in [
            (Some(true), false, true),
            (Some(false), false, false),
            (None, false, false),
            (None, true, true),
            (Some(false), true, false),
        ] {
            let about = About {
                email: Some("ines@example.org".to_owned()),
                email_verified: verified,
                ..About::default()
            };
            let provided = about.provided(&settings(trusted), "s");
            assert_eq!(provided.email.is_some(), expected, "{verified:?} {trusted}");
        }
    }

    #[test]
    fn what_the_token_says_counts() {
        let mut about = About {
            name: Some("Ines".to_owned()),
            email: Some("of@token".to_owned()),
            ..About::default()
        };
        let more = About {
            user_name: Some("ines".to_owned()),
            name: Some("Somebody".to_owned()),
            email: Some("of@person".to_owned()),
            email_verified: Some(true),
            ..About::default()
        };
        about.fill(more);
        let provided = about.provided(&settings(false), "s");
        assert_eq!(provided.title.as_deref(), Some("Ines"));
        assert_eq!(provided.names, ["ines", "of@token", "Ines"]);
        // The one's address with the other's word for it would be nobody's.
        assert_eq!(provided.email, None);
    }
}
