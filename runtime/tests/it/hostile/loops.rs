//! Loops in every place that the syntax has for code.

use tana_sandbox::message::ErrorCode::{OutOfGas, OutOfMemory, Threw, TimedOut, TooLarge};

use super::Bodies;

pub(super) const BODIES: Bodies = &[
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
];
