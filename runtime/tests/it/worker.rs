//! A pool of real workers: hostile contracts cost one execution, and nothing passes from one to the next.

use std::sync::Mutex;

use futures::future::BoxFuture;
use serde_json::{Value, json};
use tana_sandbox::message::{
    Authority, ErrorCode, FromWorker, Invocation, Limits, Metered, Outcome, Question, ToWorker,
};
use tana_sandbox::pool::{Answers, EngineName, Pool, PoolOptions};

use crate::harness::PROGRAM;

/// A chain of two users, that notes what it is asked.
#[derive(Default)]
pub(crate) struct Chain {
    pub(crate) asked: Mutex<Vec<Question>>,
}

impl Answers for Chain {
    fn answer(&self, question: Question) -> BoxFuture<'_, Result<Value, String>> {
        self.asked.lock().unwrap().push(question.clone());
        Box::pin(async move {
            Ok(match question {
                Question::User { user } => match user.trim_start_matches('@') {
                    "alice" | "u-alice" => json!({"id": "u-alice", "username": "@alice"}),
                    "bob" | "u-bob" => json!({"id": "u-bob", "username": "@bob"}),
                    _ => Value::Null,
                },
                Question::Balance { .. } => json!("10.00"),
                Question::Currency { .. } => json!({"decimals": 2}),
                Question::Storage => json!({}),
                Question::Fetch { url, .. } => {
                    json!({"status": 200, "headers": {}, "body": {"text": url}})
                }
                _ => Value::Null,
            })
        })
    }
}

pub(crate) async fn pool(workers: usize) -> Pool {
    Pool::start(PoolOptions {
        workers,
        ..PoolOptions::new(PROGRAM)
    })
    .await
    .unwrap()
}

async fn run(pool: &Pool, source: &str) -> Outcome {
    pool.run(Invocation::new("contract.ts", source), &Chain::default())
        .await
        .unwrap()
}

#[tokio::test]
async fn questions_are_answered_by_the_host_in_their_order() {
    let pool = pool(1).await;
    let chain = Chain::default();
    let source = "import { block } from 'tana/block'; export async function contract() { \
        const [a, b] = await Promise.all([block.getUser('alice'), block.getBalance('bob', 'USD')]); return [a?.id, b]; }";
    let outcome = pool
        .run(Invocation::new("c.ts", source), &chain)
        .await
        .unwrap();
    assert_eq!(outcome.result, json!(["u-alice", 10]), "{outcome:?}");
    let asked = chain.asked.lock().unwrap().clone();
    assert_eq!(
        asked[0],
        Question::User {
            user: "alice".into()
        }
    );
    assert!(
        asked.contains(&Question::Balance {
            user: "u-bob".into(),
            currency: "USD".into()
        }),
        "{asked:?}"
    );
}

#[tokio::test]
async fn fetches_of_one_contract_run_side_by_side() {
    let pool = pool(1).await;
    let source = "import { fetch } from 'tana/utils'; export async function contract() { \
        return Promise.all(['http://a/', 'http://b/'].map(async (url) => (await fetch(url)).text())); }";
    let mut invocation = Invocation::new("c.ts", source);
    invocation.fetch_hosts = vec!["a".into(), "b".into()];
    let outcome = pool.run(invocation, &Chain::default()).await.unwrap();
    assert_eq!(
        outcome.result,
        json!(["http://a/", "http://b/"]),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_signed_call_moves_what_the_caller_signed_for_and_no_more() {
    let pool = pool(1).await;
    let call = |from: &str, amount: &str| {
        let source = format!(
            "import {{ tx }} from 'tana/tx'; export async function contract() {{ tx.transfer('{from}', '{}', {amount}, 'USD'); \
             const r = await tx.execute(); return r.success ? r.changes.length : {{ error: r.error }}; }}",
            if from == "alice" { "bob" } else { "alice" }
        );
        let mut invocation = Invocation::new("c.ts", source);
        invocation.caller =
            Some(serde_json::from_value(json!({"id": "u-alice", "username": "@alice"})).unwrap());
        invocation.authority = Authority::Signed {
            allowances: [("USD".to_owned(), "5".to_owned())].into(),
            set_balance: false,
        };
        invocation
    };
    let chain = Chain::default();
    assert!(pool.run(call("alice", "5"), &chain).await.unwrap().success);
    let more = pool.run(call("alice", "5.01"), &chain).await.unwrap();
    assert!(more.error.unwrap().message.contains("signed for 5.00 USD"));
    assert!(more.changes.is_empty());
    let others = pool.run(call("bob", "1"), &chain).await.unwrap();
    assert!(others.error.unwrap().message.contains("nobody else"));
}

#[tokio::test]
async fn nothing_passes_from_one_execution_to_the_next() {
    let pool = pool(1).await;
    let leak = "(globalThis as any).left = 1; (Array.prototype as any).push = 1; (Object.prototype as any).x = 1; let n = 0; export function contract() { return ++n; }";
    let look = "export function contract() { return [(globalThis as any).left ?? null, typeof [].push, ({} as any).x ?? null]; }";
    // From the second on, its code is loaded already.
    for _ in 0..4 {
        assert_eq!(run(&pool, leak).await.result, json!(1));
    }
    assert_eq!(
        run(&pool, look).await.result,
        json!([null, "function", null])
    );
}

#[tokio::test]
async fn one_worker_s_place_serves_hundreds_of_executions() {
    let pool = pool(1).await;
    for n in 0..300 {
        let outcome = run(&pool, &format!("export const contract = () => {n}")).await;
        assert_eq!(outcome.result, json!(n), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_loop_ends_by_gas_or_by_time_and_the_pool_goes_on() {
    let pool = pool(2).await;
    let endless = "export function contract() { for (;;) try { for (;;); } catch { continue } finally { continue } }";
    let mut invocation = Invocation::new("c.ts", endless);
    // Used up before any limit on time, on either engine and a busy machine.
    invocation.limits.gas = 2_000_000;
    let outcome = pool.run(invocation, &Chain::default()).await.unwrap();
    assert_eq!(outcome.error.unwrap().code, ErrorCode::OutOfGas);
    let mut invocation = Invocation::new("c.ts", endless);
    invocation.limits = Limits {
        gas: Limits::MAX_GAS,
        cpu_ms: 100,
        wall_ms: 1_000,
        ..Limits::default()
    };
    let outcome = pool.run(invocation, &Chain::default()).await.unwrap();
    assert_eq!(outcome.error.unwrap().code, ErrorCode::TimedOut);
    assert_eq!(
        run(&pool, "export const contract = () => 1").await.result,
        json!(1)
    );
}

#[tokio::test]
async fn a_heap_bomb_ends_with_the_right_error_and_the_pool_goes_on() {
    let pool = pool(1).await;
    let bomb = "export function contract() { const a: any[] = []; for (;;) a.push({ a: 1, b: [1, 2, 3], c: 'x' }); }";
    for _ in 0..3 {
        let mut invocation = Invocation::new("c.ts", bomb);
        invocation.limits = Limits {
            gas: Limits::MAX_GAS,
            cpu_ms: 60_000,
            wall_ms: 60_000,
            ..Limits::default()
        };
        let outcome = pool.run(invocation, &Chain::default()).await.unwrap();
        assert_eq!(outcome.error.unwrap().code, ErrorCode::OutOfMemory);
        assert_eq!(
            run(&pool, "export const contract = () => 1").await.result,
            json!(1)
        );
    }
}

/// Never answers.
struct Silence;

impl Answers for Silence {
    fn answer(&self, _: Question) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(std::future::pending())
    }
}

const WAITS: &str = "import { block } from 'tana/block'; export async function contract() { await block.getUser('x'); return 1; }";

#[tokio::test]
async fn a_host_that_never_answers_holds_up_one_execution() {
    let pool = pool(1).await;
    let mut invocation = Invocation::new("contract.ts", WAITS);
    invocation.limits = Limits {
        wall_ms: 300,
        ..Limits::default()
    };
    let outcome = pool.run(invocation, &Silence).await.unwrap();
    assert_eq!(outcome.error.unwrap().code, ErrorCode::TimedOut);
    assert_eq!(
        run(&pool, "export const contract = () => 1").await.result,
        json!(1)
    );
}

/// Answers at once, with more than a pipe holds.
struct Much;

impl Answers for Much {
    fn answer(&self, _: Question) -> BoxFuture<'_, Result<Value, String>> {
        let body = "x".repeat(200_000);
        Box::pin(async move { Ok(json!({"status": 200, "headers": {}, "body": {"text": body}})) })
    }
}

#[tokio::test]
async fn an_answer_that_nobody_waited_for_reaches_nobody_and_stops_nobody() {
    let pool = pool(1).await;
    let source = |what: &str| {
        format!(
            "import {{ fetch }} from 'tana/utils'; export async function contract() {{ \
             const asked = Array.from({{ length: 8 }}, () => fetch('http://a/')); {what} }}"
        )
    };
    let leaves = source("return 1;");
    // More than a pipe holds in the other direction, at the same time.
    let shouts = source("return 'y'.repeat(300000);");
    let waits = source(
        "return (await Promise.all(asked.map(async (one) => (await (await one).text()).length))).length;",
    );
    for _ in 0..20 {
        for (source, result) in [
            (&leaves, json!(1)),
            (&shouts, json!("y".repeat(300_000))),
            (&waits, json!(8)),
        ] {
            let mut invocation = Invocation::new("c.ts", source.as_str());
            invocation.fetch_hosts = vec!["a".into()];
            let outcome = pool.run(invocation, &Much).await.unwrap();
            assert!(outcome.success, "{:?}", outcome.error);
            assert_eq!(outcome.result, result);
        }
    }
}

#[tokio::test]
async fn an_answer_that_came_with_another_is_not_forgotten() {
    let pool = pool(1).await;
    let source = "import { fetch } from 'tana/utils'; import { block } from 'tana/block'; \
        export async function contract() { const asked = fetch('http://a/'); \
        const user = await block.getUser('alice'); return [user?.id, await (await asked).text()]; }";
    for _ in 0..20 {
        let mut invocation = Invocation::new("c.ts", source);
        invocation.fetch_hosts = vec!["a".into()];
        let outcome = pool.run(invocation, &Chain::default()).await.unwrap();
        assert_eq!(
            outcome.result,
            json!(["u-alice", "http://a/"]),
            "{outcome:?}"
        );
    }
}

/// Kills the worker that asks it.
struct Killer {
    pid_file: std::path::PathBuf,
}

impl Answers for Killer {
    fn answer(&self, _: Question) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async {
            let pid: i32 = std::fs::read_to_string(&self.pid_file)
                .unwrap()
                .trim()
                .parse()
                .unwrap();
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            )
            .unwrap();
            std::future::pending().await
        })
    }
}

#[tokio::test]
async fn a_worker_that_dies_costs_one_execution() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::TempDir::new().unwrap();
    let program = dir.path().join("start");
    std::fs::write(
        &program,
        format!(
            "#!/bin/sh\necho $$ > {}/pid\nexec {PROGRAM} worker\n",
            dir.path().display()
        ),
    )
    .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let pool = Pool::start(PoolOptions {
        workers: 1,
        ..PoolOptions::new(program)
    })
    .await
    .unwrap();
    let killer = Killer {
        pid_file: dir.path().join("pid"),
    };
    let outcome = pool
        .run(Invocation::new("contract.ts", WAITS), &killer)
        .await
        .unwrap();
    assert_eq!(outcome.error.unwrap().code, ErrorCode::WorkerDied);
    assert_eq!(
        run(&pool, "export const contract = () => 1").await.result,
        json!(1)
    );
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_named() {
    let error = Pool::start(PoolOptions::new("/bin/true"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("/bin/true is no worker"),
        "{error}"
    );
    let error = Pool::start(PoolOptions::new("/nowhere/at-all"))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("cannot start /nowhere/at-all"),
        "{error}"
    );
}

#[tokio::test]
async fn what_was_compiled_at_deployment_is_what_runs() {
    let pool = pool(1).await;
    let source = "export function contract(): number {\n  const n: number = 20;\n  let s = 0;\n  for (let i = 0; i < n; i++) s += i;\n  return s;\n}";
    let metered = pool.compile("c.ts", source).await.unwrap().unwrap();
    assert!(metered.exports.contract && !metered.exports.init);
    let fresh = run(&pool, source).await;
    let mut invocation = Invocation::new("c.ts", source);
    invocation.metered = Some(metered.clone());
    let kept = pool
        .run(invocation.clone(), &Chain::default())
        .await
        .unwrap();
    assert_eq!((kept.result, kept.gas_used), (fresh.result, fresh.gas_used));
    // Another compiler's code is run as it is.
    let code = metered.code.replace("return s", "return -s");
    invocation.metered = Some(Metered { code, ..metered });
    let other = pool.run(invocation, &Chain::default()).await.unwrap();
    assert_eq!(other.result, json!(-190));
    let wrong = pool.compile("c.ts", "export const = 1").await.unwrap();
    assert_eq!(wrong.unwrap_err().code, ErrorCode::Syntax);
}

#[tokio::test]
async fn a_worker_of_another_engine_is_refused_in_a_sentence() {
    let refused = Pool::start(PoolOptions {
        engine: Some(EngineName {
            engine: "abacus".to_owned(),
            schedule: 3,
        }),
        ..PoolOptions::new(PROGRAM)
    })
    .await
    .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("abacus with gas schedule 3 is needed"),
        "{refused}"
    );
}

#[test]
fn a_worker_can_open_no_file_and_no_socket_and_start_no_program() {
    let output = std::process::Command::new(PROGRAM)
        .arg("sandbox")
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["possible"], json!([]), "{said}");
    assert_eq!(said["refused"], 15, "{said}");
    assert!(!said["gaps"].to_string().contains("seccomp"), "{said}");
}

/// More contracts than a worker keeps loaded, in one worker from beginning to end.
#[test]
fn contracts_that_are_called_more_take_the_places_of_others() {
    use std::io::{BufRead, BufReader, Write};
    let mut worker = std::process::Command::new(PROGRAM)
        .arg("worker")
        .env("V82JSC_NO_BC_CACHE", "1")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = worker.stdin.take().unwrap();
    let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<FromWorker>(&lines.next().unwrap().unwrap()).unwrap();
    assert!(matches!(next(), FromWorker::Ready { .. }));
    // Thrice each, then all in turn, then the first ones again, which have lost their places.
    let calls = (0..30)
        .flat_map(|contract| [contract; 3])
        .chain((0..30).chain(0..30))
        .chain([0, 0, 0, 1, 1, 1]);
    for (id, contract) in (1..).zip(calls) {
        let source = format!(
            "let count = {contract}; export function contract() {{ count += 1; return count; }}"
        );
        let invocation = Box::new(Invocation::new("c.ts", source));
        let line = serde_json::to_string(&ToWorker::Run { id, invocation }).unwrap();
        writeln!(input, "{line}").unwrap();
        let FromWorker::Done { outcome, .. } = next() else {
            panic!("no outcome of {contract}");
        };
        assert_eq!(outcome.result, json!(contract + 1), "{outcome:?}");
        assert!(matches!(next(), FromWorker::Idle));
    }
    drop(input);
    assert!(worker.wait().unwrap().success());
}
