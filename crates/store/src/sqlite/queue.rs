//! The embedded queue: one SQLite file that ledger and producer share. Ids travel as one JSON parameter, so that a batch of
//! them costs one statement whatever its length.

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt as _};
use serde_json::json;
use sqlx::{QueryBuilder, Row, SqliteConnection};
use tana_protocol::{SignedTransaction, Timestamp, TransactionId};

use crate::error::{StoreError, StoreResult};
use crate::queue::{
    Burial, Consumer, DeadLetter, Pushed, QueueEntry, QueueStats, StreamId, Take, TxQueue,
};
use crate::sqlite::{Durability, Sqlite, failed};

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../../migrations/queue/sqlite");

/// Ledger and producer both write: the lock is asked for at once, not at the first write, where waiting could end in
/// a deadlock.
const IMMEDIATE: &str = "BEGIN IMMEDIATE";

/// Entries that one statement adds. One length for nearly all of them: the prepared statement is found again.
const ROWS: usize = 50;

/// The queue in one SQLite file. Clones share its connections.
#[derive(Clone, Debug)]
pub struct SqliteQueue(Sqlite);

impl SqliteQueue {
    /// Opens the file, and makes it where there is none. The ledger needs [`Durability::Full`]: what it queues it has
    /// accepted. A producer's takes and acknowledgements may be repeated.
    ///
    /// # Errors
    /// One sentence for each: no database, a newer version's, no room, no permission.
    pub async fn open(path: &str, durability: Durability) -> StoreResult<Self> {
        Sqlite::open(path, &MIGRATIONS, durability).await.map(Self)
    }

    async fn push_all(
        &self,
        transactions: &[SignedTransaction],
        now: Timestamp,
    ) -> StoreResult<Vec<Pushed>> {
        const DOING: &str = "queueing transactions";
        let bodies: Vec<(TransactionId, String)> = transactions
            .iter()
            .map(|transaction| (transaction.id(), tana_protocol::json::compact(transaction)))
            .collect();
        let mut change = self
            .0
            .writer()
            .begin_with(IMMEDIATE)
            .await
            .map_err(failed(DOING))?;
        let pushed = insert(&mut change, &bodies, now)
            .await
            .map_err(failed(DOING))?;
        change.commit().await.map_err(failed(DOING))?;
        pushed
            .into_iter()
            .map(|pushed| {
                pushed.ok_or_else(|| damaged("an entry that was just queued", "it is not there"))
            })
            .collect()
    }

    async fn take_some(
        &self,
        consumer: &Consumer,
        take: Take,
        now: Timestamp,
    ) -> StoreResult<Vec<QueueEntry>> {
        const DOING: &str = "taking transactions off the queue";
        let idle_since = now
            .ms()
            .saturating_sub(u64::try_from(take.idle.as_millis()).unwrap_or(u64::MAX));
        let mut change = self
            .0
            .writer()
            .begin_with(IMMEDIATE)
            .await
            .map_err(failed(DOING))?;
        let rows = sqlx::query(
            // Each part ends at its limit: what is taken does not cost more where more waits.
            "UPDATE tx_queue SET consumer = ?1, taken_at = ?2 WHERE seq IN (\
               SELECT seq FROM (\
                 SELECT * FROM (SELECT 0 AS turn, seq FROM tx_queue INDEXED BY tx_queue_taken \
                   WHERE consumer = ?1 ORDER BY seq LIMIT ?4) \
                 UNION ALL SELECT * FROM (SELECT 1 AS turn, seq FROM tx_queue INDEXED BY tx_queue_taken \
                   WHERE consumer IS NOT NULL AND consumer <> ?1 AND taken_at <= ?3 ORDER BY seq LIMIT ?4) \
                 UNION ALL SELECT * FROM (SELECT 2 AS turn, seq FROM tx_queue \
                   WHERE consumer IS NULL ORDER BY seq LIMIT ?4)) \
               ORDER BY turn, seq LIMIT ?4) \
             RETURNING ms, seq, tx_id, body",
        )
        .bind(consumer.as_str())
        .bind(integer(now.ms()))
        .bind(integer(idle_since))
        .bind(integer(take.most as u64))
        .fetch_all(&mut *change)
        .await
        .map_err(failed(DOING))?;
        change.commit().await.map_err(failed(DOING))?;
        let mut entries = rows.iter().map(entry).collect::<StoreResult<Vec<_>>>()?;
        entries.sort_by_key(|entry| entry.stream_id.seq);
        Ok(entries)
    }

    async fn bury_all(&self, entries: &[Burial], now: Timestamp) -> StoreResult<()> {
        const DOING: &str = "moving transactions to the dead letters";
        let list: Vec<_> = entries
            .iter()
            .map(|burial| json!([burial.id, burial.reason, burial.code]))
            .collect();
        let list = json!(list).to_string();
        let mut change = self
            .0
            .writer()
            .begin_with(IMMEDIATE)
            .await
            .map_err(failed(DOING))?;
        sqlx::query(
            "INSERT OR REPLACE INTO dead_letters (tx_id, stream_id, body, reason, code, buried_at) \
             SELECT q.tx_id, q.ms || '-' || q.seq, q.body, b.value ->> 1, b.value ->> 2, ?2 \
             FROM json_each(?1) b JOIN tx_queue q ON q.tx_id = b.value ->> 0",
        )
        .bind(&list)
        .bind(integer(now.ms()))
        .execute(&mut *change)
        .await
        .map_err(failed(DOING))?;
        sqlx::query("DELETE FROM tx_queue WHERE tx_id IN (SELECT value ->> 0 FROM json_each(?1))")
            .bind(&list)
            .execute(&mut *change)
            .await
            .map_err(failed(DOING))?;
        change.commit().await.map_err(failed(DOING))
    }

    async fn dead_letters(&self, wanted: Wanted<'_>) -> StoreResult<Vec<DeadLetter>> {
        const DOING: &str = "reading the dead letters";
        let query = match wanted {
            Wanted::One(id) => sqlx::query(
                "SELECT tx_id, stream_id, body, reason, code, buried_at, rowid FROM dead_letters \
                 WHERE tx_id = ?",
            )
            .bind(id.to_string()),
            Wanted::Last(before, most) => sqlx::query(
                "SELECT tx_id, stream_id, body, reason, code, buried_at, rowid FROM dead_letters \
                 WHERE (buried_at, rowid) < (?, ?) ORDER BY buried_at DESC, rowid DESC LIMIT ?",
            )
            .bind(before.map_or(i64::MAX, |grave| integer(grave.ms)))
            .bind(before.map_or(i64::MAX, |grave| integer(grave.seq)))
            .bind(integer(most as u64)),
        };
        let rows = query
            .fetch_all(self.0.readers())
            .await
            .map_err(failed(DOING))?;
        rows.iter().map(dead_letter).collect()
    }

    async fn present_stats(&self) -> StoreResult<QueueStats> {
        const DOING: &str = "reading the queue's length";
        let row = sqlx::query(
            "SELECT count(*), count(consumer), (SELECT count(*) FROM dead_letters), \
             (SELECT ms FROM tx_queue ORDER BY seq LIMIT 1), \
             (SELECT json_group_array(c) FROM (SELECT DISTINCT consumer AS c FROM tx_queue \
              WHERE consumer IS NOT NULL ORDER BY c)) FROM tx_queue",
        )
        .fetch_one(self.0.readers())
        .await
        .map_err(failed(DOING))?;
        let count = |column| {
            row.try_get::<i64, _>(column)
                .map(i64::unsigned_abs)
                .map_err(failed(DOING))
        };
        let oldest: Option<i64> = row.try_get(3).map_err(failed(DOING))?;
        let consumers: String = row.try_get(4).map_err(failed(DOING))?;
        Ok(QueueStats {
            length: count(0)?,
            pending: count(1)?,
            dead: count(2)?,
            oldest: oldest.map(time),
            consumers: serde_json::from_str(&consumers)
                .map_err(|error| damaged("list of consumers", error))?,
            warning: None,
        })
    }
}

impl TxQueue for SqliteQueue {
    fn backend(&self) -> &'static str {
        "embedded"
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn push<'a>(
        &'a self,
        transactions: &'a [SignedTransaction],
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<Pushed>>> {
        self.push_all(transactions, now).boxed()
    }

    fn take<'a>(
        &'a self,
        consumer: &'a Consumer,
        take: Take,
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<QueueEntry>>> {
        self.take_some(consumer, take, now).boxed()
    }

    fn ack<'a>(&'a self, ids: &'a [TransactionId]) -> BoxFuture<'a, StoreResult<()>> {
        const DOING: &str = "acknowledging transactions";
        async move {
            sqlx::query("DELETE FROM tx_queue WHERE tx_id IN (SELECT value FROM json_each(?))")
                .bind(json!(ids).to_string())
                .execute(self.0.writer())
                .await
                .map_err(failed(DOING))?;
            Ok(())
        }
        .boxed()
    }

    fn bury<'a>(&'a self, entries: &'a [Burial], now: Timestamp) -> BoxFuture<'a, StoreResult<()>> {
        self.bury_all(entries, now).boxed()
    }

    fn drop_dead<'a>(&'a self, id: &'a TransactionId) -> BoxFuture<'a, StoreResult<bool>> {
        async move {
            let done = sqlx::query("DELETE FROM dead_letters WHERE tx_id = ?")
                .bind(id.to_string())
                .execute(self.0.writer())
                .await
                .map_err(failed("dropping a dead letter"))?;
            Ok(done.rows_affected() > 0)
        }
        .boxed()
    }

    fn find<'a>(&'a self, id: &'a TransactionId) -> BoxFuture<'a, StoreResult<Option<QueueEntry>>> {
        async move {
            sqlx::query("SELECT ms, seq, tx_id, body FROM tx_queue WHERE tx_id = ?")
                .bind(id.to_string())
                .fetch_optional(self.0.readers())
                .await
                .map_err(failed("reading a queued transaction"))?
                .as_ref()
                .map(entry)
                .transpose()
        }
        .boxed()
    }

    fn entries(
        &self,
        after: Option<StreamId>,
        most: usize,
    ) -> BoxFuture<'_, StoreResult<Vec<QueueEntry>>> {
        async move {
            sqlx::query(
                "SELECT ms, seq, tx_id, body FROM tx_queue WHERE seq > ? ORDER BY seq LIMIT ?",
            )
            .bind(integer(after.map_or(0, |id| id.seq)))
            .bind(integer(most as u64))
            .fetch_all(self.0.readers())
            .await
            .map_err(failed("reading the queue"))?
            .iter()
            .map(entry)
            .collect()
        }
        .boxed()
    }

    fn newest(
        &self,
        before: Option<StreamId>,
        most: usize,
    ) -> BoxFuture<'_, StoreResult<Vec<QueueEntry>>> {
        async move {
            sqlx::query(
                "SELECT ms, seq, tx_id, body FROM tx_queue WHERE seq < ? ORDER BY seq DESC LIMIT ?",
            )
            .bind(before.map_or(i64::MAX, |id| integer(id.seq)))
            .bind(integer(most as u64))
            .fetch_all(self.0.readers())
            .await
            .map_err(failed("reading the queue"))?
            .iter()
            .map(entry)
            .collect()
        }
        .boxed()
    }

    fn dead(
        &self,
        before: Option<StreamId>,
        most: usize,
    ) -> BoxFuture<'_, StoreResult<Vec<DeadLetter>>> {
        self.dead_letters(Wanted::Last(before, most)).boxed()
    }

    fn find_dead<'a>(
        &'a self,
        id: &'a TransactionId,
    ) -> BoxFuture<'a, StoreResult<Option<DeadLetter>>> {
        async move { Ok(self.dead_letters(Wanted::One(id)).await?.pop()) }.boxed()
    }

    fn absent<'a>(
        &'a self,
        ids: &'a [TransactionId],
    ) -> BoxFuture<'a, StoreResult<Vec<TransactionId>>> {
        const DOING: &str = "looking what is queued";
        async move {
            let absent: Vec<String> = sqlx::query_scalar(
                "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT tx_id FROM tx_queue)",
            )
            .bind(json!(ids).to_string())
            .fetch_all(self.0.readers())
            .await
            .map_err(failed(DOING))?;
            let parsed = absent
                .into_iter()
                .map(|id| id.parse().map_err(|error| damaged(&id, error)));
            parsed.collect()
        }
        .boxed()
    }

    fn stats(&self) -> BoxFuture<'_, StoreResult<QueueStats>> {
        self.present_stats().boxed()
    }

    fn arrivals(&self) -> BoxStream<'static, ()> {
        futures::stream::pending().boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.close().boxed()
    }
}

/// Which dead letters.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    One(&'a TransactionId),
    /// Before a grave, at most so many.
    Last(Option<StreamId>, usize),
}

fn dead_letter(row: &sqlx::sqlite::SqliteRow) -> StoreResult<DeadLetter> {
    let text = |column| {
        row.try_get::<String, _>(column)
            .map_err(failed("reading the dead letters"))
    };
    let id = text(0)?;
    let number = |column| {
        row.try_get::<i64, _>(column)
            .map_err(failed("reading the dead letters"))
    };
    let (since, row_id) = (number(5)?, number(6)?);
    Ok(DeadLetter {
        stream_id: text(1)?.parse().map_err(|error| damaged(&id, error))?,
        transaction: serde_json::from_str(&text(2)?).map_err(|error| damaged(&id, error))?,
        reason: text(3)?,
        code: serde_json::from_value(text(4)?.into()).map_err(|error| damaged(&id, error))?,
        buried_at: time(since),
        grave: StreamId {
            ms: since.unsigned_abs(),
            seq: row_id.unsigned_abs(),
        },
        id: id.parse().map_err(|error| damaged(&id, error))?,
    })
}

/// Inserts what is not there and answers where each is.
async fn insert(
    change: &mut SqliteConnection,
    bodies: &[(TransactionId, String)],
    now: Timestamp,
) -> sqlx::Result<Vec<Option<Pushed>>> {
    let ids: Vec<&TransactionId> = bodies.iter().map(|(id, _)| id).collect();
    let ids = json!(ids).to_string();
    let before: i64 = sqlx::query_scalar(
        "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'tx_queue'",
    )
    .fetch_one(&mut *change)
    .await?;
    let ms: i64 =
        sqlx::query_scalar("UPDATE queue_clock SET last_ms = max(last_ms, ?) RETURNING last_ms")
            .bind(integer(now.ms()))
            .fetch_one(&mut *change)
            .await?;
    for part in bodies.chunks(ROWS) {
        let mut query = QueryBuilder::new("INSERT INTO tx_queue (ms, tx_id, body) ");
        query.push_values(part, |mut row, (id, body)| {
            row.push_bind(ms)
                .push_bind(id.to_string())
                .push_bind(body.as_str());
        });
        query.push(" ON CONFLICT (tx_id) DO NOTHING");
        query.build().execute(&mut *change).await?;
    }
    sqlx::query("DELETE FROM dead_letters WHERE tx_id IN (SELECT value FROM json_each(?))")
        .bind(&ids)
        .execute(&mut *change)
        .await?;
    let rows = sqlx::query(
        "SELECT b.key, q.ms, q.seq FROM json_each(?) b JOIN tx_queue q ON q.tx_id = b.value",
    )
    .bind(&ids)
    .fetch_all(&mut *change)
    .await?;
    let mut pushed = vec![None; bodies.len()];
    for row in rows {
        let key: i64 = row.try_get(0)?;
        let seq: i64 = row.try_get(2)?;
        let id = StreamId {
            ms: row.try_get::<i64, _>(1)?.unsigned_abs(),
            seq: seq.unsigned_abs(),
        };
        if let Some(slot) = usize::try_from(key)
            .ok()
            .and_then(|key| pushed.get_mut(key))
        {
            *slot = Some(if seq > before {
                Pushed::Queued(id)
            } else {
                Pushed::Known(id)
            });
        }
    }
    Ok(pushed)
}

fn entry(row: &sqlx::sqlite::SqliteRow) -> StoreResult<QueueEntry> {
    const DOING: &str = "reading the queue";
    let number = |column| {
        row.try_get::<i64, _>(column)
            .map(i64::unsigned_abs)
            .map_err(failed(DOING))
    };
    let id: String = row.try_get(2).map_err(failed(DOING))?;
    let body: String = row.try_get(3).map_err(failed(DOING))?;
    Ok(QueueEntry {
        stream_id: StreamId {
            ms: number(0)?,
            seq: number(1)?,
        },
        transaction: serde_json::from_str(&body).map_err(|error| damaged(&id, error))?,
        id: id.parse().map_err(|error| damaged(&id, error))?,
    })
}

fn damaged(what: &str, detail: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged {
        what: format!("queue entry ({what})"),
        detail: detail.to_string(),
    }
}

/// SQLite's integers are signed; nothing here comes near their end.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_ms(ms.unsigned_abs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::SqliteQueue;
    use crate::error::StoreError;
    use crate::queue::{TxQueue as _, conformance};
    use crate::sqlite::Durability;

    #[tokio::test]
    async fn the_embedded_queue_conforms() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("queue.db");
        let queue = SqliteQueue::open(path.to_str().unwrap(), Durability::Full)
            .await
            .unwrap();
        conformance::check(&queue).await.unwrap();
    }

    #[tokio::test]
    async fn a_disk_that_was_full_and_is_not_any_more_is_used_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("queue.db");
        let queue = SqliteQueue::open(path.to_str().unwrap(), Durability::Full)
            .await
            .unwrap();
        let batch: Vec<_> = (0..500).map(conformance::transaction).collect();
        let now = tana_protocol::Timestamp::from_ms(1);
        // SQLite's own limit stands for the disk's: it gives the same SQLITE_FULL, and the same rollback of its own.
        for (limit, fits) in [(30, false), (1_000_000, true)] {
            sqlx::query(sqlx::AssertSqlSafe(format!(
                "PRAGMA max_page_count = {limit}"
            )))
            .execute(queue.0.writer())
            .await
            .unwrap();
            let pushed = queue.push(&batch, now).await;
            match pushed {
                Ok(pushed) => assert!(fits && pushed.len() == 500),
                Err(error) => assert!(!fits && matches!(error, StoreError::Full), "{error:?}"),
            }
        }
    }
}
