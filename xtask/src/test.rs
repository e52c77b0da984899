//! `cargo xtask test`: everything that must pass, in the order in which a mistake shows soonest.
//!
//! One build (development profile, all targets, one set of features) serves every step that runs something; only
//! clippy compiles apart from it, because it produces no code.

use std::ffi::OsString;
use std::io::{IsTerminal, stdout};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::cargo::{self, Totals};
use crate::engine::{self, Choice};
use crate::keeper::Keeper;
use crate::{machine, postgres, redis, schema, types};

/// The version that is installed where there is none.
const CARGO_DENY: &str = "0.20.2";

#[derive(Args)]
pub(crate) struct Options {
    /// Run these steps alone (may be given more than once)
    #[arg(long, value_enum)]
    only: Vec<Step>,
    #[command(flatten)]
    engine: engine::Wanted,
    /// Run only the tests whose name contains this
    filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// cargo fmt --check
    Fmt,
    /// clippy with warnings denied
    Clippy,
    /// cargo deny: licences, sources, duplicates, advisories
    Deny,
    /// Compile the binaries and every test
    Build,
    /// Unit and integration tests, with PostgreSQL and Redis
    Unit,
    /// Examples in the documentation
    Doc,
    /// The TypeScript compiler over the types and examples for contract authors
    Types,
    /// The real binaries, the console in a pseudo-terminal included
    E2e,
}

impl Step {
    const ALL: [Self; 8] = [
        Self::Fmt,
        Self::Clippy,
        Self::Deny,
        Self::Build,
        Self::Unit,
        Self::Doc,
        Self::Types,
        Self::E2e,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Deny => "deny",
            Self::Build => "build",
            Self::Unit => "unit",
            Self::Doc => "doc",
            Self::Types => "types",
            Self::E2e => "e2e",
        }
    }

    /// Whether the step compiles, and so needs a compiler and an engine.
    fn compiles(self) -> bool {
        !matches!(self, Self::Fmt | Self::Deny | Self::Types)
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let packages = packages(options);
    let steps: Vec<_> = Step::ALL
        .into_iter()
        .filter(|step| match options.only.as_slice() {
            [] => packages.is_empty() || matches!(step, Step::Clippy | Step::Build | Step::Unit),
            only => only.contains(step),
        })
        .collect();
    let choice = if steps.iter().any(|step| step.compiles()) {
        machine::require(&[machine::COMPILER])?;
        let choice = engine::choose(options.engine.engine)?;
        println!("{}", choice.describe());
        Some(choice)
    } else {
        None
    };

    let mut run = Run {
        options,
        packages,
        choice,
        keeper: None,
        totals: Totals::default(),
        failed: Vec::new(),
    };
    for step in steps {
        let started = Instant::now();
        println!("\n== {}", step.name());
        let outcome = run.step(step);
        let seconds = started.elapsed().as_secs_f32();
        match outcome {
            Ok(()) => println!("== {}: ok, {seconds:.1} s", step.name()),
            Err(error) => {
                println!("== {}: FAILED, {seconds:.1} s: {error:#}", step.name());
                println!("   alone: cargo xtask test --only {}", step.name());
                run.failed.push(step);
                if step == Step::Build {
                    // What does not compile cannot be run.
                    break;
                }
            }
        }
    }
    run.finish()
}

/// What to test; none for the whole workspace. Asked for by name, QuickJS is the engine that a machine with V8 has not
/// tested yet: then only what contains an engine is of interest.
fn packages(options: &Options) -> &'static [&'static str] {
    match options.engine.engine {
        Some(engine::Engine::Quickjs) => &["tana-runtime", "tana-edge"],
        _ => &[],
    }
}

struct Run<'o> {
    options: &'o Options,
    packages: &'static [&'static str],
    choice: Option<Choice>,
    keeper: Option<Keeper>,
    totals: Totals,
    failed: Vec<Step>,
}

impl Run<'_> {
    fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::Fmt => cargo::run(cargo::cargo().args(["fmt", "--all", "--check"])),
            Step::Clippy => cargo::run(
                self.workspace(&["clippy", "--all-targets"])
                    .args(["--", "-D", "warnings"]),
            ),
            Step::Deny => deny(),
            Step::Build => cargo::run(&mut self.workspace(&["build", "--all-targets"])),
            Step::Unit => {
                let mut command =
                    self.workspace(&["test", "--no-fail-fast", "--lib", "--bins", "--test", "it"]);
                machine::require(&[
                    machine::PEER,
                    machine::AGENT,
                    machine::BROWSER,
                    machine::OPENSSL,
                ])?;
                self.start_keeper()?;
                let keeper = self
                    .keeper
                    .as_ref()
                    .context("no directory for the servers")?;
                // Stopped when this step is over, whatever it came to.
                let (postgres, redis) = (postgres::start(keeper)?, redis::start(keeper)?);
                command
                    .env("TANA_TEST_POSTGRES_URL", &postgres.url)
                    .env("TANA_TEST_REDIS_URL", &redis.url);
                self.tests(&mut command)
            }
            Step::Doc => {
                let mut command = self.workspace(&["test", "--no-fail-fast", "--doc"]);
                if self.options.filter.is_none() {
                    // Not ours: deno_core's macro brings the example of its own documentation along, marked as ignored.
                    command.args(["--", "--skip", "engine::ops::tana"]);
                }
                self.tests(&mut command)
            }
            Step::Types => types::check(),
            Step::E2e => {
                machine::require(&[
                    postgres::SERVER,
                    redis::SERVER,
                    machine::AGENT,
                    machine::SSH_SERVER,
                ])?;
                // Builds nothing after the step `build`; alone, it makes the binaries that the tests drive.
                cargo::run(&mut self.workspace(&["build", "--all-targets"]))?;
                let mut command = self.workspace(&["test", "--no-fail-fast", "--test", "e2e"]);
                // One node at a time: their deadlines are an operator's, not those of a machine with ten nodes.
                command.env("RUST_TEST_THREADS", "1");
                match schema::program() {
                    Ok(program) => drop(command.env("TANA_TEST_SCHEMATHESIS", program)),
                    Err(error) => {
                        println!(
                            "schemathesis cannot be had: the services are not held to their documents ({error:#})"
                        );
                        command.args(["--", "--skip", "schema::"]);
                    }
                }
                self.tests(&mut command)
            }
        }
    }

    /// A cargo command over the workspace, or the part of it that is asked for, always with the same features: others would compile everything again.
    fn workspace(&self, args: &[&str]) -> Command {
        let mut command = cargo::cargo();
        let (verb, rest) = args.split_first().expect("a cargo command has a verb");
        command.arg(verb);
        if self.packages.is_empty() {
            command.arg("--workspace");
        }
        for package in self.packages {
            command.args(["--package", package]);
        }
        command.arg("--locked").args(rest);
        if stdout().is_terminal() {
            command.env("CARGO_TERM_COLOR", "always");
        }
        if let Some(choice) = &self.choice {
            choice.apply(&mut command);
        }
        command
    }

    fn tests(&mut self, command: &mut Command) -> Result<()> {
        self.start_keeper()?;
        let keeper = self.keeper.as_ref().context("no directory for the run")?;
        keeper
            .mark(command)
            .env("TANA_TEST_BIN", cargo::target_dir()?.join("debug"));
        if let Some(filter) = &self.options.filter {
            if !command.get_args().any(|arg| arg == "--") {
                command.arg("--");
            }
            command.arg(filter);
        }
        let totals = cargo::run_tests(command)?;
        self.totals.add(totals);
        if totals.failed > 0 {
            bail!(
                "{} of {} tests",
                totals.failed,
                totals.failed + totals.passed
            );
        }
        Ok(())
    }

    fn start_keeper(&mut self) -> Result<()> {
        if self.keeper.is_none() {
            self.keeper = Some(Keeper::start()?);
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        let Totals { passed, mut failed } = self.totals;
        // A step without tests counts as one: "0 failed" must mean that everything passed.
        failed += self
            .failed
            .iter()
            .filter(|step| {
                matches!(
                    step,
                    Step::Fmt | Step::Clippy | Step::Deny | Step::Build | Step::Types
                )
            })
            .count() as u64;
        drop(self.keeper);
        println!("\n{passed} passed, {failed} failed");
        if self.failed.is_empty() {
            return Ok(());
        }
        bail!(
            "failed: {}",
            self.failed
                .iter()
                .map(|step| step.name())
                .collect::<Vec<_>>()
                .join(", ")
        )
    }
}

/// Licences, sources and duplicates need no network; advisories need the database, which may be out of reach.
/// Licences, sources, bans, and advisories where their database can be reached. Installs cargo-deny, in the cache, where
/// it is missing.
fn deny() -> Result<()> {
    let path = deny_path()?;
    cargo::run(
        cargo::cargo()
            .args([
                "deny",
                "--workspace",
                "check",
                "--hide-inclusion-graph",
                "licenses",
                "sources",
                "bans",
            ])
            .env("PATH", &path),
    )?;
    let output = cargo::command("timeout")
        .args(["60", "cargo", "deny", "--workspace", "check", "advisories"])
        .env("PATH", &path)
        .output()
        .context("cannot run timeout")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(124)
        || said.contains("failed to fetch advisory database")
        || said.contains("failed to acquire")
    {
        println!("the advisory database cannot be reached from here: advisories not checked");
        return Ok(());
    }
    print!("{said}");
    anyhow::ensure!(output.status.success(), "cargo deny check advisories");
    Ok(())
}

/// PATH with a cargo-deny in it.
fn deny_path() -> Result<OsString> {
    let path = machine::setting("PATH").unwrap_or_default();
    if machine::find("cargo-deny").is_some() {
        return Ok(path);
    }
    let tools = machine::cache_dir()
        .context("no HOME to keep cargo-deny in; install it: cargo install --locked cargo-deny")?
        .join("tools");
    let bin = tools.join("bin");
    if !bin.join("cargo-deny").is_file() {
        println!("cargo-deny is not installed: building {CARGO_DENY} into the cache, once");
        let mut install = cargo::command("cargo");
        // Unoptimised: optimising it takes longer than all its runs.
        install
            .args([
                "install",
                "--quiet",
                "--locked",
                "--debug",
                "--version",
                CARGO_DENY,
            ])
            .arg("--root")
            .arg(&tools)
            .arg("cargo-deny")
            // The workspace's build directory is of no use to it.
            .env_remove("CARGO_TARGET_DIR");
        cargo::run(&mut install)?;
    }
    let dirs = std::iter::once(bin).chain(std::env::split_paths(&path));
    std::env::join_paths(dirs).context("PATH cannot be extended")
}
