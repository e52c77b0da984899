//! The home's files: settings, chain, keys and who may read them.

use std::os::unix::fs::PermissionsExt;

use tana_home::{HomeError, KeyFile, UserFile};
use tana_protocol::ChainSpec;

use super::Finding;
use crate::cli::context::Context;

pub(super) fn look(context: &Context) -> Vec<Finding> {
    let home = context.home();
    // The settings were read before this runs: they hold.
    let mut findings = vec![Finding::ok(
        "settings",
        format!(
            "{}, role {}, node {}, port offset {}",
            home.root().display(),
            context.settings.role,
            context.settings.node_id,
            context.settings.port_offset
        ),
    )];
    if let Ok(found) = std::fs::metadata(home.root()) {
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o022 != 0 {
            findings.push(Finding::warning(
                "home-mode",
                format!(
                    "others may write into {} (mode {mode:04o})",
                    home.root().display()
                ),
                format!("chmod 700 {}", home.root().display()),
            ));
        }
    }
    let chain = match context.settings.chain() {
        Ok(chain) => {
            findings.push(Finding::ok(
                "chain",
                format!("{} ({})", chain.name, chain.chain_id),
            ));
            Some(chain)
        }
        Err(HomeError::Missing { what, todo }) => {
            findings.push(Finding::wrong("no-chain", what, todo));
            None
        }
        Err(error) => {
            findings.push(unreadable(
                "chain",
                &error,
                "restore the chain file from another node",
            ));
            None
        }
    };
    findings.push(node_key(context, chain.as_ref()));
    findings.push(sovereign_key(context, chain.as_ref()));
    findings.extend(users(context));
    findings
}

fn unreadable(code: &'static str, error: &HomeError, todo: &str) -> Finding {
    let mut says = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        says.push_str(&format!(": {source}"));
    }
    Finding::wrong(code, says, todo)
}

fn node_key(context: &Context, chain: Option<&ChainSpec>) -> Finding {
    match KeyFile::find(&context.home().node_key_file()) {
        Ok(Some(key)) => Finding::ok("node-key", format!("0600, {}", key.public_key.short())),
        Ok(None) if chain.is_some() => Finding::wrong(
            "node-key",
            "there is no node-key.json",
            "restore it from its copy, or make a key for a new node: tana new node NAME",
        ),
        Ok(None) => Finding::ok("node-key", "none yet"),
        Err(error) => unreadable("node-key", &error, "restore it from its copy"),
    }
}

fn sovereign_key(context: &Context, chain: Option<&ChainSpec>) -> Finding {
    let code = "sovereign-key";
    match KeyFile::find(&context.home().sovereign_key_file()) {
        Ok(Some(key)) => {
            let owns = chain.is_none_or(|chain| {
                chain
                    .sovereigns
                    .iter()
                    .any(|sovereign| sovereign.public_key == key.public_key)
            });
            if owns {
                Finding::ok(code, format!("0600, {}", key.public_key.short()))
            } else {
                // As after a rotation: the mesh decides, not the genesis.
                Finding::warning(
                    code,
                    format!(
                        "{} is none of the genesis's sovereigns",
                        key.public_key.short()
                    ),
                    "see whether the mesh knows it: tana sovereign list",
                )
            }
        }
        Ok(None) => Finding::ok(code, "not here; nodes are admitted elsewhere"),
        Err(error) => unreadable(code, &error, "restore it from its copy"),
    }
}

fn users(context: &Context) -> Vec<Finding> {
    let home = context.home();
    let names = match home.users() {
        Ok(names) => names,
        Err(error) => return vec![unreadable("users", &error, "make the directory readable")],
    };
    let mut findings: Vec<Finding> = names
        .iter()
        .filter_map(|name| UserFile::read(&home.user_file(name)).err())
        .map(|error| unreadable("users", &error, "restore the file from its copy"))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            "users",
            format!("{} with keys here", names.len()),
        ));
    }
    findings
}
