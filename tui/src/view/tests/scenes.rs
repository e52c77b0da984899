//! What lies within or over a screen: the playground, the first run, the dialogs.

use tana_protocol::api::mesh::{Link, NodeStatus};
use tana_protocol::decision::DecisionCode;

use super::{caps, draw, on, pictures, text};
use crate::draft::{Draft, TEMPLATE};
use crate::effect::Effect;
use crate::features::approvals::model::Scan;
use crate::features::contracts::playground::Typing;
use crate::features::contracts::update::edit_now;
use crate::features::first;
use crate::features::first::model::{Done, Step};
use crate::keys::Action;
use crate::model::fixture::{empty, mesh_node, ran};
use crate::model::{Model, Overlay, Screen};
use crate::msg::{Change, DraftNews, LoginNews, MeshNews, Msg};
use crate::theme::{Caps, Charset, Depth};
use crate::update::{act, update};

/// A contract in the playground, as it was typed or after a run.
pub(crate) fn playground(caps: Caps, typing: Typing) -> Model {
    let mut model = on(Screen::Contracts, caps);
    edit_now(
        &mut model,
        Draft {
            name: "counter".into(),
            version: Some("0.2.0".into()),
            description: None,
            file: Some("counter/contract.ts".into()),
            source: TEMPLATE.into(),
        },
    );
    let playground = model.contracts.playground.as_mut().unwrap();
    playground.typing = typing;
    if typing == Typing::Off {
        let source = playground.source();
        let result = Ok(Box::new(ran()));
        update(&mut model, Msg::Draft(DraftNews::Ran { source, result }));
    }
    model
}

#[test]
fn the_playground_while_one_types_and_after_a_run() {
    pictures("playground-typing", |caps| playground(caps, Typing::On));
    pictures("playground-ran", |caps| playground(caps, Typing::Off));
}

#[test]
fn a_source_with_the_whole_screen() {
    pictures("source", |caps| {
        let mut model = on(Screen::Contracts, caps);
        let id = crate::features::contracts::model::selected(&model)
            .unwrap()
            .id;
        let result = Ok(TEMPLATE.to_owned());
        update(&mut model, Msg::Draft(DraftNews::Source { id, result }));
        act(&mut model, Action::Open);
        model
    });
}

#[test]
fn questions_about_contracts_and_letters() {
    pictures("dialog-deploy", |caps| {
        let mut model = playground(caps, Typing::Off);
        act(&mut model, Action::DeployContract);
        model
    });
    pictures("dialog-drop", |caps| {
        let mut model = on(Screen::Queue, caps);
        act(&mut model, Action::DropLetter);
        model
    });
    pictures("ask-input", |caps| {
        let mut model = playground(caps, Typing::Off);
        act(&mut model, Action::RunInput);
        model
    });
}

fn first_run(caps: Caps, step: Step) -> Model {
    let mut model = empty(caps);
    model.here.chain = None;
    let mut first = first::Model::default();
    first.secret.paste("open sesame");
    first.step = step;
    model.first = Some(first);
    model
}

#[test]
fn the_first_run_step_by_step() {
    for (name, step) in [
        ("offer", Step::Offer),
        ("name", Step::Name),
        ("role", Step::Role),
        ("ports", Step::Ports),
        ("keys", Step::Keys),
        ("summary", Step::Summary),
        ("making", Step::Making(vec![Done::Made])),
        (
            "failed",
            Step::Failed(
                vec![Done::Made, Done::Sealed],
                "port 8180 is taken by nginx (pid 4121)".into(),
            ),
        ),
    ] {
        pictures(&format!("first-{name}"), |caps| {
            first_run(caps, step.clone())
        });
    }
    let shown = text(&draw(&first_run(Caps::default(), Step::Keys), (80, 24)));
    assert!(!shown.contains("sesame"), "a passphrase is not shown");
}

fn scanned(caps: Caps) -> Model {
    let mut model = on(Screen::Approvals, caps);
    // The last of the signers is a phone.
    model.approvals.signer = crate::features::approvals::model::signers(&model).len() - 1;
    act(&mut model, Action::Approve);
    let key = crossterm::event::KeyEvent::from(crossterm::event::KeyCode::Char('y'));
    let effects = update(&mut model, Msg::Key(key));
    assert!(
        effects.is_empty(),
        "the phone decides, not this console: {effects:?}"
    );
    model
}

#[test]
fn a_phone_reads_from_the_screen_exactly_what_it_is_to_sign() {
    pictures("scan", scanned);
    for (size, rich) in [((80, 24), false), ((120, 50), true), ((200, 50), true)] {
        for depth in [Depth::True, Depth::Ansi16, Depth::None] {
            let model = scanned(caps(depth, Charset::Unicode));
            let read = crate::widgets::qr::tests::decode(&draw(&model, size), false);
            assert_eq!(read.len(), 1, "{size:?} {depth:?}");
            assert_eq!(read[0].starts_with('{'), rich, "{size:?}: {}", read[0]);
            let code: DecisionCode = read[0].parse().unwrap();
            let node = model
                .mesh
                .nodes
                .values()
                .find(|n| n.id == code.node_id)
                .unwrap();
            assert_eq!(code.node_key, node.public_key);
            assert_eq!(code.at, model.clock.now);
            assert_eq!(code.server.as_str(), "http://127.0.0.1:8190/");
        }
    }
}

#[test]
fn a_code_is_renewed_before_the_mesh_refuses_it_and_gone_when_the_node_is_decided_on() {
    let mut model = scanned(Caps::default());
    let due = model.next_deadline().unwrap();
    assert!(due.since(model.clock.now) <= Scan::FRESH);
    model.clock.now = model.clock.now.plus(Scan::FRESH);
    update(&mut model, Msg::Wake);
    let Some(Overlay::Scan(scan)) = &model.overlay else {
        panic!("{:?}", model.overlay)
    };
    assert_eq!(scan.at, model.clock.now);
    let node = mesh_node("validator-3", 3, NodeStatus::Active, 0);
    let news = MeshNews::One(Box::new(node), Change::Decided);
    update(&mut model, Msg::Mesh(news));
    assert!(model.overlay.is_none());
    assert!(model.notice.as_ref().unwrap().text.contains("decided on"));
}

/// A mesh of so many nodes in three regions, each of which reaches all others; one is offline.
fn meshed(caps: Caps, count: u8) -> Model {
    let mut model = on(Screen::Mesh, caps);
    let name = |n: u8| format!("validator-{n}");
    let nodes: Vec<_> = (1..=count)
        .map(|n| {
            let status = if n == 5 {
                NodeStatus::Offline
            } else {
                NodeStatus::Active
            };
            let mut node = mesh_node(&name(n), n, status, u64::from(n));
            node.region = Some(["fra", "nyc", "sgp"][usize::from(n % 3)].into());
            node
        })
        .collect();
    let links = (1..=count)
        .flat_map(|a| (1..=count).map(move |b| (a, b)))
        .filter(|(a, b)| a != b)
        .map(|(a, b)| Link {
            from: name(a).parse().unwrap(),
            to: name(b).parse().unwrap(),
            latency_ms: 5 + u32::from(a.abs_diff(b)) * 7 % 190,
            at: model.clock.now,
        })
        .collect();
    update(&mut model, Msg::Mesh(MeshNews::All { nodes, links }));
    model
}

#[test]
fn a_mesh_of_any_size_is_a_picture_or_a_table_that_can_be_read() {
    for count in [3, 7, 30, 60, 61] {
        pictures(&format!("mesh-of-{count}"), |caps| meshed(caps, count));
    }
    let shown = text(&draw(&meshed(Caps::default(), 60), (200, 50)));
    for n in 1..=60 {
        assert!(shown.contains(&format!("validator-{n} ")), "{n}: {shown}");
    }
    assert!(shown.contains("round trips of validator-1"), "{shown}");
}

/// Approvals with what a phone is asked; the text of the second says otherwise than the request.
fn asked(caps: Caps) -> Model {
    let mut model = on(Screen::Approvals, caps);
    let requests = Ok(crate::model::fixture::requests());
    update(&mut model, Msg::Login(LoginNews::Requests(requests)));
    act(&mut model, Action::Down);
    model
}

#[test]
fn what_phones_are_asked_stands_beside_the_nodes_and_is_read_here() {
    pictures("approvals-request", asked);
    let mut model = asked(Caps::default());
    let shown = text(&draw(&model, (120, 36)));
    assert!(
        shown.contains("as asked") && shown.contains("differs"),
        "{shown}"
    );
    assert!(act(&mut model, Action::Approve).is_empty() && model.overlay.is_none());
    assert!(
        model
            .notice
            .as_ref()
            .unwrap()
            .text
            .contains("phone decides")
    );
}

#[test]
fn requests_are_asked_for_while_one_looks_and_those_that_ended_are_gone() {
    let mut model = asked(Caps::default());
    let later = model.clock.now.plus(crate::features::approvals::model::ASK);
    assert_eq!(model.next_deadline().map(|at| at <= later), Some(true));
    model.clock.now = later;
    assert_eq!(update(&mut model, Msg::Wake), [Effect::LoadRequests]);
    assert!(update(&mut model, Msg::Wake).is_empty(), "once");
    crate::update::go(&mut model, Screen::Mesh);
    model.clock.now = later.plus(std::time::Duration::from_secs(3600));
    assert!(
        !update(&mut model, Msg::Wake).contains(&Effect::LoadRequests),
        "nobody looks"
    );
    assert_eq!(crate::features::approvals::model::keys(&model).len(), 1);
}
