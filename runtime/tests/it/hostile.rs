//! Contracts that mean harm: each ends with the right error, soon, and the workers go on.

use std::time::Duration;

use serde_json::json;
use tana_runtime::message::{ErrorCode, Invocation, Limits};

use crate::worker::{Chain, pool};

use ErrorCode::{
    BadResult, Forbidden, OutOfGas, OutOfMemory, Reserved, Syntax, Threw, TimedOut, TooLarge,
};

/// The most processor time that one may take.
const PATIENCE: Duration = Duration::from_secs(6);

/// What `contract()` does, and how it may end.
const BODIES: &[(&str, &[ErrorCode])] = &[
    // Loops in every syntactic place.
    ("for (;;);", &[OutOfGas]),
    ("for (;;) {}", &[OutOfGas]),
    ("while (true);", &[OutOfGas]),
    ("do ; while (true)", &[OutOfGas]),
    ("while (true) continue;", &[OutOfGas]),
    ("a: for (;;) { b: for (;;) continue a; }", &[OutOfGas]),
    ("for (let i = 0; i < 1; i += 0);", &[OutOfGas]),
    ("if (1) while (true); else 1;", &[OutOfGas]),
    ("switch (1) { case 1: while (true); }", &[OutOfGas]),
    ("switch (1) { default: for (;;); }", &[OutOfGas]),
    ("try { for (;;); } catch {}", &[OutOfGas]),
    ("try { throw 1 } catch { for (;;); }", &[OutOfGas]),
    ("try {} finally { for (;;); }", &[OutOfGas]),
    (
        "for (;;) { try { for (;;); } finally { continue } }",
        &[OutOfGas],
    ),
    (
        "function f(): any { try { return f() } finally { f() } } f()",
        &[OutOfGas, Threw, TooLarge],
    ),
    ("const o = { get a(): any { for (;;); } }; o.a", &[OutOfGas]),
    (
        "const o = { set a(_: any) { for (;;); } }; o.a = 1",
        &[OutOfGas],
    ),
    (
        "class A { constructor() { for (;;); } } new A()",
        &[OutOfGas],
    ),
    (
        "class A { #m() { for (;;); } go() { this.#m() } } new A().go()",
        &[OutOfGas],
    ),
    (
        "class A { a = (() => { for (;;); })() } new A()",
        &[OutOfGas],
    ),
    ("class A { static { for (;;); } } A", &[OutOfGas]),
    (
        "class A { static a = (() => { for (;;); })() } A",
        &[OutOfGas],
    ),
    ("class A { [(() => { for (;;); })()] = 1 } A", &[OutOfGas]),
    (
        "function f(a = (() => { for (;;); })()) { return a } f()",
        &[OutOfGas],
    ),
    (
        "function* g() { for (;;) yield 1 } for (const _ of g());",
        &[OutOfGas],
    ),
    (
        "function* g() { for (;;) yield 1 } [...g()]",
        &[OutOfGas, OutOfMemory, TooLarge],
    ),
    (
        "function* g(): any { yield* g() } g().next()",
        &[OutOfGas, Threw, TooLarge],
    ),
    (
        "async function f(): Promise<any> { for (;;) await 1 } await f()",
        &[OutOfGas, TimedOut],
    ),
    (
        "async function* g() { for (;;) yield 1 } for await (const _ of g());",
        &[OutOfGas, TimedOut],
    ),
    (
        "const f = (): any => { Promise.resolve().then(f) }; f(); await new Promise(() => {})",
        &[OutOfGas, TimedOut],
    ),
    (
        "({ [Symbol.toPrimitive]() { for (;;); } } as any) + 1",
        &[OutOfGas],
    ),
    ("`${{ toString() { for (;;); } }}`", &[OutOfGas]),
    ("JSON.stringify({ toJSON() { for (;;); } })", &[OutOfGas]),
    ("[1, 2].sort(() => { for (;;); })", &[OutOfGas]),
    ("[1].map(() => { for (;;); })", &[OutOfGas]),
    ("'a'.replace(/a/, () => { for (;;); })", &[OutOfGas]),
    (
        "((s: any, ...v: any[]) => { for (;;); })`a${1}`",
        &[OutOfGas],
    ),
    (
        "const { a = (() => { for (;;); })() }: any = {}; a",
        &[OutOfGas],
    ),
    (
        "const [a = (() => { for (;;); })()]: any = []; a",
        &[OutOfGas],
    ),
    ("return { then() { for (;;); } }", &[OutOfGas]),
    (
        "throw { get message() { for (;;); } }",
        &[OutOfGas, Threw, TimedOut],
    ),
    // Recursion.
    (
        "function f(): any { return f() + 1 } f()",
        &[OutOfGas, TooLarge],
    ),
    (
        "const f = (a: any = f()): any => a; f()",
        &[OutOfGas, TooLarge],
    ),
    (
        "class A { a: any = new A() } new A()",
        &[OutOfGas, TooLarge],
    ),
    (
        "let n = 0; function f(): any { try { f() } catch { n++ } f() } f()",
        &[OutOfGas, TooLarge],
    ),
    ("const a: any = []; a[0] = a; JSON.stringify(a)", &[Threw]),
    (
        "let a: any = []; for (let i = 0; i < 1e5; i++) a = [a]; JSON.stringify(a)",
        &[Threw],
    ),
    (
        "let a: any = []; for (let i = 0; i < 1e5; i++) a = [a]; a.flat(Infinity)",
        &[OutOfGas, TooLarge],
    ),
    (
        "let a: any = []; for (let i = 0; i < 1e5; i++) a = [a]; String(a)",
        &[OutOfGas, TooLarge],
    ),
    // Texts.
    ("'a'.repeat(2 ** 30)", &[TooLarge]),
    ("'a'.padStart(2 ** 29)", &[TooLarge]),
    ("'a'.padEnd(2 ** 29, 'ab')", &[TooLarge]),
    ("let s = 'a'; for (;;) s += s", &[TooLarge]),
    ("let s = 'a'; for (;;) s = s + s", &[TooLarge]),
    ("let s = 'a'; for (;;) s = `${s}${s}`", &[TooLarge]),
    ("let s = 'a'; for (;;) s = s.concat(s, s)", &[TooLarge]),
    ("let s = 'a'; for (;;) s = [s, s].join('')", &[TooLarge]),
    (
        "let s = 'aa'; for (;;) s = s.replaceAll('a', 'aa')",
        &[TooLarge, OutOfGas, OutOfMemory],
    ),
    (
        "let s = 'a'; for (;;) s = s.replace(/a/g, '$&$&')",
        &[TooLarge, OutOfGas],
    ),
    ("[...'.'.repeat(1e9)]", &[TooLarge]),
    ("[...'.'.repeat(1.6e7)]", &[TooLarge]),
    (
        "new Array(1e6).fill('x'.repeat(1e4)).join('')",
        &[TooLarge, OutOfGas],
    ),
    (
        "new Array(1e6).join('x'.repeat(1e4))",
        &[TooLarge, OutOfGas],
    ),
    (
        "'a'.repeat(1e7).split('').map((c) => c + c)",
        &[TooLarge, OutOfGas, OutOfMemory],
    ),
    ("encodeURIComponent('\\u20ac'.repeat(1e7))", &[TooLarge]),
    ("for (;;) 'a'.repeat(1e7).indexOf('b')", &[OutOfGas]),
    (
        "const s = 'a'.repeat(1e6); for (;;) s.indexOf('a'.repeat(5e5) + 'b')",
        &[OutOfGas],
    ),
    // Lists and collections.
    ("new Array(2 ** 32 - 1).fill(0)", &[TooLarge]),
    ("Array(1e8)", &[TooLarge]),
    (
        "const a: any = []; a.length = 4e9; a.forEach(() => {})",
        &[TooLarge],
    ),
    ("const a: any = []; a[4e9] = 1; a.indexOf(2)", &[TooLarge]),
    ("Array.from({ length: 1e9 })", &[TooLarge]),
    (
        "Array.prototype.map.call({ length: 1e9 }, (x) => x)",
        &[TooLarge],
    ),
    (
        "let n = 0; Array.prototype.indexOf.call({ get length() { return n++ ? 1e9 : 1 } }, 1)",
        &[Threw],
    ),
    (
        "Math.max(...new Array(1e6).fill(0), ...new Array(1e6).fill(0))",
        &[TooLarge, OutOfGas, Threw],
    ),
    ("Math.max.apply(null, { length: 1e9 } as any)", &[TooLarge]),
    (
        "Reflect.apply(Math.max, null, { length: 1e9 } as any)",
        &[TooLarge],
    ),
    (
        "const a: any[] = []; for (;;) a.push(a, a, a)",
        &[TooLarge, OutOfGas, OutOfMemory],
    ),
    (
        "const a: any[] = []; for (;;) a.unshift(1)",
        &[TooLarge, OutOfGas],
    ),
    ("let a: any[] = [1]; for (;;) a = a.concat(a)", &[TooLarge]),
    (
        "let a: any[] = [1]; for (;;) a = [...a, ...a]",
        &[TooLarge, OutOfGas],
    ),
    (
        "let a: any = [1]; for (;;) a = [a, a].flat(Infinity)",
        &[TooLarge, OutOfGas],
    ),
    (
        "const m = new Map(); for (let i = 0; ; i++) m.set(i, i)",
        &[OutOfGas, OutOfMemory],
    ),
    (
        "const o: any = {}; for (let i = 0; ; i++) o['k' + i] = i",
        &[OutOfGas, OutOfMemory],
    ),
    (
        "const s = new Set(new Array(1e6).fill(0).map((_, i) => i)); for (;;) new Set(s)",
        &[OutOfGas, OutOfMemory],
    ),
    (
        "const a: any[] = []; for (;;) a.push(new Array(1000).fill(1))",
        &[OutOfGas, OutOfMemory],
    ),
    (
        "const a: any[] = []; for (;;) a.push({ a: [1, 2, 3], b: 'x' + a.length })",
        &[OutOfGas, OutOfMemory, TooLarge],
    ),
    (
        "const a = new Array(1e5).fill(0).map((_, i) => i % 7); for (;;) a.sort()",
        &[OutOfGas],
    ),
    (
        "let a: any = []; for (let i = 0; i < 40; i++) a = [a, a]; JSON.stringify(a)",
        &[OutOfGas, TooLarge],
    ),
    (
        "let a: any = []; for (let i = 0; i < 40; i++) a = [a, a]; console.log(a)",
        &[OutOfGas, TooLarge],
    ),
    (
        "let a: any = []; for (let i = 0; i < 40; i++) a = [a, a]; return a",
        &[OutOfGas, TooLarge],
    ),
    ("JSON.parse('['.repeat(1e6))", &[Threw, TooLarge, OutOfGas]),
    // Buffers.
    ("new ArrayBuffer(2 ** 40)", &[TooLarge, OutOfGas]),
    ("new Uint8Array(2 ** 33)", &[TooLarge, OutOfGas]),
    (
        "const a: any[] = []; for (;;) a.push(new ArrayBuffer(1 << 20))",
        &[TooLarge, OutOfGas, OutOfMemory],
    ),
    (
        "const a: any[] = []; for (;;) a.push(new Float64Array(1e5))",
        &[TooLarge, OutOfGas, OutOfMemory],
    ),
    (
        "const a = new Uint8Array(1e6); for (;;) a.slice()",
        &[TooLarge, OutOfGas],
    ),
    // Large integers.
    ("let a = 3n; for (;;) a *= a", &[TooLarge]),
    ("let a = 3n; for (;;) a = a * a", &[TooLarge]),
    ("2n ** 1000000000n", &[TooLarge]),
    ("let a = 2n; a **= 100000000n", &[TooLarge]),
    ("1n << 1000000000n", &[TooLarge]),
    ("let a = 1n; a <<= 100000000n", &[TooLarge]),
    ("BigInt('9'.repeat(1e6))", &[TooLarge]),
    ("BigInt.asUintN(1e9, -1n)", &[TooLarge]),
    ("let a = 1n; for (;;) a += a", &[TooLarge]),
    // Patterns.
    ("for (;;) /(a+)+b/.test('a'.repeat(40))", &[OutOfGas]),
    (
        "/(x+x+)+(x+x+)+(x{50}){50}y/.test('x'.repeat(1e6))",
        &[OutOfGas],
    ),
    (
        "'x'.repeat(1e6).match(/x/g)!.length; for (;;) 'ab'.split(/b|/)",
        &[OutOfGas],
    ),
    (
        "'a'.repeat(1e5).replace(/a/g, '$&'.repeat(500))",
        &[TooLarge, OutOfGas],
    ),
    ("new RegExp('((a{100}){100}){100}')", &[Threw]),
    (
        "for (let i = 0; ; i++) new RegExp('a{5000}' + i)",
        &[Threw, OutOfGas],
    ),
    (
        "RegExp.prototype.exec = (() => { for (;;); }) as any; RegExp.prototype.exec('a')",
        &[OutOfGas],
    ),
    ("RegExp.prototype.test.call({}, 'a')", &[Threw]),
    ("new RegExp('a', 'v')", &[Threw]),
    ("new RegExp('a', 'gg')", &[Threw]),
    (
        "const f = (n: number): any => [1].map(() => f(n + 1)); f(0)",
        &[TooLarge],
    ),
    (
        "let f: any = () => 1; for (;;) f = f.bind(null); f()",
        &[Threw],
    ),
    ("function* g(): any { yield* g() } [...g()]", &[TooLarge]),
    (
        "const f = async (): Promise<any> => await f(); await f()",
        &[TooLarge],
    ),
    (
        "class A { get a(): any { return this.a } } new A().a",
        &[TooLarge],
    ),
    ("const o: any = { valueOf: () => +o }; +o", &[TooLarge]),
    (
        "const o: any = { toJSON: () => JSON.stringify(o) }; JSON.stringify(o)",
        &[TooLarge],
    ),
    (
        "class A { a: any = new A() } try { new A() } catch { for (;;); } finally { for (;;); }",
        &[TooLarge],
    ),
    ("Math.max(...new Array(4e4).fill(1))", &[TooLarge]),
    (
        "(function* () { const g: any = (function* () { try { yield 1 } catch { yield* g2() } })(); function* g2(): any { const h: any = g; h.next(); h.throw(1); yield 1 } g.next(); g.throw(1) })().next(); for (;;);",
        &[OutOfGas, TooLarge, Threw],
    ),
    ("JSON.parse('['.repeat(5000) + ']'.repeat(5000))", &[Threw]),
    ("new RegExp('(' .repeat(1e5))", &[Threw]),
    ("new RegExp('(a)\\\\1')", &[Threw]),
    ("new RegExp('(?=a)')", &[Threw]),
    (
        "new RegExp('a{1000}'.repeat(2000)).test('a')",
        &[Threw, OutOfGas],
    ),
    // Escapes.
    ("(function () {}).constructor('return 1')()", &[Threw]),
    ("(async function () {}).constructor('return 1')()", &[Threw]),
    ("(function* () {}).constructor('return 1')()", &[Threw]),
    (
        "(async function* () {}).constructor('return 1')()",
        &[Threw],
    ),
    ("Function('return 1')()", &[Threw]),
    ("new Function('return 1')()", &[Threw]),
    ("[].map.constructor('return globalThis')()", &[Threw]),
    ("(globalThis as any)['ev' + 'al']('1')", &[Threw]),
    ("(globalThis as any).Deno.core", &[Threw]),
    ("(globalThis as any).process.exit(0)", &[Threw]),
    ("(console as any).log.constructor('return 1')()", &[Threw]),
    ("(console as any).log = 1", &[Threw]),
    ("(block as any).height = 1", &[Threw]),
    ("Math.random()", &[Threw]),
    // Reaching for the meter.
    (
        "Object.defineProperty(Int32Array.prototype, 0, { get: () => 1e9 }); for (;;);",
        &[OutOfGas],
    ),
    (
        "Int32Array.prototype.fill = () => 1 as any; for (;;);",
        &[OutOfGas],
    ),
    (
        "Object.prototype.valueOf = () => 1e9; for (;;);",
        &[OutOfGas],
    ),
    (
        "Number.prototype.valueOf = () => 1e9; for (;;) 1 + 1;",
        &[OutOfGas],
    ),
    (
        "Promise.prototype.then = (() => {}) as any; for (;;);",
        &[OutOfGas],
    ),
    (
        "(globalThis as any).Error = class {}; for (;;);",
        &[OutOfGas],
    ),
    (
        "Error.prepareStackTrace = (_: any, s: any) => s; for (;;);",
        &[OutOfGas, Threw, TooLarge],
    ),
    (
        "Array.prototype[Symbol.iterator] = function* () { for (;;) yield 1 } as any; const [...a] = [1]; a",
        &[OutOfGas, OutOfMemory, TooLarge],
    ),
    (
        "Object.defineProperty(Array.prototype, 0, { set() { for (;;); } }); console.log(1, 2); for (;;);",
        &[OutOfGas],
    ),
    (
        "return { result: 1, get error() { for (;;); } }",
        &[OutOfGas],
    ),
    ("return 'x'.repeat(1e7)", &[BadResult]),
];

/// Whole files.
const FILES: &[(&str, &[ErrorCode])] = &[
    ("for (;;);", &[OutOfGas]),
    ("await (async () => { for (;;); })();", &[OutOfGas]),
    ("const $g = [1];", &[Reserved]),
    ("$x();", &[Reserved]),
    ("$g[0] = 1e9;", &[Reserved]),
    ("export const f = ($l: any) => $l;", &[Reserved]),
    ("class $s {}", &[Reserved]),
    (
        "import { $g as g } from 'tana:meter';",
        &[ErrorCode::Module],
    ),
    ("import 'ext:core/mod.js';", &[ErrorCode::Module]),
    ("import 'file:///etc/passwd';", &[ErrorCode::Module]),
    ("import 'https://example.com/a.ts';", &[ErrorCode::Module]),
    ("import '../secret.ts';", &[ErrorCode::Module]),
    ("import('tana/' + 'core');", &[Forbidden]),
    ("export * from 'tana/core';", &[Forbidden]),
    ("export { console } from 'tana/core';", &[Forbidden]),
    ("console.log(import.meta.url);", &[Forbidden]),
    ("eval('1');", &[Forbidden]),
    ("const e = eval; e('1');", &[Forbidden]),
    ("with ({}) {}", &[Syntax, Forbidden]),
    ("@((c: any) => c) class A {}", &[Forbidden]),
    (
        "export const contract = () => /(?=a)/.test('a');",
        &[Forbidden],
    ),
    (
        "export const contract = () => /(a)\\1/.test('aa');",
        &[Forbidden],
    ),
    (
        "export const contract = () => /[a&&b]/v.test('a');",
        &[Forbidden],
    ),
    (
        "export function contract() { function a() {} function a() {} }",
        &[Syntax],
    ),
    ("$d();", &[Reserved]),
    ("let a = ;", &[Syntax]),
    ("{", &[Syntax]),
];

#[tokio::test]
async fn every_hostile_contract_ends_with_the_right_error_and_the_workers_go_on() {
    let pool = pool(2).await;
    let limits = Limits {
        // Enough to run for a while, little enough to end by gas before it ends by time on either engine.
        gas: 5_000_000,
        cpu_ms: 5_000,
        wall_ms: 60_000,
        ..Limits::default()
    };
    let bodies = BODIES.iter().map(|(body, codes)| {
        let head = "import { console } from 'tana/core'; import { block } from 'tana/block'; console; block;\n";
        (*body, format!("{head}export async function contract(): Promise<any> {{\n{body}\n}}"), *codes)
    });
    let files = FILES
        .iter()
        .map(|(file, codes)| (*file, (*file).to_owned(), *codes));
    let mut wrong = Vec::new();
    for (name, source, codes) in bodies.chain(files) {
        let mut invocation = Invocation::new("contract.ts", source);
        invocation.limits = limits;
        let outcome = pool.run(invocation, &Chain::default()).await.unwrap();
        // Of processor time: how long that takes is the machine's affair.
        let took = Duration::from_micros(outcome.usage.cpu_us);
        let code = outcome.error.as_ref().map(|failure| failure.code);
        if !code.is_some_and(|code| codes.contains(&code))
            || took > PATIENCE
            || !outcome.changes.is_empty()
        {
            wrong.push(format!(
                "{name}\n    ended {:?} after {took:?}, expected {codes:?}",
                outcome.error
            ));
        }
        let next = pool
            .run(
                Invocation::new(
                    "contract.ts",
                    "export const contract = () => [1, 2].map((x) => x * 2)",
                ),
                &Chain::default(),
            )
            .await
            .unwrap();
        assert_eq!(next.result, json!([2, 4]), "after {name}: {next:?}");
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        BODIES.len() + FILES.len(),
        wrong.join("\n")
    );
}

#[tokio::test]
async fn sources_that_are_too_large_or_too_deep_are_refused() {
    let pool = pool(1).await;
    for (source, code) in [
        ("a;".repeat(5_000_000 / 2), ErrorCode::SourceTooLarge),
        (
            format!("{}1{}", "(".repeat(50_000), ")".repeat(50_000)),
            ErrorCode::TooDeep,
        ),
        (format!("{}1", "!".repeat(200_000)), ErrorCode::TooDeep),
        (format!("1{}", "+1".repeat(100_000)), ErrorCode::TooDeep),
        (
            format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)),
            ErrorCode::TooDeep,
        ),
        (format!("{}1", "a=>".repeat(60_000)), ErrorCode::TooDeep),
        (format!("{}1", "a?b:".repeat(60_000)), ErrorCode::TooDeep),
        (format!("{};", "if(1)".repeat(50_000)), ErrorCode::TooDeep),
        (
            format!(
                "let a: {}string{};",
                "Array<".repeat(20_000),
                ">".repeat(20_000)
            ),
            ErrorCode::TooDeep,
        ),
    ] {
        let outcome = pool
            .run(
                Invocation::new("contract.ts", source.as_str()),
                &Chain::default(),
            )
            .await
            .unwrap();
        assert_eq!(
            outcome.error.as_ref().map(|failure| failure.code),
            Some(code),
            "{source:.20}: {outcome:?}",
        );
    }
}
