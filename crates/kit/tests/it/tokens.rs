//! Service tokens: who gets in, and what the others are told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::put;
use futures::future::BoxFuture;
use tana_kit::clock::ManualClock;
use tana_kit::http::Limits;
use tana_kit::{ApiResult, Caller, Clock, ServiceGuard, ServiceKeys, SystemClock, auth};
use tana_protocol::{NodeId, PublicKey, SecretKey, ServiceKind, ServiceToken};

use crate::daemon::{Answer, Daemon};

struct Registry(BTreeMap<(ServiceKind, NodeId), PublicKey>);

impl ServiceKeys for Registry {
    fn key<'a>(
        &'a self,
        service: ServiceKind,
        node: &'a NodeId,
    ) -> BoxFuture<'a, ApiResult<Option<PublicKey>>> {
        let key = self.0.get(&(service, node.clone())).copied();
        Box::pin(std::future::ready(Ok(key)))
    }
}

async fn put_with(daemon: &Daemon, authorization: Option<&str>) -> Answer {
    let headers: Vec<(&str, &str)> = authorization
        .map(|text| ("authorization", text))
        .into_iter()
        .collect();
    daemon.request("PUT", "/content", &headers, "").await
}

#[tokio::test]
async fn only_a_registered_service_that_may_gets_in() {
    let node: NodeId = "validator-1".parse().unwrap();
    let ledger = SecretKey::generate();
    let producer = SecretKey::generate();
    let registry = Registry(BTreeMap::from([
        ((ServiceKind::Ledger, node.clone()), ledger.public()),
        ((ServiceKind::Producer, node.clone()), producer.public()),
    ]));
    let clock = ManualClock::at(SystemClock.now());
    let guard = ServiceGuard::new(Arc::new(registry), clock.clone(), &[ServiceKind::Ledger]);
    let daemon = Daemon::start(Limits::default(), move |_| {
        Router::new().route(
            "/content",
            put(async |Caller(claims): Caller| claims.node_id.to_string())
                .route_layer(from_fn_with_state(guard, auth::require)),
        )
    })
    .await;
    daemon.until("/health", 200).await;
    let minute = Duration::from_secs(60);
    let token = |key: &SecretKey, service, node: &NodeId| {
        let token = ServiceToken::issue(key, service, node.clone(), clock.now(), minute);
        format!("Bearer {}", token.encode())
    };

    let good = token(&ledger, ServiceKind::Ledger, &node);
    let answer = put_with(&daemon, Some(&good)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "validator-1"));

    let forbidden = put_with(
        &daemon,
        Some(&token(&producer, ServiceKind::Producer, &node)),
    )
    .await;
    assert_eq!(
        (forbidden.status, forbidden.code().as_str()),
        (403, "forbidden")
    );
    assert!(forbidden.detail().contains("ledger"));

    let stranger: NodeId = "stranger".parse().unwrap();
    let bad = [
        None,
        Some("Basic abc".to_owned()),
        Some("Bearer not-base64".to_owned()),
        Some(token(&producer, ServiceKind::Ledger, &node)),
        Some(token(&ledger, ServiceKind::Ledger, &stranger)),
    ];
    for authorization in bad {
        let answer = put_with(&daemon, authorization.as_deref()).await;
        assert_eq!(answer.status, 401, "{authorization:?}");
        assert_eq!(answer.code(), "bad-token");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }

    clock.advance(Duration::from_secs(121));
    let expired = put_with(&daemon, Some(&good)).await;
    assert_eq!(expired.status, 401);
    assert!(expired.detail().contains("expired"), "{expired:?}");
    daemon.stop().await.unwrap();
}
