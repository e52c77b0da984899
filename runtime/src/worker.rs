//! `tana-runtime worker`: executions on request, one JSON message a line on standard input and output. One at a time;
//! the host starts as many workers as it wants to run at once.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{BufRead, Read, Write};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

use crate::compile::{self, SCHEDULE_VERSION};
use crate::engine::{self, Engine};
use crate::host::{Host, Pending};
use crate::sandbox;
use tana_sandbox::message::{FromWorker, Invocation, Metered, Part, Question, ToWorker};

/// The longest line that is read. An invocation holds a source and a request's body.
const MAX_LINE_BYTES: u64 = 8 << 20;

type Waiting = Arc<Mutex<HashMap<u64, Sink>>>;

/// Who waits for the answer to a question.
enum Sink {
    Thread(std::sync::mpsc::Sender<Result<Value, String>>),
    Task(oneshot::Sender<Result<Value, String>>),
}

/// Serves until standard input ends. Call it on the main thread, after [`engine::init`].
///
/// # Errors
/// Where a line is no message, or a stream breaks.
pub fn serve() -> anyhow::Result<()> {
    engine::in_deep_thread(serve_here)?
}

fn serve_here() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _guard = runtime.enter();
    let mut engine = Engine::warm();
    let gaps = sandbox::enter();
    let waiting: Waiting = Arc::default();
    let mut work = read_lines(Arc::clone(&waiting))?;
    let pipe = Rc::new(Pipe {
        waiting,
        next: RefCell::new(0),
    });
    send(&FromWorker::Ready {
        engine: engine::ENGINE.to_owned(),
        version: crate::DENO_CORE_VERSION.to_owned(),
        schedule: SCHEDULE_VERSION,
        executions: engine::EXECUTIONS_PER_PROCESS,
        gaps,
    })?;
    runtime.block_on(async {
        while let Some(task) = work.recv().await {
            let (id, invocation) = match task? {
                Task::Run { id, invocation } => (id, invocation),
                Task::Compile { id, file, source } => {
                    let metered = compile::compile(&file, &source).map(|compiled| Metered {
                        code: compiled.code,
                        exports: compiled.exports,
                    });
                    send(&FromWorker::Compiled { id, metered })?;
                    continue;
                }
            };
            let host: Rc<dyn Host> = Rc::new(World::new(Rc::clone(&pipe), invocation.in_parts));
            let outcome = engine::run(&mut engine, Rc::new(*invocation), host).await;
            send(&FromWorker::Done {
                id,
                outcome: Box::new(outcome),
            })?;
            engine.refill();
        }
        Ok(())
    })
}

fn send(message: &FromWorker) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()?;
    Ok(())
}

/// What a host asks for.
enum Task {
    Run {
        id: u64,
        invocation: Box<Invocation>,
    },
    Compile {
        id: u64,
        file: String,
        source: String,
    },
}

type Work = mpsc::UnboundedReceiver<anyhow::Result<Task>>;

/// Reads in a thread of its own: an answer must arrive while the script waits for it in this one.
fn read_lines(waiting: Waiting) -> anyhow::Result<Work> {
    let (sender, work) = mpsc::unbounded_channel();
    std::thread::Builder::new()
        .name("requests".into())
        .spawn(move || {
            let mut input = std::io::stdin().lock();
            let mut line = Vec::new();
            loop {
                line.clear();
                match (&mut input)
                    .take(MAX_LINE_BYTES)
                    .read_until(b'\n', &mut line)
                {
                    Ok(0) => break,
                    Ok(_) if line.ends_with(b"\n") => {}
                    Ok(_) => {
                        let _ = sender.send(Err(anyhow::anyhow!(
                            "a request is longer than {MAX_LINE_BYTES} bytes"
                        )));
                        break;
                    }
                    Err(error) => {
                        let _ = sender.send(Err(error.into()));
                        break;
                    }
                }
                match serde_json::from_slice(&line) {
                    Ok(ToWorker::Run { id, invocation }) => {
                        if sender.send(Ok(Task::Run { id, invocation })).is_err() {
                            break;
                        }
                    }
                    Ok(ToWorker::Compile { id, file, source }) => {
                        if sender.send(Ok(Task::Compile { id, file, source })).is_err() {
                            break;
                        }
                    }
                    Ok(ToWorker::Answer { question, answer }) => {
                        match waiting
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .remove(&question)
                        {
                            Some(Sink::Thread(sink)) => drop(sink.send(answer)),
                            Some(Sink::Task(sink)) => drop(sink.send(answer)),
                            // Of an execution that has ended meanwhile.
                            None => {}
                        }
                    }
                    Err(error) => {
                        let _ =
                            sender.send(Err(anyhow::anyhow!("a request is no message: {error}")));
                        break;
                    }
                }
            }
            // Nobody will answer any more.
            waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clear();
        })?;
    Ok(work)
}

/// The world at the other end of the streams.
struct Pipe {
    waiting: Waiting,
    next: RefCell<u64>,
}

impl Pipe {
    fn question(&self, ask: &Question, sink: Sink) -> Result<(), String> {
        let mut next = self.next.borrow_mut();
        *next += 1;
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(*next, sink);
        send(&FromWorker::Ask {
            question: *next,
            ask: ask.clone(),
        })
        .map_err(|error| error.to_string())
    }
}

/// The world as one execution is told of it. Who somebody is and what a currency is cannot change meanwhile, and is
/// asked again and again.
struct World {
    pipe: Rc<Pipe>,
    in_parts: bool,
    told: RefCell<HashMap<String, Value>>,
}

impl World {
    fn new(pipe: Rc<Pipe>, in_parts: bool) -> Self {
        Self {
            pipe,
            in_parts,
            told: RefCell::default(),
        }
    }
}

impl Host for World {
    fn ask(&self, question: &Question) -> Result<Value, String> {
        let key = match question {
            Question::User { user } => format!("user {user}"),
            Question::Currency { code } => format!("currency {code}"),
            _ => return self.pipe.ask(question),
        };
        if let Some(told) = self.told.borrow().get(&key) {
            return Ok(told.clone());
        }
        let answer = self.pipe.ask(question)?;
        self.told.borrow_mut().insert(key, answer.clone());
        Ok(answer)
    }

    fn fetch(&self, question: Question) -> Pending {
        self.pipe.fetch(question)
    }

    fn part(&self, part: Part) -> Result<bool, String> {
        if self.in_parts {
            send(&FromWorker::Part { part }).map_err(|error| error.to_string())?;
        }
        Ok(self.in_parts)
    }
}

impl Host for Rc<Pipe> {
    fn ask(&self, question: &Question) -> Result<Value, String> {
        let (sender, receiver): (_, Receiver<Result<Value, String>>) = channel();
        self.question(question, Sink::Thread(sender))?;
        receiver
            .recv()
            .unwrap_or_else(|_| Err("the node is shutting down".into()))
    }

    fn fetch(&self, question: Question) -> Pending {
        let (sender, receiver) = oneshot::channel();
        let asked = self.question(&question, Sink::Task(sender));
        Box::pin(async move {
            asked?;
            receiver
                .await
                .unwrap_or_else(|_| Err("the node is shutting down".into()))
        })
    }
}
