//! Rows that come at the same time as one statement.

use std::collections::HashSet;
use std::sync::Arc;

use sqlx::QueryBuilder;
use sqlx::query_builder::Separated;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::oneshot;

use super::{fails_alone, told};
use crate::error::StoreResult;
use crate::sqlite::parts::parts;

/// A statement that takes any number of rows: a statement for each would cost more than what it does.
pub(crate) struct ForRows {
    pub(crate) doing: &'static str,
    /// Before the rows, which stand in it as `VALUES`.
    pub(crate) before: &'static str,
    /// After them. It answers the keys of those that it has written.
    pub(crate) after: &'static str,
}

/// One row of a statement that others share.
pub(crate) trait Row: Send + Sync + 'static {
    /// Of which.
    fn statement(&self) -> &'static ForRows;

    /// What the statement answers for it. Rows with the same key go into statements that follow each other.
    fn key(&self) -> &str;

    /// Its values, in their order.
    fn bind(&self, row: &mut Separated<'_, sqlx::Sqlite, &'static str>);
}

/// A row that waits.
pub(super) struct WaitingRow {
    row: Box<dyn Row>,
    done: Option<sqlx::Result<bool>>,
    answer: oneshot::Sender<StoreResult<bool>>,
}

impl WaitingRow {
    pub(super) fn new(row: impl Row, answer: oneshot::Sender<StoreResult<bool>>) -> Self {
        Self {
            row: Box::new(row),
            done: None,
            answer,
        }
    }

    /// Tells who waits, whether or not it was written.
    pub(super) fn tell(self, committed: Result<(), Arc<sqlx::Error>>) {
        let told = told(self.row.statement().doing, committed, self.done);
        // Who has gone away does not need it; what is written stays written.
        let _gone = self.answer.send(told);
    }
}

/// Writes them, in a transaction that goes on.
///
/// # Errors
/// What ends the whole transaction.
pub(super) async fn write(
    change: &mut SqliteConnection,
    mut rows: Vec<&mut WaitingRow>,
) -> sqlx::Result<()> {
    while let Some(first) = rows.first() {
        let statement = first.row.statement();
        let mut keys = HashSet::new();
        // Each key once, so that those with the same follow each other.
        let (round, later): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| {
            std::ptr::eq(row.row.statement(), statement) && keys.insert(row.row.key().to_owned())
        });
        write_round(change, statement, round).await?;
        rows = later;
    }
    Ok(())
}

/// Writes rows with keys of their own.
async fn write_round(
    change: &mut SqliteConnection,
    statement: &ForRows,
    mut rows: Vec<&mut WaitingRow>,
) -> sqlx::Result<()> {
    let mut done = Vec::with_capacity(rows.len());
    for part in parts(&rows) {
        match write_part(change, statement, part).await {
            Ok(keys) => done.extend(part.iter().map(|row| Ok(keys.contains(row.row.key())))),
            Err(error) if !fails_alone(&error) => return Err(error),
            // One of them fails alone: each by itself then.
            Err(_) => {
                for row in part {
                    let one = write_part(change, statement, std::slice::from_ref(row)).await;
                    match one {
                        Err(error) if !fails_alone(&error) => return Err(error),
                        one => done.push(one.map(|keys| !keys.is_empty())),
                    }
                }
            }
        }
    }
    for (row, done) in rows.iter_mut().zip(done) {
        row.done = Some(done);
    }
    Ok(())
}

/// The keys of the rows that it has written.
async fn write_part(
    change: &mut SqliteConnection,
    statement: &ForRows,
    part: &[&mut WaitingRow],
) -> sqlx::Result<HashSet<String>> {
    let mut query = QueryBuilder::new(statement.before);
    query.push_values(part, |mut values, row| row.row.bind(&mut values));
    query.push(statement.after);
    let keys: Vec<String> = query.build_query_scalar().fetch_all(change).await?;
    Ok(keys.into_iter().collect())
}
