//! Lists, collections, buffers and large integers that grow.

use tana_sandbox::message::ErrorCode::{OutOfGas, OutOfMemory, Threw, TooLarge};

use super::Bodies;

pub(super) const BODIES: Bodies = &[
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
    ("let a = 3n; for (;;) a *= a", &[TooLarge]),
    ("let a = 3n; for (;;) a = a * a", &[TooLarge]),
    ("2n ** 1000000000n", &[TooLarge]),
    ("let a = 2n; a **= 100000000n", &[TooLarge]),
    ("1n << 1000000000n", &[TooLarge]),
    ("let a = 1n; a <<= 100000000n", &[TooLarge]),
    ("BigInt('9'.repeat(1e6))", &[TooLarge]),
    ("BigInt.asUintN(1e9, -1n)", &[TooLarge]),
    ("let a = 1n; for (;;) a += a", &[TooLarge]),
];
