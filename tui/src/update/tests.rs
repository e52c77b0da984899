//! What messages do to the model and which effects they ask for.

#![allow(clippy::unwrap_used)]

mod contracts;
mod first;
mod queue;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tana_protocol::api::mesh::NodeStatus;
use tana_protocol::api::node::ServiceState;
use tana_protocol::message::Decision;
use tana_protocol::service::ServiceKind;

use super::{go, update};
use crate::effect::{Effect, Order, PhoneAnswer, Reach};
use crate::model::fixture::{
    at, block, busy, empty, mesh_node, node, service, session, session_event,
};
use crate::model::link::{Link, Source};
use crate::model::{Mode, Model, Overlay, Screen};
use crate::msg::{ChainNews, Change, MeshNews, Msg, NodeNews};
use crate::theme::Caps;

fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for key in keys.split(' ') {
        let code = match key {
            "Enter" => KeyCode::Enter,
            "Esc" => KeyCode::Esc,
            "Tab" => KeyCode::Tab,
            "Down" => KeyCode::Down,
            one => KeyCode::Char(one.chars().next().unwrap()),
        };
        effects.extend(update(
            model,
            Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)),
        ));
    }
    effects
}

fn typed(model: &mut Model, text: &str) {
    for c in text.chars() {
        update(
            model,
            Msg::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)),
        );
    }
}

#[test]
fn digits_tab_and_the_palette_go_to_screens() {
    let mut model = busy(Caps::default());
    for screen in Screen::ALL {
        press(&mut model, &screen.digit().to_string());
        assert_eq!(model.screen, screen);
        press(&mut model, ":");
        typed(&mut model, screen.name());
        press(&mut model, "Enter");
        assert_eq!(model.screen, screen, ":{}", screen.name());
        assert!(model.overlay.is_none());
    }
    press(&mut model, "1 Tab");
    assert_eq!(model.screen, Screen::Mesh);
}

#[test]
fn approving_asks_first_and_signs_for_the_key_that_was_shown() {
    let mut model = busy(Caps::default());
    press(&mut model, "3");
    assert!(
        press(&mut model, "a").is_empty(),
        "nothing happens before the answer"
    );
    assert!(
        matches!(&model.overlay, Some(Overlay::Ask { dialog, .. }) if dialog.title.contains("validator-3"))
    );
    let effects = press(&mut model, "y");
    let [
        Effect::Decide {
            node,
            key,
            decision,
            with,
            ..
        },
    ] = effects.as_slice()
    else {
        panic!("{effects:?}")
    };
    assert_eq!(
        (node.as_str(), *decision),
        ("validator-3", Decision::Approve)
    );
    assert_eq!(*with, crate::sign::With::File(None));
    assert_eq!(
        **key,
        mesh_node("validator-3", 3, NodeStatus::Pending, 0).public_key
    );
    assert!(model.overlay.is_none());
}

#[test]
fn denying_does_nothing_on_enter_alone() {
    let mut model = busy(Caps::default());
    press(&mut model, "3");
    assert!(
        press(&mut model, "d Enter").is_empty(),
        "the safe answer is the default"
    );
    assert!(press(&mut model, "d Esc").is_empty());
    assert!(press(&mut model, "d y Enter Esc").is_empty());
    let effects = press(&mut model, "d v a l i d a t o r - 3 Enter");
    assert!(
        matches!(
            effects.as_slice(),
            [Effect::Decide {
                decision: Decision::Deny,
                ..
            }]
        ),
        "{effects:?}"
    );
}

#[test]
fn a_registration_whose_signature_does_not_fit_cannot_be_approved() {
    let mut model = busy(Caps::default());
    let mut forged = mesh_node("intruder", 8, NodeStatus::Pending, 0);
    forged.tailscale_hostname = "elsewhere".into();
    update(
        &mut model,
        Msg::Mesh(MeshNews::All {
            nodes: vec![forged],
            links: Vec::new(),
        }),
    );
    press(&mut model, "3");
    assert!(press(&mut model, "a").is_empty());
    assert!(model.overlay.is_none(), "not even asked");
    assert!(model.notice.as_ref().unwrap().text.contains("signature"));
    press(&mut model, "d");
    assert!(model.overlay.is_some(), "but denied");
}

#[test]
fn a_new_registration_rings_once() {
    let mut model = busy(Caps::default());
    let new = mesh_node("validator-6", 6, NodeStatus::Pending, 0);
    let effects = update(
        &mut model,
        Msg::Mesh(MeshNews::One(Box::new(new.clone()), Change::Registered)),
    );
    assert!(
        matches!(effects.as_slice(), [Effect::Notify(text)] if text.contains("validator-6")),
        "{effects:?}"
    );
    let effects = update(
        &mut model,
        Msg::Mesh(MeshNews::One(Box::new(new), Change::Registered)),
    );
    assert!(effects.is_empty(), "{effects:?}");
    assert_eq!(model.mesh.pending().len(), 2);
}

#[test]
fn what_waited_before_the_console_opened_does_not_ring() {
    let mut model = empty(Caps::default());
    let nodes = vec![mesh_node("validator-6", 6, NodeStatus::Pending, 0)];
    assert!(
        update(
            &mut model,
            Msg::Mesh(MeshNews::All {
                nodes,
                links: Vec::new()
            })
        )
        .is_empty()
    );
}

#[test]
fn a_service_that_goes_down_rings_once() {
    let mut model = busy(Caps::default());
    // What is wrong when the console opens does not ring.
    model.clock.now = model.clock.now.plus(std::time::Duration::from_secs(10));
    let failed = service(ServiceKind::Ledger, ServiceState::Failed);
    let effects = update(
        &mut model,
        Msg::Node(NodeNews::Service(Box::new(failed.clone()))),
    );
    assert!(
        matches!(effects.as_slice(), [Effect::Notify(text)] if text.contains("ledger")),
        "{effects:?}"
    );
    assert!(update(&mut model, Msg::Node(NodeNews::Service(Box::new(failed)))).is_empty());
}

#[test]
fn stopping_a_service_names_it_and_the_consequence() {
    let mut model = busy(Caps::default());
    assert!(press(&mut model, "1 g x").is_empty());
    let Some(Overlay::Ask { dialog, .. }) = &model.overlay else {
        panic!()
    };
    assert!(dialog.title.contains("mesh") && dialog.body[0].contains("register"));
    assert!(press(&mut model, "Enter").is_empty());
    let effects = press(&mut model, "x y");
    assert_eq!(
        effects,
        [Effect::Service {
            name: ServiceKind::Mesh,
            order: Order::Stop
        }]
    );
    assert_eq!(
        press(&mut model, "r"),
        [Effect::Service {
            name: ServiceKind::Mesh,
            order: Order::Restart
        }]
    );
}

#[test]
fn without_a_node_the_one_thing_offered_is_to_start_it() {
    let mut model = empty(Caps::default());
    let since = model.clock.now;
    update(&mut model, Msg::Link(Source::Node, Link::Absent { since }));
    assert!(press(&mut model, "r").is_empty());
    assert_eq!(press(&mut model, "S"), [Effect::StartNode]);
}

#[test]
fn the_login_screen_makes_a_session_by_itself_and_once() {
    let mut model = busy(Caps::default());
    assert_eq!(press(&mut model, "7"), [Effect::NewSession]);
    update(&mut model, Msg::Login(session()));
    assert!(
        press(&mut model, "1 7").is_empty(),
        "the code is still good"
    );
    let effects = press(&mut model, "a");
    assert!(
        matches!(effects.as_slice(), [Effect::Phone { answer: PhoneAnswer::Approve { user }, .. }] if user == "alice"),
        "{effects:?}"
    );
    update(&mut model, session_event("approved", "approved"));
    assert_eq!(model.login.session().unwrap().status.as_str(), "approved");
    assert!(press(&mut model, "x").is_empty(), "no longer open");
    assert_eq!(press(&mut model, "n"), [Effect::NewSession]);
}

#[test]
fn a_code_expires_by_the_clock_and_the_model_asks_to_be_woken_then() {
    let mut model = busy(Caps::default());
    press(&mut model, "7");
    update(&mut model, Msg::Login(session()));
    let end = model.login.session().unwrap().created.expires_at;
    model.notice = None;
    let next = model.next_deadline().unwrap();
    assert!(next <= end && next > model.clock.now);
    model.clock.now = end;
    update(&mut model, Msg::Wake);
    assert_eq!(model.login.session().unwrap().status.as_str(), "expired");
}

#[test]
fn an_event_of_another_session_changes_nothing() {
    let mut model = busy(Caps::default());
    press(&mut model, "7");
    update(&mut model, Msg::Login(session()));
    let Msg::Login(crate::msg::LoginNews::Event(mut event)) = session_event("approved", "approved")
    else {
        panic!()
    };
    event.session_id = "sess_zzzzzzzzzzzzzzzz".parse().unwrap();
    update(&mut model, Msg::Login(crate::msg::LoginNews::Event(event)));
    assert_eq!(model.login.session().unwrap().status.as_str(), "waiting");
}

#[test]
fn an_idle_model_asks_for_no_tick() {
    let mut model = empty(Caps::default());
    update(&mut model, Msg::Node(NodeNews::All(Box::new(node()))));
    assert_eq!(model.next_deadline(), None);
}

#[test]
fn blocks_are_asked_for_one_at_a_time() {
    let mut model = busy(Caps::default());
    assert!(go(&mut model, Screen::Blocks).is_empty());
    let first = press(&mut model, "j");
    assert_eq!(first, [Effect::LoadBlock(12_407)]);
    assert!(press(&mut model, "j j").is_empty(), "one is on its way");
    let next = update(
        &mut model,
        Msg::Chain(ChainNews::Whole {
            height: 12_407,
            result: Err("no".into()),
        }),
    );
    assert_eq!(
        next,
        [Effect::LoadBlock(12_405)],
        "the one that is looked at now"
    );
}

#[test]
fn the_cursor_follows_new_blocks_only_on_the_newest() {
    let mut model = busy(Caps::default());
    go(&mut model, Screen::Blocks);
    update(
        &mut model,
        Msg::Chain(ChainNews::Block(Box::new(block(12_409, 1)))),
    );
    assert_eq!(model.blocks.height(), Some(12_409));
    press(&mut model, "j");
    update(
        &mut model,
        Msg::Chain(ChainNews::Block(Box::new(block(12_410, 1)))),
    );
    assert_eq!(model.blocks.height(), Some(12_408));
    press(&mut model, "n");
    assert_eq!(model.blocks.height(), Some(12_410));
}

#[test]
fn a_filter_is_live_and_escape_takes_it_away() {
    let mut model = busy(Caps::default());
    press(&mut model, "1 /");
    typed(&mut model, "ledg");
    assert_eq!(
        crate::features::services::model::keys(&model),
        [ServiceKind::Ledger, ServiceKind::Producer]
    );
    press(&mut model, "Enter");
    assert!(model.filter().is_some());
    press(&mut model, "Esc");
    assert_eq!(crate::features::services::model::keys(&model).len(), 6);
}

#[test]
fn effects_that_change_something_say_so() {
    assert_eq!(Effect::StartNode.reach(), Reach::Changes);
    assert_eq!(Effect::NewSession.reach(), Reach::Changes);
    assert_eq!(Effect::LoadLinks.reach(), Reach::Reads);
    assert_eq!(Effect::Copy(String::new()).reach(), Reach::Local);
}

#[test]
fn a_read_only_console_does_not_even_ask() {
    let mut model = busy(Caps::default());
    model.mode = Mode::ReadOnly;
    press(&mut model, "3");
    assert!(press(&mut model, "a").is_empty() && model.overlay.is_none());
    assert!(press(&mut model, "7").is_empty(), "no session is made");
}

#[test]
fn a_lost_connection_keeps_what_was_known_and_says_since_when() {
    let mut model = busy(Caps::default());
    let lost = Link::Lost {
        since: at(60),
        why: "broken pipe".into(),
    };
    update(&mut model, Msg::Link(Source::Ledger, lost));
    assert_eq!(model.links.silent_since(Source::Ledger), Some(at(60)));
    let later = Link::Absent { since: at(1) };
    update(&mut model, Msg::Link(Source::Ledger, later));
    assert_eq!(
        model.links.silent_since(Source::Ledger),
        Some(at(60)),
        "the time since when stays"
    );
    assert!(!model.blocks.list.is_empty());
    update(&mut model, Msg::Link(Source::Ledger, Link::Live));
    assert_eq!(model.links.silent_since(Source::Ledger), None);
}

#[test]
fn a_killed_supervisor_is_told_apart_from_a_node_that_does_not_run() {
    let mut model = busy(Caps::default());
    let since = model.clock.now;
    update(&mut model, Msg::Link(Source::Node, Link::Absent { since }));
    let wrong = crate::model::problems::problems(&model);
    assert!(wrong[0].text.contains("supervisor"), "{wrong:?}");
    assert!(
        !wrong.iter().any(|p| p.text.starts_with("edge")),
        "what it said last is not what is: {wrong:?}"
    );
    for source in [Source::Ledger, Source::Mesh] {
        update(&mut model, Msg::Link(source, Link::Absent { since }));
    }
    let wrong = crate::model::problems::problems(&model);
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].text.contains("node does not run"), "{wrong:?}");
}

#[test]
fn what_another_terminal_did_to_the_keys_is_taken() {
    let mut model = busy(Caps::default());
    let before = model.here.clone();
    let keys = crate::model::Keys {
        sovereign: before.sovereign,
        sealed: !before.sealed,
        users: vec!["carol".to_owned()],
    };
    update(&mut model, Msg::Keys(keys));
    assert_eq!(model.here.sealed, !before.sealed);
    assert_eq!(model.here.users, ["carol"]);
    assert!(
        press(&mut model, "3").contains(&Effect::LoadAgent),
        "keys are read anew where they sign"
    );
}

#[test]
fn the_key_for_decisions_leads_there_and_else_names_the_one_for_what_is_wrong() {
    let mut model = busy(Caps::default());
    press(&mut model, "!");
    assert_eq!(model.screen, Screen::Approvals);
    let mut model = empty(Caps::default());
    press(&mut model, "!");
    assert_eq!(model.screen, Screen::Services);
    let said = |model: &Model| model.notice.clone().unwrap().text;
    assert!(said(&model).starts_with("no node waits for your decision"));
    let mut failed = service(ServiceKind::Ledger, ServiceState::Failed);
    failed.why = Some("its disk is full".to_owned());
    let mut with_one_failed = node();
    with_one_failed.services = vec![failed];
    update(
        &mut model,
        Msg::Node(NodeNews::All(Box::new(with_one_failed))),
    );
    press(&mut model, "!");
    assert!(said(&model).contains("p lists"), "{}", said(&model));
}

#[test]
fn what_turns_or_asks_is_told_apart_from_what_counts_on() {
    let mut model = busy(Caps::default());
    model.turned = false;
    let mut reading = service(ServiceKind::Ledger, ServiceState::Ready);
    reading.cpu_permille = Some(77);
    update(&mut model, Msg::Node(NodeNews::Service(Box::new(reading))));
    assert!(!model.turned, "a reading");
    let failed = service(ServiceKind::Ledger, ServiceState::Failed);
    update(&mut model, Msg::Node(NodeNews::Service(Box::new(failed))));
    assert!(std::mem::take(&mut model.turned), "a service that failed");
    let asks = mesh_node("validator-9", 9, NodeStatus::Pending, 0);
    let asks = MeshNews::One(Box::new(asks), Change::Registered);
    update(&mut model, Msg::Mesh(asks));
    assert!(model.turned, "a node that asks");
}

#[test]
fn of_several_blocks_in_some_seconds_the_newest_is_read_once() {
    let mut model = busy(Caps::default());
    press(&mut model, "4");
    let mut asked = 0;
    let tip = model.blocks.newest().unwrap().header.height;
    for n in 1..=80 {
        model.clock.now = model.clock.now.plus(std::time::Duration::from_millis(100));
        let new = Box::new(block(tip + n, 1));
        for effect in update(&mut model, Msg::Chain(ChainNews::Block(new))) {
            if let Effect::LoadBlock(height) = effect {
                asked += 1;
                let result = Err("no answer".to_owned());
                update(&mut model, Msg::Chain(ChainNews::Whole { height, result }));
            }
        }
    }
    assert!((2..=4).contains(&asked), "{asked} in eight seconds");
    // The last of them is read too, when its time has come.
    let later = model.clock.now.plus(std::time::Duration::from_secs(3));
    assert!(model.next_deadline().is_some_and(|due| due <= later));
    model.clock.now = later;
    let effects = update(&mut model, Msg::Wake);
    assert_eq!(effects, [Effect::LoadBlock(tip + 80)]);
}
