//! `tana start`: the node in the background, or in this terminal; returns when its services are ready, or says which is
//! not and why.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use clap::Args;
use tana_client::{EdgeClient, NodeClient, NodeEvent, StreamItem};
use tana_home::RunState;
use tana_protocol::ServiceKind;
use tana_protocol::api::mesh::NodeStatus;
use tana_protocol::api::node::{NodeView, ServiceState, ServiceView};
use tana_protocol::service::NodeRole;

use super::context::Context;
use super::exit::{Exit, failure};
use super::launch::{self, Launched};
use super::status;
use crate::show::{clean, fit};

/// A service that ended so often by itself will not come up by being waited for.
const HOPELESS: u32 = 2;
/// Once all services are ready, the mesh says so soon how it stands with the node.
const STANDING: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
pub(crate) struct Start {
    /// What the node is for: full, validator, api or coordinator
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<NodeRole>,
    /// Move every port by this number
    #[arg(long, value_name = "N")]
    pub(crate) port_offset: Option<u16>,
    /// Stay in this terminal, for systemd and containers
    #[arg(long, conflicts_with_all = ["wait", "no_wait"])]
    foreground: bool,
    /// Return once every service is ready (the default)
    #[arg(long)]
    wait: bool,
    /// Return once the supervisor answers
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// Seconds to wait at most
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Start {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let node = context.node()?;
        let begun = Instant::now();
        let limit = Duration::from_secs(self.timeout);
        let running = if launch::answers(&context.settings) {
            match node.status().await {
                // It is just being killed: it took a connection and answered nothing.
                Err(error) if error.is_unreachable() => None,
                answer => Some(answer?),
            }
        } else {
            None
        };
        if let Some(view) = running {
            self.differs(&view)?;
            if self.foreground {
                return Err(failure(
                    Exit::Failed,
                    "the node runs already, in the background; stop it first: tana stop",
                ));
            }
            context.out.progress("the node runs already");
            return self.finish(context, &node, None, begun, limit).await;
        }
        // Errors of the home come before those of the ports: without a chain there is nothing to start.
        launch::required(&context.settings)?;
        ports_free(context).await?;
        if self.foreground {
            let never = launch::become_node(&context.settings)?;
            match never {}
        }
        let mut launched = launch::launch(&context.settings)?;
        if let Err(error) = launched.until_it_answers(&context.settings, limit).await {
            // Nothing runs with these flags: they are not for the next start.
            RunState::clear(context.home())?;
            return Err(error);
        }
        self.finish(context, &node, Some(launched), begun, limit)
            .await
    }

    /// Flags that the running node was not started with.
    fn differs(&self, view: &NodeView) -> anyhow::Result<()> {
        let offset = self.port_offset.is_some_and(|n| n != view.port_offset);
        let role = self.role.is_some_and(|role| role != view.role);
        if !offset && !role {
            return Ok(());
        }
        Err(failure(
            Exit::Failed,
            format!(
                "the node runs already, as {} with port offset {}; to change that: tana stop, then start it again",
                view.role, view.port_offset
            ),
        ))
    }

    async fn finish(
        &self,
        context: &Context,
        node: &NodeClient,
        launched: Option<Launched>,
        begun: Instant,
        limit: Duration,
    ) -> anyhow::Result<Exit> {
        if !self.no_wait {
            let rest = limit.saturating_sub(begun.elapsed());
            let mut seen = Seen::new(context);
            match tokio::time::timeout(rest, ready(node, &mut seen, launched)).await {
                Ok(result) => result?,
                Err(_) => {
                    return Err(failure(
                        Exit::TimedOut,
                        format!(
                            "not ready after {} s: {}; the node keeps trying: tana status",
                            self.timeout,
                            seen.unready()
                        ),
                    ));
                }
            }
        }
        let view = if self.no_wait {
            node.status().await?
        } else {
            standing(node).await?
        };
        context.out.show(&view, || {
            format!(
                "{}took {:.1} s\n",
                status::text(context, &view),
                begun.elapsed().as_secs_f32()
            )
        })?;
        context
            .out
            .hint("next: tana   (the console; q leaves the services running)")?;
        Ok(Exit::Done)
    }
}

/// The node, once it is known how it stands in the mesh, or after a moment: that is told after the services are ready.
async fn standing(node: &NodeClient) -> anyhow::Result<NodeView> {
    let begun = Instant::now();
    loop {
        let view = node.status().await?;
        let known = view.membership.as_ref().is_some_and(|standing| {
            standing.why.is_some() || standing.status == Some(NodeStatus::Active)
        });
        if known || begun.elapsed() > STANDING {
            return Ok(view);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The services as last heard of.
struct Seen<'a> {
    context: &'a Context,
    services: Vec<ServiceView>,
    /// Restarts that each had when it was first heard of: those of another day say nothing of this start.
    restarts_before: BTreeMap<ServiceKind, u32>,
}

impl<'a> Seen<'a> {
    const fn new(context: &'a Context) -> Self {
        Self {
            context,
            services: Vec::new(),
            restarts_before: BTreeMap::new(),
        }
    }

    fn note(&mut self, view: ServiceView) {
        self.restarts_before
            .entry(view.name)
            .or_insert(view.restarts);
        let before = self
            .services
            .iter_mut()
            .find(|service| service.name == view.name);
        let was = before.as_ref().map(|service| service.state);
        if was.is_some_and(|was| was != view.state) && view.state == ServiceState::Ready {
            self.context
                .out
                .progress(&format!("{} is ready", view.name));
        }
        match before {
            Some(service) => *service = view,
            None => self.services.push(view),
        }
    }

    fn all_ready(&self) -> bool {
        !self.services.is_empty()
            && self
                .services
                .iter()
                .all(|service| service.state == ServiceState::Ready)
    }

    /// A service that will not come up by being waited for.
    fn hopeless(&self) -> Option<&ServiceView> {
        self.services.iter().find(|service| {
            let before = self.restarts_before.get(&service.name).copied();
            let now = service.restarts.saturating_sub(before.unwrap_or(0));
            service.state == ServiceState::Failed && now >= HOPELESS
        })
    }

    fn unready(&self) -> String {
        let unready: Vec<String> = self
            .services
            .iter()
            .filter(|service| service.state != ServiceState::Ready)
            .map(why)
            .collect();
        if unready.is_empty() {
            "the supervisor has not told of its services".to_owned()
        } else {
            unready.join("; ")
        }
    }
}

/// What a service is and why, in words.
pub(crate) fn why(service: &ServiceView) -> String {
    let mut text = format!("{} {}", service.name, service.state);
    if let Some(why) = service.why.as_ref().or(service.last_exit.as_ref()) {
        text.push_str(&format!(" ({})", brief(why)));
    }
    text
}

/// The first line of what a service says of itself, as far as a person reads: the rest is in its log.
pub(crate) fn brief(text: &str) -> String {
    // A service's log writes the ends of lines as \n.
    let first = text.split(['\n', '\r']).next().unwrap_or_default();
    let first = first.split("\\n").next().unwrap_or_default();
    fit(&clean(first), 160)
}

async fn ready(
    node: &NodeClient,
    seen: &mut Seen<'_>,
    mut launched: Option<Launched>,
) -> anyhow::Result<()> {
    let mut events = node.events();
    while let Some(item) = events.next().await {
        match item {
            StreamItem::Connected => {
                for view in node.status().await?.services {
                    seen.note(view);
                }
            }
            StreamItem::Event(NodeEvent::Service(view)) => seen.note(*view),
            StreamItem::Event(NodeEvent::Stopping) => {
                return Err(failure(Exit::Failed, "the node is being stopped"));
            }
            StreamItem::Event(NodeEvent::Log(_)) => {}
            StreamItem::Lost { why, .. } => {
                if let Some(why) = launched.as_mut().and_then(Launched::ended) {
                    return Err(failure(
                        Exit::Failed,
                        format!("the node did not start: {why}"),
                    ));
                }
                seen.context
                    .out
                    .progress(&format!("the supervisor's events broke off: {why}"));
            }
            StreamItem::Refused(error) => return Err(error.into()),
        }
        if seen.all_ready() {
            return Ok(());
        }
        if let Some(service) = seen.hopeless() {
            let todo = service.hint.clone().map_or_else(
                || format!("see: tana logs {}", service.name),
                |hint| clean(&hint),
            );
            return Err(failure(
                Exit::Failed,
                format!("{}; {todo}; tana stop ends the node", why(service)),
            ));
        }
    }
    Err(failure(
        Exit::Failed,
        "the supervisor ended its events; see: tana status",
    ))
}

/// Refuses where another program has a port that the node needs. A service of ours that outlived its supervisor is
/// taken over, not in the way.
async fn ports_free(context: &Context) -> anyhow::Result<()> {
    let settings = &context.settings;
    for &kind in settings.role.services() {
        let port = settings.port(kind);
        let address = SocketAddr::new(settings.host, port);
        let Err(error) = TcpListener::bind(address) else {
            continue;
        };
        if error.kind() == std::io::ErrorKind::AddrInUse && is_ours(context, kind).await {
            continue;
        }
        return Err(failure(
            Exit::Failed,
            format!(
                "{kind} cannot listen on port {port}: {error}; stop what has it, or start with --port-offset N"
            ),
        ));
    }
    Ok(())
}

/// Whether what listens on a service's port says that it is that service.
async fn is_ours(context: &Context, kind: ServiceKind) -> bool {
    let Ok(client) = EdgeClient::new(&context.settings.url(kind)) else {
        return false;
    };
    let asked = tokio::time::timeout(Duration::from_secs(1), client.health()).await;
    matches!(asked, Ok(Ok(health)) if health.service == kind.name())
}
