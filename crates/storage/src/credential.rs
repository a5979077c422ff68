//! Storage credentials. Parsed from a few fields that mean something (C-22): whatever else object_store could be
//! configured with (endpoints of token services, files to read, proxies, unsigned requests) has no way in.
//! No message here repeats a value, for a value may be the secret.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::Url;

use crate::StorageUrl;

/// What opens a store. `Debug` shows the kind alone.
#[derive(Clone)]
pub enum Credential {
    /// For `file:`, and nothing else.
    None,
    S3 {
        access_key_id: String,
        secret_access_key: SecretString,
        session_token: Option<SecretString>,
        /// The role that temporary credentials for one table's folder are of; without it none are given.
        role_arn: Option<String>,
    },
    /// The account's key, in base64.
    AzureKey { account_key: SecretString },
    /// A shared-access signature; with it URLs cannot be signed.
    AzureSas { sas: SecretString },
    /// An application of Entra ID. It signs with keys that the account gives it for some hours.
    AzureApp {
        tenant_id: String,
        client_id: String,
        client_secret: SecretString,
    },
    /// A service account's RSA key as PEM.
    Gcs {
        client_email: String,
        private_key: SecretString,
        private_key_id: String,
    },
    /// A recipient's profile of a Delta Sharing server.
    Share {
        /// Where the server answers: `http` or `https`, and the host that the storage's URL names.
        endpoint: Url,
        token: SecretString,
        /// As the profile says it. The server's word counts.
        until: Option<Timestamp>,
    },
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::S3 { .. } => "S3(****)",
            Self::AzureKey { .. } => "AzureKey(****)",
            Self::AzureSas { .. } => "AzureSas(****)",
            Self::AzureApp { .. } => "AzureApp(****)",
            Self::Gcs { .. } => "Gcs(****)",
            Self::Share { .. } => "Share(****)",
        })
    }
}

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum CredentialError {
    #[error("a {scheme} storage needs a credential: a JSON object with {expected}")]
    Missing {
        scheme: &'static str,
        expected: &'static str,
    },
    #[error("a file storage takes no credential: remove it")]
    NotTaken,
    #[error("the credential is not a JSON object with {expected}")]
    NotAnObject { expected: &'static str },
    #[error("the credential has an unknown field `{field}`: give {expected} and nothing else")]
    Unknown {
        field: String,
        expected: &'static str,
    },
    #[error("the credential's field `{field}` is missing or not as it should be: {wanted}")]
    Field {
        field: &'static str,
        wanted: &'static str,
    },
}

const S3_FIELDS: &str = "access_key_id, secret_access_key and, for temporary keys, session_token; with role_arn the store gives temporary credentials";
const AZURE_FIELDS: &str =
    "account_key, or sas, or an application's tenant_id, client_id and client_secret";
const GCS_FIELDS: &str =
    "the fields of a Google service-account key: client_email, private_key, private_key_id";

const SHARE_FIELDS: &str = "the fields of a Delta Sharing profile: shareCredentialsVersion, endpoint, bearerToken, expirationTime";

/// What a service-account file also holds; known, not used.
const GCS_IGNORED: [&str; 7] = [
    "type",
    "project_id",
    "client_id",
    "auth_uri",
    "auth_provider_x509_cert_url",
    "client_x509_cert_url",
    "universe_domain",
];

impl Credential {
    /// From the JSON text kept (encrypted) with the storage. Empty text and `null` mean that there is none.
    pub fn parse(url: &StorageUrl, json: &str) -> Result<Self, CredentialError> {
        let absent = matches!(json.trim(), "" | "null");
        let expected = match url {
            StorageUrl::File { .. } if absent => return Ok(Self::None),
            StorageUrl::File { .. } => return Err(CredentialError::NotTaken),
            StorageUrl::S3 { .. } => S3_FIELDS,
            StorageUrl::Azure { .. } => AZURE_FIELDS,
            StorageUrl::Gcs { .. } => GCS_FIELDS,
            StorageUrl::Share { .. } => SHARE_FIELDS,
        };
        if absent {
            return Err(CredentialError::Missing {
                scheme: url.scheme(),
                expected,
            });
        }
        let fields: Map<String, Value> =
            serde_json::from_str(json).map_err(|_| CredentialError::NotAnObject { expected })?;
        let mut fields = Fields { fields, expected };
        let credential = match url {
            StorageUrl::S3 { .. } => fields.s3()?,
            StorageUrl::Azure { .. } => fields.azure()?,
            StorageUrl::Gcs { .. } => fields.gcs()?,
            StorageUrl::Share { .. } => return fields.share(url),
            StorageUrl::File { .. } => return Err(CredentialError::NotTaken),
        };
        fields.nothing_left()?;
        Ok(credential)
    }

    pub const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The fields as JSON, to be encrypted; `null` when there is none. Holds the secret in the clear.
    pub fn to_json(&self) -> SecretString {
        let value = match self {
            Self::None => Value::Null,
            Self::S3 {
                access_key_id,
                secret_access_key,
                session_token,
                role_arn,
            } => {
                let mut value = serde_json::json!({
                    "access_key_id": access_key_id,
                    "secret_access_key": secret_access_key.expose_secret(),
                });
                if let Some(token) = session_token {
                    value["session_token"] = token.expose_secret().into();
                }
                if let Some(role) = role_arn {
                    value["role_arn"] = role.as_str().into();
                }
                value
            }
            Self::AzureKey { account_key } => {
                serde_json::json!({ "account_key": account_key.expose_secret() })
            }
            Self::AzureSas { sas } => serde_json::json!({ "sas": sas.expose_secret() }),
            Self::AzureApp {
                tenant_id,
                client_id,
                client_secret,
            } => serde_json::json!({
                "tenant_id": tenant_id,
                "client_id": client_id,
                "client_secret": client_secret.expose_secret(),
            }),
            Self::Gcs {
                client_email,
                private_key,
                private_key_id,
            } => serde_json::json!({
                "client_email": client_email,
                "private_key": private_key.expose_secret(),
                "private_key_id": private_key_id,
            }),
            Self::Share {
                endpoint,
                token,
                until,
            } => serde_json::json!({
                "shareCredentialsVersion": 1,
                "endpoint": endpoint.as_str(),
                "bearerToken": token.expose_secret(),
                "expirationTime": until.map(|until| until.to_string()),
            }),
        };
        value.to_string().into()
    }
}

struct Fields {
    fields: Map<String, Value>,
    expected: &'static str,
}

impl Fields {
    /// A visible ASCII text: these go into headers, where anything else would be an injection.
    fn ascii(&mut self, field: &'static str) -> Result<Option<String>, CredentialError> {
        let wanted = "a text of visible ASCII characters";
        match self.fields.shift_remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text))
                if !text.is_empty()
                    && text.len() <= 16_384
                    && text.bytes().all(|b| b.is_ascii_graphic()) =>
            {
                Ok(Some(text))
            }
            Some(_) => Err(CredentialError::Field { field, wanted }),
        }
    }

    fn required(&mut self, field: &'static str) -> Result<String, CredentialError> {
        self.ascii(field)?.ok_or(CredentialError::Field {
            field,
            wanted: "it must be there",
        })
    }

    fn s3(&mut self) -> Result<Credential, CredentialError> {
        Ok(Credential::S3 {
            access_key_id: self.required("access_key_id")?,
            secret_access_key: self.required("secret_access_key")?.into(),
            session_token: self.ascii("session_token")?.map(Into::into),
            role_arn: match self.ascii("role_arn")? {
                Some(role) if !role.starts_with("arn:") || role.len() > 2_048 => {
                    return Err(CredentialError::Field {
                        field: "role_arn",
                        wanted: "a role's name as AWS writes it, arn:aws:iam::ACCOUNT:role/NAME",
                    });
                }
                role => role,
            },
        })
    }

    /// An id, or a domain's name: it stands in a path.
    fn plain(&mut self, field: &'static str) -> Result<Option<String>, CredentialError> {
        let fits = |text: &str| {
            text.len() <= 100
                && text.starts_with(|c: char| c.is_ascii_alphanumeric())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
        };
        match self.ascii(field)? {
            Some(text) if !fits(&text) => Err(CredentialError::Field {
                field,
                wanted: "an id as Entra ID writes it",
            }),
            found => Ok(found),
        }
    }

    fn application(&mut self) -> Result<Option<Credential>, CredentialError> {
        let (tenant, client) = (self.plain("tenant_id")?, self.plain("client_id")?);
        match (tenant, client, self.ascii("client_secret")?) {
            (None, None, None) => Ok(None),
            (Some(tenant_id), Some(client_id), Some(client_secret)) => {
                Ok(Some(Credential::AzureApp {
                    tenant_id,
                    client_id,
                    client_secret: client_secret.into(),
                }))
            }
            _ => Err(CredentialError::Field {
                field: "client_secret",
                wanted: "an application has tenant_id, client_id and client_secret",
            }),
        }
    }

    fn azure(&mut self) -> Result<Credential, CredentialError> {
        if let Some(application) = self.application()? {
            // Another key beside it is one too many, and stays to be refused.
            return Ok(application);
        }
        match (self.ascii("account_key")?, self.ascii("sas")?) {
            (Some(key), None) if BASE64.decode(&key).is_ok_and(|key| !key.is_empty()) => {
                Ok(Credential::AzureKey {
                    account_key: key.into(),
                })
            }
            (Some(_), None) => Err(CredentialError::Field {
                field: "account_key",
                wanted: "the account's key in base64",
            }),
            (None, Some(sas)) if sas.contains("sig=") && sas.contains("sv=") => {
                Ok(Credential::AzureSas { sas: sas.into() })
            }
            (None, Some(_)) => {
                let wanted =
                    "the query part of a shared-access signature, beginning with sv= or ?sv=";
                Err(CredentialError::Field {
                    field: "sas",
                    wanted,
                })
            }
            _ => Err(CredentialError::Field {
                field: "account_key",
                wanted: "give account_key, or sas, or an application",
            }),
        }
    }

    fn gcs(&mut self) -> Result<Credential, CredentialError> {
        for ignored in GCS_IGNORED {
            self.fields.shift_remove(ignored);
        }
        // The token service of a service account is Google's and nobody else's.
        let token_uri = self.ascii("token_uri")?;
        if token_uri.is_some_and(|uri| uri != "https://oauth2.googleapis.com/token") {
            let wanted = "leave it out, or https://oauth2.googleapis.com/token";
            return Err(CredentialError::Field {
                field: "token_uri",
                wanted,
            });
        }
        let client_email = self.required("client_email")?;
        let private_key_id = self.ascii("private_key_id")?.unwrap_or_default();
        let wanted = "the service account's RSA key as PEM";
        match self.fields.shift_remove("private_key") {
            Some(Value::String(pem)) if pem.contains("-----BEGIN") && pem.len() <= 16_384 => {
                Ok(Credential::Gcs {
                    client_email,
                    private_key: pem.into(),
                    private_key_id,
                })
            }
            _ => Err(CredentialError::Field {
                field: "private_key",
                wanted,
            }),
        }
    }

    /// What else a profile holds is not used: other servers write other things into it.
    fn share(&mut self, url: &StorageUrl) -> Result<Credential, CredentialError> {
        let refuse = |field, wanted| Err(CredentialError::Field { field, wanted });
        let version = self.fields.shift_remove("shareCredentialsVersion");
        if !matches!(version.as_ref().and_then(Value::as_u64), Some(1 | 2)) {
            return refuse(
                "shareCredentialsVersion",
                "1 or 2; other profiles are not known",
            );
        }
        if self
            .ascii("type")?
            .is_some_and(|kind| kind != "bearer_token")
        {
            return refuse(
                "type",
                "only profiles with a bearerToken are read; ask the provider for one",
            );
        }
        let token = self.required("bearerToken")?;
        let until = self.ascii("expirationTime")?;
        let endpoint = Url::parse(&self.required("endpoint")?).ok();
        // The token goes to the server that the storage's URL names, and to none else.
        match endpoint {
            Some(endpoint) if StorageUrl::of_profile(&endpoint).as_ref() == Ok(url) => {
                Ok(Credential::Share {
                    endpoint,
                    token: token.into(),
                    until: until.and_then(|until| Timestamp::parse(&until).ok()),
                })
            }
            _ => refuse(
                "endpoint",
                "the server that the storage's URL names: share://host/path for https://host/path",
            ),
        }
    }

    fn nothing_left(&self) -> Result<(), CredentialError> {
        match self.fields.keys().next() {
            None => Ok(()),
            Some(field) => {
                // Somebody may have put the secret where the name belongs: only a short plain word is repeated.
                let plain =
                    field.len() <= 40 && field.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
                let field = if plain {
                    field.clone()
                } else {
                    "…".to_owned()
                };
                Err(CredentialError::Unknown {
                    field,
                    expected: self.expected,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests;
