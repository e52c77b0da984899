//! Orders to the node: start it, start and stop its services, decide on other nodes.

use std::process::Stdio;
use std::sync::Arc;

use tana_client::{MeshClient, NodeClient};
use tana_home::{KeyFile, Settings};
use tana_protocol::message::Decision;
use tana_protocol::service::ServiceKind;
use tana_protocol::{NodeId, PublicKey};

use super::Outbox;
use crate::effect::Order;

/// Runs `tana start` of this very program, detached: it outlives the console.
pub(super) async fn start(settings: Arc<Settings>, outbox: Outbox) {
    let work = async {
        let program = std::env::current_exe()
            .map_err(|e| format!("this program cannot be found again: {e}"))?;
        let mut command = tokio::process::Command::new(program);
        command.arg("start");
        // The XDG directories are found without being named.
        if let Some(root) = settings.home.single_root() {
            command.arg("--home").arg(root);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Its own group: Ctrl-C and a lost terminal are the console's alone.
            .process_group(0);
        let child = command.spawn().map_err(|e| format!("tana start: {e}"))?;
        let ended = child
            .wait_with_output()
            .await
            .map_err(|e| format!("tana start: {e}"))?;
        if ended.status.success() {
            return Ok("the node runs".to_owned());
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        let why = said
            .lines()
            .rev()
            .map(str::trim)
            .find(|l| !l.is_empty())
            .unwrap_or("it ended with an error");
        Err(format!(
            "the node did not start: {}",
            crate::show::clean(why)
        ))
    };
    outbox.around("starting the node".into(), work).await;
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

/// Signs with the sovereign key of `TANA_HOME`, read now and dropped after.
pub(super) async fn decide(
    mesh: MeshClient,
    settings: Arc<Settings>,
    node: NodeId,
    key: Box<PublicKey>,
    decision: Decision,
    outbox: Outbox,
) {
    let verb = decision.verb();
    let work = async {
        let path = settings.home.sovereign_key_file();
        let sovereign = KeyFile::read(&path).map_err(|e| e.to_string())?;
        let decided = mesh
            .decide(decision, &node, &key, &sovereign.secret_key)
            .await
            .map_err(|e| format!("{verb} {node}: {e}"))?;
        Ok(match decision {
            Decision::Approve => format!("{node} is approved: {}", decided.status),
            Decision::Deny => format!("{node} is denied"),
        })
    };
    outbox.around(format!("{verb} {node}"), work).await;
}
