//! Runs cargo and other programs, in the root of the checkout, with their output flowing through.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::machine;

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the root of the workspace")
}

/// The cargo that runs this program, started in the root.
pub(crate) fn cargo() -> Command {
    command(machine::setting("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// A program started in the root that reads nothing.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Where cargo puts what it builds: `CARGO_TARGET_DIR`, a config file, or `target`.
pub(crate) fn target_dir() -> Result<PathBuf> {
    let output = cargo()
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output()
        .context("cannot run cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let text = String::from_utf8(output.stdout).context("cargo metadata is not UTF-8")?;
    let (_, rest) = text
        .split_once("\"target_directory\":\"")
        .context("cargo metadata names no target directory")?;
    let (path, _) = rest
        .split_once('"')
        .context("cargo metadata names no target directory")?;
    Ok(path.into())
}

/// Runs to the end with inherited output.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot run {}", name(command)))?;
    ensure!(status.success(), "{} failed ({status})", name(command));
    Ok(())
}

/// What a run of tests came to.
#[derive(Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// The counts in a line such as `test result: FAILED. 3 passed; 1 failed; 0 ignored; …`.
    fn of_line(line: &str) -> Option<Self> {
        let (_, rest) = line.split_once("test result: ")?;
        let (_, counts) = rest.split_once(". ")?;
        let mut totals = Self::default();
        for part in counts.split(';') {
            let Some((number, what)) = part.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match what {
                "passed" => totals.passed += number,
                // A test that is skipped has not passed.
                "failed" | "ignored" => totals.failed += number,
                _ => {}
            }
        }
        Some(totals)
    }
}

/// Runs a test command, passes its output on as it comes, and counts.
pub(crate) fn run_tests(command: &mut Command) -> Result<Totals> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot run {}", name(command)))?;
    let Some(stdout) = child.stdout.take() else {
        bail!("the output of {} is not piped", name(command))
    };
    let mut totals = Totals::default();
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("cannot read the output of the tests")?;
        out.write_all(&line)?;
        out.write_all(b"\n")?;
        out.flush()?;
        if let Some(seen) = Totals::of_line(&String::from_utf8_lossy(&line)) {
            totals.add(seen);
        }
    }
    let status = child.wait()?;
    if !status.success() && totals.failed == 0 {
        // It did not compile, or a test took its process down: something failed that has no line of its own.
        totals.failed = 1;
    }
    Ok(totals)
}

/// The command as one would type it.
pub(crate) fn name(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_a_result_line_are_read() {
        let totals = Totals::of_line("test result: FAILED. 31 passed; 2 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.52s").expect("a result line");
        assert_eq!((totals.passed, totals.failed), (31, 3));
    }

    #[test]
    fn other_lines_count_nothing() {
        assert!(Totals::of_line("test cargo::tests::counts ... ok").is_none());
    }
}
