//! `tana run`: hands a contract to `tana-runtime` and becomes it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Context as _;
use clap::Args;

use super::exit::Exit;
use super::launch;

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The contract, and what tana-runtime takes besides (see tana-runtime run --help)
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "CONTRACT.ts"
    )]
    arguments: Vec<OsString>,
}

impl Run {
    /// Returns only when the program cannot be run: its exit code is this command's.
    pub(crate) fn execute(self) -> anyhow::Result<Exit> {
        let program = launch::program("tana-runtime")?;
        let error = Command::new(&program)
            .arg("run")
            .args(self.arguments)
            .exec();
        Err(error).with_context(|| format!("{} cannot be run", program.display()))
    }
}
