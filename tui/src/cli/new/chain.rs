//! `tana new chain`: genesis, sovereign and node key of a chain of one's own.

use std::path::Path;

use clap::Args;
use serde_json::json;
use tana_client::now;
use tana_home::{KeyFile, SealedKey, StoredKey, UserFile};
use tana_protocol::genesis::{ChainLimits, GenesisSovereign, Validator};
use tana_protocol::node::NodeKey;
use tana_protocol::{ChainSpec, Network, PublicKey, SecretKey, ServiceKind, Username};

use super::{file_name, key_at};
use crate::cli::context::Context;
use crate::cli::engine;
use crate::cli::exit::{Exit, failure};
use crate::cli::passphrase;
use crate::cli::sovereign::delete_open_copies;
use crate::cli::submit::username;
use crate::sign::Passphrase;

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
    /// Put the sovereign key under a passphrase from its first byte on the disk; it is asked for, or read from standard input
    #[arg(long)]
    seal: bool,
}

impl NewChain {
    pub(super) fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let name = file_name("chain", &self.name)?;
        let sovereign_name = username(&self.sovereign)?;
        let home = context.home();
        home.create()?;
        let chains = home.chains()?;
        if chains.iter().any(|chain| chain == name) {
            return present(context, &home.chain(name)?, self.seal);
        }
        if let Some(other) = chains.first() {
            return Err(failure(
                Exit::Failed,
                format!(
                    "this home belongs to the chain {other}; a home has one chain, make another home: TANA_HOME=DIR tana new chain {name}"
                ),
            ));
        }

        let passphrase = if self.seal {
            Some(passphrase::new()?)
        } else {
            None
        };

        // The chain file comes last: it is there only when all that belongs to it is.
        let engine = engine::installed()?;
        let node = NodeKey::new(key_at(&home.node_key_file())?.secret_key);
        let sovereign = match &passphrase {
            Some(passphrase) => sealed(context, &sovereign_name, passphrase)?,
            None => {
                let key = key_at(&home.sovereign_key_file())?;
                sovereign_user(context, &sovereign_name, &key)?;
                key.public_key
            }
        };
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
                public_key: sovereign,
            }],
            validators: vec![Validator {
                node_id: context.settings.node_id.clone(),
                public_key: node.service_key(ServiceKind::Producer).public(),
                power: 1,
            }],
            currencies: ChainSpec::genesis_currencies(),
            engine: engine.map(|installed| installed.engine),
            gas_schedule: engine.map(|installed| installed.schedule),
            limits: ChainLimits::default(),
        };
        home.write_chain(&spec)?;
        let exit = said(context, &spec, "made")?;
        if engine.is_none() {
            context.out.hint(
                "no tana-runtime is beside tana, so that this chain will never execute contracts; make it again once there is",
            )?;
        }
        Ok(exit)
    }
}

/// The sovereign key under a passphrase: a new one where there is none. One that lies there open, as an earlier try without a
/// passphrase left it, is sealed, and its copy among the users is deleted.
fn sealed(
    context: &Context,
    name: &Username,
    passphrase: &Passphrase,
) -> anyhow::Result<PublicKey> {
    let path = context.home().sovereign_key_file();
    let stored = StoredKey::find(&path)?;
    let known = stored.as_ref().map(StoredKey::public_key);
    let user_file = context.home().user_file(name.bare());
    if UserFile::find(&user_file)?.is_some_and(|user| Some(user.public_key) != known) {
        return Err(another_key(&user_file));
    }
    let public = match stored {
        // Nobody can seal anew what they cannot open.
        Some(StoredKey::Sealed(key)) => key.open(&passphrase.0)?.public_key,
        Some(StoredKey::Open(key)) => {
            let sealed = SealedKey::seal(&key.secret_key, &passphrase.0)?;
            StoredKey::Sealed(sealed).replace(&path)?;
            key.public_key
        }
        None => {
            let key = KeyFile::generate();
            let sealed = SealedKey::seal(&key.secret_key, &passphrase.0)?;
            StoredKey::Sealed(sealed).create(&path)?;
            key.public_key
        }
    };
    delete_open_copies(context, &public)?;
    Ok(public)
}

fn another_key(path: &Path) -> anyhow::Error {
    failure(
        Exit::Failed,
        format!(
            "{} holds another key than sovereign-key.json; name the sovereign otherwise: --sovereign NAME",
            path.display()
        ),
    )
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
        Some(_) => Err(another_key(&path)),
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
fn present(context: &Context, spec: &ChainSpec, seal: bool) -> anyhow::Result<Exit> {
    let home = context.home();
    let sovereign = StoredKey::find(&home.sovereign_key_file())?;
    if let Some(key) = &sovereign {
        let known = spec
            .sovereigns
            .iter()
            .any(|s| s.public_key == key.public_key());
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
    if seal && matches!(sovereign, Some(StoredKey::Open(_))) {
        return Err(failure(
            Exit::Failed,
            format!(
                "the chain {} is there already, and its sovereign key lies open; put it under a passphrase: tana sovereign seal",
                spec.name
            ),
        ));
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
        "engine": spec.engine,
        "gasSchedule": spec.gas_schedule,
    });
    context.out.show(&value, || {
        let mut text = format!("chain {} ({}) {what}\n", spec.name, spec.chain_id);
        text.push_str(&format!("files      {}\n", home.root().display()));
        if let (Some(engine), Some(schedule)) = (spec.engine, spec.gas_schedule) {
            text.push_str(&format!(
                "contracts  {}, gas schedule {schedule}\n",
                engine.as_str()
            ));
        }
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
