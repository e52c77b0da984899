//! One worker process and the messages with it.

use std::process::Stdio;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::{Answers, EngineName, PoolError, PoolOptions};
use crate::message::{Failure, FromWorker, Invocation, Metered, NO_MEANS, Outcome, ToWorker};

/// The longest line that is read: an outcome holds a result, output and an answer.
const MAX_LINE_BYTES: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Worker {
    program: std::path::PathBuf,
    child: Child,
    input: ChildStdin,
    lines: Lines,
    wanted: Option<EngineName>,
    state: State,
    /// Executions so far.
    uses: u32,
    /// Executions after which it is replaced.
    most: u32,
    gaps: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Starting,
    Ready,
    /// What was asked of it is answered, and it has not said that nothing is left of it.
    Ending,
}

/// How an execution ended.
pub(super) enum Ended {
    Done(Box<Outcome>),
    Died(String),
    /// The machine let it run nothing: this says nothing about the contract.
    NoMeans,
}

impl Worker {
    pub(super) fn start(options: &PoolOptions) -> Result<Self, PoolError> {
        let start = |source| PoolError::Start {
            program: options.program.clone(),
            source,
        };
        let mut child = Command::new(&options.program)
            .arg("worker")
            // Nothing of the host's environment reaches contracts, not even its time zone.
            .env_clear()
            .env("TZ", "UTC")
            .env("V82JSC_NO_BC_CACHE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(start)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(start(std::io::Error::other("it has no streams")));
        };
        Ok(Self {
            program: options.program.clone(),
            child,
            input,
            lines: Lines {
                output: BufReader::new(output),
                part: Vec::new(),
            },
            wanted: options.engine.clone(),
            state: State::Starting,
            uses: 0,
            most: options.uses,
            gaps: Vec::new(),
        })
    }

    /// Waits until it can take something that was asked of it before; `false` where it ended instead.
    pub(super) async fn rested(&mut self) -> bool {
        if self.state == State::Ending {
            if !matches!(self.read().await, Ok(Some(FromWorker::Idle))) {
                return false;
            }
            self.state = State::Ready;
        }
        true
    }

    /// Waits until it can take its first execution.
    pub(super) async fn ready(&mut self) -> Result<(), PoolError> {
        if self.state == State::Ready {
            return Ok(());
        }
        let reason = match self.read().await {
            Ok(Some(FromWorker::Ready {
                engine,
                schedule,
                gaps,
                ..
            })) => {
                let found = EngineName { engine, schedule };
                match &self.wanted {
                    Some(wanted) if *wanted != found => {
                        format!("it runs {found}, and {wanted} is needed")
                    }
                    _ => {
                        self.state = State::Ready;
                        self.gaps = gaps;
                        return Ok(());
                    }
                }
            }
            Ok(Some(_)) => "it spoke out of turn".to_owned(),
            Ok(None) => self.why().await,
            Err(error) => error.to_string(),
        };
        Err(PoolError::NoWorker {
            program: self.program.clone(),
            reason,
        })
    }

    /// The fences that the kernel refused, once it is ready.
    pub(super) fn gaps(&self) -> &[String] {
        &self.gaps
    }

    /// Whether it has done its share.
    pub(super) fn is_used_up(&self) -> bool {
        self.uses >= self.most
    }

    pub(super) async fn run(&mut self, invocation: Invocation, answers: &dyn Answers) -> Ended {
        self.uses += 1;
        let id = u64::from(self.uses);
        if let Err(error) = self
            .write(&ToWorker::Run {
                id,
                invocation: Box::new(invocation),
            })
            .await
        {
            return Ended::Died(error.to_string());
        }
        self.state = State::Ending;
        let mut answering = FuturesUnordered::new();
        let mut outgoing = Outgoing::default();
        // Its messages are read while it is written to: it may do both at once, and both streams may be full.
        loop {
            let message = tokio::select! {
                message = self.lines.next() => message,
                Some((question, answer)) = answering.next() => {
                    if let Err(error) = outgoing.add(&ToWorker::Answer { question, answer }) {
                        return Ended::Died(error.to_string());
                    }
                    continue;
                }
                written = self.input.write(outgoing.bytes()), if !outgoing.bytes().is_empty() => {
                    match written {
                        Ok(count) => outgoing.written(count),
                        Err(error) => return Ended::Died(error.to_string()),
                    }
                    continue;
                }
            };
            match message {
                Ok(Some(FromWorker::Ask { question, ask })) => {
                    answering.push(async move { (question, answers.answer(ask).await) });
                }
                Ok(Some(FromWorker::Part { part })) => answers.part(part),
                Ok(Some(FromWorker::Done { id: done, outcome })) if done == id => {
                    // What has been begun is written to its end: the next message is a line of its own.
                    return match self.input.write_all(outgoing.begun()).await {
                        Ok(()) => Ended::Done(outcome),
                        Err(error) => Ended::Died(error.to_string()),
                    };
                }
                Ok(Some(_)) => return Ended::Died("it spoke out of turn".to_owned()),
                Ok(None) => return self.ended().await,
                Err(error) => return Ended::Died(error.to_string()),
            }
        }
    }

    pub(super) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    pub(super) async fn compile(
        &mut self,
        file: &str,
        source: &str,
    ) -> Result<Result<Metered, Failure>, String> {
        self.uses += 1;
        let id = u64::from(self.uses);
        let request = ToWorker::Compile {
            id,
            file: file.to_owned(),
            source: source.to_owned(),
        };
        self.write(&request)
            .await
            .map_err(|error| error.to_string())?;
        self.state = State::Ending;
        match self.read().await {
            Ok(Some(FromWorker::Compiled { id: of, metered })) if of == id => Ok(metered),
            Ok(Some(_)) => Err("it spoke out of turn".to_owned()),
            Ok(None) => Err(self.why().await),
            Err(error) => Err(error.to_string()),
        }
    }

    /// How an execution ended that said nothing more.
    async fn ended(&mut self) -> Ended {
        match self.child.wait().await {
            Ok(status) if status.code() == Some(NO_MEANS) => Ended::NoMeans,
            Ok(status) => Ended::Died(status.to_string()),
            Err(error) => Ended::Died(error.to_string()),
        }
    }

    async fn why(&mut self) -> String {
        match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    async fn write(&mut self, message: &ToWorker) -> std::io::Result<()> {
        write(&mut self.input, message).await
    }

    async fn read(&mut self) -> std::io::Result<Option<FromWorker>> {
        self.lines.next().await
    }
}

async fn write(input: &mut ChildStdin, message: &ToWorker) -> std::io::Result<()> {
    let mut outgoing = Outgoing::default();
    outgoing.add(message)?;
    input.write_all(outgoing.bytes()).await?;
    input.flush().await
}

/// Lines on their way to a worker.
#[derive(Default)]
struct Outgoing {
    bytes: Vec<u8>,
    /// So many of them are written.
    written: usize,
    /// Whether a part of a line is.
    is_amid: bool,
}

impl Outgoing {
    fn add(&mut self, message: &ToWorker) -> std::io::Result<()> {
        self.bytes.drain(..std::mem::take(&mut self.written));
        serde_json::to_writer(&mut self.bytes, message)?;
        self.bytes.push(b'\n');
        Ok(())
    }

    /// What is not written yet.
    fn bytes(&self) -> &[u8] {
        &self.bytes[self.written..]
    }

    fn written(&mut self, count: usize) {
        self.written += count;
        self.is_amid = self.bytes[..self.written].last() != Some(&b'\n');
    }

    /// The rest of a line of which a part is written.
    fn begun(&self) -> &[u8] {
        let rest = self.bytes();
        let end = rest.iter().position(|byte| *byte == b'\n');
        match end {
            Some(end) if self.is_amid => &rest[..=end],
            _ => &[],
        }
    }
}

/// The lines of a worker.
#[derive(Debug)]
struct Lines {
    output: BufReader<ChildStdout>,
    /// The part of a line that has come already: a read may be abandoned half way and taken up again.
    part: Vec<u8>,
}

impl Lines {
    /// The next message, or none at the end.
    async fn next(&mut self) -> std::io::Result<Option<FromWorker>> {
        loop {
            let bytes = self.output.fill_buf().await?;
            if bytes.is_empty() {
                return if self.part.is_empty() {
                    Ok(None)
                } else {
                    Err(std::io::Error::other("its answer broke off"))
                };
            }
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(bytes.len(), |end| end + 1);
            self.part.extend_from_slice(&bytes[..count]);
            self.output.consume(count);
            if self.part.len() > MAX_LINE_BYTES {
                return Err(std::io::Error::other("its answer is too long"));
            }
            if end.is_some() {
                let message = serde_json::from_slice(&self.part).map_err(std::io::Error::other);
                self.part.clear();
                return message.map(Some);
            }
        }
    }
}
