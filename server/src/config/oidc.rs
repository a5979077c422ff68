//! `[oidc]`: the provider of OpenID Connect that people may sign in by, and what its groups give here.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use exchange::people::{GroupRule, ProviderRules};
use model::{MemberRole, Name, Role};
use secrecy::SecretString;
use serde::Deserialize;
use url::Url;

use super::{ConfigError, is_loopback, wrong};

pub(super) const KEYS: &[&str] = &[
    "issuer",
    "client_id",
    "client_secret",
    "client_secret_file",
    "scopes",
    "groups_claim",
    "title",
    "known_people_only",
    "trust_email",
    "groups",
];

const SECRET: &str = "ENTREPOT__OIDC__CLIENT_SECRET";

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    issuer: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    client_secret_file: Option<PathBuf>,
    scopes: Option<Vec<String>>,
    groups_claim: Option<String>,
    title: Option<String>,
    known_people_only: bool,
    trust_email: bool,
    groups: Vec<RawGroup>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    group: String,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    teams: BTreeMap<String, String>,
}

/// The provider, and who may come by it.
#[derive(Clone, Debug)]
pub struct OidcSettings {
    /// To the letter as the provider writes itself.
    pub issuer: String,
    pub client_id: String,
    /// None: a public client, which PKCE alone protects.
    pub client_secret: Option<SecretString>,
    /// Beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that holds a person's groups.
    pub groups_claim: String,
    /// The provider makes sure of addresses, and does not say so.
    pub trust_email: bool,
    pub rules: ProviderRules,
}

/// Takes the secret out of the environment as it stands there: what looks like a number would else be read as one.
pub(super) fn secret_of(environment: &mut HashMap<String, String>) -> Option<String> {
    let key = environment
        .keys()
        .find(|key| key.eq_ignore_ascii_case(SECRET))?
        .clone();
    environment.remove(&key)
}

impl Raw {
    /// The environment's goes before what the file says, however it says it.
    pub(super) fn take_secret(&mut self, secret: Option<String>) {
        if secret.is_some() {
            self.client_secret = secret;
            self.client_secret_file = None;
        }
    }

    /// None: nothing stands in the section.
    pub(super) fn check(self) -> Result<Option<OidcSettings>, ConfigError> {
        let Some(issuer) = self.issuer else {
            let is_empty = self.client_id.is_none()
                && self.client_secret.is_none()
                && self.client_secret_file.is_none()
                && self.scopes.is_none()
                && self.groups_claim.is_none()
                && self.title.is_none()
                && !self.known_people_only
                && !self.trust_email
                && self.groups.is_empty();
            return if is_empty {
                Ok(None)
            } else {
                Err(wrong("oidc.issuer", "say which provider: its issuer's URL"))
            };
        };
        check_issuer("oidc.issuer", &issuer)?;
        let client_id = self
            .client_id
            .filter(|id| !id.trim().is_empty())
            .ok_or_else(|| {
                wrong(
                    "oidc.client_id",
                    "say as which client this installation is registered at the provider",
                )
            })?;
        let client_secret = match (self.client_secret, self.client_secret_file) {
            (Some(_), Some(_)) => {
                return Err(wrong(
                    "oidc.client_secret_file",
                    "give the secret either here or in oidc.client_secret, not both",
                ));
            }
            (secret, None) => secret.map(SecretString::from),
            (None, Some(file)) => Some(read_secret(&file)?),
        };
        let title = self
            .title
            .as_deref()
            .unwrap_or("Sign in with your company account")
            .trim();
        if title.is_empty() || title.chars().count() > 80 {
            return Err(wrong(
                "oidc.title",
                "1 to 80 characters: what the button says",
            ));
        }
        let groups = self
            .groups
            .into_iter()
            .map(rule)
            .collect::<Result<Vec<GroupRule>, _>>()?;
        Ok(Some(OidcSettings {
            issuer,
            client_id,
            client_secret,
            scopes: self
                .scopes
                .unwrap_or_else(|| vec!["profile".to_owned(), "email".to_owned()]),
            groups_claim: self.groups_claim.unwrap_or_else(|| "groups".to_owned()),
            trust_email: self.trust_email,
            rules: ProviderRules {
                title: title.to_owned(),
                known_only: self.known_people_only,
                groups,
            },
        }))
    }
}

/// Codes and secrets go there: only with TLS, or on this machine.
pub(super) fn check_issuer(key: &'static str, issuer: &str) -> Result<(), ConfigError> {
    let url = Url::parse(issuer).map_err(|error| wrong(key, error))?;
    let is_loopback = match url.host() {
        Some(host) => is_loopback(&host.to_owned()),
        None => return Err(wrong(key, "names no host")),
    };
    match url.scheme() {
        "https" => {}
        "http" if is_loopback => {}
        _ => return Err(wrong(key, "must be https")),
    }
    if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() {
        return Err(wrong(key, "give the issuer as the provider writes itself"));
    }
    Ok(())
}

fn read_secret(file: &std::path::Path) -> Result<SecretString, ConfigError> {
    const KEY: &str = "oidc.client_secret_file";
    let text = std::fs::read_to_string(file)
        .map_err(|error| wrong(KEY, format!("{} cannot be read: {error}", file.display())))?;
    match text.trim() {
        "" => Err(wrong(KEY, format!("{} is empty", file.display()))),
        secret => Ok(SecretString::from(secret.to_owned())),
    }
}

fn rule(raw: RawGroup) -> Result<GroupRule, ConfigError> {
    const KEY: &str = "oidc.groups";
    let of = |error: &dyn std::fmt::Display| wrong(KEY, format!("group `{}`: {error}", raw.group));
    if raw.group.is_empty() {
        return Err(wrong(KEY, "a group without a name gives nothing"));
    }
    if raw.roles.is_empty() && raw.teams.is_empty() {
        return Err(of(&"say what it gives: roles, teams, or both"));
    }
    let roles = raw
        .roles
        .iter()
        .map(|role| {
            role.parse()
                .map_err(|error: <Role as std::str::FromStr>::Err| of(&error))
        })
        .collect::<Result<_, _>>()?;
    let teams = raw
        .teams
        .iter()
        .map(|(team, role)| {
            let team: Name = team.parse().map_err(|error: model::NameError| of(&error))?;
            let role: MemberRole = role
                .parse()
                .map_err(|error: <MemberRole as std::str::FromStr>::Err| of(&error))?;
            Ok((team, role))
        })
        .collect::<Result<_, ConfigError>>()?;
    Ok(GroupRule {
        group: raw.group,
        roles,
        teams,
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::super::tests::load;
    use super::*;

    const FULL: &str = r#"
[oidc]
issuer = "https://id.example/realms/company"
client_id = "entrepot"
client_secret = "of-the-file"
scopes = ["profile", "groups"]
groups_claim = "roles"
title = "Sign in with Example"
known_people_only = true

[[oidc.groups]]
group = "0b4f7a52-9f0c-4d43-8d0c-6a2f5f1f3a11"
roles = ["finance", "auditor"]
teams = { aftersales = "producer", rnd = "consumer" }
"#;

    #[test]
    fn a_provider_is_read_whole() {
        assert!(load("", &[]).unwrap().oidc.is_none());
        let oidc = load(FULL, &[]).unwrap().oidc.unwrap();
        assert_eq!(oidc.issuer, "https://id.example/realms/company");
        assert_eq!(oidc.scopes, ["profile", "groups"]);
        assert_eq!(oidc.groups_claim, "roles");
        assert!(oidc.rules.known_only && !oidc.trust_email);
        let rule = &oidc.rules.groups[0];
        assert_eq!(rule.roles.len(), 2);
        let team: Name = "aftersales".parse().unwrap();
        assert_eq!(rule.teams.get(&team), Some(&MemberRole::Producer));
        assert!(!format!("{oidc:?}").contains("of-the-file"));

        let least = "[oidc]\nissuer = \"http://127.0.0.1:9\"\nclient_id = \"e\"\n";
        let oidc = load(least, &[]).unwrap().oidc.unwrap();
        assert!(oidc.client_secret.is_none() && oidc.rules.groups.is_empty());
        assert_eq!(oidc.groups_claim, "groups");
    }

    #[test]
    fn the_secret_comes_from_environment_or_file() {
        let shown = |file: &str, pairs: &[(&str, &str)]| {
            let oidc = load(file, pairs).unwrap().oidc.unwrap();
            oidc.client_secret.unwrap().expose_secret().to_owned()
        };
        assert_eq!(shown(FULL, &[]), "of-the-file");
        // To the letter, also where it looks like a number.
        assert_eq!(shown(FULL, &[(SECRET, "0012e3")]), "0012e3");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "of another file\n").unwrap();
        let named = FULL.replace(
            "client_secret = \"of-the-file\"",
            &format!("client_secret_file = \"{}\"", file.display()),
        );
        assert_eq!(shown(&named, &[]), "of another file");
        assert_eq!(shown(&named, &[(SECRET, "x")]), "x");
        let both = named.replace("[oidc]", "[oidc]\nclient_secret = \"x\"");
        let both = load(&both, &[]).unwrap_err().to_string();
        assert!(both.contains("oidc.client_secret_file"), "{both}");
    }

    #[test]
    fn mistakes_are_named() {
        let issuer = |issuer: &str| format!("[oidc]\nissuer = \"{issuer}\"\nclient_id = \"e\"\n");
        let group = |text: &str| format!("{}[[oidc.groups]]\n{text}", issuer("https://id.example"));
        for (file, expected) in [
            (issuer("http://id.example"), "oidc.issuer: must be https"),
            (
                issuer("http://127.0.0.1.evil"),
                "oidc.issuer: must be https",
            ),
            (issuer("id.example"), "oidc.issuer:"),
            (issuer("https://id.example/?a=b"), "oidc.issuer:"),
            (
                "[oidc]\nclient_id = \"e\"\n".to_owned(),
                "oidc.issuer: say which",
            ),
            (
                "[oidc]\nissuer = \"https://id.example\"\n".to_owned(),
                "oidc.client_id: say",
            ),
            (
                "[oidc]\nissue = \"x\"\n".to_owned(),
                "did you mean `oidc.issuer`?",
            ),
            (
                group("group = \"g\"\nroles = [\"owner\"]\n"),
                "oidc.groups: group `g`: unknown role `owner`",
            ),
            (
                group("group = \"g\"\nteams = { rnd = \"admin\" }\n"),
                "oidc.groups: group `g`: unknown role `admin`",
            ),
            (
                group("group = \"g\"\nteams = { \"R&D\" = \"consumer\" }\n"),
                "oidc.groups: group `g`: not a name",
            ),
            (group("group = \"g\"\n"), "oidc.groups: group `g`: say what"),
            (group("roles = [\"admin\"]\n"), "group"),
            (group("group = \"g\"\nrole = \"admin\"\n"), "role"),
        ] {
            let found = load(&file, &[]).unwrap_err().to_string();
            assert!(found.contains(expected), "{file}: {found}");
        }
    }
}
