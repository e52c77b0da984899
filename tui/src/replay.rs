//! `--replay FILE`: puts what was recorded into the model again. On a terminal it is shown as it went, at its own pace but
//! without long waits; to a pipe the last screen is printed. Nothing is connected to, and no effect is carried out.

use std::io::{BufRead as _, BufReader, IsTerminal as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use crossterm::event::{Event as Input, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::features::first;
use crate::keys::Keymap;
use crate::model::{Mode, Model, Screen};
use crate::msg::Msg;
use crate::picture;
use crate::record::{Happened, Start, VERSION, moment};
use crate::run::page;
use crate::show::Clock;
use crate::term::Term;
use crate::term::watchdog::{self, Told};
use crate::theme::{Caps, Charset, Depth, Look, Themes, Tone};
use crate::update::update;
use crate::view;

/// Between two events one waits at most so long, however long it really was.
const WAIT: Duration = Duration::from_secs(2);
/// A file with more events than this is none of ours.
const MOST: usize = 5_000_000;

/// A recording, read.
#[derive(Debug)]
pub(crate) struct Recording {
    start: Start,
    size: Size,
    events: Vec<(Duration, Event)>,
}

#[derive(Debug)]
enum Event {
    Happened(Happened),
    Resize(Size),
}

#[derive(Deserialize)]
struct Heading {
    width: u16,
    height: u16,
    tana: Start,
}

impl Recording {
    /// Reads a recording. One that ends in the middle of a line is taken up to there.
    ///
    /// # Errors
    /// When it cannot be read, or is no recording of this console's.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let file = std::fs::File::open(path).with_context(|| format!("cannot read {name}"))?;
        let mut lines = BufReader::new(file).lines();
        let heading = lines.next().with_context(|| format!("{name} is empty"))??;
        let heading: Heading = serde_json::from_str(&heading)
            .with_context(|| format!("{name} is no recording of tana --record"))?;
        if heading.tana.version != VERSION {
            bail!(
                "{name} was recorded by another version of tana (format {}, this one reads {VERSION})",
                heading.tana.version
            );
        }
        let mut events = Vec::new();
        for (i, line) in lines.enumerate() {
            let line = line?;
            // The last line of a recording that was cut off.
            let Ok((at, kind, data)) = serde_json::from_str::<(f64, String, String)>(&line) else {
                break;
            };
            let event = match kind.as_str() {
                "t" => Event::Happened(
                    serde_json::from_str(&data).with_context(|| format!("{name}:{}", i + 2))?,
                ),
                "r" => {
                    let (width, height) = data.split_once('x').unwrap_or_default();
                    Event::Resize(Size {
                        width: width.parse().with_context(|| format!("{name}:{}", i + 2))?,
                        height: height
                            .parse()
                            .with_context(|| format!("{name}:{}", i + 2))?,
                    })
                }
                _ => continue,
            };
            if events.len() >= MOST {
                bail!("{name} has more than {MOST} events");
            }
            let at = Duration::try_from_secs_f64(at).unwrap_or_default();
            events.push((at, event));
        }
        Ok(Self {
            start: heading.tana,
            size: Size {
                width: heading.width.clamp(1, 1000),
                height: heading.height.clamp(1, 1000),
            },
            events,
        })
    }
}

/// The model as it began.
fn model(start: &Start) -> anyhow::Result<Model> {
    let themes = Themes::builtin();
    let theme = themes
        .get(&start.theme)
        .unwrap_or_else(|| themes.default_for(false));
    let caps = Caps {
        depth: if start.colour {
            Depth::True
        } else {
            Depth::None
        },
        charset: if start.ascii {
            Charset::Ascii
        } else {
            Charset::Unicode
        },
        ..Caps::default()
    };
    let clock = Clock {
        now: moment(start.now, Duration::ZERO),
        zone: start.timezone(),
    };
    let mode = if start.read_only {
        Mode::ReadOnly
    } else {
        Mode::ReadWrite
    };
    let mut model = Model::new(
        Look::new(theme, caps),
        themes,
        Keymap::new(&start.keys)?,
        clock,
        start.here.clone(),
        mode,
    );
    model.screen = Screen::by_name(&start.screen).unwrap_or(Screen::Services);
    model.mesh.late_after = Duration::from_millis(start.late_after_ms);
    model.first = start.first.then(first::Model::default);
    Ok(model)
}

/// A recording that is being put into a model.
pub(crate) struct Player {
    recording: Recording,
    pub(crate) model: Model,
    pub(crate) size: Size,
    next: usize,
}

impl Player {
    pub(crate) fn new(recording: Recording) -> anyhow::Result<Self> {
        let mut model = model(&recording.start)?;
        model.page = page(&model, recording.size);
        Ok(Self {
            size: recording.size,
            model,
            recording,
            next: 0,
        })
    }

    /// How long after the one before the next event comes; nothing at the end.
    fn pause(&self) -> Option<Duration> {
        let (at, _) = self.recording.events.get(self.next)?;
        let before = self.next.checked_sub(1);
        let before = before.and_then(|i| self.recording.events.get(i));
        let before = before.map_or(Duration::ZERO, |(at, _)| *at);
        Some(at.saturating_sub(before).min(WAIT))
    }

    /// Takes the next event. Answers whether there was one.
    ///
    /// # Errors
    /// When a context began with keys that conflict.
    pub(crate) fn step(&mut self) -> anyhow::Result<bool> {
        let Some((at, event)) = self.recording.events.get(self.next) else {
            return Ok(false);
        };
        self.next += 1;
        self.model.clock.now = moment(self.recording.start.now, *at);
        match event {
            Event::Happened(Happened::Msg(msg)) => {
                let msg = Msg::clone(msg);
                drop(update(&mut self.model, msg));
                // A console that was left is shown as it was left.
                self.model.over = false;
            }
            Event::Happened(Happened::Start(start)) => self.model = model(start)?,
            Event::Resize(size) => self.size = *size,
        }
        self.model.page = page(&self.model, self.size);
        Ok(true)
    }
}

/// Replays a file: on a terminal as it went, else the last screen as text.
///
/// # Errors
/// When the file is no recording, or the terminal fails.
pub(crate) fn open(path: &Path) -> anyhow::Result<()> {
    let mut player = Player::new(Recording::read(path)?)?;
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return show(player);
    }
    while player.step()? {}
    let frame = picture::frame(&player.model, player.size)?;
    print!("{}", picture::text(&frame));
    Ok(())
}

fn show(player: Player) -> anyhow::Result<()> {
    let (told, inbox) = mpsc::unbounded_channel();
    watchdog::start(move |what| {
        let _ = told.send(what);
    })?;
    let term = Term::enter()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(playing(player, term, inbox))
}

async fn playing(
    mut player: Player,
    mut term: Term,
    mut inbox: mpsc::UnboundedReceiver<Told>,
) -> anyhow::Result<()> {
    let mut input = crate::run::keyboard()?;
    let mut runs = true;
    loop {
        term.draw(|frame| {
            view::view(&player.model, frame);
        })?;
        let pause = player.pause().filter(|_| runs);
        let due = async {
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = input.recv() => {
                let Some(event) = event else { return Ok(()) };
                let Input::Key(key) = event else { continue };
                if key.kind == KeyEventKind::Release {
                    continue;
                }
                let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                    KeyCode::Char('c') if ctrl => return Ok(()),
                    KeyCode::Char(' ') => runs = !runs,
                    KeyCode::Right => {
                        runs = false;
                        player.step()?;
                    }
                    _ => continue,
                }
                let left = player.recording.events.len() - player.next;
                let text = if runs {
                    "replay: Space halts it, → goes on by one, q leaves".to_owned()
                } else {
                    format!("replay halted, {left} events left: Space goes on, → by one, q leaves")
                };
                player.model.say(Tone::Plain, text);
            }
            told = inbox.recv() => match told {
                Some(Told::Stop) => {
                    term.leave();
                    watchdog::stop_job();
                    term.re_enter()?;
                }
                Some(Told::Continued) => term.re_enter()?,
                Some(Told::End) | None => return Ok(()),
            },
            () = due => {
                player.step()?;
                if player.pause().is_none() {
                    player.model.say(Tone::Plain, "the end of the recording; q leaves");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::fixture::{self, busy};
    use crate::record::Recorder;
    use crossterm::event::{KeyEvent, KeyModifiers};

    const SIZE: Size = Size {
        width: 100,
        height: 30,
    };

    /// Plays messages to a console that records them; answers its model and the file.
    fn recorded(dir: &Path, msgs: Vec<Msg>) -> (Model, std::path::PathBuf) {
        let path = dir.join("session.cast");
        let mut model = fixture::empty(Caps::default());
        let start = Start::of(&model, &[]);
        let mut recorder = Recorder::create(&path, &start, SIZE).unwrap();
        model.page = page(&model, SIZE);
        for msg in msgs {
            recorder.msg(&model, &msg);
            drop(update(&mut model, msg));
        }
        recorder.output(b"what the terminal saw");
        assert!(recorder.failed().is_none());
        drop(recorder);
        (model, path)
    }

    fn key(c: char) -> Msg {
        Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE))
    }

    fn text(model: &Model) -> String {
        picture::text(&picture::frame(model, SIZE).unwrap())
    }

    #[test]
    fn what_was_recorded_gives_the_same_screens_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut msgs = fixture::history();
        msgs.extend([key('2'), key('j'), key('3'), key('a')]);
        let (model, path) = recorded(dir.path(), msgs);
        let mut player = Player::new(Recording::read(&path).unwrap()).unwrap();
        while player.step().unwrap() {}
        // The clock stood still while it was recorded.
        player.model.clock = model.clock.clone();
        assert_eq!(text(&player.model), text(&model));
        assert!(text(&model).contains("approve validator-3"));
    }

    #[test]
    fn it_is_an_asciicast_that_players_can_show() {
        let dir = tempfile::tempdir().unwrap();
        let (_, path) = recorded(dir.path(), vec![key('2')]);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines = text.lines();
        let heading: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
        assert_eq!(heading["version"], 2);
        assert_eq!(
            (&heading["width"], &heading["height"]),
            (&100.into(), &30.into())
        );
        let mut before = 0.0;
        for line in lines {
            let (at, kind, _): (f64, String, String) = serde_json::from_str(line).unwrap();
            assert!(
                at >= before && ["o", "t", "r"].contains(&kind.as_str()),
                "{line}"
            );
            before = at;
        }
        assert!(text.contains("what the terminal saw"));
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn no_secret_is_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut msgs = fixture::history();
        msgs.push(key('7'));
        msgs.push(Msg::Login(fixture::session()));
        msgs.push(fixture::session_event("approved", "approved"));
        msgs.push(key('3'));
        let mut model = busy(Caps::default());
        model.here.sealed = true;
        msgs.extend([key('a'), key('y')]);
        // The model that records is not sealed: the passphrase is asked for by hand.
        let (mut model_now, path) = recorded(dir.path(), msgs);
        model_now.overlay = Some(crate::model::Overlay::Passphrase {
            input: Default::default(),
            effect: crate::effect::Effect::LoadLinks,
        });
        let second = dir.path().join("second.cast");
        let start = Start::of(&model_now, &[]);
        let mut recorder = Recorder::create(&second, &start, SIZE).unwrap();
        for c in "sesame".chars() {
            recorder.msg(&model_now, &key(c));
        }
        recorder.msg(&model_now, &Msg::Paste("open sesame".into()));
        drop(recorder);
        let all =
            std::fs::read_to_string(&path).unwrap() + &std::fs::read_to_string(second).unwrap();
        assert!(!all.contains("tok_0123456789"), "the token");
        assert!(
            !all.contains(&format!("sess_{}", "b".repeat(16))),
            "the browser's id"
        );
        assert!(
            !all.contains("sesame") && !all.contains("Char\\\":\\\"m"),
            "what was typed unseen"
        );
        let mut player = Player::new(Recording::read(&path).unwrap()).unwrap();
        while player.step().unwrap() {}
        assert!(
            player.model.login.session().unwrap().token.is_some(),
            "but that there was one"
        );
    }

    #[test]
    fn what_is_no_recording_is_said_and_one_cut_off_is_taken_so_far() {
        let dir = tempfile::tempdir().unwrap();
        let (_, path) = recorded(dir.path(), vec![key('2'), key('3')]);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 9]).unwrap();
        let mut player = Player::new(Recording::read(&path).unwrap()).unwrap();
        while player.step().unwrap() {}
        assert_eq!(player.model.screen, Screen::Approvals);
        std::fs::write(&path, "not json\n").unwrap();
        let error = Recording::read(&path).unwrap_err().to_string();
        assert!(error.contains("no recording of tana --record"), "{error}");
    }
}
