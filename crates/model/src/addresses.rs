//! Blocks of network addresses as people write them (CIDR): from where a recipient may be used.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// All addresses that begin with the same bits: `192.0.2.0/24`, `2001:db8::/32`. One address alone is a block of its whole length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: IpAddr,
    /// How many bits are the same.
    bits: u8,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    #[error("`{0}` is no address or block: write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32")]
    Unreadable(String),
    #[error(
        "`{given}` names an address within its block: write {whole} for all of it, or the address alone"
    )]
    Within { given: String, whole: String },
}

impl AddressRange {
    /// Whether it holds an address. One of IPv4 that is written as one of IPv6 is the one of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (first, length) = number(self.first);
        let (asked, of) = number(address.to_canonical());
        let rest = u32::from(length - self.bits);
        // All of them, where nothing is the same: shifting by all bits is none.
        length == of && first.checked_shr(rest) == asked.checked_shr(rest)
    }
}

/// The address as a number, and how many bits it has.
fn number(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

impl FromStr for AddressRange {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let unreadable = || AddressError::Unreadable(text.chars().take(64).collect());
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| unreadable())?;
        let (value, length) = number(address);
        let bits = match bits {
            None => length,
            // A sign or a leading zero is somebody's slip.
            Some(bits) => bits
                .parse::<u8>()
                .ok()
                .filter(|found| *found <= length && found.to_string() == bits)
                .ok_or_else(unreadable)?,
        };
        let rest = u32::from(length - bits);
        let cut = value
            .checked_shr(rest)
            .and_then(|kept| kept.checked_shl(rest))
            .unwrap_or(0);
        let first = match address {
            IpAddr::V4(_) => IpAddr::V4(u32::try_from(cut).unwrap_or(0).into()),
            IpAddr::V6(_) => IpAddr::V6(cut.into()),
        };
        let range = Self { first, bits };
        if cut != value {
            return Err(AddressError::Within {
                given: text.to_owned(),
                whole: range.to_string(),
            });
        }
        // Nobody would ever come from there: what a listener sees of such an address is the one of IPv4.
        if address.to_canonical() != address {
            return Err(unreadable());
        }
        Ok(range)
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.bits) {
            (IpAddr::V4(first), 32) => write!(f, "{first}"),
            (IpAddr::V6(first), 128) => write!(f, "{first}"),
            (first, bits) => write!(f, "{first}/{bits}"),
        }
    }
}

/// Blocks that somebody may come from, each once and in order; none: from everywhere. Written with a space between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(Vec<AddressRange>);

impl Addresses {
    /// Whether who comes from there is let in. Where it is not known from where somebody comes, only who may come from everywhere.
    pub fn let_in(&self, from: Option<IpAddr>) -> bool {
        self.0.is_empty()
            || from.is_some_and(|from| self.0.iter().any(|range| range.contains(from)))
    }

    pub fn iter(&self) -> impl Iterator<Item = &AddressRange> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<AddressRange> for Addresses {
    fn from_iter<I: IntoIterator<Item = AddressRange>>(ranges: I) -> Self {
        let mut ranges: Vec<AddressRange> = ranges.into_iter().collect();
        ranges.sort_unstable();
        ranges.dedup();
        Self(ranges)
    }
}

impl FromStr for Addresses {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split_whitespace().map(str::parse).collect()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, range) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            write!(f, "{range}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_holds_what_begins_as_it_does() {
        for (block, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("192.0.2.0/24", "::ffff:192.0.2.1", "::192.0.2.1"),
            ("10.0.0.0/9", "10.127.255.255", "10.128.0.0"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("::/0", "ffff::", "127.0.0.1"),
        ] {
            let range: AddressRange = block.parse().unwrap();
            assert_eq!(range.to_string(), block);
            assert!(range.contains(inside.parse().unwrap()), "{block} {inside}");
            assert!(
                !range.contains(outside.parse().unwrap()),
                "{block} {outside}"
            );
        }
    }

    #[test]
    fn a_list_lets_in_who_is_on_it() {
        let everywhere: Addresses = "".parse().unwrap();
        assert!(everywhere.let_in(None) && everywhere.let_in("192.0.2.1".parse().ok()));
        let some: Addresses = " 2001:db8::/32\n192.0.2.0/24 192.0.2.0/24 "
            .parse()
            .unwrap();
        assert_eq!(some.to_string(), "192.0.2.0/24 2001:db8::/32");
        assert_eq!((some.len(), some.is_empty()), (2, false));
        for (from, expected) in [
            (Some("192.0.2.1"), true),
            (Some("2001:db8::9"), true),
            (Some("192.0.3.1"), false),
            // Nobody is let in who cannot be placed.
            (None, false),
        ] {
            let from = from.map(|from| from.parse().unwrap());
            assert_eq!(some.let_in(from), expected, "{from:?}");
        }
        assert!("192.0.2.0/24 anywhere".parse::<Addresses>().is_err());
    }

    #[test]
    fn slips_are_named() {
        for text in [
            "",
            "192.0.2",
            "192.0.2.0/",
            "192.0.2.0/33",
            "192.0.2.0/+8",
            "192.0.2.0/024",
            "192.0.2.0/24/8",
            "2001:db8::/129",
            "::ffff:192.0.2.1",
            "example.com",
        ] {
            let error = text.parse::<AddressRange>().unwrap_err();
            assert!(matches!(error, AddressError::Unreadable(_)), "{text}");
        }
        let error = "192.0.2.9/24".parse::<AddressRange>().unwrap_err();
        assert!(error.to_string().contains("write 192.0.2.0/24 for all"));
    }
}
