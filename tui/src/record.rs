//! `--record FILE`: what the console showed and what happened to it, in one file that `asciinema play` shows and
//! `--replay` puts into the model again. Secrets are not in it: what is typed unseen, a session's token and its own id.
//!
//! asciicast v2: a heading, then a line an event: `o` what was written to the terminal, `r` a new size. What happened to the
//! model is of the kind `t`, which players pass over.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crossterm::event::{KeyCode, KeyEvent};
use jiff::tz::TimeZone;
use ratatui::layout::Size;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tana_protocol::Timestamp;
use tana_protocol::login::SessionId;

use crate::features::first::model::Step;
use crate::model::{Here, Mode, Model, Overlay};
use crate::msg::{LoginNews, Msg};

/// The version of what is of the kind `t`.
pub(crate) const VERSION: u32 = 1;
/// Written out at least so often, so that a recording that ends badly has nearly all.
const FLUSH: Duration = Duration::from_secs(1);

/// What a model begins from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Start {
    pub(crate) version: u32,
    /// Milliseconds since the epoch.
    pub(crate) now: u64,
    /// The zone's name, or its offset from UTC in seconds.
    pub(crate) zone: Value,
    pub(crate) here: Here,
    pub(crate) read_only: bool,
    pub(crate) screen: String,
    pub(crate) theme: String,
    pub(crate) colour: bool,
    pub(crate) ascii: bool,
    pub(crate) late_after_ms: u64,
    /// Whether a first chain is offered.
    pub(crate) first: bool,
    /// Keys that the configuration changes.
    pub(crate) keys: Vec<(String, Vec<String>)>,
}

impl Start {
    pub(crate) fn of(model: &Model, keys: &[(String, Vec<String>)]) -> Self {
        let zone = match model.clock.zone.iana_name() {
            Some(name) => json!(name),
            None => {
                let ms = i64::try_from(model.clock.now.ms()).unwrap_or(0);
                let at = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
                json!(model.clock.zone.to_offset(at).seconds())
            }
        };
        Self {
            version: VERSION,
            now: model.clock.now.ms(),
            zone,
            here: model.here.clone(),
            read_only: model.mode == Mode::ReadOnly,
            screen: model.screen.name().to_owned(),
            theme: model.look.theme.name.clone(),
            colour: model.look.caps.depth != crate::theme::Depth::None,
            ascii: model.look.ascii(),
            late_after_ms: u64::try_from(model.mesh.late_after.as_millis()).unwrap_or(u64::MAX),
            first: model.first.is_some(),
            keys: keys.to_vec(),
        }
    }

    pub(crate) fn timezone(&self) -> TimeZone {
        let named = self.zone.as_str().and_then(|name| TimeZone::get(name).ok());
        let offset = || {
            let seconds = i32::try_from(self.zone.as_i64()?).ok()?;
            let offset = jiff::tz::Offset::from_seconds(seconds).ok()?;
            Some(TimeZone::fixed(offset))
        };
        named.or_else(offset).unwrap_or(TimeZone::UTC)
    }
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Happened {
    /// The model began anew, in another context.
    Start(Box<Start>),
    Msg(Box<Msg>),
}

/// Writes a recording. Where that fails it ends, and says so once.
pub(crate) struct Recorder {
    out: BufWriter<File>,
    began: Instant,
    flushed: Instant,
    failed: Option<io::Error>,
}

impl Recorder {
    /// Begins a recording in a new file of this user's alone.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub(crate) fn create(path: &Path, start: &Start, size: Size) -> io::Result<Self> {
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        let mut recorder = Self {
            out: BufWriter::new(file),
            began: Instant::now(),
            flushed: Instant::now(),
            failed: None,
        };
        let heading = json!({
            "version": 2, "width": size.width, "height": size.height, "timestamp": start.now / 1000,
            "title": "tana", "env": {"TERM": "xterm-256color"}, "tana": start,
        });
        writeln!(recorder.out, "{heading}")?;
        recorder.output(b"\x1b[?25l\x1b[2J");
        recorder.out.flush()?;
        Ok(recorder)
    }

    /// What was written to the terminal.
    pub(crate) fn output(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.event("o", &String::from_utf8_lossy(bytes));
        }
    }

    pub(crate) fn resize(&mut self, size: Size) {
        self.event("r", &format!("{}x{}", size.width, size.height));
    }

    pub(crate) fn start(&mut self, start: Start) {
        self.happened(&Happened::Start(Box::new(start)));
    }

    /// What the model is about to take.
    pub(crate) fn msg(&mut self, model: &Model, msg: &Msg) {
        self.happened(&Happened::Msg(Box::new(without_secrets(model, msg))));
    }

    fn happened(&mut self, happened: &Happened) {
        match serde_json::to_string(happened) {
            Ok(text) => self.event("t", &text),
            Err(error) => self.failed = self.failed.take().or(Some(error.into())),
        }
    }

    fn event(&mut self, kind: &str, data: &str) {
        if self.failed.is_some() {
            return;
        }
        let at = self.began.elapsed().as_secs_f64();
        let line = json!([(at * 1e6).round() / 1e6, kind, data]);
        let written = writeln!(self.out, "{line}").and_then(|()| {
            if self.flushed.elapsed() < FLUSH {
                return Ok(());
            }
            self.flushed = Instant::now();
            self.out.flush()
        });
        self.failed = written.err();
    }

    /// Why nothing is recorded any more.
    pub(crate) fn failed(&self) -> Option<&io::Error> {
        self.failed.as_ref()
    }
}

/// The browser's id as it is recorded: who has the real one gets the token.
fn recorded_session() -> Option<SessionId> {
    format!("sess_{}", "r".repeat(16)).parse().ok()
}

/// Whether what is typed is a secret.
fn hides(model: &Model) -> bool {
    let asked = matches!(model.overlay, Some(Overlay::Passphrase { .. }));
    let first = model.first.as_ref().map(|first| &first.step);
    asked || matches!(first, Some(Step::Keys | Step::Again))
}

fn without_secrets(model: &Model, msg: &Msg) -> Msg {
    match msg {
        Msg::Key(key) if hides(model) && matches!(key.code, KeyCode::Char(_)) => {
            Msg::Key(KeyEvent::new(KeyCode::Char('x'), key.modifiers))
        }
        Msg::Paste(text) if hides(model) => Msg::Paste("x".repeat(text.chars().count())),
        Msg::Login(LoginNews::Created(Ok(created))) => {
            let mut created = created.clone();
            if let Some(id) = recorded_session() {
                created.session_id = id;
            }
            Msg::Login(LoginNews::Created(Ok(created)))
        }
        Msg::Login(LoginNews::Event(event)) => {
            let mut event = event.clone();
            if let Some(id) = recorded_session() {
                event.session_id = id;
            }
            event.session_token = event.session_token.map(|_| "not recorded".to_owned());
            Msg::Login(LoginNews::Event(event))
        }
        other => other.clone(),
    }
}

/// The moment of an event that came so long after the beginning.
pub(crate) fn moment(start: u64, after: Duration) -> Timestamp {
    let after = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
    Timestamp::from_ms(start.saturating_add(after))
}
