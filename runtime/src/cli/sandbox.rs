//! `tana-runtime sandbox`: shuts itself in as the process of an execution is, tries to get out, and says what came of it.

use std::fs::File;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};

use serde_json::json;
use tana_runtime::engine::{self, Zygote};
use tana_runtime::sandbox;

pub(crate) fn execute() -> anyhow::Result<ExitCode> {
    let (fences, tried) = engine::in_deep_thread(|| {
        let _zygote = Zygote::warm()?;
        let fences = sandbox::enter();
        fences.enter_execution()?;
        anyhow::Ok((fences, attempts()))
    })??;
    let gaps = fences.gaps();
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
#[allow(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "the library has no other way to fork, and a copy has nothing to clean up"
)]
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
            "start a process",
            // SAFETY: where it succeeds, the process does nothing and ends.
            match unsafe { nix::unistd::fork() } {
                Err(error) => Some(error.to_string()),
                Ok(nix::unistd::ForkResult::Parent { .. }) => None,
                Ok(nix::unistd::ForkResult::Child) => std::process::exit(0),
            },
        ),
        (
            "outlive the worker",
            nix::sys::prctl::set_pdeathsig(None)
                .err()
                .map(|error| error.to_string()),
        ),
        (
            "have its worker sent a signal",
            // SAFETY: a system call without memory.
            said(
                nix::errno::Errno::result(unsafe {
                    libc::syscall(
                        libc::SYS_fcntl,
                        0,
                        libc::F_SETOWN,
                        nix::unistd::getppid().as_raw(),
                    )
                })
                .map(drop)
                .map_err(Into::into),
            ),
        ),
        (
            "signal itself by number",
            said(
                nix::errno::Errno::result(unsafe {
                    // SAFETY: a system call without memory.
                    libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), 0)
                })
                .map(drop)
                .map_err(Into::into),
            ),
        ),
        (
            "signal another process",
            nix::sys::signal::kill(nix::unistd::getppid(), None)
                .err()
                .map(|error| error.to_string()),
        ),
    ]
}
