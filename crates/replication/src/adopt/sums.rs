//! What stores say of an object's content, and whether bytes that are read here come to the same: an MD5, or S3's sum over the
//! MD5s of the parts that an object was uploaded in.

use md5::{Digest as _, Md5};
use object_store::{Attribute, Attributes, ObjectMeta};

/// Under this name the storage crate passes on an MD5 that a store tells beside the ETag, in hexadecimal.
const CONTENT_MD5: &str = "entrepot-content-md5";

const MIB: u64 = 1 << 20;

/// Parts as the usual programs upload them, in MiB.
const USUAL: [u64; 24] = [
    5, 6, 7, 8, 10, 12, 15, 16, 20, 24, 25, 32, 40, 48, 50, 64, 80, 96, 100, 128, 250, 256, 512,
    1024,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sum {
    Md5([u8; 16]),
    /// The MD5 of the parts' MD5s.
    Parts {
        digest: [u8; 16],
        count: u64,
    },
}

impl Sum {
    /// What the store says; None where it says nothing of the content.
    pub(crate) fn of(meta: &ObjectMeta, attributes: &Attributes) -> Option<Self> {
        let told = attributes.get(&Attribute::Metadata(CONTENT_MD5.into()));
        match told.and_then(|text| digest(text.as_ref())) {
            Some(md5) => Some(Self::Md5(md5)),
            None => Self::of_tag(meta.e_tag.as_deref()?),
        }
    }

    /// An ETag that may be a sum. One that is not, of an object encrypted with a key of its own for example, is no content's sum,
    /// and nothing comes to it.
    fn of_tag(tag: &str) -> Option<Self> {
        let tag = tag.trim_matches('"');
        match tag.split_once('-') {
            None => digest(tag).map(Self::Md5),
            Some((sum, count)) => {
                let count = count.parse().ok().filter(|count| *count > 0)?;
                let digest = digest(sum)?;
                Some(Self::Parts { digest, count })
            }
        }
    }

    /// Whether the two cannot be of the same bytes, as far as both are plain.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Md5(one), Self::Md5(two)) if one != two)
    }
}

fn digest(text: &str) -> Option<[u8; 16]> {
    hex::decode(text).ok()?.try_into().ok()
}

/// The sizes of parts that make `count` of an object, among those that are usual.
fn part_sizes(size: u64, count: u64) -> Vec<u64> {
    if count <= 1 {
        return vec![size.max(1)];
    }
    let (least, most) = (size.div_ceil(count), size.saturating_sub(1) / (count - 1));
    let mut sizes: Vec<u64> = USUAL
        .iter()
        .map(|mib| mib * MIB)
        // As many parts as a store takes, in whole MiB or not.
        .chain([least.next_multiple_of(MIB), least])
        .filter(|part| (least..=most).contains(part) && *part > 0)
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Sums bytes as they come, for every size of parts that may have been meant.
pub(crate) struct Hasher {
    wanted: Sum,
    tries: Vec<Try>,
}

struct Try {
    part: u64,
    filled: u64,
    now: Md5,
    parts: u64,
    all: Md5,
}

impl Hasher {
    pub(crate) fn new(wanted: Sum, size: u64) -> Self {
        let sizes = match wanted {
            Sum::Md5(_) => vec![u64::MAX],
            Sum::Parts { count, .. } => part_sizes(size, count),
        };
        let tries = sizes.into_iter().map(|part| Try {
            part,
            filled: 0,
            now: Md5::default(),
            parts: 0,
            all: Md5::default(),
        });
        Self {
            wanted,
            tries: tries.collect(),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for one in &mut self.tries {
            one.update(bytes);
        }
    }

    pub(crate) fn agrees(self) -> bool {
        let wanted = self.wanted;
        self.tries.into_iter().any(|one| one.comes_to(wanted))
    }
}

impl Try {
    fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = usize::try_from(self.part - self.filled).unwrap_or(usize::MAX);
            let (now, rest) = bytes.split_at(room.min(bytes.len()));
            self.now.update(now);
            self.filled += now.len() as u64;
            bytes = rest;
            if self.filled == self.part {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        let sum: [u8; 16] = std::mem::take(&mut self.now).finalize().into();
        self.all.update(sum);
        self.parts += 1;
        self.filled = 0;
    }

    fn comes_to(mut self, wanted: Sum) -> bool {
        match wanted {
            Sum::Md5(wanted) => {
                let found: [u8; 16] = self.now.finalize().into();
                found == wanted
            }
            Sum::Parts { digest, count } => {
                if self.filled > 0 {
                    self.close();
                }
                let found: [u8; 16] = self.all.finalize().into();
                self.parts == count && found == digest
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comes_to(wanted: Sum, bytes: &[u8], piece: usize) -> bool {
        let mut hasher = Hasher::new(wanted, bytes.len() as u64);
        bytes.chunks(piece).for_each(|piece| hasher.update(piece));
        hasher.agrees()
    }

    fn in_parts(bytes: &[u8], part: usize) -> Sum {
        let mut all = Md5::default();
        for part in bytes.chunks(part) {
            all.update(Md5::digest(part));
        }
        let tag = format!(
            "\"{}-{}\"",
            hex::encode(all.finalize()),
            bytes.len().div_ceil(part)
        );
        Sum::of_tag(&tag).unwrap()
    }

    #[test]
    fn an_upload_in_parts_of_a_usual_size_is_known_again() {
        let bytes: Vec<u8> = (0..17 * MIB + 5).map(|at| (at % 251) as u8).collect();
        let mut other = bytes.clone();
        other[9_000_000] ^= 1;
        for part in [5, 8, 10, 16, 64] {
            let sum = in_parts(&bytes, (part * MIB) as usize);
            assert!(comes_to(sum, &bytes, 1_000_003), "{part}");
            assert!(!comes_to(sum, &other, 1_000_003), "{part}");
        }
        let whole = Sum::of_tag(&hex::encode(Md5::digest(&bytes))).unwrap();
        assert!(comes_to(whole, &bytes, 77_777) && !comes_to(whole, &other, 77_777));
        // Parts of a size that nobody uses are not known again; that costs a fetch and no truth.
        assert!(!comes_to(in_parts(&bytes, 3_333_333), &bytes, MIB as usize));
    }

    #[test]
    fn what_is_no_sum_is_none() {
        for tag in [
            "0",
            "0x8DC0A7D5F2B1E40",
            "3a1-61f0c2d3a4-400",
            "d41d8cd98f00b204e9800998ecf8427e-0",
            "d41d8cd98f00b204e9800998ecf8427e-x",
            "",
        ] {
            assert_eq!(Sum::of_tag(tag), None, "{tag}");
        }
        let plain = Sum::of_tag("\"d41d8cd98f00b204e9800998ecf8427e\"").unwrap();
        assert!(comes_to(plain, b"", 1));
        assert!(plain.contradicts(&Sum::Md5([0; 16])) && !plain.contradicts(&plain));
    }
}
