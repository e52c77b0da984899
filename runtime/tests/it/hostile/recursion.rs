//! Functions that call themselves, openly or by way of the engine.

use tana_sandbox::message::ErrorCode::{OutOfGas, Threw, TooLarge};

use super::Bodies;

pub(super) const BODIES: Bodies = &[
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
];
