//! `tana-runtime worker`: executions on request, one JSON message a line on standard input and output. One at a time;
//! the host starts as many workers as it wants to run at once.
//!
//! This process reads requests, compiles, and keeps isolates; each contract runs in a copy of it that is forked for the
//! one execution (`execution`) and has the streams meanwhile. A copy that dies takes this process along: nobody knows
//! what it has left of the streams.

mod execution;
mod lines;

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};

use crate::compile::{self, SCHEDULE_VERSION};
use crate::engine::{self, Ready, Zygote};
use crate::sandbox::{self, Fences};
use lines::Lines;
use tana_sandbox::message::{FromWorker, Invocation, Metered, NO_MEANS, Outcome, ToWorker};
use tokio::runtime::{Builder, Runtime};

/// A worker that ever had more ends when it has nothing to do: its copies would begin with what it holds.
const MOST_BYTES: u64 = 384 << 20;

/// Between attempts to fork, where the machine has no process or memory left.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(10),
    Duration::from_millis(40),
    Duration::from_millis(150),
    Duration::ZERO,
];

/// Serves until standard input ends. Call it on the main thread, after [`engine::init`].
///
/// # Errors
/// Where a line is no message, or a stream breaks.
pub fn serve() -> anyhow::Result<()> {
    engine::in_deep_thread(|| Worker::new()?.serve())?
}

struct Worker {
    zygote: Zygote,
    fences: Fences,
    lines: Lines,
    /// For executions: without timers and files, of which two processes must not share one.
    tasks: Runtime,
}

impl Worker {
    fn new() -> anyhow::Result<Self> {
        let zygote = Zygote::warm()?;
        let fences = sandbox::enter();
        send(&FromWorker::Ready {
            engine: engine::ENGINE.to_owned(),
            version: crate::DENO_CORE_VERSION.to_owned(),
            schedule: SCHEDULE_VERSION,
            gaps: fences.gaps().to_vec(),
        })?;
        Ok(Self {
            zygote,
            fences,
            lines: Lines::default(),
            tasks: Builder::new_current_thread().build()?,
        })
    }

    fn serve(mut self) -> anyhow::Result<()> {
        while let Some(request) = self.lines.next()? {
            match request {
                ToWorker::Run { id, invocation } => match self.zygote.ready(&invocation) {
                    Ok(ready) => {
                        self.run(id, &ready, invocation)?;
                        self.zygote.keep(&ready);
                    }
                    Err(failure) => send(&FromWorker::Done {
                        id,
                        outcome: Box::new(Outcome::failed(failure)),
                    })?,
                },
                ToWorker::Compile { id, file, source } => {
                    let metered = compile::compile(&file, &source).map(|compiled| Metered {
                        code: compiled.code,
                        exports: compiled.exports,
                    });
                    send(&FromWorker::Compiled { id, metered })?;
                }
                // To an execution that has ended meanwhile.
                ToWorker::Answer { .. } => continue,
            }
            if engine::most_resident_bytes() > MOST_BYTES {
                // Its host starts another, at nobody's cost.
                break;
            }
            send(&FromWorker::Idle)?;
        }
        Ok(())
    }

    #[allow(unsafe_code, reason = "the library has no other way to fork")]
    fn run(&mut self, id: u64, ready: &Ready, invocation: Box<Invocation>) -> anyhow::Result<()> {
        for pause in PAUSES {
            // SAFETY: the only other thread waits for this one, and holds nothing.
            match unsafe { fork() } {
                Ok(ForkResult::Child) => execution::run(self, id, ready, invocation),
                Ok(ForkResult::Parent { child }) => return follow(child),
                Err(_) => std::thread::sleep(pause),
            }
        }
        end(NO_MEANS)
    }
}

/// Ends with this code.
#[allow(
    clippy::disallowed_methods,
    reason = "nothing here outlives an execution that failed"
)]
fn end(code: i32) -> ! {
    std::process::exit(code)
}

/// Waits for an execution to end, and ends as it did where something ended it.
fn follow(child: Pid) -> anyhow::Result<()> {
    loop {
        match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, 0)) => return Ok(()),
            Ok(WaitStatus::Exited(_, code)) => end(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => {
                // Says the same to the host; where the signal does not end this process, the error does. Some have a
                // handler of Rust's, which comes back once.
                for _ in 0..2 {
                    let _ = nix::sys::signal::raise(signal);
                }
                anyhow::bail!("an execution was ended by {signal}");
            }
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(error).context("an execution is lost"),
        }
    }
}

fn send(message: &FromWorker) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    out.flush()?;
    Ok(())
}
