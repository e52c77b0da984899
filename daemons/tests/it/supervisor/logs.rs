//! Logs of services: kept, filtered, followed, rotated.

use std::fs;

use nix::sys::signal::Signal;
use tana_client::{LogQuery, NodeEvent, StreamItem};
use tana_protocol::ServiceKind;
use tana_protocol::api::node::{LogLevel, ServiceState};

use super::home::{LONG, TestNode, signal};

#[tokio::test]
async fn logs_are_kept_filtered_and_followed() {
    let mut node = TestNode::new("coordinator");
    node.start().await;
    let mesh = node
        .until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    let mode = fs::metadata(node.log(ServiceKind::Mesh)).unwrap();
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777,
        0o600
    );
    let query = LogQuery {
        tail: None,
        filter: Some("LISTENING on".into()),
    };
    let lines = node
        .until("the service to say that it listens", async |node| {
            let lines = node.client.logs(Some(ServiceKind::Mesh), &query).await;
            Some(lines.unwrap()).filter(|lines| !lines.is_empty())
        })
        .await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(
        (lines[0].level, lines[0].service),
        (LogLevel::Info, ServiceKind::Mesh)
    );

    let mut follow = node.client.follow_logs(None, &query);
    let mut next = async || loop {
        let item = tokio::time::timeout(LONG, follow.next()).await.unwrap();
        if let Some(StreamItem::Event(NodeEvent::Log(line))) = item {
            return line;
        }
    };
    assert_eq!(next().await, lines[0]);
    // What is written while no supervisor runs is not lost either, and comes once.
    signal(mesh.pid.unwrap(), Signal::SIGKILL);
    let second = next().await;
    assert!(second.at > lines[0].at);
    node.kill_supervisor();
    let log = fs::OpenOptions::new()
        .append(true)
        .open(node.log(ServiceKind::Mesh))
        .unwrap();
    let orphan = "2099-01-01T00:00:00.000Z INFO listening on its own\n";
    std::io::Write::write_all(&mut &log, orphan.as_bytes()).unwrap();
    node.start().await;
    assert_eq!(next().await.text, "listening on its own");
}

#[tokio::test]
async fn a_service_rotates_its_log_and_loses_no_line() {
    let mut node = TestNode::new("coordinator");
    let log = node.log(ServiceKind::Mesh);
    let filler = "2026-01-01T00:00:00.000Z INFO filler\n";
    let count = usize::try_from(tana_kit::telemetry::ROTATE_BYTES).unwrap() / filler.len() + 1;
    fs::write(&log, filler.repeat(count)).unwrap();
    node.start().await;
    node.until_state(ServiceKind::Mesh, ServiceState::Ready)
        .await;
    let rotated = tana_kit::telemetry::numbered(&log, 1);
    let present = node
        .until("the service to say that it listens", async |_| {
            let present = fs::read_to_string(&log).ok()?;
            present.contains("listening on").then_some(present)
        })
        .await;
    assert!(present.len() < 100_000, "{} bytes", present.len());
    assert!(fs::read_to_string(&rotated).unwrap().starts_with(filler));
    // The history reaches into the rotated file.
    let query = LogQuery {
        tail: Some(500),
        filter: None,
    };
    let lines = node
        .client
        .logs(Some(ServiceKind::Mesh), &query)
        .await
        .unwrap();
    assert_eq!(lines.len(), 500);
    assert_eq!(lines[0].text, "filler");
    assert!(lines.iter().any(|line| line.text.contains("listening on")));
    // The supervisor goes on with the new file.
    node.until("a last line of the new file", async |node| {
        let last = node.service(ServiceKind::Mesh).await.last_line;
        last.filter(|line| line != "filler")
    })
    .await;
}
