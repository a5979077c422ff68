//! What lines go out in. Whoever takes gzip gets one member of it (RFC 1952) whose parts are deflated by those who write the lines,
//! beside each other: behind one encoder, as the layer around the routes would put there, an answer waits for that.

use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress, Status};
use http::{HeaderMap, HeaderValue, header};

/// Bytes that are free at the least whenever there is more to deflate: a part's end takes six, and is written once where they fit.
const ROOM: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    /// As they are, or as a layer has them.
    Plain,
    Gzip,
}

/// Lines as they stand in an answer.
pub(super) struct Packed {
    bytes: Vec<u8>,
    /// Of the lines; none where they are plain.
    sum: Option<Crc>,
}

impl Packing {
    pub(super) fn say(self, headers: &mut HeaderMap) {
        if self == Self::Gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        }
    }

    /// Ends on a whole byte, and refers to nothing that another part says.
    pub(super) fn pack(self, lines: Vec<u8>) -> Packed {
        if self == Self::Plain {
            return Packed {
                bytes: lines,
                sum: None,
            };
        }
        let mut sum = Crc::new();
        sum.update(&lines);
        Packed {
            bytes: deflated(&lines),
            sum: Some(sum),
        }
    }
}

fn deflated(lines: &[u8]) -> Vec<u8> {
    // The fastest: lines are much alike, and the client waits for the network, not for us.
    let mut deflate = Compress::new(Compression::fast(), false);
    let mut out = Vec::with_capacity(lines.len() / 4 + ROOM);
    let mut left = lines;
    loop {
        let taken = deflate.total_in();
        // Fails for a compressor alone that was told of its end before.
        let status = deflate.compress_vec(left, &mut out, FlushCompress::Sync);
        let taken = usize::try_from(deflate.total_in() - taken).unwrap_or(left.len());
        left = left.get(taken..).unwrap_or_default();
        let has_room = out.len() < out.capacity();
        if left.is_empty() && has_room || !matches!(status, Ok(Status::Ok | Status::BufError)) {
            return out;
        }
        out.reserve(left.len() / 4 + ROOM);
    }
}

/// What is to be sent next.
pub(super) struct Packer {
    packing: Packing,
    out: Vec<u8>,
    sum: Crc,
}

impl Packer {
    pub(super) fn new(packing: Packing) -> Self {
        let out = match packing {
            Packing::Plain => Vec::new(),
            // Deflate, no flags, no time, the fastest, of no system.
            Packing::Gzip => vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 0xff],
        };
        Self {
            packing,
            out,
            sum: Crc::new(),
        }
    }

    pub(super) fn put(&mut self, packed: Packed) {
        if let Some(sum) = &packed.sum {
            self.sum.combine(sum);
        }
        if self.out.is_empty() {
            self.out = packed.bytes;
        } else {
            self.out.extend_from_slice(&packed.bytes);
        }
    }

    /// The same of lines that are not packed yet.
    pub(super) fn put_lines(&mut self, lines: Vec<u8>) {
        self.put(self.packing.pack(lines));
    }

    /// What was put since the last time.
    pub(super) fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.out))
    }

    /// The same with what says that there will be no more; an answer without it was broken off.
    pub(super) fn end(mut self) -> Bytes {
        if self.packing == Packing::Gzip {
            // An empty last block, the sum, and the length modulo 2^32.
            self.out.extend_from_slice(&[3, 0]);
            self.out.extend_from_slice(&self.sum.sum().to_le_bytes());
            self.out.extend_from_slice(&self.sum.amount().to_le_bytes());
        }
        Bytes::from(self.out)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::bufread::GzDecoder;
    use proptest::prelude::*;

    use super::*;

    fn packed(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut packer = Packer::new(Packing::Gzip);
        let mut out = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            if at % 2 == 0 {
                packer.put_lines(part.clone());
            } else {
                packer.put(Packing::Gzip.pack(part.clone()));
                out.extend_from_slice(&packer.take());
            }
        }
        out.extend_from_slice(&packer.end());
        out
    }

    fn unpacked(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = bytes;
        GzDecoder::new(&mut rest).read_to_end(&mut out).unwrap();
        assert!(rest.is_empty(), "one member, and nothing behind it");
        out
    }

    #[test]
    fn many_parts_are_one_answer() {
        let alike = |n: u32| format!("{{\"file\":{{\"id\":\"{n:032x}\"}}}}\n").repeat(500);
        let parts: Vec<Vec<u8>> = (0..50).map(|n| alike(n).into_bytes()).collect();
        let packed = packed(&parts);
        let whole = parts.concat();
        assert_eq!(unpacked(&packed), whole);
        assert!(packed.len() * 20 < whole.len(), "{}", packed.len());
    }

    proptest! {
        #[test]
        fn whatever_is_packed_is_unpacked(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5_000), 0..9),
            repeated in 1_usize..60,
        ) {
            let parts: Vec<Vec<u8>> = parts.into_iter().map(|part| part.repeat(repeated)).collect();
            prop_assert_eq!(unpacked(&packed(&parts)), parts.concat());
        }

        #[test]
        fn what_was_broken_off_is_no_whole(lines in prop::collection::vec(any::<u8>(), 1..500), less in 1_usize..10) {
            let packed = packed(&[lines]);
            let mut out = Vec::new();
            let cut = &packed[..packed.len() - less.min(packed.len())];
            prop_assert!(GzDecoder::new(cut).read_to_end(&mut out).is_err());
        }
    }
}
