//! The queue on Redis Streams: stream `tx:pending`, group `validators`. What several keys hold of one entry is changed by
//! scripts, whole; what queues is in `push`, what only reads in `reads`.

mod push;
mod reads;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::redis::aio::PubSubStream;
use ::redis::{Client, Cmd, Value, cmd};
use futures::FutureExt;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tana_protocol::{SignedTransaction, Timestamp, TransactionId};

use self::push::Places;
use self::reads::Order;
use super::answers::{Raw, count, entry, list, odd, raw_entries, raw_list};
use super::fields;
use super::link::{Does, Link};
use super::scripts;
use crate::error::StoreResult;
use crate::queue::{
    Burial, Consumer, DeadLetter, Pushed, QueueEntry, QueueStats, StreamId, Take, TxQueue,
};

const STREAM: &str = "tx:pending";
const GROUP: &str = "validators";
/// The stream, the index of its entries by transaction id, the stream of dead letters, and their index.
const KEYS: [&str; 4] = [STREAM, "tx:ids", "tx:dead", "tx:dead:ids"];
/// One short message a batch, for producers and other ledgers: who queued it. `tx:new` carries the transactions themselves, for whoever listens.
const WAKE: &str = "tx:wake";
/// Entries of dead producers that one look takes over at most.
const CLAIM: usize = 1000;
/// Between tries to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// The queue on a Redis. Clones share the connection.
#[derive(Clone)]
pub struct RedisQueue {
    link: Arc<Link>,
    /// What tells this handle and its clones from all others that use the queue.
    own: Arc<str>,
    places: Arc<Places>,
}

impl fmt::Debug for RedisQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisQueue").finish_non_exhaustive()
    }
}

impl RedisQueue {
    /// The queue on the server of this address. Nothing is connected yet: each method connects where that is needed, and
    /// answers [`StoreError::Away`] where it cannot.
    ///
    /// # Errors
    /// When the address is none.
    pub fn at(address: &str) -> StoreResult<Self> {
        let mut group = cmd("XGROUP");
        group
            .arg("CREATE")
            .arg(STREAM)
            .arg(GROUP)
            .arg("0")
            .arg("MKSTREAM");
        Ok(Self {
            link: Arc::new(Link::to(address, group)?),
            own: uuid::Uuid::new_v4().to_string().into(),
            places: Arc::default(),
        })
    }

    /// Who has queued something, as it comes; nobody's name after every connection, since something may have come while
    /// nobody listened.
    fn wakes(&self) -> BoxStream<'static, Option<String>> {
        let begin = (self.link.client().clone(), None::<PubSubStream>);
        futures::stream::unfold(begin, |(client, listening)| async move {
            if let Some(mut messages) = listening
                && let Some(message) = messages.next().await
            {
                let who = message.get_payload().ok();
                return Some((who, (client, Some(messages))));
            }
            loop {
                let made = tokio::time::timeout(LISTEN_AGAIN, listen(&client)).await;
                if let Ok(Ok(messages)) = made {
                    return Some((None, (client, Some(messages))));
                }
                tokio::time::sleep(LISTEN_AGAIN).await;
            }
        })
        .boxed()
    }

    async fn read(&self, doing: &'static str, command: &Cmd) -> StoreResult<Value> {
        self.link.run(Does::Read, doing, command).await
    }

    async fn write(&self, doing: &'static str, command: &Cmd) -> StoreResult<Value> {
        self.link.run(Does::Write, doing, command).await
    }

    async fn take_some(&self, consumer: &Consumer, take: Take) -> StoreResult<Vec<QueueEntry>> {
        const DOING: &str = "taking transactions off the queue";
        let mut taken = BTreeMap::new();
        self.own(consumer, take, &mut taken).await?;
        if taken.len() < take.most {
            self.claim(consumer, take, &mut taken).await?;
        }
        if taken.len() < take.most {
            let answer = self
                .group_read(consumer, take.most - taken.len(), ">")
                .await?;
            let entries = self.adopted(raw_entries(DOING, answer)?).await?;
            taken.extend(entries);
        }
        Ok(taken.into_values().take(take.most).collect())
    }

    /// What this consumer took and has not acknowledged.
    async fn own(
        &self,
        consumer: &Consumer,
        take: Take,
        taken: &mut BTreeMap<StreamId, QueueEntry>,
    ) -> StoreResult<()> {
        const DOING: &str = "taking transactions off the queue";
        let answer = self.group_read(consumer, take.most, "0").await?;
        taken.extend(self.adopted(raw_entries(DOING, answer)?).await?);
        Ok(())
    }

    /// What others took and left lying.
    async fn claim(
        &self,
        consumer: &Consumer,
        take: Take,
        taken: &mut BTreeMap<StreamId, QueueEntry>,
    ) -> StoreResult<()> {
        const DOING: &str = "taking over transactions of another producer";
        let mut from = "0-0".to_owned();
        loop {
            let mut command = cmd("XAUTOCLAIM");
            command.arg(STREAM).arg(GROUP).arg(consumer.as_str());
            command.arg(u64::try_from(take.idle.as_millis()).unwrap_or(u64::MAX));
            command.arg(&from).arg("COUNT").arg(take.most.min(CLAIM));
            let mut answer = list(DOING, self.write(DOING, &command).await?)?.into_iter();
            let (next, entries) = (answer.next(), answer.next());
            from = next
                .ok_or_else(|| odd(DOING, "no cursor"))
                .and_then(|next| fields::text(next).map_err(|error| odd(DOING, error)))?;
            let entries = raw_list(DOING, entries.unwrap_or(Value::Nil))?;
            taken.extend(self.adopted(entries).await?);
            if from == "0-0" || taken.len() >= take.most {
                return Ok(());
            }
        }
    }

    async fn group_read(&self, consumer: &Consumer, most: usize, from: &str) -> StoreResult<Value> {
        let mut command = cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(consumer.as_str());
        command
            .arg("COUNT")
            .arg(most)
            .arg("STREAMS")
            .arg(STREAM)
            .arg(from);
        self.write("taking transactions off the queue", &command)
            .await
    }

    /// Entries as they were taken: those that are no transactions are set aside, those that are there twice removed,
    /// those that somebody else wrote made known.
    async fn adopted(&self, raw: Vec<Raw>) -> StoreResult<Vec<(StreamId, QueueEntry)>> {
        const DOING: &str = "taking transactions off the queue";
        if raw.is_empty() {
            return Ok(Vec::new());
        }
        let mut entries = BTreeMap::new();
        let mut taken = Vec::with_capacity(raw.len());
        let mut aside = Link::script(&scripts::SET_ASIDE, &KEYS);
        aside.arg(GROUP);
        let mut strange = 0;
        for Raw { place, fields } in raw {
            match entry(place, fields) {
                Ok(entry) => {
                    taken.push((place, entry.id));
                    entries.insert(place, entry);
                }
                Err(why) => {
                    tracing::error!(
                        "entry {place} of {STREAM} is no transaction ({why}); it is kept in tx:malformed"
                    );
                    aside.arg(place.to_string()).arg(why);
                    strange += 1;
                }
            }
        }
        if strange > 0 {
            self.write(DOING, &aside).await?;
        }
        let mut adopt = Link::script(&scripts::ADOPT, &KEYS);
        adopt.arg(GROUP);
        for (_, id) in &taken {
            adopt.arg(id.to_string());
        }
        for (place, _) in &taken {
            adopt.arg(place.to_string());
        }
        for removed in list(DOING, self.write(DOING, &adopt).await?)? {
            if let Ok(place) = fields::text(removed).unwrap_or_default().parse() {
                entries.remove(&place);
            }
        }
        Ok(entries.into_iter().collect())
    }

    async fn bury_all(&self, entries: &[Burial], now: Timestamp) -> StoreResult<()> {
        let mut command = Link::script(&scripts::BURY, &KEYS);
        command.arg(GROUP).arg(now.ms());
        for burial in entries {
            command
                .arg(burial.id.to_string())
                .arg(burial.code.as_str())
                .arg(&burial.reason);
        }
        self.write("moving transactions to the dead letters", &command)
            .await?;
        Ok(())
    }
}

impl TxQueue for RedisQueue {
    fn backend(&self) -> &'static str {
        "redis"
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn push<'a>(
        &'a self,
        transactions: &'a [SignedTransaction],
        // The server's clock gives the places.
        _now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<Pushed>>> {
        self.push_all(transactions).boxed()
    }

    fn take<'a>(
        &'a self,
        consumer: &'a Consumer,
        take: Take,
        _now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<QueueEntry>>> {
        self.take_some(consumer, take).boxed()
    }

    fn ack<'a>(&'a self, ids: &'a [TransactionId]) -> BoxFuture<'a, StoreResult<()>> {
        async move {
            if ids.is_empty() {
                return Ok(());
            }
            let mut command = Link::script(&scripts::ACK, &KEYS);
            command.arg(GROUP);
            for id in ids {
                command.arg(id.to_string());
            }
            self.write("acknowledging transactions", &command).await?;
            Ok(())
        }
        .boxed()
    }

    fn bury<'a>(&'a self, entries: &'a [Burial], now: Timestamp) -> BoxFuture<'a, StoreResult<()>> {
        self.bury_all(entries, now).boxed()
    }

    fn drop_dead<'a>(&'a self, id: &'a TransactionId) -> BoxFuture<'a, StoreResult<bool>> {
        async move {
            let mut command = Link::script(&scripts::DROP_DEAD, &KEYS);
            command.arg(id.to_string());
            let answer = self.write("dropping a dead letter", &command).await?;
            Ok(count(&answer) > 0)
        }
        .boxed()
    }

    fn find<'a>(&'a self, id: &'a TransactionId) -> BoxFuture<'a, StoreResult<Option<QueueEntry>>> {
        self.find_one(id).boxed()
    }

    fn entries(
        &self,
        after: Option<StreamId>,
        most: usize,
    ) -> BoxFuture<'_, StoreResult<Vec<QueueEntry>>> {
        self.list_entries(Order::OldestFirst, after, most).boxed()
    }

    fn newest(
        &self,
        before: Option<StreamId>,
        most: usize,
    ) -> BoxFuture<'_, StoreResult<Vec<QueueEntry>>> {
        self.list_entries(Order::NewestFirst, before, most).boxed()
    }

    fn absent<'a>(
        &'a self,
        ids: &'a [TransactionId],
    ) -> BoxFuture<'a, StoreResult<Vec<TransactionId>>> {
        self.absent_of(ids).boxed()
    }

    fn dead(
        &self,
        before: Option<StreamId>,
        most: usize,
    ) -> BoxFuture<'_, StoreResult<Vec<DeadLetter>>> {
        self.letters(before, most).boxed()
    }

    fn find_dead<'a>(
        &'a self,
        id: &'a TransactionId,
    ) -> BoxFuture<'a, StoreResult<Option<DeadLetter>>> {
        self.find_letter(id).boxed()
    }

    fn stats(&self) -> BoxFuture<'_, StoreResult<QueueStats>> {
        self.present_stats().boxed()
    }

    fn arrivals(&self) -> BoxStream<'static, ()> {
        self.wakes().map(drop).boxed()
    }

    fn strangers(&self) -> BoxStream<'static, ()> {
        let own = Arc::clone(&self.own);
        let others = move |who: Option<String>| {
            let mine = who.is_some_and(|who| *who == *own);
            std::future::ready((!mine).then_some(()))
        };
        self.wakes().filter_map(others).boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.link.close().boxed()
    }
}

async fn listen(client: &Client) -> Result<PubSubStream, ::redis::RedisError> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(WAKE).await?;
    Ok(subscription.into_on_message())
}

#[cfg(test)]
mod tests;
