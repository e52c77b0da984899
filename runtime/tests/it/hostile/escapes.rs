//! Ways out of the sandbox, and to the meter.

use tana_sandbox::message::ErrorCode::{BadResult, OutOfGas, OutOfMemory, Threw, TooLarge};

use super::Bodies;

pub(super) const BODIES: Bodies = &[
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
