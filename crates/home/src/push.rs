//! The settings about who takes notifications to phones: `pushProvider`, `pushUrl`, `pushSecret`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

/// Where Expo takes notifications.
const EXPO: &str = "https://exp.host/--/api/v2/push/send";

/// The form in which notifications are handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushProvider {
    /// One JSON object a phone.
    Webhook,
    /// The Expo push API: all phones of a user in one array.
    Expo,
}

impl FromStr for PushProvider {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "webhook" => Ok(Self::Webhook),
            "expo" => Ok(Self::Expo),
            _ => Err(()),
        }
    }
}

impl PushProvider {
    /// Where it is unless `pushUrl` says otherwise.
    pub(crate) const fn default_url(self) -> Option<&'static str> {
        match self {
            Self::Webhook => None,
            Self::Expo => Some(EXPO),
        }
    }
}

/// Who takes notifications to phones.
#[derive(Clone, Debug)]
pub struct PushSettings {
    /// In which form.
    pub provider: PushProvider,
    /// Where they are posted to.
    pub url: String,
    /// What is sent along as bearer token.
    pub secret: Option<Secret>,
}

/// A setting that nobody is shown.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The text, for the one whose it is.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
