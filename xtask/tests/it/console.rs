//! The console as a process in a terminal: how soon it draws, what it costs, how it ends.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::node::Node;
use crate::process;
use crate::terminal::Terminal;
use crate::wait::{LONG, until, until_true};

#[test]
fn the_first_frame_is_drawn_within_a_tenth_of_a_second() {
    let node = Node::running();
    // The best of three: the first start reads the program from disk.
    let fastest = (0..3)
        .map(|_| Terminal::console(node.home(), 120, 36).first_frame())
        .min()
        .unwrap();
    assert!(
        fastest < Duration::from_millis(100),
        "the fastest of three first frames took {fastest:?}"
    );
}

#[test]
fn an_idle_console_writes_nothing_and_stays_small() {
    let node = Node::running();
    let console = Terminal::console(node.home(), 120, 36);
    console.until("ready", LONG);
    console.until_quiet();
    // The memory that services use settles after a start, and is shown: the first window without a byte is the proof,
    // the last one fails.
    until("fifteen seconds without a byte", LONG * 2, || {
        let (bytes, cpu, start) = (console.bytes(), process::cpu(console.pid()), Instant::now());
        until_true("fifteen seconds", Duration::from_secs(30), || {
            start.elapsed() >= Duration::from_secs(15)
        });
        let (bytes, used) = (console.bytes() - bytes, process::cpu(console.pid()) - cpu);
        if bytes == 0 && used <= Duration::from_millis(20) {
            Ok(())
        } else {
            Err(format!(
                "{bytes} bytes, {used:?} of CPU; {}",
                console.text()
            ))
        }
    });
    let mib = process::resident_mib(console.pid());
    assert!(mib < 40.0, "{mib:.1} MiB resident");
}

#[test]
fn quitting_restores_the_terminal_and_leaves_the_services_running() {
    let node = Node::running();
    let before = process::of_home(node.home());
    let mut console = Terminal::console(node.home(), 80, 24);
    console.until("ready", LONG);
    console.keys("q");
    let took = console.until_gone(LONG);
    assert!(took < Duration::from_secs(1), "it was gone after {took:?}");
    console.assert_restored();
    assert_eq!(process::of_home(node.home()), before, "the services run on");
    assert!(
        console.text().contains("running"),
        "it says that services keep running:\n{}",
        console.text()
    );
}

#[test]
fn a_terminated_console_restores_the_terminal() {
    let node = Node::running();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT] {
        let mut console = Terminal::console(node.home(), 80, 24);
        console.until("Services", LONG);
        process::signal(console.pid(), signal);
        let took = console.until_gone(LONG);
        assert!(
            took < Duration::from_secs(1),
            "{signal}: it was gone after {took:?}"
        );
        console.assert_restored();
    }
}

#[test]
fn a_lost_terminal_ends_the_console_within_a_second_and_nothing_else() {
    let node = Node::running();
    let before = process::of_home(node.home());
    let mut console = Terminal::console(node.home(), 80, 24);
    console.until("Services", LONG);
    console.hang_up();
    let took = console.until_gone(LONG);
    assert!(took < Duration::from_secs(1), "it was gone after {took:?}");
    assert_eq!(process::of_home(node.home()), before, "the services run on");
}

#[test]
fn a_killed_console_harms_no_service() {
    let node = Node::running();
    let before = process::of_home(node.home());
    let mut console = Terminal::console(node.home(), 80, 24);
    console.until("Services", LONG);
    process::signal(console.pid(), Signal::SIGKILL);
    console.until_gone(LONG);
    assert_eq!(process::of_home(node.home()), before);
    node.until_ready();
}

#[test]
fn a_killed_service_shows() {
    let node = Node::running();
    let console = Terminal::console(node.home(), 120, 36);
    console.until("ready", LONG);
    console.until_quiet();
    let ledger = |text: &str| {
        text.lines()
            .find(|line| {
                line.contains("ledger") && line.contains(&(8080 + node.offset).to_string())
            })
            .map(str::to_owned)
    };
    assert!(
        ledger(&console.text()).is_some_and(|line| line.contains("ready")),
        "the ledger is ready:\n{}",
        console.text()
    );
    let bytes = console.bytes();
    process::signal(
        node.service("ledger").unwrap().pid.unwrap(),
        Signal::SIGKILL,
    );
    // It may be back before anyone looks; that it was restarted stays.
    console.until_screen("one restart of the ledger", LONG, |text| {
        text.lines().any(|line| {
            line.contains("ledger")
                && line.contains("ready")
                && line.split_whitespace().any(|word| word == "1")
        })
    });
    assert!(console.bytes() > bytes);
}

#[test]
fn every_screen_opens_by_its_number_and_by_its_name_at_every_size() {
    let node = Node::running();
    let screens = ["services", "mesh", "approvals", "blocks", "login", "logs"];
    let console = Terminal::console(node.home(), 120, 36);
    console.until("Services", LONG);
    for (columns, rows) in [(120, 36), (80, 24), (40, 12), (20, 5), (1, 1), (200, 50)] {
        console.resize(columns, rows);
        for name in screens {
            console.keys(&format!(":{name}\r"));
        }
        console.until_quiet();
        assert!(
            process::alive(console.pid()),
            "it survives {columns}x{rows}"
        );
    }
    for (key, word) in [("1", "ready"), ("2", "validator-1"), ("4", "height")] {
        console.keys(key);
        console.until_screen(word, LONG, |text| text.to_lowercase().contains(word));
    }
}

#[test]
fn without_a_terminal_it_prints_plain_status_and_exits() {
    let node = Node::running();
    let ran = node.tana(&[]).ok();
    assert!(
        ran.out.contains("ledger") && ran.out.contains("ready"),
        "{}",
        ran.out
    );
    assert!(
        !ran.out.contains('\x1b'),
        "no escape sequence: {:?}",
        ran.out
    );
}
