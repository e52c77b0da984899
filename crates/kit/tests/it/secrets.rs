//! What a log never holds.

use std::io;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use tana_kit::ApiError;
use tana_kit::http::Limits;
use tana_protocol::problem::Code;
use tracing_subscriber::fmt::MakeWriter;

use crate::daemon::Daemon;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_failed_request_is_logged_by_its_route_and_not_by_the_id_in_its_path() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(log.clone())
        .with_ansi(false)
        .finish();
    // The test's own thread, on which the daemon runs too.
    let _guard = tracing::subscriber::set_default(subscriber);
    let daemon = Daemon::start(Limits::default(), |_| {
        Router::new().route(
            "/session/{id}",
            get(async || ApiError::new(Code::Unavailable, "not now")),
        )
    })
    .await;
    daemon.until("/health", 200).await;
    assert_eq!(daemon.get("/session/sess_secret").await.status, 503);
    daemon.stop().await.unwrap();
    let logged = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(logged.contains("/session/{id}"), "{logged}");
    assert!(!logged.contains("sess_secret"), "{logged}");
}
