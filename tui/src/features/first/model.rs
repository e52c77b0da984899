//! What was chosen so far for the chain that is to be made, and how far making it is.

use tana_protocol::PublicKey;
use tana_protocol::ServiceKind;
use tana_protocol::service::NodeRole;

use crate::widgets::input::Input;

/// The largest offset with which every port is one still.
pub(crate) const MOST_OFFSET: u16 = 50_000;

/// The roles, in the order in which they are offered.
pub(crate) const ROLES: [(NodeRole, &str); 4] = [
    (NodeRole::Full, "all six services on this machine"),
    (NodeRole::Validator, "makes blocks; a mesh runs elsewhere"),
    (
        NodeRole::Api,
        "answers queries and logins; a mesh runs elsewhere",
    ),
    (NodeRole::Coordinator, "the mesh alone"),
];

#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) step: Step,
    pub(crate) name: Input,
    /// Among [`ROLES`].
    pub(crate) role: usize,
    pub(crate) offset: Input,
    pub(crate) secret: Input,
    pub(crate) again: Input,
    /// Why the last answer was not taken.
    pub(crate) wrong: Option<String>,
}

/// Where one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Offer,
    Name,
    Role,
    Ports,
    Keys,
    Again,
    Summary,
    /// Being done: what is done already.
    Making(Vec<Done>),
    /// What was done, and why it ended there.
    Failed(Vec<Done>, String),
}

/// Something that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Made,
    Sealed,
    Started,
}

/// What the home has once the chain is made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Fresh {
    pub(crate) chain: String,
    pub(crate) sovereign: Option<PublicKey>,
    pub(crate) sealed: bool,
    pub(crate) users: Vec<String>,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            step: Step::Offer,
            name: Input::new("demo"),
            role: 0,
            offset: Input::new("0"),
            secret: Input::default(),
            again: Input::default(),
            wrong: None,
        }
    }
}

impl Model {
    pub(crate) fn role(&self) -> NodeRole {
        ROLES
            .get(self.role)
            .map_or(NodeRole::Full, |(role, _)| *role)
    }

    /// The offset that was typed, when it is one.
    pub(crate) fn ports(&self) -> Option<u16> {
        let offset = self.offset.text().trim().parse().ok()?;
        (offset <= MOST_OFFSET).then_some(offset)
    }

    /// Each service with its port.
    pub(crate) fn services(&self) -> Vec<(ServiceKind, u16)> {
        let offset = self.ports().unwrap_or(0);
        let services = self.role().services();
        let edge = services.contains(&ServiceKind::Edge);
        services
            .iter()
            .map(|kind| {
                // Without an edge t4 has its port.
                let own = if *kind == ServiceKind::T4 && !edge {
                    ServiceKind::Edge
                } else {
                    *kind
                };
                (*kind, own.default_port().saturating_add(offset))
            })
            .collect()
    }
}

/// Whether a text can be a chain's name.
pub(crate) fn is_name(text: &str) -> bool {
    crate::cli::new::file_name("chain", text).is_ok()
}
