//! A Redis of the test's own, which it can kill and start again.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::daemon::until;

pub(crate) struct Redis {
    directory: tempfile::TempDir,
    port: u16,
    tls: bool,
    child: Option<Child>,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Redis {
    /// A place for one; nothing runs yet.
    pub(crate) fn new() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        Self {
            directory: tempfile::tempdir().unwrap(),
            port: free.local_addr().unwrap().port(),
            tls: false,
            child: None,
        }
    }

    /// One that speaks nothing but TLS, with the certificate of an authority of its own.
    pub(crate) async fn running_with_tls() -> Self {
        let mut redis = Self::new();
        redis.tls = true;
        redis.certify();
        redis.start().await;
        redis
    }

    /// The authority's certificate.
    pub(crate) fn authority(&self) -> String {
        let file = self.directory.path().join("ca.pem");
        file.to_str().unwrap().to_owned()
    }

    fn certify(&self) {
        let openssl = |arguments: &str| {
            let ran = Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(self.directory.path())
                .output()
                .expect("openssl: cargo xtask test installs it");
            assert!(ran.status.success(), "openssl {arguments}: {ran:?}");
        };
        let extensions = self.directory.path().join("server.ext");
        std::fs::write(extensions, "subjectAltName=IP:127.0.0.1\n").unwrap();
        openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=scratch -keyout ca.key -out ca.pem",
        );
        openssl(
            "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=redis -keyout server.key -out server.csr",
        );
        openssl(
            "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem",
        );
    }

    pub(crate) async fn running() -> Self {
        let mut redis = Self::new();
        redis.start().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// As production runs it: what is answered is on disk.
    pub(crate) async fn start(&mut self) {
        let port = self.port.to_string();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(match self.tls {
                false => vec!["--port", &port],
                true => vec![
                    "--port",
                    "0",
                    "--tls-port",
                    &port,
                    "--tls-cert-file",
                    "server.pem",
                    "--tls-key-file",
                    "server.key",
                    "--tls-ca-cert-file",
                    "ca.pem",
                    "--tls-auth-clients",
                    "no",
                ],
            })
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(self.directory.path())
            .current_dir(self.directory.path())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.expect("redis-server: cargo xtask test installs it"));
        let port = self.port;
        until("Redis to listen", || async move {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
        })
        .await;
    }

    /// One command in words, as an administrator types it.
    pub(crate) async fn run(&self, command: &str) {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let address = ("127.0.0.1", self.port);
        let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
        let line = format!("{command}\r\n");
        connection.write_all(line.as_bytes()).await.unwrap();
        let first = connection.read_u8().await.unwrap();
        assert_ne!(first, b'-', "{command} was refused");
    }

    /// SIGKILL: nothing is written any more.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
