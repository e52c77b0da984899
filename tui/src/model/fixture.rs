//! A node in the middle of its work, for tests of screens and updates: real types, real signatures, one fixed moment.

use std::fmt::Debug;
use std::str::FromStr;

use jiff::tz::TimeZone;
use serde_json::json;
use tana_protocol::api::approval::{RequestStatus, RequestView};
use tana_protocol::api::identity::SessionCreated;
use tana_protocol::api::ledger::{
    BlockView, CheckName, ContractView, DeadLetterView, QueueView, TransactionStatus,
    TransactionView,
};
use tana_protocol::api::mesh::{Link as MeshLink, Node, NodeRecord, NodeService, NodeStatus};
use tana_protocol::api::node::{LogLevel, LogLine, NodeView, ServiceState, ServiceView};
use tana_protocol::block::{BlockHeader, Receipt};
use tana_protocol::login::QrData;
use tana_protocol::service::{NodeRole, ServiceKind};
use tana_protocol::{
    Code, ContractId, Hash32, SecretKey, Timestamp, Transaction, TransactionId, TransactionType,
    UserId, message,
};

use super::link::{Link, Source};
use super::{Here, Mode, Model};
use crate::features::blocks::model::{Finding, LocalCheck, WholeBlock};
use crate::features::contracts::playground::Ran;
use crate::features::queue::model::Found;
use crate::keys::Keymap;
use crate::msg::{ChainNews, LoginNews, MeshNews, Msg, NodeNews};
use crate::show::Clock;
use crate::survey::{Object, Survey};
use crate::theme::{Caps, Look, Themes};
use crate::update::update;

/// 2025-11-20 14:03:22 UTC.
pub(crate) const NOW: u64 = 1_763_647_402_000;

/// A value from its text, which is right.
fn parsed<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().expect("the text of a value")
}

pub(crate) fn at(seconds_ago: u64) -> Timestamp {
    Timestamp::from_ms(NOW - seconds_ago * 1000)
}

/// A console that has just started.
pub(crate) fn empty(caps: Caps) -> Model {
    let themes = Themes::builtin();
    let look = Look::new(themes.default_for(false), caps);
    let clock = Clock {
        now: at(0),
        zone: TimeZone::UTC,
    };
    let here = Here {
        chain: Some("demo".into()),
        node: Some(parsed("validator-1")),
        home: "~/.config/tana".into(),
        sovereign: Some(SecretKey::from_seed(&[9; 32]).public()),
        sealed: false,
        users: vec!["alice".into(), "bob".into()],
        remote: None,
        mesh: "http://127.0.0.1:8190".into(),
        supervised: true,
        context: None,
        contexts: vec!["fra".into(), "test".into()],
    };
    Model::new(
        look,
        themes,
        Keymap::new(&[]).expect("the default keys do not conflict"),
        clock,
        here,
        Mode::ReadWrite,
    )
}

/// What a console hears of a node at work: one service failed, one waits, a node wants in, another is late.
pub(crate) fn history() -> Vec<Msg> {
    let mut heard = vec![
        Msg::Start,
        Msg::Node(NodeNews::All(Box::new(node()))),
        Msg::Mesh(MeshNews::All {
            nodes: nodes(),
            links: links(),
        }),
        Msg::Chain(ChainNews::Recent(blocks())),
    ];
    let live = |source| Msg::Link(source, Link::Live);
    heard.extend([Source::Node, Source::Ledger, Source::Mesh].map(live));
    heard.push(Msg::Logs(log()));
    heard.push(Msg::Chain(ChainNews::Whole {
        height: 12_408,
        result: Ok(Box::new(whole())),
    }));
    heard
}

/// A console that has seen all that.
pub(crate) fn busy(caps: Caps) -> Model {
    let mut model = empty(caps);
    for msg in history() {
        drop(update(&mut model, msg));
    }
    model
}

pub(crate) fn service(name: ServiceKind, state: ServiceState) -> ServiceView {
    let runs = matches!(
        state,
        ServiceState::Ready | ServiceState::Degraded | ServiceState::Starting
    );
    ServiceView {
        name,
        state,
        why: None,
        hint: None,
        pid: runs.then_some(4000),
        port: Some(name.default_port()),
        url: Some(format!("http://127.0.0.1:{}", name.default_port())),
        started_at: runs.then(|| at(7200)),
        since: at(7200),
        cpu_permille: runs.then_some(14),
        memory_bytes: runs.then_some(18_874_368),
        restarts: 0,
        last_exit: None,
        next_try: None,
        last_line: Some("listening".into()),
    }
}

pub(crate) fn node() -> NodeView {
    let mut services: Vec<ServiceView> = ServiceKind::ALL
        .into_iter()
        .map(|kind| service(kind, ServiceState::Ready))
        .collect();
    services[1].last_line = Some("block 12 408 committed: 18 transactions in 6 ms".into());
    services[4] = ServiceView {
        why: Some("for ledger: replaying block 12 390 of 12 408".into()),
        restarts: 3,
        since: at(30),
        ..service(ServiceKind::Producer, ServiceState::Waits)
    };
    services[5] = ServiceView {
        why: Some("port 8180 is taken by nginx (pid 4121)".into()),
        hint: Some(
            "stop that process, or start the edge elsewhere: EDGE_PORT=8182 in config.json, then r"
                .into(),
        ),
        restarts: 5,
        last_exit: Some("exit code 1".into()),
        next_try: Some(Timestamp::from_ms(NOW + 32_000)),
        since: at(135),
        ..service(ServiceKind::Edge, ServiceState::Failed)
    };
    NodeView {
        node_id: parsed("validator-1"),
        role: NodeRole::Full,
        chain: "demo".into(),
        engine: Some("V8".into()),
        version: "0.1.0".into(),
        pid: 3999,
        started_at: at(7200),
        port_offset: 0,
        services,
        membership: None,
    }
}

/// A node whose registration is signed by its key.
pub(crate) fn mesh_node(name: &str, seed: u8, status: NodeStatus, beat: u64) -> Node {
    let key = SecretKey::from_seed(&[seed; 32]);
    let host = format!("{name}.tail1a2b.ts.net");
    let spelt = key.public().to_string();
    let offered = |kind: &str, port| NodeService {
        service_type: kind.into(),
        kind: kind.into(),
        port,
        public_key: key.public(),
        topology_key: None,
        healthy: (status == NodeStatus::Active).then_some(true),
        last_check: None,
    };
    let decided = status != NodeStatus::Pending;
    Node {
        id: parsed(name),
        public_key: key.public(),
        tailscale_hostname: host.clone(),
        tailscale_ip: Some(format!("100.92.14.{seed}")),
        status,
        registered_at: at(3600 + u64::from(seed)),
        approved_at: decided.then(|| at(3000)),
        approved_by: decided.then(|| SecretKey::from_seed(&[9; 32]).public()),
        last_heartbeat: decided.then(|| at(beat)),
        services: vec![
            offered("ledger", 8080),
            offered("t4", 8180),
            offered("producer", 8070),
        ],
        registration_signature: key.sign(&message::registration(name, &spelt, &host)),
        registration_key_text: Some(spelt),
        region: Some("fra".into()),
        version: Some("0.1.0".into()),
        height: decided.then_some(12_408),
        record: NodeRecord::default(),
    }
}

fn nodes() -> Vec<Node> {
    let mut behind = mesh_node("validator-5", 5, NodeStatus::Active, 190);
    behind.height = Some(12_391);
    vec![
        mesh_node("validator-1", 1, NodeStatus::Active, 20),
        mesh_node("validator-2", 2, NodeStatus::Active, 40),
        mesh_node("validator-3", 3, NodeStatus::Pending, 0),
        mesh_node("validator-4", 4, NodeStatus::Offline, 900),
        behind,
    ]
}

fn links() -> Vec<MeshLink> {
    let link = |from: &str, to: &str, latency_ms| MeshLink {
        from: parsed(from),
        to: parsed(to),
        latency_ms,
        at: at(60),
    };
    vec![
        link("validator-1", "validator-2", 18),
        link("validator-1", "validator-5", 212),
        link("validator-2", "validator-5", 168),
        link("validator-1", "validator-4", 31),
    ]
}

pub(crate) fn block(height: u64, transactions: u32) -> BlockView {
    let header = BlockHeader {
        chain_id: "demo-1".into(),
        height,
        previous_hash: Hash32::of(&(height - 1).to_be_bytes()),
        timestamp: at(12_408_u64.saturating_sub(height) * 3 + height % 2),
        producer: parsed(if height.is_multiple_of(3) {
            "validator-2"
        } else {
            "validator-1"
        }),
        tx_root: Hash32::of(b"tx"),
        receipts_root: Hash32::of(b"receipts"),
        changes_hash: Hash32::of(b"changes"),
        state_root: Hash32::of(b"state"),
        tx_count: transactions,
        gas_used: u64::from(transactions) * 1000,
        gas_limit: 10_000_000,
        content_refs: Vec::new(),
        validators_hash: Hash32::ZERO,
        next_validators_hash: Hash32::ZERO,
    };
    BlockView {
        hash: header.hash(),
        header,
        signature: None,
        transactions: None,
        receipts: None,
        state_changes: None,
        failed_count: Some(u32::from(height == 12_408)),
    }
}

fn blocks() -> Vec<BlockView> {
    (12_370..=12_408)
        .rev()
        .map(|h| block(h, u32::try_from(h % 7 + 1).unwrap_or(1)))
        .collect()
}

fn whole() -> WholeBlock {
    let key = SecretKey::from_seed(&[7; 32]);
    let user = |n: u8| UserId(uuid::Uuid::from_bytes([n; 16]));
    let transfer = |nonce: u64, amount: &str| {
        let mut t = Transaction::new(
            TransactionType::Transfer,
            user(1).into(),
            user(2).into(),
            at(5),
            nonce,
        );
        t.amount = Some(parsed(amount));
        t.currency_code = Some(parsed("USD"));
        t.sign(&key)
    };
    let transactions = vec![
        transfer(1, "12.34"),
        transfer(2, "1"),
        transfer(3, "100000"),
    ];
    let receipts = transactions
        .iter()
        .enumerate()
        .map(|(i, t)| Receipt {
            transaction_id: t.id(),
            code: if i == 2 { "insufficient-balance" } else { "ok" }.into(),
            message: if i == 2 {
                "the balance is 86.66 USD"
            } else {
                ""
            }
            .into(),
            gas_used: 1000,
            result: None,
            logs: None,
            events: None,
        })
        .collect();
    let mut block = block(12_408, 3);
    block.transactions = Some(transactions);
    block.receipts = Some(receipts);
    WholeBlock {
        block,
        checks: vec![
            LocalCheck {
                name: CheckName::Hash,
                finding: Finding::Holds,
            },
            LocalCheck {
                name: CheckName::Signatures,
                finding: Finding::Holds,
            },
            LocalCheck {
                name: CheckName::ProducerSignature,
                finding: Finding::Holds,
            },
        ],
        names: [
            (user(1).to_string(), "@alice".to_owned()),
            (user(2).to_string(), "@bob".to_owned()),
        ]
        .into(),
    }
}

fn log() -> Vec<LogLine> {
    let line = |ago: u64, service, level, text: &str| LogLine {
        at: at(ago),
        service,
        level,
        text: text.into(),
    };
    vec![
        line(
            300,
            ServiceKind::Mesh,
            LogLevel::Info,
            "listening on 127.0.0.1:8190",
        ),
        line(
            299,
            ServiceKind::Ledger,
            LogLevel::Info,
            "chain demo-1 at height 12 401",
        ),
        line(
            167,
            ServiceKind::Edge,
            LogLevel::Error,
            "listening failed: address in use (os error 98)",
        ),
        line(
            151,
            ServiceKind::Edge,
            LogLevel::Error,
            "listening failed: address in use (os error 98)",
        ),
        line(
            100,
            ServiceKind::Identity,
            LogLevel::Warn,
            "session sess_9f3k… expired",
        ),
        line(
            1,
            ServiceKind::Ledger,
            LogLevel::Info,
            "block 12 408 committed: 18 transactions in 6 ms, the longest line of them all, which says more than fits",
        ),
    ]
}

/// Three objects that blocks refer to, one of which this node lacks.
pub(crate) fn survey() -> Survey {
    let object = |text: &str, height, size| Object {
        hash: Hash32::of(text.as_bytes()),
        height,
        size,
    };
    Survey {
        objects: vec![
            object("shop", 12_371, Some(48_212)),
            object("poll", 11_020, None),
            object("hello", 9_001, Some(10_752)),
        ],
        from: 7409,
        to: 12_408,
    }
}

pub(crate) fn session() -> LoginNews {
    let id = |n: char| parsed(&format!("sess_{}", n.to_string().repeat(16)));
    let mut qr_data = QrData::auth(
        id('p'),
        "8a20c4d5e6b13f9c".repeat(4),
        "http://127.0.0.1:8090".into(),
    );
    qr_data.app_name = Some("Tana Console".into());
    LoginNews::Created(Ok(Box::new(SessionCreated {
        session_id: id('b'),
        challenge: qr_data.challenge.clone(),
        qr_uri: qr_data.uri(),
        qr_data,
        expires_in: 300,
        expires_at: Timestamp::from_ms(NOW + 300_000),
    })))
}

/// An event of that session as the browser's stream gives it.
pub(crate) fn session_event(kind: &str, status: &str) -> Msg {
    let event = json!({
        "type": kind, "sessionId": format!("sess_{}", "b".repeat(16)), "status": status, "timestamp": NOW,
        "username": (status == "approved").then_some("@alice"),
        "sessionToken": (status == "approved").then_some("tok_0123456789abcdef0123456789abcdef"),
    });
    Msg::Login(LoginNews::Event(Box::new(
        serde_json::from_value(event).expect("an event as the service sends it"),
    )))
}

/// Two contracts, one of which was deployed again.
pub(crate) fn contracts() -> Vec<ContractView> {
    let contract = |name: &str, version: &str, height: u64| {
        let created = TransactionId(Hash32::of(format!("{name} {version}").as_bytes()));
        ContractView {
            id: ContractId::created_by(&created),
            owner_id: UserId(uuid::Uuid::from_bytes([1; 16])),
            name: name.into(),
            version: version.into(),
            description: Some(format!("what {name} is for")),
            code_hash: Hash32::of(name.as_bytes()),
            metered_hash: None,
            gas_schedule: Some(1),
            has_contract: true,
            has_init: false,
            has_get: name == "counter",
            has_post: false,
            is_active: true,
            deployed_in_block: height,
            deployment_tx_id: created,
            created_at: at(12_500 - height),
            source_code: None,
        }
    };
    vec![
        contract("counter", "0.2.0", 12_300),
        contract("raffle", "1.0.0", 11_800),
    ]
}

/// What the playground's runtime says of the template.
pub(crate) fn ran() -> Ran {
    serde_json::from_value(json!({
        "outcome": {
            "success": true, "result": {"calls": 1, "input": null}, "error": null, "gasUsed": 4312,
            "changes": [
                {"type": "data_update", "key": "calls", "value": "\u{0}1"},
                {"type": "transfer", "from": "alice", "to": "bob", "amount": "12.5", "currency": "USD"}
            ],
            "logs": [
                {"level": "log", "text": "call 1 by nobody"},
                {"level": "error", "text": "nobody calls"}
            ],
            "usage": {"cpuUs": 900, "wallUs": 1540, "heapBytes": 1}
        },
        "charges": [{"line": 5, "gas": 12}, {"line": 10, "gas": 30}, {"line": 10, "gas": 4}]
    }))
    .expect("an outcome as tana-runtime prints it")
}

/// A queue with two that wait and one that no block can take.
pub(crate) fn queue() -> Found {
    let key = SecretKey::from_seed(&[7; 32]);
    let transfer = |nonce: u64, amount: &str, ago: u64| {
        let user = |n: u8| UserId(uuid::Uuid::from_bytes([n; 16]));
        let kind = TransactionType::Transfer;
        let mut t = Transaction::new(kind, user(1).into(), user(2).into(), at(ago), nonce);
        t.amount = Some(parsed(amount));
        t.currency_code = Some(parsed("USD"));
        t.sign(&key)
    };
    let waiting = |signed: tana_protocol::SignedTransaction| TransactionView {
        id: signed.id(),
        created_at: signed.transaction.timestamp,
        signed,
        status: TransactionStatus::Queued,
        block_height: None,
        confirmed_at: None,
        receipt: None,
    };
    let dead = transfer(3, "250", 700);
    Found {
        queue: QueueView {
            backend: "redis".into(),
            length: 2,
            pending: 1,
            dead: 1,
            oldest_ms: Some(12_000),
            consumers: vec!["validator-1".into()],
            warning: None,
        },
        waiting: vec![
            waiting(transfer(4, "12.34", 12)),
            waiting(transfer(5, "1", 2)),
        ],
        dead: vec![DeadLetterView {
            id: dead.id(),
            stream_id: "1763646700000-0".into(),
            code: Code::BadNonce,
            reason: "the nonce 3 was used by another transaction".into(),
            buried_at: at(600),
            signed: dead,
        }],
    }
}

/// What two phones are asked to sign; the second's text is not what the request says.
pub(crate) fn requests() -> Vec<RequestView> {
    let request = |n: char, amount: &str, shown: &str| {
        let user = |n: u8| UserId(uuid::Uuid::from_bytes([n; 16]));
        let transfer = |amount: &str| {
            let kind = TransactionType::Transfer;
            let mut t = Transaction::new(kind, user(1).into(), user(2).into(), at(40), 4);
            t.amount = Some(parsed(amount));
            t.currency_code = Some(parsed("USD"));
            t
        };
        RequestView {
            request_id: parsed(&format!("txreq_{}", n.to_string().repeat(16))),
            status: RequestStatus::Pending,
            message: transfer(shown).message(),
            transaction: transfer(amount),
            app_name: Some("Tana Shop".into()),
            transaction_id: None,
            reason: None,
            expires_at: Timestamp::from_ms(NOW + 240_000),
        }
    };
    vec![request('a', "12", "12"), request('b', "1", "1000")]
}
