//! JSON as this network writes it: compact, in the key order of the message, numbers as JavaScript prints them.

mod canonical;

use std::fmt::{self, Display};
use std::io;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserializer, Serialize};
use serde_json::{Number, Value};

pub use canonical::Canonical;

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

/// RFC 8785 canonical JSON of `value`: what hashes of blocks are taken over. Every value of the state and every receipt
/// goes through here, so it is written in one pass; the tests compare it with a library of its own.
///
/// # Panics
/// Never for the types of this crate: their keys are strings and they hold no numbers beyond 64 bits.
#[must_use]
pub fn canonical<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Canonical::new();
    out.write(value);
    out.into_bytes()
}

/// How deep free-form JSON of a transaction or a contract may nest. Readers of JSON give up at 128 levels, and blocks,
/// batches and pages put some of their own around it.
pub const MAX_DEPTH: usize = 64;

/// Whether lists and objects nest no deeper than [`MAX_DEPTH`] in `value`.
#[must_use]
pub fn is_shallow(value: &Value) -> bool {
    fn within(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(items) => levels > 0 && items.iter().all(|item| within(item, levels - 1)),
            Value::Object(fields) => {
                levels > 0 && fields.values().all(|item| within(item, levels - 1))
            }
            _ => true,
        }
    }
    within(value, MAX_DEPTH)
}

pub(crate) fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        // Every number is a double; without its fraction where it has none.
        Value::Number(number) => match exact(number) {
            Some(number) => write_integer(number, out),
            None => write_double(number.as_f64().unwrap_or(0.0), out),
        },
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_unstable_by(|(a, _), (b, _)| {
                // Of ASCII, both orders are one.
                if a.is_ascii() && b.is_ascii() {
                    a.cmp(b)
                } else {
                    a.encode_utf16().cmp(b.encode_utf16())
                }
            });
            out.push(b'{');
            for (place, (name, value)) in fields.into_iter().enumerate() {
                if place > 0 {
                    out.push(b',');
                }
                write_text(name, out);
                out.push(b':');
                write_canonical(value, out);
            }
            out.push(b'}');
        }
    }
}

/// From here on, not every integer is a double.
const INEXACT: u64 = 1 << 53;

/// The integer that a number is, where it is written as one and every reader of JSON takes it for the same.
fn exact(number: &Number) -> Option<i64> {
    number
        .as_i64()
        .filter(|number| number.unsigned_abs() < INEXACT)
}

/// Whether `value` holds no numbers but integers that no other number has the canonical form of: then what has the same
/// canonical form is the same.
#[must_use]
pub fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => exact(number).is_some(),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn write_integer(number: i64, out: &mut Vec<u8>) {
    serde_json::to_writer(out, &number).expect("writing into memory never fails");
}

pub(crate) fn write_double(number: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(ryu_js::Buffer::new().format(number).as_bytes());
}

pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("writing into memory never fails");
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
    deserializer.deserialize_str(Parser(PhantomData))
}

/// Parses a text where it lies; most texts need no copy of their own.
struct Parser<T>(PhantomData<T>);

impl<T> serde::de::Visitor<'_> for Parser<T>
where
    T: FromStr,
    T::Err: Display,
{
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
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
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
    use serde_json::{Value, json};

    /// Any JSON, with names and texts that are ordered and escaped in their own ways.
    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(|number| json!(number)),
            "\\PC{0,12}|[\\x00-\\x7f\u{e000}-\u{10ffff}\"]{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 8, |inner| {
            let name = "[a-c]{0,3}|[\\x00-\\x7f\u{d7ff}\u{e000}-\u{10ffff}]{0,3}";
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::vec((name, inner), 0..8)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_json_is_what_another_implementation_writes(value in values()) {
            let (ours, theirs) = (super::canonical(&value), serde_json_canonicalizer::to_vec(&value).unwrap());
            let mut written = b"before".to_vec();
            super::write_canonical(&value, &mut written);
            prop_assert_eq!(written.strip_prefix(b"before"), Some(&ours[..]));
            prop_assert_eq!(String::from_utf8(ours).unwrap(), String::from_utf8(theirs).unwrap());
        }
    }

    #[test]
    fn only_what_has_its_canonical_form_alone_is_exact() {
        for exact in [
            json!([0, -1, 9_007_199_254_740_991_u64]),
            json!({"a": "1.5"}),
        ] {
            assert!(super::is_exact(&exact), "{exact}");
        }
        for other in [
            json!(1.0),
            json!(9_007_199_254_740_992_u64),
            json!({"a": [0.5]}),
        ] {
            assert!(!super::is_exact(&other), "{other}");
        }
    }

    #[test]
    fn structs_are_written_in_the_order_of_their_names() {
        #[derive(serde::Serialize)]
        struct Inner {
            b: Vec<u8>,
            a: Option<&'static str>,
        }
        #[derive(serde::Serialize)]
        struct Outer {
            zebra: Inner,
            #[serde(rename = "\"quoted\"")]
            quoted: f32,
            #[serde(rename = "\u{1f600}")]
            astral: i8,
            #[serde(rename = "\u{fb33}")]
            hebrew: char,
            big: u64,
            raw: Box<serde_json::value::RawValue>,
        }
        let value = Outer {
            zebra: Inner {
                b: vec![2, 1],
                a: None,
            },
            quoted: 0.5,
            astral: -1,
            hebrew: 'x',
            big: u64::MAX,
            raw: serde_json::from_str(r#"{"y": 1.0, "x": []}"#).unwrap(),
        };
        let text = String::from_utf8(super::canonical(&value)).unwrap();
        let theirs = serde_json_canonicalizer::to_vec(&serde_json::to_value(&value).unwrap());
        assert_eq!(text, String::from_utf8(theirs.unwrap()).unwrap());
    }

    #[test]
    fn numbers_are_written_as_javascript_writes_them() {
        let value = json!({"b": 1.0, "a": [1e21, 1e-7, 0.1, -0.0, 5e-324], "n": 12});
        assert_eq!(
            super::compact(&value),
            r#"{"b":1,"a":[1e+21,1e-7,0.1,0,5e-324],"n":12}"#
        );
    }
}
