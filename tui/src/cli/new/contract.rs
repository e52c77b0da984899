//! `tana new contract`: a directory with a contract to begin from.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use tana_home::write_json;

use super::file_name;
use crate::cli::exit::{Exit, failure};
use crate::cli::output::Output;

#[derive(Debug, Args)]
pub(crate) struct NewContract {
    /// The contract's name
    name: String,
}

/// What a new contract begins as: it counts how often it was called, and says so over HTTP.
const CONTRACT: &str = include_str!("contract.ts");

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
        out.hint(&format!(
            "next: tana run {}; then, on a running node: tana deploy contract {name} --wait",
            source.display()
        ))?;
        Ok(Exit::Done)
    }
}
