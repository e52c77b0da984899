//! Each daemon lost while each screen is open: never a blank screen, never an old figure that passes for a new one, no storm of
//! messages, and all well again once it is back.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::node::{Node, SERVICES};
use crate::process;
use crate::terminal::Terminal;
use crate::wait::{LONG, until};

const SCREENS: [&str; 9] = [
    "services",
    "mesh",
    "approvals",
    "blocks",
    "queue",
    "contracts",
    "login",
    "content",
    "logs",
];

/// A service that dies whenever it is started, until this is dropped.
pub(crate) struct Outage {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Outage {
    pub(crate) fn of(home: PathBuf, service: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if let Some(pid) = process::of_service(&home, service) {
                        process::signal(pid, Signal::SIGKILL);
                    }
                    std::thread::park_timeout(Duration::from_millis(10));
                }
            })
        };
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

/// Whether a screen lives off a service, so that it must say since when it hears nothing.
fn lives_off(screen: &str, service: &str) -> bool {
    matches!(
        (screen, service),
        ("mesh" | "approvals", "mesh")
            | ("blocks" | "queue" | "contracts" | "content", "ledger")
            | ("login", "identity")
            | ("content", "t4")
    )
}

/// What stands between header, tabs and footer.
fn body(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    let body = lines
        .get(2..lines.len().saturating_sub(2))
        .unwrap_or_default();
    body.iter()
        .copied()
        .filter(|line| !line.trim().is_empty())
        .collect()
}

/// Whether a time of day stands beside a word that says that something is old.
fn says_since(text: &str) -> bool {
    ["since ", "as of ", " at "].iter().any(|word| {
        text.match_indices(word).any(|(at, _)| {
            let rest: String = text[at..].chars().skip(word.len()).take(10).collect();
            rest.matches(':').count() >= 2
        })
    })
}

fn open(node: &Node) -> Vec<(&'static str, Terminal)> {
    SCREENS
        .iter()
        .map(|screen| {
            let console = Terminal::console(node.home(), 120, 36);
            console.until("all well", LONG);
            console.keys(&format!(":{screen}\r"));
            console.until_quiet();
            (*screen, console)
        })
        .collect()
}

#[test]
fn a_lost_service_is_said_on_every_screen_and_no_figure_passes_for_new() {
    let node = Node::running();
    node.user("alice");
    node.tana(&["deposit", "alice", "10", "USD", "--wait"]).ok();
    let consoles = open(&node);
    for service in SERVICES {
        let before: Vec<_> = consoles
            .iter()
            .map(|(_, console)| (console.bells(), console.bytes()))
            .collect();
        let outage = Outage::of(node.home().to_owned(), service);
        for (screen, console) in &consoles {
            let what = format!("{screen}, {service} lost: header and strip say so");
            console.until_screen(&what, LONG, |text| {
                let header = text.lines().next().unwrap_or_default();
                !header.contains("all well") && text.contains(service)
            });
            if lives_off(screen, service) {
                let what = format!("{screen}, {service} lost: since when");
                console.until_screen(&what, LONG, |text| says_since(&body(text).join("\n")));
            }
            let text = console.text();
            assert!(
                !body(&text).is_empty(),
                "{screen} is blank without {service}:\n{text}"
            );
        }
        drop(outage);
        for ((screen, console), (bells, bytes)) in consoles.iter().zip(before) {
            let what = format!("{screen}, {service} back: all well");
            console.until_screen(&what, LONG, |text| {
                text.lines().next().unwrap_or_default().contains("all well")
            });
            let rung = console.bells() - bells;
            assert!(
                rung <= 2,
                "{screen}: {rung} bells for one loss of {service}"
            );
            let written = console.bytes() - bytes;
            assert!(
                written < 100_000,
                "{screen}: {written} bytes for one loss of {service}"
            );
            console.until_screen("no message left over anything", LONG, |text| {
                !body(text).is_empty() && !text.contains("No data from")
            });
        }
        node.until_ready();
    }
}

#[test]
fn a_lost_supervisor_is_said_on_every_screen_and_its_services_go_on() {
    let node = Node::running();
    let consoles = open(&node);
    process::signal(node.supervisor(), Signal::SIGKILL);
    for (screen, console) in &consoles {
        // Where the strip of problems has no room, the header says the problem itself.
        console.until_screen(&format!("{screen}: no supervisor"), LONG, |text| {
            let header = text.lines().next().unwrap_or_default();
            header.contains("no supervisor") || header.contains("the supervisor is gone")
        });
        assert!(
            !body(&console.text()).is_empty(),
            "{screen}:\n{}",
            console.text()
        );
    }
    let [(_, services), ..] = &consoles[..] else {
        panic!("the first is Services");
    };
    services.until_screen("since when its figures are old", LONG, |text| {
        says_since(&body(text).join("\n"))
    });
    // One key brings it back, and every other console notices by itself.
    services.keys("S");
    for (screen, console) in &consoles {
        console.until_screen(&format!("{screen}: all well"), LONG, |text| {
            text.lines().next().unwrap_or_default().contains("all well")
        });
    }
    until("the node to answer", LONG, || node.services().map(drop));
}
