//! What is checked, and what nobody can find out by asking: told by whoever made the tables.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use crate::Profile;

/// Commits the next version of the table that [`Hints`] calls `moving`.
pub type Advance =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What cannot be found out by asking. All of it is optional; a table is written `share.schema.table`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// A table that is there, but not granted to this recipient.
    pub ungranted: Option<String>,
    /// A token whose time is over.
    pub expired_token: Option<String>,
    /// A token that may not be used from this address.
    pub denied_token: Option<String>,
    /// A table whose answer fails after it has begun.
    pub broken: Option<String>,
    /// A table whose log names a file that is not within its folder.
    pub outside: Option<String>,
    /// A table whose history is shared from a later version on, and that version.
    pub late: Option<(String, i64)>,
    /// A table with history whose first versions are cleaned up, and the earliest that can be read.
    pub cleaned: Option<(String, i64)>,
    /// A table that [`Target::advance`] commits to, removing one of its files.
    pub moving: Option<String>,
    /// A table with a change data feed, and a version in which files were only rewritten.
    pub rewrite: Option<(String, i64)>,
    /// A table with a change data feed, and a version for which changes were recorded as such.
    pub recorded: Option<(String, i64)>,
    /// A table that changes were not recorded for in this version, though they are now.
    pub unrecorded: Option<(String, i64)>,
}

impl Hints {
    /// Reads a world file: an object with these names; tables with a version are `{"table", "version"}`.
    ///
    /// # Errors
    /// When it is none, or holds a name that there is not.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        const NAMES: [&str; 11] = [
            "ungranted",
            "expired_token",
            "denied_token",
            "broken",
            "outside",
            "late",
            "cleaned",
            "moving",
            "rewrite",
            "recorded",
            "unrecorded",
        ];
        let world: Value = serde_json::from_slice(bytes)
            .map_err(|error| format!("the world file is no JSON: {error}"))?;
        let Value::Object(fields) = &world else {
            return Err("the world file is no JSON object".to_owned());
        };
        if let Some(name) = fields.keys().find(|name| !NAMES.contains(&name.as_str())) {
            return Err(format!(
                "the world file holds {name}, which is none of {}",
                NAMES.join(", ")
            ));
        }
        let text = |name: &str| match &world[name] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text.clone())),
            _ => Err(format!("{name} in the world file must be a text")),
        };
        let versioned = |name: &str| {
            let hint = &world[name];
            match (hint["table"].as_str(), hint["version"].as_i64()) {
                _ if hint.is_null() => Ok(None),
                (Some(table), Some(version)) => Ok(Some((table.to_owned(), version))),
                _ => Err(format!(
                    "{name} in the world file must be {{\"table\": \"share.schema.table\", \"version\": N}}"
                )),
            }
        };
        Ok(Self {
            ungranted: text("ungranted")?,
            expired_token: text("expired_token")?,
            denied_token: text("denied_token")?,
            broken: text("broken")?,
            outside: text("outside")?,
            late: versioned("late")?,
            cleaned: versioned("cleaned")?,
            moving: text("moving")?,
            rewrite: versioned("rewrite")?,
            recorded: versioned("recorded")?,
            unrecorded: versioned("unrecorded")?,
        })
    }
}

/// Which server is checked, and what is told of it.
pub struct Target {
    pub profile: Profile,
    pub hints: Hints,
    pub advance: Option<Advance>,
}

impl Target {
    pub fn new(profile: Profile) -> Self {
        Self {
            profile,
            hints: Hints::default(),
            advance: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_files() {
        let text = br#"{"ungranted":"a.b.s.t","late":{"table":"a.b.c","version":2}}"#;
        let hints = Hints::parse(text).unwrap();
        assert_eq!(hints.ungranted.as_deref(), Some("a.b.s.t"));
        assert_eq!(hints.late, Some(("a.b.c".to_owned(), 2)));
        for wrong in [
            "[]",
            "x",
            r#"{"later":1}"#,
            r#"{"late":"a.b.c"}"#,
            r#"{"broken":1}"#,
        ] {
            assert!(Hints::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
