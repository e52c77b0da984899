//! Orders to the node: start it, start and stop its services, decide on other nodes.

use std::sync::Arc;

use tana_client::{LedgerClient, MeshClient, NodeClient};
use tana_home::{Environment, Settings};
use tana_protocol::message::{self, Decision};
use tana_protocol::service::{NodeRole, ServiceKind};
use tana_protocol::{NodeId, PublicKey};

use super::Outbox;
use crate::agent::Agent;
use crate::effect::Order;
use crate::msg::{MeshNews, Msg};
use crate::sign::{SignError, Signer, With};
use crate::validators::{self, Followed, NotFollowed};

/// As what, and where, a node runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stand {
    pub(super) role: NodeRole,
    pub(super) port_offset: u16,
}

/// Runs `tana start` of this very program, detached: it outlives the console. The node is started as it stood when it was last
/// seen, else as the console was opened for it: with its chain, its role and its ports.
pub(super) async fn start(settings: Arc<Settings>, stood: Option<Stand>, outbox: Outbox) {
    let work = async {
        super::first::own(&settings, &start_arguments(&settings, stood), None)
            .await
            .map(|()| "the node runs".to_owned())
            .map_err(|why| format!("the node did not start: {why}"))
    };
    outbox.around("starting the node".into(), work).await;
}

fn start_arguments(settings: &Settings, stood: Option<Stand>) -> Vec<String> {
    let Stand { role, port_offset } = stood.unwrap_or(Stand {
        role: settings.role,
        port_offset: settings.port_offset,
    });
    let mut arguments = vec!["start".to_owned()];
    let mut flag = |name: &str, value: String| arguments.extend([name.to_owned(), value]);
    if let Some(chain) = &settings.chain_name {
        flag("--chain", chain.clone());
    }
    flag("--role", role.name().to_owned());
    flag("--port-offset", port_offset.to_string());
    arguments
}

pub(super) async fn order(client: NodeClient, name: ServiceKind, order: Order, outbox: Outbox) {
    let verb = order.verb();
    let work = async {
        let result = match order {
            Order::Start => client.start(name).await,
            Order::Stop => client.stop(name).await,
            Order::Restart => client.restart(name).await,
        };
        // What becomes of it is on the screen.
        result
            .map(|()| String::new())
            .map_err(|e| format!("{verb} {name}: {e}"))
    };
    outbox.around(format!("{verb} {name}"), work).await;
}

/// The keys that an ssh-agent holds. One that does not answer holds none.
pub(super) async fn agent(agent: Agent, outbox: Outbox) {
    let keys = agent.keys().await.unwrap_or_default();
    outbox.send(Msg::Mesh(MeshNews::Agent(keys)));
}

/// What was decided, and with which key it is signed.
pub(super) struct Decided {
    pub(super) node: NodeId,
    pub(super) key: Box<PublicKey>,
    pub(super) producer: Option<Box<PublicKey>>,
    pub(super) decision: Decision,
    pub(super) with: With,
}

/// Signs a decision and hands it in. A key file is read now and dropped after.
pub(super) async fn decide(
    mesh: MeshClient,
    settings: Arc<Settings>,
    environment: Arc<Environment>,
    ledger: Option<LedgerClient>,
    decided: Decided,
    outbox: Outbox,
) {
    let Decided {
        node,
        key,
        producer,
        decision,
        with,
    } = decided;
    let chain = settings.chain().ok().map(|chain| chain.chain_id);
    let verb = decision.verb();
    let work = async {
        // Opening a sealed key takes long on purpose; keys are answered meanwhile.
        let ready =
            tokio::task::spawn_blocking(move || Signer::ready(&with, &settings.home, &environment));
        let signer = ready
            .await
            .map_err(|e| e.to_string())?
            .map_err(|e| said(&e))?;
        let at = tana_client::now();
        let signature = signer
            .sign(&message::decision(decision, &node, &key, at))
            .await
            .map_err(|e| said(&e))?;
        let decided = mesh
            .decide_signed(decision, &node, signer.public(), at, signature)
            .await
            .map_err(|e| format!("{verb} {node}: {e}"))?;
        if let (Some(votes), Some(needed)) = (decided.votes, decided.needed) {
            return Ok(format!(
                "{verb} {node}: your vote counts, {votes} of {needed} sovereigns"
            ));
        }
        let done = match decision {
            Decision::Approve => format!("{node} is approved: {}", decided.status),
            Decision::Deny => format!("{node} is denied"),
            Decision::Remove => format!("{node} is out"),
        };
        let shown = (*key, producer.map(|key| *key));
        let followed = follow(
            &mesh,
            ledger,
            chain.as_deref(),
            &signer,
            (&node, shown),
            decision,
        )
        .await;
        Ok(match followed {
            Ok(Followed::Nothing) => done,
            Ok(Followed::Submitted(id)) => {
                format!("{done}; the validator set changes with {}", id.short())
            }
            Err(error) => format!("{done}; the chain's validators stay as they are: {error}"),
        })
    };
    outbox.around(format!("{verb} {node}"), work).await;
}

/// What the decision means for the chain's validators, where a ledger is reached.
async fn follow(
    mesh: &MeshClient,
    ledger: Option<LedgerClient>,
    chain: Option<&str>,
    signer: &Signer,
    (node, shown): (&NodeId, (PublicKey, Option<PublicKey>)),
    decision: Decision,
) -> Result<Followed, NotFollowed> {
    let Some(ledger) = ledger else {
        return Ok(Followed::Nothing);
    };
    let node = mesh.node(node).await?;
    // A registration's signature does not cover its services: what is signed is what was on the screen, or nothing.
    if decision == Decision::Approve && (node.public_key, validators::producer(&node)) != shown {
        return Err(NotFollowed::Refused(
            "its keys are others now than those that were shown; look at it again".to_owned(),
        ));
    }
    validators::follow(&ledger, chain, signer, &node, decision).await
}

/// An error with what caused it.
fn said(error: &SignError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tana_home::Overrides;

    #[test]
    fn a_node_is_started_as_the_console_was_opened_for_it_or_as_it_last_ran() {
        let home = std::env::temp_dir().join(format!("tana-no-home-{}", std::process::id()));
        let overrides = Overrides {
            home: Some(home),
            chain: Some("demo".to_owned()),
            port_offset: Some(500),
            ..Overrides::default()
        };
        let settings = Settings::from_environment(&overrides, &Environment::default())
            .expect("nothing there is no error");
        let said = |stood| start_arguments(&settings, stood).join(" ");
        assert_eq!(
            said(None),
            "start --chain demo --role full --port-offset 500"
        );
        let stood = Stand {
            role: NodeRole::Api,
            port_offset: 700,
        };
        assert_eq!(
            said(Some(stood)),
            "start --chain demo --role api --port-offset 700"
        );
    }
}
