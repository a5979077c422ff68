//! Looks at a Parquet footer before the Parquet library does. The library builds the schema by recursion, so a footer of
//! a few hundred kilobytes that nests that many groups would overflow the stack and end the process.

/// Deepest nesting a checkpoint's schema may have. Checkpoints need six levels plus those of the table's own columns.
const MAX_DEPTH: usize = 64;

/// Walks the thrift-compact `FileMetaData` and checks the nesting of its schema.
///
/// # Errors
/// A short text when it is not thrift or is nested too deeply.
pub(crate) fn check_nesting(footer: &[u8]) -> Result<(), &'static str> {
    let mut reader = Reader { rest: footer };
    let mut id = 0;
    while let Some(kind) = reader.field(&mut id)? {
        // FileMetaData: field 2 is the schema, a list of SchemaElement in depth-first order.
        if id == 2 && kind == LIST {
            check_schema(&mut reader)?
        } else {
            reader.skip(kind, 0)?
        }
    }
    Ok(())
}

fn check_schema(reader: &mut Reader<'_>) -> Result<(), &'static str> {
    let (kind, len) = reader.list()?;
    if kind != STRUCT {
        return Err(BROKEN);
    }
    // How many children each open group still waits for.
    let mut open: Vec<u64> = Vec::new();
    for _ in 0..len {
        let mut children = 0;
        let mut id = 0;
        while let Some(kind) = reader.field(&mut id)? {
            // SchemaElement: field 5 is num_children, i32.
            if id == 5 && kind == I32 {
                children = reader.zigzag()?
            } else {
                reader.skip(kind, 0)?
            }
        }
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(waiting) = open.last_mut() {
            *waiting -= 1;
        }
        if let Ok(children @ 1..) = u64::try_from(children) {
            open.push(children);
        }
        if open.len() > MAX_DEPTH {
            return Err("its schema is nested too deeply");
        }
    }
    Ok(())
}

const BROKEN: &str = "its footer is broken";
const I32: u8 = 5;
const LIST: u8 = 9;
const STRUCT: u8 = 12;

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, &'static str> {
        let (first, rest) = self.rest.split_first().ok_or(BROKEN)?;
        self.rest = rest;
        Ok(*first)
    }

    fn pass(&mut self, bytes: u64) -> Result<(), &'static str> {
        let bytes = usize::try_from(bytes).map_err(|_| BROKEN)?;
        self.rest = self.rest.get(bytes..).ok_or(BROKEN)?;
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BROKEN)
    }

    fn zigzag(&mut self) -> Result<i64, &'static str> {
        let value = self.varint()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The next field's type; `None` at the end of the struct. `id` goes from the last field's to this one's.
    fn field(&mut self, id: &mut i64) -> Result<Option<u8>, &'static str> {
        let header = self.byte()?;
        let kind = header & 0x0f;
        if kind == 0 {
            return Ok(None);
        }
        *id = match header >> 4 {
            0 => self.zigzag()?,
            delta => id.saturating_add(i64::from(delta)),
        };
        Ok(Some(kind))
    }

    fn list(&mut self) -> Result<(u8, u64), &'static str> {
        let header = self.byte()?;
        let len = match header >> 4 {
            15 => self.varint()?,
            short => u64::from(short),
        };
        Ok((header & 0x0f, len))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<(), &'static str> {
        if depth > MAX_DEPTH {
            return Err("its footer is nested too deeply");
        }
        match kind {
            // A boolean field has its value in its header.
            1 | 2 => Ok(()),
            3 => self.pass(1),
            4..=6 => self.varint().map(|_| ()),
            7 => self.pass(8),
            8 => {
                let len = self.varint()?;
                self.pass(len)
            }
            9 | 10 => {
                let (kind, len) = self.list()?;
                (0..len).try_for_each(|_| self.element(kind, depth))
            }
            11 => {
                let len = self.varint()?;
                if len == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                (0..len).try_for_each(|_| {
                    self.element(kinds >> 4, depth)?;
                    self.element(kinds & 0x0f, depth)
                })
            }
            12 => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(BROKEN),
        }
    }

    /// Inside collections a boolean takes a byte, so that every element shortens the rest and long lists end.
    fn element(&mut self, kind: u8, depth: usize) -> Result<(), &'static str> {
        match kind {
            1 | 2 => self.pass(1),
            kind => self.skip(kind, depth + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FileMetaData {1: i32 1, 2: list<SchemaElement> of `n` groups with one child each}.
    fn nested(n: usize) -> Vec<u8> {
        let mut out = vec![0x15, 0x02, 0x19, 0xfc];
        let mut len = n;
        while len >= 0x80 {
            out.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
            len >>= 7;
        }
        out.push(u8::try_from(len).unwrap());
        for _ in 0..n {
            out.extend([0x48, 0x01, b'g', 0x15, 0x02, 0x00]);
        }
        out.push(0);
        out
    }

    #[test]
    fn deep_schemas_are_refused_without_recursion() {
        assert_eq!(check_nesting(&nested(20)), Ok(()));
        assert_eq!(
            check_nesting(&nested(1_000_000)),
            Err("its schema is nested too deeply")
        );
    }

    #[test]
    fn what_is_no_footer_ends_with_an_error() {
        for footer in [
            &b""[..],
            b"\xff\xff\xff",
            &[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0x1c; 200],
        ] {
            assert!(check_nesting(footer).is_err(), "{footer:?}");
        }
    }
}
