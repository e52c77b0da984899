//! The contract engine of a ledger: `tana-runtime worker` processes behind the chain's [`ContractHost`].
//!
//! What becomes part of a block must not depend on this machine. So an execution whose worker died, hung, or ran out of
//! memory or time has no result: the block is not made, the worker is replaced, and the producer tries again. Only what
//! gas and code decide is a receipt. A transaction that has cost [`TRIES`] workers is given up: no block can hold it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tana_chain::StateError;
use tana_chain::contract::{
    Call, Called, Compiled, ContractHost, Effect, Entry, Fault, HostError, Power, World,
};
use tana_protocol::api::ledger::UserView;
use tana_protocol::contract::{DataKey, Entries};
use tana_protocol::{ChainSpec, Code, TransactionId};
use tana_sandbox::message::{
    self, Authority, BlockContext, Change, ErrorCode, Exports, Failure, Invocation, Limits,
    Metered, Outcome, Question,
};
use tana_sandbox::pool::{Answers, EngineName, Pool, PoolError, PoolOptions};
use tokio::runtime::Handle;

/// One for the block that is being made, one for a block that is being verified meanwhile.
const WORKERS: usize = 2;
/// Workers that one transaction may cost.
const TRIES: u32 = 3;
/// What an execution may use besides gas. Gas is meant to end it long before; the rest is there for what gas does not
/// see, on the slowest machine.
const LIMITS: Limits = Limits {
    gas: 0,
    heap_bytes: 64 << 20,
    cpu_ms: 5_000,
    wall_ms: 10_000,
    result_bytes: 64 << 10,
    log_bytes: 16 << 10,
};

/// The program beside this one that runs contracts.
///
/// # Errors
/// When this program's own file is unknown.
pub fn beside_this_program() -> std::io::Result<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(this.parent().unwrap_or(Path::new("/")).join("tana-runtime"))
}

/// Runs contracts in worker processes.
pub struct Engine {
    pool: Pool,
    schedule: u32,
    runtime: Handle,
    /// Workers that a transaction has cost so far.
    lost: Mutex<HashMap<TransactionId, u32>>,
}

impl Engine {
    /// Starts the engine that a chain names, and waits until it is warm; `None` for a chain that names none.
    ///
    /// # Errors
    /// When the program is not there or is another engine: one sentence that names both.
    pub async fn start(spec: &ChainSpec, program: &Path) -> anyhow::Result<Option<Self>> {
        let Some(engine) = spec.engine else {
            return Ok(None);
        };
        let schedule = spec.gas_schedule.with_context(|| {
            format!(
                "the chain file of {} names the engine {} and no gasSchedule; add the one it was made with",
                spec.name,
                engine.as_str()
            )
        })?;
        let wanted = EngineName {
            engine: engine.as_str().to_owned(),
            schedule,
        };
        let said = format!(
            "the chain {} executes its contracts with {wanted}",
            spec.name
        );
        let options = PoolOptions {
            workers: WORKERS,
            engine: Some(wanted),
            ..PoolOptions::new(program)
        };
        let pool = Pool::start(options)
            .await
            .with_context(|| format!("{said}; put the tana-runtime that does beside tanad"))?;
        Ok(Some(Self {
            pool,
            schedule,
            runtime: Handle::current(),
            lost: Mutex::default(),
        }))
    }

    /// Which fences the kernel refused to put around contracts, in a sentence; none where all stand.
    #[must_use]
    pub fn gaps(&self) -> Option<&str> {
        self.pool.gaps()
    }

    fn lost(&self) -> MutexGuard<'_, HashMap<TransactionId, u32>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a transaction has cost so many workers that it is not tried any more.
    #[must_use]
    pub fn has_given_up(&self, id: &TransactionId) -> bool {
        self.lost().get(id).is_some_and(|lost| *lost >= TRIES)
    }

    /// Forgets what a transaction has cost: it is in a block, or will never be.
    pub fn forget(&self, id: &TransactionId) {
        self.lost().remove(id);
    }

    /// Counts a worker that a transaction has cost.
    fn has_cost(&self, transaction: &TransactionId, failure: &Failure) -> HostError {
        let times = {
            let mut lost = self.lost();
            let times = lost.entry(*transaction).or_insert(0);
            *times += 1;
            *times
        };
        tracing::warn!(
            %transaction,
            times,
            code = failure.code.as_str(),
            "an execution has no result: {}",
            failure.message
        );
        HostError::Engine(format!(
            "the execution of {transaction} has no result: {}",
            failure.message
        ))
    }

    /// The engine on top of a certain block, for use in a thread that may block.
    #[must_use]
    pub const fn on_top_of<'e>(&'e self, history: &'e dyn History) -> EngineAt<'e> {
        EngineAt {
            engine: self,
            history,
        }
    }
}

/// Blocks and transactions before the block that is being made.
pub trait History: Sync {
    /// A block, the last where none is named; `null` where there is none.
    ///
    /// # Errors
    /// When it cannot be read now.
    fn block(&self, height: Option<u64>) -> Result<Value, StateError>;

    /// A transaction; `null` where there is none.
    ///
    /// # Errors
    /// When it cannot be read now.
    fn transaction(&self, id: &TransactionId) -> Result<Value, StateError>;
}

/// [`Engine::on_top_of`].
#[derive(Clone, Copy)]
pub struct EngineAt<'e> {
    engine: &'e Engine,
    history: &'e dyn History,
}

fn no_worker(error: &PoolError) -> HostError {
    tracing::error!("{error}");
    HostError::Engine(format!("the contract engine does not answer: {error}"))
}

impl ContractHost for EngineAt<'_> {
    fn compile(
        &self,
        transaction: &TransactionId,
        file: &str,
        source: &str,
    ) -> Result<Result<Compiled, Fault>, HostError> {
        let engine = self.engine;
        let metered = engine
            .runtime
            .block_on(engine.pool.compile(file, source))
            .map_err(|error| no_worker(&error))?;
        match metered {
            Ok(Metered { code, exports }) => Ok(Ok(Compiled {
                code,
                entries: Entries {
                    init: exports.init,
                    contract: exports.contract,
                    get: exports.get.is_some(),
                    post: exports.post.is_some(),
                },
                schedule: engine.schedule,
            })),
            Err(failure) => match fault(file, &failure) {
                Some(fault) => Ok(Err(fault)),
                None => Err(engine.has_cost(transaction, &failure)),
            },
        }
    }

    fn run(&self, call: &Call<'_>, world: &dyn World) -> Result<Called, HostError> {
        let engine = self.engine;
        let answers = Told {
            world,
            history: self.history,
            failed: Mutex::default(),
        };
        let running = engine.pool.run(invocation(call), &answers);
        let outcome = engine.runtime.block_on(running);
        let failed = answers.failed.into_inner();
        if let Some(error) = failed.unwrap_or_else(PoisonError::into_inner) {
            return Err(error.into());
        }
        let outcome = outcome.map_err(|error| no_worker(&error))?;
        let result = match &outcome.error {
            None => Ok(outcome.result.clone()),
            Some(failure) => match fault(&call.file, failure) {
                Some(fault) => Err(fault),
                None => return Err(engine.has_cost(&call.transaction, failure)),
            },
        };
        Ok(Called {
            result,
            gas_used: outcome.gas_used,
            effects: effects(&outcome)?,
            logs: outcome.logs.into_iter().map(|line| line.text).collect(),
        })
    }
}

/// What a receipt says of a failure; `None` for what depends on the machine, which no receipt may.
fn fault(file: &str, failure: &Failure) -> Option<Fault> {
    let code = match failure.code {
        ErrorCode::WorkerDied
        | ErrorCode::TimedOut
        | ErrorCode::OutOfMemory
        | ErrorCode::Misuse
        | ErrorCode::Internal => return None,
        ErrorCode::OutOfGas => Code::OutOfGas,
        _ => Code::ContractError,
    };
    let place = failure.line.map_or_else(String::new, |line| {
        format!(" ({file}:{line}:{})", failure.column.unwrap_or(1))
    });
    Some(Fault {
        code,
        message: format!("{}{place}", failure.message),
    })
}

fn invocation(call: &Call<'_>) -> Invocation {
    Invocation {
        metered: Some(Metered {
            code: call.code.to_owned(),
            exports: Exports {
                init: call.entries.init,
                contract: call.entries.contract,
                // Not called in a block.
                get: None,
                post: None,
            },
        }),
        entry: match call.entry {
            Entry::Init => message::Entry::Init,
            Entry::Contract => message::Entry::Contract,
        },
        block: BlockContext {
            height: call.block.height,
            timestamp: call.block.timestamp.ms(),
            hash: String::new(),
            previous_hash: Some(call.block.parent.to_hex()),
            executor: call.caller.id.to_string(),
        },
        caller: Some(user(&call.caller)),
        owner: Some(user(&call.owner)),
        contract_id: Some(call.contract.to_string()),
        input: call.input.clone(),
        transaction_id: Some(call.transaction.to_string()),
        authority: Authority::Signed {
            allowances: call.allowances.clone(),
            set_balance: call.power == Power::Core,
        },
        limits: Limits {
            gas: call.gas,
            ..LIMITS
        },
        ..Invocation::new(&call.file, call.source)
    }
}

fn user(view: &UserView) -> message::User {
    let mut more = match json!(view) {
        Value::Object(fields) => fields,
        _ => serde_json::Map::new(),
    };
    more.remove("id");
    more.remove("username");
    message::User {
        id: view.id.to_string(),
        username: view.username.to_string(),
        more,
    }
}

/// A worker names only what it was told; anything else is no worker of ours.
fn effects(outcome: &Outcome) -> Result<Vec<Effect>, HostError> {
    let id = |text: &str| {
        text.parse().map_err(|_| {
            HostError::Engine(format!("the worker speaks of {text:?}, which is no id"))
        })
    };
    outcome
        .changes
        .iter()
        .cloned()
        .map(|change| {
            Ok(match change {
                Change::Transfer {
                    from,
                    to,
                    amount,
                    currency,
                } => Effect::Transfer {
                    from: id(&from)?,
                    to: id(&to)?,
                    amount,
                    currency,
                },
                Change::BalanceUpdate {
                    to,
                    amount,
                    currency,
                } => Effect::SetBalance {
                    owner: id(&to)?,
                    amount,
                    currency,
                },
                Change::DataUpdate { key, value } => Effect::Data {
                    key: DataKey::new(&key)
                        .map_err(|error| HostError::Engine(error.to_string()))?,
                    value,
                },
            })
        })
        .collect()
}

/// What a running contract is told.
struct Told<'w> {
    world: &'w dyn World,
    history: &'w dyn History,
    /// Why a question could not be answered: then there is no result, whatever the contract makes of it.
    failed: Mutex<Option<StateError>>,
}

impl Told<'_> {
    fn tell(&self, question: &Question) -> Result<Value, StateError> {
        let world = self.world;
        Ok(match question {
            Question::User { user } => json!(world.user(user)?),
            Question::Balance { user, currency } => json!(world.balance(user, currency)?),
            Question::Currency { code } => match world.decimals(code)? {
                Some(decimals) => json!({ "decimals": decimals }),
                None => Value::Null,
            },
            Question::Transaction { id } => match id.parse() {
                Ok(id) => self.history.transaction(&id)?,
                Err(_) => Value::Null,
            },
            Question::Block { height } => self.history.block(*height)?,
            Question::Storage => {
                let stored = world.storage()?;
                stored
                    .into_iter()
                    .map(|(key, value)| (key.as_str().to_owned(), Value::String(value)))
                    .collect::<serde_json::Map<_, _>>()
                    .into()
            }
            Question::Fetch { .. } => Value::Null,
        })
    }
}

impl Answers for Told<'_> {
    fn answer(&self, question: Question) -> BoxFuture<'_, Result<Value, String>> {
        let answer = match &question {
            Question::Fetch { .. } => Err("fetch does not work in a block".to_owned()),
            question => self.tell(question).map_err(|error| {
                let text = error.to_string();
                let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert(error);
                text
            }),
        };
        std::future::ready(answer).boxed()
    }
}
