//! The console beside other programs that watch something in a terminal, all of them at once at 120x36: what each writes, and what
//! processor time it takes, while nothing happens and while the node is at work.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use super::{number, pass};
use crate::binary;
use crate::flood::Flood;
use crate::load::{self, Load};
use crate::node::{Node, SERVICES};
use crate::process;
use crate::terminal::Terminal;
use crate::wait::{LONG, until_true};

const WATCHED: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(10);
/// Log lines a second of the busy node, beside five transfers and a block.
const LINES: u64 = 1000;

struct Program {
    name: &'static str,
    terminal: Terminal,
    cost: Vec<(f64, f64)>,
}

pub(super) fn compare() {
    let node = Node::with_chain();
    node.set("heartbeatIntervalMs", 3_600_000);
    node.start();
    let mut chain = Load::prepare(node.home(), node.port("ledger"), 2);
    let tana = |name, screen: &str| {
        let terminal = Terminal::console(node.home(), 120, 36);
        terminal.until("ready", LONG);
        terminal.keys(&format!(":{screen}\r"));
        Program {
            name,
            terminal,
            cost: Vec::new(),
        }
    };
    let mut programs = vec![
        tana("tana, Services", "services"),
        tana("tana, Blocks", "blocks"),
        tana("tana, Logs", "logs"),
    ];
    programs.extend(others(&node));
    pass(SETTLE);
    watch(&mut programs, || pass(WATCHED));
    let mut flood = Flood::start(&node.file("logs/edge.log"), LINES);
    pass(Duration::from_secs(3));
    watch(&mut programs, || {
        let start = Instant::now();
        for fifth in 1..=u32::try_from(WATCHED.as_secs() * 5).unwrap() {
            let (_, transfer) = chain.transfer(1);
            load::post(chain.port, &[transfer]).expect("an answer");
            let next = Duration::from_millis(200) * fifth;
            until_true("the next transfer", LONG, || start.elapsed() >= next);
        }
    });
    flood.stop();
    println!("\nbeside others, 120x36, {} s each", WATCHED.as_secs());
    println!(
        "{:<16}  {:>10}  {:>9}  {:>10}  {:>9}",
        "", "idle B/s", "idle CPU", "busy B/s", "busy CPU"
    );
    for Program { name, cost, .. } in &programs {
        let [idle, busy] = cost[..] else { continue };
        println!(
            "{name:<16}  {:>10.0}  {:>7.2} %  {:>10.0}  {:>7.2} %",
            idle.0, idle.1, busy.0, busy.1
        );
    }
}

fn watch(programs: &mut [Program], while_passes: impl FnOnce()) {
    let spent = |program: &Program| {
        (
            program.terminal.bytes(),
            process::cpu(program.terminal.pid()),
        )
    };
    let before: Vec<_> = programs.iter().map(spent).collect();
    let start = Instant::now();
    while_passes();
    let seconds = start.elapsed().as_secs_f64();
    for (program, before) in programs.iter_mut().zip(before) {
        let after = spent(program);
        let cpu = (after.1 - before.1).as_secs_f64() / seconds * 100.0;
        program
            .cost
            .push((number(after.0 - before.0) / seconds, cpu));
    }
}

/// Those that this machine has; a line for each that it has not.
fn others(node: &Node) -> Vec<Program> {
    let mut found = Vec::new();
    let mut add = |name: &'static str, program: Option<PathBuf>, args: &[String]| {
        let Some(program) = program else {
            println!("{name} is not here and could not be had: left out");
            return;
        };
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(node.home())
            .env("TERM", "xterm-256color")
            .env("COLORTERM", "truecolor")
            .env("LC_ALL", "C.UTF-8")
            // Their own defaults, not those of whoever measures.
            .env("HOME", node.home())
            .env_remove("XDG_CONFIG_HOME");
        let terminal = Terminal::of(&command, 120, 36);
        terminal.first_frame();
        found.push(Program {
            name,
            terminal,
            cost: Vec::new(),
        });
    };
    let setting = |name: &str| binary::setting(name).map(PathBuf::from);
    add("htop", setting("TANA_BENCH_HTOP"), &[]);
    add("btop", setting("TANA_BENCH_BTOP"), &[]);
    // What it shows beside ours: each service's log, the busiest in view.
    let tails: Vec<String> = SERVICES
        .iter()
        .rev()
        .map(|service| {
            format!(
                "tail -n 50 -F {}",
                node.file(&format!("logs/{service}.log")).display()
            )
        })
        .collect();
    add("mprocs", setting("TANA_BENCH_MPROCS"), &tails);
    found
}
