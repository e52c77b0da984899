//! A PostgreSQL database for one test, on the server that `TANA_TEST_POSTGRES_URL` names. A dependency of tests alone.

#![warn(missing_docs)]
#![allow(
    clippy::unwrap_used,
    reason = "a test whose database cannot be made has failed"
)]

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use url::Url;

/// A database that is there for one test, and empty.
pub struct Scratch {
    server: PgPool,
    name: String,
    /// Its `postgres://` address.
    pub address: String,
}

impl Scratch {
    /// Makes one.
    ///
    /// # Panics
    /// Where there is no server.
    pub async fn create() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test is told where the server is by `cargo xtask test`, which brings it"
        )]
        let server = std::env::var("TANA_TEST_POSTGRES_URL").expect(
            "this test needs a PostgreSQL: run cargo xtask test, or set TANA_TEST_POSTGRES_URL",
        );
        let name = format!("tana_test_{}", uuid::Uuid::new_v4().simple());
        let mut address = Url::parse(&server).unwrap();
        address.set_path(&name);
        let server = PgPool::connect(&server).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&server)
            .await
            .unwrap();
        Self {
            server,
            name,
            address: address.into(),
        }
    }

    /// The server, to do something to the database from outside.
    #[must_use]
    pub fn server(&self) -> PgPool {
        self.server.clone()
    }

    /// The database's name.
    #[must_use]
    pub fn name(&self) -> String {
        self.name.clone()
    }

    /// Removes it, whoever is connected.
    ///
    /// # Panics
    /// Where the server has gone.
    pub async fn remove(self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        sqlx::query(AssertSqlSafe(drop))
            .execute(&self.server)
            .await
            .unwrap();
    }
}
