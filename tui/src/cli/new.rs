//! `tana new chain|user|node|contract`: files of a home. Idempotent, or refuses with a reason; no key is overwritten.

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tana_client::now;
use tana_home::{HomeError, KeyFile, NodeFile, UserFile, read_json, write_json};
use tana_protocol::genesis::{ChainLimits, GenesisSovereign, Validator};
use tana_protocol::node::NodeKey;
use tana_protocol::{ChainSpec, Network, NodeId, PublicKey, SecretKey, ServiceKind, Username};

use super::context::Context;
use super::exit::{Exit, failure};
use super::output::Output;
use super::submit::username;
use crate::show::clean;

#[derive(Debug, Subcommand)]
pub(crate) enum New {
    /// A chain: its genesis, the sovereign's key and user, this node's key
    Chain(NewChain),
    /// A user's key, in users/NAME.json
    User(NewUser),
    /// A node's key: this home's own where it has none, otherwise nodes/NAME.json
    Node(NewNode),
    /// A contract's first file, in this directory
    Contract(NewContract),
}

#[derive(Debug, Args)]
pub(crate) struct NewChain {
    /// The chain's name: a-z, 0-9 and -
    name: String,
    /// Make a chain for real value
    #[arg(long)]
    mainnet: bool,
    /// The sovereign's username
    #[arg(long, value_name = "NAME", default_value = "sovereign")]
    sovereign: String,
}

#[derive(Debug, Args)]
pub(crate) struct NewUser {
    /// The user's name: a-z, 0-9, _ and -
    name: String,
    /// The name for people; default: the name
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct NewNode {
    /// The node's name in the mesh
    name: String,
    /// What its ports are moved by
    #[arg(long, value_name = "N", default_value_t = 0)]
    port_offset: u16,
}

#[derive(Debug, Args)]
pub(crate) struct NewContract {
    /// The contract's name
    name: String,
}

impl New {
    pub(crate) fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        match self {
            Self::Chain(chain) => chain.execute(context),
            Self::User(user) => user.execute(context),
            Self::Node(node) => node.execute(context),
            Self::Contract(contract) => contract.execute(context.out.is_json()),
        }
    }
}

/// A name that is also a file's.
fn file_name<'a>(what: &str, text: &'a str) -> anyhow::Result<&'a str> {
    let valid = (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !text.starts_with('-');
    if valid {
        Ok(text)
    } else {
        Err(failure(
            Exit::Misuse,
            format!(
                "{:?} is no {what}'s name; it is 1 to 40 of a-z, 0-9 and -, such as demo",
                clean(text)
            ),
        ))
    }
}

/// The key in a file; a new one where there is none.
fn key_at(path: PathBuf) -> Result<KeyFile, HomeError> {
    if let Some(found) = KeyFile::find(&path)? {
        return Ok(found);
    }
    let key = KeyFile::generate();
    match key.create(&path) {
        // Another `tana new` was faster: its key is the one.
        Err(HomeError::Exists { .. }) => KeyFile::read(&path),
        written => written.map(|()| key),
    }
}

impl NewChain {
    fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let name = file_name("chain", &self.name)?;
        let sovereign_name = username(&self.sovereign)?;
        let home = context.home();
        home.create()?;
        let chains = home.chains()?;
        if chains.iter().any(|chain| chain == name) {
            return present(context, &home.chain(name)?);
        }
        if let Some(other) = chains.first() {
            return Err(failure(
                Exit::Failed,
                format!(
                    "this home belongs to the chain {other}; a home has one chain, make another home: TANA_HOME=DIR tana new chain {name}"
                ),
            ));
        }

        // The chain file comes last: it is there only when all that belongs to it is.
        let node = NodeKey::new(key_at(home.node_key_file())?.secret_key);
        let sovereign = key_at(home.sovereign_key_file())?;
        sovereign_user(context, &sovereign_name, &sovereign)?;
        let spec = ChainSpec {
            chain_id: chain_id(name),
            name: name.to_owned(),
            network: if self.mainnet {
                Network::Mainnet
            } else {
                Network::Testnet
            },
            genesis_time: now(),
            sovereigns: vec![GenesisSovereign {
                username: sovereign_name,
                display_name: "Sovereign".to_owned(),
                public_key: sovereign.public_key,
            }],
            validators: vec![Validator {
                node_id: context.settings.node_id.clone(),
                public_key: node.service_key(ServiceKind::Producer).public(),
                power: 1,
            }],
            currencies: ChainSpec::genesis_currencies(),
            engine: None,
            limits: ChainLimits::default(),
        };
        home.write_chain(&spec)?;
        said(context, &spec, "made")
    }
}

/// The chain's id binds transactions to it: two chains of one name differ by it.
fn chain_id(name: &str) -> String {
    // The first digits of a random key's public half: random, and no secret.
    let random = SecretKey::generate().public().to_bytes();
    let digits: String = random[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{name}-{digits}")
}

/// The sovereign as a user of this home, so that `transfer sovereign …` works like any other.
fn sovereign_user(context: &Context, name: &Username, key: &KeyFile) -> anyhow::Result<()> {
    let path = context.home().user_file(name.bare());
    match UserFile::find(&path)? {
        Some(user) if user.public_key == key.public_key => Ok(()),
        Some(_) => Err(failure(
            Exit::Failed,
            format!(
                "{} holds another key than sovereign-key.json; name the sovereign otherwise: --sovereign NAME",
                path.display()
            ),
        )),
        None => {
            UserFile {
                username: name.clone(),
                display_name: "Sovereign".to_owned(),
                user_id: None,
                chain_id: None,
                public_key: key.public_key,
                secret_key: key.secret_key.clone(),
            }
            .create(&path)?;
            Ok(())
        }
    }
}

/// The chain is there already: whole, or something is missing that cannot be made again.
fn present(context: &Context, spec: &ChainSpec) -> anyhow::Result<Exit> {
    let home = context.home();
    let sovereign = KeyFile::find(&home.sovereign_key_file())?;
    if let Some(key) = &sovereign {
        let known = spec
            .sovereigns
            .iter()
            .any(|s| s.public_key == key.public_key);
        if !known {
            return Err(failure(
                Exit::Failed,
                format!(
                    "the chain {} is there, and sovereign-key.json belongs to none of its sovereigns; restore the right key from its copy",
                    spec.name
                ),
            ));
        }
    }
    if KeyFile::find(&home.node_key_file())?.is_none() {
        return Err(failure(
            Exit::Failed,
            format!(
                "the chain {} is there, and {} is not; restore it from its copy, or make a key for a new node: tana new node NAME",
                spec.name,
                home.node_key_file().display()
            ),
        ));
    }
    said(context, spec, "is there already; nothing was changed")
}

fn said(context: &Context, spec: &ChainSpec, what: &str) -> anyhow::Result<Exit> {
    let home = context.home();
    let value = json!({
        "chainId": spec.chain_id,
        "name": spec.name,
        "file": home.chain_file(&spec.name),
        "sovereignKey": spec.sovereigns.first().map(|s| s.public_key),
        "nodeId": context.settings.node_id,
    });
    context.out.show(&value, || {
        let mut text = format!("chain {} ({}) {what}\n", spec.name, spec.chain_id);
        text.push_str(&format!("files      {}\n", home.root().display()));
        if let Some(sovereign) = spec.sovereigns.first() {
            text.push_str(&format!(
                "sovereign  {}\n           {}\n",
                sovereign.username,
                sovereign.public_key.fingerprint()
            ));
        }
        text
    })?;
    context.out.hint("next: tana start --wait")?;
    Ok(Exit::Done)
}

impl NewUser {
    fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let name = username(&self.name)?;
        let home = context.home();
        home.create()?;
        let path = home.user_file(name.bare());
        let (file, what) = match UserFile::find(&path)? {
            Some(found) => (found, "is there already; nothing was changed"),
            None => {
                let key = SecretKey::generate();
                let file = UserFile {
                    username: name.clone(),
                    display_name: self.display_name.unwrap_or_else(|| name.bare().to_owned()),
                    user_id: None,
                    chain_id: None,
                    public_key: key.public(),
                    secret_key: key,
                };
                file.create(&path)?;
                (file, "made")
            }
        };
        key_said(
            context.out,
            &json!({"username": file.username, "publicKey": file.public_key, "file": path}),
            &format!("user {} {what}", file.username),
            &file.public_key,
        )?;
        context
            .out
            .hint(&format!("next: tana deploy user {} --wait", name.bare()))?;
        Ok(Exit::Done)
    }
}

fn key_said(out: Output, value: &Value, what: &str, key: &PublicKey) -> io::Result<()> {
    out.show(value, || format!("{what}\nkey  {}\n", key.fingerprint()))
}

impl NewNode {
    fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let id: NodeId = self
            .name
            .parse()
            .map_err(|error| failure(Exit::Misuse, format!("{:?}: {error}", clean(&self.name))))?;
        let home = context.home();
        home.create()?;
        let own = home.node_key_file();
        if KeyFile::find(&own)?.is_none() {
            let key = key_at(own.clone())?;
            name_this_node(context, &id, self.port_offset)?;
            key_said(
                context.out,
                &json!({"nodeId": id, "publicKey": key.public_key, "file": own}),
                &format!("this home's node is {id} now"),
                &key.public_key,
            )?;
            context.out.hint("next: tana mesh register")?;
            return Ok(Exit::Done);
        }
        let (file, made) = further_node(context, &id, self.port_offset)?;
        let what = if made == Made::Now {
            "made"
        } else {
            "is there already; nothing was changed"
        };
        key_said(
            context.out,
            &json!({"nodeId": id, "publicKey": file.public_key, "file": home.node_file(id.as_str())}),
            &format!("node {id} {what}"),
            &file.public_key,
        )?;
        context
            .out
            .hint(&format!("next: tana mesh register --dev --node-id {id}"))?;
        Ok(Exit::Done)
    }
}

/// Whether a file is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Now,
    Before,
}

/// The key of a further node that is played from this home; a new one where there is none.
pub(crate) fn further_node(
    context: &Context,
    id: &NodeId,
    port_offset: u16,
) -> anyhow::Result<(NodeFile, Made)> {
    let path = context.home().node_file(id.as_str());
    if let Some(found) = NodeFile::find(&path)? {
        return Ok((found, Made::Before));
    }
    let key = SecretKey::generate();
    let file = NodeFile {
        node_id: id.clone(),
        port_offset,
        public_key: key.public(),
        secret_key: key,
    };
    file.create(&path)?;
    Ok((file, Made::Now))
}

/// Writes the node's name, and its offset where it has one, into config.json.
fn name_this_node(context: &Context, id: &NodeId, port_offset: u16) -> anyhow::Result<()> {
    let path = context.home().config_file();
    let mut config: serde_json::Map<String, Value> = read_json(&path)?.unwrap_or_default();
    config.insert("nodeId".to_owned(), json!(id));
    if port_offset != 0 {
        config.insert("portOffset".to_owned(), json!(port_offset));
    }
    write_json(&path, &config)?;
    Ok(())
}

/// What a new contract begins as: it counts how often it was called, and says so over HTTP.
const CONTRACT: &str = r#"import { console } from "tana/core";
import { caller, input } from "tana/context";
import { data } from "tana/data";

// Called by a transaction: what it returns is the receipt's result.
export function contract() {
  const calls = Number(data.get("calls") ?? 0) + 1;
  data.set("calls", calls);
  data.commit();
  console.log(`call ${calls} by ${caller()}`);
  return { calls, input: input() };
}

// Called over HTTP by the edge: reads, and changes nothing.
export function get() {
  return { calls: Number(data.get("calls") ?? 0) };
}
"#;

impl NewContract {
    pub(crate) fn execute(&self, json: bool) -> anyhow::Result<Exit> {
        let name = file_name("contract", &self.name)?;
        let out = Output::new(json, true);
        let directory = PathBuf::from(name);
        if directory.exists() {
            return Err(failure(
                Exit::Failed,
                format!("{name}/ exists already; nothing was changed; choose another name"),
            ));
        }
        std::fs::create_dir(&directory)?;
        let source = directory.join("contract.ts");
        std::fs::write(&source, CONTRACT)?;
        let about = json!({"name": name, "version": "0.1.0", "description": ""});
        write_json(&directory.join("contract.json"), &about)?;
        out.show(&json!({"name": name, "file": source}), || {
            format!("contract {name} made: {}\n", source.display())
        })?;
        out.hint(&format!("next: tana run {}", source.display()))?;
        Ok(Exit::Done)
    }
}
