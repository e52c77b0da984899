//! A throw-away PostgreSQL for the tests: own directory, own port, never root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::keeper::{Keeper, Server, free_port};
use crate::machine::{self, Need};

pub(crate) const SERVER: Need = Need {
    what: "PostgreSQL",
    package: "postgresql",
    present: || bin_dir().is_some(),
};

/// Starts the server, with a database.
pub(crate) fn start(keeper: &Keeper) -> Result<Server> {
    machine::require(&[SERVER])?;
    let bin =
        bin_dir().context("PostgreSQL is installed, but neither initdb nor postgres was found")?;
    let home = keeper.dir().join("postgres");
    fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
    let user = user();
    if let Some(user) = user {
        cargo::run(Command::new("chown").arg(user).arg(&home))?;
    }
    let data = home.join("data");
    let mut initdb = as_user(user, &bin.join("initdb"));
    initdb
        .args([
            "--auth=trust",
            "--username=tana",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
            "-D",
        ])
        .arg(&data)
        .current_dir(&home)
        .stdout(Stdio::null());
    cargo::run(keeper.mark(&mut initdb))?;

    let port = free_port()?;
    let log = fs::File::create(keeper.dir().join("postgres.log"))?;
    let mut server = as_user(user, &bin.join("postgres"));
    server
        .arg("-D")
        .arg(&data)
        .args(["-p", &port.to_string(), "-k"])
        .arg(&home);
    // Durability is tested by the product on SQLite; here a crash loses a directory that is thrown away anyway.
    for setting in [
        "listen_addresses=127.0.0.1",
        "fsync=off",
        "max_connections=300",
        "shared_buffers=64MB",
    ] {
        server.args(["-c", setting]);
    }
    server
        .current_dir(&home)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    use std::os::unix::process::CommandExt;
    let child = keeper
        .mark(&mut server)
        .process_group(0)
        .spawn()
        .context("cannot run postgres")?;
    let mut server = Server {
        url: format!("postgres://tana@127.0.0.1:{port}/postgres"),
        child,
    };

    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let ready = Command::new(bin.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()])
            .status()
            .context("cannot run pg_isready")?;
        if ready.success() {
            return Ok(server);
        }
        if server.child.try_wait()?.is_some() || Instant::now() > deadline {
            let log = fs::read_to_string(keeper.dir().join("postgres.log")).unwrap_or_default();
            bail!("PostgreSQL did not start on port {port}; it said:\n{log}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The newest installed PostgreSQL; Debian keeps its programs off the PATH.
fn bin_dir() -> Option<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            Some((
                entry.file_name().to_str()?.parse().ok()?,
                entry.path().join("bin"),
            ))
        })
        .collect();
    versions.sort();
    let debian = versions
        .into_iter()
        .rev()
        .map(|(_, dir)| dir)
        .find(|dir| complete(dir));
    debian.or_else(|| {
        machine::find("initdb")
            .and_then(|file| Some(file.parent()?.to_owned()))
            .filter(|dir| complete(dir))
    })
}

fn complete(dir: &Path) -> bool {
    ["initdb", "postgres", "pg_isready"]
        .iter()
        .all(|program| dir.join(program).is_file())
}

/// PostgreSQL refuses to run as root: whom to run it as then.
fn user() -> Option<&'static str> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    machine::is_root().then(|| {
        if users.lines().any(|line| line.starts_with("postgres:")) {
            "postgres"
        } else {
            "nobody"
        }
    })
}

/// The program, run as the user where one is given, and ended by the kernel when its parent dies.
fn as_user(user: Option<&str>, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args([
            "--reuid",
            user,
            "--regid",
            if user == "nobody" { "nogroup" } else { user },
            "--clear-groups",
        ]);
    }
    command.args(["--pdeathsig", "INT"]).arg(program);
    command
}
