//! JSON as this network writes it: compact, in the key order of the message, numbers as JavaScript prints them.

use std::fmt::Display;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};

/// Writes compact JSON with numbers as `JSON.stringify` prints them, since that is what phones sign.
struct JavaScriptNumbers;

impl serde_json::ser::Formatter for JavaScriptNumbers {
    fn write_f64<W: io::Write + ?Sized>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        // `JSON.stringify(-0)` is `0`.
        let value = if value == 0.0 { 0.0 } else { value };
        writer.write_all(ryu_js::Buffer::new().format(value).as_bytes())
    }
}

/// The compact text of `value`: what `JSON.stringify` gives for the same value.
///
/// # Panics
/// Never for the types of this crate: their keys are strings and their writers cannot fail.
#[must_use]
pub fn compact<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Vec::with_capacity(256);
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, JavaScriptNumbers);
    value
        .serialize(&mut serializer)
        .expect("writing JSON into memory fails only on maps with keys that are not strings");
    String::from_utf8(out).expect("serde_json writes UTF-8")
}

/// RFC 8785 canonical JSON of `value`: what hashes of blocks are taken over.
///
/// # Panics
/// Never for the types of this crate: their keys are strings and they hold no floats that are not finite.
#[must_use]
pub fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("values of this crate have a canonical form")
}

/// Deserialises a string and parses it with the type's own `FromStr`, so that each newtype has one parser.
///
/// # Errors
/// The type's own parse error.
pub fn from_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr,
    T::Err: Display,
{
    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    text.parse().map_err(serde::de::Error::custom)
}

/// `Display` and `FromStr` are a type's wire form: derives serde from them.
macro_rules! serde_as_text {
    ($type:ty) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json::from_text(deserializer)
            }
        }
    };
}
pub(crate) use serde_as_text;

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        let value = json!({"b": 1.0, "a": [1e21, 1e-7, 0.1, -0.0, 5e-324], "n": 12});
        assert_eq!(
            super::compact(&value),
            r#"{"b":1,"a":[1e+21,1e-7,0.1,0,5e-324],"n":12}"#
        );
    }
}
