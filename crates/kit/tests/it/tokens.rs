//! Service tokens: who gets in, and what the others are told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::put;
use futures::future::BoxFuture;
use serde_json::json;
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

#[tokio::test]
async fn a_token_is_good_for_what_it_says_and_no_more() {
    let node: NodeId = "validator-1".parse().unwrap();
    let key = SecretKey::generate();
    let kind = ServiceKind::Ledger;
    let registry = Registry(BTreeMap::from([((kind, node.clone()), key.public())]));
    let clock = ManualClock::at(SystemClock.now());
    let guard = ServiceGuard::new(Arc::new(registry), clock.clone(), &[ServiceKind::Ledger])
        .at(ServiceKind::T4);
    let daemon = Daemon::start(Limits::default(), move |_| {
        Router::new().route(
            "/content",
            put(async || "stored").route_layer(from_fn_with_state(guard, auth::require)),
        )
    })
    .await;
    daemon.until("/health", 200).await;
    let token = |payload: serde_json::Value| {
        let payload = payload.as_object().unwrap().clone();
        let hour = Duration::from_secs(3600);
        let token = ServiceToken::issue_for(&key, kind, node.clone(), clock.now(), hour, payload);
        format!("Bearer {}", token.encode())
    };
    for good in [
        json!({}),
        json!({"aud": "t4"}),
        json!({"aud": "t4", "scope": ["DELETE /content", "PUT /content"]}),
        json!({"something": "else"}),
        json!({"scope": "content"}),
    ] {
        let answer = put_with(&daemon, Some(&token(good.clone()))).await;
        assert_eq!(answer.status, 200, "{good}");
    }
    for bad in [
        json!({"aud": "mesh"}),
        json!({"aud": 4}),
        json!({"scope": []}),
        json!({"scope": ["DELETE /content", "PUT /other"]}),
    ] {
        let answer = put_with(&daemon, Some(&token(bad.clone()))).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "bad-token"),
            "{bad}"
        );
    }
    // From a clock that is ahead: used at once, it would be of a time after a restart, and be taken again.
    let ahead = {
        let payload = json!({"jti": "4710"}).as_object().unwrap().clone();
        let (soon, hour) = (
            clock.now().plus(Duration::from_secs(59)),
            Duration::from_secs(3600),
        );
        let token = ServiceToken::issue_for(&key, kind, node.clone(), soon, hour, payload);
        format!("Bearer {}", token.encode())
    };
    let refused = put_with(&daemon, Some(&ahead)).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (401, "bad-token")
    );
    clock.advance(Duration::from_secs(58));
    let soon = put_with(&daemon, Some(&ahead)).await;
    assert_eq!(soon.status, 200, "its time comes while it waits");
    assert_eq!(put_with(&daemon, Some(&ahead)).await.status, 409);
    let once = token(json!({"jti": "4711"}));
    assert_eq!(put_with(&daemon, Some(&once)).await.status, 200);
    let again = put_with(&daemon, Some(&once)).await;
    assert_eq!((again.status, again.code().as_str()), (409, "replayed"));
    clock.advance(Duration::from_secs(3000));
    assert_eq!(put_with(&daemon, Some(&once)).await.status, 409);
    let other = token(json!({"jti": "4712"}));
    assert_eq!(put_with(&daemon, Some(&other)).await.status, 200);
    daemon.stop().await.unwrap();
}
