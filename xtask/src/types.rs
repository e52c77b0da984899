//! The TypeScript compiler over `types/`, `examples/` and `types/tests/`: what contract authors' editors would say. In
//! `types/tests` every line after `@ts-expect-error` must be refused.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::{cargo, machine};

/// Pinned: another version may find other mistakes.
const VERSION: &str = "5.9.3";

pub(crate) fn check() -> Result<()> {
    machine::require(&[machine::NODE])?;
    let compiler = compiler()?;
    let tests = cargo::root().join("types/tests");
    cargo::run(
        cargo::command("node")
            .arg(compiler)
            .args(["--project".as_ref(), tests.as_os_str()]),
    )
}

/// The compiler, installed once and kept between checkouts.
fn compiler() -> Result<PathBuf> {
    let dir = machine::cache_dir()
        .context("neither HOME nor XDG_CACHE_HOME is set, so there is nowhere to keep TypeScript")?
        .join(format!("typescript-{VERSION}"));
    let file = dir.join("node_modules/typescript/bin/tsc");
    if !file.is_file() {
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let mut install = cargo::command("npm");
        install
            .args([
                "install",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
                "--prefix",
            ])
            .arg(&dir)
            .arg(format!("typescript@{VERSION}"));
        cargo::run(&mut install)
            .context("TypeScript checks the types; npm could not install it")?;
    }
    ensure!(file.is_file(), "{} is not there", file.display());
    Ok(file)
}
