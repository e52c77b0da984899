//! A PostgreSQL and a Redis of the test's own, as durable as production runs them, to be killed and started again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::binary;
use crate::wait::until;

const LIMIT: Duration = Duration::from_secs(60);

fn directory() -> TempDir {
    let made = binary::setting("TANA_TEST_DIR").map_or_else(TempDir::new, tempfile::tempdir_in);
    let made = made.unwrap();
    // PostgreSQL runs as another user.
    fs::set_permissions(made.path(), fs::Permissions::from_mode(0o755)).unwrap();
    made
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Every process of the server, at once and without a word.
fn kill_group(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        let group = Pid::from_raw(i32::try_from(child.id()).unwrap());
        // It may have ended by itself.
        let _ended = killpg(group, Signal::SIGKILL);
        child.wait().unwrap();
    }
}

/// Whether a server still runs.
fn runs(child: &mut Option<Child>) -> bool {
    child
        .as_mut()
        .is_some_and(|child| child.try_wait().unwrap().is_none())
}

pub(crate) struct Redis {
    home: TempDir,
    pub(crate) port: u16,
    child: Option<Child>,
    disk: Option<Mounted>,
}

impl Redis {
    pub(crate) fn start() -> Self {
        Self::start_on(None)
    }

    /// On a file system of so many MiB of its own.
    pub(crate) fn start_on(mib: Option<u32>) -> Self {
        let home = directory();
        let disk = mib.map(|mib| mount_small(home.path(), mib).expect(NEEDS_ROOT));
        let mut redis = Self {
            home,
            port: free_port(),
            child: None,
            disk,
        };
        redis.again();
        redis
    }

    /// Fills its disk for a while. It ends when it cannot write what it has accepted, and is started again then.
    pub(crate) fn fill_disk(&mut self, pause: Duration) {
        fill(self.home.path(), pause);
        if !runs(&mut self.child) {
            self.again();
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub(crate) fn kill(&mut self) {
        kill_group(&mut self.child);
    }

    /// Starts it on what it left on disk.
    pub(crate) fn again(&mut self) {
        self.kill();
        let mut server = Command::new("redis-server");
        server
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args([
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
                "--dir",
            ])
            .arg(self.home.path());
        server
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .process_group(0);
        self.child = Some(server.spawn().expect("redis-server is installed"));
        until("Redis to listen", LIMIT, || {
            std::net::TcpStream::connect(("127.0.0.1", self.port))
                .map_err(|error| error.to_string())
        });
    }

    /// Cuts every connection but leaves the server alone.
    pub(crate) fn cut(&self) {
        for kind in ["normal", "pubsub"] {
            let port = self.port.to_string();
            let done = Command::new("redis-cli")
                .args(["-p", &port, "CLIENT", "KILL", "TYPE", kind])
                .stdout(Stdio::null())
                .status();
            assert!(done.is_ok_and(|status| status.success()));
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
        drop(self.disk.take());
    }
}

pub(crate) struct Postgres {
    home: TempDir,
    bin: PathBuf,
    pub(crate) port: u16,
    child: Option<Child>,
    disk: Option<Mounted>,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        Self::start_on(None)
    }

    /// With its data on a file system of so many MiB of its own.
    pub(crate) fn start_on(mib: Option<u32>) -> Self {
        let mut versions: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path().join("bin"))
            .filter(|bin| bin.join("postgres").is_file())
            .collect();
        versions.sort();
        let mut server = Self {
            home: directory(),
            bin: versions.pop().expect("PostgreSQL is installed"),
            port: free_port(),
            child: None,
            disk: None,
        };
        if let Some(mib) = mib {
            fs::create_dir(server.data()).unwrap();
            server.disk = Some(mount_small(&server.data(), mib).expect(NEEDS_ROOT));
        }
        if is_root() {
            let done = Command::new("chown")
                .args(["-R", "postgres"])
                .arg(server.home.path())
                .status();
            assert!(done.is_ok_and(|status| status.success()));
        }
        let mut initdb = server.program("initdb");
        initdb
            .args([
                "--auth=trust",
                "--username=tana",
                "--encoding=UTF8",
                "--locale=C",
                "-D",
            ])
            .arg(server.data());
        assert!(initdb.stdout(Stdio::null()).status().unwrap().success());
        server.again();
        server
    }

    /// Fills its disk for a while. Where it ends because of it, it is started again.
    pub(crate) fn fill_disk(&mut self, pause: Duration) {
        fill(&self.data(), pause);
        let ready = Command::new(self.bin.join("pg_isready"))
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status();
        if !runs(&mut self.child) || !ready.is_ok_and(|status| status.success()) {
            self.kill();
            self.again();
        }
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    pub(crate) fn url(&self) -> String {
        self.database_url("postgres")
    }

    pub(crate) fn database_url(&self, name: &str) -> String {
        format!("postgres://tana@127.0.0.1:{}/{name}", self.port)
    }

    /// Makes an empty database; its address.
    #[allow(dead_code, reason = "for the measurements")]
    pub(crate) fn database(&self, name: &str) -> std::io::Result<String> {
        let mut createdb = self.program("createdb");
        createdb.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        let done = createdb.args(["-U", "tana", name]).status()?;
        if done.success() {
            Ok(self.database_url(name))
        } else {
            Err(std::io::Error::other(format!("createdb {name}: {done}")))
        }
    }

    /// One of its programs, never as root.
    pub(crate) fn program(&self, name: &str) -> Command {
        let program = self.bin.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args([
                "--reuid",
                "postgres",
                "--regid",
                "postgres",
                "--clear-groups",
            ]);
            command.arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.home.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn kill(&mut self) {
        kill_group(&mut self.child);
    }

    /// Starts it on what it left on disk. Its defaults are durable.
    pub(crate) fn again(&mut self) {
        let port = self.port.to_string();
        let mut child = self.spawn();
        until("PostgreSQL to be ready", LIMIT, || {
            // Processes of the one that was killed end in their own time, and until then it refuses to start.
            if child.try_wait().unwrap().is_some() {
                child = self.spawn();
            }
            let ready = Command::new(self.bin.join("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status();
            let log = || fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
            ready
                .is_ok_and(|status| status.success())
                .then_some(())
                .ok_or_else(log)
        });
        self.child = Some(child);
    }

    fn spawn(&self) -> Child {
        let log = fs::File::create(self.home.path().join("log")).unwrap();
        let mut server = self.program("postgres");
        server
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string(), "-k"])
            .arg(self.home.path())
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "shared_buffers=128MB",
            ]);
        server
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0);
        server.spawn().unwrap()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
        drop(self.disk.take());
    }
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

pub(crate) const NEEDS_ROOT: &str = "this test mounts a small file system, which takes root";

/// Takes everything that is left on a disk, for a while.
pub(crate) fn fill(directory: &Path, pause: Duration) {
    let filler = directory.join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    let _full = std::io::copy(&mut std::io::repeat(7), &mut file);
    std::thread::sleep(pause);
    drop(file);
    fs::remove_file(&filler).unwrap();
}

/// A small file system over a directory, gone when dropped.
pub(crate) struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Mounts a file system of so many MiB over a directory; `None` where this may not be done, which takes root.
pub(crate) fn mount_small(over: &Path, mib: u32) -> Option<Mounted> {
    let size = format!("size={mib}m,mode=0700");
    Command::new("mount")
        .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
        .arg(over)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
        .then(|| Mounted(over.to_owned()))
}
