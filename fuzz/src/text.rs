//! What holds for every type with a text or a JSON form: what was read is written so that it is read again.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tana_protocol::json::compact;

/// Reads JSON; what it is written as must be read again and written alike. Signatures cover such texts.
pub(crate) fn json<T: DeserializeOwned + Serialize>(data: &[u8]) -> Option<T> {
    let read: T = serde_json::from_slice(data).ok()?;
    let written = compact(&read);
    let again: T = match serde_json::from_str(&written) {
        Ok(again) => again,
        Err(error) => panic!("{written} was written and is not read: {error}"),
    };
    assert_eq!(compact(&again), written, "read again, it is another");
    Some(read)
}

/// The same of a type that is a text.
pub(crate) fn parse<T: FromStr + Display + PartialEq + Debug>(data: &[u8]) -> Option<T>
where
    T::Err: Display,
{
    let text = std::str::from_utf8(data).ok()?;
    let read: T = match text.parse() {
        Ok(read) => read,
        Err(error) => {
            assert!(!error.to_string().is_empty(), "an error says what is wrong");
            return None;
        }
    };
    let written = read.to_string();
    match written.parse::<T>() {
        Ok(again) => assert_eq!(again, read, "read again, it is another"),
        Err(error) => panic!("{written:?} was written and is not read: {error}"),
    }
    Some(read)
}
