//! What can go wrong with a store, in sentences; "it failed" is told apart from "nobody knows".

use std::error::Error;

/// What a store's method answers.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It was not done, and nothing was changed. Another try may succeed.
    #[error("{doing} failed")]
    Failed {
        /// What was being done, such as `reading a block`.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Whether it was done is not known: ask, or do it again where that is harmless.
    #[error("whether {doing} took place is not known")]
    OutcomeUnknown {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What is stored forbids it; nothing was changed.
    #[error("{0}")]
    Conflict(String),
    /// What is stored cannot be what was written: somebody or something changed it.
    #[error("the stored {what} is damaged: {detail}; restore the database from a copy")]
    Damaged {
        /// Which thing.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The database was made by a newer version of this program.
    #[error(
        "{database} was written by a newer version of tana (its migration {found} is not known here); install that version or use another database"
    )]
    Newer {
        /// Its file or address, without a password.
        database: String,
        /// The migration that is not known.
        found: i64,
    },
    /// A migration that was applied is not the one that is known under its number.
    #[error(
        "{database} was made with another migration {found} than this version of tana has; use the version that made it"
    )]
    Foreign {
        /// Its file or address, without a password.
        database: String,
        /// The migration that differs.
        found: i64,
    },
    /// The file is something else, or broken.
    #[error("{database} is not a database or is damaged; move it away or restore it from a copy")]
    NotADatabase {
        /// The file.
        database: String,
    },
    /// The database cannot be opened.
    #[error("{database} cannot be opened")]
    Unreachable {
        /// Its file or address, without a password.
        database: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server cannot be reached now; nothing was changed.
    #[error("{server} cannot be reached")]
    Unanswered {
        /// Its address, without a password.
        server: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// Nobody answers where the database should be.
    #[error("no PostgreSQL answers at {database}; start it, or correct the address")]
    Away {
        /// Its address, without a password.
        database: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server does not let this user in.
    #[error(
        "PostgreSQL refuses the login at {database}; correct the user or the password in the address"
    )]
    Login {
        /// Its address, without a password.
        database: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The server has no such database.
    #[error(
        "the server of {database} has no such database; make it with createdb, or correct the address"
    )]
    NoDatabase {
        /// Its address, without a password.
        database: String,
    },
    /// No room is left on the disk; nothing was changed.
    #[error("no room is left on the disk of the database; free some and try again")]
    Full,
}

impl StoreError {
    /// Whether the same call may succeed later without anybody's doing.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Failed { .. }
                | Self::OutcomeUnknown { .. }
                | Self::Unanswered { .. }
                | Self::Full
        )
    }
}
