//! Contracts of a directory, as a browser sees them.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::json;

use crate::harness::Edge;

const HELLO: &str = "import { block } from 'tana/block';\nexport function get(req: any) { return { hello: req.query.name ?? 'world', path: req.path, host: req.headers.host, second: req.params[1] ?? null, now: block.timestamp > 1e12 }; }\nexport function post(_: any, body: any) { return { got: body }; }";

#[test]
fn contracts_answer_by_path_and_by_subdomain() {
    let edge = Edge::start(&[("hello/contract.ts", HELLO), ("single.ts", HELLO)]);
    let answer = edge.get("/hello?name=you%20two");
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, Some("application/json")),
        "{answer:?}"
    );
    assert_eq!(
        answer.json(),
        json!({"hello": "you two", "path": "/", "host": "localhost", "second": null, "now": true})
    );
    assert_eq!(edge.get("/single/a/b").json()["second"], "b");
    assert_eq!(edge.get("/single/a/b").json()["path"], "/a/b");
    let answer = edge.send("GET", "/deep/er", &[("Host", "hello.localhost:8180")], "");
    assert_eq!(answer.json()["path"], "/deep/er");
    assert_eq!(
        edge.post("/hello", r#"{"a":[1]}"#).json(),
        json!({"got": {"a": [1]}})
    );
    let answer = edge.send("POST", "/hello", &[("Content-Type", "text/plain")], "plain");
    assert_eq!(answer.json(), json!({"got": "plain"}));
}

#[test]
fn handlers_may_be_files_of_their_own() {
    let edge = Edge::start(&[
        ("a/get.ts", "export const get = () => 'g'"),
        ("a/post.ts", "export const post = () => 'p'"),
        ("b/get.ts", "export const Get = () => 1"),
    ]);
    assert_eq!(edge.get("/a").json(), "g");
    assert_eq!(edge.post("/a", "").json(), "p");
    let answer = edge.post("/b", "");
    assert_eq!(
        (answer.status, answer.json()["code"].as_str()),
        (405, Some("method-not-allowed")),
        "{answer:?}"
    );
}

#[test]
fn what_there_is_not_is_a_problem_document() {
    let edge = Edge::start(&[
        ("hello/contract.ts", HELLO),
        ("only.ts", "export const get = () => 1"),
    ]);
    for (method, path, status) in [
        ("GET", "/nothing", 404),
        ("GET", "/", 404),
        ("GET", "/..%2f..%2fetc%2fpasswd", 404),
        ("GET", "/.hidden", 404),
        ("PUT", "/hello", 405),
        ("POST", "/only", 405),
    ] {
        let answer = edge.send(method, path, &[], "");
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{method} {path}: {answer:?}"
        );
        assert_eq!(answer.json()["error"], answer.json()["detail"]);
    }
    let answer = edge.post("/hello", &"x".repeat((1 << 20) + 1));
    assert_eq!(answer.status, 413, "{answer:?}");
}

#[test]
fn a_failing_contract_names_its_line_and_harms_nobody() {
    let edge = Edge::start(&[
        (
            "bad.ts",
            "type A = 1;\nexport function get() {\n  throw new Error('no');\n}",
        ),
        ("broken.ts", "export function get() {\n  return ;;}}"),
        ("loop.ts", "export function get() { for (;;); }"),
        (
            "heap.ts",
            "export function get() { const a: any[] = []; for (;;) a.push({ a: [1, 2, 3, 4, 5, 6, 7, 8] }, { b: [1, 2, 3, 4, 5, 6] }); }",
        ),
        ("hello.ts", HELLO),
    ]);
    let answer = edge.get("/bad");
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(answer.json()["detail"], "bad: Error: no (bad.ts:3:9)");
    assert_eq!(answer.json()["contractError"]["line"], 3);
    assert_eq!(
        edge.get("/broken").json()["contractError"]["code"],
        "syntax"
    );
    let answer = edge.get("/loop");
    assert!(
        matches!(answer.header("x-tana-limit"), Some("time" | "gas")),
        "{answer:?}"
    );
    let answer = edge.get("/heap");
    assert!(
        matches!(
            answer.header("x-tana-limit"),
            Some("time" | "gas" | "memory" | "size")
        ),
        "{answer:?}"
    );
    assert_eq!(edge.get("/hello").status, 200);
}

#[test]
fn a_changed_contract_is_served_without_a_restart() {
    let edge = Edge::start(&[("v.ts", "export const get = () => 'one'")]);
    assert_eq!(edge.get("/v").json(), "one");
    edge.put("v.ts", "export const get = () => 'second'");
    assert_eq!(edge.get("/v").json(), "second");
    edge.put("new/contract.ts", "export const get = () => 'new'");
    assert_eq!(edge.get("/new").json(), "new");
}

#[test]
fn answers_have_status_headers_and_bytes() {
    let edge = Edge::start(&[(
        "r.ts",
        "import { Request, Response } from 'tana/net';\nexport function get(req: Request) { return new Response(418, new Uint8Array([104, 105]), { 'X-Kind': 'tea', 'Content-Length': '999', 'Connection': 'upgrade' }); }\nexport async function post(req: Request) { return new Response(201, await req.bytes(), { 'content-type': 'application/x-echo' }); }",
    )]);
    let answer = edge.get("/r");
    assert_eq!(
        (
            answer.status,
            answer.body.as_str(),
            answer.header("x-kind"),
            answer.header("content-length")
        ),
        (418, "hi", Some("tea"), Some("2")),
        "{answer:?}"
    );
    let answer = edge.post("/r", "bytes");
    assert_eq!(
        (
            answer.status,
            answer.body.as_str(),
            answer.header("content-type")
        ),
        (201, "bytes", Some("application/x-echo")),
        "{answer:?}"
    );
}

#[test]
fn an_error_status_of_a_contract_is_its_own() {
    let edge = Edge::start(&[(
        "own.ts",
        "import { Response } from 'tana/net'; export const get = (req: any) => Response.json({ mine: true }, Number(req.params[0]))",
    )]);
    for status in [400, 404, 405, 429, 500] {
        let answer = edge.get(&format!("/own/{status}"));
        assert_eq!(
            (answer.status, answer.json()),
            (status, json!({"mine": true}))
        );
    }
}

#[test]
fn each_request_has_an_isolate_of_its_own() {
    let edge = Edge::start(&[(
        "n.ts",
        "let n = 0; export const get = () => { (globalThis as any).seen = ((globalThis as any).seen ?? 0) + 1; return [++n, (globalThis as any).seen]; }",
    )]);
    for _ in 0..20 {
        assert_eq!(edge.get("/n").json(), json!([1, 1]));
    }
}

#[test]
fn requests_side_by_side_all_get_their_own_answer() {
    let edge = Edge::start(&[
        ("hello.ts", HELLO),
        ("loop.ts", "export function get() { for (;;); }"),
    ]);
    std::thread::scope(|scope| {
        for at in 0..8 {
            let edge = &edge;
            scope.spawn(move || {
                for round in 0..10 {
                    if at == 0 {
                        assert!(edge.get("/loop").status >= 500);
                    } else {
                        assert_eq!(
                            edge.get(&format!("/hello?name={at}-{round}")).json()["hello"],
                            format!("{at}-{round}")
                        );
                    }
                }
            });
        }
    });
}

#[test]
fn content_is_passed_to_the_store() {
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", store.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = store.accept().unwrap();
        let mut seen = [0; 2048];
        let count = stream.read(&mut seen).unwrap();
        stream.write_all(b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\nETag: \"x\"\r\nContent-Range: bytes 0-2/9\r\nX-Content-Hash: ab\r\nSet-Cookie: no\r\nConnection: close\r\n\r\nabc").unwrap();
        String::from_utf8_lossy(&seen[..count]).into_owned()
    });
    let edge = Edge::start_with(&[], &[], &[("T4_URL", &url)]);
    let answer = edge.send(
        "GET",
        "/content/abcd",
        &[("Range", "bytes=0-2"), ("Authorization", "Bearer secret")],
        "",
    );
    assert_eq!(
        (
            answer.status,
            answer.body.as_str(),
            answer.header("x-content-hash"),
            answer.header("set-cookie")
        ),
        (206, "abc", Some("ab"), None),
        "{answer:?}"
    );
    let seen = served.join().unwrap();
    assert!(
        seen.starts_with("GET /content/abcd HTTP/1.1")
            && seen.contains("range: bytes=0-2")
            && !seen.contains("secret"),
        "{seen}"
    );
    assert_eq!(edge.send("DELETE", "/content/abcd", &[], "").status, 405);
    assert_eq!(edge.get("/content/abcd").status, 503);
}

#[test]
fn it_says_what_it_is_and_stops_when_told() {
    let edge = Edge::start(&[("hello.ts", HELLO)]);
    assert_eq!(edge.get("/health").json()["service"], "edge");
    assert_eq!(
        edge.get("/openapi.json").json()["info"]["title"],
        "Tana edge"
    );
    assert_eq!(edge.get("/hello").status, 200);
    assert!(edge.get("/metrics").body.contains("http_requests_total"));
    assert!(edge.stop());
}
