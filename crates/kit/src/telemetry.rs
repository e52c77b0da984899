//! Logging: one line a record on standard output, `<time> <LEVEL> <text> key=value …`. The supervisor and the console
//! read these lines back with [`parse`].
//!
//! Under the supervisor standard output is the service's log file itself; the service then rotates it, so that its
//! log needs no supervisor to be alive.

use std::fmt::{self, Write as _};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tana_protocol::Timestamp;
use tana_protocol::api::node::LogLevel;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::clock::{Clock, SystemClock};

/// A log file is rotated when it is larger than this.
pub const ROTATE_BYTES: u64 = 10 << 20;
/// So many rotated files are kept, `<name>.log.1` the newest.
pub const KEEP: u32 = 5;
/// A record is cut after this many bytes.
const LINE_BYTES: usize = 16 << 10;

/// Where the lines go.
#[derive(Clone, Debug)]
pub enum Output {
    /// Standard output, wherever it leads.
    Standard,
    /// Standard error: of a command whose standard output is its result.
    Error,
    /// A file that standard output already leads to, rotated by this process.
    File(PathBuf),
}

/// Sets logging up, once a process; panics become one line each. `level` is `error` … `trace`, or a list such as
/// `info,tana_store=debug`.
///
/// # Errors
/// When the level does not parse or the file cannot be opened.
pub fn start(level: &str, output: &Output) -> anyhow::Result<()> {
    let filter: Targets = quiet(level).parse().map_err(|_| {
        anyhow::anyhow!(
            "the log level {level:?} is not right; it must be error, warn, info, debug or trace"
        )
    })?;
    let sink = match output {
        Output::Standard => Sink::Output,
        Output::Error => Sink::Error,
        Output::File(path) => Sink::File(RotatingFile::open(path, ROTATE_BYTES)?),
    };
    let layer = tracing_subscriber::fmt::layer()
        .event_format(OneLine)
        .with_writer(LogWriter(Mutex::new(sink)));
    // A second service in one process, as in tests, shares the first one's log.
    let _already = tracing_subscriber::registry()
        .with(filter)
        .with(layer)
        .try_init();
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map(|at| format!(" at {}:{}", at.file(), at.line()))
            .unwrap_or_default();
        // What follows the first line is a backtrace of an error that was unwrapped.
        let text = panic.payload_as_str().unwrap_or("no text");
        let text = text.lines().next().unwrap_or_default();
        tracing::error!("panic{place}: {text}");
    }));
    Ok(())
}

/// A plain level speaks for our own crates; what others say below a warning is noise.
fn quiet(level: &str) -> String {
    if level.contains([',', '=']) {
        return level.to_owned();
    }
    let others = match level {
        "trace" => "debug",
        "debug" => "info",
        "error" => "error",
        _ => "warn",
    };
    let ours = [
        "tana",
        "tanad",
        "tana_kit",
        "tana_daemons",
        "tana_store",
        "tana_chain",
        "tana_client",
        "tana_home",
        "tana_edge",
        "tana_runtime",
        "tana_sandbox",
        "tana_protocol",
    ]
    .map(|name| format!("{name}={level}"))
    .join(",");
    format!("{others},{ours}")
}

/// The form of a record.
struct OneLine;

impl<S, N> FormatEvent<S, N> for OneLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut record = Record::default();
        event.record(&mut record);
        let level = match *event.metadata().level() {
            Level::ERROR => LogLevel::Error,
            Level::WARN => LogLevel::Warn,
            Level::INFO => LogLevel::Info,
            Level::DEBUG => LogLevel::Debug,
            Level::TRACE => LogLevel::Trace,
        };
        let mut text = record.message;
        text.push_str(&record.fields);
        writer.write_str(&line(SystemClock.now(), level, &text))
    }
}

/// One record as a line with its line feed: `2026-01-31T12:00:00.000Z INFO text`.
#[must_use]
pub fn line(at: Timestamp, level: LogLevel, text: &str) -> String {
    let mut line = format!("{at} {} ", word(level));
    for c in text.chars() {
        if line.len() >= LINE_BYTES {
            line.push('…');
            break;
        }
        match c {
            // What a client sent must not forge a line nor reach a terminal as a control sequence.
            '\n' => line.push_str("\\n"),
            '\t' => line.push(' '),
            c if c.is_control() => {
                let _infallible = write!(line, "\\x{:02x}", u32::from(c));
            }
            c => line.push(c),
        }
    }
    line.push('\n');
    line
}

const fn word(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Error => "ERROR",
        LogLevel::Warn => "WARN",
        LogLevel::Info => "INFO",
        LogLevel::Debug => "DEBUG",
        LogLevel::Trace => "TRACE",
    }
}

/// Reads a line back: its time, level and text. `None` for what no daemon of ours wrote, such as a message of the
/// dynamic linker.
#[must_use]
pub fn parse(line: &str) -> Option<(Timestamp, LogLevel, &str)> {
    let (at, rest) = line.split_once(' ')?;
    let (level, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let level = [
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Trace,
    ]
    .into_iter()
    .find(|known| word(*known) == level)?;
    Some((at.parse().ok()?, level, text))
}

#[derive(Default)]
struct Record {
    message: String,
    fields: String,
}

impl Visit for Record {
    fn record_str(&mut self, field: &Field, value: &str) {
        let _infallible = if field.name() == "message" {
            self.message.write_str(value)
        } else if value.is_empty() || value.contains([' ', '"', '=']) {
            write!(self.fields, " {}={value:?}", field.name())
        } else {
            write!(self.fields, " {}={value}", field.name())
        };
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _infallible = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &crate::error::chain(value));
    }
}

enum Sink {
    Output,
    Error,
    File(RotatingFile),
}

/// Writes whole records.
struct LogWriter(Mutex<Sink>);

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &LogWriter {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::File(file) => file.write(record),
            Sink::Output => io::stdout().lock().write_all(record),
            Sink::Error => io::stderr().lock().write_all(record),
        }?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stdout().flush()
    }
}

/// A log file that this process alone rotates. Standard output and error are led to the new one each time.
struct RotatingFile {
    path: PathBuf,
    file: File,
    bytes: u64,
    limit: u64,
}

impl RotatingFile {
    fn open(path: &Path, limit: u64) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self {
            bytes: file.metadata()?.len(),
            path: path.to_owned(),
            file,
            limit,
        })
    }

    fn write(&mut self, record: &[u8]) -> io::Result<()> {
        if self.bytes >= self.limit {
            // A full disk or a read-only directory must not stop the service: it goes on with the old file.
            let _kept = self.rotate();
        }
        self.bytes += record.len() as u64;
        self.file.write_all(record)
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..KEEP).rev() {
            let older = numbered(&self.path, number);
            if older.exists() {
                std::fs::rename(older, numbered(&self.path, number + 1))?;
            }
        }
        std::fs::rename(&self.path, numbered(&self.path, 1))?;
        *self = Self::open(&self.path, self.limit)?;
        lead_standard_streams_to(&self.file)
    }
}

/// `<path>.<number>`.
#[must_use]
pub fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// What is not written by us (the allocator, the linker, an abort) goes to the present file too.
fn lead_standard_streams_to(file: &File) -> io::Result<()> {
    nix::unistd::dup2_stdout(file)?;
    nix::unistd::dup2_stderr(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{LogLevel, Timestamp, line, parse};

    #[test]
    fn a_line_is_read_back_and_cannot_be_forged() {
        let at = Timestamp::from_ms(1_769_860_800_000);
        let text = line(at, LogLevel::Warn, "a\n2026 ERROR b\u{1b}[2J");
        assert_eq!(text.matches('\n').count(), 1);
        let (when, level, text) = parse(text.trim_end()).unwrap();
        assert_eq!((when, level), (at, LogLevel::Warn));
        assert_eq!(text, "a\\n2026 ERROR b\\x1b[2J");
        assert!(parse("ld.so: not found").is_none());
    }
}
