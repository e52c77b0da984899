//! `cargo xtask schema`: the services against their own OpenAPI documents, with schemathesis from PyPI in an environment
//! of its own under the cache directory.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::keeper::Keeper;
use crate::machine::{self, Need};
use crate::{cargo, engine};

/// The version that is installed: another makes other requests.
const VERSION: &str = "4.32.5";

const PYTHON: Need = Need {
    what: "Python with venv",
    package: "python3 python3-venv",
    present: || {
        cargo::command("python3")
            .args(["-c", "import venv, ensurepip"])
            .output()
            .is_ok_and(|ran| ran.status.success())
    },
};

#[derive(Args)]
pub(crate) struct Options {
    /// Requests that are made up for each endpoint at most
    #[arg(long, default_value_t = 100)]
    examples: u32,
    #[command(flatten)]
    engine: engine::Wanted,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    machine::require(&[machine::COMPILER])?;
    let choice = engine::choose(options.engine.engine)?;
    println!("{}", choice.describe());
    let program = program()?;
    let mut build = cargo::cargo();
    build.args(["build", "--workspace", "--locked", "--all-targets"]);
    cargo::run(choice.apply(&mut build))?;
    let keeper = Keeper::start()?;
    let mut test = cargo::cargo();
    test.args(["test", "--workspace", "--locked", "--test", "e2e"]);
    choice.apply(&mut test);
    test.args(["--", "--nocapture", "schema::"]);
    test.env("TANA_TEST_SCHEMATHESIS", program)
        .env("TANA_TEST_SCHEMA_EXAMPLES", options.examples.to_string())
        .env("TANA_TEST_BIN", cargo::target_dir()?.join("debug"));
    cargo::run(keeper.mark(&mut test))
}

/// The installed program; installed now where it is not.
pub(crate) fn program() -> Result<PathBuf> {
    let cache = machine::cache_dir().context("neither HOME nor XDG_CACHE_HOME is set")?;
    let home = cache.join(format!("schemathesis-{VERSION}"));
    let program = home.join("bin/st");
    // The last that is written.
    let done = home.join("installed");
    if done.is_file() {
        return Ok(program);
    }
    machine::require(&[PYTHON])?;
    cargo::run(
        cargo::command("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&home),
    )?;
    println!("installing schemathesis {VERSION} into {}", home.display());
    cargo::run(
        cargo::command(home.join("bin/pip"))
            .args([
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--retries",
                "1",
            ])
            .arg(format!("schemathesis=={VERSION}")),
    )?;
    std::fs::write(&done, "").with_context(|| format!("cannot write {}", done.display()))?;
    Ok(program)
}
