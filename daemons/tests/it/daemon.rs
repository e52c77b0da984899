//! A daemon within the test, on a free port of the loopback, spoken to over real HTTP.

use std::time::Duration;

use serde_json::Value;
use tana_client::MeshClient;
use tana_kit::http::Limits;
use tana_kit::service::{App, Context, ServiceSpec, serve};
use tana_kit::{Shutdown, Tasks};
use tana_protocol::ServiceKind;
use tokio::net::TcpListener;

/// Long enough for a loaded machine; nothing waits so long that works.
pub(crate) const LONG: Duration = Duration::from_secs(20);

pub(crate) struct Daemon {
    pub(crate) base: String,
    http: reqwest::Client,
    shutdown: Shutdown,
    whole: Tasks,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

/// A status and the JSON that came with it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    /// The stable code of a problem document, whose form is checked.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        let body = &self.body;
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["error"], body["detail"], "{body}");
        assert!(
            body["type"].is_string() && body["title"].is_string(),
            "{body}"
        );
        body["code"].as_str().unwrap()
    }

    #[track_caller]
    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.body
    }
}

impl Daemon {
    pub(crate) async fn start<F, Fut>(kind: ServiceKind, limits: Limits, build: F) -> Self
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<App>> + Send + 'static,
    {
        Self::start_at("127.0.0.1:0", kind, limits, build).await
    }

    /// The same on an address of the caller's choice.
    pub(crate) async fn start_at<F, Fut>(
        address: &str,
        kind: ServiceKind,
        limits: Limits,
        build: F,
    ) -> Self
    where
        F: FnOnce(Context) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<App>> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = Shutdown::new();
        let spec = ServiceSpec {
            kind,
            version: "test",
            listen: address,
            limits,
        };
        // The daemon's own tasks are awaited by itself, so it runs on another set.
        let whole = Tasks::new(Shutdown::new());
        whole.spawn(
            "daemon",
            serve(spec, listener, Tasks::new(shutdown.clone()), build),
        );
        let base = format!("http://{address}");
        // Making a client installs what TLS needs, even where none is spoken.
        MeshClient::new(&base).unwrap();
        let daemon = Self {
            base,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            shutdown,
            whole,
        };
        until("the daemon to be open", || async {
            daemon.get("/openapi.json").await.status == 200
        })
        .await;
        daemon
    }

    /// Ends it, and waits until all of it has ended: its files are free then.
    pub(crate) async fn stop(&self) {
        self.shutdown.begin();
        self.whole.finish(LONG).await.unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.http.get(self.url(path))).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        answer(self.http.post(self.url(path)).json(body)).await
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    Answer {
        status,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    }
}

/// Waits on a condition.
pub(crate) async fn until<F, Fut>(what: &str, holds: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = bool>,
{
    let look = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(LONG, look).await;
    assert!(waited.is_ok(), "waited {LONG:?} for {what}");
}
