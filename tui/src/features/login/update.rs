//! What changes the screen Login: the session's own events, and what the test phone is asked to do.

use tana_protocol::api::identity::{SessionCreated, SessionEvent, SessionEventType};
use tana_protocol::login::SessionStatus;

use super::model::{Session, State, Token};
use crate::effect::{Effect, PhoneAnswer};
use crate::keys::Action;
use crate::model::{Mode, Model};
use crate::msg::LoginNews;
use crate::theme::Tone;

/// The screen comes into view: a code is there, or is made.
pub(crate) fn opened(model: &mut Model) -> Vec<Effect> {
    let usable = match &model.login.state {
        State::Making => true,
        State::Open(session) => session.status != SessionStatus::Expired,
        State::Closed | State::Failed { .. } => false,
    };
    if usable { Vec::new() } else { make(model) }
}

/// Another try once the service answers again.
pub(crate) fn service_is_ready(model: &mut Model) -> Vec<Effect> {
    if matches!(model.login.state, State::Failed { .. }) {
        make(model)
    } else {
        Vec::new()
    }
}

fn make(model: &mut Model) -> Vec<Effect> {
    if model.mode == Mode::ReadOnly {
        model.login.state = State::Failed {
            why: "this console is read-only: it makes no session".into(),
            at: model.clock.now,
        };
        return Vec::new();
    }
    model.login.state = State::Making;
    vec![Effect::NewSession]
}

pub(crate) fn news(model: &mut Model, news: LoginNews) -> Vec<Effect> {
    let now = model.clock.now;
    match news {
        LoginNews::Created(Ok(created)) => {
            model.login.state = State::Open(Box::new(fresh(*created, now)));
        }
        LoginNews::Created(Err(why)) => model.login.state = State::Failed { why, at: now },
        LoginNews::Event(event) => event_of(model, *event),
        LoginNews::Requests(result) => {
            crate::features::approvals::update::requests(model, result);
        }
        LoginNews::Silent { since, why } => {
            if let State::Open(session) = &mut model.login.state {
                let since = session.silent.take().map_or(since, |(since, _)| since);
                session.silent = Some((since, why));
            }
        }
    }
    Vec::new()
}

fn fresh(created: SessionCreated, now: tana_protocol::Timestamp) -> Session {
    Session {
        created,
        status: SessionStatus::Waiting,
        username: None,
        token: None,
        so_far: vec![(now, "code made".into())],
        silent: None,
    }
}

fn event_of(model: &mut Model, event: SessionEvent) {
    let State::Open(session) = &mut model.login.state else {
        return;
    };
    if session.created.session_id != event.session_id {
        return;
    }
    session.silent = None;
    let status = match event.kind {
        SessionEventType::Connected | SessionEventType::StatusUpdate => {
            event.status.unwrap_or(session.status)
        }
        SessionEventType::Approved => SessionStatus::Approved,
        SessionEventType::Rejected => SessionStatus::Rejected,
        SessionEventType::Expired => SessionStatus::Expired,
    };
    if let Some(name) = event.username {
        session.username = Some(name.to_string());
    }
    if let Some(token) = event.session_token {
        session.token = Some(Token(token));
    }
    if status == session.status {
        return;
    }
    session.status = status;
    let text = match status {
        SessionStatus::Waiting => "waiting".to_owned(),
        SessionStatus::Scanned => "scanned by a phone".to_owned(),
        SessionStatus::Approved => match &session.username {
            Some(name) => format!("approved by {name}"),
            None => "approved".to_owned(),
        },
        SessionStatus::Rejected => match &event.reason {
            Some(why) => format!("rejected: {}", crate::show::clean(why)),
            None => "rejected".to_owned(),
        },
        SessionStatus::Expired => "expired".to_owned(),
    };
    session.so_far.push((event.timestamp, text));
}

/// The code's end passes by the clock too, should the service not say so.
pub(crate) fn woke(model: &mut Model) {
    let now = model.clock.now;
    if let State::Open(session) = &mut model.login.state
        && session.status.is_open()
        && now >= session.created.expires_at
    {
        session.status = SessionStatus::Expired;
        session
            .so_far
            .push((session.created.expires_at, "expired".into()));
    }
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    match action {
        Action::NewSession => return make(model),
        Action::PhoneUser => {
            if model.here.users.is_empty() {
                no_user(model);
            } else {
                model.login.user = (model.login.user + 1) % model.here.users.len();
            }
            return Vec::new();
        }
        _ => {}
    }
    let Some(session) = model.login.session() else {
        return Vec::new();
    };
    let id = session.created.qr_data.session_id.clone();
    let (status, uri) = (session.status, session.created.qr_uri.clone());
    let answer = match action {
        Action::CopyLink => return vec![Effect::Copy(uri)],
        Action::PhoneScan => PhoneAnswer::Scan,
        Action::PhoneReject => PhoneAnswer::Reject,
        Action::PhoneApprove => match model.here.users.get(model.login.user) {
            Some(user) => PhoneAnswer::Approve { user: user.clone() },
            None => {
                no_user(model);
                return Vec::new();
            }
        },
        _ => return Vec::new(),
    };
    if !status.is_open() {
        model.say(
            Tone::Plain,
            format!(
                "this code is {status}; {} makes a new one",
                model.keys.key(Action::NewSession)
            ),
        );
        return Vec::new();
    }
    vec![Effect::Phone {
        session: id,
        answer,
    }]
}

fn no_user(model: &mut Model) {
    model.say(Tone::Warn, "no user's key on this machine; make one with `tana new user NAME`, then `tana deploy user NAME`");
}
