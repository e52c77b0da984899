//! The node as its operator sees it: start, health, cost, crashes, stop.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::binary;
use crate::http;
use crate::node::{Node, SERVICES, Service};
use crate::process;
use crate::sockets;
use crate::wait::{LONG, until, until_true};

fn by_name(services: Vec<Service>) -> BTreeMap<String, Service> {
    services
        .into_iter()
        .map(|service| (service.name.clone(), service))
        .collect()
}

#[test]
fn every_service_is_healthy_within_three_seconds_of_start() {
    let node = Node::with_chain();
    // The best of three: a start reads the programs from disk, and other tests may be busy.
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        let start = Instant::now();
        node.start();
        fastest = fastest.min(start.elapsed());
        node.tana(&["stop"]).ok();
    }
    assert!(
        fastest < Duration::from_secs(3),
        "the fastest of three starts took {fastest:?}"
    );
}

#[test]
fn an_idle_node_costs_little() {
    let node = Node::running();
    let services = node.services().unwrap();
    for service in services.iter().filter(|service| service.name != "edge") {
        let mib = process::resident_mib(service.pid.unwrap());
        assert!(mib < 40.0, "{} has {mib:.1} MiB resident", service.name);
    }
    let pids: Vec<_> = services
        .iter()
        .map(|service| service.pid.unwrap())
        .chain([node.supervisor()])
        .collect();
    let cpu = || pids.iter().map(|pid| process::cpu(*pid)).sum::<Duration>();
    // The seconds after a start are not idle ones: the first window under one percent is the proof, the last one fails.
    until(
        "a window of ten seconds under one percent of a core",
        LONG,
        || {
            let (before, start) = (cpu(), Instant::now());
            until_true("ten seconds", Duration::from_secs(20), || {
                start.elapsed() >= Duration::from_secs(10)
            });
            let (used, passed) = (cpu() - before, start.elapsed());
            if used.as_secs_f64() < passed.as_secs_f64() * 0.01 {
                Ok(())
            } else {
                Err(format!("{used:?} of CPU in {passed:?}"))
            }
        },
    );
}

#[test]
fn a_killed_service_is_back_within_two_seconds_and_nothing_is_lost() {
    let node = Node::running();
    node.user("alice");
    node.tana(&["deposit", "alice", "10", "USD", "--wait"]).ok();
    for name in SERVICES {
        let before = node.service(name).unwrap();
        let pid = before.pid.unwrap();
        process::signal(pid, Signal::SIGKILL);
        let (after, took) = until(&format!("{name} to be back"), LONG, || {
            let service = node.service(name)?;
            if service.state == "ready" && service.pid.is_some_and(|new| new != pid) {
                Ok(service)
            } else {
                Err(format!("{service:?}"))
            }
        });
        assert!(
            took < Duration::from_secs(2),
            "{name} was back after {took:?}"
        );
        assert_eq!(
            after.restarts,
            before.restarts + 1,
            "{name} counts its restart"
        );
        node.until_ready();
    }
    assert_eq!(node.balance("alice", "USD"), "10.00");
    node.tana(&["deposit", "alice", "1", "USD", "--wait"]).ok();
    node.tana(&["verify", "--all"]).ok();
}

#[test]
fn a_killed_supervisor_leaves_the_services_running_and_the_next_takes_them_over() {
    let node = Node::running();
    let before = by_name(node.services().unwrap());
    let supervisor = node.supervisor();
    process::signal(supervisor, Signal::SIGKILL);
    until_true("the supervisor to be gone", LONG, || {
        !process::alive(supervisor)
    });
    for service in before.values() {
        assert!(
            process::alive(service.pid.unwrap()),
            "{} died with the supervisor",
            service.name
        );
    }
    node.start();
    assert_ne!(node.supervisor(), supervisor);
    for (name, service) in by_name(node.services().unwrap()) {
        assert_eq!(
            service.pid, before[&name].pid,
            "{name} was taken over, not started again"
        );
    }
    node.tana(&["stop"]).ok();
    assert!(
        process::of_home(node.home()).is_empty(),
        "stop ends what was taken over too"
    );
}

#[test]
fn stop_leaves_no_process_and_start_finds_everything_again() {
    let node = Node::running();
    node.user("alice");
    node.tana(&["deposit", "alice", "10", "USD", "--wait"]).ok();
    node.tana(&["stop"]).ok();
    let left = process::of_home(node.home());
    assert!(left.is_empty(), "still running: {left:?}");
    node.start();
    assert_eq!(node.balance("alice", "USD"), "10.00");
    node.tana(&["verify", "--all"]).ok();
}

#[test]
fn a_second_start_says_that_the_node_runs() {
    let node = Node::running();
    let before = by_name(node.services().unwrap());
    // Whether it succeeds or refuses: it must change nothing.
    let again = node.start_command();
    assert!(again.code.is_some(), "it ends by itself");
    let after = by_name(node.services().unwrap());
    for name in SERVICES {
        assert_eq!(after[name].pid, before[name].pid, "{name} was left alone");
    }
}

#[test]
fn nothing_listens_beyond_loopback() {
    let node = Node::running();
    let mut ports = Vec::new();
    for pid in process::of_home(node.home()) {
        for listener in sockets::listeners(pid) {
            assert!(
                listener.loopback,
                "process {pid} listens on port {} of every interface",
                listener.port
            );
            ports.push(listener.port);
        }
    }
    for service in ["mesh", "ledger", "t4", "identity", "edge"] {
        let port = node.port(service);
        assert!(
            ports.contains(&port),
            "{service} does not listen on {port}, where it says it does: {ports:?}"
        );
    }
}

#[test]
fn key_files_are_for_their_owner_alone() {
    let node = Node::with_chain();
    node.tana(&["new", "user", "alice"]).ok();
    let mut seen = 0;
    secret_files(node.home(), &mut |path, mode| {
        seen += 1;
        assert_eq!(mode, 0o600, "{} has mode {mode:o}", path.display());
    });
    // Node, sovereign, and two users: the sovereign one and alice.
    assert!(seen >= 3, "only {seen} key files were found");
}

/// Every file that holds a private key.
fn secret_files(dir: &Path, see: &mut impl FnMut(&Path, u32)) {
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            secret_files(&path, see);
        } else if fs::read_to_string(&path)
            .is_ok_and(|text| text.contains("privateKey") || text.contains("secretKey"))
        {
            see(
                &path,
                entry.metadata().unwrap().permissions().mode() & 0o777,
            );
        }
    }
}

#[test]
fn a_registry_starts_where_nothing_has_been_made_yet() {
    let node = Node::empty();
    let offset = node.offset.to_string();
    let mut mesh = binary::command("tanad", node.home())
        .args(["mesh", "--port-offset", &offset])
        .spawn()
        .unwrap();
    let port = 8190 + node.offset;
    until("the mesh listens", LONG, || {
        let open = std::net::TcpStream::connect(("127.0.0.1", port));
        open.map(drop).map_err(|error| error.to_string())
    });
    until("the mesh is ready", LONG, || {
        let health = http::get(port, "/health");
        if health.status == 200 {
            Ok(())
        } else {
            Err(health.text)
        }
    });
    process::signal(mesh.id(), Signal::SIGTERM);
    assert!(mesh.wait().unwrap().success());
    assert!(node.file("data/mesh.db").is_file());
}
