//! The identity service over HTTP, with a real ledger that knows the users.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tana_client::{IdentityClient, LedgerClient, StreamItem, now};
use tana_daemons::identity::{Config, build};
use tana_daemons::ledger;
use tana_home::{Environment, Home, KeyFile, Overrides, Settings};
use tana_kit::http::Limits;
use tana_protocol::address::Network;
use tana_protocol::api::identity::{SessionEvent, SessionEventType, SessionView};
use tana_protocol::genesis::{ChainLimits, GenesisSovereign, Validator};
use tana_protocol::login::{LoginMessage, SessionId, SessionStatus};
use tana_protocol::node::NodeKey;
use tana_protocol::{ChainSpec, SecretKey, ServiceKind, Timestamp, UserId, Username};

use crate::daemon::{Answer, Daemon, LONG, answer, until};

/// A user of the chain and a phone that holds the key.
pub(crate) struct Phone {
    pub(crate) id: UserId,
    pub(crate) name: Username,
    pub(crate) key: SecretKey,
}

pub(crate) struct Site {
    home: tempfile::TempDir,
    settings: Settings,
    ledger: Option<Daemon>,
    pub(crate) identity: Daemon,
    pub(crate) alice: Phone,
}

impl Site {
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The token of a login that alice has approved.
    pub(crate) async fn login(&self) -> String {
        let session = self.create().await;
        let body = self.alice.approval(&session);
        self.approve(&session.public, &body).await.ok(200);
        self.view(&session.browser).await.session_token.unwrap()
    }

    pub(crate) fn directory(&self) -> &Path {
        self.home.path()
    }

    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::at(directory.path());
        home.create().unwrap();
        let key = SecretKey::generate();
        let node = KeyFile::generate();
        let producer = NodeKey::new(node.secret_key.clone()).service_key(ServiceKind::Producer);
        home.write_chain(&ChainSpec {
            chain_id: "test-1".into(),
            name: "test".into(),
            network: Network::Testnet,
            genesis_time: Timestamp::from_ms(1_769_860_800_000),
            sovereigns: vec![GenesisSovereign {
                username: "@alice".parse().unwrap(),
                display_name: "Alice".into(),
                public_key: key.public(),
            }],
            validators: vec![Validator {
                node_id: "validator-1".parse().unwrap(),
                public_key: producer.public(),
                power: 1,
            }],
            currencies: ChainSpec::genesis_currencies(),
            engine: None,
            gas_schedule: None,
            limits: ChainLimits::default(),
        })
        .unwrap();
        node.create(&home.node_key_file()).unwrap();
        let settings = |variables: &[(&str, &str)]| {
            let overrides = Overrides {
                home: Some(directory.path().to_owned()),
                ..Overrides::default()
            };
            let environment = Environment::from_iter(variables.iter().copied());
            Settings::from_environment(&overrides, &environment).unwrap()
        };
        let config = ledger::Config::of(&settings(&[])).unwrap();
        let ledger = Daemon::start(ServiceKind::Ledger, Limits::default(), |context| {
            ledger::build(config, context)
        })
        .await;
        let settings = settings(&[("TANA_LEDGER_URL", &ledger.base), ("APP_SCHEMES", "myapp")]);
        let known = LedgerClient::new(&ledger.base).unwrap();
        let user = known.user_named(&"@alice".parse().unwrap()).await.unwrap();
        let mut config = Config::of(&settings).unwrap();
        change(&mut config);
        Self {
            identity: serve(config).await,
            alice: Phone {
                id: user.id,
                name: user.username,
                key,
            },
            settings,
            ledger: Some(ledger),
            home: directory,
        }
    }

    /// Ends the identity service and starts it again on the same database.
    pub(crate) async fn restart_identity(&mut self, change: impl FnOnce(&mut Config)) {
        self.identity.stop().await;
        let mut config = Config::of(&self.settings).unwrap();
        change(&mut config);
        self.identity = serve(config).await;
    }

    fn client(&self) -> IdentityClient {
        IdentityClient::new(&self.identity.base).unwrap()
    }

    async fn create(&self) -> Session {
        let body = json!({"appName": "Shop", "returnUrl": "myapp://done"});
        let answer = self.identity.post("/auth/session/create", &body).await;
        let answer = answer.ok(201);
        Session {
            browser: serde_json::from_value(answer["sessionId"].clone()).unwrap(),
            public: serde_json::from_value(answer["qrData"]["sessionId"].clone()).unwrap(),
            challenge: answer["challenge"].as_str().unwrap().to_owned(),
        }
    }

    async fn approve(&self, id: &SessionId, body: &Value) -> Answer {
        let path = format!("/auth/session/{id}/approve");
        self.identity.post(&path, body).await
    }

    async fn view(&self, id: &SessionId) -> SessionView {
        self.client().session(id).await.unwrap()
    }
}

async fn serve(config: Config) -> Daemon {
    Daemon::start(ServiceKind::Identity, Limits::default(), |context| {
        build(config, context)
    })
    .await
}

struct Session {
    browser: SessionId,
    public: SessionId,
    challenge: String,
}

impl Phone {
    fn message(&self, session: &Session) -> LoginMessage {
        LoginMessage {
            session_id: session.public.clone(),
            challenge: session.challenge.clone(),
            user_id: self.id.to_string(),
            username: self.name.to_string(),
            timestamp: now(),
        }
    }

    /// The body of an approval, over a message that may have been changed.
    fn body(&self, message: &LoginMessage, key: &SecretKey) -> Value {
        let text = message.text();
        json!({
            "userId": self.id, "username": self.name, "publicKey": key.public(),
            "signature": key.sign(&text), "message": text,
        })
    }

    /// The body of an approval of a session that the phone knows from its code.
    pub(crate) fn approval_of(&self, public: &str, challenge: &str) -> Value {
        self.approval(&Session {
            browser: public.parse().unwrap(),
            public: public.parse().unwrap(),
            challenge: challenge.to_owned(),
        })
    }

    fn approval(&self, session: &Session) -> Value {
        self.body(&self.message(session), &self.key)
    }
}

async fn next(stream: &mut tana_client::EventStream<SessionEvent>) -> SessionEvent {
    loop {
        let item = tokio::time::timeout(LONG, stream.next()).await.unwrap();
        match item {
            Some(StreamItem::Event(event)) => return event,
            Some(StreamItem::Connected) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_login_from_the_code_to_the_token() {
    let site = Site::start().await;
    let session = site.create().await;
    assert_ne!(session.browser, session.public);
    let client = site.client();
    let (mut ours, mut theirs) = (
        client.events(&session.browser),
        client.events(&session.public),
    );
    for stream in [&mut ours, &mut theirs] {
        let first = next(stream).await;
        assert_eq!(first.kind, SessionEventType::Connected);
        assert_eq!(first.status, Some(SessionStatus::Waiting));
    }
    assert_eq!(
        site.view(&session.browser).await.status,
        SessionStatus::Waiting
    );
    let seen = site.view(&session.public).await;
    assert_eq!(
        seen.status,
        SessionStatus::Scanned,
        "the first read is a scan"
    );
    assert_eq!(seen.challenge.as_deref(), Some(session.challenge.as_str()));
    let scanned = next(&mut ours).await;
    assert_eq!(scanned.kind, SessionEventType::StatusUpdate);
    assert_eq!(scanned.status, Some(SessionStatus::Scanned));

    let body = site.alice.approval(&session);
    let (one, two) = tokio::join!(
        site.approve(&session.public, &body),
        site.approve(&session.public, &body)
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "single use");
    let phone = if one.status == 200 { one } else { two };
    let approved = next(&mut ours).await;
    assert_eq!(approved.kind, SessionEventType::Approved);
    let token = approved.session_token.unwrap();
    assert_eq!(approved.user_id, Some(site.alice.id));
    let scanned = next(&mut theirs).await;
    assert_eq!(scanned.status, Some(SessionStatus::Scanned));
    let public = next(&mut theirs).await;
    assert_eq!(public.kind, SessionEventType::Approved);
    assert_eq!((public.session_token, public.user_id), (None, None));
    assert_eq!(site.view(&session.public).await.session_token, None);
    assert_eq!(
        site.view(&session.browser).await.session_token,
        Some(token.clone())
    );
    let mut again = client.events(&session.browser);
    assert_eq!(next(&mut again).await.status, Some(SessionStatus::Approved));
    assert_eq!(next(&mut again).await.session_token, Some(token.clone()));

    let claims = client.validate(&token).await.unwrap();
    assert!(claims.valid);
    assert_eq!(claims.user_id, Some(site.alice.id));
    assert_eq!(claims.public_key, Some(site.alice.key.public()));
    let phone_token = phone.body["sessionToken"].as_str().unwrap();
    assert_ne!(phone_token, token);
    assert!(client.validate(phone_token).await.unwrap().valid);
    let wrong = json!({"sessionToken": "0".repeat(64)});
    let wrong = site.identity.post("/auth/session/validate", &wrong).await;
    assert_eq!(wrong.problem(401), "bad-token");
    assert_eq!(wrong.body["valid"], false);
    // Nothing that the database holds lets anybody in.
    let database = std::fs::read(site.home.path().join("data/identity.db")).unwrap();
    let wal = std::fs::read(site.home.path().join("data/identity.db-wal")).unwrap_or_default();
    for secret in [session.browser.as_str(), &token, phone_token] {
        for file in [&database, &wal] {
            assert!(
                !file
                    .windows(secret.len())
                    .any(|part| part == secret.as_bytes())
            );
        }
    }
}

#[tokio::test]
async fn every_field_of_the_signed_message_is_checked() {
    let site = Site::start().await;
    let session = site.create().await;
    let alice = &site.alice;
    let good = alice.message(&session);
    let changed = |change: &dyn Fn(&mut LoginMessage)| {
        let mut message = good.clone();
        change(&mut message);
        alice.body(&message, &alice.key)
    };
    let other = SessionId::from_random([9; 16]);
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let mismatches = [
        changed(&|m| m.session_id = other.clone()),
        changed(&|m| m.session_id = session.browser.clone()),
        changed(&|m| m.challenge = "0".repeat(64)),
        changed(&|m| m.user_id = UserId::SYSTEM.to_string()),
        changed(&|m| m.username = "@bob".into()),
    ];
    for body in mismatches {
        let refused = site.approve(&session.public, &body).await;
        assert_eq!(refused.problem(400), "message-mismatch", "{body}");
    }
    let stale = [
        changed(&|m| m.timestamp = Timestamp::from_ms(m.timestamp.ms() - 301_000)),
        changed(&|m| m.timestamp = m.timestamp.plus(minutes(6))),
    ];
    for body in stale {
        let refused = site.approve(&session.public, &body).await;
        assert_eq!(refused.problem(400), "stale-timestamp");
    }
    let mut unsigned = alice.approval(&session);
    unsigned["signature"] = json!(alice.key.sign("something else"));
    let refused = site.approve(&session.public, &unsigned).await;
    assert_eq!(refused.problem(401), "bad-signature");
    let stranger = alice.body(&good, &SecretKey::generate());
    let refused = site.approve(&session.public, &stranger).await;
    assert_eq!(refused.problem(403), "wrong-key");
    let nobody = Phone {
        id: UserId::of_genesis("test-1", "@nobody"),
        name: "@nobody".parse().unwrap(),
        key: SecretKey::generate(),
    };
    let refused = site
        .approve(&session.public, &nobody.approval(&session))
        .await;
    assert_eq!(refused.problem(403), "forbidden");
    let mut renamed = good.clone();
    renamed.username = "@bob".into();
    let mut renamed = alice.body(&renamed, &alice.key);
    renamed["username"] = json!("@bob");
    let refused = site.approve(&session.public, &renamed).await;
    assert_eq!(refused.problem(403), "forbidden", "her key, another's name");
    let unknown = SessionId::from_random([1; 16]);
    let refused = site.approve(&unknown, &alice.approval(&session)).await;
    assert_eq!(refused.problem(404), "not-found");
    assert_eq!(
        site.identity
            .get("/auth/session/nonsense")
            .await
            .problem(404),
        "not-found"
    );

    // After all of that the session is open, and the bare spelling of a name is as good.
    let mut bare = good.clone();
    bare.username = alice.name.bare().to_owned();
    let answer = site
        .approve(&session.public, &alice.body(&bare, &alice.key))
        .await;
    assert_eq!(answer.ok(200)["username"], "@alice");
}

#[tokio::test]
async fn a_client_that_uses_one_id_for_both_keeps_working() {
    let site = Site::start().await;
    let mut session = site.create().await;
    session.public = session.browser.clone();
    let answer = site
        .approve(&session.browser, &site.alice.approval(&session))
        .await;
    answer.ok(200);
    assert!(site.view(&session.browser).await.session_token.is_some());
}

#[tokio::test]
async fn a_code_expires_by_itself_and_who_watches_is_told() {
    let site = Site::with(|config| config.code_lives = Duration::from_millis(300)).await;
    let session = site.create().await;
    let mut events = site.client().events(&session.browser);
    assert_eq!(next(&mut events).await.kind, SessionEventType::Connected);
    assert_eq!(next(&mut events).await.kind, SessionEventType::Expired);
    let ended = tokio::time::timeout(LONG, events.next()).await.unwrap();
    assert!(ended.is_none(), "the stream ends with the session");
    let late = site
        .approve(&session.public, &site.alice.approval(&session))
        .await;
    assert_eq!(late.problem(410), "expired");
    assert_eq!(
        site.view(&session.public).await.status,
        SessionStatus::Expired
    );
    // A second one is noticed although none was open in between.
    let second = site.create().await;
    let mut events = site.client().events(&second.public);
    assert_eq!(next(&mut events).await.kind, SessionEventType::Connected);
    assert_eq!(next(&mut events).await.kind, SessionEventType::Expired);
}

#[tokio::test]
async fn a_rejection_says_why_and_closes_the_session() {
    let site = Site::start().await;
    let session = site.create().await;
    let mut events = site.client().events(&session.browser);
    next(&mut events).await;
    let client = site.client();
    client
        .reject(&session.public, Some("not me".into()))
        .await
        .unwrap();
    let rejected = next(&mut events).await;
    assert_eq!(rejected.kind, SessionEventType::Rejected);
    assert_eq!(rejected.reason.as_deref(), Some("not me"));
    let late = site
        .approve(&session.public, &site.alice.approval(&session))
        .await;
    assert_eq!(late.problem(409), "conflict");
    let path = format!("/auth/session/{}/scan", session.public);
    let scan = site.identity.post(&path, &json!({})).await;
    assert_eq!(scan.problem(409), "conflict");
}

#[tokio::test]
async fn a_user_sees_and_ends_their_logins() {
    let site = Site::start().await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let session = site.create().await;
        let body = site.alice.approval(&session);
        site.approve(&session.public, &body).await.ok(200);
        let token = site.view(&session.browser).await.session_token.unwrap();
        tokens.push((session.public, token));
    }
    let http = site.identity.http();
    let with = |method: reqwest::Method, path: &str, token: &str| {
        http.request(method, site.identity.url(path))
            .bearer_auth(token)
    };
    let (first_id, first) = tokens[0].clone();
    let listed = answer(with(reqwest::Method::GET, "/auth/sessions", &first)).await;
    let listed = listed.ok(200);
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), 3);
    let current: Vec<_> = listed
        .iter()
        .filter(|entry| entry["current"] == true)
        .collect();
    assert_eq!(current.len(), 1);
    assert_eq!(current[0]["id"], json!(first_id));
    assert_eq!(current[0]["appName"], "Shop");
    let path = format!("/auth/sessions/{}", tokens[1].0);
    let one = answer(with(reqwest::Method::DELETE, &path, &first)).await;
    assert_eq!(one.ok(200)["ended"], 1);
    let client = site.client();
    assert!(!client.validate(&tokens[1].1).await.unwrap().valid);
    assert!(client.validate(&tokens[2].1).await.unwrap().valid);
    let all = answer(with(reqwest::Method::DELETE, "/auth/sessions", &first)).await;
    assert_eq!(all.ok(200)["ended"], 2);
    for (_, token) in &tokens {
        assert!(!client.validate(token).await.unwrap().valid);
        let verified = answer(with(reqwest::Method::GET, "/auth/session/verify", token)).await;
        assert_eq!(verified.problem(401), "bad-token");
    }
    assert_eq!(
        site.identity.get("/auth/sessions").await.problem(401),
        "bad-token"
    );
}

#[tokio::test]
async fn tokens_survive_a_restart_and_the_ledgers_absence() {
    let mut site = Site::start().await;
    let session = site.create().await;
    let body = site.alice.approval(&session);
    site.approve(&session.public, &body).await.ok(200);
    let token = site.view(&session.browser).await.session_token.unwrap();
    site.identity = serve(Config::of(&site.settings).unwrap()).await;
    assert!(site.client().validate(&token).await.unwrap().valid);
    assert_eq!(
        site.view(&session.browser).await.session_token,
        Some(token.clone())
    );

    assert_eq!(site.identity.get("/health").await.status, 200);
    drop(site.ledger.take());
    let ledger = LedgerClient::new(&site.settings.url(ServiceKind::Ledger)).unwrap();
    until("the ledger to be gone", async || {
        ledger.health().await.is_err()
    })
    .await;
    let health = site.identity.get("/health").await;
    assert_eq!(health.status, 503);
    assert!(health.body.to_string().contains("ledger"), "{health:?}");
    assert!(site.client().validate(&token).await.unwrap().valid);
    let next = site.create().await;
    let refused = site
        .approve(&next.public, &site.alice.approval(&next))
        .await;
    assert_eq!(refused.problem(503), "unavailable");
    assert!(
        site.view(&next.public).await.status.is_open(),
        "it can be tried again"
    );
}

#[tokio::test]
async fn who_makes_too_many_sessions_waits() {
    let site = Site::with(|config| config.rate = tana_kit::rate::RateLimit::new(1)).await;
    site.create().await;
    site.create().await;
    let third = site.identity.post("/auth/session/create", &json!({})).await;
    assert_eq!(third.problem(429), "rate-limited");
    assert_eq!(third.body["retryAfter"], 1);
    let bad = json!({"returnUrl": "javascript:alert(1)"});
    let bad = site.identity.post("/auth/session/create", &bad).await;
    assert_eq!(bad.problem(400), "malformed");
}

#[tokio::test]
async fn who_is_refused_again_and_again_waits_and_others_do_not() {
    let site = Site::with(|config| config.failures = tana_kit::rate::FailureLimit::new(1)).await;
    let session = site.create().await;
    let wrong = json!({"sessionToken": "0".repeat(64)});
    let mut refused = 0;
    let waits = loop {
        let answer = site.identity.post("/auth/session/validate", &wrong).await;
        match answer.status {
            401 => refused += 1,
            _ => break answer,
        }
        assert!(refused < 100, "nobody was kept waiting");
    };
    assert_eq!(waits.problem(429), "rate-limited");
    assert!(refused >= 10, "{refused}");
    let path = format!("/auth/session/{}", session.public);
    let right = site.identity.get(&path).await;
    assert_eq!(
        right.problem(429),
        "rate-limited",
        "a right guess is as late"
    );
    assert_eq!(site.identity.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_browser_that_has_seen_the_last_event_is_told_to_stay_away() {
    let site = Site::start().await;
    let session = site.create().await;
    let body = site.alice.approval(&session);
    site.approve(&session.public, &body).await.ok(200);
    let open = |seen: Option<&'static str>| {
        let path = format!("/auth/session/{}/events", session.browser);
        let request = site.identity.http().get(site.identity.url(&path));
        let request = match seen {
            Some(seen) => request.header("last-event-id", seen),
            None => request,
        };
        async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    };
    for seen in [None, Some("scanned")] {
        let (status, told) = open(seen).await;
        assert_eq!(status, 200);
        assert!(
            told.contains("id: approved") && told.contains("sessionToken"),
            "{told}"
        );
    }
    assert_eq!(open(Some("approved")).await, (204, String::new()));
}
