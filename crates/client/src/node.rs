//! The supervisor of this machine's node, over its Unix socket.

use std::path::Path;

use tana_protocol::ServiceKind;
use tana_protocol::api::node::{LogLine, NodeView, ServiceView, event};

use crate::error::ClientError;
use crate::events::{EventStream, StreamEvent};
use crate::http::{Http, Repeat};

/// What the supervisor reports as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeEvent {
    /// A service changed.
    Service(Box<ServiceView>),
    /// A line of a log.
    Log(LogLine),
    /// The supervisor stops its services and ends.
    Stopping,
}

impl StreamEvent for NodeEvent {
    fn decode(name: &str, data: &str) -> Result<Option<Self>, serde_json::Error> {
        Ok(Some(match name {
            event::SERVICE => Self::Service(serde_json::from_str(data)?),
            event::LOG => Self::Log(serde_json::from_str(data)?),
            event::STOPPING => Self::Stopping,
            _ => return Ok(None),
        }))
    }
}

/// Which lines of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// The last so many.
    pub tail: Option<u32>,
    /// That contain this text.
    pub filter: Option<String>,
}

impl LogQuery {
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let tail = self.tail.map(|tail| ("tail", tail.to_string()));
        let filter = self.filter.clone().map(|filter| ("filter", filter));
        tail.into_iter().chain(filter).collect()
    }
}

/// A client of the supervisor.
#[derive(Clone, Debug)]
pub struct NodeClient(Http);

impl NodeClient {
    /// A client of the supervisor behind `socket`. Nothing is connected yet.
    ///
    /// # Errors
    /// When no client can be made at all.
    pub fn new(socket: &Path) -> Result<Self, ClientError> {
        Http::on_socket("node", socket).map(Self)
    }

    /// The node and its services.
    ///
    /// # Errors
    /// [`ClientError::NoNode`] when none runs.
    pub async fn status(&self) -> Result<NodeView, ClientError> {
        self.0.get(&["status"]).await
    }

    /// The services, in start order.
    ///
    /// # Errors
    /// [`ClientError::NoNode`] when none runs.
    pub async fn services(&self) -> Result<Vec<ServiceView>, ClientError> {
        self.0.get(&["services"]).await
    }

    /// Starts a service.
    ///
    /// # Errors
    /// `conflict` where its state forbids it, or another problem.
    pub async fn start(&self, service: ServiceKind) -> Result<(), ClientError> {
        self.order(service, "start").await
    }

    /// Stops a service and keeps it stopped.
    ///
    /// # Errors
    /// `conflict` where its state forbids it, or another problem.
    pub async fn stop(&self, service: ServiceKind) -> Result<(), ClientError> {
        self.order(service, "stop").await
    }

    /// Stops a service and starts it again.
    ///
    /// # Errors
    /// `conflict` where its state forbids it, or another problem.
    pub async fn restart(&self, service: ServiceKind) -> Result<(), ClientError> {
        self.order(service, "restart").await
    }

    async fn order(&self, service: ServiceKind, verb: &str) -> Result<(), ClientError> {
        self.act(&["services", service.name(), verb]).await
    }

    /// Stops all services in reverse order and ends the supervisor. Answered before they have ended.
    ///
    /// # Errors
    /// [`ClientError::NoNode`] when none runs.
    pub async fn stop_node(&self) -> Result<(), ClientError> {
        self.act(&["stop"]).await
    }

    async fn act(&self, path: &[&str]) -> Result<(), ClientError> {
        self.0
            .request(reqwest::Method::POST, path)
            .repeat(Repeat::Forbidden)
            .send()
            .await
            .map(|_| ())
    }

    /// Lines of a service's log, oldest first; of all services in the order of time where none is named.
    ///
    /// # Errors
    /// [`ClientError::NoNode`] when none runs.
    pub async fn logs(
        &self,
        service: Option<ServiceKind>,
        query: &LogQuery,
    ) -> Result<Vec<LogLine>, ClientError> {
        self.0
            .request(reqwest::Method::GET, &log_path(service))
            .query(query.pairs())
            .json()
            .await
    }

    /// The same, and then each line as it is written.
    #[must_use]
    pub fn follow_logs(
        &self,
        service: Option<ServiceKind>,
        query: &LogQuery,
    ) -> EventStream<NodeEvent> {
        let mut pairs = query.pairs();
        pairs.push(("follow", "true".to_owned()));
        EventStream::open(self.0.clone(), &log_path(service), pairs)
    }

    /// Changes of services, as they happen.
    #[must_use]
    pub fn events(&self) -> EventStream<NodeEvent> {
        EventStream::open(self.0.clone(), &["events"], Vec::new())
    }
}

fn log_path(service: Option<ServiceKind>) -> Vec<&'static str> {
    match service {
        Some(service) => vec!["services", service.name(), "logs"],
        None => vec!["logs"],
    }
}
