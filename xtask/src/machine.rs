//! What this machine has and lacks: settings, programs, Debian packages.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo;

/// An environment variable that is set and not empty.
#[expect(
    clippy::disallowed_methods,
    reason = "xtask is no daemon: it reads cargo's and the shell's variables, none of Tana's settings"
)]
pub(crate) fn setting(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// `XDG_CACHE_HOME/tana`, where downloads are kept between checkouts.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    let base = setting("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(setting("HOME")?).join(".cache")))?;
    Some(base.join("tana"))
}

/// The program of that name on the PATH.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = setting("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

pub(crate) fn is_root() -> bool {
    // The owner of /proc/self is the effective user of this process.
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// Something a step needs, and the Debian package that brings it.
pub(crate) struct Need {
    pub(crate) what: &'static str,
    pub(crate) package: &'static str,
    pub(crate) present: fn() -> bool,
}

/// Without these nothing is linked.
pub(crate) const COMPILER: Need = Need {
    what: "a C compiler",
    package: "gcc libc6-dev",
    present: || find("cc").is_some(),
};
/// libFuzzer is C++.
pub(crate) const COMPILER_CXX: Need = Need {
    what: "a C++ compiler",
    package: "g++",
    present: || find("c++").is_some(),
};
pub(crate) const CMAKE: Need = Need {
    what: "cmake",
    package: "cmake make",
    present: || find("cmake").is_some(),
};
pub(crate) const SIMDE: Need = Need {
    what: "the SIMDe headers",
    package: "libsimde-dev",
    present: || Path::new("/usr/include/simde").is_dir(),
};
pub(crate) const CURL: Need = Need {
    what: "curl",
    package: "curl ca-certificates",
    present: || find("curl").is_some(),
};

/// What the daemons are tested with that shares no code with them.
pub(crate) const PEER: Need = Need {
    what: "Python with PyNaCl and requests",
    package: "python3 python3-nacl python3-requests",
    present: || {
        // The package is for the system's Python, which need not be the first in PATH.
        ["python3", "/usr/bin/python3"].iter().any(|python| {
            Command::new(python)
                .args(["-c", "import nacl, requests"])
                .output()
                .is_ok_and(|ran| ran.status.success())
        })
    },
};

/// Makes the certificates of servers in the tests.
pub(crate) const OPENSSL: Need = Need {
    what: "openssl",
    package: "openssl",
    present: || find("openssl").is_some(),
};

/// What the edge is measured against, and what checks the types of contracts.
pub(crate) const NODE: Need = Need {
    what: "Node with npm",
    package: "nodejs npm",
    present: || find("node").is_some() && find("npm").is_some(),
};

/// What makes network namespaces.
pub(crate) const NETWORK: Need = Need {
    what: "ip",
    package: "iproute2",
    present: || find("ip").is_some(),
};

/// Whose keys sign approvals in the tests.
pub(crate) const AGENT: Need = Need {
    what: "ssh-agent",
    package: "openssh-client",
    present: || find("ssh-agent").is_some() && find("ssh-keygen").is_some(),
};

/// What reading content is compared with.
pub(crate) const NGINX: Need = Need {
    what: "nginx",
    package: "nginx-light",
    present: || find("nginx").is_some(),
};

/// A browser, and what tests drive it with.
pub(crate) const BROWSER: Need = Need {
    what: "Chromium with its driver",
    package: "chromium chromium-driver",
    present: || find("chromium").is_some() && find("chromedriver").is_some(),
};

/// What stands between the console and a node elsewhere in the tests.
pub(crate) const SSH_SERVER: Need = Need {
    what: "an SSH server and client",
    package: "openssh-server openssh-client",
    present: || Path::new("/usr/sbin/sshd").is_file() && find("ssh").is_some(),
};

/// Sees to it that everything is there: installs it on Debian as root, otherwise says how to.
pub(crate) fn require(needs: &[Need]) -> Result<()> {
    let missing: Vec<_> = needs.iter().filter(|need| !(need.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let what = missing
        .iter()
        .map(|need| need.what)
        .collect::<Vec<_>>()
        .join(", ");
    let packages: Vec<_> = missing
        .iter()
        .flat_map(|need| need.package.split(' '))
        .collect();
    if !is_root() || find("apt-get").is_none() {
        bail!(
            "this machine lacks {what}; on Debian: sudo apt-get install {}; elsewhere install the equivalent",
            packages.join(" ")
        );
    }
    println!(
        "this machine lacks {what}: installing {}",
        packages.join(" ")
    );
    if apt(&["install", "-y", "--no-install-recommends"], &packages).is_err() {
        // The lists may be old or, on a fresh machine, not there at all.
        apt(&["update"], &[])?;
        apt(&["install", "-y", "--no-install-recommends"], &packages)?;
    }
    if let Some(need) = missing.iter().find(|need| !(need.present)()) {
        bail!(
            "{} is still missing after installing {}",
            need.what,
            need.package
        );
    }
    Ok(())
}

pub(crate) fn apt(verb: &[&str], packages: &[&str]) -> Result<()> {
    let mut command: Command = cargo::command("apt-get");
    // RUNLEVEL=1: the packages' own services are not started; the tests run servers of their own.
    command
        .args(["-q", "-o", "Dpkg::Use-Pty=0"])
        .args(verb)
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1");
    cargo::run(&mut command).context("apt-get did not succeed")
}
