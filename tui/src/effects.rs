//! Carries effects out. Read-only mode is enforced here, once: no effect that changes anything gets past `Runner::run`.

mod chain;
mod drafts;
mod first;
mod login;
pub(crate) mod machine;
mod node;
mod sources;
mod tunnel;

use std::sync::Arc;

use tana_client::{ContentClient, IdentityClient, LedgerClient, MeshClient, NodeClient};
use tana_home::{Environment, Settings};
use tana_protocol::api::node::ServiceView;
use tana_protocol::{ServiceKind, TransactionId};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::{AbortHandle, JoinSet};

use crate::agent::Agent;
use crate::console::ConsoleOptions;
use crate::effect::{Effect, Reach};
use crate::model::Mode;
use crate::msg::{LoginNews, Msg, NodeNews};
use tunnel::Tunnel;

/// Where a task's news go. Sending fails only when the console has ended.
#[derive(Clone)]
pub(crate) struct Outbox(UnboundedSender<Msg>);

impl Outbox {
    fn send(&self, msg: Msg) {
        let _ = self.0.send(msg);
    }

    /// Says that something takes a while, does it, says how it ended.
    async fn around<F>(&self, what: String, work: F)
    where
        F: Future<Output = Result<String, String>>,
    {
        self.send(Msg::Began(what.clone()));
        let result = work.await;
        self.send(Msg::Ended { what, result });
    }
}

/// Holds the connections and the tasks on them.
pub(crate) struct Runner {
    outbox: Outbox,
    mode: Mode,
    settings: Arc<Settings>,
    environment: Arc<Environment>,
    remote: Option<String>,
    node: Option<NodeClient>,
    ledger: Link<LedgerClient>,
    mesh: Link<MeshClient>,
    identity: Link<IdentityClient>,
    store: Link<ContentClient>,
    known: chain::Known,
    tasks: JoinSet<()>,
    login: Option<AbortHandle>,
    /// How the node stood when it last said so.
    stood: Option<node::Stand>,
}

/// A client, where it is, and the task that follows its stream.
struct Link<C> {
    url: String,
    client: Option<C>,
    follower: Option<AbortHandle>,
}

impl<C> Link<C> {
    fn new(url: String, client: Option<C>) -> Self {
        Self {
            url,
            client,
            follower: None,
        }
    }
}

impl Runner {
    /// Makes the clients and starts to follow the daemons' streams.
    pub(crate) fn new(options: ConsoleOptions, outbox: UnboundedSender<Msg>) -> Self {
        let settings = Arc::new(options.settings);
        let url = |kind: ServiceKind| match &options.remote {
            Some(remote) => format!("{remote}:{}", settings.port(kind)),
            None => settings.url(kind),
        };
        let (ledger, mesh, identity, store) = (
            url(ServiceKind::Ledger),
            url(ServiceKind::Mesh),
            url(ServiceKind::Identity),
            url(ServiceKind::T4),
        );
        let mut tunnel = None;
        let node = if options.remote.is_none() {
            NodeClient::new(&settings.home.socket()).ok()
        } else if options.via.is_empty() {
            None
        } else {
            // Beside this home's own socket: a short path in a directory that is its owner's.
            let socket = settings.home.socket();
            let parent = socket.parent().unwrap_or(settings.home.root());
            match Tunnel::open(parent, options.via) {
                Ok(open) => {
                    let client = NodeClient::new(&open.socket()).ok();
                    tunnel = Some(open);
                    client
                }
                Err(error) => {
                    let _ = outbox.send(Msg::Ended {
                        what: String::new(),
                        result: Err(format!("the supervisor there cannot be reached: {error}")),
                    });
                    None
                }
            }
        };
        let mut runner = Self {
            outbox: Outbox(outbox),
            mode: options.mode,
            ledger: Link::new(ledger.clone(), LedgerClient::new(&ledger).ok()),
            mesh: Link::new(mesh.clone(), MeshClient::new(&mesh).ok()),
            identity: Link::new(identity.clone(), IdentityClient::new(&identity).ok()),
            store: Link::new(store.clone(), ContentClient::new(&store).ok()),
            settings,
            environment: Arc::new(options.environment),
            remote: options.remote,
            node,
            known: chain::Known::default(),
            tasks: JoinSet::new(),
            login: None,
            stood: None,
        };
        if let Some(tunnel) = tunnel {
            runner.tasks.spawn(tunnel.run());
        }
        if let Some(node) = runner.node.clone() {
            runner
                .tasks
                .spawn(sources::node(node.clone(), runner.outbox.clone()));
            runner
                .tasks
                .spawn(sources::logs(node, runner.outbox.clone()));
        }
        if runner.remote.is_none() {
            runner.tasks.spawn(machine::watch(
                runner.settings.clone(),
                runner.outbox.clone(),
            ));
        }
        runner.follow_ledger();
        runner.follow_mesh();
        runner
    }

    fn follow_ledger(&mut self) {
        if let Some(old) = self.ledger.follower.take() {
            old.abort();
        }
        self.known = chain::Known::default();
        if let Some(client) = self.ledger.client.clone() {
            let task = sources::ledger(client, self.known.clone(), self.outbox.clone());
            self.ledger.follower = Some(self.tasks.spawn(task));
        }
    }

    fn follow_mesh(&mut self) {
        if let Some(old) = self.mesh.follower.take() {
            old.abort();
        }
        if let Some(client) = self.mesh.client.clone() {
            self.mesh.follower = Some(self.tasks.spawn(sources::mesh(client, self.outbox.clone())));
        }
    }

    /// Hears what passes: the node itself says where its services are, which a flag of `tana start` may have moved. Of a
    /// service that has never run it says so only once it starts it.
    pub(crate) fn overhear(&mut self, msg: &Msg) {
        match msg {
            Msg::Node(NodeNews::All(view)) if self.remote.is_none() => {
                self.stood = Some(node::Stand {
                    role: view.role,
                    port_offset: view.port_offset,
                });
                for service in &view.services {
                    self.address(service);
                }
            }
            Msg::Node(NodeNews::Service(service)) if self.remote.is_none() => self.address(service),
            _ => {}
        }
        // Tasks that have ended are let go.
        while self.tasks.try_join_next().is_some() {}
    }

    fn address(&mut self, service: &ServiceView) {
        let Some(url) = service.url.clone() else {
            return;
        };
        match service.name {
            ServiceKind::Ledger if differs(&url, &self.ledger.url) => {
                self.ledger.client = LedgerClient::new(&url).ok();
                self.ledger.url = url;
                self.follow_ledger();
            }
            ServiceKind::Mesh if differs(&url, &self.mesh.url) => {
                self.mesh.client = MeshClient::new(&url).ok();
                self.mesh.url = url;
                self.follow_mesh();
            }
            ServiceKind::Identity if differs(&url, &self.identity.url) => {
                self.identity.client = IdentityClient::new(&url).ok();
                self.identity.url = url;
            }
            ServiceKind::T4 if differs(&url, &self.store.url) => {
                self.store.client = ContentClient::new(&url).ok();
                self.store.url = url;
            }
            _ => {}
        }
    }

    /// Carries an effect out, or refuses it.
    pub(crate) fn run(&mut self, effect: Effect) {
        if effect.reach() == Reach::Changes && self.mode == Mode::ReadOnly {
            let why = "this console is read-only: nothing was changed".to_owned();
            self.outbox.send(match effect {
                Effect::NewSession => Msg::Login(LoginNews::Created(Err(why))),
                _ => Msg::Ended {
                    what: String::new(),
                    result: Err(why),
                },
            });
            return;
        }
        let outbox = self.outbox.clone();
        match effect {
            Effect::LoadBlock(height) => {
                let Some(ledger) = self.ledger.client.clone() else {
                    return;
                };
                self.tasks
                    .spawn(chain::load(ledger, self.known.clone(), height, outbox));
            }
            Effect::LoadOlder { before } => {
                let Some(ledger) = self.ledger.client.clone() else {
                    return;
                };
                self.tasks.spawn(chain::older(ledger, before, outbox));
            }
            Effect::VerifyBlock(height) => {
                let Some(ledger) = self.ledger.client.clone() else {
                    return;
                };
                self.tasks.spawn(chain::verify(ledger, height, outbox));
            }
            Effect::LoadQueue => {
                let Some(ledger) = self.ledger.client.clone() else {
                    return;
                };
                self.tasks.spawn(chain::queue(ledger, outbox));
            }
            Effect::LoadContracts => {
                let Some(ledger) = self.ledger.client.clone() else {
                    return;
                };
                self.tasks.spawn(chain::contracts(ledger, outbox));
            }
            Effect::LoadContent => {
                let (Some(ledger), Some(store)) =
                    (self.ledger.client.clone(), self.store.client.clone())
                else {
                    return;
                };
                self.tasks.spawn(chain::content(ledger, store, outbox));
            }
            Effect::LoadAgent => {
                // Another terminal may have sealed or replaced the key.
                if self.remote.is_none() {
                    outbox.send(Msg::Keys(machine::keys(&self.settings)));
                }
                if let Some(agent) = Agent::of(&self.environment) {
                    self.tasks.spawn(node::agent(agent, outbox));
                }
            }
            // Only this node's operator may know.
            Effect::LoadRequests if self.remote.is_some() => {}
            Effect::LoadRequests => {
                let Some(identity) = self.identity.client.clone() else {
                    return;
                };
                let settings = self.settings.clone();
                self.tasks
                    .spawn(login::requests(identity, settings, outbox));
            }
            Effect::LoadLinks => {
                let Some(mesh) = self.mesh.client.clone() else {
                    return;
                };
                self.tasks.spawn(sources::links(mesh, outbox));
            }
            Effect::StartNode if self.remote.is_some() => {
                outbox.send(Msg::Ended {
                    what: String::new(),
                    result: Err(
                        "a node elsewhere is started on its own machine: tana start".to_owned()
                    ),
                });
            }
            Effect::StartNode => {
                self.tasks
                    .spawn(node::start(self.settings.clone(), self.stood, outbox));
            }
            Effect::MakeChain {
                name,
                role,
                offset,
                passphrase,
            } => {
                let wanted = first::Wanted {
                    name,
                    role,
                    offset,
                    passphrase,
                };
                self.tasks
                    .spawn(first::make(self.settings.clone(), wanted, outbox));
            }
            Effect::Service { name, order } => {
                let Some(client) = self.node.clone() else {
                    return;
                };
                self.tasks.spawn(node::order(client, name, order, outbox));
            }
            Effect::Decide {
                node,
                key,
                producer,
                decision,
                with,
            } => {
                let Some(mesh) = self.mesh.client.clone() else {
                    return;
                };
                self.tasks.spawn(node::decide(
                    mesh,
                    self.settings.clone(),
                    self.environment.clone(),
                    self.ledger.client.clone(),
                    node::Decided {
                        node,
                        key,
                        producer,
                        decision,
                        with,
                    },
                    outbox,
                ));
            }
            Effect::NewSession => {
                if let Some(old) = self.login.take() {
                    old.abort();
                }
                let Some(identity) = self.identity.client.clone() else {
                    return;
                };
                self.login = Some(self.tasks.spawn(login::session(identity, outbox)));
            }
            Effect::Phone { session, answer } => {
                let (Some(identity), Some(ledger)) =
                    (self.identity.client.clone(), self.ledger.client.clone())
                else {
                    return;
                };
                let home = self.settings.home.clone();
                self.tasks.spawn(login::phone(
                    identity, ledger, home, session, answer, outbox,
                ));
            }
            Effect::RetryLetter(id) => self.letter(id, chain::Letter::Retry),
            Effect::DropLetter(id) => self.letter(id, chain::Letter::Drop),
            Effect::LoadSource(id) => {
                let Some(ledger) = self.ledger.client.clone() else {
                    return;
                };
                self.tasks.spawn(drafts::source(ledger, id, outbox));
            }
            Effect::OpenContract(path) => {
                self.tasks.spawn(drafts::open(path, outbox));
            }
            Effect::RunContract {
                source,
                input,
                entry,
            } => {
                self.tasks.spawn(drafts::run(source, input, entry, outbox));
            }
            Effect::NewContract { name } => {
                self.tasks.spawn(drafts::make(name, outbox));
            }
            Effect::SaveContract { file, text, own } => {
                self.tasks.spawn(drafts::save(file, text, own, outbox));
            }
            Effect::DeployContract { draft, author } => {
                let Some(ledger) = self.ledger.client.clone() else {
                    return;
                };
                let settings = self.settings.clone();
                self.tasks
                    .spawn(drafts::deploy(ledger, settings, *draft, author, outbox));
            }
            // The run loop's own, and the model's.
            Effect::Quit
            | Effect::Suspend
            | Effect::Repaint
            | Effect::Copy(_)
            | Effect::SaveScreen
            | Effect::Export
            | Effect::TurnTo(_)
            | Effect::Edit(_)
            | Effect::Notify(_) => {}
        }
    }
}

impl Runner {
    fn letter(&mut self, id: TransactionId, letter: chain::Letter) {
        let Some(ledger) = self.ledger.client.clone() else {
            return;
        };
        let (settings, outbox) = (self.settings.clone(), self.outbox.clone());
        self.tasks
            .spawn(chain::letter(ledger, settings, id, letter, outbox));
    }
}

/// Whether two addresses differ in more than a slash at the end.
fn differs(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') != b.trim_end_matches('/')
}
