//! The commands: what they print and what they exit with.

use serde_json::json;

use crate::harness::{Case, ran, repository, tana_runtime};

#[test]
fn the_example_runs() {
    let output = tana_runtime(&["run", "--json", "--input", r#"{"name":"alice"}"#])
        .arg(repository("examples/hello.ts"))
        .output()
        .unwrap();
    let ran = ran(&output);
    assert_eq!(ran.result(), &json!({"hello": "alice", "height": 0}));
    assert!(ran.json["gasUsed"].as_u64().unwrap() > 0);
    assert!(
        ran.json["logs"][0]["text"]
            .as_str()
            .unwrap()
            .starts_with("hello from tana"),
        "{:#}",
        ran.json
    );
}

#[test]
fn every_example_runs_or_can_be_served() {
    for entry in std::fs::read_dir(repository("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "ts") {
            let checked = tana_runtime(&["check", "--json"])
                .arg(&path)
                .output()
                .unwrap();
            assert!(
                checked.status.success(),
                "{}: {}",
                path.display(),
                String::from_utf8_lossy(&checked.stdout)
            );
        }
    }
    let script = tana_runtime(&["run", "--json", "--context"])
        .arg(repository("examples/script.context.json"))
        .arg(repository("examples/script.ts"))
        .output()
        .unwrap();
    let ran = ran(&script);
    assert_eq!(ran.exit, Some(0), "{:#}", ran.json);
    assert_eq!(
        ran.json["changes"][0],
        json!({"type": "data_update", "key": "lastTransfer", "value": "\u{0}{\"to\":\"bob\",\"amount\":5,\"height\":42}"})
    );
    assert_eq!(ran.json["changes"][1]["amount"], "5.00");
}

#[test]
fn exit_codes_tell_failure_from_misuse() {
    assert_eq!(Case::body("return 1").run().exit, Some(0));
    assert_eq!(Case::body("throw new Error('no')").run().exit, Some(1));
    assert_eq!(
        tana_runtime(&["run", "/nowhere/contract.ts"])
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
    assert_eq!(
        tana_runtime(&["run"]).output().unwrap().status.code(),
        Some(2)
    );
    assert_eq!(
        tana_runtime(&["run", "--input", "{", "x.ts"])
            .arg(repository("examples/hello.ts"))
            .output()
            .unwrap()
            .status
            .code(),
        Some(2)
    );
}

#[test]
fn an_error_names_the_typescript_line() {
    let source = "type A = { b: number };\n\nfunction deep(a: A): never {\n  throw new TypeError(`not ${a.b}`);\n}\n\nexport function contract() {\n  deep({ b: 1 });\n}\n";
    let ran = Case::new(source).run();
    assert_eq!(
        (ran.error(), ran.message()),
        ("threw", "TypeError: not 1"),
        "{:#}",
        ran.json
    );
    assert_eq!(ran.json["error"]["line"], 4, "{:#}", ran.json);
}

#[test]
fn a_rejected_promise_names_its_line_too() {
    let ran = Case::new("export async function contract() {\n  await null;\n  const x: any = undefined;\n  return x.y;\n}").run();
    assert_eq!(
        (ran.error(), &ran.json["error"]["line"]),
        ("threw", &json!(4)),
        "{:#}",
        ran.json
    );
}

#[test]
fn a_contract_that_returns_an_error_has_failed_and_changes_nothing() {
    let ran =
        Case::body("await data.set('a', 1); await data.commit(); return { error: 'not today' };")
            .run();
    assert_eq!(
        (ran.error(), ran.message(), ran.exit),
        ("refused", "not today", Some(1))
    );
    assert_eq!(ran.json["changes"], json!([]));
}

#[test]
fn what_cannot_be_called_or_returned_is_said() {
    assert_eq!(
        Case::new("export function get() {}").run().error(),
        "no-export"
    );
    assert_eq!(Case::body("return 10n").run().error(), "bad-result");
    for (levels, ends) in [(64, "none"), (65, "bad-result"), (400, "bad-result")] {
        let nested =
            format!("let x: any = 1; for (let i = 0; i < {levels}; i++) x = [x]; return x");
        let outcome = Case::body(&nested).run();
        assert_eq!(outcome.error(), ends, "{levels} levels");
    }
    assert_eq!(
        Case::body("const a: any = {}; a.a = a; return a")
            .run()
            .error(),
        "bad-result"
    );
    assert_eq!(
        Case::body("await new Promise(() => {})").run().error(),
        "never-settles"
    );
    assert_eq!(
        Case::new("await new Promise(() => {})").run().error(),
        "never-settles"
    );
}

#[test]
fn the_compiler_refuses_with_a_line() {
    let ran = Case::new("export function contract() {\n  return eval('1');\n}").run();
    assert_eq!(
        (ran.error(), &ran.json["error"]["line"]),
        ("forbidden", &json!(2)),
        "{:#}",
        ran.json
    );
    let ran = Case::new("import fs from 'node:fs';").run();
    assert_eq!(ran.error(), "module");
}

#[test]
fn gas_is_charged_and_limited() {
    let once = Case::body("let n = 0; for (let i = 0; i < 1000; i++) n += i; return n").run();
    let twice = Case::body("let n = 0; for (let i = 0; i < 2000; i++) n += i; return n").run();
    let (once, twice) = (
        once.json["gasUsed"].as_u64().unwrap(),
        twice.json["gasUsed"].as_u64().unwrap(),
    );
    assert!(twice > once + 1000, "{once} {twice}");
    let ran = Case::body("for (;;);")
        .arguments(&["--gas-limit", "100000"])
        .run();
    assert_eq!(
        (ran.error(), &ran.json["gasUsed"]),
        ("out-of-gas", &json!(100_000)),
        "{:#}",
        ran.json
    );
}

#[test]
fn all_memory_is_an_error_with_a_code_and_a_sentence() {
    // Soon, on a busy machine too: a text becomes a list of a million others.
    let ran =
        Case::body("const all: any[] = []; for (;;) all.push('x'.repeat(1000000).split(''));")
            .arguments(&["--gas-limit", "2000000000"])
            .run();
    assert_eq!(
        (ran.error(), ran.exit),
        ("out-of-memory", Some(1)),
        "{:#}",
        ran.json
    );
    assert!(ran.message().contains("memory"), "{:#}", ran.json);
}

#[test]
fn a_process_that_is_brought_down_is_an_error_too() {
    let dir = tempfile::TempDir::new().unwrap();
    let file = dir.path().join("endless.ts");
    std::fs::write(&file, "export function contract() { for (;;); }").unwrap();
    let parent = tana_runtime(&["run", "--json", "--gas-limit", "2000000000"])
        .arg(&file)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let children = format!("/proc/{0}/task/{0}/children", parent.id());
    let child = loop {
        let list = std::fs::read_to_string(&children).unwrap();
        if let Some(pid) = list.split_whitespace().next() {
            break nix::unistd::Pid::from_raw(pid.parse().unwrap());
        }
        std::thread::yield_now();
    };
    nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).unwrap();
    let ran = ran(&parent.wait_with_output().unwrap());
    assert_eq!(
        (ran.error(), ran.exit),
        ("worker-died", Some(1)),
        "{:#}",
        ran.json
    );
}
