//! `tana node proxy`: the supervisor's socket on standard input and output, for a console on another machine.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use clap::Subcommand;

use super::context::Context;
use super::exit::{Exit, failure};

#[derive(Debug, Subcommand)]
pub(crate) enum Node {
    /// Join standard input and output to this node's supervisor; a console elsewhere runs it over SSH
    Proxy,
}

impl Node {
    pub(crate) fn execute(self, context: &Context) -> anyhow::Result<Exit> {
        let Self::Proxy = self;
        let path = context.home().socket();
        let mut socket = UnixStream::connect(&path).map_err(|_| {
            failure(
                Exit::Unreachable,
                format!(
                    "no node answers at {}; start it: tana start",
                    path.display()
                ),
            )
        })?;
        let mut there = socket.try_clone()?;
        // It ends with the process: standard input may stay open when the node has said all.
        std::thread::spawn(move || {
            let _ = io::copy(&mut io::stdin().lock(), &mut there);
            let _ = there.shutdown(Shutdown::Write);
        });
        let mut out = io::stdout().lock();
        let mut part = [0; 16 * 1024];
        loop {
            let n = io::Read::read(&mut socket, &mut part)?;
            if n == 0 {
                return Ok(Exit::Done);
            }
            // Every event at once: standard output holds lines back otherwise.
            io::Write::write_all(&mut out, &part[..n])?;
            io::Write::flush(&mut out)?;
        }
    }
}
