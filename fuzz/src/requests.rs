//! Bodies that nodes, phones, sites and workers send, and the texts that are signed in them. The first byte says which
//! decoder reads the rest, so that a mutation stays with one.

use std::hint::black_box;
use tana_kit::telemetry;
use tana_protocol::api::approval::{
    ApproveTransaction, RegisterDevice, RequestEvent, RequestQr, RequestTransaction, RequestView,
};
use tana_protocol::api::health::Health;
use tana_protocol::api::identity::{
    ApproveSession, CreateSession, RejectSession, SessionEvent, SessionView, ValidateToken,
};
use tana_protocol::api::ledger::{
    BatchAnswer, ChainInfo, CreateUser, QueueEvent, TransactionEvent, TransactionView,
    VerificationLine,
};
use tana_protocol::api::mesh::{
    AddSovereign, DecisionRequest, Heartbeat, Node, Nodes, Register, RotateSovereign, Topology,
    VerifySovereign,
};
use tana_protocol::api::node::{LogLine, LogPosition, NodeView, ServiceView};
use tana_protocol::login::{LoginMessage, QrData, ScannedCode};
use tana_protocol::message::{self, Decision};
use tana_protocol::{ChainSpec, Problem, Timestamp, Transaction};
use tana_sandbox::message::{FromWorker, Invocation, Outcome, ToWorker};

use crate::text::{json, parse};

pub(crate) fn run(data: &[u8]) {
    let Some((which, data)) = data.split_first() else {
        return;
    };
    match which {
        b'r' => registration(data),
        b'h' => heartbeat(data),
        b'd' => decision(data),
        b's' => sovereign(data),
        b'l' => login(data),
        b'q' => code(data),
        b'p' => approval(data),
        b'w' => worker(data),
        b'n' => supervisor(data),
        b'm' => mesh(data),
        b'c' => chain(data),
        _ => {}
    }
}

fn registration(data: &[u8]) {
    if let Some(body) = json::<Register>(data) {
        let text = message::registration(&body.node_id, &body.public_key, &body.tailscale_hostname);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}

fn heartbeat(data: &[u8]) {
    if let Some(body) = json::<Heartbeat>(data) {
        black_box(message::heartbeat(&body.node_id, body.timestamp));
    }
}

fn decision(data: &[u8]) {
    if let Some(body) = json::<DecisionRequest>(data) {
        let node = "validator-1".parse().expect("a node's name");
        let at = body.timestamp.unwrap_or(Timestamp::from_ms(0));
        for verb in [Decision::Approve, Decision::Deny] {
            let text = message::decision(verb, &node, &body.approver_public_key, at);
            black_box(body.approver_public_key.verify(&text, &body.signature)).ok();
        }
    }
}

fn sovereign(data: &[u8]) {
    if let Some(body) = json::<AddSovereign>(data) {
        black_box(message::sovereign_add(&body.public_key, body.timestamp));
    }
    if let Some(body) = json::<RotateSovereign>(data) {
        black_box(message::sovereign_rotate(
            &body.old_public_key,
            &body.new_public_key,
            body.timestamp,
        ));
    }
    json::<VerifySovereign>(data);
}

fn login(data: &[u8]) {
    json::<LoginMessage>(data);
    json::<CreateSession>(data);
    json::<RejectSession>(data);
    json::<ValidateToken>(data);
    json::<SessionView>(data);
    json::<SessionEvent>(data);
    if let Some(body) = json::<ApproveSession>(data) {
        json::<LoginMessage>(body.message.as_bytes());
    }
}

fn code(data: &[u8]) {
    json::<QrData>(data);
    json::<RequestQr>(data);
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(scanned) = text.parse::<ScannedCode>()
    {
        assert!(
            matches!(scanned.server.scheme(), "http" | "https"),
            "{} is where a phone would go",
            scanned.server
        );
    }
}

fn approval(data: &[u8]) {
    json::<RequestTransaction>(data);
    json::<RequestView>(data);
    json::<RequestEvent>(data);
    json::<RegisterDevice>(data);
    if let Some(body) = json::<ApproveTransaction>(data)
        && let Some(text) = body.message
    {
        json::<Transaction>(text.as_bytes());
    }
}

fn worker(data: &[u8]) {
    json::<ToWorker>(data);
    json::<FromWorker>(data);
    json::<Invocation>(data);
    json::<Outcome>(data);
}

fn supervisor(data: &[u8]) {
    json::<NodeView>(data);
    json::<ServiceView>(data);
    json::<Health>(data);
    json::<Problem>(data);
    let line = json::<LogLine>(data);
    if let Some(mut position) = parse::<LogPosition>(data)
        && let Some(line) = line.or_else(|| serde_json::from_str(LINE).ok())
    {
        let before = position;
        position.pass(&line);
        black_box(position.is_after(&before));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        black_box(telemetry::parse(text));
    }
}

const LINE: &str =
    r#"{"at":"2024-11-21T00:00:00.000Z","service":"ledger","level":"info","text":"ready"}"#;

fn mesh(data: &[u8]) {
    json::<Nodes>(data);
    json::<Topology>(data);
    if let Some(node) = json::<Node>(data) {
        black_box(node.verify_registration()).ok();
        black_box(node.host());
    }
}

fn chain(data: &[u8]) {
    json::<CreateUser>(data);
    json::<TransactionView>(data);
    json::<BatchAnswer>(data);
    json::<TransactionEvent>(data);
    json::<QueueEvent>(data);
    json::<ChainInfo>(data);
    json::<VerificationLine>(data);
    if let Some(spec) = json::<ChainSpec>(data) {
        black_box(tana_chain::genesis(&spec)).ok();
    }
}
