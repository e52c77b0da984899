//! What the screens look like: each at three sizes, in colour, without, and in ASCII; the QR code read back from the cells.

#![allow(clippy::unwrap_used)]

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

mod scenes;

use super::view;
use crate::effect::Effect;
use crate::keys::Action;
use crate::model::fixture::{busy, contracts, empty, queue, session, session_event, survey};
use crate::model::link::{Link, Source};
use crate::model::{Model, Overlay, Screen, problems};
use crate::msg::{ChainNews, Msg};
use crate::theme::{Caps, Charset, Depth, Role};
use crate::update::update;

const SIZES: [(u16, u16); 3] = [(40, 12), (80, 24), (200, 50)];

fn caps(depth: Depth, charset: Charset) -> Caps {
    Caps {
        depth,
        charset,
        ..Caps::default()
    }
}

fn draw(model: &Model, (width, height): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            view(model, frame);
        })
        .unwrap();
    terminal.backend().buffer().clone()
}

fn text(buf: &Buffer) -> String {
    let width = usize::from(buf.area.width);
    buf.content
        .chunks(width)
        .map(|row| {
            row.iter()
                .map(ratatui::buffer::Cell::symbol)
                .collect::<String>()
                .trim_end()
                .to_owned()
                + "\n"
        })
        .collect()
}

/// One letter a cell for its role: what colour says, readable in a review.
fn roles(model: &Model, buf: &Buffer) -> String {
    let theme = &model.look.theme;
    let rgb = |role: Role| {
        let (r, g, b) = theme.colors.expect("the default theme has its own")[role as usize];
        Color::Rgb(r, g, b)
    };
    let letters = [
        (Role::Strong, 's'),
        (Role::Dim, 'd'),
        (Role::Line, '-'),
        (Role::Accent, 'a'),
        (Role::Good, 'g'),
        (Role::Warn, 'w'),
        (Role::Bad, 'B'),
    ];
    let width = usize::from(buf.area.width);
    buf.content
        .chunks(width)
        .map(|row| {
            let line: String = row
                .iter()
                .map(|cell| {
                    let selected = cell.bg == rgb(Role::Selection);
                    let letter = letters
                        .iter()
                        .find(|(role, _)| cell.fg == rgb(*role))
                        .map_or('t', |(_, l)| *l);
                    match (cell.symbol().trim().is_empty(), selected) {
                        _ if cell.bg != rgb(Role::Background) && !selected => 'Q',
                        (true, true) => '=',
                        (true, false) => ' ',
                        (false, _) => letter,
                    }
                })
                .collect();
            line.trim_end().to_owned() + "\n"
        })
        .collect()
}

fn on(screen: Screen, caps: Caps) -> Model {
    let mut model = busy(caps);
    let effects = crate::update::go(&mut model, screen);
    drop(effects);
    match screen {
        Screen::Login => drop(update(&mut model, Msg::Login(session()))),
        Screen::Queue => drop(update(
            &mut model,
            Msg::Chain(ChainNews::Queue(Ok(Box::new(queue())))),
        )),
        Screen::Content => drop(update(
            &mut model,
            Msg::Chain(ChainNews::Content(Ok(survey()))),
        )),
        Screen::Contracts => drop(update(
            &mut model,
            Msg::Chain(ChainNews::Contracts(Ok(contracts()))),
        )),
        _ => {}
    }
    model
}

/// Pictures of what `make` makes, at three sizes: in colour with its roles, without colour, in ASCII.
fn pictures(name: &str, make: impl Fn(Caps) -> Model) {
    for size in SIZES {
        let name = format!("{name}-{}x{}", size.0, size.1);
        let model = make(caps(Depth::True, Charset::Unicode));
        let buf = draw(&model, size);
        insta::assert_snapshot!(
            format!("{name}-colour"),
            format!("{}\n{}", text(&buf), roles(&model, &buf))
        );
        let model = make(caps(Depth::None, Charset::Unicode));
        let buf = draw(&model, size);
        assert!(
            buf.content
                .iter()
                .all(|c| c.fg == Color::Reset && c.bg == Color::Reset),
            "{name}: colour in spite of NO_COLOR"
        );
        insta::assert_snapshot!(format!("{name}-no-color"), text(&buf));
        let model = make(caps(Depth::None, Charset::Ascii));
        let buf = draw(&model, size);
        assert!(text(&buf).is_ascii(), "{name}: not ASCII");
        insta::assert_snapshot!(format!("{name}-ascii"), text(&buf));
    }
}

#[test]
fn every_screen_in_colour_without_and_in_ascii() {
    for screen in Screen::ALL {
        pictures(screen.name(), |caps| on(screen, caps));
    }
}

#[test]
fn without_a_node_every_screen_says_so_and_what_to_do() {
    let mut model = empty(caps(Depth::None, Charset::Unicode));
    for source in [Source::Node, Source::Ledger, Source::Mesh] {
        let since = model.clock.now;
        update(&mut model, Msg::Link(source, Link::Absent { since }));
    }
    for screen in Screen::ALL {
        crate::update::go(&mut model, screen);
        let buf = draw(&model, (80, 24));
        assert!(text(&buf).contains("the node does not run"), "{screen:?}");
        insta::assert_snapshot!(format!("no-node-{}", screen.name()), text(&buf));
    }
}

#[test]
fn the_login_code_is_read_back_from_the_screen_at_both_sizes() {
    for (size, rich) in [((80, 24), false), ((120, 50), true), ((200, 50), true)] {
        for depth in [Depth::True, Depth::Ansi16, Depth::None] {
            let model = on(Screen::Login, caps(depth, Charset::Unicode));
            let buf = draw(&model, size);
            let read = crate::widgets::qr::tests::decode(&buf, false);
            assert_eq!(read.len(), 1, "{size:?} {depth:?}");
            assert_eq!(read[0].starts_with('{'), rich, "{size:?}: {}", read[0]);
            assert!(
                read[0].contains(&format!("sess_{}", "p".repeat(16))),
                "only the public id is in the code"
            );
            assert!(!read[0].contains(&format!("sess_{}", "b".repeat(16))));
        }
    }
}

#[test]
fn the_login_screen_says_the_sessions_own_words() {
    let mut model = on(Screen::Login, caps(Depth::True, Charset::Unicode));
    assert!(text(&draw(&model, (80, 24))).contains("waiting"));
    update(&mut model, session_event("status_update", "scanned"));
    assert!(text(&draw(&model, (80, 24))).contains("scanned"));
    update(&mut model, session_event("approved", "approved"));
    let shown = text(&draw(&model, (80, 24)));
    assert!(
        shown.contains("approved") && shown.contains("@alice"),
        "{shown}"
    );
    assert!(
        !shown.contains("0123456789abcdef0123456789abcdef"),
        "the token is never whole on the screen"
    );
}

#[test]
fn questions_help_problems_and_what_is_typed() {
    for (name, screen, action) in [
        ("dialog-approve", Screen::Approvals, Action::Approve),
        ("dialog-deny", Screen::Approvals, Action::Deny),
        ("dialog-stop", Screen::Services, Action::StopService),
        ("help", Screen::Approvals, Action::Help),
        ("problems", Screen::Services, Action::Problems),
        ("palette", Screen::Approvals, Action::Palette),
        ("filter", Screen::Blocks, Action::Filter),
    ] {
        pictures(name, |caps| {
            let mut model = on(screen, caps);
            crate::update::act(&mut model, action);
            model
        });
    }
    pictures("passphrase", |caps| {
        let mut model = on(Screen::Approvals, caps);
        model.overlay = Some(Overlay::Passphrase {
            input: Default::default(),
            effect: Effect::SaveScreen,
        });
        model
    });
}

#[test]
fn a_harmful_dialog_marks_the_safe_answer() {
    let mut model = on(Screen::Services, caps(Depth::True, Charset::Unicode));
    crate::update::act(&mut model, Action::StopService);
    let buf = draw(&model, (80, 24));
    let marked: Vec<&str> = text(&buf)
        .lines()
        .filter(|l| l.contains('▸'))
        .map(|_| "")
        .collect();
    assert_eq!(marked.len(), 1);
    assert!(
        text(&buf).contains("▸ n leave it running"),
        "{}",
        text(&buf)
    );
}

#[test]
fn every_action_is_in_the_help() {
    let model = empty(Caps::default());
    let lines: Vec<String> = super::over::help_lines(&model.look, &model.keys, Screen::Services)
        .iter()
        .map(|l| l.spans.iter().map(|s| s.content.as_ref()).collect())
        .collect();
    for action in Action::ALL {
        let (keys, help) = (model.keys.keys(*action), action.info().help);
        assert!(
            lines
                .iter()
                .any(|l| l.starts_with(&keys) && l.contains(help)),
            "{action:?} is missing from the help"
        );
    }
}

#[test]
fn nothing_panics_and_something_is_drawn_at_any_size() {
    for screen in Screen::ALL {
        for overlay in [
            None,
            Some(Overlay::Help { scroll: 99 }),
            Some(Overlay::Palette {
                input: Default::default(),
                chosen: 3,
            }),
        ] {
            let mut model = on(screen, caps(Depth::True, Charset::Unicode));
            model.overlay = overlay;
            for size in [
                (1, 1),
                (19, 4),
                (20, 5),
                (21, 6),
                (30, 8),
                (40, 12),
                (60, 16),
                (79, 23),
                (100, 30),
                (160, 45),
                (400, 120),
            ] {
                let shown = text(&draw(&model, size));
                assert!(!shown.trim().is_empty(), "{screen:?} {size:?}");
            }
        }
    }
}

#[test]
fn the_header_is_one_line_that_keeps_what_matters() {
    let model = on(Screen::Services, caps(Depth::None, Charset::Unicode));
    let first = |width| {
        text(&draw(&model, (width, 30)))
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert!(
        first(200).contains("height 12 408")
            && first(200).contains("1 waits for approval")
            && first(200).contains("validator-1")
    );
    assert!(
        first(60).contains("1 failed") && first(60).contains("wait"),
        "{}",
        first(60)
    );
    assert!(first(20).contains("1 failed"), "{}", first(20));
}

#[test]
fn all_is_well_only_when_nothing_is_wrong() {
    let model = on(Screen::Services, Caps::default());
    let wrong = problems::problems(&model);
    assert!(
        wrong[0].text.starts_with("edge"),
        "the worst first: {wrong:?}"
    );
    assert!(
        wrong.iter().any(|p| p.text.contains("validator-4")),
        "{wrong:?}"
    );
    assert!(
        wrong.iter().any(|p| p.text.contains("validator-5")),
        "late: {wrong:?}"
    );
    assert_ne!(problems::health(&model, &wrong).1, "all well");
}

#[test]
fn an_unused_modifier_does_not_leak() {
    // A row's ground is the theme's; nothing is underlined or blinks.
    let model = on(Screen::Services, caps(Depth::True, Charset::Unicode));
    let buf = draw(&model, (120, 36));
    assert!(buf.content.iter().all(|c| {
        !c.modifier
            .intersects(Modifier::UNDERLINED | Modifier::SLOW_BLINK | Modifier::RAPID_BLINK)
    }));
}
