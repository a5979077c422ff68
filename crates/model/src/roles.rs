//! Roles. Membership of a team makes a consumer or a producer of that team; the others hold for the organisation.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A role that holds for the whole organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    DataProtection,
    Finance,
    Auditor,
    Admin,
}

/// What a member may do for the team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRole {
    /// Finds products and asks for access in the team's name.
    Consumer,
    /// Also registers the team's products and decides on requests for them.
    Producer,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("unknown role `{word}`: use {expected}")]
pub struct RoleError {
    word: String,
    expected: String,
}

macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),* }) => {
        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl FromStr for $name {
            type Err = RoleError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(RoleError {
                        word: text.chars().take(64).collect(),
                        expected: [$($word),*].join(", "),
                    }),
                }
            }
        }
    };
}

words!(Role { DataProtection = "data_protection", Finance = "finance", Auditor = "auditor", Admin = "admin" });
words!(MemberRole { Consumer = "consumer", Producer = "producer" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_role_gets_the_roles_there_are() {
        let error = "nonsense".parse::<Role>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown role `nonsense`: use data_protection, finance, auditor, admin"
        );
        let error = "Consumer".parse::<MemberRole>().unwrap_err().to_string();
        assert_eq!(error, "unknown role `Consumer`: use consumer, producer");
    }
}
