//! A thread of its own that knows when the console must end: the terminal hung up, or a signal. It never waits for the main loop,
//! which may be blocked writing to a terminal that nobody reads any more.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

/// How long the main loop has to end by itself after a signal.
const GRACE: Duration = Duration::from_millis(400);
/// How long restoring the terminal may take when it has not.
const RESTORE: Duration = Duration::from_millis(200);

/// What the main loop is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Told {
    /// End now.
    End,
    /// Stop, as on Ctrl-Z.
    Stop,
    /// Running again after a stop.
    Continued,
}

const SIGNALS: [Signal; 5] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

/// Starts watching. `tell` hands a [`Told`] to the main loop and must not block.
pub(crate) fn start(tell: impl Fn(Told) + Send + 'static) -> io::Result<()> {
    let mut pipes = Vec::new();
    for signal in SIGNALS {
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        write.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(signal as i32, write)?;
        pipes.push((signal, read));
    }
    std::thread::Builder::new()
        .name("watchdog".into())
        .stack_size(128 * 1024)
        .spawn(move || watch(&mut pipes, &tell))?;
    Ok(())
}

fn watch(pipes: &mut [(Signal, UnixStream)], tell: &impl Fn(Told)) {
    let stdin = io::stdin();
    loop {
        let (gone, ready) = {
            // No events asked for: poll still reports a hang-up, and sleeps through everything else.
            let mut fds = vec![PollFd::new(stdin.as_fd(), PollFlags::empty())];
            fds.extend(
                pipes
                    .iter()
                    .map(|(_, p)| PollFd::new(p.as_fd(), PollFlags::POLLIN)),
            );
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => {}
                Err(Errno::EINTR | Errno::EAGAIN) => continue,
                Err(_) => return,
            }
            let gone = fds[0].any().unwrap_or(true);
            (
                gone,
                fds[1..]
                    .iter()
                    .map(|fd| fd.any().unwrap_or(false))
                    .collect::<Vec<_>>(),
            )
        };
        if gone {
            // Nothing is left to restore and nobody to tell.
            #[allow(clippy::disallowed_methods)]
            std::process::exit(128 + Signal::SIGHUP as i32);
        }
        for (i, ready) in ready.into_iter().enumerate() {
            let (signal, pipe) = &mut pipes[i];
            if ready && drain(pipe) {
                match *signal {
                    Signal::SIGTSTP => tell(Told::Stop),
                    Signal::SIGCONT => tell(Told::Continued),
                    ending => {
                        tell(Told::End);
                        std::thread::sleep(GRACE);
                        // Still here: the main loop hangs.
                        restore_in_time();
                        #[allow(clippy::disallowed_methods)]
                        std::process::exit(128 + ending as i32);
                    }
                }
            }
        }
    }
}

fn drain(pipe: &mut UnixStream) -> bool {
    let mut any = false;
    let mut buf = [0; 64];
    while let Ok(n) = pipe.read(&mut buf) {
        any |= n > 0;
        if n < buf.len() {
            break;
        }
    }
    any
}

/// Restores the terminal from another thread, since writing to one that is stopped never returns.
fn restore_in_time() {
    let (done, wait) = mpsc::channel();
    let _ = std::thread::Builder::new()
        .name("restore".into())
        .spawn(move || {
            super::give_back();
            let _ = done.send(());
        });
    let _ = wait.recv_timeout(RESTORE);
}

/// Stops this process and the others of its job, as Ctrl-Z does. Answers whether there is a shell to return to.
pub(crate) fn stop_job() -> bool {
    let group = nix::unistd::getpgrp();
    // The leader of a session has nobody who could continue it.
    if nix::unistd::getsid(None).is_ok_and(|session| session == group) {
        return false;
    }
    nix::sys::signal::killpg(group, Signal::SIGSTOP).is_ok()
}
