//! The connection to a Redis: made when it is first needed, made again after it broke, shared by all who ask.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ::redis::aio::{ConnectionLike as _, MultiplexedConnection};
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, ServerErrorKind, Value,
    cmd,
};
use url::Url;

use super::scripts::{self, Lazy};
use crate::error::{StoreError, StoreResult};

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(2);
/// How long an answer may take: an fsync of a busy disk, or a long queue read at once.
const ANSWER: Duration = Duration::from_secs(10);
/// How long what the server's clock said is reckoned on.
const CLOCK_LASTS: Duration = Duration::from_secs(5);
/// After a connection could not be made, everybody is told so for this long instead of trying too.
const REST: Duration = Duration::from_millis(200);

/// What a command does, as far as a broken connection leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Read,
    Write,
}

/// What the server does with what it has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// It is on disk before the answer.
    Always,
    /// It is, once `WAITAOF` has answered.
    OnWait,
    /// It may be lost; the sentence says why and what to do.
    Not(String),
}

/// A connection that was set up, and what was learned of its server.
#[derive(Clone)]
struct Standing {
    connection: MultiplexedConnection,
    durability: Durability,
    clock: Option<Clock>,
    number: u64,
}

/// What the server's clock said, and when.
#[derive(Clone, Copy)]
struct Clock {
    asked: Instant,
    /// The same by this machine's calendar, which goes on while the machine sleeps.
    asked_at: SystemTime,
    ms: u64,
}

impl Clock {
    /// The server's time now; `None` where it is too long ago that it was asked, or this machine slept or set its clock since.
    fn now(&self) -> Option<u64> {
        let since = self.asked.elapsed();
        let by_calendar = SystemTime::now().duration_since(self.asked_at).ok()?;
        if since > CLOCK_LASTS || by_calendar.abs_diff(since) > CLOCK_LASTS {
            return None;
        }
        let since = u64::try_from(since.as_millis()).ok()?;
        Some(self.ms.saturating_add(since))
    }
}

#[derive(Default)]
struct State {
    standing: Option<Standing>,
    failed: Option<(Instant, RedisError)>,
    count: u64,
}

/// The connection to one server.
pub(super) struct Link {
    client: Client,
    shown: String,
    group: Cmd,
    state: tokio::sync::Mutex<State>,
    durability: Mutex<Option<Durability>>,
}

impl Link {
    /// To the server of this address. Nothing is connected yet; `group` is run on each new connection.
    pub(super) fn to(address: &str, group: Cmd) -> StoreResult<Self> {
        let shown = shown(address);
        if address.starts_with("rediss:") {
            // Another part of the process may have chosen it already, the same.
            let _chosen = rustls::crypto::ring::default_provider().install_default();
        }
        let client = Client::open(address).map_err(|source| StoreError::Unreachable {
            database: shown.clone(),
            source: source.into(),
        })?;
        Ok(Self {
            client,
            shown,
            group,
            state: tokio::sync::Mutex::default(),
            durability: Mutex::default(),
        })
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// What the server that was last spoken to keeps; `None` before that.
    pub(super) fn durability(&self) -> Option<Durability> {
        self.durability
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What the server's clock says now, in milliseconds since the epoch; `None` where it does not tell.
    pub(super) async fn server_ms(&self) -> StoreResult<Option<u64>> {
        let mut standing = self.standing().await?;
        let Some(known) = standing.clock else {
            return Ok(None);
        };
        if let Some(ms) = known.now() {
            return Ok(Some(ms));
        }
        let asked = match clock(&mut standing.connection).await {
            Ok(asked) => asked,
            Err(error) => {
                let doing = "asking for the time";
                return Err(self.failed(Does::Read, doing, error, &standing).await);
            }
        };
        let mut state = self.state.lock().await;
        if let Some(now) = &mut state.standing
            && now.number == standing.number
        {
            now.clock = asked;
        }
        Ok(asked.map(|clock| clock.ms))
    }

    fn away(&self, source: RedisError) -> StoreError {
        StoreError::Unanswered {
            server: self.shown.clone(),
            source: source.into(),
        }
    }

    async fn standing(&self) -> StoreResult<Standing> {
        let mut state = self.state.lock().await;
        if let Some(standing) = &state.standing {
            return Ok(standing.clone());
        }
        if let Some((when, error)) = &state.failed
            && when.elapsed() < REST
        {
            return Err(self.away(error.clone()));
        }
        state.count += 1;
        let made = tokio::time::timeout(CONNECT, self.connect(state.count)).await;
        match made
            .unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
        {
            Ok(standing) => {
                if let Durability::Not(why) = &standing.durability {
                    tracing::warn!(
                        "{} may lose transactions that were accepted: {why}",
                        self.shown
                    );
                }
                *self
                    .durability
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner) = Some(standing.durability.clone());
                state.failed = None;
                state.standing = Some(standing.clone());
                Ok(standing)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(self.away(error))
            }
        }
    }

    async fn connect(&self, number: u64) -> Result<Standing, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT))
            .set_response_timeout(Some(ANSWER));
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        for script in scripts::ALL {
            script.load_async(&mut connection).await?;
        }
        match self.group.query_async::<()>(&mut connection).await {
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            other => other?,
        }
        let durability = durability(&mut connection).await?;
        let clock = clock(&mut connection).await?;
        Ok(Standing {
            connection,
            durability,
            clock,
            number,
        })
    }

    /// Runs a command.
    pub(super) async fn run(
        &self,
        does: Does,
        doing: &'static str,
        command: &Cmd,
    ) -> StoreResult<Value> {
        let mut standing = self.standing().await?;
        let answer = standing.connection.req_packed_command(command).await;
        // An error of the server is an answer like others, until it is asked for.
        match answer.and_then(Value::extract_error) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.failed(does, doing, error, &standing).await),
        }
    }

    /// Runs commands at one moment, all or none of them, and answers what each of them did: an error of the server's is an
    /// answer among others.
    pub(super) async fn run_at_once(
        &self,
        doing: &'static str,
        commands: &Pipeline,
    ) -> StoreResult<Vec<Value>> {
        let mut standing = self.standing().await?;
        // Of what is answered, only what `EXEC` does: it follows the answers to `MULTI` and to each command's waiting.
        let answers = standing
            .connection
            .req_packed_commands(commands, commands.len() + 1, 1)
            .await;
        let answer = answers.map(|mut answers| answers.pop().unwrap_or(Value::Nil));
        match answer {
            Ok(Value::Array(answers)) => Ok(answers),
            Ok(other) => {
                let error = match other.extract_error() {
                    Err(error) => error,
                    Ok(_) => (ErrorKind::UnexpectedReturnType, "EXEC answers no list").into(),
                };
                Err(self.failed(Does::Write, doing, error, &standing).await)
            }
            Err(error) => {
                // Why `EXEC` did nothing is what the server said of the first command that it refused.
                let refused = error.clone().into_server_errors();
                let first = refused.and_then(|refused| refused.first().cloned());
                let error = first.map_or(error, |(_, refused)| refused.into());
                Err(self.failed(Does::Write, doing, error, &standing).await)
            }
        }
    }

    /// Runs a script on these keys; `arguments` are added by the caller.
    pub(super) fn script(script: &Lazy, keys: &[&str]) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len());
        for key in keys {
            command.arg(*key);
        }
        command
    }

    /// Waits until what was written is on disk, where the server does not see to it by itself.
    pub(super) async fn settle(&self, doing: &'static str) -> StoreResult<()> {
        if self.durability() != Some(Durability::OnWait) {
            return Ok(());
        }
        let millis = u64::try_from(ANSWER.as_millis() / 2).unwrap_or(u64::MAX);
        let answer = self
            .run(Does::Write, doing, cmd("WAITAOF").arg(1).arg(0).arg(millis))
            .await?;
        match answer {
            Value::Array(counts) if matches!(counts.first(), Some(Value::Int(1..))) => Ok(()),
            _ => Err(StoreError::OutcomeUnknown {
                doing,
                source: "the server did not say that it is on disk".into(),
            }),
        }
    }

    async fn failed(
        &self,
        does: Does,
        doing: &'static str,
        error: RedisError,
        standing: &Standing,
    ) -> StoreError {
        if let ErrorKind::Server(_) | ErrorKind::Extension = error.kind() {
            // Another server may have taken this one's place, or somebody has emptied it: set it up again.
            let strange = matches!(
                error.kind(),
                ErrorKind::Server(ServerErrorKind::NoScript | ServerErrorKind::ReadOnly)
            ) || matches!(error.code(), Some("NOGROUP" | "UNBLOCKED"));
            if strange {
                self.lose(standing).await;
            }
            let text = error.to_string();
            let full = error.code() == Some("OOM")
                || text.contains("OOM command not allowed")
                || text.contains("No space left");
            return if full {
                StoreError::Full
            } else {
                StoreError::Failed {
                    doing,
                    source: error.into(),
                }
            };
        }
        self.lose(standing).await;
        match does {
            Does::Read => self.away(error),
            Does::Write => StoreError::OutcomeUnknown {
                doing,
                source: error.into(),
            },
        }
    }

    /// Forgets a connection that broke, unless another has been made since.
    async fn lose(&self, standing: &Standing) {
        let mut state = self.state.lock().await;
        if state
            .standing
            .as_ref()
            .is_some_and(|now| now.number == standing.number)
        {
            state.standing = None;
        }
    }

    /// Lets go of the connection.
    pub(super) async fn close(&self) {
        self.state.lock().await.standing = None;
    }
}

/// What `TIME` says; `None` where not everybody may ask.
async fn clock(connection: &mut MultiplexedConnection) -> Result<Option<Clock>, RedisError> {
    let (asked, asked_at) = (Instant::now(), SystemTime::now());
    match cmd("TIME").query_async::<(u64, u64)>(connection).await {
        Ok((seconds, micros)) => Ok(Some(Clock {
            asked,
            asked_at,
            ms: seconds.saturating_mul(1000).saturating_add(micros / 1000),
        })),
        Err(error) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// What `CONFIG GET` says about appending, syncing and evicting.
async fn durability(connection: &mut MultiplexedConnection) -> Result<Durability, RedisError> {
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("append*").arg("maxmemory*");
    let settings: Vec<(String, String)> = match command.query_async(connection).await {
        Ok(settings) => settings,
        // Some servers do not let everybody ask.
        Err(error) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) => {
            return Ok(match waits(connection).await? {
                true => Durability::OnWait,
                false => Durability::Not(
                    "it does not tell its settings; make sure that appendonly is yes and appendfsync is always".to_owned(),
                ),
            });
        }
        Err(error) => return Err(error),
    };
    let of = |name: &str| {
        let found = settings.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value.as_str())
    };
    if of("maxmemory") != "0" && of("maxmemory-policy").starts_with("allkeys") {
        return Ok(Durability::Not(format!(
            "its maxmemory-policy is {}; set it to noeviction",
            of("maxmemory-policy")
        )));
    }
    if of("appendonly") != "yes" {
        return Ok(Durability::Not(
            "its appendonly is off; set appendonly to yes and appendfsync to always".to_owned(),
        ));
    }
    if of("appendfsync") == "always" {
        return Ok(Durability::Always);
    }
    Ok(match waits(connection).await? {
        true => Durability::OnWait,
        false => Durability::Not(format!(
            "its appendfsync is {}; set it to always",
            of("appendfsync")
        )),
    })
}

/// Whether the server has `WAITAOF` (Redis 7.2 and later).
async fn waits(connection: &mut MultiplexedConnection) -> Result<bool, RedisError> {
    match cmd("WAITAOF")
        .arg(0)
        .arg(0)
        .arg(1)
        .query_async::<Value>(connection)
        .await
    {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The address without its password.
fn shown(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return "Redis".to_owned();
    };
    // Both fail only on addresses that can hold neither.
    let _no_password = url.set_password(None);
    let _no_user = url.set_username("");
    url.set_query(None);
    format!("Redis at {}", url.as_str().trim_end_matches('/'))
}
