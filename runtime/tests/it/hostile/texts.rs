//! Texts that grow, or are searched without end.

use tana_sandbox::message::ErrorCode::{OutOfGas, OutOfMemory, TooLarge};

use super::Bodies;

pub(super) const BODIES: Bodies = &[
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
];
