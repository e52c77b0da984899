//! What a process listens on, from `/proc/net`.

use std::collections::BTreeSet;
use std::fs;

const LISTEN: &str = "0A";

/// A listening TCP socket.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) port: u16,
    pub(crate) loopback: bool,
}

pub(crate) fn listeners(pid: u32) -> Vec<Listener> {
    let inodes = inodes(pid);
    ["tcp", "tcp6"]
        .iter()
        .flat_map(|table| read(pid, table))
        .filter(|(_, inode)| inodes.contains(inode))
        .map(|(listener, _)| listener)
        .collect()
}

fn inodes(pid: u32) -> BTreeSet<String> {
    let links = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .flatten()
        .filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .trim_end_matches(']')
                    .to_owned(),
            )
        })
        .collect()
}

fn read(pid: u32, table: &str) -> Vec<(Listener, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
    let rows = text
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(3) == Some(&LISTEN))
        .map(|row| {
            let (address, port) = row[1].split_once(':').unwrap();
            // The kernel prints the address as 32-bit words in the byte order of the machine.
            let loopback = address == "0100007F" || address == "00000000000000000000000001000000";
            (
                Listener {
                    port: u16::from_str_radix(port, 16).unwrap(),
                    loopback,
                },
                row[9].to_owned(),
            )
        })
        .collect()
}
