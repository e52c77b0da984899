//! A pool of worker processes, as a host sees it. A worker runs one contract at a time; one that dies costs that one
//! execution and is replaced.

mod process;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::message::{ErrorCode, Failure, Invocation, Metered, Outcome, Part, Question};
use process::{Ended, Worker};

/// How much longer than its own limit an execution may take until its worker is ended from outside.
const GRACE: Duration = Duration::from_millis(1_000);

/// What compiling the largest source may take.
const COMPILING: Duration = Duration::from_secs(10);

/// Answers the questions of running contracts for the host.
pub trait Answers: Send + Sync {
    /// The answer, or a sentence for the contract.
    fn answer(&self, question: Question) -> BoxFuture<'_, Result<Value, String>>;

    /// Takes a part of an answer, in order, where the invocation said that it is taken in parts.
    fn part(&self, part: Part) {
        drop(part);
    }
}

/// How a pool starts and keeps its workers.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// The program that works: `tana-runtime`, or one with the same subcommand.
    pub program: PathBuf,
    /// Workers, and so executions at a time.
    pub workers: usize,
    /// Executions that may wait for a worker; more are refused.
    pub waiting: usize,
    /// Executions after which a worker is replaced.
    pub uses: u32,
    /// What the workers must be; anything where absent.
    pub engine: Option<EngineName>,
}

/// What a worker runs contracts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineName {
    /// `v8` or `quickjs`.
    pub engine: String,
    /// The version of the gas schedule.
    pub schedule: u32,
}

impl std::fmt::Display for EngineName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} with gas schedule {}", self.engine, self.schedule)
    }
}

impl PoolOptions {
    /// Two workers of a program.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            workers: 2,
            waiting: 256,
            uses: 10_000,
            engine: None,
        }
    }
}

/// Why an execution was not even tried.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// Too many wait already.
    #[error("all workers are busy and {0} executions wait already; try again later")]
    Busy(usize),
    /// No worker comes up.
    #[error("cannot start {}", program.display())]
    Start {
        /// What was to be started.
        program: PathBuf,
        /// Why it was not.
        source: std::io::Error,
    },
    /// The machine has nothing left to run a contract with.
    #[error(
        "no contract can be run: this machine has no process, thread or memory left; make room"
    )]
    NoMeans,
    /// A worker came up and was not what it should be.
    #[error("{} is no worker: {reason}", program.display())]
    NoWorker {
        /// What was started.
        program: PathBuf,
        /// What it did instead.
        reason: String,
    },
}

/// Worker processes.
#[derive(Debug)]
pub struct Pool {
    options: PoolOptions,
    /// The one that has rested longest comes first: nothing is left of its last execution by now.
    idle: Mutex<VecDeque<Worker>>,
    slots: Semaphore,
    waiting: Semaphore,
    gaps: Option<String>,
}

impl Pool {
    /// Starts the workers and waits until the first is ready.
    ///
    /// # Errors
    /// Where the program cannot be started or is no worker.
    pub async fn start(options: PoolOptions) -> Result<Self, PoolError> {
        let mut idle = VecDeque::new();
        for _ in 0..options.workers.max(1) {
            idle.push_back(Worker::start(&options)?);
        }
        let mut gaps = None;
        if let Some(first) = idle.front_mut() {
            first.ready().await?;
            gaps = (!first.gaps().is_empty()).then(|| {
                let gaps = first.gaps().join("; ");
                format!("workers are not shut in as they should be: {gaps}; contracts of others should not run here")
            });
        }
        if let Some(gaps) = &gaps {
            tracing::warn!("{gaps}");
        }
        Ok(Self {
            gaps,
            slots: Semaphore::new(options.workers.max(1)),
            waiting: Semaphore::new(options.waiting + options.workers.max(1)),
            idle: Mutex::new(idle),
            options,
        })
    }

    /// Runs one contract. A worker that dies or hangs is an outcome too.
    ///
    /// # Errors
    /// Where no worker could be had.
    pub async fn run(
        &self,
        invocation: Invocation,
        answers: &dyn Answers,
    ) -> Result<Outcome, PoolError> {
        let _place = self
            .waiting
            .try_acquire()
            .map_err(|_| PoolError::Busy(self.options.waiting))?;
        let (_slot, mut worker) = self.worker().await?;
        let gas = invocation.limits.gas;
        let limit = Duration::from_millis(invocation.limits.wall_ms) + GRACE;
        let ended = tokio::time::timeout(limit, worker.run(invocation, answers)).await;
        let failure = match ended {
            Ok(Ended::Done(outcome)) => {
                if worker.is_used_up() {
                    self.replace(worker);
                } else {
                    self.put(worker);
                }
                return Ok(*outcome);
            }
            Ok(Ended::NoMeans) => {
                self.replace(worker);
                return Err(PoolError::NoMeans);
            }
            Ok(Ended::Died(reason)) => Failure::new(
                ErrorCode::WorkerDied,
                format!("the contract brought its worker down ({reason}); make it use less memory"),
            ),
            Err(_) => Failure::new(
                ErrorCode::TimedOut,
                format!(
                    "the contract ran longer than {} ms and did not stop; do less in one call",
                    limit.as_millis()
                ),
            ),
        };
        self.replace(worker);
        Ok(Outcome {
            gas_used: gas,
            ..Outcome::failed(failure)
        })
    }

    /// Compiles a source, as it is kept at deployment: what it becomes, or what is wrong with it. A worker that dies or
    /// hangs over it is an answer too.
    ///
    /// # Errors
    /// Where no worker could be had.
    pub async fn compile(
        &self,
        file: &str,
        source: &str,
    ) -> Result<Result<Metered, Failure>, PoolError> {
        let (_slot, mut worker) = self.worker().await?;
        let ended = tokio::time::timeout(COMPILING, worker.compile(file, source)).await;
        let failure = match ended {
            Ok(Ok(metered)) => {
                self.put(worker);
                return Ok(metered);
            }
            Ok(Err(reason)) => Failure::new(
                ErrorCode::WorkerDied,
                format!("compiling the source brought the worker down ({reason}); make it simpler"),
            ),
            Err(_) => Failure::new(
                ErrorCode::TimedOut,
                format!(
                    "compiling the source took longer than {} s; split it up",
                    COMPILING.as_secs()
                ),
            ),
        };
        self.replace(worker);
        Ok(Err(failure))
    }

    /// How many workers could take an execution at once.
    #[must_use]
    pub fn free(&self) -> usize {
        self.slots.available_permits()
    }

    /// Which fences the kernel refused to put around the workers, in a sentence; none where all stand.
    #[must_use]
    pub fn gaps(&self) -> Option<&str> {
        self.gaps.as_deref()
    }

    /// Waits for a place, and for a worker that can take an execution there.
    async fn worker(&self) -> Result<(SemaphorePermit<'_>, Worker), PoolError> {
        // The semaphore is never closed.
        let Ok(slot) = self.slots.acquire().await else {
            return Err(PoolError::Busy(0));
        };
        // One that ends after an execution has cost nobody anything.
        while let Some(mut worker) = self.take() {
            if worker.rested().await {
                worker.ready().await?;
                return Ok((slot, worker));
            }
        }
        let mut worker = Worker::start(&self.options)?;
        worker.ready().await?;
        Ok((slot, worker))
    }

    /// An idle worker that still lives: one that died while it was idle has cost nobody anything.
    fn take(&self) -> Option<Worker> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(mut worker) = idle.pop_front() {
            if worker.lives() {
                return Some(worker);
            }
        }
        None
    }

    fn put(&self, worker: Worker) {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(worker);
    }

    /// Starts another while nobody waits for it.
    fn replace(&self, worker: Worker) {
        drop(worker);
        match Worker::start(&self.options) {
            Ok(worker) => self
                .idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(worker),
            Err(error) => tracing::error!("a worker could not be replaced: {error}"),
        }
    }
}
