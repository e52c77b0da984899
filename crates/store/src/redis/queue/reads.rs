//! What is read of the queue without changing it: plain commands.

use ::redis::{Cmd, Value, cmd};
use tana_protocol::{Timestamp, TransactionId};

use super::{GROUP, KEYS, RedisQueue, STREAM};
use crate::error::StoreResult;
use crate::queue::{DeadLetter, QueueEntry, QueueStats, StreamId};
use crate::redis::answers::{Raw, count, dead_letter, entry, list, odd, raw_list};
use crate::redis::fields;
use crate::redis::link::Durability;

/// Which way a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    OldestFirst,
    NewestFirst,
}

impl RedisQueue {
    /// The place that an index names for an id.
    async fn place(
        &self,
        doing: &'static str,
        index: &str,
        id: &TransactionId,
    ) -> StoreResult<Option<String>> {
        match self
            .read(doing, cmd("HGET").arg(index).arg(id.to_string()))
            .await?
        {
            Value::Nil => Ok(None),
            value => fields::text(value)
                .map(Some)
                .map_err(|error| odd(doing, error)),
        }
    }

    async fn range(
        &self,
        doing: &'static str,
        stream: &str,
        from: &str,
        to: &str,
        most: usize,
    ) -> StoreResult<Vec<Raw>> {
        let mut command = cmd("XRANGE");
        command.arg(stream).arg(from).arg(to).arg("COUNT").arg(most);
        raw_list(doing, self.read(doing, &command).await?)
    }

    pub(super) async fn find_one(&self, id: &TransactionId) -> StoreResult<Option<QueueEntry>> {
        const DOING: &str = "reading a queued transaction";
        let Some(place) = self.place(DOING, KEYS[1], id).await? else {
            return Ok(None);
        };
        let found = self.range(DOING, STREAM, &place, &place, 1).await?.pop();
        Ok(found.and_then(|raw| entry(raw.place, raw.fields).ok()))
    }

    pub(super) async fn find_letter(&self, id: &TransactionId) -> StoreResult<Option<DeadLetter>> {
        const DOING: &str = "reading a dead letter";
        let Some(place) = self.place(DOING, KEYS[3], id).await? else {
            return Ok(None);
        };
        let found = self.range(DOING, KEYS[2], &place, &place, 1).await?.pop();
        found.map(dead_letter).transpose()
    }

    /// A part of a stream, from behind a place on.
    async fn part(
        &self,
        doing: &'static str,
        stream: &str,
        order: Order,
        behind: Option<StreamId>,
        most: usize,
    ) -> StoreResult<Vec<Raw>> {
        let (name, first, last) = match order {
            Order::OldestFirst => ("XRANGE", "-", "+"),
            Order::NewestFirst => ("XREVRANGE", "+", "-"),
        };
        let from = behind.map_or_else(|| first.to_owned(), |id| format!("({id}"));
        let mut command = cmd(name);
        command.arg(stream).arg(from).arg(last);
        command.arg("COUNT").arg(most);
        raw_list(doing, self.read(doing, &command).await?)
    }

    /// Entries from behind a place on. What is no transaction is set aside by who takes it, and passed over here however
    /// much of it there is: who gets fewer than asked for has read all.
    pub(super) async fn list_entries(
        &self,
        order: Order,
        mut behind: Option<StreamId>,
        most: usize,
    ) -> StoreResult<Vec<QueueEntry>> {
        const DOING: &str = "reading the queue";
        let mut entries = Vec::new();
        loop {
            let raw = self.part(DOING, STREAM, order, behind, most).await?;
            let is_last = raw.len() < most;
            behind = raw.last().map(|raw| raw.place);
            let read = raw.into_iter();
            entries.extend(read.filter_map(|raw| entry(raw.place, raw.fields).ok()));
            if is_last || entries.len() >= most {
                entries.truncate(most);
                return Ok(entries);
            }
        }
    }

    pub(super) async fn letters(
        &self,
        before: Option<StreamId>,
        most: usize,
    ) -> StoreResult<Vec<DeadLetter>> {
        const DOING: &str = "reading the dead letters";
        let raw = self
            .part(DOING, KEYS[2], Order::NewestFirst, before, most)
            .await?;
        raw.into_iter().map(dead_letter).collect()
    }

    pub(super) async fn absent_of(&self, ids: &[TransactionId]) -> StoreResult<Vec<TransactionId>> {
        const DOING: &str = "looking what is queued";
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut command = cmd("HMGET");
        command.arg(KEYS[1]);
        for id in ids {
            command.arg(id.to_string());
        }
        let found = list(DOING, self.read(DOING, &command).await?)?;
        let absent = ids
            .iter()
            .zip(found)
            .filter(|(_, found)| *found == Value::Nil);
        Ok(absent.map(|(id, _)| *id).collect())
    }

    pub(super) async fn present_stats(&self) -> StoreResult<QueueStats> {
        const DOING: &str = "reading the queue's length";
        let (length, dead, first, pending) = (
            cmd_of(&["XLEN", STREAM]),
            cmd_of(&["XLEN", KEYS[2]]),
            { cmd_of(&["XRANGE", STREAM, "-", "+", "COUNT", "1"]) },
            cmd_of(&["XPENDING", STREAM, GROUP]),
        );
        let (length, dead, first, pending) = futures::try_join!(
            self.read(DOING, &length),
            self.read(DOING, &dead),
            self.read(DOING, &first),
            self.read(DOING, &pending),
        )?;
        let oldest = raw_list(DOING, first)?
            .first()
            .map(|raw| Timestamp::from_ms(raw.place.ms));
        // Count, least and greatest place, and the consumers with their counts.
        let mut pending = list(DOING, pending)?.into_iter();
        let taken = pending.next().map_or(0, |taken| count(&taken));
        let consumers = match pending.nth(2) {
            Some(Value::Array(consumers)) => consumers
                .into_iter()
                .filter_map(|consumer| match consumer {
                    Value::Array(pair) => fields::text(pair.into_iter().next()?).ok(),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        };
        let warning = match self.link.durability() {
            Some(Durability::Not(why)) => {
                Some(format!("the server may lose what was accepted: {why}"))
            }
            _ => None,
        };
        Ok(QueueStats {
            length: count(&length),
            pending: taken,
            dead: count(&dead),
            oldest,
            consumers,
            warning,
        })
    }
}

fn cmd_of(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command
}
