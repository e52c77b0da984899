//! `tana new contract`: a directory with a contract to begin from.

use clap::Args;
use serde_json::json;

use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::draft::Draft;

#[derive(Debug, Args)]
pub(crate) struct NewContract {
    /// The contract's name
    name: String,
}

impl NewContract {
    pub(crate) fn execute(&self, json: bool) -> anyhow::Result<Exit> {
        let out = Output::new(json, true);
        let draft = Draft::make(&self.name)?;
        let name = draft.name;
        let source = draft.file.unwrap_or_default();
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
