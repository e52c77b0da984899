//! Each module, as a contract uses it.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::harness::{Case, ran, repository, tana_runtime};

fn world() -> Value {
    json!({
        "block": {"height": 7, "timestamp": 1_735_689_600_000_u64, "hash": "ab", "previousHash": "cd", "executor": "u-alice"},
        "caller": "@alice",
        "owner": "@bob",
        "contractId": "c-1",
        "users": [
            {"id": "u-alice", "username": "@alice", "displayName": "Alice", "role": "user"},
            {"id": "u-bob", "username": "@bob", "displayName": "Bob", "role": "sovereign"},
        ],
        "balances": {"u-alice": {"USD": "100.00", "ETH": "1.000000000000000001"}},
        "blocks": {"6": {"height": 6, "hash": "cd"}},
        "transactions": {"tx_1": {"id": "tx_1", "type": "transfer"}},
        "data": {"greeting": "hello", "count": "\u{0}41"},
    })
}

fn result(body: &str) -> Value {
    Case::body(body).context(&world()).run().result().clone()
}

#[test]
fn core_prints_texts_as_they_are_and_objects_as_json() {
    let ran = Case::body("console.log('a', { b: [1] }, null, undefined, 1n, new Error('no')); console.error('bad'); return typeof version.tana").run();
    assert_eq!(ran.result(), "string");
    let text = "a {\n  \"b\": [\n    1\n  ]\n} null undefined 1 Error: no";
    assert_eq!(
        ran.json["logs"],
        json!([{"level": "log", "text": text}, {"level": "error", "text": "bad"}])
    );
}

#[test]
fn both_spellings_and_all_exports_reach_the_same_module() {
    let source = "import { data } from 'tana:data'; import { data as other, set } from 'tana/data'; import whole from 'tana/data';\n\
        export function contract() { return [data === other, set === data.set, whole === data]; }";
    assert_eq!(Case::new(source).run().result(), &json!([true, true, true]));
}

#[test]
fn context_says_who_calls_and_with_what() {
    let body = "return [context.caller()?.id, `${context.caller()}`, context.owner()?.username, context.contractId(), context.input()]";
    let ran = Case::body(body)
        .context(&world())
        .arguments(&["--input", r#"{"a":1}"#])
        .run();
    assert_eq!(
        ran.result(),
        &json!(["u-alice", "u-alice", "@bob", "c-1", {"a": 1}])
    );
}

#[test]
fn block_answers_about_the_block_and_the_chain() {
    assert_eq!(
        result(
            "return [block.height, block.getHeight(), block.timestamp, block.previousHash, block.executor, block.contractId, block.gasUsed > 0, block.gasLimit]"
        ),
        json!([
            7,
            7,
            1_735_689_600_000_u64,
            "cd",
            "u-alice",
            "c-1",
            true,
            100_000_000
        ])
    );
    assert_eq!(
        result("return block.getBalance('alice', 'USD')"),
        json!(100)
    );
    assert_eq!(
        result("return block.getBalance(['@alice', 'u-bob', 'nobody'], 'USD')"),
        json!([100, 0, 0])
    );
    assert_eq!(
        result("return block.getAmount('alice', 'ETH')"),
        "1.000000000000000001"
    );
    assert_eq!(
        result("return (await block.getUser(['bob', 'nobody'])).map((u: any) => u?.role ?? null)"),
        json!(["sovereign", null])
    );
    assert_eq!(
        result(
            "return [await block.getBlock(6), await block.getBlock(5), (await block.getLatestBlock())?.height]"
        ),
        json!([{"height": 6, "hash": "cd"}, null, 6])
    );
    assert_eq!(
        result("return (await block.getTransaction('tx_1'))?.type"),
        "transfer"
    );
}

#[test]
fn a_balance_that_no_number_holds_is_refused_not_rounded() {
    let ran = Case::body("return block.getBalance('alice', 'ETH')")
        .context(&world())
        .run();
    assert_eq!(ran.error(), "threw");
    assert!(ran.message().contains("getAmount"), "{}", ran.message());
}

#[test]
fn more_than_ten_at_once_are_refused() {
    let ran = Case::body("return block.getUser(new Array(11).fill('alice'))")
        .context(&world())
        .run();
    assert!(ran.message().contains("at most 10"), "{:#}", ran.json);
}

#[test]
fn a_transfer_is_applied_all_or_nothing() {
    let ran = Case::body(
        "tx.transfer('alice', 'bob', 12.34, 'USD'); const staged = tx.getChanges(); const r = await tx.execute(); \
         return [staged, r.success, r.changes.length, r.gasUsed > 0, await block.getBalance('alice', 'USD'), await block.getBalance('bob', 'USD')]",
    )
    .context(&world())
    .run();
    let staged = json!([{"type": "transfer", "from": "alice", "to": "bob", "amount": 12.34, "currency": "USD"}]);
    assert_eq!(ran.result(), &json!([staged, true, 1, true, 87.66, 12.34]));
    assert_eq!(
        ran.json["changes"],
        json!([{"type": "transfer", "from": "u-alice", "to": "u-bob", "amount": "12.34", "currency": "USD"}])
    );

    let ran = Case::body(
        "tx.transfer('alice', 'bob', 60, 'USD'); tx.transfer('alice', 'bob', '60.00', 'USD'); const r = await tx.execute(); \
         return [r.success, r.error, r.changes, tx.getChanges(), await block.getBalance('alice', 'USD')]",
    )
    .context(&world())
    .run();
    assert_eq!(
        ran.result(),
        &json!([false, "u-alice has 40.00 USD, less than 60.00", [], [], 100])
    );
    assert_eq!(ran.json["changes"], json!([]));
}

#[test]
fn a_senseless_transfer_is_refused_at_once() {
    for (call, says) in [
        ("tx.transfer('alice', 'bob', -1, 'USD')", "negative"),
        ("tx.transfer('alice', 'bob', 0, 'USD')", "more than nothing"),
        ("tx.transfer('alice', 'bob', NaN, 'USD')", "finite"),
        ("tx.transfer('alice', 'bob', Infinity, 'USD')", "finite"),
        ("tx.transfer('alice', '@Alice', 1, 'USD')", "somebody else"),
        (
            "tx.transfer('alice', 'bob', 0.1 + 0.2, 'USD')",
            "more digits",
        ),
        ("tx.transfer('alice', 'bob', 1e21, 'USD')", "as text"),
        ("tx.transfer('alice', 'bob', 1, 'XXX')", "no currency"),
        (
            "tx.transfer('alice', 'bob', {} as any, 'USD')",
            "decimal text",
        ),
        ("tx.transfer('alice', '', 1, 'USD')", "id or name"),
    ] {
        let ran = Case::body(call).context(&world()).run();
        assert_eq!(ran.error(), "threw", "{call}");
        assert!(ran.message().contains(says), "{call}: {}", ran.message());
    }
    assert_eq!(
        result("tx.transfer('alice', 'nobody', 1, 'USD'); return (await tx.execute()).error"),
        "there is no user nobody"
    );
}

#[test]
fn data_is_staged_until_it_is_committed() {
    assert_eq!(
        result(
            "return [await data.get('greeting'), await data.get('count'), await data.get('none'), await data.has('count')]"
        ),
        json!(["hello", 41, null, true])
    );
    let ran = Case::body(
        "await data.set('user:1', { name: 'a' }); await data.set('user:2', 'b'); await data.delete('greeting'); \
         const seen = [await data.keys(), await data.keys('user:*'), await data.entries()]; await data.commit(); await data.set('lost', 1); return seen",
    )
    .context(&world())
    .run();
    assert_eq!(
        ran.result(),
        &json!([["count", "user:1", "user:2"], ["user:1", "user:2"], {"count": 41, "user:1": {"name": "a"}, "user:2": "b"}])
    );
    assert_eq!(
        ran.json["changes"],
        json!([
            {"type": "data_update", "key": "greeting", "value": null},
            {"type": "data_update", "key": "user:1", "value": "\u{0}{\"name\":\"a\"}"},
            {"type": "data_update", "key": "user:2", "value": "b"},
        ])
    );
}

#[test]
fn data_has_limits() {
    for (call, says) in [
        ("await data.set('k'.repeat(257), '')", "256 bytes"),
        ("await data.set('k', 'v'.repeat(10241))", "10240 bytes"),
        (
            "for (let i = 0; i < 11; i++) await data.set('k' + i, 'v'.repeat(10000)); await data.commit()",
            "102400 bytes",
        ),
        (
            "for (let i = 0; i < 1001; i++) await data.set('k' + i, ''); await data.commit()",
            "1000 keys",
        ),
    ] {
        let ran = Case::body(call).run();
        assert_eq!(ran.error(), "threw", "{call}");
        assert!(ran.message().contains(says), "{call}: {}", ran.message());
    }
}

#[test]
fn fetch_reaches_allowed_hosts_only() {
    let ran = Case::body("return (await fetch('http://127.0.0.1:1/')).status").run();
    assert!(ran.message().contains("none is allowed"), "{:#}", ran.json);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut seen = [0; 2048];
        let count = stream.read(&mut seen).unwrap();
        stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 8\r\nX-A: b\r\nConnection: close\r\n\r\n{\"c\": 1}").unwrap();
        String::from_utf8_lossy(&seen[..count]).into_owned()
    });
    let body = format!(
        "const a = await fetch('http://127.0.0.1:{port}/p?q=1', {{ method: 'POST', body: 'hello', headers: {{ 'X-Tana': 'yes' }} }}); return [a.status, a.ok, a.headers.get('X-A'), await a.json()]"
    );
    let ran = Case::body(&body)
        .arguments(&["--allow", &format!("127.0.0.1:{port}")])
        .run();
    assert_eq!(ran.result(), &json!([201, true, "b", {"c": 1}]));
    let seen = server.join().unwrap();
    assert!(
        seen.starts_with("POST /p?q=1 HTTP/1.1")
            && seen.contains("x-tana: yes")
            && seen.ends_with("hello"),
        "{seen}"
    );
}

#[test]
fn handlers_get_a_request_and_give_a_response() {
    let source = "import { Request, Response } from 'tana/net';\n\
        export function get(req: Request) { return { path: req.path, method: req.method, real: req instanceof Request }; }\n\
        export async function Post(req: Request, body: any) { return Response.json({ body, text: await req.text() }, 201, { 'X-A': 'b' }); }";
    let ran = Case::new(source).arguments(&["--entry", "get"]).run();
    assert_eq!(
        ran.json["response"]["body"]["text"], r#"{"path":"/","method":"GET","real":true}"#,
        "{:#}",
        ran.json
    );
    let ran = Case::new(source)
        .arguments(&["--entry", "post", "--input", r#"{"a":1}"#])
        .run();
    assert_eq!(ran.json["response"]["status"], 201, "{:#}", ran.json);
    assert_eq!(
        ran.json["response"]["headers"],
        json!({"content-type": "application/json", "x-a": "b"})
    );
    assert_eq!(
        ran.json["response"]["body"]["text"],
        r#"{"body":{"a":1},"text":"{\"a\":1}"}"#
    );
}

#[test]
fn the_types_name_what_the_modules_export_and_nothing_else() {
    let ran = Case::new(
        "import * as core from 'tana/core';\nimport * as utils from 'tana/utils';\nimport * as block from 'tana/block';\n\
         import * as tx from 'tana/tx';\nimport * as data from 'tana/data';\nimport * as context from 'tana/context';\n\
         import * as net from 'tana/net';\nexport function contract() {\n  const all: any = { core, utils, block, tx, data, context, net };\n\
         const out: any = {};\n  for (const name of Object.keys(all)) out[name] = Object.keys(all[name]);\n  return out;\n}\n",
    )
    .run();
    let modules = ran.result().as_object().unwrap().clone();
    assert_eq!(modules.len(), 7);
    for (module, names) in modules {
        let file = repository(&format!("types/{module}.d.ts"));
        let types = std::fs::read_to_string(file).unwrap();
        let (of_colon, of_slash) = types
            .split_once(&format!("declare module \"tana/{module}\""))
            .unwrap();
        let mut declared: Vec<_> = of_colon
            .lines()
            .filter_map(|line| line.strip_prefix("  export "))
            .filter_map(|line| match line.split_once(' ')? {
                ("const" | "function" | "class", rest) => {
                    rest.split([':', '(', '<', ' ']).next().map(str::to_owned)
                }
                ("default", _) => Some("default".to_owned()),
                ("{", rest) => rest
                    .strip_suffix(" };")?
                    .rsplit_once(" as ")
                    .map(|(_, name)| name.to_owned()),
                _ => None,
            })
            .collect();
        declared.sort();
        declared.dedup();
        let mut exported: Vec<_> = names
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect();
        exported.sort();
        assert_eq!(declared, exported, "{module}");
        assert!(of_slash.contains("export { default }"), "{module}");
    }
}

#[test]
fn what_the_types_accept_compiles() {
    for file in ["types/tests/accepted.ts", "examples/counter.ts"] {
        let output = tana_runtime(&["check", "--json"])
            .arg(repository(file))
            .output()
            .unwrap();
        let checked = ran(&output);
        assert_eq!(checked.exit, Some(0), "{:#}", checked.json);
    }
}
