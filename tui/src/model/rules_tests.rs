//! Each rule: what it finds, and that it is silent otherwise.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::Machine;
use crate::model::fixture::{NOW, at, block, busy, empty, mesh_node, node, service};
use crate::model::problems::{Rung, problems};
use crate::msg::{ChainNews, MeshNews, Msg, NodeNews};
use crate::theme::Caps;
use crate::update::update;

/// A console on a node where all is well.
fn well() -> Model {
    let mut model = empty(Caps::default());
    let mut node = node();
    node.version = env!("CARGO_PKG_VERSION").into();
    node.services = ServiceKind::ALL
        .into_iter()
        .map(|kind| service(kind, ServiceState::Ready))
        .collect();
    update(&mut model, Msg::Node(NodeNews::All(Box::new(node))));
    let mut other = mesh_node("validator-2", 2, NodeStatus::Active, 20);
    other.version = Some(env!("CARGO_PKG_VERSION").into());
    update(
        &mut model,
        Msg::Mesh(MeshNews::All {
            nodes: vec![other],
            links: Vec::new(),
        }),
    );
    update(
        &mut model,
        Msg::Chain(ChainNews::Recent(vec![block(12_408, 0)])),
    );
    for source in [Source::Node, Source::Ledger, Source::Mesh] {
        update(&mut model, Msg::Link(source, Link::Live));
    }
    model
}

fn found(rule: &dyn Rule, model: &Model) -> Vec<Problem> {
    let mut found = Vec::new();
    rule.look(model, &mut found);
    found
}

/// The rule finds one problem in `wrong` with all of `words`, and none where all is well.
#[track_caller]
fn finds(rule: &dyn Rule, wrong: &Model, tone: Tone, words: &[&str]) {
    assert_eq!(found(rule, &well()), [], "all is well");
    let found = found(rule, wrong);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].tone, tone);
    let said = format!(
        "{} {}",
        found[0].text,
        found[0].todo.as_deref().unwrap_or_default()
    );
    for word in words {
        assert!(said.contains(word), "no {word:?} in {said:?}");
    }
}

#[test]
fn nothing_is_wrong_where_all_is_well() {
    assert_eq!(problems(&well()), []);
}

#[test]
fn a_node_that_does_not_run_explains_the_rest() {
    let mut model = well();
    for source in [Source::Node, Source::Ledger, Source::Mesh] {
        update(&mut model, Msg::Link(source, Link::Absent { since: at(5) }));
    }
    finds(
        &Supervisor,
        &model,
        Tone::Bad,
        &["does not run", "tana start"],
    );
    assert_eq!(problems(&model).len(), 1);
}

#[test]
fn a_lost_supervisor_is_told_from_a_node_that_does_not_run() {
    let mut model = well();
    update(
        &mut model,
        Msg::Link(Source::Node, Link::Absent { since: at(5) }),
    );
    finds(
        &Supervisor,
        &model,
        Tone::Bad,
        &["run on", "takes the running services over"],
    );
}

#[test]
fn an_announced_end_is_said() {
    let mut model = well();
    update(&mut model, Msg::Node(NodeNews::Stopping));
    finds(&Stopping, &model, Tone::Warn, &["stops"]);
}

#[test]
fn a_failed_service_comes_with_its_hint_and_a_waiting_one_with_its_reason() {
    let mut model = well();
    let mut failed = service(ServiceKind::Edge, ServiceState::Failed);
    failed.why = Some("port 8180 is taken".into());
    failed.hint = Some("stop that process".into());
    update(&mut model, Msg::Node(NodeNews::Service(Box::new(failed))));
    finds(
        &Services,
        &model,
        Tone::Bad,
        &["edge", "8180", "stop that process"],
    );

    let mut model = well();
    let mut waits = service(ServiceKind::Producer, ServiceState::Waits);
    waits.why = Some("for ledger".into());
    update(&mut model, Msg::Node(NodeNews::Service(Box::new(waits))));
    finds(
        &Services,
        &model,
        Tone::Warn,
        &["producer waits for ledger"],
    );
}

#[test]
fn what_fails_because_the_ledger_does_is_not_to_be_restarted() {
    let told = |ledger| {
        let mut model = well();
        let mut producer = service(ServiceKind::Producer, ServiceState::Degraded);
        producer.why = Some("no word from the ledger: it does not answer".into());
        for one in [service(ServiceKind::Ledger, ledger), producer] {
            update(&mut model, Msg::Node(NodeNews::Service(Box::new(one))));
        }
        let all = found(&Services, &model);
        let producer = all.iter().find(|one| one.of == "service producer");
        producer.unwrap().todo.clone().unwrap()
    };
    for down in [ServiceState::Failed, ServiceState::Stopped] {
        assert!(told(down).contains("with the ledger"), "{}", told(down));
    }
    // Where the ledger is well, it is the producer that does not reach it.
    assert!(told(ServiceState::Ready).contains("restarts it"));
}

#[test]
fn a_silent_ledger_is_said_unless_its_service_explains_it() {
    let mut model = well();
    update(
        &mut model,
        Msg::Link(Source::Ledger, Link::Absent { since: at(9) }),
    );
    finds(&Silence, &model, Tone::Warn, &["no data from the ledger"]);
    let down = service(ServiceKind::Ledger, ServiceState::Failed);
    update(&mut model, Msg::Node(NodeNews::Service(Box::new(down))));
    assert_eq!(found(&Silence, &model), []);
}

#[test]
fn a_block_that_does_not_verify_is_the_operators_business() {
    let mut model = well();
    let verification = serde_json::from_value(serde_json::json!({
        "height": 12_400, "valid": false, "checks": [{"name": "stateRoot", "ok": false}]
    }));
    let news = ChainNews::Verified {
        height: 12_400,
        result: Ok(verification.unwrap()),
    };
    update(&mut model, Msg::Chain(news));
    finds(&Verification, &model, Tone::Bad, &["12 400", "restore"]);
}

#[test]
fn transactions_that_wait_without_a_block_are_noticed_by_the_clock_alone() {
    let mut model = well();
    update(&mut model, Msg::Chain(ChainNews::QueueLength(3)));
    assert_eq!(found(&Stalled, &model), [], "not yet");
    let due = model.next_deadline().unwrap();
    assert_eq!(due, model.clock.now.plus(STALLED_AFTER));
    model.clock.now = due;
    finds(&Stalled, &model, Tone::Bad, &["3 wait", "producer"]);
    update(
        &mut model,
        Msg::Chain(ChainNews::Block(Box::new(block(12_409, 3)))),
    );
    assert_eq!(found(&Stalled, &model), [], "a block came");
}

#[test]
fn a_queue_that_only_grows_is_told_from_one_that_is_long() {
    let mut model = well();
    for length in [100, 700, 600, 700, 800, 900] {
        update(&mut model, Msg::Chain(ChainNews::QueueLength(length)));
    }
    assert_eq!(found(&Growing, &model), [], "it shrank once");
    update(&mut model, Msg::Chain(ChainNews::QueueLength(1000)));
    update(&mut model, Msg::Chain(ChainNews::QueueLength(1100)));
    finds(&Growing, &model, Tone::Warn, &["1 100", "queueLimit"]);
}

#[test]
fn late_and_offline_nodes_are_told_apart() {
    let model = busy(Caps::default());
    let found = found(&Nodes, &model);
    let tones: Vec<_> = found.iter().map(|p| (p.of.as_str(), p.tone)).collect();
    assert_eq!(
        tones,
        [
            ("node validator-4", Tone::Bad),
            ("node validator-5", Tone::Warn)
        ]
    );
}

#[test]
fn a_time_from_the_future_is_a_clock_that_is_wrong() {
    let mut model = well();
    let mut ahead = mesh_node("validator-7", 7, NodeStatus::Active, 0);
    ahead.last_heartbeat = Some(Timestamp::from_ms(NOW + 34_000));
    model.mesh.nodes.insert(ahead.id.clone(), ahead);
    finds(&Clocks, &model, Tone::Warn, &["validator-7", "34 s", "NTP"]);
}

#[test]
fn a_clock_that_is_behind_is_told_by_times_that_came_fresh() {
    let mut model = well();
    let block_at = |model: &mut Model, height, behind: u64| {
        let mut block = block(height, 0);
        block.header.timestamp = Timestamp::from_ms(NOW - behind * 1000);
        update(model, Msg::Chain(ChainNews::Block(Box::new(block))));
    };
    block_at(&mut model, 12_409, 40);
    assert_eq!(found(&Clocks, &model), [], "one may have been on its way");
    block_at(&mut model, 12_410, 34);
    finds(&Clocks, &model, Tone::Warn, &["34 s behind", "NTP"]);
    block_at(&mut model, 12_412, 1);
    assert_eq!(found(&Clocks, &model), [], "a fresh one is right");
    for height in 12_300..12_310 {
        block_at(&mut model, height, 300);
    }
    assert_eq!(found(&Clocks, &model), [], "old blocks told again are old");
    // Heartbeats count alike.
    let mut node = mesh_node("validator-7", 7, NodeStatus::Active, 0);
    for ago in [55, 25] {
        node.last_heartbeat = Some(at(ago));
        let news = MeshNews::One(Box::new(node.clone()), crate::msg::Change::Heartbeat);
        update(&mut model, Msg::Mesh(news));
    }
    finds(&Clocks, &model, Tone::Warn, &["validator-7", "25 s behind"]);
    update(&mut model, Msg::Link(Source::Mesh, Link::Live));
    assert_eq!(
        found(&Clocks, &model),
        [],
        "a new stream may bring old news"
    );
}

#[test]
fn versions_are_compared_here_and_in_the_mesh() {
    let mut model = well();
    model.node.as_mut().unwrap().version = "0.0.9".into();
    for other in model.mesh.nodes.values_mut() {
        other.version = Some("0.0.9".into());
    }
    finds(&Versions, &model, Tone::Warn, &["0.0.9", "same build"]);
    let mut model = well();
    for other in model.mesh.nodes.values_mut() {
        other.version = Some("9.9.9".into());
    }
    finds(&Versions, &model, Tone::Warn, &["validator-2", "9.9.9"]);
}

#[test]
fn a_full_disk_is_worse_than_one_that_fills() {
    let mut model = well();
    let machine = |free| Machine {
        free_bytes: Some(free),
        ..Machine::default()
    };
    update(&mut model, Msg::Machine(machine(900 << 20)));
    finds(&Disk, &model, Tone::Warn, &["900 MiB", "make room"]);
    update(&mut model, Msg::Machine(machine(12 << 20)));
    finds(&Disk, &model, Tone::Bad, &["12 MiB"]);
}

#[test]
fn an_open_key_file_is_named_with_the_command_that_closes_it() {
    let mut model = well();
    let machine = Machine {
        open_keys: vec!["/home/t/node-key.json".into()],
        ..Machine::default()
    };
    update(&mut model, Msg::Machine(machine));
    finds(
        &KeyFiles,
        &model,
        Tone::Bad,
        &["chmod 600 /home/t/node-key.json"],
    );
}

#[test]
fn a_problem_rings_once_and_again_when_it_comes_back_much_later() {
    let bad = |text: &str| Problem::new(Tone::Bad, "x", text, Screen::Mesh);
    let warn = Problem::new(Tone::Warn, "y", "y", Screen::Mesh);
    let mut rung = Rung::default();
    let second = |s: u64| Timestamp::from_ms(NOW + s * 1000);
    assert_eq!(rung.news(&[], second(0)), [] as [String; 0]);
    assert_eq!(rung.news(&[bad("a"), warn.clone()], second(10)), ["a"]);
    assert_eq!(
        rung.news(&[bad("b")], second(11)),
        [] as [String; 0],
        "the same in other words"
    );
    assert_eq!(rung.news(&[], second(12)), [] as [String; 0]);
    assert_eq!(
        rung.news(&[bad("a")], second(30)),
        [] as [String; 0],
        "it flaps"
    );
    assert_eq!(rung.news(&[bad("a")], second(200)), ["a"]);
    let mut rung = Rung::default();
    assert_eq!(
        rung.news(&[bad("a")], second(0)),
        [] as [String; 0],
        "it was so when the console opened"
    );
}
