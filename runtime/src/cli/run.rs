//! `tana-runtime run`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use tana_runtime::engine::{self, Engine};
use tana_runtime::host::{LocalContext, LocalHost};
use tana_sandbox::message::{Entry, HttpRequest, Invocation, Limits, Outcome};

use super::apart;
use super::report::{self, Form};

#[derive(Args)]
pub(crate) struct Run {
    /// The TypeScript file
    file: PathBuf,
    /// A JSON file with the world that the contract sees: block, caller, users, balances, data
    #[arg(long, value_name = "FILE")]
    context: Option<PathBuf>,
    /// What context.input() gives
    #[arg(long, value_name = "JSON")]
    input: Option<String>,
    /// What to call
    #[arg(long, value_name = "NAME", default_value = "auto", value_parser = ["auto", "init", "contract", "get", "post"])]
    entry: String,
    /// How much gas the contract may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(Limits::MAX_GAS)))]
    gas_limit: Option<u32>,
    /// A host that fetch may reach, `example.com` or `localhost:8080`; may repeat
    #[arg(long, value_name = "HOST")]
    allow: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Run it in this process, which a contract may bring down
    #[arg(long, hide = true)]
    here: bool,
}

impl Run {
    pub(crate) fn execute(self) -> anyhow::Result<ExitCode> {
        let source = super::read(&self.file)?;
        if !self.here {
            return apart::run(&self.file, &source, Form::from_flag(self.json));
        }
        let mut context: LocalContext = match &self.context {
            None => LocalContext::default(),
            Some(file) => {
                let text = super::read(file)?;
                serde_json::from_str(&text)
                    .with_context(|| format!("{} is not a context", file.display()))?
            }
        };
        context.fetch_hosts.extend(self.allow);
        let mut invocation = Invocation::new(super::name(&self.file), source.clone());
        if let Err(error) = context.apply(&mut invocation) {
            bail!("{error}");
        }
        if let Some(input) = &self.input {
            invocation.input =
                serde_json::from_str::<Value>(input).context("--input is not JSON")?;
        }
        if let Some(gas) = self.gas_limit {
            invocation.limits.gas = gas;
        }
        invocation.entry = match self.entry.as_str() {
            "init" => Entry::Init,
            "contract" => Entry::Contract,
            "get" => Entry::Get,
            "post" => Entry::Post,
            _ => Entry::Auto,
        };
        if matches!(invocation.entry, Entry::Get | Entry::Post) {
            let method = if invocation.entry == Entry::Get {
                "GET"
            } else {
                "POST"
            };
            invocation.request = Some(HttpRequest {
                method: method.to_owned(),
                path: "/".to_owned(),
                ip: "127.0.0.1".to_owned(),
                body: (invocation.entry == Entry::Post)
                    .then(|| tana_sandbox::message::Body::Text(invocation.input.to_string())),
                ..HttpRequest::default()
            });
        }
        let outcome = engine::in_deep_thread(move || outcome(invocation, context))??;
        Ok(report::outcome(
            &self.file,
            &source,
            &outcome,
            Form::from_flag(self.json),
        ))
    }
}

fn outcome(invocation: Invocation, context: LocalContext) -> std::io::Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let _guard = runtime.enter();
    let mut engine = Engine::direct();
    Ok(runtime.block_on(engine::run(
        &mut engine,
        Rc::new(invocation),
        Rc::new(LocalHost::new(context)),
    )))
}
