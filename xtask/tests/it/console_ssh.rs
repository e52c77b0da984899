//! A node on another machine: a real SSH server on loopback stands between the console and the supervisor, which listens on no port.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;

use crate::binary;
use crate::node::Node;
use crate::process;
use crate::terminal::Terminal;
use crate::wait::{LONG, until, until_true};

/// An SSH server for one user with one key, ended with the test.
struct Server {
    dir: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Whoever logs in has this node's home and the programs under test.
    fn of(node: &Node) -> Self {
        let dir = TempDir::new().unwrap();
        for name in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(dir.path().join(name))
                .status()
                .unwrap();
            assert!(made.success());
        }
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
             AllowTcpForwarding no\nSetEnv TANA_HOME={} PATH={}:/usr/bin:/bin\n",
            at("host"),
            at("user.pub"),
            node.home().display(),
            binary::dir().display()
        );
        fs::write(dir.path().join("config"), config).unwrap();
        let mut server = Self {
            dir,
            port,
            child: None,
        };
        server.start();
        server
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn start(&mut self) {
        if nix::unistd::geteuid().is_root() {
            // Where it gives its rights up; the system's own start makes it.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let log = fs::File::create(self.file("log")).unwrap();
        let program = ["/usr/sbin/sshd", "/usr/bin/sshd"].map(Path::new);
        let program = program.into_iter().find(|path| path.is_file());
        let child = Command::new(program.expect("an SSH server is installed"))
            .args(["-D", "-e", "-f"])
            .arg(self.file("config"))
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
        until("the SSH server to listen", LONG, || {
            let log = fs::read_to_string(self.file("log")).unwrap_or_default();
            std::net::TcpStream::connect(("127.0.0.1", self.port)).map_err(|_| log)
        });
    }

    /// The command that a context's `via` holds.
    fn via(&self) -> Vec<String> {
        let known = format!("UserKnownHostsFile={}", self.file("known").display());
        let (port, key) = (
            self.port.to_string(),
            self.file("user").display().to_string(),
        );
        let words = [
            "ssh",
            "-T",
            "-F",
            "none",
            "-p",
            &port,
            "-i",
            &key,
            "-o",
            "BatchMode=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-o",
            "StrictHostKeyChecking=accept-new",
            "-o",
            &known,
            "127.0.0.1",
        ];
        words.map(str::to_owned).to_vec()
    }

    /// The machine is gone: the server and every connection through it.
    fn cut(&mut self) {
        if let Some(mut child) = self.child.take() {
            let mut all = vec![child.id()];
            let mut next = 0;
            while next < all.len() {
                all.extend(process::children(all[next]));
                next += 1;
            }
            for pid in all {
                if process::alive(pid) {
                    process::signal(pid, Signal::SIGKILL);
                }
            }
            let _ended = child.wait();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.cut();
    }
}

#[test]
fn the_console_supervises_a_node_over_ssh() {
    let (here, there) = (Node::with_chain(), Node::running());
    let mut server = Server::of(&there);
    here.set(
        "contexts",
        json!({"far": {"node": "http://127.0.0.1", "portOffset": there.offset, "via": server.via()}}),
    );

    // Commands first: what they say when SSH does not work is easier to read.
    let status = here.json(&["--context", "far", "status"]);
    let services = status.as_array().unwrap();
    assert!(services.len() >= 5, "{status}");
    assert!(
        services.iter().all(|service| service["state"] == "ok"),
        "{status}"
    );

    let console = Terminal::console(here.home(), 120, 36);
    console.until("Services", LONG);
    console.keys(":ctx far\r");
    console.until("far", LONG);
    console.until_screen("all six services", LONG, |text| {
        text.matches("ready").count() >= 6 && text.contains("all well")
    });
    assert!(console.text().contains(&(8080 + there.offset).to_string()));

    // It supervises: a service there is started anew.
    let before = there.service("t4").unwrap().pid;
    console.keys("gjjr");
    until("t4 to run in another process", LONG, || {
        let service = there.service("t4")?;
        if service.pid.is_some() && service.pid != before && service.state == "ready" {
            Ok(())
        } else {
            Err(format!("{service:?}"))
        }
    });
    console.keys("l");
    console.until_screen("the log of t4", LONG, |text| {
        text.lines().any(|line| line.contains("listening"))
    });
    console.keys("4");
    console.until("height", LONG);

    // The machine is gone for a while: nothing that is shown passes for new.
    console.keys("1");
    console.until("all well", LONG);
    server.cut();
    console.until_screen("that nothing is heard any more", LONG, |text| {
        !text.contains("all well") && text.contains("since")
    });
    assert!(
        console.text().contains("t4"),
        "what was known stays:\n{}",
        console.text()
    );
    server.start();
    console.until("all well", LONG);

    // No word of SSH stands on the screen, and nothing is left behind.
    console.keys("q");
    drop(console);
    until_true("no command of the tunnel", LONG, || {
        process::of_home(here.home()).is_empty()
    });
    there.until_ready();
}
