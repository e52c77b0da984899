//! Draws the screen Login: the code as large as fits, and beside or below it where the session stands.

use ratatui::layout::Rect;
use ratatui::text::Line;
use tana_protocol::login::SessionStatus;

use super::model::{self, Session, State};
use crate::keys::Action;
use crate::model::Model;
use crate::show::{clean, wrap};
use crate::theme::Tone;
use crate::widgets::details::labelled;
use crate::widgets::{Paint, Words, qr};

/// Columns that the text beside the code needs at the least.
const TEXT: u16 = 24;

pub(crate) fn draw(model: &Model, area: Rect, paint: &mut Paint<'_>) {
    let session = match &model.login.state {
        State::Open(session) => session,
        other => {
            unopened(model, other, area, paint);
            return;
        }
    };
    if !session.status.is_open() {
        text(model, session, inset(area), paint, None);
        return;
    }
    let texts = model::texts(session);
    let offered = [texts[0].as_str(), texts[1].as_str()];
    // Beside the code when both fit, else the code alone and what is left below it.
    let beside = area.width.saturating_sub(TEXT + 3);
    let plan = qr::plan(&offered, beside.saturating_sub(2), area.height, paint.look)
        .map(|plan| (plan, true))
        .or_else(|small| {
            qr::plan(&offered, area.width, area.height, paint.look)
                .map(|plan| (plan, false))
                .map_err(|_| small)
        });
    match plan {
        Ok((plan, true)) => {
            let margin = 2.min(area.width - plan.width);
            qr::draw(
                &plan,
                Rect {
                    x: area.x + margin,
                    ..area
                },
                paint.buf,
                paint.look,
            );
            let x =
                area.x + margin + plan.width + 4.min(area.width.saturating_sub(plan.width + TEXT));
            let top = area.y + u16::from(area.height > 12);
            let right = Rect {
                x,
                y: top,
                width: area.right().saturating_sub(x + 1).min(70),
                height: area.bottom() - top,
            };
            text(model, session, right, paint, None);
        }
        Ok((plan, false)) => {
            qr::draw(&plan, area, paint.buf, paint.look);
            let y = area.y + plan.height;
            if y < area.bottom() {
                let line = match silence(model, session) {
                    Some(text) => paint.words().tone(Tone::Warn, text).line(),
                    None => status(session, paint).line(),
                };
                paint.line(area.x + 1, y, area.width.saturating_sub(1), &line);
            }
        }
        Err(small) => text(model, session, inset(area), paint, Some(small)),
    }
}

fn inset(area: Rect) -> Rect {
    let margin = if area.width >= 60 { 3 } else { 1 };
    let top = u16::from(area.height > 8);
    Rect {
        x: area.x + margin,
        y: area.y + top,
        width: area.width.saturating_sub(margin + 1),
        height: area.height - top,
    }
}

/// The session's own word first, then what it means.
fn status<'w>(session: &Session, paint: &Paint<'w>) -> Words<'w> {
    let words = Words::new(paint.look);
    match session.status {
        SessionStatus::Waiting => words.state(Tone::Warn, "waiting").dim(" for a phone"),
        SessionStatus::Scanned => words
            .state(Tone::Accent, "scanned")
            .dim(", the phone asks its owner"),
        SessionStatus::Approved => words.state(Tone::Good, "approved"),
        SessionStatus::Rejected => words.state(Tone::Bad, "rejected"),
        SessionStatus::Expired => words.state(Tone::Bad, "expired"),
    }
}

/// That the service says nothing, since when and why.
fn silence(model: &Model, session: &Session) -> Option<String> {
    let (since, why) = session.silent.as_ref()?;
    let since = model.clock.time(*since);
    Some(format!(
        "no data from the identity service since {since}: {}",
        clean(why)
    ))
}

fn text(
    model: &Model,
    session: &Session,
    area: Rect,
    paint: &mut Paint<'_>,
    small: Option<qr::TooSmall>,
) {
    let look = paint.look;
    let words = || Words::new(look);
    let open = session.status.is_open();
    let mut lines: Vec<Line<'static>> = Vec::new();
    let roomy = area.height >= 16;
    let blank = |lines: &mut Vec<Line<'static>>| {
        if roomy {
            lines.push(Line::default());
        }
    };
    if open && small.is_none() {
        lines.push(words().title("Scan with the Tana app").line());
        blank(&mut lines);
    }
    lines.push(status(session, paint).line());
    blank(&mut lines);
    if let Some(small) = small {
        // The link first: it is all that helps here.
        lines.extend(
            wrap(&session.created.qr_uri, usize::from(area.width))
                .into_iter()
                .map(|l| words().strong(l).line()),
        );
        let mut need = format!(
            "the code needs {} columns and {} rows",
            small.columns, small.rows
        );
        if model.zoom == crate::widgets::details::Zoom::Off {
            need.push_str(&format!(
                "; {} gives it the whole screen",
                model.keys.key(Action::Open)
            ));
        }
        lines.extend(
            wrap(&need, usize::from(area.width))
                .into_iter()
                .map(|l| words().tone(Tone::Warn, l).line()),
        );
    }
    if open {
        lines.extend(labelled(
            look,
            area.width,
            "expires",
            words().text(model.clock.time(session.created.expires_at)),
        ));
        let app = session
            .created
            .qr_data
            .app_name
            .as_deref()
            .unwrap_or("this console");
        lines.extend(labelled(look, area.width, "site", words().text(clean(app))));
    }
    if let Some(name) = &session.username {
        lines.extend(labelled(
            look,
            area.width,
            "user",
            words().strong(clean(name)),
        ));
    }
    if let Some(token) = &session.token {
        let value = words()
            .text(crate::show::short(&token.0))
            .gap(2)
            .accent(model.keys.key(Action::Copy))
            .dim(" copies it");
        lines.extend(labelled(look, area.width, "token", value));
    }
    if let Some(text) = silence(model, session) {
        lines.extend(
            wrap(&text, usize::from(area.width))
                .into_iter()
                .map(|l| words().tone(Tone::Warn, l).line()),
        );
    }
    blank(&mut lines);
    let keys = keys(model, session, look);
    let room = usize::from(area.height).saturating_sub(lines.len() + keys.len() + 1);
    if small.is_none() && room > 0 {
        if roomy {
            lines.push(words().dim("so far").line());
        }
        let from = session
            .so_far
            .len()
            .saturating_sub(room.saturating_sub(1).max(1));
        for (at, what) in &session.so_far[from..] {
            lines.push(
                words()
                    .dim(model.clock.time(*at))
                    .gap(2)
                    .text(what.clone())
                    .line(),
            );
        }
        blank(&mut lines);
    }
    lines.extend(keys);
    if roomy && open && area.height > 22 {
        lines.push(Line::default());
        let note =
            "The code can be photographed without harm: the token comes to this screen only.";
        lines.extend(
            wrap(note, usize::from(area.width))
                .into_iter()
                .map(|l| words().dim(l).line()),
        );
    }
    paint.lines(area, &lines);
}

fn keys(model: &Model, session: &Session, look: &crate::theme::Look) -> Vec<Line<'static>> {
    let words = || Words::new(look);
    let key = |action: Action| model.keys.key(action);
    let mut lines = Vec::new();
    if session.status.is_open() {
        if let Some(user) = model.here.users.get(model.login.user) {
            let mut line = words().dim("test phone: ").text(clean(user));
            if model.here.users.len() > 1 {
                line = line.gap(2).accent(key(Action::PhoneUser)).dim(" next");
            }
            lines.push(line.line());
        }
    } else {
        lines.push(
            words()
                .accent(key(Action::NewSession))
                .text(" new code")
                .line(),
        );
    }
    lines
}

fn unopened(model: &Model, state: &State, area: Rect, paint: &mut Paint<'_>) {
    let look = paint.look;
    let words = || Words::new(look);
    let area = inset(area);
    let lines = match state {
        State::Failed { why, at } => {
            let mut lines = vec![
                words()
                    .tone(
                        Tone::Warn,
                        format!(
                            "No code: the identity service did not make a session at {}.",
                            model.clock.time(*at)
                        ),
                    )
                    .line(),
            ];
            lines.push(words().dim(clean(why)).line());
            lines.push(
                words()
                    .accent(model.keys.key(Action::NewSession))
                    .dim(" tries again; so does this screen once the service is ready")
                    .line(),
            );
            lines
        }
        _ => vec![
            words()
                .dim("asking the identity service for a session…")
                .line(),
        ],
    };
    let lines: Vec<Line<'static>> = lines
        .into_iter()
        .flat_map(|l| crate::widgets::fold::fold(l, usize::from(area.width)))
        .collect();
    paint.lines(area, &lines);
}
