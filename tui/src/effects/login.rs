//! The login session: makes it, follows it, and acts as the test phone.

use tana_client::{IdentityClient, LedgerClient, StreamItem};
use tana_home::{Home, UserFile};
use tana_protocol::api::identity::CreateSession;
use tana_protocol::login::SessionId;

use super::Outbox;
use crate::effect::PhoneAnswer;
use crate::model::Source;
use crate::model::link::Link;
use crate::msg::{LoginNews, Msg};

/// What the phone shows as the site.
const APP_NAME: &str = "Tana Console";

/// Makes a session and follows it to its end.
pub(super) async fn session(identity: IdentityClient, outbox: Outbox) {
    let wish = CreateSession {
        app_name: Some(APP_NAME.into()),
        ..CreateSession::default()
    };
    let created = match identity.create(&wish).await {
        Ok(created) => created,
        Err(error) => {
            outbox.send(Msg::Login(LoginNews::Created(Err(error.to_string()))));
            return;
        }
    };
    let id = created.session_id.clone();
    outbox.send(Msg::Link(Source::Identity, Link::Live));
    outbox.send(Msg::Login(LoginNews::Created(Ok(Box::new(created)))));
    let mut stream = identity.events(&id);
    while let Some(item) = stream.next().await {
        match item {
            StreamItem::Connected => {}
            StreamItem::Event(event) => outbox.send(Msg::Login(LoginNews::Event(Box::new(event)))),
            StreamItem::Lost { since, why } => {
                outbox.send(Msg::Login(LoginNews::Silent { since, why }));
            }
            StreamItem::Refused(error) => {
                outbox.send(Msg::Login(LoginNews::Silent {
                    since: tana_client::now(),
                    why: error.to_string(),
                }));
                return;
            }
        }
    }
}

/// Does what a phone would do with the code on the screen.
pub(super) async fn phone(
    identity: IdentityClient,
    ledger: LedgerClient,
    home: Home,
    session: SessionId,
    answer: PhoneAnswer,
    outbox: Outbox,
) {
    let what = match &answer {
        PhoneAnswer::Scan => "test phone: scan".to_owned(),
        PhoneAnswer::Approve { user } => format!("test phone: approve as {user}"),
        PhoneAnswer::Reject => "test phone: reject".to_owned(),
    };
    let work = async {
        match answer {
            PhoneAnswer::Scan => identity
                .scan(&session)
                .await
                .map(|_| String::new())
                .map_err(|e| e.to_string()),
            PhoneAnswer::Reject => {
                let reason = Some("on the test phone".to_owned());
                identity
                    .reject(&session, reason)
                    .await
                    .map(|_| String::new())
                    .map_err(|e| e.to_string())
            }
            PhoneAnswer::Approve { user } => approve(&identity, &ledger, &home, &session, &user)
                .await
                .map(|()| String::new()),
        }
    };
    outbox.around(what, work).await;
}

async fn approve(
    identity: &IdentityClient,
    ledger: &LedgerClient,
    home: &Home,
    session: &SessionId,
    user: &str,
) -> Result<(), String> {
    let file = UserFile::read(&home.user_file(user)).map_err(|e| e.to_string())?;
    let id = match file.user_id {
        Some(id) => id,
        // Deployed elsewhere, or its file is of before.
        None => {
            let known = ledger.user_with_key(&file.public_key).await;
            known.map_err(|_| format!("{user} is not on the chain yet; bring the user there with `tana deploy user {user}`"))?.id
        }
    };
    let scanned = identity.scan(session).await.map_err(|e| e.to_string())?;
    identity
        .approve(
            session,
            &scanned.challenge,
            &id,
            &file.username,
            &file.secret_key,
        )
        .await
        .map_err(|e| e.to_string())?;
    Ok(())
}

/// Requests that are read.
const REQUESTS: u32 = 200;
/// How long the token of one question is good for.
const TOKEN: std::time::Duration = std::time::Duration::from_secs(60);

/// What users' phones are asked to sign, by a token of this node's identity service.
pub(super) async fn requests(
    identity: IdentityClient,
    settings: std::sync::Arc<tana_home::Settings>,
    outbox: Outbox,
) {
    let asked = async {
        let file = tana_home::KeyFile::read(&settings.home.node_key_file())
            .map_err(|error| error.to_string())?;
        let kind = tana_protocol::ServiceKind::Identity;
        let key = tana_protocol::node::NodeKey::new(file.secret_key).service_key(kind);
        let node = settings.node_id.clone();
        let token = tana_protocol::ServiceToken::issue(&key, kind, node, tana_client::now(), TOKEN);
        let pending = Some(tana_protocol::api::approval::RequestStatus::Pending);
        let page = tana_client::PageQuery::first(REQUESTS);
        let page = identity.requests(pending, &page, &token).await;
        page.map(|page| page.items)
            .map_err(|error| error.to_string())
    };
    outbox.send(Msg::Login(LoginNews::Requests(asked.await)));
}
