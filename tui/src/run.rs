//! The run loop: one channel of messages, drained before a frame is drawn; a frame only when something changed, at most twenty a
//! second; asleep otherwise, until a message or a moment that the model waits for. Where nobody is at the keyboard, what merely
//! counts on is gathered (`doze`) and drawn about once a second (`pace`).

mod doze;
mod input;
mod pace;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use crossterm::event::{Event, KeyEventKind, MouseButton, MouseEventKind};
use ratatui::layout::Size;
use tokio::sync::mpsc;

use crate::console::{self, ConsoleOptions, Node};
use crate::contexts;
use crate::effect::{Effect, Reach};
use crate::effects::Runner;
use crate::export;
use crate::model::{Model, Screen, problems};
use crate::msg::{ChainNews, Change, MeshNews, Msg, NodeNews, Wheel};
use crate::picture;
use crate::record::{Recorder, Start};
use crate::term::osc::{self, Wrapper};
use crate::term::watchdog::{self, Told};
use crate::term::{self, Term};
use crate::theme::Tone;
use crate::update::update;
use crate::view;
use crate::widgets::Hits;
use doze::{Alarm, Doze};
use pace::{Cause, Pace};

/// Messages are taken for so long before keys are looked at again, however many there are.
const BURST: Duration = Duration::from_millis(15);

/// Draws the first frame before anything else, then runs until the console is left.
pub(crate) fn run(model: Model, options: ConsoleOptions, wrapper: Wrapper) -> anyhow::Result<Node> {
    let (outbox, inbox) = mpsc::unbounded_channel();
    // Before the terminal is touched: a signal that comes while handlers are being set up would be lost, or would
    // end the process with the terminal in raw mode.
    let (told, alarm) = (outbox.clone(), Alarm::default());
    let wakes = alarm.clone();
    watchdog::start(move |what| {
        let _ = told.send(Msg::Told(what));
        wakes.ring();
    })?;
    // What cannot be recorded is said before anything is drawn.
    let mut recorder = match &options.record {
        Some(path) => {
            let start = Start::of(&model, &options.settings.keys.changes);
            Some(
                Recorder::create(path, &start, term::size())
                    .with_context(|| format!("cannot record in {}", path.display()))?,
            )
        }
        None => None,
    };
    let mut term = Term::enter()?;
    let mut hits = Hits::default();
    let frame = term.draw(|frame| hits = view::view(&model, frame))?;
    if let Some(recorder) = &mut recorder {
        recorder.output(&frame);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()?;
    let result = runtime.block_on(
        Loop {
            model,
            term,
            hits,
            wrapper,
            screens: options.settings.home.screens_dir(),
            pace: Pace::new(Instant::now()),
            doze: Doze::new(Instant::now()),
            alarm,
            lines: 0,
            away: false,
            turn_to: None,
            recorder,
        }
        .run(options, outbox, inbox),
    );
    // A request that hangs must not keep the process.
    runtime.shutdown_background();
    result
}

struct Loop {
    model: Model,
    term: Term,
    hits: Hits,
    wrapper: Wrapper,
    /// Where pictures of the screen go.
    screens: PathBuf,
    pace: Pace,
    doze: Doze,
    /// Ends a rest.
    alarm: Alarm,
    /// Log lines that came since the last rest.
    lines: usize,
    /// Whether the terminal is the shell's, from a stop until the signal that ends it has come through.
    away: bool,
    /// The context to turn to once what is being taken has been taken.
    turn_to: Option<String>,
    recorder: Option<Recorder>,
}

/// Keys, clicks and sizes as they come, for who needs no more than that.
///
/// # Errors
/// When the terminal cannot be read.
pub(crate) fn keyboard() -> std::io::Result<mpsc::UnboundedReceiver<Event>> {
    input::start(Alarm::default())
}

/// What woke the loop. One lives at a time: its size costs nothing.
#[allow(clippy::large_enum_variant)]
enum Woken {
    Input(Event),
    /// The terminal cannot be read any more.
    InputEnded,
    Msg(Msg),
    /// A moment that the model waits for.
    Moment,
    /// A frame is due.
    Frame,
}

impl Loop {
    async fn run(
        mut self,
        options: ConsoleOptions,
        outbox: mpsc::UnboundedSender<Msg>,
        mut inbox: mpsc::UnboundedReceiver<Msg>,
    ) -> anyhow::Result<Node> {
        let first = options;
        let mut runner = Runner::new(first.clone(), outbox.clone());
        let mut input = input::start(self.alarm.clone())?;
        // The size may have changed before its signal was listened for.
        self.page();
        self.take(Msg::Start, &mut runner)?;
        while !self.model.over {
            let woken = self.wait(&mut input, &mut inbox).await;
            match woken {
                Woken::Input(event) => self.input(event, &mut runner)?,
                Woken::InputEnded => break,
                Woken::Msg(msg) => {
                    self.take(msg, &mut runner)?;
                    let began = Instant::now();
                    while began.elapsed() < BURST {
                        let Ok(msg) = inbox.try_recv() else { break };
                        self.take(msg, &mut runner)?;
                    }
                }
                Woken::Moment => self.take(Msg::Wake, &mut runner)?,
                Woken::Frame => {}
            }
            if let Some(name) = self.turn_to.take() {
                match first.turned_to(&first, &name).and_then(|there| {
                    let model = console::model(&there)?;
                    Ok((there, model))
                }) {
                    Ok((there, model)) => {
                        // The old tasks end with their runner; what they had said is of elsewhere.
                        let there_keys = there.settings.keys.changes.clone();
                        runner = Runner::new(there, outbox.clone());
                        let kept = std::iter::from_fn(|| inbox.try_recv().ok())
                            .filter(|msg| matches!(msg, Msg::Told(_)))
                            .collect::<Vec<_>>();
                        if let Some(recorder) = &mut self.recorder {
                            recorder.start(Start::of(&model, &there_keys));
                        }
                        self.turned(model);
                        self.take(Msg::Start, &mut runner)?;
                        for msg in kept {
                            self.take(msg, &mut runner)?;
                        }
                    }
                    Err(error) => {
                        self.model.say(Tone::Bad, format!("{error:#}"));
                        self.pace.want(Cause::Input);
                    }
                }
            }
            if self.due_in() == Some(Duration::ZERO) && !self.model.over && !self.away {
                self.draw()?;
            }
            self.rest(&input, &inbox).await;
        }
        let seen = self.model.node.is_some()
            && self
                .model
                .links
                .silent_since(crate::model::Source::Node)
                .is_none();
        Ok(if seen { Node::Running } else { Node::NotSeen })
    }

    /// Takes the model of another context. Where one looks and how stays; what is known does not.
    fn turned(&mut self, mut model: Model) {
        model.look = self.model.look.clone();
        model.screen = self.model.screen;
        model.page = self.model.page;
        let name = model.here.context.as_deref().unwrap_or(contexts::HERE);
        let text = format!("turned to {name}");
        model.say(Tone::Plain, text);
        self.model = model;
        self.pace.want(Cause::Input);
    }

    /// Sleeps until something happens.
    async fn wait(
        &self,
        input: &mut mpsc::UnboundedReceiver<Event>,
        inbox: &mut mpsc::UnboundedReceiver<Msg>,
    ) -> Woken {
        let frame_in = self.due_in().filter(|_| !self.away);
        let moment_in = self
            .model
            .next_deadline()
            .map(|at| at.since(tana_client::now()));
        let sleep = |time: Option<Duration>| async move {
            match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // Keys first: they are answered whatever floods in.
            biased;
            event = input.recv() => event.map_or(Woken::InputEnded, Woken::Input),
            () = sleep(frame_in) => Woken::Frame,
            msg = inbox.recv() => msg.map_or(Woken::InputEnded, Woken::Msg),
            () = sleep(moment_in) => Woken::Moment,
        }
    }

    /// Lets news gather for a while, where nobody is at the keyboard and nothing is under way here.
    async fn rest(
        &mut self,
        input: &mpsc::UnboundedReceiver<Event>,
        inbox: &mpsc::UnboundedReceiver<Msg>,
    ) {
        let busy = self.model.over || self.away || !self.model.waiting.is_empty();
        if busy || self.doze.attended(Instant::now()) {
            return;
        }
        // What was asked for goes out, and what came in is taken, before anybody rests.
        tokio::task::yield_now().await;
        let now = tana_client::now();
        let due = self.model.next_deadline().is_some_and(|at| at <= now);
        if due || !inbox.is_empty() || !input.is_empty() {
            return;
        }
        let lines = std::mem::take(&mut self.lines);
        if let Some(time) = self.doze.rest(Instant::now(), lines) {
            let missed = self.pace.missed_in(Instant::now(), false);
            self.alarm.rest(missed.unwrap_or(time).min(time));
        }
    }

    /// How long until a frame may be drawn; `None` when none is wanted.
    fn due_in(&self) -> Option<Duration> {
        let now = Instant::now();
        self.pace.due_in(now, self.doze.attended(now))
    }

    fn input(&mut self, event: Event, runner: &mut Runner) -> anyhow::Result<()> {
        self.doze.stirred(Instant::now());
        let msg = match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => Msg::Key(key),
            Event::Paste(text) => Msg::Paste(text),
            Event::Mouse(mouse) => match mouse.kind {
                MouseEventKind::Down(MouseButton::Left) => {
                    match self.hits.at(mouse.column, mouse.row) {
                        Some(target) => Msg::Click(target),
                        None => return Ok(()),
                    }
                }
                MouseEventKind::ScrollUp => Msg::Wheel(Wheel::Up),
                MouseEventKind::ScrollDown => Msg::Wheel(Wheel::Down),
                _ => return Ok(()),
            },
            Event::Resize(..) => {
                if let Some(recorder) = &mut self.recorder {
                    recorder.resize(term::size());
                }
                self.page();
                self.pace.want(Cause::Input);
                return Ok(());
            }
            _ => return Ok(()),
        };
        self.take(msg, runner)
    }

    /// Tells the model how many rows a page has.
    fn page(&mut self) {
        self.model.page = page(&self.model, term::size());
    }

    fn take(&mut self, msg: Msg, runner: &mut Runner) -> anyhow::Result<()> {
        self.model.clock.now = tana_client::now();
        // However many messages came before it: until then nothing is drawn.
        if matches!(msg, Msg::Told(Told::Continued)) {
            return self.continued();
        }
        runner.overhear(&msg);
        if let Some(recorder) = &mut self.recorder {
            recorder.msg(&self.model, &msg);
            if let Some(error) = recorder.failed() {
                let text = format!("the recording ended: {error}");
                self.model.say(Tone::Warn, text);
                self.recorder = None;
            }
        }
        if let Msg::Logs(lines) = &msg {
            self.lines += lines.len();
        }
        if let Some(cause) = cause(&self.model, &msg) {
            self.pace.want(cause);
        }
        let effects = update(&mut self.model, msg);
        if std::mem::take(&mut self.model.turned) {
            self.pace.want(Cause::News);
        }
        for effect in effects {
            match effect.reach() {
                Reach::Local => self.local(effect)?,
                Reach::Reads | Reach::Changes => runner.run(effect),
            }
        }
        Ok(())
    }

    /// Effects that reach no farther than this terminal.
    fn local(&mut self, effect: Effect) -> anyhow::Result<()> {
        match effect {
            Effect::Copy(text) => {
                term::write_all(osc::copy(&text, self.wrapper).as_bytes())?;
                let what = match text.lines().count() {
                    0 | 1 => crate::show::fit(&crate::show::short(&text), 60),
                    lines => format!("{lines} lines"),
                };
                self.model.say(Tone::Plain, format!("copied {what}"));
            }
            Effect::SaveScreen => self.save(),
            Effect::Export => {
                let (tone, text) = exported(&self.model, &self.screens);
                self.model.say(tone, text);
            }
            Effect::TurnTo(name) => self.turn_to = Some(name),
            Effect::Notify(text) => term::write_all(osc::notify(&text, self.wrapper).as_bytes())?,
            Effect::Repaint => {
                self.term.repaint()?;
                self.pace.want(Cause::Input);
            }
            Effect::Suspend => {
                self.term.leave();
                self.away = true;
                if !watchdog::stop_job() {
                    self.model
                        .say(Tone::Plain, "no shell to return to from here");
                    self.continued()?;
                }
            }
            // The model says when it is over; the others are the runner's.
            _ => {}
        }
        Ok(())
    }

    fn save(&mut self) {
        let model = &self.model;
        let name = format!(
            "{}-{}",
            model.screen.title().to_lowercase(),
            model.clock.stamp(model.clock.now)
        );
        let saved = picture::frame(model, term::size()).and_then(|frame| {
            let light = model.look.theme.light;
            Ok(picture::save(&self.screens, &name, &frame, light)?)
        });
        match saved {
            Ok(path) => self.model.say(
                Tone::Plain,
                format!("saved {} and the same as .txt", path.display()),
            ),
            Err(error) => self.model.say(
                Tone::Warn,
                format!("not saved in {}: {error}", self.screens.display()),
            ),
        }
    }

    /// Back from a stop, whoever caused it.
    fn continued(&mut self) -> anyhow::Result<()> {
        self.away = false;
        self.term.re_enter()?;
        // What has waited meanwhile is not fresh.
        self.model.clocks.forget();
        self.draw()
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let (model, hits) = (&self.model, &mut self.hits);
        let frame = self.term.draw(|frame| *hits = view::view(model, frame))?;
        if let Some(recorder) = &mut self.recorder {
            recorder.output(&frame);
        }
        self.pace.drew(Instant::now(), frame.len());
        Ok(())
    }
}

/// What kind of frame a message asks for; none where nothing of it is on the screen.
fn cause(model: &Model, msg: &Msg) -> Option<Cause> {
    Some(match msg {
        Msg::Key(_) | Msg::Paste(_) | Msg::Click(_) | Msg::Wheel(_) => Cause::Input,
        // Lines are on two screens alone: as they come, and the last ones of a service.
        Msg::Logs(_) | Msg::LogsAgain
            if !matches!(model.screen, Screen::Logs | Screen::Services) =>
        {
            return None;
        }
        Msg::Logs(_)
        | Msg::LogsAgain
        | Msg::Node(NodeNews::Service(_))
        | Msg::Mesh(MeshNews::Links(_) | MeshNews::One(_, Change::Heartbeat))
        | Msg::Chain(ChainNews::Block(_) | ChainNews::QueueLength(_) | ChainNews::Whole { .. }) => {
            Cause::Tally
        }
        _ => Cause::News,
    })
}

/// How many rows a page of a screen has on a terminal of this size.
pub(crate) fn page(model: &Model, size: Size) -> usize {
    let area = ratatui::layout::Rect::new(0, 0, size.width, size.height);
    let wrong = !problems::problems(model).is_empty();
    let rows = view::layout(area, model.screen, wrong).body.height;
    usize::from(rows.saturating_sub(2)).max(1)
}

/// Keeps the list in view in files; what to say of it.
pub(crate) fn exported(model: &Model, dir: &Path) -> (Tone, String) {
    let Some(table) = export::table(model) else {
        return (Tone::Plain, "there is no list here".to_owned());
    };
    let stamp = model.clock.stamp(model.clock.now);
    let name = format!("{}-{stamp}", model.screen.name());
    match export::save(dir, &name, table) {
        Ok((path, count)) => (
            Tone::Plain,
            format!("{count} rows in {} and the same as .json", path.display()),
        ),
        Err(error) => (
            Tone::Warn,
            format!("not kept in {}: {error}", dir.display()),
        ),
    }
}
