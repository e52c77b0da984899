//! What every backend of [`MeshStore`] must do. Run by each backend's tests on an empty store.

use tana_protocol::api::mesh::{
    Node, NodeRecord, NodeService, NodeStatus, PeerLatency, Percent, ServiceHealth,
};
use tana_protocol::message::{self, Decision};
use tana_protocol::{Hash32, NodeId, PublicKey, SecretKey, Timestamp};

use crate::error::StoreResult;

use super::{
    Beat, BeatTaken, DecisionTaken, Enough, Inserted, KeyChange, KeyTaken, Label, LabelTaken,
    MeshStore, NodeDecision, NodeRotated, NodeRotation, check_log,
};

/// One sovereign decides.
const ONE: Enough<'static> = &|_| true;

/// It takes two.
fn two(voters: &[PublicKey]) -> bool {
    voters.len() >= 2
}

/// More than wait in any test.
const PLACES: u64 = 100;

const START: u64 = 1_800_000_000_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn node(number: u8) -> Node {
    let id: NodeId = format!("node-{number}").parse().expect("a valid id");
    let key = key(number);
    let spelt = key.public().to_string().to_uppercase();
    let service = |kind: &str, port| NodeService {
        service_type: kind.into(),
        kind: kind.into(),
        port,
        public_key: key.derive(kind).public(),
        topology_key: None,
        healthy: None,
        last_check: None,
    };
    Node {
        registration_signature: key.sign(&message::registration(id.as_str(), &spelt, "host")),
        public_key: key.public(),
        tailscale_hostname: "host".into(),
        tailscale_ip: None,
        status: NodeStatus::Pending,
        registered_at: at(u64::from(number)),
        approved_at: None,
        approved_by: None,
        last_heartbeat: None,
        services: vec![service("t4", 8181), service("ledger", 8080)],
        registration_key_text: Some(spelt),
        region: None,
        version: None,
        height: None,
        record: NodeRecord::default(),
        id,
    }
}

fn decision(node: &Node, decision: Decision, now: Timestamp) -> NodeDecision {
    let message = message::decision(decision, &node.id, &node.public_key, now);
    NodeDecision {
        node_id: node.id.clone(),
        node_key: node.public_key,
        decision,
        signed_at: Some(now),
        by: key(200).public(),
        at: now,
        signature: key(200).sign(&message),
        message,
    }
}

fn beat(node: &Node, signed_at: Timestamp) -> Beat {
    Beat {
        node_id: node.id.clone(),
        signed_at,
        received_at: signed_at,
        tailscale_ip: None,
        services: Vec::new(),
        height: None,
        version: None,
        peers: None,
    }
}

/// Runs the whole suite.
///
/// # Errors
/// The store's own.
///
/// # Panics
/// Where the store does not do what it must.
pub async fn check(store: &dyn MeshStore) -> StoreResult<()> {
    store.ping().await?;
    registrations(store).await?;
    decisions(store).await?;
    heartbeats(store).await?;
    silence(store).await?;
    keys(store).await?;
    several(store).await?;
    out_and_back(store).await?;
    labels(store).await?;
    other_keys(store).await?;
    no_way_out(store).await?;
    one_sovereign(store).await?;
    made_up_heights(store).await?;
    crowd(store).await?;
    let log = store.log(1, 500).await?;
    assert!(log.len() >= 15, "everything decided is in the log: {log:?}");
    let end = store.log_end().await?;
    assert_eq!(
        check_log(0, Hash32::ZERO, &log),
        Ok((end.count, end.hash)),
        "{log:?}"
    );
    assert_eq!(store.unlogged().await?, None);
    Ok(())
}

fn by(number: u8, node: &Node, decision: Decision, now: Timestamp) -> NodeDecision {
    let message = message::decision(decision, &node.id, &node.public_key, now);
    NodeDecision {
        by: key(number).public(),
        signature: key(number).sign(&message),
        ..self::decision(node, decision, now)
    }
}

async fn several(store: &dyn MeshStore) -> StoreResult<()> {
    let node = node(10);
    assert_eq!(store.insert(&node, PLACES).await?, Inserted::Done);
    let first = store
        .decide(&by(201, &node, Decision::Approve, at(5000)), &two)
        .await?;
    let DecisionTaken::Counted(voted) = &first else {
        panic!("one of two does not suffice: {first:?}");
    };
    assert_eq!(voted.status, NodeStatus::Pending);
    assert_eq!(voted.record.votes.len(), 1);
    assert_eq!(voted.record.votes[0].by, key(201).public());
    assert_eq!(
        store
            .decide(&by(201, &node, Decision::Approve, at(5001)), &two)
            .await?,
        DecisionTaken::AlreadyVoted
    );
    assert!(matches!(
        store
            .decide(&by(201, &node, Decision::Deny, at(5002)), &two)
            .await?,
        DecisionTaken::Counted(_)
    ));
    assert_eq!(
        store
            .decide(&by(201, &node, Decision::Approve, at(5000)), &two)
            .await?,
        DecisionTaken::Replayed,
        "a mind that was changed is not changed back by who has the first vote"
    );
    let short = |number| NodeDecision {
        signed_at: None,
        ..by(number, &node, Decision::Approve, at(5003))
    };
    assert_eq!(
        store.decide(&short(201), &two).await?,
        DecisionTaken::ShortForm
    );
    assert!(matches!(
        store.decide(&short(202), &two).await?,
        DecisionTaken::Counted(_)
    ));
    let third = by(203, &node, Decision::Approve, at(5004));
    let (one, other) = futures::join!(store.decide(&third, &two), store.decide(&third, &two));
    let done = [one?, other?];
    assert!(
        done.iter()
            .any(|taken| matches!(taken, DecisionTaken::Done(node)
            if node.status == NodeStatus::Active && node.record.votes.is_empty())),
        "{done:?}"
    );
    assert!(
        done.contains(&DecisionTaken::AlreadyDecided(NodeStatus::Active)),
        "{done:?}"
    );
    Ok(())
}

async fn out_and_back(store: &dyn MeshStore) -> StoreResult<()> {
    let before = node(10);
    let removed = store
        .decide(&by(201, &before, Decision::Remove, at(6000)), ONE)
        .await?;
    let DecisionTaken::Done(out) = &removed else {
        panic!("who was let in can be put out: {removed:?}");
    };
    assert_eq!(
        (out.status, out.record.removed_at),
        (NodeStatus::Denied, Some(at(6000)))
    );
    assert_eq!(
        store
            .decide(&by(201, &before, Decision::Remove, at(6001)), ONE)
            .await?,
        DecisionTaken::AlreadyDecided(NodeStatus::Denied)
    );
    assert_eq!(
        store.beats(&[beat(&before, at(6002))]).await?,
        [BeatTaken::NotActive(NodeStatus::Denied)]
    );
    assert_eq!(store.insert(&before, PLACES).await?, Inserted::KeyRefused);
    let elsewhere = Node {
        id: node(11).id,
        ..before.clone()
    };
    assert_eq!(store.insert(&elsewhere, PLACES).await?, Inserted::KeyTaken);
    let after = Node {
        id: before.id.clone(),
        ..node(12)
    };
    assert_eq!(store.insert(&after, PLACES).await?, Inserted::Done);
    assert_eq!(store.node(&after.id, at(6003)).await?, Some(after.clone()));
    assert_eq!(
        store.insert(&elsewhere, PLACES).await?,
        Inserted::KeyTaken,
        "an old key stays out"
    );
    assert_eq!(
        store
            .decide(&by(201, &before, Decision::Approve, at(6004)), ONE)
            .await?,
        DecisionTaken::Unknown,
        "a decision is on the key that was seen"
    );
    let short = NodeDecision {
        signed_at: None,
        ..by(203, &after, Decision::Approve, at(6005))
    };
    assert_eq!(store.decide(&short, ONE).await?, DecisionTaken::ShortForm);
    let long = by(203, &after, Decision::Approve, at(6006));
    assert!(matches!(
        store.decide(&long, ONE).await?,
        DecisionTaken::Done(_)
    ));
    Ok(())
}

async fn labels(store: &dyn MeshStore) -> StoreResult<()> {
    let label = |region: &str, signed_at: Timestamp| {
        let message = message::label(&node(1).id, signed_at, region);
        Label {
            node_id: node(1).id,
            region: (!region.is_empty()).then(|| region.to_owned()),
            by: key(1).public(),
            at: signed_at,
            signed_at,
            signature: key(1).sign(&message),
            message,
        }
    };
    let taken = store.label(&label("eu-west", at(7000))).await?;
    assert!(matches!(&taken, LabelTaken::Done(node) if node.region.as_deref() == Some("eu-west")));
    assert_eq!(
        store.label(&label("moon", at(7000))).await?,
        LabelTaken::Replayed
    );
    let taken = store.label(&label("", at(7001))).await?;
    assert!(
        matches!(&taken, LabelTaken::Done(node) if node.region.is_none()),
        "{taken:?}"
    );
    let nobody = Label {
        node_id: node(99).id,
        ..label("x", at(7002))
    };
    assert_eq!(store.label(&nobody).await?, LabelTaken::Unknown);
    // Its own key labels a node that was let in; a sovereign's any.
    let before = store.log_end().await?.count;
    for (number, status) in [(2, NodeStatus::Denied), (4, NodeStatus::Pending)] {
        let by = |signer: u8| {
            let message = message::label(&node(number).id, at(7003), "nowhere");
            Label {
                node_id: node(number).id,
                by: key(signer).public(),
                signature: key(signer).sign(&message),
                message,
                ..label("nowhere", at(7003))
            }
        };
        let found = store.node(&node(number).id, at(7003)).await?;
        assert_eq!(found.map(|node| node.status), Some(status));
        assert_eq!(store.label(&by(number)).await?, LabelTaken::MayNot);
        assert_eq!(store.label(&by(1)).await?, LabelTaken::MayNot, "another's");
        assert!(matches!(
            store.label(&by(201)).await?,
            LabelTaken::Done(node) if node.region.as_deref() == Some("nowhere")
        ));
    }
    assert_eq!(store.log_end().await?.count, before + 2);
    Ok(())
}

/// The key of `number` is replaced; one that it got at `now` less 100 or later stays.
fn rotation(number: u8, old: u8, new: u8, now: u64) -> NodeRotation {
    let id = node(number).id;
    let (from, to) = (key(old).public(), key(new).public());
    let message = message::node_rotate(&id, &from, &to, at(now));
    NodeRotation {
        old: from,
        new: to,
        services: node(new).services,
        at: at(now),
        settled: at(now - 100),
        signature: key(old).sign(&message),
        message,
        registration_signature: key(new).sign(&message::registration(
            id.as_str(),
            &to.to_string(),
            "host",
        )),
        node_id: id,
    }
}

async fn other_keys(store: &dyn MeshStore) -> StoreResult<()> {
    let rotation = |number, old, new| self::rotation(number, old, new, 8000);
    assert_eq!(
        store.rotate_node(&rotation(2, 2, 20)).await?,
        NodeRotated::NotMember(NodeStatus::Denied)
    );
    assert_eq!(
        store.rotate_node(&rotation(1, 1, 3)).await?,
        NodeRotated::KeyTaken
    );
    assert_eq!(
        store.rotate_node(&rotation(1, 1, 10)).await?,
        NodeRotated::KeyTaken,
        "a key that was a node's is none's again"
    );
    let rotated = store.rotate_node(&rotation(1, 1, 20)).await?;
    let NodeRotated::Done(changed) = &rotated else {
        panic!("the old key names the new one: {rotated:?}");
    };
    assert_eq!(changed.public_key, key(20).public());
    assert_eq!(
        changed.services[0].public_key,
        key(20).derive("t4").public()
    );
    assert!(changed.verify_registration().is_ok());
    assert_eq!(
        store.rotate_node(&rotation(1, 1, 21)).await?,
        NodeRotated::Unknown
    );
    assert_eq!(
        store.rotate_node(&self::rotation(1, 20, 21, 8100)).await?,
        NodeRotated::TooSoon,
        "a node does not run away from its removal from key to key"
    );
    let later = store.rotate_node(&self::rotation(1, 20, 21, 8101)).await?;
    assert!(matches!(later, NodeRotated::Done(_)), "{later:?}");
    let id = node(1).id;
    let former = [20, 1].map(|number| key(number).public());
    assert_eq!(store.former_keys(&id, at(0)).await?, former);
    assert_eq!(store.former_keys(&id, at(8001)).await?, former[..1]);
    let back = store.former_keys(&node(10).id, at(0)).await?;
    assert!(
        back.is_empty(),
        "what was before a removal is over: {back:?}"
    );
    Ok(())
}

/// Who changes its key keeps the votes to put it out, and those over its old key count.
async fn no_way_out(store: &dyn MeshStore) -> StoreResult<()> {
    let out = node(30);
    store.insert(&out, PLACES).await?;
    store
        .decide(&by(201, &out, Decision::Approve, at(9000)), ONE)
        .await?;
    let first = by(201, &out, Decision::Remove, at(9001));
    let counted = store.decide(&first, &two).await?;
    assert!(matches!(counted, DecisionTaken::Counted(_)), "{counted:?}");
    let rotated = store.rotate_node(&rotation(30, 30, 31, 9200)).await?;
    let NodeRotated::Done(after) = &rotated else {
        panic!("a node may change its key whatever is voted: {rotated:?}");
    };
    assert_eq!(after.record.votes.len(), 1, "{after:?}");
    let approval = by(202, &out, Decision::Approve, at(9201));
    assert_eq!(store.decide(&approval, &two).await?, DecisionTaken::Unknown);
    let second = by(202, &out, Decision::Remove, at(9202));
    let done = store.decide(&second, &two).await?;
    assert!(
        matches!(&done, DecisionTaken::Done(node) if node.status == NodeStatus::Denied),
        "{done:?}"
    );
    let back = Node {
        id: out.id.clone(),
        ..node(32)
    };
    assert_eq!(store.insert(&back, PLACES).await?, Inserted::Done);
    store
        .decide(&by(201, &back, Decision::Approve, at(9203)), ONE)
        .await?;
    for before in [&out, &**after] {
        let again = by(201, before, Decision::Remove, at(9204));
        let again = store.decide(&again, ONE).await?;
        assert_eq!(again, DecisionTaken::Unknown, "it was of another member");
    }
    Ok(())
}

/// A key that is being replaced and the one that follows it have one vote, and the one that follows has the last word.
async fn one_sovereign(store: &dyn MeshStore) -> StoreResult<()> {
    let node = node(40);
    store.insert(&node, PLACES).await?;
    let vote = |number, decision, ms| by(number, &node, decision, at(ms));
    let (old, new) = (200, 202);
    let counted = async |number, decision, ms| {
        let taken = store.decide(&vote(number, decision, ms), &two).await?;
        let DecisionTaken::Counted(node) = &taken else {
            panic!("one sovereign is not two: {taken:?}");
        };
        let votes = node.record.votes.iter();
        Ok::<_, crate::StoreError>(
            votes
                .map(|vote| (vote.decision, vote.by))
                .collect::<Vec<_>>(),
        )
    };
    let (approve, deny) = (Decision::Approve, Decision::Deny);
    let of = |number: u8, decision| [(decision, key(number).public())];
    assert_eq!(counted(old, approve, 9300).await?, of(old, approve));
    assert_eq!(counted(new, approve, 9301).await?, of(new, approve));
    assert_eq!(counted(new, deny, 9302).await?, of(new, deny));
    assert_eq!(
        store.decide(&vote(old, approve, 9303), &two).await?,
        DecisionTaken::Replayed,
        "the key that is replaced does not change what its successor said"
    );
    assert_eq!(
        store.decide(&vote(old, deny, 9304), &two).await?,
        DecisionTaken::AlreadyVoted
    );
    let done = store.decide(&vote(203, deny, 9305), &two).await?;
    assert!(matches!(done, DecisionTaken::Done(_)), "{done:?}");
    Ok(())
}

/// Heights that somebody makes up do not keep a node from being read.
async fn made_up_heights(store: &dyn MeshStore) -> StoreResult<()> {
    let producer = |number| {
        let mut producer = node(number);
        let service = &mut producer.services[0];
        "producer".clone_into(&mut service.kind);
        "producer".clone_into(&mut service.service_type);
        producer
    };
    let (one, liar) = (producer(50), producer(51));
    for node in [&one, &liar] {
        store.insert(node, PLACES).await?;
        store
            .decide(&by(201, node, Decision::Approve, at(9400)), ONE)
            .await?;
    }
    let says = async |node: &Node, height, ms| {
        let beat = Beat {
            height,
            ..beat(node, at(ms))
        };
        store.beats(&[beat]).await.map(|_taken| ())
    };
    for began in [9500, 9600, 9700] {
        says(&one, Some(0), began).await?;
        store.mark_offline(at(began), at(began)).await?;
        // All others are silent: what this one says is the chain's height.
        says(&liar, Some(u64::MAX), began + 10).await?;
        says(&one, None, began + 20).await?;
    }
    let found = store.node(&one.id, at(9800)).await?;
    let missed = found.and_then(|node| node.record.blocks_missed);
    assert_eq!(missed, Some(60), "a block a millisecond at most");
    Ok(())
}

/// Only so many wait at once; who is decided on makes place.
async fn crowd(store: &dyn MeshStore) -> StoreResult<()> {
    let waiting = store.counts().await?.pending;
    let (one, other) = (node(60), node(61));
    assert_eq!(store.insert(&one, waiting + 1).await?, Inserted::Done);
    assert_eq!(store.insert(&other, waiting + 1).await?, Inserted::Crowded);
    assert_eq!(store.insert(&one, waiting + 1).await?, Inserted::IdTaken);
    store
        .decide(&by(201, &one, Decision::Deny, at(9900)), ONE)
        .await?;
    assert_eq!(store.insert(&other, waiting + 1).await?, Inserted::Done);
    Ok(())
}

async fn registrations(store: &dyn MeshStore) -> StoreResult<()> {
    let first = node(1);
    assert_eq!(store.insert(&first, PLACES).await?, Inserted::Done);
    assert_eq!(store.node(&first.id, at(1)).await?, Some(first.clone()));
    let mut same_id = node(2);
    same_id.id = first.id.clone();
    assert_eq!(store.insert(&same_id, PLACES).await?, Inserted::IdTaken);
    let mut same_key = node(2);
    same_key.public_key = first.public_key;
    assert_eq!(store.insert(&same_key, PLACES).await?, Inserted::KeyTaken);
    assert_eq!(
        store.node(&same_key.id, at(1)).await?,
        None,
        "nothing is left of it"
    );
    for number in 2..=4 {
        assert_eq!(store.insert(&node(number), PLACES).await?, Inserted::Done);
    }
    let pending = store.nodes(&[NodeStatus::Pending], at(4)).await?;
    let expected: Vec<Node> = (1..=4).map(node).collect();
    assert_eq!(pending, expected, "in the order in which they registered");
    assert!(store.nodes(&[], at(4)).await?.is_empty());
    assert_eq!(store.counts().await?.pending, 4);
    assert_eq!(store.longest_silent().await?, None, "nobody is active");
    Ok(())
}

async fn decisions(store: &dyn MeshStore) -> StoreResult<()> {
    let first = node(1);
    let approve = decision(&first, Decision::Approve, at(100));
    let (one, two) = futures::join!(store.decide(&approve, ONE), store.decide(&approve, ONE));
    let done = [one?, two?];
    let approved: Vec<&Node> = done
        .iter()
        .filter_map(|taken| match taken {
            DecisionTaken::Done(node) => Some(&**node),
            _ => None,
        })
        .collect();
    assert_eq!(approved.len(), 1, "of two at once one is done: {done:?}");
    assert!(done.contains(&DecisionTaken::AlreadyDecided(NodeStatus::Active)));
    let expected = Node {
        status: NodeStatus::Active,
        approved_at: Some(at(100)),
        approved_by: Some(approve.by),
        record: NodeRecord {
            uptime: Some(Percent::of(1, 1)),
            ..NodeRecord::default()
        },
        ..first.clone()
    };
    assert_eq!(*approved[0], expected);
    assert_eq!(store.node(&first.id, at(100)).await?, Some(expected));
    assert_eq!(store.log(1, 10).await?.len(), 1, "one decision, one entry");

    let second = node(2);
    let deny = decision(&second, Decision::Deny, at(101));
    let DecisionTaken::Done(denied) = store.decide(&deny, ONE).await? else {
        panic!("a waiting node can be denied");
    };
    assert_eq!(
        (denied.status, denied.approved_at),
        (NodeStatus::Denied, None)
    );
    let late = decision(&second, Decision::Approve, at(102));
    assert_eq!(
        store.decide(&late, ONE).await?,
        DecisionTaken::AlreadyDecided(NodeStatus::Denied)
    );
    let nobody = decision(&node(99), Decision::Approve, at(103));
    assert_eq!(store.decide(&nobody, ONE).await?, DecisionTaken::Unknown);
    let approve_third = decision(&node(3), Decision::Approve, at(200));
    assert!(matches!(
        store.decide(&approve_third, ONE).await?,
        DecisionTaken::Done(_)
    ));
    Ok(())
}

async fn heartbeats(store: &dyn MeshStore) -> StoreResult<()> {
    let first = node(1);
    let full = Beat {
        received_at: at(1001),
        tailscale_ip: Some("100.64.0.1".into()),
        services: vec![
            ServiceHealth {
                kind: "ledger".into(),
                healthy: true,
                last_check: at(999),
            },
            ServiceHealth {
                kind: "unknown".into(),
                healthy: true,
                last_check: at(999),
            },
        ],
        height: Some(7),
        version: Some("0.1.0".into()),
        peers: Some(vec![
            PeerLatency {
                node_id: node(3).id,
                latency_ms: 12,
            },
            PeerLatency {
                node_id: node(4).id,
                latency_ms: 5,
            },
        ]),
        ..beat(&first, at(1000))
    };
    let batch = [
        full.clone(),
        full.clone(),
        beat(&node(2), at(1000)),
        beat(&node(4), at(1000)),
        beat(&node(99), at(1000)),
    ];
    let before = store.node(&first.id, at(1001)).await?;
    let taken = store.beats(&batch).await?;
    let now = after(store, before, &full, &taken[0]).await?;
    assert_eq!(now.last_heartbeat, Some(at(1001)));
    assert_eq!(now.tailscale_ip.as_deref(), Some("100.64.0.1"));
    assert_eq!(
        (now.height, now.version.as_deref()),
        (Some(7), Some("0.1.0"))
    );
    assert_eq!(
        now.services
            .iter()
            .map(|service| service.healthy)
            .collect::<Vec<_>>(),
        [None, Some(true)]
    );
    assert_eq!(
        taken[1..],
        [
            BeatTaken::Replayed,
            BeatTaken::NotActive(NodeStatus::Denied),
            BeatTaken::NotActive(NodeStatus::Pending),
            BeatTaken::Unknown,
        ]
    );
    assert_eq!(store.beats(&[full]).await?, [BeatTaken::Replayed]);
    // One that was signed earlier and arrives later is no replay, and turns no clock back.
    let early = beat(&first, at(900));
    let earlier = store.beats(std::slice::from_ref(&early)).await?;
    let now = after(store, Some(now), &early, &earlier[0]).await?;
    assert_eq!(now.last_heartbeat, Some(at(1001)));
    assert_eq!(now.height, Some(7), "what it does not say stays");
    let links = store.links().await?;
    assert_eq!(links.len(), 1, "a waiting node is in no link: {links:?}");
    assert_eq!(
        (&links[0].to, links[0].latency_ms, links[0].at),
        (&node(3).id, 12, at(1001))
    );
    Ok(())
}

/// The node that a heartbeat was taken of: as the row says, and the value that it was applied to.
async fn after(
    store: &dyn MeshStore,
    before: Option<Node>,
    beat: &Beat,
    taken: &BeatTaken,
) -> StoreResult<Node> {
    let BeatTaken::Done(absent) = taken else {
        panic!("an active node's heartbeat is taken: {taken:?}");
    };
    let mut applied = before.expect("an active node");
    beat.apply(&mut applied, *absent);
    let read = store.node(&beat.node_id, beat.received_at).await?;
    assert_eq!(read.as_ref(), Some(&applied), "memory follows the row");
    Ok(applied)
}

async fn silence(store: &dyn MeshStore) -> StoreResult<()> {
    // The third was approved at 200 and never heard of; the first was heard of at 1001.
    assert_eq!(store.longest_silent().await?, Some(at(200)));
    assert!(store.mark_offline(at(199), at(199)).await?.is_empty());
    let gone = store.mark_offline(at(200), at(200)).await?;
    assert_eq!(gone.len(), 1);
    assert_eq!(
        (&gone[0].id, gone[0].status),
        (&node(3).id, NodeStatus::Offline)
    );
    assert_eq!(store.longest_silent().await?, Some(at(1001)));
    let counts = store.counts().await?;
    assert_eq!(
        (counts.active, counts.offline, counts.pending, counts.total),
        (1, 1, 1, 4)
    );
    // It was there from 200 on for nothing, and away for a half of the time until 3000: from 1600 on it is.
    let half = store.node(&node(3).id, at(200)).await?;
    assert_eq!(
        half.and_then(|node| node.record.uptime),
        Some(Percent::of(1, 1))
    );
    let back = store.beats(&[beat(&node(3), at(1600))]).await?;
    assert!(
        matches!(&back[0], BeatTaken::Returned(node) if node.status == NodeStatus::Active
            && node.record.uptime == Some(Percent::of(0, 1))),
        "{back:?}"
    );
    let later = store.node(&node(3).id, at(3000)).await?;
    assert_eq!(
        later.and_then(|node| node.record.uptime),
        Some(Percent::of(1, 2))
    );
    // Its absence counts in what it is after the next heartbeat, too.
    let next = Beat {
        services: vec![ServiceHealth {
            kind: "ledger".into(),
            healthy: false,
            last_check: at(3000),
        }],
        peers: Some(Vec::new()),
        ..beat(&node(3), at(3000))
    };
    let before = store.node(&node(3).id, at(1600)).await?;
    let taken = store.beats(std::slice::from_ref(&next)).await?;
    let now = after(store, before, &next, &taken[0]).await?;
    assert_eq!(now.record.uptime, Some(Percent::of(1, 2)));
    let forgotten = store.forget_beats(at(2000)).await?;
    assert_eq!(forgotten, 4, "three heartbeats are old and one absence");
    Ok(())
}

async fn keys(store: &dyn MeshStore) -> StoreResult<()> {
    let seeds = [(key(200).public(), "@first".to_owned())];
    assert_eq!(store.seed(&seeds, at(0)).await?, 1);
    assert_eq!(store.seed(&seeds, at(5)).await?, 0, "only once");
    let change = |new: u8, by: u8, now| KeyChange {
        key: key(new).public(),
        description: Some(format!("key {new}")),
        by: key(by).public(),
        at: now,
        signed_at: now,
        message: format!("{new} by {by}"),
        signature: key(by).sign(&format!("{new} by {by}")),
    };
    assert_eq!(
        store.add_sovereign(&change(201, 250, at(10)), ONE).await?,
        KeyTaken::NotCurrent
    );
    assert_eq!(
        store.add_sovereign(&change(201, 200, at(10)), ONE).await?,
        KeyTaken::Done
    );
    assert_eq!(
        store.add_sovereign(&change(201, 200, at(11)), ONE).await?,
        KeyTaken::Known
    );
    let rotation = change(202, 200, at(20));
    let (one, two) = futures::join!(
        store.rotate_sovereign(&rotation, at(1000)),
        store.rotate_sovereign(&rotation, at(1000))
    );
    let done = [one?, two?];
    assert!(
        done.contains(&KeyTaken::Done) && done.contains(&KeyTaken::NotCurrent),
        "{done:?}"
    );
    assert_eq!(
        store
            .rotate_sovereign(&change(200, 201, at(21)), at(1000))
            .await?,
        KeyTaken::Known,
        "a key that is being replaced never comes back"
    );
    let valid = |now| async move {
        let keys = store.sovereigns(now).await?;
        Ok::<_, crate::StoreError>(keys.iter().map(|key| key.public_key).collect::<Vec<_>>())
    };
    let all = [200, 201, 202].map(|number| key(number).public());
    assert_eq!(
        valid(at(999)).await?,
        all,
        "the old key holds until the end"
    );
    assert_eq!(valid(at(1000)).await?, all[1..]);
    assert_eq!(
        store.seed(&seeds, at(2000)).await?,
        0,
        "the set-up does not bring back a key that was replaced"
    );
    assert_eq!(
        store.add_sovereign(&change(203, 200, at(30)), ONE).await?,
        KeyTaken::NotCurrent,
        "a key that is being replaced adds none"
    );
    Ok(())
}
