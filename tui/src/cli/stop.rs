//! `tana stop`: all services in reverse order, then the supervisor; returns when no process is left.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tana_home::{RunState, read_json};

use super::context::Context;
use super::exit::{Exit, failure};
use super::launch;

const LOOK: Duration = Duration::from_millis(10);

#[derive(Debug, Args)]
pub(crate) struct Stop {
    /// Seconds to wait at most for the last process
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

impl Stop {
    pub(crate) async fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let node = context.node()?;
        let begun = Instant::now();
        let view = match node.status().await {
            Ok(view) => view,
            Err(error) if error.is_unreachable() => {
                if !orphans(context) {
                    return nothing_runs(context);
                }
                // A new supervisor takes the services over, and stops them in order like any other.
                self.supervisor_back(context).await?;
                node.status().await?
            }
            Err(error) => return Err(error.into()),
        };
        let mut pids: Vec<u32> = view
            .services
            .iter()
            .filter_map(|service| service.pid)
            .collect();
        pids.push(view.pid);
        match node.stop_node().await {
            // The supervisor may close the connection in ending; what counts is whether it ends.
            Err(error) if !error.is_unreachable() && !error.is_outcome_unknown() => {
                return Err(error.into());
            }
            _ => {}
        }
        while let Some(pid) = pids.iter().copied().find(|&pid| launch::is_alive(pid)) {
            if begun.elapsed() > Duration::from_secs(self.timeout) {
                return Err(failure(
                    Exit::TimedOut,
                    format!(
                        "process {pid} still runs after {} s; look at it: tana status, tana logs all",
                        self.timeout
                    ),
                ));
            }
            tokio::time::sleep(LOOK).await;
        }
        RunState::clear(context.home())?;
        let took = begun.elapsed();
        context
            .out
            .show(&json!({"stopped": true, "node": view.node_id}), || {
                format!(
                    "{} stopped, {} services, took {:.1} s\n",
                    view.node_id,
                    view.services.len(),
                    took.as_secs_f32()
                )
            })?;
        Ok(Exit::Done)
    }

    async fn supervisor_back(&self, context: &Context) -> anyhow::Result<()> {
        context
            .out
            .progress("the supervisor is gone, its services run; taking them over to stop them");
        let mut launched = launch::launch(&context.settings)?;
        launched
            .until_it_answers(&context.settings, Duration::from_secs(self.timeout))
            .await
    }
}

/// Whether services run that a killed supervisor has left.
pub(super) fn orphans(context: &Context) -> bool {
    #[derive(serde::Deserialize)]
    struct Running {
        pid: u32,
    }
    let path = context.home().data_dir().join("node-state.json");
    let found: BTreeMap<String, Running> = read_json(&path).ok().flatten().unwrap_or_default();
    found.values().any(|running| launch::is_alive(running.pid))
}

fn nothing_runs(context: &Context) -> anyhow::Result<Exit> {
    context
        .out
        .show(&json!({"stopped": false, "node": null}), || {
            "no node runs here; nothing to stop\n".to_owned()
        })?;
    Ok(Exit::Done)
}
