//! Every service against its own OpenAPI document: schemathesis makes requests from it, good and bad ones, and nothing may
//! be answered with a 5xx, a status that the document does not name, or a body that is not of the form it says.
//!
//! `cargo xtask schema --examples 500` runs it long.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::binary;
use crate::http;
use crate::node::{Node, SERVICES};

/// What must hold of each answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_schema_conformance,response_headers_conformance";
/// Streams, which do not end.
const ENDLESS: &str = "/events$";

/// What is on the chain and in the registry, for the parameters of paths.
struct There {
    user: Value,
    transaction: Value,
    block: Value,
    contract: Value,
    node: Value,
}

impl There {
    fn on(node: &Node) -> Self {
        node.user("alice");
        node.tana(&["deposit", "alice", "5", "USD", "--wait"]).ok();
        node.tana(&["new", "contract", "hello"]).ok();
        node.tana(&["deploy", "contract", "hello", "--wait"]).ok();
        let get = |service: &str, path: &str| http::get(node.port(service), path).json;
        Self {
            user: get("ledger", "/users/username/alice"),
            transaction: get("ledger", "/transactions")[0].clone(),
            block: get("ledger", "/blocks/latest"),
            contract: get("ledger", "/contracts")[0].clone(),
            node: get("mesh", "/nodes?status=all")["nodes"][0].clone(),
        }
    }

    /// A value of a parameter that there is something under.
    fn example(&self, path: &str, name: &str) -> Option<&Value> {
        let first = path.split('/').nth(1)?;
        Some(match (first, name) {
            ("users", "id" | "userId") | (_, "account" | "ownerId") => &self.user["id"],
            ("users", "name") => &self.user["username"],
            ("users", "key") => &self.user["publicKey"],
            ("transactions", "id") if path.contains("account") => &self.user["id"],
            ("transactions", "id") => &self.transaction["id"],
            ("blocks", "height") => &self.block["height"],
            ("blocks", "hash") => &self.block["hash"],
            ("contracts", "id") if path.contains("owner") => &self.contract["ownerId"],
            ("contracts", "id") => &self.contract["id"],
            ("contracts", "name") => &self.contract["name"],
            ("nodes" | "approve" | "deny", "id") => &self.node["id"],
            _ => return None,
        })
    }

    /// The document with these examples.
    fn document(&self, mut document: Value) -> Value {
        for (path, methods) in document["paths"].as_object_mut().unwrap() {
            for operation in methods.as_object_mut().unwrap().values_mut() {
                let parameters = operation
                    .get_mut("parameters")
                    .and_then(Value::as_array_mut);
                for parameter in parameters.into_iter().flatten() {
                    let name = parameter["name"].as_str().unwrap_or_default().to_owned();
                    let key = json!(format!("user/{}", self.user["id"].as_str().unwrap()));
                    let found = match (path.as_str(), name.as_str()) {
                        ("/proof/{key}", "key") => Some(&key),
                        (path, name) => self.example(path, name),
                    };
                    if let Some(found) = found {
                        parameter["example"] = found.clone();
                    }
                }
            }
        }
        document
    }
}

#[test]
fn services_answer_as_their_documents_say() {
    let program = binary::setting("TANA_TEST_SCHEMATHESIS")
        .expect("this test needs schemathesis: run cargo xtask schema, or cargo xtask test");
    let examples = binary::setting("TANA_TEST_SCHEMA_EXAMPLES").unwrap_or_else(|| "10".to_owned());
    let node = Node::running();
    let there = There::on(&node);
    let mut failed = Vec::new();
    for service in SERVICES {
        let port = node.port(service);
        let document = http::get(port, "/openapi.json").json;
        if document["paths"].as_object().unwrap().is_empty() {
            continue;
        }
        let file = node.file(&format!("{service}.json"));
        fs::write(&file, there.document(document).to_string()).unwrap();
        let ran = Command::new(&program)
            .arg("run")
            .arg(&file)
            .args(["--url", &format!("http://127.0.0.1:{port}")])
            .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
            .args(["--max-examples", &examples, "--seed", "1", "--workers", "1"])
            .args(["--exclude-path-regex", ENDLESS, "--request-timeout", "30"])
            .args(["--continue-on-failure", "--warnings", "off"])
            .current_dir(node.home())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let counted = said.lines().rfind(|line| line.contains("generated"));
        println!("{service}: {}", counted.unwrap_or("no count").trim());
        if !ran.status.success() {
            failed.push(format!(
                "{service}:\n{said}{}",
                String::from_utf8_lossy(&ran.stderr)
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    node.tana(&["verify", "--all"]).ok();
}
