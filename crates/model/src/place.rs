//! Places: clouds, regions, and the route that bytes take from one to another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A cloud, or `onprem` for a company's own data centre.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cloud {
    Aws,
    Azure,
    Gcp,
    Onprem,
}

impl Cloud {
    pub const ALL: [Self; 4] = [Self::Aws, Self::Azure, Self::Gcp, Self::Onprem];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Azure => "azure",
            Self::Gcp => "gcp",
            Self::Onprem => "onprem",
        }
    }
}

impl fmt::Display for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlaceError {
    #[error("unknown cloud `{0}`: use aws, azure, gcp or onprem")]
    Cloud(String),
    #[error("not a region: 1 to 64 of a-z, 0-9 and `-`, for example eu-central-1")]
    Region,
    #[error("not a place: write cloud:region, for example aws:eu-central-1")]
    Place,
}

impl FromStr for Cloud {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|cloud| cloud.as_str() == text)
            .ok_or_else(|| PlaceError::Cloud(text.chars().take(64).collect()))
    }
}

/// Cloud and region of a storage, a recipient or a running process. Written `aws:eu-central-1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Location {
    pub cloud: Cloud,
    region: String,
}

impl Location {
    pub fn new(cloud: Cloud, region: &str) -> Result<Self, PlaceError> {
        let fits = (1..=64).contains(&region.len())
            && region
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self {
                cloud,
                region: region.to_owned(),
            })
        } else {
            Err(PlaceError::Region)
        }
    }

    pub fn region(&self) -> &str {
        &self.region
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.cloud, self.region)
    }
}

impl FromStr for Location {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (cloud, region) = text.split_once(':').ok_or(PlaceError::Place)?;
        Self::new(cloud.parse()?, region)
    }
}

impl TryFrom<String> for Location {
    type Error = PlaceError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Location> for String {
    fn from(place: Location) -> Self {
        place.to_string()
    }
}

/// From one location to another. Written `aws:eu-central-1->azure:westeurope`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Route {
    pub from: Location,
    pub to: Location,
}

impl Route {
    /// Bytes that stay in one location cost nothing.
    pub fn is_local(&self) -> bool {
        self.from == self.to
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}->{}", self.from, self.to)
    }
}

impl FromStr for Route {
    type Err = PlaceError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (from, to) = text.split_once("->").ok_or(PlaceError::Place)?;
        Ok(Self {
            from: from.parse()?,
            to: to.parse()?,
        })
    }
}

impl TryFrom<String> for Route {
    type Error = PlaceError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Route> for String {
    fn from(route: Route) -> Self {
        route.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_round_trip_and_nonsense_is_refused() {
        let route: Route = "aws:eu-central-1->azure:westeurope".parse().unwrap();
        assert_eq!(route.to_string(), "aws:eu-central-1->azure:westeurope");
        assert!(!route.is_local());
        for text in [
            "",
            "aws",
            "aws:",
            "aws:EU",
            "mars:olympus",
            "aws:a->",
            "aws:a b",
        ] {
            assert!(text.parse::<Location>().is_err(), "{text}");
        }
    }
}
