//! What the mesh registry keeps: nodes and their services, heartbeats, links, sovereign keys, and the log of decisions.
//!
//! Whether a request may change anything is decided by the mesh daemon's rules; a method here is one transaction that
//! changes it if it still can be, and says so when it cannot.

pub mod conformance;
mod standing;

use futures::future::BoxFuture;
use tana_protocol::api::mesh::{
    Link, LogEnd, Node, NodeCounts, NodeService, NodeStatus, PeerLatency, ServiceHealth,
};
use tana_protocol::message::Decision;
use tana_protocol::{NodeId, PublicKey, Signature, Timestamp};

use crate::error::StoreResult;

pub use standing::Absent;
pub(crate) use standing::{counts_blocks, record_since, set_record};
pub use tana_protocol::decisions::{Entry, LogError, check_log, entry_hash};

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The node is registered.
    Done,
    /// Another registration has this id.
    IdTaken,
    /// The key is or was another node's.
    KeyTaken,
    /// The node is out, and comes back only with another key.
    KeyRefused,
    /// As many nodes wait for a sovereign as may.
    Crowded,
}

/// A decision on a node, its signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeDecision {
    /// The node.
    pub node_id: NodeId,
    /// The key that the decision names: the node's, or for a removal one that it has changed.
    pub node_key: PublicKey,
    /// Which way.
    pub decision: Decision,
    /// By which sovereign key.
    pub by: PublicKey,
    /// When it was taken.
    pub at: Timestamp,
    /// When it was signed; `None` for the short form, which can be replayed.
    pub signed_at: Option<Timestamp>,
    /// What was signed.
    pub message: String,
    /// The signature over it.
    pub signature: Signature,
}

/// What became of a decision.
#[derive(Clone, Debug, PartialEq)]
pub enum DecisionTaken {
    /// The node, as it stands now.
    Done(Box<Node>),
    /// The vote counts, and more are needed; this is how the node stands.
    Counted(Box<Node>),
    /// The node was decided on before; it stands there.
    AlreadyDecided(NodeStatus),
    /// This sovereign has voted so before.
    AlreadyVoted,
    /// A vote that was signed at this time, or later, was taken from this sovereign before.
    Replayed,
    /// The short form, on a name that was decided on before.
    ShortForm,
    /// There is no such node, or its key is another one by now.
    Unknown,
}

/// Whether the sovereigns who want a decision suffice for it.
pub type Enough<'a> = &'a (dyn Fn(&[PublicKey]) -> bool + Send + Sync);

/// Where a node is, its signature checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The node.
    pub node_id: NodeId,
    /// Where it is; `None` takes the label off.
    pub region: Option<String>,
    /// The node's own key or a sovereign's.
    pub by: PublicKey,
    /// When it was taken.
    pub at: Timestamp,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// What was signed.
    pub message: String,
    /// The signature over it.
    pub signature: Signature,
}

/// What became of a label.
#[derive(Clone, Debug, PartialEq)]
pub enum LabelTaken {
    /// The node, as it stands now.
    Done(Box<Node>),
    /// A label that was signed at this time, or later, was taken before.
    Replayed,
    /// The key is no sovereign's, nor that of a node that was let in.
    MayNot,
    /// There is no such node.
    Unknown,
}

/// Another key for a node, its signatures checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRotation {
    /// The node.
    pub node_id: NodeId,
    /// The key that ends.
    pub old: PublicKey,
    /// The key that follows.
    pub new: PublicKey,
    /// What it offers from now on.
    pub services: Vec<NodeService>,
    /// When it was taken.
    pub at: Timestamp,
    /// A key that the node changed to after this stays for now.
    pub settled: Timestamp,
    /// What was signed by both.
    pub message: String,
    /// The old key's signature over it.
    pub signature: Signature,
    /// The new key's over the registration message.
    pub registration_signature: Signature,
}

/// What became of another key.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeRotated {
    /// The node, as it stands now.
    Done(Box<Node>),
    /// The new key is or was a node's.
    KeyTaken,
    /// The node is none that may change its key: nobody has approved it, or it is out.
    NotMember(NodeStatus),
    /// The node has changed its key just now.
    TooSoon,
    /// There is no such node, or the old key is not its.
    Unknown,
}

/// A heartbeat, its signature and time checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The node.
    pub node_id: NodeId,
    /// When it was signed; taken once for each node.
    pub signed_at: Timestamp,
    /// When it arrived.
    pub received_at: Timestamp,
    /// The node's address, where it says one.
    pub tailscale_ip: Option<String>,
    /// How its services are; those that it did not register are passed over.
    pub services: Vec<ServiceHealth>,
    /// Its chain's height.
    pub height: Option<u64>,
    /// What it runs.
    pub version: Option<String>,
    /// Whom it reaches; `None` leaves what it said before.
    pub peers: Option<Vec<PeerLatency>>,
}

/// What became of a heartbeat.
#[derive(Clone, Debug, PartialEq)]
pub enum BeatTaken {
    /// The node was active, and is: [`Beat::apply`] says how it stands now. It was away for so long before.
    Done(Absent),
    /// The node was offline and is active by it.
    Returned(Box<Node>),
    /// A heartbeat that was signed at this time was taken before.
    Replayed,
    /// The node is neither active nor offline.
    NotActive(NodeStatus),
    /// There is no such node.
    Unknown,
}

/// A sovereign key and until when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sovereign {
    /// The key.
    pub public_key: PublicKey,
    /// Whose it is.
    pub description: Option<String>,
    /// Since when.
    pub added_at: Timestamp,
    /// When it ends: it has been replaced.
    pub ends_at: Option<Timestamp>,
    /// By this key.
    pub replaced_by: Option<PublicKey>,
}

/// A sovereign's request to add a key or to replace one, its signatures checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The new key.
    pub key: PublicKey,
    /// Whose it is.
    pub description: Option<String>,
    /// The key that adds it, or that it replaces.
    pub by: PublicKey,
    /// When it was taken.
    pub at: Timestamp,
    /// When it was signed.
    pub signed_at: Timestamp,
    /// What was signed.
    pub message: String,
    /// The signature by `by`.
    pub signature: Signature,
}

/// What became of a new key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTaken {
    /// It is a sovereign key now.
    Done,
    /// The vote counts, and more are needed: these keys want it.
    Counted(Vec<PublicKey>),
    /// This sovereign has voted for it before.
    AlreadyVoted,
    /// It is or was one already.
    Known,
    /// The key that adds or is replaced is none, or is being replaced already.
    NotCurrent,
}

/// The registry's store.
pub trait MeshStore: Send + Sync + 'static {
    /// Registers a node with its services, where fewer than `places` wait. The name of a node that is out may be
    /// registered again, with a key that no node ever had.
    fn insert<'a>(&'a self, node: &'a Node, places: u64) -> BoxFuture<'a, StoreResult<Inserted>>;

    /// One node, as it is at `now`.
    fn node<'a>(
        &'a self,
        id: &'a NodeId,
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Option<Node>>>;

    /// The nodes of these statuses as they are at `now`, the first registered first.
    fn nodes<'a>(
        &'a self,
        statuses: &'a [NodeStatus],
        now: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<Node>>>;

    /// How many nodes there are of each status.
    fn counts(&self) -> BoxFuture<'_, StoreResult<NodeCounts>>;

    /// The keys that a node has changed since `since`, the last one first; none from before it registered.
    fn former_keys<'a>(
        &'a self,
        id: &'a NodeId,
        since: Timestamp,
    ) -> BoxFuture<'a, StoreResult<Vec<PublicKey>>>;

    /// Takes a sovereign's decision on a node, and writes it into the log. It is done where those who want it are
    /// enough; of two that would do it at once, one does.
    fn decide<'a>(
        &'a self,
        decision: &'a NodeDecision,
        enough: Enough<'a>,
    ) -> BoxFuture<'a, StoreResult<DecisionTaken>>;

    /// Labels a node, where its own key may or a sovereign's, and writes it into the log.
    fn label<'a>(&'a self, label: &'a Label) -> BoxFuture<'a, StoreResult<LabelTaken>>;

    /// Gives a node another key, and writes it into the log. Votes to put it out stay: it does not get rid of them.
    fn rotate_node<'a>(
        &'a self,
        rotation: &'a NodeRotation,
    ) -> BoxFuture<'a, StoreResult<NodeRotated>>;

    /// Takes heartbeats, all in one transaction, and answers for each.
    fn beats<'a>(&'a self, beats: &'a [Beat]) -> BoxFuture<'a, StoreResult<Vec<BeatTaken>>>;

    /// When the active node that has been silent longest was last heard of or approved.
    fn longest_silent(&self) -> BoxFuture<'_, StoreResult<Option<Timestamp>>>;

    /// Marks active nodes offline that were last heard of at `last` or before, as seen at `now`, and answers them.
    fn mark_offline(
        &self,
        last: Timestamp,
        now: Timestamp,
    ) -> BoxFuture<'_, StoreResult<Vec<Node>>>;

    /// Who reaches whom, among nodes that are active or offline.
    fn links(&self) -> BoxFuture<'_, StoreResult<Vec<Link>>>;

    /// The sovereign keys that hold at `now`, the first added first.
    fn sovereigns(&self, now: Timestamp) -> BoxFuture<'_, StoreResult<Vec<Sovereign>>>;

    /// Adds the keys of the node's own set-up that are not and never were sovereign keys; answers how many.
    fn seed<'a>(
        &'a self,
        keys: &'a [(PublicKey, String)],
        at: Timestamp,
    ) -> BoxFuture<'a, StoreResult<usize>>;

    /// Takes a sovereign's wish to add a key, and writes it into the log. It is added where those who want it are enough.
    fn add_sovereign<'a>(
        &'a self,
        change: &'a KeyChange,
        enough: Enough<'a>,
    ) -> BoxFuture<'a, StoreResult<KeyTaken>>;

    /// Replaces a sovereign key, which holds until `ends`, and writes it into the log.
    fn rotate_sovereign<'a>(
        &'a self,
        change: &'a KeyChange,
        ends: Timestamp,
    ) -> BoxFuture<'a, StoreResult<KeyTaken>>;

    /// The log of decisions from an entry's number on, at most `limit` of them.
    fn log(&self, from: u64, limit: u32) -> BoxFuture<'_, StoreResult<Vec<Entry>>>;

    /// Where the log of decisions ends.
    fn log_end(&self) -> BoxFuture<'_, StoreResult<LogEnd>>;

    /// Something that was decided, as nodes and keys say, and is not in the log: a log whose end was cut off.
    fn unlogged(&self) -> BoxFuture<'_, StoreResult<Option<String>>>;

    /// Forgets heartbeats that arrived, and absences that ended, before `before`; what a node said last stays.
    fn forget_beats(&self, before: Timestamp) -> BoxFuture<'_, StoreResult<u64>>;

    /// Whether the database answers.
    fn ping(&self) -> BoxFuture<'_, StoreResult<()>>;
}
