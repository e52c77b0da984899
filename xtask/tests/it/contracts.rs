//! Contracts on the real engine: run once, and served by the edge.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use crate::edge::Edge;
use crate::node::Node;
use crate::wait::{LONG, until};
use crate::{http, process};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .canonicalize()
        .unwrap()
}

#[test]
fn the_example_contract_runs() {
    let node = Node::empty();
    let ran = node
        .tana(&["run", examples().join("hello.ts").to_str().unwrap()])
        .ok();
    assert!(ran.out.contains("world"), "{}", ran.out);
}

#[test]
fn a_contract_that_throws_fails_with_its_line() {
    let node = Node::empty();
    let file = node.file("throws.ts");
    fs::write(&file, "export function contract(): never {\n  const why: string = 'no cheese';\n  throw new Error(why);\n}\n").unwrap();
    let ran = node.tana(&["run", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(
        said.contains("no cheese") && said.contains("throws.ts:3"),
        "{said}"
    );
}

#[test]
fn a_contract_without_end_is_ended() {
    let node = Node::empty();
    let file = node.file("endless.ts");
    fs::write(&file, "export function contract() {\n  for (;;) {}\n}\n").unwrap();
    let ran = node.tana(&["run", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(1), "{}{}", ran.out, ran.err);
}

#[test]
fn the_edge_answers_with_a_contract() {
    let mut edge = Edge::serving(&examples(), &[]);
    let port = edge.port;
    let (answer, _) = until("an answer of the contract", LONG, || {
        let answer = http::get(port, "/hello?name=you");
        if answer.status == 503 {
            Err(answer.text)
        } else {
            Ok(answer)
        }
    });
    assert_eq!(
        (answer.status, answer.json["hello"].as_str()),
        (200, Some("you")),
        "{answer:?}"
    );
    assert_eq!(http::get(port, "/no-such-contract").status, 404);
    process::signal(edge.child().id(), Signal::SIGTERM);
    until("the edge to end", LONG, || match edge.child().try_wait() {
        Ok(Some(_)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

#[test]
fn a_contract_of_the_home_sees_the_chain_through_the_edge() {
    let node = Node::running();
    node.user("alice");
    let contracts = node.file("contracts");
    std::fs::create_dir_all(&contracts).unwrap();
    std::fs::copy(examples().join("hello.ts"), contracts.join("hello.ts")).unwrap();
    let height = http::get(node.port("ledger"), "/blocks/latest").json["height"].clone();
    assert!(height.as_u64() > Some(0), "{height}");
    let (answer, _) = until("an answer of the contract", LONG, || {
        let answer = http::get(node.port("edge"), "/hello?name=you");
        if answer.status == 404 {
            Err(answer.text)
        } else {
            Ok(answer)
        }
    });
    assert_eq!(answer.json["height"], height, "{answer:?}");
}
