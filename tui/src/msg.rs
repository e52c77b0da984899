//! What can happen to the console. Everything that changes the model arrives as one of these, through one channel.

use crossterm::event::KeyEvent;
use tana_protocol::Timestamp;
use tana_protocol::api::approval::RequestView;
use tana_protocol::api::identity::{SessionCreated, SessionEvent};
use tana_protocol::api::ledger::{BlockVerification, BlockView, ChainInfo, ContractView};
use tana_protocol::api::mesh::{Link as MeshLink, Node, SovereignKey};
use tana_protocol::api::node::{LogLine, NodeView, ServiceView};

use std::path::PathBuf;

use tana_protocol::ContractId;

use crate::agent::AgentKey;
use crate::draft::Draft;
use crate::features::blocks::model::WholeBlock;
use crate::features::contracts::playground::Ran;
use crate::features::first::model::Fresh;
use crate::features::queue::model::Found;
use crate::model::link::Link;
use crate::model::{Keys, Machine, Source};
use crate::survey::Survey;
use crate::term::watchdog::Told;
use crate::widgets::Target;

/// Something happened.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) enum Msg {
    /// The first message.
    Start,
    Key(KeyEvent),
    Paste(String),
    Click(Target),
    Wheel(Wheel),
    /// A moment that the model waited for has come.
    Wake,
    Told(Told),
    Link(Source, Link),
    Node(NodeNews),
    Logs(Vec<LogLine>),
    /// The stream of lines stands again: some of those that are known may come once more.
    LogsAgain,
    Mesh(MeshNews),
    Chain(ChainNews),
    Login(LoginNews),
    Draft(DraftNews),
    First(FirstNews),
    Machine(Machine),
    /// The keys that lie on this machine, read anew.
    Keys(Keys),
    /// An effect began that takes a while.
    Began(String),
    /// It ended: what it was, and what to say.
    Ended {
        what: String,
        result: Result<String, String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Wheel {
    Up,
    Down,
}

/// From the supervisor.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) enum NodeNews {
    All(Box<NodeView>),
    Service(Box<ServiceView>),
    /// It stops its services and ends.
    Stopping,
}

/// From the mesh.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) enum MeshNews {
    All {
        nodes: Vec<Node>,
        links: Vec<MeshLink>,
    },
    Links(Vec<MeshLink>),
    /// One node changed.
    One(Box<Node>, Change),
    Keys(Vec<SovereignKey>),
    /// The keys that an ssh-agent holds here.
    Agent(Vec<AgentKey>),
}

/// Why a node's news came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Change {
    Registered,
    Decided,
    Status,
    Heartbeat,
}

/// From the ledger.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) enum ChainNews {
    Info(Box<ChainInfo>),
    /// Newest first.
    Recent(Vec<BlockView>),
    Older(Vec<BlockView>),
    Block(Box<BlockView>),
    QueueLength(u64),
    /// One block whole, with what was checked of it here.
    Whole {
        height: u64,
        result: Result<Box<WholeBlock>, String>,
    },
    Verified {
        height: u64,
        result: Result<BlockVerification, String>,
    },
    Queue(Result<Box<Found>, String>),
    Contracts(Result<Vec<ContractView>, String>),
    /// What the chain refers to and what of it this node's store has.
    Content(Result<Survey, String>),
}

/// Of the login session.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) enum LoginNews {
    Created(Result<Box<SessionCreated>, String>),
    Event(Box<SessionEvent>),
    /// The stream broke; it reconnects by itself.
    Silent {
        since: Timestamp,
        why: String,
    },
    /// What users' phones are asked to sign.
    Requests(Result<Vec<RequestView>, String>),
}

/// Of contracts and their sources.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) enum DraftNews {
    Source {
        id: ContractId,
        result: Result<String, String>,
    },
    /// For the playground.
    Opened(Result<Box<Draft>, String>),
    /// Where, and the text that is there now.
    Saved(Result<(PathBuf, String), String>),
    Ran {
        source: String,
        result: Result<Box<Ran>, String>,
    },
    Deployed,
}

/// Of the first chain being made.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub(crate) enum FirstNews {
    Made(Box<Fresh>),
    Sealed,
    /// The node runs, and its services are ready.
    Started,
    Failed(String),
}
