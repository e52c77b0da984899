//! One execution, in the process that was forked for it. It has the worker's streams to itself: it asks the host and
//! reads the answers, and leaves the streams at the end of a line.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::stdin;
use std::os::fd::AsFd;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use deno_core::futures::channel::oneshot;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;

use super::{Lines, Worker, send};
use crate::engine::Ready;
use crate::host::{Host, Pending};
use tana_sandbox::message::{FromWorker, Invocation, NO_MEANS, Part, Question, ToWorker};

/// What the process exits with where it could not say what came of it.
const BROKEN: i32 = 101;

/// How often an execution that is over its time is looked at until its watchdog has noticed.
const TICK: Duration = Duration::from_millis(5);

type Answer = Result<Value, String>;

/// Runs it and says what came of it.
pub(super) fn run(worker: &mut Worker, id: u64, ready: &Ready, invocation: Box<Invocation>) -> ! {
    let code = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        worker.fences.enter_execution()?;
        let pipe = Rc::new(Pipe {
            lines: RefCell::new(std::mem::take(&mut worker.lines)),
            waiting: RefCell::default(),
            // Answers to an execution that has ended find nobody in the next.
            next: RefCell::new(id << 32),
        });
        let patience = Duration::from_millis(invocation.limits.wall_ms);
        let host: Rc<dyn Host> = Rc::new(World {
            pipe: Rc::clone(&pipe),
            in_parts: invocation.in_parts,
            told: RefCell::default(),
        });
        let running = worker.zygote.run(ready, Rc::new(*invocation), host);
        let outcome = worker
            .tasks
            .block_on(pipe.drive(running, Instant::now() + patience))??;
        pipe.finish()?;
        send(&FromWorker::Done {
            id,
            outcome: Box::new(outcome),
        })
    }));
    end(match code {
        Ok(Ok(())) => 0,
        Ok(Err(error)) if error.is::<std::io::Error>() => NO_MEANS,
        Ok(Err(_)) | Err(_) => BROKEN,
    })
}

/// Ends the process at once: everything it has goes with it.
#[allow(unsafe_code, reason = "the library has no other way")]
fn end(code: i32) -> ! {
    // SAFETY: always sound.
    unsafe { libc::_exit(code) }
}

/// The host at the other end of the streams.
struct Pipe {
    lines: RefCell<Lines>,
    /// Who waits for the answers to questions that do not stop the contract.
    waiting: RefCell<HashMap<u64, oneshot::Sender<Answer>>>,
    next: RefCell<u64>,
}

/// Whether something can go on.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Pipe {
    /// Runs a future to its end. Where nothing in this process can go on, an answer of the host is what it waits for, or
    /// the end of its time.
    async fn drive<T>(
        &self,
        running: impl Future<Output = T>,
        until: Instant,
    ) -> anyhow::Result<T> {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut running = pin!(running);
        loop {
            woken.0.store(false, Ordering::SeqCst);
            if let Poll::Ready(outcome) = running.as_mut().poll(&mut context) {
                return Ok(outcome);
            }
            // The engine's own tasks, and what they wake.
            for _ in 0..2 {
                tokio::task::yield_now().await;
            }
            if !woken.0.load(Ordering::SeqCst) {
                let left = until.saturating_duration_since(Instant::now()).max(TICK);
                self.wait(left)?;
            }
        }
    }

    /// Hands on the answers that come within this time.
    fn wait(&self, time: Duration) -> anyhow::Result<()> {
        // Some may have come along with an answer that the contract waited for.
        if self.hand_on_all()? {
            return Ok(());
        }
        let stdin = stdin();
        let mut streams = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        if poll(&mut streams, time).unwrap_or(0) == 0 {
            return Ok(());
        }
        anyhow::ensure!(self.lines.borrow_mut().fill()?, "the host is gone");
        self.hand_on_all()?;
        Ok(())
    }

    /// Hands on what has come; whether there was anything.
    fn hand_on_all(&self) -> anyhow::Result<bool> {
        let mut lines = self.lines.borrow_mut();
        let mut any = false;
        while let Some(message) = lines.take()? {
            self.hand_on(message);
            any = true;
        }
        Ok(any)
    }

    fn hand_on(&self, message: ToWorker) {
        if let ToWorker::Answer { question, answer } = message
            && let Some(waiting) = self.waiting.borrow_mut().remove(&question)
        {
            // Where nobody waits any more, nobody misses it.
            let _ = waiting.send(answer);
        }
    }

    /// Asks, and gives the number that the answer will have.
    fn question(&self, ask: Question) -> anyhow::Result<u64> {
        let mut next = self.next.borrow_mut();
        *next += 1;
        send(&FromWorker::Ask {
            question: *next,
            ask,
        })?;
        Ok(*next)
    }

    /// Asks, and waits for the answer.
    fn ask(&self, ask: Question) -> anyhow::Result<Answer> {
        let number = self.question(ask)?;
        loop {
            let message = self.lines.borrow_mut().next()?;
            match message {
                Some(ToWorker::Answer { question, answer }) if question == number => {
                    return Ok(answer);
                }
                Some(other) => self.hand_on(other),
                None => anyhow::bail!("the node is shutting down"),
            }
        }
    }

    /// Reads an answer to its end of which a part has come: the next execution begins with a whole line.
    fn finish(&self) -> anyhow::Result<()> {
        let mut lines = self.lines.borrow_mut();
        while lines.is_amid() {
            if lines.take()?.is_none() {
                anyhow::ensure!(lines.fill()?, "the host is gone");
            }
        }
        Ok(())
    }
}

/// The world as the execution is told of it. Who somebody is and what a currency is cannot change meanwhile, and is
/// asked again and again.
struct World {
    pipe: Rc<Pipe>,
    in_parts: bool,
    told: RefCell<HashMap<String, Value>>,
}

impl Host for World {
    fn ask(&self, question: &Question) -> Answer {
        let key = match question {
            Question::User { user } => Some(format!("user {user}")),
            Question::Currency { code } => Some(format!("currency {code}")),
            _ => None,
        };
        if let Some(told) = key
            .as_ref()
            .and_then(|key| self.told.borrow().get(key).cloned())
        {
            return Ok(told);
        }
        let answer = self
            .pipe
            .ask(question.clone())
            .map_err(|error| error.to_string())??;
        if let Some(key) = key {
            self.told.borrow_mut().insert(key, answer.clone());
        }
        Ok(answer)
    }

    fn fetch(&self, question: Question) -> Pending {
        let asked = self.pipe.question(question);
        let (sender, receiver) = oneshot::channel();
        if let Ok(number) = &asked {
            self.pipe.waiting.borrow_mut().insert(*number, sender);
        }
        Box::pin(async move {
            asked.map_err(|error| error.to_string())?;
            receiver
                .await
                .unwrap_or_else(|_| Err("the node is shutting down".into()))
        })
    }

    fn part(&self, part: Part) -> Result<bool, String> {
        if self.in_parts {
            send(&FromWorker::Part { part }).map_err(|error| error.to_string())?;
        }
        Ok(self.in_parts)
    }
}
