//! RFC 8785 as a formatter: what is serialised is written where it belongs at once, and an object's fields are put into
//! their order when the object ends. No value is built in between.

use std::io;
use std::ops::Range;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::{write_canonical, write_double};

/// A field of an object that is being written: where it begins and ends, where its name is without its quotes, and whether
/// the name is plain: in ASCII, without escapes.
#[derive(Clone, Debug)]
struct Field {
    whole: Range<usize>,
    name: Range<usize>,
    is_plain: bool,
}

/// RFC 8785 canonical JSON of values, one behind the other. Of many, one writer is quicker than one for each.
#[derive(Debug, Default)]
pub struct Canonical {
    out: Vec<u8>,
    /// The fields of all objects that are open, the innermost's last.
    fields: Vec<Field>,
    /// Which is the first field of each open object.
    open: Vec<usize>,
    /// Where fields are put into their order.
    sorted: Vec<u8>,
}

impl Canonical {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::with_capacity(256)
    }

    /// Nothing yet, and room for about so many bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            out: Vec::with_capacity(bytes),
            ..Self::default()
        }
    }

    /// Writes a value behind what is there.
    ///
    /// # Panics
    /// Never for the types of this crate: their keys are strings.
    pub fn write<T: Serialize + ?Sized>(&mut self, value: &T) {
        // What serde_json would write into is not used: it could not be put into another order.
        let mut serializer = serde_json::Serializer::with_formatter(io::sink(), self);
        value
            .serialize(&mut serializer)
            .expect("values of this crate have a canonical form");
    }

    /// What is written.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.out
    }

    /// What is written, to write more of one's own behind it.
    pub(crate) const fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// What is written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Forgets what is written.
    pub fn clear(&mut self) {
        self.out.clear();
    }

    /// Puts the innermost object's fields into the order of their names.
    fn sort(&mut self) {
        let first = self.open.pop().unwrap_or_default();
        let Self {
            out,
            fields,
            sorted,
            ..
        } = self;
        let own = fields.get_mut(first..).unwrap_or_default();
        let by_name = |a: &Field, b: &Field| {
            let (left, right) = (&out[a.name.clone()], &out[b.name.clone()]);
            if a.is_plain && b.is_plain {
                left.cmp(right)
            } else {
                units(left).cmp(&units(right))
            }
        };
        if let Some(start) = own.first().map(|field| field.whole.start)
            && !own.is_sorted_by(|a, b| by_name(a, b).is_lt())
        {
            own.sort_by(by_name);
            sorted.clear();
            for (place, field) in own.iter().enumerate() {
                if place > 0 {
                    sorted.push(b',');
                }
                sorted.extend_from_slice(&out[field.whole.clone()]);
            }
            out.truncate(start);
            out.extend_from_slice(sorted);
        }
        fields.truncate(first);
    }
}

/// The UTF-16 code units of a name as it is written: names are in their order. That of plain names is the order of their
/// bytes.
fn units(name: &[u8]) -> Vec<u16> {
    let quoted = [b"\"", name, b"\""].concat();
    let name: String = serde_json::from_slice(&quoted).expect("a name was written as JSON");
    name.encode_utf16().collect()
}

/// Integers that are doubles are written as they are; all others as the double next to them.
macro_rules! integers {
    ($($name:ident: $type:ty),*) => {
        $(fn $name<W: ?Sized + io::Write>(&mut self, _: &mut W, value: $type) -> io::Result<()> {
            match i64::try_from(value) {
                Ok(value) if value.unsigned_abs() < super::INEXACT => super::write_integer(value, &mut self.out),
                // RFC 8785 has no other numbers than doubles.
                _ => write_double(value as f64, &mut self.out),
            }
            Ok(())
        })*
    };
}

/// What is written whatever the value.
macro_rules! marks {
    ($($name:ident: $text:literal),*) => {
        $(fn $name<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
            self.out.extend_from_slice($text);
            Ok(())
        })*
    };
}

impl Formatter for &mut Canonical {
    integers!(
        write_i8: i8, write_i16: i16, write_i32: i32, write_i64: i64, write_i128: i128,
        write_u8: u8, write_u16: u16, write_u32: u32, write_u64: u64, write_u128: u128
    );

    marks!(
        write_null: b"null", begin_string: b"\"", end_string: b"\"", begin_array: b"[", end_array: b"]",
        begin_object_value: b":"
    );

    fn write_bool<W: ?Sized + io::Write>(&mut self, _: &mut W, value: bool) -> io::Result<()> {
        let word: &[u8] = if value { b"true" } else { b"false" };
        self.out.extend_from_slice(word);
        Ok(())
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, _: &mut W, value: f32) -> io::Result<()> {
        write_double(value.into(), &mut self.out);
        Ok(())
    }

    fn write_f64<W: ?Sized + io::Write>(&mut self, _: &mut W, value: f64) -> io::Result<()> {
        write_double(value, &mut self.out);
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.out.extend_from_slice(fragment.as_bytes());
        Ok(())
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        CompactFormatter.write_char_escape(&mut self.out, escape)
    }

    fn write_raw_fragment<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let value: Value = serde_json::from_str(fragment)?;
        write_canonical(&value, &mut self.out);
        Ok(())
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if !first {
            self.out.push(b',');
        }
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.out.push(b'{');
        self.open.push(self.fields.len());
        Ok(())
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        _: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if !first {
            self.out.push(b',');
        }
        let from = self.out.len();
        self.fields.push(Field {
            whole: from..from,
            name: from..from,
            is_plain: false,
        });
        Ok(())
    }

    fn end_object_key<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.out.len();
        if let Some(field) = self.fields.last_mut() {
            field.name = field.whole.start + 1..end - 1;
            let mut name = self.out[field.name.clone()].iter();
            field.is_plain = name.all(|byte| byte.is_ascii() && *byte != b'\\');
        }
        Ok(())
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        let end = self.out.len();
        if let Some(field) = self.fields.last_mut() {
            field.whole.end = end;
        }
        Ok(())
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.sort();
        self.out.push(b'}');
        Ok(())
    }
}
