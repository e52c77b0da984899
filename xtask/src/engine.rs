//! Which JavaScript engine is built here, and why: V8 where its static library can be had, otherwise QuickJS.
//!
//! The crate `v8` does not compile V8: its build script unpacks a static library that `RUSTY_V8_ARCHIVE` names or that it
//! downloads. A download that cannot be reached fails late and slowly, so what can be had is found out here first.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::{cargo, machine};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Engine {
    V8,
    Quickjs,
}

#[derive(Args)]
pub(crate) struct Wanted {
    /// Build this engine, whatever the machine has
    #[arg(long, value_enum)]
    pub(crate) engine: Option<Engine>,
}

/// The engine, why it was chosen, and what its build needs.
pub(crate) struct Choice {
    engine: Engine,
    why: String,
    env: Vec<(&'static str, OsString)>,
}

impl Choice {
    /// Adds features and environment to a cargo command that compiles `tana-runtime` and `tana-edge`.
    pub(crate) fn apply<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        if self.engine == Engine::Quickjs {
            command.args([
                "--no-default-features",
                "--features",
                "tana-runtime/quickjs,tana-edge/quickjs",
            ]);
        }
        command.envs(self.env.iter().map(|(key, value)| (key, value)))
    }

    pub(crate) fn describe(&self) -> String {
        let name = match self.engine {
            Engine::V8 => "V8",
            Engine::Quickjs => "QuickJS",
        };
        format!("engine: {name}, because {}", self.why)
    }
}

pub(crate) fn run(wanted: &Wanted) -> Result<()> {
    println!("{}", choose(wanted.engine)?.describe());
    Ok(())
}

/// Chooses, downloads V8's library where that is how to get it, and installs what QuickJS needs.
pub(crate) fn choose(wanted: Option<Engine>) -> Result<Choice> {
    let target = host()?;
    let version = v8_version()?;
    let refused = match wanted {
        Some(Engine::Quickjs) => "it was asked for".to_owned(),
        _ => match v8(&target, &version)? {
            Ok(choice) => return Ok(choice),
            Err(refused) => {
                ensure!(
                    wanted.is_none(),
                    "V8 was asked for, but {refused}; set RUSTY_V8_ARCHIVE to its static library"
                );
                refused
            }
        },
    };
    quickjs(refused)
}

/// V8 with where its library is, or (inner error) why it cannot be had.
fn v8(target: &str, version: &str) -> Result<Result<Choice, String>> {
    let have = |archive: OsString, why: String| Choice {
        engine: Engine::V8,
        why,
        env: vec![("RUSTY_V8_ARCHIVE", archive)],
    };
    if let Some(archive) = machine::setting("RUSTY_V8_ARCHIVE") {
        let text = archive.to_string_lossy();
        ensure!(
            text.starts_with("http") || Path::new(&archive).is_file(),
            "RUSTY_V8_ARCHIVE names {text}, which is not there; correct it or unset it"
        );
        let why = format!("RUSTY_V8_ARCHIVE is {text}");
        return Ok(Ok(have(archive, why)));
    }
    let places = [
        cargo::root().parent().map(|dir| dir.join("shared/v8")),
        machine::cache_dir().map(|dir| dir.join("v8")),
    ];
    for dir in places.iter().flatten() {
        if let Some(archive) = archive_in(dir, target, version) {
            let why = format!("its library is at {}", archive.display());
            return Ok(Ok(have(archive.into(), why)));
        }
    }
    match download(target, version) {
        Ok(archive) => {
            let why = format!("its library could be downloaded to {}", archive.display());
            Ok(Ok(have(archive.into(), why)))
        }
        Err(error) => Ok(Err(format!("V8's library could not be had: {error:#}"))),
    }
}

/// A library for this version and machine, with the feature that `deno_core` asks for.
fn archive_in(dir: &Path, target: &str, version: &str) -> Option<PathBuf> {
    let fits = |name: &str| {
        name.contains(version)
            && name.contains("simdutf_release")
            && name.ends_with(&format!("{target}.a.gz"))
    };
    let mut found: Vec<_> = fs::read_dir(dir)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(fits)
        })
        .collect();
    found.sort();
    fs::canonicalize(found.pop()?).ok()
}

fn download(target: &str, version: &str) -> Result<PathBuf> {
    let dir = machine::cache_dir()
        .context("neither HOME nor XDG_CACHE_HOME is set, so there is nowhere to keep it")?
        .join("v8");
    machine::require(&[machine::CURL])?;
    let base = machine::setting("RUSTY_V8_MIRROR").map_or_else(
        || "https://github.com/denoland/rusty_v8/releases/download".into(),
        |mirror| mirror.to_string_lossy().into_owned(),
    );
    let url = format!("{base}/v{version}/librusty_v8_simdutf_release_{target}.a.gz");
    println!("looking for V8's library at {url}");
    let mut head = cargo::command("curl");
    head.args([
        "--silent",
        "--fail",
        "--location",
        "--head",
        "--connect-timeout",
        "5",
        "--max-time",
        "20",
        "--output",
        "/dev/null",
        &url,
    ]);
    let status = head.status().context("cannot run curl")?;
    ensure!(
        status.success(),
        "{url} is not reachable from here (curl {status})"
    );
    fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let file = dir.join(format!(
        "librusty_v8_{version}_simdutf_release_{target}.a.gz"
    ));
    let part = file.with_extension(format!("part{}", std::process::id()));
    // Stops by itself when it crawls: under 10 KiB/s for half a minute.
    cargo::run(
        cargo::command("curl")
            .args([
                "--fail",
                "--location",
                "--progress-bar",
                "--connect-timeout",
                "10",
                "--speed-limit",
                "10240",
                "--speed-time",
                "30",
                "--output",
            ])
            .arg(&part)
            .arg(&url),
    )?;
    fs::rename(&part, &file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn quickjs(why: String) -> Result<Choice> {
    machine::require(&[machine::CMAKE])?;
    if machine::is_root() && machine::find("apt-get").is_some() {
        machine::require(&[machine::SIMDE])?;
    }
    let mut env = Vec::new();
    if (machine::SIMDE.present)() {
        // The build clones SIMDe unless cmake is told that it is here.
        let dir = cargo::target_dir()?;
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let file = dir.join("quickjs-toolchain.cmake");
        let text = "set(FETCHCONTENT_SOURCE_DIR_SIMDE /usr/include CACHE PATH \"\")\n";
        if fs::read_to_string(&file).ok().as_deref() != Some(text) {
            fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        }
        env.push(("CMAKE_TOOLCHAIN_FILE", file.into()));
    }
    Ok(Choice {
        engine: Engine::Quickjs,
        why,
        env,
    })
}

/// The target triple of this machine.
fn host() -> Result<String> {
    let output = cargo::command("rustc")
        .arg("-vV")
        .output()
        .context("cannot run rustc")?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc -vV names no host")
}

/// The version of the crate `v8` in Cargo.lock: library and crate must agree.
fn v8_version() -> Result<String> {
    let lock =
        fs::read_to_string(cargo::root().join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let (_, rest) = lock
        .split_once("name = \"v8\"\nversion = \"")
        .context("Cargo.lock does not hold the crate v8")?;
    let (version, _) = rest
        .split_once('"')
        .context("Cargo.lock is damaged near the crate v8")?;
    Ok(version.to_owned())
}
