//! What the identity service does: reads what a rule needs, asks the rule, has the store do it, tells who watches.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tana_client::LedgerClient;
use tana_kit::{ApiError, Clock, Context, ServiceGuard, Shutdown, Tasks};
use tana_protocol::api::identity::{
    ApproveSession, CreateSession, LoginView, SessionApproved, SessionCreated, SessionView,
};
use tana_protocol::login::{QrData, SessionId, SessionStatus};
use tana_protocol::{Hash32, Timestamp, UserId, Username};
use tana_store::StoreResult;
use tana_store::identity::{IdentityStore, LiveLogin, Login, Session, SessionKey, Step, Stepped};
use tokio::sync::Notify;

use super::config::Config;
use super::error::IdentityError;
use super::on_the_way::Approvals;
use super::open::Open;
use super::streams::{Change, Streams, Watch};
use super::users::Users;
use super::{expiry, follow, operator, rules, tokens};

/// Sessions whose code has been over for so long are forgotten, unless they are live logins.
const KEPT: Duration = Duration::from_secs(3600);
/// No token of ours is longer.
const TOKEN: usize = 128;

/// The identity service. Clones share it.
#[derive(Clone)]
pub(super) struct Identity(Arc<Inner>);

struct Inner {
    store: Arc<dyn IdentityStore>,
    ledger: LedgerClient,
    users: Users,
    open: Open,
    config: Config,
    clock: Arc<dyn Clock>,
    streams: Streams<SessionId, Change>,
    approvals: Approvals,
    operators: ServiceGuard,
    shutdown: Shutdown,
    tasks: Tasks,
    /// No code is open: the next one made wakes the expiry.
    idle: AtomicBool,
    sooner: Notify,
}

/// A session and by which of its ids it was asked for.
pub(super) struct Asked {
    pub(super) id: SessionId,
    pub(super) session: Session,
}

impl Asked {
    /// Whether by the public id, which anyone in the room may know.
    pub(super) fn publicly(&self) -> bool {
        self.session.public_id == self.id
    }
}

impl Identity {
    /// Starts its tasks.
    pub(super) fn start(
        store: Arc<dyn IdentityStore>,
        ledger: LedgerClient,
        config: Config,
        context: &Context,
    ) -> Self {
        let operators = operator::guard(&config, context.clock.clone());
        let identity = Self(Arc::new(Inner {
            store,
            users: Users::of(ledger.clone()),
            open: Open::default(),
            ledger,
            config,
            operators,
            clock: context.clock.clone(),
            streams: Streams::default(),
            approvals: Approvals::default(),
            shutdown: context.shutdown.clone(),
            tasks: context.tasks.clone(),
            idle: AtomicBool::new(false),
            sooner: Notify::new(),
        }));
        context.tasks.spawn(
            "code expiry",
            expiry::watch(identity.clone(), context.shutdown.clone()),
        );
        context.tasks.spawn(
            "transaction watch",
            follow::watch(identity.clone(), context.shutdown.clone()),
        );
        let users = identity.clone();
        context.tasks.spawn("chain events", async move {
            users.0.users.follow(&users.0.shutdown).await;
        });
        context.tasks.spawn(
            "session history",
            expiry::tidy(identity.clone(), context.shutdown.clone()),
        );
        identity
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(super) fn store(&self) -> &dyn IdentityStore {
        &*self.0.store
    }

    pub(super) fn ledger(&self) -> &LedgerClient {
        &self.0.ledger
    }

    pub(super) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Lets this node's operator in.
    pub(super) fn operators(&self) -> &ServiceGuard {
        &self.0.operators
    }

    pub(super) fn approvals(&self) -> &Approvals {
        &self.0.approvals
    }

    /// A code was made: wakes who ends codes, if none was open.
    pub(super) fn code_made(&self) {
        if self.0.idle.swap(false, Ordering::AcqRel) {
            self.0.sooner.notify_one();
        }
    }

    /// An older code is open again: it may end before all that who ends codes knows of.
    pub(super) fn code_reopened(&self) {
        self.0.sooner.notify_one();
    }

    pub(super) fn shutdown(&self) -> &Shutdown {
        &self.0.shutdown
    }

    pub(super) async fn create(
        &self,
        request: CreateSession,
        client: Option<IpAddr>,
    ) -> Result<SessionCreated, ApiError> {
        let config = &self.0.config;
        rules::creation(&request, &config.schemes)?;
        if let (Some(rate), Some(client)) = (&config.rate, client) {
            rate.check(client)?;
        }
        let (public_id, browser_id) = (tokens::session_id(), tokens::session_id());
        let now = self.now();
        let session = Session {
            browser_hash: SessionKey::of(&browser_id).hash,
            challenge: tokens::challenge(),
            status: SessionStatus::Waiting,
            return_url: request.return_url,
            app_name: request.app_name,
            app_icon: request.app_icon,
            created_at: now,
            expires_at: now.plus(config.code_lives),
            token_hash: config.key.browser(&browser_id).hash(),
            phone_token_hash: config.key.phone(&public_id).hash(),
            login: None,
            reason: None,
            public_id,
        };
        self.0
            .store
            .create(&session)
            .await
            .map_err(IdentityError::from)?;
        self.code_made();
        let qr_data = self.code(&session);
        let created = SessionCreated {
            session_id: browser_id,
            challenge: session.challenge.clone(),
            qr_uri: qr_data.uri(),
            qr_data,
            expires_in: config.code_lives.as_secs(),
            expires_at: session.expires_at,
        };
        self.0.open.made(session);
        Ok(created)
    }

    /// What the QR code of a session says.
    fn code(&self, session: &Session) -> QrData {
        QrData {
            app_name: session.app_name.clone(),
            app_icon: session.app_icon.clone(),
            ..QrData::auth(
                session.public_id.clone(),
                session.challenge.clone(),
                self.0.config.server.clone(),
            )
        }
    }

    /// The same for a session that is open still.
    pub(super) async fn qr_data(&self, id: &str) -> Result<QrData, IdentityError> {
        let asked = self.find(id).await?;
        rules::open(&asked.session, self.now())?;
        Ok(self.code(&asked.session))
    }

    /// A session by either id.
    pub(super) async fn find(&self, id: &str) -> Result<Asked, IdentityError> {
        let id: SessionId = id.parse().map_err(|_| IdentityError::UnknownSession)?;
        let found = self.0.store.session(&SessionKey::of(&id)).await?;
        let session = found.ok_or(IdentityError::UnknownSession)?;
        Ok(Asked { id, session })
    }

    /// A session that is to be approved, as it was made where it was made a moment ago: it may have been decided on since.
    async fn to_approve(&self, id: &str) -> Result<Asked, IdentityError> {
        let known = id.parse().ok().and_then(|id| self.0.open.take(&id));
        match known {
            Some(session) => Ok(Asked {
                id: session.public_id.clone(),
                session,
            }),
            None => self.find(id).await,
        }
    }

    /// Reads a session; by the public id, the first time is a scan.
    pub(super) async fn view(&self, id: &str) -> Result<SessionView, IdentityError> {
        let mut asked = self.find(id).await?;
        let waits = rules::status(&asked.session, self.now()) == SessionStatus::Waiting;
        if waits && asked.publicly() {
            let (identity, session) = (self.clone(), asked.session);
            let scanning = async move { identity.mark_scanned(session).await };
            // To its end, also where the reader goes away: who watches is told of what was written.
            asked.session = self.0.tasks.run("scan", scanning).await?;
        }
        let now = self.now();
        let status = rules::status(&asked.session, now);
        let token = self.token(&asked);
        let session = asked.session;
        let login = session.login.as_ref();
        let user = login.filter(|_| token.is_some());
        Ok(SessionView {
            status,
            approved_at: login.map(|login| login.approved_at),
            user_id: user.map(|login| login.user_id),
            username: user.map(|login| login.username.clone()),
            session_token: token,
            challenge: status.is_open().then_some(session.challenge),
            session_id: asked.id,
            app_name: session.app_name,
            app_icon: session.app_icon,
            created_at: session.created_at,
            expires_at: session.expires_at,
        })
    }

    /// The browser's token: by its own id, once approved, until the code's expiry.
    pub(super) fn token(&self, asked: &Asked) -> Option<String> {
        let approved = asked.session.status == SessionStatus::Approved;
        let in_time = asked.session.expires_at > self.now();
        (approved && in_time && !asked.publicly())
            .then(|| self.0.config.key.browser(&asked.id).reveal())
    }

    /// Marks a session scanned; of two at once one does, and both see it scanned.
    async fn mark_scanned(&self, session: Session) -> Result<Session, IdentityError> {
        let now = self.now();
        let id = &session.public_id;
        match self.0.store.step(id, &Step::Scan, now).await? {
            Stepped::Done => {
                let session = session.after(&Step::Scan);
                self.tell(&session, now);
                Ok(session)
            }
            Stepped::TooLate(session) => Ok(*session),
            Stepped::Unknown => Err(IdentityError::UnknownSession),
        }
    }

    pub(super) async fn scan(&self, id: &str) -> Result<Asked, IdentityError> {
        let asked = self.find(id).await?;
        rules::open(&asked.session, self.now())?;
        let session = self.mark_scanned(asked.session).await?;
        rules::open(&session, self.now())?;
        Ok(Asked {
            id: asked.id,
            session,
        })
    }

    pub(super) async fn approve(
        &self,
        id: &str,
        body: &ApproveSession,
    ) -> Result<SessionApproved, IdentityError> {
        let asked = self.to_approve(id).await?;
        let claim = rules::approval(&asked.id, &asked.session, body, self.now())?;
        let user = match self.0.users.user(&claim.user_id).await {
            Ok(user) => user,
            Err(error) if error.code() == Some(tana_protocol::Code::NotFound) => {
                return Err(IdentityError::UnknownUser(claim.user_id));
            }
            Err(error) => return Err(IdentityError::Ledger(Box::new(error))),
        };
        rules::known(&claim, &user)?;
        let now = self.now();
        let login = Login {
            user_id: claim.user_id,
            username: claim.username,
            public_key: claim.public_key,
            approved_at: now,
            token_expires_at: now.plus(self.0.config.login_lives),
            last_used_at: now,
        };
        let answer = SessionApproved {
            success: true,
            session_token: self.0.config.key.phone(&asked.session.public_id).reveal(),
            user_id: login.user_id,
            username: login.username.clone(),
        };
        self.close(asked.session, Step::Approve(Box::new(login)), now)
            .await?;
        Ok(answer)
    }

    pub(super) async fn reject(
        &self,
        id: &str,
        reason: Option<String>,
    ) -> Result<(), IdentityError> {
        let asked = self.find(id).await?;
        let now = self.now();
        rules::open(&asked.session, now)?;
        let reason = reason.map(|text| {
            let shown = text.chars().filter(|c| !c.is_control());
            shown.take(200).collect()
        });
        self.close(asked.session, Step::Reject(reason), now).await
    }

    /// The last step of a session.
    async fn close(
        &self,
        session: Session,
        step: Step,
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        self.0.open.take(&session.public_id);
        match self.0.store.step(&session.public_id, &step, now).await? {
            Stepped::Done => {
                self.tell(&session.after(&step), now);
                Ok(())
            }
            Stepped::TooLate(session) => {
                rules::open(&session, now)?;
                // Open, and yet the step was not done: its code ended in between.
                Err(IdentityError::Expired)
            }
            Stepped::Unknown => Err(IdentityError::UnknownSession),
        }
    }

    fn tell(&self, session: &Session, at: Timestamp) {
        let login = session.login.as_ref();
        let change = Change {
            status: session.status,
            at,
            user: login.map(|login| (login.user_id, login.username.clone())),
            reason: session.reason.clone(),
        };
        self.0.streams.tell(&session.public_id, change);
    }

    /// The changes of a session from before the present state on.
    pub(super) async fn watch(
        &self,
        id: &str,
    ) -> Result<(Watch<SessionId, Change>, Asked), IdentityError> {
        let asked = self.find(id).await?;
        let watch = self.0.streams.watch(&asked.session.public_id);
        // Read again: what happened before the watch began is in the state, what happens after is in the watch.
        let asked = self.find(id).await?;
        Ok((watch, asked))
    }

    /// Whose token this is.
    pub(super) async fn login(&self, token: &str) -> Result<LiveLogin, IdentityError> {
        if token.len() > TOKEN {
            return Err(IdentityError::Token);
        }
        let hash = Hash32::of(token.as_bytes());
        let found = self.0.store.login(hash, self.now()).await?;
        found.ok_or(IdentityError::Token)
    }

    pub(super) async fn logins(&self, current: &LiveLogin) -> StoreResult<Vec<LoginView>> {
        let user = &current.login.user_id;
        let live = self.0.store.logins(user, self.now()).await?;
        let shown = live.into_iter().map(|live| LoginView {
            current: live.id == current.id,
            id: live.id,
            app_name: live.app_name,
            created_at: live.login.approved_at,
            last_used_at: live.login.last_used_at,
            expires_at: live.login.token_expires_at,
        });
        Ok(shown.collect())
    }

    /// Ends one of a user's logins, or all.
    pub(super) async fn log_out(
        &self,
        user: &UserId,
        session: Option<&SessionId>,
    ) -> StoreResult<u64> {
        self.0.store.revoke(user, session, self.now()).await
    }

    /// Ends the codes that are over, and answers how long until the next one is.
    pub(super) async fn end_codes(&self) -> StoreResult<Option<Duration>> {
        let now = self.now();
        for id in self.0.store.expire(now).await? {
            let change = Change {
                status: SessionStatus::Expired,
                at: now,
                user: None,
                reason: None,
            };
            self.0.streams.tell(&id, change);
        }
        self.end_requests(now).await?;
        // Said before the look, so that a session made in between is noticed.
        self.0.idle.store(true, Ordering::Release);
        let sessions = self.0.store.next_expiry().await?;
        let requests = self.0.store.next_request_expiry().await?;
        let next = sessions.into_iter().chain(requests).min();
        if next.is_some() {
            self.0.idle.store(false, Ordering::Release);
        }
        Ok(next.map(|next| next.since(self.now())))
    }

    /// Waits until a code is made while none was open, or one is open again.
    pub(super) async fn sooner_code(&self) {
        self.0.sooner.notified().await;
    }

    pub(super) async fn forget_old(&self) -> StoreResult<u64> {
        let now = self.now();
        let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        let before = Timestamp::from_ms(now.ms().saturating_sub(kept));
        let mut forgotten = 0;
        // In parts: a login in between does not wait for a day's worth of codes.
        loop {
            let requests = self.0.store.forget_requests(before).await?;
            let sessions = self.0.store.forget(before, now).await?;
            forgotten += requests + sessions;
            if requests + sessions == 0 {
                return Ok(forgotten);
            }
            tokio::task::yield_now().await;
        }
    }

    /// Who approved, for the stream of the one who may know.
    pub(super) fn shown_user(asked: &Asked) -> Option<(UserId, Username)> {
        let login = asked.session.login.as_ref()?;
        Some((login.user_id, login.username.clone()))
    }
}
