//! Everything the console knows. Changed by `update` only, drawn by `view`; nothing here does IO.

pub(crate) mod clocks;
#[cfg(test)]
pub(crate) mod fixture;
pub(crate) mod link;
pub(crate) mod problems;
pub(crate) mod rules;

use std::collections::HashMap;

use tana_protocol::Timestamp;
use tana_protocol::api::node::NodeView;

use crate::effect::Effect;
use crate::features::{
    approvals, blocks, content, contracts, first, login, logs, mesh, queue, services,
};
use crate::filter::Filter;
use crate::keys::Keymap;
use crate::show::Clock;
use crate::theme::{Look, Themes};
use crate::widgets::details::Zoom;
use crate::widgets::dialog::Dialog;
use crate::widgets::input::Input;
pub(crate) use link::{Links, Source};

/// A screen. Each has its number for good, whatever else is shown.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub(crate) enum Screen {
    Services,
    Mesh,
    Approvals,
    Blocks,
    Queue,
    Contracts,
    Login,
    Content,
    Logs,
}

impl Screen {
    /// All, in the order of the tabs.
    pub(crate) const ALL: [Self; 9] = [
        Self::Services,
        Self::Mesh,
        Self::Approvals,
        Self::Blocks,
        Self::Queue,
        Self::Contracts,
        Self::Login,
        Self::Content,
        Self::Logs,
    ];

    /// The digit that goes there.
    pub(crate) fn digit(self) -> char {
        match self {
            Self::Services => '1',
            Self::Mesh => '2',
            Self::Approvals => '3',
            Self::Blocks => '4',
            Self::Queue => '5',
            Self::Contracts => '6',
            Self::Login => '7',
            Self::Content => '8',
            Self::Logs => '9',
        }
    }

    /// The screen that a digit goes to.
    pub(crate) fn of_digit(digit: Option<char>) -> Option<Self> {
        Self::ALL.into_iter().find(|s| Some(s.digit()) == digit)
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Services => "Services",
            Self::Mesh => "Mesh",
            Self::Approvals => "Approvals",
            Self::Blocks => "Blocks",
            Self::Queue => "Queue",
            Self::Contracts => "Contracts",
            Self::Login => "Login",
            Self::Content => "Content",
            Self::Logs => "Logs",
        }
    }

    /// As the palette and `--screen` call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Services => "services",
            Self::Mesh => "mesh",
            Self::Approvals => "approvals",
            Self::Blocks => "blocks",
            Self::Queue => "queue",
            Self::Contracts => "contracts",
            Self::Login => "login",
            Self::Content => "content",
            Self::Logs => "logs",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.name() == name)
    }

    /// The neighbour, round and round.
    pub(crate) fn step(self, by: Step) -> Self {
        let at = Self::ALL.iter().position(|s| *s == self).unwrap_or(0);
        let count = Self::ALL.len();
        Self::ALL[match by {
            Step::Next => (at + 1) % count,
            Step::Previous => (at + count - 1) % count,
        }]
    }
}

/// A direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Next,
    Previous,
}

/// Whether the console may change anything. Enforced where effects run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Mode {
    #[default]
    ReadWrite,
    ReadOnly,
}

/// What lies over the screen and takes the keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Overlay {
    Help {
        scroll: usize,
    },
    /// Everything that is wrong now.
    Problems {
        scroll: usize,
    },
    Palette {
        input: Input,
        chosen: usize,
    },
    Filter {
        input: Input,
    },
    Ask {
        dialog: Dialog,
        effect: Effect,
    },
    /// A code that a phone scans to decide on a node.
    Scan(approvals::model::Scan),
    /// A line of text that something needs.
    Line {
        what: Asked,
        input: Input,
    },
    /// The passphrase of the sovereign key, for what was confirmed.
    Passphrase {
        input: Input,
        effect: Effect,
    },
}

/// What a line of text is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Asked {
    ContractName,
    /// What `context.input()` gives.
    RunInput,
    /// A file for the playground's text.
    SaveAs,
}

impl Asked {
    /// What is asked.
    pub(crate) fn prompt(&self) -> &'static str {
        match self {
            Self::ContractName => "name of the new contract",
            Self::RunInput => "input, as JSON",
            Self::SaveAs => "save as",
        }
    }
}

/// One line above the footer for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) tone: crate::theme::Tone,
    pub(crate) until: Timestamp,
}

/// Something asked for that has not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) what: String,
    pub(crate) since: Timestamp,
}

/// What this machine's `TANA_HOME` says, read at the start; its keys are looked at again.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Here {
    /// The chain that the node is configured for, shown until the node answers.
    pub(crate) chain: Option<String>,
    /// This node's name.
    pub(crate) node: Option<tana_protocol::NodeId>,
    /// Where all of it lies.
    pub(crate) home: String,
    /// The sovereign key, when there is one.
    pub(crate) sovereign: Option<tana_protocol::PublicKey>,
    /// Whether it lies under a passphrase.
    pub(crate) sealed: bool,
    /// Users whose keys lie here, for the test phone.
    pub(crate) users: Vec<String>,
    /// The address of another machine's node, when that is what is watched: its supervisor cannot be reached from here.
    pub(crate) remote: Option<String>,
    /// Where the mesh is, as the settings say.
    pub(crate) mesh: String,
    /// Whether the supervisor can be reached.
    pub(crate) supervised: bool,
    /// The context that this is, when one was chosen.
    pub(crate) context: Option<String>,
    /// Every context that can be turned to.
    pub(crate) contexts: Vec<String>,
}

/// The keys that lie on this machine. Another terminal may change them at any time.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Keys {
    pub(crate) sovereign: Option<tana_protocol::PublicKey>,
    pub(crate) sealed: bool,
    pub(crate) users: Vec<String>,
}

/// What this machine is short of.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Machine {
    /// Bytes free where `TANA_HOME` lies, when they are few.
    pub(crate) free_bytes: Option<u64>,
    /// Key files that others may read.
    pub(crate) open_keys: Vec<String>,
}

impl Machine {
    /// More free bytes than this are not worth a look.
    pub(crate) const WATCHED: u64 = 2 << 30;
}

/// The console's whole state.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) look: Look,
    pub(crate) themes: Themes,
    pub(crate) keys: Keymap,
    /// Set by the run loop before each message.
    pub(crate) clock: Clock,
    pub(crate) mode: Mode,
    pub(crate) here: Here,
    pub(crate) screen: Screen,
    pub(crate) zoom: Zoom,
    pub(crate) overlay: Option<Overlay>,
    pub(crate) filters: HashMap<Screen, Filter>,
    pub(crate) notice: Option<Notice>,
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) links: Links,
    pub(crate) node: Option<NodeView>,
    pub(crate) machine: Machine,
    pub(crate) clocks: clocks::Clocks,
    pub(crate) rung: problems::Rung,
    /// What is wrong, or how many wait for a decision, is other than before the last message. The run loop takes it back.
    pub(crate) turned: bool,
    /// While a home without a chain is offered one.
    pub(crate) first: Option<first::Model>,
    pub(crate) services: services::Model,
    pub(crate) mesh: mesh::Model,
    pub(crate) approvals: approvals::Model,
    pub(crate) blocks: blocks::Model,
    pub(crate) queue: queue::Model,
    pub(crate) contracts: contracts::Model,
    pub(crate) login: login::Model,
    pub(crate) content: content::Model,
    pub(crate) logs: logs::Model,
    /// Rows a page moves by; the run loop tells it with the size.
    pub(crate) page: usize,
    pub(crate) over: bool,
}

impl Model {
    pub(crate) fn new(
        look: Look,
        themes: Themes,
        keys: Keymap,
        clock: Clock,
        here: Here,
        mode: Mode,
    ) -> Self {
        Self {
            links: Links::default(),
            look,
            themes,
            keys,
            clock,
            mode,
            here,
            screen: Screen::Services,
            zoom: Zoom::Off,
            overlay: None,
            filters: HashMap::new(),
            notice: None,
            waiting: Vec::new(),
            node: None,
            machine: Machine::default(),
            clocks: clocks::Clocks::default(),
            rung: problems::Rung::default(),
            turned: false,
            first: None,
            services: services::Model::default(),
            mesh: mesh::Model::default(),
            approvals: approvals::Model::default(),
            blocks: blocks::Model::default(),
            queue: queue::Model::default(),
            contracts: contracts::Model::default(),
            login: login::Model::default(),
            content: content::Model::default(),
            logs: logs::Model::default(),
            page: 10,
            over: false,
        }
    }

    /// The filter of the screen in view.
    pub(crate) fn filter(&self) -> Option<&Filter> {
        self.filters.get(&self.screen)
    }

    /// Whether a row with this text stays on the screen in view.
    pub(crate) fn keeps(&self, text: &str) -> bool {
        self.filter().is_none_or(|f| f.matches(text))
    }

    /// The same with a text that is made only where there is a filter.
    pub(crate) fn keeps_with(&self, text: impl FnOnce() -> String) -> bool {
        self.filter().is_none_or(|f| f.matches(&text()))
    }

    /// Shows a line for a while; long enough to be read.
    pub(crate) fn say(&mut self, tone: crate::theme::Tone, text: impl Into<String>) {
        let text = text.into();
        let reading =
            std::time::Duration::from_millis(4000 + 40 * u64::try_from(text.len()).unwrap_or(100));
        self.notice = Some(Notice {
            text,
            tone,
            until: self.clock.now.plus(reading),
        });
    }

    /// The next moment at which the screen changes without any message: nothing else wakes an idle console.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let notice = self.notice.as_ref().map(|n| n.until);
        let waiting = self
            .waiting
            .iter()
            .map(|w| w.since.plus(SPINNER_AFTER))
            .filter(|at| *at > self.clock.now)
            .min();
        let late = self.mesh.next_late(self.clock.now);
        let links = (self.screen == Screen::Mesh)
            .then(|| self.mesh.next_links())
            .flatten()
            .map(|at| at.max(self.clock.now.plus(std::time::Duration::from_millis(1))));
        let newest = (self.screen == Screen::Blocks)
            .then(|| self.blocks.next_follow())
            .flatten()
            .map(|at| at.max(self.clock.now.plus(std::time::Duration::from_millis(1))));
        let login = self.login.expires().filter(|at| *at > self.clock.now);
        let stalled = self
            .blocks
            .queue
            .waiting_since
            .map(|at| at.plus(rules::STALLED_AFTER))
            .filter(|at| *at > self.clock.now);
        // What is looked through goes on at once.
        let looking =
            (self.screen == Screen::Logs && self.logs.unseen() > 0).then_some(self.clock.now);
        let scan = match &self.overlay {
            Some(Overlay::Scan(scan)) => Some(scan.at.plus(approvals::model::Scan::FRESH)),
            _ => None,
        };
        let requests = self
            .approvals
            .asked
            .filter(|_| self.screen == Screen::Approvals && self.here.remote.is_none());
        let requests = requests.map(|at| at.plus(approvals::model::ASK));
        [
            notice, waiting, late, links, newest, login, stalled, looking, scan, requests,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What has been waited for long enough to say so.
    pub(crate) fn waited_for(&self) -> Option<&Waiting> {
        self.waiting
            .iter()
            .find(|w| self.clock.now.since(w.since) >= SPINNER_AFTER)
    }
}

/// A wait shorter than this is not worth a word.
const SPINNER_AFTER: std::time::Duration = std::time::Duration::from_millis(300);
