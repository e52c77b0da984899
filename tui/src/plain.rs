//! `tana --plain`: the console as lines, for screen readers, pipes and terminals that can do nothing else. It tells what
//! changes as it changes and takes the palette's commands, a line each. Model, update and effects are the console's own;
//! only the drawing is not.

mod command;
mod news;

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::termios::{self, LocalFlags, SetArg};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::console::{self, ConsoleOptions};
use crate::effect::{Effect, Reach};
use crate::effects::Runner;
use crate::model::{Model, Overlay};
use crate::msg::Msg;
use crate::update::update;
use command::Said;
use news::Seen;

/// After this long without news what has come is told in one go.
const SETTLE: Duration = Duration::from_millis(150);
/// Commands that were typed before the node answered wait for it this long.
const CONNECT: Duration = Duration::from_secs(2);

/// A line from the other side, or its end.
enum Input {
    Line(String),
    Ended,
}

/// Runs until `quit`, the end of a terminal's input, or nobody reads the output any more.
///
/// # Errors
/// When the machine cannot run it at all.
pub(crate) fn run(model: Model, options: ConsoleOptions) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()?;
    let result = runtime.block_on(async {
        let (outbox, inbox) = mpsc::unbounded_channel();
        Plain {
            model,
            screens: options.settings.home.screens_dir(),
            runner: Runner::new(options.clone(), outbox.clone()),
            first: options,
            outbox,
            seen: Seen::default(),
            show: None,
            turn_to: None,
            out: io::stdout(),
        }
        .run(inbox, lines())
        .await
    });
    runtime.shutdown_background();
    echo(Echo::Shown);
    match result {
        // Who has read enough has closed the pipe.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Reads lines on a thread of its own: nothing else can wait for a terminal's line without taking the terminal over.
fn lines() -> mpsc::UnboundedReceiver<Input> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let stdin = io::stdin();
        for line in stdin.lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(Input::Line(line)).is_err() {
                return;
            }
        }
        // The end of a file or of /dev/null ends nothing: what changes is still told.
        if stdin.is_terminal() {
            let _ = sender.send(Input::Ended);
        } else {
            // Keeps the channel open for as long as the program lives.
            std::thread::park();
        }
    });
    receiver
}

struct Plain {
    model: Model,
    runner: Runner,
    /// What it was opened with: what `ctx` resolves names by.
    first: ConsoleOptions,
    outbox: mpsc::UnboundedSender<Msg>,
    /// Where lists go that are kept.
    screens: PathBuf,
    /// The context to turn to once the line has been taken.
    turn_to: Option<String>,
    seen: Seen,
    /// When the screen that was asked for is told: once what it loads has come.
    show: Option<Instant>,
    out: io::Stdout,
}

impl Plain {
    async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<Msg>,
        mut input: mpsc::UnboundedReceiver<Input>,
    ) -> io::Result<()> {
        // A terminal that hides what is typed must not be left so.
        let mut interrupted = signal(SignalKind::interrupt())?;
        let mut ended = signal(SignalKind::terminate())?;
        let begun = Instant::now();
        self.take(Msg::Start)?;
        let mut tell = Some(begun + CONNECT);
        let mut connected = false;
        while !self.model.over {
            let moment = self.model.next_deadline();
            let moment = moment.map(|at| Instant::now() + at.since(tana_client::now()));
            tokio::select! {
                biased;
                () = at(tell) => {
                    tell = None;
                    connected = true;
                    self.tell()?;
                }
                () = at(self.show), if connected => {
                    self.show = None;
                    self.say(command::screen(&self.model))?;
                }
                msg = inbox.recv() => {
                    let Some(msg) = msg else { break };
                    self.take(msg)?;
                    // Settled at the latest when it would have been anyhow: news that never end are told too.
                    let settled = Instant::now() + SETTLE;
                    let known = self.model.node.is_some() || connected;
                    tell = match tell {
                        Some(at) if connected || !known => Some(at),
                        _ => Some(settled),
                    };
                }
                line = input.recv(), if connected && self.show.is_none() => match line {
                    Some(Input::Line(line)) => self.line(&line)?,
                    Some(Input::Ended) | None => break,
                },
                _ = interrupted.recv() => break,
                _ = ended.recv() => break,
                () = at(moment) => self.take(Msg::Wake)?,
            }
            if let Some(name) = self.turn_to.take()
                && self.turn(&name)?
            {
                // What had been said is of elsewhere.
                while inbox.try_recv().is_ok() {}
                self.take(Msg::Start)?;
                tell = Some(Instant::now() + CONNECT);
                connected = false;
            }
        }
        Ok(())
    }

    /// Turns to another context, or says why not. Answers whether it did.
    fn turn(&mut self, name: &str) -> io::Result<bool> {
        let turned = self.first.turned_to(&self.first, name).and_then(|there| {
            let model = console::model(&there)?;
            Ok((there, model))
        });
        match turned {
            Ok((there, model)) => {
                self.runner = Runner::new(there, self.outbox.clone());
                self.model = model;
                self.seen = Seen::default();
                self.show = None;
                self.say([format!("turned to {name}")])?;
                Ok(true)
            }
            Err(error) => {
                self.say([format!("{error:#}")])?;
                Ok(false)
            }
        }
    }

    fn take(&mut self, msg: Msg) -> io::Result<()> {
        self.model.clock.now = tana_client::now();
        self.runner.overhear(&msg);
        let effects = update(&mut self.model, msg);
        self.carry_out(effects)
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        self.model.clock.now = tana_client::now();
        let Said {
            lines,
            effects,
            show,
        } = command::take(&mut self.model, line);
        self.say(lines)?;
        if show {
            self.show = Some(Instant::now() + SETTLE);
        }
        self.carry_out(effects)?;
        let secret = matches!(self.model.overlay, Some(Overlay::Passphrase { .. }));
        echo(if secret { Echo::Hidden } else { Echo::Shown });
        self.tell()
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> io::Result<()> {
        for effect in effects {
            match effect.reach() {
                Reach::Reads | Reach::Changes => self.runner.run(effect),
                Reach::Local => match effect {
                    Effect::Copy(text) => self.say([text])?,
                    // What it rings for is told as well.
                    Effect::Notify(_) if self.out.is_terminal() => self.out.write_all(b"\x07")?,
                    Effect::SaveScreen => {
                        self.say([
                            "There is no picture to keep here; redirect the output.".to_owned()
                        ])?;
                    }
                    Effect::Export => {
                        let (_, text) = crate::run::exported(&self.model, &self.screens);
                        self.say([text])?;
                    }
                    Effect::TurnTo(name) => self.turn_to = Some(name),
                    // Nothing is drawn, and the shell suspends by itself.
                    _ => {}
                },
            }
        }
        Ok(())
    }

    /// Tells what is new.
    fn tell(&mut self) -> io::Result<()> {
        let now = Seen::of(&self.model);
        let lines = news::between(&self.seen, &now, &self.model);
        self.seen = now;
        self.say(lines)
    }

    fn say(&mut self, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
        for line in lines {
            writeln!(self.out, "{line}")?;
        }
        self.out.flush()
    }
}

/// Whether a terminal shows what is typed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echo {
    Shown,
    Hidden,
}

/// Sets it; where the input is no terminal there is nothing to hide.
fn echo(echo: Echo) {
    let stdin = io::stdin();
    let Ok(mut mode) = termios::tcgetattr(&stdin) else {
        return;
    };
    let wanted = echo == Echo::Shown;
    if mode.local_flags.contains(LocalFlags::ECHO) != wanted {
        mode.local_flags.set(LocalFlags::ECHO, wanted);
        // A terminal that refuses is gone, and the loop ends by itself.
        let _ = termios::tcsetattr(&stdin, SetArg::TCSANOW, &mode);
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
