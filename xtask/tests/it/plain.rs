//! `tana --plain`: the console as lines, through pipes.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use crate::binary;
use crate::node::Node;
use crate::wait::LONG;

struct Plain {
    child: Child,
    lines: Receiver<String>,
}

impl Plain {
    fn open(node: &Node) -> Self {
        let mut child = binary::command("tana", node.home())
            .arg("--plain")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    fn type_line(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().unwrap();
        writeln!(input, "{line}").unwrap();
    }

    /// The first line from here on that contains `text`.
    fn until(&self, text: &str) -> String {
        let begun = Instant::now();
        let mut passed = Vec::new();
        while let Some(left) = LONG.checked_sub(begun.elapsed()) {
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => passed.push(line),
                Err(_) => break,
            }
        }
        panic!("no {text:?} in {passed:#?}");
    }
}

#[test]
fn what_changes_is_told_and_a_node_is_approved_by_typing() {
    let node = Node::running();
    let mut plain = Plain::open(&node);
    plain.until("service ledger ready");
    node.user("alice");
    plain.until("block 1: 1 transaction");
    let offset = (node.offset + 100).to_string();
    node.tana(&[
        "mesh",
        "register",
        "--dev",
        "--node-id",
        "validator-2",
        "--port-offset",
        &offset,
    ])
    .ok();
    assert!(
        plain
            .until("validator-2")
            .contains("waits for approval, key ")
    );
    plain.type_line("approve validator-3");
    assert!(
        plain.until("validator-3").contains("validator-2"),
        "it names those there are"
    );
    plain.type_line("approve validator-2");
    plain.until("type yes to approve");
    plain.type_line("yes");
    plain.until("validator-2 is approved: active; the validator set changes");
    plain.type_line("quit");
    assert!(plain.child.wait().unwrap().success());
    node.service("ledger").unwrap();
}

#[test]
fn who_has_read_enough_ends_it() {
    let node = Node::running();
    let mut plain = Plain::open(&node);
    plain.until("service ledger ready");
    // The reader's end of the pipe goes with it.
    let (_, none) = channel();
    plain.lines = none;
    for name in ["alice", "bob"] {
        node.user(name);
    }
    assert!(plain.child.wait().unwrap().success());
}
