//! `cargo xtask fuzz`: the targets of `fuzz/` under libFuzzer, guided by coverage.
//!
//! Our own crates are compiled with counters, what they depend on is not: generic code of it, such as the reading of JSON,
//! is compiled in ours. There is no address sanitizer, which would need another compiler: the code is safe Rust, and what
//! is looked for are panics, overflows, endless loops and unbounded memory.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::engine::{self, Choice};
use crate::{cargo, machine};

#[derive(Args)]
pub(crate) struct Options {
    /// What is fuzzed: a directory of fuzz/seeds; all, one after another, where none is named
    target: Option<String>,
    /// How long, each
    #[arg(long, default_value_t = 10)]
    minutes: u64,
    #[command(flatten)]
    engine: engine::Wanted,
}

/// What one process may hold, in MiB.
const MEMORY: u32 = 2048;
/// What one input may take, in seconds.
const PATIENCE: u32 = 20;
/// Longer inputs are not tried.
const LONGEST: u32 = 16 << 10;

pub(crate) fn run(options: &Options) -> Result<()> {
    machine::require(&[machine::COMPILER, machine::COMPILER_CXX])?;
    let targets = targets(options.target.as_deref())?;
    let choice = engine::choose(options.engine.engine)?;
    println!("{}", choice.describe());
    let directory = cargo::target_dir()?.join("fuzz");
    let program = build(&choice)?;
    for target in targets {
        fuzz(&program, &directory, &target, options.minutes)?;
    }
    Ok(())
}

fn targets(wanted: Option<&str>) -> Result<Vec<String>> {
    let seeds = cargo::root().join("fuzz/seeds");
    let entries =
        fs::read_dir(&seeds).with_context(|| format!("cannot read {}", seeds.display()))?;
    let mut known: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    known.sort();
    let Some(wanted) = wanted else {
        return Ok(known);
    };
    ensure!(
        known.iter().any(|name| name == wanted),
        "no target is called {wanted}; there are {}",
        known.join(", ")
    );
    Ok(vec![wanted.to_owned()])
}

/// Builds with the same features and profile as the tests, so that what is not ours is compiled already; our own crates
/// get their counters from `fuzz/rustc.sh`, and are kept apart by cargo for it.
fn build(choice: &Choice) -> Result<PathBuf> {
    let mut build = cargo::cargo();
    build.args(["build", "--workspace", "--locked", "--bin", "fuzz"]);
    choice.apply(&mut build);
    build.args(["--features", "tana-fuzz/libfuzzer"]).env(
        "RUSTC_WORKSPACE_WRAPPER",
        cargo::root().join("fuzz/rustc.sh"),
    );
    cargo::run(&mut build)?;
    Ok(cargo::target_dir()?.join("debug/fuzz"))
}

fn fuzz(
    program: &std::path::Path,
    directory: &std::path::Path,
    target: &str,
    minutes: u64,
) -> Result<()> {
    let corpus = directory.join("corpus").join(target);
    let found = directory.join("found").join(target);
    for directory in [&corpus, &found] {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    println!("== {target}: {minutes} minutes");
    let mut run = cargo::command(program);
    run.env("TANA_FUZZ_TARGET", target)
        .env("RUST_BACKTRACE", "1")
        .arg(&corpus)
        .arg(cargo::root().join("fuzz/seeds").join(target))
        .arg(format!("-max_total_time={}", minutes * 60))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-timeout={PATIENCE}"))
        .arg(format!("-max_len={LONGEST}"))
        .args([
            "-use_value_profile=1",
            "-print_final_stats=1",
            "-verbosity=1",
        ]);
    cargo::run(&mut run).with_context(|| {
        format!(
            "{target}: something was found; mend it and copy the input from {} to fuzz/seeds/{target}",
            found.display()
        )
    })
}
