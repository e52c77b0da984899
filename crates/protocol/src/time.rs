//! Moments: milliseconds since the Unix epoch inside and in signed messages, ISO 8601 in bodies.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A moment, in milliseconds since the Unix epoch. On the wire an ISO 8601 text with milliseconds and `Z`;
/// fields that carry milliseconds instead are `u64` or use [`ms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// A text that is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an ISO 8601 time such as 2026-01-31T12:00:00.000Z")]
pub struct TimestampError;

impl Timestamp {
    /// The last representable moment, the end of the year 9999.
    pub const MAX: Self = Self(253_402_207_199_999);

    /// From milliseconds since the epoch; later than the year 9999 is cut to it.
    #[must_use]
    pub fn from_ms(ms: u64) -> Self {
        Self(ms.min(Self::MAX.0))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.0
    }

    /// This moment and `by` later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self::from_ms(
            self.0
                .saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// The time from `earlier` until this moment; zero when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// How far two moments lie apart, whichever comes first.
    #[must_use]
    pub fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).map_err(|_| fmt::Error)?;
        let moment = jiff::Timestamp::from_millisecond(ms).map_err(|_| fmt::Error)?;
        write!(f, "{moment:.3}")
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| TimestampError)?;
        let ms = u64::try_from(moment.as_millisecond()).map_err(|_| TimestampError)?;
        if ms > Self::MAX.0 {
            Err(TimestampError)
        } else {
            Ok(Self(ms))
        }
    }
}

crate::json::serde_as_text!(Timestamp);

/// What is said of a number beyond the year 9999.
const TOO_LATE: &str = "a timestamp is in milliseconds since the Unix epoch";

/// For `#[serde(with = "tana_protocol::time::ms")]`: a [`Timestamp`] as a number of milliseconds.
pub mod ms {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes milliseconds.
    ///
    /// # Errors
    /// Only what the serializer itself reports.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.ms())
    }

    /// Reads milliseconds.
    ///
    /// # Errors
    /// When the value is not a whole number that is not negative, or lies after the year 9999.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let ms = u64::deserialize(deserializer)?;
        if ms > Timestamp::MAX.ms() {
            return Err(serde::de::Error::custom(super::TOO_LATE));
        }
        Ok(Timestamp::from_ms(ms))
    }

    /// The same for an optional field (with `#[serde(default)]`).
    pub mod option {
        use super::{Deserialize, Deserializer, Serializer, Timestamp};

        /// Writes milliseconds or null.
        ///
        /// # Errors
        /// Only what the serializer itself reports.
        // serde's `with` hands a reference to the field's own type.
        #[allow(clippy::ref_option)]
        pub fn serialize<S: Serializer>(
            at: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match at {
                Some(at) => super::serialize(at, serializer),
                None => serializer.serialize_none(),
            }
        }

        /// Reads milliseconds or null.
        ///
        /// # Errors
        /// As [`super::deserialize`].
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            #[derive(Deserialize)]
            struct Inner(#[serde(with = "super")] Timestamp);
            Ok(Option::<Inner>::deserialize(deserializer)?.map(|inner| inner.0))
        }
    }
}

/// For `#[serde(with = "tana_protocol::time::either")]`: a [`Timestamp`] that is written as a text, and read as a text or as
/// a number of milliseconds, which older nodes send.
pub mod either {
    use std::fmt;

    use super::Timestamp;
    use serde::de::{Error, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a text.
    ///
    /// # Errors
    /// Only what the serializer itself reports.
    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        at.serialize(serializer)
    }

    /// Reads a text or milliseconds.
    ///
    /// # Errors
    /// When the value is neither, or lies after the year 9999.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        deserializer.deserialize_any(Either)
    }

    struct Either;

    impl Visitor<'_> for Either {
        type Value = Timestamp;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an ISO 8601 time or milliseconds since the Unix epoch")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
            text.parse().map_err(E::custom)
        }

        fn visit_u64<E: Error>(self, ms: u64) -> Result<Timestamp, E> {
            if ms > Timestamp::MAX.ms() {
                return Err(E::custom(super::TOO_LATE));
            }
            Ok(Timestamp::from_ms(ms))
        }
    }

    /// The same for an optional field (with `#[serde(default)]`).
    pub mod option {
        use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp};

        /// Writes a text or null.
        ///
        /// # Errors
        /// Only what the serializer itself reports.
        // serde's `with` hands a reference to the field's own type.
        #[allow(clippy::ref_option)]
        pub fn serialize<S: Serializer>(
            at: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            at.serialize(serializer)
        }

        /// Reads a text, milliseconds or null.
        ///
        /// # Errors
        /// As [`super::deserialize`].
        pub fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            #[derive(Deserialize)]
            struct Inner(#[serde(with = "super")] Timestamp);
            Ok(Option::<Inner>::deserialize(deserializer)?.map(|inner| inner.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn is_written_with_milliseconds_and_z() {
        let at = Timestamp::from_ms(1_769_860_800_000);
        assert_eq!(at.to_string(), "2026-01-31T12:00:00.000Z");
        assert_eq!(at.to_string().parse(), Ok(at));
        assert_eq!(Timestamp::MAX.to_string().parse(), Ok(Timestamp::MAX));
    }

    #[test]
    fn either_form_is_read_and_the_text_is_written() {
        #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        struct Body {
            #[serde(with = "super::either")]
            at: Timestamp,
            #[serde(default, with = "super::either::option")]
            perhaps: Option<Timestamp>,
        }
        let at = Timestamp::from_ms(1_769_860_800_000);
        let whole = Body {
            at,
            perhaps: Some(at),
        };
        let text = r#"{"at":"2026-01-31T12:00:00.000Z","perhaps":"2026-01-31T12:00:00.000Z"}"#;
        assert_eq!(crate::json::compact(&whole), text);
        let mixed = r#"{"at":1769860800000,"perhaps":"2026-01-31T12:00:00.000Z"}"#;
        for body in [text, mixed] {
            assert_eq!(
                serde_json::from_str::<Body>(body).as_ref().ok(),
                Some(&whole)
            );
        }
        let without = Body { at, perhaps: None };
        for body in [
            r#"{"at":1769860800000}"#,
            r#"{"at":1769860800000,"perhaps":null}"#,
        ] {
            assert_eq!(
                serde_json::from_str::<Body>(body).as_ref().ok(),
                Some(&without)
            );
        }
        for wrong in ["-1", "1.5", "true", "\"noon\"", "253402207200000"] {
            let body = format!(r#"{{"at":{wrong}}}"#);
            assert!(serde_json::from_str::<Body>(&body).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_time_before_the_epoch_is_refused() {
        assert!("1969-12-31T23:59:59.000Z".parse::<Timestamp>().is_err());
    }
}
