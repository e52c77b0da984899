//! What can go wrong between a client and a daemon, in sentences that say what to do.

use std::path::PathBuf;

use tana_protocol::{Code, Problem};

/// Why a request has no answer that can be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The daemon answered with a problem document.
    #[error("{}", .0.detail)]
    Problem(Box<Problem>),
    /// The daemon answered with an error that is no problem document.
    #[error("the {service} answered {status} to {request}: {detail}")]
    Status {
        /// Which daemon.
        service: &'static str,
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// What it said, shortened.
        detail: String,
    },
    /// Nothing listens there. Nothing was done.
    #[error(
        "the {service} does not answer at {url}; is the node running? see: tana status, start it: tana start"
    )]
    Unreachable {
        /// Which daemon.
        service: &'static str,
        /// Where.
        url: String,
        /// What the operating system said.
        source: reqwest::Error,
    },
    /// No supervisor listens on the socket. Nothing was done.
    #[error("no node runs here ({path} does not answer); start it: tana start", path = socket.display())]
    NoNode {
        /// The socket.
        socket: PathBuf,
        /// What the operating system said.
        source: reqwest::Error,
    },
    /// The request was sent and no answer came: whether it was carried out is not known.
    #[error(
        "the {service} at {url} took longer than {seconds} s to answer {request}; whether it was done is unknown, look before trying again"
    )]
    TimedOut {
        /// Which daemon.
        service: &'static str,
        /// Where.
        url: String,
        /// Method and path.
        request: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The connection broke: whether the request was carried out is not known.
    #[error(
        "the connection to the {service} at {url} broke during {request}; look whether it was done before trying again"
    )]
    Broken {
        /// Which daemon.
        service: &'static str,
        /// Where.
        url: String,
        /// Method and path.
        request: String,
        /// What happened.
        source: reqwest::Error,
    },
    /// The answer is larger than this client reads.
    #[error("the {service}'s answer to {request} is larger than {limit} bytes")]
    TooLarge {
        /// Which daemon.
        service: &'static str,
        /// Method and path.
        request: String,
        /// The most that is read.
        limit: usize,
    },
    /// The answer is not of the form this version knows.
    #[error(
        "the {service}'s answer to {request} is not of the form that this version knows; compare `tana --version` with the node's"
    )]
    Form {
        /// Which daemon.
        service: &'static str,
        /// Method and path.
        request: String,
        /// What did not fit.
        source: serde_json::Error,
    },
    /// The base URL is none.
    #[error("{text:?} is no http:// or https:// address of a {service}")]
    Url {
        /// Which daemon.
        service: &'static str,
        /// What was given.
        text: String,
    },
    /// The TLS set-up failed.
    #[error(
        "no secure connections can be made on this machine; are its root certificates installed?"
    )]
    Tls(#[source] reqwest::Error),
}

impl ClientError {
    /// The problem's code, where the daemon gave one.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Problem(problem) => Some(problem.code),
            _ => None,
        }
    }

    /// Whether the daemon could not be reached at all, so that nothing was done.
    #[must_use]
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::NoNode { .. })
    }

    /// Whether it is open if the request was carried out.
    #[must_use]
    pub const fn is_outcome_unknown(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::Broken { .. })
    }

    /// Whether the same request may succeed a little later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Problem(problem) => matches!(problem.status, 429 | 503),
            Self::Status { status, .. } => matches!(status, 429 | 502..=504),
            // A supervisor is there or not; a service may be on its way back.
            Self::Unreachable { .. } | Self::Broken { .. } => true,
            _ => false,
        }
    }
}
