//! What compiled code looks like. What it does is tested in `tests/it`, on the real engine.
#![allow(clippy::unwrap_used)]

use super::*;

fn code(source: &str) -> String {
    compile("contract.ts", source).unwrap().code
}

fn refusal(source: &str) -> Failure {
    compile("contract.ts", source).unwrap_err()
}

#[test]
fn types_are_stripped_and_every_run_is_charged() {
    let code =
        code("export function contract(a: number): number { for (;;) { if (a) break; } return a }");
    assert!(!code.contains(": number"), "{code}");
    assert_eq!(code.matches("$g[0]-=").count(), 4, "{code}");
}

#[test]
fn a_loop_without_a_block_is_charged_too() {
    for source in [
        "while(true);",
        "for(;;);",
        "do;while(true)",
        "for (const k in {}) k;",
        "if (1) 2; else 3;",
    ] {
        assert!(code(source).contains("{if(($g[0]-="), "{}", code(source));
    }
}

#[test]
fn exports_are_found_in_either_spelling() {
    let compiled = compile("c.ts", "export async function Get() {} export const post = () => 1; export { f as init }; function f() {}").unwrap();
    assert_eq!(
        compiled.exports.get,
        Some(tana_sandbox::message::EntryName::Upper)
    );
    assert_eq!(
        compiled.exports.post,
        Some(tana_sandbox::message::EntryName::Lower)
    );
    assert!(compiled.exports.init && !compiled.exports.contract);
}

#[test]
fn refusals_name_the_line() {
    let cases = [
        ("let a = 1;\nlet $g = 2;", ErrorCode::Reserved, 2),
        ("import x from 'node:fs';", ErrorCode::Module, 1),
        ("\n\nawait import('tana/core');", ErrorCode::Forbidden, 3),
        ("let a = ;", ErrorCode::Syntax, 1),
        (
            "import { BlockUser } from 'tana/block';\nimport { nothing } from 'tana/core'; let a: BlockUser; nothing;",
            ErrorCode::Module,
            2,
        ),
        ("eval('1')", ErrorCode::Forbidden, 1),
        ("export * from 'tana/core'", ErrorCode::Forbidden, 1),
        (
            "export class A { static {\n  export class A {}\n} }",
            ErrorCode::Syntax,
            2,
        ),
    ];
    for (source, expected, line) in cases {
        let failure = refusal(source);
        assert_eq!(
            (failure.code, failure.line),
            (expected, Some(line)),
            "{source}: {failure:?}"
        );
    }
}

#[test]
fn places_lead_back_to_the_source() {
    let source = "interface A { b: number }\n\nexport function contract() {\n  const a: A = { b: 1 };\n  throw new Error(`no ${a.b}`);\n}\n";
    let compiled = compile("contract.ts", source).unwrap();
    let at = compiled.code.find("throw").unwrap();
    let (line, column) = position::line_column(&compiled.code, at);
    assert_eq!(
        compiled.positions.source(line, column),
        Some((5, 3)),
        "{}",
        compiled.code
    );
}

#[test]
fn deep_and_large_sources_are_refused_without_a_crash() {
    assert_eq!(
        refusal(&format!("{}1{}", "(".repeat(5000), ")".repeat(5000))).code,
        ErrorCode::TooDeep
    );
    assert_eq!(
        refusal(&"!".repeat(MAX_SOURCE_BYTES)).code,
        ErrorCode::Syntax
    );
    assert_eq!(
        refusal(&format!("{}1", "!".repeat(MAX_SOURCE_BYTES - 1))).code,
        ErrorCode::TooDeep
    );
    assert_eq!(
        refusal(&"a;".repeat(MAX_SOURCE_BYTES)).code,
        ErrorCode::SourceTooLarge
    );
}

/// What the gas schedule stands for. Whoever changes one of these versions raises [`SCHEDULE_VERSION`] where a contract
/// may notice: another text of an error is enough, because it is in a receipt.
#[test]
fn the_version_of_the_schedule_names_the_versions_of_the_engines() {
    let expected = [
        ("v8", "150.4.0"),
        ("v8x", "149.4.0-rc.4"),
        ("deno_core", "0.413.0"),
        ("oxc", "0.146.0"),
        ("libm", "0.2.16"),
        ("regex-syntax", "0.8.11"),
    ];
    assert_eq!(SCHEDULE_VERSION, 2);
    let lock = include_str!("../../../Cargo.lock");
    for (name, version) in expected {
        assert!(
            lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")),
            "{name} is not {version} any more"
        );
    }
    #[cfg(any(feature = "v8", feature = "quickjs"))]
    assert_eq!(crate::DENO_CORE_VERSION, expected[2].1);
}
