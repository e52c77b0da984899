//! `tana-runtime sandbox`: shuts itself in as a worker does, tries to get out, and says what came of it.

use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};

use serde_json::json;
use tana_runtime::engine::{self, Engine};
use tana_runtime::sandbox;

pub(crate) fn execute() -> anyhow::Result<ExitCode> {
    let (gaps, tried) = engine::in_deep_thread(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let _guard = runtime.enter();
        let _engine = Engine::warm();
        anyhow::Ok((sandbox::enter(), attempts()))
    })??;
    let escaped: Vec<_> = tried
        .iter()
        .filter(|(_, refused)| refused.is_none())
        .map(|(what, _)| what)
        .collect();
    let code = u8::from(!escaped.is_empty() || !gaps.is_empty());
    println!(
        "{}",
        json!({ "gaps": gaps, "possible": escaped, "refused": tried.len() - escaped.len() })
    );
    Ok(ExitCode::from(code))
}

/// What was tried, and why it failed.
fn attempts() -> Vec<(&'static str, Option<String>)> {
    let said = |result: std::io::Result<()>| result.err().map(|error| error.to_string());
    vec![
        ("read a file", said(File::open("/etc/passwd").map(drop))),
        (
            "read its own memory map",
            said(File::open("/proc/self/maps").map(drop)),
        ),
        (
            "write a file",
            said(File::create("/tmp/tana-sandbox-escape").map(drop)),
        ),
        ("list a directory", said(std::fs::read_dir("/").map(drop))),
        (
            "delete a file",
            said(std::fs::remove_file("/tmp/tana-sandbox-escape")),
        ),
        (
            "connect over TCP",
            said(TcpStream::connect("127.0.0.1:1").map(drop)),
        ),
        (
            "listen on TCP",
            said(TcpListener::bind("127.0.0.1:0").map(drop)),
        ),
        (
            "open a UDP socket",
            said(UdpSocket::bind("127.0.0.1:0").map(drop)),
        ),
        ("open a pair of sockets", said(UnixStream::pair().map(drop))),
        (
            "start a program",
            said(Command::new("/bin/true").status().map(drop)),
        ),
        (
            "signal another process",
            nix::sys::signal::kill(nix::unistd::getppid(), None)
                .err()
                .map(|error| error.to_string()),
        ),
    ]
}
