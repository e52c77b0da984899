//! Regular expressions that are large, or slow, or none.

use tana_sandbox::message::ErrorCode::{OutOfGas, Threw, TooLarge};

use super::Bodies;

pub(super) const BODIES: Bodies = &[
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
    ("new RegExp('(' .repeat(1e5))", &[Threw]),
    ("new RegExp('(a)\\\\1')", &[Threw]),
    ("new RegExp('(?=a)')", &[Threw]),
    (
        "new RegExp('a{1000}'.repeat(2000)).test('a')",
        &[Threw, OutOfGas],
    ),
];
