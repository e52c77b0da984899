//! `tana login`: a session of its own, its QR code on the terminal, and what becomes of it.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use qrcode::{Color, EcLevel, QrCode};
use tana_client::StreamItem;
use tana_protocol::api::identity::{CreateSession, SessionCreated, SessionEvent, SessionEventType};
use tana_protocol::login::SessionStatus;

use super::context::Context;
use super::exit::{Exit, failure};
use crate::show::clean;

/// What the standard asks for around a code, in modules.
const QUIET: usize = 4;

#[derive(Debug, Args)]
pub(crate) struct Login {
    /// The name that the phone shows
    #[arg(long, value_name = "TEXT", default_value = "tana")]
    app_name: String,
    /// Print the code's text and leave
    #[arg(long)]
    no_wait: bool,
}

impl Login {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let identity = context.identity()?;
        let session = identity
            .create(&CreateSession {
                app_name: Some(self.app_name),
                ..CreateSession::default()
            })
            .await?;
        context.out.line(&session, || {
            let mut text = match terminal_size() {
                Some((columns, rows)) => picture(&session, columns, rows).unwrap_or_default(),
                None => String::new(),
            };
            text.push_str(&clean(&session.qr_uri));
            text.push('\n');
            text
        })?;
        if self.no_wait {
            return Ok(Exit::Done);
        }
        context.out.hint(&format!(
            "scan it with a phone, or: tana phone approve '{}' --user NAME",
            clean(&session.qr_uri)
        ))?;

        // A little longer than the code lives, so that the service's own word is heard.
        let limit = Duration::from_secs(session.expires_in.saturating_add(5));
        match tokio::time::timeout(limit, follow(context, &session)).await {
            Ok(result) => result,
            Err(_) => Err(expired()),
        }
    }
}

fn expired() -> anyhow::Error {
    failure(
        Exit::TimedOut,
        "the code has expired; make another: tana login",
    )
}

async fn follow(context: &Context, session: &SessionCreated) -> anyhow::Result<Exit> {
    let mut events = context.identity()?.events(&session.session_id);
    let mut shown = None;
    while let Some(item) = events.next().await {
        let event = match item {
            StreamItem::Event(event) => event,
            StreamItem::Connected => continue,
            StreamItem::Lost { why, .. } => {
                context.out.progress(&format!(
                    "the identity service is gone, trying again: {}",
                    clean(&why)
                ));
                continue;
            }
            StreamItem::Refused(error) => return Err(error.into()),
        };
        if let Some(exit) = seen(context, &event, &mut shown)? {
            return Ok(exit);
        }
    }
    Err(failure(
        Exit::Failed,
        "the identity service ended the session's events; make another: tana login",
    ))
}

/// Shows an event; the exit where it is the last.
fn seen(
    context: &Context,
    event: &SessionEvent,
    shown: &mut Option<SessionStatus>,
) -> anyhow::Result<Option<Exit>> {
    match event.kind {
        SessionEventType::Approved => {
            context.out.line(event, || {
                let who = event
                    .username
                    .as_ref()
                    .map_or_else(String::new, |name| format!(" by {name}"));
                let token = event.session_token.as_deref().unwrap_or("none");
                format!("approved{who}\ntoken  {}\n", clean(token))
            })?;
            Ok(Some(Exit::Done))
        }
        SessionEventType::Rejected => {
            let why = event
                .reason
                .as_deref()
                .map_or_else(String::new, |why| format!(": {}", clean(why)));
            Err(failure(
                Exit::Refused,
                format!("the phone has rejected the login{why}"),
            ))
        }
        SessionEventType::Expired => Err(expired()),
        SessionEventType::Connected | SessionEventType::StatusUpdate => {
            if let Some(status) = event.status
                && *shown != Some(status)
            {
                *shown = Some(status);
                context.out.line(event, || format!("{status}\n"))?;
            }
            Ok(None)
        }
    }
}

fn terminal_size() -> Option<(usize, usize)> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (columns, rows) = crossterm::terminal::size().ok()?;
    Some((usize::from(columns), usize::from(rows)))
}

/// The richer code that fits the terminal, dark on light whatever its colours are; `None` where neither does.
fn picture(session: &SessionCreated, columns: usize, rows: usize) -> Option<String> {
    let rich = tana_protocol::json::compact(&session.qr_data);
    [rich.as_str(), session.qr_uri.as_str()]
        .into_iter()
        .filter_map(|text| QrCode::with_error_correction_level(text, EcLevel::L).ok())
        .find(|code| {
            let side = code.width() + 2 * QUIET;
            side <= columns && side.div_ceil(2) < rows
        })
        .map(|code| draw(&code))
}

fn draw(code: &QrCode) -> String {
    let side = code.width();
    let modules = code.to_colors();
    let is_dark = |x: usize, y: usize| {
        let (Some(x), Some(y)) = (x.checked_sub(QUIET), y.checked_sub(QUIET)) else {
            return false;
        };
        x < side && y < side && modules[y * side + x] == Color::Dark
    };
    let whole = side + 2 * QUIET;
    let mut text = String::new();
    for row in (0..whole).step_by(2) {
        let mut inked = None;
        for column in 0..whole {
            let cell = (is_dark(column, row), is_dark(column, row + 1));
            if inked != Some(cell) {
                inked = Some(cell);
                let ink = |dark: bool| if dark { 16 } else { 231 };
                let _ = write!(text, "\x1b[38;5;{};48;5;{}m", ink(cell.0), ink(cell.1));
            }
            // The upper half block: foreground above, background below.
            text.push('▀');
        }
        text.push_str("\x1b[0m\n");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use qrcode::{EcLevel, QrCode};

    /// What a terminal shows: true where it is dark.
    fn pixels(text: &str) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in text.lines() {
            let (mut upper, mut lower) = (Vec::new(), Vec::new());
            let mut ink = (false, false);
            for part in line.split('\x1b').skip(1) {
                let (codes, cells) = part.trim_start_matches('[').split_once('m').unwrap();
                let codes: Vec<&str> = codes.split(';').collect();
                if let [_, _, above, _, _, below] = codes[..] {
                    ink = (above == "16", below == "16");
                }
                for _ in cells.chars() {
                    upper.push(ink.0);
                    lower.push(ink.1);
                }
            }
            rows.push(upper);
            rows.push(lower);
        }
        rows
    }

    #[test]
    fn a_reader_reads_the_code_off_the_terminal() {
        let said = "tana://auth?session=sess_0000000000000000&server=http%3A%2F%2F127.0.0.1%3A8090";
        let code = QrCode::with_error_correction_level(said, EcLevel::L).unwrap();
        let pixels = pixels(&super::draw(&code));
        let (width, height) = (pixels[0].len(), pixels.len());
        assert!(pixels[..4].iter().flatten().all(|dark| !dark), "quiet zone");
        const SCALE: usize = 4;
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(width * SCALE, height * SCALE, |x, y| {
                if pixels[y / SCALE][x / SCALE] { 0 } else { 255 }
            });
        let grids = image.detect_grids();
        let (_, read) = grids.first().unwrap().decode().unwrap();
        assert_eq!(read, said);
    }
}
