//! What changes the screen Services: news from the supervisor, and orders to a service.

use tana_protocol::api::node::{ServiceState, ServiceView};

use super::model::{self, Ending};
use crate::effect::{Effect, Order};
use crate::keys::Action;
use crate::model::{Model, Overlay, Screen, Source};
use crate::msg::NodeNews;
use crate::theme::Tone;
use crate::widgets::dialog::{Button, Dialog, Harm};

pub(crate) fn news(model: &mut Model, news: NodeNews) -> Vec<Effect> {
    match news {
        NodeNews::All(node) => {
            model.services.stopping = Ending::No;
            let before = model.node.replace(*node);
            let mut effects = Vec::new();
            if let (Some(before), Some(after)) = (&before, &model.node) {
                for service in &after.services {
                    let old = before.services.iter().find(|s| s.name == service.name);
                    effects.extend(old.and_then(|old| fell(old, service)));
                }
            }
            effects
        }
        NodeNews::Service(service) => {
            let Some(node) = &mut model.node else {
                return Vec::new();
            };
            match node.services.iter_mut().find(|s| s.name == service.name) {
                Some(slot) => {
                    let effect = fell(slot, &service);
                    *slot = *service;
                    effect.into_iter().collect()
                }
                None => {
                    node.services.push(*service);
                    Vec::new()
                }
            }
        }
        NodeNews::Stopping => {
            model.services.stopping = Ending::Announced;
            Vec::new()
        }
    }
}

/// A notification when a service went down by itself and was back before it was seen to be down; while it is down the problem rings.
fn fell(before: &ServiceView, after: &ServiceView) -> Option<Effect> {
    let down = |s: &ServiceView| s.state == ServiceState::Failed;
    let restarted = after.restarts > before.restarts;
    (restarted && !down(before) && !down(after)).then(|| {
        let why = after
            .why
            .as_deref()
            .or(after.last_exit.as_deref())
            .unwrap_or("it ended by itself");
        Effect::Notify(format!("tana: {} is down: {why}", after.name))
    })
}

pub(crate) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    // Without a node there is one thing to do.
    if model.node.is_none() || model.links.silent_since(Source::Node).is_some() {
        return match action {
            Action::StartService => vec![Effect::StartNode],
            _ => {
                model.say(
                    Tone::Warn,
                    format!(
                        "the node does not answer; {} starts it",
                        model.keys.key(Action::StartService)
                    ),
                );
                Vec::new()
            }
        };
    }
    let Some(service) = model::selected(model) else {
        return Vec::new();
    };
    let name = service.name;
    match action {
        Action::ServiceLog => {
            model.logs.only = Some(name);
            super::super::logs::update::to_newest(model);
            model.screen = Screen::Logs;
            Vec::new()
        }
        Action::RestartService => vec![Effect::Service {
            name,
            order: Order::Restart,
        }],
        Action::StartService => match service.state {
            ServiceState::Ready | ServiceState::Starting | ServiceState::Degraded => {
                let text = format!(
                    "{name} runs already; {} restarts it",
                    model.keys.key(Action::RestartService)
                );
                model.say(Tone::Plain, text);
                Vec::new()
            }
            _ => vec![Effect::Service {
                name,
                order: Order::Start,
            }],
        },
        Action::StopService => {
            if service.state == ServiceState::Stopped {
                let text = format!(
                    "{name} is stopped already; {} starts it",
                    model.keys.key(Action::StartService)
                );
                model.say(Tone::Plain, text);
                return Vec::new();
            }
            model.overlay = Some(Overlay::Ask {
                dialog: Dialog {
                    title: format!("stop {name}"),
                    body: vec![
                        stop_means(name).to_owned(),
                        "It stays stopped until it is started again.".to_owned(),
                    ],
                    safe: "leave it running",
                    doing: "stop it",
                    chosen: Button::Safe,
                    harm: Harm::Harmful,
                    word: None,
                },
                effect: Effect::Service {
                    name,
                    order: Order::Stop,
                },
            });
            Vec::new()
        }
        Action::OpenEndpoint => match &service.url {
            Some(url) => vec![Effect::Copy(url.clone())],
            None => {
                model.say(Tone::Plain, format!("{name} has no address yet"));
                Vec::new()
            }
        },
        _ => Vec::new(),
    }
}

fn stop_means(name: tana_protocol::service::ServiceKind) -> &'static str {
    use tana_protocol::service::ServiceKind as K;
    match name {
        K::Mesh => "Nodes can neither register nor send heartbeats to this registry meanwhile.",
        K::Ledger => {
            "No transaction is taken and no block committed meanwhile; everything that reads the chain fails."
        }
        K::T4 => "Content cannot be read or stored here meanwhile.",
        K::Identity => "Nobody can log in meanwhile; tokens are not checked.",
        K::Producer => "This node makes no blocks meanwhile; transactions wait in the queue.",
        K::Edge => "Contracts do not answer over HTTP meanwhile.",
    }
}
