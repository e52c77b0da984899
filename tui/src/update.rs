//! The only place where the model changes: one message in, effects out, no IO. What a screen does with its own is in its feature.

mod leave;
mod overlay;
#[cfg(test)]
mod tests;

use crate::effect::Effect;
use crate::features::{
    approvals, blocks, content, contracts, first, login, logs, mesh, queue, services,
};
use crate::keys::{Action, Chord, Scope};
use crate::model::link::Link;
use crate::model::problems::problems;
use crate::model::{Model, Notice, Overlay, Screen, Source, Step, Waiting};
use crate::msg::{Msg, NodeNews, Wheel};
use crate::term::watchdog::Told;
use crate::theme::Tone;
use crate::widgets::Target;
use crate::widgets::cursor::Move;
use crate::widgets::details::Zoom;
use crate::widgets::input::Input;

/// Takes a message.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    expire(model);
    let mut effects = match msg {
        Msg::Start => go(model, model.screen),
        Msg::Key(key) if model.first.is_some() => first::update::key(model, key),
        Msg::Key(key) => match model.overlay.take() {
            Some(overlay) => overlay::key(model, overlay, key),
            None => match contracts::typing::key(model, key) {
                Some(effects) => effects,
                None => match Screen::of_digit(Chord::from(key).digit()) {
                    Some(screen) => go(model, screen),
                    None => model
                        .keys
                        .action(model.screen, Chord::from(key))
                        .map_or_else(Vec::new, |a| act(model, a)),
                },
            },
        },
        Msg::Paste(text) => {
            if model.first.is_some() {
                first::update::paste(model, &text);
            } else if let Some(
                Overlay::Palette { input, .. }
                | Overlay::Filter { input }
                | Overlay::Line { input, .. }
                | Overlay::Passphrase { input, .. },
            ) = &mut model.overlay
            {
                input.paste(&text);
            } else if model.overlay.is_none() {
                contracts::typing::paste(model, &text);
            }
            Vec::new()
        }
        Msg::Click(_) if model.first.is_some() => Vec::new(),
        Msg::Click(target) => click(model, target),
        Msg::Wheel(wheel) => match &mut model.overlay {
            Some(Overlay::Help { scroll } | Overlay::Problems { scroll }) => {
                *scroll = match wheel {
                    Wheel::Up => scroll.saturating_sub(3),
                    Wheel::Down => *scroll + 3,
                };
                Vec::new()
            }
            Some(_) => Vec::new(),
            None => walk(
                model,
                if wheel == Wheel::Up {
                    Move::Up
                } else {
                    Move::Down
                },
            ),
        },
        Msg::Wake => mesh::update::relink(model),
        Msg::Told(Told::End) => {
            model.over = true;
            vec![Effect::Quit]
        }
        Msg::Told(Told::Stop) => vec![Effect::Suspend],
        Msg::Told(Told::Continued) => vec![Effect::Repaint],
        Msg::Link(source, link) => link_changed(model, source, link),
        Msg::Node(news) => node_news(model, news),
        // Nothing follows from lines: a flood of them costs no more than its keeping.
        Msg::Logs(lines) => {
            let filter = model.filters.get(&Screen::Logs);
            model.logs.take(&lines, filter);
            logs::update::look(model);
            return Vec::new();
        }
        Msg::LogsAgain => {
            model.logs.again();
            return Vec::new();
        }
        Msg::Mesh(news) => mesh::update::news(model, news),
        Msg::Chain(news) => blocks::update::news(model, news),
        Msg::Login(news) => login::update::news(model, news),
        Msg::Draft(news) => contracts::update::news(model, news),
        Msg::First(news) => first::update::news(model, news),
        Msg::Machine(machine) => {
            model.machine = machine;
            Vec::new()
        }
        Msg::Keys(keys) => {
            model.here.sovereign = keys.sovereign;
            model.here.sealed = keys.sealed;
            model.here.users = keys.users;
            Vec::new()
        }
        Msg::Began(what) => {
            model.waiting.push(Waiting {
                what,
                since: model.clock.now,
            });
            Vec::new()
        }
        Msg::Ended { what, result } => {
            if let Some(i) = model.waiting.iter().position(|w| w.what == what) {
                model.waiting.remove(i);
            }
            match result {
                Ok(text) if text.is_empty() => {}
                Ok(text) => model.say(Tone::Good, text),
                Err(text) => model.say(Tone::Bad, text),
            }
            Vec::new()
        }
    };
    approvals::update::woke(model);
    effects.extend(approvals::update::want(model));
    effects.extend(blocks::update::want(model));
    effects.extend(contracts::update::want(model));
    logs::update::look(model);
    let wrong = problems(model);
    let now = model.clock.now;
    let waits = model.mesh.waiting() + model.approvals.requests.len();
    model.turned |= model.rung.turned(&wrong, waits);
    let rings = model.rung.news(&wrong, now).into_iter();
    effects.extend(rings.map(|text| Effect::Notify(format!("tana: {text}"))));
    effects
}

/// Carries a command out, as the palette does.
pub(crate) fn command(model: &mut Model, command: crate::palette::Command) -> Vec<Effect> {
    overlay::run(model, command)
}

/// What the clock alone changes.
fn expire(model: &mut Model) {
    let now = model.clock.now;
    if model
        .notice
        .as_ref()
        .is_some_and(|Notice { until, .. }| *until <= now)
    {
        model.notice = None;
    }
    login::update::woke(model);
}

fn link_changed(model: &mut Model, source: Source, link: Link) -> Vec<Effect> {
    let live = link == Link::Live;
    model.clocks.forget();
    let changed = model.links.set(source, link);
    if !(changed && live) {
        return Vec::new();
    }
    match (source, model.screen) {
        (Source::Ledger, Screen::Queue) => {
            model.queue = queue::Model::default();
            queue::update::opened(model)
        }
        (Source::Ledger, Screen::Contracts) => contracts::update::opened(),
        (Source::Ledger, Screen::Content) => content::update::opened(),
        (Source::Ledger, _) => {
            // What failed while it was silent may be asked for again.
            model.blocks.failed = None;
            model.blocks.loading = None;
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn node_news(model: &mut Model, news: NodeNews) -> Vec<Effect> {
    let ready = |model: &Model| {
        model.node.as_ref().is_some_and(|n| {
            n.services.iter().any(|s| {
                s.name == tana_protocol::ServiceKind::Identity
                    && s.state == tana_protocol::api::node::ServiceState::Ready
            })
        })
    };
    let before = ready(model);
    let mut effects = services::update::news(model, news);
    if !before && ready(model) && model.screen == Screen::Login {
        effects.extend(login::update::service_is_ready(model));
    }
    effects
}

/// Brings a screen into view.
pub(crate) fn go(model: &mut Model, screen: Screen) -> Vec<Effect> {
    // What was said of one screen is not for the next; trouble stays to be read.
    if model.screen != screen {
        model.notice.take_if(|n| n.tone < Tone::Warn);
    }
    model.screen = screen;
    model.zoom = Zoom::Off;
    match screen {
        Screen::Mesh => mesh::update::relink(model),
        Screen::Login => login::update::opened(model),
        Screen::Approvals => approvals::update::opened(model),
        Screen::Queue => queue::update::opened(model),
        Screen::Contracts => contracts::update::opened(),
        Screen::Content => content::update::opened(),
        _ => Vec::new(),
    }
}

fn click(model: &mut Model, target: Target) -> Vec<Effect> {
    match target {
        Target::Choose(button) => match model.overlay.take() {
            Some(Overlay::Ask { effect, .. }) if button == crate::widgets::dialog::Button::Do => {
                overlay::confirmed(model, effect)
            }
            _ => Vec::new(),
        },
        Target::Screen(screen) if model.overlay.is_none() => go(model, screen),
        Target::Act(action) if model.overlay.is_none() => act(model, action),
        Target::Row(row) if model.overlay.is_none() => walk(model, Move::To(row)),
        Target::Screen(_) | Target::Act(_) | Target::Row(_) => Vec::new(),
    }
}

/// Carries an action out, from a key, the palette or a click.
pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Scope::On(screen) = action.info().scope {
        let mut effects = if model.screen == screen {
            Vec::new()
        } else {
            go(model, screen)
        };
        effects.extend(match screen {
            Screen::Services => services::update::act(model, action),
            Screen::Mesh => mesh::update::act(model, action),
            Screen::Approvals => approvals::update::act(model, action),
            Screen::Blocks => blocks::update::act(model, action),
            Screen::Queue => queue::update::act(model, action),
            Screen::Contracts => contracts::update::act(model, action),
            Screen::Login => login::update::act(model, action),
            Screen::Content => content::update::act(action),
            Screen::Logs => logs::update::act(model, action),
        });
        return effects;
    }
    match action {
        Action::Up => return walk(model, Move::Up),
        Action::Down => return walk(model, Move::Down),
        Action::PageUp => return walk(model, Move::PageUp),
        Action::PageDown => return walk(model, Move::PageDown),
        Action::Top => return walk(model, Move::Top),
        Action::Bottom => return walk(model, Move::Bottom),
        Action::Open
            if model.screen == Screen::Contracts && model.contracts.in_view().is_some() =>
        {
            return act(model, Action::EditContract);
        }
        Action::Open => {
            model.contracts.scroll = 0;
            model.zoom = match model.zoom {
                Zoom::Off => Zoom::On,
                Zoom::On => Zoom::Off,
            };
        }
        Action::Back => {
            if contracts::update::back(model) {
                return Vec::new();
            }
            if model.zoom == Zoom::On {
                model.zoom = Zoom::Off;
            } else if model.filters.remove(&model.screen).is_none() {
                model.notice = None;
            }
        }
        Action::Copy => return copy(model),
        Action::SaveScreen => return vec![Effect::SaveScreen],
        Action::Export => return vec![Effect::Export],
        Action::NextScreen => return go(model, model.screen.step(Step::Next)),
        Action::PreviousScreen => return go(model, model.screen.step(Step::Previous)),
        Action::Decide => {
            if model.mesh.waiting() + model.approvals.requests.len() > 0 {
                return go(model, Screen::Approvals);
            }
            // Phones' requests are asked for where they are shown.
            let mut text = format!(
                "no node waits for your decision; {} shows what phones ask",
                Screen::Approvals.digit()
            );
            match problems(model).len() {
                0 => {}
                wrong => {
                    let key = model.keys.key(Action::Problems);
                    let noun = if wrong == 1 { "thing is" } else { "things are" };
                    text.push_str(&format!("; {wrong} {noun} wrong, {key} lists them"));
                }
            }
            model.say(Tone::Plain, text);
        }
        Action::Palette => {
            model.overlay = Some(Overlay::Palette {
                input: Input::default(),
                chosen: 0,
            });
        }
        Action::Filter => {
            let text = model.filter().map(|f| f.text.clone()).unwrap_or_default();
            model.overlay = Some(Overlay::Filter {
                input: Input::new(&text),
            });
        }
        Action::Theme => {
            let next = model.themes.after(&model.look.theme.name);
            model.say(Tone::Plain, format!("theme {}", next.name));
            model.look.theme = next;
        }
        Action::Problems => model.overlay = Some(Overlay::Problems { scroll: 0 }),
        Action::Help => model.overlay = Some(Overlay::Help { scroll: 0 }),
        Action::Redraw => return vec![Effect::Repaint],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => {
            let effects = leave::leave(model, Effect::Quit);
            model.over = !effects.is_empty();
            return effects;
        }
        // The others belong to a screen and were carried out above.
        _ => {}
    }
    Vec::new()
}

/// Moves the cursor of the screen in view.
pub(crate) fn walk(model: &mut Model, by: Move) -> Vec<Effect> {
    let page = model.page;
    match model.screen {
        Screen::Services => {
            let keys = services::model::keys(model);
            if let Some(at) = services::model::selected_row(model) {
                model.services.cursor.go_from(at, &keys, page, by);
            }
        }
        Screen::Mesh => {
            let keys = mesh::model::keys(model);
            model.mesh.cursor.go(&keys, page, by);
        }
        Screen::Approvals => {
            let keys = approvals::model::keys(model);
            model.approvals.cursor.go(&keys, page, by);
        }
        Screen::Contracts => contracts::update::go(model, by),
        Screen::Content => {
            let keys = content::model::keys(model);
            model.content.cursor.go(&keys, page, by);
        }
        Screen::Queue => {
            let keys = queue::model::keys(model);
            model.queue.cursor.go(&keys, page, by);
        }
        Screen::Blocks => return blocks::update::go(model, by),
        Screen::Logs => logs::update::go(model, by),
        Screen::Login => {}
    }
    Vec::new()
}

/// What `y` copies on each screen.
fn copy(model: &mut Model) -> Vec<Effect> {
    let text = match model.screen {
        Screen::Services => services::model::selected(model).and_then(|s| s.url.clone()),
        Screen::Mesh => {
            let rows = mesh::model::rows(model);
            let keys = mesh::model::keys(model);
            let node = model.mesh.cursor.index(&keys).and_then(|i| rows.get(i));
            node.map(|n| {
                n.tailscale_ip
                    .clone()
                    .unwrap_or_else(|| n.tailscale_hostname.clone())
            })
        }
        Screen::Approvals => approvals::model::chosen(model).map(|waits| match waits {
            approvals::model::Waits::Node(node) => node.public_key.to_string(),
            approvals::model::Waits::Request(request) => request.message.clone(),
        }),
        Screen::Blocks => {
            let height = model.blocks.height();
            model
                .blocks
                .list
                .iter()
                .find(|b| Some(b.header.height) == height)
                .map(|b| b.hash.to_hex())
        }
        Screen::Contracts => match model.contracts.in_view() {
            Some(playground) => Some(playground.source()),
            None => contracts::model::selected(model).map(|c| c.id.to_string()),
        },
        Screen::Login => model.login.session().map(|s| match &s.token {
            Some(token) => token.0.clone(),
            None => s.created.qr_uri.clone(),
        }),
        Screen::Logs => logs::model::back(model).next().map(|e| e.text.to_owned()),
        Screen::Content => content::model::selected(model).map(|o| o.hash.to_hex()),
        Screen::Queue => queue::model::selected(model).map(|e| e.id().to_string()),
    };
    match text {
        Some(text) => vec![Effect::Copy(text)],
        None => {
            model.say(Tone::Plain, "nothing to copy here");
            Vec::new()
        }
    }
}
