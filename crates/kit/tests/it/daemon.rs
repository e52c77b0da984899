//! A daemon of a few routes on a free port, and a client that speaks HTTP/1.1 by hand, so that nothing is hidden.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde_json::Value;
use tana_kit::http::Limits;
use tana_kit::service::{App, Context, ServiceSpec, serve};
use tana_kit::{EventHub, LastEventId, Shutdown, Tasks};
use tana_protocol::ServiceKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use utoipa::OpenApi;

/// Ends a test that hangs.
pub(crate) const LONG: Duration = Duration::from_secs(30);

#[derive(OpenApi)]
#[openapi(info(title = "test"))]
struct Document;

pub(crate) struct Daemon {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: Shutdown,
    ended: JoinHandle<anyhow::Result<()>>,
}

impl Daemon {
    pub(crate) async fn start(
        limits: Limits,
        routes: impl FnOnce(&Context) -> Router + Send + 'static,
    ) -> Self {
        Self::start_after(limits, std::future::ready(()), routes).await
    }

    /// One that streams events at `/events`, beside `more`; and what tells them.
    pub(crate) async fn with_events(limits: Limits, more: Router<EventHub>) -> (Self, EventHub) {
        let (give, given) = tokio::sync::oneshot::channel();
        let daemon = Self::start(limits, move |context| {
            let hub = EventHub::new(&context.shutdown);
            give.send(hub.clone()).ok().unwrap();
            let events = async |State(hub): State<EventHub>, last: LastEventId| hub.stream(&last);
            more.route("/events", get(events)).with_state(hub)
        })
        .await;
        let hub = given.await.unwrap();
        daemon.until("/health", 200).await;
        (daemon, hub)
    }

    /// One whose start takes until `opened` is there.
    pub(crate) async fn start_after(
        limits: Limits,
        opened: impl Future<Output = ()> + Send + 'static,
        routes: impl FnOnce(&Context) -> Router + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let tasks = Tasks::new(shutdown.clone());
        let spec = ServiceSpec {
            kind: ServiceKind::T4,
            version: "1.2.3",
            listen: address,
            limits,
        };
        // The test itself holds the handle and awaits it.
        #[allow(clippy::disallowed_methods)]
        let ended = tokio::spawn(serve(
            spec,
            listener,
            tasks,
            async move |context: Context| {
                opened.await;
                Ok(App::new(routes(&context), Document::openapi))
            },
        ));
        Self {
            address,
            shutdown,
            ended,
        }
    }

    /// Ends it and answers with what.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.begin();
        self.end().await
    }

    /// Waits for its end.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        tokio::time::timeout(LONG, self.ended)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "").await
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut stream = self.open(method, path, headers, body).await;
        let mut answer = Vec::new();
        tokio::time::timeout(LONG, stream.read_to_end(&mut answer))
            .await
            .unwrap()
            .unwrap();
        Answer::parse(&answer)
    }

    /// Sends a request; what comes back is read by the caller.
    pub(crate) async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut head = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream
            .write_all(format!("{head}\r\n{body}").as_bytes())
            .await
            .unwrap();
        stream
    }

    /// Asks again until a stream is opened; it is closed at once.
    pub(crate) async fn until_stream(&self, path: &str) {
        tokio::time::timeout(LONG, async {
            let mut head = [0; 12];
            while &head != b"HTTP/1.1 200" {
                let mut stream = self.open("GET", path, &[], "").await;
                stream.read_exact(&mut head).await.unwrap();
            }
        })
        .await
        .unwrap();
    }

    /// Asks again until the answer has this status.
    pub(crate) async fn until(&self, path: &str, status: u16) -> Answer {
        tokio::time::timeout(LONG, async {
            loop {
                let answer = self.get(path).await;
                if answer.status == status {
                    return answer;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap()
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        Self {
            status: status.parse().unwrap(),
            headers: lines
                .map(|line| line.split_once(": ").unwrap())
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The problem's code; fails where the answer is no whole problem document.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers["content-type"], "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["error"], problem["detail"]);
        assert!(problem["type"].is_string() && problem["title"].is_string());
        problem["code"].as_str().unwrap().to_owned()
    }

    pub(crate) fn detail(&self) -> String {
        self.json()["detail"].as_str().unwrap().to_owned()
    }
}
