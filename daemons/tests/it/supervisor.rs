//! The supervisor with real processes: start, crash, adoption, stop, logs, taken ports.

mod home;
mod logs;

use std::fs;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tana_client::{NodeEvent, StreamItem};
use tana_protocol::ServiceKind;
use tana_protocol::api::mesh::NodeStatus;
use tana_protocol::api::node::ServiceState;

use self::home::{LONG, TestNode, signal};

#[tokio::test]
async fn a_killed_service_is_back_within_two_seconds_and_says_how_it_ended() {
    let mut node = TestNode::new("coordinator");
    node.start().await;
    let before = node
        .until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    assert_eq!(before.restarts, 0);
    assert_eq!(before.port, Some(8190 + node.offset));
    let mut events = node.client.events();
    assert!(matches!(events.next().await, Some(StreamItem::Connected)));

    signal(before.pid.unwrap(), Signal::SIGKILL);
    let killed = Instant::now();
    let mut states = Vec::new();
    let back = loop {
        let item = tokio::time::timeout(LONG, events.next()).await.unwrap();
        if let Some(StreamItem::Event(NodeEvent::Service(view))) = item {
            states.push(view.state);
            if view.state == ServiceState::Ready && view.pid != before.pid {
                break view;
            }
        }
    };
    assert!(killed.elapsed() < Duration::from_secs(2), "{states:?}");
    assert!(states.contains(&ServiceState::Failed), "{states:?}");
    assert_eq!(back.restarts, 1);
    assert_eq!(back.last_exit.as_deref(), Some("killed by SIGKILL"));
    assert_eq!(back.why, None);
}

#[tokio::test]
async fn a_service_that_hangs_is_ended_and_started_anew() {
    let mut node = TestNode::new("validator");
    let config = node.home().join("config.json");
    fs::write(config, r#"{"hangLimitMs": 1000}"#).unwrap();
    node.start().await;
    let before = node
        .until_state(ServiceKind::T4, ServiceState::Ready)
        .await
        .pid
        .unwrap();
    // It is there, and does nothing any more.
    let pid = Pid::from_raw(before.try_into().unwrap());
    kill(pid, Signal::SIGSTOP).unwrap();
    let after = node
        .until("another process", async |node| {
            let view = node.service(ServiceKind::T4).await;
            let other = view.pid.is_some_and(|pid| pid != before);
            (other && view.state == ServiceState::Ready).then_some(view)
        })
        .await;
    assert_eq!(after.restarts, 1);
    let log = fs::read_to_string(node.log(ServiceKind::T4)).unwrap();
    assert!(log.contains("it ran and answered nothing for"), "{log}");
}

#[tokio::test]
async fn a_killed_supervisor_hurts_no_service_and_the_next_one_takes_over() {
    let mut node = TestNode::new("coordinator");
    node.start().await;
    let before = node
        .until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    node.kill_supervisor();
    assert!(node.mesh().health().await.is_ok(), "the mesh went with it");

    node.start().await;
    let after = node
        .until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    assert_eq!(after.pid, before.pid);
    assert_eq!(after.started_at, before.started_at);
    assert_eq!(after.restarts, 0);

    // The end of a process that another supervisor started is noticed as well.
    signal(after.pid.unwrap(), Signal::SIGKILL);
    let back = node
        .until("the mesh to be back", async |node| {
            let service = node.service(ServiceKind::Mesh).await;
            (service.state == ServiceState::Ready && service.pid != after.pid).then_some(service)
        })
        .await;
    assert_eq!(back.restarts, 1);

    // Without the file the process is found by its environment.
    node.kill_supervisor();
    fs::remove_file(node.home().join("data/node-state.json")).unwrap();
    node.start().await;
    let found = node
        .until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    assert_eq!(found.pid, back.pid);
}

#[tokio::test]
async fn stop_leaves_nothing_behind() {
    for how in ["request", "signal"] {
        let mut node = TestNode::new("coordinator");
        node.start().await;
        node.until_state(ServiceKind::Mesh, ServiceState::Ready)
            .await;
        if how == "request" {
            node.client.stop_node().await.unwrap();
        } else {
            signal(node.supervisor_pid(), Signal::SIGTERM);
        }
        let status = node.supervisor.take().unwrap().wait().unwrap();
        assert!(status.success(), "{how}: {status}");
        assert_eq!(node.processes(), Vec::<u32>::new(), "{how}");
        assert!(!node.home().join("node.sock").exists());
        assert!(!node.home().join("data/node-state.json").exists());
    }
}

#[tokio::test]
async fn an_operator_stops_starts_and_restarts_a_service() {
    let mut node = TestNode::new("coordinator");
    node.start().await;
    let first = node
        .until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    node.client.stop(ServiceKind::Mesh).await.unwrap();
    let stopped = node
        .until_state(ServiceKind::Mesh, ServiceState::Stopped)
        .await;
    assert_eq!((stopped.pid, stopped.restarts), (None, 0));
    let again = node.client.stop(ServiceKind::Mesh).await.unwrap_err();
    assert!(again.to_string().contains("stopped already"), "{again}");
    node.client.start(ServiceKind::Mesh).await.unwrap();
    let second = node
        .until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    assert_ne!(first.pid, second.pid);
    node.client.restart(ServiceKind::Mesh).await.unwrap();
    let third = node
        .until("another process", async |node| {
            let service = node.service(ServiceKind::Mesh).await;
            (service.state == ServiceState::Ready && service.pid != second.pid).then_some(service)
        })
        .await;
    assert_eq!(third.restarts, 0, "an operator's restart is no crash");
    let other = node.client.start(ServiceKind::Edge).await.unwrap_err();
    assert!(other.to_string().contains("coordinator"), "{other}");
}

#[tokio::test]
async fn a_taken_port_names_its_holder_and_what_to_do_and_is_tried_again() {
    let mut node = TestNode::new("coordinator");
    let port = ServiceKind::Mesh.default_port() + node.offset;
    let holder = TcpListener::bind(("127.0.0.1", port)).unwrap();
    node.start().await;
    let failed = node
        .until_state(ServiceKind::Mesh, ServiceState::Failed)
        .await;
    let comm = fs::read_to_string("/proc/self/comm").unwrap();
    let why = format!(
        "port {port} is taken by {} (pid {})",
        comm.trim(),
        std::process::id()
    );
    assert_eq!(failed.why.as_deref(), Some(why.as_str()));
    let hint = failed.hint.unwrap();
    assert!(
        hint.contains("MESH_PORT=") && hint.contains("config.json"),
        "{hint}"
    );
    assert!(failed.next_try.is_some());
    assert_eq!(failed.port, Some(port));
    let line = node
        .until("the log to say so", async |node| {
            node.service(ServiceKind::Mesh).await.last_line
        })
        .await;
    assert_eq!(line, why);

    drop(holder);
    node.until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
}

#[tokio::test]
async fn a_corrected_setting_works_with_the_next_try() {
    let mut node = TestNode::new("coordinator");
    let port = ServiceKind::Mesh.default_port() + node.offset;
    let _holder = TcpListener::bind(("127.0.0.1", port)).unwrap();
    node.start().await;
    node.until_state(ServiceKind::Mesh, ServiceState::Failed)
        .await;
    let config = node.home().join("config.json");
    fs::write(&config, r#"{"meshPort": "x"}"#).unwrap();
    let why = node
        .until("the bad setting to be named", async |node| {
            let why = node.service(ServiceKind::Mesh).await.why?;
            why.contains("meshPort").then_some(why)
        })
        .await;
    assert!(why.contains("config.json"), "{why}");
    fs::write(&config, format!(r#"{{"meshPort": {}}}"#, 8190 + 7)).unwrap();
    let ready = node
        .until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    assert_eq!(ready.port, Some(port + 7));
}

#[tokio::test]
async fn the_node_registers_and_is_approved_without_hands() {
    let mut node = TestNode::new("coordinator");
    node.start().await;
    node.until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    let id = "validator-1".parse().unwrap();
    let member = node
        .until("the node to be active and heard of", async |node| {
            let member = node.mesh().node(&id).await.ok()?;
            let heard = member.last_heartbeat.is_some();
            (member.status == NodeStatus::Active && heard).then_some(member)
        })
        .await;
    member.verify_registration().unwrap();
    assert_eq!(member.services.len(), 1);
}

#[tokio::test]
async fn one_supervisor_a_home() {
    let mut node = TestNode::new("coordinator");
    node.start().await;
    let second = node.command().output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    let pid = node.supervisor_pid().to_string();
    assert!(said.contains(&pid) && said.contains("tana stop"), "{said}");
    // The first one is unharmed.
    node.until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
}

#[tokio::test]
async fn a_bad_setting_is_one_clear_sentence() {
    let node = TestNode::new("coordinator");
    fs::write(node.home().join("config.json"), r#"{"meshPrt": 1}"#).unwrap();
    let ran = node.command().output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let said = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("config.json") && said.contains("meshPort"),
        "{said}"
    );
}

#[tokio::test]
async fn an_idle_node_sends_no_events() {
    let mut node = TestNode::new("coordinator");
    node.start().await;
    node.until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    let id = "validator-1".parse().unwrap();
    node.until("the node to be a member", async |node| {
        let member = node.mesh().node(&id).await.ok()?;
        member.last_heartbeat.is_some().then_some(())
    })
    .await;
    let mut events = node.client.events();
    assert!(matches!(events.next().await, Some(StreamItem::Connected)));
    // What the start has left to tell comes first; then two rounds of looking at the services are silent.
    let silence = async {
        while tokio::time::timeout(Duration::from_secs(11), events.next())
            .await
            .is_ok()
        {}
    };
    tokio::time::timeout(LONG, silence).await.unwrap();
}

#[tokio::test]
async fn services_start_in_order_and_stop_in_reverse() {
    let mut node = TestNode::new("validator");
    node.start().await;
    node.until_state(ServiceKind::Producer, ServiceState::Ready)
        .await;
    let services = node.client.services().await.unwrap();
    let names: Vec<ServiceKind> = services.iter().map(|service| service.name).collect();
    let order = [ServiceKind::Ledger, ServiceKind::T4, ServiceKind::Producer];
    assert_eq!(names, order);
    for pair in services.windows(2) {
        // Each was started once the one before it was ready.
        assert!(pair[0].since <= pair[1].started_at.unwrap(), "{pair:#?}");
    }
    node.client.stop_node().await.unwrap();
    let status = node.supervisor.take().unwrap().wait().unwrap();
    assert!(status.success());
    let ended = order.map(|kind| {
        let log = fs::read_to_string(node.log(kind)).unwrap();
        let (at, _, text) = tana_kit::telemetry::parse(log.lines().last().unwrap()).unwrap();
        assert_eq!(text, "stopped", "{kind}");
        at
    });
    assert!(ended[0] >= ended[1] && ended[1] >= ended[2], "{ended:?}");
    assert_eq!(node.processes(), Vec::<u32>::new());
}
