//! A throw-away Redis for the tests: own directory, own port, as durable as production runs it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::keeper::{Keeper, Server, free_port};
use crate::machine::{self, Need};

pub(crate) const SERVER: Need = Need {
    what: "Redis",
    package: "redis-server",
    present: || program().is_some(),
};

/// Starts the server.
pub(crate) fn start(keeper: &Keeper) -> Result<Server> {
    machine::require(&[SERVER])?;
    let program = program().context("Redis is installed, but redis-server was not found")?;
    let home = keeper.dir().join("redis");
    fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
    let port = free_port()?;
    let log = fs::File::create(keeper.dir().join("redis.log"))?;
    let mut server = Command::new("setpriv");
    server.args(["--pdeathsig", "TERM"]).arg(program);
    server
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            // Each test takes a database of its own.
            "--databases",
            "5000",
            "--dir",
        ])
        .arg(&home);
    server
        .current_dir(&home)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    let child = keeper
        .mark(&mut server)
        .process_group(0)
        .spawn()
        .context("cannot run redis-server")?;
    let mut server = Server {
        url: format!("redis://127.0.0.1:{port}/"),
        child,
    };

    let deadline = Instant::now() + Duration::from_secs(30);
    while !answers(port) {
        if server.child.try_wait()?.is_some() || Instant::now() > deadline {
            let log = fs::read_to_string(keeper.dir().join("redis.log")).unwrap_or_default();
            bail!("Redis did not start on port {port}; it said:\n{log}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(server)
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut answer = [0; 7];
    stream
        .set_read_timeout(Some(Duration::from_secs(2)))
        .is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && &answer == b"+PONG\r\n"
}

fn program() -> Option<PathBuf> {
    machine::find("redis-server").or_else(|| machine::find("valkey-server"))
}
