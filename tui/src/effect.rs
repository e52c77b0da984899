//! What the model asks the world to do. Plain values: `effects` carries them out.

use tana_protocol::NodeId;
use tana_protocol::login::SessionId;
use tana_protocol::message::Decision;
use tana_protocol::service::ServiceKind;

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
    /// To the context of this name.
    TurnTo(String),
    Notify(String),
    // Reads.
    LoadBlock(u64),
    LoadOlder {
        before: u64,
    },
    VerifyBlock(u64),
    LoadMesh,
    /// Which keys an ssh-agent holds.
    LoadAgent,
    LoadQueue,
    LoadContracts,
    LoadContent,
    // Changes.
    StartNode,
    Service {
        name: ServiceKind,
        order: Order,
    },
    Decide {
        node: NodeId,
        key: Box<tana_protocol::PublicKey>,
        decision: Decision,
        with: crate::sign::With,
    },
    NewSession,
    Phone {
        session: SessionId,
        answer: PhoneAnswer,
    },
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
            | Self::TurnTo(_)
            | Self::Notify(_) => Reach::Local,
            Self::LoadBlock(_)
            | Self::LoadOlder { .. }
            | Self::VerifyBlock(_)
            | Self::LoadMesh
            | Self::LoadAgent
            | Self::LoadQueue
            | Self::LoadContracts
            | Self::LoadContent => Reach::Reads,
            Self::StartNode
            | Self::Service { .. }
            | Self::Decide { .. }
            | Self::NewSession
            | Self::Phone { .. } => Reach::Changes,
        }
    }
}
