//! Names that people give and machines repeat: in URLs, in object keys, in declarations. Lower case, ASCII, fixed length.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    #[error(
        "not a name: 1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter and ending with a letter or digit"
    )]
    Name,
    #[error(
        "a product's name is its domain's name, a hyphen, and a name of its own, for example vehicle-workshop-visits"
    )]
    Product,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $max:literal, $error:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let bytes = text.as_bytes();
                let fits = (1..=$max).contains(&bytes.len())
                    && bytes[0].is_ascii_lowercase()
                    && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
                    && bytes[bytes.len() - 1].is_ascii_alphanumeric();
                if fits { Ok(Self(text.to_owned())) } else { Err($error) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name!(
    /// The name of a domain, team, storage, recipient, grant, sync job, schema or table.
    Name, 63, NameError::Name
);
name!(
    /// The name of a product: `domain-name`, fixed at publish; also the name of its share.
    ProductName, 127, NameError::Product
);

impl ProductName {
    /// Whether the name begins with the domain's name and a hyphen.
    pub fn is_of_domain(&self, domain: &Name) -> bool {
        self.0
            .strip_prefix(domain.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|rest| !rest.is_empty())
    }
}

/// A name made of what a folder is called, to propose: lower case, everything else than letters and digits an underscore. None where
/// nothing is left of it.
pub fn slug(text: &str, max: usize) -> Option<String> {
    let mut slug = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('_') {
            slug.push('_');
        }
    }
    if slug.starts_with(|c: char| c.is_ascii_digit()) {
        slug.insert_str(0, "t_");
    }
    slug.truncate(max);
    let slug = slug.trim_end_matches('_').to_owned();
    (!slug.is_empty()).then_some(slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_folders() {
        for (text, expected) in [
            ("Workshop Visits", Some("workshop_visits")),
            ("2024", Some("t_2024")),
            ("_x_", Some("x")),
            ("größe", Some("gr_e")),
            ("--", None),
        ] {
            assert_eq!(slug(text, 50).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn names() {
        for good in ["a", "aws_eu", "vehicle-workshop-visits", "t1"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "A",
            "1a",
            "a-",
            "a b",
            "a/b",
            "ä",
            "..",
            &"a".repeat(64),
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
        let product: ProductName = "vehicle-visits".parse().unwrap();
        assert!(product.is_of_domain(&"vehicle".parse().unwrap()));
        assert!(!product.is_of_domain(&"veh".parse().unwrap()));
    }
}
