//! Processes as the kernel shows them in `/proc`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, SysconfVar, sysconf};

/// Whether the process runs (a zombie does not).
pub(crate) fn alive(pid: u32) -> bool {
    stat(pid).is_some_and(|fields| {
        fields
            .first()
            .is_some_and(|state| state != "Z" && state != "X")
    })
}

pub(crate) fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(pid).unwrap()), signal)
        .unwrap_or_else(|error| panic!("cannot signal {pid}: {error}"));
}

/// Every process that was given this directory as its `TANA_HOME`, or that lies in it.
pub(crate) fn of_home(home: &Path) -> BTreeSet<u32> {
    let wanted = home.to_str().unwrap().as_bytes();
    let numbers = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers
        .filter(|pid| {
            let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|pair| pair.strip_prefix(b"TANA_HOME=") == Some(wanted))
        })
        .filter(|pid| alive(*pid))
        .collect()
}

/// The process of one service of this home.
pub(crate) fn of_service(home: &Path, service: &str) -> Option<u32> {
    of_home(home).into_iter().find(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<_> = line.split(|byte| *byte == 0).collect();
        let program = words.first().is_some_and(|program| match service {
            "edge" => program.ends_with(b"tana-edge"),
            _ => program.ends_with(b"tanad"),
        });
        program && (service == "edge" || words.get(1) == Some(&service.as_bytes()))
    })
}

/// The processes that a process has started and that live.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task"))
        .unwrap()
        .flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let pids: BTreeSet<u32> = lists
        .flat_map(|list| {
            let pids = list.split_whitespace().filter_map(|pid| pid.parse().ok());
            pids.collect::<Vec<u32>>()
        })
        .collect();
    pids.into_iter().filter(|pid| alive(*pid)).collect()
}

/// Resident memory that is the process's own: what its pages without those of mapped files add up to.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    status_mib(pid, "VmRSS:")
}

/// The most that it ever was.
#[allow(dead_code, reason = "for the measurements")]
pub(crate) fn most_resident_mib(pid: u32) -> f64 {
    status_mib(pid, "VmHWM:")
}

fn status_mib(pid: u32, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Resident memory with what is shared counted in proportion: what several processes of one program have adds up.
///
/// None where the process is gone.
pub(crate) fn proportional_mib(pid: u32) -> Option<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

/// CPU time of the process, all threads, so far.
pub(crate) fn cpu(pid: u32) -> Duration {
    let fields = stat(pid).unwrap_or_else(|| panic!("process {pid} is gone"));
    let ticks: u64 = fields[11..13]
        .iter()
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    let per_second = u64::try_from(sysconf(SysconfVar::CLK_TCK).unwrap().unwrap()).unwrap();
    Duration::from_millis(ticks * 1000 / per_second)
}

/// The fields of `/proc/<pid>/stat` from the state on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}
