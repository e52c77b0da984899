//! `cargo xtask bench`: measurements of the real programs, as a table.

use anyhow::{Result, bail};
use clap::Args;

#[derive(Args)]
pub(crate) struct Options {}

pub(crate) fn run(_options: &Options) -> Result<()> {
    bail!("nothing can be measured before the daemons run")
}
