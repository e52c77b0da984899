//! What the model asks the world to do. Plain values: `effects` carries them out.

use std::fmt;
use std::path::PathBuf;

use serde_json::Value;
use tana_protocol::login::SessionId;
use tana_protocol::message::Decision;
use tana_protocol::service::{NodeRole, ServiceKind};
use tana_protocol::{ContractId, NodeId, TransactionId};

use crate::draft::Draft;
use crate::features::contracts::playground::Entry;
use crate::sign::Passphrase;

/// A request to the world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    // Nothing outside this terminal.
    Quit,
    Suspend,
    Repaint,
    Copy(String),
    /// Keeps what is on the screen in files.
    SaveScreen,
    /// Keeps the list in view in files.
    Export,
    /// To the context of this name.
    TurnTo(String),
    Notify(String),
    /// Into the playground, in place of what is there.
    Edit(Box<Draft>),
    // Reads.
    LoadBlock(u64),
    LoadOlder {
        before: u64,
    },
    VerifyBlock(u64),
    /// Who reaches whom in the mesh.
    LoadLinks,
    /// Which keys an ssh-agent holds.
    LoadAgent,
    /// What users' phones are asked to sign.
    LoadRequests,
    LoadQueue,
    LoadContracts,
    LoadContent,
    /// The source of a deployed contract.
    LoadSource(ContractId),
    /// A contract's file into the playground.
    OpenContract(PathBuf),
    /// Runs a source once, on no chain, and asks what its lines cost.
    RunContract {
        source: String,
        input: Option<Value>,
        entry: Entry,
    },
    // Changes.
    StartNode,
    /// Makes this home's first chain and starts its node.
    MakeChain {
        name: String,
        role: NodeRole,
        /// Added to every port.
        offset: u16,
        passphrase: Option<Passphrase>,
    },
    Service {
        name: ServiceKind,
        order: Order,
    },
    Decide {
        node: NodeId,
        key: Box<tana_protocol::PublicKey>,
        /// The key that its producer was shown to have, where it offers block production.
        producer: Option<Box<tana_protocol::PublicKey>>,
        decision: Decision,
        with: crate::sign::With,
    },
    NewSession,
    Phone {
        session: SessionId,
        answer: PhoneAnswer,
    },
    /// Queues a dead letter again.
    RetryLetter(TransactionId),
    /// Deletes a dead letter.
    DropLetter(TransactionId),
    /// Makes a contract's directory.
    NewContract {
        name: String,
    },
    SaveContract {
        file: PathBuf,
        text: String,
        /// Whether the text came from that file: no other is overwritten.
        own: bool,
    },
    DeployContract {
        draft: Box<Draft>,
        author: Author,
    },
}

/// Who signs a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Author {
    /// With the passphrase where the key is sealed.
    Sovereign(Option<Passphrase>),
    /// A user of this home.
    User(String),
}

impl fmt::Display for Author {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sovereign(_) => f.write_str("the sovereign"),
            Self::User(name) => f.write_str(name),
        }
    }
}

/// What a service is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Start,
    Stop,
    Restart,
}

impl Order {
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
        }
    }
}

/// What the test phone does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PhoneAnswer {
    Scan,
    /// With the key of this user.
    Approve {
        user: String,
    },
    Reject,
}

/// What an effect reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// This terminal alone.
    Local,
    Reads,
    /// Changes something: not done in read-only mode.
    Changes,
}

impl Effect {
    pub(crate) fn reach(&self) -> Reach {
        match self {
            Self::Quit
            | Self::Suspend
            | Self::Repaint
            | Self::Copy(_)
            | Self::SaveScreen
            | Self::Export
            | Self::TurnTo(_)
            | Self::Edit(_)
            | Self::Notify(_) => Reach::Local,
            Self::LoadBlock(_)
            | Self::LoadOlder { .. }
            | Self::VerifyBlock(_)
            | Self::LoadLinks
            | Self::LoadAgent
            | Self::LoadRequests
            | Self::LoadQueue
            | Self::LoadContracts
            | Self::LoadContent
            | Self::LoadSource(_)
            | Self::OpenContract(_)
            | Self::RunContract { .. } => Reach::Reads,
            Self::StartNode
            | Self::MakeChain { .. }
            | Self::Service { .. }
            | Self::Decide { .. }
            | Self::NewSession
            | Self::Phone { .. }
            | Self::RetryLetter(_)
            | Self::DropLetter(_)
            | Self::NewContract { .. }
            | Self::SaveContract { .. }
            | Self::DeployContract { .. } => Reach::Changes,
        }
    }
}
