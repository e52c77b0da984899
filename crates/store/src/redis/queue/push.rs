//! Queueing: plain `XADD`s and one script that writes their index, in one `MULTI`.
//!
//! The fields of an entry go into the stream without passing through Lua, which takes as long as adding them. For the script
//! to know their places without being told them, they are given the milliseconds by us and the numbers by the server, which
//! counts them up one by one as nothing comes between them. Two who queue at once may have chosen different milliseconds;
//! the server refuses those that come too late, all of them, and they are queued again with its own.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ::redis::{Pipeline, RedisError, Value, cmd};
use tana_protocol::SignedTransaction;

use super::{KEYS, RedisQueue, STREAM};
use crate::error::{StoreError, StoreResult};
use crate::queue::{Pushed, StreamId};
use crate::redis::answers::{list, odd};
use crate::redis::link::Link;
use crate::redis::{fields, scripts};

const DOING: &str = "queueing transactions";
/// Places are made of whole steps of the server's clock: the longer they are, the fewer of those who queue at once choose
/// differently.
const STEP_MS: u64 = 100;
/// Times that places are chosen; after these the server does.
const TRIES: u32 = 4;

/// What is known of the places that the server takes.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The greatest milliseconds that were seen.
    newest_ms: AtomicU64,
    /// The server is older than Redis 7, which can number entries itself.
    are_chosen_by_server: AtomicBool,
}

/// A transaction on its way: its id as text, and its fields.
struct Outgoing<'a> {
    id: &'a str,
    fields: Vec<(&'static str, Cow<'a, str>)>,
}

/// What became of commands that were run at one moment.
#[derive(Debug)]
enum Added {
    /// All are in the stream.
    All(Vec<Pushed>),
    /// None is, since others are there with later places.
    Late,
    /// None is, and none will be this way.
    Never,
}

impl RedisQueue {
    pub(super) async fn push_all(
        &self,
        transactions: &[SignedTransaction],
    ) -> StoreResult<Vec<Pushed>> {
        let ids: Vec<String> = transactions
            .iter()
            .map(|signed| signed.id().to_string())
            .collect();
        // Each once, and where each of those that were handed in is among them.
        let mut once: Vec<Outgoing<'_>> = Vec::with_capacity(ids.len());
        let mut seen = HashMap::with_capacity(ids.len());
        let mut which = Vec::with_capacity(ids.len());
        for (id, signed) in ids.iter().zip(transactions) {
            let at = *seen.entry(id.as_str()).or_insert_with(|| {
                let fields = fields::of(id, signed);
                once.push(Outgoing { id, fields });
                once.len() - 1
            });
            which.push(at);
        }
        if once.is_empty() {
            return Ok(Vec::new());
        }
        let pushed = self.push_once(&once).await?;
        self.link.settle(DOING).await?;
        let mut is_answered = vec![false; once.len()];
        let answers = which.into_iter().map(|at| {
            let again = std::mem::replace(&mut is_answered[at], true);
            match pushed[at] {
                Pushed::Queued(place) if again => Pushed::Known(place),
                pushed => pushed,
            }
        });
        Ok(answers.collect())
    }

    /// Queues transactions of different ids, and answers for each.
    async fn push_once(&self, once: &[Outgoing<'_>]) -> StoreResult<Vec<Pushed>> {
        for _ in 0..TRIES {
            if self.places.are_chosen_by_server.load(Ordering::Relaxed) {
                break;
            }
            let Some(now) = self.link.server_ms().await? else {
                break;
            };
            let step = now - now % STEP_MS;
            let ms = step.max(self.places.newest_ms.load(Ordering::Relaxed));
            match self.add(once, ms).await? {
                Added::All(pushed) => return Ok(pushed),
                Added::Late => {}
                Added::Never => break,
            }
        }
        self.add_by_script(once).await
    }

    /// Adds all with these milliseconds, or none.
    async fn add(&self, once: &[Outgoing<'_>], ms: u64) -> StoreResult<Added> {
        let mut commands = Pipeline::with_capacity(once.len() + 1);
        commands.atomic();
        let place = format!("{ms}-*");
        for outgoing in once {
            let mut add = cmd("XADD");
            add.arg(STREAM).arg(&place);
            fields::write(&mut add, &outgoing.fields);
            commands.add_command(add);
        }
        let mut index = Link::script(&scripts::INDEX, &KEYS);
        index.arg(ms).arg(&*self.own);
        for outgoing in once {
            index.arg(outgoing.id);
        }
        commands.add_command(index);
        let mut answers = self.link.run_at_once(DOING, &commands).await?;
        let indexed = answers.pop().unwrap_or(Value::Nil);
        let refused = answers.into_iter().find_map(|answer| match answer {
            Value::ServerError(error) => Some(RedisError::from(error)),
            _ => None,
        });
        let indexed = match indexed.extract_error() {
            Ok(indexed) => list(DOING, indexed)?,
            // What was added is found by who takes it, indexed or not.
            Err(error) => {
                self.link.close().await;
                return Err(StoreError::OutcomeUnknown {
                    doing: DOING,
                    source: error.into(),
                });
            }
        };
        let mut words = indexed
            .into_iter()
            .map(|word| fields::text(word).map_err(|error| odd(DOING, error)));
        let mut word = || words.next().transpose();
        let missing = || odd(DOING, "a word is missing");
        let is_added = word()?.ok_or_else(missing)? == "1";
        let place = |text: String| -> StoreResult<StreamId> {
            text.parse().map_err(|error| odd(DOING, error))
        };
        let first = place(word()?.ok_or_else(missing)?)?;
        self.places.newest_ms.fetch_max(first.ms, Ordering::Relaxed);
        if is_added && let Some(refused) = refused {
            // The script found entries that are not these.
            self.link.close().await;
            return Err(StoreError::OutcomeUnknown {
                doing: DOING,
                source: refused.into(),
            });
        }
        if !is_added {
            let text = refused.map(|error| error.to_string()).unwrap_or_default();
            if text.contains("equal or smaller") {
                return Ok(Added::Late);
            }
            if text.contains("Invalid stream ID") {
                self.places
                    .are_chosen_by_server
                    .store(true, Ordering::Relaxed);
            }
            return Ok(Added::Never);
        }
        let mut pushed: Vec<Pushed> = (first.seq..)
            .take(once.len())
            .map(|seq| Pushed::Queued(StreamId { ms: first.ms, seq }))
            .collect();
        while let Some(at) = word()? {
            let known = place(word()?.ok_or_else(missing)?)?;
            let at: usize = at.parse().map_err(|error| odd(DOING, error))?;
            *pushed.get_mut(at).ok_or_else(missing)? = Pushed::Known(known);
        }
        Ok(Added::All(pushed))
    }

    /// The same with places that the server chooses: each field passes through its Lua.
    async fn add_by_script(&self, once: &[Outgoing<'_>]) -> StoreResult<Vec<Pushed>> {
        let mut command = Link::script(&scripts::PUSH, &KEYS);
        command.arg(once.len());
        for outgoing in once {
            command.arg(outgoing.id);
        }
        for outgoing in once {
            command.arg(2 * outgoing.fields.len());
            fields::write(&mut command, &outgoing.fields);
        }
        command.arg(&*self.own);
        let answer = self.write(DOING, &command).await?;
        let pushed = list(DOING, answer)?.into_iter().map(|answer| {
            let text = fields::text(answer).map_err(|error| odd(DOING, error))?;
            let (how, place) = text.split_at_checked(1).unwrap_or_default();
            let place = place.parse().map_err(|error| odd(DOING, error))?;
            Ok(if how == "q" {
                Pushed::Queued(place)
            } else {
                Pushed::Known(place)
            })
        });
        pushed.collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use ::redis::Client;
    use tana_protocol::{Timestamp, TransactionId};

    use super::super::tests::{scratch, transfer};
    use super::*;
    use crate::queue::{TxQueue as _, conformance};

    fn outgoing<'a>(id: &'a str, signed: &'a SignedTransaction) -> Outgoing<'a> {
        Outgoing {
            id,
            fields: fields::of(id, signed),
        }
    }

    async fn queued(queue: &RedisQueue) -> Vec<(TransactionId, StreamId)> {
        let entries = queue.entries(None, 10_000).await.unwrap();
        let pairs = entries.into_iter().map(|entry| (entry.id, entry.stream_id));
        pairs.collect()
    }

    #[tokio::test]
    async fn a_server_that_chooses_the_places_conforms_too() {
        let queue = RedisQueue::at(&scratch().await).unwrap();
        let chosen = &queue.places.are_chosen_by_server;
        chosen.store(true, Ordering::Relaxed);
        conformance::check(&queue).await.unwrap();
    }

    #[tokio::test]
    async fn those_who_come_too_late_are_queued_behind_what_is_there() {
        let address = scratch().await;
        let queue = RedisQueue::at(&address).unwrap();
        let signed = transfer(1);
        let id = signed.id().to_string();
        let once = [outgoing(&id, &signed)];
        // Somebody whose clock is an hour ahead was here before.
        let now = queue.link.server_ms().await.unwrap().unwrap();
        let ahead = now + 3_600_000;
        let client = Client::open(address.as_str()).unwrap();
        let mut raw = client.get_multiplexed_async_connection().await.unwrap();
        let mut add = cmd("XADD");
        add.arg(STREAM).arg(format!("{ahead}-7"));
        fields::write(&mut add, &fields::of("other", &transfer(2)));
        add.query_async::<String>(&mut raw).await.unwrap();

        let late = queue.add(&once, now).await.unwrap();
        assert!(matches!(late, Added::Late), "{late:?}");
        assert_eq!(queued(&queue).await.len(), 1, "nothing was added");
        let place = StreamId { ms: ahead, seq: 8 };
        let pushed = queue
            .push(std::slice::from_ref(&signed), Timestamp::default())
            .await
            .unwrap();
        assert_eq!(pushed, [Pushed::Queued(place)]);
        // The same at the same milliseconds is known, and there once.
        let again = queue.add(&once, ahead).await.unwrap();
        assert!(
            matches!(&again, Added::All(pushed) if *pushed == [Pushed::Known(place)]),
            "{again:?}"
        );
        assert_eq!(queued(&queue).await.len(), 2);
    }

    #[tokio::test]
    async fn who_is_too_late_is_not_taken_for_those_who_came_and_went() {
        let queue = RedisQueue::at(&scratch().await).unwrap();
        let transfers: Vec<_> = (1..=4).map(transfer).collect();
        let ids: Vec<_> = transfers.iter().map(|it| it.id().to_string()).collect();
        let some = |which: [usize; 3]| which.map(|i| outgoing(&ids[i], &transfers[i]));
        let now = queue.link.server_ms().await.unwrap().unwrap();
        let first = queue.add(&some([0, 1, 2]), now).await.unwrap();
        assert!(matches!(first, Added::All(_)), "{first:?}");
        // The same again a step later: they are known, and what was added for them is gone.
        let again = queue.add(&some([0, 1, 2]), now + STEP_MS).await.unwrap();
        assert!(matches!(again, Added::All(_)), "{again:?}");
        // Another batch that begins and ends like the first, at its milliseconds.
        let late = queue.add(&some([0, 3, 2]), now).await.unwrap();
        assert!(matches!(late, Added::Late), "{late:?}");
        let pushed = queue.push(&transfers[3..], Timestamp::default()).await;
        assert!(matches!(pushed.unwrap()[..], [Pushed::Queued(_)]));
        assert_eq!(queued(&queue).await.len(), 4);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_who_queue_the_same_at_once_one_does_and_all_know_where() {
        let address = scratch().await;
        let transfers: Vec<SignedTransaction> = (0..400).map(transfer).collect();
        let mut pushing = tokio::task::JoinSet::new();
        for first in 0..4 {
            let queue = RedisQueue::at(&address).unwrap();
            // Each hands in three quarters, in batches that overlap with those of the others.
            let mine: Vec<_> = transfers[first * 33..first * 33 + 300].to_vec();
            pushing.spawn(async move {
                let mut answers = Vec::new();
                for batch in mine.chunks(50) {
                    let pushed = queue.push(batch, Timestamp::default()).await.unwrap();
                    answers.extend(batch.iter().map(SignedTransaction::id).zip(pushed));
                }
                answers
            });
        }
        let queue = RedisQueue::at(&address).unwrap();
        let answers = pushing.join_all().await.concat();
        let places: BTreeMap<_, _> = queued(&queue).await.into_iter().collect();
        assert_eq!(places.len(), 399);
        assert_eq!(queue.stats().await.unwrap().length, 399);
        let mut queued = 0;
        for (id, pushed) in answers {
            assert_eq!(places[&id], pushed.stream_id());
            queued += usize::from(matches!(pushed, Pushed::Queued(_)));
        }
        assert_eq!(queued, 399, "each by one");
        // None of it went through the script that lets the server choose.
        assert!(places.values().all(|place| place.ms % STEP_MS == 0));
    }
}
